/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/time_help.h"
#include "tests/unit/unit.h"

#include "controller/throttle.h"
#include "lib/base/crypt.h"

static const int64_t day_ms = 86400000;
static int
make(void **state)
{
	time_stop(1000 * day_ms);
	*state = throttle_new();
	return 0;
}

static int
destroy(void **state)
{
	throttle_free(*state);
	time_run();
	return 0;
}

/* W-01 */
static void
an_account_slows_down_after_five(void **state)
{
	struct throttle *t = *state;
	unsigned i, wait, last = 0;

	for (i = 0; i < THROTTLE_ACCOUNT_MAX; i++)
		assert_int_equal(throttle_begin(t, "ann", "192.0.2.1"), 0);
	for (i = 0; i < 6; i++) {
		wait = throttle_begin(t, "ann", "192.0.2.2");
		assert_true(wait > last);
		last = wait;
		pass((int64_t)wait * 1000 - 1);
		assert_int_equal(throttle_begin(t, "ann", "192.0.2.2"), 1);
		pass(1);
		assert_int_equal(throttle_begin(t, "ann", "192.0.2.2"), 0);
	}
	assert_int_equal(throttle_begin(t, "bob", "192.0.2.2"), 0);
}

static void
an_address_slows_down_after_twenty(void **state)
{
	struct throttle *t = *state;
	char name[16];
	unsigned i;

	for (i = 0; i < THROTTLE_ADDRESS_MAX; i++) {
		assert_true(str_fmt(name, sizeof(name), "u%u", i));
		assert_int_equal(throttle_begin(t, name, "192.0.2.1"), 0);
	}
	assert_true(throttle_begin(t, "new", "192.0.2.1") > 0);
	assert_int_equal(throttle_begin(t, "new", "192.0.2.9"), 0);
}

static void
one_ipv6_network_is_one_address(void **state)
{
	struct throttle *t = *state;
	char name[16], address[40];
	unsigned i;

	for (i = 0; i < THROTTLE_ADDRESS_MAX; i++) {
		assert_true(str_fmt(name, sizeof(name), "u%u", i));
		assert_true(
		    str_fmt(address, sizeof(address), "2001:db8::%x", i + 1));
		assert_int_equal(throttle_begin(t, name, address), 0);
	}
	assert_true(throttle_begin(t, "new", "2001:db8::ffff") > 0);
	assert_int_equal(throttle_begin(t, "new", "2001:db8:0:1::1"), 0);
}

static void
the_delay_is_bounded_and_nothing_is_locked(void **state)
{
	struct throttle *t = *state;
	unsigned i, wait = 0;

	for (i = 0; i < 40; i++) {
		wait = throttle_begin(t, "ann", "192.0.2.1");
		assert_true(wait <= THROTTLE_DELAY_MAX_S);
		pass((int64_t)wait * 1000);
		if (wait > 0)
			assert_int_equal(throttle_begin(t, "ann", "192.0.2.1"),
			    0);
	}
	throttle_succeeded(t, "ann", "192.0.2.1");
	assert_int_equal(throttle_begin(t, "ann", "192.0.2.2"), 0);
}

static void
a_quarter_of_an_hour_forgets(void **state)
{
	struct throttle *t = *state;
	unsigned i;

	for (i = 0; i < THROTTLE_ACCOUNT_MAX; i++)
		assert_int_equal(throttle_begin(t, "ann", "192.0.2.1"), 0);
	assert_true(throttle_begin(t, "ann", "192.0.2.1") > 0);
	pass(THROTTLE_WINDOW_MS);
	for (i = 0; i < THROTTLE_ACCOUNT_MAX; i++)
		assert_int_equal(throttle_begin(t, "ann", "192.0.2.1"), 0);
	assert_true(throttle_begin(t, "ann", "192.0.2.1") > 0);
	pass(THROTTLE_WINDOW_MS);
	throttle_tick(t);
	assert_int_equal(throttle_count(t), 0);
}

static void
strangers_do_not_keep_the_owner_out(void **state)
{
	struct throttle *t = *state;
	unsigned i;

	assert_int_equal(throttle_begin(t, "ann", "192.0.2.1"), 0);
	throttle_succeeded(t, "ann", "192.0.2.1");
	for (i = 0; i < THROTTLE_ACCOUNT_MAX; i++)
		assert_int_equal(throttle_begin(t, "ann", "203.0.113.5"), 0);
	assert_true(throttle_begin(t, "ann", "203.0.113.6") > 0);
	assert_int_equal(throttle_begin(t, "ann", "192.0.2.1"), 0);
	pass(31 * day_ms);
	throttle_tick(t);
	for (i = 0; i < THROTTLE_ACCOUNT_MAX; i++)
		assert_int_equal(throttle_begin(t, "ann", "203.0.113.5"), 0);
	assert_true(throttle_begin(t, "ann", "192.0.2.1") > 0);
}

static void
undecided_attempts_do_not_count(void **state)
{
	struct throttle *t = *state;
	unsigned i;

	for (i = 0; i < 50; i++) {
		assert_int_equal(throttle_begin(t, "ann", "192.0.2.1"), 0);
		throttle_undo(t, "ann", "192.0.2.1");
	}
	assert_int_equal(throttle_count(t), 0);
}

static void
the_table_stays_bounded(void **state)
{
	struct throttle *t = *state;
	char name[16];
	unsigned i;

	for (i = 0; i < THROTTLE_ENTRIES_MAX; i++) {
		assert_true(str_fmt(name, sizeof(name), "u%u", i));
		assert_int_equal(throttle_begin(t, name, name), 0);
	}
	assert_int_equal(throttle_count(t), THROTTLE_ENTRIES_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, destroy)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_account_slows_down_after_five),
		TEST(an_address_slows_down_after_twenty),
		TEST(one_ipv6_network_is_one_address),
		TEST(the_delay_is_bounded_and_nothing_is_locked),
		TEST(a_quarter_of_an_hour_forgets),
		TEST(strangers_do_not_keep_the_owner_out),
		TEST(undecided_attempts_do_not_count),
		TEST(the_table_stays_bounded),
	};
	struct err e;

	if (crypt_init(&e) != RC_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
