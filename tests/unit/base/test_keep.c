/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules one by one; tests/system/test_keep.py holds them against what
 * restic itself decides. */
#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/keep.h"
#include "lib/base/mem.h"

enum {
	ITEMS = 64
};

struct list {
	struct keep_item v[ITEMS];
	char ids[ITEMS][8];
	size_t n;
};

/* "2026-11-20T20:43:11+02:00" */
static void
add(struct list *l, const char *time, int32_t offset_s)
{
	struct keep_item *it = &l->v[l->n];

	assert_true(clock_parse(str_of(time), &it->time_ms));
	assert_true(str_fmt(l->ids[l->n], 8, "s%zu", l->n));
	it->utc_offset_s = offset_s;
	it->id = l->ids[l->n++];
}

/* The ids that stay, newest first. */
static const char *
kept(struct list *l, struct keep_policy p)
{
	static char text[512];
	size_t i, n, at = 0;

	n = keep_apply(&p, l->v, l->n);
	text[0] = '\0';
	for (i = 0; i < l->n; i++) {
		if (l->v[i].reasons == 0)
			continue;
		assert_true(str_fmt(text + at, sizeof(text) - at, "%s%s",
		    at > 0 ? " " : "", l->v[i].id));
		at = strlen(text);
		n--;
	}
	assert_int_equal(n, 0);
	return text;
}

#define LAST(k) ((struct keep_policy){ { [KEEP_LAST] = (k) } })
#define HOURLY(k) ((struct keep_policy){ { [KEEP_HOURLY] = (k) } })
#define DAILY(k) ((struct keep_policy){ { [KEEP_DAILY] = (k) } })
#define WEEKLY(k) ((struct keep_policy){ { [KEEP_WEEKLY] = (k) } })
#define MONTHLY(k) ((struct keep_policy){ { [KEEP_MONTHLY] = (k) } })
#define YEARLY(k) ((struct keep_policy){ { [KEEP_YEARLY] = (k) } })

static void
each_rule_keeps_the_newest_of_its_buckets(void **state)
{
	struct list l = { 0 };

	(void)state;
	add(&l, "2025-12-31T23:30:00Z", 0); /* s0 */
	add(&l, "2026-01-01T00:10:00Z", 0); /* s1: same ISO week as s0 */
	add(&l, "2026-01-01T00:50:00Z", 0); /* s2 */
	add(&l, "2026-01-01T01:00:00Z", 0); /* s3 */
	add(&l, "2026-01-05T01:00:00Z", 0); /* s4: Monday of the next one */
	add(&l, "2026-02-01T01:00:00Z", 0); /* s5 */
	assert_string_equal(kept(&l, LAST(2)), "s5 s4");
	assert_string_equal(kept(&l, LAST(99)), "s5 s4 s3 s2 s1 s0");
	assert_string_equal(kept(&l, HOURLY(4)), "s5 s4 s3 s2");
	assert_string_equal(kept(&l, DAILY(3)), "s5 s4 s3");
	assert_string_equal(kept(&l, WEEKLY(2)), "s5 s4");
	assert_string_equal(kept(&l, WEEKLY(3)), "s5 s4 s3");
	assert_string_equal(kept(&l, MONTHLY(2)), "s5 s4");
	assert_string_equal(kept(&l, YEARLY(1)), "s5");
	assert_string_equal(kept(&l, YEARLY(2)), "s5 s0");
}

static void
a_rule_with_counts_left_keeps_the_oldest(void **state)
{
	struct list l = { 0 };

	(void)state;
	add(&l, "2026-01-01T01:00:00Z", 0);
	add(&l, "2026-01-02T01:00:00Z", 0);
	add(&l, "2026-01-02T02:00:00Z", 0);
	assert_string_equal(kept(&l, YEARLY(5)), "s2 s0");
	assert_int_equal(l.v[2].oldest, 1U << KEEP_YEARLY);
	assert_int_equal(l.v[0].oldest, 0);
	assert_string_equal(kept(&l, YEARLY(1)), "s2");
	assert_string_equal(kept(&l, DAILY(2)), "s2 s0");
	assert_int_equal(l.v[2].oldest, 0);
}

static void
rules_look_at_the_same_snapshots_together(void **state)
{
	struct keep_policy p = { { [KEEP_LAST] = 1, [KEEP_DAILY] = 2 } };
	struct list l = { 0 };

	(void)state;
	add(&l, "2026-01-01T01:00:00Z", 0);
	add(&l, "2026-01-02T01:00:00Z", 0);
	add(&l, "2026-01-03T01:00:00Z", 0);
	assert_string_equal(kept(&l, p), "s2 s1");
	assert_int_equal(l.v[0].reasons, 1U << KEEP_LAST | 1U << KEEP_DAILY);
	assert_int_equal(l.v[1].reasons, 1U << KEEP_DAILY);
}

/* 23:30 in New York is the next day in UTC. */
static void
days_are_those_of_the_clock_that_made_it(void **state)
{
	struct list l = { 0 };

	(void)state;
	add(&l, "2026-01-01T12:00:00-05:00", -18000);
	add(&l, "2026-01-01T23:30:00-05:00", -18000);
	add(&l, "2026-01-02T00:30:00-05:00", -18000);
	assert_string_equal(kept(&l, DAILY(2)), "s2 s1");
	l.v[0].utc_offset_s = l.v[1].utc_offset_s = l.v[2].utc_offset_s = 0;
	assert_string_equal(kept(&l, DAILY(1)), "s2");
	assert_string_equal(kept(&l, DAILY(2)), "s2 s0");
}

/* 1970 to 2100: a week of a Monday is that of the six days behind it, and
 * not that of the day before. */
static void
weeks_are_those_of_iso_8601(void **state)
{
	struct keep_item two[2] = { { .id = "a" }, { .id = "b" } };
	struct keep_policy p = WEEKLY(1);
	struct keep_policy both = WEEKLY(2);
	int64_t day = INT64_C(86400000), monday;

	(void)state;
	for (monday = 4 * day; monday < INT64_C(4102444800000);
	     monday += 7 * day) {
		two[0].time_ms = monday + 6 * day + day - 1;
		two[1].time_ms = monday;
		two[0].id = "a";
		two[1].id = "b";
		assert_int_equal(keep_apply(&p, two, 2), 1);
		two[0].time_ms = monday;
		two[1].time_ms = monday - 1;
		assert_int_equal(keep_apply(&both, two, 2), 2);
		assert_int_equal(two[1].oldest, 0);
	}
}

static void
nothing_empties_a_group(void **state)
{
	struct keep_policy none = { { 0 } };
	struct list l = { 0 };
	size_t i;

	(void)state;
	assert_true(keep_is_empty(&none));
	assert_int_equal(keep_apply(&none, NULL, 0), 0);
	add(&l, "2026-01-01T01:00:00Z", 0);
	add(&l, "2026-01-02T01:00:00Z", 0);
	assert_string_equal(kept(&l, none), "s1 s0");
	assert_int_equal(l.v[0].reasons, KEEP_NO_POLICY);
	for (i = 0; i < KEEP_RULE_COUNT; i++) {
		struct keep_policy one = { { 0 } };

		one.n[i] = 1;
		assert_false(keep_is_empty(&one));
		assert_string_equal(kept(&l, one), "s1");
		assert_true(strlen(keep_rule_name((enum keep_rule)i)) >= 4);
	}
}

static void
equal_times_are_ordered_by_id(void **state)
{
	struct keep_item v[3] = { { .time_ms = 5, .id = "c" },
		{ .time_ms = 5, .id = "a" }, { .time_ms = 5, .id = "b" } };
	struct keep_policy p = LAST(1);

	(void)state;
	assert_int_equal(keep_apply(&p, v, 3), 1);
	assert_string_equal(v[0].id, "a");
	assert_true(v[0].reasons != 0);
	assert_string_equal(v[2].id, "c");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_keeps_the_newest_of_its_buckets),
		cmocka_unit_test(a_rule_with_counts_left_keeps_the_oldest),
		cmocka_unit_test(rules_look_at_the_same_snapshots_together),
		cmocka_unit_test(days_are_those_of_the_clock_that_made_it),
		cmocka_unit_test(weeks_are_those_of_iso_8601),
		cmocka_unit_test(nothing_empties_a_group),
		cmocka_unit_test(equal_times_are_ordered_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
