/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_TELL_H
#define AGENT_TELL_H
/*
 * How jobs began and ended, told again out of jobs/<id>, for a controller
 * that was restored from an older copy.  What it knows already it drops.
 */
#include <stdbool.h>

#include "lib/base/ulid.h"

struct agent;
struct events;
struct Wire__Event;

/* The last week's, oldest first; durable events like all others. */
void tell_again(struct agent *a);
/* Calls fn for each beginning and end that lies in the queue, oldest first. */
typedef void tell_queued_fn(void *ctx, const struct Wire__Event *e);
void tell_queued(struct events *ev, tell_queued_fn *fn, void *ctx);
/* The end of one; false when it is not known (any more, or yet). */
bool tell_one(struct agent *a, const struct ulid *id);
#endif
