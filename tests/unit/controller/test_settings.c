/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/read_file.h"

#include "controller/settings.h"
#include "lib/base/buf.h"

/* Nothing of the machine's own environment may count. */
static int
clear_environment(void **state)
{
	size_t i, n;
	const struct conf_key *keys = settings_keys(&n);

	for (i = 0; i < n; i++)
		assert_int_equal(unsetenv(keys[i].env), 0);
	return unit_folder_make(state);
}

static enum rc
load_with(const char *env, const char *value, struct settings *out,
    struct err *e)
{
	enum rc rc;

	assert_int_equal(setenv(env, value, 1), 0);
	rc = settings_load(out, NULL, false, e);
	assert_int_equal(unsetenv(env), 0);
	return rc;
}

/* M-371 to M-375, M-377 */
static void
defaults_follow_the_contract(void **state)
{
	struct settings s;
	struct err e;

	(void)state;
	assert_rc(settings_load(&s, NULL, false, &e), RC_OK);
	assert_string_equal(s.listen, ":8443");
	assert_string_equal(s.data_dir, "/var/lib/restic-manager");
	assert_string_equal(s.secret_key_file,
	    "/var/lib/restic-manager/secret.key");
	assert_string_equal(s.runtime_dir, "/var/lib/restic-manager/run");
	assert_string_equal(s.state_dir, "/var/lib/restic-manager/db/state");
	assert_string_equal(s.assets_dir, "/opt/restic-manager/dist");
	assert_true(s.cookie_secure);
	assert_int_equal(s.log_retention_days, 90);
	assert_int_equal(s.log_max_bytes, (int64_t)20 << 30);
	assert_null(s.listen_plain);
	assert_null(s.base_url);
	assert_null(s.render);
	assert_int_equal(s.trusted_proxy_count, 0);
	settings_free(&s);
}

/* M-370 */
static void
environment_wins_over_the_file(void **state)
{
	char path[256];
	struct settings s;
	struct err e;
	FILE *f;

	assert_true(str_fmt(path, sizeof(path), "%s/c.yaml", (char *)*state));
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("listen: ':1'\nbase_url: http://file/\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(setenv("RM_LISTEN", ":2", 1), 0);
	assert_rc(settings_load(&s, path, true, &e), RC_OK);
	assert_int_equal(unsetenv("RM_LISTEN"), 0);
	assert_string_equal(s.listen, ":2");
	assert_string_equal(s.base_url, "http://file");
	settings_free(&s);
	assert_rc(settings_load(&s, "/nonexistent/c.yaml", true, &e),
	    RC_NOTFOUND);
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
bad_values_name_their_key(void **state)
{
	/* clang-format off */
	static const struct {
		const char *env, *value;
	} bad[] = {
		{ "RM_TRUSTED_PROXY", "10.0.0.0/33" },
		{ "RM_TRUSTED_PROXY", "10.0.0.0/8,nonsense" },
		{ "RM_TRUSTED_PROXY", "fe80::/129" },
		{ "RM_TRUSTED_PROXY", "10.0.0.0/" },
		{ "RM_METRICS_TRUSTED_CIDR", "10.0.0.0/8,all" },
		{ "RM_BASE_URL", "ftp://x" },
		{ "RM_BASE_URL", "https://" },
		{ "RM_BASE_URL", "https://x/\"><script>" },
		{ "RM_BASE_URL", "https://user@x" },
		{ "RM_BASE_URL", "https://x/console" },
		{ "RM_TIMEZONE", "Mars/Olympus" },
		{ "RM_LOG_LEVEL", "loud" },
		{ "RM_TLS_CERT", "/only/one" },
		{ "RM_LOG_RETENTION_DAYS", "0" },
		{ "RM_COOKIE_SECURE", "perhaps" },
	};
	/* clang-format on */
	struct settings s;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_rc(load_with(bad[i].env, bad[i].value, &s, &e),
		    RC_INVALID);
		assert_non_null(strstr(e.msg, bad[i].env));
	}
}

/* W-27, M-510: one line out of a file, which has to be there and to hold
 * something, and which is not the token itself. */
static void
the_metrics_token_may_come_from_a_file(void **state)
{
	static const char *const bad[] = { "", " \n" };
	char path[256];
	struct settings s;
	struct err e;
	size_t i;

	assert_true(str_fmt(path, sizeof(path), "%s/token", (char *)*state));
	assert_rc(load_with("RM_METRICS_TOKEN_FILE", path, &s, &e),
	    RC_NOTFOUND);
	assert_non_null(strstr(e.msg, "RM_METRICS_TOKEN_FILE"));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(path, bad[i]);
		assert_rc(load_with("RM_METRICS_TOKEN_FILE", path, &s, &e),
		    RC_INVALID);
	}
	write_file(path, "  s3cret-token \n");
	assert_rc(load_with("RM_METRICS_TOKEN_FILE", path, &s, &e), RC_OK);
	assert_string_equal(s.metrics_token, "s3cret-token");
	settings_free(&s);
	assert_int_equal(setenv("RM_METRICS_TOKEN", "other", 1), 0);
	assert_rc(load_with("RM_METRICS_TOKEN_FILE", path, &s, &e), RC_INVALID);
	assert_int_equal(unsetenv("RM_METRICS_TOKEN"), 0);
	assert_null(strstr(e.msg, "s3cret"));
}

static void
empty_values_mean_unset(void **state)
{
	struct settings s;
	struct err e;

	(void)state;
	assert_rc(load_with("RM_BASE_URL", "", &s, &e), RC_OK);
	assert_null(s.base_url);
	settings_free(&s);
}

/* M-376, M-463 */
static void
proxies_are_matched_by_network(void **state)
{
	/* clang-format off */
	static const struct {
		const char *peer;
		bool trusted;
	} peers[] = {
		{ "10.1.2.3", true }, { "::ffff:10.1.2.3", true },
		{ "11.0.0.1", false }, { "192.0.2.7", true },
		{ "192.0.2.8", false }, { "2001:db8:8000::1", true },
		{ "2001:db8::1", false }, { "fe80::1%eth0", true },
		{ "", false }, { "unix", false }, { "10.1.2.3.4", false },
	};
	/* clang-format on */
	struct settings s;
	struct err e;
	size_t i;

	(void)state;
	assert_rc(load_with("RM_TRUSTED_PROXY",
	              "10.0.0.0/8, 192.0.2.7,2001:db8:8000::/33,fe80::/10", &s,
	              &e),
	    RC_OK);
	assert_int_equal(s.trusted_proxy_count, 4);
	for (i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		assert_int_equal(settings_trusted(&s, peers[i].peer),
		    peers[i].trusted);
	settings_free(&s);
	assert_rc(load_with("RM_TRUSTED_PROXY", "0.0.0.0/0", &s, &e), RC_OK);
	assert_true(settings_trusted(&s, "203.0.113.9"));
	assert_false(settings_trusted(&s, "2001:db8::1"));
	settings_free(&s);
}

static void
every_key_is_in_the_sample_and_the_manual(void **state)
{
	struct buf sample, file, manual;
	const struct conf_key *keys;
	size_t i, n;

	(void)state;
	keys = settings_keys(&n);
	buf_init(&sample, 65536);
	conf_sample(keys, n, &sample);
	read_file("etc/controller.yaml", &file);
	read_file("docs/man/controller.yaml.5", &manual);
	assert_string_equal(buf_text(&file), buf_text(&sample));
	for (i = 0; i < n; i++) {
		assert_true(
		    str_contains(buf_str(&manual), str_of(keys[i].name)));
		assert_true(
		    str_contains(buf_str(&manual), str_of(keys[i].env)));
	}
	buf_fini(&sample);
	buf_fini(&file);
	buf_fini(&manual);
}

#define TEST(f)                                               \
	cmocka_unit_test_setup_teardown(f, clear_environment, \
	    unit_folder_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_follow_the_contract),
		TEST(environment_wins_over_the_file),
		TEST(bad_values_name_their_key),
		TEST(the_metrics_token_may_come_from_a_file),
		TEST(empty_values_mean_unset),
		TEST(proxies_are_matched_by_network),
		TEST(every_key_is_in_the_sample_and_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
