/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_IDENTITY_H
#define AGENT_IDENTITY_H
/*
 * Becoming a host of a controller, by token or by approval: what has to be
 * at hand before anything is asked, and the one place that takes the answer.
 */
#include "agent/facts.h"
#include "agent/restic.h"
#include "agent/settings.h"
#include "lib/base/rc.h"

struct queue;

struct identity {
	struct settings *settings;
	struct facts facts;
	struct restic restic; /* version "" when there is none */
	struct queue *queue;  /* held: no agent runs meanwhile */
};

/* Directories, the queue, what is known of this host, secrets_key.  Nothing
 * is saved but by that.  RC_BUSY: an agent runs with the same state. */
MUST_USE enum rc identity_open(struct identity *id, struct settings *s,
    struct err *e);
void identity_close(struct identity *id);

/* The controller's answer; saved when it returns RC_OK.  Events and
 * credentials of the host that this one was before are set aside, and what
 * led here (enrol_id, announce_key) is forgotten.  pin: hex, NULL leaves
 * the one in the settings. */
struct identity_answer {
	const char *host_id;
	const char *bearer;
	const char *pin;
};
MUST_USE enum rc identity_take(struct identity *id,
    const struct identity_answer *a, struct err *e);
#endif
