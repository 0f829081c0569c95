/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/unit.h"

#include "controller/op.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/host_store.h"
#include "tests/unit/store/store_fixture.h"

enum {
	OPS = 300,
	EVERY_FAILING = 3
};

/* What the ops of one test add up to; the loop thread's own. */
struct tally {
	struct fixture *f;
	struct loop *loop;
	struct op_queue *q;
	unsigned expected, done, failed, cancelled;
	bool in_order;
	bool inside_submit;
};

struct add_in {
	unsigned number;
	bool fails;
};

static const struct ulid host = { { 1 } };

static uint64_t
stored(struct fixture *f)
{
	struct store_tx *tx = fixture_read(f);
	uint64_t n = host_store_cursor(tx, &host)->last_seq;

	fixture_end(tx);
	return n;
}

/* Store thread: adds one; a failing one adds as well, to be undone. */
static enum rc
add_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct add_in *in = op->in;
	struct Rec__AgentCursor *c = host_store_cursor(state, &host);

	assert_null(vault);
	c->last_seq++;
	host_store_put_cursor(state, &host, c);
	if (in->fails)
		return err_set(&op->err, RC_CONFLICT, "op %u", in->number);
	op->out = op->in;
	return RC_OK;
}

static void
test_on_done(struct op *op, void *ctx)
{
	struct tally *t = ctx;
	const struct add_in *in = op->in;

	assert_false(t->inside_submit);
	t->in_order = t->in_order && in->number == t->done;
	t->done++;
	if (op->err.rc == RC_CONFLICT)
		t->failed++;
	else if (op->err.rc == RC_CANCELLED)
		t->cancelled++;
	else
		assert_rc(op->err.rc, RC_OK);
	if (t->done == t->expected)
		loop_stop(t->loop);
}

static void
submit(struct tally *t, unsigned number, bool fails)
{
	struct op *op = op_new(add_op, test_on_done, t);
	struct add_in *in = arena_alloc(&op->arena, sizeof(*in));

	*in = (struct add_in){ number, fails };
	op->in = in;
	t->inside_submit = true;
	op_submit(t->q, &op);
	t->inside_submit = false;
	assert_null(op);
}

static void
tally_open(struct tally *t, void **state)
{
	struct err e = { 0 };

	*t = (struct tally){ .f = *state, .in_order = true };
	assert_rc(loop_new(&t->loop, &e), RC_OK);
	assert_rc(op_queue_new(t->loop, t->f->state, t->f->vault, &t->q, &e),
	    RC_OK);
}

static void
tally_close(struct tally *t)
{
	op_queue_free(t->q);
	loop_free(t->loop);
}

static void
every_op_is_done_once_in_order_and_on_disk(void **state)
{
	struct op_stats stats;
	struct tally t;
	unsigned i;

	tally_open(&t, state);
	t.expected = OPS;
	for (i = 0; i < OPS; i++)
		submit(&t, i, false);
	loop_run(t.loop);
	assert_int_equal(t.done, OPS);
	assert_true(t.in_order);
	op_queue_stats(t.q, &stats);
	assert_int_equal(stats.ops, OPS);
	assert_int_equal(stats.failed, 0);
	assert_true(stats.commits >= 1 && stats.commits <= OPS);
	assert_false(stats.unhealthy);
	tally_close(&t);
	fixture_reopen(*state);
	assert_int_equal(stored(*state), OPS);
}

static void
an_op_that_fails_is_undone_alone(void **state)
{
	struct tally t;
	unsigned i;

	tally_open(&t, state);
	t.expected = OPS;
	for (i = 0; i < OPS; i++)
		submit(&t, i, i % EVERY_FAILING == 0);
	loop_run(t.loop);
	assert_int_equal(t.failed, OPS / EVERY_FAILING);
	assert_int_equal(stored(*state), OPS - OPS / EVERY_FAILING);
	tally_close(&t);
}

static void
the_end_of_the_queue_runs_what_waits(void **state)
{
	struct tally t;
	unsigned i;

	tally_open(&t, state);
	for (i = 0; i < OPS; i++)
		submit(&t, i, false);
	op_queue_free(t.q);
	assert_int_equal(t.done, OPS);
	assert_int_equal(t.cancelled, 0);
	assert_int_equal(stored(*state), OPS);
	loop_free(t.loop);
}

static void
resubmit_on_done(struct op *op, void *ctx)
{
	struct tally *t = ctx;

	(void)op;
	submit(t, 0, false);
}

static void
an_op_submitted_at_the_end_is_cancelled(void **state)
{
	struct tally t;
	struct op *op;
	struct add_in *in;

	tally_open(&t, state);
	op = op_new(add_op, resubmit_on_done, &t);
	in = arena_alloc(&op->arena, sizeof(*in));
	*in = (struct add_in){ 0, false };
	op->in = in;
	op_submit(t.q, &op);
	op_queue_free(t.q);
	assert_int_equal(t.done, 1);
	assert_int_equal(t.cancelled, 1);
	assert_int_equal(stored(*state), 1);
	loop_free(t.loop);
}

#define IN_STORE(f) \
	cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(every_op_is_done_once_in_order_and_on_disk),
		IN_STORE(an_op_that_fails_is_undone_alone),
		IN_STORE(the_end_of_the_queue_runs_what_waits),
		IN_STORE(an_op_submitted_at_the_end_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
