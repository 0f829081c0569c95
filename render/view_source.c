/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The form of one source group, a new one or one there is. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/keep.h"
#include "lib/store/plan_store.h"
#include "render/host_page.h"
#include "render/keep_preview.h"
#include "render/plan_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	LINES_MAX = 1 << 18,
	HOOK_LIMIT_S = 600
};

/* In the order of the form. */
static const char *const names[] = { "name", "includes", "excludes",
	"keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly",
	"keep_yearly", "retry_max", "retry_backoff_seconds", "hooks", NULL };

/* clang-format off */
static const struct {
	const char *field, *label;
} keeps[] = {
	{ "keep_last",    "Last" },    { "keep_hourly",  "Hourly" },
	{ "keep_daily",   "Daily" },   { "keep_weekly",  "Weekly" },
	{ "keep_monthly", "Monthly" }, { "keep_yearly",  "Yearly" },
};
/* clang-format on */

static uint32_t
kept(const struct Rec__SourceGroup *g, size_t i)
{
	const struct Rec__Retention *r = g == NULL ? NULL : g->retention;
	const uint32_t n[ARRAY_LEN(keeps)] = { r == NULL ? 0 : r->last,
		r == NULL ? 0 : r->hourly, r == NULL ? 0 : r->daily,
		r == NULL ? 0 : r->weekly, r == NULL ? 0 : r->monthly,
		r == NULL ? 0 : r->yearly };

	return n[i];
}

static const char *
lines(struct view *v, char *const *words, size_t n)
{
	const char *z;
	struct buf b;
	size_t i;

	buf_init(&b, LINES_MAX);
	for (i = 0; i < n; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : "\n", words[i]);
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

/* Typed when it was, else as it stands; blank for 0. */
static struct str
number(struct view *v, const char *field, uint32_t n, bool zero)
{
	if (view_param_is(v, "typed", "1"))
		return view_param(v, field);
	if (n == 0 && !zero)
		return str_of("");
	return str_of(arena_printf(v->arena, "%" PRIu32, n));
}

static void
put_keeps(struct view *v, struct value *form, const struct Rec__SourceGroup *g)
{
	struct value *list = value_list(form, "keeps"), *item;
	bool focused = false;
	size_t i;

	for (i = 0; i < ARRAY_LEN(keeps); i++) {
		const char *field = keeps[i].field;
		struct str error =
		    view_param(v, arena_printf(v->arena, "error.%s", field));

		item = value_item(list);
		value_text(item, "field", field);
		value_text(item, "label", keeps[i].label);
		value_lend(item, "value", number(v, field, kept(g, i), false));
		value_lend(item, "wrong", view_sentence(v, error));
		value_bool(item, "focus", error.n > 0 && !focused);
		focused = focused || error.n > 0;
	}
}

static void
put_fields(struct view *v, struct value *form, const struct Rec__SourceGroup *g)
{
	bool typed = view_param_is(v, "typed", "1"), old = !typed && g != NULL;
	const uint32_t default_backoff_s = 60;

	view_fields(v, form, names);
	value_lend(form, "name_value",
	    old ? str_of(g->name) : view_param(v, "name"));
	value_lend(form, "includes_value",
	    old ? str_of(lines(v, g->includes, g->n_includes))
	        : view_param(v, "includes"));
	value_lend(form, "excludes_value",
	    old ? str_of(lines(v, g->excludes, g->n_excludes))
	        : view_param(v, "excludes"));
	value_lend(form, "retry_max_value",
	    number(v, "retry_max", g == NULL ? 2 : g->retry_max, true));
	value_lend(form, "backoff_value",
	    number(v, "retry_backoff_seconds",
	        g == NULL ? default_backoff_s : g->retry_backoff_s, true));
	put_keeps(v, form, g);
	value_lend(form, "seen",
	    plan_view_seen(v, g == NULL ? 0 : g->updated_at_ms));
}

/* As it stands in the form; what is no number counts as none. */
static void
put_preview(struct view *v, struct value *root, const struct host_view *hv,
    const struct Rec__SourceGroup *g)
{
	struct keep_policy p;
	size_t i;

	_Static_assert(ARRAY_LEN(keeps) == KEEP_RULE_COUNT, "one field each");
	for (i = 0; i < ARRAY_LEN(keeps); i++) {
		uint64_t n = 0;

		if (!str_u64(number(v, keeps[i].field, kept(g, i), true),
		        UINT32_MAX, &n))
			n = 0;
		p.n[i] = (uint32_t)n;
	}
	keep_preview_put(v, root, hv, g, &p);
}

/* M-166: what it keeps is finer than what its schedules make. */
static void
put_conflict(struct view *v, struct value *root,
    const struct Rec__SourceGroup *g)
{
	value_text(root, "conflict",
	    g == NULL || view_param_is(v, "typed", "1")
	        ? ""
	        : g->conflict_dimension);
}

static void
put_hooks(struct view *v, struct value *root, const struct Rec__Host *h,
    const struct Rec__SourceGroup *g)
{
	struct value *m;

	if (g == NULL || !view_can_admin(v)) {
		value_bool(root, "hook_form", false);
		return;
	}
	m = value_map(root, "hook_form");
	value_bool(m, "has_pre", g->has_pre_hook);
	value_bool(m, "has_post", g->has_post_hook);
	value_bool(m, "host_pre", !g->has_pre_hook && h->has_pre_hook);
	value_bool(m, "host_post", !g->has_post_hook && h->has_post_hook);
	value_printf(m, "limit", "%" PRIu32,
	    g->hook_limit_s == 0 ? HOOK_LIMIT_S : g->hook_limit_s);
	value_text(m, "runs_as",
	    strcmp(h->os, "windows") == 0 ? "LocalSystem" : "root");
	value_text(m, "shell",
	    strcmp(h->os, "windows") == 0 ? "cmd.exe /C" : "/bin/sh -c");
}

static enum rc
find_group(struct view *v, const struct ulid *host,
    const struct Rec__SourceGroup **out)
{
	struct ulid id;

	*out = NULL;
	if (view_param(v, "group").n == 0)
		return RC_OK;
	if (view_param_id(v, "group", &id))
		*out = plan_store_find(v->state, host, &id);
	return *out == NULL ? RC_NOTFOUND : RC_OK;
}

enum rc
view_host_source(struct view *v, struct value *root)
{
	const struct Rec__SourceGroup *g;
	struct host_view hv = { 0 };
	enum rc rc;

	rc = host_page_put(v, root, "sources", &hv);
	if (rc == RC_OK)
		rc = find_group(v, &hv.id, &g);
	if (rc != RC_OK)
		return rc;
	value_text(root, "event_query", "");
	value_text(root, "gid", g == NULL ? "" : view_id(v, g->id));
	value_text(root, "group_title", g == NULL ? "" : g->name);
	value_bool(root, "no_paths", g != NULL && g->n_includes == 0);
	if (view_wants(v, "retention.preview"))
		put_preview(v, root, &hv, g);
	put_fields(v, value_map(root, "form"), g);
	put_conflict(v, root, g);
	put_hooks(v, root, hv.host, g);
	return RC_OK;
}
