/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/op.h"

#include <string.h>
#include <uv.h>

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/store.h"
#include "lib/store/vault_store.h"

/* A shared commit takes what has queued, within these bounds. */
enum {
	BATCH_MAX = 1000,
	GIVE_MAX = 64, /* outcomes told in one turn of the loop */
	NS_PER_US = 1000
};
static const uint64_t batch_ns = 5000000; /* 5 ms */

struct fifo {
	struct op *first;
	struct op **end;
	unsigned count;
};

struct op_queue {
	struct store *state, *vault;
	struct loop_wake *wake;
	uv_thread_t thread;
	/* The store thread's own: why the vault holds changes of ops whose
	 * state part was not committed, and how it was before them; NULL:
	 * it was a former process's, and rows without owner are to go. */
	struct err vault_ahead; /* rc is set while it does */
	struct store_tx *vault_before;
	/* The loop's own. */
	struct fifo told; /* what of `done` is being told */
	bool giving;

	uv_mutex_t lock; /* guards what follows */
	uv_cond_t more;
	struct fifo waiting, done;
	struct op_stats stats;
	bool stopping;
};

/* One shared commit. */
struct batch {
	struct store_tx *state, *vault; /* NULL until one needs it */
	struct fifo ops;
	struct err err; /* what failed for all of them */
	uint64_t began_ns;
};

static void
fifo_init(struct fifo *f)
{
	f->first = NULL;
	f->end = &f->first;
	f->count = 0;
}

static void
fifo_put(struct fifo *f, struct op *op)
{
	op->next = NULL;
	*f->end = op;
	f->end = &op->next;
	f->count++;
}

static struct op *
fifo_take(struct fifo *f)
{
	struct op *op = f->first;

	if (op == NULL)
		return NULL;
	f->first = op->next;
	if (f->first == NULL)
		f->end = &f->first;
	f->count--;
	op->next = NULL;
	return op;
}

/* Behind what `to` has. */
static void
fifo_move(struct fifo *from, struct fifo *to)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	to->count += from->count;
	fifo_init(from);
}

struct op *
op_new(op_fn *run, op_done_fn *done, void *ctx)
{
	struct op *op = MEM_NEW(struct op);

	op->run = run;
	op->done = done;
	op->ctx = ctx;
	arena_init(&op->arena, OP_ARENA_MAX);
	return op;
}

struct op *
op_with(op_fn *run, const void *in, size_t size)
{
	struct op *op = op_new(run, NULL, NULL);

	op->in = arena_alloc(&op->arena, size);
	ASSERT(op->in != NULL); /* its arena is empty */
	memcpy(op->in, in, size);
	return op;
}

char *
op_keep(struct op *op, const char *text)
{
	return text != NULL ? arena_dup(&op->arena, text) : NULL;
}

char *
op_keep_secret(struct op *op, char *z)
{
	char *copy = op_keep(op, z);

	if (z != NULL)
		mem_wipe(z, strlen(z));
	return copy;
}

struct json_strs *
op_keep_strs(struct op *op, const struct json_strs *from)
{
	struct json_strs *to;
	size_t i;

	if (from == NULL)
		return NULL;
	to = arena_alloc(&op->arena, sizeof(*to));
	ASSERT(to != NULL);
	to->v = arena_array(&op->arena, from->n + 1, sizeof(*to->v));
	ASSERT(to->v != NULL);
	for (i = 0; i < from->n; i++)
		to->v[to->n++] = arena_dup(&op->arena, from->v[i]);
	return to;
}

void
op_free(struct op *op)
{
	if (op == NULL)
		return;
	arena_fini(&op->arena);
	mem_free(op);
}

void
op_submit(struct op_queue *q, struct op **op)
{
	struct op *o = *op;
	bool taken;

	*op = NULL;
	o->err = (struct err){ 0 };
	uv_mutex_lock(&q->lock);
	taken = !q->stopping && q->waiting.count < OP_QUEUE_MAX;
	if (q->stopping)
		err_set(&o->err, RC_CANCELLED, "the controller is stopping");
	else if (!taken)
		err_set(&o->err, RC_BUSY,
		    "too many changes are waiting, try again");
	fifo_put(taken ? &q->waiting : &q->done, o);
	if (taken)
		uv_cond_signal(&q->more);
	uv_mutex_unlock(&q->lock);
	if (!taken)
		loop_wake(q->wake);
}

/* From here to op_on_thread(): the store thread. */
static bool
await_work(struct op_queue *q)
{
	bool work;

	uv_mutex_lock(&q->lock);
	while (q->waiting.count == 0 && !q->stopping)
		uv_cond_wait(&q->more, &q->lock);
	work = q->waiting.count > 0;
	uv_mutex_unlock(&q->lock);
	return work;
}

static struct op *
take_next(struct op_queue *q, const struct batch *b)
{
	struct op *op;

	if (b->ops.count >= BATCH_MAX ||
	    (b->ops.count > 0 && uv_hrtime() - b->began_ns > batch_ns))
		return NULL;
	uv_mutex_lock(&q->lock);
	op = fifo_take(&q->waiting);
	uv_mutex_unlock(&q->lock);
	return op;
}

/* The outcome of one op: the store's failure, the op's own, the arena's. */
static void
judge(struct op *op, enum rc rc, const struct store_tx *state,
    const struct store_tx *vault)
{
	if (store_rc(state) != RC_OK)
		op->err = *store_err(state);
	else if (vault != NULL && store_rc(vault) != RC_OK)
		op->err = *store_err(vault);
	else if (rc == RC_OK && arena_rc(&op->arena) != RC_OK)
		err_set(&op->err, RC_LIMIT, "the change is too large");
	else if (rc == RC_OK)
		op->err = (struct err){ 0 };
	else if (op->err.rc != rc)
		err_set(&op->err, rc, "%s", rc_info(rc)->text);
}

/* Ends one child; a child that cannot be merged spoils the batch. */
static void
end_child(struct batch *b, const struct op *op, struct store_tx *child)
{
	if (child == NULL)
		return;
	if (op->err.rc != RC_OK || b->err.rc != RC_OK)
		store_abort(child);
	else if (store_commit(child, &b->err) != RC_OK)
		err_wrap(&b->err, "cannot merge a change");
}

static void
run_one(struct op_queue *q, struct batch *b, struct op *op)
{
	struct store_tx *state, *vault = NULL;
	enum rc rc;

	if (op->vault && q->vault_ahead.rc != RC_OK) {
		op->err = q->vault_ahead;
		return;
	}
	if (op->vault && b->vault == NULL)
		b->vault = store_begin_write(q->vault, NULL);
	state = store_begin_child(b->state, &op->arena);
	if (op->vault)
		vault = store_begin_child(b->vault, &op->arena);
	rc = op->run(state, vault, op);
	judge(op, rc, state, vault);
	end_child(b, op, vault);
	end_child(b, op, state);
}

/* Nothing stands in the batch yet, so a change that fails can take the whole
 * of it along: a child would cost as much again as a small commit. */
static void
run_first(struct op_queue *q, struct batch *b, struct op *op)
{
	enum rc rc;

	b->state = store_begin_write(q->state, &op->arena);
	rc = op->run(b->state, NULL, op);
	judge(op, rc, b->state, NULL);
	if (op->err.rc == RC_OK)
		return;
	store_abort(b->state);
	b->state = store_begin_write(q->state, NULL);
}

static void
run_next(struct op_queue *q, struct batch *b, struct op *op)
{
	if (b->state == NULL && !op->vault) {
		run_first(q, b, op);
		return;
	}
	if (b->state == NULL)
		b->state = store_begin_write(q->state, NULL);
	run_one(q, b, op);
}

static enum rc
end_parent(struct batch *b, struct store_tx *tx)
{
	if (b->err.rc == RC_OK)
		return store_commit(tx, &b->err);
	store_abort(tx);
	return b->err.rc;
}

/* What was told as failed has not happened.  On a full disk there may be no
 * room to undo it: until there is, no op with the vault is run. */
static void
undo_vault(struct op_queue *q)
{
	struct store_tx *vault = store_begin_write(q->vault, NULL);
	struct err e = { 0 };

	vault_undo(q->vault_before, vault);
	if (store_commit(vault, &e) != RC_OK)
		return;
	store_abort(q->vault_before);
	q->vault_before = NULL;
	q->vault_ahead = (struct err){ 0 };
}

/* Vault first: a row nobody owns is found and removed, a host without its
 * secrets would not be. */
static bool
commit_both(struct op_queue *q, struct batch *b)
{
	struct store_tx *before = NULL;
	bool vault_done = false;

	if (b->vault != NULL) {
		before = store_begin_read(q->vault, NULL);
		vault_done = end_parent(b, b->vault) == RC_OK;
	}
	if (end_parent(b, b->state) == RC_OK || !vault_done) {
		if (before != NULL)
			store_abort(before);
		return b->err.rc == RC_OK;
	}
	q->vault_ahead = b->err;
	q->vault_before = before;
	undo_vault(q);
	return false;
}

static void
commit(struct op_queue *q, struct batch *b)
{
	struct op *op;

	if (commit_both(q, b))
		return;
	for (op = b->ops.first; op != NULL; op = op->next)
		if (op->err.rc == RC_OK)
			op->err = b->err;
}

static void
count(struct op_stats *st, const struct batch *b, uint64_t took_ns)
{
	const struct op *op;

	st->commits++;
	st->ops += b->ops.count;
	for (op = b->ops.first; op != NULL; op = op->next)
		if (op->err.rc != RC_OK)
			st->failed++;
	st->commit_us_last = took_ns / NS_PER_US;
	if (st->commit_us_last > st->commit_us_max)
		st->commit_us_max = st->commit_us_last;
	latency_add(&st->commit, st->commit_us_last);
	st->unhealthy = b->err.rc != RC_OK;
}

static void
log_health(bool was_unhealthy, const struct batch *b)
{
	if (b->err.rc != RC_OK && !was_unhealthy)
		log_error(LOG_STORE, "changes cannot be saved rc=%s error=%s",
		    rc_info(b->err.rc)->name, log_safe(str_of(b->err.msg)));
	else if (b->err.rc == RC_OK && was_unhealthy)
		log_info(LOG_STORE, "changes are saved again");
}

/* Hands the whole batch to the loop, in order. */
static void
give_back(struct op_queue *q, struct batch *b, uint64_t took_ns)
{
	struct op *op;
	bool was;

	uv_mutex_lock(&q->lock);
	was = q->stats.unhealthy;
	count(&q->stats, b, took_ns);
	while ((op = fifo_take(&b->ops)) != NULL)
		fifo_put(&q->done, op);
	uv_mutex_unlock(&q->lock);
	log_health(was, b);
	loop_wake(q->wake);
}

static void
reconcile(struct op_queue *q)
{
	struct store_tx *state, *vault;
	bool was_ahead = q->vault_ahead.rc != RC_OK;
	struct err e = { 0 };
	struct arena arena;
	size_t n;

	arena_init(&arena, MIB(64));
	vault = store_begin_write(q->vault, &arena);
	state = store_begin_read(q->state, &arena);
	n = vault_reconcile(state, vault);
	if (store_rc(state) != RC_OK)
		store_fail(vault, store_rc(state), "%s", store_err(state)->msg);
	store_abort(state);
	if (store_commit(vault, &e) == RC_OK)
		e.rc = RC_OK;
	q->vault_ahead = e;
	arena_fini(&arena);
	if (e.rc != RC_OK && !was_ahead)
		log_error(LOG_STORE,
		    "the vault cannot be cleared of rows "
		    "without owner rc=%s error=%s",
		    rc_info(e.rc)->name, log_safe(str_of(e.msg)));
	else if (e.rc == RC_OK && n > 0)
		log_info(LOG_STORE, "rows without owner left the vault n=%zu",
		    n);
}

/* What had no room before: a commit's, or the start's. */
static void
mend_vault(struct op_queue *q)
{
	if (q->vault_before != NULL)
		undo_vault(q);
	else if (q->vault_ahead.rc != RC_OK)
		reconcile(q);
}

static void
run_batch(struct op_queue *q)
{
	struct batch b = { .began_ns = uv_hrtime() };
	struct op *op;
	uint64_t at;

	fifo_init(&b.ops);
	mend_vault(q);
	while ((op = take_next(q, &b)) != NULL) {
		run_next(q, &b, op);
		fifo_put(&b.ops, op);
	}
	at = uv_hrtime();
	commit(q, &b);
	give_back(q, &b, uv_hrtime() - at);
}

static void
op_on_thread(void *arg)
{
	struct op_queue *q = arg;

	while (await_work(q))
		run_batch(q);
}

/* The loop thread again.  True when there is more to give.  A commit may be
 * shared by a thousand, and each of them may be a message or a page: what
 * comes in meanwhile goes in between (bench: heartbeat-storm). */
static bool
give_done(struct op_queue *q)
{
	struct op *op;
	unsigned n = 0;

	uv_mutex_lock(&q->lock);
	fifo_move(&q->done, &q->told);
	uv_mutex_unlock(&q->lock);
	q->giving = true;
	while (n++ < GIVE_MAX && (op = fifo_take(&q->told)) != NULL) {
		if (op->done != NULL)
			op->done(op, op->ctx);
		op_free(op);
	}
	q->giving = false;
	return q->told.first != NULL;
}

static void
op_on_wake(void *ctx)
{
	struct op_queue *q = ctx;

	if (give_done(q))
		loop_wake(q->wake);
}

enum rc
op_queue_new(struct loop *l, struct store *state, struct store *vault,
    struct op_queue **out, struct err *e)
{
	struct op_queue *q = MEM_NEW(struct op_queue);
	int code;

	q->state = state;
	q->vault = vault;
	fifo_init(&q->waiting);
	fifo_init(&q->done);
	fifo_init(&q->told);
	reconcile(q);
	ASSERT(uv_mutex_init(&q->lock) == 0 && uv_cond_init(&q->more) == 0);
	q->wake = loop_wake_new(l, op_on_wake, q);
	code = uv_thread_create(&q->thread, op_on_thread, q);
	if (code == 0) {
		*out = q;
		return RC_OK;
	}
	loop_wake_free(q->wake);
	uv_cond_destroy(&q->more);
	uv_mutex_destroy(&q->lock);
	mem_free(q);
	return err_set(e, RC_IO, "cannot start the store thread: %s",
	    uv_strerror(code));
}

void
op_queue_free(struct op_queue *q)
{
	if (q == NULL)
		return;
	ASSERT(!q->giving);
	uv_mutex_lock(&q->lock);
	q->stopping = true;
	uv_cond_signal(&q->more);
	uv_mutex_unlock(&q->lock);
	uv_thread_join(&q->thread);
	/* An op submitted by a done comes back as cancelled. */
	while (q->told.first != NULL || q->done.first != NULL)
		(void)give_done(q);
	loop_wake_free(q->wake);
	uv_cond_destroy(&q->more);
	uv_mutex_destroy(&q->lock);
	if (q->vault_before != NULL)
		store_abort(q->vault_before);
	mem_free(q);
}

void
op_queue_stats(struct op_queue *q, struct op_stats *out)
{
	uv_mutex_lock(&q->lock);
	*out = q->stats;
	out->queued = q->waiting.count;
	uv_mutex_unlock(&q->lock);
}
