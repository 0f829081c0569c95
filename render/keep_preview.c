/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/keep_preview.h"

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

struct snapshots {
	const char *tag, *hostname;
	int64_t to_come_ms;
	struct keep_item *of;
	size_t n, seen;
};

static bool
keep_preview_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct snapshots *all = ctx;
	size_t i;

	all->seen++;
	if (strcmp(s->hostname, all->hostname) != 0 ||
	    s->time_ms > all->to_come_ms)
		return true;
	for (i = 0; i < s->n_tags; i++)
		if (strcmp(s->tags[i], all->tag) == 0)
			break;
	if (i < s->n_tags)
		all->of[all->n++] = (struct keep_item){ .time_ms = s->time_ms,
			.utc_offset_s = s->utc_offset_s,
			.id = s->id };
	return true;
}

void
keep_preview_put(struct view *v, struct value *root, const struct host_view *hv,
    const struct Rec__SourceGroup *g, const struct keep_policy *p)
{
	struct value *m = value_map(root, "keep");
	struct snapshots all = { .tag = g == NULL ? "" : g->name,
		.hostname = hv->host->reported_name,
		.to_come_ms = v->req->now_ms + KEEP_AHEAD_MS };
	size_t kept;

	all.of = arena_array(v->arena, SNAPSHOTS_MAX, sizeof(*all.of));
	if (all.of == NULL)
		return;
	if (g != NULL)
		snap_store_of_host(v->state, &hv->id, 0, SNAPSHOTS_MAX,
		    keep_preview_on_snapshot, &all);
	kept = keep_is_empty(p) ? all.n : keep_apply(p, all.of, all.n);
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
