/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/jobs and GET /api/hosts/{id}/jobs.  lib/store/job_query.h says what it costs. */
#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/jobs.h"
#include "controller/jobs_own.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "lib/base/clock.h"
#include "lib/store/host_store.h"
#include "lib/store/job_query.h"

enum {
	PAGE_SIZE = 50,
	HOST_PAGE_SIZE =
	    100, /* as many as there were before there were pages */
	PAGE_MAX = 500,
	ANSWER_MAX = 16 << 20,
	RECORDS_MAX = 64 << 20 /* of a page, unpacked */
};

struct asked {
	struct job_query q;
	struct str text;
	struct ulid host;
	bool one_host;
	uint64_t page, per_page;
};

/* ------------------------------------------------------------- the question */

static enum rc
bad(struct err *e, const char *name, const char *what)
{
	return err_set(e, RC_INVALID, "%s: %s", name, what);
}

static enum rc
read_state(struct req *r, struct asked *a, struct err *e)
{
	struct str state = req_query(r, "state");
	enum job_look look = job_look_parse(state);

	if (state.n == 0)
		return RC_OK;
	if (look == JOB_LOOK_NONE)
		return bad(e, "state",
		    "one of queued, running, succeeded, incomplete, failed, "
		    "cancelled");
	a->q.looks = 1U << look;
	/* As the member "status": it succeeded, if incompletely. */
	if (look == JOB_LOOK_SUCCEEDED)
		a->q.looks |= 1U << JOB_LOOK_INCOMPLETE;
	return RC_OK;
}

static enum rc
read_kind_and_host(struct req *r, struct asked *a, struct err *e)
{
	struct str kind = req_query(r, "kind"), host = req_query(r, "host");

	a->q.kind = job_kind_parse(kind);
	if (kind.n > 0 && a->q.kind == REC__JOB_KIND__KIND_UNKNOWN)
		return bad(e, "kind", "there is no such kind of job");
	a->one_host = host.n > 0;
	if (a->one_host && !ulid_parse(host, &a->host))
		return bad(e, "host", "the id of a host");
	a->text = str_trim(req_query(r, "q"));
	if (a->text.n > JOB_QUERY_TEXT_MAX)
		return bad(e, "q", "at most 200 bytes");
	return RC_OK;
}

static enum rc
read_time(struct req *r, const char *name, int64_t *out, struct err *e)
{
	struct str text = req_query(r, name);

	if (text.n > 0 && !clock_parse(text, out))
		return bad(e, name, "a time like 2026-11-20T20:43:11Z");
	return RC_OK;
}

static enum rc
read_number(struct req *r, const char *name, uint64_t max, uint64_t *out,
    struct err *e)
{
	struct str text = req_query(r, name);

	if (text.n == 0)
		return RC_OK;
	if (!str_u64(text, max, out) || *out == 0)
		return err_set(e, RC_INVALID,
		    "%s: a whole number from 1 to %llu", name,
		    (unsigned long long)max);
	return RC_OK;
}

static enum rc
read_page(struct req *r, struct asked *a, struct err *e)
{
	if (read_number(r, "page", JOB_QUERY_REACH, &a->page, e) != RC_OK ||
	    read_number(r, "per_page", PAGE_MAX, &a->per_page, e) != RC_OK)
		return e->rc;
	a->q.skip = (a->page - 1) * a->per_page;
	a->q.max = a->per_page;
	if (a->q.skip >= JOB_QUERY_REACH)
		return bad(e, "page",
		    "only the first 10000 can be paged through; ask for "
		    "older ones with until");
	return RC_OK;
}

static enum rc
read_question(struct req *r, struct asked *a, struct err *e)
{
	if (read_state(r, a, e) != RC_OK ||
	    read_kind_and_host(r, a, e) != RC_OK ||
	    read_time(r, "since", &a->q.since_ms, e) != RC_OK ||
	    read_time(r, "until", &a->q.until_ms, e) != RC_OK)
		return e->rc;
	return read_page(r, a, e);
}

/* --------------------------------------------------------------- the answer */

static bool
jobs_on_found(void *ctx, const struct Rec__Job *job)
{
	struct jobs_listing *a = ctx;
	const struct Rec__Host *h = NULL;
	struct ulid host;

	if (pb_id_get(&job->host_id, &host))
		h = host_store_find(a->tx, &host);
	json_obj(a->j, NULL);
	jobs_json_members(a, job);
	if (h == NULL)
		json_put_null(a->j, "host_name");
	else
		json_put(a->j, "host_name", h->name);
	json_obj_end(a->j);
	return true;
}

static void
put_answer(struct jobs_listing *out, struct asked *a)
{
	struct job_found found;

	if (a->text.n > 0)
		job_query_by_text(out->tx, a->text, &a->q);
	if (a->one_host)
		job_query_by_host(out->tx, &a->host, &a->q);
	json_arr(out->j, "items");
	job_query(out->tx, &a->q, &found, jobs_on_found, out);
	json_arr_end(out->j);
	json_put_uint(out->j, "total", found.total);
	json_put_bool(out->j, "more", found.more);
	json_put_time(out->j, "looked_back_to", found.back_to_ms);
	json_put_uint(out->j, "page", a->page);
	json_put_uint(out->j, "per_page", a->per_page);
}

static void
answer(struct req *r, struct asked *a)
{
	struct jobs_listing out;
	struct answer an;

	out.j = answer_begin(&an, r, ANSWER_MAX, RECORDS_MAX);
	out.tx = an.tx;
	put_answer(&out, a);
	answer_end(&an, 200);
}

void
jobs_fleet(struct req *r)
{
	struct asked a = { .page = 1, .per_page = PAGE_SIZE };
	struct err e;

	if (read_question(r, &a, &e) == RC_OK)
		answer(r, &a);
	else
		req_fail(r, &e);
}

static bool
host_is_there(struct req *r, const struct ulid *host, struct err *e)
{
	struct store_tx *tx = store_begin_read(r->ctl->state, &r->arena);
	bool found = host_store_get(tx, host) != NULL;

	if (!found)
		*e = *store_err(tx);
	store_abort(tx);
	return found;
}

void
jobs_list(struct req *r)
{
	struct asked a = { .page = 1, .per_page = HOST_PAGE_SIZE };
	struct ulid host;
	struct err e;

	if (!req_need_ulid(r, 0, "there is no host with this id", &host))
		return;
	if (req_query(r, "before").n > 0) {
		jobs_list_before(r);
	} else if (!host_is_there(r, &host, &e) ||
	           read_question(r, &a, &e) != RC_OK) {
		req_fail(r, &e);
	} else {
		a.one_host = true;
		a.host = host;
		answer(r, &a);
	}
}
