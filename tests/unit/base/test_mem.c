/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/mem.h"

static void
memory_comes_zeroed_even_when_it_was_used_before(void **state)
{
	uint8_t *p;
	size_t round, i;

	(void)state;
	for (round = 0; round < 50; round++) {
		p = mem_alloc(300);
		for (i = 0; i < 300; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, 300);
		mem_free(p);
	}
}

static void
nothing_is_a_valid_size(void **state)
{
	void *p = mem_alloc(0), *q = mem_array(0, 8), *r = mem_array(8, 0);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_non_null(r);
	p = mem_realloc(p, 0);
	assert_non_null(p);
	mem_free(p);
	mem_free(q);
	mem_free(r);
	mem_free(NULL);
	mem_wipe(NULL, 0);
}

static void
ask_too_much(void *arg)
{
	mem_free(mem_array(*(const size_t *)arg, 16));
}

static void
an_array_that_overflows_aborts(void **state)
{
	size_t count = SIZE_MAX / 16 + 1, fine = 4;

	(void)state;
	assert_true(unit_aborts(ask_too_much, &count));
	assert_false(unit_aborts(ask_too_much, &fine));
}

static void
realloc_keeps_the_contents(void **state)
{
	char *p = mem_realloc(NULL, 4);

	(void)state;
	memcpy(p, "abc", 4);
	p = mem_realloc(p, 100000);
	assert_string_equal(p, "abc");
	mem_free(p);
}

static void
copies_of_text_end_where_told(void **state)
{
	const char bare[] = { 'a', 'b', 'c' };
	char *p = mem_strdup("abc"), *q = mem_strndup(bare, 3);
	char *r = mem_strndup("ab\0cd", 5), *s = mem_strndup("abc", 0);

	(void)state;
	assert_string_equal(p, "abc");
	assert_string_equal(q, "abc");
	assert_string_equal(r, "ab");
	assert_string_equal(s, "");
	mem_free(p);
	mem_free(q);
	mem_free(r);
	mem_free(s);
}

static void
wiping_overwrites_just_its_bytes(void **state)
{
	char text[] = "secret and more";

	(void)state;
	mem_wipe(text, 6);
	assert_memory_equal(text, "\0\0\0\0\0\0 and more", sizeof(text));
}

static void
sizes_that_overflow_are_refused_and_leave_the_result(void **state)
{
	size_t out = 77;

	(void)state;
	assert_false(size_add(SIZE_MAX, 1, &out));
	assert_false(size_add(1, SIZE_MAX, &out));
	assert_false(size_mul(SIZE_MAX, 2, &out));
	assert_false(size_mul(2, SIZE_MAX, &out));
	assert_false(size_mul(SIZE_MAX / 3 + 1, 3, &out));
	assert_int_equal(out, 77);
	assert_true(size_add(SIZE_MAX, 0, &out));
	assert_true(out == SIZE_MAX);
	assert_true(size_add(0, SIZE_MAX, &out));
	assert_true(out == SIZE_MAX);
	assert_true(size_mul(SIZE_MAX / 3, 3, &out));
	assert_true(out == SIZE_MAX / 3 * 3);
	assert_true(size_mul(SIZE_MAX, 0, &out));
	assert_int_equal(out, 0);
	assert_true(size_mul(0, SIZE_MAX, &out));
	assert_int_equal(out, 0);
}

static void
trying_gives_null_when_there_is_too_little(void **state)
{
	volatile size_t too_much = SIZE_MAX / 2;
	uint8_t *p = mem_try_alloc(100);
	size_t i;

	(void)state;
	assert_non_null(p);
	for (i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	mem_free(p);
	p = mem_try_alloc(0);
	assert_non_null(p);
	mem_free(p);
	/* The sanitizer would end the process instead. */
#ifndef RM_SANITIZED
	p = mem_try_alloc(too_much);
	assert_null(p);
#endif
	(void)too_much;
}

/* KiB of files that are mapped and in memory. */
static long
resident_files(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	assert_non_null(f);
	while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "RssFile:", 8) == 0)
			kib = strtol(line + 8, NULL, 10);
	assert_int_equal(fclose(f), 0);
	assert_true(kib > 0);
	return kib;
}

/* Relocated when the program starts: not as it stands in the file. */
static const char *const relocated[] = { "first", "second" };
static int written = 1;

static void
settling_drops_code_and_loses_nothing_that_was_written(void **state)
{
	char *p = mem_strdup("on the heap");
	long before, after;

	(void)state;
	written = 2;
	before = resident_files();
	mem_settle();
	after = resident_files();
	assert_string_equal(relocated[0], "first");
	assert_string_equal(relocated[1], "second");
	assert_int_equal(written, 2);
	assert_string_equal(p, "on the heap");
	assert_true(after < before);
	mem_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    memory_comes_zeroed_even_when_it_was_used_before),
		cmocka_unit_test(nothing_is_a_valid_size),
		cmocka_unit_test(an_array_that_overflows_aborts),
		cmocka_unit_test(realloc_keeps_the_contents),
		cmocka_unit_test(copies_of_text_end_where_told),
		cmocka_unit_test(wiping_overwrites_just_its_bytes),
		cmocka_unit_test(
		    sizes_that_overflow_are_refused_and_leave_the_result),
		cmocka_unit_test(trying_gives_null_when_there_is_too_little),
		cmocka_unit_test(
		    settling_drops_code_and_loses_nothing_that_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
