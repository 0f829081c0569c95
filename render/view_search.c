/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a few letters may mean: hosts, jobs, snapshots. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/store/host_store.h"
#include "lib/store/search.h"
#include "lib/store/snap_store.h"
#include "render/host_view.h"
#include "render/job_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	PAGE_SNAPSHOTS = 50, /* of the host's page */
	PLACE_MAX = 100000,  /* snapshots passed to find a page */
	PATH_SHOWN = 200,
	TAGS_SHOWN = 6
};

static void
put_tags(struct value *item, const struct Rec__Host *h)
{
	struct buf tags;
	size_t i;

	buf_init(&tags, KIB(4));
	for (i = 0; i < h->n_tags && i < TAGS_SHOWN; i++)
		buf_printf(&tags, "%s%s", i == 0 ? "" : ", ", h->tags[i]);
	value_copy(item, "tag_line", buf_str(&tags));
	buf_fini(&tags);
}

static void
put_host(struct view *v, struct value *list, const struct Rec__Host *h)
{
	struct value *item = value_item(list);
	struct host_view hv;

	host_view_init(v, h, &hv);
	value_text(item, "link",
	    arena_printf(v->arena, "/hosts/%s", view_id(v, h->id)));
	value_text(item, "name", h->name);
	status_put(item, "state", status_look_of(h, hv.status));
	value_text(item, "os", h->os);
	put_tags(item, h);
	view_time(v, item, "last", h->last_backup_at_ms);
}

static const char *
host_name(struct view *v, const struct ulid *id)
{
	const struct Rec__Host *h = host_store_find(v->state, id);

	return h == NULL ? "a removed host" : h->name;
}

static void
put_job(struct view *v, struct value *list, const struct Rec__Job *j)
{
	struct value *item = value_item(list);
	struct ulid host;

	job_view_put(v, item, j);
	value_text(item, "host_name",
	    view_ulid(j->host_id, &host) ? host_name(v, &host) : "");
}

/* On the page of its host that lists it. */
static const char *
snapshot_link(struct view *v, const struct search_snapshot *s)
{
	uint64_t place =
	    snap_store_place(v->state, &s->host, s->snapshot, PLACE_MAX);
	char host[ULID_TEXT_CAP];

	ulid_text(&s->host, host);
	return arena_printf(v->arena, "/hosts/%s?page=%" PRIu64 "#snapshot-%s",
	    host, place / PAGE_SNAPSHOTS + 1, s->snapshot->short_id);
}

static void
put_snapshot(struct view *v, struct value *list,
    const struct search_snapshot *s)
{
	struct value *item = value_item(list);

	value_text(item, "link", snapshot_link(v, s));
	value_text(item, "short_id", s->snapshot->short_id);
	value_text(item, "host_name", host_name(v, &s->host));
	value_copy(item, "path",
	    s->path == NULL ? str_of("")
	                    : view_cut(str_of(s->path), PATH_SHOWN));
	view_time(v, item, "at", s->snapshot->time_ms);
}

static void
put_found(struct view *v, struct value *root, const struct search_found *f)
{
	struct value *list;
	size_t i;

	list = value_list(root, "hosts");
	for (i = 0; i < f->n_hosts; i++)
		put_host(v, list, f->hosts[i]);
	list = value_list(root, "found_jobs");
	for (i = 0; i < f->n_jobs; i++)
		put_job(v, list, f->jobs[i]);
	list = value_list(root, "snapshots");
	for (i = 0; i < f->n_snapshots; i++)
		put_snapshot(v, list, &f->snapshots[i]);
	value_bool(root, "some_hosts", f->n_hosts > 0);
	value_bool(root, "some_jobs", f->n_jobs > 0);
	value_bool(root, "some_snapshots", f->n_snapshots > 0);
	value_bool(root, "more_hosts", f->more_hosts);
	value_bool(root, "more_jobs", f->more_jobs);
	value_bool(root, "more_snapshots", f->more_snapshots);
}

/* "7 found", for those who do not see the list. */
static const char *
count_words(struct view *v, const struct search_found *f)
{
	size_t n = f->n_hosts + f->n_jobs + f->n_snapshots;
	bool more = f->more_hosts || f->more_jobs || f->more_snapshots;

	if (n == 0)
		return "Nothing found";
	return arena_printf(v->arena, "%s%zu found", more ? "More than " : "",
	    n);
}

enum rc
view_search(struct view *v, struct value *root)
{
	struct str text = str_trim(view_param(v, "q"));
	struct search_found f;

	text = view_cut(text, SEARCH_TEXT_MAX);
	search(v->state, text, &f);
	value_copy(root, "q", text);
	put_found(v, root, &f);
	value_bool(root, "any", f.n_hosts + f.n_jobs + f.n_snapshots > 0);
	value_text(root, "count", text.n == 0 ? "" : count_words(v, &f));
	value_printf(root, "limit", "%d", SEARCH_MAX);
	return RC_OK;
}
