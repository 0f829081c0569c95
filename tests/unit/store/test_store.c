/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/store.h"

#include "tests/unit/store/store_fixture.h"

static void
a_change_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;
	struct ulid id;

	fixture_host(f, "web-1", &id);
	fixture_reopen(f);
	assert_int_equal(fixture_hosts(f), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_change_is_there_after_reopening, fixture_setup,
		    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
