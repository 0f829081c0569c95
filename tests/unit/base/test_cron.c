/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/cron.h"
#include "lib/base/fsio.h"
#include "lib/base/json.h"
#include "lib/base/tzif.h"

#define CASES "tests/data/cron/cases.json"

static struct json *
load(void)
{
	struct json *doc = NULL;
	struct err e = { 0 };
	struct buf b;

	buf_init(&b, MIB(1));
	if (fsio_read(CASES, &b, &e) != RC_OK ||
	    json_parse(buf_str(&b), &doc, &e) != RC_OK)
		fail_msg("%s", e.msg);
	buf_fini(&b);
	return doc;
}

static int64_t
time_of(struct str s)
{
	int64_t ms = 0;

	assert_true(clock_parse(s, &ms));
	return ms;
}

static void
check_times(const struct json *c, const struct cron *cron)
{
	const struct json *want = json_get(c, "once");
	struct str id = json_text(c, "id");
	int64_t at = time_of(json_text(c, "from")), next;
	size_t i;

	if (want == NULL)
		want = json_get(c, "next");
	if (!json_is_array(want)) {
		if (cron_next(cron, at, &next))
			fail_msg("%.*s: fires", STR_ARG(id));
		return;
	}
	for (i = 0; i < json_len(want); i++) {
		struct str t = json_self_text(json_at(want, i));

		if (!cron_next(cron, at, &next) || next != time_of(t))
			fail_msg("%.*s: time %zu is not %.*s", STR_ARG(id), i,
			    STR_ARG(t));
		at = next;
	}
}

/* M-173: every case, under the policy "once". */
static void
means_what_the_table_of_cases_says(void **state)
{
	struct json *doc = load();
	const struct json *all = json_get(doc, "cases"), *c;
	char zone[CRON_ZONE_CAP];
	struct cron cron;
	struct err e = { 0 };
	bool refuse;
	size_t i;

	(void)state;
	assert_int_equal(json_len(all), 243);
	for (i = 0; i < json_len(all); i++) {
		c = json_at(all, i);
		refuse = json_get(c, "next") == NULL;
		assert_true(str_copy(zone, sizeof(zone), json_text(c, "tz")));
		if ((cron_parse(json_text(c, "expr"), zone, &cron, &e) !=
		        RC_OK) != refuse)
			fail_msg("%.*s: %s", STR_ARG(json_text(c, "id")),
			    refuse ? "accepted" : e.msg);
		if (!refuse)
			check_times(c, &cron);
		else
			assert_true(strlen(e.msg) > 20);
	}
	json_free(doc);
}

static void
limits_are_told(void **state)
{
	char longer[CRON_EXPR_MAX + 2];
	int64_t next;
	struct cron c;
	struct err e = { 0 };

	(void)state;
	memset(longer, ' ', sizeof(longer));
	assert_rc(cron_parse(str_from(longer, sizeof(longer)), "UTC", &c, &e),
	    RC_INVALID);
	assert_rc(cron_parse(STR("* * * * *"), "../etc/passwd", &c, &e),
	    RC_INVALID);
	assert_rc(cron_parse(STR("@every 9000h"), "UTC", &c, &e), RC_INVALID);
	assert_rc(cron_parse(STR("@every 99999999999999999999h"), "UTC", &c,
	              &e),
	    RC_INVALID);
	assert_rc(cron_parse(STR("@every .s"), "UTC", &c, &e), RC_INVALID);
	assert_rc(cron_parse(STR("*/1000001 * * * *"), "UTC", &c, &e),
	    RC_INVALID);
	assert_rc(cron_parse(STR("61 * * * *"), "UTC", &c, &e), RC_INVALID);
	assert_non_null(strstr(e.msg, "\"61\" is no minute; it takes 0 to 59"));
	assert_rc(cron_parse(STR("5 * * * *"), "America/New_York", &c, &e),
	    RC_OK);
	assert_false(cron_next(&c, 0, &next));
	assert_false(cron_next(&c, -1, &next));
	assert_rc(cron_parse(STR(" \t 5  4 *\t* * "), "UTC", &c, &e), RC_OK);
}

/* Each zone's spans cover all time, and say what the offset says. */
static void
spans_join_and_agree_with_offsets(void **state)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin",
		"America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
		"America/Sao_Paulo", "Africa/Casablanca", "Pacific/Apia" };
	struct tzif_span s;
	int64_t at, end = INT64_C(4102444800); /* 2100 */
	int32_t offset, before;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(zones); i++) {
		for (at = 0; at < end; at = s.until_s) {
			assert_true(clock_zone_span(zones[i], at, &s));
			assert_true(s.from_s <= at && s.until_s > at);
			assert_true(
			    clock_zone_offset(zones[i], at * 1000, &offset));
			assert_int_equal(s.offset_s, offset);
			if (at == 0)
				continue;
			assert_int_equal(s.from_s, at);
			assert_true(clock_zone_offset(zones[i], at * 1000 - 1,
			    &before));
			assert_int_equal(s.before_s, before);
			if (s.until_s < end) {
				assert_true(clock_zone_offset(zones[i],
				    s.until_s * 1000, &offset));
				assert_int_equal(s.after_s, offset);
			}
		}
	}
}

/* A fixed time comes at least once in 25 hours and never twice in 22. */
static void
a_daily_run_comes_once_a_day_whatever_the_clock_does(void **state)
{
	static const char *const zones[] = { "Europe/Berlin",
		"America/New_York", "America/Havana", "Australia/Lord_Howe" };
	int64_t at, next, end = INT64_C(4102444800000);
	struct cron c;
	struct err e;
	size_t i;
	char expr[32];
	int hour;

	(void)state;
	for (i = 0; i < ARRAY_LEN(zones); i++)
		for (hour = 0; hour < 4; hour++) {
			assert_true(
			    str_fmt(expr, sizeof(expr), "30 %d * * *", hour));
			assert_rc(cron_parse(str_of(expr), zones[i], &c, &e),
			    RC_OK);
			at = INT64_C(1704067200000); /* 2024 */
			assert_true(cron_next(&c, at, &at));
			for (; at < end; at = next) {
				assert_true(cron_next(&c, at, &next));
				assert_in_range((next - at) / 60000, 22 * 60,
				    26 * 60);
			}
		}
}

/* Found backwards it is what is found by walking forwards. */
static void
the_last_time_is_the_one_before_the_next(void **state)
{
	static const char *const exprs[] = { "*/7 * * * *", "30 2 * * *",
		"0 4 * * 0", "@monthly", "15 3 29 2 *", "@every 45m" };
	const int64_t from = INT64_C(1704067200000); /* 2024 */
	int64_t last, until, at, want;
	struct cron c;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(exprs); i++) {
		assert_rc(cron_parse(str_of(exprs[i]), "Europe/Berlin", &c, &e),
		    RC_OK);
		want = 0;
		at = from;
		for (until = from; until < from + INT64_C(8640000000);
		     until += 7654321) {
			while (at <= until) {
				want = at == from ? 0 : at;
				assert_true(cron_next(&c, at, &at));
			}
			assert_int_equal(cron_last(&c, from, until, &last),
			    want != 0);
			if (want != 0)
				assert_int_equal(last, want);
			/* The first bound is not part of it. */
			if (want != 0 && c.every_s == 0)
				assert_false(cron_last(&c, want, until, &last));
		}
		assert_false(cron_last(&c, until, until, &last));
		assert_false(cron_last(&c, until, from, &last));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means_what_the_table_of_cases_says),
		cmocka_unit_test(limits_are_told),
		cmocka_unit_test(spans_join_and_agree_with_offsets),
		cmocka_unit_test(
		    a_daily_run_comes_once_a_day_whatever_the_clock_does),
		cmocka_unit_test(the_last_time_is_the_one_before_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
