/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All jobs: what runs, what waits, what was.  job_query.h says what a page
 * of a long history costs. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/host_store.h"
#include "render/host_view.h"
#include "render/job_page.h"
#include "render/job_view.h"
#include "render/jobs_due.h"
#include "render/link.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	SHOWN = 20, /* of those that run, and of those that wait */
	LINK_MAX = 4096
};
static const int64_t day_ms = 86400000;

/* The filters as they were given, those that make sense. */
struct filter {
	struct job_filter job;
	struct str since, until;
	struct ulid host;
	bool one_host;
	int64_t since_day, until_day; /* -1: none */
};

struct rows {
	struct view *v;
	struct value *list;
};

static const struct Rec__Host *
host_of(struct view *v, const struct Rec__Job *j)
{
	struct ulid id;

	return view_ulid(j->host_id, &id) ? host_store_find(v->state, &id)
	                                  : NULL;
}

static void
put_job(struct view *v, struct value *item, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	job_view_put(v, item, j);
	value_text(item, "host_name", h == NULL ? "a removed host" : h->name);
}

/* ------------------------------------------------------------ now and next */

static const char *
progress_words(struct view *v, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	if (h != NULL && !h->online)
		return arena_printf(v->arena, "agent unreachable since %s",
		    text_when(v->arena, &v->clock, h->last_seen_at_ms));
	if (j->cancel_requested)
		return "stopping";
	return arena_printf(v->arena, "for %s", job_view_took(v, j));
}

static bool
view_jobs_on_running(void *ctx, const struct Rec__Job *j)
{
	struct rows *r = ctx;
	struct value *item = value_item(r->list);
	const struct Rec__Host *h = host_of(r->v, j);

	put_job(r->v, item, j, h);
	host_view_progress(r->v, item, "progress",
	    h == NULL || h->online ? j : NULL);
	value_text(item, "words", progress_words(r->v, j, h));
	value_bool(item, "can_stop",
	    r->v->can_operate && !j->cancel_requested && h != NULL &&
	        h->online);
	return true;
}

static const char *
waiting_words(struct view *v, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	const char *words = job_view_waiting(v, j, h);

	if (j->expires_at_ms == 0 || j->cancel_requested)
		return words;
	return arena_printf(v->arena, "%s, given up %s", words,
	    text_when(v->arena, &v->clock, j->expires_at_ms));
}

static bool
view_jobs_on_queued(void *ctx, const struct Rec__Job *j)
{
	struct rows *r = ctx;
	const struct Rec__Host *h = host_of(r->v, j);
	struct value *item;

	item = value_item(r->list);
	put_job(r->v, item, j, h);
	value_text(item, "words", waiting_words(r->v, j, h));
	value_bool(item, "can_stop", r->v->can_operate && !j->cancel_requested);
	return true;
}

/* Those first in line. */
struct first {
	struct rows rows;
	job_store_fn *fn;
	size_t n;
};

static bool
view_jobs_on_first(void *ctx, const struct Rec__Job *j)
{
	struct first *f = ctx;

	return f->n++ < SHOWN && f->fn(&f->rows, j);
}

static uint64_t
count(struct view *v, unsigned looks, int64_t since_ms, bool *more)
{
	struct job_query q = { .looks = looks, .since_ms = since_ms };
	struct job_found found;

	job_query(v->state, &q, &found, NULL, NULL);
	*more |= found.more;
	return found.total;
}

/* "12", or "more than 10 000"; "" for none. */
static const char *
count_words(struct view *v, unsigned looks, int64_t since_ms)
{
	bool more = false;
	uint64_t n = count(v, looks, since_ms, &more);

	if (n == 0)
		return "";
	return arena_printf(v->arena, "%s%s", more ? "more than " : "",
	    text_count(v->arena, n));
}

static void
put_line(struct view *v, struct value *root, const char *key,
    Rec__JobState state, job_store_fn *fn)
{
	const bool running = state == REC__JOB_STATE__JOB_RUNNING;
	const unsigned look = 1U
	                      << (running ? JOB_LOOK_RUNNING : JOB_LOOK_QUEUED);
	struct first f = { { v, value_list(root, key) }, fn, 0 };

	job_store_in_state(v->state, state, view_jobs_on_first, &f);
	value_text(root, running ? "more_running" : "more_queued",
	    f.n <= SHOWN ? "" : count_words(v, look, 0));
}

static void
put_headline(struct view *v, struct value *root)
{
	const unsigned failed = 1U << JOB_LOOK_FAILED;
	const unsigned over = failed | 1U << JOB_LOOK_INCOMPLETE |
	                      1U << JOB_LOOK_SUCCEEDED |
	                      1U << JOB_LOOK_CANCELLED;
	const int64_t since = v->req->now_ms - day_ms;
	bool more = false;
	uint64_t n;

	n = count(v, 1U << JOB_LOOK_RUNNING, 0, &more);
	value_text(root, "running_words",
	    n == 0 ? "No job is running"
	           : arena_printf(v->arena, "%s%s %s running",
	                 more ? "More than " : "", text_count(v->arena, n),
	                 n == 1 ? "job" : "jobs"));
	value_text(root, "queued_words",
	    count_words(v, 1U << JOB_LOOK_QUEUED, 0));
	value_text(root, "over_words", count_words(v, over, since));
	value_text(root, "failed_words", count_words(v, failed, since));
}

/* ----------------------------------------------------------------- filters */

static void
read_filter(const struct view *v, struct filter *f)
{
	*f = (struct filter){ .one_host = false };
	job_view_filter(v, &f->job);
	f->since_day = text_day_parse(view_param(v, "since"));
	f->until_day = text_day_parse(view_param(v, "until"));
	if (f->since_day >= 0)
		f->since = view_param(v, "since");
	if (f->until_day >= 0)
		f->until = view_param(v, "until");
	f->one_host = view_param_id(v, "host", &f->host);
}

/* The same page with another state, from another day; ends with last. */
static const char *
filter_link(struct view *v, const struct filter *f, struct str state,
    struct str until, const char *last)
{
	char host[ULID_TEXT_CAP] = "";
	struct buf b;
	const char *z;

	if (f->one_host)
		ulid_text(&f->host, host);
	buf_init(&b, LINK_MAX);
	buf_puts(&b, "/jobs?");
	link_query(&b, "q", f->job.q);
	link_query(&b, "state", state);
	link_query(&b, "kind", f->job.kind);
	link_query(&b, "host", str_of(host));
	link_query(&b, "since", f->since);
	link_query(&b, "until", until);
	buf_puts(&b, last);
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

static void
put_chips(struct view *v, struct value *root, const struct filter *f)
{
	struct value *list = value_list(root, "chips");
	struct value *item = value_item(list);
	const char *name;
	size_t i;

	value_text(item, "word", "All");
	value_text(item, "glyph", "");
	value_text(item, "href", filter_link(v, f, str_of(""), f->until, ""));
	value_bool(item, "current", f->job.state.n == 0);
	for (i = 0; (name = job_view_chip(i)) != NULL; i++) {
		const struct status_look *look = job_view_look(name);

		item = value_item(list);
		value_text(item, "word", look->word);
		value_text(item, "class", look->class);
		value_text(item, "glyph", look->glyph);
		value_text(item, "href",
		    filter_link(v, f, str_of(name), f->until, ""));
		value_bool(item, "current", str_eqz(f->job.state, name));
	}
}

static void
put_filter(struct view *v, struct value *root, struct filter *f)
{
	const struct Rec__Host *h =
	    f->one_host ? host_store_find(v->state, &f->host) : NULL;
	struct filter all = *f;

	put_chips(v, root, f);
	job_view_kinds(root, f->job.kind);
	value_copy(root, "q", f->job.q);
	value_copy(root, "state_param", f->job.state);
	value_copy(root, "since", f->since);
	value_copy(root, "until", f->until);
	value_copy(root, "host_param",
	    f->one_host ? view_param(v, "host") : str_of(""));
	value_text(root, "only_host",
	    !f->one_host ? ""
	    : h == NULL  ? "a removed host"
	                 : h->name);
	all.one_host = false;
	value_text(root, "all_hosts",
	    filter_link(v, &all, f->job.state, f->until, ""));
	value_bool(root, "filtered",
	    f->job.q.n > 0 || f->job.state.n > 0 || f->job.kind.n > 0 ||
	        f->one_host || f->since.n > 0 || f->until.n > 0);
}

/* ----------------------------------------------------------------- history */

static bool
view_jobs_on_row(void *ctx, const struct Rec__Job *j)
{
	struct rows *r = ctx;

	put_job(r->v, value_item(r->list), j, host_of(r->v, j));
	return true;
}

static void
fill_query(struct view *v, const struct filter *f, struct job_query *q)
{
	enum job_look look = job_look_parse(f->job.state);

	*q = (struct job_query){ .kind = job_kind_parse(f->job.kind) };
	if (look != JOB_LOOK_NONE)
		q->looks = 1U << look;
	if (f->since_day >= 0)
		q->since_ms = text_day_start(&v->clock, f->since_day);
	if (f->until_day >= 0)
		q->until_ms = text_day_start(&v->clock, f->until_day + 1);
	if (f->job.q.n > 0)
		job_query_by_text(v->state, f->job.q, q);
	if (f->one_host)
		job_query_by_host(v->state, &f->host, q);
}

/* "Older than 3 Nov: not looked at", and the way there. */
static void
put_rest(struct view *v, struct value *root, const struct filter *f,
    const struct job_found *found)
{
	const char *day;

	value_bool(root, "rest", found->more);
	if (!found->more)
		return;
	day =
	    text_day_machine(v->arena, text_day(&v->clock, found->back_to_ms));
	value_text(root, "rest_day",
	    text_when(v->arena, &v->clock, found->back_to_ms));
	value_text(root, "rest_link",
	    filter_link(v, f, f->job.state, str_of(day), ""));
}

static void
put_history(struct view *v, struct value *root, struct filter *f)
{
	struct rows r = { v, value_list(root, "jobs") };
	struct job_found found;
	struct job_query q;

	fill_query(v, f, &q);
	job_page_read(v, &q, &found, view_jobs_on_row, &r);
	job_page_put(v, root, &q, &found,
	    filter_link(v, f, f->job.state, f->until, "page="));
	put_rest(v, root, f, &found);
}

enum rc
view_jobs(struct view *v, struct value *root)
{
	struct filter f;

	if (view_wants(v, "jobs.headline"))
		put_headline(v, root);
	if (view_wants(v, "jobs.running"))
		put_line(v, root, "now", REC__JOB_STATE__JOB_RUNNING,
		    view_jobs_on_running);
	if (view_wants(v, "jobs.next"))
		put_line(v, root, "next", REC__JOB_STATE__JOB_QUEUED,
		    view_jobs_on_queued);
	if (view_wants(v, "jobs.due"))
		jobs_due_put(v, root);
	if (v->req->fragment[0] == '\0') {
		read_filter(v, &f);
		put_filter(v, root, &f);
		put_history(v, root, &f);
	}
	value_bool(root, "nav_jobs", true);
	return RC_OK;
}
