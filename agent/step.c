/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "agent/job_own.h"
#include "agent/redact.h"
#include "agent/secrets.h"
#include "agent/uplink.h"
#include "lib/base/clock.h"
#include "lib/net/loop.h"

enum {
	STEP_DOCUMENT_MAX = 128 << 20,
	STEP_LINE_MAX = 1 << 20,
	STEP_INPUT_MAX = 64 << 20,
	STEP_TERM_MS = 10000,
	STEP_KILL_MS = 5000,
	STEP_NOTE_MS = 30000 /* progress in the log, so that it shows life */
};

/* limit_ms 0: none; it takes what it takes, and can be cancelled. */
static const struct {
	const char *name;
	unsigned limit_ms;
	bool is_document; /* standard output is for us, not for the log */
} steps[] = {
	[RESTIC_INIT] = { "init", 600000, false },
	[RESTIC_BACKUP] = { "backup", 0, false },
	[RESTIC_SNAPSHOTS] = { "snapshots", 60000, true },
	[RESTIC_STATS] = { "stats", 120000, true },
	[RESTIC_UNLOCK] = { "unlock", 60000, false },
	[RESTIC_FORGET] = { "forget", 600000, false },
	[RESTIC_PRUNE] = { "prune", 0, false },
	[RESTIC_CHECK] = { "check", 0, false },
	[RESTIC_CONFIG] = { "cat config", 60000, true },
	[RESTIC_LOCKS] = { "list locks", 60000, true },
	[RESTIC_LOCK] = { "cat lock", 60000, true },
};
_Static_assert(ARRAY_LEN(steps) == RESTIC_STEP_COUNT, "a row for each step");

const char *
step_name(enum restic_step what)
{
	return steps[what].name;
}

/* ------------------------------------------------------------- ending it */

static void
step_on_limit(void *ctx)
{
	struct job *j = ctx;

	j->step.timed_out = true;
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "restic %s takes too long, ending it", step_name(j->step.what));
	step_interrupt(j);
}

/* restic 0.14 drops its lock on SIGINT only; the others are for one that
 * does not listen. */
static void
step_on_escalate(void *ctx)
{
	struct job *j = ctx;
	struct step *s = &j->step;

	if (s->proc == NULL)
		return;
	if (s->escalation++ == 0) {
		proc_signal(s->proc, SIGTERM);
		loop_timer_start(s->escalate, STEP_KILL_MS, 0);
	} else {
		proc_signal(s->proc, SIGKILL);
	}
}

bool
step_interrupt(struct job *j)
{
	struct step *s = &j->step;

	if (s->proc == NULL)
		return false;
	s->escalation = 0;
	proc_signal(s->proc, SIGINT);
	loop_timer_start(s->escalate, STEP_TERM_MS, 0);
	return true;
}

/* --------------------------------------------------------------- its lines */

static void
step_note_progress(struct job *j, const Wire__JobProgress *p)
{
	int64_t now = clock_mono_ms();

	if (now - j->noted_ms < STEP_NOTE_MS)
		return;
	j->noted_ms = now;
	if (p->total_files > 0)
		lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    "%.1f %%, %" PRIu64 " of %" PRIu64 " files",
		    100 * p->percent_done, p->files_done, p->total_files);
	else
		lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    "%.1f %%", 100 * p->percent_done);
}

/* restic 0.14 would go on asking for a quarter of an hour. */
static void
step_give_up(struct job *j)
{
	struct step *s = &j->step;

	if (!s->seen.kept_by_server || s->given_up || j->cancelled)
		return;
	s->given_up = true;
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "the server removes nothing for this user (append-only), ending "
	    "restic %s",
	    step_name(s->what));
	step_interrupt(j);
}

static void
step_read_line(struct job *j, bool is_stderr, struct str line)
{
	Wire__JobProgress p = WIRE__JOB_PROGRESS__INIT;
	struct step *s = &j->step;
	Wire__LogStream stream = is_stderr
	                             ? WIRE__LOG_STREAM__LOG_STREAM_STDERR
	                             : WIRE__LOG_STREAM__LOG_STREAM_STDOUT;

	buf_reset(&s->words);
	switch (restic_read_line(s->what, is_stderr, line, &s->seen, &p,
	    &s->words)) {
	case RESTIC_SILENT:
		return;
	case RESTIC_PROGRESS:
		p.job_id = j->id_text;
		uplink_progress(j->agent->uplink, &p);
		step_note_progress(j, &p);
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
	lines_add(j->lines, stream, buf_str(&s->words));
	step_give_up(j);
}

static void
step_on_line(void *ctx, bool is_stderr, struct str line)
{
	struct job *j = ctx;

	if (steps[j->step.what].is_document && !is_stderr) {
		buf_put_str(&j->step.document, line);
		buf_putc(&j->step.document, '\n');
	} else {
		step_read_line(j, is_stderr, line);
	}
}

/* ---------------------------------------------------------------- its end */

/* Before any of it is cut: half a secret is not recognised. */
static void
step_redact_seen(struct job *j)
{
	struct restic_seen *seen = &j->step.seen;
	char *const said[] = { seen->first_error, seen->fatal, seen->reason };
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
static void
step_judge(const struct step *s, struct err *e)
{
	if (s->end.err.rc != RC_OK)
		*e = s->end.err;
	else if (s->timed_out)
		err_set(e, RC_TIMEOUT, "restic %s took too long",
		    step_name(s->what));
	else if (s->end.exit_code == 0 && !s->end.output_lost)
		return;
	else if (s->seen.fatal[0] != '\0')
		err_set(e, RC_IO, "%.200s", s->seen.fatal);
	else if (s->end.signal != 0)
		err_set(e, RC_IO, "restic %s was ended by signal %d",
		    step_name(s->what), s->end.signal);
	else
		err_set(e, RC_IO, "restic %s ended with exit code %d",
		    step_name(s->what), s->end.exit_code);
}

/* Nobody gets so far without a password that opens it. */
static bool
step_opened(const struct step *s)
{
	return s->end.err.rc == RC_OK &&
	       (s->end.exit_code == 0 || s->end.exit_code == 3 ||
	           s->end.exit_code == 11 || s->seen.locked ||
	           s->seen.damaged || s->seen.kept_by_server);
}

static void
step_on_end(void *ctx, const struct proc_end *end)
{
	struct job *j = ctx;
	struct step *s = &j->step;
	struct err e = { 0 };

	s->proc = NULL;
	s->end = *end;
	loop_timer_stop(s->limit);
	loop_timer_stop(s->escalate);
	step_redact_seen(j);
	step_judge(s, &e);
	j->opened = j->opened || step_opened(s);
	s->done(j, &e);
}

/* -------------------------------------------------------------- its start */

static void
step_start(struct job *j, const struct restic_call *call)
{
	struct step *s = &j->step;
	struct proc_opts o = { .loop = j->agent->loop };
	struct buf input;

	o.argv = restic_argv(&j->restic, call, &j->arena);
	ASSERT(o.argv != NULL); /* a command fits into the arena many times */
	access_give(j->access, &o);
	buf_init(&input, STEP_INPUT_MAX);
	restic_input(s->what, j->cmd, &input);
	ASSERT(buf_rc(&input) == RC_OK); /* a message is smaller */
	o.input = buf_str(&input);
	o.line_max =
	    steps[s->what].is_document ? STEP_DOCUMENT_MAX : STEP_LINE_MAX;
	o.on_line = step_on_line;
	o.on_end = step_on_end;
	o.ctx = j;
	if (steps[s->what].limit_ms > 0)
		loop_timer_start(s->limit, steps[s->what].limit_ms, 0);
	s->proc = proc_start(&o);
	buf_fini(&input);
}

void
step_run_ids(struct job *j, enum restic_step what, char *const *ids, size_t n,
    step_done_fn *done)
{
	struct secrets_config caps = secrets_config(j->agent->secrets);
	struct restic_call call = { .step = what,
		.cmd = j->cmd,
		.caps = &caps,
		.hostname = j->agent->facts.hostname,
		.access = j->access,
		.ids = ids,
		.n_ids = n };
	struct step *s = &j->step;

	s->what = what;
	s->done = done;
	s->began_ms = clock_mono_ms();
	s->timed_out = s->given_up = false;
	s->escalation = 0;
	restic_seen_init(&s->seen);
	buf_reset(&s->document);
	step_start(j, &call);
}

void
step_run(struct job *j, enum restic_step what, step_done_fn *done)
{
	step_run_ids(j, what, NULL, 0, done);
}

void
step_init(struct job *j)
{
	struct step *s = &j->step;

	buf_init(&s->document, STEP_DOCUMENT_MAX);
	buf_init(&s->words, KIB(64));
	s->limit = loop_timer_new(j->agent->loop, step_on_limit, j);
	s->escalate = loop_timer_new(j->agent->loop, step_on_escalate, j);
}

void
step_fini(struct job *j)
{
	loop_timer_free(j->step.limit);
	loop_timer_free(j->step.escalate);
	buf_fini(&j->step.document);
	buf_fini(&j->step.words);
}
