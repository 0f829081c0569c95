/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/crypt.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"

enum {
	MANY = 100000
};

/* Key number i in a buffer of the caller's. */
static struct str
key_of(size_t i, char text[32])
{
	assert_true(str_fmt(text, 32, "key-%zu", i));
	return str_of(text);
}

/* A distinct pointer per number, never followed. */
static void *
value_of(size_t i)
{
	static char place[2 * MANY];

	return place + i;
}

static void
an_empty_map_has_nothing(void **state)
{
	struct map *m = map_new();
	struct str key;
	void *value;
	size_t pos = 0;

	(void)state;
	assert_int_equal(map_count(m), 0);
	assert_null(map_get(m, STR("a")));
	assert_null(map_del(m, STR("a")));
	assert_false(map_next(m, &pos, &key, &value));
	map_free(m);
	map_free(NULL);
}

/* Leaks are the sanitizer's to see. */
static void
a_map_may_take_its_values_along(void **state)
{
	struct map *m = map_new();
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_null(map_put(m, key_of(i, text), mem_alloc(i)));
	mem_free(map_del(m, key_of(7, text)));
	map_free_all(m);
	map_free_all(map_new());
	map_free_all(NULL);
}

static void
keys_are_bytes_and_copied(void **state)
{
	struct map *m = map_new();
	char key[] = "abc";

	(void)state;
	assert_null(map_put(m, str_of(key), value_of(1)));
	key[0] = 'x';
	assert_ptr_equal(map_get(m, STR("abc")), value_of(1));
	assert_null(map_get(m, STR("xbc")));
	assert_null(map_put(m, str_of(NULL), value_of(2)));
	assert_ptr_equal(map_get(m, STR("")), value_of(2));
	assert_null(map_put(m, STR("a\0b"), value_of(3)));
	assert_null(map_put(m, STR("a\0c"), value_of(4)));
	assert_null(map_get(m, STR("a")));
	assert_ptr_equal(map_get(m, STR("a\0b")), value_of(3));
	assert_ptr_equal(map_del(m, STR("")), value_of(2));
	assert_null(map_get(m, STR("")));
	assert_int_equal(map_count(m), 3);
	map_free(m);
}

static void
putting_again_replaces_and_gives_the_old_value(void **state)
{
	struct map *m = map_new();

	(void)state;
	assert_null(map_put(m, STR("a"), value_of(1)));
	assert_ptr_equal(map_put(m, STR("a"), value_of(2)), value_of(1));
	assert_int_equal(map_count(m), 1);
	assert_ptr_equal(map_del(m, STR("a")), value_of(2));
	assert_null(map_del(m, STR("a")));
	assert_null(map_put(m, STR("a"), value_of(3)));
	assert_int_equal(map_count(m), 1);
	map_free(m);
}

static void
put_null(void *arg)
{
	map_put(arg, STR("a"), NULL);
}

static void
null_is_no_value(void **state)
{
	struct map *m = map_new();

	(void)state;
	assert_true(unit_aborts(put_null, m));
	map_free(m);
}

static void
a_hundred_thousand_keys_come_and_go(void **state)
{
	struct map *m = map_new();
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		assert_null(map_put(m, key_of(i, text), value_of(i)));
	assert_int_equal(map_count(m), MANY);
	for (i = 0; i < MANY; i += 2)
		assert_ptr_equal(map_del(m, key_of(i, text)), value_of(i));
	assert_int_equal(map_count(m), MANY / 2);
	for (i = 0; i < MANY; i++)
		assert_ptr_equal(map_get(m, key_of(i, text)),
		    i % 2 == 0 ? NULL : value_of(i));
	for (i = 0; i < MANY; i += 2)
		assert_null(map_put(m, key_of(i, text), value_of(MANY + i)));
	for (i = 0; i < MANY; i++)
		assert_ptr_equal(map_get(m, key_of(i, text)),
		    i % 2 == 0 ? value_of(MANY + i) : value_of(i));
	map_free(m);
}

static void
a_walk_gives_every_entry_once_and_may_delete_it(void **state)
{
	static uint8_t seen[MANY];
	struct map *m = map_new();
	size_t i, pos = 0, n = 0;
	char text[32];
	struct str key;
	uint64_t at;
	void *value;

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < MANY; i++)
		map_put(m, key_of(i, text), value_of(i));
	while (map_next(m, &pos, &key, &value)) {
		assert_true(str_u64(str_sub(key, 4, key.n), MANY - 1, &at));
		assert_ptr_equal(value, value_of(at));
		assert_int_equal(seen[at]++, 0);
		n++;
		/* The key lent by the walk may name what is deleted. */
		if (at % 3 != 0)
			assert_ptr_equal(map_del(m, key), value);
	}
	assert_int_equal(n, MANY);
	for (i = 0; i < MANY; i++)
		assert_ptr_equal(map_get(m, key_of(i, text)),
		    i % 3 == 0 ? value_of(i) : NULL);
	map_free(m);
}

/* A queue of short-lived keys must not fill the table with gone slots, make
 * it grow, or make a lookup of an absent key endless. */
static void
endless_coming_and_going_stays_small(void **state)
{
	struct map *m = map_new();
	char text[32];
	size_t i, pos = 0;
	struct str key;
	void *value;

	(void)state;
	for (i = 0; i < 10 * MANY; i++) {
		map_put(m, key_of(i, text), value_of(1));
		if (i >= 8)
			assert_non_null(map_del(m, key_of(i - 8, text)));
		assert_true(map_count(m) <= 8);
	}
	assert_null(map_get(m, STR("absent")));
	while (map_next(m, &pos, &key, &value))
		continue;
	/* The walk's end position is the number of slots. */
	assert_true(pos <= 64);
	map_free(m);
}

/* Random steps against a plain table of what must be there. */
static void
random_steps_match_a_plain_table(void **state)
{
	enum {
		KEYS = 300
	};
	void *model[KEYS] = { 0 };
	struct map *m = map_new();
	char text[32];
	size_t step, k, live = 0;

	(void)state;
	srand(5);
	for (step = 0; step < 300000; step++) {
		k = (size_t)rand() % KEYS;
		if (rand() % 100 < (step / 5000 % 2 == 0 ? 70 : 30)) {
			assert_ptr_equal(map_put(m, key_of(k, text),
			                     value_of(step % MANY)),
			    model[k]);
			live += model[k] == NULL ? 1 : 0;
			model[k] = value_of(step % MANY);
		} else {
			assert_ptr_equal(map_del(m, key_of(k, text)), model[k]);
			live -= model[k] != NULL ? 1 : 0;
			model[k] = NULL;
		}
		assert_int_equal(map_count(m), live);
	}
	for (k = 0; k < KEYS; k++)
		assert_ptr_equal(map_get(m, key_of(k, text)), model[k]);
	map_free(m);
}

static void
the_hash_depends_on_every_byte_and_the_length(void **state)
{
	char zeros[33] = { 0 };
	uint64_t h[33];
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(h); i++) {
		h[i] = crypt_shorthash(str_from(zeros, i));
		assert_true(h[i] == crypt_shorthash(str_from(zeros, i)));
		for (k = 0; k < i; k++)
			assert_true(h[i] != h[k]);
	}
	for (i = 0; i < 32; i++) {
		zeros[i] = 1;
		assert_true(crypt_shorthash(str_from(zeros, 32)) != h[32]);
		zeros[i] = 0;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(a_map_may_take_its_values_along),
		cmocka_unit_test(keys_are_bytes_and_copied),
		cmocka_unit_test(
		    putting_again_replaces_and_gives_the_old_value),
		cmocka_unit_test(null_is_no_value),
		cmocka_unit_test(a_hundred_thousand_keys_come_and_go),
		cmocka_unit_test(
		    a_walk_gives_every_entry_once_and_may_delete_it),
		cmocka_unit_test(endless_coming_and_going_stays_small),
		cmocka_unit_test(random_steps_match_a_plain_table),
		cmocka_unit_test(the_hash_depends_on_every_byte_and_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
