/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/controller.h"
#include "controller/pb.h"
#include "controller/plan.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/schedules_own.h"
#include "controller/sources.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/cron.h"
#include "lib/base/json.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/next_run.h"
#include "lib/store/schedule_store.h"
#include "lib/store/status.h"
#include "lib/store/store.h"

enum {
	BODY_MAX = 4 << 20,
	ARENA_MAX = 16 << 20
};

struct schedule_in {
	char *cron, *zone;
	struct json_strs groups;
	bool enabled;
	int64_t jitter_s;
	bool cron_seen, zone_seen, groups_seen, enabled_seen, jitter_seen;
};

#define IN(member) offsetof(struct schedule_in, member)

/* clang-format off */
static const struct json_field schedule_fields[] = {
	{ "cron",             JSON_STR,  0, 1, CRON_EXPR_MAX, IN(cron), 0, IN(cron_seen) },
	{ "zone",             JSON_STR,  JSON_NULL_OK, 0, PLAN_ZONE_MAX, IN(zone), 0, IN(zone_seen) },
	{ "enabled",          JSON_BOOL, 0, 0, 0, IN(enabled), 0, IN(enabled_seen) },
	{ "source_group_ids", JSON_STRS, 0, 0, PLAN_GROUPS_MAX, IN(groups), ULID_TEXT_CAP - 1, IN(groups_seen) },
	{ "jitter_seconds",   JSON_INT,  JSON_NULL_ABSENT, 0, PLAN_JITTER_MAX_S, IN(jitter_s), 0, IN(jitter_seen) },
};
/* clang-format on */

const struct route_json schedules_body = { schedule_fields,
	ARRAY_LEN(schedule_fields), sizeof(struct schedule_in) };

/* ----------------------------------------------------------------- answers */

struct answer {
	struct json_out j;
	const struct Rec__Host *host;
	const char *usual_zone;
	int64_t now_ms;
};

/* When it becomes due, and when it then begins; paused: never. */
static void
put_next(struct answer *an, const struct Rec__Schedule *s, const char *zone)
{
	struct next_run next = { 0 };
	struct next_run_rule rule;

	if (!s->enabled || !next_run_rule(s, zone, &rule) ||
	    !next_run(&rule, an->now_ms, &next))
		next = (struct next_run){ 0 };
	json_put_time(&an->j, "next_due_at", next.due_ms);
	json_put_time(&an->j, "next_run_at", next.at_ms);
}

static void
put_schedule(struct answer *an, const struct Rec__Schedule *s)
{
	const char *zone = next_run_zone(s, an->host, an->usual_zone);
	struct json_out *j = &an->j;
	size_t i;

	pb_put_id(j, "id", &s->id);
	pb_put_id(j, "host_id", &s->host_id);
	json_put(j, "cron", s->cron);
	json_put(j, "zone", s->zone);
	json_put(j, "effective_zone", zone);
	json_put_bool(j, "enabled", s->enabled);
	json_arr(j, "source_group_ids");
	for (i = 0; i < s->n_group_ids; i++)
		pb_put_id(j, NULL, &s->group_ids[i]);
	json_arr_end(j);
	json_put_uint(j, "jitter_seconds", s->jitter_s);
	json_put_time(j, "created_at", s->created_at_ms);
	json_put_time(j, "updated_at", s->updated_at_ms);
	put_next(an, s, zone);
	pb_put_id(j, "last_job_id", &s->last_job);
	json_put(j, "last_status",
	    s->last_incomplete ? "incomplete" : job_state_name(s->last_state));
	json_put_time(j, "last_run_at", s->last_at_ms);
	json_put_time(j, "last_due_at", s->last_due_ms);
	json_put_time(j, "last_success_at", s->last_success_at_ms);
}

/* M-174, M-176: what is in force and what the agent holds of it. */
static void
put_versions(struct answer *an)
{
	const struct Rec__Host *h = an->host;
	const char *drift = status_drift(h);

	json_put_uint(&an->j, "version", h->config_version);
	json_put_uint(&an->j, "applied_version", h->applied_config_version);
	json_put_bool(&an->j, "in_sync", drift[0] == '\0');
	json_put(&an->j, "drift", drift);
	json_put(&an->j, "host_zone", h->zone);
}

static void
no_such(struct req *r, const char *what)
{
	struct err e;

	(void)err_set(&e, RC_NOTFOUND, "there is no %s with this id", what);
	req_fail(r, &e);
}

static bool
schedules_on_listed(void *ctx, const struct Rec__Schedule *s)
{
	struct answer *an = ctx;

	json_obj(&an->j, NULL);
	put_schedule(an, s);
	json_obj_end(&an->j);
	return true;
}

/* Everything there is, or the one schedule. */
static void
answer(struct req *r, int status, const struct ulid *host,
    const struct ulid *schedule)
{
	struct answer an = { .usual_zone = r->ctl->settings.timezone,
		.now_ms = clock_now_ms() };
	const struct Rec__Schedule *s = NULL;
	struct store_tx *tx;
	struct arena a;
	struct buf b;

	arena_init(&a, ARENA_MAX);
	buf_init(&b, BODY_MAX);
	json_out_init(&an.j, &b);
	tx = store_begin_read(r->ctl->state, &a);
	an.host = host_store_get(tx, host);
	if (an.host != NULL && schedule != NULL)
		s = schedule_store_get(tx, host, schedule);
	json_obj(&an.j, NULL);
	if (s != NULL) {
		put_schedule(&an, s);
	} else if (store_rc(tx) == RC_OK) {
		put_versions(&an);
		json_arr(&an.j, "items");
		schedule_store_of_host(tx, host, schedules_on_listed, &an);
		json_arr_end(&an.j);
	}
	json_obj_end(&an.j);
	if (store_rc(tx) != RC_OK)
		req_fail(r, store_err(tx));
	else
		req_json(r, status, &b);
	store_abort(tx);
	buf_fini(&b);
	arena_fini(&a);
}

void
schedules_list(struct req *r)
{
	struct ulid host;

	if (req_ulid(r, 0, &host) != RC_OK)
		no_such(r, "host");
	else
		answer(r, 200, &host, NULL);
}

void
schedules_get(struct req *r)
{
	struct ulid host, schedule;

	if (req_ulid(r, 0, &host) != RC_OK)
		no_such(r, "host");
	else if (req_ulid(r, 1, &schedule) != RC_OK)
		no_such(r, "schedule");
	else
		answer(r, 200, &host, &schedule);
}

/* ------------------------------------------------------------------ change */

static const char *
copy(struct arena *a, const char *z)
{
	return z != NULL ? arena_dup(a, z) : NULL;
}

void
schedules_submit(struct req *r, const struct schedules_edit *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_new(schedules_put_op, NULL, NULL);
	struct schedules_edit *ed = arena_alloc(&op->arena, sizeof(*ed));
	struct json_strs *ids;
	size_t i;

	ASSERT(ed != NULL); /* the op's arena is empty */
	*ed = *from;
	ed->cron = copy(&op->arena, from->cron);
	ed->zone = copy(&op->arena, from->zone);
	if (from->groups != NULL) {
		ids = arena_alloc(&op->arena, sizeof(*ids));
		ASSERT(ids != NULL); /* a request's body is small */
		ids->v = arena_array(&op->arena, from->groups->n + 1,
		    sizeof(*ids->v));
		ASSERT(ids->v != NULL);
		for (i = 0; i < from->groups->n; i++)
			ids->v[ids->n++] =
			    arena_dup(&op->arena, from->groups->v[i]);
		ed->groups = ids;
	}
	ed->now_ms = clock_now_ms();
	ed->usual_zone = r->ctl->settings.timezone;
	op->in = ed;
	req_submit(r, op, done);
}

static void
schedules_on_put(struct req *r, struct op *op)
{
	const struct schedules_edit *ed = op->in;

	if (op->err.rc != RC_OK) {
		req_fail(r, &op->err);
		return;
	}
	sources_tell(r->ctl, &ed->host);
	answer(r, ed->made ? 201 : 200, &ed->host, &ed->schedule);
}

static void
submit_body(struct req *r, struct schedules_edit *ed)
{
	struct schedule_in *in = r->in;

	ed->cron = in->cron_seen ? in->cron : NULL;
	if (in->zone_seen)
		ed->zone = in->zone != NULL ? in->zone : "";
	ed->groups = in->groups_seen ? &in->groups : NULL;
	ed->enabled_given = in->enabled_seen;
	ed->enabled = in->enabled;
	ed->jitter_given = in->jitter_seen;
	ed->jitter_s = (uint32_t)in->jitter_s;
	schedules_submit(r, ed, schedules_on_put);
}

void
schedules_post(struct req *r)
{
	struct schedules_edit ed = { .cron = NULL };

	if (req_ulid(r, 0, &ed.host) != RC_OK)
		no_such(r, "host");
	else
		submit_body(r, &ed);
}

void
schedules_put(struct req *r)
{
	struct schedules_edit ed = { .cron = NULL };

	if (req_ulid(r, 0, &ed.host) != RC_OK)
		no_such(r, "host");
	else if (req_ulid(r, 1, &ed.schedule) != RC_OK ||
	         ulid_is_zero(&ed.schedule))
		no_such(r, "schedule");
	else
		submit_body(r, &ed);
}

/* ------------------------------------------------------------------ delete */

void
schedules_submit_delete(struct req *r, const struct schedules_gone *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_new(schedules_delete_op, NULL, NULL);
	struct schedules_gone *g = arena_alloc(&op->arena, sizeof(*g));

	ASSERT(g != NULL); /* the op's arena is empty */
	*g = *from;
	g->now_ms = clock_now_ms();
	op->in = g;
	req_submit(r, op, done);
}

static void
schedules_on_deleted(struct req *r, struct op *op)
{
	const struct schedules_gone *g = op->in;

	if (op->err.rc != RC_OK) {
		req_fail(r, &op->err);
		return;
	}
	sources_tell(r->ctl, &g->host);
	req_empty(r, 204);
}

void
schedules_delete(struct req *r)
{
	struct schedules_gone g = { .now_ms = 0 };

	if (req_ulid(r, 0, &g.host) != RC_OK)
		no_such(r, "host");
	else if (req_ulid(r, 1, &g.schedule) != RC_OK)
		no_such(r, "schedule");
	else
		schedules_submit_delete(r, &g, schedules_on_deleted);
}
