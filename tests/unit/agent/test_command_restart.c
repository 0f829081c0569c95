/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* What becomes of jobs over a restart: told again, ended, unlocked. */
#include "tests/unit/agent/command_help.h"

/* A controller that was restored from an older copy asks. */
static void
ends_are_told_again(void **state)
{
	Wire__JobFinished end = WIRE__JOB_FINISHED__INIT;
	Wire__JobStarted began = WIRE__JOB_STARTED__INIT;
	static struct fixture f;
	Wire__Event *all[16];
	char a[] = A, b[] = B, done[] = "succeeded", kind[] = "backup";
	size_t n;

	fixture_start(&f, *state);
	send_run(&f, A, "backup");
	wait_answers(&f, 1);
	began.job_id = end.job_id = a;
	began.kind = kind;
	end.status = done;
	fake_tell(&began, &end);
	fake_end_job();
	fixture_stop(&f);
	fixture_start(&f, *state); /* out of its file, also after a restart */
	send_run(&f, B, "backup");
	wait_answers(&f, 1);
	began.job_id = b;
	fake_tell(&began, NULL);
	command_tell_again(f.a.command);
	n = ends(&f, all);
	assert_int_equal(n, 3);
	assert_int_equal(all[0]->body_case, WIRE__EVENT__BODY_JOB_STARTED);
	assert_string_equal(all[0]->job_started->kind, "backup");
	assert_int_equal(all[1]->body_case, WIRE__EVENT__BODY_JOB_FINISHED);
	assert_string_equal(all[1]->job_finished->job_id, A);
	assert_string_equal(all[1]->job_finished->status, "succeeded");
	assert_int_equal(all[2]->body_case, WIRE__EVENT__BODY_JOB_STARTED);
	assert_string_equal(all[2]->job_started->job_id, B);
	help_events_free(all, n);
	fake_end_job();
	fixture_stop(&f);
}

/* The first line of the called script is there. */
static bool
has_bytes(void *ctx)
{
	struct stat st;

	return stat(ctx, &st) == 0 && st.st_size > 0;
}

static void
a_job_left_behind_ends_failed_and_unlocks(void **state)
{
	static struct fixture f;
	Wire__Event *all[16];
	struct ulid ids[4];
	char path[256];
	struct buf b;
	size_t n;

	help_path(path, *state, "restic");
	help_script(path,
	    "#!/bin/sh\n"
	    "echo \"$*\" \"$RESTIC_REPOSITORY\" >>\"$HOME/calls\"\n");
	fixture_start(&f, *state);
	put_secrets(&f);
	send_run(&f, A, "backup");
	wait_answers(&f, 1);
	fixture_kill(&f);
	fixture_start(&f, *state);
	/* Before anything is accepted. */
	assert_int_equal(command_running(f.a.command, ids, 4), 1);
	send_run(&f, B, "backup");
	check_answer(0, B, false, "busy");
	n = ends(&f, all);
	assert_int_equal(n, 1);
	assert_string_equal(all[0]->job_finished->job_id, A);
	assert_string_equal(all[0]->job_finished->status, "failed");
	assert_string_equal(all[0]->job_finished->cause, "agent_restarted");
	assert_string_equal(all[0]->job_finished->error,
	    "agent stopped during the run");
	assert_int_equal(all[0]->job_finished->exit_code, -1);
	help_events_free(all, n);
	help_path(path, *state, "calls");
	help_run_until(f.a.loop, has_bytes, path); /* a stop would end it */
	fixture_stop(&f);
	buf_init(&b, KIB(4));
	assert_rc(fsio_read(path, &b, NULL), RC_OK);
	assert_str(buf_str(&b), "unlock /repo\n");
	buf_fini(&b);
	/* Told once. */
	fixture_start(&f, *state);
	assert_int_equal(command_running(f.a.command, ids, 4), 0);
	n = ends(&f, all);
	assert_int_equal(n, 1);
	help_events_free(all, n);
	send_run(&f, B, "backup");
	wait_answers(&f, 1);
	check_answer(0, B, true, "");
	fake_end_job();
	fixture_stop(&f);
}

/* A file that cannot be read is a job that was accepted: it ends, and never
 * runs. */
static void
a_damaged_file_is_a_job_that_ended(void **state)
{
	static struct fixture f;
	Wire__Event *all[16];
	char path[256];
	size_t n;

	fixture_start(&f, *state);
	fixture_stop(&f);
	help_path(path, f.jobs, A);
	assert_rc(fsio_replace(path, STR("\377\377damage"), 0600, NULL), RC_OK);
	help_path(path, f.jobs, "stray file");
	assert_rc(fsio_replace(path, STR("x"), 0600, NULL), RC_OK);
	fixture_start(&f, *state);
	n = ends(&f, all);
	assert_int_equal(n, 1);
	assert_string_equal(all[0]->job_finished->job_id, A);
	help_events_free(all, n);
	send_run(&f, A, "backup");
	assert_int_equal(fake.started, 0);
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(ends_are_told_again),
		unit_test_in_folder(a_job_left_behind_ends_failed_and_unlocks),
		unit_test_in_folder(a_damaged_file_is_a_job_that_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
