/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_MONTH_ORACLE_H
#define TESTS_UNIT_AGENT_MONTH_ORACLE_H
/*
 * The hosts of test_plan_month.c, and what an oracle says of them that knows
 * every due time beforehand: of each look which due time has to stand in the
 * line, of each run whether it may begin.
 */
#include "tests/unit/agent/due_help.h"
#include "tests/unit/agent/month_keep.h"

#include "lib/base/cron.h"

enum {
	HOSTS = 1000,
	SCHEDULES = 3,
	GROUPS = 2,
	INCIDENTS = 64,
	DUES = 3000
};

struct world {
	uint64_t seed;
	int64_t from, until; /* true time */
	int64_t away[4][2];  /* the repository */
	int64_t cut[4][2];   /* the controller */
	/* what happened */
	uint64_t fired, on_time, caught_up, passed_over, begun, retried;
	uint64_t succeeded, failed, crashes, sleeps, steps, again, forgotten;
	uint32_t *nightly; /* hosts running in each second of the first 02:00 */
};

static inline uint64_t
dice(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline int64_t
between(uint64_t *state, int64_t low, int64_t high)
{
	return low + (int64_t)(dice(state) % (uint64_t)(high - low + 1));
}

static inline bool
one_in(uint64_t *state, uint64_t n)
{
	return dice(state) % n == 0;
}

static inline bool
within(int64_t t, int64_t spans[4][2])
{
	int i;

	for (i = 0; i < 4; i++)
		if (t >= spans[i][0] && t < spans[i][1])
			return true;
	return false;
}

enum incident_kind {
	SLEEP, /* the clock goes on, nothing else does */
	OFF,   /* orderly; started again later */
	CRASH,
	STEP /* the wall clock is set */
};

struct incident {
	int64_t at, ms;
	enum incident_kind kind;
};

/* What the oracle knows of one schedule. */
struct oracle {
	struct ulid id;
	struct cron cron;
	int64_t spread;
	int64_t *dues; /* behind the time it was made known */
	size_t n;
	bool member[GROUPS];
	/* may be taken back by a crash before it is on disk */
	size_t next; /* the first one not fired or passed over */
	int64_t fired, caught, ok[GROUPS];
	/* may not */
	int64_t begun[GROUPS];
};

struct host {
	struct world *w;
	struct ulid id;
	uint64_t dice;
	struct small plan;
	const char *zone;
	struct ulid groups[GROUPS];
	struct due *d;
	struct oracle o[SCHEDULES], stored_o[SCHEDULES];
	struct buf stored; /* the state on disk */
	int64_t t, offset; /* true time; wall clock less that */
	int64_t looked;    /* by the wall clock; 0: started since */
	bool is_cut;       /* without the controller */
	struct incident incidents[INCIDENTS];
	size_t n_incidents, done_incidents;
	/* the job that runs */
	bool running;
	struct ulid job;
	int64_t job_begin, job_end;
	struct shelf *shelf; /* snapshots of the first group */
	int64_t forget_at;
};

static inline int64_t
wall(const struct host *h)
{
	return h->t + h->offset;
}

static inline size_t
group_index(const struct host *h, const struct ulid *group)
{
	size_t g = 0;

	while (g < GROUPS && !ulid_eq(&h->groups[g], group))
		g++;
	assert_true(g < GROUPS);
	return g;
}

static inline struct oracle *
oracle_of(struct host *h, const struct ulid *schedule)
{
	size_t i;

	for (i = 0; i < SCHEDULES; i++)
		if (ulid_eq(&h->o[i].id, schedule))
			return &h->o[i];
	fail();
	return NULL;
}

static inline int64_t
settled(const struct oracle *o)
{
	int64_t ok = o->ok[0];
	size_t g;

	for (g = 0; g < GROUPS; g++)
		if (o->member[g] && o->ok[g] < ok)
			ok = o->ok[g];
	return ok > o->caught ? ok : o->caught;
}

static inline bool
in_line(const struct due *d, const struct oracle *o)
{
	const struct due_run *r;
	size_t i, k;

	for (i = 0; (r = due_at(d, i)) != NULL; i++)
		for (k = 0; k < r->n_covers; k++)
			if (ulid_eq(&r->covers[k].schedule, &o->id))
				return true;
	return false;
}

/* The due time that has to be in the line after a look now; 0: no new one. */
static inline int64_t
foresee(struct host *h, struct oracle *o, bool gap)
{
	int64_t now = wall(h), at;
	size_t k = o->next, last;

	while (k < o->n && o->dues[k] + o->spread <= now)
		k++;
	if (k > o->next) {
		at = o->dues[k - 1];
		h->w->passed_over += k - 1 - o->next;
		o->next = k;
		o->fired = at;
		if (now - at - o->spread > DUE_LATE_MS) {
			o->caught = at;
			h->w->caught_up++;
		} else {
			h->w->on_time++;
		}
		return at;
	}
	if (!gap || in_line(h->d, o))
		return 0;
	for (last = o->next; last > 0; last--)
		if (o->dues[last - 1] + o->spread <= now)
			break;
	if (last == 0 || o->dues[last - 1] <= settled(o))
		return 0;
	h->w->again++;
	return o->caught = o->dues[last - 1];
}

static inline bool
stands(const struct due *d, const struct ulid *group, const struct oracle *o,
    int64_t due_ms)
{
	const struct due_run *r;
	size_t i, k;

	for (i = 0; (r = due_at(d, i)) != NULL; i++)
		for (k = 0; k < r->n_covers; k++)
			if (ulid_eq(&r->group, group) &&
			    ulid_eq(&r->covers[k].schedule, &o->id) &&
			    r->covers[k].due_ms == due_ms)
				return true;
	return false;
}

/* Nothing stands in the line that was not foreseen. */
static inline void
check_line(struct host *h)
{
	const struct due_run *r, *other;
	size_t i, k, waits = 0;

	for (i = 0; (r = due_at(h->d, i)) != NULL; i++) {
		for (k = 0; k < r->n_covers; k++)
			assert_true(
			    r->covers[k].due_ms <=
			    oracle_of(h, &r->covers[k].schedule)->fired);
		if (h->running && ulid_eq(&r->job, &h->job))
			continue;
		waits++;
		for (k = 0; (other = due_at(h->d, k)) != NULL; k++)
			if (k != i && ulid_eq(&other->group, &r->group))
				assert_true(h->running &&
				            ulid_eq(&other->job, &h->job));
	}
	assert_true(waits <= GROUPS);
}

/* Whatever fired has begun once nothing waits any more. */
static inline void
check_empty(struct host *h)
{
	size_t i, g;

	if (due_at(h->d, 0) != NULL)
		return;
	for (i = 0; i < SCHEDULES; i++)
		for (g = 0; g < GROUPS; g++)
			if (h->o[i].member[g])
				assert_int_equal(h->o[i].begun[g],
				    h->o[i].fired);
}

static inline void
note_begin(struct host *h, const struct due_run *r)
{
	size_t g = group_index(h, &r->group), k;
	struct oracle *o;
	int64_t at;

	for (k = 0; k < r->n_covers; k++) {
		o = oracle_of(h, &r->covers[k].schedule);
		at = r->covers[k].due_ms;
		assert_true(at >= o->begun[g]);
		/* A second time only what failed, or failed elsewhere. */
		if (at == o->begun[g])
			assert_true(o->ok[g] != at || o->caught == at);
		else
			h->w->fired++;
		o->begun[g] = at;
	}
	h->w->begun++;
	h->w->retried += r->attempt > 1 ? 1 : 0;
}

static inline void
note_snapshot(struct host *h)
{
	int32_t offset = 0;

	assert_true(clock_zone_offset(h->zone, h->job_begin, &offset));
	shelf_add(h->shelf, h->job_begin, offset);
}

static inline void
note_end(struct host *h, const struct due_run *r, enum due_end end)
{
	size_t g = group_index(h, &r->group), k;
	struct oracle *o;

	for (k = 0; k < r->n_covers; k++) {
		o = oracle_of(h, &r->covers[k].schedule);
		if (end == DUE_SUCCEEDED)
			o->ok[g] = r->covers[k].due_ms;
		else if (end == DUE_CANCELLED)
			o->caught = r->covers[k].due_ms;
	}
	if (end == DUE_SUCCEEDED)
		h->w->succeeded++;
	else
		h->w->failed++;
	if (end == DUE_SUCCEEDED && g == 0)
		note_snapshot(h);
}
#endif
