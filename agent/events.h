/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_EVENTS_H
#define AGENT_EVENTS_H
/*
 * Durable events on their way to the controller: staged in memory, appended
 * to the queue and synced in batches in the pool (100 ms or 64 KiB, at once
 * for the end of a job), and only then offered to the uplink.
 *
 * Putting never fails: a full disk loses log lines first (a gap says how
 * many), never other events, which stay staged until there is room.  The
 * queue belongs to the pool while a batch is under way, so peeks and acks
 * wait for its end; on_ready tells.  Loop thread.
 *
 * Payloads in the queue are packed Wire__Events without seq and at_ms, which
 * the queue knows itself; events_peek() puts them in front.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "proto/agent.pb-c.h"

struct buf;
struct events;
struct loop;
struct queue;
struct queue_run;

/* For queue_opts.gap: several dropped log events become one gap. */
void events_gap(void *ctx, const struct queue_run *run, struct buf *gap);

struct events *events_new(struct loop *l, struct queue *q);
/* Appends and syncs what is staged (blocking), as far as there is room. */
void events_free(struct events *ev);

/* now: sync at once. */
void events_put(struct events *ev, const Wire__Event *e, bool now);
void events_put_log(struct events *ev, const Wire__LogChunk *chunk);

/* More is durable, or the queue is free again.  Not from inside a call. */
typedef void events_ready_fn(void *ctx);
void events_on_ready(struct events *ev, events_ready_fn *fn, void *ctx);

struct events_item {
	uint64_t seq;
	struct str packed; /* a whole Wire__Event; lent until the next call */
};
/* The next durable event from that number on.  RC_NOTFOUND: none; RC_BUSY:
 * wait for on_ready; RC_CORRUPT: see events_renew(). */
MUST_USE enum rc events_peek(struct events *ev, uint64_t from,
    struct events_item *out, struct err *e);
void events_ack(struct events *ev, uint64_t seq);
/* Until released as often, what is acknowledged stays in the queue: a start
 * finds there what is not noted elsewhere yet. */
void events_hold(struct events *ev);
void events_release(struct events *ev);
/* Numbers for hello; RC_BUSY: wait for on_ready. */
struct events_range {
	uint8_t epoch[16];
	uint64_t first;
	uint64_t next; /* behind the last durable one */
};
MUST_USE enum rc events_range(struct events *ev, struct events_range *out);
/* A new epoch: the controller's numbers and ours do not fit. */
MUST_USE enum rc events_renew(struct events *ev, struct err *e);
/* Calls fn once when everything put so far is durable. */
void events_when_synced(struct events *ev, events_ready_fn *fn, void *ctx);
#endif
