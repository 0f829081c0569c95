/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/ingest.h"
#include "controller/ingest_own.h"
#include "controller/op.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/live.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

/*
 * ingest_kick -> pool: ingest_log_write -> ingest_on_written -> one op for all:
 * ingest_op -> ingest_on_op -> batch_end -> the next.  When the op fails, an
 * op for each host finds those it failed for.
 */
enum {
	BATCH_MAX = 8 << 20,
	BATCH_HOST_MAX = 1 << 20,
	BATCH_HOSTS = 1000, /* each may become an op, others want some too */
	SLICE = 32,         /* hosts told in one turn of the loop */
	RETRY_MS = 1000,
	/* Log lines of all hosts go together so often: a batch costs the same
	 * syncs for one line as for thousands (bench key log-cpu).  Events
	 * that change a state do not wait, nor does a host of which so much
	 * waits that its agent may soon have to stop. */
	LINES_MS = 50,
	LINES_HOST_MAX = 256 << 10,
	LINES_ALL_MAX = 8 << 20
};

static void batch_end(struct ingest *i);

/* Nothing begins before all of it is told. */
static void
note_end(struct ingest *i)
{
	i->waiting = true;
	if (i->batch->sync_us > 0)
		latency_add(&i->stats.sync, (uint64_t)i->batch->sync_us);
}

static void
unlink_calm(struct inlet *in)
{
	in->calm = false;
	list_del(&in->ready);
}

static void
queue_inlet(struct ingest *i, struct inlet *in)
{
	if (in->calm && in->urgent)
		unlink_calm(in);
	if (in->busy || list_linked(&in->ready) || list_empty(&in->pending))
		return;
	in->calm = !in->urgent;
	list_append(in->calm ? &i->calm : &i->ready, &in->ready);
}

void
ingest_ready(struct ingest *i, struct inlet *in, bool more)
{
	in->urgent |= more || in->bytes > LINES_HOST_MAX;
	queue_inlet(i, in);
	ingest_kick(i);
}

void
ingest_on_tick(void *ctx)
{
	struct ingest *i = ctx;

	i->ticking = false;
	ingest_kick(i);
}

/* The calm ones join when it is their time. */
static void
call_calm(struct ingest *i)
{
	int64_t now = clock_mono_ms();
	struct list *el;

	if (list_empty(&i->calm))
		return;
	if (now < i->lines_ms && i->bytes < LINES_ALL_MAX) {
		if (!i->ticking)
			loop_timer_start(i->tick, (uint64_t)(i->lines_ms - now),
			    0);
		i->ticking = true;
		return;
	}
	i->lines_ms = now + LINES_MS;
	while ((el = list_first(&i->calm)) != NULL) {
		unlink_calm(LIST_ENTRY(el, struct inlet, ready));
		list_append(&i->ready, el);
	}
}

/* --------------------------------------------------------------- begin */

static bool
writes_log(const struct ingest_item *it)
{
	return it->body == WIRE__EVENT__BODY_LOG ||
	       it->body == WIRE__EVENT__BODY_GAP ||
	       it->body == WIRE__EVENT__BODY_JOB_STARTED ||
	       it->body == WIRE__EVENT__BODY_JOB_FINISHED;
}

static size_t
take_items(struct ingest_part *p)
{
	struct ingest_item *it;
	struct list *el;
	size_t n = 0;

	while (n < BATCH_HOST_MAX &&
	       (el = list_take(&p->inlet->pending)) != NULL) {
		it = LIST_ENTRY(el, struct ingest_item, link);
		n += it->n;
		p->batch->logs |= writes_log(it);
		list_append(&p->items, el);
	}
	p->inlet->urgent = !list_empty(&p->inlet->pending);
	return n;
}

static size_t
take_part(struct ingest_batch *b, struct inlet *in)
{
	struct ingest_part *p = MEM_NEW(struct ingest_part);

	p->batch = b;
	p->inlet = in;
	p->host = in->host;
	memcpy(p->epoch, in->epoch, sizeof(p->epoch));
	memcpy(p->instance, in->instance, sizeof(p->instance));
	list_init(&p->items);
	list_init(&p->logs);
	list_append(&b->parts, &p->link);
	in->busy = true;
	return take_items(p);
}

static void
ingest_on_work(void *ctx)
{
	ingest_log_write(ctx);
}

static void ingest_on_written(void *ctx);

void
ingest_kick(struct ingest *i)
{
	struct ingest_batch *b;
	struct list *el;
	size_t n = 0, hosts = 0;

	if (i->batch != NULL || i->waiting)
		return;
	call_calm(i);
	if (list_empty(&i->ready))
		return;
	b = MEM_NEW(struct ingest_batch);
	b->ingest = i;
	b->spare = i->spare;
	i->spare = (struct buf){ 0 };
	b->spool = i->ctl->settings.spool_dir;
	b->state = i->ctl->state;
	b->zone = i->ctl->settings.timezone;
	b->now_ms = clock_now_ms();
	arena_init(&b->arena, INGEST_ARENA_MAX);
	arena_init(&b->scratch, INGEST_SCRATCH_MAX);
	list_init(&b->parts);
	list_init(&b->told);
	while (n < BATCH_MAX && hosts++ < BATCH_HOSTS &&
	       (el = list_take(&i->ready)) != NULL)
		n += take_part(b, LIST_ENTRY(el, struct inlet, ready));
	i->batch = b;
	if (!b->logs)
		ingest_log_skip(b);
	i->pool++;
	if (b->logs)
		loop_work(i->ctl->loop, ingest_on_work, ingest_on_written, b);
	else
		ingest_on_written(b);
}

/* -------------------------------------------------------------- commit */

static void
ingest_on_part_op(struct op *op, void *ctx)
{
	struct ingest_part *p = ctx;
	struct ingest_batch *b = p->batch;

	p->err = op->err;
	if (--b->ops == 0)
		batch_end(b->ingest);
}

static void
submit_parts(struct ingest_batch *b)
{
	struct list *el, *tmp;
	struct ingest_part *p;
	struct op *op;

	b->ops = 1; /* until all are submitted */
	LIST_FOREACH(el, tmp, &b->parts)
	{
		p = LIST_ENTRY(el, struct ingest_part, link);
		if (!p->submitted)
			continue;
		op = op_new(ingest_part_op, ingest_on_part_op, p);
		op->in = p;
		op->arena.max = INGEST_ARENA_MAX;
		b->ops++;
		op_submit(b->ingest->ctl->ops, &op);
	}
	if (--b->ops == 0)
		batch_end(b->ingest);
}

/* The disk fails for all alike, and so does the end of the controller. */
static bool
is_everybodys(const struct err *e)
{
	return e->rc == RC_OK || e->rc == RC_FULL || e->rc == RC_IO ||
	       e->rc == RC_CANCELLED;
}

static void
ingest_on_op(struct op *op, void *ctx)
{
	struct ingest_batch *b = ctx;
	struct list *el, *tmp;
	struct ingest_part *p;

	if (!is_everybodys(&op->err)) {
		submit_parts(b);
		return;
	}
	LIST_FOREACH(el, tmp, &b->parts)
	{
		p = LIST_ENTRY(el, struct ingest_part, link);
		if (p->submitted)
			p->err = op->err;
	}
	batch_end(b->ingest);
}

/* One op for all: a transaction of its own for each host costs several times
 * what the changes do (bench key log-cpu). */
static void
submit(struct ingest_batch *b)
{
	struct op *op = op_new(ingest_op, ingest_on_op, b);

	op->in = b;
	op->arena.max = INGEST_ARENA_MAX;
	op_submit(b->ingest->ctl->ops, &op);
}

static void
ingest_on_written(void *ctx)
{
	struct ingest_batch *b = ctx;
	struct list *el, *tmp;
	struct ingest_part *p;
	bool any = false;

	if (!ingest_still_here(b->ingest))
		return;
	LIST_FOREACH(el, tmp, &b->parts)
	{
		p = LIST_ENTRY(el, struct ingest_part, link);
		if (b->err.rc != RC_OK)
			p->err = b->err;
		p->submitted = p->err.rc == RC_OK && p->used > 0;
		any |= p->submitted;
	}
	if (any) {
		submit(b);
		return;
	}
	note_end(b->ingest); /* on a later turn: it may begin the next one */
	loop_timer_start(b->ingest->slice, 0, 0);
}

/* ----------------------------------------------------------------- end */

/* A host's events of an epoch that is over are nobody's any more. */
static bool
is_current(const struct ingest_part *p)
{
	return memcmp(p->epoch, p->inlet->epoch, sizeof(p->epoch)) == 0;
}

/* Those not used go back to the front, in order. */
static void
give_back(struct ingest *i, struct ingest_part *p, size_t used)
{
	struct list done, *el;
	size_t k;

	list_init(&done);
	for (k = 0; k < used && (el = list_take(&p->items)) != NULL; k++)
		list_append(&done, el);
	ingest_free_items(i, p->inlet, &done);
	if (!is_current(p)) {
		ingest_free_items(i, p->inlet, &p->items);
		return;
	}
	p->inlet->urgent |= !list_empty(&p->items);
	while ((el = list_take(&p->inlet->pending)) != NULL)
		list_append(&p->items, el);
	while ((el = list_take(&p->items)) != NULL)
		list_append(&p->inlet->pending, el);
}

static void
drop_progress(struct ingest *i, const struct ingest_part *p)
{
	struct store_tx *tx;
	struct err e = { 0 };
	struct list *el, *tmp;
	struct ingest_log *l;

	tx = store_begin_write(i->ctl->live, NULL);
	LIST_FOREACH(el, tmp, &p->logs)
	{
		l = LIST_ENTRY(el, struct ingest_log, link);
		if (l->ended)
			live_del_progress(tx, &l->job);
	}
	if (store_commit(tx, &e) != RC_OK)
		log_warn(LOG_STORE, "progress not removed error=%s", e.msg);
}

/* What may be told now that it is on disk.  The last lines go before the
 * end they belong to. */
static void
tell(struct ingest *i, struct ingest_part *p)
{
	struct list *el, *tmp;
	struct ingest_log *l;

	if (p->job_ended)
		drop_progress(i, p);
	LIST_FOREACH(el, tmp, &p->logs)
	{
		l = LIST_ENTRY(el, struct ingest_log, link);
		if (l->foreign)
			continue;
		if (l->bytes > 0)
			sse_log_grown(i->ctl->sse, &l->job, l->at + l->bytes);
		if (p->jobs_changed)
			sse_job_changed(i->ctl->sse, &p->host, &l->job);
		if (l->ended && !l->damaged)
			ingest_pack(i, &l->job, l->at + l->bytes);
	}
	if (p->host_changed)
		sse_host_changed(i->ctl->sse, &p->host);
	if (p->jobs_changed)
		courier_wake(i->ctl->courier, &p->host);
}

static void
count_part(struct ingest *i, const struct ingest_part *p)
{
	struct list *el, *tmp;
	struct ingest_log *l;

	i->stats.events += p->used;
	LIST_FOREACH(el, tmp, &p->logs)
	{
		l = LIST_ENTRY(el, struct ingest_log, link);
		i->stats.lines += l->taken;
		i->stats.log_bytes += l->bytes;
	}
}

static void
part_done(struct ingest *i, struct ingest_part *p)
{
	struct inlet *in = p->inlet;

	count_part(i, p);
	give_back(i, p, p->used);
	if (in->faulty && p->used > 0) {
		in->faulty = false;
		log_info(LOG_SPOOL, "the host's logs are written again");
	}
	if (is_current(p) && p->last_seq > in->committed) {
		in->committed = p->last_seq;
		agents_ack(i->ctl->agents, &p->host, in->committed);
	}
	tell(i, p);
}

/* Not our disk: what this host sent cannot be stored.  Its stream ends, and
 * what the agent makes of it is for its log and ours. */
static void
part_refused(struct ingest *i, struct ingest_part *p)
{
	struct inlet *in = p->inlet;
	char id[ULID_TEXT_CAP];

	ulid_text(&p->host, id);
	log_error(LOG_AGENT, "events cannot be stored host=%s rc=%s error=%s",
	    id, rc_info(p->err.rc)->name, log_safe(str_of(p->err.msg)));
	ingest_free_items(i, in, &p->items);
	if (!is_current(p))
		return;
	ingest_free_items(i, in, &in->pending);
	in->received = in->committed;
	agents_drop(i->ctl->agents, &p->host, &p->err);
}

static void
note_fault(struct ingest *i, const struct err *fault)
{
	if (fault->rc == RC_OK && i->fault.rc != RC_OK)
		log_info(LOG_SPOOL, "events are written again");
	else if (fault->rc != RC_OK && i->fault.rc == RC_OK)
		log_error(LOG_SPOOL, "events cannot be written rc=%s error=%s",
		    rc_info(fault->rc)->name, log_safe(str_of(fault->msg)));
	i->fault = *fault;
}

/* A log of this host alone cannot be written: it waits, others do not. */
static void
part_hold(struct ingest *i, struct ingest_part *p)
{
	struct inlet *in = p->inlet;
	char id[ULID_TEXT_CAP];

	give_back(i, p, 0);
	ulid_text(&p->host, id);
	if (!in->faulty)
		log_error(LOG_SPOOL,
		    "log cannot be written, this host waits host=%s rc=%s "
		    "error=%s",
		    id, rc_info(p->err.rc)->name, log_safe(str_of(p->err.msg)));
	in->faulty = true;
	if (list_empty(&in->pending))
		return;
	if (list_empty(&i->held))
		loop_timer_start(i->retry_held, RETRY_MS, 0);
	list_append(&i->held, &in->ready);
}

/* True when the disk is at fault and the same is to be tried again. */
static bool
part_end(struct ingest *i, struct ingest_part *p)
{
	struct inlet *in = p->inlet;
	bool own = p->batch->err.rc == RC_OK && !p->submitted;
	bool again = false;

	in->busy = false;
	if (p->err.rc == RC_OK) {
		part_done(i, p);
	} else if (rc_info(p->err.rc)->retryable && own) {
		part_hold(i, p);
	} else if (rc_info(p->err.rc)->retryable || p->err.rc == RC_CANCELLED) {
		give_back(i, p, 0);
		again = true;
	} else {
		part_refused(i, p);
	}
	ingest_compare(i, in);
	queue_inlet(i, in);
	return again;
}

void
ingest_batch_free(struct ingest_batch *b)
{
	struct ingest_part *p;
	struct list *el;

	if (b == NULL)
		return;
	while ((el = list_take(&b->told)) != NULL ||
	       (el = list_take(&b->parts)) != NULL) {
		p = LIST_ENTRY(el, struct ingest_part, link);
		ingest_free_items(b->ingest, p->inlet, &p->items);
		ingest_logs_free(p);
		mem_free(p);
	}
	buf_fini(&b->ingest->spare);
	b->ingest->spare = b->spare;
	arena_fini(&b->arena);
	arena_fini(&b->scratch);
	mem_free(b);
}

static void
batch_over(struct ingest *i)
{
	struct err fault = i->batch->fault;

	note_fault(i, &fault);
	ingest_batch_free(i->batch);
	i->batch = NULL;
	if (fault.rc == RC_OK) {
		i->waiting = false;
		ingest_kick(i);
		agents_read_on(i->ctl->agents);
	} else if (fault.rc != RC_CANCELLED) {
		loop_timer_start(i->retry, RETRY_MS, 0);
	}
}

/* Each host is a message to send. */
void
ingest_on_slice(void *ctx)
{
	struct ingest *i = ctx;
	struct ingest_batch *b = i->batch;
	struct ingest_part *p;
	struct list *el;
	unsigned n = 0;

	while (n++ < SLICE && (el = list_take(&b->parts)) != NULL) {
		list_append(&b->told, el);
		p = LIST_ENTRY(el, struct ingest_part, link);
		if (part_end(i, p))
			b->fault = p->err;
	}
	if (list_empty(&b->parts))
		batch_over(i);
	else
		loop_timer_start(i->slice, 0, 0);
}

static void
batch_end(struct ingest *i)
{
	note_end(i);
	ingest_on_slice(i);
}
