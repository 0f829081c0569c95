/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One host: head with its 30 days, and the tabs Snapshots and Jobs. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/snap_store.h"
#include "render/host_page.h"
#include "render/host_view.h"
#include "render/job_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	PAGE_SNAPSHOTS = 50,
	PAGE_JOBS = 50,
	WORDS_SHOWN = 20, /* paths or tags of one snapshot */
	WORD_SHOWN = 512, /* bytes of each */
	CHIPS = 6,
	JOBS_LOOKED_AT = 5000, /* by a filter, or for a late page */
	SIZES_SINCE_MINOR = 17 /* restic 0.17 tells sizes of snapshots */
};

struct snap_list {
	struct view *v;
	struct value *list;
};

struct job_list {
	struct view *v;
	struct value *list;
	struct str state; /* filter, "" for all */
	int64_t day;      /* filter, -1 for all */
	uint64_t page;
	uint64_t seen; /* that fit the filter */
	uint64_t by_look[CHIPS];
};

/* The kinds of result that have a chip. */
static const char *const chips[] = { "queued", "running", "failed",
	"incomplete", "succeeded", "cancelled" };

_Static_assert(ARRAY_LEN(chips) == CHIPS, "one count per chip");

/* The first words of a list, and how many there are besides. */
static const char *
joined(struct view *v, char *const *words, size_t n, const char *sep)
{
	const char *z;
	struct buf b;
	size_t i;

	buf_init(&b, (size_t)WORDS_SHOWN * (WORD_SHOWN + KIB(1)));
	for (i = 0; i < n && i < WORDS_SHOWN; i++) {
		buf_puts(&b, i == 0 ? "" : sep);
		buf_put_str(&b, view_cut(str_of(words[i]), WORD_SHOWN));
	}
	if (i < n)
		buf_printf(&b, "%sand %zu more", sep, n - i);
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

static bool
view_host_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct snap_list *l = ctx;
	struct view *v = l->v;
	struct value *item = value_item(l->list);

	view_time(v, item, "at", s->time_ms);
	value_text(item, "short_id", s->short_id);
	value_text(item, "snapshot_id", s->id);
	value_text(item, "paths",
	    joined(v, s->paths, s->n_paths, " \xc2\xb7 "));
	value_text(item, "snap_tags", joined(v, s->tags, s->n_tags, ", "));
	value_text(item, "size",
	    s->size_bytes == 0 ? "" : text_bytes(v->arena, s->size_bytes));
	value_text(item, "files",
	    s->file_count == 0 ? "" : text_count(v->arena, s->file_count));
	return true;
}

/* M-232: older restic tells neither size nor count. */
static bool
tells_sizes(const char *version)
{
	struct str major, rest, minor, patch;
	uint64_t a, b;

	str_cut(str_of(version), '.', &major, &rest);
	str_cut(rest, '.', &minor, &patch);
	if (!str_u64(major, UINT32_MAX, &a) || !str_u64(minor, UINT32_MAX, &b))
		return false;
	return a > 0 || b >= SIZES_SINCE_MINOR;
}

enum rc
view_host(struct view *v, struct value *root)
{
	struct view_pager pager = { .page = view_param_number(v, "page", 1),
		.size = PAGE_SNAPSHOTS };
	struct snap_list l = { .v = v };
	struct host_view hv = { 0 };
	enum rc rc;

	rc = host_page_put(v, root, &hv);
	if (rc != RC_OK)
		return rc;
	ASSERT(hv.host != NULL);
	host_page_tab(root, "snapshots");
	pager.total = snap_store_count(v->state, &hv.id);
	pager.base =
	    arena_printf(v->arena, "/hosts/%s?page=", view_id(v, hv.host->id));
	view_pager(root, "pager", &pager);
	l.list = value_list(root, "snapshots");
	snap_store_of_host(v->state, &hv.id, (pager.page - 1) * pager.size,
	    pager.size, view_host_on_snapshot, &l);
	view_time(v, root, "refreshed", hv.host->snapshots_at_ms);
	value_text(root, "event_query", "");
	value_bool(root, "sizes", tells_sizes(hv.host->restic_version));
	return RC_OK;
}

static bool
view_host_on_job(void *ctx, const struct Rec__Job *j)
{
	struct job_list *l = ctx;
	const char *name = status_job_look(j)->name;
	size_t i;

	if (l->day >= 0 && text_day(&l->v->clock, j->created_at_ms) != l->day)
		return true;
	for (i = 0; i < ARRAY_LEN(chips); i++)
		l->by_look[i] += strcmp(name, chips[i]) == 0;
	if (l->state.n > 0 && !str_eqz(l->state, name))
		return true;
	if (l->seen / PAGE_JOBS + 1 == l->page)
		job_view_put(l->v, value_item(l->list), j);
	l->seen++;
	return true;
}

/* "2026-11-19" as a day; -1 for anything else. */
static int64_t
parse_day(struct str s)
{
	char z[32];
	int64_t ms;

	if (s.n != 10 || !str_fmt(z, sizeof(z), "%.*sT00:00:00Z", STR_ARG(s)) ||
	    !clock_parse(str_of(z), &ms))
		return -1;
	return ms / 86400000;
}

/* "day=2026-11-19&" for links, empty without that filter. */
static struct str
day_query(struct view *v, int64_t day)
{
	if (day < 0)
		return str_of("");
	return str_of(
	    arena_printf(v->arena, "day=%s&", text_day_machine(v->arena, day)));
}

static void
put_job_chips(struct job_list *l, struct value *root, const char *base)
{
	struct value *list = value_list(root, "chips");
	uint64_t n;
	size_t i;

	for (i = 0; i <= ARRAY_LEN(chips); i++) {
		const char *name = i == 0 ? "" : chips[i - 1];
		bool current = str_eqz(l->state, name);
		struct value *item;

		n = i == 0 ? 0 : l->by_look[i - 1];
		if (i > 0 && n == 0 && !current)
			continue;
		item = value_item(list);
		value_text(item, "word",
		    i == 0 ? "All" : job_view_look(name)->word);
		value_text(item, "class",
		    i == 0 ? "" : job_view_look(name)->class);
		value_text(item, "glyph",
		    i == 0 ? "" : job_view_look(name)->glyph);
		value_text(item, "n", i == 0 ? "" : text_count(l->v->arena, n));
		value_printf(item, "href", "%s%s%s", base,
		    i == 0 ? "" : "?state=", name);
		value_bool(item, "current", current);
	}
}

/* The page that is asked for, or the last one when there are fewer. */
static void
put_jobs(struct job_list *l, const struct ulid *host)
{
	job_store_of_host(l->v->state, host, NULL, JOBS_LOOKED_AT,
	    view_host_on_job, l);
	if (l->page == 1 || l->seen > (l->page - 1) * PAGE_JOBS)
		return;
	l->page = l->seen == 0 ? 1 : (l->seen - 1) / PAGE_JOBS + 1;
	l->seen = 0;
	memset(l->by_look, 0, sizeof(l->by_look));
	job_store_of_host(l->v->state, host, NULL, JOBS_LOOKED_AT,
	    view_host_on_job, l);
}

/* What is not the name of a chip filters nothing. */
static struct str
known_state(struct str state)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(chips); i++) {
		if (str_eqz(state, chips[i]))
			return state;
	}
	return str_of("");
}

enum rc
view_host_jobs(struct view *v, struct value *root)
{
	struct job_list l = { .v = v,
		.state = known_state(view_param(v, "state")),
		.day = parse_day(view_param(v, "day")),
		.page = view_param_number(v, "page", 1) };
	struct view_pager pager = { .page = l.page, .size = PAGE_JOBS };
	struct host_view hv = { 0 };
	const char *base;
	enum rc rc;

	rc = host_page_put(v, root, &hv);
	if (rc != RC_OK)
		return rc;
	l.list = value_list(root, "jobs");
	put_jobs(&l, &hv.id);
	pager.total = l.seen;
	base =
	    arena_printf(v->arena, "/hosts/%s/jobs", view_id(v, hv.host->id));
	pager.base = arena_printf(v->arena, "%s?%s%.*s%s%.*spage=", base,
	    l.state.n == 0 ? "" : "state=", STR_ARG(l.state),
	    l.state.n == 0 ? "" : "&", STR_ARG(day_query(v, l.day)));
	view_pager(root, "pager", &pager);
	put_job_chips(&l, root, base);
	value_bool(root, "first_page", pager.page == 1);
	value_text(root, "event_query",
	    arena_printf(v->arena, "%s%.*s%s%s",
	        l.state.n == 0 ? "" : "&state=", STR_ARG(l.state),
	        l.day < 0 ? "" : "&day=",
	        l.day < 0 ? "" : text_day_machine(v->arena, l.day)));
	value_text(root, "jobs_link", base);
	value_text(root, "day",
	    l.day < 0 ? "" : text_day_name(v->arena, l.day));
	host_page_tab(root, "jobs");
	return RC_OK;
}
