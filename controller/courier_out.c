/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/courier.h"

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier_own.h"
#include "controller/courier_run.h"
#include "controller/jobs.h"
#include "controller/jobs_own.h"
#include "controller/lease.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

/* ---------------------------------------------------------------- sending */

static bool
send_command(struct courier *k, struct errand *er, Wire__Command *cmd)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;

	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_COMMAND;
	m.command = cmd;
	return agents_send(k->ctl->agents, &er->host, &m);
}

bool
errand_cancel(struct courier *k, struct errand *er, const struct ulid *job)
{
	Wire__Command cmd = WIRE__COMMAND__INIT;
	Wire__CommandCancel c = WIRE__COMMAND_CANCEL__INIT;
	char id[ULID_TEXT_CAP];

	ulid_text(job, id);
	c.job_id = id;
	cmd.body_case = WIRE__COMMAND__BODY_CANCEL;
	cmd.cancel = &c;
	return send_command(k, er, &cmd);
}

bool
errand_waits(struct courier *k, struct errand *er, const struct Rec__Job *j)
{
	Wire__Command cmd = WIRE__COMMAND__INIT;
	Wire__CommandWaits w = WIRE__COMMAND_WAITS__INIT;

	w.waited_ms = clock_now_ms() - j->created_at_ms;
	cmd.body_case = WIRE__COMMAND__BODY_WAITS;
	cmd.waits = &w;
	return send_command(k, er, &cmd);
}

/* What cannot be run any more ends as failed. */
static void
courier_on_closed(struct op *op, void *ctx)
{
	const struct jobs_closing *c = op->in;
	struct courier *k = ctx;
	struct errand *er = errand_get(k, &c->host);

	er->marking = false;
	if (op->err.rc != RC_OK) {
		er->busy_until_ms = clock_mono_ms() + COURIER_RESEND_MS;
		return;
	}
	sse_job_changed(k->ctl->sse, &c->host, &c->job);
	sse_host_changed(k->ctl->sse, &c->host);
	courier_wake(k, &c->host);
}

static void
close_job(struct courier *k, struct errand *er, const struct ulid *job,
    const struct err *e)
{
	struct op *op = op_new(jobs_close_op, courier_on_closed, k);
	struct jobs_closing *c = arena_alloc(&op->arena, sizeof(*c));

	ASSERT(c != NULL);
	*c = (struct jobs_closing){ er->host, *job, REC__JOB_STATE__JOB_FAILED,
		e->code, arena_dup(&op->arena, e->msg), clock_now_ms(),
		k->ctl->settings.timezone };
	op->in = c;
	er->marking = true;
	op_submit(k->ctl->ops, &op);
}

bool
errand_run(struct visit *v, const struct ulid *job, const struct Rec__Job *j)
{
	struct courier_run from = { .state = v->tx,
		.key = v->k->ctl->key,
		.host = v->host,
		.job = j,
		.now_ms = clock_now_ms() };
	Wire__Command cmd = WIRE__COMMAND__INIT;
	Wire__CommandRun c;
	bool sent = false;
	struct err e;
	enum rc rc;

	from.vault = store_begin_read(v->k->ctl->vault, store_arena(v->tx));
	cmd.body_case = WIRE__COMMAND__BODY_RUN;
	cmd.run = &c;
	rc = courier_run_make(&from, &c, &e);
	if (rc == RC_OK)
		sent = send_command(v->k, v->er, &cmd);
	else if (rc == RC_CONFLICT)
		close_job(v->k, v->er, job, &e);
	else
		log_warn(LOG_JOB, "a command cannot be made error=%s",
		    log_safe(str_of(e.msg)));
	courier_run_wipe(&c);
	store_abort(from.vault);
	return sent;
}

/* ------------------------------------------------------------------ marks */

struct mark {
	struct courier *courier;
	struct ulid host, job;
	int64_t now_ms;
};

static enum rc
mark_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct mark *m = op->in;
	struct Rec__Job *j = job_store_get(state, &m->job);
	const struct Rec__Host *h = host_store_find(state, &m->host);
	struct ulid by;

	(void)vault;
	if (j == NULL || h == NULL || j->state != REC__JOB_STATE__JOB_QUEUED ||
	    j->sent_at_ms != 0)
		return store_rc(state);
	if (lease_take(state, h, j, m->now_ms, &by)) {
		j->sent_at_ms = m->now_ms;
		j->blocked = pb_text("");
	} else {
		j->blocked = pb_text(JOBS_BUSY);
		lease_turn(state, h, j, m->now_ms);
	}
	j->blocked_by = pb_id(&by);
	job_store_put(state, j);
	return store_rc(state);
}

static void
courier_on_marked(struct op *op, void *ctx)
{
	struct courier *k = ctx;
	const struct mark *m = op->in;
	struct errand *er = errand_get(k, &m->host);

	er->marking = false;
	if (op->err.rc != RC_OK) {
		er->busy_until_ms = clock_mono_ms() + COURIER_RESEND_MS;
		return;
	}
	sse_job_changed(k->ctl->sse, &m->host, &m->job);
	courier_wake(k, &m->host);
}

void
errand_mark(struct courier *k, struct errand *er, const struct ulid *job)
{
	struct op *op = op_new(mark_op, courier_on_marked, k);
	struct mark *m = arena_alloc(&op->arena, sizeof(*m));

	ASSERT(m != NULL);
	*m = (struct mark){ k, er->host, *job, clock_now_ms() };
	op->in = m;
	er->marking = true;
	op_submit(k->ctl->ops, &op);
}
