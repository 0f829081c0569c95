/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/cadence.h"

#include "tests/unit/unit.h"

#include "lib/base/cron.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static int64_t
gap(const char *expr)
{
	struct cron c;
	struct err e;

	assert_rc(cron_parse(str_of(expr), "Europe/Berlin", &c, &e), RC_OK);
	return cadence_gap_ms(&c, INT64_C(1790000000000)); /* 21 Sep 2026 */
}

static void
the_shortest_time_between_two_firings_is_found(void **state)
{
	(void)state;
	assert_int_equal(gap("* * * * *"), MINUTE);
	assert_int_equal(gap("0 * * * *"), HOUR);
	assert_int_equal(gap("0 */6 * * *"), 6 * HOUR);
	assert_int_equal(gap("30 9-17/2 * * 1-5"), 2 * HOUR);
	assert_int_equal(gap("0 23,0 * * *"), HOUR);
	assert_int_equal(gap("@every 90m"), 90 * MINUTE);
	assert_int_equal(gap("0 12 * * 1,2"), DAY);
	assert_int_equal(gap("0 3 29 2 *"), 1461 * DAY);
	assert_int_equal(gap("0 3 30 2 *"), 0);
}

static void
each_schedule_has_its_class(void **state)
{
	(void)state;
	assert_int_equal(cadence_of(gap("*/5 * * * *")), CADENCE_HOURLY);
	assert_int_equal(cadence_of(gap("0 * * * *")), CADENCE_HOURLY);
	assert_int_equal(cadence_of(gap("0 */6 * * *")), CADENCE_DAILY);
	assert_int_equal(cadence_of(gap("30 2 * * *")), CADENCE_DAILY);
	assert_int_equal(cadence_of(gap("0 3 * * 0")), CADENCE_WEEKLY);
	assert_int_equal(cadence_of(gap("0 3 1,15 * *")), CADENCE_MONTHLY);
	assert_int_equal(cadence_of(gap("0 3 1 * *")), CADENCE_MONTHLY);
	assert_int_equal(cadence_of(gap("0 3 1 1,7 *")), CADENCE_YEARLY);
	assert_int_equal(cadence_of(gap("@yearly")), CADENCE_YEARLY);
	assert_int_equal(cadence_of(gap("0 3 29 2 *")), CADENCE_NONE);
	assert_int_equal(cadence_of(0), CADENCE_NONE);
}

/* M-166 */
static void
what_is_kept_finer_than_it_is_made_is_a_conflict(void **state)
{
	const uint32_t all[] = { 24, 7, 4, 12, 3 }, none[] = { 0, 0, 0, 0, 0 };
	const uint32_t daily[] = { 0, 14, 4, 0, 0 };

	(void)state;
	assert_int_equal(cadence_conflict(all, HOUR), CADENCE_NONE);
	assert_int_equal(cadence_conflict(all, DAY), CADENCE_HOURLY);
	assert_int_equal(cadence_conflict(all, 6 * HOUR), CADENCE_HOURLY);
	assert_int_equal(cadence_conflict(daily, DAY), CADENCE_NONE);
	assert_int_equal(cadence_conflict(daily, 7 * DAY), CADENCE_DAILY);
	assert_int_equal(cadence_conflict(daily, 30 * DAY), CADENCE_DAILY);
	assert_int_equal(cadence_conflict(none, 30 * DAY), CADENCE_NONE);
	assert_int_equal(cadence_conflict(all, 0), CADENCE_NONE);
	assert_int_equal(cadence_conflict(all, 1461 * DAY), CADENCE_HOURLY);
	assert_string_equal(cadence_name(CADENCE_HOURLY), "hourly");
}

static void
it_is_told_in_words(void **state)
{
	static const struct {
		int64_t gap;
		const char *words;
	} rows[] = { { HOUR, "once an hour" }, { DAY, "once a day" },
		{ DAY - HOUR, "every 23 hours" }, { 7 * DAY, "once a week" },
		{ 28 * DAY, "once a month" }, { 365 * DAY, "once a year" },
		{ 6 * HOUR, "every 6 hours" },
		{ 90 * MINUTE, "every 90 minutes" },
		{ MINUTE, "every 1 minutes" }, { 2 * DAY, "every 2 days" },
		{ 1461 * DAY, "every 1461 days" }, { 500, "" }, { 0, "" } };
	char text[CADENCE_TEXT_CAP];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cadence_text(rows[i].gap, text);
		assert_string_equal(text, rows[i].words);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_shortest_time_between_two_firings_is_found),
		cmocka_unit_test(each_schedule_has_its_class),
		cmocka_unit_test(
		    what_is_kept_finer_than_it_is_made_is_a_conflict),
		cmocka_unit_test(it_is_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
