/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/agents.h"
#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/jobs.h"
#include "controller/jobs_own.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_retry.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/store.h"

enum {
	LIST_MAX = 100,
	ARGS_MAX = 10,
	ARG_MAX = 255
};

#define NO_HOST "there is no host with this id"
#define NO_GROUP "there is no source group with this id"
#define NO_JOB "there is no job with this id"

struct dispatch_in {
	char *kind;
	struct json_strs args;
};

/* clang-format off */
static const struct json_field dispatch_fields[] = {
	{ "kind", JSON_STR,  JSON_REQUIRED, 1, 32, offsetof(struct dispatch_in, kind), 0, JSON_NO_SEEN },
	{ "args", JSON_STRS, JSON_NULL_OK, 0, ARGS_MAX, offsetof(struct dispatch_in, args), ARG_MAX, JSON_NO_SEEN },
};
static const struct json_field run_fields[] = {
	{ "bandwidth_up_kbps",   JSON_INT, JSON_NULL_ABSENT, 0, JOBS_KBPS_MAX, offsetof(struct jobs_caps_in, up_kbps), 0, offsetof(struct jobs_caps_in, up_seen) },
	{ "bandwidth_down_kbps", JSON_INT, JSON_NULL_ABSENT, 0, JOBS_KBPS_MAX, offsetof(struct jobs_caps_in, down_kbps), 0, offsetof(struct jobs_caps_in, down_seen) },
};
/* clang-format on */

const struct route_json jobs_dispatch_body = { dispatch_fields,
	ARRAY_LEN(dispatch_fields), sizeof(struct dispatch_in) };
const struct route_json jobs_run_body = { run_fields, ARRAY_LEN(run_fields),
	sizeof(struct jobs_caps_in) };

/* -------------------------------------------------------------- starting */

static void
reply(struct req *r, int status, const struct jobs_wish *w)
{
	char id[ULID_TEXT_CAP];
	struct json_doc doc;
	char *url;

	ulid_text(&w->job, id);
	url = arena_printf(&r->arena, "/jobs/%s", id);
	if (r->wants_html) {
		req_redirect(r, w->other_limits
		                    ? arena_printf(&r->arena,
		                          "%s?saved=" JOBS_SAVED_WAITS, url)
		                    : url);
		return;
	}
	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "job_id", id);
	json_put(&doc.j, "job_url", url);
	if (w->old && w->kind == REC__JOB_KIND__KIND_BACKUP)
		json_put_bool(&doc.j, "other_limits", w->other_limits);
	req_doc(r, status, &doc);
	json_doc_fini(&doc);
}

void
jobs_reply(struct req *r, int status, const struct ulid *job)
{
	reply(r, status, &(const struct jobs_wish){ .job = *job });
}

void
jobs_reply_run(struct req *r, const struct jobs_wish *w)
{
	reply(r, w->old ? 200 : 202, w);
}

static void
jobs_on_queued(struct req *r, struct op *op)
{
	const struct jobs_wish *w = op->in;

	if (!req_stored(r, op))
		return;
	/* The agent's command leaves before the answer (bench: dispatch). */
	courier_send(r->ctl->courier, &w->host, &w->job);
	if (!w->old) {
		sse_job_changed(r->ctl->sse, &w->host, &w->job);
		sse_host_changed(r->ctl->sse, &w->host);
	}
	jobs_reply_run(r, w);
}

static void
queue(struct req *r, const struct jobs_wish *wish)
{
	struct op *op = op_with(jobs_run_op, wish, sizeof(*wish));
	struct jobs_wish *w = op->in;

	w->group_name = op_keep(op, wish->group_name);
	w->online = agents_online(r->ctl->agents, &w->host);
	w->now_ms = clock_now_ms();
	w->lasts_ms = JOBS_WAIT_MS;
	req_submit(r, op, jobs_on_queued);
}

void
jobs_dispatch(struct req *r)
{
	const struct dispatch_in *in = r->in;
	struct jobs_wish w = { 0 };
	struct err e;

	if (!req_need_ulid(r, 0, NO_HOST, &w.host))
		return;
	w.kind = job_kind_parse(str_of(in->kind));
	if (w.kind == REC__JOB_KIND__KIND_UNKNOWN)
		(void)err_set(&e, RC_INVALID, "there is no job kind '%.32s'",
		    in->kind);
	else if (w.kind > REC__JOB_KIND__KIND_UNLOCK)
		(void)err_set(&e, RC_INVALID,
		    "jobs of kind %s cannot be started here",
		    job_kind_name(w.kind));
	else
		e.rc = RC_OK;
	if (e.rc != RC_OK) {
		req_fail(r, &e);
		return;
	}
	if (in->args.n > 0 && w.kind == REC__JOB_KIND__KIND_CHECK)
		w.subset_given =
		    jobs_subset(str_of(in->args.v[0]), &w.subset_pct);
	else if (in->args.n > 0)
		w.group_name = in->args.v[0];
	queue(r, &w);
}

/* A blank field is no limit of its own, 0 is none (M-199). */
static enum rc
form_kbps(struct req *r, const char *name, bool *given, uint32_t *out,
    struct err *e)
{
	struct str s = str_trim(req_field(r, name));
	uint64_t v = 0;

	if (s.n > 0 && !str_u64(s, JOBS_KBPS_MAX, &v))
		return err_field(e, name,
		    "a bandwidth is a whole number of KiB/s");
	*given = s.n > 0;
	*out = (uint32_t)v;
	return RC_OK;
}

enum rc
jobs_caps(struct req *r, const struct jobs_caps_in *in, struct jobs_wish *w,
    struct err *e)
{
	enum rc rc;

	if (in == NULL) {
		rc = form_kbps(r, "bandwidth_up_kbps", &w->up_given,
		    &w->up_kbps, e);
		return rc != RC_OK ? rc
		                   : form_kbps(r, "bandwidth_down_kbps",
		                         &w->down_given, &w->down_kbps, e);
	}
	w->up_given = in->up_seen;
	w->up_kbps = (uint32_t)in->up_kbps;
	w->down_given = in->down_seen;
	w->down_kbps = (uint32_t)in->down_kbps;
	return RC_OK;
}

void
jobs_run_group(struct req *r)
{
	struct jobs_wish w = { .kind = REC__JOB_KIND__KIND_BACKUP };
	struct err e;

	if (!req_need_ulid(r, 0, NO_GROUP, &w.host) ||
	    !req_need_ulid(r, 1, NO_GROUP, &w.group))
		return;
	if (jobs_caps(r, r->in, &w, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	queue(r, &w);
}

void
jobs_gone(struct req *r)
{
	struct err e;

	(void)err_set(&e, RC_GONE,
	    "this address is gone: a backup starts by POST "
	    "/api/hosts/{id}/source-groups/{gid}/run, and a repository is "
	    "initialised by itself");
	req_fail(r, &e);
}

/* ---------------------------------------------------------------- cancel */

static void
jobs_on_cancelled(struct req *r, struct op *op)
{
	const struct jobs_cancel *c = op->in;

	/* A click that came too late: the page shows how it ended. */
	if (op->err.rc == RC_CONFLICT && r->wants_html) {
		jobs_reply(r, 202, &c->job);
		return;
	}
	if (!req_stored(r, op))
		return;
	sse_job_changed(r->ctl->sse, &c->host, &c->job);
	sse_host_changed(r->ctl->sse, &c->host);
	courier_wake(r->ctl->courier, &c->host);
	jobs_reply(r, 202, &c->job);
}

/* Whether its host can be reached is known on the loop only. */
static bool
job_host(struct req *r, const struct ulid *job, struct ulid *host)
{
	struct store_tx *tx = store_begin_read(r->ctl->state, &r->arena);
	const struct Rec__Job *j = job_store_find(tx, job);
	bool found = j != NULL && pb_id_get(&j->host_id, host);

	store_abort(tx);
	return found;
}

void
jobs_cancel(struct req *r)
{
	struct jobs_cancel c = { .now_ms = clock_now_ms(),
		.zone = r->ctl->settings.timezone };
	struct ulid host;
	struct err e;

	if (!req_need_ulid(r, 0, NO_JOB, &c.job))
		return;
	if (!job_host(r, &c.job, &host)) {
		(void)err_set(&e, RC_NOTFOUND, NO_JOB);
		req_fail(r, &e);
		return;
	}
	c.host_online = agents_online(r->ctl->agents, &host);
	req_submit(r, op_with(jobs_cancel_op, &c, sizeof(c)),
	    jobs_on_cancelled);
}

/* ----------------------------------------------------------------- reading */

void
jobs_stats_json(struct json_out *j, const struct Rec__JobStats *s)
{
	if (s == NULL) {
		json_put_null(j, "stats");
		return;
	}
	json_obj(j, "stats");
	json_put_uint(j, "files_new", s->files_new);
	json_put_uint(j, "files_changed", s->files_changed);
	json_put_uint(j, "files_unmodified", s->files_unmodified);
	json_put_uint(j, "dirs_new", s->dirs_new);
	json_put_uint(j, "dirs_changed", s->dirs_changed);
	json_put_uint(j, "dirs_unmodified", s->dirs_unmodified);
	json_put_uint(j, "data_added", s->data_added);
	json_put_uint(j, "data_added_packed", s->data_added_packed);
	json_put_uint(j, "total_files_processed", s->total_files_processed);
	json_put_uint(j, "total_bytes_processed", s->total_bytes_processed);
	json_put_num(j, "total_duration",
	    (double)s->total_duration_ms / 1000.0);
	json_put(j, "snapshot_id", s->snapshot_id);
	json_obj_end(j);
}

static const char *
actor_name(Rec__ActorKind k)
{
	switch (k) {
	case REC__ACTOR_KIND__ACTOR_USER:
		return "user";
	case REC__ACTOR_KIND__ACTOR_SCHEDULE:
		return "schedule";
	case REC__ACTOR_KIND__ACTOR_SYSTEM:
	case _REC__ACTOR_KIND_IS_INT_SIZE:
		break;
	}
	return "system";
}

static void
put_log(struct json_out *j, const struct Rec__Job *job)
{
	json_obj(j, "log");
	json_put_uint(j, "bytes", job->log_bytes);
	json_put_uint(j, "lines", job->log_lines);
	json_put_bool(j, "truncated", job->log_truncated);
	json_put_bool(j, "closed", job->log_closed);
	json_put_bool(j, "expired", job->log_expired);
	json_put_bool(j, "damaged", job->log_damaged);
	json_obj_end(j);
}

/* Of check and forget. */
static void
put_results(struct json_out *j, const struct Rec__Job *job)
{
	size_t i;

	json_put_uint(j, "check_part", job->check_part);
	json_put_uint(j, "check_of", job->check_of);
	if (job->check == NULL)
		json_put_null(j, "check_errors");
	else
		json_put_uint(j, "check_errors", job->check->errors);
	json_arr(j, "forgot");
	for (i = 0; i < job->n_forgot; i++) {
		json_obj(j, NULL);
		json_put(j, "tag", job->forgot[i]->tag);
		json_put_uint(j, "kept", job->forgot[i]->kept);
		json_put_uint(j, "removed", job->forgot[i]->removed);
		json_obj_end(j);
	}
	json_arr_end(j);
}

void
jobs_json_members(const struct jobs_listing *l, const struct Rec__Job *job)
{
	struct json_out *j = l->j;

	pb_put_id(j, "id", &job->id);
	pb_put_id(j, "host_id", &job->host_id);
	json_put(j, "kind", job_kind_name(job->kind));
	json_put(j, "status", job_state_name(job->state));
	json_put_bool(j, "incomplete", job->incomplete);
	json_put_uint(j, "unread_count", job->unread_count);
	json_put(j, "actor_kind", actor_name(job->actor_kind));
	pb_put_id(j, "actor_id", &job->actor_id);
	pb_put_id(j, "source_group_id", &job->group_id);
	json_put(j, "source_group", job->group_name);
	pb_put_id(j, "schedule_id", &job->schedule_id);
	json_put_time(j, "due_at", job->due_at_ms);
	json_put_uint(j, "attempt", job->attempt);
	json_put_bool(j, "catch_up", job->catch_up);
	json_put_time(j, "retry_at", job_retry_at(l->tx, job, clock_now_ms()));
	json_put_time(j, "created_at", job->created_at_ms);
	json_put_time(j, "accepted_at", job->accepted_at_ms);
	json_put_time(j, "started_at", job->started_at_ms);
	json_put_time(j, "finished_at", job->finished_at_ms);
	if (job_state_final(job->state))
		json_put_int(j, "exit_code", job->exit_code);
	else
		json_put_null(j, "exit_code");
	json_put(j, "error", job->error);
	json_put(j, "cause", job->cause);
	json_put_bool(j, "cancel_requested", job->cancel_requested);
	json_put(j, "blocked", job->blocked);
	pb_put_id(j, "blocked_by", &job->blocked_by);
	json_put_time(j, "expires_at", job->expires_at_ms);
	put_results(j, job);
	json_put(j, "restic_version", job->restic_version);
	jobs_stats_json(j, job->stats);
	put_log(j, job);
}

static bool
jobs_on_listed(void *ctx, const struct Rec__Job *job)
{
	const struct jobs_listing *l = ctx;

	json_obj(l->j, NULL);
	jobs_json_members(l, job);
	json_obj_end(l->j);
	return true;
}

void
jobs_list_before(struct req *r)
{
	struct ulid host, before;
	struct jobs_listing l;
	struct answer an;
	bool older;

	older = ulid_parse(req_query(r, "before"), &before);
	if (!req_need_ulid(r, 0, NO_HOST, &host))
		return;
	l.j = answer_begin(&an, r, MIB(2), MIB(16));
	l.tx = an.tx;
	host_store_need(an.tx, &host);
	json_arr(l.j, "items");
	job_store_of_host(an.tx, &host, older ? &before : NULL, LIST_MAX,
	    jobs_on_listed, &l);
	json_arr_end(l.j);
	answer_end(&an, 200);
}

static void
put_progress(struct json_out *j, struct req *r, const struct ulid *id)
{
	struct store_tx *tx = store_begin_read(r->ctl->live, &r->arena);
	const struct Rec__LiveProgress *p = live_find_progress(tx, id);

	if (p == NULL) {
		json_put_null(j, "progress");
	} else {
		json_obj(j, "progress");
		json_put_num(j, "percent_done", p->percent_done);
		json_put_uint(j, "files_done", p->files_done);
		json_put_uint(j, "total_files", p->total_files);
		json_put_uint(j, "bytes_done", p->bytes_done);
		json_put_uint(j, "total_bytes", p->total_bytes);
		json_put_uint(j, "eta_seconds", p->eta_seconds);
		json_put_uint(j, "throughput_bps", p->throughput_bps);
		json_obj_end(j);
	}
	store_abort(tx);
}

static void
answer_one(struct req *r, struct store_tx *tx, const struct ulid *id,
    const struct Rec__Job *job)
{
	char text[ULID_TEXT_CAP];
	struct json_doc doc;
	const struct jobs_listing l = { tx, &doc.j };

	ulid_text(id, text);
	json_doc_init(&doc, MIB(1));
	jobs_json_members(&l, job);
	put_progress(&doc.j, r, id);
	json_put(&doc.j, "log_txt_url",
	    arena_printf(&r->arena, "/api/jobs/%s/log.txt", text));
	json_put(&doc.j, "log_ndjson_url",
	    arena_printf(&r->arena, "/api/jobs/%s/log.ndjson", text));
	json_put(&doc.j, "stream_url",
	    arena_printf(&r->arena, "/api/jobs/%s/stream", text));
	req_doc(r, 200, &doc);
	json_doc_fini(&doc);
}

void
jobs_get(struct req *r)
{
	const struct Rec__Job *job;
	struct store_tx *tx;
	struct ulid id;

	if (!req_need_ulid(r, 0, NO_JOB, &id))
		return;
	tx = store_begin_read(r->ctl->state, &r->arena);
	job = job_store_get(tx, &id);
	if (job == NULL)
		req_fail(r, store_err(tx));
	else
		answer_one(r, tx, &id, job);
	store_abort(tx);
}
