/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/courier.h"

#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier_run.h"
#include "controller/ingest.h"
#include "controller/jobs.h"
#include "controller/jobs_own.h"
#include "controller/lease.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

enum {
	RESEND_MS = 10000, /* sent and not answered */
	CANCEL_MS = 2000,
	BUSY_MS = 15000, /* the agent has a run of its own */
	GATE_MS = 2000,  /* others work on the repository: asked so often */
	CALM_MS = 30000, /* all waits for a job's end, which is told */
	VISITS = 64,     /* hosts in one turn of the loop */
	NEWEST = 20,     /* jobs that may have come since the last look */
	OPEN_MAX = 1000
};

/* One host's errands. */
struct errand {
	struct list woken;
	struct list waiting; /* while it has open jobs: the tick looks */
	struct ulid host;
	struct ulid *open; /* jobs that have not ended, oldest first */
	size_t count;
	struct ulid sent; /* the run command under way */
	int64_t sent_ms;  /* monotonic; 0: not sent on this connection */
	int64_t cancel_ms;
	int64_t busy_until_ms;
	/* Until then what its repository held up still waits. */
	int64_t gate_ms;
	int64_t calm_ms; /* until then the tick passes it over */
	bool marking;    /* an op stores that it is being sent, or cannot be */
};

struct courier {
	struct controller *ctl;
	struct map *errands;
	struct list woken;
	struct list waiting;
	bool deferred;
};

/* ------------------------------------------------------------ open jobs */

static struct errand *
errand_get(struct courier *k, const struct ulid *host)
{
	struct str key = str_from(host->b, sizeof(host->b));
	struct errand *er = map_get(k->errands, key);

	if (er == NULL) {
		er = MEM_NEW(struct errand);
		er->host = *host;
		map_put(k->errands, key, er);
	}
	return er;
}

/* Keeps the order of the ids, which is that of time. */
static void
open_add(struct errand *er, const struct ulid *job)
{
	size_t at = er->count;
	int d;

	while (at > 0) {
		d = memcmp(er->open[at - 1].b, job->b, sizeof(job->b));
		if (d == 0)
			return;
		if (d < 0)
			break;
		at--;
	}
	if (er->count == OPEN_MAX)
		return; /* found again when others have ended */
	er->open = mem_realloc(er->open, (er->count + 1) * sizeof(*er->open));
	memmove(er->open + at + 1, er->open + at,
	    (er->count - at) * sizeof(*er->open));
	er->open[at] = *job;
	er->count++;
}

static bool
courier_on_new(void *ctx, const struct Rec__Job *j)
{
	struct ulid id;

	if (!job_state_final(j->state) && pb_id_get(&j->id, &id))
		open_add(ctx, &id);
	return true;
}

static bool
courier_on_start(void *ctx, const struct Rec__Job *j)
{
	struct ulid host;

	if (pb_id_get(&j->host_id, &host))
		courier_on_new(errand_get(ctx, &host), j);
	return true;
}

struct courier *
courier_new(struct controller *c)
{
	struct courier *k = MEM_NEW(struct courier);
	struct store_tx *tx;
	struct arena arena;

	k->ctl = c;
	k->errands = map_new();
	list_init(&k->woken);
	list_init(&k->waiting);
	arena_init(&arena, GIB(1));
	tx = store_begin_read(c->state, &arena);
	job_store_in_state(tx, REC__JOB_STATE__JOB_QUEUED, courier_on_start, k);
	job_store_in_state(tx, REC__JOB_STATE__JOB_RUNNING, courier_on_start,
	    k);
	if (store_rc(tx) != RC_OK)
		log_error(LOG_JOB, "open jobs cannot be read error=%s",
		    log_safe(str_of(store_err(tx)->msg)));
	store_abort(tx);
	arena_fini(&arena);
	return k;
}

void
courier_free(struct courier *k)
{
	struct errand *er;
	struct str key;
	size_t pos = 0;
	void *value;

	if (k == NULL)
		return;
	while (map_next(k->errands, &pos, &key, &value)) {
		er = value;
		mem_free(er->open);
		mem_free(er);
	}
	map_free(k->errands);
	mem_free(k);
}

/* One look at what a host's jobs need. */
struct visit {
	struct courier *k;
	struct errand *er;
	struct store_tx *tx;
	const struct Rec__Host *host;
	int64_t now_ms;
	bool occupied; /* the agent has a job */
	bool pending;  /* something is to be sent, now or again */
};

/* -------------------------------------------------------------- sending */

static bool
send_cancel(struct courier *k, struct errand *er, const struct ulid *job)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__Command cmd = WIRE__COMMAND__INIT;
	Wire__CommandCancel c = WIRE__COMMAND_CANCEL__INIT;
	char id[ULID_TEXT_CAP];

	ulid_text(job, id);
	c.job_id = id;
	cmd.body_case = WIRE__COMMAND__BODY_CANCEL;
	cmd.cancel = &c;
	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_COMMAND;
	m.command = &cmd;
	return agents_send(k->ctl->agents, &er->host, &m);
}

static bool
send_command(struct courier *k, struct errand *er, Wire__CommandRun *c)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__Command cmd = WIRE__COMMAND__INIT;

	cmd.body_case = WIRE__COMMAND__BODY_RUN;
	cmd.run = c;
	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_COMMAND;
	m.command = &cmd;
	return agents_send(k->ctl->agents, &er->host, &m);
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
		er->busy_until_ms = clock_mono_ms() + RESEND_MS;
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

static bool
send_run(struct visit *v, const struct ulid *job, const struct Rec__Job *j)
{
	struct courier_run from = { .state = v->tx,
		.key = v->k->ctl->key,
		.host = v->host,
		.job = j };
	Wire__CommandRun c;
	bool sent = false;
	struct err e;
	enum rc rc;

	from.vault = store_begin_read(v->k->ctl->vault, store_arena(v->tx));
	rc = courier_run_make(&from, &c, &e);
	if (rc == RC_OK)
		sent = send_command(v->k, v->er, &c);
	else if (rc == RC_CONFLICT)
		close_job(v->k, v->er, job, &e);
	else
		log_warn(LOG_JOB, "a command cannot be made error=%s",
		    log_safe(str_of(e.msg)));
	courier_run_wipe(&c);
	store_abort(from.vault);
	return sent;
}

/* ---------------------------------------------------------------- marks */

/* Before the first sending the job says so: a cancel must know whether the
 * agent may have it, and others of its repository that it is at work there. */
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

	(void)vault;
	if (j == NULL || h == NULL || j->state != REC__JOB_STATE__JOB_QUEUED ||
	    j->sent_at_ms != 0)
		return store_rc(state);
	if (lease_take(state, h, j, m->now_ms)) {
		j->sent_at_ms = m->now_ms;
		j->blocked = pb_text("");
	} else {
		j->blocked = pb_text(JOBS_BUSY);
	}
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
		er->busy_until_ms = clock_mono_ms() + RESEND_MS;
		return;
	}
	sse_job_changed(k->ctl->sse, &m->host, &m->job);
	courier_wake(k, &m->host);
}

static void
mark_sent(struct courier *k, struct errand *er, const struct ulid *job)
{
	struct op *op = op_new(mark_op, courier_on_marked, k);
	struct mark *m = arena_alloc(&op->arena, sizeof(*m));

	ASSERT(m != NULL);
	*m = (struct mark){ k, er->host, *job, clock_now_ms() };
	op->in = m;
	er->marking = true;
	op_submit(k->ctl->ops, &op);
}

/* --------------------------------------------------------------- visits */

static void
visit_cancel(struct visit *v, const struct ulid *job)
{
	if (v->er->cancel_ms != 0 && v->now_ms - v->er->cancel_ms < CANCEL_MS)
		return;
	if (send_cancel(v->k, v->er, job))
		v->er->cancel_ms = v->now_ms;
}

/* False: work of others on its repository has to end first, and what is
 * behind it may go meanwhile.  The job says so, too. */
static bool
may_go(struct visit *v, const struct ulid *job, const struct Rec__Job *j)
{
	bool noted = j->blocked[0] != '\0';

	if (j->sent_at_ms != 0)
		return true;
	if (noted && v->now_ms < v->er->gate_ms)
		return false;
	if (lease_free(v->tx, v->host, j, clock_now_ms()))
		return true;
	v->er->gate_ms = v->now_ms + GATE_MS;
	if (!noted && !v->er->marking)
		mark_sent(v->k, v->er, job);
	return false;
}

static void
visit_queued(struct visit *v, const struct ulid *job, const struct Rec__Job *j)
{
	struct errand *er = v->er;

	if (er->marking || v->now_ms < er->busy_until_ms)
		return;
	if (ulid_eq(&er->sent, job) && er->sent_ms != 0 &&
	    v->now_ms - er->sent_ms < RESEND_MS)
		return;
	if (j->sent_at_ms == 0) {
		if (agents_online(v->k->ctl->agents, &er->host))
			mark_sent(v->k, er, job);
		return;
	}
	if (!send_run(v, job, j))
		return;
	er->sent = *job;
	er->sent_ms = v->now_ms;
}

/* False: it has ended. */
static bool
visit_job(struct visit *v, const struct ulid *job)
{
	const struct Rec__Job *j = job_store_find(v->tx, job);

	if (j == NULL)
		return store_rc(v->tx) != RC_OK;
	if (job_state_final(j->state))
		return false;
	if (rules_with_agent(j)) {
		v->occupied = true;
		v->pending |= j->cancel_requested;
		if (j->cancel_requested)
			visit_cancel(v, job);
	} else if (!v->occupied) {
		v->pending = true;
		v->occupied = may_go(v, job, j);
		if (v->occupied)
			visit_queued(v, job, j);
	}
	return true;
}

/* An agent's own run may be younger than what is queued. */
static bool
agent_is_occupied(struct visit *v)
{
	const struct Rec__Job *j;
	size_t n;

	for (n = 0; n < v->er->count; n++) {
		j = job_store_find(v->tx, &v->er->open[n]);
		if (j != NULL && rules_with_agent(j))
			return true;
	}
	return false;
}

static void
errand_visit(struct courier *k, struct errand *er)
{
	struct visit v = { .k = k, .er = er, .now_ms = clock_mono_ms() };
	struct arena arena;
	size_t n, kept = 0;

	arena_init(&arena, MIB(64));
	v.tx = store_begin_read(k->ctl->state, &arena);
	job_store_open_of_host(v.tx, &er->host, NEWEST, courier_on_new, er);
	v.host = host_store_find(v.tx, &er->host);
	v.occupied = v.host == NULL || agent_is_occupied(&v);
	for (n = 0; n < er->count; n++)
		if (visit_job(&v, &er->open[n]))
			er->open[kept++] = er->open[n];
	er->count = kept;
	er->calm_ms =
	    v.pending || store_rc(v.tx) != RC_OK ? 0 : v.now_ms + CALM_MS;
	store_abort(v.tx);
	arena_fini(&arena);
	if (kept == 0)
		list_del(&er->waiting);
	else if (!list_linked(&er->waiting))
		list_append(&k->waiting, &er->waiting);
}

static void courier_on_deferred(void *ctx);

static void
defer(struct courier *k)
{
	if (k->deferred)
		return;
	k->deferred = true;
	loop_defer(k->ctl->loop, courier_on_deferred, k);
}

/* All hosts at once may have jobs: the others are for later turns. */
static void
courier_on_deferred(void *ctx)
{
	struct courier *k = ctx;
	struct list *el;
	unsigned n = 0;

	k->deferred = false;
	while (n++ < VISITS && (el = list_take(&k->woken)) != NULL)
		errand_visit(k, LIST_ENTRY(el, struct errand, woken));
	if (!list_empty(&k->woken))
		defer(k);
}

static void
wake(struct courier *k, struct errand *er)
{
	if (!list_linked(&er->woken))
		list_append(&k->woken, &er->woken);
	defer(k);
}

void
courier_wake(struct courier *k, const struct ulid *host)
{
	wake(k, errand_get(k, host));
}

void
courier_queued(struct courier *k, const struct ulid *host,
    const struct ulid *job)
{
	struct errand *er = errand_get(k, host);

	open_add(er, job);
	wake(k, er);
}

void
courier_send(struct courier *k, const struct ulid *host, const struct ulid *job)
{
	struct errand *er = errand_get(k, host);

	open_add(er, job);
	if (list_linked(&er->woken))
		list_del(&er->woken);
	errand_visit(k, er);
}

void
courier_hello(struct courier *k, const struct ulid *host)
{
	struct errand *er = errand_get(k, host);

	er->sent_ms = er->cancel_ms = er->busy_until_ms = 0;
	wake(k, er);
}

void
courier_forget(struct courier *k, const struct ulid *host,
    const struct ulid *job)
{
	struct errand *er = errand_get(k, host);

	if (!ulid_is_zero(job) && !send_cancel(k, er, job))
		log_info(LOG_JOB, "a deleted host's job cannot be cancelled");
	if (list_linked(&er->woken))
		list_del(&er->woken);
	if (list_linked(&er->waiting))
		list_del(&er->waiting);
	(void)map_del(k->errands, str_from(host->b, sizeof(host->b)));
	mem_free(er->open);
	mem_free(er);
}

void
courier_tick(struct courier *k)
{
	int64_t now = clock_mono_ms();
	struct list *el, *tmp;

	LIST_FOREACH(el, tmp, &k->waiting)
	{
		struct errand *er = LIST_ENTRY(el, struct errand, waiting);

		if (now >= er->calm_ms &&
		    agents_online(k->ctl->agents, &er->host))
			wake(k, er);
	}
}

/* -------------------------------------------------------------- answers */

static void
courier_on_answered(struct op *op, void *ctx)
{
	struct courier *k = ctx;
	const struct jobs_answer *a = op->in;

	if (op->err.rc != RC_OK) {
		log_warn(LOG_JOB, "an agent's answer is not stored error=%s",
		    log_safe(str_of(op->err.msg)));
		return; /* asked again */
	}
	sse_job_changed(k->ctl->sse, &a->host, &a->job);
	sse_host_changed(k->ctl->sse, &a->host);
	courier_wake(k, &a->host);
}

static void
store_answer(struct courier *k, const struct ulid *host, const struct ulid *job,
    const struct Wire__CommandResult *r)
{
	struct op *op = op_new(jobs_answer_op, courier_on_answered, k);
	struct jobs_answer *a = arena_alloc(&op->arena, sizeof(*a));

	ASSERT(a != NULL);
	a->host = *host;
	a->job = *job;
	a->accepted = r->accepted;
	a->error = pb_keep(&op->arena, r->error, 200);
	a->now_ms = clock_now_ms();
	a->zone = k->ctl->settings.timezone;
	op->in = a;
	op_submit(k->ctl->ops, &op);
}

void
courier_result(struct courier *k, const struct ulid *host,
    const struct Wire__CommandResult *r)
{
	struct errand *er = errand_get(k, host);
	struct ulid job;

	if (!ulid_parse(str_of(r->job_id), &job)) {
		log_debug(LOG_JOB, "answer for a job id that is none");
		return;
	}
	if (!r->accepted && strcmp(r->error, "busy") == 0) {
		er->busy_until_ms = clock_mono_ms() + BUSY_MS;
		er->sent_ms = 0;
		return;
	}
	if (r->accepted)
		ingest_accepted(k->ctl->ingest, host, &job);
	store_answer(k, host, &job, r);
}
