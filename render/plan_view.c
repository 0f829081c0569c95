/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/plan_view.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/job_store.h"
#include "lib/store/message.h"
#include "lib/store/schedule_store.h"
#include "render/cron_words.h"
#include "render/value.h"
#include "render/view.h"

static bool
plan_view_on_schedule(void *ctx, const struct Rec__Schedule *s)
{
	struct plan_view *p = ctx;

	if (p->n_schedules == PLAN_VIEW_SCHEDULES)
		return false;
	p->schedules[p->n_schedules++] = s;
	return true;
}

void
plan_view_load(struct view *v, const struct host_view *hv,
    struct plan_view *out)
{
	*out = (struct plan_view){ .v = v, .hv = hv };
	out->schedules =
	    arena_array(v->arena, PLAN_VIEW_SCHEDULES, sizeof(*out->schedules));
	if (out->schedules != NULL)
		schedule_store_of_host(v->state, &hv->id, plan_view_on_schedule,
		    out);
}

bool
plan_view_uses(const struct Rec__Schedule *s, const struct Rec__SourceGroup *g)
{
	size_t i;

	for (i = 0; i < s->n_group_ids; i++)
		if (message_same_id(&s->group_ids[i], &g->id))
			return true;
	return false;
}

size_t
plan_view_users(const struct plan_view *p, const struct Rec__SourceGroup *g)
{
	size_t i, n = 0;

	for (i = 0; i < p->n_schedules; i++)
		n += plan_view_uses(p->schedules[i], g);
	return n;
}

static const char *
group_name(const struct plan_view *p, ProtobufCBinaryData id)
{
	size_t i;

	for (i = 0; i < p->hv->n_groups; i++)
		if (message_same_id(&p->hv->groups[i]->id, &id))
			return p->hv->groups[i]->name;
	return "a removed group";
}

const char *
plan_view_groups(const struct plan_view *p, const struct Rec__Schedule *s)
{
	const char *z;
	struct buf b;
	size_t i;

	buf_init(&b, KIB(64));
	for (i = 0; i < s->n_group_ids; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ",
		    group_name(p, s->group_ids[i]));
	z = arena_str(p->v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

const char *
plan_view_zone(const struct plan_view *p, const struct Rec__Schedule *s)
{
	return next_run_zone(s, p->hv->host, p->v->clock.zone);
}

/* ------------------------------------------------------------------- times */

static void
put_runs(struct view *v, struct value *list, const struct next_run_rule *r,
    size_t runs)
{
	int64_t after = v->req->now_ms;
	struct value *item;
	struct next_run n;

	while (runs-- > 0 && next_run(r, after, &n)) {
		item = value_item(list);
		value_text(item, "text",
		    text_when(v->arena, &v->clock, n.at_ms));
		value_text(item, "exact",
		    text_exact(v->arena, &v->clock, n.at_ms));
		value_text(item, "relative",
		    text_relative(v->arena, &v->clock, n.at_ms));
		after = n.at_ms;
	}
}

void
plan_view_put_times(const struct plan_view *p, struct value *map,
    const struct Rec__Schedule *s, size_t runs)
{
	const char *zone = plan_view_zone(p, s);
	struct value *list = value_list(map, "runs");
	struct next_run_rule r;

	bool known = next_run_rule(s, zone, &r);
	bool other = known && strcmp(r.cron.zone, p->v->clock.zone) != 0;

	value_text(map, "expr", s->cron);
	value_bool(map, "broken", !known);
	value_text(map, "words", known ? cron_words(p->v->arena, &r.cron) : "");
	value_text(map, "clock",
	    other ? arena_dup(p->v->arena, r.cron.zone) : "");
	value_text(map, "spread",
	    s->jitter_s == 0 ? "" : text_left(p->v->arena, s->jitter_s));
	if (known)
		put_runs(p->v, list, &r, runs);
}

/* ----------------------------------------------------------------- results */

const struct Rec__Job *
plan_view_job(struct view *v, ProtobufCBinaryData id)
{
	struct ulid u;

	return view_ulid(id, &u) ? job_store_find(v->state, &u) : NULL;
}

void
plan_view_put_result(const struct plan_view *p, struct value *map,
    const char *key, const struct Rec__Job *job, int64_t at_ms)
{
	const struct status_look *look;
	struct value *m;

	if (job == NULL) {
		value_bool(map, key, false);
		return;
	}
	look = status_job_look(job);
	m = value_map(map, key);
	value_text(m, "class", look->class);
	value_text(m, "glyph", look->glyph);
	value_text(m, "word", look->word);
	value_bool(m, "spin", look->spin);
	value_text(m, "job_link",
	    arena_printf(p->v->arena, "/jobs/%s", view_id(p->v, job->id)));
	view_time(p->v, m, "at", at_ms != 0 ? at_ms : job->finished_at_ms);
}

struct str
plan_view_seen(struct view *v, int64_t updated_ms)
{
	struct str typed = view_param(v, "seen");

	if (typed.n > 0 || updated_ms == 0)
		return typed;
	return str_of(arena_printf(v->arena, "%" PRId64, updated_ms));
}

/* --------------------------------------------------------------- retention */

const char *
plan_view_retention(struct view *v, const struct Rec__Retention *r)
{
	const struct {
		const char *name;
		uint32_t n;
	} parts[] = { { "last", r == NULL ? 0 : r->last },
		{ "h", r == NULL ? 0 : r->hourly },
		{ "d", r == NULL ? 0 : r->daily },
		{ "w", r == NULL ? 0 : r->weekly },
		{ "m", r == NULL ? 0 : r->monthly },
		{ "y", r == NULL ? 0 : r->yearly } };
	const char *z;
	struct buf b;
	size_t i;

	buf_init(&b, KIB(1));
	for (i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].n > 0)
			buf_printf(&b, "%s%s=%u", b.len == 0 ? "" : ", ",
			    parts[i].name, (unsigned)parts[i].n);
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

/* ------------------------------------------------------------------- agent */

void
plan_view_put_agent(struct view *v, struct value *map,
    const struct Rec__Host *h)
{
	struct value *m = value_map(map, "agent");
	bool same = h->config_version == h->applied_config_version;

	value_text(m, "version", text_count(v->arena, h->config_version));
	value_text(m, "held",
	    h->applied_config_version == 0
	        ? ""
	        : text_count(v->arena, h->applied_config_version));
	value_lend(m, "refused",
	    view_sentence(v, view_cut(str_of(h->plan_refused), KIB(1))));
	value_bool(m, "in_sync", status_drift(h)[0] == '\0');
	/* It knows no plans, so it refuses none. */
	value_bool(m, "old", same && h->plan_format == 0);
	value_bool(m, "behind", !same);
	value_bool(m, "away", !h->online);
}
