/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One host: the tab Sources. */
#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/snap_store.h"
#include "render/host_page.h"
#include "render/plan_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	PATHS_SHOWN = 4,
	PATH_SHOWN = 120,       /* bytes of each */
	SNAPSHOTS_SEEN = 10000, /* counted by tag */
};

/* How many snapshots carry each group's name as a tag. */
struct tally {
	const struct host_view *hv;
	uint64_t of[HOST_VIEW_GROUPS];
	uint64_t seen;
};

static bool
view_sources_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct tally *t = ctx;
	size_t i;

	t->seen++;
	for (i = 0; i < t->hv->n_groups; i++)
		t->of[i] +=
		    str_among(s->tags, s->n_tags, t->hv->groups[i]->name);
	return true;
}

/* "/etc  /home  and 3 more" */
static const char *
paths_of(struct view *v, const struct Rec__SourceGroup *g)
{
	const char *z;
	struct buf b;
	size_t i;

	buf_init(&b, KIB(4));
	for (i = 0; i < g->n_includes && i < PATHS_SHOWN; i++) {
		buf_puts(&b, i == 0 ? "" : " \xc2\xb7 ");
		buf_put_str(&b, view_cut(str_of(g->includes[i]), PATH_SHOWN));
	}
	if (i < g->n_includes)
		buf_printf(&b, " and %zu more", g->n_includes - i);
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

/* Why it cannot be deleted; "": it can. */
static const char *
kept_because(const struct plan_view *p, const struct Rec__SourceGroup *g)
{
	size_t users = plan_view_users(p, g);

	if (p->hv->n_groups == 1)
		return "A host keeps one source group at least";
	if (users == 0)
		return "";
	return users == 1 ? "A schedule uses it: take it out there first"
	                  : "Schedules use it: take it out there first";
}

static const char *
counted(struct view *v, uint64_t n, const char *one, const char *many)
{
	return arena_printf(v->arena, "%s %s", text_count(v->arena, n),
	    n == 1 ? one : many);
}

static void
put_use(const struct plan_view *p, struct value *item,
    const struct Rec__SourceGroup *g)
{
	struct view *v = p->v;
	size_t users = plan_view_users(p, g);

	value_text(item, "used_by",
	    users == 0 ? "" : counted(v, users, "schedule", "schedules"));
	value_text(item, "kept_because", kept_because(p, g));
	value_bool(item, "runs", v->can_operate && g->n_includes > 0);
	value_bool(item, "no_paths", g->n_includes == 0);
}

static void
put_group(const struct plan_view *p, struct value *item,
    const struct Rec__SourceGroup *g, uint64_t snapshots)
{
	struct view *v = p->v;

	value_text(item, "gid", view_id(v, g->id));
	value_text(item, "group_name", g->name);
	value_text(item, "paths", paths_of(v, g));
	value_text(item, "includes",
	    counted(v, g->n_includes, "path", "paths"));
	value_text(item, "excludes",
	    g->n_excludes == 0
	        ? ""
	        : arena_printf(v->arena, "%s left out",
	              counted(v, g->n_excludes, "pattern", "patterns")));
	value_text(item, "keeps", plan_view_retention(v, g->retention));
	value_text(item, "conflict", g->conflict_dimension);
	value_text(item, "snapshots", text_count(v->arena, snapshots));
	value_bool(item, "hooked", g->has_pre_hook || g->has_post_hook);
	plan_view_put_result(p, item, "result", plan_view_job(v, g->last_job),
	    0);
	put_use(p, item, g);
}

static void
put_groups(const struct plan_view *p, struct value *root)
{
	struct value *list = value_list(root, "sources");
	struct tally t = { .hv = p->hv };
	size_t i;

	snap_store_of_host(p->v->state, &p->hv->id, 0, SNAPSHOTS_SEEN,
	    view_sources_on_snapshot, &t);
	for (i = 0; i < p->hv->n_groups; i++)
		put_group(p, value_item(list), p->hv->groups[i], t.of[i]);
	value_text(root, "tally_of",
	    t.seen < SNAPSHOTS_SEEN ? "" : text_count(p->v->arena, t.seen));
}

enum rc
view_host_sources(struct view *v, struct value *root)
{
	struct host_view hv = { 0 };
	struct plan_view p;
	enum rc rc;

	rc = host_page_put(v, root, "sources", &hv);
	if (rc != RC_OK)
		return rc;
	value_text(root, "event_query", "");
	if (!view_wants(v, "host.sources"))
		return RC_OK;
	plan_view_load(v, &hv, &p);
	put_groups(&p, root);
	return RC_OK;
}
