/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/spread.h"

#include "tests/unit/unit.h"

static struct ulid
host_n(uint32_t n)
{
	struct ulid id = { { 0 } };

	id.b[14] = (uint8_t)(n >> 8);
	id.b[15] = (uint8_t)n;
	return id;
}

/* 5,000 hosts in an hour's window: the worst minute is near the mean. */
static void
a_fleet_is_spread_evenly_over_the_window(void **state)
{
	const struct ulid thing = { { 7 } };
	unsigned minutes[60] = { 0 }, worst = 0;
	struct ulid host;
	uint32_t n;
	int64_t ms;

	(void)state;
	for (n = 0; n < 5000; n++) {
		host = host_n(n);
		ms = spread_ms(&host, &thing, 3600);
		assert_true(ms >= 0 && ms < 3600000);
		if (++minutes[ms / 60000] > worst)
			worst = minutes[ms / 60000];
	}
	assert_true(worst < 5000 / 60 * 3 / 2);
}

static void
one_host_waits_the_same_time_each_day(void **state)
{
	const struct ulid a = { { 1 } }, b = { { 2 } }, host = { { 3 } };

	(void)state;
	assert_int_equal(spread_ms(&host, &a, 3600),
	    spread_ms(&host, &a, 3600));
	assert_int_not_equal(spread_ms(&host, &a, 3600),
	    spread_ms(&host, &b, 3600));
	assert_int_equal(spread_ms(&host, &a, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fleet_is_spread_evenly_over_the_window),
		cmocka_unit_test(one_host_waits_the_same_time_each_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
