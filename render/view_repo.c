/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One host: the tab Repository. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/store/host_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/snap_store.h"
#include "render/host_page.h"
#include "render/host_view.h"
#include "render/repo_forms.h"
#include "render/repo_health.h"
#include "render/trend.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	TAGS_SHOWN = 20,
	TAG_CAP = 80,
	SHARERS_SHOWN = 10,
	REPO_ID_SHOWN = 12, /* of its hex digits */
	SNAPSHOTS_LOOKED_AT = 5000
};

/* -------------------------------------------------------------- snapshots */

/* M-233: how many snapshots carry which tag. */
struct tally {
	struct {
		char tag[TAG_CAP];
		uint64_t n;
	} of[TAGS_SHOWN];
	size_t used;
	uint64_t untagged, seen;
};

static void
count_tag(struct tally *t, struct str tag)
{
	size_t i;

	tag = view_cut(tag, TAG_CAP - 1);
	for (i = 0; i < t->used; i++)
		if (str_eqz(tag, t->of[i].tag))
			break;
	if (i == TAGS_SHOWN)
		return;
	if (i == t->used && !str_copy(t->of[i].tag, TAG_CAP, tag))
		return;
	t->used += i == t->used;
	t->of[i].n++;
}

static bool
view_repo_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct tally *t = ctx;
	size_t i;

	t->seen++;
	t->untagged += s->n_tags == 0;
	for (i = 0; i < s->n_tags; i++)
		count_tag(t, str_of(s->tags[i]));
	return true;
}

static void
put_tally(struct view *v, struct value *root, const struct host_view *hv)
{
	struct tally *t = arena_alloc(v->arena, sizeof(*t));
	struct value *list = value_list(root, "by_tag"), *item;
	size_t i;

	if (t == NULL)
		return;
	memset(t, 0, sizeof(*t));
	snap_store_of_host(v->state, &hv->id, 0, SNAPSHOTS_LOOKED_AT,
	    view_repo_on_snapshot, t);
	for (i = 0; i < t->used; i++) {
		item = value_item(list);
		value_copy(item, "tag", str_of(t->of[i].tag));
		value_text(item, "n", text_count(v->arena, t->of[i].n));
	}
	value_text(root, "untagged",
	    t->untagged == 0 ? "" : text_count(v->arena, t->untagged));
	value_bool(root, "any_snapshot", t->seen > 0);
	value_text(root, "looked_at",
	    t->seen < SNAPSHOTS_LOOKED_AT ? "" : text_count(v->arena, t->seen));
}

/* ------------------------------------------------------------------ trend */

struct days {
	struct trend_day *v;
	size_t n, cap;
};

static bool
view_repo_on_day(void *ctx, uint32_t day, const struct Rec__RepoDay *d)
{
	struct days *all = ctx;

	if (all->n == all->cap)
		return false;
	all->v[all->n++] = (struct trend_day){ .day = day,
		.has_size = d->has_size,
		.has_count = d->has_count,
		.pruned = d->pruned,
		.size = d->size_bytes,
		.count = d->snapshot_count };
	return true;
}

static uint64_t
put_ranges(struct view *v, struct value *root, const char *link)
{
	static const struct {
		uint64_t days;
		const char *word;
	} ranges[] = { { 30, "30 d" }, { 90, "90 d" }, { 365, "1 y" } };
	uint64_t asked = view_param_number(v, "range", 0), days = 90;
	struct value *list = value_list(root, "ranges"), *item;
	size_t i;

	for (i = 0; i < ARRAY_LEN(ranges); i++)
		if (ranges[i].days == asked)
			days = asked;
	for (i = 0; i < ARRAY_LEN(ranges); i++) {
		item = value_item(list);
		value_text(item, "word", ranges[i].word);
		value_bool(item, "current", ranges[i].days == days);
		value_printf(item, "href", "%s/repo?range=%" PRIu64, link,
		    ranges[i].days);
	}
	return days;
}

/* The axis begins with the first day something is known of. */
static void
put_trend(struct view *v, struct value *root, const struct host_view *hv)
{
	const char *link =
	    arena_printf(v->arena, "/hosts/%s", view_id(v, hv->host->id));
	int64_t range = (int64_t)put_ranges(v, root, link);
	struct trend t = { .last = text_day(&v->clock, v->req->now_ms) };
	struct days all = { .cap = TREND_DAYS_MAX };

	t.first = t.last - range + 1;
	all.v = arena_array(v->arena, all.cap, sizeof(*all.v));
	if (all.v != NULL)
		repo_store_days(v->state, &hv->id, (uint32_t)t.first,
		    (uint32_t)t.last, view_repo_on_day, &all);
	if (all.n > 0)
		t.first = all.v[0].day;
	t.days = all.v;
	t.n = all.n;
	trend_put(value_map(root, "trend"), &t);
}

/* --------------------------------------------------------------- location */

struct sharers {
	struct view *v;
	const struct ulid *self;
	struct value *list;
	size_t n;
};

static bool
view_repo_on_sharer(void *ctx, const struct ulid *host)
{
	struct sharers *s = ctx;
	const struct Rec__Host *h;
	struct value *item;

	if (ulid_eq(host, s->self))
		return true;
	h = host_store_find(s->v->state, host);
	if (h == NULL)
		return true;
	if (++s->n > SHARERS_SHOWN)
		return false;
	item = value_item(s->list);
	value_text(item, "host_name", h->name);
	value_text(item, "href",
	    arena_printf(s->v->arena, "/hosts/%s/repo", view_id(s->v, h->id)));
	return true;
}

static void
put_location(struct view *v, struct value *root, const struct host_view *hv)
{
	const struct Rec__Host *h = hv->host;
	struct sharers s = { v, &hv->id, value_list(root, "sharers"), 0 };
	char hex[2 * REPO_ID_SIZE + 1] = "";

	if (h->repo_id.len == REPO_ID_SIZE) {
		str_hex(h->repo_id.data, REPO_ID_SIZE, hex, sizeof(hex));
		repo_store_hosts(v->state, h->repo_id.data, view_repo_on_sharer,
		    &s);
	}
	hex[REPO_ID_SHOWN] = '\0';
	value_text(root, "repository_id", arena_dup(v->arena, hex));
	/* Until another place was opened, what is known is of the one before. */
	value_bool(root, "of_before",
	    hex[0] != '\0' && h->repo_status != REC__REPO_STATUS__REPO_READY);
	value_bool(root, "shared", s.n > 0);
	value_bool(root, "more_sharers", s.n > SHARERS_SHOWN);
	value_text(root, "repo_user", h->repo_username);
	value_bool(root, "has_admin", h->has_admin);
}

enum rc
view_host_repo(struct view *v, struct value *root)
{
	struct host_view hv = { 0 };
	enum rc rc;

	rc = host_page_put(v, root, "repo", &hv);
	if (rc != RC_OK)
		return rc;
	repo_health_put(v, root, &hv);
	put_tally(v, root, &hv);
	put_trend(v, root, &hv);
	put_location(v, root, &hv);
	repo_forms_put(v, root, &hv);
	value_text(root, "repo_place", hv.host->repo_url);
	value_text(root, "event_query", "");
	return RC_OK;
}
