/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H
/*
 * One run of any kind: started, its steps one after the other, log lines and
 * progress on the way, the judgement, finished.  A job never depends on a
 * connection.
 *
 *   job.c     its life: what it needs, the hooks around it, the end
 *   kinds.c   which kinds there are, and what each of them runs
 *   forget.c  the one whose steps depend on what was found
 *   survey.c  what is looked at in the repository afterwards
 *   step.c    one call of restic
 */
#include <stdbool.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct agent;
struct job;
struct Wire__CommandRun;
struct Wire__OwnRun;

/* Called once, after job.finished is durable in the queue; the job is gone
 * afterwards. */
typedef void job_done_fn(void *ctx);

/* Copies cmd.  own: the agent's plan made it and schedule.h decides what comes
 * after it; NULL: the controller did.  Failures to start end the job, through
 * done like all ends. */
struct job *job_start(struct agent *a, const struct Wire__CommandRun *cmd,
    const struct Wire__OwnRun *own, job_done_fn *done, void *ctx);
/* restic: SIGINT, after 10 s SIGTERM, after 5 s SIGKILL; a hook: SIGTERM,
 * after 5 s SIGKILL; to the whole process group.  Idempotent; the job ends
 * `cancelled` through done, behind its post_hook. */
void job_cancel(struct job *j);
/* The same because the agent stops: the job ends `failed`. */
void job_stop(struct job *j);
const struct ulid *job_id(const struct job *j);
/* Packed JobStarted and, once it has finished, JobFinished. */
struct job_told {
	struct str began, end;
};
struct job_told job_told(const struct job *j);
#endif
