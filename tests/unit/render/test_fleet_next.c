/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/fleet_next.h"

#include "lib/store/host_store.h"
#include "lib/store/schedule_store.h"
#include "render/view.h"
#include "tests/unit/store/store_fixture.h"

/* Thursday 19 November 2026, 14:18 UTC. */
static const int64_t now_ms = INT64_C(1795097880000);
static const int64_t hour_ms = 3600000, minute_ms = 60000;

static void
put(struct fixture *f, uint32_t n, const char *cron, bool enabled)
{
	struct ulid host = id_n(1, n), id = id_n(5, n);
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	struct store_tx *tx = fixture_write(f);
	char name[16];
	struct err e;

	assert_true(str_fmt(name, sizeof(name), "host-%u", (unsigned)n));
	h.id = id_bytes(&host);
	h.name = name;
	host_store_put(tx, &h);
	s.id = id_bytes(&id);
	s.host_id = id_bytes(&host);
	s.cron = text(cron);
	s.enabled = enabled;
	schedule_store_put(tx, &s);
	assert_rc(store_commit(tx, &e), RC_OK);
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

/* "host-1@18:00 host-2@15:00 " */
static void
expect(struct fixture *f, struct fleet_nexts *kept, int64_t at_ms,
    const char *want)
{
	struct Ipc__RenderRequest req = IPC__RENDER_REQUEST__INIT;
	struct told told = { .text = "" };
	struct arena a;
	struct view v;

	arena_init(&a, MIB(1));
	req.now_ms = at_ms;
	v = (struct view){ .arena = &a,
		.req = &req,
		.clock = { "UTC", at_ms },
		.nexts = kept };
	told.v = &v;
	v.state = store_begin_read(f->state, &a);
	fleet_next_each(&v, now_ms + 24 * hour_ms, on_run, &told);
	assert_rc(store_rc(v.state), RC_OK);
	store_abort(v.state);
	arena_fini(&a);
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
	expect(*state, NULL, now_ms, "host-1@18:00 host-2@15:00 host-4@03:00 ");
}

static void
what_is_kept_follows_time_and_changes(void **state)
{
	struct fleet_nexts *kept = fleet_nexts_new();

	put(*state, 1, "0 18 * * *", true);
	put(*state, 2, "0 15,20 * * *", true);
	expect(*state, kept, now_ms, "host-1@18:00 host-2@15:00 ");
	expect(*state, kept, now_ms, "host-1@18:00 host-2@15:00 ");
	/* 15:18 */
	expect(*state, kept, now_ms + hour_ms, "host-1@18:00 host-2@20:00 ");
	put(*state, 1, "0 18 * * *", false);
	put(*state, 2, "30 15 * * *", true);
	expect(*state, kept, now_ms + hour_ms + minute_ms, "host-2@15:30 ");
	fleet_nexts_free(kept);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(each_host_has_its_next_run_of_the_time_asked),
		store_test(what_is_kept_follows_time_and_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
