/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/fleet_next.h"

#include "tests/unit/render/view_help.h"

static const int64_t hour_ms = 3600000, minute_ms = 60000;

/* As the controller does: with a new version of the configuration. */
static void
put(struct fixture *f, uint32_t n, const char *cron, bool enabled)
{
	static uint64_t version;
	struct store_tx *tx = fixture_write(f);
	const struct ulid host = id_n(1, n);
	struct Rec__Host *h;

	put_scheduled(tx, n, cron, enabled);
	h = host_store_get(tx, &host);
	assert_non_null(h);
	h->config_version = ++version;
	host_store_put(tx, h);
	fixture_commit(tx);
}

/* What the end of a job does to its schedule. */
static void
put_last_run(struct fixture *f, uint32_t n, int64_t due_ms)
{
	struct store_tx *tx = fixture_write(f);
	const struct ulid host = id_n(1, n), id = id_n(5, n);
	struct Rec__Schedule *s = schedule_store_get(tx, &host, &id);

	assert_non_null(s);
	s->last_due_ms = due_ms;
	schedule_store_put(tx, s);
	fixture_commit(tx);
}

static void
put_zone(struct fixture *f, uint32_t n, const char *zone)
{
	struct store_tx *tx = fixture_write(f);
	const struct ulid host = id_n(1, n);
	struct Rec__Host *h = host_store_get(tx, &host);

	assert_non_null(h);
	h->zone = text(zone);
	host_store_put(tx, h);
	fixture_commit(tx);
}

struct told {
	struct view *v;
	char text[256];
};

static void
on_run(void *ctx, const struct Rec__Host *h, int64_t at_ms)
{
	struct told *t = ctx;
	size_t used = strlen(t->text);

	assert_true(str_fmt(t->text + used, sizeof(t->text) - used, "%s@%s ",
	    h->name, text_minute(t->v->arena, &t->v->clock, at_ms)));
}

/* "host-001@18:00 host-002@15:00 " */
static void
expect(struct fixture *f, struct fleet_nexts *kept, int64_t at_ms,
    const char *want)
{
	struct told told = { .text = "" };
	struct look l;

	look_begin(&l, f, at_ms);
	l.v.nexts = kept;
	told.v = &l.v;
	fleet_next_each(&l.v, now_ms + 24 * hour_ms, on_run, &told);
	look_end(&l);
	assert_string_equal(told.text, want);
}

static void
each_host_has_its_next_run_of_the_time_asked(void **state)
{
	put(*state, 1, "0 18 * * *", true);
	put(*state, 2, "0 15 * * *", true);
	put(*state, 3, "0 16 * * *", false); /* paused */
	put(*state, 4, "0 3 * * *", true);
	put(*state, 5, "0 0 1 1 *", true); /* not within a day */
	put(*state, 6, "nonsense", true);
	expect(*state, NULL, now_ms,
	    "host-001@18:00 host-002@15:00 host-004@03:00 ");
}

static void
what_is_kept_follows_time_and_changes(void **state)
{
	struct fleet_nexts *kept = fleet_nexts_new();

	put(*state, 1, "0 18 * * *", true);
	put(*state, 2, "0 15,20 * * *", true);
	expect(*state, kept, now_ms, "host-001@18:00 host-002@15:00 ");
	expect(*state, kept, now_ms, "host-001@18:00 host-002@15:00 ");
	/* 15:18 */
	expect(*state, kept, now_ms + hour_ms,
	    "host-001@18:00 host-002@20:00 ");
	put(*state, 1, "0 18 * * *", false);
	put(*state, 2, "30 15 * * *", true);
	expect(*state, kept, now_ms + hour_ms + minute_ms, "host-002@15:30 ");
	fleet_nexts_free(kept);
}

static void
what_is_kept_follows_the_last_run_and_the_zone(void **state)
{
	struct fleet_nexts *kept = fleet_nexts_new();

	put(*state, 1, "@every 6h", true);
	put(*state, 2, "0 18 * * *", true);
	put_last_run(*state, 1, now_ms - 2 * hour_ms);
	expect(*state, kept, now_ms, "host-001@18:18 host-002@18:00 ");
	put_last_run(*state, 1, now_ms - hour_ms);
	expect(*state, kept, now_ms, "host-001@19:18 host-002@18:00 ");
	put_zone(*state, 2, "Etc/GMT-2");
	expect(*state, kept, now_ms, "host-001@19:18 host-002@16:00 ");
	fleet_nexts_free(kept);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(each_host_has_its_next_run_of_the_time_asked),
		store_test(what_is_kept_follows_time_and_changes),
		store_test(what_is_kept_follows_the_last_run_and_the_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
