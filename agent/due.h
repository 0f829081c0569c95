/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_DUE_H
#define AGENT_DUE_H
/*
 * When the agent's plan is due: the memory of its schedules and the line of
 * runs that wait.  Given times, it gives runs; no clock, no file, no loop.
 *
 * - A due time begins one run for each group of its schedule, spread_ms()
 *   later.  It is looked at once, however the wall clock is set afterwards;
 *   only a clock that went back by more than a day starts anew.
 * - Due times that passed unseen (not started, asleep, clock set forward)
 *   are caught up by one run of the latest, DUE_SETTLE_MS after it is seen.
 *   After a start or a gap the same happens to a latest due time whose run
 *   had failed, once.  What counts is the schedule's own last success.
 * - A failed run is tried again, retry_max times, retry_backoff_s later and
 *   then twice as long each time, DUE_BACKOFF_MAX_MS at most.
 * - One run waits per group.  Another due time joins it: the run bears the
 *   newest one, and its end counts for all.
 * - A schedule that is new, was disabled, or has another expression or zone
 *   begins at the time it was made known.
 *
 * Loop thread, or any one thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct buf;
struct due;
struct Wire__Plan;

enum {
	DUE_LATE_MS = 90000,   /* seen later than that: it was missed */
	DUE_GAP_MS = 150000,   /* between two looks: we were not running */
	DUE_SETTLE_MS = 60000, /* until the network is up again */
	DUE_BACKOFF_MAX_MS = 1800000
};
#define DUE_NEVER INT64_MAX

struct due_cover {
	struct ulid schedule;
	int64_t due_ms;
};

/* One run of one group, waiting or running. */
struct due_run {
	struct ulid job;
	struct ulid group;
	struct due_cover *covers; /* the first is the one it is reported as */
	size_t n_covers;
	int64_t not_before_ms;
	uint32_t attempt; /* 1, 2, ... */
	bool catch_up;
};

enum due_end {
	DUE_SUCCEEDED,
	DUE_FAILED,   /* may go better later */
	DUE_HOPELESS, /* fails the same way until somebody acts */
	DUE_CANCELLED /* somebody did not want it */
};

struct due *due_new(const struct ulid *host);
void due_free(struct due *d);

/* What due_save() wrote, before the first plan.  RC_CORRUPT: nothing. */
MUST_USE enum rc due_load(struct due *d, struct str saved);
MUST_USE enum rc due_save(const struct due *d, int64_t now_ms, struct buf *out);
/* Whether something changed since the last call that must be saved before a
 * run starts. */
bool due_take_changed(struct due *d);

/* plan NULL: none.  zone: of schedules that name none.  An expression or zone
 * that is not known leaves its schedule out. */
void due_plan(struct due *d, const struct Wire__Plan *plan, const char *zone,
    int64_t now_ms);
/* Puts what became due into the line; returns when to look again, at the
 * latest, or DUE_NEVER. */
int64_t due_look(struct due *d, int64_t now_ms);
/* The next look is one after a gap: the way to the repository is back. */
void due_after_gap(struct due *d);

/* The one that has been ready for longest; lent until the next call.  NULL:
 * none that may begin by now, or one runs. */
const struct due_run *due_ready(const struct due *d, int64_t now_ms);
/* NULL: not one of these. */
const struct due_run *due_find(const struct due *d, const struct ulid *job);
/* The i-th of the line; NULL: there are no more. */
const struct due_run *due_at(const struct due *d, size_t i);
void due_begin(struct due *d, const struct ulid *job);
/* When the run would be tried again if it ended so now; 0: not. */
int64_t due_retry_at(const struct due *d, const struct ulid *job,
    enum due_end end, int64_t now_ms);
/* It ended; retry_at_ms as it was told. */
void due_ended(struct due *d, const struct ulid *job, enum due_end end,
    int64_t retry_at_ms);
/* By the words of JobFinished. */
enum due_end due_judge(struct str status, struct str cause);

/* For people: how many schedules are on, and the next time one begins (its
 * spread included), or DUE_NEVER. */
size_t due_schedules(const struct due *d, int64_t *out_next_ms);
#endif
