/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PLAN_H
#define AGENT_PLAN_H
/*
 * What this host backs up and when, as the controller said it last: whether
 * a plan can be taken, and the run of one of its groups.  Hooks are in it:
 * plan_free() wipes it.
 */
#include <stdbool.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"
#include "proto/agent.pb-c.h"

struct buf;
struct due_run;

enum {
	PLAN_FORMAT = 1, /* the newest that is understood */
	PLAN_GROUPS_MAX = 1000,
	PLAN_SCHEDULES_MAX = 1000,
	PLAN_BYTES_MAX = 4194304,
	PLAN_ALSO_MAX = 32 /* further schedules of one run that are told */
};

/* RC_VERSION: of another format; RC_INVALID, RC_LIMIT: it contradicts itself
 * or is too large.  It is taken as a whole or not at all. */
MUST_USE enum rc plan_check(const Wire__Plan *p, struct err *e);
/* A sentence about schedules that are enabled and cannot fire here (M-178);
 * empty when there is none. */
void plan_remark(const Wire__Plan *p, const char *zone, struct buf *out);

MUST_USE enum rc plan_pack(const Wire__Plan *p, struct buf *out);
Wire__Plan *plan_unpack(struct str packed); /* NULL: damaged */
void plan_wipe(Wire__Plan *p);              /* the hooks; NULL is fine */
void plan_free(Wire__Plan *p);

/* The messages of one run; they point into the plan and into this. */
struct plan_run {
	Wire__CommandRun cmd;
	Wire__OwnRun own;
	char job[ULID_TEXT_CAP], group[ULID_TEXT_CAP], schedule[ULID_TEXT_CAP];
	Wire__OwnDue also[PLAN_ALSO_MAX], *also_list[PLAN_ALSO_MAX];
	char also_id[PLAN_ALSO_MAX][ULID_TEXT_CAP];
};
/* Of a group that is not in the plan there are only ids. */
void plan_run(const Wire__Plan *p, const struct due_run *r,
    struct plan_run *out);
#endif
