/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/due.h"

#include <string.h>

#include "agent/due_own.h"
#include "lib/base/mem.h"
#include "lib/base/spread.h"
#include "proto/agent.pb-c.h"

/* A clock that differs from what was seen by more than this was wrong. */
#define DUE_ASTRAY_MS INT64_C(86400000)
#define DUE_EARLIEST_MS INT64_C(86400000)

struct due *
due_new(const struct ulid *host)
{
	struct due *d = MEM_NEW(struct due);

	d->host = *host;
	return d;
}

void
due_free(struct due *d)
{
	if (d == NULL)
		return;
	due_free_schedules(d->schedules, d->n_schedules);
	mem_free(d->groups);
	due_free_line(d);
	mem_free(d);
}

bool
due_take_changed(struct due *d)
{
	bool changed = d->changed;

	d->changed = false;
	return changed;
}

struct due_schedule *
due_schedule_of(const struct due *d, const struct ulid *id)
{
	size_t i;

	for (i = 0; i < d->n_schedules; i++)
		if (ulid_eq(&d->schedules[i].mark.schedule, id))
			return &d->schedules[i];
	return NULL;
}

const struct due_group *
due_group_of(const struct due *d, const struct ulid *id)
{
	size_t i;

	for (i = 0; i < d->n_groups; i++)
		if (ulid_eq(&d->groups[i].id, id))
			return &d->groups[i];
	return NULL;
}

bool
due_has_group(const struct due_schedule *s, const struct ulid *group)
{
	size_t i;

	for (i = 0; i < s->n_groups; i++)
		if (ulid_eq(&s->groups[i], group))
			return true;
	return false;
}

/* ------------------------------------------------------------- the plan */

static void
due_take_groups(struct due *d, const Wire__Plan *plan)
{
	struct due_group *g;
	size_t i;

	mem_free(d->groups);
	d->n_groups = 0;
	d->groups =
	    plan == NULL ? NULL : mem_array(plan->n_groups, sizeof(*d->groups));
	for (i = 0; plan != NULL && i < plan->n_groups; i++) {
		g = &d->groups[d->n_groups];
		g->retry_max = plan->groups[i]->retry_max;
		g->retry_backoff_s = plan->groups[i]->retry_backoff_s;
		if (ulid_parse(str_of(plan->groups[i]->id), &g->id))
			d->n_groups++;
	}
}

static char *
due_when(const char *expr, const char *zone)
{
	size_t n = strlen(expr), z = strlen(zone);
	char *when = mem_alloc(n + z + 2);

	memcpy(when, expr, n);
	when[n] = ' ';
	memcpy(when + n + 1, zone, z + 1);
	return when;
}

/* What is known of it already, if it is about the same times. */
static void
due_take_mark(struct due *d, struct due_schedule *s, char *when, int64_t now_ms)
{
	struct due_schedule *old = due_schedule_of(d, &s->mark.schedule);
	struct due_mark *m = &s->mark;

	if (old != NULL && old->mark.when != NULL &&
	    strcmp(old->mark.when, when) == 0) {
		*m = old->mark;
		old->mark.when = NULL;
		mem_free(when);
		return;
	}
	m->when = when;
	m->last_due_ms = m->success_due_ms = m->caught_up_due_ms = now_ms;
	d->changed = true;
}

/* False: it stays out. */
static bool
due_take_schedule(struct due *d, const Wire__PlanSchedule *p, const char *zone,
    struct due_schedule *s)
{
	size_t i;

	if (p->zone[0] != '\0')
		zone = p->zone;
	if (!p->enabled || !ulid_parse(str_of(p->id), &s->mark.schedule) ||
	    cron_parse(str_of(p->cron), zone, &s->cron, NULL) != RC_OK)
		return false;
	s->live = true;
	s->spread_ms = spread_ms(&d->host, &s->mark.schedule, p->jitter_s);
	s->groups = mem_array(p->n_group_ids, sizeof(*s->groups));
	for (i = 0; i < p->n_group_ids; i++)
		if (ulid_parse(str_of(p->group_ids[i]),
		        &s->groups[s->n_groups]))
			s->n_groups++;
	return true;
}

void
due_plan(struct due *d, const Wire__Plan *plan, const char *zone,
    int64_t now_ms)
{
	size_t i, n = 0, had = d->n_schedules;
	struct due_schedule *s = NULL;
	const Wire__PlanSchedule *p;

	due_take_groups(d, plan);
	if (plan != NULL)
		s = mem_array(plan->n_schedules, sizeof(*s));
	for (i = 0; plan != NULL && i < plan->n_schedules; i++) {
		p = plan->schedules[i];
		if (!due_take_schedule(d, p, zone, &s[n]))
			continue;
		due_take_mark(d, &s[n],
		    due_when(p->cron, p->zone[0] != '\0' ? p->zone : zone),
		    now_ms);
		n++;
	}
	due_free_schedules(d->schedules, had);
	d->schedules = s;
	d->n_schedules = n;
	d->changed = d->changed || had != n;
	due_prune(d);
}

/* ------------------------------------------------------------- the time */

/* Of a clock that was a day or more ahead we believe nothing. */
static bool
due_sane(int64_t mark_ms, int64_t now_ms)
{
	return mark_ms <= now_ms + DUE_ASTRAY_MS;
}

static int64_t
due_later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Up to where a schedule needs no run: succeeded, or caught up before. */
static int64_t
due_settled(const struct due_mark *m, int64_t now_ms)
{
	int64_t at = 0;

	if (due_sane(m->success_due_ms, now_ms))
		at = m->success_due_ms;
	if (due_sane(m->caught_up_due_ms, now_ms))
		at = due_later(at, m->caught_up_due_ms);
	return at;
}

static void
due_fire(struct due *d, struct due_schedule *s, const struct due_request *q)
{
	struct due_request each = *q;
	size_t i;

	if (q->catch_up)
		s->mark.caught_up_due_ms = q->due_ms;
	if (s->mark.failed_due_ms == q->due_ms) /* it has another chance */
		s->mark.failed_due_ms = 0;
	d->changed = true;
	for (i = 0; i < s->n_groups; i++) {
		each.schedule = s;
		each.group = &s->groups[i];
		due_enqueue(d, &each);
	}
}

/* Due times nobody has looked at: the latest counts. */
static bool
due_unseen(struct due *d, struct due_schedule *s, bool after_gap,
    int64_t now_ms)
{
	struct due_mark *m = &s->mark;
	struct due_request q = { .not_before_ms = now_ms };

	if (!cron_last(&s->cron, m->last_due_ms, now_ms - s->spread_ms,
	        &q.due_ms))
		return false;
	m->last_due_ms = q.due_ms;
	s->next_ms = 0;
	q.catch_up = now_ms - q.due_ms - s->spread_ms > DUE_LATE_MS;
	if (q.catch_up || after_gap)
		q.not_before_ms += DUE_SETTLE_MS;
	if (!q.catch_up || due_settled(m, now_ms) < q.due_ms)
		due_fire(d, s, &q);
	else
		d->changed = true;
	return true;
}

/* After a gap: the latest due time did not succeed and was not caught up. */
static void
due_unsettled(struct due *d, struct due_schedule *s, int64_t now_ms)
{
	struct due_request q = { .not_before_ms = now_ms + DUE_SETTLE_MS,
		.catch_up = true };

	if (!due_covered(d, &s->mark.schedule) &&
	    cron_last(&s->cron, due_settled(&s->mark, now_ms),
	        now_ms - s->spread_ms, &q.due_ms))
		due_fire(d, s, &q);
}

/* When the schedule begins next. */
static int64_t
due_next(struct due_schedule *s, int64_t now_ms)
{
	struct due_mark *m = &s->mark;

	if (!due_sane(m->last_due_ms, now_ms)) {
		m->last_due_ms = now_ms;
		s->next_ms = 0;
	}
	/* A clock that has not been set yet; cron.h counts from there. */
	m->last_due_ms = due_later(m->last_due_ms, DUE_EARLIEST_MS);
	if (s->next_ms == 0 &&
	    !cron_next(&s->cron, m->last_due_ms, &s->next_ms)) {
		s->next_ms = 0;
		return DUE_NEVER;
	}
	return s->next_ms + s->spread_ms;
}

/* After a gap nothing begins at once; and nothing waits for a time that only
 * a wrong clock knew. */
static void
due_hold_line(struct due *d, bool after_gap, int64_t now_ms)
{
	const int64_t most = now_ms + DUE_BACKOFF_MAX_MS + DUE_SETTLE_MS;
	struct due_run *r;
	size_t i;

	for (i = 0; i < d->n_line; i++) {
		r = d->line[i];
		if (after_gap)
			r->not_before_ms =
			    due_later(r->not_before_ms, now_ms + DUE_SETTLE_MS);
		if (r->not_before_ms > most)
			r->not_before_ms = most;
	}
}

static int64_t
due_wake(const struct due *d, int64_t begins_ms, int64_t now_ms)
{
	int64_t at = begins_ms;
	size_t i;

	for (i = 0; i < d->n_line; i++)
		if (d->line[i]->not_before_ms > now_ms &&
		    d->line[i]->not_before_ms < at)
			at = d->line[i]->not_before_ms;
	return at;
}

int64_t
due_look(struct due *d, int64_t now_ms)
{
	bool gap = d->looked_ms == 0 || d->after_gap ||
	           now_ms - d->looked_ms > DUE_GAP_MS;
	int64_t begins, first = DUE_NEVER;
	struct due_schedule *s;
	size_t i;

	d->looked_ms = now_ms;
	d->after_gap = false;
	due_hold_line(d, gap, now_ms);
	for (i = 0; i < d->n_schedules; i++) {
		s = &d->schedules[i];
		if (!s->live)
			continue;
		begins = due_next(s, now_ms);
		if ((begins > now_ms || !due_unseen(d, s, gap, now_ms)) && gap)
			due_unsettled(d, s, now_ms);
		begins = due_next(s, now_ms);
		if (begins < first)
			first = begins;
	}
	return due_wake(d, first, now_ms);
}

void
due_after_gap(struct due *d)
{
	d->after_gap = true;
}

size_t
due_schedules(const struct due *d, int64_t *out_next_ms)
{
	const struct due_schedule *s;
	size_t i, n = 0;
	int64_t at;

	*out_next_ms = DUE_NEVER;
	for (i = 0; i < d->n_schedules; i++) {
		s = &d->schedules[i];
		n += s->live ? 1 : 0;
		if (!s->live || !cron_next(&s->cron, s->mark.last_due_ms, &at))
			continue;
		if (at + s->spread_ms < *out_next_ms)
			*out_next_ms = at + s->spread_ms;
	}
	return n;
}
