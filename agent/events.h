/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_EVENTS_H
#define AGENT_EVENTS_H
/*
 * Durable events on their way to the controller: appended to the queue,
 * synced in batches (100 ms or 64 KiB, at once for the end of a job), and
 * only then offered to the uplink.  Appending never fails to the caller: a
 * full disk loses log lines first (a gap says how many), never results.
 * Loop thread; the fdatasync runs in the pool.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct events;
struct loop;
struct queue;
struct Wire__Event;
struct Wire__LogChunk;

struct events *events_new(struct loop *l, struct queue *q);
void events_free(struct events *ev); /* syncs what is appended */

/* seq and at_ms are filled in.  now: sync at once. */
void events_put(struct events *ev, struct Wire__Event *e, bool now);
/* A log chunk (at most 64 KiB packed; lines.c sees to it). */
void events_put_log(struct events *ev, const struct Wire__LogChunk *chunk);

/* Tells the uplink that more events are durable. */
typedef void events_ready_fn(void *ctx);
void events_on_ready(struct events *ev, events_ready_fn *fn, void *ctx);
/* The next durable event from seq on, packed as a Wire__Event; lent until
 * the next call.  RC_NOTFOUND: none yet. */
MUST_USE enum rc events_peek(struct events *ev, uint64_t from, uint64_t *seq,
    struct str *packed, struct err *e);
void events_ack(struct events *ev, uint64_t seq);
/* Calls fn once everything put so far is durable. */
void events_when_synced(struct events *ev, events_ready_fn *fn, void *ctx);
#endif
