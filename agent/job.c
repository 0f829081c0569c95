/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/job.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/events.h"
#include "agent/lines.h"
#include "agent/look.h"
#include "agent/outcome.h"
#include "agent/proc.h"
#include "agent/redact.h"
#include "agent/report.h"
#include "agent/run.h"
#include "agent/schedule.h"
#include "agent/secrets.h"
#include "agent/uplink.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	JOB_ARENA_MAX = 256 << 20,
	JOB_DOCUMENT_MAX = 128 << 20,
	JOB_LINE_MAX = 1 << 20,
	JOB_INPUT_MAX = 64 << 20,
	JOB_TERM_MS = 10000,
	JOB_KILL_MS = 5000,
	JOB_NOTE_MS = 30000, /* progress in the log, so that it shows life */
	/* Statistics cost as much as the repository is large. */
	JOB_STATS_CHEAP_MS = 10000,
	JOB_STATS_EVERY_MS = 86400000
};

struct job_kind {
	const char *name;
	enum restic_step main_step;
	void (*judge)(const struct outcome_in *in, struct outcome *out);
	bool needs_paths;
};

static const struct job_kind job_kinds[] = {
	{ "backup", RESTIC_BACKUP, outcome_backup, true },
	{ "init", RESTIC_INIT, outcome_init, false },
};

/* 0: no limit; a backup takes what it takes, and can be cancelled. */
static const struct {
	const char *name;
	unsigned limit_ms;
} job_steps[] = {
	[RESTIC_INIT] = { "init", 600000 },
	[RESTIC_BACKUP] = { "backup", 0 },
	[RESTIC_SNAPSHOTS] = { "snapshots", 60000 },
	[RESTIC_STATS] = { "stats", 120000 },
	[RESTIC_UNLOCK] = { "unlock", 60000 },
};

/*
 * Life, in the order of this file: job_start -> look (find restic, look
 * at the source paths) -> main step -> snapshot list -> statistics ->
 * finish -> done.  A step that fails for good goes to finish at once.
 */
struct job {
	struct agent *agent;
	struct ulid id;
	char id_text[ULID_TEXT_CAP];
	Wire__CommandRun *cmd;
	const struct job_kind *kind; /* NULL: unknown */
	struct arena arena;
	struct redact *redact;
	struct lines *lines;
	char **env;
	int64_t started_ms;
	int64_t started_mono_ms;
	/* prepare */
	struct look *look; /* while it is under way */
	struct restic restic;
	uint64_t missing;
	/* the step that runs */
	enum restic_step step;
	int64_t step_began_ms;
	struct proc *proc;
	struct loop_timer *limit;
	struct loop_timer *escalate;
	bool timed_out;
	bool cancelled;
	bool stopped;  /* cancelled because the agent stops */
	bool finished; /* the end is told; nothing may follow it */
	bool own;      /* the agent's plan made it */
	unsigned escalation;
	struct restic_seen seen; /* of the step that runs */
	struct buf document;
	struct buf words;
	struct buf began, end; /* what was told of it, packed */
	int64_t noted_ms;
	/* what the main step was, for the judgement */
	struct restic_seen main_seen;
	struct proc_end main_end;
	bool main_timed_out;
	bool main_ended; /* by itself: nobody had asked it to */
	struct err list_err;
	struct restic_seen list_seen;
	bool listed;
	/* the end */
	struct outcome outcome;
	job_done_fn *done;
	void *ctx;
};

static void job_run_step(struct job *j, enum restic_step step);
static void job_after_main(struct job *j);
static void job_after_list(struct job *j, const struct err *e);
static void job_finish(struct job *j);

/* -------------------------------------------------------------- prepare */

static enum rc
job_load_secrets(struct job *j, struct err *e)
{
	struct secrets_repo repo = { 0 };
	enum rc rc;

	rc = secrets_get(j->agent->secrets, SECRETS_REPO, &repo, e);
	if (rc == RC_OK && (repo.url.n == 0 || repo.password.n == 0))
		/* With an empty password restic would ask its input. */
		rc = err_set(e, RC_NOTFOUND,
		    "the repository credentials of this host lack %s",
		    repo.url.n == 0 ? "a URL" : "a password");
	if (rc == RC_OK) {
		redact_secret(j->redact, secret_str(&repo.password));
		redact_url(j->redact, secret_str(&repo.url));
		j->env =
		    restic_env(&j->restic, &repo, j->agent->settings.state_dir);
	} else if (e->code == NULL) {
		e->code = "no_credentials";
	}
	secrets_repo_fini(&repo);
	return rc;
}

/* It never ran; cause and words from e. */
static void
job_end_unrun(struct job *j, const struct err *e)
{
	if (j->cancelled)
		j->outcome = (struct outcome){ .status = "cancelled",
			.cause = "cancelled",
			.exit_code = 130 };
	else
		outcome_not_run(e, &j->outcome);
	job_finish(j);
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
	if (e.rc != RC_OK || job_load_secrets(j, &e) != RC_OK) {
		job_end_unrun(j, &e);
		return;
	}
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "%s with restic %s%s", j->kind->name, j->restic.version,
	    j->restic.no_cache ? ", without its cache: the disk is full" : "");
	job_run_step(j, j->kind->main_step);
}

/* ---------------------------------------------------------------- steps */

static void
job_on_limit(void *ctx)
{
	struct job *j = ctx;

	j->timed_out = true;
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "restic %s takes too long, ending it", job_steps[j->step].name);
	if (j->proc != NULL)
		proc_signal(j->proc, SIGINT);
	loop_timer_start(j->escalate, JOB_TERM_MS, 0);
}

/* restic 0.14 drops its lock on SIGINT only; the others are for one that
 * does not listen. */
static void
job_on_escalate(void *ctx)
{
	struct job *j = ctx;

	if (j->proc == NULL)
		return;
	if (j->escalation++ == 0) {
		proc_signal(j->proc, SIGTERM);
		loop_timer_start(j->escalate, JOB_KILL_MS, 0);
	} else {
		proc_signal(j->proc, SIGKILL);
	}
}

static void
job_note_progress(struct job *j, const Wire__JobProgress *p)
{
	int64_t now = clock_mono_ms();

	if (now - j->noted_ms < JOB_NOTE_MS)
		return;
	j->noted_ms = now;
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "%.1f %%, %" PRIu64 " of %" PRIu64 " files", 100 * p->percent_done,
	    p->files_done, p->total_files);
}

static void
job_read_line(struct job *j, bool is_stderr, struct str line)
{
	Wire__JobProgress p = WIRE__JOB_PROGRESS__INIT;
	Wire__LogStream stream = is_stderr
	                             ? WIRE__LOG_STREAM__LOG_STREAM_STDERR
	                             : WIRE__LOG_STREAM__LOG_STREAM_STDOUT;

	buf_reset(&j->words);
	switch (restic_read_line(j->step, is_stderr, line, &j->seen, &p,
	    &j->words)) {
	case RESTIC_SILENT:
		return;
	case RESTIC_PROGRESS:
		p.job_id = j->id_text;
		uplink_progress(j->agent->uplink, &p);
		job_note_progress(j, &p);
		return;
	case RESTIC_SUMMARY:
		stream = WIRE__LOG_STREAM__LOG_STREAM_EVENT;
		break;
	case RESTIC_TEXT:
	case RESTIC_ERROR:
	case RESTIC_MISSING:
	case RESTIC_EXIT:
		break;
	}
	lines_add(j->lines, stream, buf_str(&j->words));
}

static bool
job_is_document(enum restic_step step)
{
	return step == RESTIC_SNAPSHOTS || step == RESTIC_STATS;
}

static void
job_on_line(void *ctx, bool is_stderr, struct str line)
{
	struct job *j = ctx;

	if (job_is_document(j->step) && !is_stderr)
		buf_put_str(&j->document, line);
	else
		job_read_line(j, is_stderr, line);
}

/* Before any of it is cut: half a secret is not recognised. */
static void
job_redact_seen(struct job *j)
{
	char *const said[] = { j->seen.first_error, j->seen.fatal,
		j->seen.reason };
	struct buf clean;
	size_t i;

	for (i = 0; i < ARRAY_LEN(said); i++) {
		buf_init(&clean, (size_t)RESTIC_SAID_CAP * 4);
		redact_text(j->redact, str_of(said[i]), &clean);
		if (!str_copy(said[i], RESTIC_SAID_CAP,
		        str_sub(buf_str(&clean), 0, RESTIC_SAID_CAP - 1)))
			said[i][0] = '\0';
		buf_fini(&clean);
	}
}

/* Whether the step did what it should; else e says why not. */
static enum rc
job_step_rc(struct job *j, const struct proc_end *end, struct err *e)
{
	if (end->err.rc != RC_OK) {
		*e = end->err;
		return e->rc;
	}
	if (j->timed_out)
		return err_set(e, RC_TIMEOUT, "restic %s took too long",
		    job_steps[j->step].name);
	if (end->exit_code == 0 && !end->output_lost)
		return RC_OK;
	if (j->seen.fatal[0] != '\0')
		return err_set(e, RC_IO, "%.200s", j->seen.fatal);
	return err_set(e, RC_IO, "restic %s ended with exit code %d",
	    job_steps[j->step].name, end->exit_code);
}

static bool
job_stats_due(const struct agent *a)
{
	return a->stats_took_ms <= JOB_STATS_CHEAP_MS ||
	       clock_mono_ms() - a->stats_at_ms >= JOB_STATS_EVERY_MS;
}

static void
job_stats_had(struct job *j)
{
	struct agent *a = j->agent;

	a->stats_at_ms = clock_mono_ms();
	a->stats_took_ms = a->stats_at_ms - j->step_began_ms;
}

static void
job_on_step_end(void *ctx, const struct proc_end *end)
{
	struct job *j = ctx;
	struct err e = { 0 };
	enum rc rc;

	j->proc = NULL;
	loop_timer_stop(j->limit);
	loop_timer_stop(j->escalate);
	job_redact_seen(j);
	rc = job_step_rc(j, end, &e);
	switch (j->step) {
	case RESTIC_BACKUP:
	case RESTIC_INIT:
		j->main_seen = j->seen;
		j->main_end = *end;
		j->main_timed_out = j->timed_out;
		j->main_ended = !j->cancelled;
		job_after_main(j);
		return;
	case RESTIC_SNAPSHOTS:
		job_after_list(j, &e);
		return;
	case RESTIC_STATS:
		job_stats_had(j);
		if (rc == RC_OK)
			rc = report_stats(j->agent->events,
			    buf_str(&j->document), &e);
		if (rc != RC_OK)
			lines_printf(j->lines,
			    WIRE__LOG_STREAM__LOG_STREAM_EVENT,
			    "no repository statistics: %s", e.msg);
		job_finish(j);
		return;
	case RESTIC_UNLOCK:
		job_finish(j);
		return;
	}
}

static void
job_run_step(struct job *j, enum restic_step step)
{
	struct secrets_config caps = secrets_config(j->agent->secrets);
	struct proc_opts o = { .loop = j->agent->loop };
	struct buf input;

	j->step = step;
	j->step_began_ms = clock_mono_ms();
	j->timed_out = false;
	j->escalation = 0;
	restic_seen_init(&j->seen);
	buf_reset(&j->document);
	o.argv = restic_argv(&j->restic, step, j->cmd, &caps,
	    j->agent->facts.hostname, &j->arena);
	ASSERT(o.argv != NULL); /* a command fits into the arena many times */
	o.envp = j->env;
	buf_init(&input, JOB_INPUT_MAX);
	restic_input(step, j->cmd, &input);
	ASSERT(buf_rc(&input) == RC_OK); /* a message is smaller */
	o.input = buf_str(&input);
	o.line_max = job_is_document(step) ? JOB_DOCUMENT_MAX : JOB_LINE_MAX;
	o.on_line = job_on_line;
	o.on_end = job_on_step_end;
	o.ctx = j;
	if (job_steps[step].limit_ms > 0)
		loop_timer_start(j->limit, job_steps[step].limit_ms, 0);
	j->proc = proc_start(&o);
	buf_fini(&input);
}

static void
job_judge(struct job *j)
{
	struct outcome_in in = {
		/* What the agent's own stop came too late for is done. */
		.cancelled = j->cancelled && !(j->stopped && j->main_ended),
		.time_limit = j->main_timed_out
		                  ? job_steps[j->kind->main_step].name
		                  : NULL,
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

	j->kind->judge(&in, &j->outcome);
}

/* Only what may have succeeded is worth a look at the repository. */
static void
job_after_main(struct job *j)
{
	bool hopeful =
	    j->main_end.err.rc == RC_OK && !j->main_timed_out &&
	    (j->main_end.exit_code == 0 || j->main_end.exit_code == 3 ||
	        (j->kind->main_step == RESTIC_INIT &&
	            j->main_seen.exists_already));

	if (hopeful && !j->cancelled) {
		if (j->main_seen.exists_already)
			lines_printf(j->lines,
			    WIRE__LOG_STREAM__LOG_STREAM_EVENT,
			    "the repository exists already");
		job_run_step(j, RESTIC_SNAPSHOTS);
		return;
	}
	job_judge(j);
	job_finish(j);
}

static void
job_after_list(struct job *j, const struct err *step_err)
{
	struct report_list list = { .looked_for = j->main_seen.snapshot_id };

	j->list_err = *step_err;
	j->list_seen = j->seen;
	if (step_err->rc == RC_OK &&
	    report_snapshots(j->agent->events, buf_str(&j->document), &list,
	        &j->list_err) == RC_OK) {
		j->listed = list.found;
		if (list.found)
			memcpy(j->main_seen.snapshot_id, list.full_id,
			    sizeof(list.full_id));
	}
	job_judge(j);
	if (j->list_err.rc == RC_OK && !j->cancelled && job_stats_due(j->agent))
		job_run_step(j, RESTIC_STATS);
	else
		job_finish(j);
}

/* -------------------------------------------------------------- the end */

static void
job_keep(struct buf *out, const ProtobufCMessage *m)
{
	char *room = buf_reserve(out, protobuf_c_message_get_packed_size(m));

	if (room != NULL)
		buf_added(out, protobuf_c_message_pack(m, (uint8_t *)room));
}

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
	loop_timer_free(j->limit);
	loop_timer_free(j->escalate);
	lines_free(j->lines);
	redact_free(j->redact);
	restic_env_free(j->env);
	buf_fini(&j->document);
	buf_fini(&j->words);
	buf_fini(&j->began);
	buf_fini(&j->end);
	arena_fini(&j->arena);
	wire__command_run__free_unpacked(j->cmd, NULL);
	mem_free(j);
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

/* The error as it may leave: without secrets, and text (it was cut, and
 * restic's words may hold names in any encoding). */
static void
job_error_text(struct job *j)
{
	struct buf clean;
	struct str s;
	size_t n;

	buf_init(&clean, sizeof(j->outcome.error) * 3);
	redact_text(j->redact, str_of(j->outcome.error), &clean);
	buf_reset(&j->words);
	for (s = buf_str(&clean); s.n > 0; s = str_sub(s, n, s.n)) {
		n = str_utf8_len(s);
		if (n > 0)
			buf_put(&j->words, s.p, n);
		else
			buf_putc(&j->words, '?');
		n = n > 0 ? n : 1;
	}
	buf_fini(&clean);
}

static void
job_finish(struct job *j)
{
	Wire__JobFinished f = WIRE__JOB_FINISHED__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;

	j->finished = true;
	job_restate_stopped(j);
	job_error_text(j);
	if (j->outcome.error[0] != '\0')
		lines_add(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    buf_str(&j->words));
	f.job_id = j->id_text;
	f.status = arena_dup(&j->arena, j->outcome.status);
	f.cause = arena_dup(&j->arena, j->outcome.cause);
	f.error = arena_str(&j->arena, buf_str(&j->words));
	f.exit_code = j->outcome.exit_code;
	f.incomplete = j->outcome.incomplete;
	f.unread_count = j->outcome.unread;
	f.started_at_ms = j->started_ms;
	f.finished_at_ms = clock_now_ms();
	f.log_lines = lines_end(j->lines);
	if (j->main_seen.has_summary) {
		j->main_seen.summary.snapshot_id = j->main_seen.snapshot_id;
		j->main_seen.summary.total_duration_ms =
		    clock_mono_ms() - j->started_mono_ms;
		f.summary = &j->main_seen.summary;
	}
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
	} else if (j->proc != NULL) {
		j->escalation = 0;
		proc_signal(j->proc, SIGINT);
		loop_timer_start(j->escalate, JOB_TERM_MS, 0);
	}
}

void
job_stop(struct job *j)
{
	if (!j->cancelled)
		j->stopped = true;
	job_cancel(j);
}

const struct ulid *
job_id(const struct job *j)
{
	return &j->id;
}

/* ---------------------------------------------------------------- start */

static const struct job_kind *
job_find_kind(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(job_kinds); i++)
		if (strcmp(job_kinds[i].name, name) == 0)
			return &job_kinds[i];
	return NULL;
}

static void
job_on_unknown_kind(void *ctx)
{
	struct job *j = ctx;
	struct err e = { 0 };

	err_code(&e, RC_INVALID, "unknown_kind",
	    "kind %.40s not implemented on this agent", j->cmd->kind);
	outcome_not_run(&e, &j->outcome);
	job_finish(j);
}

static void
job_tell_started(struct job *j, const struct Wire__OwnRun *own)
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

struct job *
job_start(struct agent *a, const struct Wire__CommandRun *cmd,
    const struct Wire__OwnRun *own, job_done_fn *done, void *ctx)
{
	struct job *j = MEM_NEW(struct job);
	struct lines_opts lo = { .loop = a->loop, .events = a->events };

	j->agent = a;
	j->cmd = run_copy(cmd);
	j->own = own != NULL;
	j->done = done;
	j->ctx = ctx;
	if (!ulid_parse(str_of(cmd->job_id), &j->id))
		ulid_new(&j->id); /* command.c lets none of these through */
	ulid_text(&j->id, j->id_text);
	j->kind = job_find_kind(cmd->kind);
	j->started_ms = clock_now_ms();
	j->started_mono_ms = j->noted_ms = clock_mono_ms();
	arena_init(&j->arena, JOB_ARENA_MAX);
	buf_init(&j->document, JOB_DOCUMENT_MAX);
	buf_init(&j->words, KIB(64));
	buf_init(&j->began, KIB(64));
	buf_init(&j->end, KIB(64));
	restic_seen_init(&j->main_seen);
	restic_seen_init(&j->list_seen);
	j->redact = redact_new();
	lo.redact = j->redact;
	lo.job = j->id;
	j->lines = lines_new(&lo);
	j->limit = loop_timer_new(a->loop, job_on_limit, j);
	j->escalate = loop_timer_new(a->loop, job_on_escalate, j);
	job_tell_started(j, own);
	log_info(LOG_JOB, "job started job=%s kind=%s paths=%zu", j->id_text,
	    log_safe(str_of(cmd->kind)), cmd->n_includes);
	if (j->kind != NULL)
		j->look = look_start(a, j->cmd->includes,
		    j->kind->needs_paths ? j->cmd->n_includes : 0,
		    job_on_looked, j);
	else
		loop_defer(a->loop, job_on_unknown_kind, j);
	return j;
}
