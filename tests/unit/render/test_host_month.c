/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which days count as missed, asleep or not scheduled. */
#include "tests/unit/render/view_help.h"

#include "lib/store/plan_store.h"
#include "render/host_month.h"
#include "render/host_view.h"

enum {
	TODAY = 20776 /* Thursday 19 November 2026 */
};
static const int64_t day_ms = INT64_C(86400000);

struct world {
	bool always_on;
	const char *cron;
	int changed_days_ago;
	const char *outcomes; /* of the last days, oldest first; '-': none */
};

static void
put_plan(struct store_tx *tx, const struct world *w)
{
	struct ulid host = id_n(1, 1), group = id_n(2, 1), id = id_n(5, 1);
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	ProtobufCBinaryData groups[] = { id_bytes(&group) };

	h.id = id_bytes(&host);
	h.name = text("web-01");
	h.always_on = w->always_on;
	h.enrolled_at_ms = now_ms - 100 * day_ms;
	host_store_put(tx, &h);
	g.id = id_bytes(&group);
	g.host_id = id_bytes(&host);
	g.name = text("home");
	plan_store_put(tx, &g);
	s.id = id_bytes(&id);
	s.host_id = id_bytes(&host);
	s.cron = text(w->cron);
	s.enabled = true;
	s.n_group_ids = 1;
	s.group_ids = groups;
	s.created_at_ms = now_ms - 100 * day_ms;
	s.updated_at_ms = now_ms - w->changed_days_ago * day_ms;
	schedule_store_put(tx, &s);
}

static void
put_outcomes(struct store_tx *tx, const char *codes)
{
	struct ulid host = id_n(1, 1), group = id_n(2, 1);
	uint32_t day = TODAY + 1 - (uint32_t)strlen(codes);

	for (; *codes != '\0'; codes++, day++) {
		struct Rec__DayOutcome o = REC__DAY_OUTCOME__INIT;

		o.state = *codes == 'f' ? REC__JOB_STATE__JOB_FAILED
		                        : REC__JOB_STATE__JOB_SUCCEEDED;
		if (*codes != '-')
			plan_store_put_day(tx, &host, day, &group, &o);
	}
}

static void
month_at(struct fixture *f, struct host_months *kept, int64_t at_ms,
    struct host_month *out)
{
	struct ulid host = id_n(1, 1);
	struct host_view hv;
	struct look l;

	look_begin(&l, f, at_ms);
	l.v.months = kept;
	host_view_init(&l.v, host_store_get(l.v.state, &host), &hv);
	host_view_load(&l.v, &hv);
	host_month_get(&l.v, &hv, out);
	look_end(&l);
}

static void
make_world(struct fixture *f, const struct world *w)
{
	struct store_tx *tx = fixture_write(f);
	struct err e;

	put_plan(tx, w);
	put_outcomes(tx, w->outcomes);
	assert_rc(store_commit(tx, &e), RC_OK);
}

static void
expect(void **state, const struct world *w, const char *last_days)
{
	struct host_month m;
	size_t n = strlen(last_days);

	make_world(*state, w);
	month_at(*state, NULL, now_ms, &m);
	if (memcmp(m.codes + CHART_DAYS - n, last_days, n) != 0)
		fail_msg("%.*s", (int)n, m.codes + CHART_DAYS - n);
}

static void
a_day_without_its_run_is_missed(void **state)
{
	expect(state, &(struct world){ true, "0 3 * * *", 5, "o-f-" }, "omfm");
}

static void
a_host_that_comes_and_goes_was_asleep(void **state)
{
	expect(state, &(struct world){ false, "0 3 * * *", 5, "o-f-" }, "ozfz");
}

static void
days_before_the_schedule_was_changed_are_not_judged(void **state)
{
	expect(state, &(struct world){ true, "0 3 * * *", 2, "----" }, "nnmm");
}

static void
it_is_told_since_when_missed_days_are_known(void **state)
{
	struct host_month m;

	make_world(*state, &(struct world){ true, "0 3 * * *", 2, "oooo" });
	month_at(*state, NULL, now_ms, &m);
	assert_int_equal(m.judged_ms, now_ms - 2 * day_ms);
	make_world(*state, &(struct world){ true, "0 3 * * *", 60, "oooo" });
	month_at(*state, NULL, now_ms, &m);
	assert_int_equal(m.judged_ms, 0);
}

static void
a_run_of_the_last_minutes_may_end_on_the_next_day(void **state)
{
	expect(state, &(struct world){ true, "50 23 * * *", 9, "o-oo" },
	    "onoo");
}

static void
days_on_which_nothing_is_due_are_not_scheduled(void **state)
{
	/* Monday to Thursday; it runs on Tuesdays. */
	expect(state, &(struct world){ true, "0 3 * * 2", 30, "-o--" }, "nonn");
}

static void
today_is_missed_only_when_there_was_time_enough(void **state)
{
	expect(state, &(struct world){ true, "0 12 * * *", 9, "oo-" }, "oon");
}

static void
what_is_kept_is_made_anew_once_a_time_in_it_has_passed(void **state)
{
	struct host_months *kept = host_months_new();
	struct host_month m;

	make_world(*state, &(struct world){ true, "0 12,20 * * *", 9, "oo-" });
	month_at(*state, kept, now_ms, &m);
	assert_int_equal(m.codes[CHART_DAYS - 1], 'n');
	assert_int_equal(m.next_ms, INT64_C(1795118400000)); /* 20:00 */
	assert_true(m.covered);
	month_at(*state, kept, now_ms + day_ms / 12, &m); /* 16:18 */
	assert_int_equal(m.codes[CHART_DAYS - 1], 'm');
	month_at(*state, kept, now_ms + day_ms / 4, &m); /* 20:18 */
	assert_int_equal(m.next_ms, INT64_C(1795118400000) + day_ms * 2 / 3);
	host_months_free(kept);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_day_without_its_run_is_missed),
		store_test(a_host_that_comes_and_goes_was_asleep),
		store_test(days_before_the_schedule_was_changed_are_not_judged),
		store_test(it_is_told_since_when_missed_days_are_known),
		store_test(a_run_of_the_last_minutes_may_end_on_the_next_day),
		store_test(days_on_which_nothing_is_due_are_not_scheduled),
		store_test(today_is_missed_only_when_there_was_time_enough),
		store_test(
		    what_is_kept_is_made_anew_once_a_time_in_it_has_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
