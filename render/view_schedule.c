/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The form of one schedule, a new one or one there is, and what its fields
 * would come to. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/ulid.h"
#include "lib/store/schedule_store.h"
#include "render/cron_words.h"
#include "render/host_page.h"
#include "render/plan_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

/* clang-format off */
static const struct {
	uint32_t seconds;
	const char *words;
} windows[] = {
	{ 0, "No spread" }, { 300, "5 minutes" }, { 900, "15 minutes" },
	{ 1800, "30 minutes" }, { 3600, "1 hour" }, { 7200, "2 hours" },
	{ 14400, "4 hours" },
};

static const char *const zones[] = {
	"UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos",
	"America/Bogota", "America/Chicago", "America/Denver",
	"America/Los_Angeles", "America/Mexico_City", "America/New_York",
	"America/Sao_Paulo", "America/Toronto", "Asia/Bangkok", "Asia/Dubai",
	"Asia/Hong_Kong", "Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi",
	"Asia/Kolkata", "Asia/Manila", "Asia/Seoul", "Asia/Shanghai",
	"Asia/Singapore", "Asia/Tokyo", "Australia/Perth", "Australia/Sydney",
	"Europe/Amsterdam", "Europe/Athens", "Europe/Berlin",
	"Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv",
	"Europe/Lisbon", "Europe/London", "Europe/Madrid", "Europe/Moscow",
	"Europe/Paris", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna",
	"Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland",
	"Pacific/Honolulu",
};
/* clang-format on */

enum {
	NEW_JITTER_S = 900
};

/* What stands in the form. */
struct fields {
	bool typed;
	struct str cron, zone, groups;
	uint64_t jitter_s;
	bool enabled;
	const struct Rec__Schedule *old; /* NULL: a new one */
};

/* A preset that is chosen wins over the expression beside it. */
static struct str
typed_cron(struct view *v)
{
	struct str preset = view_param(v, "preset");

	return preset.n > 0 ? preset : view_param(v, "cron");
}

static void
read_fields(struct view *v, const struct Rec__Schedule *s, struct fields *f)
{
	const struct cron_preset *like =
	    cron_preset_find(view_param(v, "like"));

	*f = (struct fields){ .old = s,
		.typed = view_param_is(v, "typed", "1") };
	if (f->typed) {
		f->cron = typed_cron(v);
		f->zone = view_param(v, "zone");
		f->groups = view_param(v, "groups");
		f->enabled = view_param_is(v, "enabled", "1");
		if (!str_u64(view_param(v, "jitter_seconds"), UINT32_MAX,
		        &f->jitter_s))
			f->jitter_s = 0;
	} else if (s != NULL) {
		f->cron = str_of(s->cron);
		f->zone = str_of(s->zone);
		f->jitter_s = s->jitter_s;
		f->enabled = s->enabled;
	} else {
		f->cron = str_of(like == NULL ? "" : like->expr);
		f->jitter_s = NEW_JITTER_S;
		f->enabled = true;
	}
}

/* -------------------------------------------------------------- the controls */

/* "Every day at 03:00" of a preset. */
static const char *
preset_title(struct view *v, const struct cron_preset *p)
{
	struct cron c;
	struct err e;

	if (cron_parse(str_of(p->expr), "UTC", &c, &e) != RC_OK)
		return "";
	return cron_words(v->arena, &c);
}

static void
put_presets(struct view *v, struct value *form, const struct fields *f)
{
	struct value *list = value_list(form, "presets"), *item;
	const struct cron_preset *p;
	bool any = false;
	size_t i, n;

	p = cron_presets(&n);
	for (i = 0; i < n; i++) {
		bool chosen = str_eqz(f->cron, p[i].expr);

		item = value_item(list);
		value_text(item, "expr", p[i].expr);
		value_text(item, "word", p[i].word);
		value_text(item, "title", preset_title(v, &p[i]));
		value_bool(item, "chosen", chosen);
		any = any || chosen;
	}
	value_bool(form, "custom", !any);
}

static bool
ticked(const struct fields *f, const struct Rec__SourceGroup *g,
    const char *gid, size_t n_groups)
{
	struct str rest = f->groups, one;

	if (!f->typed)
		return f->old == NULL ? n_groups == 1
		                      : plan_view_uses(f->old, g);
	while (str_next(&rest, ' ', &one))
		if (str_eqz(one, gid))
			return true;
	return false;
}

static void
put_groups(struct view *v, struct value *form, const struct host_view *hv,
    const struct fields *f)
{
	struct value *list = value_list(form, "boxes"), *item;
	size_t i;

	for (i = 0; i < hv->n_groups; i++) {
		const struct Rec__SourceGroup *g = hv->groups[i];
		const char *gid = view_id(v, g->id);

		item = value_item(list);
		value_text(item, "gid", gid);
		value_text(item, "group_name", g->name);
		value_printf(item, "paths", "%zu %s", g->n_includes,
		    g->n_includes == 1 ? "path" : "paths");
		value_text(item, "keeps", plan_view_retention(v, g->retention));
		value_bool(item, "ticked", ticked(f, g, gid, hv->n_groups));
	}
}

static void
put_window(struct value *list, uint64_t seconds, const char *words, bool chosen)
{
	struct value *item = value_item(list);

	value_printf(item, "seconds", "%" PRIu64, seconds);
	value_text(item, "words", words);
	value_bool(item, "chosen", chosen);
}

static void
put_windows(struct view *v, struct value *form, const struct fields *f)
{
	struct value *list = value_list(form, "windows");
	bool any = false;
	size_t i;

	for (i = 0; i < ARRAY_LEN(windows); i++) {
		bool chosen = windows[i].seconds == f->jitter_s;

		put_window(list, windows[i].seconds, windows[i].words, chosen);
		any = any || chosen;
	}
	if (!any)
		put_window(list, f->jitter_s, text_left(v->arena, f->jitter_s),
		    true);
}

static void
put_form(struct view *v, struct value *root, const struct host_view *hv,
    const struct fields *f)
{
	static const char *const names[] = { "cron", "zone", "groups",
		"jitter_seconds", NULL };
	struct value *form = value_map(root, "form"), *list;
	const char *host_zone = hv->host->zone;
	size_t i;

	view_fields(v, form, names);
	value_lend(form, "cron_value", f->cron);
	value_lend(form, "zone_value", f->zone);
	value_bool(form, "enabled", f->enabled);
	value_lend(form, "seen",
	    plan_view_seen(v, f->old == NULL ? 0 : f->old->updated_at_ms));
	value_text(form, "host_zone",
	    host_zone[0] == '\0' ? v->clock.zone : host_zone);
	value_bool(form, "zone_known", host_zone[0] != '\0');
	put_presets(v, form, f);
	put_groups(v, form, hv, f);
	put_windows(v, form, f);
	list = value_list(form, "zones");
	for (i = 0; i < ARRAY_LEN(zones); i++)
		value_item_text(list, str_of(zones[i]));
}

/* --------------------------------------------------------------- the preview */

/* The schedule as it would be: one that is new has another spread once it has
 * its id. */
static void
put_preview(struct view *v, struct value *root, const struct host_view *hv,
    const struct fields *f)
{
	const struct plan_view p = { .v = v, .hv = hv };
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	struct value *m = value_map(root, "next");
	struct err e = { .rc = RC_OK };
	struct cron c;

	if (f->old != NULL)
		s = *f->old;
	s.cron = arena_str(v->arena, f->cron);
	s.zone = arena_str(v->arena, f->zone);
	s.jitter_s = f->old == NULL ? 0 : (uint32_t)f->jitter_s;
	s.host_id = hv->host->id;
	value_bool(m, "blank", str_trim(f->cron).n == 0);
	plan_view_put_times(&p, m, &s, PLAN_VIEW_RUNS);
	value_bool(m, "wrong",
	    cron_parse(f->cron, plan_view_zone(&p, &s), &c, &e) != RC_OK);
	value_lend(m, "problem",
	    view_sentence(v, str_of(arena_dup(v->arena, e.msg))));
	value_text(m, "window",
	    f->jitter_s == 0 ? "" : text_left(v->arena, f->jitter_s));
	value_bool(m, "spread_known", f->old != NULL);
}

static enum rc
find_schedule(struct view *v, const struct ulid *host,
    const struct Rec__Schedule **out)
{
	struct ulid id;

	*out = NULL;
	if (view_param(v, "schedule").n == 0)
		return RC_OK;
	if (view_param_id(v, "schedule", &id))
		*out = schedule_store_find(v->state, host, &id);
	return *out == NULL ? RC_NOTFOUND : RC_OK;
}

enum rc
view_host_schedule(struct view *v, struct value *root)
{
	const struct Rec__Schedule *s;
	struct host_view hv = { 0 };
	struct fields f;
	enum rc rc;

	rc = host_page_put(v, root, "schedules", &hv);
	if (rc == RC_OK)
		rc = find_schedule(v, &hv.id, &s);
	if (rc != RC_OK)
		return rc;
	read_fields(v, s, &f);
	value_text(root, "event_query", "");
	value_text(root, "sid", s == NULL ? "" : view_id(v, s->id));
	put_form(v, root, &hv, &f);
	put_preview(v, root, &hv, &f);
	return RC_OK;
}
