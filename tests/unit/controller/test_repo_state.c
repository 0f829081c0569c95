/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/store/store_fixture.h"

#include "controller/repo_state.h"
#include "controller/rules.h"
#include "lib/base/clock.h"
#include "lib/store/repo_store.h"
#include "proto/agent.pb-c.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 86400000;

struct bench {
	struct fixture f;
	struct ulid host, other;
	int64_t now_ms;
	const char *zone;
};

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	fixture_init(&b->f);
	fixture_host(&b->f, "web-1", &b->host);
	fixture_host(&b->f, "web-2", &b->other);
	b->zone = "UTC";
	assert_true(clock_parse(STR("2026-11-22T12:00:00Z"), &b->now_ms));
	b->f.tx = fixture_write(&b->f);
	*state = b;
	return 0;
}

static Wire__RepoStats
stats(void)
{
	Wire__RepoStats s = WIRE__REPO_STATS__INIT;

	return s;
}

static void
set_size(Wire__RepoStats *s, uint64_t size)
{
	s->total_size__case = WIRE__REPO_STATS__TOTAL_SIZE__TOTAL_SIZE_BYTES;
	s->total_size_bytes = size;
}

static void
set_count(Wire__RepoStats *s, uint64_t n)
{
	s->snapshot_count__case =
	    WIRE__REPO_STATS__SNAPSHOT_COUNT__SNAPSHOT_COUNT;
	s->snapshot_count = n;
}

static void
set_pruned(Wire__RepoStats *s, int64_t at_ms)
{
	s->last_prune_at__case =
	    WIRE__REPO_STATS__LAST_PRUNE_AT__LAST_PRUNE_AT_MS;
	s->last_prune_at_ms = at_ms;
}

static void
set_id(Wire__RepoStats *s, const char *hex)
{
	s->repo_id__case = WIRE__REPO_STATS__REPO_ID__REPO_ID;
	s->repo_id = text(hex);
}

static const struct Rec__Host *
host_of(struct bench *b, const struct ulid *id)
{
	const struct Rec__Host *h = host_store_get(b->f.tx, id);

	assert_non_null(h);
	return h;
}

static void
report(struct bench *b, const struct ulid *host, const Wire__RepoStats *s)
{
	struct Rec__Host *h = host_store_get(b->f.tx, host);
	const struct repo_report r = { h, s, b->now_ms, b->now_ms, b->zone };

	assert_non_null(h);
	repo_state_report(b->f.tx, &r);
	host_store_put(b->f.tx, h);
	assert_rc(store_rc(b->f.tx), RC_OK);
}

static const struct Rec__RepoDay *
today(struct bench *b)
{
	return repo_store_find_day(b->f.tx, &b->host, rules_day(b->now_ms, 0));
}

/* -------------------------------------------------------------- by the day */

/* M-219, M-223: the last one wins, column by column. */
static void
a_report_changes_what_it_tells(void **state)
{
	struct bench *b = *state;
	Wire__RepoStats s = stats();

	set_size(&s, 1000);
	set_count(&s, 7);
	report(b, &b->host, &s);
	b->now_ms += hour_ms;
	s = stats();
	set_pruned(&s, b->now_ms);
	report(b, &b->host, &s);
	assert_true(today(b)->has_size && today(b)->pruned);
	assert_int_equal(today(b)->size_bytes, 1000);
	assert_int_equal(today(b)->snapshot_count, 7);
	assert_int_equal(host_of(b, &b->host)->repo_size_bytes, 1000);
	b->now_ms += hour_ms;
	s = stats();
	set_size(&s, 600);
	report(b, &b->host, &s);
	assert_int_equal(today(b)->size_bytes, 600);
	assert_int_equal(today(b)->snapshot_count, 7);
	assert_true(today(b)->pruned);
	assert_int_equal(host_of(b, &b->host)->snapshot_count, 7);
}

static void
a_report_that_tells_no_size_makes_no_day(void **state)
{
	struct bench *b = *state;
	Wire__RepoStats s = stats();

	set_id(&s, ID_A);
	report(b, &b->host, &s);
	assert_null(today(b));
}

static void
days_are_those_of_the_console(void **state)
{
	struct bench *b = *state;
	Wire__RepoStats s = stats();
	uint32_t day;

	assert_true(clock_parse(STR("2026-11-22T23:30:00Z"), &b->now_ms));
	day = rules_day(b->now_ms, 0);
	b->zone = "Europe/Berlin";
	set_size(&s, 5);
	report(b, &b->host, &s);
	assert_null(repo_store_find_day(b->f.tx, &b->host, day));
	assert_non_null(repo_store_find_day(b->f.tx, &b->host, day + 1));
}

static bool
on_day(void *ctx, uint32_t day, const struct Rec__RepoDay *d)
{
	unsigned *n = ctx;

	(void)day;
	(void)d;
	(*n)++;
	return true;
}

static void
history_has_an_end(void **state)
{
	struct bench *b = *state;
	Wire__RepoStats s = stats();
	unsigned n = 0, k;

	set_size(&s, 5);
	for (k = 0; k < REPO_HISTORY_DAYS + 50; k++) {
		report(b, &b->host, &s);
		b->now_ms += day_ms;
		arena_reset(&b->f.arena);
	}
	repo_store_days(b->f.tx, &b->host, 0, UINT32_MAX, on_day, &n);
	assert_int_equal(n, REPO_HISTORY_DAYS + 1);
}

/* ---------------------------------------------------------------- identity */

static void
a_repository_is_its_own_id(void **state)
{
	struct bench *b = *state;
	Wire__RepoStats s = stats();
	uint8_t id[REPO_ID_SIZE];

	set_id(&s, ID_A);
	report(b, &b->host, &s);
	report(b, &b->other, &s);
	assert_int_equal(host_of(b, &b->host)->repo_changed_at_ms, 0);
	assert_true(str_unhex(STR(ID_A), id, sizeof(id)));
	assert_non_null(repo_store_find(b->f.tx, id));
	/* What one prunes is pruned for both. */
	set_pruned(&s, b->now_ms - 5);
	report(b, &b->host, &s);
	assert_int_equal(repo_store_of_host(b->f.tx, host_of(b, &b->other))
	                     ->last_prune_at_ms,
	    b->now_ms - 5);
	/* One that turns out to be another says so. */
	s = stats();
	set_id(&s, ID_B);
	report(b, &b->host, &s);
	assert_int_equal(host_of(b, &b->host)->repo_changed_at_ms, b->now_ms);
	assert_int_equal(host_of(b, &b->other)->repo_changed_at_ms, 0);
	assert_non_null(repo_store_find(b->f.tx, id));
}

static void
what_is_no_id_changes_nothing(void **state)
{
	static const char *const odd[] = { "", "aa", (ID_A "aa"), ("x" ID_A) };
	struct bench *b = *state;
	Wire__RepoStats s = stats();
	size_t i;

	for (i = 0; i < ARRAY_LEN(odd); i++) {
		set_id(&s, odd[i]);
		report(b, &b->host, &s);
		assert_int_equal(host_of(b, &b->host)->repo_id.len, 0);
	}
}

/* ------------------------------------------------------------------- locks */

static void
locks_are_those_of_the_latest_look(void **state)
{
	struct bench *b = *state;
	Wire__RepoLocks l = WIRE__REPO_LOCKS__INIT;
	Wire__RepoStats s = stats();

	set_id(&s, ID_A);
	l.at_ms = b->now_ms - hour_ms;
	l.count = 2;
	l.exclusive = true;
	l.newest_at_ms = b->now_ms - 2 * hour_ms;
	l.holder = text("web-9 (PID 12)");
	s.locks = &l;
	report(b, &b->host, &s);
	assert_int_equal(host_of(b, &b->host)->lock_count, 2);
	assert_true(host_of(b, &b->host)->lock_exclusive);
	assert_string_equal(host_of(b, &b->host)->lock_holder,
	    "web-9 (PID 12)");
	/* Nobody renews them: as good as none for who waits. */
	assert_int_equal(repo_store_of_host(b->f.tx, host_of(b, &b->host))
	                     ->unlocked_at_ms,
	    b->now_ms - hour_ms);
	/* An older look that is told later. */
	l.at_ms -= hour_ms;
	l.count = 9;
	report(b, &b->host, &s);
	assert_int_equal(host_of(b, &b->host)->lock_count, 2);
	/* A clock that runs ahead is not believed. */
	l.at_ms = b->now_ms + 100 * day_ms;
	l.count = 0;
	report(b, &b->host, &s);
	assert_int_equal(host_of(b, &b->host)->locks_at_ms, b->now_ms);
	assert_int_equal(host_of(b, &b->host)->lock_count, 0);
}

/* M-154: the banner goes, and proves nothing to others. */
static void
a_word_about_locks_is_no_look(void **state)
{
	struct bench *b = *state;
	Wire__RepoLocks l = WIRE__REPO_LOCKS__INIT;
	Wire__RepoStats s = stats();

	/* One that was listed before is not the one that is meant now. */
	set_id(&s, ID_A);
	l.at_ms = l.newest_at_ms = b->now_ms - hour_ms / 100;
	l.count = 2;
	l.exclusive = true;
	l.holder = text("web-9 (PID 12)");
	s.locks = &l;
	report(b, &b->host, &s);
	s.locks = NULL;
	s.lock_present__case = WIRE__REPO_STATS__LOCK_PRESENT__LOCK_PRESENT;
	s.lock_present = true;
	report(b, &b->host, &s);
	assert_int_equal(host_of(b, &b->host)->lock_count, 1);
	assert_false(host_of(b, &b->host)->lock_exclusive);
	assert_string_equal(host_of(b, &b->host)->lock_holder, "");
	s.lock_present = false;
	report(b, &b->host, &s);
	assert_int_equal(host_of(b, &b->host)->lock_count, 0);
	assert_int_equal(repo_store_of_host(b->f.tx, host_of(b, &b->host))
	                     ->unlocked_at_ms,
	    0);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_report_changes_what_it_tells),
		ON_BENCH(a_report_that_tells_no_size_makes_no_day),
		ON_BENCH(days_are_those_of_the_console),
		ON_BENCH(history_has_an_end),
		ON_BENCH(a_repository_is_its_own_id),
		ON_BENCH(what_is_no_id_changes_nothing),
		ON_BENCH(locks_are_those_of_the_latest_look),
		ON_BENCH(a_word_about_locks_is_no_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
