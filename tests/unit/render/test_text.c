/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/clock.h"
#include "render/text.h"

#define THIN "\xe2\x80\x89"

struct number {
	uint64_t in;
	const char *want;
};

static int
setup(void **state)
{
	struct arena *a = test_malloc(sizeof(*a));

	arena_init(a, KIB(64));
	*state = a;
	return 0;
}

static int
teardown(void **state)
{
	arena_fini(*state);
	test_free(*state);
	return 0;
}

static int64_t
at(const char *z)
{
	int64_t ms = 0;

	assert_true(clock_parse(str_of(z), &ms));
	return ms;
}

/* M-497 */
static void
sizes_have_three_significant_digits(void **state)
{
	static const struct number rows[] = {
		{ 0, "0 B" },
		{ 1, "1 B" },
		{ 999, "999 B" },
		{ 1000, "0.98 KiB" },
		{ 1023, "1.00 KiB" },
		{ 1024, "1.00 KiB" },
		{ 1234, "1.21 KiB" },
		{ 10235, "10.0 KiB" },
		{ 102348, "99.9 KiB" },
		{ 102399, "100 KiB" },
		{ 1023487, "999 KiB" },
		{ 1023999, "0.98 MiB" },
		{ 1048576, "1.00 MiB" },
		{ 442381631488, "412 GiB" },
		{ 10577310100000, "9.62 TiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(text_bytes(*state, rows[i].in),
		    rows[i].want);
	assert_string_equal(text_rate(*state, 90177536), "86.0 MiB/s");
}

static void
thousands_are_apart_by_a_thin_space(void **state)
{
	static const struct number rows[] = {
		{ 0, "0" },
		{ 999, "999" },
		{ 1000, "1" THIN "000" },
		{ 84310, "84" THIN "310" },
		{ 1002003, "1" THIN "002" THIN "003" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(text_count(*state, rows[i].in),
		    rows[i].want);
}

static void
durations_and_remaining_times(void **state)
{
	static const struct number left[] = { { 0, "0 s" }, { 59, "59 s" },
		{ 60, "1 min" }, { 3599, "59 min" }, { 3600, "1 h" },
		{ 7800, "2 h 10 min" }, { 172799, "47 h 59 min" },
		{ 172800, "2 d" } };
	static const struct number took[] = { { 0, "0s" }, { 999, "0s" },
		{ 12000, "12s" }, { 401000, "6m 41s" }, { 3600000, "1h 00m" },
		{ 3960000, "1h 06m" }, { 86399999, "23h 59m" },
		{ 183600000, "2d 3h" } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(left); i++)
		assert_string_equal(text_left(*state, left[i].in),
		    left[i].want);
	for (i = 0; i < ARRAY_LEN(took); i++)
		assert_string_equal(text_duration(*state, (int64_t)took[i].in),
		    took[i].want);
	assert_string_equal(text_duration(*state, -5), "0s");
}

static void
relative_times_in_both_directions(void **state)
{
	struct text_clock c = { "UTC", at("2026-11-19T14:18:00Z") };
	static const char *rows[][2] = {
		{ "2026-11-19T14:17:30Z", "just now" },
		{ "2026-11-19T14:17:00Z", "1 min ago" },
		{ "2026-11-19T13:18:01Z", "59 min ago" },
		{ "2026-11-19T13:18:00Z", "1 h ago" },
		{ "2026-11-18T12:04:00Z", "26 h ago" },
		{ "2026-11-17T14:18:01Z", "47 h ago" },
		{ "2026-11-17T14:18:00Z", "2 d ago" },
		{ "2026-11-19T14:18:02Z", "just now" },
		{ "2026-11-19T14:18:04Z", "in under 1 min" },
		{ "2026-11-19T14:18:59Z", "in under 1 min" },
		{ "2026-11-19T14:19:00Z", "in 1 min" },
		{ "2026-11-19T15:00:00Z", "in 42 min" },
		{ "2026-11-30T14:18:00Z", "in 11 d" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(text_relative(*state, &c, at(rows[i][0])),
		    rows[i][1]);
	assert_string_equal(text_relative(*state, &c, 0), "never");
}

static void
absolute_times_are_those_of_the_zone(void **state)
{
	struct text_clock utc = { "UTC", at("2026-11-19T14:18:00Z") };
	struct text_clock berlin = { "Europe/Berlin", utc.now_ms };
	int64_t t = at("2026-11-18T23:30:05Z");

	assert_string_equal(text_when(*state, &utc, t), "18 Nov 23:30");
	assert_string_equal(text_when(*state, &berlin, t), "19 Nov 00:30");
	assert_string_equal(text_when(*state, &utc, at("2025-03-03T00:00:00Z")),
	    "3 Mar 2025");
	assert_string_equal(text_exact(*state, &utc, t),
	    "18 Nov 2026 23:30:05");
	assert_string_equal(text_time(*state, &berlin, t), "00:30:05");
	assert_string_equal(text_minute(*state, &utc, t), "23:30");
	assert_string_equal(text_machine(*state, t),
	    "2026-11-18T23:30:05.000Z");
	assert_int_equal(text_day(&berlin, t) - text_day(&utc, t), 1);
	assert_string_equal(text_day_name(*state, text_day(&utc, t)), "18 Nov");
	assert_int_equal(text_weekday(text_day(&utc, t)), 3);
	assert_int_equal(text_day(&utc, -1), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_three_significant_digits),
		cmocka_unit_test(thousands_are_apart_by_a_thin_space),
		cmocka_unit_test(durations_and_remaining_times),
		cmocka_unit_test(relative_times_in_both_directions),
		cmocka_unit_test(absolute_times_are_those_of_the_zone),
	};
	struct CMUnitTest wrapped[ARRAY_LEN(tests)];
	size_t i;

	for (i = 0; i < ARRAY_LEN(tests); i++) {
		wrapped[i] = tests[i];
		wrapped[i].setup_func = setup;
		wrapped[i].teardown_func = teardown;
	}
	return cmocka_run_group_tests(wrapped, NULL, NULL);
}
