/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/repo_store.h"

#include "lib/store/host_store.h"
#include "lib/store/table.h"
#include "tests/unit/store/store_fixture.h"

static const uint8_t repo_a[REPO_ID_SIZE] = { 1 };
static const uint8_t repo_b[REPO_ID_SIZE] = { 2 };

struct seen {
	unsigned n;
	uint8_t last;
};

static bool
test_on_host(void *ctx, const struct ulid *host)
{
	struct seen *s = ctx;

	s->n++;
	s->last = host->b[7];
	return true;
}

static unsigned
hosts_of(struct store_tx *tx, const uint8_t *repo)
{
	struct seen s = { 0 };

	repo_store_hosts(tx, repo, test_on_host, &s);
	return s.n;
}

static void
a_repository_is_there_as_long_as_a_host_uses_it(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2), next = { 0 };
	struct Rec__Host ha = REC__HOST__INIT, hb = REC__HOST__INIT;
	struct store_tx *tx = fixture_write(f);

	ha.id = id_bytes(&a);
	hb.id = id_bytes(&b);
	assert_null(repo_store_of_host(tx, &ha));
	repo_store_link(tx, &ha, repo_a);
	repo_store_link(tx, &hb, repo_a);
	assert_int_equal(hosts_of(tx, repo_a), 2);
	assert_true(repo_store_uses(tx, repo_a, &b));
	assert_false(repo_store_uses(tx, repo_b, &b));
	assert_true(repo_store_next_host(tx, repo_a, &next));
	assert_true(ulid_eq(&next, &a));
	assert_true(repo_store_next_host(tx, repo_a, &next));
	assert_true(ulid_eq(&next, &b));
	assert_false(repo_store_next_host(tx, repo_a, &next));
	assert_non_null(repo_store_of_host(tx, &hb));
	repo_store_link(tx, &ha, repo_b);
	assert_int_equal(hosts_of(tx, repo_a), 1);
	repo_store_link(tx, &hb, NULL);
	assert_int_equal(hb.repo_id.len, 0);
	assert_null(repo_store_find(tx, repo_a));
	assert_non_null(repo_store_find(tx, repo_b));
	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
}

/* "12": the hosts that may have that name, by their numbers. */
static bool
test_on_named(void *ctx, const struct ulid *host)
{
	char *z = ctx;

	z[strlen(z)] = (char)('0' + host->b[7]);
	return true;
}

static void
expect_named(struct store_tx *tx, const char *name, const char *want)
{
	char got[8] = "";

	repo_store_hosts_named(tx, repo_a, name, test_on_named, got);
	assert_string_equal(got, want);
}

static void
hosts_are_found_by_the_name_they_told_last(void **state)
{
	struct fixture *f = *state;
	struct Rec__Host h[3] = { REC__HOST__INIT, REC__HOST__INIT,
		REC__HOST__INIT };
	static const char *const names[] = { "web", "db", "" };
	struct store_tx *tx = fixture_write(f);
	struct key k = { .n = 0 };
	struct ulid id[3];
	uint32_t i;

	for (i = 0; i < ARRAY_LEN(h); i++) {
		id[i] = id_n(1, i + 1);
		h[i].id = id_bytes(&id[i]);
		h[i].name = text("host");
		h[i].reported_name = text(names[i]);
		repo_store_link(tx, &h[i], repo_a);
		host_store_put(tx, &h[i]);
	}
	expect_named(tx, "web", "1");
	expect_named(tx, "Web", "");
	h[1].reported_name = text("web");
	host_store_put(tx, &h[1]);
	expect_named(tx, "web", "12");
	expect_named(tx, "db", "");
	/* Rows of earlier versions have no name. */
	key_bytes(&k, repo_a, sizeof(repo_a));
	key_ulid(&k, &id[1]);
	table_put(tx, TB_REPO_HOST, &k, STR(""));
	expect_named(tx, "web", "12");
	expect_named(tx, "db", "");
	/* A copy from before it left does not bring it back. */
	repo_store_link(tx, &h[0], repo_b);
	host_store_put(tx, &h[0]);
	expect_named(tx, "web", "2");
	h[0].repo_id.data = (uint8_t *)(uintptr_t)repo_a;
	repo_store_keep_name(tx, &h[0]);
	expect_named(tx, "web", "2");
	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
}

static void
linking_again_keeps_the_lease(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), job = id_n(2, 1);
	struct Rec__Host h = REC__HOST__INIT;
	struct store_tx *tx = fixture_write(f);
	struct Rec__Repo *r;

	h.id = id_bytes(&a);
	repo_store_link(tx, &h, repo_a);
	r = repo_store_of_host(tx, &h);
	assert_non_null(r);
	r->lease_job = id_bytes(&job);
	repo_store_put(tx, r);
	repo_store_link(tx, &h, repo_a);
	assert_int_equal(repo_store_of_host(tx, &h)->lease_job.len, 16);
	store_abort(tx);
}

struct days {
	char text[128];
};

static bool
test_on_day(void *ctx, uint32_t day, const struct Rec__RepoDay *d)
{
	struct days *days = ctx;
	size_t used = strlen(days->text);

	assert_true(str_fmt(days->text + used, sizeof(days->text) - used,
	    "%u=%u ", (unsigned)day, (unsigned)d->size_bytes));
	return true;
}

static void
days_are_given_from_the_first_to_the_last(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct Rec__RepoDay d = REC__REPO_DAY__INIT;
	struct store_tx *tx = fixture_write(f);
	struct days days = { { 0 } };
	uint32_t day;

	for (day = 10; day < 16; day++) {
		d.size_bytes = day * 2;
		repo_store_put_day(tx, day == 13 ? &b : &a, day, &d);
	}
	repo_store_days(tx, &a, 11, 14, test_on_day, &days);
	assert_string_equal(days.text, "11=22 12=24 14=28 ");
	assert_null(repo_store_find_day(tx, &a, 13));
	assert_non_null(repo_store_find_day(tx, &b, 13));
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_repository_is_there_as_long_as_a_host_uses_it),
		store_test(hosts_are_found_by_the_name_they_told_last),
		store_test(linking_again_keeps_the_lease),
		store_test(days_are_given_from_the_first_to_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
