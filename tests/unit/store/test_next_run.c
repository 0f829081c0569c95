/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/next_run.h"

#include <string.h>

#include "lib/base/spread.h"
#include "lib/store/schedule_store.h"
#include "tests/unit/store/store_fixture.h"

/* Thursday 19 November 2026, 14:18 UTC. */
#define NOW INT64_C(1795097880000)
#define HOUR INT64_C(3600000)

static struct Rec__Schedule
schedule(struct ulid *id, struct ulid *host, const char *cron)
{
	struct Rec__Schedule s = REC__SCHEDULE__INIT;

	s.id = id_bytes(id);
	s.host_id = id_bytes(host);
	s.cron = text(cron);
	s.enabled = true;
	return s;
}

static void
a_run_begins_after_its_spread(void **state)
{
	struct ulid id = id_n(5, 1), host = id_n(1, 1);
	struct Rec__Schedule s = schedule(&id, &host, "0 15 * * *");
	struct next_run_rule r;
	struct next_run n;
	int64_t spread;

	(void)state;
	s.jitter_s = 3600;
	spread = spread_ms(&host, &id, 3600);
	assert_true(spread > 0);
	assert_true(next_run_rule(&s, "UTC", &r));
	assert_true(next_run(&r, NOW, &n));
	assert_int_equal(n.due_ms, NOW + 42 * 60000);
	assert_int_equal(n.at_ms, n.due_ms + spread);
	/* Due already, and not begun yet. */
	assert_true(next_run(&r, n.at_ms - 1, &n));
	assert_int_equal(n.due_ms, NOW + 42 * 60000);
	assert_true(next_run(&r, n.at_ms, &n));
	assert_int_equal(n.due_ms, NOW + 42 * 60000 + 24 * HOUR);
}

/* The agent begins it with the next due time. */
static void
what_was_due_before_it_was_made_is_not_run(void **state)
{
	struct ulid id = id_n(5, 1), host = id_n(1, 1);
	struct Rec__Schedule s = schedule(&id, &host, "0 15 * * *");
	const int64_t due = NOW + 42 * 60000;
	struct next_run_rule r;
	struct next_run n;

	(void)state;
	s.jitter_s = 3600;
	s.created_at_ms = s.updated_at_ms = due + 1000;
	assert_true(spread_ms(&host, &id, 3600) > 1000);
	assert_true(next_run_rule(&s, "UTC", &r));
	assert_true(next_run(&r, due + 1000, &n));
	assert_int_equal(n.due_ms, due + 24 * HOUR);
	/* Made long ago, and given other source groups just now. */
	s.created_at_ms = s.since_ms = due - 99 * HOUR;
	assert_true(next_run_rule(&s, "UTC", &r));
	assert_true(next_run(&r, due + 1000, &n));
	assert_int_equal(n.due_ms, due);
	/* Resumed just now. */
	s.since_ms = due + 1000;
	assert_true(next_run_rule(&s, "UTC", &r));
	assert_true(next_run(&r, due + 1000, &n));
	assert_int_equal(n.due_ms, due + 24 * HOUR);
}

static void
the_zone_is_the_schedules_then_the_hosts(void **state)
{
	struct ulid id = id_n(5, 1), host = id_n(1, 1);
	struct Rec__Schedule s = schedule(&id, &host, "0 3 * * *");
	struct Rec__Host h = REC__HOST__INIT;

	(void)state;
	assert_string_equal(next_run_zone(&s, &h, "Etc/UTC"), "Etc/UTC");
	h.zone = text("Europe/Berlin");
	assert_string_equal(next_run_zone(&s, &h, "UTC"), "Europe/Berlin");
	s.zone = text("Asia/Tokyo");
	assert_string_equal(next_run_zone(&s, &h, "UTC"), "Asia/Tokyo");
}

static void
every_stays_in_step_with_the_last_one(void **state)
{
	struct ulid id = id_n(5, 1), host = id_n(1, 1);
	struct Rec__Schedule s = schedule(&id, &host, "@every 90m");
	struct next_run_rule r;
	struct next_run n;

	(void)state;
	s.last_due_ms = NOW - 4 * HOUR;
	assert_true(next_run_rule(&s, "UTC", &r));
	assert_true(next_run(&r, NOW, &n));
	assert_int_equal(n.due_ms, NOW + HOUR / 2);
	assert_int_equal(next_run_gap_ms(&r, NOW), 3 * HOUR / 2);
	s.updated_at_ms = NOW - HOUR;
	assert_true(next_run_rule(&s, "UTC", &r));
	assert_true(next_run(&r, NOW, &n));
	assert_int_equal(n.due_ms, NOW + HOUR / 2);
	s.last_due_ms = 0;
	s.updated_at_ms = NOW - HOUR / 4;
	assert_true(next_run_rule(&s, "UTC", &r));
	assert_true(next_run(&r, NOW, &n));
	assert_int_equal(n.due_ms, NOW + HOUR + HOUR / 4);
}

static void
nonsense_has_no_next_run(void **state)
{
	struct ulid id = id_n(5, 1), host = id_n(1, 1);
	struct Rec__Schedule s = schedule(&id, &host, "0 3 31 2 *");
	struct next_run_rule r;
	struct next_run n;

	(void)state;
	assert_true(next_run_rule(&s, "UTC", &r));
	assert_false(next_run(&r, NOW, &n));
	assert_int_equal(next_run_gap_ms(&r, NOW), 0);
	s.cron = text("every night");
	assert_false(next_run_rule(&s, "UTC", &r));
	s.cron = text("0 3 * * *");
	assert_false(next_run_rule(&s, "Atlantis/North", &r));
}

static void
the_longest_gap_counts_nights_and_weekends(void **state)
{
	static const struct {
		const char *cron;
		int64_t hours;
	} rows[] = { { "0 3 * * *", 24 }, { "0 */6 * * *", 6 },
		{ "0 9-17 * * *", 16 }, { "30 2 * * 1-5", 72 },
		{ "0 3 * * 0", 168 }, { "0 3 1 * *", 31 * 24 } };
	struct ulid id = id_n(5, 1), host = id_n(1, 1);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct Rec__Schedule s = schedule(&id, &host, rows[i].cron);
		struct next_run_rule r;

		assert_true(next_run_rule(&s, "UTC", &r));
		assert_int_equal(next_run_gap_ms(&r, NOW),
		    rows[i].hours * HOUR);
	}
}

static void
the_interval_is_that_of_the_most_frequent_enabled_schedule(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(5, 1), b = id_n(5, 2), host = id_n(1, 1);
	struct Rec__Schedule weekly = schedule(&a, &host, "@weekly");
	struct Rec__Schedule daily = schedule(&b, &host, "@daily");
	struct store_tx *tx = fixture_write(f);

	assert_int_equal(next_run_interval_s(tx, &host, NOW), 0);
	schedule_store_put(tx, &weekly);
	schedule_store_put(tx, &daily);
	assert_int_equal(next_run_interval_s(tx, &host, NOW), 24 * 3600);
	daily.enabled = false;
	schedule_store_put(tx, &daily);
	assert_int_equal(next_run_interval_s(tx, &host, NOW), 7 * 24 * 3600);
	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_begins_after_its_spread),
		cmocka_unit_test(what_was_due_before_it_was_made_is_not_run),
		cmocka_unit_test(the_zone_is_the_schedules_then_the_hosts),
		cmocka_unit_test(every_stays_in_step_with_the_last_one),
		cmocka_unit_test(nonsense_has_no_next_run),
		cmocka_unit_test(the_longest_gap_counts_nights_and_weekends),
		store_test(
		    the_interval_is_that_of_the_most_frequent_enabled_schedule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
