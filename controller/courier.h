/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_COURIER_H
#define CONTROLLER_COURIER_H
/*
 * Commands out: what is queued for a host goes to its agent, in order, one
 * at a time, again and again until the acceptance (or the end) is stored.
 */
#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct controller;
struct courier;
struct Wire__CommandResult;

/* Reads from the store which jobs have not ended. */
struct courier *courier_new(struct controller *c);
void courier_free(struct courier *k);
/* Something for this host may have changed: a job queued or ended, a cancel
 * asked for.  Cheap; merged. */
void courier_wake(struct courier *k, const struct ulid *host);
/* A new job waits for it.  Its id may be older than those of jobs that have
 * ended, when a clock was set back, so it is named. */
void courier_queued(struct courier *k, const struct ulid *host,
    const struct ulid *job);
/* The same, and it leaves within this turn if it can; not from inside a call
 * of its agent. */
void courier_send(struct courier *k, const struct ulid *host,
    const struct ulid *job);
/* The host was deleted: the job its agent runs (zero: none) is cancelled, and
 * nothing is kept of it. */
void courier_forget(struct courier *k, const struct ulid *host,
    const struct ulid *job);
/* The agent can be reached again, or by another way: nothing that was sent
 * before counts as sent. */
void courier_hello(struct courier *k, const struct ulid *host);
void courier_result(struct courier *k, const struct ulid *host,
    const struct Wire__CommandResult *r);
/* Every second: what was sent and not answered, and what still has to wait for
 * others.  Who is at work, and not to stop, or away is passed over. */
void courier_tick(struct courier *k);
#endif
