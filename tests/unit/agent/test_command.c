/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Replaces agent/job.c by jobs that end when told, and the uplink by a list
 * of answers.  Files, queue, secrets and `restic unlock` are real. */
#include <sys/stat.h>

#include "tests/unit/agent/agent_help.h"

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/job.h"
#include "agent/secrets.h"
#include "agent/settle.h"
#include "agent/uplink.h"

/* --------------------------------------------------------------- fakes */

struct job {
	char id[ULID_TEXT_CAP];
	char kind[40];
	job_done_fn *done;
	void *ctx;
	unsigned cancels, stops;
	struct buf began, end;
};

static struct fake {
	struct job job; /* the one that runs */
	bool runs, own;
	unsigned started;
	size_t answers;
	char answer_id[64][ULID_TEXT_CAP];
	bool answer_ok[64];
	char answer_error[64][80];
} fake;

struct job *
job_start(struct agent *a, const Wire__CommandRun *cmd, const Wire__OwnRun *own,
    job_done_fn *done, void *ctx)
{
	(void)a;
	fake.own = own != NULL;
	assert_false(fake.runs); /* one at a time */
	fake.runs = true;
	fake.started++;
	memset(&fake.job, 0, sizeof(fake.job));
	assert_true(
	    str_copy(fake.job.id, sizeof(fake.job.id), str_of(cmd->job_id)));
	assert_true(
	    str_copy(fake.job.kind, sizeof(fake.job.kind), str_of(cmd->kind)));
	fake.job.done = done;
	fake.job.ctx = ctx;
	return &fake.job;
}

void
job_cancel(struct job *j)
{
	j->cancels++;
}

void
job_stop(struct job *j)
{
	j->stops++;
}

struct job_told
job_told(const struct job *j)
{
	return (struct job_told){ buf_str(&j->began), buf_str(&j->end) };
}

const struct ulid *
job_id(const struct job *j)
{
	(void)j;
	return NULL;
}

void
uplink_result(struct uplink *u, const Wire__CommandResult *r)
{
	size_t i = fake.answers++;

	(void)u;
	assert_true(i < 64);
	assert_true(
	    str_copy(fake.answer_id[i], ULID_TEXT_CAP, str_of(r->job_id)));
	fake.answer_ok[i] = r->accepted;
	assert_true(str_copy(fake.answer_error[i], sizeof(fake.answer_error[i]),
	    str_sub(str_of(r->error), 0, 79)));
}

static void
fake_end_job(void)
{
	fake.runs = false;
	fake.job.done(fake.job.ctx);
	buf_fini(&fake.job.began);
	buf_fini(&fake.job.end);
}

static void
fake_pack(struct buf *b, const ProtobufCMessage *m)
{
	buf_init(b, KIB(4));
	buf_added(b, protobuf_c_message_pack(m,
	                 (uint8_t *)buf_reserve(b,
	                     protobuf_c_message_get_packed_size(m))));
}

/* What the job says it has told; end NULL: not yet. */
static void
fake_tell(const Wire__JobStarted *began, const Wire__JobFinished *end)
{
	fake_pack(&fake.job.began, &began->base);
	if (end != NULL)
		fake_pack(&fake.job.end, &end->base);
}

/* ------------------------------------------------------------- fixture */

struct fixture {
	struct agent a;
	char jobs[256], secrets[256], restic[256];
};

static void
fixture_start(struct fixture *f, const char *dir)
{
	static const uint8_t key[CRYPT_KEY_SIZE];
	struct err e = { 0 };

	memset(&fake, 0, sizeof(fake));
	*f = (struct fixture){ 0 };
	help_path(f->jobs, dir, "jobs");
	help_path(f->secrets, dir, "secrets.enc");
	help_path(f->restic, dir, "restic");
	assert_rc(fsio_mkdirs(f->jobs, 0700, NULL), RC_OK);
	f->a.settings.jobs_dir = f->jobs;
	f->a.settings.state_dir = (char *)(uintptr_t)dir;
	f->a.loop = help_loop();
	f->a.settle = settle_new(f->a.loop);
	f->a.queue = help_queue(dir);
	f->a.events = events_new(f->a.loop, f->a.queue);
	assert_rc(secrets_open(f->secrets, key, &f->a.secrets, NULL), RC_OK);
	assert_true(str_copy(f->a.restic.path, sizeof(f->a.restic.path),
	    str_of(f->restic)));
	f->a.restic.number = access(f->restic, X_OK) == 0 ? 1800 : 0;
	assert_rc(command_new(&f->a, &f->a.command, &e), RC_OK);
}

/* As after SIGKILL: what is in memory is gone. */
static void
fixture_kill(struct fixture *f)
{
	help_sync(f->a.loop, f->a.events);
	command_free(f->a.command);
	events_free(f->a.events);
	queue_close(f->a.queue);
	secrets_close(f->a.secrets);
	settle_free(f->a.settle);
	loop_free(f->a.loop);
}

static void
fixture_stop(struct fixture *f)
{
	bool idle = false;

	command_stop(f->a.command, help_mark, &idle);
	if (fake.runs)
		fake_end_job();
	help_run_until(f->a.loop, help_set, &idle);
	fixture_kill(f);
}

static void
put_secrets(struct fixture *f)
{
	struct secrets_config config = { 1, 0, 0 };
	struct secrets_repo repo = { 0 };

	secret_set(&repo.url, STR("/repo"));
	secret_set(&repo.username, STR(""));
	secret_set(&repo.password, STR("canary"));
	assert_rc(secrets_put(f->a.secrets, SECRETS_REPO, &repo, &config, NULL),
	    RC_OK);
	secrets_repo_fini(&repo);
}

static void
send_run(struct fixture *f, const char *id, const char *kind)
{
	Wire__CommandRun run = WIRE__COMMAND_RUN__INIT;
	Wire__Command cmd = WIRE__COMMAND__INIT;
	char *paths[] = { (char[]){ "/etc" } };

	run.job_id = (char *)(uintptr_t)id;
	run.kind = (char *)(uintptr_t)kind;
	run.includes = paths;
	run.n_includes = 1;
	cmd.body_case = WIRE__COMMAND__BODY_RUN;
	cmd.run = &run;
	command_handle(f->a.command, &cmd);
}

static void
send_cancel(struct fixture *f, const char *id)
{
	Wire__CommandCancel cancel = WIRE__COMMAND_CANCEL__INIT;
	Wire__Command cmd = WIRE__COMMAND__INIT;

	cancel.job_id = (char *)(uintptr_t)id;
	cmd.body_case = WIRE__COMMAND__BODY_CANCEL;
	cmd.cancel = &cancel;
	command_handle(f->a.command, &cmd);
}

static bool
answered(void *ctx)
{
	return fake.answers >= *(size_t *)ctx;
}

static void
wait_answers(struct fixture *f, size_t n)
{
	help_run_until(f->a.loop, answered, &n);
}

static void
check_answer(size_t i, const char *id, bool ok, const char *error)
{
	assert_true(i < fake.answers);
	assert_string_equal(fake.answer_id[i], id);
	assert_int_equal(fake.answer_ok[i], ok);
	assert_string_equal(fake.answer_error[i], error);
}

#define A "01JD000000000000000000000A"
#define B "01JD000000000000000000000B"

static bool
file_exists(struct fixture *f, const char *name)
{
	char path[256];

	help_path(path, f->jobs, name);
	return access(path, F_OK) == 0;
}

/* The ends that were queued; free them. */
static size_t
ends(struct fixture *f, Wire__Event **out)
{
	size_t n;

	help_sync(f->a.loop, f->a.events);
	n = help_events(f->a.events, 1, out);
	return n;
}

/* --------------------------------------------------------------- tests */

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
		unit_test_in_folder(ends_are_told_again),
		unit_test_in_folder(a_job_left_behind_ends_failed_and_unlocks),
		unit_test_in_folder(a_damaged_file_is_a_job_that_ended),
		unit_test_in_folder(stopping_stops_the_job_and_takes_no_other),
		unit_test_in_folder(a_stop_catches_a_command_being_accepted),
		unit_test_in_folder(
		    an_acceptance_that_cannot_be_written_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
