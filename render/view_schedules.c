/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One host: the tab Schedules. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/job_retry.h"
#include "lib/store/job_store.h"
#include "lib/store/upkeep_store.h"
#include "render/host_page.h"
#include "render/plan_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	RUNS_SHOWN = 3,  /* of each schedule */
	TICKS_MAX = 600, /* drawn */
	TICKS_TOLD = 12, /* by their time in the label */
	RULER_WIDTH = 1000,
	RULER_HOURS = 24,
	RULER_LABELS = 5
};

static const int64_t hour_ms = 3600000;

/* ------------------------------------------------------------ next 24 hours */

struct ruler {
	struct view *v;
	struct buf backups, upkeep; /* paths */
	struct buf told;            /* "Backups at 15:00, 00:00" */
	size_t ticks, words;
};

/* x in tenths of a unit along a day. */
static void
put_tick(struct ruler *r, struct buf *path, int64_t at_ms, const char *stroke)
{
	int64_t from = at_ms - r->v->req->now_ms;
	int64_t tenths = from * RULER_WIDTH * 10 / (RULER_HOURS * hour_ms);

	buf_printf(path, "M%" PRId64 ".%" PRId64 " %s", tenths / 10,
	    tenths % 10, stroke);
}

static void
tell(struct ruler *r, const char *what, int64_t at_ms)
{
	const char *at = text_minute(r->v->arena, &r->v->clock, at_ms);

	if (++r->words > TICKS_TOLD)
		return;
	buf_printf(&r->told, "%s%s %s", r->words == 1 ? "" : ", ", what, at);
}

static void
draw_schedule(const struct plan_view *p, struct ruler *r,
    const struct Rec__Schedule *s)
{
	int64_t after = p->v->req->now_ms;
	const int64_t until = after + RULER_HOURS * hour_ms;
	struct next_run_rule rule;
	struct next_run n;

	if (!s->enabled || !next_run_rule(s, plan_view_zone(p, s), &rule))
		return;
	while (r->ticks < TICKS_MAX && next_run(&rule, after, &n) &&
	       n.at_ms <= until) {
		put_tick(r, &r->backups, n.at_ms, "6v26");
		tell(r, "backup", n.at_ms);
		r->ticks++;
		after = n.at_ms;
	}
}

static void
draw_upkeep(struct ruler *r, const struct Rec__Maintenance *m)
{
	static const Rec__JobKind kinds[] = { REC__JOB_KIND__KIND_FORGET,
		REC__JOB_KIND__KIND_PRUNE, REC__JOB_KIND__KIND_CHECK };
	const int64_t now = r->v->req->now_ms;
	size_t i;

	for (i = 0; m != NULL && i < ARRAY_LEN(kinds); i++) {
		const struct Rec__Upkeep *u = upkeep_of(m, kinds[i]);

		if (u == NULL || !u->enabled || u->due_ms < now ||
		    u->due_ms > now + RULER_HOURS * hour_ms)
			continue;
		put_tick(r, &r->upkeep, u->due_ms, "16v16");
		tell(r, job_kind_name(kinds[i]), u->due_ms);
	}
}

static void
put_hours(struct view *v, struct value *map)
{
	struct value *list = value_list(map, "hours");
	struct buf b;
	int i;

	buf_init(&b, KIB(4));
	buf_puts(&b, "M0 43.5h1000");
	for (i = 0; i <= RULER_HOURS; i++) {
		int tenths = i * RULER_WIDTH * 10 / RULER_HOURS;

		buf_printf(&b, "M%d.%d %dV43.5", tenths / 10, tenths % 10,
		    i % 6 == 0 ? 32 : 38);
	}
	value_copy(map, "scale", buf_str(&b));
	buf_fini(&b);
	for (i = 0; i < RULER_LABELS; i++)
		value_item_text(list,
		    str_of(arena_printf(v->arena, "%s%s", i == 0 ? "now " : "",
		        text_minute(v->arena, &v->clock,
		            v->req->now_ms + (int64_t)i * 6 * hour_ms))));
}

static void
put_ruler(const struct plan_view *p, struct value *root)
{
	struct value *map = value_map(root, "ruler");
	struct ruler r = { .v = p->v };
	size_t i;

	buf_init(&r.backups, KIB(64));
	buf_init(&r.upkeep, KIB(4));
	buf_init(&r.told, KIB(4));
	for (i = 0; i < p->n_schedules; i++)
		draw_schedule(p, &r, p->schedules[i]);
	draw_upkeep(&r, upkeep_store_find(p->v->state, &p->hv->id));
	if (r.words > TICKS_TOLD)
		buf_printf(&r.told, " and %zu more", r.words - TICKS_TOLD);
	if (r.words == 0)
		buf_puts(&r.told, "nothing runs");
	value_copy(map, "backups", buf_str(&r.backups));
	value_copy(map, "upkeep", buf_str(&r.upkeep));
	value_copy(map, "label", buf_str(&r.told));
	put_hours(p->v, map);
	buf_fini(&r.told);
	buf_fini(&r.upkeep);
	buf_fini(&r.backups);
}

/* --------------------------------------------------------------- schedules */

/* When the agent tries its latest run again. */
static void
put_retry(const struct plan_view *p, struct value *item,
    const struct Rec__Schedule *s)
{
	const struct Rec__Job *job = plan_view_job(p->v, s->last_job);
	int64_t now = p->v->req->now_ms;
	int64_t at = job == NULL ? 0 : job_retry_at(p->v->state, job, now);

	plan_view_put_result(p, item, "result", job, s->last_at_ms);
	value_text(item, "retry",
	    at <= now ? "" : text_minute(p->v->arena, &p->v->clock, at));
}

static void
put_schedule(const struct plan_view *p, struct value *item,
    const struct Rec__Schedule *s, const char *asked)
{
	const char *sid = view_id(p->v, s->id);
	const char *groups = plan_view_groups(p, s);

	value_text(item, "sid", sid);
	value_text(item, "does", groups);
	value_bool(item, "enabled", s->enabled);
	value_bool(item, "ask", strcmp(sid, asked) == 0);
	plan_view_put_times(p, item, s, RUNS_SHOWN);
	put_retry(p, item, s);
}

static void
put_schedules(const struct plan_view *p, struct value *root)
{
	struct value *list = value_list(root, "schedules");
	const char *asked = arena_str(p->v->arena, view_param(p->v, "confirm"));
	size_t i, on = 0;

	for (i = 0; i < p->n_schedules; i++) {
		put_schedule(p, value_item(list), p->schedules[i], asked);
		on += p->schedules[i]->enabled ? 1 : 0;
	}
	value_bool(root, "all_paused", p->n_schedules > 0 && on == 0);
}

/* Groups that no schedule runs. */
static void
put_unplanned(const struct plan_view *p, struct value *root)
{
	const char *sep = "";
	size_t i;
	struct buf b;

	buf_init(&b, KIB(16));
	for (i = 0; p->n_schedules > 0 && i < p->hv->n_groups; i++) {
		if (plan_view_users(p, p->hv->groups[i]) > 0)
			continue;
		buf_printf(&b, "%s%s", sep, p->hv->groups[i]->name);
		sep = ", ";
	}
	value_copy(root, "unplanned", buf_str(&b));
	buf_fini(&b);
}

/* What "Run now" came to: numbers and an id from the address, the names from
 * the schedule itself. */
static void
put_ran(const struct plan_view *p, struct value *root)
{
	uint64_t started = view_param_number(p->v, "started", 0);
	uint64_t waiting = view_param_number(p->v, "waiting", 0);
	struct str ran = view_param(p->v, "ran");
	struct value *m;
	size_t i;

	for (i = 0; i < p->n_schedules; i++)
		if (str_eqz(ran, view_id(p->v, p->schedules[i]->id)))
			break;
	if (ran.n == 0 || i == p->n_schedules) {
		value_bool(root, "ran", false);
		return;
	}
	m = value_map(root, "ran");
	value_text(m, "started",
	    started == 0 ? "" : text_count(p->v->arena, started));
	value_bool(m, "started_one", started == 1);
	value_text(m, "waiting",
	    waiting == 0 ? "" : text_count(p->v->arena, waiting));
	value_bool(m, "waiting_one", waiting == 1);
	value_text(m, "names", plan_view_groups(p, p->schedules[i]));
}

enum rc
view_host_schedules(struct view *v, struct value *root)
{
	struct host_view hv = { 0 };
	struct plan_view p;
	enum rc rc;

	rc = host_page_put(v, root, "schedules", &hv);
	if (rc != RC_OK)
		return rc;
	value_text(root, "event_query", "");
	if (!view_wants(v, "host.schedules"))
		return RC_OK;
	plan_view_load(v, &hv, &p);
	put_ruler(&p, root);
	put_schedules(&p, root);
	put_unplanned(&p, root);
	put_ran(&p, root);
	return RC_OK;
}
