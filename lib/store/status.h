/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_STATUS_H
#define LIB_STORE_STATUS_H
/*
 * The backup state of a host: what pages show, and what filters, sorting and
 * lists go by.  Pure: no transaction, no clock.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/attr.h"
#include "lib/base/str.h"
#include "proto/store.pb-c.h"

/* In the order that needs people most.  Failed is also whose repository does
 * not open any more; new is also whose repository or credentials were changed
 * and not tried since. */
enum status_host {
	STATUS_STALE,
	STATUS_NEVER,
	STATUS_FAILED,
	STATUS_INCOMPLETE,
	STATUS_RUNNING,
	STATUS_NEW,
	STATUS_OK
};
enum {
	STATUS_HOST_COUNT = 7
};

/* How long a new host may go without a backup. */
#define STATUS_GRACE_MS ((int64_t)24 * 3600 * 1000)

/* How long a backup protects: what the host says, else twice as long as its
 * schedules leave between two runs and 2 h; 26 h without a schedule.  A host
 * that comes and goes has a week at least. */
int64_t status_allowed_ms(const struct Rec__Host *h);
/* Away, and allowed to be. */
bool status_asleep(const struct Rec__Host *h);

/* running: its current job is under way. */
enum status_host status_of_host(const struct Rec__Host *h, bool running,
    int64_t now_ms);
/* The newest good backup is inside the allowed age. */
bool status_protected(const struct Rec__Host *h, int64_t now_ms);
bool status_needs_attention(enum status_host s);
/* stale, never, failed, incomplete, running, new, ok */
const char *status_host_name(enum status_host s);
/* Its agent is older than this program; and online. */
bool status_outdated(const struct Rec__Host *h);
bool status_behind(const struct Rec__Host *h);
/* Why the agent does not hold what is in force, in words; "" it does. */
const char *status_drift(const struct Rec__Host *h);
/* How far the rotation of its bearer is: "" none is wanted, agent_too_old,
 * waiting_for_host, under_way. */
const char *status_rotation(const struct Rec__Host *h);
/* unknown, ready, init_failed */
const char *status_repo_name(Rec__RepoStatus s);
#endif
