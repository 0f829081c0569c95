/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an operator starts on a host's repository: forget, prune, check, unlock
 * (M-216), and trying it by an init, which takes one that is there for success;
 * never by itself after a failure (M-241). */
#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/creds.h"
#include "controller/jobs.h"
#include "controller/jobs_own.h"
#include "controller/op.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/store/job_store.h"

enum {
	CONFIRM_MAX = 255
};

struct reinit_in {
	char *confirm;
};

/* clang-format off */
static const struct json_field reinit_fields[] = {
	{ "confirm", JSON_STR, JSON_REQUIRED, 0, CONFIRM_MAX, offsetof(struct reinit_in, confirm), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json jobs_reinit_body = { reinit_fields,
	ARRAY_LEN(reinit_fields), sizeof(struct reinit_in) };

static void
refuse(struct req *r, const char *param, const struct err *e)
{
	if (r->wants_html)
		creds_page_again(r, param, e);
	else
		req_fail(r, e);
}

static void
jobs_on_tried(struct req *r, struct op *op)
{
	const struct jobs_wish *w = op->in;
	bool confirm = w->confirm != NULL && op->err.rc == RC_INVALID;

	if (op->err.rc != RC_OK) {
		refuse(r, confirm ? "error.reinit" : "error", &op->err);
		return;
	}
	if (!w->old) {
		sse_job_changed(r->ctl->sse, &w->host, &w->job);
		sse_host_changed(r->ctl->sse, &w->host);
	}
	courier_queued(r->ctl->courier, &w->host, &w->job);
	if (r->wants_html)
		req_redirect(r,
		    arena_printf(&r->arena, "/hosts/%.*s/repo?saved=probe",
		        STR_ARG(r->vars[0])));
	else
		jobs_reply(r, w->old ? 200 : 202, &w->job);
}

/* op->in of a job of that kind; NULL: answered. */
static struct jobs_wish *
begin(struct req *r, Rec__JobKind kind, struct op **out)
{
	struct jobs_wish w = { .kind = kind,
		.now_ms = clock_now_ms(),
		.lasts_ms = JOBS_WAIT_MS };

	if (!req_need_ulid(r, 0, "there is no such host", &w.host))
		return NULL;
	w.online = agents_online(r->ctl->agents, &w.host);
	*out = op_with(jobs_run_op, &w, sizeof(w));
	return (*out)->in;
}

static void
try(struct req *r, const char *action, const char *confirm)
{
	struct op *op;
	struct jobs_wish *w = begin(r, REC__JOB_KIND__KIND_INIT, &op);

	if (w == NULL)
		return;
	w->action = action;
	w->confirm = op_keep(op, confirm);
	req_submit(r, op, jobs_on_tried);
}

void
jobs_repo_probe(struct req *r)
{
	try(r, "host.repo_probe", NULL);
}

void
jobs_repo_reinit(struct req *r)
{
	const struct reinit_in *in = r->in;

	/* A form without the field has typed nothing. */
	try(r, "host.repo_reinit",
	    in != NULL
	        ? in->confirm
	        : arena_str(&r->arena, str_trim(req_field(r, "confirm"))));
}

/* ------------------------------------------------------------- maintenance */

static void
jobs_on_upkeep(struct req *r, struct op *op)
{
	const struct jobs_wish *w = op->in;

	if (op->err.rc != RC_OK) {
		refuse(r, "error", &op->err);
		return;
	}
	if (!w->old) {
		sse_job_changed(r->ctl->sse, &w->host, &w->job);
		sse_host_changed(r->ctl->sse, &w->host);
	}
	courier_queued(r->ctl->courier, &w->host, &w->job);
	jobs_reply(r, w->old ? 200 : 202, &w->job);
}

/* The kind is the address's last word. */
void
jobs_repo_maintain(struct req *r)
{
	Rec__JobKind kind =
	    job_kind_parse(str_of(strrchr(r->route->pattern, '/') + 1));
	struct op *op;
	struct jobs_wish *w = begin(r, kind, &op);

	if (w == NULL)
		return;
	/* What is no number leaves it to what is stored. */
	if (kind == REC__JOB_KIND__KIND_CHECK)
		w->subset_given =
		    jobs_subset(req_query(r, "subset"), &w->subset_pct) ||
		    jobs_subset(req_field(r, "subset"), &w->subset_pct);
	req_submit(r, op, jobs_on_upkeep);
}
