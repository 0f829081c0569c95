/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <stdalign.h>

#include "lib/base/arena.h"
#include "tests/fake/mem_try.h"

static void
memory_is_zeroed_and_aligned_at_every_size(void **state)
{
	struct arena a;
	uint8_t *p;
	size_t n, i;

	(void)state;
	arena_init(&a, MIB(16));
	for (n = 0; n < 3000; n++) {
		p = arena_alloc(&a, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xa5, n);
	}
	assert_rc(arena_rc(&a), RC_OK);
	arena_fini(&a);
}

static void
pieces_do_not_overlap(void **state)
{
	enum {
		N = 2000
	};
	static uint8_t *p[N];
	static size_t size[N];
	struct arena a;
	size_t i, k;

	(void)state;
	srand(3);
	arena_init(&a, MIB(16));
	for (i = 0; i < N; i++) {
		size[i] = (size_t)(rand() % (i % 50 == 0 ? 20000 : 100));
		p[i] = arena_alloc(&a, size[i]);
		assert_non_null(p[i]);
		memset(p[i], (int)(i % 251), size[i]);
	}
	for (i = 0; i < N; i++)
		for (k = 0; k < size[i]; k++)
			assert_int_equal(p[i][k], i % 251);
	arena_fini(&a);
}

static void
the_ceiling_holds_and_sticks(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 1000);
	assert_non_null(arena_alloc(&a, 1000));
	assert_rc(arena_rc(&a), RC_OK);
	assert_null(arena_alloc(&a, 1));
	assert_rc(arena_rc(&a), RC_LIMIT);
	arena_reset(&a);
	assert_null(arena_alloc(&a, 1001));
	assert_rc(arena_rc(&a), RC_LIMIT);
	/* Small enough, but the error stands. */
	assert_null(arena_alloc(&a, 1));
	arena_reset(&a);
	assert_rc(arena_rc(&a), RC_OK);
	assert_non_null(arena_alloc(&a, 1));
	arena_fini(&a);
}

static void
many_small_pieces_cannot_pass_the_ceiling(void **state)
{
	struct arena a;
	size_t n = 0;

	(void)state;
	arena_init(&a, KIB(64));
	while (arena_alloc(&a, n % 2) != NULL)
		n++;
	assert_rc(arena_rc(&a), RC_LIMIT);
	assert_int_equal(n, KIB(64) / alignof(max_align_t));
	arena_fini(&a);
}

static void
sizes_that_overflow_are_a_limit(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, SIZE_MAX);
	assert_null(arena_array(&a, SIZE_MAX / 2, 3));
	assert_rc(arena_rc(&a), RC_LIMIT);
	arena_reset(&a);
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_reset(&a);
	assert_string_equal(arena_str(&a, str_from("", SIZE_MAX)), "");
	assert_rc(arena_rc(&a), RC_LIMIT);
	arena_reset(&a);
	assert_non_null(arena_array(&a, 0, SIZE_MAX));
	assert_non_null(arena_array(&a, 100, 100));
	arena_fini(&a);
}

static void
text_is_always_usable(void **state)
{
	struct arena a;
	char *p;

	(void)state;
	arena_init(&a, 100);
	assert_string_equal(arena_str(&a, str_from("abc", 2)), "ab");
	assert_string_equal(arena_str(&a, str_of(NULL)), "");
	assert_string_equal(arena_dup(&a, "abc"), "abc");
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	p = arena_printf(&a, "%200s", "too long");
	assert_string_equal(p, "");
	assert_rc(arena_rc(&a), RC_LIMIT);
	assert_string_equal(arena_dup(&a, "abc"), "");
	assert_string_equal(arena_str(&a, STR("abc")), "");
	arena_fini(&a);
}

static void
after_a_reset_memory_is_zeroed_again(void **state)
{
	struct arena a;
	uint8_t *p;
	size_t round, i;

	(void)state;
	arena_init(&a, MIB(1));
	for (round = 0; round < 5; round++) {
		p = arena_alloc(&a, 2000);
		assert_non_null(p);
		for (i = 0; i < 2000; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, 2000);
		assert_non_null(arena_alloc(&a, 50000));
		assert_non_null(arena_alloc(&a, 100));
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	arena_fini(&a);
	arena_fini(&a);
	arena_reset(&a);
}

static void
refused_memory_is_reported_like_the_limit(void **state)
{
	struct arena a;
	unsigned n;
	void *p, *q;

	(void)state;
	for (n = 1;; n++) {
		fake_mem_fail_at(n);
		arena_init(&a, MIB(1));
		p = arena_alloc(&a, 10);
		q = arena_alloc(&a, 60000);
		assert_string_equal(arena_dup(&a, "x"),
		    fake_mem_failed() ? "" : "x");
		assert_rc(arena_rc(&a), fake_mem_failed() ? RC_LIMIT : RC_OK);
		assert_true((p != NULL && q != NULL) == !fake_mem_failed());
		arena_fini(&a);
		if (!fake_mem_failed())
			break;
	}
	fake_mem_fail_at(0);
	assert_int_equal(n, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned_at_every_size),
		cmocka_unit_test(pieces_do_not_overlap),
		cmocka_unit_test(the_ceiling_holds_and_sticks),
		cmocka_unit_test(many_small_pieces_cannot_pass_the_ceiling),
		cmocka_unit_test(sizes_that_overflow_are_a_limit),
		cmocka_unit_test(text_is_always_usable),
		cmocka_unit_test(after_a_reset_memory_is_zeroed_again),
		cmocka_unit_test(refused_memory_is_reported_like_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
