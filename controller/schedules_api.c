/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/pb.h"
#include "controller/plan.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/schedules_own.h"
#include "controller/sources.h"
#include "lib/base/clock.h"
#include "lib/base/cron.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/next_run.h"
#include "lib/store/schedule_store.h"
#include "lib/store/status.h"

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

struct listing {
	struct json_out *j;
	const struct Rec__Host *host;
	const char *usual_zone;
	int64_t now_ms;
};

/* When it becomes due, and when it then begins; paused: never. */
static void
put_next(struct listing *l, const struct Rec__Schedule *s, const char *zone)
{
	struct next_run next = { 0 };
	struct next_run_rule rule;

	if (!s->enabled || !next_run_rule(s, zone, &rule) ||
	    !next_run(&rule, l->now_ms, &next))
		next = (struct next_run){ 0 };
	json_put_time(l->j, "next_due_at", next.due_ms);
	json_put_time(l->j, "next_run_at", next.at_ms);
}

static void
put_schedule(struct listing *l, const struct Rec__Schedule *s)
{
	const char *zone = next_run_zone(s, l->host, l->usual_zone);
	struct json_out *j = l->j;
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
	put_next(l, s, zone);
	pb_put_id(j, "last_job_id", &s->last_job);
	json_put(j, "last_status",
	    s->last_incomplete ? "incomplete" : job_state_name(s->last_state));
	json_put_time(j, "last_run_at", s->last_at_ms);
	json_put_time(j, "last_due_at", s->last_due_ms);
	json_put_time(j, "last_success_at", s->last_success_at_ms);
}

/* M-174, M-176: what is in force and what the agent holds of it. */
static void
put_versions(struct listing *l)
{
	const struct Rec__Host *h = l->host;
	const char *drift = status_drift(h);

	json_put_uint(l->j, "version", h->config_version);
	json_put_uint(l->j, "applied_version", h->applied_config_version);
	json_put_bool(l->j, "in_sync", drift[0] == '\0');
	json_put(l->j, "drift", drift);
	json_put(l->j, "host_zone", h->zone);
}

static bool
schedules_on_listed(void *ctx, const struct Rec__Schedule *s)
{
	struct listing *l = ctx;

	json_obj(l->j, NULL);
	put_schedule(l, s);
	json_obj_end(l->j);
	return true;
}

/* Everything there is, or the one schedule. */
static void
answer(struct req *r, int status, const struct ulid *host,
    const struct ulid *schedule)
{
	const struct Rec__Schedule *s = NULL;
	struct listing l = { .usual_zone = r->ctl->settings.timezone,
		.now_ms = clock_now_ms() };
	struct answer an;

	l.j = answer_begin(&an, r, BODY_MAX, ARENA_MAX);
	l.host = host_store_get(an.tx, host);
	if (l.host != NULL && schedule != NULL)
		s = schedule_store_get(an.tx, host, schedule);
	if (s != NULL) {
		put_schedule(&l, s);
	} else if (l.host != NULL && store_rc(an.tx) == RC_OK) {
		put_versions(&l);
		json_arr(l.j, "items");
		schedule_store_of_host(an.tx, host, schedules_on_listed, &l);
		json_arr_end(l.j);
	}
	answer_end(&an, status);
}

static bool
need_host(struct req *r, struct ulid *host)
{
	return req_need_ulid(r, 0, "there is no host with this id", host);
}

static bool
need_schedule(struct req *r, struct ulid *host, struct ulid *schedule)
{
	return need_host(r, host) &&
	       req_need_ulid(r, 1, "there is no schedule with this id",
	           schedule);
}

void
schedules_list(struct req *r)
{
	struct ulid host;

	if (need_host(r, &host))
		answer(r, 200, &host, NULL);
}

void
schedules_get(struct req *r)
{
	struct ulid host, schedule;

	if (need_schedule(r, &host, &schedule))
		answer(r, 200, &host, &schedule);
}

/* ------------------------------------------------------------------ change */

void
schedules_submit(struct req *r, const struct schedules_edit *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_with(schedules_put_op, from, sizeof(*from));
	struct schedules_edit *ed = op->in;

	ed->cron = op_keep(op, from->cron);
	ed->zone = op_keep(op, from->zone);
	ed->groups = op_keep_strs(op, from->groups);
	ed->now_ms = clock_now_ms();
	ed->usual_zone = r->ctl->settings.timezone;
	req_submit(r, op, done);
}

static void
schedules_on_put(struct req *r, struct op *op)
{
	const struct schedules_edit *ed = op->in;

	if (!req_stored(r, op))
		return;
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

	if (need_host(r, &ed.host))
		submit_body(r, &ed);
}

void
schedules_put(struct req *r)
{
	struct schedules_edit ed = { .cron = NULL };

	if (need_schedule(r, &ed.host, &ed.schedule))
		submit_body(r, &ed);
}

/* ------------------------------------------------------------------ delete */

void
schedules_submit_delete(struct req *r, const struct schedules_gone *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_with(schedules_delete_op, from, sizeof(*from));
	struct schedules_gone *g = op->in;

	g->now_ms = clock_now_ms();
	req_submit(r, op, done);
}

static void
schedules_on_deleted(struct req *r, struct op *op)
{
	const struct schedules_gone *g = op->in;

	if (!req_stored(r, op))
		return;
	sources_tell(r->ctl, &g->host);
	req_empty(r, 204);
}

void
schedules_delete(struct req *r)
{
	struct schedules_gone g = { .now_ms = 0 };

	if (need_schedule(r, &g.host, &g.schedule))
		schedules_submit_delete(r, &g, schedules_on_deleted);
}
