/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_DUE_OWN_H
#define AGENT_DUE_OWN_H
/*
 * What the files of due share: due.c knows the plan and looks at the time,
 * due_line.c keeps the line of runs, due_state.c what is saved of both.
 */
#include "agent/due.h"
#include "lib/base/cron.h"
#include "lib/base/ulid.h"

struct due_mark {
	struct ulid schedule;
	char *when;          /* expression and zone the times are of */
	int64_t last_due_ms; /* looked at up to here */
	int64_t success_due_ms;
	int64_t caught_up_due_ms;
	int64_t failed_due_ms;
};

struct due_schedule {
	struct due_mark mark;
	bool live; /* in the plan, enabled, understood */
	struct cron cron;
	int64_t spread_ms;
	int64_t next_ms; /* due time behind the mark; 0: not computed */
	struct ulid *groups;
	size_t n_groups;
};

struct due_group {
	struct ulid id;
	uint32_t retry_max;
	uint32_t retry_backoff_s;
};

struct due {
	struct ulid host;
	struct due_schedule *schedules;
	size_t n_schedules;
	struct due_group *groups;
	size_t n_groups;
	struct due_run **line;
	size_t n_line;
	struct ulid running; /* zero: none */
	int64_t looked_ms;   /* 0: not yet since the start */
	bool after_gap;
	bool changed;
};

/* due.c */
struct due_schedule *due_schedule_of(const struct due *d,
    const struct ulid *id);
const struct due_group *due_group_of(const struct due *d,
    const struct ulid *id);
bool due_has_group(const struct due_schedule *s, const struct ulid *group);

/* due_line.c */

/* A due time that begins; joins the run that waits for the group. */
struct due_request {
	const struct due_schedule *schedule;
	const struct ulid *group;
	int64_t due_ms;
	int64_t not_before_ms;
	bool catch_up;
};
void due_enqueue(struct due *d, const struct due_request *q);
struct due_run *due_append(struct due *d);
void due_add_cover(struct due_run *r, const struct due_cover *cover);
/* Any run, waiting or running, stands for a due time of the schedule. */
bool due_covered(const struct due *d, const struct ulid *schedule);
/* After a plan: what nobody wants any more leaves the line. */
void due_prune(struct due *d);
void due_free_line(struct due *d);
bool due_is_running(const struct due *d, const struct due_run *r);

/* due_state.c */
void due_free_schedules(struct due_schedule *s, size_t n);
#endif
