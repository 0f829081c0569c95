/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "agent/secrets.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "proto/agent.pb-c.h"

#define PASSWORD "canary-password-1"

static const uint8_t key[CRYPT_KEY_SIZE] = { 1, 2, 3 };
static const uint8_t other[CRYPT_KEY_SIZE] = { 1, 2, 4 };

static const char *
file_in(const char *dir)
{
	static char path[256];

	assert_true(str_fmt(path, sizeof(path), "%s/secrets.enc", dir));
	return path;
}

static void
load(const char *path, struct buf *out)
{
	buf_init(out, KIB(64));
	assert_rc(fsio_read(path, out, NULL), RC_OK);
}

static void
put(struct secrets *s, enum secrets_slot slot, const char *password,
    uint64_t version)
{
	struct secrets_config config = { version, 100, 200 };
	struct secrets_repo repo = { 0 };

	secret_set(&repo.url, STR("rest:https://backup/web-1"));
	secret_set(&repo.username, STR("web-1"));
	secret_set(&repo.password, str_of(password));
	assert_rc(secrets_put(s, slot, &repo, &config, NULL), RC_OK);
	secrets_repo_fini(&repo);
}

static void
check(struct secrets *s, enum secrets_slot slot, const char *password)
{
	struct secrets_repo repo;

	assert_rc(secrets_get(s, slot, &repo, NULL), RC_OK);
	assert_str(secret_str(&repo.url), "rest:https://backup/web-1");
	assert_str(secret_str(&repo.username), "web-1");
	assert_str(secret_str(&repo.password), password);
	secrets_repo_fini(&repo);
}

static void
slots_are_kept_apart_and_survive(void **state)
{
	const char *path = file_in(*state);
	struct secrets_repo repo;
	struct secrets *s;
	struct err e = { 0 };
	struct stat st;
	struct buf b;

	assert_rc(secrets_open(path, key, &s, NULL), RC_OK);
	assert_int_equal(secrets_config(s).version, 0);
	assert_rc(secrets_get(s, SECRETS_REPO, &repo, &e), RC_NOTFOUND);
	assert_string_equal(e.code, "no_credentials");
	put(s, SECRETS_REPO, PASSWORD, 7);
	/* M-111: no admin slot is an error of its own. */
	assert_rc(secrets_get(s, SECRETS_ADMIN, &repo, &e), RC_NOTFOUND);
	assert_string_equal(e.code, "no_admin_slot");
	put(s, SECRETS_ADMIN, "canary-admin", 8);
	assert_rc(secrets_told(s, &e), RC_OK);
	check(s, SECRETS_REPO, PASSWORD);
	check(s, SECRETS_ADMIN, "canary-admin");
	secrets_close(s);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	load(path, &b);
	assert_false(str_contains(buf_str(&b), STR("canary")));
	assert_false(str_contains(buf_str(&b), STR("web-1")));
	buf_fini(&b);
	assert_rc(secrets_open(path, key, &s, NULL), RC_OK);
	check(s, SECRETS_REPO, PASSWORD);
	assert_int_equal(secrets_config(s).version, 8);
	assert_int_equal(secrets_config(s).up_kbps, 100);
	assert_int_equal(secrets_config(s).down_kbps, 200);
	secrets_close(s);
}

/* */
static void
variables_are_kept_and_unknown_ones_left_out(void **state)
{
	const struct secrets_config config = { 3, 0, 0 };
	Wire__Variable v[3] = { WIRE__VARIABLE__INIT, WIRE__VARIABLE__INIT,
		WIRE__VARIABLE__INIT };
	Wire__Variable *all[] = { &v[0], &v[1], &v[2] };
	Wire__RepoSlot slot = WIRE__REPO_SLOT__INIT;
	const char *path = file_in(*state);
	struct secrets_repo repo;
	struct secrets *s;
	struct buf b;

	v[0].name = (char[]){ "AWS_ACCESS_KEY_ID" };
	v[0].value = (char[]){ "AKIA" };
	v[1].name = (char[]){ "RESTIC_PASSWORD_COMMAND" };
	v[1].value = (char[]){ "rm -rf /" };
	v[2].name = (char[]){ "AWS_SECRET_ACCESS_KEY" };
	v[2].value = (char[]){ "canary-key" };
	slot.url = (char[]){ "s3:s3.example/b" };
	slot.password = (char[]){ PASSWORD };
	slot.extra = all;
	slot.n_extra = 3;
	secrets_repo_from(&slot, &repo);
	assert_rc(secrets_open(path, key, &s, NULL), RC_OK);
	assert_rc(secrets_put(s, SECRETS_REPO, &repo, &config, NULL), RC_OK);
	secrets_repo_fini(&repo);
	assert_int_equal(repo.n_extra, 0);
	secrets_close(s);
	load(path, &b);
	assert_false(str_contains(buf_str(&b), STR("AKIA")));
	buf_fini(&b);
	assert_rc(secrets_open(path, key, &s, NULL), RC_OK);
	assert_rc(secrets_get(s, SECRETS_REPO, &repo, NULL), RC_OK);
	assert_int_equal(repo.n_extra, 2);
	assert_string_equal(repo.extra[0].what->name, "AWS_ACCESS_KEY_ID");
	assert_str(secret_str(&repo.extra[1].value), "canary-key");
	secrets_repo_fini(&repo);
	put(s, SECRETS_REPO, PASSWORD, 4);
	check(s, SECRETS_REPO, PASSWORD);
	secrets_close(s);
}

/* Credentials of a command take the host's, but not another's login. */
static void
variables_are_taken_over_without_a_foreign_login(void **state)
{
	struct secrets_repo host = { 0 }, admin = { 0 };

	(void)state;
	host.extra[0].what = repo_env_find(STR("RESTIC_CACERT"));
	host.extra[1].what = repo_env_find(STR("RESTIC_REST_PASSWORD"));
	secret_set(&host.extra[0].value, STR("PEM"));
	secret_set(&host.extra[1].value, STR("canary"));
	host.n_extra = 2;
	secret_set(&admin.username, STR("boss"));
	secrets_take_extra(&admin, &host);
	assert_int_equal(host.n_extra, 0);
	assert_int_equal(admin.n_extra, 1);
	assert_str(secret_str(&admin.extra[0].value), "PEM");
	secrets_repo_fini(&admin);
	secrets_repo_fini(&host);
}

static void
a_slot_can_be_emptied(void **state)
{
	const struct secrets_config config = { 3, 0, 0 };
	struct secrets_repo repo;
	struct secrets *s;

	assert_rc(secrets_open(file_in(*state), key, &s, NULL), RC_OK);
	put(s, SECRETS_REPO, PASSWORD, 1);
	put(s, SECRETS_ADMIN, "canary-admin", 2);
	assert_rc(secrets_put(s, SECRETS_REPO, NULL, &config, NULL), RC_OK);
	assert_rc(secrets_get(s, SECRETS_REPO, &repo, NULL), RC_NOTFOUND);
	check(s, SECRETS_ADMIN, "canary-admin");
	secrets_close(s);
}

/* What cannot be opened is told and stays as it was, byte for byte. */
static void
check_kept(const char *path, const uint8_t *with)
{
	struct secrets *s = NULL;
	struct err e = { 0 };
	struct buf before, after;

	load(path, &before);
	assert_rc(secrets_open(path, with, &s, &e), RC_CORRUPT);
	assert_null(s);
	assert_true(str_contains(str_of(e.msg), str_of(path)));
	load(path, &after);
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	buf_fini(&before);
	buf_fini(&after);
}

/* M-112 */
static void
a_wrong_key_fails_and_changes_nothing(void **state)
{
	const char *path = file_in(*state);
	struct secrets *s;

	assert_rc(secrets_open(path, key, &s, NULL), RC_OK);
	put(s, SECRETS_REPO, PASSWORD, 1);
	secrets_close(s);
	check_kept(path, other);
}

static void
tampering_is_found_and_never_overwritten(void **state)
{
	const char *path = file_in(*state);
	struct secrets_repo repo = { 0 };
	struct secrets_config config = { 9, 0, 0 };
	struct secrets *s;
	struct buf b, after;
	size_t i;

	assert_rc(secrets_open(path, key, &s, NULL), RC_OK);
	put(s, SECRETS_REPO, PASSWORD, 1);
	load(path, &b);
	for (i = 0; i < b.len; i += 11) {
		b.data[i] = (char)(b.data[i] ^ 1);
		assert_rc(fsio_replace(path, buf_str(&b), 0600, NULL), RC_OK);
		check_kept(path, key);
		b.data[i] = (char)(b.data[i] ^ 1);
	}
	/* It got damaged under a running agent. */
	b.data[0] = (char)(b.data[0] ^ 1);
	assert_rc(fsio_replace(path, buf_str(&b), 0600, NULL), RC_OK);
	assert_rc(secrets_get(s, SECRETS_REPO, &repo, NULL), RC_CORRUPT);
	assert_rc(secrets_put(s, SECRETS_REPO, &repo, &config, NULL),
	    RC_CORRUPT);
	load(path, &after);
	assert_true(str_eq(buf_str(&b), buf_str(&after)));
	buf_fini(&after);
	buf_fini(&b);
	secrets_close(s);
	/* Cut off, and empty. */
	assert_rc(fsio_replace(path, STR("short"), 0600, NULL), RC_OK);
	check_kept(path, key);
	assert_rc(fsio_replace(path, STR(""), 0600, NULL), RC_OK);
	check_kept(path, key);
}

static void
credentials_beyond_the_limit_are_refused(void **state)
{
	const struct secrets_config config = { 9, 0, 0 };
	struct secrets_repo repo = { 0 };
	struct secrets *s;
	struct buf b;

	assert_rc(secrets_open(file_in(*state), key, &s, NULL), RC_OK);
	put(s, SECRETS_REPO, PASSWORD, 1);
	buf_init(&b, MIB(8));
	while (b.len < MIB(5)) /* beyond a plan of 4 MiB */
		buf_putc(&b, 'x');
	secret_set(&repo.url, STR("u"));
	secret_set(&repo.username, STR(""));
	secret_set(&repo.password, buf_str(&b));
	assert_rc(secrets_put(s, SECRETS_REPO, &repo, &config, NULL), RC_LIMIT);
	secrets_repo_fini(&repo);
	check(s, SECRETS_REPO, PASSWORD);
	buf_fini(&b);
	secrets_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(slots_are_kept_apart_and_survive),
		unit_test_in_folder(
		    variables_are_kept_and_unknown_ones_left_out),
		cmocka_unit_test(
		    variables_are_taken_over_without_a_foreign_login),
		unit_test_in_folder(a_slot_can_be_emptied),
		unit_test_in_folder(a_wrong_key_fails_and_changes_nothing),
		unit_test_in_folder(tampering_is_found_and_never_overwritten),
		unit_test_in_folder(credentials_beyond_the_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
