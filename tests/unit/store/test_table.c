/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/table.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/base/buf.h"
#include "lib/base/fsio.h"

static void
names_and_environments_are_complete(void **state)
{
	unsigned a, b;

	(void)state;
	for (a = 0; a < TABLE_COUNT; a++) {
		const struct table_info *info = table_info((enum table)a);

		assert_true(info->where != 0 && info->where <= IN_ALL);
		assert_non_null(strstr(info->keys, "->"));
		for (b = 0; b < a; b++)
			assert_string_not_equal(info->name,
			    table_info((enum table)b)->name);
	}
}

static void
the_document_names_every_table(void **state)
{
	struct err e = { 0 };
	struct buf doc;
	char row[80];
	unsigned t;

	(void)state;
	buf_init(&doc, MIB(1));
	if (fsio_read("docs/STATE.md", &doc, &e) != RC_OK)
		fail_msg("%s", e.msg);
	for (t = 0; t < TABLE_COUNT; t++) {
		const struct table_info *info = table_info((enum table)t);

		assert_true(
		    str_fmt(row, sizeof(row), "| `%s` | %s |", info->name,
		        info->where == IN_ALL     ? "all"
		        : info->where == IN_STATE ? "state"
		        : info->where == IN_VAULT ? "vault"
		                                  : "live"));
		if (!str_contains(buf_str(&doc), str_of(row)))
			fail_msg("docs/STATE.md lacks %s", row);
	}
	buf_fini(&doc);
}

static void
keys_sort_like_their_numbers(void **state)
{
	struct key a = { .n = 0 }, b = { .n = 0 };

	(void)state;
	key_u8(&a, 1);
	key_u32(&a, 255);
	key_u64(&a, 65535);
	key_u8(&b, 1);
	key_u32(&b, 256);
	key_u64(&b, 0);
	assert_int_equal(a.n, 13);
	assert_true(str_cmp(key_str(&a), key_str(&b)) < 0);
}

static void
overflow_key(void *arg)
{
	struct key k = { .n = 0 };
	char big[TABLE_KEY_MAX + 1] = { 0 };

	(void)arg;
	key_bytes(&k, big, sizeof(big));
}

static void
a_key_has_a_bound(void **state)
{
	(void)state;
	assert_true(unit_aborts(overflow_key, NULL));
}

static void
use_foreign_table(void *arg)
{
	struct fixture *f = arg;
	struct store_tx *tx = fixture_read(f);

	(void)table_count(tx, TB_PASSWORD);
}

static void
a_table_is_used_in_its_environment_only(void **state)
{
	assert_true(unit_aborts(use_foreign_table, *state));
}

static void
put(struct store_tx *tx, const char *z)
{
	struct key k = { .n = 0 };

	key_bytes(&k, z, strlen(z));
	assert_true(table_put(tx, TB_HOST_NAME, &k, STR("v")));
}

/* The keys of a walk, joined; from NULL: from its beginning. */
static void
assert_scan(struct store_tx *tx, const char *prefix, enum scan_dir dir,
    const char *from, const char *want)
{
	struct key p = { .n = 0 }, b = { .n = 0 };
	struct table_scan sc;
	struct str key, value;
	char got[128] = "";
	size_t used;

	key_bytes(&p, prefix, strlen(prefix));
	table_scan_init(&sc, tx, TB_HOST_NAME, &p, dir);
	if (from != NULL) {
		key_bytes(&b, from, strlen(from));
		table_scan_behind(&sc, &b);
	}
	while (table_scan_next(&sc, &key, &value)) {
		used = strlen(got);
		assert_true(str_fmt(got + used, sizeof(got) - used, "%.*s ",
		    STR_ARG(key)));
	}
	table_scan_fini(&sc);
	assert_string_equal(got, want);
}

static void
check_scans(struct store_tx *tx)
{
	assert_scan(tx, "", SCAN_UP, NULL, "a b b1 b2 b\xff c ");
	assert_scan(tx, "", SCAN_DOWN, NULL, "c b\xff b2 b1 b a ");
	assert_scan(tx, "b", SCAN_UP, NULL, "b b1 b2 b\xff ");
	assert_scan(tx, "b", SCAN_DOWN, NULL, "b\xff b2 b1 b ");
	assert_scan(tx, "b", SCAN_UP, "b1", "b2 b\xff ");
	assert_scan(tx, "b", SCAN_UP, "b11", "b2 b\xff ");
	assert_scan(tx, "b", SCAN_DOWN, "b2", "b1 b ");
	assert_scan(tx, "b", SCAN_DOWN, "b11", "b1 b ");
	assert_scan(tx, "b", SCAN_DOWN, "b", "");
	assert_scan(tx, "b\xff", SCAN_DOWN, NULL, "b\xff ");
	assert_scan(tx, "\xff", SCAN_DOWN, NULL, "");
	assert_scan(tx, "aa", SCAN_UP, NULL, "");
	assert_scan(tx, "c", SCAN_DOWN, NULL, "c ");
	assert_scan(tx, "d", SCAN_UP, NULL, "");
	assert_scan(tx, "d", SCAN_DOWN, NULL, "");
}

static void
walks_keep_to_prefix_and_direction(void **state)
{
	static const char *const keys[] = { "c", "b", "b2", "a", "b1",
		"b\xff" };
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	unsigned i;

	assert_scan(tx, "", SCAN_UP, NULL, "");
	assert_scan(tx, "", SCAN_DOWN, NULL, "");
	assert_scan(tx, "b", SCAN_DOWN, NULL, "");
	for (i = 0; i < ARRAY_LEN(keys); i++)
		put(tx, keys[i]);
	check_scans(tx);
	fixture_commit(tx);
	tx = fixture_read(f);
	check_scans(tx);
	fixture_end(tx);
}

static void
a_walk_survives_changes_around_it(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f), *child;
	struct table_scan sc;
	struct str key, value;
	unsigned n = 0;
	char name[16];

	for (n = 0; n < 500; n++) {
		assert_true(str_fmt(name, sizeof(name), "k%04u", n));
		put(tx, name);
	}
	n = 0;
	table_scan_init(&sc, tx, TB_HOST_NAME, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		child = store_begin_child(tx, NULL);
		assert_true(table_del(child, TB_HOST_NAME, &sc.at));
		assert_true(str_fmt(name, sizeof(name), "a%04u", n));
		put(child, name); /* before the walk: not seen */
		if (n % 7 == 0)
			store_abort(child);
		else
			fixture_commit(child);
		n++;
	}
	table_scan_fini(&sc);
	assert_int_equal(n, 500);
	assert_int_equal(table_count(tx, TB_HOST_NAME), 500);
	fixture_commit(tx);
}

static void
a_bad_number_is_damage(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct key k = { .n = 0 };

	key_u8(&k, 0);
	table_put(tx, TB_VERSION, &k, STR("seven"));
	assert_int_equal(table_u64(tx, TB_VERSION, &k), 0);
	assert_rc(store_rc(tx), RC_CORRUPT);
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_environments_are_complete),
		cmocka_unit_test(the_document_names_every_table),
		cmocka_unit_test(keys_sort_like_their_numbers),
		cmocka_unit_test(a_key_has_a_bound),
		store_test(a_table_is_used_in_its_environment_only),
		store_test(walks_keep_to_prefix_and_direction),
		store_test(a_walk_survives_changes_around_it),
		store_test(a_bad_number_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
