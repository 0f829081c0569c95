/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One host: the tab Snapshots.  A page walks over the rows before it, of at
 * most 100 000 (snap_store.h), and reads its own. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/store/host_store.h"
#include "lib/store/snap_store.h"
#include "render/host_page.h"
#include "render/host_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	PAGE_SNAPSHOTS = 50,
	WORDS_SHOWN = 20,      /* paths or tags of one snapshot */
	WORD_SHOWN = 512,      /* bytes of each */
	SIZES_SINCE_MINOR = 17 /* restic 0.17 tells sizes of snapshots */
};

struct snap_list {
	struct view *v;
	struct value *list;
};

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

	rc = host_page_put(v, root, "snapshots", &hv);
	if (rc != RC_OK)
		return rc;
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
