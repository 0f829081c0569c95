/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/host_month.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/next_run.h"
#include "lib/store/plan_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/schedule_store.h"
#include "render/host_view.h"
#include "render/view.h"

enum {
	KEPT = 4096, /* hosts; a power of two */
	SCHEDULES_MAX = 100,
	GROUPS_JUDGED = 64 /* a bit each; further ones are not judged */
};

/* A run may begin, be tried again and end so long after its time before it
 * counts as missed; near midnight it may end on the next day. */
static const int64_t patience_ms = INT64_C(4) * 3600000;

struct kept {
	struct ulid host;
	uint64_t version;
	int64_t until_ms; /* something in it is another from then on */
	struct host_month month;
};

struct host_months {
	struct kept *of[KEPT];
};

struct host_months *
host_months_new(void)
{
	return MEM_NEW(struct host_months);
}

void
host_months_free(struct host_months *m)
{
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < KEPT; i++)
		mem_free(m->of[i]);
	mem_free(m);
}

/* ------------------------------------------------------------------ reading */

/* One host's month in the making. */
struct making {
	struct view *v;
	const struct host_view *hv;
	struct host_month *out;
	int64_t until_ms;
	uint64_t had[CHART_DAYS + 1]; /* groups with an outcome, by day */
	uint64_t all;                 /* groups */
	uint64_t sizes[CHART_DAYS];
	uint32_t sized;
};

static int
group_at(const struct host_view *hv, const void *id)
{
	size_t i;

	for (i = 0; i < hv->n_groups && i < GROUPS_JUDGED; i++)
		if (hv->groups[i]->id.len == sizeof(struct ulid) &&
		    memcmp(hv->groups[i]->id.data, id, sizeof(struct ulid)) ==
		        0)
			return (int)i;
	return -1;
}

static char
day_code(const struct Rec__DayOutcome *o)
{
	switch (o->state) {
	case REC__JOB_STATE__JOB_SUCCEEDED:
		return o->incomplete ? 'i' : 'o';
	case REC__JOB_STATE__JOB_FAILED:
		return 'f';
	default:
		return 'n';
	}
}

static bool
host_month_on_outcome(void *ctx, uint32_t day, const struct ulid *group,
    const struct Rec__DayOutcome *o)
{
	struct making *m = ctx;
	int64_t i = (int64_t)day - m->out->first_day;
	int at = group_at(m->hv, group->b);

	if (i < 0 || i >= CHART_DAYS)
		return true;
	m->out->codes[i] = chart_worse(m->out->codes[i], day_code(o));
	if (at >= 0)
		m->had[i] |= UINT64_C(1) << at;
	return true;
}

static bool
host_month_on_size(void *ctx, uint32_t day, const struct Rec__RepoDay *d)
{
	struct making *m = ctx;
	int64_t i = (int64_t)day - m->out->first_day;

	if (i < 0 || i >= CHART_DAYS || !d->has_size)
		return true;
	m->sizes[i] = d->size_bytes;
	m->sized |= UINT32_C(1) << i;
	return true;
}

/* ------------------------------------------------------------ what was asked */

static uint64_t
groups_of(const struct making *m, const struct Rec__Schedule *s)
{
	uint64_t bits = 0;
	size_t i;
	int at;

	for (i = 0; i < s->n_group_ids; i++) {
		if (s->group_ids[i].len != sizeof(struct ulid))
			continue;
		at = group_at(m->hv, s->group_ids[i].data);
		if (at >= 0)
			bits |= UINT64_C(1) << at;
	}
	return bits;
}

static void
valid_until(struct making *m, int64_t ms)
{
	if (m->until_ms == 0 || ms < m->until_ms)
		m->until_ms = ms;
}

/* The day's first run came to nothing, as far as can be told by now. */
static void
judge_day(struct making *m, int64_t i, int64_t at_ms, uint64_t groups)
{
	const int64_t end_ms = at_ms + patience_ms;
	int64_t ends = text_day(&m->v->clock, end_ms) - m->out->first_day;
	uint64_t had = m->had[i];

	if (end_ms > m->v->req->now_ms) {
		valid_until(m, end_ms);
		return;
	}
	if (ends > i && ends <= CHART_DAYS)
		had |= m->had[ends];
	if ((groups & ~had) != 0)
		m->out->codes[i] = chart_worse(m->out->codes[i],
		    m->hv->host->always_on ? 'm' : 'z');
}

/* The days before it was enrolled are drawn as such. */
static void
note_judged(struct making *m, int64_t ms)
{
	const struct text_clock *c = &m->v->clock;
	int64_t day = text_day(c, ms);

	if (day > m->out->first_day && ms > m->out->judged_ms &&
	    day > text_day(c, m->hv->host->enrolled_at_ms))
		m->out->judged_ms = ms;
}

/* What the schedule was before it was changed is not known any more. */
static void
judge_days(struct making *m, const struct Rec__Schedule *s,
    const struct next_run_rule *r)
{
	const int64_t now = m->v->req->now_ms;
	uint64_t groups = groups_of(m, s);
	int64_t after = text_day_start(&m->v->clock, m->out->first_day) - 1;
	struct next_run n;
	int64_t day;

	if (after < m->hv->host->enrolled_at_ms)
		after = m->hv->host->enrolled_at_ms;
	if (after < s->created_at_ms)
		after = s->created_at_ms;
	if (after < s->updated_at_ms)
		after = s->updated_at_ms;
	note_judged(m, after);
	while (next_run(r, after, &n) && n.at_ms <= now) {
		day = text_day(&m->v->clock, n.at_ms);
		judge_day(m, day - m->out->first_day, n.at_ms, groups);
		after = text_day_start(&m->v->clock, day + 1) - 1;
	}
}

static bool
host_month_on_schedule(void *ctx, const struct Rec__Schedule *s)
{
	struct making *m = ctx;
	struct host_month *out = m->out;
	struct next_run_rule r;
	struct next_run n;
	struct ulid id;

	if (++out->schedules == SCHEDULES_MAX)
		return false;
	if (!s->enabled)
		return true;
	out->enabled++;
	out->covered = out->enabled == 1 && m->all != 0 &&
	               groups_of(m, s) == m->all &&
	               view_ulid(s->id, &out->covering);
	if (!view_ulid(s->id, &id) ||
	    !next_run_rule(s, next_run_zone(s, m->hv->host, m->v->clock.zone),
	        &r))
		return true;
	judge_days(m, s, &r);
	if (next_run(&r, m->v->req->now_ms, &n) &&
	    (out->next_ms == 0 || n.at_ms < out->next_ms))
		out->next_ms = n.at_ms;
	return true;
}

static void
make(struct view *v, const struct host_view *hv, struct kept *k)
{
	int64_t today = text_day(&v->clock, v->req->now_ms);
	int64_t enrolled = text_day(&v->clock, hv->host->enrolled_at_ms);
	struct making m = { .v = v, .hv = hv, .out = &k->month };
	int64_t first = today - (CHART_DAYS - 1);
	int i;

	k->month = (struct host_month){ .first_day = first };
	for (i = 0; i < CHART_DAYS; i++)
		k->month.codes[i] = first + i < enrolled ? 'b' : 'n';
	/* Of more groups than that, none covers all. */
	m.all = hv->n_groups >= GROUPS_JUDGED
	            ? 0
	            : (UINT64_C(1) << hv->n_groups) - 1;
	plan_store_days(v->state, &hv->id, (uint32_t)first, (uint32_t)today,
	    host_month_on_outcome, &m);
	schedule_store_of_host(v->state, &hv->id, host_month_on_schedule, &m);
	repo_store_days(v->state, &hv->id, (uint32_t)first, (uint32_t)today,
	    host_month_on_size, &m);
	chart_spark(m.sizes, m.sized, &k->month.spark);
	if (k->month.next_ms != 0)
		valid_until(&m, k->month.next_ms);
	k->until_ms = m.until_ms;
}

/* ------------------------------------------------------------------- keeping */

/* The end of an id is random. */
static size_t
place_of(const struct ulid *id)
{
	return ((size_t)id->b[14] << 8 | id->b[15]) & (KEPT - 1);
}

static bool
is_fresh(const struct kept *k, const struct view *v, const struct host_view *hv,
    uint64_t version)
{
	return ulid_eq(&k->host, &hv->id) && k->version == version &&
	       k->month.first_day ==
	           text_day(&v->clock, v->req->now_ms) - (CHART_DAYS - 1) &&
	       (k->until_ms == 0 || v->req->now_ms < k->until_ms);
}

void
host_month_get(struct view *v, const struct host_view *hv,
    struct host_month *out)
{
	uint64_t version = store_host_version(v->state, &hv->id);
	struct kept now, **k;

	if (v->months == NULL) {
		make(v, hv, &now);
		*out = now.month;
		return;
	}
	k = &v->months->of[place_of(&hv->id)];
	if (*k == NULL)
		*k = MEM_NEW(struct kept);
	if (!is_fresh(*k, v, hv, version)) {
		make(v, hv, *k);
		(*k)->host = hv->id;
		(*k)->version = version;
	}
	*out = (*k)->month;
}
