/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/host_store.h"

#include "tests/unit/store/store_fixture.h"

struct names {
	char text[1024];
	unsigned n, max;
};

static bool
test_on_host(void *ctx, const struct Rec__Host *h)
{
	struct names *names = ctx;
	size_t used = strlen(names->text);

	assert_true(str_fmt(names->text + used, sizeof(names->text) - used,
	    "%s ", h->name));
	return ++names->n != names->max;
}

static void
assert_hosts(struct store_tx *tx, const char *want)
{
	struct names names = { .max = 0 };

	host_store_each(tx, test_on_host, &names);
	assert_string_equal(names.text, want);
}

static void
hosts_come_by_name_then_age(void **state)
{
	struct fixture *f = *state;
	struct ulid id[5] = { id_n(1, 4), id_n(1, 3), id_n(1, 2), id_n(1, 1),
		id_n(1, 0) };
	struct store_tx *tx = fixture_write(f);

	put_host(tx, &id[0], "web");
	put_host(tx, &id[1], "web-1");
	put_host(tx, &id[2], "WEB");
	put_host(tx, &id[3], "Alpha");
	put_host(tx, &id[4], "web 1");
	assert_hosts(tx, "Alpha WEB web web 1 web-1 ");
	fixture_commit(tx);
}

static void
a_walk_stops_when_told(void **state)
{
	struct fixture *f = *state;
	struct names names = { .max = 1 };
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct store_tx *tx = fixture_write(f);

	put_host(tx, &a, "a");
	put_host(tx, &b, "b");
	host_store_each(tx, test_on_host, &names);
	assert_int_equal(names.n, 1);
	fixture_commit(tx);
}

static void
a_name_finds_the_oldest_in_any_case(void **state)
{
	struct fixture *f = *state;
	struct ulid old = id_n(1, 1), young = id_n(1, 2);
	struct store_tx *tx = fixture_write(f);
	struct Rec__Host *h;

	put_host(tx, &young, "Web-1");
	put_host(tx, &old, "web-1");
	h = host_store_find_name(tx, STR("WEB-1"));
	assert_non_null(h);
	assert_memory_equal(h->id.data, old.b, 16);
	assert_null(host_store_find_name(tx, STR("web")));
	assert_null(host_store_find_name(tx, STR("web-10")));
	assert_null(host_store_find_name(tx, STR("")));
	fixture_commit(tx);
}

static void
a_new_name_replaces_the_old_one_in_the_index(void **state)
{
	struct fixture *f = *state;
	struct ulid id = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);

	put_host(tx, &id, "old");
	put_host(tx, &id, "new");
	assert_null(host_store_find_name(tx, STR("old")));
	assert_non_null(host_store_find_name(tx, STR("new")));
	put_host(tx, &id, "NEW"); /* the same key */
	assert_hosts(tx, "NEW ");
	fixture_commit(tx);
}

static void
long_names_are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct store_tx *tx = fixture_write(f);
	struct Rec__Host *h;
	char name[1000];

	memset(name, 'n', sizeof(name) - 1);
	name[999] = '\0';
	put_host(tx, &a, name);
	name[998] = 'm';
	put_host(tx, &b, name);
	h = host_store_find_name(tx, str_of(name));
	assert_non_null(h);
	assert_memory_equal(h->id.data, b.b, 16);
	fixture_commit(tx);
}

static void
a_host_without_id_or_name_is_refused(void **state)
{
	struct fixture *f = *state;
	struct Rec__Host h = REC__HOST__INIT;
	struct ulid id = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);

	h.name = text("web");
	host_store_put(tx, &h);
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
	tx = fixture_write(f);
	put_host(tx, &id, "");
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
}

static void
a_cursor_not_heard_of_is_zero(void **state)
{
	static const uint8_t epoch[16] = { 9 };
	struct fixture *f = *state;
	struct ulid id = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);
	struct Rec__AgentCursor *c = host_store_cursor(tx, &id);
	uint64_t version;

	assert_non_null(c);
	assert_int_equal(c->last_seq, 0);
	assert_int_equal(c->epoch.len, 0);
	version = store_version(tx, VER_HOSTS);
	c->last_seq = 42;
	c->epoch = bytes_of(epoch, sizeof(epoch));
	host_store_put_cursor(tx, &id, c);
	/* No page shows it. */
	assert_int_equal(store_version(tx, VER_HOSTS), version);
	fixture_commit(tx);

	tx = fixture_read(f);
	c = host_store_cursor(tx, &id);
	assert_int_equal(c->last_seq, 42);
	assert_int_equal(c->epoch.data[0], 9);
	fixture_end(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(hosts_come_by_name_then_age),
		store_test(a_walk_stops_when_told),
		store_test(a_name_finds_the_oldest_in_any_case),
		store_test(a_new_name_replaces_the_old_one_in_the_index),
		store_test(long_names_are_told_apart),
		store_test(a_host_without_id_or_name_is_refused),
		store_test(a_cursor_not_heard_of_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
