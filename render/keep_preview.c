/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/keep_preview.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/keep.h"
#include "lib/store/snap_store.h"
#include "render/host_view.h"
#include "render/value.h"
#include "render/view.h"

enum {
	SNAPSHOTS_MAX = 10000
};

struct one {
	const char *hostname;
	struct keep_item item;
};

struct snapshots {
	const char *tag;
	struct one *of;
	size_t n, seen;
};

static bool
keep_preview_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct snapshots *all = ctx;
	size_t i;

	all->seen++;
	for (i = 0; i < s->n_tags; i++)
		if (strcmp(s->tags[i], all->tag) == 0)
			break;
	if (i < s->n_tags)
		all->of[all->n++] = (struct one){ s->hostname,
			{ .time_ms = s->time_ms,
			    .utc_offset_s = s->utc_offset_s,
			    .id = s->id } };
	return true;
}

static int
by_hostname(const void *a, const void *b)
{
	const struct one *x = a, *y = b;

	return strcmp(x->hostname, y->hostname);
}

static size_t
count_kept(struct view *v, struct snapshots *all, const struct keep_policy *p)
{
	struct keep_item *items =
	    arena_array(v->arena, all->n + 1, sizeof(*items));
	size_t from, to, kept = 0;

	if (items == NULL)
		return 0;
	qsort(all->of, all->n, sizeof(*all->of), by_hostname);
	for (from = 0; from < all->n; from = to) {
		for (to = from; to < all->n &&
		                by_hostname(&all->of[from], &all->of[to]) == 0;
		     to++)
			items[to - from] = all->of[to].item;
		kept += keep_apply(p, items, to - from);
	}
	return kept;
}

void
keep_preview_put(struct view *v, struct value *root, const struct host_view *hv,
    const struct Rec__SourceGroup *g, const struct keep_policy *p)
{
	struct value *m = value_map(root, "keep");
	struct snapshots all = { .tag = g == NULL ? "" : g->name };
	size_t kept;

	all.of = arena_array(v->arena, SNAPSHOTS_MAX, sizeof(*all.of));
	if (all.of == NULL)
		return;
	if (g != NULL)
		snap_store_of_host(v->state, &hv->id, 0, SNAPSHOTS_MAX,
		    keep_preview_on_snapshot, &all);
	kept = keep_is_empty(p) ? all.n : count_kept(v, &all, p);
	value_bool(m, "none", all.n == 0);
	value_bool(m, "empty", keep_is_empty(p));
	value_text(m, "total", text_count(v->arena, all.n));
	value_text(m, "kept", text_count(v->arena, kept));
	value_text(m, "removed",
	    kept == all.n ? "" : text_count(v->arena, all.n - kept));
	value_printf(m, "total_n", "%zu", all.n);
	value_printf(m, "kept_n", "%zu", kept);
	value_text(m, "most",
	    all.seen < SNAPSHOTS_MAX ? "" : text_count(v->arena, all.seen));
}
