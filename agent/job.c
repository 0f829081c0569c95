/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/job.h"

#include <string.h>

#include "agent/events.h"
#include "agent/hook.h"
#include "agent/job_own.h"
#include "agent/look.h"
#include "agent/redact.h"
#include "agent/run.h"
#include "agent/schedule.h"
#include "agent/secrets.h"
#include "agent/uplink.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

/*
 * Life, in the order of this file:
 *
 *   job_start -> look (find restic) -> credentials -> pre_hook -> look
 *   (the source paths, which the hook may have made) -> kind->begin ...
 *   job_judged -> post_hook -> survey ... job_finish -> done
 *
 * What fails for good goes to job_judged at once; the post_hook runs after
 * whatever happened.
 */

enum {
	JOB_ARENA_MAX = 256 << 20,
	JOB_TEXT_MAX = 65536,
	JOB_STOP_HOOK_S = 15 /* for the post_hook while the agent stops */
};

/* ---------------------------------------------------------------- start */

static void
job_keep(struct buf *out, const ProtobufCMessage *m)
{
	char *room = buf_reserve(out, protobuf_c_message_get_packed_size(m));

	if (room != NULL)
		buf_added(out, protobuf_c_message_pack(m, (uint8_t *)room));
}

static void
job_tell_started(struct job *j, const Wire__OwnRun *own)
{
	Wire__JobStarted s = WIRE__JOB_STARTED__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;

	s.job_id = j->id_text;
	s.kind = j->cmd->kind;
	s.started_at_ms = j->started_ms;
	s.restic_version = j->agent->restic.version;
	s.own = (Wire__OwnRun *)(uintptr_t)own;
	job_keep(&j->began, &s.base);
	ev.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	ev.job_started = &s;
	events_put(j->agent->events, &ev, true);
}

static void
job_on_unknown_kind(void *ctx)
{
	struct job *j = ctx;
	struct err e = { 0 };

	err_code(&e, RC_INVALID, "unknown_kind",
	    "kind %.40s not implemented on this agent", j->cmd->kind);
	job_end_unrun(j, &e);
}

static bool
job_has_hooks(const struct job *j)
{
	return j->cmd->hooks != NULL && j->kind != NULL &&
	       j->kind->main_step == RESTIC_BACKUP;
}

static struct str
job_hook_body(const struct job *j, bool pre)
{
	const ProtobufCBinaryData *b;

	if (!job_has_hooks(j) || j->cmd->hooks->unreadable[0] != '\0')
		return STR("");
	b = pre ? &j->cmd->hooks->pre : &j->cmd->hooks->post;
	return str_from(b->data, b->len);
}

static void job_on_looked(void *ctx, const struct look_seen *seen,
    const struct err *look);

/* The pre_hook may make the very paths that are backed up. */
static void
job_look(struct job *j)
{
	bool paths = j->kind->needs_paths &&
	             (j->pre_ran || job_hook_body(j, true).n == 0);

	j->look = look_start(j->agent, j->cmd->includes,
	    paths ? j->cmd->n_includes : 0, job_on_looked, j);
}

static void
job_make(struct job *j)
{
	struct lines_opts lo = { .loop = j->agent->loop,
		.events = j->agent->events };

	arena_init(&j->arena, JOB_ARENA_MAX);
	buf_init(&j->began, JOB_TEXT_MAX);
	buf_init(&j->end, JOB_TEXT_MAX);
	restic_seen_init(&j->main_seen);
	restic_seen_init(&j->list_seen);
	wire__repo_stats__init(&j->stats);
	wire__repo_locks__init(&j->locks);
	j->redact = redact_new();
	lo.redact = j->redact;
	lo.job = j->id;
	j->lines = lines_new(&lo);
	step_init(j);
}

struct job *
job_start(struct agent *a, const struct Wire__CommandRun *cmd,
    const struct Wire__OwnRun *own, job_done_fn *done, void *ctx)
{
	struct job *j = MEM_NEW(struct job);

	j->agent = a;
	j->cmd = run_copy(cmd);
	j->own = own != NULL;
	j->done = done;
	j->ctx = ctx;
	if (!ulid_parse(str_of(j->cmd->job_id), &j->id))
		ulid_new(&j->id); /* command.c lets none of these through */
	ulid_text(&j->id, j->id_text);
	j->kind = kinds_find(j->cmd->kind);
	j->started_ms = clock_now_ms();
	j->started_mono_ms = j->noted_ms = clock_mono_ms();
	job_make(j);
	job_tell_started(j, own);
	log_info(LOG_JOB, "job started job=%s kind=%s paths=%zu", j->id_text,
	    log_safe(str_of(j->cmd->kind)), j->cmd->n_includes);
	if (j->kind != NULL)
		job_look(j);
	else
		loop_defer(a->loop, job_on_unknown_kind, j);
	return j;
}

/* -------------------------------------------------------------- prepare */

/* What the command brings for this run alone; what it leaves out is as the
 * host's. */
static void
job_take_admin(struct job *j, struct secrets_repo *repo)
{
	struct secrets_repo admin;

	secrets_repo_from(j->cmd->admin, &admin);
	run_wipe_slot(j->cmd->admin);
	if (admin.url.n == 0)
		secret_set(&admin.url, secret_str(&repo->url));
	if (admin.password.n == 0)
		secret_set(&admin.password, secret_str(&repo->password));
	if (admin.n_extra == 0)
		secrets_take_extra(&admin, repo);
	if (admin.username.n == 0)
		secret_set(&admin.username, secret_str(&repo->username));
	secrets_repo_fini(repo);
	*repo = admin;
}

static enum rc
job_load_secrets(struct job *j, struct err *e)
{
	bool admin = j->kind->takes_admin && j->cmd->admin != NULL;
	struct secrets_repo repo = { 0 };
	enum rc rc;

	rc = secrets_get(j->agent->secrets, SECRETS_REPO, &repo, e);
	if (admin && (rc == RC_OK || rc == RC_NOTFOUND)) {
		*e = (struct err){ 0 };
		rc = RC_OK;
		job_take_admin(j, &repo);
	}
	if (rc == RC_OK && (repo.url.n == 0 || repo.password.n == 0))
		/* With an empty password restic would ask its input. */
		rc = err_set(e, RC_NOTFOUND,
		    "the %s credentials of this host lack %s",
		    admin ? "admin" : "repository",
		    repo.url.n == 0 ? "a URL" : "a password");
	if (rc == RC_OK)
		j->access = access_new(&j->restic, &repo,
		    j->agent->settings.state_dir, j->redact);
	else if (e->code == NULL)
		e->code = "no_credentials";
	secrets_repo_fini(&repo);
	return rc;
}

static enum rc
job_prepare(struct job *j, struct err *e)
{
	if (job_has_hooks(j) && j->cmd->hooks->unreadable[0] != '\0')
		return err_code(e, RC_CORRUPT, "hooks_unreadable",
		    "the hooks cannot be run: %.200s",
		    j->cmd->hooks->unreadable);
	return j->access == NULL ? job_load_secrets(j, e) : RC_OK;
}

static void
job_start_hook(struct job *j, bool pre, hook_done_fn *done)
{
	struct hook_opts o = { .loop = j->agent->loop,
		.lines = j->lines,
		.phase = pre ? "pre" : "post",
		.job_id = j->id_text,
		.status = pre ? NULL : j->outcome.status,
		.body = job_hook_body(j, pre),
		.limit_s = j->cmd->hooks->limit_s,
		.done = done,
		.ctx = j };

	if (j->stopped)
		o.limit_s = JOB_STOP_HOOK_S;
	j->hook = hook_start(&o);
}

static void
job_on_pre_end(void *ctx, const struct err *hook)
{
	struct job *j = ctx;
	struct err e = *hook;

	j->hook = NULL;
	if (e.rc == RC_OK && !j->cancelled) {
		job_look(j);
		return;
	}
	e.code = "pre_hook_failed";
	job_end_unrun(j, &e);
}

static void
job_on_looked(void *ctx, const struct look_seen *seen, const struct err *look)
{
	struct job *j = ctx;
	struct err e = *look;

	j->look = NULL;
	if (e.rc == RC_OK) {
		j->restic = j->agent->restic = seen->restic;
		j->missing = seen->missing;
	}
	if (e.rc != RC_OK || job_prepare(j, &e) != RC_OK) {
		job_end_unrun(j, &e);
		return;
	}
	if (!j->pre_ran && job_hook_body(j, true).n > 0) {
		j->pre_ran = true;
		job_start_hook(j, true, job_on_pre_end);
		return;
	}
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "%s with restic %s%s", j->kind->name, j->restic.version,
	    j->restic.no_cache ? ", without its cache: the disk is full" : "");
	j->kind->begin(j);
}

/* ------------------------------------------------------- the judgement */

void
job_keep_main(struct job *j)
{
	j->main_seen = j->step.seen;
	j->main_end = j->step.end;
	j->main_limit = j->step.timed_out ? step_name(j->step.what) : NULL;
	j->main_ended = !j->cancelled;
}

struct outcome_in
job_outcome_in(struct job *j)
{
	return (struct outcome_in){
		/* What the agent's own stop came too late for is done. */
		.cancelled = j->cancelled && !(j->stopped && j->main_ended),
		.time_limit = j->main_limit,
		.start = &j->main_end.err,
		.exit_code = j->main_end.exit_code,
		.signal = j->main_end.signal,
		.output_lost = j->main_end.output_lost,
		.seen = &j->main_seen,
		.missing = j->missing,
		.list = &j->list_err,
		.list_seen = &j->list_seen,
		.listed = j->listed,
	};
}

void
job_end_unrun(struct job *j, const struct err *e)
{
	if (j->cancelled)
		outcome_cancelled(&j->outcome);
	else
		outcome_not_run(e, &j->outcome);
	job_judged(j);
}

/* Nobody asked for this cancel; say what it was. */
static void
job_restate_stopped(struct job *j)
{
	struct err e = { 0 };

	if (!j->stopped || strcmp(j->outcome.status, "cancelled") != 0)
		return;
	err_code(&e, RC_CANCELLED, "agent_restarted",
	    "agent stopped during the run");
	outcome_not_run(&e, &j->outcome);
}

/* Its failure stands in the log and changes nothing. */
static void
job_on_post_end(void *ctx, const struct err *e)
{
	struct job *j = ctx;

	(void)e;
	j->hook = NULL;
	survey_begin(j);
}

void
job_judged(struct job *j)
{
	job_restate_stopped(j);
	if (job_hook_body(j, false).n > 0) {
		j->posting = true;
		job_start_hook(j, false, job_on_post_end);
	} else {
		survey_begin(j);
	}
}

/* -------------------------------------------------------------- the end */

struct job_told
job_told(const struct job *j)
{
	return (struct job_told){ buf_str(&j->began), buf_str(&j->end) };
}

static void
job_on_durable(void *ctx)
{
	struct job *j = ctx;

	log_info(LOG_JOB, "job finished job=%s kind=%s status=%s cause=%s",
	    j->id_text, log_safe(str_of(j->cmd->kind)), j->outcome.status,
	    j->outcome.cause);
	j->done(j->ctx);
	step_fini(j);
	lines_free(j->lines);
	redact_free(j->redact);
	access_free(j->access);
	forget_free(j->forget);
	buf_fini(&j->began);
	buf_fini(&j->end);
	arena_fini(&j->arena);
	run_free(j->cmd);
	mem_free(j);
}

/* The error as it may leave: without secrets, and text (it was cut, and
 * restic's words may hold names in any encoding). */
static char *
job_error_text(struct job *j)
{
	struct buf clean, text;
	struct str s;
	char *kept;
	size_t n;

	buf_init(&clean, sizeof(j->outcome.error) * 3);
	buf_init(&text, sizeof(j->outcome.error) * 3);
	redact_text(j->redact, str_of(j->outcome.error), &clean);
	for (s = buf_str(&clean); s.n > 0; s = str_sub(s, n, s.n)) {
		n = str_utf8_len(s);
		if (n > 0)
			buf_put(&text, s.p, n);
		else
			buf_putc(&text, '?');
		n = n > 0 ? n : 1;
	}
	kept = arena_str(&j->arena, buf_str(&text));
	buf_fini(&clean);
	buf_fini(&text);
	return kept;
}

static void
job_put_summary(struct job *j, Wire__JobFinished *f)
{
	if (!j->main_seen.has_summary)
		return;
	j->main_seen.summary.snapshot_id = j->main_seen.snapshot_id;
	j->main_seen.summary.total_duration_ms =
	    clock_mono_ms() - j->started_mono_ms;
	f->summary = &j->main_seen.summary;
}

static void
job_put_check(const struct job *j, Wire__CheckSummary *c, Wire__JobFinished *f)
{
	if (j->stats.last_check_at__case !=
	    WIRE__REPO_STATS__LAST_CHECK_AT__LAST_CHECK_AT_MS)
		return;
	wire__check_summary__init(c);
	c->errors_found = j->main_seen.damaged;
	c->errors = outcome_damages(&j->main_seen);
	c->part = j->cmd->check_part;
	f->check = c;
}

void
job_finish(struct job *j)
{
	Wire__JobFinished f = WIRE__JOB_FINISHED__INIT;
	Wire__CheckSummary check;
	Wire__Event ev = WIRE__EVENT__INIT;

	j->finished = true;
	f.job_id = j->id_text;
	f.status = arena_dup(&j->arena, j->outcome.status);
	f.cause = arena_dup(&j->arena, j->outcome.cause);
	f.error = job_error_text(j);
	if (f.error[0] != '\0')
		lines_add(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    str_of(f.error));
	f.exit_code = j->outcome.exit_code;
	f.incomplete = j->outcome.incomplete;
	f.unread_count = j->outcome.unread;
	f.started_at_ms = j->started_ms;
	f.finished_at_ms = clock_now_ms();
	f.log_lines = lines_end(j->lines);
	job_put_summary(j, &f);
	job_put_check(j, &check, &f);
	forget_tell(j, &f);
	if (j->own)
		f.retry_at_ms = schedule_ended(j->agent->schedule, &j->id,
		    f.status, f.cause);
	job_keep(&j->end, &f.base);
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = &f;
	uplink_progress(j->agent->uplink, NULL);
	events_put(j->agent->events, &ev, true);
	events_when_synced(j->agent->events, job_on_durable, j);
}

/* --------------------------------------------------------- from outside */

void
job_cancel(struct job *j)
{
	if (j->cancelled || j->finished)
		return;
	j->cancelled = true;
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "cancel requested");
	if (j->look != NULL) {
		look_leave(j->look);
		j->look = NULL;
		job_end_unrun(j, NULL);
	} else if (j->hook != NULL) {
		hook_cancel(j->hook);
	} else {
		step_interrupt(j);
	}
}

void
job_stop(struct job *j)
{
	if (!j->cancelled)
		j->stopped = true;
	if (j->posting && j->hook != NULL)
		hook_hurry(j->hook, JOB_STOP_HOOK_S);
	else
		job_cancel(j);
}

const struct ulid *
job_id(const struct job *j)
{
	return &j->id;
}
