/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/plan.h"

#include <string.h>

#include "controller/creds.h"
#include "controller/pb.h"
#include "lib/base/arena.h"
#include "lib/base/cadence.h"
#include "lib/base/cron.h"
#include "lib/net/grpc.h"
#include "lib/store/next_run.h"
#include "lib/store/plan_store.h"
#include "lib/store/schedule_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

/* All of it is one message, beside which there are credentials and, in the
 * reply to a Poll, a command with the paths of one group. */
enum {
	HOOKS_BYTES = PLAN_GROUPS_MAX * 2 * HOOKS_BODY_MAX,
	FRAMING = PLAN_PATHS_MAX * 4 + PLAN_GROUPS_MAX * 512 +
	          PLAN_SCHEDULES_MAX * (512 + PLAN_GROUPS_MAX * 28),
	OTHERS = 2 * CREDS_PLAIN_MAX + 16 * 1024,
	COMMAND = PLAN_TEXT_MAX + PLAN_PATHS_MAX * 4 + 2 * HOOKS_BODY_MAX
};
_Static_assert(HOOKS_BYTES + PLAN_TEXT_MAX + FRAMING + OTHERS + COMMAND <
                   GRPC_MESSAGE_MAX,
    "the largest plan fits");

/* ------------------------------------------------------------------ reading */

static bool
plan_on_group(void *ctx, const struct Rec__SourceGroup *g)
{
	struct plan *p = ctx;

	p->groups[p->n_groups++] = g;
	return p->n_groups < PLAN_GROUPS_MAX;
}

static bool
plan_on_schedule(void *ctx, const struct Rec__Schedule *s)
{
	struct plan *p = ctx;

	p->schedules[p->n_schedules++] = s;
	return p->n_schedules < PLAN_SCHEDULES_MAX;
}

void
plan_load(struct store_tx *tx, const struct ulid *host, struct plan *out)
{
	out->host = *host;
	out->n_groups = out->n_schedules = 0;
	out->gaps_known = false;
	plan_store_of_host(tx, host, plan_on_group, out);
	schedule_store_of_host(tx, host, plan_on_schedule, out);
}

const struct Rec__SourceGroup *
plan_group(const struct plan *p, const struct ulid *group)
{
	struct ulid id;
	size_t i;

	for (i = 0; i < p->n_groups; i++)
		if (pb_id_get(&p->groups[i]->id, &id) && ulid_eq(&id, group))
			return p->groups[i];
	return NULL;
}

bool
plan_runs(const struct Rec__Schedule *s, const struct ulid *group)
{
	struct ulid id;
	size_t i;

	for (i = 0; i < s->n_group_ids; i++)
		if (pb_id_get(&s->group_ids[i], &id) && ulid_eq(&id, group))
			return true;
	return false;
}

/* ---------------------------------------------------------------- conflicts */

static int64_t
schedule_gap(const struct Rec__Schedule *s, int64_t now_ms)
{
	struct cron c;
	struct err e;

	if (!s->enabled || cron_parse(str_of(s->cron), "UTC", &c, &e) != RC_OK)
		return 0;
	return cadence_gap_ms(&c, now_ms);
}

int64_t
plan_gap_ms(struct plan *p, const struct ulid *group, int64_t now_ms)
{
	int64_t least = 0;
	size_t i;

	for (i = 0; !p->gaps_known && i < p->n_schedules; i++)
		p->gaps[i] = schedule_gap(p->schedules[i], now_ms);
	p->gaps_known = true;
	for (i = 0; i < p->n_schedules; i++)
		if (p->gaps[i] > 0 && (least == 0 || p->gaps[i] < least) &&
		    plan_runs(p->schedules[i], group))
			least = p->gaps[i];
	return least;
}

static bool
is_same(struct arena *a, const ProtobufCMessage *x, const ProtobufCMessage *y)
{
	size_t n = protobuf_c_message_get_packed_size(x);
	uint8_t *px, *py;

	if (protobuf_c_message_get_packed_size(y) != n)
		return false;
	px = arena_array(a, n + 1, 1);
	py = arena_array(a, n + 1, 1);
	if (px == NULL || py == NULL)
		return false;
	(void)protobuf_c_message_pack(x, px);
	(void)protobuf_c_message_pack(y, py);
	return memcmp(px, py, n) == 0;
}

enum rc
plan_check_seen(struct store_tx *tx, int64_t seen_ms, int64_t was_ms,
    const ProtobufCMessage *was, const ProtobufCMessage *now)
{
	if (seen_ms == 0 || seen_ms == was_ms ||
	    is_same(store_arena(tx), was, now))
		return RC_OK;
	return store_fail_code(tx, RC_CONFLICT, "changed_meanwhile",
	    "somebody changed it while this form was open, and nothing was "
	    "saved; look at it in another tab, then save again to replace "
	    "what is there");
}

const char *
plan_conflict(const struct Rec__Retention *keep, int64_t gap_ms)
{
	uint32_t v[CADENCE_COUNT];
	enum cadence c;

	if (keep == NULL)
		return "";
	v[CADENCE_HOURLY] = keep->hourly;
	v[CADENCE_DAILY] = keep->daily;
	v[CADENCE_WEEKLY] = keep->weekly;
	v[CADENCE_MONTHLY] = keep->monthly;
	v[CADENCE_YEARLY] = keep->yearly;
	c = cadence_conflict(v, gap_ms);
	return c == CADENCE_NONE ? "" : cadence_name(c);
}

void
plan_changed(struct store_tx *tx, struct Rec__Host *h, int64_t now_ms)
{
	struct plan *p = arena_alloc(store_arena(tx), sizeof(*p));
	struct Rec__SourceGroup g;
	struct ulid id;
	size_t i;

	h->config_version++;
	if (p == NULL || !pb_id_get(&h->id, &id)) {
		(void)store_fail(tx, RC_LIMIT, "the plan is too large");
		return;
	}
	h->backup_interval_s = next_run_interval_s(tx, &id, now_ms);
	plan_load(tx, &id, p);
	for (i = 0; i < p->n_groups; i++) {
		g = *p->groups[i];
		if (!pb_id_get(&g.id, &id))
			continue;
		g.conflict_dimension = pb_text(
		    plan_conflict(g.retention, plan_gap_ms(p, &id, now_ms)));
		if (strcmp(g.conflict_dimension,
		        p->groups[i]->conflict_dimension) != 0)
			plan_store_put(tx, &g);
	}
}

/* --------------------------------------------------------- for the agent */

static char *
id_text(struct arena *a, const ProtobufCBinaryData *field)
{
	char text[ULID_TEXT_CAP];
	struct ulid id;

	(void)pb_id_get(field, &id);
	ulid_text(&id, text);
	return arena_dup(a, text);
}

static void
fill_group(const struct hooks_from *from, const struct Rec__Host *h,
    const struct Rec__SourceGroup *g, Wire__PlanGroup *out)
{
	wire__plan_group__init(out);
	out->id = id_text(from->arena, &g->id);
	out->name = g->name;
	out->includes = g->includes;
	out->n_includes = g->n_includes;
	out->excludes = g->excludes;
	out->n_excludes = g->n_excludes;
	out->retry_max = g->retry_max;
	out->retry_backoff_s = g->retry_backoff_s;
	out->hooks = hooks_resolve(from, h, g);
}

static void
fill_schedule(struct arena *a, const struct Rec__Schedule *s,
    Wire__PlanSchedule *out)
{
	size_t i;

	wire__plan_schedule__init(out);
	out->id = id_text(a, &s->id);
	out->cron = s->cron;
	out->zone = s->zone;
	out->enabled = s->enabled;
	out->jitter_s = s->jitter_s;
	out->group_ids =
	    arena_array(a, s->n_group_ids + 1, sizeof(*out->group_ids));
	for (i = 0; out->group_ids != NULL && i < s->n_group_ids; i++)
		out->group_ids[out->n_group_ids++] =
		    id_text(a, &s->group_ids[i]);
}

/* Arrays of messages, and of pointers to them. */
static bool
make_rooms(struct arena *a, const struct plan *p, Wire__Plan *w)
{
	Wire__PlanGroup *groups =
	    arena_array(a, p->n_groups + 1, sizeof(*groups));
	Wire__PlanSchedule *schedules =
	    arena_array(a, p->n_schedules + 1, sizeof(*schedules));
	size_t i;

	w->groups = arena_array(a, p->n_groups + 1, sizeof(Wire__PlanGroup *));
	w->schedules =
	    arena_array(a, p->n_schedules + 1, sizeof(Wire__PlanSchedule *));
	if (groups == NULL || schedules == NULL || w->groups == NULL ||
	    w->schedules == NULL)
		return false;
	for (i = 0; i < p->n_groups; i++)
		w->groups[i] = &groups[i];
	for (i = 0; i < p->n_schedules; i++)
		w->schedules[i] = &schedules[i];
	return true;
}

Wire__Plan *
plan_make(struct store_tx *tx, const struct hooks_from *from,
    const struct Rec__Host *h)
{
	Wire__Plan *w = arena_alloc(from->arena, sizeof(*w));
	struct plan *p = arena_alloc(from->arena, sizeof(*p));
	struct ulid host;
	size_t i;

	if (w == NULL || p == NULL || !pb_id_get(&h->id, &host))
		return NULL;
	wire__plan__init(w);
	w->format = PLAN_FORMAT;
	plan_load(tx, &host, p);
	if (!make_rooms(from->arena, p, w))
		return NULL;
	for (i = 0; i < p->n_groups; i++)
		fill_group(from, h, p->groups[i], w->groups[w->n_groups++]);
	for (i = 0; i < p->n_schedules; i++)
		fill_schedule(from->arena, p->schedules[i],
		    w->schedules[w->n_schedules++]);
	if (arena_rc(from->arena) == RC_OK)
		return w;
	plan_wipe(w);
	return NULL;
}

void
plan_wipe(Wire__Plan *w)
{
	size_t i;

	for (i = 0; w != NULL && i < w->n_groups; i++)
		hooks_wipe(w->groups[i]->hooks);
}
