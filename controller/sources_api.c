/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/agents.h"
#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/pb.h"
#include "controller/plan.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sources_own.h"
#include "controller/sse.h"
#include "lib/base/cadence.h"
#include "lib/base/clock.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"

enum {
	BODY_MAX = 8 << 20,
	ARENA_MAX = 16 << 20
};

#define NO_GROUP "there is no source group with this id"

struct source_in {
	char *name;
	struct json_strs includes, excludes;
	int64_t last, hourly, daily, weekly, monthly, yearly;
	int64_t retry_max, backoff_s;
	bool name_seen, includes_seen, excludes_seen, keep_seen;
	bool retry_seen, backoff_seen;
};

#define IN(member) offsetof(struct source_in, member)

/* clang-format off */
static const struct json_field source_fields[] = {
	{ "name",     JSON_STR,  0, 1, PLAN_NAME_MAX, IN(name), 0, IN(name_seen) },
	{ "includes", JSON_STRS, 0, 0, PLAN_PATHS_MAX, IN(includes), PLAN_PATH_BYTES_MAX, IN(includes_seen) },
	{ "excludes", JSON_STRS, JSON_NULL_ABSENT, 0, PLAN_PATHS_MAX, IN(excludes), PLAN_PATH_BYTES_MAX, IN(excludes_seen) },
	{ "retention_policy", JSON_OBJ, JSON_NULL_ABSENT, 0, 0, 0, 0, IN(keep_seen) },
	{ "retention_policy.keep_last",    JSON_INT, JSON_NULL_ABSENT, 0, PLAN_KEEP_MAX, IN(last),    0, JSON_NO_SEEN },
	{ "retention_policy.keep_hourly",  JSON_INT, JSON_NULL_ABSENT, 0, PLAN_KEEP_MAX, IN(hourly),  0, JSON_NO_SEEN },
	{ "retention_policy.keep_daily",   JSON_INT, JSON_NULL_ABSENT, 0, PLAN_KEEP_MAX, IN(daily),   0, JSON_NO_SEEN },
	{ "retention_policy.keep_weekly",  JSON_INT, JSON_NULL_ABSENT, 0, PLAN_KEEP_MAX, IN(weekly),  0, JSON_NO_SEEN },
	{ "retention_policy.keep_monthly", JSON_INT, JSON_NULL_ABSENT, 0, PLAN_KEEP_MAX, IN(monthly), 0, JSON_NO_SEEN },
	{ "retention_policy.keep_yearly",  JSON_INT, JSON_NULL_ABSENT, 0, PLAN_KEEP_MAX, IN(yearly),  0, JSON_NO_SEEN },
	{ "retry_max", JSON_INT, JSON_NULL_ABSENT, 0, PLAN_RETRY_MAX, IN(retry_max), 0, IN(retry_seen) },
	{ "retry_backoff_seconds", JSON_INT, JSON_NULL_ABSENT, 0, PLAN_BACKOFF_MAX_S, IN(backoff_s), 0, IN(backoff_seen) },
};
/* clang-format on */

const struct route_json sources_body = { source_fields,
	ARRAY_LEN(source_fields), sizeof(struct source_in) };

/* ----------------------------------------------------------------- answers */

/* What it keeps finer than it is backed up, as a sentence. */
static void
put_conflict(struct json_out *j, struct plan *p,
    const struct Rec__SourceGroup *g, const struct ulid *id)
{
	char often[CADENCE_TEXT_CAP], text[160] = "";

	json_put(j, "conflict_dimension", g->conflict_dimension);
	if (g->conflict_dimension[0] != '\0') {
		cadence_text(plan_gap_ms(p, id, clock_now_ms()), often);
		if (!str_fmt(text, sizeof(text),
		        "keep_%s won't be honoured: no schedule fires more "
		        "often than %s",
		        g->conflict_dimension, often))
			text[0] = '\0';
	}
	json_put(j, "conflict", text);
}

static void
put_group(struct json_out *j, struct plan *p, const struct Rec__SourceGroup *g)
{
	struct ulid id;
	size_t i;

	(void)pb_id_get(&g->id, &id);
	pb_put_id(j, "id", &g->id);
	json_put(j, "name", g->name);
	json_put_strs(j, "includes", g->includes, g->n_includes);
	json_put_strs(j, "excludes", g->excludes, g->n_excludes);
	sources_put_keep(j, g->retention);
	json_put_uint(j, "retry_max", g->retry_max);
	json_put_uint(j, "retry_backoff_seconds", g->retry_backoff_s);
	put_conflict(j, p, g, &id);
	json_put_bool(j, "has_pre_hook", g->has_pre_hook);
	json_put_bool(j, "has_post_hook", g->has_post_hook);
	json_put_uint(j, "hook_limit_seconds", g->hook_limit_s);
	json_arr(j, "schedule_ids");
	for (i = 0; i < p->n_schedules; i++)
		if (plan_runs(p->schedules[i], &id))
			pb_put_id(j, NULL, &p->schedules[i]->id);
	json_arr_end(j);
	json_put_time(j, "created_at", g->created_at_ms);
	json_put_time(j, "updated_at", g->updated_at_ms);
	pb_put_id(j, "last_job_id", &g->last_job);
	json_put(j, "last_status",
	    g->last_incomplete ? "incomplete" : job_state_name(g->last_state));
	json_put_time(j, "last_success_at", g->last_success_at_ms);
}

/* Everything there is, or the one group. */
static void
answer(struct req *r, int status, const struct ulid *host,
    const struct ulid *group)
{
	const struct Rec__SourceGroup *g = NULL;
	struct json_out *j;
	struct answer an;
	struct plan *p;
	size_t i;

	j = answer_begin(&an, r, BODY_MAX, ARENA_MAX);
	p = arena_alloc(&an.arena, sizeof(*p));
	ASSERT(p != NULL); /* the arena is empty */
	if (host_store_get(an.tx, host) != NULL)
		plan_load(an.tx, host, p);
	if (group != NULL && store_rc(an.tx) == RC_OK) {
		g = plan_group(p, group);
		if (g == NULL)
			(void)store_fail(an.tx, RC_NOTFOUND, NO_GROUP);
	}
	if (g != NULL) {
		put_group(j, p, g);
	} else {
		json_arr(j, "items");
		for (i = 0; store_rc(an.tx) == RC_OK && i < p->n_groups; i++) {
			json_obj(j, NULL);
			put_group(j, p, p->groups[i]);
			json_obj_end(j);
		}
		json_arr_end(j);
	}
	answer_end(&an, status);
}

static bool
need_host(struct req *r, struct ulid *host)
{
	return req_need_ulid(r, 0, "there is no host with this id", host);
}

static bool
need_group(struct req *r, struct ulid *host, struct ulid *group)
{
	return need_host(r, host) && req_need_ulid(r, 1, NO_GROUP, group);
}

void
sources_list(struct req *r)
{
	struct ulid host;

	if (need_host(r, &host))
		answer(r, 200, &host, NULL);
}

void
sources_get(struct req *r)
{
	struct ulid host, group;

	if (need_group(r, &host, &group))
		answer(r, 200, &host, &group);
}

/* ------------------------------------------------------------------ change */

void
sources_tell(struct controller *c, const struct ulid *host)
{
	agents_configure(c->agents, host);
	sse_host_changed(c->sse, host);
}

void
sources_submit(struct req *r, const struct sources_edit *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_with(sources_put_op, from, sizeof(*from));
	struct sources_edit *ed = op->in;

	ed->name = op_keep(op, from->name);
	ed->includes = op_keep_strs(op, from->includes);
	ed->excludes = op_keep_strs(op, from->excludes);
	ed->now_ms = clock_now_ms();
	req_submit(r, op, done);
}

static void
sources_on_put(struct req *r, struct op *op)
{
	const struct sources_edit *ed = op->in;

	if (!req_stored(r, op))
		return;
	sources_tell(r->ctl, &ed->host);
	answer(r, ed->made ? 201 : 200, &ed->host, &ed->group);
}

static void
submit_body(struct req *r, struct sources_edit *ed)
{
	struct source_in *in = r->in;

	rec__retention__init(&ed->keep);
	ed->keep.last = (uint32_t)in->last;
	ed->keep.hourly = (uint32_t)in->hourly;
	ed->keep.daily = (uint32_t)in->daily;
	ed->keep.weekly = (uint32_t)in->weekly;
	ed->keep.monthly = (uint32_t)in->monthly;
	ed->keep.yearly = (uint32_t)in->yearly;
	ed->name = in->name_seen ? in->name : NULL;
	ed->includes = in->includes_seen ? &in->includes : NULL;
	ed->excludes = in->excludes_seen ? &in->excludes : NULL;
	ed->keep_given = in->keep_seen;
	ed->retry_given = in->retry_seen;
	ed->retry_max = (uint32_t)in->retry_max;
	ed->backoff_given = in->backoff_seen;
	ed->backoff_s = (uint32_t)in->backoff_s;
	sources_submit(r, ed, sources_on_put);
}

void
sources_post(struct req *r)
{
	struct sources_edit ed = { .name = NULL };

	if (need_host(r, &ed.host))
		submit_body(r, &ed);
}

void
sources_put(struct req *r)
{
	struct sources_edit ed = { .name = NULL };

	if (need_group(r, &ed.host, &ed.group))
		submit_body(r, &ed);
}

/* ------------------------------------------------------------------ delete */

void
sources_submit_delete(struct req *r, const struct sources_gone *from,
    void (*done)(struct req *r, struct op *op))
{
	struct op *op = op_with(sources_delete_op, from, sizeof(*from));
	struct sources_gone *g = op->in;

	g->now_ms = clock_now_ms();
	g->zone = r->ctl->settings.timezone;
	req_submit(r, op, done);
}

/* M-163: which schedules have to let go of it first. */
static void
answer_in_use(struct req *r, const struct err *e, const struct sources_users *u)
{
	struct json_doc d;
	size_t i;

	json_doc_init(&d, KIB(64));
	json_put(&d.j, "code", e->code);
	json_put(&d.j, "message", e->msg);
	json_arr(&d.j, "schedules");
	for (i = 0; i < u->n; i++) {
		json_obj(&d.j, NULL);
		json_put_ulid(&d.j, "id", &u->ids[i]);
		json_put(&d.j, "cron", u->crons[i]);
		json_obj_end(&d.j);
	}
	json_arr_end(&d.j);
	req_doc(r, 409, &d);
	json_doc_fini(&d);
}

void
sources_tell_deleted(struct controller *c, const struct sources_gone *g)
{
	sources_tell(c, &g->host);
	courier_wake(c->courier, &g->host);
	if (g->had_hooks)
		hooks_forget(c, &g->host, &g->group);
}

static void
sources_on_deleted(struct req *r, struct op *op)
{
	const struct sources_gone *g = op->in;
	const struct sources_users *u = op->out;

	if (op->err.rc == RC_OK) {
		sources_tell_deleted(r->ctl, g);
		req_empty(r, 204);
	} else if (op->err.rc == RC_CONFLICT && u != NULL && u->n > 0) {
		answer_in_use(r, &op->err, u);
	} else {
		req_fail(r, &op->err);
	}
}

void
sources_delete(struct req *r)
{
	struct sources_gone g = { .zone = NULL };

	if (need_group(r, &g.host, &g.group))
		sources_submit_delete(r, &g, sources_on_deleted);
}
