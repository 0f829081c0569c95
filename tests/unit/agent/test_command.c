/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Commands: accepted, refused, cancelled, stopped. */
#include "tests/unit/agent/command_help.h"

/* M-444 */
static void
a_command_is_answered_when_it_is_on_disk(void **state)
{
	static struct fixture f;
	struct ulid ids[4];

	fixture_start(&f, *state);
	send_run(&f, A, "backup");
	assert_int_equal(fake.answers, 0);
	assert_int_equal(command_accepted(f.a.command, ids, 4), 1);
	assert_int_equal(command_running(f.a.command, ids, 4), 0);
	wait_answers(&f, 1);
	check_answer(0, A, true, "");
	assert_true(file_exists(&f, A));
	assert_true(fake.runs);
	assert_string_equal(fake.job.id, A);
	assert_int_equal(command_accepted(f.a.command, ids, 4), 0);
	assert_int_equal(command_running(f.a.command, ids, 4), 1);
	fake_end_job();
	assert_int_equal(command_running(f.a.command, ids, 4), 0);
	fixture_stop(&f);
}

/* A job never runs twice. */
static void
a_repeat_gets_the_same_answer_and_no_run(void **state)
{
	static struct fixture f;

	fixture_start(&f, *state);
	send_run(&f, A, "backup");
	send_run(&f, A, "backup"); /* while it is being accepted */
	wait_answers(&f, 1);
	send_run(&f, A, "backup"); /* while it runs */
	check_answer(1, A, true, "");
	fake_end_job();
	send_run(&f, A, "backup"); /* after its end */
	check_answer(2, A, true, "");
	assert_int_equal(fake.answers, 3);
	assert_int_equal(fake.started, 1);
	fixture_stop(&f);
	/* after a restart */
	fixture_start(&f, *state);
	send_run(&f, A, "backup");
	check_answer(0, A, true, "");
	assert_int_equal(fake.started, 0);
	fixture_stop(&f);
}

/* one at a time. */
static void
another_one_meanwhile_is_told_busy(void **state)
{
	static struct fixture f;

	fixture_start(&f, *state);
	send_run(&f, A, "backup");
	send_run(&f, B, "backup");
	check_answer(0, B, false, "busy");
	wait_answers(&f, 2);
	send_run(&f, B, "init");
	check_answer(2, B, false, "busy");
	fake_end_job();
	send_run(&f, B, "init"); /* busy was no memory */
	wait_answers(&f, 4);
	check_answer(3, B, true, "");
	assert_string_equal(fake.job.kind, "init");
	fake_end_job();
	fixture_stop(&f);
}

static void
what_cannot_be_done_is_refused_with_a_reason(void **state)
{
	Wire__CommandRun run = WIRE__COMMAND_RUN__INIT;
	Wire__Command cmd = WIRE__COMMAND__INIT;
	static struct fixture f;
	static char *paths[10001];
	char relative[] = "etc", absolute[] = "/etc", *big;
	size_t i;

	fixture_start(&f, *state);
	cmd.body_case = WIRE__COMMAND__BODY_RUN;
	cmd.run = &run;
	run.job_id = (char[]){ A };
	run.kind = (char[]){ "backup" };
	run.includes = paths;
	command_handle(f.a.command, &cmd);
	check_answer(0, A, false, "no source paths");
	paths[0] = relative;
	run.n_includes = 1;
	command_handle(f.a.command, &cmd);
	check_answer(1, A, false, "a source path is not absolute");
	for (i = 0; i < ARRAY_LEN(paths); i++)
		paths[i] = absolute;
	run.n_includes = ARRAY_LEN(paths);
	command_handle(f.a.command, &cmd);
	check_answer(2, A, false, "more than 10000 source paths or excludes");
	run.n_includes = 1;
	run.excludes = paths;
	run.n_excludes = 1;
	big = paths[0] = mem_alloc(65538);
	memset(big, 'x', 65537);
	big[0] = '/';
	command_handle(f.a.command, &cmd);
	assert_false(fake.answer_ok[3]);
	assert_true(str_starts(str_of(fake.answer_error[3]),
	    STR("the excludes are longer")));
	big[20000] = '\0';
	for (i = 0; i < 60; i++)
		paths[i] = big;
	run.n_excludes = 60;
	command_handle(f.a.command, &cmd);
	assert_false(fake.answer_ok[4]);
	run.n_excludes = 0;
	run.kind = big; /* would not fit an event */
	command_handle(f.a.command, &cmd);
	check_answer(5, A, false, "kind not implemented on this agent");
	assert_int_equal(fake.started, 0);
	assert_false(file_exists(&f, A));
	/* Nothing to answer to. */
	run.job_id = (char[]){ "../../etc/passwd" };
	command_handle(f.a.command, &cmd);
	cmd.body_case = WIRE__COMMAND__BODY__NOT_SET;
	command_handle(f.a.command, &cmd);
	assert_int_equal(fake.answers, 6);
	mem_free(big);
	fixture_stop(&f);
}

static void
cancel_reaches_its_job_and_no_other(void **state)
{
	static struct fixture f;

	fixture_start(&f, *state);
	send_run(&f, A, "backup");
	wait_answers(&f, 1);
	send_cancel(&f, A);
	send_cancel(&f, A);
	assert_int_equal(fake.job.cancels, 2);
	send_cancel(&f, "not an id");
	send_cancel(&f, B);
	assert_int_equal(fake.job.cancels, 2);
	fake_end_job();
	send_cancel(&f, A); /* too late: its end is queued */
	fixture_stop(&f);
}

/* The run may have been lost on its way: the cancel settles the id. */
static void
cancel_of_an_unknown_job_ends_it_for_good(void **state)
{
	static struct fixture f;
	Wire__Event *all[16];
	size_t n;

	fixture_start(&f, *state);
	send_cancel(&f, A);
	n = ends(&f, all);
	assert_int_equal(n, 1);
	assert_int_equal(all[0]->body_case, WIRE__EVENT__BODY_JOB_FINISHED);
	assert_string_equal(all[0]->job_finished->job_id, A);
	assert_string_equal(all[0]->job_finished->status, "cancelled");
	help_events_free(all, n);
	send_cancel(&f, A);        /* once is enough */
	send_run(&f, A, "backup"); /* the lost run arrives after all */
	check_answer(0, A, true, "");
	assert_int_equal(fake.started, 0);
	/* Asked for the run, it does not know the end: told again as soon as
	 * that is on disk. */
	while ((n = ends(&f, all)) < 2) {
		help_events_free(all, n);
		help_run_ms(f.a.loop, 50);
		send_run(&f, A, "backup");
	}
	assert_int_equal(n, 2);
	assert_string_equal(all[1]->job_finished->status, "cancelled");
	help_events_free(all, n);
	send_run(&f, A, "backup");
	assert_int_equal(fake.started, 0);
	n = ends(&f, all);
	assert_int_equal(n, 2);
	help_events_free(all, n);
	fixture_stop(&f);
}

static void
stopping_stops_the_job_and_takes_no_other(void **state)
{
	static struct fixture f;
	bool idle = false;

	fixture_start(&f, *state);
	send_run(&f, A, "backup");
	wait_answers(&f, 1);
	command_stop(f.a.command, help_mark, &idle);
	assert_int_equal(fake.job.stops, 1);
	assert_false(idle);
	send_run(&f, B, "backup");
	check_answer(1, B, false, "busy");
	fake_end_job();
	assert_false(idle); /* its end is being marked */
	help_run_until(f.a.loop, help_set, &idle);
	/* Also once idle: the rest of the stop still takes a while. */
	send_run(&f, B, "backup");
	check_answer(2, B, false, "busy");
	assert_int_equal(fake.started, 1);
	fixture_kill(&f);
}

static void
a_stop_catches_a_command_being_accepted(void **state)
{
	static struct fixture f;
	bool idle = false;

	fixture_start(&f, *state);
	send_run(&f, A, "backup");
	command_stop(f.a.command, help_mark, &idle);
	wait_answers(&f, 1);
	check_answer(0, A, true, "");
	assert_int_equal(fake.job.stops, 1);
	fake_end_job();
	help_run_until(f.a.loop, help_set, &idle);
	fixture_kill(&f);
}

static void
an_acceptance_that_cannot_be_written_is_refused(void **state)
{
	static struct fixture f;

	fixture_start(&f, *state);
	f.a.settings.jobs_dir = (char[]){ "/nonexistent/jobs" };
	send_run(&f, A, "backup");
	wait_answers(&f, 1);
	assert_false(fake.answer_ok[0]);
	assert_true(fake.answer_error[0][0] != '\0');
	assert_int_equal(fake.started, 0);
	f.a.settings.jobs_dir = f.jobs;
	send_run(&f, A, "backup"); /* no memory of it */
	wait_answers(&f, 2);
	check_answer(1, A, true, "");
	fake_end_job();
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(a_command_is_answered_when_it_is_on_disk),
		unit_test_in_folder(a_repeat_gets_the_same_answer_and_no_run),
		unit_test_in_folder(another_one_meanwhile_is_told_busy),
		unit_test_in_folder(
		    what_cannot_be_done_is_refused_with_a_reason),
		unit_test_in_folder(cancel_reaches_its_job_and_no_other),
		unit_test_in_folder(cancel_of_an_unknown_job_ends_it_for_good),
		unit_test_in_folder(stopping_stops_the_job_and_takes_no_other),
		unit_test_in_folder(a_stop_catches_a_command_being_accepted),
		unit_test_in_folder(
		    an_acceptance_that_cannot_be_written_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
