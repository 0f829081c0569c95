/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* What becomes of an op: order, failures, a full queue, the end. */
#include "tests/unit/controller/op_bench.h"

#include "lib/store/table.h"

enum {
	MANY = 3000,
	A_TURN = 64 /* outcomes told, at most */
};

static void
every_op_is_done_once_in_order_and_on_disk(void **state)
{
	struct bench *b = *state;
	struct op_stats st;
	unsigned i;

	for (i = 0; i < MANY; i++)
		add(b, "web", RC_OK);
	run(b);
	assert_int_equal(b->results[RC_OK], MANY);
	assert_int_equal(b->order_broken, 0);
	op_queue_stats(b->q, &st);
	assert_int_equal(st.ops, MANY);
	assert_int_equal(st.failed, 0);
	assert_int_equal(st.queued, 0);
	assert_false(st.unhealthy);
	assert_true(st.commits >= MANY / 1000 && st.commits < MANY / 2);
	assert_int_equal(fixture_hosts(&b->f), MANY);
	assert_int_equal(audit_count(&b->f), MANY);
}

/* What comes in meanwhile gets its turn between them. */
static void
a_large_commit_is_told_over_several_turns(void **state)
{
	struct bench *b = *state;
	struct op_stats st;
	unsigned i;

	atomic_store(&b->gate, false);
	for (i = 0; i < 1000; i++)
		add(b, "web", RC_OK);
	atomic_store(&b->gate, true);
	do
		op_queue_stats(b->q, &st);
	while (st.ops < 900);
	run(b);
	assert_int_equal(b->order_broken, 0);
	assert_int_equal(b->results[RC_OK], 1000);
	assert_int_equal(b->most_in_turn, A_TURN);
}

static void
a_reply_comes_after_the_commit(void **state)
{
	struct bench *b = *state;
	unsigned i;

	for (i = 0; i < 20; i++) {
		add(b, "web", RC_OK);
		run(b);
		assert_int_equal(fixture_hosts(&b->f), i + 1);
	}
}

static void
a_failing_op_is_undone_alone(void **state)
{
	struct bench *b = *state;
	unsigned i;

	atomic_store(&b->gate, false); /* one batch of them */
	for (i = 0; i < 100; i++)
		add(b, "web", i % 10 == 3 ? RC_CONFLICT : RC_OK);
	atomic_store(&b->gate, true);
	run(b);
	assert_int_equal(b->results[RC_OK], 90);
	assert_int_equal(b->results[RC_CONFLICT], 10);
	assert_int_equal(b->order_broken, 0);
	assert_int_equal(fixture_hosts(&b->f), 90);
	assert_int_equal(audit_count(&b->f), 90); /* their rows as well */
}

/* The first of a commit has no child of its own to be undone by. */
static void
a_failing_first_op_is_undone_alone(void **state)
{
	struct bench *b = *state;

	atomic_store(&b->gate, false);
	add(b, "web", RC_CONFLICT);
	add(b, "web", RC_OK);
	add(b, "web", RC_CONFLICT);
	atomic_store(&b->gate, true);
	run(b);
	assert_int_equal(b->results[RC_OK], 1);
	assert_int_equal(b->results[RC_CONFLICT], 2);
	assert_int_equal(fixture_hosts(&b->f), 1);
	assert_int_equal(audit_count(&b->f), 1);
	add(b, "web", RC_CONFLICT); /* and one that is the only one */
	run(b);
	assert_int_equal(fixture_hosts(&b->f), 1);
	add(b, "web", RC_OK);
	run(b);
	assert_int_equal(fixture_hosts(&b->f), 2);
}

struct told {
	struct bench *b;
	struct err err;
};

static void
test_on_told(struct op *op, void *ctx)
{
	struct told *told = ctx;

	told->err = op->err;
	loop_stop(told->b->loop);
}

static enum rc
test_run_invalid_host(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	struct ulid id = id_n(1, 1);

	(void)vault;
	(void)op;
	put_host(state, &id, "");
	return RC_OK; /* it forgot to ask */
}

static enum rc
test_run_own_words(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	(void)state;
	(void)vault;
	return err_code(&op->err, RC_CONFLICT, "busy_host", "own words");
}

static enum rc
test_run_store_words(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	(void)vault;
	(void)op;
	return store_fail_code(state, RC_GONE, "token_used", "used up");
}

static enum rc
test_run_bare(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)state;
	(void)vault;
	(void)op;
	return RC_DENIED;
}

static enum rc
test_run_too_much(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct ulid id = id_n(1, 1);

	(void)vault;
	put_host(state, &id, "web");
	assert_null(arena_alloc(&op->arena, OP_ARENA_MAX + 1));
	return RC_OK;
}

static struct err
outcome(struct bench *b, op_fn *fn)
{
	struct told told = { .b = b };
	struct op *op = op_new(fn, test_on_told, &told);

	op_submit(b->q, &op);
	loop_run(b->loop);
	return told.err;
}

static void
the_failure_that_is_told_is_the_first_one(void **state)
{
	struct bench *b = *state;
	struct err e;

	e = outcome(b, test_run_invalid_host);
	assert_rc(e.rc, RC_INVALID);
	assert_non_null(strstr(e.msg, "needs an id and a name"));
	e = outcome(b, test_run_own_words);
	assert_rc(e.rc, RC_CONFLICT);
	assert_string_equal(e.code, "busy_host");
	assert_string_equal(e.msg, "own words");
	e = outcome(b, test_run_store_words);
	assert_rc(e.rc, RC_GONE);
	assert_string_equal(e.code, "token_used");
	e = outcome(b, test_run_bare);
	assert_rc(e.rc, RC_DENIED);
	assert_string_equal(e.msg, rc_info(RC_DENIED)->text);
	e = outcome(b, test_run_too_much);
	assert_rc(e.rc, RC_LIMIT);
	assert_int_equal(fixture_hosts(&b->f), 0);
}

static void
a_full_queue_answers_busy(void **state)
{
	struct bench *b = *state;
	struct op_stats st;
	unsigned i;

	atomic_store(&b->gate, false);
	add(b, "first", RC_OK); /* holds the store thread */
	do
		op_queue_stats(b->q, &st);
	while (st.queued != 0);
	for (i = 0; i < OP_QUEUE_MAX + 7; i++)
		add(b, "web", RC_OK);
	op_queue_stats(b->q, &st);
	assert_int_equal(st.queued, OP_QUEUE_MAX);
	assert_int_equal(b->done, 0); /* never from inside op_submit */
	atomic_store(&b->gate, true);
	run(b);
	assert_int_equal(b->results[RC_BUSY], 7);
	assert_int_equal(b->results[RC_OK], OP_QUEUE_MAX + 1);
	assert_int_equal(fixture_hosts(&b->f), OP_QUEUE_MAX + 1);
	add(b, "web", RC_OK); /* and takes again */
	run(b);
	assert_int_equal(b->results[RC_OK], OP_QUEUE_MAX + 2);
}

static void
the_end_runs_what_is_queued(void **state)
{
	struct bench *b = *state;
	unsigned i;

	for (i = 0; i < 500; i++)
		add(b, "web", RC_OK);
	op_queue_free(b->q);
	b->q = NULL;
	assert_int_equal(b->done, 500);
	assert_int_equal(b->results[RC_OK], 500);
	assert_int_equal(b->order_broken, 0);
	assert_int_equal(fixture_hosts(&b->f), 500);
}

static void
test_on_done_submit_again(struct op *op, void *ctx)
{
	struct bench *b = ctx;
	struct op *next;

	assert_rc(op->err.rc, RC_OK);
	b->done++;
	next = new_op(b, "late", RC_OK);
	next->done = test_on_done;
	submit(b, next);
}

static void
an_op_after_the_end_is_cancelled(void **state)
{
	struct bench *b = *state;
	struct op *op = new_op(b, "web", RC_OK);

	op->done = test_on_done_submit_again;
	submit(b, op);
	op_queue_free(b->q);
	b->q = NULL;
	assert_int_equal(b->done, 2);
	assert_int_equal(b->results[RC_CANCELLED], 1);
	assert_int_equal(fixture_hosts(&b->f), 1);
}

static void
an_op_without_done_is_fine(void **state)
{
	struct bench *b = *state;
	struct op *op = new_op(b, "quiet", RC_OK);

	op->done = NULL;
	op_submit(b->q, &op);
	op = op_new(test_run_bare, NULL, NULL);
	op_submit(b->q, &op);
	op_free(op_new(test_run_bare, NULL, NULL)); /* never submitted */
	op_free(NULL);
	op_queue_free(b->q);
	b->q = NULL;
	assert_int_equal(fixture_hosts(&b->f), 1);
}

static void
the_audit_row_says_who(void **state)
{
	struct bench *b = *state;
	struct op *op = new_op(b, "web", RC_OK);
	struct Rec__AuditEntry *a;
	struct table_scan sc;
	struct str key, value;
	struct store_tx *tx;

	op->actor.user = id_n(3, 9);
	assert_true(str_fmt(op->actor.name, sizeof(op->actor.name), "anna"));
	assert_true(
	    str_fmt(op->actor.address, sizeof(op->actor.address), "192.0.2.1"));
	submit(b, op);
	add(b, "db", RC_OK); /* nobody asked */
	run(b);
	tx = fixture_read(&b->f);
	table_scan_init(&sc, tx, TB_AUDIT, NULL, SCAN_UP);
	assert_true(table_scan_next(&sc, &key, &value));
	a = table_unpack(tx, TB_AUDIT, value, &rec__audit_entry__descriptor);
	assert_string_equal(a->actor_name, "anna");
	assert_string_equal(a->address, "192.0.2.1");
	assert_int_equal(a->actor_id.len, 16);
	assert_string_equal(a->action, "host.added");
	assert_string_equal(a->target_kind, "host");
	assert_string_equal(a->target_name, "web");
	assert_int_equal(a->target_id.len, 16);
	assert_string_equal(a->payload, "");
	assert_true(table_scan_next(&sc, &key, &value));
	a = table_unpack(tx, TB_AUDIT, value, &rec__audit_entry__descriptor);
	assert_string_equal(a->actor_name, "system");
	assert_int_equal(a->actor_id.len, 0);
	table_scan_fini(&sc);
	fixture_end(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		op_test(every_op_is_done_once_in_order_and_on_disk),
		op_test(a_large_commit_is_told_over_several_turns),
		op_test(a_reply_comes_after_the_commit),
		op_test(a_failing_op_is_undone_alone),
		op_test(a_failing_first_op_is_undone_alone),
		op_test(the_failure_that_is_told_is_the_first_one),
		op_test(a_full_queue_answers_busy),
		op_test(the_end_runs_what_is_queued),
		op_test(an_op_after_the_end_is_cancelled),
		op_test(an_op_without_done_is_fine),
		op_test(the_audit_row_says_who),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
