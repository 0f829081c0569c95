/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The line of agent/due.h: what is tried again, what waits, what joins it. */
#include "tests/unit/agent/due_bench.h"

/* ----------------------------------------------------------------- retries */

/* X-06, M-238 */
static void
retry_max_counts_retries_and_they_come_ever_later(void **state)
{
	static const struct {
		uint32_t max, backoff_s;
		int64_t waits_s[5];
	} rows[] = {
		{ 0, 60, { 0 } },
		{ 1, 60, { 60, 0 } },
		{ 3, 60, { 60, 120, 240, 0 } },
		{ 4, 600, { 600, 1200, 1800, 1800, 0 } },
		{ 1, 0, { 1, 0 } },
		{ 1, 86400, { 1800, 0 } },
	};
	struct bench *b = *state;
	int64_t now, retry;
	struct ulid job;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		b->s.group[0].retry_max = rows[i].max;
		b->s.group[0].retry_backoff_s = rows[i].backoff_s;
		at_two(b);
		for (k = 0, now = two;; k++, now = retry) {
			assert_int_equal(due_ready(b->d, now)->attempt, k + 1);
			job = begin(b, now);
			retry = due_retry_at(b->d, &job, DUE_FAILED, now);
			due_ended(b->d, &job, DUE_FAILED, retry);
			assert_int_equal(retry == 0 ? 0 : retry - now,
			    rows[i].waits_s[k] * 1000);
			if (retry == 0)
				break;
			assert_null(due_ready(b->d, retry - 1));
			/* Another job, which a restart does not lose. */
			assert_null(due_find(b->d, &job));
			restart(b, now);
		}
		assert_int_equal(k, rows[i].max);
		assert_idle(b);
	}
}

/* A run that is tried again has no place of its own in front of those that
 * were ready before. */
static void
who_was_ready_first_goes_first(void **state)
{
	struct bench *b = *state;
	struct ulid a = small_id(GROUP_A), g = small_id(GROUP_B), job;
	const struct due_run *r;
	unsigned n;

	b->s.group[0].retry_max = 9;
	small_schedule(&b->s, 0, DAILY, "0 2 * * *", 1);
	small_schedule(&b->s, 1, OTHER, "1 2 * * *", 2);
	at_two(b);
	job = begin(b, two);
	due_ended(b->d, &job, DUE_FAILED, two + 61000);
	look(b, two + 30000);
	look(b, two + 60000); /* joins A, and B comes */
	look(b, two + 61000);
	r = due_ready(b->d, two + 61000);
	assert_true(ulid_eq(&r->group, &a)); /* at 02:01:00, as B is */
	job = begin(b, two + 61000);
	due_ended(b->d, &job, DUE_FAILED, two + 62000);
	for (n = 0; n < 2; n++) {
		r = due_ready(b->d, two + 62000);
		assert_true(ulid_eq(&r->group, n == 0 ? &g : &a));
		job = begin(b, two + 62000);
		due_ended(b->d, &job, DUE_SUCCEEDED, 0);
	}
	assert_idle(b);
}

static void
what_would_fail_the_same_way_is_not_tried_again(void **state)
{
	static const struct {
		const char *status, *cause;
		enum due_end end;
	} rows[] = {
		{ "succeeded", "", DUE_SUCCEEDED },
		{ "succeeded", "unreadable", DUE_SUCCEEDED },
		{ "failed", "locked", DUE_FAILED },
		{ "failed", "unreachable", DUE_FAILED },
		{ "failed", "restic_failed", DUE_FAILED },
		{ "failed", "agent_restarted", DUE_FAILED },
		{ "failed", "wrong_password", DUE_HOPELESS },
		{ "failed", "no_repository", DUE_HOPELESS },
		{ "failed", "something new", DUE_FAILED },
		{ "cancelled", "cancelled", DUE_CANCELLED },
	};
	struct bench *b = *state;
	struct ulid job;
	size_t i;

	b->s.group[0].retry_max = 3;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(due_judge(str_of(rows[i].status),
		                     str_of(rows[i].cause)),
		    rows[i].end);
		at_two(b);
		job = begin(b, two);
		assert_int_equal(due_retry_at(b->d, &job, rows[i].end, two) !=
		                     0,
		    rows[i].end == DUE_FAILED);
	}
}

/* --------------------------------------------------------------- the line */

/* M-236: a run that takes longer than its schedule's period. */
static void
one_run_waits_per_group_and_bears_the_newest_due_time(void **state)
{
	struct bench *b = *state;
	struct ulid job;

	small_init(&b->s, "0 * * * *");
	at_two(b);
	job = begin(b, two);
	pass(b, two, two + 5 * HOUR);
	assert_non_null(due_at(b->d, 1));
	assert_null(due_at(b->d, 2));
	assert_int_equal(due_at(b->d, 1)->covers[0].due_ms, two + 5 * HOUR);
	assert_int_equal(due_at(b->d, 1)->n_covers, 1);
	due_ended(b->d, &job, DUE_SUCCEEDED, 0);
	assert_runs(b, two + 5 * HOUR, DUE_SUCCEEDED, 1);
	/* All of them are covered. */
	wake(b, two + 5 * HOUR + MINUTE);
	assert_idle(b);
}

static void
one_run_does_for_two_schedules_of_its_group(void **state)
{
	const int64_t sunday = at("2026-11-22T02:00:00Z");
	struct bench *b = *state;

	small_schedule(&b->s, 1, OTHER, "0 2 * * 0", 2);
	know(b, sunday - HOUR);
	come(b, sunday);
	assert_int_equal(due_at(b->d, 0)->n_covers, 2);
	assert_non_null(due_at(b->d, 1)); /* group B of the weekly one */
	assert_null(due_at(b->d, 2));
	wake(b, sunday);
	assert_runs(b, sunday + MINUTE, DUE_SUCCEEDED, 2);
	wake(b, sunday + HOUR);
	assert_idle(b);
}

static void
a_new_due_time_takes_the_place_of_a_retry(void **state)
{
	struct bench *b = *state;

	small_init(&b->s, "*/10 * * * *");
	b->s.group[0].retry_max = 9;
	b->s.group[0].retry_backoff_s = 1200;
	know(b, two - MINUTE);
	come(b, two);
	assert_runs(b, two, DUE_FAILED, 1);
	assert_int_equal(due_at(b->d, 0)->attempt, 2);
	pass(b, two, two + 10 * MINUTE);
	assert_null(due_at(b->d, 1));
	assert_int_equal(due_at(b->d, 0)->attempt, 1);
	assert_int_equal(due_at(b->d, 0)->covers[0].due_ms, two + 10 * MINUTE);
	assert_runs(b, two + 10 * MINUTE, DUE_SUCCEEDED, 1);
	assert_idle(b);
}

static void
a_failed_run_leaves_it_to_the_one_that_waits(void **state)
{
	struct bench *b = *state;
	struct ulid job;

	small_init(&b->s, "0 * * * *");
	b->s.group[0].retry_max = 9;
	at_two(b);
	job = begin(b, two);
	pass(b, two, two + HOUR);
	assert_int_equal(due_retry_at(b->d, &job, DUE_FAILED, two + HOUR), 0);
	due_ended(b->d, &job, DUE_FAILED, 0);
	assert_null(due_at(b->d, 1));
	assert_int_equal(due_at(b->d, 0)->covers[0].due_ms, two + HOUR);
}

/* Its end counts for both schedules. */
static void
a_run_that_waits_does_it_for_another_schedule_that_failed(void **state)
{
	struct bench *b = *state;
	struct ulid job;

	small_schedule(&b->s, 1, OTHER, "10 2 * * *", 1);
	at_two(b);
	job = begin(b, two);
	pass(b, two, two + 10 * MINUTE);
	due_ended(b->d, &job, DUE_FAILED, 0);
	assert_int_equal(due_at(b->d, 0)->n_covers, 2);
	assert_int_equal(due_at(b->d, 0)->covers[0].due_ms, two + 10 * MINUTE);
	assert_runs(b, two + 10 * MINUTE, DUE_SUCCEEDED, 1);
	wake(b, two + HOUR);
	assert_idle(b);
}

static void
after_a_gap_nothing_that_waits_begins_at_once(void **state)
{
	struct bench *b = *state;

	b->s.group[0].retry_max = 1;
	at_two(b);
	assert_runs(b, two, DUE_FAILED, 1);
	assert_int_equal(due_look(b->d, two + HOUR),
	    two + HOUR + DUE_SETTLE_MS);
	assert_null(due_ready(b->d, two + HOUR));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(retry_max_counts_retries_and_they_come_ever_later),
		ON_BENCH(who_was_ready_first_goes_first),
		ON_BENCH(what_would_fail_the_same_way_is_not_tried_again),
		ON_BENCH(one_run_waits_per_group_and_bears_the_newest_due_time),
		ON_BENCH(one_run_does_for_two_schedules_of_its_group),
		ON_BENCH(a_new_due_time_takes_the_place_of_a_retry),
		ON_BENCH(a_failed_run_leaves_it_to_the_one_that_waits),
		ON_BENCH(
		    a_run_that_waits_does_it_for_another_schedule_that_failed),
		ON_BENCH(after_a_gap_nothing_that_waits_begins_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
