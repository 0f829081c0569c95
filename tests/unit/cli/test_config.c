/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "controller/cli/args.h"
#include "controller/cli/config.h"

#define PIN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char *const variables[] = { "RM_SERVER", "RM_API_TOKEN",
	"RM_SERVER_CERT_PIN_SHA256", "RM_CLI_CONFIG", "XDG_CONFIG_HOME" };

static int
begin(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(variables); i++)
		if (unsetenv(variables[i]) != 0)
			return -1;
	return unit_folder_make(state) != 0 || setenv("HOME", *state, 1) != 0;
}

static enum rc
load(struct config *c, struct err *e, const char *option, const char *value)
{
	char program[] = "restic-manager";
	char *argv[] = { program, (char *)(uintptr_t)option,
		(char *)(uintptr_t)value };
	struct args a;

	memset(e, 0, sizeof(*e));
	assert_rc(args_parse(option == NULL ? 1 : 3, argv, &a, e), RC_OK);
	return config_load(c, &a, e);
}

static void
write_file(const char *dir)
{
	struct config c = { 0 };
	struct err e = { 0 };

	assert_rc(load(&c, &e, NULL, NULL), RC_OK);
	config_use(&c, "https://one.example:8443");
	config_set(&c.pin, PIN);
	config_set(&c.token, "rmt_secret");
	config_set(&c.token_id, "01JD0000000000000000000000");
	assert_true(str_starts(str_of(c.path), str_of(dir)));
	assert_rc(config_save(&c, &e), RC_OK);
	config_free(&c);
}

static void
what_is_saved_is_loaded_and_private(void **state)
{
	struct config c = { 0 };
	struct stat st;
	struct err e;

	write_file(*state);
	assert_rc(load(&c, &e, NULL, NULL), RC_OK);
	assert_string_equal(c.server, "https://one.example:8443");
	assert_string_equal(c.pin, PIN);
	assert_string_equal(c.token, "rmt_secret");
	assert_true(
	    str_ends(str_of(c.path), STR("/.config/restic-manager/cli.yaml")));
	assert_int_equal(stat(c.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(c.path, 0640), 0);
	config_free(&c);
	assert_rc(load(&c, &e, NULL, NULL), RC_INVALID);
	assert_non_null(strstr(e.msg, "chmod 600"));
	assert_null(strstr(e.msg, "rmt_secret"));
}

/* A token is never sent to a server it was not made for. */
static void
another_server_gets_nothing_of_the_file(void **state)
{
	struct config c = { 0 };
	struct err e;

	write_file(*state);
	assert_rc(load(&c, &e, "--server", "https://two.example:8443"), RC_OK);
	assert_null(c.token);
	assert_null(c.token_id);
	assert_null(c.pin);
	config_free(&c);
	assert_rc(load(&c, &e, "--server", "https://one.example:9443"), RC_OK);
	assert_null(c.token);
	config_free(&c);
	assert_rc(load(&c, &e, "--server", "HTTPS://one.example"), RC_INVALID);
	assert_rc(load(&c, &e, "--server", "https://ONE.example:8443/"), RC_OK);
	assert_string_equal(c.token, "rmt_secret");
	config_free(&c);
	assert_int_equal(setenv("RM_SERVER", "https://two.example", 1), 0);
	assert_rc(load(&c, &e, NULL, NULL), RC_OK);
	assert_null(c.token);
	assert_string_equal(c.server, "https://two.example");
	config_free(&c);
}

static void
the_environment_wins_over_the_file_and_options_over_both(void **state)
{
	struct config c = { 0 };
	struct err e;

	write_file(*state);
	assert_int_equal(setenv("RM_API_TOKEN", "rmt_other", 1), 0);
	assert_rc(load(&c, &e, NULL, NULL), RC_OK);
	assert_string_equal(c.token, "rmt_other");
	assert_null(c.token_id);
	assert_true(c.from_environment);
	config_free(&c);
	assert_int_equal(setenv("RM_SERVER", "https://two.example", 1), 0);
	assert_rc(load(&c, &e, "--server", "https://three.example"), RC_OK);
	assert_string_equal(c.server, "https://three.example");
	config_free(&c);
}

static void
what_cannot_be_meant_is_refused(void **state)
{
	struct config c = { 0 };
	struct err e;

	(void)state;
	assert_rc(load(&c, &e, "--server", "http://one.example"), RC_INVALID);
	assert_non_null(strstr(e.msg, "Use https://"));
	assert_rc(load(&c, &e, "--server", "http://127.0.0.1:80"), RC_OK);
	config_free(&c);
	assert_rc(load(&c, &e, "--server", "https://u:p@one.example"),
	    RC_INVALID);
	assert_rc(load(&c, &e, "--pin", "abc"), RC_INVALID);
	assert_int_equal(setenv("RM_API_TOKEN", "rmt_x\r\nX-Odd: 1", 1), 0);
	assert_rc(load(&c, &e, NULL, NULL), RC_INVALID);
	assert_non_null(strstr(e.msg, "RM_API_TOKEN"));
	assert_null(strstr(e.msg, "Odd"));
	assert_int_equal(unsetenv("RM_API_TOKEN"), 0);
	assert_int_equal(unsetenv("HOME"), 0);
	assert_rc(load(&c, &e, NULL, NULL), RC_INVALID);
}

int
main(void)
{
#define IN_HOME(f) cmocka_unit_test_setup_teardown(f, begin, unit_folder_remove)
	const struct CMUnitTest tests[] = {
		IN_HOME(what_is_saved_is_loaded_and_private),
		IN_HOME(another_server_gets_nothing_of_the_file),
		IN_HOME(
		    the_environment_wins_over_the_file_and_options_over_both),
		IN_HOME(what_cannot_be_meant_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
