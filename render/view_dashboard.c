/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fleet: headline, figures, filters, one row per host. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "render/dashboard.h"
#include "render/host_view.h"
#include "render/pages.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	PAGE_HOSTS = 100,
	WAITING_MAX = 500, /* queued jobs that are looked at */
	STRIPS_MAX = 8,    /* different ones that are kept to be used again */
	JOBS_MAX = 100000, /* counted for one figure */
	DAY_MS = 86400000
};

/* Whose jobs are queued. */
struct waiting {
	struct ulid *hosts;
	size_t n;
};

/* Heat strips drawn on this page. */
struct strips {
	char codes[STRIPS_MAX][CHART_DAYS];
	const struct value *drawn[STRIPS_MAX];
	size_t n;
};

/* What the rows of a page share. */
struct drawn {
	struct strips strips;
	struct waiting waiting;
};

/* --------------------------------------------------------------- the fleet */

static void
count(struct dashboard *d, const struct fleet_host *f)
{
	const struct Rec__Host *h = f->host;
	size_t unsafe = d->total - d->safe;

	if (status_protected(h, d->v->req->now_ms))
		d->safe++;
	else if (unsafe < ARRAY_LEN(d->unsafe))
		d->unsafe[unsafe] = h->name;
	d->total++;
	d->by_status[f->state]++;
	d->offline += !h->online;
	d->attention += status_needs_attention(f->state);
	d->behind += status_behind(h);
	dashboard_count_tags(d, h);
}

static enum rc
look(struct dashboard *d)
{
	struct fleet_stored stored;
	enum rc rc;
	size_t i;

	rc = fleet_store_load(d->v->state, d->v->arena, d->v->req->now_ms,
	    &d->list);
	for (i = 0; rc == RC_OK && i < d->list.n; i++)
		count(d, &d->list.rows[i]);
	if (rc != RC_OK)
		return rc;
	fleet_store_stored(&d->list, &stored);
	d->stored = stored.bytes;
	d->snapshots = stored.snapshots;
	return RC_OK;
}

/* "mail-01 and build-03", "a, b, c and 4 more" */
static void
put_names(struct buf *out, const struct dashboard *d)
{
	size_t left = d->total - d->safe, i;

	for (i = 0; i < left && i < ARRAY_LEN(d->unsafe); i++) {
		if (i > 0)
			buf_puts(out, i + 1 == left ? " and " : ", ");
		buf_puts(out, d->unsafe[i]);
	}
	if (left > i)
		buf_printf(out, " and %s more",
		    text_count(d->v->arena, left - i));
}

static void
put_headline(const struct dashboard *d, struct value *root)
{
	const char *s = d->total == 1 ? "" : "s";
	struct arena *a = d->v->arena;
	const char *all = text_count(a, d->total);
	struct buf b;

	buf_init(&b, KIB(4));
	if (d->attention > 0)
		value_printf(root, "headline",
		    "%s of %s host%s need%s attention",
		    text_count(a, d->attention), all, s,
		    d->attention == 1 ? "s" : "");
	else if (d->safe == d->total)
		value_printf(root, "headline", "%s host%s protected",
		    d->total == 1 ? "Your" : "All",
		    d->total == 1 ? " is" : "s are");
	else
		value_printf(root, "headline", "No host needs attention");
	if (d->safe == d->total) {
		buf_printf(&b, "%s a backup within %s allowed age.",
		    d->total == 1 ? "It has" : "Every one has",
		    d->total == 1 ? "the" : "its");
	} else {
		buf_printf(&b,
		    "%s of %s host%s %s a backup within the "
		    "allowed age. ",
		    text_count(a, d->safe), all, s,
		    d->safe == 1 ? "has" : "have");
		put_names(&b, d);
		buf_puts(&b,
		    d->total - d->safe == 1 ? " does not." : " do not.");
	}
	value_copy(root, "subline", buf_str(&b));
	buf_fini(&b);
}

static void
put_stats(const struct dashboard *d, struct value *root)
{
	int64_t since = d->v->req->now_ms - DAY_MS;
	struct arena *a = d->v->arena;
	struct value *m = value_map(root, "stats");
	uint64_t ok = job_store_count_since(d->v->state,
	    REC__JOB_STATE__JOB_SUCCEEDED, since, JOBS_MAX);
	uint64_t bad = job_store_count_since(d->v->state,
	    REC__JOB_STATE__JOB_FAILED, since, JOBS_MAX);

	value_text(m, "safe", text_count(a, d->safe));
	value_text(m, "all", text_count(a, d->total));
	value_text(m, "stored", d->stored == 0 ? "" : text_bytes(a, d->stored));
	value_text(m, "snapshots", text_count(a, d->snapshots));
	value_text(m, "ran", text_count(a, ok + bad));
	value_text(m, "failed", text_count(a, bad));
	value_text(m, "running", text_count(a, d->by_status[STATUS_RUNNING]));
	value_text(m, "behind", d->behind == 0 ? "" : text_count(a, d->behind));
	value_bool(m, "behind_one", d->behind == 1);
}

/* -------------------------------------------------------------------- rows */

/* What colours the left edge of its row; "": nothing needs to. */
static const char *
edge_of(const struct host_view *hv)
{
	const struct status_look *look = status_host_look(hv->status);

	if (look->pill)
		return look->class;
	return hv->host->online || status_asleep(hv->host) ? "" : "warn";
}

/* Most hosts had the same month: it is drawn once. */
static void
put_heat(struct strips *seen, struct value *item, const char codes[CHART_DAYS],
    int64_t first)
{
	struct value *m;
	size_t i;

	for (i = 0; i < seen->n; i++) {
		if (memcmp(seen->codes[i], codes, CHART_DAYS) != 0)
			continue;
		value_share(item, "heat", seen->drawn[i]);
		return;
	}
	m = value_map(item, "heat");
	chart_heat(m, codes, first);
	if (seen->n == STRIPS_MAX)
		return;
	memcpy(seen->codes[seen->n], codes, CHART_DAYS);
	seen->drawn[seen->n++] = m;
}

static bool
view_dashboard_on_queued(void *ctx, const struct Rec__Job *j)
{
	struct waiting *w = ctx;

	if (!view_ulid(j->host_id, &w->hosts[w->n]))
		return true;
	return ++w->n < WAITING_MAX;
}

static void
find_waiting(struct view *v, struct waiting *w)
{
	w->hosts = arena_array(v->arena, WAITING_MAX, sizeof(*w->hosts));
	if (w->hosts != NULL)
		job_store_in_state(v->state, REC__JOB_STATE__JOB_QUEUED,
		    view_dashboard_on_queued, w);
}

/* "1 job waits"; "": none. */
static const char *
waiting_words(struct view *v, const struct drawn *d, const struct ulid *host)
{
	size_t i, n = 0;

	for (i = 0; i < d->waiting.n; i++)
		n += ulid_eq(&d->waiting.hosts[i], host);
	if (n == 0)
		return "";
	return n == 1 ? "1 job waits"
	              : arena_printf(v->arena, "%zu jobs wait", n);
}

static void
put_row(struct view *v, struct drawn *d, struct value *list,
    const struct Rec__Host *h)
{
	char codes[CHART_DAYS];
	struct value *item = value_item(list);
	struct host_month m;
	struct host_view hv;

	host_view_init(v, h, &hv);
	host_view_load(v, &hv);
	host_view_put(v, item, &hv);
	value_text(item, "edge", edge_of(&hv));
	value_text(item, "snapshot_words",
	    arena_printf(v->arena, "%s snapshot%s",
	        text_count(v->arena, h->snapshot_count),
	        h->snapshot_count == 1 ? "" : "s"));
	host_month_get(v, &hv, &m);
	host_view_put_next(v, item, &hv, &m);
	host_view_codes(&hv, &m, codes);
	put_heat(&d->strips, item, codes, m.first_day);
	value_text(item, "waiting", waiting_words(v, d, &hv.id));
}

/* The page of rows. */
static void
put_rows(struct dashboard *d, struct value *root)
{
	struct view_pager pager = { .page = d->page,
		.size = PAGE_HOSTS,
		.total = d->list.n };
	struct value *list = value_list(root, "hosts");
	struct drawn drawn = { .strips = { .n = 0 } };
	size_t i;

	find_waiting(d->v, &drawn.waiting);
	pager.base = dashboard_link(d, "/?", "page=");
	view_pager(root, "pager", &pager);
	d->page = pager.page;
	for (i = (pager.page - 1) * PAGE_HOSTS;
	     i < pager.page * PAGE_HOSTS && i < d->list.n; i++)
		put_row(d->v, &drawn, list, d->list.rows[i].host);
}

/* The one row that the param host asks for; a host that is gone has none. */
static void
put_one(struct view *v, struct value *root)
{
	struct value *list = value_list(root, "hosts");
	const struct Rec__Host *h = NULL;
	struct drawn drawn = { .strips = { .n = 0 } };
	struct ulid id;

	if (view_param_id(v, "host", &id))
		h = host_store_find(v->state, &id);
	find_waiting(v, &drawn.waiting);
	if (h != NULL)
		put_row(v, &drawn, list, h);
}

/* The dates above the strips, and the first day for the script. */
static void
put_axis(struct view *v, struct value *root)
{
	int64_t first = text_day(&v->clock, v->req->now_ms) - (CHART_DAYS - 1);

	chart_axis(value_list(root, "axis"), first);
	value_printf(root, "axis_width", "%d", chart_width(first));
	value_text(root, "heat_from", text_day_machine(v->arena, first));
}

/* ------------------------------------------------------------ what moved on */

/* Place of each row that is still shown; the longest run of them that keeps
 * its order has not moved. */
static size_t
in_order(const size_t *place, size_t n)
{
	size_t best[PAGE_HOSTS], longest = 0, i, k;

	for (i = 0; i < n; i++) {
		best[i] = 1;
		for (k = 0; k < i; k++) {
			if (place[k] < place[i] && best[k] >= best[i])
				best[i] = best[k] + 1;
		}
		if (best[i] > longest)
			longest = best[i];
	}
	return longest;
}

/* How many hosts came, went or moved since the page with these rows. */
static size_t
changed(const struct dashboard *d, struct str rows)
{
	size_t first = (size_t)(d->page - 1) * PAGE_HOSTS, place[PAGE_HOSTS];
	size_t now, shown = 0, kept = 0, i;
	struct ulid id;
	struct str one;

	now = d->list.n <= first ? 0 : d->list.n - first;
	now = now > PAGE_HOSTS ? PAGE_HOSTS : now;
	while (shown < PAGE_HOSTS && str_next(&rows, ',', &one)) {
		if (!ulid_parse(one, &id))
			continue;
		shown++;
		for (i = 0; i < now; i++) {
			if (ulid_eq(&d->list.rows[first + i].id, &id))
				place[kept++] = i;
		}
	}
	return (now > shown ? now : shown) - in_order(place, kept);
}

static void
put_changes(struct dashboard *d, struct value *root)
{
	size_t n = 0;

	if (view_param(d->v, "rows").n > 0)
		n = changed(d, view_param(d->v, "rows"));
	value_text(root, "changed", n == 0 ? "" : text_count(d->v->arena, n));
	value_bool(root, "changed_one", n == 1);
	value_text(root, "here",
	    dashboard_link(d, "/?",
	        arena_printf(d->v->arena, "page=%llu",
	            (unsigned long long)d->page)));
}

/* ----------------------------------------------------------------- results */

/* Hosts by id in a param, as names: "a, b and 3 more". */
static const char *
names_of(struct view *v, const char *param)
{
	struct str rest = view_param(v, param), one;
	const struct Rec__Host *h;
	size_t n = 0, more = 0;
	struct ulid id;
	const char *z;
	struct buf b;

	buf_init(&b, KIB(8));
	while (str_next(&rest, '.', &one)) {
		h = ulid_parse(one, &id) ? host_store_find(v->state, &id)
		                         : NULL;
		if (h == NULL)
			continue;
		if (++n > 10)
			more++;
		else
			buf_printf(&b, "%s%s", n == 1 ? "" : ", ", h->name);
	}
	if (more > 0)
		buf_printf(&b, " and %zu more", more);
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

/* What "Back up now" over ticked rows came to: numbers and ids from the
 * address, never a sentence. */
static void
put_result(struct view *v, struct value *root)
{
	uint64_t started = view_param_number(v, "started", 0);
	uint64_t waiting = view_param_number(v, "waiting", 0);
	const char *offline = names_of(v, "offline");
	const char *refused = names_of(v, "refused");
	bool none = view_param(v, "ticked").n > 0;
	bool edited = view_param(v, "edited").n > 0;
	struct value *m;

	if (started + waiting == 0 && *offline == '\0' && *refused == '\0' &&
	    !none && !edited) {
		value_bool(root, "result", false);
		return;
	}
	m = value_map(root, "result");
	value_text(m, "started",
	    started == 0 ? "" : text_count(v->arena, started));
	value_bool(m, "started_one", started == 1);
	value_text(m, "waiting",
	    waiting == 0 ? "" : text_count(v->arena, waiting));
	value_bool(m, "waiting_one", waiting == 1);
	value_text(m, "offline", offline);
	value_text(m, "refused", refused);
	value_bool(m, "none", none);
	value_text(m, "edited",
	    !edited ? ""
	            : text_count(v->arena, view_param_number(v, "edited", 0)));
	value_bool(m, "edited_one", view_param_is(v, "edited", "1"));
	value_bool(m, "good", *offline == '\0' && *refused == '\0' && !none);
}

static void
put_list(struct dashboard *d, struct value *root)
{
	fleet_store_filter(&d->list, &d->query);
	fleet_store_sort(&d->list, d->order);
	if (view_wants(d->v, "")) {
		dashboard_put_filters(d, root);
		put_axis(d->v, root);
		put_rows(d, root);
		put_result(d->v, root);
		value_text(root, "event_query",
		    dashboard_link(d, "&",
		        arena_printf(d->v->arena, "number=%llu",
		            (unsigned long long)d->page)));
	}
	put_changes(d, root);
}

/* A region alone: an open page asks for three of them every two seconds while
 * hosts are busy. */
enum rc
view_dashboard(struct view *v, struct value *root)
{
	struct dashboard d = { .v = v };
	enum rc rc;

	if (strcmp(v->req->fragment, "host.row") == 0) {
		put_one(v, root);
		return RC_OK;
	}
	value_bool(root, "any", host_store_count(v->state) > 0);
	value_bool(root, "nav_hosts", true);
	view_waiting(v, root);
	if (strcmp(v->req->fragment, "pending.list") == 0)
		return RC_OK;
	if ((rc = look(&d)) != RC_OK)
		return rc;
	dashboard_read(&d);
	if (d.total == 0)
		view_tokenless(v, root);
	if (view_wants(v, "fleet.headline"))
		put_headline(&d, root);
	if (view_wants(v, "fleet.stats"))
		put_stats(&d, root);
	if (view_wants(v, "hosts"))
		put_list(&d, root);
	return RC_OK;
}
