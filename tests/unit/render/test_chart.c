/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "render/chart.h"
#include "render/value.h"

/* 21 Oct 2026, a Wednesday. */
enum {
	FIRST_DAY = 20747
};

static const char *
member(const struct value *v, const char *key)
{
	const struct value *m = value_get(v, str_of(key));

	return m == NULL ? "" : m->text.p;
}

static const char *
path_of(const struct value *heat, const char *class)
{
	const struct value *p = value_get(heat, STR("paths"))->first;

	for (; p != NULL; p = p->next) {
		if (str_eqz(value_get(p, STR("class"))->text, class))
			return member(p, "d");
	}
	return "";
}

static void
one_path_per_kind_with_a_gap_before_mondays(void **state)
{
	struct arena a;
	struct value *heat;

	(void)state;
	arena_init(&a, KIB(64));
	heat = value_root(&a);
	chart_heat(heat, "ooooooooooooooooooofoooooooiof", FIRST_DAY);
	assert_string_equal(path_of(heat, "bad"),
	    "M200.2 1.2h5.6v17.6h-5.6zM303.2 1.2h5.6v17.6h-5.6z");
	assert_string_equal(path_of(heat, "warn"), "M283.2 11.2h5.6v5.6h-5.6z");
	assert_true(
	    strncmp(path_of(heat, "ok"),
	        "M1.2 3.2h5.6v13.6h-5.6zM11.2 3.2h5.6v13.6h-5.6z", 47) == 0);
	assert_string_equal(path_of(heat, "run"), "");
	assert_string_equal(member(heat, "width"), "310");
	assert_string_equal(member(heat, "label"),
	    "Last 30 days: 2 failed (9 Nov, 19 Nov), 1 incomplete (17 Nov), "
	    "27 ok");
	arena_fini(&a);
}

static void
hollow_and_tiny_kinds_and_an_empty_month(void **state)
{
	struct arena a;
	struct value *heat;

	(void)state;
	arena_init(&a, KIB(64));
	heat = value_root(&a);
	chart_heat(heat, "bnmzrooooooooooooooooooooooooo", FIRST_DAY);
	assert_string_equal(path_of(heat, "bad hollow"), "M21 3h6v14h-6z");
	assert_string_equal(path_of(heat, "idle hollow"), "M31 3h6v14h-6z");
	heat = value_root(&a);
	chart_heat(heat, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", FIRST_DAY);
	assert_string_equal(member(heat, "label"), "Last 30 days: no runs");
	arena_fini(&a);
}

static void
axis_and_days_name_mondays_and_today(void **state)
{
	static const char *want[] = { "26 Oct", "2 Nov", "9 Nov", "today" };
	const struct value *v;
	struct value *list;
	struct arena a;
	size_t i = 0, ticks = 0;

	(void)state;
	arena_init(&a, KIB(64));
	list = value_list(value_root(&a), "axis");
	chart_axis(list, FIRST_DAY);
	for (v = list->first; v != NULL; v = v->next)
		assert_string_equal(member(v, "text"), want[i++]);
	assert_int_equal(i, ARRAY_LEN(want));
	list = value_list(value_root(&a), "days");
	chart_days(list, "ooooooooooooooooooofoooooooiof", FIRST_DAY);
	assert_string_equal(member(list->first, "title"), "21 Oct: ok");
	assert_string_equal(member(list->last, "class"), "bad k-f");
	for (v = list->first, i = 0; v != NULL; v = v->next, i++)
		ticks += value_get(v, STR("tick")) != NULL;
	assert_int_equal(i, CHART_DAYS);
	assert_int_equal(ticks, 6);
	arena_fini(&a);
}

static void
five_mondays_need_more_room_than_four(void **state)
{
	(void)state;
	assert_int_equal(chart_width(FIRST_DAY), 310);
	/* 25 Oct 2026, a Sunday: the next day is the first of five. */
	assert_int_equal(chart_width(FIRST_DAY + 4), 313);
	/* 26 Oct, a Monday itself, which needs no gap before it. */
	assert_int_equal(chart_width(FIRST_DAY + 5), 310);
}

static void
the_worse_outcome_of_a_day_wins(void **state)
{
	(void)state;
	assert_int_equal(chart_worse('o', 'f'), 'f');
	assert_int_equal(chart_worse('f', 'i'), 'f');
	assert_int_equal(chart_worse('n', 'o'), 'o');
	assert_int_equal(chart_worse('b', 'n'), 'n');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_path_per_kind_with_a_gap_before_mondays),
		cmocka_unit_test(hollow_and_tiny_kinds_and_an_empty_month),
		cmocka_unit_test(axis_and_days_name_mondays_and_today),
		cmocka_unit_test(five_mondays_need_more_room_than_four),
		cmocka_unit_test(the_worse_outcome_of_a_day_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
