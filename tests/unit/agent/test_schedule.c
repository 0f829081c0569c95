/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* The scheduler with real jobs, commands, queue and files.  restic is a script
 * of the shell, the uplink is replaced, and the clock is ours. */
#include "tests/unit/agent/due_help.h"
#include "tests/unit/agent/job_help.h"

#include "agent/command.h"
#include "agent/jobfile.h"
#include "agent/plan.h"
#include "agent/schedule.h"
#include "agent/settle.h"
#include "agent/statefile.h"

/* An agent and the time it lives in. */
struct host {
	struct fixture f;
	struct small plan;
	char *paths[1];
	char jobs[256];
	int64_t now;
};

static void
host_clock(struct host *h, int64_t now_ms)
{
	h->now = now_ms;
	clock_fake(now_ms, now_ms - at("2026-11-20T00:00:00Z"));
}

static void
host_put_plan(struct host *h)
{
	struct buf b;
	struct str s;

	buf_init(&b, MIB(1));
	assert_rc(plan_pack(&h->plan.plan, &b), RC_OK);
	s = buf_str(&b);
	assert_rc(secrets_put_plan(h->f.a.secrets, &s, 0, NULL), RC_OK);
	buf_fini(&b);
}

/* Daily at 02:00 UTC, group A with one path and a retry; it is 01:59. */
static void
host_prepare(struct host *h, const char *dir, const char *functions)
{
	static char host_id[] = HOST;

	*h = (struct host){ .now = 0 };
	fixture_open(&h->f, dir, functions);
	help_path(h->jobs, dir, "jobs");
	assert_rc(fsio_mkdirs(h->jobs, 0700, NULL), RC_OK);
	h->f.a.settings.jobs_dir = h->jobs;
	h->f.a.settings.host_id = host_id;
	h->f.a.settle = settle_new(h->f.a.loop);
	small_init(&h->plan, "0 2 * * *");
	h->paths[0] = h->f.source;
	h->plan.group[0].includes = h->paths;
	h->plan.group[0].n_includes = 1;
	h->plan.group[0].retry_max = 1;
	h->plan.group[0].retry_backoff_s = 30;
	h->plan.schedule[0].zone = (char *)(uintptr_t) "UTC";
	host_put_plan(h);
	host_clock(h, at("2026-11-21T01:59:00Z"));
}

static void
host_start(struct host *h)
{
	struct agent *a = &h->f.a;
	struct err e = { 0 };

	assert_rc(restic_locate(&a->restic, h->f.restic, &e), RC_OK);
	assert_rc(schedule_new(a, &a->schedule, &e), RC_OK);
	assert_rc(command_new(a, &a->command, &e), RC_OK);
	schedule_begin(a->schedule);
}

static void
host_open(struct host *h, const char *dir, const char *functions)
{
	host_prepare(h, dir, functions);
	host_start(h);
}

static void
host_close(struct host *h)
{
	bool idle = false;

	schedule_stop(h->f.a.schedule);
	command_stop(h->f.a.command, help_mark, &idle);
	help_run_until(h->f.a.loop, help_set, &idle);
	command_free(h->f.a.command);
	schedule_free(h->f.a.schedule);
	settle_free(h->f.a.settle);
	fixture_close(&h->f);
	clock_fake(-1, 0);
}

static void
host_pass(struct host *h, int64_t until_ms)
{
	while (h->now < until_ms) {
		host_clock(h,
		    h->now + 30000 < until_ms ? h->now + 30000 : until_ms);
		schedule_contact(h->f.a.schedule);
	}
}

static size_t
host_count(struct host *h, Wire__Event__BodyCase kind)
{
	size_t i, n = 0;

	help_sync(h->f.a.loop, h->f.a.events);
	help_events_free(h->f.all, h->f.n);
	h->f.n = help_events(h->f.a.events, 1, h->f.all);
	for (i = 0; i < h->f.n; i++)
		n += h->f.all[i]->body_case == kind ? 1 : 0;
	return n;
}

struct wait {
	struct host *h;
	size_t ends;
};

static bool
host_has_ended(void *ctx)
{
	const struct wait *w = ctx;

	return command_is_free(w->h->f.a.command) &&
	       host_count(w->h, WIRE__EVENT__BODY_JOB_FINISHED) >= w->ends;
}

/* The loop runs until so many jobs have ended, and then some. */
static void
host_wait_ends(struct host *h, size_t ends)
{
	struct wait w = { h, ends };
	int i;

	for (i = 0; i < 3000 && !host_has_ended(&w); i++)
		help_run_ms(h->f.a.loop, 10);
	assert_true(host_has_ended(&w));
	help_run_ms(h->f.a.loop, 100);
	assert_int_equal(host_count(h, WIRE__EVENT__BODY_JOB_FINISHED), ends);
}

static const Wire__Event *
host_event(struct host *h, Wire__Event__BodyCase kind, size_t nth)
{
	size_t i;

	for (i = 0; i < h->f.n; i++)
		if (h->f.all[i]->body_case == kind && nth-- == 0)
			return h->f.all[i];
	fail();
	return NULL;
}

static const Wire__JobStarted *
host_started(struct host *h, size_t nth)
{
	return host_event(h, WIRE__EVENT__BODY_JOB_STARTED, nth)->job_started;
}

static const Wire__JobFinished *
host_finished(struct host *h, size_t nth)
{
	return host_event(h, WIRE__EVENT__BODY_JOB_FINISHED, nth)->job_finished;
}

/* ----------------------------------------------------------------- tests */

static void
a_backup_begins_by_itself_when_it_is_due(void **state)
{
	static struct host h;
	const Wire__OwnRun *own;

	host_open(&h, *state, "");
	host_pass(&h, at("2026-11-21T01:59:59Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	own = host_started(&h, 0)->own;
	assert_non_null(own);
	assert_string_equal(host_started(&h, 0)->kind, "backup");
	assert_string_equal(own->schedule_id, DAILY);
	assert_string_equal(own->group_id, GROUP_A);
	assert_string_equal(own->group_name, "a");
	assert_string_equal(own->includes[0], h.f.source);
	assert_int_equal(own->due_at_ms, at("2026-11-21T02:00:00Z"));
	assert_int_equal(own->attempt, 1);
	assert_false(own->catch_up);
	assert_string_equal(host_finished(&h, 0)->status, "succeeded");
	assert_int_equal(host_finished(&h, 0)->retry_at_ms, 0);
	/* Not again, and then tomorrow. */
	host_pass(&h, at("2026-11-22T01:59:59Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 1);
	host_pass(&h, at("2026-11-22T02:00:00Z"));
	host_wait_ends(&h, 2);
	host_close(&h);
}

static void
a_failed_run_is_tried_again_and_says_when(void **state)
{
	static struct host h;

	host_open(&h, *state, "backup() { echo 'Fatal: no' >&2; exit 1; }\n");
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	assert_string_equal(host_finished(&h, 0)->status, "failed");
	assert_int_equal(host_finished(&h, 0)->retry_at_ms,
	    at("2026-11-21T02:00:30Z"));
	host_pass(&h, at("2026-11-21T02:00:30Z"));
	host_wait_ends(&h, 2);
	assert_int_equal(host_started(&h, 1)->own->attempt, 2);
	assert_int_equal(host_started(&h, 1)->own->due_at_ms,
	    at("2026-11-21T02:00:00Z"));
	assert_int_equal(host_finished(&h, 1)->retry_at_ms, 0);
	host_pass(&h, at("2026-11-21T03:00:00Z"));
	host_wait_ends(&h, 2);
	host_close(&h);
}

/* Contract: one job a host; who comes second is told or waits. */
static void
runs_and_commands_take_turns(void **state)
{
	static struct host h;
	Wire__Command c = WIRE__COMMAND__INIT;

	host_open(&h, *state, "backup() { sleep 0.2; summary " SNAP "; }\n");
	c.body_case = WIRE__COMMAND__BODY_RUN;
	c.run = &h.f.cmd;
	command_handle(h.f.a.command, &c);
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_true(fake.accepted);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 1);
	assert_null(host_started(&h, 0)->own);
	/* The plan's run takes the place as soon as it is free. */
	host_wait_ends(&h, 2);
	assert_non_null(host_started(&h, 1)->own);
	/* And the other way round. */
	host_pass(&h, at("2026-11-22T02:00:00Z"));
	help_run_ms(h.f.a.loop, 50);
	h.f.cmd.job_id = (char *)(uintptr_t) "01JD000000000000000000000B";
	command_handle(h.f.a.command, &c);
	assert_false(fake.accepted);
	assert_string_equal(fake.error, "busy");
	host_wait_ends(&h, 3);
	host_close(&h);
}

/* What follows one another on a host whose runs never leave a gap. */
static void
host_send(struct host *h, const char *id, int64_t waited_ms)
{
	Wire__Command c = WIRE__COMMAND__INIT;

	c.body_case = WIRE__COMMAND__BODY_RUN;
	c.run = &h->f.cmd;
	h->f.cmd.job_id = (char *)(uintptr_t)id;
	h->f.cmd.waited_ms = waited_ms;
	command_handle(h->f.a.command, &c);
}

static void
host_say_waits(struct host *h, int64_t waited_ms)
{
	Wire__CommandWaits w = WIRE__COMMAND_WAITS__INIT;
	Wire__Command c = WIRE__COMMAND__INIT;

	w.waited_ms = waited_ms;
	c.body_case = WIRE__COMMAND__BODY_WAITS;
	c.waits = &w;
	command_handle(h->f.a.command, &c);
}

static void
host_wait_starts(struct host *h, size_t starts)
{
	unsigned i;

	for (i = 0; i < 3000; i++) {
		if (host_count(h, WIRE__EVENT__BODY_JOB_STARTED) >= starts)
			return;
		help_run_ms(h->f.a.loop, 10);
	}
	fail();
}

static void
host_open_ever_due(struct host *h, const char *dir)
{
	host_prepare(h, dir, "backup() { sleep 0.2; summary " SNAP "; }\n");
	small_init(&h->plan, "@every 1s");
	h->plan.group[0].includes = h->paths;
	h->plan.group[0].n_includes = 1;
	host_put_plan(h);
	host_start(h);
	host_pass(h, h->now + 1000);
	host_wait_starts(h, 1);
}

#define CMD_B "01JD000000000000000000000B"
#define CMD_C "01JD000000000000000000000C"

/* Nothing of the plan begins for as long as the place is kept. */
static void
host_expect_kept(struct host *h, size_t ended)
{
	host_wait_ends(h, ended);
	assert_int_equal(host_count(h, WIRE__EVENT__BODY_JOB_STARTED), ended);
}

static void
a_schedule_that_is_ever_due_starves_no_command(void **state)
{
	static struct host h;

	host_open_ever_due(&h, *state);
	host_send(&h, CMD_B, 0);
	assert_string_equal(fake.error, "busy");
	host_pass(&h, h.now + 2000); /* due again, after it */
	host_expect_kept(&h, 1);
	host_send(&h, CMD_B, 2000);
	help_run_ms(h.f.a.loop, 50);
	assert_true(fake.accepted);
	/* The run that was ready goes before a command that came later. */
	host_pass(&h, h.now + 2000);
	host_send(&h, CMD_C, 1000);
	host_wait_starts(&h, 3);
	host_pass(&h, h.now + 2000);
	host_expect_kept(&h, 3);
	assert_null(host_started(&h, 1)->own);
	assert_non_null(host_started(&h, 2)->own);
	host_send(&h, CMD_C, 3000);
	host_wait_ends(&h, 5); /* and what came due behind it */
	assert_null(host_started(&h, 3)->own);
	host_close(&h);
}

/* Of what it would refuse anyway the agent is only told. */
static void
the_place_is_kept_for_what_waits_and_not_for_ever(void **state)
{
	static struct host h;

	host_open_ever_due(&h, *state);
	host_say_waits(&h, 500);
	host_pass(&h, h.now + 2000);
	host_expect_kept(&h, 1);
	host_pass(&h, h.now + 29000);
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 1);
	host_pass(&h, h.now + 2000); /* it was cancelled, perhaps */
	host_wait_ends(&h, 2);
	/* And not again for the same. */
	host_pass(&h, h.now + 2000);
	host_wait_ends(&h, 3);
	host_close(&h);
}

/* A command that arrives while the place is free, and later than a run that
 * has not begun for a moment: its state is on its way to the disk. */
static void
commands_pass_no_run_that_was_ready_before(void **state)
{
	static struct host h;

	host_open_ever_due(&h, *state);
	host_wait_ends(&h, 1);
	host_clock(&h, h.now + 2000);
	schedule_contact(h.f.a.schedule); /* ready, and being saved */
	assert_true(command_is_free(h.f.a.command));
	host_clock(&h, h.now + 10);
	host_send(&h, CMD_B, 0);
	assert_string_equal(fake.error, "busy");
	host_wait_ends(&h, 2);
	assert_non_null(host_started(&h, 1)->own);
	host_send(&h, CMD_B, 1000);
	host_wait_ends(&h, 3);
	assert_null(host_started(&h, 2)->own);
	host_close(&h);
}

/* What a former process left in schedule.state: due, and not begun. */
static struct ulid
host_leave_due(struct host *h, const char *dir)
{
	struct ulid host = small_id(HOST), job;
	struct due *d = due_new(&host);
	struct buf b;

	due_plan(d, &h->plan.plan, "UTC", h->now);
	(void)due_look(d, h->now);
	(void)due_look(d, at("2026-11-21T02:00:00Z"));
	job = due_at(d, 0)->job;
	buf_init(&b, MIB(1));
	assert_rc(due_save(d, h->now, &b), RC_OK);
	assert_rc(statefile_write(dir, buf_str(&b), NULL), RC_OK);
	buf_fini(&b);
	due_free(d);
	host_clock(h, at("2026-11-21T02:00:10Z"));
	return job;
}

static void
what_was_due_and_not_begun_begins_after_a_restart_once(void **state)
{
	static struct host h;
	char text[ULID_TEXT_CAP];
	struct ulid job;

	host_prepare(&h, *state, "");
	job = host_leave_due(&h, *state);
	ulid_text(&job, text);
	host_start(&h);
	host_pass(&h, at("2026-11-21T02:05:00Z"));
	host_wait_ends(&h, 1);
	assert_string_equal(host_started(&h, 0)->job_id, text);
	assert_false(host_started(&h, 0)->own->catch_up);
	host_pass(&h, at("2026-11-21T12:00:00Z"));
	host_wait_ends(&h, 1);
	host_close(&h);
}

static void
host_leave_job(struct host *h, const struct ulid *job, bool ended)
{
	struct jobfile f = { .id = *job, .accepted_ms = h->now };
	Wire__JobFinished end = WIRE__JOB_FINISHED__INIT;
	uint8_t bytes[256];
	char text[ULID_TEXT_CAP];

	ulid_text(job, text);
	end.job_id = text;
	end.status = (char *)(uintptr_t) "succeeded";
	f.ended = ended;
	f.ended_ms = ended ? h->now : 0;
	if (ended)
		f.end = str_from(bytes, wire__job_finished__pack(&end, bytes));
	assert_rc(jobfile_write(h->jobs, &f, NULL), RC_OK);
}

/* The controller may not have heard of it: it is told all of it. */
static void
what_had_begun_ends_and_is_tried_again(void **state)
{
	static struct host h;
	char text[ULID_TEXT_CAP];
	struct ulid job;

	host_prepare(&h, *state, "");
	job = host_leave_due(&h, *state);
	host_leave_job(&h, &job, false);
	ulid_text(&job, text);
	host_start(&h);
	host_wait_ends(&h, 1);
	assert_string_equal(host_started(&h, 0)->job_id, text);
	assert_string_equal(host_started(&h, 0)->own->group_name, "a");
	assert_string_equal(host_finished(&h, 0)->job_id, text);
	assert_string_equal(host_finished(&h, 0)->cause, "agent_restarted");
	assert_int_equal(host_finished(&h, 0)->retry_at_ms, h.now + 30000);
	host_pass(&h, at("2026-11-21T02:05:00Z"));
	host_wait_ends(&h, 2);
	assert_string_not_equal(host_started(&h, 1)->job_id, text);
	assert_int_equal(host_started(&h, 1)->own->attempt, 2);
	assert_string_equal(host_finished(&h, 1)->status, "succeeded");
	host_close(&h);
}

static void
what_had_ended_is_not_run_again(void **state)
{
	static struct host h;
	struct ulid job;

	host_prepare(&h, *state, "");
	job = host_leave_due(&h, *state);
	host_leave_job(&h, &job, true);
	host_start(&h);
	host_pass(&h, at("2026-11-22T01:59:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	host_close(&h);
}

static void
host_queue_end(struct host *h, const struct ulid *job)
{
	Wire__JobFinished end = WIRE__JOB_FINISHED__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	char text[ULID_TEXT_CAP];

	ulid_text(job, text);
	end.job_id = text;
	end.status = (char *)(uintptr_t) "succeeded";
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = &end;
	events_put(h->f.a.events, &ev, true);
	help_sync(h->f.a.loop, h->f.a.events);
}

/* Killed between the two: its end is in the queue, and jobs/<id> does not
 * know. */
static void
what_the_queue_has_the_end_of_is_not_run_again(void **state)
{
	static struct host h;
	struct ulid job;

	host_prepare(&h, *state, "");
	job = host_leave_due(&h, *state);
	host_leave_job(&h, &job, false);
	host_queue_end(&h, &job);
	host_start(&h);
	assert_true(command_has_ended(h.f.a.command, &job));
	host_pass(&h, at("2026-11-22T01:59:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_FINISHED), 1);
	assert_string_equal(host_finished(&h, 0)->status, "succeeded");
	host_close(&h);
}

/* What was kept is set aside, and the plan runs. */
static void
goes_on_without(struct host *h, const char *dir)
{
	char path[256];

	host_start(h);
	help_path(path, dir, "schedule.state.damaged");
	assert_int_equal(access(path, F_OK), 0);
	host_pass(h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(h, 1);
	host_close(h);
}

static void
a_damaged_state_is_set_aside_and_schedules_go_on(void **state)
{
	static struct host h;

	host_prepare(&h, *state, "");
	assert_rc(statefile_write(*state, STR("\x12\xff damaged"), NULL),
	    RC_OK);
	goes_on_without(&h, *state);
}

static void
a_state_that_cannot_be_read_is_set_aside_too(void **state)
{
	static struct host h;
	char path[256], *huge = mem_alloc(STATEFILE_MAX + 1);

	memset(huge, 0, STATEFILE_MAX + 1);
	host_prepare(&h, *state, "");
	help_path(path, *state, "schedule.state");
	assert_rc(fsio_replace(path, str_from(huge, STATEFILE_MAX + 1), 0600,
	              NULL),
	    RC_OK);
	mem_free(huge);
	goes_on_without(&h, *state);
}

/* It says so, and the plan goes on when the file is whole again. */
static void
a_plan_that_cannot_be_read_fails_its_runs(void **state)
{
	static struct host h;
	struct buf good;

	host_open(&h, *state, "");
	buf_init(&good, MIB(1));
	assert_rc(fsio_read(h.f.secrets, &good, NULL), RC_OK);
	assert_rc(fsio_replace(h.f.secrets, str_sub(buf_str(&good), 0, 50),
	              0600, NULL),
	    RC_OK);
	schedule_plan(h.f.a.schedule); /* what is in force stays */
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	assert_string_equal(host_finished(&h, 0)->status, "failed");
	assert_string_equal(host_finished(&h, 0)->cause, "no_credentials");
	assert_non_null(strstr(host_finished(&h, 0)->error, "secrets.enc"));
	assert_int_equal(host_started(&h, 0)->own->due_at_ms,
	    at("2026-11-21T02:00:00Z"));
	assert_rc(fsio_replace(h.f.secrets, buf_str(&good), 0600, NULL), RC_OK);
	buf_fini(&good);
	host_pass(&h, at("2026-11-22T02:00:00Z"));
	host_wait_ends(&h, 2);
	assert_string_equal(host_finished(&h, 1)->status, "succeeded");
	host_close(&h);
}

/* No room in the directory at all, not even for jobs/<id>. */
static void
a_disk_that_takes_nothing_stops_no_backup(void **state)
{
	static struct host h;
	const char *dir = *state;

	host_open(&h, dir, "");
	host_wait_ends(&h, 0);
	h.f.a.settings.state_dir = (char *)(uintptr_t) "/dev/null/no";
	h.f.a.settings.jobs_dir = (char *)(uintptr_t) "/dev/null/no";
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	assert_non_null(host_started(&h, 0)->own);
	host_pass(&h, at("2026-11-22T01:00:00Z"));
	host_wait_ends(&h, 1);
	h.f.a.settings.state_dir = (char *)(uintptr_t)dir;
	host_close(&h);
}

static size_t
host_saved_runs(const char *dir)
{
	struct ulid host;
	struct due *d;
	struct buf b;
	size_t n = 0;

	assert_true(ulid_parse(STR(HOST), &host));
	d = due_new(&host);
	buf_init(&b, MIB(1));
	assert_rc(statefile_read(dir, &b, NULL), RC_OK);
	assert_rc(due_load(d, buf_str(&b)), RC_OK);
	while (due_at(d, n) != NULL)
		n++;
	buf_fini(&b);
	due_free(d);
	return n;
}

/* What could not be written when the run ended is written as soon as there is
 * room: a restart would begin the run again. */
static void
a_state_that_found_no_room_is_written_later(void **state)
{
	static struct host h;
	char *dir = *state;

	host_open(&h, dir, "backup() { sleep 0.3; summary " SNAP "; }\n");
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	help_run_ms(h.f.a.loop, 150);
	assert_int_equal(host_saved_runs(dir), 1);
	h.f.a.settings.state_dir = (char *)(uintptr_t) "/dev/null/no";
	host_wait_ends(&h, 1);
	h.f.a.settings.state_dir = dir;
	assert_int_equal(host_saved_runs(dir), 1);
	host_pass(&h, at("2026-11-21T02:02:00Z"));
	help_run_ms(h.f.a.loop, 150);
	assert_int_equal(host_saved_runs(dir), 0);
	host_close(&h);
}

static void
a_new_plan_counts_from_now_on(void **state)
{
	static struct host h;

	host_open(&h, *state, "");
	h.plan.schedule[0].cron = (char *)(uintptr_t) "30 1 * * *";
	host_put_plan(&h);
	schedule_plan(h.f.a.schedule);
	host_pass(&h, at("2026-11-22T01:29:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	host_pass(&h, at("2026-11-22T01:30:00Z"));
	host_wait_ends(&h, 1);
	host_close(&h);
}

/* A laptop that travels: from then on its new 02:00 counts. */
static void
times_follow_the_clock_of_the_host(void **state)
{
	static struct host h;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	host_prepare(&h, *state, "");
	h.plan.schedule[0].zone = (char *)(uintptr_t) "";
	host_put_plan(&h);
	host_start(&h);
	assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
	host_pass(&h, at("2026-11-21T16:59:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	host_pass(&h, at("2026-11-21T17:00:00Z"));
	host_wait_ends(&h, 1);
	host_close(&h);
	assert_int_equal(unsetenv("TZ"), 0);
}

static void
a_host_that_was_deleted_backs_up_no_more(void **state)
{
	static struct host h;

	host_open(&h, *state, "");
	schedule_dismiss(h.f.a.schedule);
	host_pass(&h, at("2026-11-23T12:00:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	/* Known after all it is given its plan again. */
	assert_int_equal(secrets_config(h.f.a.secrets).version, 0);
	host_close(&h);
}

/* Nobody is asked, so nobody tells: it fails where it can be seen. */
static void
a_group_without_paths_fails_visibly(void **state)
{
	static struct host h;

	host_prepare(&h, *state, "");
	h.plan.group[0].n_includes = 0;
	host_put_plan(&h);
	host_start(&h);
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	assert_string_equal(host_finished(&h, 0)->status, "failed");
	assert_string_equal(host_finished(&h, 0)->cause, "refused");
	assert_int_equal(host_finished(&h, 0)->retry_at_ms, 0);
	host_close(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(a_backup_begins_by_itself_when_it_is_due),
		unit_test_in_folder(a_failed_run_is_tried_again_and_says_when),
		unit_test_in_folder(runs_and_commands_take_turns),
		unit_test_in_folder(
		    a_schedule_that_is_ever_due_starves_no_command),
		unit_test_in_folder(
		    the_place_is_kept_for_what_waits_and_not_for_ever),
		unit_test_in_folder(commands_pass_no_run_that_was_ready_before),
		unit_test_in_folder(
		    what_was_due_and_not_begun_begins_after_a_restart_once),
		unit_test_in_folder(what_had_begun_ends_and_is_tried_again),
		unit_test_in_folder(what_had_ended_is_not_run_again),
		unit_test_in_folder(
		    what_the_queue_has_the_end_of_is_not_run_again),
		unit_test_in_folder(
		    a_damaged_state_is_set_aside_and_schedules_go_on),
		unit_test_in_folder(
		    a_state_that_cannot_be_read_is_set_aside_too),
		unit_test_in_folder(a_plan_that_cannot_be_read_fails_its_runs),
		unit_test_in_folder(a_disk_that_takes_nothing_stops_no_backup),
		unit_test_in_folder(
		    a_state_that_found_no_room_is_written_later),
		unit_test_in_folder(a_new_plan_counts_from_now_on),
		unit_test_in_folder(times_follow_the_clock_of_the_host),
		unit_test_in_folder(a_host_that_was_deleted_backs_up_no_more),
		unit_test_in_folder(a_group_without_paths_fails_visibly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
