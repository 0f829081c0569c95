/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_SCHEDULE_HELP_H
#define TESTS_UNIT_AGENT_SCHEDULE_HELP_H
/* The scheduler with real jobs, commands, queue and files.  restic is a script
 * of the shell, the uplink is replaced, and the clock is ours. */
#include "tests/unit/agent/due_help.h"
#include "tests/unit/agent/job_help.h"

#include "agent/command.h"
#include "agent/plan.h"
#include "agent/schedule.h"
#include "agent/settle.h"

/* An agent and the time it lives in. */
struct host {
	struct fixture f;
	struct small plan;
	char *paths[1];
	char jobs[256];
	int64_t now;
};

static inline void
host_clock(struct host *h, int64_t now_ms)
{
	h->now = now_ms;
	clock_fake(now_ms, now_ms - at("2026-11-20T00:00:00Z"));
}

static inline void
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
static inline void
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

static inline void
host_start(struct host *h)
{
	struct agent *a = &h->f.a;
	struct err e = { 0 };

	assert_rc(restic_locate(&a->restic, h->f.restic, &e), RC_OK);
	assert_rc(schedule_new(a, &a->schedule, &e), RC_OK);
	assert_rc(command_new(a, &a->command, &e), RC_OK);
	schedule_begin(a->schedule);
}

static inline void
host_open(struct host *h, const char *dir, const char *functions)
{
	host_prepare(h, dir, functions);
	host_start(h);
}

static inline void
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

static inline void
host_pass(struct host *h, int64_t until_ms)
{
	while (h->now < until_ms) {
		host_clock(h,
		    h->now + 30000 < until_ms ? h->now + 30000 : until_ms);
		schedule_contact(h->f.a.schedule);
	}
}

static inline size_t
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

static inline bool
host_has_ended(void *ctx)
{
	const struct wait *w = ctx;

	return command_is_free(w->h->f.a.command) &&
	       host_count(w->h, WIRE__EVENT__BODY_JOB_FINISHED) >= w->ends;
}

/* The loop runs until so many jobs have ended, and then some. */
static inline void
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

static inline const Wire__Event *
host_event(struct host *h, Wire__Event__BodyCase kind, size_t nth)
{
	size_t i;

	for (i = 0; i < h->f.n; i++)
		if (h->f.all[i]->body_case == kind && nth-- == 0)
			return h->f.all[i];
	fail();
	return NULL;
}

static inline const Wire__JobStarted *
host_started(struct host *h, size_t nth)
{
	return host_event(h, WIRE__EVENT__BODY_JOB_STARTED, nth)->job_started;
}

static inline const Wire__JobFinished *
host_finished(struct host *h, size_t nth)
{
	return host_event(h, WIRE__EVENT__BODY_JOB_FINISHED, nth)->job_finished;
}

#endif
