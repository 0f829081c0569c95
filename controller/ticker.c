/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/ticker.h"

#include "controller/controller.h"
#include "controller/enrol.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/users.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/vault_store.h"

enum {
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	SWEEP_MS = 15 * MINUTE_MS,
	SWEEP_ROWS = 500 /* a transaction, so that others get their turn */
};

struct ticker {
	struct controller *ctl;
	struct loop_timer *second, *minute, *sweep;
	bool gone; /* freed by its owner while retaining */
};

static void
ticker_on_second(void *ctx)
{
	struct ticker *t = ctx;

	page_client_tick(t->ctl->pages);
}

static void
ticker_on_minute(void *ctx)
{
	struct ticker *t = ctx;

	users_tick(t->ctl->users);
	enrol_tick(t->ctl->enrol);
}

/* ------------------------------------------------------------------- sweep */

static void submit_sweep(struct ticker *t);

static enum rc
sweep_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	size_t *n = op->out;

	(void)state;
	*n = vault_sweep(vault, clock_now_ms(), SWEEP_ROWS);
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
	mem_free(t);
}
