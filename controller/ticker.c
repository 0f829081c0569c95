/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/ticker.h"

#include <string.h>

#include "controller/agents.h"
#include "controller/announce.h"
#include "controller/audit.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/enrol.h"
#include "controller/forget.h"
#include "controller/jobs.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/shown.h"
#include "controller/sse.h"
#include "controller/tokens.h"
#include "controller/upkeep.h"
#include "controller/users.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/enrol_store.h"
#include "lib/store/log_store.h"
#include "lib/store/vault_store.h"
#include "spool/retain.h"

enum {
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	DAY_MS = 24 * 60 * MINUTE_MS,
	SWEEP_MS = 15 * MINUTE_MS,
	RETAIN_MS = 60 * MINUTE_MS,
	SWEEP_ROWS = 500, /* a transaction, so that others get their turn */
	EXPIRE_ROWS = 200
};

struct retention {
	struct ticker *ticker;
	struct retain_opts opts;
	struct retain_result result;
	enum rc rc;
	struct err err;
};

struct ticker {
	struct controller *ctl;
	struct loop_timer *second, *minute, *sweep, *retain, *day;
	bool retaining;
	uint64_t spool_bytes;
	bool gone; /* freed by its owner while retaining */
};

static void
ticker_on_second(void *ctx)
{
	struct ticker *t = ctx;

	page_client_tick(t->ctl->pages);
	agents_tick(t->ctl->agents);
	announce_tick(t->ctl->announce);
	courier_tick(t->ctl->courier);
	forget_tick(t->ctl->forget);
	upkeep_tick(t->ctl->upkeep);
}

static void
ticker_on_minute(void *ctx)
{
	struct ticker *t = ctx;

	jobs_expire_tick(t->ctl);
	users_tick(t->ctl->users);
	tokens_tick(t->ctl->tokens);
	shown_tick(t->ctl->shown);
	enrol_tick(t->ctl->enrol);
	sse_tokens_tick(t->ctl->sse);
	announce_sweep(t->ctl->announce);
	store_reap(t->ctl->state);
	store_reap(t->ctl->vault);
}

/* ------------------------------------------------------------------- sweep */

static void submit_sweep(struct ticker *t);

static enum rc
sweep_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	size_t *n = op->out;

	*n = vault_sweep(vault, clock_now_ms(), SWEEP_ROWS);
	*n +=
	    enrol_store_sweep(state, clock_now_ms() - DAY_MS, SWEEP_ROWS - *n);
	return RC_OK;
}

static void
ticker_on_swept(struct op *op, void *ctx)
{
	const size_t *n = op->out;

	if (op->err.rc != RC_OK)
		log_warn(LOG_STORE, "expired sessions not swept: %s",
		    op->err.msg);
	else if (*n > 0)
		log_info(LOG_STORE, "expired sessions and tokens swept n=%zu",
		    *n);
	if (op->err.rc == RC_OK && *n >= SWEEP_ROWS)
		submit_sweep(ctx);
}

/* M-023 */
static void
submit_sweep(struct ticker *t)
{
	struct op *op = op_new(sweep_op, ticker_on_swept, t);

	op->vault = true;
	op->out = arena_alloc(&op->arena, sizeof(size_t));
	ASSERT(op->out != NULL);
	op_submit(t->ctl->ops, &op);
}

static void
ticker_on_sweep(void *ctx)
{
	submit_sweep(ctx);
}

/* --------------------------------------------------------------- retention */

struct expiry {
	struct ulid before; /* the logs of older jobs are gone */
	size_t n;           /* jobs looked at */
};

static void submit_expiry(struct ticker *t, const struct ulid *before);

static enum rc
expire_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct expiry *x = op->in;

	(void)vault;
	x->n = log_store_expire(state, &x->before, EXPIRE_ROWS);
	return store_rc(state);
}

static void
ticker_on_expired(struct op *op, void *ctx)
{
	const struct expiry *x = op->in;

	if (op->err.rc != RC_OK)
		log_warn(LOG_SPOOL, "expired job logs not marked: %s",
		    op->err.msg);
	else if (x->n == EXPIRE_ROWS)
		submit_expiry(ctx, &x->before);
}

static void
submit_expiry(struct ticker *t, const struct ulid *before)
{
	struct op *op = op_new(expire_op, ticker_on_expired, t);
	struct expiry *x = arena_alloc(&op->arena, sizeof(*x));

	ASSERT(x != NULL);
	x->before = *before;
	op->in = x;
	op_submit(t->ctl->ops, &op);
}

/* The smallest id of that millisecond. */
static void
ulid_at(int64_t ms, struct ulid *out)
{
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < 6; i++)
		out->b[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
}

static void
retain_work(void *ctx)
{
	struct retention *n = ctx;

	n->rc = retain_run(n->ticker->ctl->settings.spool_dir, &n->opts,
	    &n->result, &n->err);
}

static void
ticker_on_retained(void *ctx)
{
	struct retention *n = ctx;
	struct ticker *t = n->ticker;
	struct ulid before;

	t->retaining = false;
	if (t->gone) {
		mem_free(t);
		mem_free(n);
		return;
	}
	if (n->rc != RC_OK)
		log_warn(LOG_SPOOL, "job logs not removed: %s", n->err.msg);
	if (n->rc == RC_OK)
		t->spool_bytes = n->result.bytes_left;
	if (n->result.files > 0)
		log_info(LOG_SPOOL, "old job logs removed n=%llu bytes=%llu",
		    (unsigned long long)n->result.files,
		    (unsigned long long)n->result.bytes);
	ulid_at(n->result.removed_before_ms, &before);
	if (n->result.removed_before_ms > 0)
		submit_expiry(t, &before);
	mem_free(n);
}

void
ticker_retain(struct ticker *t)
{
	const struct settings *s = &t->ctl->settings;
	struct retention *n;

	if (t->retaining)
		return;
	t->retaining = true;
	n = MEM_NEW(struct retention);
	n->ticker = t;
	n->opts.now_ms = clock_now_ms();
	n->opts.max_age_ms = s->log_retention_days * DAY_MS;
	n->opts.max_bytes = (uint64_t)s->log_max_bytes;
	loop_work(t->ctl->loop, retain_work, ticker_on_retained, n);
}

uint64_t
ticker_spool_bytes(const struct ticker *t)
{
	return t->spool_bytes;
}

static void
ticker_on_retain(void *ctx)
{
	ticker_retain(ctx);
}

static void
ticker_on_day(void *ctx)
{
	struct ticker *t = ctx;

	audit_checkpoint(t->ctl);
}

/* -------------------------------------------------------------------- life */

static struct loop_timer *
every(struct ticker *t, loop_fn *fn, uint64_t after_ms, uint64_t every_ms)
{
	struct loop_timer *timer = loop_timer_new(t->ctl->loop, fn, t);

	loop_timer_start(timer, after_ms, every_ms);
	return timer;
}

struct ticker *
ticker_new(struct controller *c)
{
	struct ticker *t = MEM_NEW(struct ticker);

	t->ctl = c;
	t->second = every(t, ticker_on_second, SECOND_MS, SECOND_MS);
	t->minute = every(t, ticker_on_minute, MINUTE_MS, MINUTE_MS);
	t->sweep = every(t, ticker_on_sweep, SECOND_MS, SWEEP_MS);
	t->retain = every(t, ticker_on_retain, MINUTE_MS, RETAIN_MS);
	t->day = every(t, ticker_on_day, DAY_MS, DAY_MS);
	return t;
}

void
ticker_free(struct ticker *t)
{
	if (t == NULL)
		return;
	loop_timer_free(t->second);
	loop_timer_free(t->minute);
	loop_timer_free(t->sweep);
	loop_timer_free(t->retain);
	loop_timer_free(t->day);
	t->gone = true;
	if (!t->retaining)
		mem_free(t);
}
