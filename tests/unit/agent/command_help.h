/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_COMMAND_HELP_H
#define TESTS_UNIT_AGENT_COMMAND_HELP_H
/* Commands and files, queue, secrets and `restic unlock` that are real.
 * agent/job.c is replaced by jobs that end when told, and the uplink by a list
 * of answers. */
#include "tests/unit/agent/agent_help.h"

#include <sys/stat.h>

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/job.h"
#include "agent/secrets.h"
#include "agent/settle.h"
#include "agent/uplink.h"

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

static inline void
fake_end_job(void)
{
	fake.runs = false;
	fake.job.done(fake.job.ctx);
	buf_fini(&fake.job.began);
	buf_fini(&fake.job.end);
}

static inline void
fake_pack(struct buf *b, const ProtobufCMessage *m)
{
	buf_init(b, KIB(4));
	buf_added(b, protobuf_c_message_pack(m,
	                 (uint8_t *)buf_reserve(b,
	                     protobuf_c_message_get_packed_size(m))));
}

/* What the job says it has told; end NULL: not yet. */
static inline void
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

static inline void
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
static inline void
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

static inline void
fixture_stop(struct fixture *f)
{
	bool idle = false;

	command_stop(f->a.command, help_mark, &idle);
	if (fake.runs)
		fake_end_job();
	help_run_until(f->a.loop, help_set, &idle);
	fixture_kill(f);
}

static inline void
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

static inline void
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

static inline void
send_cancel(struct fixture *f, const char *id)
{
	Wire__CommandCancel cancel = WIRE__COMMAND_CANCEL__INIT;
	Wire__Command cmd = WIRE__COMMAND__INIT;

	cancel.job_id = (char *)(uintptr_t)id;
	cmd.body_case = WIRE__COMMAND__BODY_CANCEL;
	cmd.cancel = &cancel;
	command_handle(f->a.command, &cmd);
}

static inline bool
answered(void *ctx)
{
	return fake.answers >= *(size_t *)ctx;
}

static inline void
wait_answers(struct fixture *f, size_t n)
{
	help_run_until(f->a.loop, answered, &n);
}

static inline void
check_answer(size_t i, const char *id, bool ok, const char *error)
{
	assert_true(i < fake.answers);
	assert_string_equal(fake.answer_id[i], id);
	assert_int_equal(fake.answer_ok[i], ok);
	assert_string_equal(fake.answer_error[i], error);
}

#define A "01JD000000000000000000000A"
#define B "01JD000000000000000000000B"

static inline bool
file_exists(struct fixture *f, const char *name)
{
	char path[256];

	help_path(path, f->jobs, name);
	return access(path, F_OK) == 0;
}

/* The ends that were queued; free them. */
static inline size_t
ends(struct fixture *f, Wire__Event **out)
{
	size_t n;

	help_sync(f->a.loop, f->a.events);
	n = help_events(f->a.events, 1, out);
	return n;
}

#endif
