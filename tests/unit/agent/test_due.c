/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every rule of agent/due.h, with times given by hand. */
#include "tests/unit/agent/due_help.h"

#include "lib/base/spread.h"

/* ------------------------------------------------------------- on time */

static void
a_due_time_gives_one_run_when_it_has_come(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;
	const struct due_run *r;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", two - HOUR);
	assert_int_equal(due_look(d, two - HOUR), two);
	(void)due_look(d, two - 1);
	assert_null(due_ready(d, two - 1));
	assert_int_equal(due_look(d, two), two + DAY);
	r = due_ready(d, two);
	assert_non_null(r);
	assert_int_equal(r->covers[0].due_ms, two);
	assert_int_equal(r->attempt, 1);
	assert_false(r->catch_up);
	assert_int_equal(run_all(d, two, DUE_SUCCEEDED), 1);
	pass(d, two, two + DAY - 1);
	assert_int_equal(run_all(d, two + DAY - 1, DUE_SUCCEEDED), 0);
	due_free(d);
}

static void
groups_run_in_the_order_of_the_schedule(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct ulid a = small_id(GROUP_A), b = small_id(GROUP_B), job;
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	small_schedule(&s, 0, DAILY, "0 2 * * *", 2);
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	job = due_ready(d, two)->job;
	assert_true(ulid_eq(&due_ready(d, two)->group, &a));
	due_begin(d, &job);
	/* One at a time. */
	assert_null(due_ready(d, two));
	due_ended(d, &job, DUE_SUCCEEDED, 0);
	assert_true(ulid_eq(&due_ready(d, two)->group, &b));
	assert_int_equal(run_all(d, two, DUE_SUCCEEDED), 1);
	due_free(d);
}

static void
runs_begin_within_the_jitter_always_at_the_same_second(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct ulid host = small_id(HOST), schedule = small_id(DAILY);
	int64_t spread;
	struct small s;
	struct due *d;
	int day;

	(void)state;
	small_init(&s, "0 2 * * *");
	s.schedule[0].jitter_s = 3600;
	spread = spread_ms(&host, &schedule, 3600);
	assert_in_range(spread, 1, 3599999);
	d = small_due(&s, "UTC", two - HOUR);
	for (day = 0; day < 3; day++) {
		assert_int_equal(due_look(d, two + day * DAY),
		    two + day * DAY + spread);
		assert_null(due_ready(d, two + day * DAY));
		(void)look(d, two + day * DAY + spread);
		assert_int_equal(due_ready(d, two + day * DAY + spread)
		                     ->covers[0]
		                     .due_ms,
		    two + day * DAY);
		assert_int_equal(run_all(d, two + day * DAY + spread,
		                     DUE_SUCCEEDED),
		    1);
		d = restart(d, &s, "UTC", two + day * DAY + HOUR);
		pass(d, two + day * DAY + HOUR, two + (day + 1) * DAY);
	}
	due_free(d);
}

/* ---------------------------------------------------------- made known */

static void
nothing_fires_for_a_time_before_it_was_made_known(void **state)
{
	const int64_t now = at("2026-11-21T02:00:30Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	s.schedule[0].jitter_s = 86400; /* of today's 02:00, too */
	d = small_due(&s, "UTC", now);
	pass(d, now, now + DAY - MINUTE);
	assert_null(due_at(d, 0));
	due_free(d);
}

static void
another_expression_or_zone_does_not_fire_for_the_past(void **state)
{
	const int64_t noon = at("2026-11-21T12:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", noon - 2 * DAY);
	pass(d, noon - 2 * DAY, noon);
	assert_int_equal(run_all(d, noon, DUE_FAILED), 1);
	/* Asleep over two more; meanwhile the schedule is another one. */
	s.schedule[0].cron = (char *)(uintptr_t) "0 3 * * *";
	due_plan(d, &s.plan, "UTC", noon + 2 * DAY);
	due_after_gap(d);
	(void)due_look(d, noon + 2 * DAY);
	assert_null(due_at(d, 0));
	/* So with the zone it names, and with the host's. */
	s.schedule[0].zone = (char *)(uintptr_t) "Asia/Tokyo";
	due_plan(d, &s.plan, "UTC", noon + 4 * DAY);
	(void)due_look(d, noon + 4 * DAY);
	assert_null(due_at(d, 0));
	s.schedule[0].zone = (char *)(uintptr_t) "";
	due_plan(d, &s.plan, "Europe/Berlin", noon + 6 * DAY);
	(void)due_look(d, noon + 6 * DAY);
	assert_null(due_at(d, 0));
	/* The same again keeps what it knows. */
	due_plan(d, &s.plan, "Europe/Berlin", noon + 8 * DAY);
	(void)due_look(d, noon + 8 * DAY);
	assert_non_null(due_at(d, 0));
	due_free(d);
}

/* M-333 */
static void
a_disabled_schedule_does_nothing_also_later(void **state)
{
	const int64_t noon = at("2026-11-21T12:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", noon);
	s.schedule[0].enabled = false;
	due_plan(d, &s.plan, "UTC", noon);
	assert_int_equal(due_look(d, noon), DUE_NEVER);
	pass(d, noon, noon + DAY);
	d = restart(d, &s, "UTC", noon + DAY);
	(void)due_look(d, noon + DAY);
	s.schedule[0].enabled = true;
	due_plan(d, &s.plan, "UTC", noon + DAY);
	due_after_gap(d);
	(void)due_look(d, noon + DAY);
	assert_null(due_at(d, 0));
	due_free(d);
}

/* What waits leaves the line with its schedule or its group. */
static void
nobody_runs_what_the_plan_does_not_want_any_more(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	small_schedule(&s, 0, DAILY, "0 2 * * *", 2);
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	assert_non_null(due_at(d, 1));
	small_schedule(&s, 0, DAILY, "0 2 * * *", 1);
	due_plan(d, &s.plan, "UTC", two);
	assert_non_null(due_at(d, 0));
	assert_null(due_at(d, 1));
	s.schedule[0].enabled = false;
	due_plan(d, &s.plan, "UTC", two);
	assert_null(due_at(d, 0));
	assert_true(due_take_changed(d));
	due_free(d);
}

static void
an_expression_that_does_not_parse_leaves_the_rest_alone(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "61 2 * * *");
	small_schedule(&s, 1, OTHER, "0 2 * * *", 1);
	d = small_due(&s, "UTC", two - HOUR);
	assert_int_equal(due_look(d, two - HOUR), two);
	(void)look(d, two);
	assert_int_equal(run_all(d, two, DUE_SUCCEEDED), 1);
	due_free(d);
}

/* ------------------------------------------------------------ catching up */

/* M-330, M-335 */
static void
what_was_slept_through_is_caught_up_once(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	const int64_t woke = two + 5 * DAY + 6 * HOUR;
	const struct due_run *r;
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", two - HOUR);
	(void)due_look(d, woke);
	assert_null(due_ready(d, woke + DUE_SETTLE_MS - 1));
	r = due_ready(d, woke + DUE_SETTLE_MS);
	assert_non_null(r);
	assert_int_equal(r->covers[0].due_ms, two + 5 * DAY);
	assert_true(r->catch_up);
	assert_int_equal(due_look(d, woke), woke + DUE_SETTLE_MS);
	assert_int_equal(run_all(d, woke + DUE_SETTLE_MS, DUE_SUCCEEDED), 1);
	pass(d, woke, two + 6 * DAY - 1);
	assert_null(due_at(d, 0));
	due_free(d);
}

/* W-09: a daily success hides no missed weekly one. */
static void
each_schedule_is_measured_against_its_own_success(void **state)
{
	const int64_t sunday = at("2026-11-22T04:00:00Z");
	struct small s;
	struct due *d;
	int64_t now;

	(void)state;
	small_init(&s, "0 2 * * *");
	small_schedule(&s, 1, OTHER, "0 4 * * 0", 1);
	d = small_due(&s, "UTC", sunday - 3 * HOUR);
	(void)look(d, sunday - 2 * HOUR);
	assert_int_equal(run_all(d, sunday - 2 * HOUR, DUE_SUCCEEDED), 1);
	now = sunday + 3 * HOUR;
	(void)due_look(d, now);
	assert_int_equal(run_all(d, now + DUE_SETTLE_MS, DUE_SUCCEEDED), 1);
	assert_null(due_at(d, 0));
	due_free(d);
}

static void
what_had_failed_is_caught_up_after_a_start_once(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;
	int64_t now;
	int i;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	assert_int_equal(run_all(d, two, DUE_FAILED), 1);
	pass(d, two, two + HOUR);
	assert_null(due_at(d, 0));
	for (i = 0; i < 4; i++) {
		now = two + (i + 2) * HOUR;
		d = restart(d, &s, "UTC", now);
		(void)due_look(d, now);
		if (i == 0)
			assert_true(due_at(d, 0)->catch_up);
		assert_int_equal(run_all(d, now + DUE_SETTLE_MS, DUE_FAILED),
		    i == 0 ? 1 : 0);
	}
	due_free(d);
}

static void
what_somebody_cancelled_is_not_caught_up(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	s.group[0].retry_max = 5;
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	assert_int_equal(run_all(d, two, DUE_CANCELLED), 1);
	d = restart(d, &s, "UTC", two + HOUR);
	(void)due_look(d, two + HOUR);
	assert_null(due_at(d, 0));
	due_free(d);
}

/* One failed group of two: the due time has no success. */
static void
a_due_time_succeeds_when_all_its_groups_do(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct ulid job;
	struct due *d;
	int fails;

	(void)state;
	for (fails = 0; fails < 2; fails++) {
		small_init(&s, "0 2 * * *");
		small_schedule(&s, 0, DAILY, "0 2 * * *", 2);
		d = small_due(&s, "UTC", two - HOUR);
		(void)look(d, two);
		job = due_ready(d, two)->job;
		due_begin(d, &job);
		due_ended(d, &job, fails == 1 ? DUE_FAILED : DUE_SUCCEEDED, 0);
		assert_int_equal(run_all(d, two, DUE_SUCCEEDED), 1);
		d = restart(d, &s, "UTC", two + HOUR);
		(void)due_look(d, two + HOUR);
		assert_int_equal(run_all(d, two + 2 * HOUR, DUE_SUCCEEDED),
		    fails == 1 ? 2 : 0);
		due_free(d);
	}
}

/* W-08, M-332: the way back is a gap like a start, for hosts that never sleep. */
static void
what_had_failed_is_caught_up_when_the_network_is_back(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	assert_int_equal(run_all(d, two, DUE_FAILED), 1);
	pass(d, two, two + 6 * HOUR);
	assert_null(due_at(d, 0));
	due_after_gap(d);
	(void)due_look(d, two + 6 * HOUR);
	assert_int_equal(run_all(d, two + 6 * HOUR + DUE_SETTLE_MS,
	                     DUE_SUCCEEDED),
	    1);
	due_after_gap(d);
	(void)due_look(d, two + 7 * HOUR);
	assert_null(due_at(d, 0));
	due_free(d);
}

/* ------------------------------------------------------------- the clock */

static void
a_clock_set_back_fires_nothing_twice(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", two - HOUR);
	pass(d, two - HOUR, two);
	assert_int_equal(run_all(d, two, DUE_SUCCEEDED), 1);
	pass(d, two - HOUR, two + HOUR);
	assert_null(due_at(d, 0));
	/* So when a restart was in between. */
	d = restart(d, &s, "UTC", two - HOUR);
	pass(d, two - HOUR, two + HOUR);
	assert_null(due_at(d, 0));
	pass(d, two + HOUR, two + DAY);
	assert_int_equal(run_all(d, two + DAY, DUE_SUCCEEDED), 1);
	due_free(d);
}

static void
a_clock_set_forward_over_a_due_time_is_a_gap(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", two - HOUR);
	(void)due_look(d, two + HOUR);
	assert_true(due_at(d, 0)->catch_up);
	assert_int_equal(run_all(d, two + HOUR + DUE_SETTLE_MS, DUE_SUCCEEDED),
	    1);
	/* Back again: not once more. */
	pass(d, two - HOUR, two + 2 * HOUR);
	assert_null(due_at(d, 0));
	due_free(d);
}

static void
a_clock_that_was_a_year_ahead_stops_nothing(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	s.group[0].retry_max = 1;
	s.group[0].retry_backoff_s = 1800;
	d = small_due(&s, "UTC", two - HOUR);
	(void)due_look(d, two + 365 * DAY);
	assert_int_equal(run_all(d, two + 365 * DAY + DUE_SETTLE_MS,
	                     DUE_FAILED),
	    1);
	/* The retry does not wait for next year. */
	assert_in_range(due_look(d, two - HOUR), two - HOUR, two);
	assert_int_equal(run_all(d, two - MINUTE, DUE_SUCCEEDED), 1);
	(void)due_look(d, two - MINUTE);
	(void)look(d, two);
	assert_int_equal(run_all(d, two, DUE_SUCCEEDED), 1);
	due_free(d);
}

/* A computer without a clock begins each day in 1970. */
static void
a_clock_that_begins_in_1970_repeats_nothing(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	assert_int_equal(run_all(d, two, DUE_SUCCEEDED), 1);
	d = restart(d, &s, "UTC", 20000);
	(void)due_look(d, 20000);
	(void)due_look(d, 40000);
	(void)due_look(d, two + HOUR);
	assert_null(due_at(d, 0));
	assert_int_equal(due_look(d, two + HOUR + MINUTE), two + DAY);
	due_free(d);
}

/* The night the clock goes forward has no 02:30, the other has two. */
static void
daylight_saving_neither_skips_nor_doubles(void **state)
{
	static const struct {
		const char *from, *until;
		const char *due;
	} nights[] = {
		{ "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z",
		    "2026-03-29T01:00:00Z" },
		{ "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z",
		    "2026-10-25T00:30:00Z" },
	};
	const struct due_run *r;
	struct small s;
	struct due *d;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(nights); i++) {
		small_init(&s, "30 2 * * *");
		d = small_due(&s, "Europe/Berlin", at(nights[i].from));
		pass(d, at(nights[i].from), at(nights[i].until));
		r = due_at(d, 0);
		assert_non_null(r);
		assert_int_equal(r->covers[0].due_ms, at(nights[i].due));
		assert_false(r->catch_up);
		assert_null(due_at(d, 1));
		due_free(d);
	}
}

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
	const int64_t two = at("2026-11-21T02:00:00Z");
	int64_t now, retry;
	struct ulid job;
	struct small s;
	struct due *d;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		small_init(&s, "0 2 * * *");
		s.group[0].retry_max = rows[i].max;
		s.group[0].retry_backoff_s = rows[i].backoff_s;
		d = small_due(&s, "UTC", two - HOUR);
		(void)look(d, two);
		for (k = 0, now = two;; k++, now = retry) {
			job = due_ready(d, now)->job;
			assert_int_equal(due_ready(d, now)->attempt, k + 1);
			due_begin(d, &job);
			retry = due_retry_at(d, &job, DUE_FAILED, now);
			due_ended(d, &job, DUE_FAILED, retry);
			assert_int_equal(retry == 0 ? 0 : retry - now,
			    rows[i].waits_s[k] * 1000);
			if (retry == 0)
				break;
			assert_null(due_ready(d, retry - 1));
			/* Another job, which a restart does not lose. */
			assert_null(due_find(d, &job));
			d = restart(d, &s, "UTC", now);
		}
		assert_int_equal(k, rows[i].max);
		assert_null(due_at(d, 0));
		due_free(d);
	}
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
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct ulid job;
	struct small s;
	struct due *d;
	size_t i;

	(void)state;
	small_init(&s, "0 2 * * *");
	s.group[0].retry_max = 3;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(due_judge(str_of(rows[i].status),
		                     str_of(rows[i].cause)),
		    rows[i].end);
		d = small_due(&s, "UTC", two - HOUR);
		(void)look(d, two);
		job = due_ready(d, two)->job;
		due_begin(d, &job);
		assert_int_equal(due_retry_at(d, &job, rows[i].end, two) != 0,
		    rows[i].end == DUE_FAILED);
		due_free(d);
	}
}

/* --------------------------------------------------------------- the line */

/* M-236: a run that takes longer than its schedule's period. */
static void
one_run_waits_per_group_and_bears_the_newest_due_time(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct ulid job;
	struct due *d;

	(void)state;
	small_init(&s, "0 * * * *");
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	job = due_ready(d, two)->job;
	due_begin(d, &job);
	pass(d, two, two + 5 * HOUR);
	assert_non_null(due_at(d, 1));
	assert_null(due_at(d, 2));
	assert_int_equal(due_at(d, 1)->covers[0].due_ms, two + 5 * HOUR);
	assert_int_equal(due_at(d, 1)->n_covers, 1);
	due_ended(d, &job, DUE_SUCCEEDED, 0);
	assert_int_equal(run_all(d, two + 5 * HOUR, DUE_SUCCEEDED), 1);
	/* All of them are covered. */
	d = restart(d, &s, "UTC", two + 5 * HOUR + MINUTE);
	(void)due_look(d, two + 5 * HOUR + MINUTE);
	assert_null(due_at(d, 0));
	due_free(d);
}

static void
one_run_does_for_two_schedules_of_its_group(void **state)
{
	const int64_t sunday = at("2026-11-22T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	small_schedule(&s, 1, OTHER, "0 2 * * 0", 2);
	d = small_due(&s, "UTC", sunday - HOUR);
	(void)look(d, sunday);
	assert_int_equal(due_at(d, 0)->n_covers, 2);
	assert_non_null(due_at(d, 1)); /* group B of the weekly one */
	assert_null(due_at(d, 2));
	d = restart(d, &s, "UTC", sunday);
	(void)due_look(d, sunday);
	assert_int_equal(run_all(d, sunday + MINUTE, DUE_SUCCEEDED), 2);
	d = restart(d, &s, "UTC", sunday + HOUR);
	(void)due_look(d, sunday + HOUR);
	assert_null(due_at(d, 0));
	due_free(d);
}

static void
a_new_due_time_takes_the_place_of_a_retry(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "*/10 * * * *");
	s.group[0].retry_max = 9;
	s.group[0].retry_backoff_s = 1200;
	d = small_due(&s, "UTC", two - MINUTE);
	(void)look(d, two);
	assert_int_equal(run_all(d, two, DUE_FAILED), 1);
	assert_int_equal(due_at(d, 0)->attempt, 2);
	pass(d, two, two + 10 * MINUTE);
	assert_null(due_at(d, 1));
	assert_int_equal(due_at(d, 0)->attempt, 1);
	assert_int_equal(due_at(d, 0)->covers[0].due_ms, two + 10 * MINUTE);
	assert_int_equal(run_all(d, two + 10 * MINUTE, DUE_SUCCEEDED), 1);
	assert_null(due_at(d, 0));
	due_free(d);
}

static void
a_failed_run_leaves_it_to_the_one_that_waits(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct ulid job;
	struct due *d;

	(void)state;
	small_init(&s, "0 * * * *");
	s.group[0].retry_max = 9;
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	job = due_ready(d, two)->job;
	due_begin(d, &job);
	pass(d, two, two + HOUR);
	assert_int_equal(due_retry_at(d, &job, DUE_FAILED, two + HOUR), 0);
	due_ended(d, &job, DUE_FAILED, 0);
	assert_null(due_at(d, 1));
	assert_int_equal(due_at(d, 0)->covers[0].due_ms, two + HOUR);
	due_free(d);
}

/* Its end counts for both schedules. */
static void
a_run_that_waits_does_it_for_another_schedule_that_failed(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct ulid job;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	small_schedule(&s, 1, OTHER, "10 2 * * *", 1);
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	job = due_ready(d, two)->job;
	due_begin(d, &job);
	pass(d, two, two + 10 * MINUTE);
	due_ended(d, &job, DUE_FAILED, 0);
	assert_int_equal(due_at(d, 0)->n_covers, 2);
	assert_int_equal(due_at(d, 0)->covers[0].due_ms, two + 10 * MINUTE);
	assert_int_equal(run_all(d, two + 10 * MINUTE, DUE_SUCCEEDED), 1);
	d = restart(d, &s, "UTC", two + HOUR);
	(void)due_look(d, two + HOUR);
	assert_null(due_at(d, 0));
	due_free(d);
}

static void
after_a_gap_nothing_that_waits_begins_at_once(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "0 2 * * *");
	s.group[0].retry_max = 1;
	d = small_due(&s, "UTC", two - HOUR);
	(void)look(d, two);
	assert_int_equal(run_all(d, two, DUE_FAILED), 1);
	assert_int_equal(due_look(d, two + HOUR), two + HOUR + DUE_SETTLE_MS);
	assert_null(due_ready(d, two + HOUR));
	due_free(d);
}

static void
seconds_of_every_are_counted_from_the_last_one(void **state)
{
	const int64_t two = at("2026-11-21T02:00:00Z");
	struct small s;
	struct due *d;

	(void)state;
	small_init(&s, "@every 7h");
	d = small_due(&s, "UTC", two);
	assert_int_equal(due_look(d, two), two + 7 * HOUR);
	(void)look(d, two + 7 * HOUR);
	assert_int_equal(run_all(d, two + 7 * HOUR, DUE_SUCCEEDED), 1);
	/* Ten years later: at once, and not one by one. */
	assert_int_equal(due_look(d, two + 3653 * DAY),
	    two + 3653 * DAY + DUE_SETTLE_MS);
	assert_int_equal(run_all(d, two + 3654 * DAY, DUE_SUCCEEDED), 1);
	due_free(d);
}

static void
a_damaged_state_is_refused(void **state)
{
	struct ulid host = small_id(HOST);
	struct due *d = due_new(&host);

	(void)state;
	assert_rc(due_load(d, STR("\x12\xff no such record")), RC_CORRUPT);
	assert_null(due_at(d, 0));
	due_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_due_time_gives_one_run_when_it_has_come),
		cmocka_unit_test(groups_run_in_the_order_of_the_schedule),
		cmocka_unit_test(
		    runs_begin_within_the_jitter_always_at_the_same_second),
		cmocka_unit_test(
		    nothing_fires_for_a_time_before_it_was_made_known),
		cmocka_unit_test(
		    another_expression_or_zone_does_not_fire_for_the_past),
		cmocka_unit_test(a_disabled_schedule_does_nothing_also_later),
		cmocka_unit_test(
		    nobody_runs_what_the_plan_does_not_want_any_more),
		cmocka_unit_test(
		    an_expression_that_does_not_parse_leaves_the_rest_alone),
		cmocka_unit_test(what_was_slept_through_is_caught_up_once),
		cmocka_unit_test(
		    each_schedule_is_measured_against_its_own_success),
		cmocka_unit_test(
		    what_had_failed_is_caught_up_after_a_start_once),
		cmocka_unit_test(what_somebody_cancelled_is_not_caught_up),
		cmocka_unit_test(a_due_time_succeeds_when_all_its_groups_do),
		cmocka_unit_test(
		    what_had_failed_is_caught_up_when_the_network_is_back),
		cmocka_unit_test(a_clock_set_back_fires_nothing_twice),
		cmocka_unit_test(a_clock_set_forward_over_a_due_time_is_a_gap),
		cmocka_unit_test(a_clock_that_was_a_year_ahead_stops_nothing),
		cmocka_unit_test(a_clock_that_begins_in_1970_repeats_nothing),
		cmocka_unit_test(daylight_saving_neither_skips_nor_doubles),
		cmocka_unit_test(
		    retry_max_counts_retries_and_they_come_ever_later),
		cmocka_unit_test(
		    what_would_fail_the_same_way_is_not_tried_again),
		cmocka_unit_test(
		    one_run_waits_per_group_and_bears_the_newest_due_time),
		cmocka_unit_test(one_run_does_for_two_schedules_of_its_group),
		cmocka_unit_test(a_new_due_time_takes_the_place_of_a_retry),
		cmocka_unit_test(a_failed_run_leaves_it_to_the_one_that_waits),
		cmocka_unit_test(
		    a_run_that_waits_does_it_for_another_schedule_that_failed),
		cmocka_unit_test(after_a_gap_nothing_that_waits_begins_at_once),
		cmocka_unit_test(
		    seconds_of_every_are_counted_from_the_last_one),
		cmocka_unit_test(a_damaged_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
