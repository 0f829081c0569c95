/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When runs become due, by agent/due.h: on time, after a gap, by odd clocks. */
#include "tests/unit/agent/due_bench.h"

#include "lib/base/spread.h"

/* ------------------------------------------------------------- on time */

static void
a_due_time_gives_one_run_when_it_has_come(void **state)
{
	struct bench *b = *state;
	const struct due_run *r;

	know(b, two - HOUR);
	assert_int_equal(due_look(b->d, two - HOUR), two);
	look(b, two - 1);
	assert_null(due_ready(b->d, two - 1));
	assert_int_equal(due_look(b->d, two), two + DAY);
	r = due_ready(b->d, two);
	assert_non_null(r);
	assert_int_equal(r->covers[0].due_ms, two);
	assert_int_equal(r->attempt, 1);
	assert_false(r->catch_up);
	assert_runs(b, two, DUE_SUCCEEDED, 1);
	pass(b, two, two + DAY - 1);
	assert_runs(b, two + DAY - 1, DUE_SUCCEEDED, 0);
}

static void
groups_run_in_the_order_of_the_schedule(void **state)
{
	struct bench *b = *state;
	struct ulid first = small_id(GROUP_A), second = small_id(GROUP_B), job;

	small_schedule(&b->s, 0, DAILY, "0 2 * * *", 2);
	at_two(b);
	assert_true(ulid_eq(&due_ready(b->d, two)->group, &first));
	job = begin(b, two);
	/* One at a time. */
	assert_null(due_ready(b->d, two));
	due_ended(b->d, &job, DUE_SUCCEEDED, 0);
	assert_true(ulid_eq(&due_ready(b->d, two)->group, &second));
	assert_runs(b, two, DUE_SUCCEEDED, 1);
}

static void
runs_begin_within_the_jitter_always_at_the_same_second(void **state)
{
	struct bench *b = *state;
	struct ulid host = small_id(HOST), schedule = small_id(DAILY);
	int64_t spread, due, day;

	b->s.schedule[0].jitter_s = 3600;
	spread = spread_ms(&host, &schedule, 3600);
	assert_in_range(spread, 1, 3599999);
	know(b, two - HOUR);
	for (day = 0; day < 3; day++) {
		due = two + day * DAY;
		assert_int_equal(due_look(b->d, due), due + spread);
		assert_null(due_ready(b->d, due));
		come(b, due + spread);
		assert_int_equal(due_ready(b->d, due + spread)
		                     ->covers[0]
		                     .due_ms,
		    due);
		assert_runs(b, due + spread, DUE_SUCCEEDED, 1);
		restart(b, due + HOUR);
		pass(b, due + HOUR, due + DAY);
	}
}

static void
seconds_of_every_are_counted_from_the_last_one(void **state)
{
	struct bench *b = *state;

	small_init(&b->s, "@every 7h");
	know(b, two);
	assert_int_equal(due_look(b->d, two), two + 7 * HOUR);
	come(b, two + 7 * HOUR);
	assert_runs(b, two + 7 * HOUR, DUE_SUCCEEDED, 1);
	/* Ten years later: at once, and not one by one. */
	assert_int_equal(due_look(b->d, two + 3653 * DAY),
	    two + 3653 * DAY + DUE_SETTLE_MS);
	assert_runs(b, two + 3654 * DAY, DUE_SUCCEEDED, 1);
}

/* ---------------------------------------------------------- made known */

static void
nothing_fires_for_a_time_before_it_was_made_known(void **state)
{
	const int64_t now = at("2026-11-21T02:00:30Z");
	struct bench *b = *state;

	b->s.schedule[0].jitter_s = 86400; /* of today's 02:00, too */
	know(b, now);
	pass(b, now, now + DAY - MINUTE);
	assert_idle(b);
}

static void
another_expression_or_zone_does_not_fire_for_the_past(void **state)
{
	const int64_t noon = at("2026-11-21T12:00:00Z");
	struct bench *b = *state;

	know(b, noon - 2 * DAY);
	pass(b, noon - 2 * DAY, noon);
	assert_runs(b, noon, DUE_FAILED, 1);
	/* Asleep over two more; meanwhile the schedule is another one. */
	b->s.schedule[0].cron = (char *)(uintptr_t) "0 3 * * *";
	plan(b, noon + 2 * DAY);
	due_after_gap(b->d);
	look(b, noon + 2 * DAY);
	assert_idle(b);
	/* So with the zone it names, and with the host's. */
	b->s.schedule[0].zone = (char *)(uintptr_t) "Asia/Tokyo";
	plan(b, noon + 4 * DAY);
	look(b, noon + 4 * DAY);
	assert_idle(b);
	b->s.schedule[0].zone = (char *)(uintptr_t) "";
	b->zone = "Europe/Berlin";
	plan(b, noon + 6 * DAY);
	look(b, noon + 6 * DAY);
	assert_idle(b);
	/* The same again keeps what it knows. */
	plan(b, noon + 8 * DAY);
	look(b, noon + 8 * DAY);
	assert_non_null(due_at(b->d, 0));
}

/* M-333 */
static void
a_disabled_schedule_does_nothing_also_later(void **state)
{
	const int64_t noon = at("2026-11-21T12:00:00Z");
	struct bench *b = *state;

	know(b, noon);
	b->s.schedule[0].enabled = false;
	plan(b, noon);
	assert_int_equal(due_look(b->d, noon), DUE_NEVER);
	pass(b, noon, noon + DAY);
	wake(b, noon + DAY);
	b->s.schedule[0].enabled = true;
	plan(b, noon + DAY);
	due_after_gap(b->d);
	look(b, noon + DAY);
	assert_idle(b);
}

/* What waits leaves the line with its schedule or its group. */
static void
nobody_runs_what_the_plan_does_not_want_any_more(void **state)
{
	struct bench *b = *state;

	small_schedule(&b->s, 0, DAILY, "0 2 * * *", 2);
	at_two(b);
	assert_non_null(due_at(b->d, 1));
	small_schedule(&b->s, 0, DAILY, "0 2 * * *", 1);
	plan(b, two);
	assert_non_null(due_at(b->d, 0));
	assert_null(due_at(b->d, 1));
	b->s.schedule[0].enabled = false;
	plan(b, two);
	assert_idle(b);
	assert_true(due_take_changed(b->d));
}

static void
an_expression_that_does_not_parse_leaves_the_rest_alone(void **state)
{
	struct bench *b = *state;

	small_init(&b->s, "61 2 * * *");
	small_schedule(&b->s, 1, OTHER, "0 2 * * *", 1);
	know(b, two - HOUR);
	assert_int_equal(due_look(b->d, two - HOUR), two);
	come(b, two);
	assert_runs(b, two, DUE_SUCCEEDED, 1);
}

/* ------------------------------------------------------------ catching up */

/* M-330, M-335 */
static void
what_was_slept_through_is_caught_up_once(void **state)
{
	const int64_t woke = two + 5 * DAY + 6 * HOUR;
	struct bench *b = *state;
	const struct due_run *r;

	know(b, two - HOUR);
	look(b, woke);
	assert_null(due_ready(b->d, woke + DUE_SETTLE_MS - 1));
	r = due_ready(b->d, woke + DUE_SETTLE_MS);
	assert_non_null(r);
	assert_int_equal(r->covers[0].due_ms, two + 5 * DAY);
	assert_true(r->catch_up);
	assert_int_equal(due_look(b->d, woke), woke + DUE_SETTLE_MS);
	assert_runs(b, woke + DUE_SETTLE_MS, DUE_SUCCEEDED, 1);
	pass(b, woke, two + 6 * DAY - 1);
	assert_idle(b);
}

/* W-09: a daily success hides no missed weekly one. */
static void
each_schedule_is_measured_against_its_own_success(void **state)
{
	const int64_t sunday = at("2026-11-22T04:00:00Z");
	struct bench *b = *state;
	int64_t now;

	small_schedule(&b->s, 1, OTHER, "0 4 * * 0", 1);
	know(b, sunday - 3 * HOUR);
	come(b, sunday - 2 * HOUR);
	assert_runs(b, sunday - 2 * HOUR, DUE_SUCCEEDED, 1);
	now = sunday + 3 * HOUR;
	look(b, now);
	assert_runs(b, now + DUE_SETTLE_MS, DUE_SUCCEEDED, 1);
	assert_idle(b);
}

static void
what_had_failed_is_caught_up_after_a_start_once(void **state)
{
	struct bench *b = *state;
	int64_t now;
	int i;

	at_two(b);
	assert_runs(b, two, DUE_FAILED, 1);
	pass(b, two, two + HOUR);
	assert_idle(b);
	for (i = 0; i < 4; i++) {
		now = two + (i + 2) * HOUR;
		wake(b, now);
		if (i == 0)
			assert_true(due_at(b->d, 0)->catch_up);
		assert_runs(b, now + DUE_SETTLE_MS, DUE_FAILED, i == 0 ? 1 : 0);
	}
}

static void
what_somebody_cancelled_is_not_caught_up(void **state)
{
	struct bench *b = *state;

	b->s.group[0].retry_max = 5;
	at_two(b);
	assert_runs(b, two, DUE_CANCELLED, 1);
	wake(b, two + HOUR);
	assert_idle(b);
}

/* One failed group of two: the due time has no success. */
static void
a_due_time_succeeds_when_all_its_groups_do(void **state)
{
	static const struct {
		enum due_end first, second;
		size_t again;
	} rows[] = {
		{ DUE_SUCCEEDED, DUE_SUCCEEDED, 0 },
		{ DUE_FAILED, DUE_SUCCEEDED, 2 },
		{ DUE_SUCCEEDED, DUE_FAILED, 2 },
		{ DUE_FAILED, DUE_FAILED, 2 },
	};
	struct bench *b = *state;
	struct ulid job;
	size_t i;

	small_schedule(&b->s, 0, DAILY, "0 2 * * *", 2);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		at_two(b);
		job = begin(b, two);
		due_ended(b->d, &job, rows[i].first, 0);
		assert_runs(b, two, rows[i].second, 1);
		wake(b, two + HOUR);
		assert_runs(b, two + 2 * HOUR, DUE_SUCCEEDED, rows[i].again);
	}
}

/* W-08, M-332: the way back is a gap like a start, for hosts that never sleep. */
static void
what_had_failed_is_caught_up_when_the_network_is_back(void **state)
{
	struct bench *b = *state;

	at_two(b);
	assert_runs(b, two, DUE_FAILED, 1);
	pass(b, two, two + 6 * HOUR);
	assert_idle(b);
	due_after_gap(b->d);
	look(b, two + 6 * HOUR);
	assert_runs(b, two + 6 * HOUR + DUE_SETTLE_MS, DUE_SUCCEEDED, 1);
	due_after_gap(b->d);
	look(b, two + 7 * HOUR);
	assert_idle(b);
}

/* ------------------------------------------------------------- the clock */

static void
a_clock_set_back_fires_nothing_twice(void **state)
{
	struct bench *b = *state;

	know(b, two - HOUR);
	pass(b, two - HOUR, two);
	assert_runs(b, two, DUE_SUCCEEDED, 1);
	pass(b, two - HOUR, two + HOUR);
	assert_idle(b);
	/* So when a restart was in between. */
	restart(b, two - HOUR);
	pass(b, two - HOUR, two + HOUR);
	assert_idle(b);
	pass(b, two + HOUR, two + DAY);
	assert_runs(b, two + DAY, DUE_SUCCEEDED, 1);
}

static void
a_clock_set_forward_over_a_due_time_is_a_gap(void **state)
{
	struct bench *b = *state;

	know(b, two - HOUR);
	look(b, two + HOUR);
	assert_true(due_at(b->d, 0)->catch_up);
	assert_runs(b, two + HOUR + DUE_SETTLE_MS, DUE_SUCCEEDED, 1);
	/* Back again: not once more. */
	pass(b, two - HOUR, two + 2 * HOUR);
	assert_idle(b);
}

static void
a_clock_that_was_a_year_ahead_stops_nothing(void **state)
{
	struct bench *b = *state;

	b->s.group[0].retry_max = 1;
	b->s.group[0].retry_backoff_s = 1800;
	know(b, two - HOUR);
	look(b, two + 365 * DAY);
	assert_runs(b, two + 365 * DAY + DUE_SETTLE_MS, DUE_FAILED, 1);
	/* The retry does not wait for next year. */
	assert_in_range(due_look(b->d, two - HOUR), two - HOUR, two);
	assert_runs(b, two - MINUTE, DUE_SUCCEEDED, 1);
	look(b, two - MINUTE);
	come(b, two);
	assert_runs(b, two, DUE_SUCCEEDED, 1);
}

/* A computer without a clock begins each day in 1970. */
static void
a_clock_that_begins_in_1970_repeats_nothing(void **state)
{
	struct bench *b = *state;

	at_two(b);
	assert_runs(b, two, DUE_SUCCEEDED, 1);
	wake(b, 20000);
	look(b, 40000);
	look(b, two + HOUR);
	assert_idle(b);
	assert_int_equal(due_look(b->d, two + HOUR + MINUTE), two + DAY);
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
	struct bench *b = *state;
	const struct due_run *r;
	size_t i;

	small_init(&b->s, "30 2 * * *");
	b->zone = "Europe/Berlin";
	for (i = 0; i < ARRAY_LEN(nights); i++) {
		know(b, at(nights[i].from));
		pass(b, at(nights[i].from), at(nights[i].until));
		r = due_at(b->d, 0);
		assert_non_null(r);
		assert_int_equal(r->covers[0].due_ms, at(nights[i].due));
		assert_false(r->catch_up);
		assert_null(due_at(b->d, 1));
	}
}

static void
a_damaged_state_is_refused(void **state)
{
	struct bench *b = *state;

	know(b, two);
	assert_rc(due_load(b->d, STR("\x12\xff no such record")), RC_CORRUPT);
	assert_idle(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_due_time_gives_one_run_when_it_has_come),
		ON_BENCH(groups_run_in_the_order_of_the_schedule),
		ON_BENCH(
		    runs_begin_within_the_jitter_always_at_the_same_second),
		ON_BENCH(seconds_of_every_are_counted_from_the_last_one),
		ON_BENCH(nothing_fires_for_a_time_before_it_was_made_known),
		ON_BENCH(another_expression_or_zone_does_not_fire_for_the_past),
		ON_BENCH(a_disabled_schedule_does_nothing_also_later),
		ON_BENCH(nobody_runs_what_the_plan_does_not_want_any_more),
		ON_BENCH(
		    an_expression_that_does_not_parse_leaves_the_rest_alone),
		ON_BENCH(what_was_slept_through_is_caught_up_once),
		ON_BENCH(each_schedule_is_measured_against_its_own_success),
		ON_BENCH(what_had_failed_is_caught_up_after_a_start_once),
		ON_BENCH(what_somebody_cancelled_is_not_caught_up),
		ON_BENCH(a_due_time_succeeds_when_all_its_groups_do),
		ON_BENCH(what_had_failed_is_caught_up_when_the_network_is_back),
		ON_BENCH(a_clock_set_back_fires_nothing_twice),
		ON_BENCH(a_clock_set_forward_over_a_due_time_is_a_gap),
		ON_BENCH(a_clock_that_was_a_year_ahead_stops_nothing),
		ON_BENCH(a_clock_that_begins_in_1970_repeats_nothing),
		ON_BENCH(daylight_saving_neither_skips_nor_doubles),
		ON_BENCH(a_damaged_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
