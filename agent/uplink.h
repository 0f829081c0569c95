/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_UPLINK_H
#define AGENT_UPLINK_H
/*
 * The connection to the controller: dial, Session, fall back to Poll,
 * reconnect with back-off (1 s to 60 s, full jitter).  Sends hello, events
 * from the queue (at most 1 MiB unacknowledged), results, progress,
 * heartbeats; hands configuration to secrets and commands to command.
 */
#include "lib/base/rc.h"

struct agent;
struct uplink;
struct Wire__CommandResult;
struct Wire__JobProgress;

MUST_USE enum rc uplink_new(struct agent *a, struct uplink **out,
    struct err *e);
void uplink_free(struct uplink *u);
/* An answer to a command: sent now if connected; lost answers are asked for
 * again by the controller. */
void uplink_result(struct uplink *u, const struct Wire__CommandResult *r);
/* Latest progress of a job; sent at most once a second.  NULL: it ended. */
void uplink_progress(struct uplink *u, const struct Wire__JobProgress *p);
/* One last try to deliver what is queued, at most 5 s, then done. */
typedef void uplink_drained_fn(void *ctx);
void uplink_drain(struct uplink *u, uplink_drained_fn *done, void *ctx);
#endif
