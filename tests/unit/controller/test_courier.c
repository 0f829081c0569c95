/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/courier_bench.h"

static void
a_queued_job_is_marked_then_sent(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 0);
	wake(b);
	assert_int_equal(line.runs, 1);
	assert_string_equal(line.run, JOB_A);
	assert_string_equal(line.kind, "backup");
	assert_string_equal(line.tag, "default");
	assert_int_equal(line.includes, 1);
	assert_true(job(b, JOB_A)->sent_at_ms > 0);
}

static void
a_job_that_is_marked_already_is_sent_at_once(void **state)
{
	struct bench *b = *state;
	struct op_stats before, after;

	op_queue_stats(b->c.ops, &before);
	put_job(b, JOB_A, 5);
	wake(b);
	op_queue_stats(b->c.ops, &after);
	assert_int_equal(line.runs, 1);
	assert_int_equal(after.ops, before.ops + ROUNDS);
}

static void
a_command_is_sent_again_until_it_is_answered(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	wake(b);
	pass(b, 5000);
	assert_int_equal(line.runs, 1);
	pass(b, 6000);
	assert_int_equal(line.runs, 2);
	answer(b, JOB_A, true, "");
	assert_true(job(b, JOB_A)->accepted_at_ms > 0);
	assert_int_equal(line.accepted, 1);
	pass(b, 60000);
	assert_int_equal(line.runs, 2);
}

static void
a_hello_brings_it_at_once(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	courier_hello(b->c.courier, &b->host);
	settle(b);
	assert_int_equal(line.runs, 2);
}

static void
nobody_there_is_no_sending(void **state)
{
	struct bench *b = *state;

	line.reachable = line.online = false;
	put_job(b, JOB_A, 0);
	wake(b);
	pass(b, 60000);
	assert_int_equal(line.runs, 0);
	assert_int_equal(job(b, JOB_A)->sent_at_ms, 0); /* may be cancelled */
	line.reachable = line.online = true;
	courier_hello(b->c.courier, &b->host);
	settle(b);
	assert_int_equal(line.runs, 1);
}

static void
one_job_at_a_time_in_order(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_B, 0);
	put_job(b, JOB_A, 0);
	wake(b);
	assert_string_equal(line.run, JOB_A);
	answer(b, JOB_A, true, "");
	pass(b, 60000);
	assert_int_equal(line.runs, 1);
	set_state(b, JOB_A, REC__JOB_STATE__JOB_SUCCEEDED, false);
	assert_int_equal(line.runs, 2);
	assert_string_equal(line.run, JOB_B);
}

/* By its own plan it would go on with what came due meanwhile. */
static void
an_agent_at_work_is_told_that_a_job_waits(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	answer(b, JOB_A, false, "busy");
	put_job(b, JOB_B, 0); /* the plan's */
	set_state(b, JOB_B, REC__JOB_STATE__JOB_RUNNING, false);
	assert_int_equal(line.waits, 1);
	assert_int_equal(line.waited_ms, clock_now_ms() - 1);
	pass(b, 40000);
	assert_int_equal(line.waits, 1);
	/* As one that does not remember. */
	courier_hello(b->c.courier, &b->host);
	settle(b);
	assert_int_equal(line.waits, 2);
	assert_int_equal(line.runs, 1);
	/* Nothing of the plan is known to be at work any more. */
	set_state(b, JOB_B, REC__JOB_STATE__JOB_SUCCEEDED, false);
	assert_int_equal(line.runs, 2);
	assert_int_equal(line.waited_ms, clock_now_ms() - 1);
}

static void
the_end_of_what_kept_the_agent_busy_is_the_time_to_ask_again(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	answer(b, JOB_A, false, "busy");
	put_job(b, JOB_B, 5);
	set_state(b, JOB_B, REC__JOB_STATE__JOB_RUNNING, false);
	set_state(b, JOB_B, REC__JOB_STATE__JOB_SUCCEEDED, false);
	assert_int_equal(line.runs, 2);
	assert_string_equal(line.run, JOB_A);
}

static void
a_busy_agent_keeps_the_job_queued(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	answer(b, JOB_A, false, "busy");
	assert_int_equal(job(b, JOB_A)->state, REC__JOB_STATE__JOB_QUEUED);
	pass(b, 5000);
	assert_int_equal(line.runs, 1);
	pass(b, 11000);
	assert_int_equal(line.runs, 2);
}

static void
a_refusal_ends_the_job(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	put_job(b, JOB_B, 0);
	wake(b);
	answer(b, JOB_A, false, "no source paths");
	assert_int_equal(job(b, JOB_A)->state, REC__JOB_STATE__JOB_FAILED);
	assert_non_null(strstr(job(b, JOB_A)->error, "no source paths"));
	assert_string_equal(line.run, JOB_B);
}

static void
a_cancel_is_repeated_until_the_end(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	answer(b, JOB_A, true, "");
	set_state(b, JOB_A, REC__JOB_STATE__JOB_RUNNING, true);
	assert_int_equal(line.cancels, 1);
	assert_string_equal(line.cancel, JOB_A);
	pass(b, 1000);
	assert_int_equal(line.cancels, 1);
	pass(b, 1500);
	assert_int_equal(line.cancels, 2);
	set_state(b, JOB_A, REC__JOB_STATE__JOB_CANCELLED, true);
	pass(b, 60000);
	assert_int_equal(line.cancels, 2);
}

/* Thousands may be at work: no tick reads their jobs, as long as it was told
 * of all that happened. */
static void
who_is_at_work_is_looked_at_seldom(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	answer(b, JOB_A, true, "");
	set_state(b, JOB_A, REC__JOB_STATE__JOB_RUNNING, false);
	store_state(b, JOB_A, REC__JOB_STATE__JOB_RUNNING, true);
	pass(b, 20000);
	assert_int_equal(line.cancels, 0);
	pass(b, 20000);
	assert_int_equal(line.cancels, 1);
}

static void
a_cancel_before_the_answer_waits_for_it(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	set_state(b, JOB_A, REC__JOB_STATE__JOB_QUEUED, true);
	assert_int_equal(line.cancels, 0);
	answer(b, JOB_A, true, "");
	assert_int_equal(line.cancels, 1);
}

static void
a_restart_finds_what_was_open(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	assert_int_equal(line.runs, 1);
	close_bench(b);
	open_bench(b);
	courier_hello(b->c.courier, &b->host);
	settle(b);
	assert_int_equal(line.runs, 2);
	assert_string_equal(line.run, JOB_A);
}

/* A clock that was set back gives ids that sort before those of many jobs
 * which ended: the new one is sent all the same. */
static void
a_job_of_a_clock_set_back_is_found(void **state)
{
	struct bench *b = *state;
	char id[ULID_TEXT_CAP];
	struct ulid u;
	unsigned i;

	for (i = 0; i < 25; i++) {
		assert_true(
		    str_fmt(id, sizeof(id), "7ZZZZZZZZZZZZZZZZZZZZZZZ%02u", i));
		put_job(b, id, 1);
		set_state(b, id, REC__JOB_STATE__JOB_SUCCEEDED, false);
	}
	line.runs = 0;
	put_job(b, JOB_A, 1);
	assert_true(ulid_parse(STR(JOB_A), &u));
	courier_queued(b->c.courier, &b->host, &u);
	settle(b);
	assert_int_equal(line.runs, 1);
	assert_string_equal(line.run, JOB_A);
}

static void
nonsense_is_ignored(void **state)
{
	struct bench *b = *state;

	answer(b, "no id", true, "");
	answer(b, JOB_A, true, "");
	answer(b, JOB_B, false, "whatever");
	assert_int_equal(line.runs, 0);
}

/* M-439: what comes back is told apart by the job's id. */
static void
an_answer_is_of_the_job_it_names(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	assert_int_equal(line.runs, 1);
	answer(b, JOB_B, true, "");
	answer(b, JOB_B, false, "unknown");
	assert_int_equal(job(b, JOB_A)->accepted_at_ms, 0);
	pass(b, 11000);
	assert_int_equal(line.runs, 2); /* still asked for */
	answer(b, JOB_A, true, "");
	assert_true(job(b, JOB_A)->accepted_at_ms > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_queued_job_is_marked_then_sent),
		ON_BENCH(a_job_that_is_marked_already_is_sent_at_once),
		ON_BENCH(a_command_is_sent_again_until_it_is_answered),
		ON_BENCH(a_hello_brings_it_at_once),
		ON_BENCH(nobody_there_is_no_sending),
		ON_BENCH(one_job_at_a_time_in_order),
		ON_BENCH(an_agent_at_work_is_told_that_a_job_waits),
		ON_BENCH(
		    the_end_of_what_kept_the_agent_busy_is_the_time_to_ask_again),
		ON_BENCH(a_busy_agent_keeps_the_job_queued),
		ON_BENCH(a_refusal_ends_the_job),
		ON_BENCH(a_cancel_is_repeated_until_the_end),
		ON_BENCH(who_is_at_work_is_looked_at_seldom),
		ON_BENCH(a_cancel_before_the_answer_waits_for_it),
		ON_BENCH(a_restart_finds_what_was_open),
		ON_BENCH(a_job_of_a_clock_set_back_is_found),
		ON_BENCH(nonsense_is_ignored),
		ON_BENCH(an_answer_is_of_the_job_it_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
