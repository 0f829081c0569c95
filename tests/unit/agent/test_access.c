/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/agent/agent_help.h"

#include "agent/access.h"
#include "agent/proc.h"
#include "agent/redact.h"
#include "agent/restic.h"
#include "agent/secrets.h"

#define PASSWORD "canary/pass word"
#define KEY                                                        \
	"{\n  \"type\": \"service_account\",\n  \"private_key\": " \
	"\"-----BEGIN PRIVATE KEY-----\\nMIIEvCanaryCanaryCanary"  \
	"\\nsecondLineOfTheCanaryKey\\n\"\n}\n"

struct fixture {
	struct restic r;
	struct secrets_repo repo;
};

static void
fixture_init(struct fixture *f, const char *version)
{
	char line[64];

	*f = (struct fixture){ 0 };
	assert_true(
	    str_fmt(line, sizeof(line), "restic %s compiled with go", version));
	assert_true(restic_parse_version(str_of(line), &f->r));
	secret_set(&f->repo.url, STR("rest:https://backup.example/web-1"));
	secret_set(&f->repo.username, STR("web-1"));
	secret_set(&f->repo.password, STR(PASSWORD));
}

static void
fixture_fini(struct fixture *f)
{
	secrets_repo_fini(&f->repo);
}

static void
add(struct fixture *f, const char *name, const char *value)
{
	struct secrets_extra *x = &f->repo.extra[f->repo.n_extra++];

	x->what = repo_env_find(str_of(name));
	assert_non_null(x->what);
	secret_set(&x->value, str_of(value));
}

static struct str
env_get(char **env, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; env[i] != NULL; i++)
		if (strncmp(env[i], name, n) == 0 && env[i][n] == '=')
			return str_of(env[i] + n + 1);
	return str_from(NULL, 0);
}

/* M-147, X-05 */
static void
the_parents_credentials_do_not_pass(void **state)
{
	static const char *const names[] = { "RESTIC_PASSWORD_FILE",
		"RESTIC_PASSWORD_COMMAND", "RESTIC_HOST",
		"RESTIC_REPOSITORY_FILE", "AWS_SECRET_ACCESS_KEY",
		"B2_ACCOUNT_KEY", "RM_STATE_DIR", "LD_PRELOAD", "GODEBUG" };
	struct fixture f;
	struct access *a;
	char **env;
	size_t i;

	(void)state;
	fixture_init(&f, "0.18.0");
	for (i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(setenv(names[i], "canary-parent", 1), 0);
	assert_int_equal(setenv("RESTIC_PASSWORD", "canary-parent", 1), 0);
	assert_int_equal(setenv("HOME", "/root", 1), 0);
	assert_int_equal(setenv("TZ", "Europe/Rome", 1), 0);
	a = access_new(&f.r, &f.repo, "/var/lib/x", NULL);
	env = a->env;
	for (i = 0; env[i] != NULL; i++)
		assert_false(
		    str_contains(str_of(env[i]), STR("canary-parent")));
	for (i = 0; i < ARRAY_LEN(names); i++) {
		assert_null(env_get(env, names[i]).p);
		assert_int_equal(unsetenv(names[i]), 0);
	}
	assert_int_equal(unsetenv("RESTIC_PASSWORD"), 0);
	assert_str(env_get(env, "RESTIC_PASSWORD"), PASSWORD);
	assert_str(env_get(env, "HOME"), "/var/lib/x");
	assert_str(env_get(env, "XDG_CACHE_HOME"), "/var/lib/x");
	assert_str(env_get(env, "TZ"), "Europe/Rome");
	assert_str(env_get(env, "RESTIC_PROGRESS_FPS"), "1");
	assert_non_null(env_get(env, "PATH").p);
	access_free(a);
	access_free(NULL);
	fixture_fini(&f);
}

struct login {
	const char *version, *url, *username;
	const char *repository; /* expected */
	bool by_env;
};

static void
check_login(const struct login *l)
{
	struct fixture f;
	struct access *a;
	char **env;

	fixture_init(&f, l->version);
	secret_set(&f.repo.url, str_of(l->url));
	secret_set(&f.repo.username, str_of(l->username));
	a = access_new(&f.r, &f.repo, "/s", NULL);
	env = a->env;
	assert_str(env_get(env, "RESTIC_REPOSITORY"), l->repository);
	if (l->by_env) {
		assert_str(env_get(env, "RESTIC_REST_USERNAME"), l->username);
		assert_str(env_get(env, "RESTIC_REST_PASSWORD"), PASSWORD);
	} else {
		assert_null(env_get(env, "RESTIC_REST_USERNAME").p);
		assert_null(env_get(env, "RESTIC_REST_PASSWORD").p);
	}
	access_free(a);
	fixture_fini(&f);
}

/* restic before 0.16.1 ignores RESTIC_REST_USERNAME. */
static void
the_login_goes_where_the_version_reads_it(void **state)
{
	static const struct login table[] = {
		{ "0.14.0", "rest:https://h:8000/r", "web-1",
		    "rest:https://web-1:canary%2Fpass%20word@h:8000/r", false },
		{ "0.16.0", "rest:http://h/", "a@b",
		    "rest:http://a%40b:canary%2Fpass%20word@h/", false },
		{ "0.16.1", "rest:https://h/r", "web-1", "rest:https://h/r",
		    true },
		{ "0.18.0", "rest:https://h/r", "web-1", "rest:https://h/r",
		    true },
		{ "0.18.0", "rest:https://h/r", "", "rest:https://h/r", false },
		{ "0.14.0", "rest:https://h/r", "", "rest:https://h/r", false },
		/* Credentials that are in the URL already stay. */
		{ "0.14.0", "rest:https://u:p@h/r", "web-1",
		    "rest:https://u:p@h/r", false },
		{ "0.18.0", "rest:https://u:p@h/r", "web-1",
		    "rest:https://u:p@h/r", false },
		/* '@' in a path is no login. */
		{ "0.14.0", "rest:https://h/r@x", "web-1",
		    "rest:https://web-1:canary%2Fpass%20word@h/r@x", false },
		{ "0.14.0", "/srv/repo", "web-1", "/srv/repo", false },
		{ "0.14.0", "sftp:u@h:/r", "web-1", "sftp:u@h:/r", false },
		{ "0.14.0", "rest:nonsense", "web-1", "rest:nonsense", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(table); i++)
		check_login(&table[i]);
}

/* M-209: no credential is ever on disk. */
static void
files_are_in_memory_and_named_by_descriptor(void **state)
{
	struct fixture f;
	struct proc_opts o = { 0 };
	struct access *a;

	(void)state;
	fixture_init(&f, "0.14.0");
	secret_set(&f.repo.url, STR("gs:bucket:/"));
	add(&f, "GOOGLE_PROJECT_ID", "p-1");
	add(&f, "RESTIC_CACERT", "PEM");
	add(&f, "GOOGLE_APPLICATION_CREDENTIALS", KEY);
	a = access_new(&f.r, &f.repo, "/s", NULL);
	assert_int_equal(a->n_files, 2);
	assert_str(a->files[0], "PEM");
	assert_str(a->files[1], KEY);
	assert_int_equal(a->n_options, 1);
	assert_string_equal(a->options[0], "--cacert=/proc/self/fd/3");
	assert_str(env_get(a->env, "GOOGLE_APPLICATION_CREDENTIALS"),
	    "/proc/self/fd/4");
	assert_str(env_get(a->env, "GOOGLE_PROJECT_ID"), "p-1");
	assert_null(env_get(a->env, "RESTIC_CACERT").p);
	access_give(a, &o);
	assert_ptr_equal(o.envp, a->env);
	assert_int_equal(o.n_files, 2);
	access_free(a);
	fixture_fini(&f);
}

/* restic has no variable for it: a command, with files by number only. */
static void
ssh_is_given_its_key_by_a_command(void **state)
{
	struct fixture f;
	struct access *a;

	(void)state;
	fixture_init(&f, "0.14.0");
	secret_set(&f.repo.url, STR("sftp://joe@nas.example:2222//srv/r"));
	a = access_new(&f.r, &f.repo, "/s", NULL);
	assert_int_equal(a->n_options, 0);
	access_free(a);
	add(&f, "RM_SFTP_KNOWN_HOSTS", "nas ssh-ed25519 AAAA");
	add(&f, "RM_SFTP_KEY", "canary key");
	a = access_new(&f.r, &f.repo, "/s", NULL);
	assert_int_equal(a->n_files, 2);
	assert_str(a->files[1], "canary key");
	assert_int_equal(a->n_options, 1);
	assert_string_equal(a->options[0],
	    "--option=sftp.command=/bin/sh -c 'exec ssh -o BatchMode=yes "
	    "-o ServerAliveInterval=60 -i /proc/$PPID/fd/4 -o "
	    "IdentitiesOnly=yes -o UserKnownHostsFile=/proc/$PPID/fd/3 -o "
	    "StrictHostKeyChecking=yes -p 2222 -l joe -s -- nas.example "
	    "sftp'");
	access_free(a);
	/* Nothing of a URL becomes a word of the shell. */
	secret_set(&f.repo.url, STR("sftp:joe@nas';id;':/srv"));
	a = access_new(&f.r, &f.repo, "/s", NULL);
	assert_int_equal(a->n_options, 0);
	access_free(a);
	fixture_fini(&f);
}

/* The server's password need not be the repository's. */
static void
a_login_of_its_own_wins(void **state)
{
	struct fixture f;
	struct access *a;

	(void)state;
	fixture_init(&f, "0.18.0");
	add(&f, "RESTIC_REST_PASSWORD", "other");
	a = access_new(&f.r, &f.repo, "/s", NULL);
	assert_str(env_get(a->env, "RESTIC_REST_USERNAME"), "web-1");
	assert_str(env_get(a->env, "RESTIC_REST_PASSWORD"), "other");
	assert_str(env_get(a->env, "RESTIC_PASSWORD"), PASSWORD);
	access_free(a);
	fixture_fini(&f);
	fixture_init(&f, "0.14.0");
	add(&f, "RESTIC_REST_USERNAME", "someone");
	add(&f, "RESTIC_REST_PASSWORD", "other");
	a = access_new(&f.r, &f.repo, "/s", NULL);
	assert_str(env_get(a->env, "RESTIC_REPOSITORY"),
	    "rest:https://someone:other@backup.example/web-1");
	assert_null(env_get(a->env, "RESTIC_REST_PASSWORD").p);
	access_free(a);
	fixture_fini(&f);
}

static void
every_secret_of_it_is_known_to_the_log(void **state)
{
	static const char *const lines[] = { "the canary/pass word",
		"signed by MIIEvCanaryCanaryCanary=", "in canary-token",
		"  secondLineOfTheCanaryKey" };
	struct redact *r = redact_new();
	struct fixture f;
	struct access *a;
	struct buf b;
	size_t i;

	(void)state;
	fixture_init(&f, "0.18.0");
	secret_set(&f.repo.url, STR("gs:bucket:/"));
	add(&f, "GOOGLE_PROJECT_ID", "my-project");
	add(&f, "GOOGLE_ACCESS_TOKEN", "canary-token");
	add(&f, "GOOGLE_APPLICATION_CREDENTIALS", KEY);
	a = access_new(&f.r, &f.repo, "/s", r);
	buf_init(&b, KIB(4));
	for (i = 0; i < ARRAY_LEN(lines); i++)
		redact_text(r, str_of(lines[i]), &b);
	assert_false(str_contains(buf_str(&b), STR("anary")));
	buf_reset(&b);
	redact_text(r, STR("my-project is no secret"), &b);
	assert_str(buf_str(&b), "my-project is no secret");
	buf_fini(&b);
	access_free(a);
	redact_free(r);
	fixture_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parents_credentials_do_not_pass),
		cmocka_unit_test(the_login_goes_where_the_version_reads_it),
		cmocka_unit_test(files_are_in_memory_and_named_by_descriptor),
		cmocka_unit_test(ssh_is_given_its_key_by_a_command),
		cmocka_unit_test(a_login_of_its_own_wins),
		cmocka_unit_test(every_secret_of_it_is_known_to_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
