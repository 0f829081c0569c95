/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One host: the tab Jobs.  job_query.h says what a page of a long history
 * costs. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/plan_store.h"
#include "lib/store/schedule_store.h"
#include "render/host_page.h"
#include "render/host_view.h"
#include "render/job_page.h"
#include "render/job_view.h"
#include "render/link.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	LINK_MAX = 4096
};

/* The filters as they were given, those that make sense. */
struct filter {
	struct ulid host;
	struct job_filter job;
	struct str day;
	int64_t on_day; /* -1: none */
	struct str schedule;
	struct ulid of_schedule; /* where schedule is not "" */
};

struct rows {
	struct view *v;
	struct value *list;
};

static void
read_filter(const struct view *v, const struct ulid *host, struct filter *f)
{
	*f = (struct filter){ .host = *host,
		.on_day = text_day_parse(view_param(v, "day")) };
	job_view_filter(v, &f->job);
	if (f->on_day >= 0)
		f->day = view_param(v, "day");
	if (view_param_id(v, "schedule", &f->of_schedule))
		f->schedule = view_param(v, "schedule");
}

static bool
filtered(const struct filter *f)
{
	return f->job.q.n > 0 || f->job.state.n > 0 || f->job.kind.n > 0 ||
	       f->day.n > 0 || f->schedule.n > 0;
}

/* The filters as a query behind begin; ends with last, or with no separator
 * when that is "". */
static const char *
filter_query(struct view *v, const struct filter *f, const char *begin,
    const char *last)
{
	const char *z;
	struct str all;
	struct buf b;

	buf_init(&b, LINK_MAX);
	buf_puts(&b, begin);
	link_query(&b, "q", f->job.q);
	link_query(&b, "state", f->job.state);
	link_query(&b, "kind", f->job.kind);
	link_query(&b, "day", f->day);
	link_query(&b, "schedule", f->schedule);
	buf_puts(&b, last);
	all = buf_str(&b);
	while (all.n > 0 && strchr("?&", all.p[all.n - 1]) != NULL)
		all.n--;
	z = arena_str(v->arena, all);
	buf_fini(&b);
	return z;
}

/* The same page with another state. */
static const char *
state_link(struct view *v, const struct filter *f, const char *base,
    const char *state)
{
	struct filter other = *f;

	other.job.state = str_of(state);
	return filter_query(v, &other, base, "");
}

static void
fill_query(struct view *v, const struct filter *f, struct job_query *q)
{
	enum job_look look = job_look_parse(f->job.state);

	*q = (struct job_query){ .kind = job_kind_parse(f->job.kind) };
	if (f->schedule.n > 0)
		q->schedule = &f->of_schedule;
	if (look != JOB_LOOK_NONE)
		q->looks = 1U << look;
	if (f->on_day >= 0) {
		q->since_ms = text_day_start(&v->clock, f->on_day);
		q->until_ms = text_day_start(&v->clock, f->on_day + 1);
	}
	if (f->job.q.n > 0)
		job_query_by_text(v->state, f->job.q, q);
	job_query_by_host(v->state, &f->host, q);
}

/* ------------------------------------------------------------------ chips */

/* How many of one look fit the other filters; "" when there are too many to
 * count them each time. */
static const char *
count_words(struct view *v, const struct filter *f, const char *state)
{
	struct filter other = *f;
	struct job_found found;
	struct job_query q;

	other.job.state = str_of(state);
	fill_query(v, &other, &q);
	q.max = 0;
	job_query(v->state, &q, &found, NULL, NULL);
	return found.more ? "" : text_count(v->arena, found.total);
}

static void
put_chip(struct view *v, struct value *list, const struct filter *f,
    const char *base, const char *name)
{
	const struct status_look *look =
	    name[0] == '\0' ? NULL : job_view_look(name);
	bool current = str_eqz(f->job.state, name);
	/* The jobs of one schedule are found by their records only. */
	bool counted = look != NULL && f->schedule.n == 0;
	const char *n = counted ? count_words(v, f, name) : "";
	struct value *item;

	if (strcmp(n, "0") == 0 && !current)
		return;
	item = value_item(list);
	value_text(item, "word", look == NULL ? "All" : look->word);
	value_text(item, "class", look == NULL ? "" : look->class);
	value_text(item, "glyph", look == NULL ? "" : look->glyph);
	value_text(item, "n", n);
	value_text(item, "href", state_link(v, f, base, name));
	value_bool(item, "current", current);
}

/* Which one, by when it runs. */
static void
put_schedule(struct view *v, struct value *root, const struct filter *f,
    const char *base)
{
	const struct Rec__Schedule *s = NULL;
	struct filter other = *f;

	if (f->schedule.n > 0)
		s = schedule_store_find(v->state, &f->host, &f->of_schedule);
	value_copy(root, "schedule_param", f->schedule);
	value_text(root, "of_schedule",
	    f->schedule.n == 0 ? ""
	    : s == NULL        ? "a deleted schedule"
	                       : s->cron);
	other.schedule = str_of("");
	value_text(root, "all_schedules", filter_query(v, &other, base, ""));
}

static void
put_filter(struct view *v, struct value *root, const struct filter *f,
    const char *base)
{
	struct value *list = value_list(root, "chips");
	struct filter other = *f;
	const char *name;
	size_t i;

	put_chip(v, list, f, base, "");
	for (i = 0; (name = job_view_chip(i)) != NULL; i++)
		put_chip(v, list, f, base, name);
	job_view_kinds(root, f->job.kind);
	value_copy(root, "q", f->job.q);
	value_copy(root, "state_param", f->job.state);
	value_copy(root, "day_param", f->day);
	value_text(root, "day",
	    f->on_day < 0 ? "" : text_day_name(v->arena, f->on_day));
	other.day = str_of("");
	value_text(root, "all_days", filter_query(v, &other, base, ""));
	put_schedule(v, root, f, base);
	value_bool(root, "filtered", filtered(f));
}

/* ------------------------------------------------------------------- rows */

static bool
view_host_jobs_on_row(void *ctx, const struct Rec__Job *j)
{
	struct rows *r = ctx;

	job_view_put(r->v, value_item(r->list), j);
	return true;
}

/* A backup over midnight counts for the day in which it ended, as the strip
 * shows it; its id is of the day before. */
struct midnight {
	struct rows *rows;
	const struct filter *filter;
	int64_t begin_ms; /* of the day */
	uint64_t n;
};

static bool
fits(const struct filter *f, const struct Rec__Job *j)
{
	enum job_look look = job_look_parse(f->job.state);
	Rec__JobKind kind = job_kind_parse(f->job.kind);
	struct ulid id;

	if (f->schedule.n > 0 &&
	    (!view_ulid(j->schedule_id, &id) || !ulid_eq(&id, &f->of_schedule)))
		return false;
	return (look == JOB_LOOK_NONE || look == job_look_of(j)) &&
	       (kind == REC__JOB_KIND__KIND_UNKNOWN || kind == j->kind) &&
	       str_case_contains(str_of(j->group_name), f->job.q);
}

static bool
view_host_jobs_on_outcome(void *ctx, uint32_t day, const struct ulid *group,
    const struct Rec__DayOutcome *o)
{
	struct midnight *m = ctx;
	const struct Rec__Job *j;
	struct ulid id;

	(void)day;
	(void)group;
	if (!view_ulid(o->job_id, &id) || ulid_time_ms(&id) >= m->begin_ms)
		return true;
	j = job_store_find(m->rows->v->state, &id);
	if (j != NULL && fits(m->filter, j)) {
		(void)view_host_jobs_on_row(m->rows, j);
		m->n++;
	}
	return true;
}

/* Behind the day's own rows, where they leave room on their one page. */
static void
put_from_midnight(struct rows *r, const struct filter *f,
    struct job_found *found)
{
	struct midnight m = { r, f, 0, 0 };
	uint32_t day = (uint32_t)f->on_day;

	if (f->on_day < 0 || found->total >= JOB_PAGE_SIZE)
		return;
	m.begin_ms = text_day_start(&r->v->clock, f->on_day);
	plan_store_days(r->v->state, &f->host, day, day,
	    view_host_jobs_on_outcome, &m);
	found->total += m.n;
}

static void
put_rows(struct view *v, struct value *root, const struct filter *f,
    const char *base)
{
	struct rows r = { v, value_list(root, "jobs") };
	struct job_found found;
	struct job_query q;

	fill_query(v, f, &q);
	job_page_read(v, &q, &found, view_host_jobs_on_row, &r);
	put_from_midnight(&r, f, &found);
	job_page_put(v, root, &q, &found, filter_query(v, f, base, "page="));
	value_bool(root, "first_page", q.skip == 0);
	value_text(root, "looked_back_to",
	    !found.more ? ""
	                : text_when(v->arena, &v->clock, found.back_to_ms));
}

/* The head's regions are drawn often and show no list. */
static bool
wants_list(const struct view *v)
{
	const char *fragment = v->req->fragment;

	return fragment[0] == '\0' || strcmp(fragment, PAGES_ALL) == 0 ||
	       strcmp(fragment, "host.jobs") == 0;
}

enum rc
view_host_jobs(struct view *v, struct value *root)
{
	struct host_view hv = { 0 };
	struct filter f;
	const char *link, *base;
	enum rc rc;

	rc = host_page_put(v, root, "jobs", &hv);
	if (rc != RC_OK)
		return rc;
	read_filter(v, &hv.id, &f);
	link =
	    arena_printf(v->arena, "/hosts/%s/jobs", view_id(v, hv.host->id));
	base = arena_printf(v->arena, "%s?", link);
	value_text(root, "jobs_link", link);
	/* The number of the page is no part of it: only the first is live. */
	value_text(root, "event_query", filter_query(v, &f, "&", ""));
	if (!wants_list(v))
		return RC_OK;
	put_rows(v, root, &f, base);
	if (v->req->fragment[0] == '\0')
		put_filter(v, root, &f, base);
	return RC_OK;
}
