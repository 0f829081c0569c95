/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Jobs without restic, init, and jobs that are ended. */
#include "tests/unit/agent/job_help.h"

/* ---------------------------------------------------------- no restic */

static void
without_restic_the_job_says_what_to_do(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.a.settings.restic_path = (char[]){ "/nonexistent/restic" };
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "failed");
	assert_string_equal(end->cause, "no_restic");
	assert_int_equal(end->exit_code, -1);
	assert_true(str_contains(str_of(end->error), STR("restic_path")));
	fixture_close(&f);
}

static void
without_credentials_it_does_not_start(void **state)
{
	static struct fixture f;
	struct secrets_config config = { 2, 0, 0 };
	struct secrets_repo repo = { 0 };
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	assert_rc(secrets_put(f.a.secrets, SECRETS_REPO, NULL, &config, NULL),
	    RC_OK);
	start(&f);
	end = finish(&f);
	assert_string_equal(end->cause, "no_credentials");
	fixture_close(&f);
	/* restic would ask for an empty password. */
	fixture_open(&f, *state, "");
	secret_set(&repo.url, STR("/repo"));
	assert_rc(secrets_put(f.a.secrets, SECRETS_REPO, &repo, &config, NULL),
	    RC_OK);
	secrets_repo_fini(&repo);
	f.done = false;
	events_ack(f.a.events, 100);
	start(&f);
	help_run_until(f.a.loop, help_set, &f.done);
	fixture_close(&f);
}

static void
unknown_kinds_are_failed(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.cmd.kind = (char[]){ "restore" };
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "failed");
	assert_string_equal(end->cause, "unknown_kind");
	assert_string_equal(end->error,
	    "kind restore not implemented on this agent");
	fixture_close(&f);
}

/* ----------------------------------------------------------------- init */

static void
init_check(const char *dir, const char *functions, const char *status,
    const char *cause)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, dir, functions);
	f.cmd.kind = (char[]){ "init" };
	f.cmd.n_includes = 0;
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, status);
	assert_string_equal(end->cause, cause);
	fixture_close(&f);
}

static void
init_makes_a_repository(void **state)
{
	init_check(*state, "list() { echo '[]'; }", "succeeded", "");
}

#define INIT_EXISTS                                                          \
	"init() { echo 'Fatal: create repository at /r failed: config file " \
	"already exists' >&2; exit 1; }\n"

static void
init_of_a_repository_that_fits_is_fine(void **state)
{
	init_check(*state, INIT_EXISTS, "succeeded", "");
}

static void
init_with_a_wrong_password_fails(void **state)
{
	init_check(*state,
	    INIT_EXISTS
	    "list() { echo '{\"message_type\":\"exit_error\",\"code\":12,"
	    "\"message\":\"Fatal: wrong password or no key found\"}' >&2; "
	    "exit 12; }",
	    "failed", "wrong_password");
}

/* --------------------------------------------------------------- cancel */

static bool
has_begun(void *ctx)
{
	char path[256];

	help_path(path, ctx, "begun");
	return access(path, F_OK) == 0;
}

static void
cancel_check(const char *dir, const char *functions, bool stop,
    const char *status, const char *cause)
{
	static struct fixture f;
	const Wire__JobFinished *end;
	struct job *j;
	char path[256];

	help_path(path, dir, "begun");
	(void)unlink(path);
	fixture_open(&f, dir, functions);
	j = start(&f);
	help_run_until(f.a.loop, has_begun, (void *)(uintptr_t)dir);
	if (stop)
		job_stop(j);
	else
		job_cancel(j);
	job_cancel(j); /* twice is once */
	end = finish(&f);
	assert_string_equal(end->status, status);
	assert_string_equal(end->cause, cause);
	assert_true(str_contains(buf_str(&f.log), STR("cancel requested\n")));
	assert_int_equal(count(&f, WIRE__EVENT__BODY_SNAPSHOTS), 0);
	fixture_close(&f);
}

#define BEGUN ": >\"$HOME/begun\"; "

static void
cancel_interrupts_restic(void **state)
{
	cancel_check(*state,
	    "backup() { trap 'exit 130' INT; " BEGUN
	    "while :; do sleep 0.05; done; }",
	    false, "cancelled", "cancelled");
}

/* The agent's own stop is nobody's wish to cancel. */
static void
a_stop_is_told_as_a_failure(void **state)
{
	cancel_check(*state,
	    "backup() { trap 'exit 130' INT; " BEGUN
	    "while :; do sleep 0.05; done; }",
	    true, "failed", "agent_restarted");
}

/* 10 s later SIGTERM, 5 s after that SIGKILL. */
static void
cancel_escalates(void **state)
{
	int64_t began = clock_mono_ms();

	cancel_check(*state,
	    "backup() { trap '' INT TERM; " BEGUN
	    "while :; do sleep 0.05; done; }",
	    false, "cancelled", "cancelled");
	assert_true(clock_mono_ms() - began >= 14500);
}

static void
cancel_before_restic_runs(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	job_cancel(start(&f));
	end = finish(&f);
	assert_string_equal(end->status, "cancelled");
	assert_int_equal(end->exit_code, 130);
	assert_string_equal(end->error, "");
	/* What looked at the paths is forgotten when it comes back. */
	help_run_ms(f.a.loop, 300);
	assert_int_equal(f.a.stuck, 0);
	fixture_close(&f);
}

static void
too_many_stuck_looks_refuse_a_job(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.a.stuck = 2;
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "failed");
	assert_string_equal(end->cause, "path_blocked");
	fixture_close(&f);
}

/* An end that is told is the last word, whatever is asked meanwhile. */
static struct job *late_job;

static bool
job_about_to_end(void *ctx)
{
	struct fixture *f = ctx;

	/* Every turn: once is in between the end and its durability. */
	if (!f->done)
		job_cancel(late_job);
	return f->done;
}

static void
a_late_cancel_adds_no_line(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.a.settings.restic_path = (char[]){ "/nonexistent/restic" };
	late_job = start(&f);
	help_run_until(f.a.loop, job_about_to_end, &f);
	end = finish(&f);
	assert_string_equal(end->status, "cancelled");
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(without_restic_the_job_says_what_to_do),
		unit_test_in_folder(without_credentials_it_does_not_start),
		unit_test_in_folder(unknown_kinds_are_failed),
		unit_test_in_folder(init_makes_a_repository),
		unit_test_in_folder(init_of_a_repository_that_fits_is_fine),
		unit_test_in_folder(init_with_a_wrong_password_fails),
		unit_test_in_folder(cancel_interrupts_restic),
		unit_test_in_folder(a_stop_is_told_as_a_failure),
		unit_test_in_folder(cancel_escalates),
		unit_test_in_folder(cancel_before_restic_runs),
		unit_test_in_folder(too_many_stuck_looks_refuse_a_job),
		unit_test_in_folder(a_late_cancel_adds_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
