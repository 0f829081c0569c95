/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A schedule's source groups, once and now. */
#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/jobs_own.h"
#include "controller/page.h"
#include "controller/pb.h"
#include "controller/plan.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/schedules.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"
#include "lib/store/schedule_store.h"
#include "lib/store/store.h"

struct run_in {
	bool confirm;
	struct jobs_caps_in caps;
};

/* clang-format off */
static const struct json_field run_fields[] = {
	{ "confirm", JSON_BOOL, JSON_NULL_OK, 0, 0, offsetof(struct run_in, confirm), 0, JSON_NO_SEEN },
	{ "bandwidth_up_kbps", JSON_INT, JSON_NULL_ABSENT, 0, JOBS_KBPS_MAX, offsetof(struct run_in, caps.up_kbps), 0, offsetof(struct run_in, caps.up_seen) },
	{ "bandwidth_down_kbps", JSON_INT, JSON_NULL_ABSENT, 0, JOBS_KBPS_MAX, offsetof(struct run_in, caps.down_kbps), 0, offsetof(struct run_in, caps.down_seen) },
};
/* clang-format on */

const struct route_json schedules_run_body = { run_fields,
	ARRAY_LEN(run_fields), sizeof(struct run_in) };

/* op->in */
struct run {
	struct ulid schedule;
	struct jobs_wish wish; /* of each group: the host, its caps */
	bool confirmed;
	/* out */
	bool paused; /* and that is why nothing was started */
	size_t n;
	struct {
		struct ulid group, job;
		bool old; /* it waited already */
		bool other_limits;
	} jobs[PLAN_GROUPS_MAX];
	bool other_limits; /* of any */
};

static enum rc
run_group(struct store_tx *state, const struct op *op, struct run *run,
    const ProtobufCBinaryData *group)
{
	struct jobs_wish w = run->wish;

	if (!pb_id_get(group, &w.group))
		return store_fail(state, RC_CORRUPT,
		    "the schedule is damaged: save it anew");
	if (jobs_run_alone(state, op, &w) != RC_OK)
		return store_rc(state);
	run->jobs[run->n].group = w.group;
	run->jobs[run->n].job = w.job;
	run->jobs[run->n].other_limits = w.other_limits;
	run->other_limits |= w.other_limits;
	run->jobs[run->n++].old = w.old;
	return RC_OK;
}

static enum rc
run_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct run *run = op->in;
	const struct Rec__Schedule *s =
	    schedule_store_get(state, &run->wish.host, &run->schedule);
	size_t i;

	(void)vault;
	if (s == NULL)
		return store_rc(state);
	run->paused = !s->enabled && !run->confirmed;
	if (run->paused)
		return store_fail_code(state, RC_CONFLICT, "schedule_paused",
		    "this schedule is paused: confirm that it is to run once "
		    "all the same");
	for (i = 0; i < s->n_group_ids && i < PLAN_GROUPS_MAX; i++)
		if (run_group(state, op, run, &s->group_ids[i]) != RC_OK)
			break;
	return store_rc(state);
}

/* ----------------------------------------------------------------- answers */

static void
answer_json(struct req *r, const struct run *run, size_t old)
{
	char id[ULID_TEXT_CAP];
	struct json_doc doc;
	size_t i;

	json_doc_init(&doc, KIB(64));
	json_arr(&doc.j, "jobs");
	for (i = 0; i < run->n; i++) {
		ulid_text(&run->jobs[i].job, id);
		json_obj(&doc.j, NULL);
		json_put_ulid(&doc.j, "source_group_id", &run->jobs[i].group);
		json_put(&doc.j, "job_id", id);
		json_put(&doc.j, "job_url",
		    arena_printf(&r->arena, "/jobs/%s", id));
		json_put_bool(&doc.j, "waited_already", run->jobs[i].old);
		json_put_bool(&doc.j, "other_limits",
		    run->jobs[i].other_limits);
		json_obj_end(&doc.j);
	}
	json_arr_end(&doc.j);
	req_doc(r, old < run->n ? 202 : 200, &doc);
	json_doc_fini(&doc);
}

/* One group leads to its job, several stay on the list (M-185). */
static void
answer_html(struct req *r, const struct run *run, size_t old)
{
	if (run->n == 1)
		jobs_reply_run(r,
		    &(const struct jobs_wish){ .job = run->jobs[0].job,
		        .other_limits = run->other_limits });
	else
		req_redirect(r,
		    arena_printf(&r->arena,
		        "/hosts/%.*s/schedules?ran=%.*s&started=%zu&"
		        "waiting=%zu%s",
		        STR_ARG(r->vars[0]), STR_ARG(r->vars[1]), run->n - old,
		        old,
		        run->other_limits ? "&saved=" JOBS_SAVED_WAITS : ""));
}

static void
refuse(struct req *r, const struct run *run, const struct err *e)
{
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "error", str_of(arena_dup(&r->arena, e->msg)) },
	};

	if (!r->wants_html)
		req_fail(r, e);
	else if (run->paused && e->rc != RC_NOTFOUND)
		req_redirect(r, arena_printf(&r->arena,
		                    "/hosts/%.*s/schedules?confirm=%.*s",
		                    STR_ARG(r->vars[0]), STR_ARG(r->vars[1])));
	else
		page_refused(r, "host_schedules", params, ARRAY_LEN(params), e);
}

static void
schedules_on_run(struct req *r, struct op *op)
{
	const struct run *run = op->in;
	size_t i, old = 0;

	if (op->err.rc != RC_OK) {
		refuse(r, run, &op->err);
		return;
	}
	for (i = 0; i < run->n; i++) {
		courier_queued(r->ctl->courier, &run->wish.host,
		    &run->jobs[i].job);
		old += run->jobs[i].old;
		if (!run->jobs[i].old)
			sse_job_changed(r->ctl->sse, &run->wish.host,
			    &run->jobs[i].job);
	}
	sse_host_changed(r->ctl->sse, &run->wish.host);
	if (r->wants_html)
		answer_html(r, run, old);
	else
		answer_json(r, run, old);
}

void
schedules_run(struct req *r)
{
	const struct run_in *in = r->in;
	static const char none[] = "there is no such schedule";
	struct run run = { .wish = { .kind = REC__JOB_KIND__KIND_BACKUP,
		               .now_ms = clock_now_ms(),
		               .lasts_ms = JOBS_WAIT_MS } };
	struct err e;

	if (!req_need_ulid(r, 0, none, &run.wish.host) ||
	    !req_need_ulid(r, 1, none, &run.schedule))
		return;
	if (jobs_caps(r, in != NULL ? &in->caps : NULL, &run.wish, &e) !=
	    RC_OK) {
		req_fail(r, &e);
		return;
	}
	run.confirmed =
	    in != NULL ? in->confirm : str_eqz(req_field(r, "confirm"), "1");
	run.wish.online = agents_online(r->ctl->agents, &run.wish.host);
	req_submit(r, op_with(run_op, &run, sizeof(run)), schedules_on_run);
}
