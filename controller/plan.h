/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_PLAN_H
#define CONTROLLER_PLAN_H
/*
 * What a host backs up and when, as a whole: its source groups and schedules,
 * how much of them there may be, what they say about each other, and how the
 * agent is told.
 */
#include <stddef.h>
#include <stdint.h>

#include "controller/hooks.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct arena;
struct op;
struct store_tx;
struct Wire__Plan;

enum {
	PLAN_FORMAT = 1,
	PLAN_GROUPS_MAX = 100,
	PLAN_SCHEDULES_MAX = 100,
	PLAN_PATHS_MAX = 10000,     /* to back up and to leave out, a host */
	PLAN_TEXT_MAX = 512 * 1024, /* bytes of them */
	PLAN_PATH_BYTES_MAX = 4096,
	PLAN_NAME_MAX = 64,
	PLAN_ZONE_MAX = 63,
	PLAN_JITTER_MAX_S = 86400,
	PLAN_KEEP_MAX = 10000,
	PLAN_RETRY_MAX = 100,
	PLAN_BACKOFF_MAX_S = 1800
};

/* Of one host, in order of creation; lent by the transaction's arena. */
struct plan {
	struct ulid host;
	const struct Rec__SourceGroup *groups[PLAN_GROUPS_MAX];
	size_t n_groups;
	const struct Rec__Schedule *schedules[PLAN_SCHEDULES_MAX];
	size_t n_schedules;
	bool gaps_known;
	int64_t gaps[PLAN_SCHEDULES_MAX]; /* plan.c's: of each schedule */
};

void plan_load(struct store_tx *tx, const struct ulid *host, struct plan *out);
const struct Rec__SourceGroup *plan_group(const struct plan *p,
    const struct ulid *group);
/* Whether the schedule runs the group. */
bool plan_runs(const struct Rec__Schedule *s, const struct ulid *group);
/* The shortest time between two runs of the group by one of its schedules
 * that are not paused; 0: none runs it again and again. */
int64_t plan_gap_ms(struct plan *p, const struct ulid *group, int64_t now_ms);
/* "hourly", "daily", ... of what it keeps and no schedule can fill; "". */
const char *plan_conflict(const struct Rec__Retention *keep, int64_t gap_ms);

/* Of a form that was opened when the record was as of seen_ms; 0: nobody
 * asks.  RC_CONFLICT changed_meanwhile where it was changed since (as of
 * was_ms) and is not what it shall become: a second click is no conflict. */
enum rc plan_check_seen(struct store_tx *tx, int64_t seen_ms, int64_t was_ms,
    const ProtobufCMessage *was, const ProtobufCMessage *now);

/* After a change of groups or schedules, inside its op: stores anew which
 * groups keep more than is made, and sets in h, which the caller puts, how
 * far apart its backups are, and a higher version. */
void plan_changed(struct store_tx *tx, struct Rec__Host *h, int64_t now_ms);

/* As the agent is sent it, in the arena of from; NULL: no room.  Wipe it by
 * plan_wipe(). */
struct Wire__Plan *plan_make(struct store_tx *tx, const struct hooks_from *from,
    const struct Rec__Host *h);
void plan_wipe(struct Wire__Plan *w); /* NULL is fine */
#endif
