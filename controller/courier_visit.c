/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/courier_own.h"

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/lease.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"

enum {
	CANCEL_MS = 2000,
	GATE_MS = 2000, /* others work on the repository: asked so often */
	NEWEST = 20     /* jobs that may have come since the last look */
};

static bool
courier_on_new(void *ctx, const struct Rec__Job *j)
{
	struct ulid id;

	if (!job_state_final(j->state) && pb_id_get(&j->id, &id))
		errand_open(ctx, &id);
	return true;
}

static void
visit_cancel(struct visit *v, const struct ulid *job)
{
	if (v->er->cancel_ms != 0 && v->now_ms - v->er->cancel_ms < CANCEL_MS)
		return;
	if (errand_cancel(v->k, v->er, job))
		v->er->cancel_ms = v->now_ms;
}

/* False: work of others on its repository has to end first, and what is
 * behind it may go meanwhile.  The job says so, too. */
static bool
may_go(struct visit *v, const struct ulid *job, const struct Rec__Job *j)
{
	int64_t now = clock_now_ms();
	struct ulid by, noted;

	if (j->sent_at_ms != 0)
		return true;
	if (j->blocked[0] != '\0' && !v->gate)
		return false;
	if (lease_free(v->tx, v->host, j, now, &by))
		return true;
	v->er->gate_ms = v->now_ms + GATE_MS;
	(void)pb_id_get(&j->blocked_by, &noted);
	if (!v->er->marking &&
	    (!ulid_eq(&noted, &by) || lease_turn_due(v->tx, v->host, j, now)))
		errand_mark(v->k, v->er, job);
	return false;
}

static void
visit_queued(struct visit *v, const struct ulid *job, const struct Rec__Job *j)
{
	struct errand *er = v->er;

	if (er->marking || v->now_ms < er->busy_until_ms)
		return;
	if (ulid_eq(&er->sent, job) && er->sent_ms != 0 &&
	    v->now_ms - er->sent_ms < COURIER_RESEND_MS)
		return;
	if (j->sent_at_ms == 0) {
		if (agents_online(v->k->ctl->agents, &er->host))
			errand_mark(v->k, er, job);
		return;
	}
	if (!errand_run(v, job, j))
		return;
	er->sent = *job;
	er->sent_ms = v->now_ms;
}

/* What the agent begins by itself goes behind a job that came before, if it
 * knows of one.  Told once for each thing it does. */
static void
visit_waiting(struct visit *v, const struct Rec__Job *j)
{
	struct errand *er = v->er;
	struct ulid by;

	if (ulid_is_zero(&v->at_work) || ulid_eq(&er->told, &v->at_work) ||
	    !lease_free(v->tx, v->host, j, clock_now_ms(), &by))
		return;
	if (errand_waits(v->k, er, j))
		er->told = v->at_work;
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
	} else {
		visit_waiting(v, j);
	}
	return true;
}

/* An agent's own run may be younger than what is queued.  When it is over
 * there is no reason to call the agent busy any more. */
static void
find_work(struct visit *v)
{
	const struct Rec__Job *j;
	size_t n;

	for (n = 0; n < v->er->count && !v->occupied; n++) {
		j = job_store_find(v->tx, &v->er->open[n]);
		if (j == NULL || !rules_with_agent(j))
			continue;
		v->at_work = v->er->open[n];
		v->er->busy_until_ms = 0;
		v->occupied = true;
	}
}

void
errand_visit(struct courier *k, struct errand *er)
{
	struct visit v = { .k = k, .er = er, .now_ms = clock_mono_ms() };
	struct arena arena;
	size_t n, kept = 0;

	arena_init(&arena, MIB(64));
	v.tx = store_begin_read(k->ctl->state, &arena);
	job_store_open_of_host(v.tx, &er->host, NEWEST, courier_on_new, er);
	v.host = host_store_find(v.tx, &er->host);
	v.gate = v.now_ms >= er->gate_ms;
	v.occupied = v.host == NULL;
	find_work(&v);
	for (n = 0; n < er->count; n++)
		if (visit_job(&v, &er->open[n]))
			er->open[kept++] = er->open[n];
	er->count = kept;
	er->calm_ms = v.pending || store_rc(v.tx) != RC_OK
	                  ? 0
	                  : v.now_ms + COURIER_CALM_MS;
	store_abort(v.tx);
	arena_fini(&arena);
	if (kept == 0)
		list_del(&er->waiting);
	else if (!list_linked(&er->waiting))
		list_append(&k->waiting, &er->waiting);
}
