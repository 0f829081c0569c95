/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "render/settings.h"

static const char *const names[] = { "RM_DATA_DIR", "RM_RUNTIME_DIR",
	"RM_BUNDLED_ASSETS_DIR", "RM_TIMEZONE", "RM_LOG_LEVEL",
	"RM_SANDBOX_KILL", "RM_DIE_WITH_PARENT", NULL };

static int
clear(void **state)
{
	const char *const *n;

	(void)state;
	for (n = names; *n != NULL; n++)
		unsetenv(*n);
	return 0;
}

static void
the_defaults_are_the_controllers(void **state)
{
	struct settings s;
	struct err e = { .rc = RC_OK };

	(void)state;
	assert_rc(settings_load(&s, &e), RC_OK);
	assert_string_equal(s.data_dir, "/var/lib/restic-manager");
	assert_string_equal(s.runtime_dir, "/var/lib/restic-manager/run");
	assert_string_equal(s.timezone, "UTC");
	assert_int_equal(s.log_level, LOG_INFO);
	assert_false(s.sandbox_kill);
	assert_int_equal(s.parent, 0);
	settings_free(&s);
}

static void
the_environment_wins(void **state)
{
	struct settings s;
	struct err e = { .rc = RC_OK };

	(void)state;
	setenv("RM_DATA_DIR", "/tmp/x", 1);
	setenv("RM_RUNTIME_DIR", "/tmp/y", 1);
	setenv("RM_TIMEZONE", "Europe/Berlin", 1);
	setenv("RM_SANDBOX_KILL", "yes", 1);
	assert_rc(settings_load(&s, &e), RC_OK);
	assert_string_equal(s.data_dir, "/tmp/x");
	assert_string_equal(s.runtime_dir, "/tmp/y");
	assert_true(s.sandbox_kill);
	settings_free(&s);
}

static void
values_that_cannot_be_are_refused_by_name(void **state)
{
	static const char *const rows[][2] = {
		{ "RM_TIMEZONE", "Mars/Olympus" },
		{ "RM_LOG_LEVEL", "loud" },
		{ "RM_SANDBOX_KILL", "perhaps" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct settings s;
		struct err e = { .rc = RC_OK };

		clear(state);
		setenv(rows[i][0], rows[i][1], 1);
		assert_rc(settings_load(&s, &e), RC_INVALID);
		assert_non_null(strstr(e.msg, rows[i][0]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_defaults_are_the_controllers, clear),
		cmocka_unit_test_setup(the_environment_wins, clear),
		cmocka_unit_test_setup(
		    values_that_cannot_be_are_refused_by_name, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
