/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <time.h>

#include "lib/base/clock.h"

#define LAST_MS INT64_C(253402300799999)

static void
the_fake_stands_still_and_goes_away(void **state)
{
	struct timespec ts;
	int64_t now, mono;

	(void)state;
	clock_fake(12345, 678);
	assert_int_equal(clock_now_ms(), 12345);
	assert_int_equal(clock_mono_ms(), 678);
	clock_fake(0, 0);
	assert_int_equal(clock_now_ms(), 0);
	clock_fake(-1, 0);
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &ts), 0);
	now = clock_now_ms();
	assert_true(now >= ts.tv_sec * 1000);
	assert_true(now < (ts.tv_sec + 60) * 1000);
	mono = clock_mono_ms();
	assert_true(mono > 0 && clock_mono_ms() >= mono);
}

static const struct {
	const char *text;
	int64_t ms;
} text_rows[] = {
	{ "1970-01-01T00:00:00.000Z", 0 },
	{ "1970-01-01T00:00:00.001Z", 1 },
	{ "1970-12-31T23:59:59.999Z", INT64_C(31535999999) },
	{ "1999-12-31T23:59:59.999Z", INT64_C(946684799999) },
	{ "2000-02-29T12:00:00.000Z", INT64_C(951825600000) },
	{ "2000-03-01T00:00:00.000Z", INT64_C(951868800000) },
	{ "2026-11-20T20:43:11.123Z", INT64_C(1795207391123) },
	{ "2038-01-19T03:14:08.000Z", INT64_C(2147483648000) },
	{ "2100-02-28T23:59:59.999Z", INT64_C(4107542399999) },
	{ "2100-03-01T00:00:00.000Z", INT64_C(4107542400000) },
	{ "9999-12-31T23:59:59.999Z", LAST_MS },
};

static void
known_times_go_both_ways(void **state)
{
	char text[CLOCK_TEXT_CAP];
	int64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(text_rows); i++) {
		clock_text(text_rows[i].ms, text);
		assert_string_equal(text, text_rows[i].text);
		assert_true(clock_parse(str_of(text), &ms));
		assert_int_equal(ms, text_rows[i].ms);
	}
	clock_text(-1, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_text(INT64_MIN, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_text(LAST_MS + 1, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	clock_text(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static const struct {
	const char *text;
	int64_t ms;
} parse_rows[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "1970-01-01t00:00:00z", 0 },
	{ "1970-01-01T00:00:00.5Z", 500 },
	{ "1970-01-01T00:00:00.05Z", 50 },
	{ "1970-01-01T00:00:00.999999999Z", 999 },
	{ "1970-01-01T00:00:00.000999999Z", 0 },
	{ "2026-11-20T21:43:11.123456789+01:00", INT64_C(1795207391123) },
	{ "2026-11-21T02:28:11.123+05:45", INT64_C(1795207391123) },
	{ "2026-11-20T15:13:11.123-05:30", INT64_C(1795207391123) },
	{ "2026-11-20T20:43:11.123-00:00", INT64_C(1795207391123) },
	{ "1970-01-02T00:00:00+23:59", 60000 },
	{ "1969-12-31T23:00:00-01:00", 0 },
	{ "9999-12-31T23:59:59.999+00:01", LAST_MS - 60000 },
	{ "2024-02-29T00:00:00Z", INT64_C(1709164800000) },
	/* A leap second reads as the midnight it precedes. */
	{ "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
	{ "2017-01-01T00:59:60+01:00", INT64_C(1483228800000) },
};

static void
offsets_and_fractions_are_understood(void **state)
{
	int64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(parse_rows); i++) {
		if (!clock_parse(str_of(parse_rows[i].text), &ms))
			fail_msg("refused %s", parse_rows[i].text);
		assert_int_equal(ms, parse_rows[i].ms);
	}
}

static void
anything_else_is_refused_and_leaves_the_result(void **state)
{
	static const char *const bad[] = {
		"",
		"2026",
		"2026-11-20",
		"2026-11-20T20:43:11",
		"2026-11-20T20:43Z",
		"2026-11-20 20:43:11Z",
		" 2026-11-20T20:43:11Z",
		"2026-11-20T20:43:11Z ",
		"2026-11-20T20:43:11Zx",
		"2026-11-20T20:43:11.Z",
		"2026-11-20T20:43:11.1234567890Z",
		"2026-11-20T20:43:11,5Z",
		"2026-11-20T20:43:11+0100",
		"2026-11-20T20:43:11+01",
		"2026-11-20T20:43:11+24:00",
		"2026-11-20T20:43:11+01:60",
		"2026-11-20T20:43:11+-1:00",
		"2026-00-20T20:43:11Z",
		"2026-13-20T20:43:11Z",
		"2026-11-00T20:43:11Z",
		"2026-11-31T20:43:11Z",
		"2026-02-29T20:43:11Z",
		"2100-02-29T20:43:11Z",
		"2026-11-20T24:00:00Z",
		"2026-11-20T20:60:11Z",
		"2026-11-20T20:43:61Z",
		"2026-11-20T20:43:60Z",
		"2026-11-20T23:59:60+01:00",
		"2016-12-31T23:59:60.5Z",
		"+026-11-20T20:43:11Z",
		"-026-11-20T20:43:11Z",
		"02026-11-20T20:43:11Z",
		"2026-1-20T20:43:11Z",
		"2026-11-20T2O:43:11Z",
		"0001-01-01T00:00:00Z",
		"1969-12-31T23:59:59.999Z",
		"1970-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"9999-12-31T23:59:60Z",
	};
	int64_t ms = 42;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (clock_parse(str_of(bad[i]), &ms))
			fail_msg("accepted \"%s\"", bad[i]);
	assert_false(clock_parse(STR("2026-11-20T20:43:11\0"), &ms));
	assert_false(clock_parse(STR("2026-11-20T20:43:11Z\0"), &ms));
	assert_false(clock_parse(str_of(NULL), &ms));
	assert_int_equal(ms, 42);
}

static void
every_prefix_of_a_time_is_refused(void **state)
{
	struct str whole = STR("2026-11-20T21:43:11.123456789+01:00");
	int64_t ms;
	size_t n;

	(void)state;
	for (n = 0; n < whole.n; n++)
		assert_false(clock_parse(str_sub(whole, 0, n), &ms));
}

static void
civil_dates_agree_with_the_system(void **state)
{
	struct civil c;
	struct tm tm;
	int64_t s;
	time_t t;

	(void)state;
	/* From 1600 to 9999 in steps that visit all hours and weekdays. */
	for (s = INT64_C(-11676096000); s < LAST_MS / 1000; s += 1000003) {
		t = (time_t)s;
		assert_non_null(gmtime_r(&t, &tm));
		clock_civil(s * 1000 + 7, 0, &c);
		assert_int_equal(c.year, tm.tm_year + 1900);
		assert_int_equal(c.month, tm.tm_mon + 1);
		assert_int_equal(c.day, tm.tm_mday);
		assert_int_equal(c.hour, tm.tm_hour);
		assert_int_equal(c.minute, tm.tm_min);
		assert_int_equal(c.second, tm.tm_sec);
		assert_int_equal(c.ms, 7);
		assert_int_equal(c.weekday, tm.tm_wday);
	}
}

static void
civil_dates_take_an_offset_and_any_value(void **state)
{
	struct civil c;

	(void)state;
	clock_civil(0, -1, &c);
	assert_int_equal(c.year, 1969);
	assert_int_equal(c.month, 12);
	assert_int_equal(c.day, 31);
	assert_int_equal(c.second, 59);
	assert_int_equal(c.ms, 0);
	assert_int_equal(c.weekday, 3);
	clock_civil(-1, 0, &c);
	assert_int_equal(c.ms, 999);
	clock_civil(0, 20700, &c);
	assert_int_equal(c.hour, 5);
	assert_int_equal(c.minute, 45);
	clock_civil(INT64_MAX, INT32_MAX, &c);
	assert_in_range(c.month, 1, 12);
	clock_civil(INT64_MIN, INT32_MIN, &c);
	assert_in_range(c.month, 1, 12);
	assert_in_range(c.weekday, 0, 6);
}

static void
every_day_of_four_centuries_has_one_text(void **state)
{
	char text[CLOCK_TEXT_CAP];
	int64_t day, ms;

	(void)state;
	for (day = 0; day < 146097; day++) {
		clock_text(day * 86400000, text);
		assert_true(clock_parse(str_of(text), &ms));
		assert_int_equal(ms, day * 86400000);
	}
}

static int64_t
at(const char *text)
{
	int64_t ms;

	assert_true(clock_parse(str_of(text), &ms));
	return ms;
}

static void
check_zone(const char *zone, const char *when, int expected)
{
	int32_t offset_s = 99;

	if (!clock_zone_offset(zone, at(when), &offset_s))
		fail_msg("no zone %s", zone);
	if (offset_s != expected)
		fail_msg("%s at %s: %d, not %d", zone, when, offset_s,
		    expected);
}

static void
zones_change_at_the_right_second(void **state)
{
	(void)state;
	check_zone("Europe/Berlin", "2026-03-29T00:59:59.999Z", 3600);
	check_zone("Europe/Berlin", "2026-03-29T01:00:00Z", 7200);
	check_zone("Europe/Berlin", "2026-10-25T00:59:59.999Z", 7200);
	check_zone("Europe/Berlin", "2026-10-25T01:00:00Z", 3600);
	check_zone("America/New_York", "2026-03-08T06:59:59Z", -18000);
	check_zone("America/New_York", "2026-03-08T07:00:00Z", -14400);
	check_zone("Asia/Kathmandu", "2026-01-01T00:00:00Z", 20700);
	check_zone("Australia/Lord_Howe", "2026-01-01T00:00:00Z", 39600);
	check_zone("Australia/Lord_Howe", "2026-07-01T00:00:00Z", 37800);
	check_zone("Europe/Moscow", "2012-01-01T00:00:00Z", 14400);
	check_zone("Etc/GMT+5", "2026-01-01T00:00:00Z", -18000);
	check_zone("UTC", "2026-01-01T00:00:00Z", 0);
	check_zone("Etc/UTC", "9999-01-01T00:00:00Z", 0);
}

static void
the_rule_goes_on_after_the_table_ends(void **state)
{
	(void)state;
	check_zone("Europe/Berlin", "2099-03-29T00:59:59Z", 3600);
	check_zone("Europe/Berlin", "2099-03-29T01:00:00Z", 7200);
	check_zone("Europe/Berlin", "2099-10-25T00:59:59Z", 7200);
	check_zone("Europe/Berlin", "2099-10-25T01:00:00Z", 3600);
	check_zone("Australia/Sydney", "2100-01-01T00:00:00Z", 39600);
	check_zone("Australia/Sydney", "2100-12-31T23:59:59Z", 39600);
	check_zone("Australia/Sydney", "2100-07-01T00:00:00Z", 36000);
	check_zone("Asia/Tokyo", "2500-07-01T00:00:00Z", 32400);
}

static void
unknown_zones_and_paths_are_refused(void **state)
{
	static const char *const bad[] = { "", "utc", "Nowhere/Town", "Europe",
		"Europe/", "/etc/passwd", "../zoneinfo/UTC",
		"Europe/../Europe/Berlin", "zone.tab", "Europe/Berlin\n",
		"right/Europe/Berlin", "tzdata", "leapseconds" };
	char endless[400];
	int32_t offset_s = 42;
	size_t i;

	(void)state;
	memset(endless, 'a', sizeof(endless));
	endless[sizeof(endless) - 1] = '\0';
	assert_false(clock_zone_offset(endless, 0, &offset_s));
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (clock_zone_offset(bad[i], 0, &offset_s))
			fail_msg("accepted \"%s\"", bad[i]);
	assert_false(clock_zone_offset(NULL, 0, &offset_s));
	assert_int_equal(offset_s, 42);
	/* Times before the table and beyond every rule have an answer. */
	assert_true(clock_zone_offset("Europe/Berlin", INT64_MIN, &offset_s));
	assert_true(clock_zone_offset("Europe/Berlin", INT64_MAX, &offset_s));
}

/* The whole system's zones, against the C library, which may read its TZ
 * here: the test has one thread. */
static const char *const zones[] = { "Africa/Cairo", "Africa/Casablanca",
	"America/Anchorage", "America/Argentina/Buenos_Aires",
	"America/Asuncion", "America/Caracas", "America/Godthab",
	"America/Havana", "America/Sao_Paulo", "America/Santiago",
	"America/St_Johns", "Antarctica/Troll", "Asia/Gaza", "Asia/Jerusalem",
	"Asia/Pyongyang", "Asia/Tehran", "Asia/Kolkata", "Atlantic/Azores",
	"Australia/Adelaide", "Europe/Dublin", "Europe/Istanbul",
	"Europe/Lisbon", "Europe/London", "Europe/Samara", "Pacific/Apia",
	"Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
	"Pacific/Norfolk", "CET", "EST5EDT", "MST" };

static void
zones_agree_with_the_system(void **state)
{
	const int64_t end = INT64_C(8000000000), step = 86400 * 3 + 3607;
	int32_t offset_s;
	struct tm tm;
	size_t i;
	time_t t;

	(void)state;
	for (i = 0; i < ARRAY_LEN(zones); i++) {
		assert_int_equal(setenv("TZ", zones[i], 1), 0);
		tzset();
		for (t = 0; t < end; t += step) {
			assert_non_null(localtime_r(&t, &tm));
			assert_true(clock_zone_offset(zones[i],
			    (int64_t)t * 1000, &offset_s));
			if (offset_s != tm.tm_gmtoff)
				fail_msg("%s at %lld: %d, not %ld", zones[i],
				    (long long)t, offset_s, tm.tm_gmtoff);
		}
	}
	unsetenv("TZ");
	tzset();
}

static void *
ask_zones(void *arg)
{
	int32_t offset_s;
	size_t round, i;

	for (round = 0; round < 200; round++)
		for (i = 0; i < ARRAY_LEN(zones); i++)
			if (!clock_zone_offset(zones[(i + round) %
			                             ARRAY_LEN(zones)],
			        (int64_t)round * 86400000, &offset_s))
				*(bool *)arg = true;
	return NULL;
}

static void
threads_may_ask_at_once(void **state)
{
	pthread_t threads[4];
	bool failed[4] = { false };
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_zones,
		                     &failed[i]),
		    0);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_false(failed[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fake_stands_still_and_goes_away),
		cmocka_unit_test(known_times_go_both_ways),
		cmocka_unit_test(offsets_and_fractions_are_understood),
		cmocka_unit_test(
		    anything_else_is_refused_and_leaves_the_result),
		cmocka_unit_test(every_prefix_of_a_time_is_refused),
		cmocka_unit_test(civil_dates_agree_with_the_system),
		cmocka_unit_test(civil_dates_take_an_offset_and_any_value),
		cmocka_unit_test(every_day_of_four_centuries_has_one_text),
		cmocka_unit_test(zones_change_at_the_right_second),
		cmocka_unit_test(the_rule_goes_on_after_the_table_ends),
		cmocka_unit_test(unknown_zones_and_paths_are_refused),
		cmocka_unit_test(zones_agree_with_the_system),
		cmocka_unit_test(threads_may_ask_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
