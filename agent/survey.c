/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/job_own.h"
#include "agent/report.h"
#include "lib/base/clock.h"

/*
 * What is looked at in the repository when the outcome stands: its id, its
 * locks, its size.  Each look is a call of restic, which costs half a second
 * of CPU, so only what is worth it is looked at.  Nothing found here changes
 * the outcome.
 */

enum {
	SURVEY_LOCKS_MAX =
	    8, /* looked at one by one, of as many as there are */
	/* Statistics walk all snapshots: they may take a hundredth of the
	 * time, and are had once a day however long they take. */
	SURVEY_STATS_SHARE = 100,
	SURVEY_STATS_EVERY_MS = 86400000,
	/* Sooner, while it is cheap and the size told is wrong by this part. */
	SURVEY_STATS_CHEAP_MS = 10000,
	SURVEY_STATS_PART = 20
};

static void survey_next(struct job *j);

static void
survey_note(struct job *j, const char *what, const struct err *e)
{
	if (e->rc != RC_OK)
		lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    "%s: %s", what, e->msg);
}

/* --------------------------------------------------------------- its id */

static bool
survey_wants_id(const struct job *j)
{
	return j->opened && !j->agent->repo_known;
}

static void
survey_on_id(struct job *j, const struct err *step_err)
{
	struct err e = *step_err;
	char id[65];

	if (e.rc == RC_OK &&
	    restic_read_config(buf_str(&j->step.document), id, &e) == RC_OK) {
		j->stats.repo_id__case = WIRE__REPO_STATS__REPO_ID__REPO_ID;
		j->stats.repo_id = arena_dup(&j->arena, id);
		j->has_stats = true;
		j->agent->repo_known = true;
	}
	survey_note(j, "no id of the repository", &e);
	survey_next(j);
}

/* ------------------------------------------------------------ its locks */

static bool
survey_wants_locks(const struct job *j)
{
	return j->opened && (j->kind->asks_locks || j->main_seen.locked ||
	                        j->main_end.exit_code == 11);
}

static void
survey_put_locks(struct job *j)
{
	j->stats.locks = &j->locks;
	j->stats.lock_present__case =
	    WIRE__REPO_STATS__LOCK_PRESENT__LOCK_PRESENT;
	j->stats.lock_present = j->locks.count > 0;
	j->has_stats = true;
	if (j->locks.count > 0)
		lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    "%u lock%s left in the repository%s%s", j->locks.count,
		    j->locks.count == 1 ? " is" : "s are",
		    j->locks.holder[0] != '\0' ? ", of " : "", j->locks.holder);
}

/* The youngest speaks for them: its holder is the one that is alive. */
static void
survey_add_lock(struct job *j, const struct restic_lock *l)
{
	j->locks.exclusive = j->locks.exclusive || l->exclusive;
	if (l->time_ms < j->locks.newest_at_ms)
		return;
	j->locks.newest_at_ms = l->time_ms;
	j->locks.holder = arena_dup(&j->arena, l->holder);
}

static step_done_fn survey_on_lock;

/* One after the other; what is known of them when there are no more. */
static void
survey_ask_locks(struct job *j)
{
	if (j->locks_left > 0 && !j->cancelled) {
		j->locks_left--;
		step_run_ids(j, RESTIC_LOCK, j->lock_ids + j->locks_left, 1,
		    survey_on_lock);
		return;
	}
	survey_put_locks(j);
	survey_next(j);
}

static void
survey_on_lock(struct job *j, const struct err *step_err)
{
	struct restic_lock lock;
	struct err e = *step_err;

	/* One that is gone meanwhile is no news. */
	if (e.rc == RC_OK &&
	    restic_read_lock(buf_str(&j->step.document), &lock, &e) == RC_OK)
		survey_add_lock(j, &lock);
	survey_ask_locks(j);
}

/* Ids of the first few; the number of them all. */
static uint32_t
survey_read_locks(struct job *j)
{
	struct str rest = buf_str(&j->step.document), line;
	uint8_t id[32];
	uint32_t n = 0;

	j->lock_ids =
	    arena_array(&j->arena, SURVEY_LOCKS_MAX, sizeof(*j->lock_ids));
	j->locks_left = 0;
	while (j->lock_ids != NULL && str_next(&rest, '\n', &line)) {
		if (!str_unhex(line, id, sizeof(id)))
			continue;
		if (j->locks_left < SURVEY_LOCKS_MAX)
			j->lock_ids[j->locks_left++] =
			    arena_str(&j->arena, line);
		n++;
	}
	return n;
}

static void
survey_on_locks(struct job *j, const struct err *e)
{
	survey_note(j, "no locks of the repository", e);
	if (e->rc != RC_OK) {
		survey_next(j);
		return;
	}
	j->locks.at_ms = clock_now_ms();
	j->locks.count = survey_read_locks(j);
	survey_ask_locks(j);
}

/* ------------------------------------------------------------- its size */

static bool
survey_has_grown(const struct agent *a)
{
	return a->stats_took_ms <= SURVEY_STATS_CHEAP_MS &&
	       a->added_bytes > a->stats_bytes / SURVEY_STATS_PART;
}

static bool
survey_wants_stats(const struct job *j)
{
	const struct agent *a = j->agent;
	int64_t since = clock_mono_ms() - a->stats_at_ms;

	if (!j->opened || !j->kind->asks_stats || j->main_seen.locked)
		return false;
	return a->stats_at_ms == 0 || survey_has_grown(a) ||
	       j->kind->main_step == RESTIC_PRUNE ||
	       since >= SURVEY_STATS_EVERY_MS ||
	       since / SURVEY_STATS_SHARE >= a->stats_took_ms;
}

static void
survey_on_stats(struct job *j, const struct err *step_err)
{
	struct agent *a = j->agent;
	struct err e = *step_err;

	a->stats_at_ms = clock_mono_ms();
	a->stats_took_ms = a->stats_at_ms - j->step.began_ms;
	if (e.rc == RC_OK && restic_read_stats(buf_str(&j->step.document),
	                         &j->stats, &e) == RC_OK) {
		j->has_stats = true;
		a->stats_bytes = j->stats.total_size_bytes;
		a->added_bytes = 0;
	}
	survey_note(j, "no repository statistics", &e);
	survey_next(j);
}

/* ---------------------------------------------------------- one by one */

static const struct survey_look {
	bool (*wanted)(const struct job *j);
	enum restic_step step;
	step_done_fn *done;
} survey_looks[] = {
	{ survey_wants_id, RESTIC_CONFIG, survey_on_id },
	{ survey_wants_locks, RESTIC_LOCKS, survey_on_locks },
	{ survey_wants_stats, RESTIC_STATS, survey_on_stats },
};

static void
survey_next(struct job *j)
{
	const struct survey_look *look;

	/* A server that does not answer one look answers no other. */
	while (!j->cancelled && !j->step.timed_out &&
	       j->surveyed < ARRAY_LEN(survey_looks)) {
		look = &survey_looks[j->surveyed++];
		if (look->wanted(j)) {
			step_run(j, look->step, look->done);
			return;
		}
	}
	if (j->has_stats)
		report_stats(j->agent->events, &j->stats);
	job_finish(j);
}

void
survey_begin(struct job *j)
{
	j->agent->added_bytes += j->main_seen.summary.data_added;
	survey_next(j);
}
