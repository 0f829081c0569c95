/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/upkeep_rules.h"
#include "lib/base/clock.h"
#include "lib/base/cron.h"
#include "lib/base/crypt.h"
#include "lib/base/ulid.h"

static const int64_t minute_ms = 60000;
static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 86400000;

static int64_t
at(const char *when)
{
	int64_t ms = 0;

	assert_true(clock_parse(str_of(when), &ms));
	return ms;
}

static struct cron
cadence(const char *expr, const char *zone)
{
	struct cron c;

	assert_rc(cron_parse(str_of(expr), zone, &c, NULL), RC_OK);
	return c;
}

/* --------------------------------------------------------------- cadences */

static void
a_cadence_is_moved_by_the_hosts_spread(void **state)
{
	struct cron daily = cadence(UPKEEP_FORGET_CRON, "UTC");
	int64_t spread = 40 * minute_ms;

	(void)state;
	assert_int_equal(upkeep_next(&daily, 0, at("2026-11-22T01:00:00Z")),
	    at("2026-11-22T03:00:00Z"));
	assert_int_equal(upkeep_next(&daily, spread,
	                     at("2026-11-22T01:00:00Z")),
	    at("2026-11-22T03:40:00Z"));
	/* Between the cadence and the host's turn it is still to come; once
	 * it has come, it is tomorrow's. */
	assert_int_equal(upkeep_next(&daily, spread,
	                     at("2026-11-22T03:20:00Z")),
	    at("2026-11-22T03:40:00Z"));
	assert_int_equal(upkeep_next(&daily, spread,
	                     at("2026-11-22T03:40:00Z")),
	    at("2026-11-23T03:40:00Z"));
}

static void
one_that_fires_often_keeps_its_pace(void **state)
{
	struct cron often = cadence("*/5 * * * *", "UTC");
	int64_t now = at("2026-11-22T01:00:00Z"), spread = 57 * minute_ms, next;
	unsigned n;

	(void)state;
	for (n = 0; n < 20; n++) {
		next = upkeep_next(&often, spread, now);
		assert_true(next > now && next - now <= 5 * minute_ms);
		now = next;
	}
}

static void
cadences_follow_their_zones_clock(void **state)
{
	struct cron c = cadence("30 2 * * *", "Europe/Berlin");

	(void)state;
	/* In the gap of spring it comes at its end, once. */
	assert_int_equal(upkeep_next(&c, hour_ms, at("2026-03-28T12:00:00Z")),
	    at("2026-03-29T01:00:00Z") + hour_ms);
	assert_int_equal(upkeep_next(&c, hour_ms,
	                     at("2026-03-29T01:00:00Z") + hour_ms),
	    at("2026-03-30T00:30:00Z") + hour_ms);
	/* What never comes is 0. */
	c = cadence("0 0 30 2 *", "UTC");
	assert_int_equal(upkeep_next(&c, 0, at("2026-03-28T12:00:00Z")), 0);
}

static void
spread_is_a_hosts_own_and_a_kinds(void **state)
{
	struct ulid a = { { 1 } }, b = { { 2 } };
	int64_t s = upkeep_spread(&a, REC__JOB_KIND__KIND_PRUNE);

	(void)state;
	assert_true(s >= 0 && s < UPKEEP_SPREAD_S * 1000);
	assert_int_equal(s, upkeep_spread(&a, REC__JOB_KIND__KIND_PRUNE));
	assert_int_not_equal(s, upkeep_spread(&a, REC__JOB_KIND__KIND_CHECK));
	assert_int_not_equal(s, upkeep_spread(&b, REC__JOB_KIND__KIND_PRUNE));
}

/* -------------------------------------------------------------- decisions */

static struct upkeep_facts
facts(Rec__JobKind kind)
{
	return (struct upkeep_facts){ .kind = kind,
		.owed_ms = 100 * day_ms + hour_ms,
		.spread_ms = hour_ms,
		.has_repo = true,
		.has_admin = true,
		.has_retention = true,
		.online = true };
}

static const char *
why(const struct upkeep_facts *f, enum upkeep_verdict want)
{
	const char *w = NULL;

	assert_int_equal(upkeep_decide(f, &w), want);
	return w;
}

/* M-214, M-215, W-16 */
static void
what_lacks_something_waits_and_says_for_what(void **state)
{
	struct upkeep_facts f = facts(REC__JOB_KIND__KIND_PRUNE);

	(void)state;
	assert_string_equal(why(&f, UPKEEP_RUN), "");
	f.online = false;
	assert_string_equal(why(&f, UPKEEP_WAIT), "offline");
	f.shared_job = true;
	assert_string_equal(why(&f, UPKEEP_WAIT), "repository_busy");
	f.open_job = true;
	assert_string_equal(why(&f, UPKEEP_WAIT), "job_running");
	f.has_admin = false;
	assert_string_equal(why(&f, UPKEEP_WAIT), "no_admin");
	f.has_repo = false;
	assert_string_equal(why(&f, UPKEEP_WAIT), "no_repository");
	f = facts(REC__JOB_KIND__KIND_CHECK);
	f.has_admin = f.has_retention = false;
	assert_string_equal(why(&f, UPKEEP_RUN), "");
	f = facts(REC__JOB_KIND__KIND_FORGET);
	f.has_retention = false;
	assert_string_equal(why(&f, UPKEEP_WAIT), "no_retention");
	f.has_retention = f.has_twin = true;
	assert_string_equal(why(&f, UPKEEP_WAIT), "shared_name");
	f.kind = REC__JOB_KIND__KIND_CHECK; /* it deletes nothing */
	assert_string_equal(why(&f, UPKEEP_RUN), "");
}

static void
what_succeeded_in_its_window_is_done(void **state)
{
	struct upkeep_facts f = facts(REC__JOB_KIND__KIND_PRUNE);

	(void)state;
	/* By hand, after the cadence and before the host's turn. */
	f.success_ms = 100 * day_ms;
	assert_string_equal(why(&f, UPKEEP_DONE), "");
	f.success_ms = 100 * day_ms - 1;
	assert_string_equal(why(&f, UPKEEP_RUN), "");
	/* By another host of the repository, also while this one is away. */
	f.online = false;
	f.repo_success_ms = f.owed_ms + 5 * day_ms;
	assert_string_equal(why(&f, UPKEEP_DONE), "");
}

/* ------------------------------------------------------------------ parts */

/* All the data is read over time, whatever the measure. */
static void
parts_take_turns_until_all_is_read(void **state)
{
	uint32_t pct, n, of, position, turns;
	bool seen[101];

	(void)state;
	upkeep_part(0, 3, &n, &of);
	assert_true(n == 0 && of == 0);
	for (pct = 1; pct <= 120; pct++) {
		memset(seen, 0, sizeof(seen));
		position = 77; /* of another measure */
		upkeep_part(pct, position, &n, &of);
		assert_true(of * (pct > 100 ? 100 : pct) >= 100);
		for (turns = 0; turns < of; turns++) {
			upkeep_part(pct, position, &n, &of);
			assert_true(n >= 1 && n <= of && !seen[n]);
			seen[n] = true;
			position = n;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cadence_is_moved_by_the_hosts_spread),
		cmocka_unit_test(one_that_fires_often_keeps_its_pace),
		cmocka_unit_test(cadences_follow_their_zones_clock),
		cmocka_unit_test(spread_is_a_hosts_own_and_a_kinds),
		cmocka_unit_test(what_lacks_something_waits_and_says_for_what),
		cmocka_unit_test(what_succeeded_in_its_window_is_done),
		cmocka_unit_test(parts_take_turns_until_all_is_read),
	};

	assert_int_equal(crypt_init(NULL), RC_OK);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
