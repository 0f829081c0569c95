/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/time_help.h"
#include "tests/unit/unit.h"

#include "controller/bucket.h"
#include "lib/base/crypt.h"

enum {
	PER_MINUTE = 10,
	TOKEN_MS = 6000
};

static int
setup(void **state)
{
	assert_rc(crypt_init(NULL), RC_OK);
	time_stop(1000000);
	*state = buckets_new(PER_MINUTE);
	return 0;
}

static int
teardown(void **state)
{
	buckets_free(*state);
	time_run();
	return 0;
}

static void
empty(struct buckets *b, const char *address)
{
	int i;

	for (i = 0; i < PER_MINUTE; i++)
		assert_int_equal(buckets_take(b, address), 0);
}

/* M-086 */
static void
the_eleventh_at_once_waits_for_a_token(void **state)
{
	struct buckets *b = *state;

	empty(b, "192.0.2.1");
	assert_int_equal(buckets_take(b, "192.0.2.1"), 6);
	pass(TOKEN_MS - 1);
	assert_int_equal(buckets_take(b, "192.0.2.1"), 1);
	pass(1);
	assert_int_equal(buckets_take(b, "192.0.2.1"), 0);
	assert_int_not_equal(buckets_take(b, "192.0.2.1"), 0);
}

static void
a_minute_fills_it_and_no_more_than_that(void **state)
{
	struct buckets *b = *state;

	empty(b, "192.0.2.1");
	pass(600000);
	empty(b, "192.0.2.1");
	assert_int_not_equal(buckets_take(b, "192.0.2.1"), 0);
}

static void
each_address_has_its_own(void **state)
{
	struct buckets *b = *state;

	empty(b, "192.0.2.1");
	assert_int_equal(buckets_take(b, "192.0.2.2"), 0);
	empty(b, "2001:db8::1");
	/* A /64 is one customer's. */
	assert_int_not_equal(buckets_take(b, "2001:db8::2"), 0);
	assert_int_equal(buckets_take(b, "2001:db8:0:1::1"), 0);
}

static void
full_ones_are_forgotten_and_there_is_a_limit(void **state)
{
	struct buckets *b = *state;
	char address[32];
	unsigned i;

	empty(b, "192.0.2.1");
	for (i = 0; i < BUCKET_ENTRIES_MAX + 10; i++) {
		assert_true(str_fmt(address, sizeof(address), "10.%u.%u.%u",
		    i >> 16, i >> 8 & 255, i & 255));
		assert_int_equal(buckets_take(b, address), 0);
	}
	assert_int_equal(buckets_count(b), BUCKET_ENTRIES_MAX);
	/* The emptiest one is not what makes room. */
	assert_int_not_equal(buckets_take(b, "192.0.2.1"), 0);
	pass(TOKEN_MS);
	buckets_tick(b);
	assert_int_equal(buckets_count(b), 1);
	pass(60000);
	buckets_tick(b);
	assert_int_equal(buckets_count(b), 0);
}

#define bucket_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bucket_test(the_eleventh_at_once_waits_for_a_token),
		bucket_test(a_minute_fills_it_and_no_more_than_that),
		bucket_test(each_address_has_its_own),
		bucket_test(full_ones_are_forgotten_and_there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
