/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_JOB_OWN_H
#define AGENT_JOB_OWN_H
/* What the files of a job share; nobody else includes it. */
#include <stdbool.h>
#include <stdint.h>

#include "agent/access.h"
#include "agent/agent.h"
#include "agent/job.h"
#include "agent/lines.h"
#include "agent/outcome.h"
#include "agent/proc.h"
#include "agent/restic.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/ulid.h"

struct forget;
struct hook;
struct job;
struct look;
struct loop_timer;

struct job_kind {
	const char *name;
	enum restic_step main_step;
	void (*begin)(struct job *j);
	void (*judge)(const struct outcome_in *in, struct outcome *out);
	bool needs_paths; /* the source paths are looked at */
	bool takes_admin; /* the command may bring credentials of its own */
	bool lists;       /* the snapshots, to prove or to tell what it did */
	bool asks_locks;  /* afterwards, whatever happened */
	bool asks_stats;
};

/* How a call of restic went: e->rc RC_OK when it did what it should. */
typedef void step_done_fn(struct job *j, const struct err *e);

struct step {
	enum restic_step what;
	int64_t began_ms; /* monotonic */
	struct proc *proc;
	struct loop_timer *limit;
	struct loop_timer *escalate;
	unsigned escalation;
	bool timed_out;
	bool given_up; /* a server that removes nothing is not asked again */
	struct restic_seen seen;
	struct proc_end end;
	struct buf document; /* standard output, where that is one */
	struct buf words;
	step_done_fn *done;
};

struct job {
	struct agent *agent;
	struct ulid id;
	char id_text[ULID_TEXT_CAP];
	Wire__CommandRun *cmd;
	bool own;                    /* the agent's plan made it */
	const struct job_kind *kind; /* NULL: unknown */
	struct arena arena;
	struct redact *redact;
	struct lines *lines;
	int64_t started_ms;
	int64_t started_mono_ms;
	int64_t noted_ms;
	/* before it */
	struct look *look; /* while it is under way */
	struct restic restic;
	uint64_t missing; /* source paths */
	struct access *access;
	struct hook *hook; /* while it runs */
	bool pre_ran;
	bool posting; /* judged; the post_hook runs */
	/* the steps */
	struct step step; /* the one that runs, or the last one */
	bool cancelled;
	bool stopped;  /* cancelled because the agent stops */
	bool finished; /* the end is told; nothing may follow it */
	/* what the main step was, for the judgement */
	struct restic_seen main_seen;
	struct proc_end main_end;
	const char *main_limit; /* the step that took too long; NULL */
	bool main_ended;        /* by itself: nobody had asked it to */
	struct err list_err;
	struct restic_seen list_seen;
	bool listed;
	struct forget *forget;
	struct outcome outcome;
	/* what was learnt of the repository */
	bool opened; /* it was: there is something to look at */
	Wire__RepoStats stats;
	bool has_stats;
	size_t surveyed;   /* looks that were had */
	size_t locks_left; /* to be looked at */
	char **lock_ids;
	Wire__RepoLocks locks;
	/* the end */
	struct buf began, end; /* what was told of it, packed */
	job_done_fn *done;
	void *ctx;
};

/* --------------------------------------------------------------- step.c */

void step_init(struct job *j);
void step_fini(struct job *j);
/* done is called once, not from inside.  A job runs one step at a time. */
void step_run(struct job *j, enum restic_step what, step_done_fn *done);
void step_run_ids(struct job *j, enum restic_step what, char *const *ids,
    size_t n, step_done_fn *done);
/* SIGINT and what follows; done comes as ever.  False: none runs. */
bool step_interrupt(struct job *j);
const char *step_name(enum restic_step what);

/* -------------------------------------------------------------- kinds.c */

/* NULL: unknown. */
const struct job_kind *kinds_find(const char *name);

/* ------------------------------------------------------------- forget.c */

void forget_begin(struct job *j);
void forget_tell(const struct job *j, Wire__JobFinished *out);
void forget_free(struct forget *f);

/* ------------------------------------------------------------- survey.c */

/* Looks at what is worth it, reports it, and goes on to job_finish(). */
void survey_begin(struct job *j);

/* ---------------------------------------------------------------- job.c */

/* The step that just ended is the one the job is judged by. */
void job_keep_main(struct job *j);
/* What is known so far of how it went. */
struct outcome_in job_outcome_in(struct job *j);
/* outcome stands: the post_hook, the survey, the end. */
void job_judged(struct job *j);
/* It did not get as far as its main step; cause and words from e. */
void job_end_unrun(struct job *j, const struct err *e);
void job_finish(struct job *j);
#endif
