/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/audit_query.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/base/clock.h"
#include "lib/store/audit_store.h"

/* 2026-11-20T00:00:00Z; an entry an hour. */
#define BEGIN_MS INT64_C(1795132800000)

enum {
	ENTRIES = 120,
	HOUR_MS = 3600000
};

/* clang-format off */
static const struct {
	const char *actor, *action, *kind, *target, *address, *payload;
} kinds[] = {
	{ "anna",   "auth.login",        "user", "anna",   "10.0.0.1", "" },
	{ "bob",    "auth.login_failed", "user", "bob",    "10.0.0.2", "" },
	{ "anna",   "job.run_now",       "host", "DB-01",  "10.0.0.1", "{\"kind\":\"backup\"}" },
	{ "system", "authority.renewed", "",     "",       "",         "" },
	{ "Bob",    "host.enrolled",     "host", "web-01", "fe80::1",  "{\"os\":\"Linux\"}" },
};
/* clang-format on */

static void
fill(struct fixture *f)
{
	struct store_tx *tx = fixture_write(f);
	struct ulid host = id_n(7, 1);
	size_t i, k;

	for (i = 0; i < ENTRIES; i++) {
		struct Rec__AuditEntry a = REC__AUDIT_ENTRY__INIT;

		k = i % ARRAY_LEN(kinds);
		a.actor_name = text(kinds[k].actor);
		a.action = text(kinds[k].action);
		a.target_kind = text(kinds[k].kind);
		a.target_name = text(kinds[k].target);
		a.address = text(kinds[k].address);
		a.payload = text(kinds[k].payload);
		if (k == 2)
			a.target_id = id_bytes(&host);
		clock_fake(BEGIN_MS + (int64_t)i * HOUR_MS, 0);
		audit_store_add(tx, &a);
	}
	clock_fake(-1, 0);
	fixture_commit(tx);
}

static struct audit_found
page(struct store_tx *tx, const struct audit_ask *ask, uint64_t n,
    uint64_t per_page)
{
	const struct audit_want want = { n, per_page };
	struct audit_found out;
	struct audit_query q;
	struct err e = { 0 };

	if (audit_query_init(&q, ask, "UTC", &e) != RC_OK)
		fail_msg("%s", e.msg);
	assert_rc(audit_query_page(tx, &q, &want, store_arena(tx), &out),
	    RC_OK);
	return out;
}

/* Which entry of fill() this is. */
static unsigned
number(struct store_tx *tx, const struct ulid *id)
{
	struct audit_row row;

	assert_true(audit_query_get(tx, id, &row));
	return (unsigned)((row.at_ms - BEGIN_MS) / HOUR_MS);
}

/* M-301 */
static void
each_filter_finds_its_entries(void **state)
{
	/* clang-format off */
	const struct {
		struct audit_ask ask;
		unsigned total;
	} cases[] = {
		{ { .user = STR("") }, ENTRIES },
		{ { .user = STR("anna") }, 48 },
		{ { .user = STR("BOB") }, 48 },
		{ { .user = STR("ann") }, 0 },
		{ { .action = STR("auth.login") }, 24 },
		{ { .action = STR("auth") }, 48 },
		{ { .action = STR("auth.") }, 0 },
		{ { .target = STR("db-") }, 24 },
		{ { .target = STR("host") }, 48 },
		{ { .target = STR("70000010000000000000000000") }, 0 },
		{ { .q = STR("linux") }, 24 },
		{ { .q = STR("10.0.0.1 backup") }, 24 },
		{ { .q = STR("10.0.0.1 linux") }, 0 },
		{ { .user = STR("anna"), .action = STR("job") }, 24 },
		{ { .from = STR("2026-11-20"), .to = STR("2026-11-20") }, 24 },
		{ { .from = STR("2026-11-21") }, 96 },
		{ { .to = STR("2026-11-20") }, 24 },
		{ { .to = STR("2026-11-20T05:00:00Z") }, 5 },
		{ { .from = STR("2026-11-24T23:00:00Z") }, 1 },
		{ { .from = STR("2027-01-01") }, 0 },
		{ { .to = STR("2020-01-01") }, 0 },
		{ { .user = STR("anna"), .from = STR("2026-11-20"), .to = STR("2026-11-20"), .sort = STR("time") }, 10 },
	};
	/* clang-format on */
	struct fixture *f = *state;
	struct store_tx *tx;
	size_t i;

	fill(f);
	tx = fixture_read(f);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct audit_found got = page(tx, &cases[i].ask, 1, 500);

		if (got.total != cases[i].total || got.n != got.total)
			fail_msg("case %zu: total %d, n %zu", i, (int)got.total,
			    got.n);
		assert_false(got.partial);
	}
	fixture_end(tx);
}

static void
a_target_is_found_by_its_id(void **state)
{
	struct fixture *f = *state;
	struct ulid host = id_n(7, 1);
	char id[ULID_TEXT_CAP];
	struct audit_ask ask = { .target = STR("") };
	struct store_tx *tx;

	fill(f);
	ulid_text(&host, id);
	ask.target = str_of(id);
	tx = fixture_read(f);
	assert_int_equal(page(tx, &ask, 1, 10).total, 24);
	fixture_end(tx);
}

/* Each entry on exactly one page, in order, both ways, filtered or not, from
 * whichever end a page is reached. */
static void
pages_follow_each_other(void **state)
{
	const struct audit_ask asks[] = {
		{ .sort = STR("-time") },
		{ .sort = STR("time") },
		{ .sort = STR("-time"), .from = STR("2026-11-20") },
		{ .sort = STR("time"), .from = STR("2026-11-20") },
	};
	struct fixture *f = *state;
	struct audit_found got;
	struct store_tx *tx;
	unsigned i, n, seen;
	size_t k;

	fill(f);
	for (k = 0; k < ARRAY_LEN(asks); k++) {
		tx = fixture_read(f);
		for (seen = 0, n = 1; seen < ENTRIES; n++) {
			got = page(tx, &asks[k], n, 7);
			assert_int_equal(got.total, ENTRIES);
			assert_int_equal(got.page, n);
			for (i = 0; i < got.n; i++, seen++)
				assert_int_equal(number(tx, &got.ids[i]),
				    k % 2 == 0 ? ENTRIES - 1 - seen : seen);
		}
		assert_int_equal(n, ENTRIES / 7 + 2);
		got = page(tx, &asks[k], 1000, 7); /* too far: the last one */
		assert_int_equal(got.page, ENTRIES / 7 + 1);
		assert_int_equal(got.n, ENTRIES % 7);
		fixture_end(tx);
	}
}

/* M-301: the other columns too. */
static void
other_columns_sort_with_the_newest_first_within(void **state)
{
	const struct audit_ask up = { .sort = STR("user") };
	const struct audit_ask down = { .sort = STR("-target") };
	struct fixture *f = *state;
	struct audit_found got;
	struct audit_row row;
	struct store_tx *tx;
	unsigned i;

	fill(f);
	tx = fixture_read(f);
	got = page(tx, &up, 1, 500);
	assert_int_equal(got.total, ENTRIES);
	for (i = 0; i < got.n; i++) {
		assert_true(audit_query_get(tx, &got.ids[i], &row));
		assert_true(str_case_eq(row.actor, i < 48   ? STR("anna")
		                                   : i < 96 ? STR("bob")
		                                            : STR("system")));
		if (i > 0 && i < 48)
			assert_true(number(tx, &got.ids[i - 1]) >
			            number(tx, &got.ids[i]));
	}
	got = page(tx, &down, 3, 20);
	assert_int_equal(got.n, 20);
	assert_true(audit_query_get(tx, &got.ids[0], &row));
	assert_str(row.target, "DB-01");
	fixture_end(tx);
}

static void
what_cannot_be_understood_is_refused(void **state)
{
	const struct audit_ask bad[] = {
		{ .from = STR("yesterday") },
		{ .to = STR("2026-13-01") },
		{ .sort = STR("colour") },
	};
	const struct audit_ask none = { .user = STR("") };
	char longer[AUDIT_QUERY_TEXT_MAX + 1];
	struct audit_ask ask = none;
	struct audit_query q;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_rc(audit_query_init(&q, &bad[i], "UTC", &e), RC_INVALID);
	memset(longer, 'x', sizeof(longer));
	ask.q = str_from(longer, sizeof(longer));
	assert_rc(audit_query_init(&q, &ask, "UTC", &e), RC_INVALID);
}

static void
days_are_those_of_the_zone(void **state)
{
	const struct audit_ask ask = { .from = STR("2026-11-20"),
		.to = STR("2026-11-20") };
	struct audit_query q;
	struct err e;

	(void)state;
	assert_rc(audit_query_init(&q, &ask, "Europe/Berlin", &e), RC_OK);
	assert_int_equal(q.from_ms, BEGIN_MS - HOUR_MS);
	assert_int_equal(q.to_ms, BEGIN_MS + 23 * (int64_t)HOUR_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(each_filter_finds_its_entries),
		store_test(a_target_is_found_by_its_id),
		store_test(pages_follow_each_other),
		store_test(other_columns_sort_with_the_newest_first_within),
		store_test(what_cannot_be_understood_is_refused),
		store_test(days_are_those_of_the_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
