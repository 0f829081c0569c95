/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/events.h"
#include "agent/job_own.h"
#include "agent/report.h"
#include "lib/base/clock.h"

/*
 * What each kind of job runs.  Most are one call of restic and, where that
 * may have worked, a look at the snapshots:
 *
 *   begin -> main step -> (snapshots) -> judged
 */

static void
kinds_judge(struct job *j)
{
	const struct outcome_in in = job_outcome_in(j);

	j->kind->judge(&in, &j->outcome);
	job_judged(j);
}

/* ------------------------------------------------------- the snapshots */

static void
kinds_on_list(struct job *j, const struct err *step_err)
{
	struct report_list list = { .looked_for = j->main_seen.snapshot_id };

	j->list_err = *step_err;
	j->list_seen = j->step.seen;
	if (step_err->rc == RC_OK &&
	    report_snapshots(j->agent->events, buf_str(&j->step.document),
	        &list, &j->list_err) == RC_OK) {
		j->listed = list.found;
		if (list.found)
			memcpy(j->main_seen.snapshot_id, list.full_id,
			    sizeof(list.full_id));
	}
	/* What could not be listed is not looked at any further. */
	j->opened = j->list_err.rc == RC_OK;
	kinds_judge(j);
}

/* Only what may have succeeded is worth a look at the repository. */
static bool
kinds_hopeful(const struct job *j)
{
	return j->main_end.err.rc == RC_OK && j->main_limit == NULL &&
	       (j->main_end.exit_code == 0 || j->main_end.exit_code == 3 ||
	           (j->kind->main_step == RESTIC_INIT &&
	               j->main_seen.exists_already));
}

/* ------------------------------------------------------------ the one call */

static void
kinds_on_main(struct job *j, const struct err *e)
{
	(void)e; /* the judgement has more to go by */
	job_keep_main(j);
	if (!j->kind->lists || !kinds_hopeful(j) || j->cancelled) {
		kinds_judge(j);
		return;
	}
	if (j->main_seen.exists_already)
		lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    "the repository exists already");
	step_run(j, RESTIC_SNAPSHOTS, kinds_on_list);
}

static void
kinds_begin(struct job *j)
{
	step_run(j, j->kind->main_step, kinds_on_main);
}

/* ------------------------------------------------------- prune and check */

static void
kinds_on_pruned(struct job *j, const struct err *e)
{
	if (e->rc == RC_OK) {
		j->stats.last_prune_at__case =
		    WIRE__REPO_STATS__LAST_PRUNE_AT__LAST_PRUNE_AT_MS;
		j->stats.last_prune_at_ms = clock_now_ms();
		j->has_stats = true;
	}
	kinds_on_main(j, e);
}

static void
kinds_begin_prune(struct job *j)
{
	step_run(j, RESTIC_PRUNE, kinds_on_pruned);
}

/* One that was cancelled, or met a lock, has found out nothing. */
static void
kinds_on_checked(struct job *j, const struct err *e)
{
	const bool damaged = j->step.seen.damaged;

	if ((e->rc == RC_OK || damaged) && !j->cancelled) {
		j->stats.last_check_at__case =
		    WIRE__REPO_STATS__LAST_CHECK_AT__LAST_CHECK_AT_MS;
		j->stats.last_check_at_ms = clock_now_ms();
		j->stats.last_check_status__case =
		    WIRE__REPO_STATS__LAST_CHECK_STATUS__LAST_CHECK_STATUS;
		j->stats.last_check_status =
		    arena_dup(&j->arena, damaged ? "errors" : "ok");
		j->has_stats = true;
	}
	kinds_on_main(j, e);
}

static void
kinds_begin_check(struct job *j)
{
	const Wire__CheckPart *part = j->cmd->check_part;
	struct err e = { 0 };

	if (part != NULL && (part->n < 1 || part->n > part->of)) {
		err_code(&e, RC_INVALID, "bad_command",
		    "there is no part %u of %u of a repository's data", part->n,
		    part->of);
		job_end_unrun(j, &e);
		return;
	}
	step_run(j, RESTIC_CHECK, kinds_on_checked);
}

/* -------------------------------------------------------------- the table */

/* clang-format off */
static const struct job_kind kinds[] = {
	/* name      main step       begin              judge           paths  admin  lists  locks  stats */
	{ "backup", RESTIC_BACKUP, kinds_begin,       outcome_backup, true,  false, true,  false, true  },
	{ "init",   RESTIC_INIT,   kinds_begin,       outcome_init,   false, false, true,  false, true  },
	{ "forget", RESTIC_FORGET, forget_begin,      outcome_forget, false, true,  true,  true,  false },
	{ "prune",  RESTIC_PRUNE,  kinds_begin_prune, outcome_plain,  false, true,  false, true,  true  },
	{ "check",  RESTIC_CHECK,  kinds_begin_check, outcome_check,  false, false, false, true,  true  },
	{ "unlock", RESTIC_UNLOCK, kinds_begin,       outcome_plain,  false, true,  false, true,  true  },
};
/* clang-format on */

const struct job_kind *
kinds_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}
