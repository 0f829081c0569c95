/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/events.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "spool/queue.h"

enum {
	EVENTS_BATCH_MS = 100,
	EVENTS_BATCH_BYTES = 65536,
	EVENTS_RETRY_MS = 1000,
	EVENTS_LOG_RETRY_MAX_MS = 60000,
	/* Staged log bytes past which a stuck disk loses lines, not memory. */
	EVENTS_STAGED_MAX = 8 << 20,
	EVENTS_PREFIX_MAX = 22 /* two tags and two varints */
};

struct staged {
	struct list link;
	enum queue_type type; /* QUEUE_GAP: lines that are lost already */
	uint64_t order;       /* position in the sequence of all puts */
	size_t n;
	uint8_t payload[];
};

struct waiter {
	struct list link;
	uint64_t order; /* durable when everything up to here is */
	events_ready_fn *fn;
	void *ctx;
};

/*
 * One batch at a time: events_start moves `staged` to `batch`; the pool
 * appends and syncs; events_on_batch puts back what found no room, tells the
 * waiters and the uplink, and starts the next.
 */
struct events {
	struct loop *loop;
	struct queue *queue;
	struct loop_timer *timer;
	bool armed;
	struct list staged;
	size_t staged_bytes;
	uint64_t order; /* of the latest put */
	bool busy;      /* the pool has the queue */
	bool urgent;    /* something staged wants no delay */
	uint64_t acked; /* highest asked for, applied when not busy */
	uint64_t applied;
	unsigned held; /* nothing is applied meanwhile */
	struct list waiters;
	events_ready_fn *ready;
	void *ready_ctx;
	struct buf peeked;
	/* the pool's while busy */
	struct list batch;
	struct list lost;     /* log events that found no room, in order */
	int64_t log_wait_ms;  /* 0: the last line found room */
	int64_t log_again_ms; /* monotonic: no line is tried before */
	bool unsynced;
	struct err fault;
};

/* ---------------------------------------------------------------- gaps */

static void
events_count_lines(Wire__Gap *gap, size_t cap, const char *job, uint64_t first,
    uint64_t n)
{
	Wire__GapLines *g;
	size_t i;

	for (i = 0; i < gap->n_lines; i++) {
		g = gap->lines[i];
		if (strcmp(g->job_id, job) == 0) {
			g->count += n;
			if (first < g->first_line)
				g->first_line = first;
			return;
		}
	}
	if (gap->n_lines == cap)
		return; /* more jobs than one run can hold */
	g = MEM_NEW(Wire__GapLines);
	wire__gap_lines__init(g);
	g->job_id = mem_strdup(job);
	g->first_line = first;
	g->count = n;
	gap->lines[gap->n_lines++] = g;
}

enum {
	EVENTS_GAP_JOBS = 256
};

static void
events_add_to_gap(Wire__Gap *gap, struct str payload)
{
	Wire__Event *e =
	    wire__event__unpack(NULL, payload.n, (const uint8_t *)payload.p);
	size_t i;

	if (e == NULL)
		return; /* the record's checksum was right: not our writing */
	if (e->body_case == WIRE__EVENT__BODY_LOG)
		events_count_lines(gap, EVENTS_GAP_JOBS, e->log->job_id,
		    e->log->first_line, e->log->n_lines);
	for (i = 0;
	     e->body_case == WIRE__EVENT__BODY_GAP && i < e->gap->n_lines; i++)
		events_count_lines(gap, EVENTS_GAP_JOBS,
		    e->gap->lines[i]->job_id, e->gap->lines[i]->first_line,
		    e->gap->lines[i]->count);
	wire__event__free_unpacked(e, NULL);
}

static Wire__Gap *
events_gap_new(void)
{
	Wire__Gap *gap = MEM_NEW(Wire__Gap);

	wire__gap__init(gap);
	gap->lines = mem_array(EVENTS_GAP_JOBS, sizeof(*gap->lines));
	return gap;
}

static void
events_pack(const Wire__Event *e, struct buf *out)
{
	size_t n = wire__event__get_packed_size(e);
	char *room = buf_reserve(out, n);

	if (room != NULL)
		buf_added(out, wire__event__pack(e, (uint8_t *)room));
}

/* Frees gap. */
static void
events_pack_gap(Wire__Gap *gap, struct buf *out)
{
	Wire__Event e = WIRE__EVENT__INIT;

	e.body_case = WIRE__EVENT__BODY_GAP;
	e.gap = gap;
	events_pack(&e, out);
	wire__gap__free_unpacked(gap, NULL);
}

void
events_gap(void *ctx, const struct queue_run *run, struct buf *out)
{
	Wire__Gap *gap = events_gap_new();
	size_t i;

	(void)ctx;
	gap->from_seq = run->from;
	gap->to_seq = run->to;
	for (i = 0; i < run->n; i++)
		events_add_to_gap(gap, run->records[i].payload);
	events_pack_gap(gap, out);
}

/* ------------------------------------------------------------- the pool */

static void
events_drop_list(struct list *head)
{
	struct list *el;

	while ((el = list_take(head)) != NULL)
		mem_free(LIST_ENTRY(el, struct staged, link));
}

/* One gap of its own number for all lines that found no room so far. */
static enum rc
events_append_lost(struct events *ev, struct err *e)
{
	Wire__Gap *gap;
	struct list *el, *tmp;
	struct staged *s;
	struct buf b;
	uint64_t seq;
	enum rc rc;

	if (list_empty(&ev->lost))
		return RC_OK;
	gap = events_gap_new();
	LIST_FOREACH(el, tmp, &ev->lost)
	{
		s = LIST_ENTRY(el, struct staged, link);
		events_add_to_gap(gap, str_from(s->payload, s->n));
	}
	gap->from_seq = gap->to_seq = queue_next(ev->queue);
	buf_init(&b, QUEUE_RECORD_MAX);
	events_pack_gap(gap, &b);
	rc = queue_append(ev->queue, QUEUE_GAP, buf_str(&b), &seq, e);
	if (rc == RC_OK)
		events_drop_list(&ev->lost);
	buf_fini(&b);
	return rc;
}

/* Shrinks what the lost lines hold to what their gap needs. */
static void
events_lose(struct events *ev, struct staged *s)
{
	Wire__Gap *gap = events_gap_new();
	struct staged *note;
	struct buf b;

	events_add_to_gap(gap, str_from(s->payload, s->n));
	buf_init(&b, QUEUE_RECORD_MAX);
	events_pack_gap(gap, &b);
	note = mem_alloc(sizeof(*note) + b.len);
	note->n = b.len;
	memcpy(note->payload, b.data, b.len);
	buf_fini(&b);
	list_append(&ev->lost, &note->link);
	mem_free(s);
}

/* No queue takes it, ever: keeping it would hold up all behind it. */
static void
events_refuse(struct staged *s)
{
	log_error(LOG_SPOOL, "event too large, dropped bytes=%zu", s->n);
	mem_free(s);
}

/* Each try costs a gap record in front, and gaps use the room kept for
 * results: on a full disk they must be few. */
static bool
events_log_may_fit(const struct events *ev)
{
	return ev->log_wait_ms == 0 || clock_mono_ms() >= ev->log_again_ms;
}

static void
events_log_failed(struct events *ev)
{
	ev->log_wait_ms =
	    ev->log_wait_ms == 0 ? EVENTS_RETRY_MS : 2 * ev->log_wait_ms;
	if (ev->log_wait_ms > EVENTS_LOG_RETRY_MAX_MS)
		ev->log_wait_ms = EVENTS_LOG_RETRY_MAX_MS;
	ev->log_again_ms = clock_mono_ms() + ev->log_wait_ms;
}

/* Appends one; true when it needs its place no longer. */
static bool
events_append_one(struct events *ev, struct staged *s)
{
	struct err e = { 0 };
	uint64_t seq;
	enum rc rc;

	if (s->type == QUEUE_GAP ||
	    (s->type == QUEUE_LOG && !events_log_may_fit(ev))) {
		events_lose(ev, s);
		return true;
	}
	rc = events_append_lost(ev, &e);
	if (rc == RC_OK)
		rc = queue_append(ev->queue, s->type,
		    str_from(s->payload, s->n), &seq, &e);
	if (rc == RC_OK) {
		ev->unsynced = true;
		if (s->type == QUEUE_LOG)
			ev->log_wait_ms = 0;
		mem_free(s);
		return true;
	}
	if (rc == RC_LIMIT && s->type != QUEUE_LOG) {
		events_refuse(s);
		return true;
	}
	ev->fault = e;
	if (s->type != QUEUE_LOG)
		return false;
	events_log_failed(ev);
	events_lose(ev, s);
	return true;
}

/* Appends in order.  What is not a log and finds no room stays, and all
 * behind it. */
static void
events_append_batch(struct events *ev)
{
	struct list *el;

	while ((el = list_take(&ev->batch)) != NULL) {
		if (!events_append_one(ev,
		        LIST_ENTRY(el, struct staged, link))) {
			list_prepend(&ev->batch, el);
			return;
		}
	}
	if (!list_empty(&ev->lost) && events_log_may_fit(ev) &&
	    events_append_lost(ev, &ev->fault) == RC_OK)
		ev->unsynced = true;
}

static void
events_batch(void *ctx)
{
	struct events *ev = ctx;

	ev->fault = (struct err){ 0 };
	events_append_batch(ev);
	if (ev->unsynced && queue_sync(ev->queue, &ev->fault) == RC_OK)
		ev->unsynced = false;
}

/* ------------------------------------------------------------- the loop */

static void events_start(struct events *ev);

static void
events_arm(struct events *ev, uint64_t after_ms)
{
	if (ev->armed || ev->busy)
		return;
	ev->armed = true;
	loop_timer_start(ev->timer, after_ms, 0);
}

static void
events_apply_ack(struct events *ev)
{
	struct err e = { 0 };

	if (ev->busy || ev->held > 0 || ev->acked <= ev->applied)
		return;
	if (queue_ack(ev->queue, ev->acked, &e) != RC_OK)
		log_warn(LOG_SPOOL,
		    "cannot drop acknowledged events seq=%llu "
		    "error=%s",
		    (unsigned long long)ev->acked, e.msg);
	ev->applied = ev->acked;
}

/* Everything up to this put is durable. */
static uint64_t
events_durable(const struct events *ev)
{
	const struct list *el = list_first(&ev->batch);

	if (ev->unsynced)
		return 0;
	if (el == NULL)
		el = list_first(&ev->staged);
	return el == NULL ? ev->order
	                  : LIST_ENTRY((struct list *)(uintptr_t)el,
	                        struct staged, link)
	                            ->order -
	                        1;
}

static void
events_tell_waiters(struct events *ev)
{
	uint64_t durable = events_durable(ev);
	struct list *el, *tmp;
	struct waiter *w;

	LIST_FOREACH(el, tmp, &ev->waiters)
	{
		w = LIST_ENTRY(el, struct waiter, link);
		if (w->order > durable)
			break;
		list_del(el);
		loop_defer(ev->loop, w->fn, w->ctx);
		mem_free(w);
	}
}

static void
events_on_batch(void *ctx)
{
	static struct log_limit limit;
	struct events *ev = ctx;
	struct list *el;

	ev->busy = false;
	/* What found no room goes back to the front, in order. */
	while ((el = list_take(&ev->staged)) != NULL)
		list_append(&ev->batch, el);
	ev->staged_bytes = 0;
	while ((el = list_take(&ev->batch)) != NULL) {
		ev->staged_bytes += LIST_ENTRY(el, struct staged, link)->n;
		list_append(&ev->staged, el);
	}
	if (ev->fault.rc != RC_OK && log_allow(&limit, 1, 60))
		log_error(LOG_SPOOL, "events cannot be written error=%s",
		    ev->fault.msg);
	events_apply_ack(ev);
	events_tell_waiters(ev);
	if (ev->ready != NULL)
		ev->ready(ev->ready_ctx);
	if (ev->fault.rc != RC_OK || !list_empty(&ev->lost))
		events_arm(ev, EVENTS_RETRY_MS);
	else if (!list_empty(&ev->staged))
		events_arm(ev,
		    ev->urgent || ev->staged_bytes > EVENTS_BATCH_BYTES
		        ? 0
		        : EVENTS_BATCH_MS);
}

static void
events_start(struct events *ev)
{
	struct list *el;

	ev->armed = false;
	loop_timer_stop(ev->timer);
	if (ev->busy) {
		ev->urgent = true; /* when this batch is over */
		return;
	}
	ev->busy = true;
	ev->urgent = false;
	while ((el = list_take(&ev->staged)) != NULL)
		list_append(&ev->batch, el);
	ev->staged_bytes = 0;
	loop_work(ev->loop, events_batch, events_on_batch, ev);
}

static void
events_on_timer(void *ctx)
{
	events_start(ctx);
}

static void
events_stage(struct events *ev, enum queue_type type, const Wire__Event *e)
{
	size_t n = wire__event__get_packed_size(e);
	struct staged *s = mem_alloc(sizeof(*s) + n);

	s->type = type;
	s->n = wire__event__pack(e, s->payload);
	s->order = ++ev->order;
	ev->staged_bytes += n;
	list_append(&ev->staged, &s->link);
}

void
events_put(struct events *ev, const Wire__Event *e, bool now)
{
	events_stage(ev, QUEUE_EVENT, e);
	if (now)
		events_start(ev);
	else
		events_arm(ev, EVENTS_BATCH_MS);
}

/* Under a stuck disk the newest lines shrink to their number. */
static void
events_put_lost(struct events *ev, const Wire__LogChunk *chunk)
{
	Wire__Event e = WIRE__EVENT__INIT;
	Wire__Gap gap = WIRE__GAP__INIT;
	Wire__GapLines lines = WIRE__GAP_LINES__INIT;
	Wire__GapLines *one = &lines;

	lines.job_id = chunk->job_id;
	lines.first_line = chunk->first_line;
	lines.count = chunk->n_lines;
	gap.lines = &one;
	gap.n_lines = 1;
	e.body_case = WIRE__EVENT__BODY_GAP;
	e.gap = &gap;
	events_stage(ev, QUEUE_GAP, &e);
}

void
events_put_log(struct events *ev, const Wire__LogChunk *chunk)
{
	Wire__Event e = WIRE__EVENT__INIT;

	if (ev->staged_bytes > EVENTS_STAGED_MAX) {
		events_put_lost(ev, chunk);
		return;
	}
	e.body_case = WIRE__EVENT__BODY_LOG;
	e.log = (Wire__LogChunk *)(uintptr_t)chunk;
	events_stage(ev, QUEUE_LOG, &e);
	if (ev->staged_bytes > EVENTS_BATCH_BYTES)
		events_start(ev);
	else
		events_arm(ev, EVENTS_BATCH_MS);
}

void
events_on_ready(struct events *ev, events_ready_fn *fn, void *ctx)
{
	ev->ready = fn;
	ev->ready_ctx = ctx;
}

void
events_when_synced(struct events *ev, events_ready_fn *fn, void *ctx)
{
	struct waiter *w = MEM_NEW(struct waiter);

	w->order = ev->order;
	w->fn = fn;
	w->ctx = ctx;
	list_append(&ev->waiters, &w->link);
	events_start(ev);
}

/* ------------------------------------------------------- for the uplink */

/* Field number and varint, as protobuf writes them. */
static void
events_put_varint(struct buf *out, uint8_t field, uint64_t v)
{
	buf_put_u8(out, (uint8_t)(field << 3));
	while (v >= 0x80) {
		buf_put_u8(out, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	buf_put_u8(out, (uint8_t)v);
}

enum rc
events_peek(struct events *ev, uint64_t from, struct events_item *out,
    struct err *e)
{
	struct queue_record r;
	enum rc rc;

	if (ev->busy)
		return RC_BUSY;
	if ((rc = queue_peek(ev->queue, from, &r, e)) != RC_OK)
		return rc;
	buf_reset(&ev->peeked);
	events_put_varint(&ev->peeked, 1, r.seq);
	events_put_varint(&ev->peeked, 2, (uint64_t)r.at_ms);
	buf_put_str(&ev->peeked, r.payload);
	out->seq = r.seq;
	out->packed = buf_str(&ev->peeked);
	return RC_OK;
}

void
events_ack(struct events *ev, uint64_t seq)
{
	if (seq > ev->acked)
		ev->acked = seq;
	events_apply_ack(ev);
}

void
events_hold(struct events *ev)
{
	ev->held++;
}

void
events_release(struct events *ev)
{
	ev->held--;
	events_apply_ack(ev);
}

enum rc
events_range(struct events *ev, struct events_range *out)
{
	if (ev->busy)
		return RC_BUSY;
	memcpy(out->epoch, queue_epoch(ev->queue), sizeof(out->epoch));
	out->next = queue_synced(ev->queue) + 1;
	out->first = queue_first(ev->queue);
	if (out->first > out->next)
		out->first = out->next;
	return RC_OK;
}

enum rc
events_renew(struct events *ev, struct err *e)
{
	enum rc rc;

	if (ev->busy)
		return RC_BUSY;
	rc = queue_renew(ev->queue, e);
	ev->acked = ev->applied = 0;
	return rc;
}

struct events *
events_new(struct loop *l, struct queue *q)
{
	struct events *ev = MEM_NEW(struct events);

	ev->loop = l;
	ev->queue = q;
	list_init(&ev->staged);
	list_init(&ev->batch);
	list_init(&ev->lost);
	list_init(&ev->waiters);
	buf_init(&ev->peeked, QUEUE_RECORD_MAX + EVENTS_PREFIX_MAX);
	ev->timer = loop_timer_new(l, events_on_timer, ev);
	return ev;
}

void
events_free(struct events *ev)
{
	struct list *el;

	if (ev == NULL)
		return;
	ASSERT(!ev->busy); /* main waits with events_when_synced() */
	loop_timer_free(ev->timer);
	while ((el = list_take(&ev->staged)) != NULL)
		list_append(&ev->batch, el);
	ev->log_again_ms = 0;
	events_batch(ev);
	events_drop_list(&ev->batch);
	events_drop_list(&ev->lost);
	while ((el = list_take(&ev->waiters)) != NULL)
		mem_free(LIST_ENTRY(el, struct waiter, link));
	buf_fini(&ev->peeked);
	mem_free(ev);
}
