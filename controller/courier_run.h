/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_COURIER_RUN_H
#define CONTROLLER_COURIER_RUN_H
/*
 * The command that starts a job: what is stored with the job, what its host's
 * plan says now, and, for work that deletes, the admin credentials, opened
 * for this message alone.
 */
#include <stdint.h>

#include "lib/base/rc.h"
#include "proto/agent.pb-c.h"
#include "proto/store.pb-c.h"

struct store_tx;

struct courier_run {
	/* both with the same arena, in which the command lives */
	struct store_tx *state, *vault;
	const uint8_t *key;
	const struct Rec__Host *host;
	const struct Rec__Job *job;
	int64_t now_ms;
};

/* RC_CONFLICT: it cannot be run, for the reason in e, whose code is the job's
 * cause.  Other failures may pass. */
MUST_USE enum rc courier_run_make(const struct courier_run *from,
    Wire__CommandRun *out, struct err *e);
/* What it holds of secrets is wiped. */
void courier_run_wipe(Wire__CommandRun *c);
#endif
