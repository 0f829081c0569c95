/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/ulid.h"

static int
real_clock(void **state)
{
	(void)state;
	clock_fake(-1, 0);
	return 0;
}

static void
known_texts_and_bytes_agree(void **state)
{
	static const struct {
		const char *text;
		struct ulid id;
	} rows[] = {
		{ "00000000000000000000000000", { { 0 } } },
		{ "00000000000000000000000001", { { [15] = 1 } } },
		{ "0000000000000000000000000Z", { { [15] = 31 } } },
		{ "00000000000000000000000010", { { [15] = 32 } } },
		{ "00000000010000000000000000", { { [5] = 1 } } },
		{ "40000000000000000000000000", { { 0x80 } } },
		{ "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
		    { { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		        255, 255, 255, 255, 255 } } },
	};
	char text[ULID_TEXT_CAP];
	struct ulid id;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ulid_text(&rows[i].id, text);
		assert_string_equal(text, rows[i].text);
		assert_true(ulid_parse(str_of(text), &id));
		assert_true(ulid_eq(&id, &rows[i].id));
	}
	/* From the specification's own example. */
	assert_true(ulid_parse(STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"), &id));
	assert_int_equal(ulid_time_ms(&id), INT64_C(1469922850259));
	assert_true(ulid_parse(STR("01arz3ndektsv4rrffq69g5fav"), &id));
	ulid_text(&id, text);
	assert_string_equal(text, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

static void
every_value_survives_its_text(void **state)
{
	char text[ULID_TEXT_CAP];
	struct ulid a, b;
	size_t i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		crypt_random(a.b, sizeof(a.b));
		ulid_text(&a, text);
		assert_true(ulid_parse(str_of(text), &b));
		assert_true(ulid_eq(&a, &b));
	}
}

static void
anything_else_is_refused_and_leaves_the_result(void **state)
{
	static const char *const bad[] = { "", "0", "0000000000000000000000000",
		"000000000000000000000000000", "80000000000000000000000000",
		"Z0000000000000000000000000", ":0000000000000000000000000",
		"0000000000000000000000000I", "0000000000000000000000000L",
		"0000000000000000000000000O", "0000000000000000000000000U",
		"0000000000000000000000000u", "000000000000000000000000-0",
		" 0000000000000000000000000", "0000000000000000000000000\xc3" };
	struct ulid id = { { 42 } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (ulid_parse(str_of(bad[i]), &id))
			fail_msg("accepted \"%s\"", bad[i]);
	assert_false(ulid_parse(STR("0000000000000000000000000\0"), &id));
	assert_false(ulid_parse(str_of(NULL), &id));
	assert_int_equal(id.b[0], 42);
}

static void
an_id_carries_its_time(void **state)
{
	struct ulid id;

	(void)state;
	clock_fake(INT64_C(1795207391123), 0);
	ulid_new(&id);
	assert_int_equal(ulid_time_ms(&id), INT64_C(1795207391123));
	clock_fake((INT64_C(1) << 48) - 1, 0);
	ulid_new(&id);
	assert_int_equal(ulid_time_ms(&id), (INT64_C(1) << 48) - 1);
	assert_false(ulid_is_zero(&id));
	assert_true(ulid_is_zero(&(struct ulid){ { 0 } }));
}

static void
text_order_is_the_order_of_making_within_a_millisecond(void **state)
{
	char last[ULID_TEXT_CAP] = "", text[ULID_TEXT_CAP];
	struct ulid id;
	size_t i;

	(void)state;
	clock_fake(INT64_C(1795207391123), 0);
	for (i = 0; i < 100000; i++) {
		ulid_new(&id);
		assert_int_equal(ulid_time_ms(&id), INT64_C(1795207391123));
		ulid_text(&id, text);
		assert_true(strcmp(last, text) < 0);
		memcpy(last, text, sizeof(last));
	}
}

static void
a_clock_set_back_gives_new_ids_of_the_time_it_shows(void **state)
{
	struct ulid a, b, c;

	(void)state;
	clock_fake(5000, 0);
	ulid_new(&a);
	clock_fake(4000, 0);
	ulid_new(&b);
	assert_int_equal(ulid_time_ms(&b), 4000);
	clock_fake(5000, 0);
	ulid_new(&c);
	assert_int_equal(ulid_time_ms(&c), 5000);
	assert_false(ulid_eq(&a, &c));
}

enum {
	THREADS = 4,
	IDS = 20000
};
static struct ulid made[THREADS][IDS];

static void *
make_ids(void *arg)
{
	struct ulid *ids = arg;
	size_t i;

	for (i = 0; i < IDS; i++)
		ulid_new(&ids[i]);
	return NULL;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ulid));
}

static void
threads_never_make_the_same_id(void **state)
{
	pthread_t threads[THREADS];
	struct ulid *all = &made[0][0];
	size_t i, k;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_ids,
		                     made[i]),
		    0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < THREADS; i++)
		for (k = 1; k < IDS; k++)
			if (ulid_time_ms(&made[i][k]) ==
			    ulid_time_ms(&made[i][k - 1]))
				assert_true(compare_ids(&made[i][k],
				                &made[i][k - 1]) > 0);
	qsort(all, THREADS * IDS, sizeof(*all), compare_ids);
	for (i = 1; i < THREADS * IDS; i++)
		assert_false(ulid_eq(&all[i], &all[i - 1]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_and_bytes_agree),
		cmocka_unit_test(every_value_survives_its_text),
		cmocka_unit_test(
		    anything_else_is_refused_and_leaves_the_result),
		cmocka_unit_test_teardown(an_id_carries_its_time, real_clock),
		cmocka_unit_test_teardown(
		    text_order_is_the_order_of_making_within_a_millisecond,
		    real_clock),
		cmocka_unit_test_teardown(
		    a_clock_set_back_gives_new_ids_of_the_time_it_shows,
		    real_clock),
		cmocka_unit_test(threads_never_make_the_same_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
