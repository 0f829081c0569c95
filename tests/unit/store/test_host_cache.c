/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/host_cache.h"

#include "tests/unit/store/store_fixture.h"

/* As it is stored; a: until the test's end. */
static struct str
stored(struct arena *a, const struct ulid *id, const char *name, uint64_t size)
{
	struct Rec__Host h = REC__HOST__INIT;
	uint8_t *p;
	size_t n;

	h.id = id_bytes(id);
	h.name = text(name);
	h.repo_size_bytes = size;
	n = rec__host__get_packed_size(&h);
	p = arena_alloc(a, n);
	assert_non_null(p);
	rec__host__pack(&h, p);
	return str_from(p, n);
}

static const struct Rec__Host *
add(struct host_cache *c, struct fixture *f, uint32_t n, uint64_t size)
{
	struct ulid id = id_n(1, n);

	return host_cache_add(c, &id, stored(&f->arena, &id, "web", size));
}

static void
what_has_not_changed_is_kept(void **state)
{
	struct host_cache *c = host_cache_new();
	const struct Rec__Host *one, *two;

	assert_false(host_cache_is_of(c, 0));
	host_cache_begin(c);
	one = add(c, *state, 1, 10);
	assert_non_null(add(c, *state, 2, 20));
	host_cache_end(c, 7);
	assert_true(host_cache_is_of(c, 7));
	assert_false(host_cache_is_of(c, 8));
	host_cache_begin(c);
	assert_ptr_equal(add(c, *state, 1, 10), one);
	two = add(c, *state, 2, 21);
	assert_int_equal(two->repo_size_bytes, 21);
	host_cache_end(c, 8);
	assert_ptr_equal(host_cache_at(c, 0), one);
	assert_ptr_equal(host_cache_at(c, 1), two);
	assert_null(host_cache_at(c, 2));
	host_cache_free(c);
}

/* The sanitizers see to it that nothing is lost or used again. */
static void
hosts_come_go_and_move(void **state)
{
	struct host_cache *c = host_cache_new();
	uint32_t round, i, n;

	for (round = 0; round < 20; round++) {
		n = round * 37 % 200;
		host_cache_begin(c);
		for (i = 0; i < n; i++)
			assert_non_null(
			    add(c, *state, (i * 7 + round) % 200, round % 3));
		host_cache_end(c, round);
		assert_null(host_cache_at(c, n));
		for (i = 0; i < n; i++)
			assert_int_equal(host_cache_at(c, i)->repo_size_bytes,
			    round % 3);
	}
	host_cache_free(c);
}

static void
a_list_that_broke_off_is_nothing_to_rely_on(void **state)
{
	struct host_cache *c = host_cache_new();
	struct ulid id = id_n(1, 1);

	host_cache_begin(c);
	assert_non_null(add(c, *state, 1, 10));
	host_cache_end(c, 7);
	host_cache_begin(c);
	assert_null(host_cache_add(c, &id, STR("\xff\xff")));
	assert_false(host_cache_is_of(c, 7));
	host_cache_begin(c);
	assert_int_equal(add(c, *state, 1, 11)->repo_size_bytes, 11);
	host_cache_end(c, 9);
	assert_true(host_cache_is_of(c, 9));
	host_cache_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(what_has_not_changed_is_kept),
		store_test(hosts_come_go_and_move),
		store_test(a_list_that_broke_off_is_nothing_to_rely_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
