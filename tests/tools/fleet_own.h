/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_TOOLS_FLEET_OWN_H
#define TESTS_TOOLS_FLEET_OWN_H
/*
 * What the files of the made-up fleet share.
 */
#include "lib/base/ulid.h"
#include "lib/store/job_store.h"
#include "tests/tools/fleet.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

#define DONE REC__JOB_STATE__JOB_SUCCEEDED
#define FAIL REC__JOB_STATE__JOB_FAILED

enum {
	PATH_CAP = 4096,
	NAME_CAP = 128,
	KEPT = 30 /* days of outcomes */
};

/* Whose past is made when all hosts are there. */
struct fleet_past {
	struct ulid host, group;
};

/* What all hosts share while they are made. */
struct fleet {
	const struct fleet_opts *o;
	struct fleet_result *r;
	struct store_tx *tx, *live;
	char spool[PATH_CAP];
	uint64_t rng;
	uint64_t roles[16];      /* hosts of each role so far */
	struct fleet_past *past; /* room for all hosts, or NULL */
	struct err *e;
};

/* A host in the making. */
struct made {
	enum fleet_state state;
	char name[NAME_CAP];
	const char *role_tag, *place_tag;
	bool windows, online, always_on, behind;
	struct ulid id, group, home; /* home: a second source group, or zero */
	struct ulid current;         /* its running job, or zero */
	int64_t enrolled, last_ok, last_run, every;
	struct ulid run; /* the newest one */
	bool run_bad, run_part;
	int cause;
};

struct run {
	int64_t at, took;
	const struct ulid *group;
	const char *group_name;
	Rec__JobState state;
	bool part;
};

uint64_t fleet_roll(struct fleet *f);
/* From lo up to hi, both included. */
int64_t fleet_between(struct fleet *f, int64_t lo, int64_t hi);
bool fleet_chance(struct fleet *f, uint64_t percent);
struct ulid fleet_id_at(struct fleet *f, int64_t ms);
void fleet_put_run(struct fleet *f, const struct made *m, const struct ulid *id,
    const struct run *r);
/* Schedules and what is kept (fleet_plan.c). */
bool fleet_has_plan(const struct made *m);
struct ulid fleet_schedule_id(const struct made *m);
void fleet_put_schedule(struct fleet *f, const struct made *m);
/* How the repository grew to its size. */
void fleet_put_sizes(struct fleet *f, const struct made *m,
    const struct Rec__Host *h);
void fleet_put_no_upkeep(struct fleet *f, const struct made *m);
void fleet_fill_retention(const struct made *m, bool second,
    struct Rec__SourceGroup *g, struct Rec__Retention *keep);
void fleet_fill_planned(const struct made *m, struct Rec__Host *h);
/* o->past jobs of each host, over the o->days before the 30 that are always
 * there (fleet_past.c). */
MUST_USE enum rc fleet_put_past(struct fleet *f, struct store *state);
#endif
