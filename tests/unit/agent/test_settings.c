/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "agent/settings.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"

static int
clear_environment(void **state)
{
	const struct conf_key *keys;
	size_t i, n;

	keys = settings_keys(&n);
	for (i = 0; i < n; i++)
		if (keys[i].env != NULL)
			assert_int_equal(unsetenv(keys[i].env), 0);
	assert_int_equal(unsetenv("RM_AGENT_CONFIG"), 0);
	return unit_folder_make(state);
}

static const char *
file_in(const char *dir)
{
	static char path[256];

	assert_true(str_fmt(path, sizeof(path), "%s/sub/agent.yaml", dir));
	return path;
}

static void
what_is_saved_is_loaded(void **state)
{
	const char *path = file_in(*state);
	struct settings s, t;
	struct stat st;
	struct buf b;

	assert_rc(settings_load(&s, path, NULL), RC_OK);
	assert_string_equal(s.state_dir, "/var/lib/restic-manager-agent");
	assert_string_equal(s.queue_dir, "/var/lib/restic-manager-agent/queue");
	assert_string_equal(s.jobs_dir, "/var/lib/restic-manager-agent/jobs");
	assert_string_equal(s.secrets_file,
	    "/var/lib/restic-manager-agent/secrets.enc");
	assert_int_equal(s.queue_max_bytes, 268435456);
	assert_null(s.host_id);
	settings_set(&s.server, "https://backup.example:8443");
	settings_set(&s.host_id, "01JD0000000000000000000000");
	settings_set(&s.agent_token, "bearer: with # odd \"characters\" \\");
	settings_set(&s.restic_path, "/opt/restic \xc3\xa4");
	settings_set(&s.secrets_path, "/elsewhere/secrets");
	assert_rc(settings_save(&s, NULL), RC_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_rc(settings_load(&t, path, NULL), RC_OK);
	assert_string_equal(t.server, s.server);
	assert_string_equal(t.host_id, s.host_id);
	assert_string_equal(t.agent_token, s.agent_token);
	assert_string_equal(t.restic_path, s.restic_path);
	assert_string_equal(t.secrets_file, "/elsewhere/secrets");
	assert_null(t.enrol_id);
	/* M-110: installers look for it at the start of a line. */
	buf_init(&b, KIB(64));
	assert_rc(fsio_read(path, &b, NULL), RC_OK);
	assert_true(str_contains(buf_str(&b), STR("\nagent_token: ")));
	buf_fini(&b);
	settings_free(&s);
	settings_free(&t);
}

static void
a_file_that_others_may_read_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0666, 0601 };
	const char *path = file_in(*state);
	struct settings s;
	struct err e = { 0 };
	size_t i;

	assert_rc(settings_load(&s, path, NULL), RC_OK);
	assert_rc(settings_save(&s, NULL), RC_OK);
	settings_free(&s);
	for (i = 0; i < ARRAY_LEN(modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_rc(settings_load(&s, path, &e), RC_DENIED);
		assert_true(str_contains(str_of(e.msg), STR("chmod 600")));
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_rc(settings_load(&s, path, &e), RC_OK);
	settings_free(&s);
}

static void
mistakes_name_file_and_key(void **state)
{
	static const char *const texts[] = {
		"no_such_key: 1\n",
		"host_id: short\n",
		"queue_max_bytes: 1K\n",
		"server: [a, b]\n",
		"server: a\nserver: b\n",
		"secrets_key: too-short\n",
	};
	const char *path = file_in(*state);
	struct settings s;
	struct err e = { 0 };
	char dir[256];
	size_t i;

	assert_true(str_fmt(dir, sizeof(dir), "%s/sub", (char *)*state));
	assert_rc(fsio_mkdirs(dir, 0700, NULL), RC_OK);
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_rc(fsio_replace(path, str_of(texts[i]), 0600, NULL),
		    RC_OK);
		assert_int_not_equal(settings_load(&s, path, &e), RC_OK);
		assert_true(str_contains(str_of(e.msg), str_of(path)));
		/* A secret is never quoted. */
		assert_false(str_contains(str_of(e.msg), STR("too-short")));
	}
}

static void
environment_wins_and_names_the_file(void **state)
{
	const char *path = file_in(*state);
	struct settings s;

	assert_rc(settings_load(&s, path, NULL), RC_OK);
	settings_set(&s.log_level, "warn");
	assert_rc(settings_save(&s, NULL), RC_OK);
	settings_free(&s);
	assert_int_equal(setenv("RM_AGENT_CONFIG", path, 1), 0);
	assert_int_equal(setenv("RM_STATE_DIR", "/srv/agent", 1), 0);
	assert_rc(settings_load(&s, NULL, NULL), RC_OK);
	assert_int_equal(unsetenv("RM_AGENT_CONFIG"), 0);
	assert_int_equal(unsetenv("RM_STATE_DIR"), 0);
	assert_string_equal(s.path, path);
	assert_string_equal(s.log_level, "warn");
	assert_string_equal(s.queue_dir, "/srv/agent/queue");
	settings_free(&s);
}

/* M-112 */
static void
a_key_is_made_once_and_never_for_old_secrets(void **state)
{
	const char *path = file_in(*state);
	struct settings s, t;
	struct err e = { 0 };
	char secrets[256];

	assert_true(
	    str_fmt(secrets, sizeof(secrets), "%s/sealed", (char *)*state));
	assert_rc(settings_load(&s, path, NULL), RC_OK);
	settings_set(&s.secrets_file, secrets);
	assert_rc(settings_mint_key(&s, &e), RC_OK);
	assert_rc(settings_load(&t, path, NULL), RC_OK);
	assert_int_equal(strlen(t.secrets_key), 44);
	assert_string_equal(t.secrets_key, s.secrets_key);
	assert_rc(settings_mint_key(&t, &e), RC_OK);
	assert_string_equal(t.secrets_key, s.secrets_key);
	assert_rc(fsio_replace(secrets, STR("sealed"), 0600, NULL), RC_OK);
	settings_set(&s.secrets_key, NULL);
	assert_rc(settings_mint_key(&s, &e), RC_CORRUPT);
	assert_null(s.secrets_key);
	settings_free(&s);
	settings_free(&t);
}

/* ------------------------------------------ the sample and the man pages */

static void
text_of(const char *path, struct buf *out)
{
	buf_init(out, MIB(1));
	assert_rc(fsio_read(path, out, NULL), RC_OK);
}

static void
no_secret_goes_over_the_network_in_the_clear(void **state)
{
	static const char *const good[] = { "https://backup.example.org",
		"https://192.0.2.1:8443", "http://127.0.0.1:8080",
		"http://localhost:8080", "http://[::1]:8080" };
	static const char *const bad[] = { "http://backup.example.org",
		"http://192.0.2.1:8443", "http://127.0.0.1.example.org",
		"ftp://backup.example.org", "" };
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(settings_server_ok(good[i], &e), RC_OK);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(settings_server_ok(bad[i], &e), RC_INVALID);
	assert_rc(settings_server_ok(bad[0], &e), RC_INVALID);
	assert_string_equal(e.msg,
	    "http://backup.example.org: without TLS everybody on the way "
	    "could read the token and the repository's password. Use "
	    "https://");
}

static void
the_sample_is_the_table(void **state)
{
	const struct conf_key *keys;
	struct buf b, want;
	size_t n;

	(void)state;
	keys = settings_keys(&n);
	buf_init(&want, MIB(1));
	conf_sample(keys, n, &want);
	text_of("etc/agent.yaml", &b);
	if (!str_eq(buf_str(&b), buf_str(&want)))
		print_error("etc/agent.yaml should be:\n%s", buf_text(&want));
	assert_true(str_eq(buf_str(&b), buf_str(&want)));
	buf_fini(&b);
	buf_fini(&want);
}

static void
the_man_page_has_every_key(void **state)
{
	const struct conf_key *keys;
	char item[128];
	struct buf b;
	size_t i, n, items = 0;
	struct str rest, line;

	(void)state;
	keys = settings_keys(&n);
	text_of("docs/man/agent.yaml.5", &b);
	for (i = 0; i < n; i++) {
		if (keys[i].env != NULL)
			assert_true(str_fmt(item, sizeof(item),
			    ".It Cm %s Pq Ev %s\n", keys[i].name, keys[i].env));
		else
			assert_true(str_fmt(item, sizeof(item), ".It Cm %s\n",
			    keys[i].name));
		if (!str_contains(buf_str(&b), str_of(item)))
			print_error("missing in agent.yaml.5: %s", item);
		assert_true(str_contains(buf_str(&b), str_of(item)));
	}
	rest = buf_str(&b);
	while (str_next(&rest, '\n', &line))
		items += str_starts(line, STR(".It Cm ")) ? 1 : 0;
	assert_int_equal(items, n);
	buf_fini(&b);
}

/* main.c's table of options is where they are. */
static void
the_man_page_has_every_option(void **state)
{
	struct str rest, line, name, tail;
	struct buf man, code;
	char item[128];
	size_t n = 0;

	(void)state;
	text_of("docs/man/restic-manager-agent.8", &man);
	text_of("agent/main.c", &code);
	rest = buf_str(&code);
	while (str_next(&rest, '\n', &line)) {
		line = str_trim(line);
		if (!str_starts(line, STR("{ \"")) ||
		    !str_contains(line, STR("_argument, NULL, ")))
			continue;
		assert_true(
		    str_cut(str_sub(line, 3, line.n), '"', &name, &tail));
		assert_true(
		    str_fmt(item, sizeof(item), ".It Fl %.*s", STR_ARG(name)));
		if (!str_contains(buf_str(&man), str_of(item)))
			print_error("missing in the man page: %s\n", item);
		assert_true(str_contains(buf_str(&man), str_of(item)));
		n++;
	}
	assert_true(n >= 7); /* or this finds none any more */
	buf_fini(&man);
	buf_fini(&code);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_saved_is_loaded,
		    clear_environment, unit_folder_remove),
		cmocka_unit_test_setup_teardown(
		    a_file_that_others_may_read_is_refused, clear_environment,
		    unit_folder_remove),
		cmocka_unit_test_setup_teardown(mistakes_name_file_and_key,
		    clear_environment, unit_folder_remove),
		cmocka_unit_test_setup_teardown(
		    environment_wins_and_names_the_file, clear_environment,
		    unit_folder_remove),
		cmocka_unit_test(no_secret_goes_over_the_network_in_the_clear),
		cmocka_unit_test_setup_teardown(
		    a_key_is_made_once_and_never_for_old_secrets,
		    clear_environment, unit_folder_remove),
		cmocka_unit_test(the_sample_is_the_table),
		cmocka_unit_test(the_man_page_has_every_key),
		cmocka_unit_test(the_man_page_has_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
