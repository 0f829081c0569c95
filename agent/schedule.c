/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/schedule.h"

#include <inttypes.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/due.h"
#include "agent/jobfile.h"
#include "agent/plan.h"
#include "agent/secrets.h"
#include "agent/statefile.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "proto/agent.pb-c.h"

enum {
	SCHEDULE_LOOK_MS = 60000, /* the wall clock may be set at any time */
	SCHEDULE_SOON_MS = 1000,
	SCHEDULE_AWAY_MS = 600000 /* without the controller: a gap */
};

/* A run that ended and whose end is on its way to the queue. */
struct schedule_end {
	struct ulid job; /* zero: none */
	enum due_end end;
	int64_t retry_at_ms;
};

struct schedule {
	struct agent *agent;
	struct due *due;
	struct loop_timer *timer;
	char zone[CRON_ZONE_CAP];
	bool planned; /* there is something to wait for */
	bool begun;
	bool stopping;
	bool freed; /* but for what is on its way to the disk */
	struct schedule_end ended;
	int64_t contact_ms; /* monotonic, the latest; 0: none yet */
	/* the state, on its way to the disk */
	bool dirty;
	bool saving;
	bool unsaved; /* the last try failed; schedule_look() tries again */
	struct buf packed;
	struct err write;
	/* for schedule_tell() */
	Wire__Plan *told;
};

/* ------------------------------------------------------------- the plan */

/* NULL: there is none, or it cannot be read, which is logged; e says why. */
static Wire__Plan *
schedule_read_plan(struct schedule *s, struct err *e)
{
	Wire__Plan *plan = NULL;
	struct buf b;
	enum rc rc;

	buf_init(&b, PLAN_BYTES_MAX);
	rc = secrets_plan(s->agent->secrets, &b, e);
	if (rc == RC_OK && (plan = plan_unpack(buf_str(&b))) == NULL)
		rc = err_set(e, RC_CORRUPT, "it is damaged");
	buf_wipe_fini(&b);
	if (rc != RC_OK && rc != RC_NOTFOUND)
		log_error(LOG_JOB, "the plan cannot be read error=%s", e->msg);
	return plan;
}

static void
schedule_log_plan(struct schedule *s, const Wire__Plan *plan)
{
	char next[CLOCK_TEXT_CAP] = "never";
	struct buf remark;
	int64_t at;
	size_t n = due_schedules(s->due, &at);

	if (at != DUE_NEVER)
		clock_text(at, next);
	log_info(LOG_JOB, "plan in force schedules=%zu zone=%s next=%s", n,
	    s->zone, next);
	buf_init(&remark, KIB(1));
	plan_remark(plan, s->zone, &remark);
	if (remark.len > 0)
		log_warn(LOG_JOB, "%s", log_safe(buf_str(&remark)));
	buf_fini(&remark);
}

/* One that cannot be read leaves the former in force. */
static void
schedule_take_plan(struct schedule *s)
{
	struct err e = { 0 };
	Wire__Plan *plan = schedule_read_plan(s, &e);

	if (plan == NULL && e.rc != RC_NOTFOUND)
		return;
	due_plan(s->due, plan, s->zone, clock_now_ms());
	s->planned = plan != NULL && plan->n_schedules > 0;
	if (plan != NULL)
		schedule_log_plan(s, plan);
	plan_free(plan);
}

/* ------------------------------------------------------------ the state */

static void
schedule_write(void *ctx)
{
	struct schedule *s = ctx;

	if (statefile_write(s->agent->settings.state_dir, buf_str(&s->packed),
	        &s->write) == RC_OK)
		s->write = (struct err){ 0 };
}

static void schedule_step(struct schedule *s);
static void schedule_fini(struct schedule *s);

static void
schedule_on_written(void *ctx)
{
	struct schedule *s = ctx;

	s->saving = false;
	if (s->freed) {
		schedule_fini(s);
		return;
	}
	if (s->write.rc != RC_OK && !s->unsaved)
		log_error(LOG_JOB,
		    "schedule.state cannot be written; a run may come twice "
		    "after a restart error=%s",
		    s->write.msg);
	else if (s->write.rc == RC_OK && s->unsaved)
		log_info(LOG_JOB, "schedule.state is written again");
	s->unsaved = s->write.rc != RC_OK;
	schedule_step(s);
}

static void
schedule_save(struct schedule *s)
{
	buf_reset(&s->packed);
	if (due_save(s->due, clock_now_ms(), &s->packed) != RC_OK) {
		log_error(LOG_JOB, "schedule.state is too large to be kept");
		return;
	}
	s->saving = true;
	loop_work(s->agent->loop, schedule_write, schedule_on_written, s);
}

/* ------------------------------------------------------------ the runs */

static void
schedule_run(struct schedule *s, const struct due_run *r)
{
	struct err e = { 0 };
	Wire__Plan *plan = schedule_read_plan(s, &e);
	struct plan_run run;

	plan_run(plan, r, &run);
	if (command_own(s->agent->command, &run.cmd, &run.own,
	        plan == NULL ? &e : NULL)) {
		log_info(LOG_JOB,
		    "due job=%s schedule=%s group=%s attempt=%u catch_up=%s",
		    run.job, run.schedule, run.group, r->attempt,
		    r->catch_up ? "yes" : "no");
		due_begin(s->due, &r->job);
	}
	plan_free(plan);
}

/* A job of the controller's that came before it has the place. */
static void
schedule_turn(struct schedule *s, const struct due_run *r)
{
	if (command_is_first(s->agent->command, r->not_before_ms))
		loop_timer_start(s->timer, SCHEDULE_SOON_MS, 0);
	else
		schedule_run(s, r);
}

/* What is due is on disk before it runs; what has run is on disk before the
 * next. */
static void
schedule_step(struct schedule *s)
{
	const struct due_run *r;

	if (!s->begun || s->saving)
		return;
	s->dirty = due_take_changed(s->due) || s->dirty;
	if (s->dirty) {
		s->dirty = false;
		schedule_save(s);
	}
	if (s->saving || s->stopping || !command_is_free(s->agent->command))
		return;
	r = due_ready(s->due, clock_now_ms());
	if (r != NULL)
		schedule_turn(s, r);
}

bool
schedule_is_first(const struct schedule *s, int64_t asked_ms)
{
	const struct due_run *r;

	if (s == NULL || !s->begun || s->stopping)
		return false;
	r = due_ready(s->due, clock_now_ms());
	return r != NULL && r->not_before_ms < asked_ms;
}

static void
schedule_check_zone(struct schedule *s)
{
	char zone[CRON_ZONE_CAP];

	facts_zone(zone);
	if (strcmp(zone, s->zone) == 0)
		return;
	memcpy(s->zone, zone, sizeof(zone));
	schedule_take_plan(s);
}

static void
schedule_look(void *ctx)
{
	struct schedule *s = ctx;
	int64_t now, next;

	if (!s->planned || !s->begun)
		return;
	schedule_check_zone(s);
	now = clock_now_ms();
	next = due_look(s->due, now) - now;
	if (next > SCHEDULE_LOOK_MS)
		next = SCHEDULE_LOOK_MS;
	loop_timer_start(s->timer, next > 0 ? (uint64_t)next : SCHEDULE_SOON_MS,
	    0);
	s->dirty = s->dirty || s->unsaved;
	schedule_step(s);
}

void
schedule_plan(struct schedule *s)
{
	if (s == NULL)
		return;
	schedule_take_plan(s);
	schedule_look(s);
	schedule_step(s);
}

void
schedule_dismiss(struct schedule *s)
{
	const struct str none = STR("");
	struct err e = { 0 };

	if (s == NULL || !s->planned)
		return;
	log_warn(LOG_JOB, "this host was deleted: its schedules are off");
	if (secrets_put_plan(s->agent->secrets, &none, PLAN_FORMAT, &e) !=
	    RC_OK)
		log_error(LOG_CONF, "the plan cannot be removed error=%s",
		    e.msg);
	schedule_plan(s);
}

void
schedule_contact(struct schedule *s)
{
	int64_t now = clock_mono_ms();

	if (s == NULL)
		return;
	if (s->contact_ms != 0 && now - s->contact_ms > SCHEDULE_AWAY_MS)
		due_after_gap(s->due);
	s->contact_ms = now;
	schedule_look(s);
}

/* -------------------------------------------------------------- the end */

int64_t
schedule_ended(struct schedule *s, const struct ulid *job, const char *status,
    const char *cause)
{
	if (s == NULL || due_find(s->due, job) == NULL)
		return 0;
	s->ended.job = *job;
	s->ended.end = due_judge(str_of(status), str_of(cause));
	s->ended.retry_at_ms =
	    due_retry_at(s->due, job, s->ended.end, clock_now_ms());
	return s->ended.retry_at_ms;
}

void
schedule_idle(struct schedule *s)
{
	const struct schedule_end *end;

	if (s == NULL)
		return;
	end = &s->ended;
	if (!ulid_is_zero(&end->job)) {
		due_ended(s->due, &end->job, end->end, end->retry_at_ms);
		s->ended = (struct schedule_end){ 0 };
	}
	schedule_look(s);
	schedule_step(s);
}

/* ------------------------------------------------------- after a restart */

bool
schedule_tell(struct schedule *s, const struct ulid *job, struct plan_run *out)
{
	const struct due_run *r = s != NULL ? due_find(s->due, job) : NULL;
	struct err e = { 0 };

	if (r == NULL)
		return false;
	s->told = schedule_read_plan(s, &e);
	plan_run(s->told, r, out);
	due_begin(s->due, job);
	return true;
}

void
schedule_told(struct schedule *s)
{
	plan_free(s->told);
	s->told = NULL;
}

struct schedule_found {
	enum due_end end;
	int64_t retry_at_ms;
};

static void
schedule_on_jobfile(void *ctx, const struct jobfile *f)
{
	struct schedule_found *found = ctx;
	Wire__JobFinished *end = wire__job_finished__unpack(NULL, f->end.n,
	    (const uint8_t *)f->end.p);

	if (end == NULL)
		return;
	found->end = due_judge(str_of(end->status), str_of(end->cause));
	found->retry_at_ms = end->retry_at_ms;
	wire__job_finished__free_unpacked(end, NULL);
}

/* Its end was told, but the state does not know yet. */
static void
schedule_settle_ended(struct schedule *s, const struct ulid *job)
{
	struct schedule_found found = { .end = DUE_FAILED };
	struct err e = { 0 };

	if (jobfile_get(s->agent->settings.jobs_dir, job, schedule_on_jobfile,
	        &found, &e) != RC_OK)
		log_warn(LOG_JOB, "how a run ended is not known error=%s",
		    e.msg);
	due_ended(s->due, job, found.end, found.retry_at_ms);
}

void
schedule_begin(struct schedule *s)
{
	const struct due_run *r;
	size_t i = 0;

	while ((r = due_at(s->due, i)) != NULL) {
		struct ulid job = r->job;

		if (command_has_ended(s->agent->command, &job))
			schedule_settle_ended(s, &job);
		/* It left the line, or has another id for its retry. */
		r = due_at(s->due, i);
		if (r != NULL && ulid_eq(&r->job, &job))
			i++;
	}
	s->begun = true;
	schedule_look(s);
	schedule_step(s);
}

/* --------------------------------------------------------------- making */

/* It may be lost; a backup may not. */
static void
schedule_load(struct schedule *s)
{
	const char *dir = s->agent->settings.state_dir;
	struct err e = { 0 };
	struct buf b;
	enum rc rc;

	buf_init(&b, STATEFILE_MAX);
	rc = statefile_read(dir, &b, &e);
	if (rc == RC_OK && due_load(s->due, buf_str(&b)) != RC_OK)
		rc = err_set(&e, RC_CORRUPT, "it is damaged");
	buf_fini(&b);
	if (rc == RC_OK || rc == RC_NOTFOUND)
		return;
	log_error(LOG_JOB,
	    "schedule.state cannot be read and was set aside; schedules begin "
	    "anew error=%s",
	    e.msg);
	statefile_set_aside(dir);
}

enum rc
schedule_new(struct agent *a, struct schedule **out, struct err *e)
{
	struct schedule *s = MEM_NEW(struct schedule);
	struct ulid host;

	if (!ulid_parse(str_of(a->settings.host_id), &host)) {
		mem_free(s);
		return err_set(e, RC_INVALID, "host_id in %s is not a ULID",
		    a->settings.path);
	}
	s->agent = a;
	s->due = due_new(&host);
	s->timer = loop_timer_new(a->loop, schedule_look, s);
	buf_init(&s->packed, STATEFILE_MAX);
	schedule_load(s);
	facts_zone(s->zone);
	schedule_take_plan(s);
	*out = s;
	return RC_OK;
}

void
schedule_stop(struct schedule *s)
{
	s->stopping = true;
	loop_timer_stop(s->timer);
}

static void
schedule_fini(struct schedule *s)
{
	buf_fini(&s->packed);
	mem_free(s);
}

void
schedule_free(struct schedule *s)
{
	if (s == NULL)
		return;
	loop_timer_free(s->timer);
	due_free(s->due);
	plan_free(s->told);
	s->freed = true;
	if (!s->saving)
		schedule_fini(s);
}
