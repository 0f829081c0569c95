/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/repo_env.h"

static enum rc
check(const char *url, const char *name, const char *value, struct err *e)
{
	return repo_env_check(str_of(url), str_of(name), str_of(value), e);
}

static void
a_url_tells_its_back_end(void **state)
{
	static const struct {
		const char *url;
		enum repo_backend backend;
	} rows[] = {
		{ "/srv/repo", REPO_LOCAL }, { "local:/srv/repo", REPO_LOCAL },
		{ "relative", REPO_LOCAL }, { "", REPO_LOCAL },
		{ "s3:https://s3.example/bucket", REPO_S3 },
		{ "b2:bucket:path", REPO_B2 },
		{ "azure:container:/", REPO_AZURE },
		{ "gs:bucket:/", REPO_GCS },
		{ "sftp:user@host:/srv", REPO_SFTP },
		{ "rest:https://host:8000/x/", REPO_REST },
		{ "swift:container:/path", REPO_SWIFT },
		{ "rclone:remote:path", REPO_RCLONE },
		{ "S3:bucket", REPO_LOCAL }, /* as restic sees it */
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(repo_env_backend(str_of(rows[i].url)),
		    rows[i].backend);
	for (i = 0; i < REPO_BACKEND_COUNT; i++)
		assert_true(
		    strlen(repo_env_backend_name((enum repo_backend)i)) > 0);
}

static void
every_row_is_found_and_whole(void **state)
{
	const struct repo_env *v;
	size_t i, k;

	(void)state;
	for (i = 0; (v = repo_env_at(i)) != NULL; i++) {
		assert_ptr_equal(repo_env_find(str_of(v->name)), v);
		assert_true(strlen(v->name) <= REPO_ENV_NAME_MAX);
		assert_true(v->backends != 0);
		assert_true(v->backends < 1U << REPO_BACKEND_COUNT);
		assert_true(strlen(v->what) > 0);
		for (k = 0; repo_env_at(k) != v; k++)
			assert_string_not_equal(v->name, repo_env_at(k)->name);
	}
	assert_true(i > 40);
	assert_null(repo_env_at(i + 1));
}

/* Each of them would run a program, or have a file on the host believed. */
static void
what_runs_programs_is_not_in_it(void **state)
{
	static const char *const names[] = { "RESTIC_PASSWORD_COMMAND",
		"RESTIC_REPOSITORY", "RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE",
		"RESTIC_FROM_PASSWORD_COMMAND", "LD_PRELOAD", "PATH", "HOME",
		"AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
		"RCLONE_CONFIG", "RCLONE_PASSWORD_COMMAND",
		"RCLONE_CONFIG_X_SSH", "SSH_AUTH_SOCK", "GODEBUG", "",
		"aws_access_key_id", "AWS_ACCESS_KEY_ID " };
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		assert_null(repo_env_find(str_of(names[i])));
		assert_rc(check("s3:bucket", names[i], "x", &e), RC_INVALID);
	}
}

static void
values_are_checked(void **state)
{
	char *text = mem_alloc(REPO_ENV_FILE_MAX + 2);
	struct err e = { 0 };

	(void)state;
	assert_rc(check("s3:b", "AWS_SECRET_ACCESS_KEY", "canary", &e), RC_OK);
	assert_rc(check("gs:b:/", "GOOGLE_APPLICATION_CREDENTIALS",
	              "{\n\t\"type\": \"x\"\r\n}\n", &e),
	    RC_OK);
	assert_rc(check("b2:b", "AWS_SECRET_ACCESS_KEY", "canary", &e),
	    RC_INVALID);
	assert_string_equal(e.msg,
	    "AWS_SECRET_ACCESS_KEY is of no use with Backblaze B2");
	assert_rc(check("/srv", "RESTIC_CACERT", "x", &e), RC_INVALID);
	assert_rc(check("rest:https://h/", "RESTIC_CACERT", "x", &e), RC_OK);
	assert_rc(check("s3:b", "AWS_SECRET_ACCESS_KEY", "", &e), RC_INVALID);
	assert_rc(check("s3:b", "AWS_SECRET_ACCESS_KEY", "a\nb", &e),
	    RC_INVALID);
	assert_string_equal(e.msg,
	    "AWS_SECRET_ACCESS_KEY is not one line of text");
	assert_rc(check("s3:b", "AWS_SECRET_ACCESS_KEY", "\xff", &e),
	    RC_INVALID);
	assert_rc(repo_env_check(STR("s3:b"), STR("AWS_SECRET_ACCESS_KEY"),
	              STR("a\0b"), &e),
	    RC_INVALID);
	assert_rc(check("gs:b:/", "GOOGLE_APPLICATION_CREDENTIALS", "\x01", &e),
	    RC_INVALID);

	memset(text, 'x', REPO_ENV_FILE_MAX + 1);
	text[REPO_ENV_TEXT_MAX] = '\0';
	assert_rc(check("s3:b", "AWS_SECRET_ACCESS_KEY", text, &e), RC_OK);
	text[REPO_ENV_TEXT_MAX] = 'x';
	text[REPO_ENV_TEXT_MAX + 1] = '\0';
	assert_rc(check("s3:b", "AWS_SECRET_ACCESS_KEY", text, &e), RC_INVALID);
	assert_string_equal(e.msg,
	    "AWS_SECRET_ACCESS_KEY is longer than 4096 bytes");
	memset(text, 'x', REPO_ENV_FILE_MAX + 1);
	text[REPO_ENV_FILE_MAX + 1] = '\0';
	assert_rc(check("gs:b:/", "GOOGLE_APPLICATION_CREDENTIALS", text, &e),
	    RC_INVALID);
	text[REPO_ENV_FILE_MAX] = '\0';
	assert_rc(check("gs:b:/", "GOOGLE_APPLICATION_CREDENTIALS", text, &e),
	    RC_OK);
	mem_free(text);
}

static void
sftp_addresses_are_taken_apart(void **state)
{
	static const struct {
		const char *url, *user, *host;
		unsigned port;
	} good[] = {
		{ "sftp:joe@nas:/srv/r", "joe", "nas", 22 },
		{ "sftp:nas.example.org:srv", "", "nas.example.org", 22 },
		{ "sftp://joe@10.0.0.1:2222//srv", "joe", "10.0.0.1", 2222 },
		{ "sftp://nas//srv", "", "nas", 22 },
	};
	static const char *const bad[] = { "sftp:", "sftp:nas", "sftp::/srv",
		"sftp:@nas:/srv", "sftp:-oProxyCommand=id:/srv",
		"sftp:a b@nas:/srv", "sftp:a@b@nas:/srv", "sftp://nas:x//srv",
		"sftp://nas:99999//srv", "sftp:nas$(id):/srv", "sftp:n'as:/srv",
		"sftp://[::1]//srv", "rest:https://h/", "/srv" };
	struct repo_sftp r;
	struct err e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(repo_sftp_parse(str_of(good[i].url), &r));
		assert_str(r.user, good[i].user);
		assert_str(r.host, good[i].host);
		assert_int_equal(r.port, good[i].port);
		assert_rc(check(good[i].url, "RM_SFTP_KEY", "k\n", &e), RC_OK);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(repo_sftp_parse(str_of(bad[i]), &r));
		assert_rc(check(bad[i], "RM_SFTP_KEY", "k\n", &e), RC_INVALID);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_tells_its_back_end),
		cmocka_unit_test(every_row_is_found_and_whole),
		cmocka_unit_test(what_runs_programs_is_not_in_it),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(sftp_addresses_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
