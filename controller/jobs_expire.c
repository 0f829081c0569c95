/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs that wait no longer for a host that is away. */
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/jobs.h"
#include "controller/jobs_own.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/sse.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"

enum {
	MORE_MS = 60 * 60 * 1000, /* one whose turn is still to come */
	LOOK_ARENA = 16 << 20
};

/* Queued jobs come oldest first, and nobody waits less than a day. */
struct expiring {
	struct store_tx *tx;
	const struct jobs_expiry *x;
	struct ulid jobs[JOBS_EXPIRE_MAX];
	size_t n;
};

static bool
jobs_on_waiting(void *ctx, const struct Rec__Job *j)
{
	struct expiring *e = ctx;

	if (j->created_at_ms > e->x->now_ms - JOBS_WAIT_MS)
		return false;
	if (j->expires_at_ms != 0 && j->expires_at_ms <= e->x->now_ms &&
	    j->sent_at_ms == 0 && pb_id_get(&j->id, &e->jobs[e->n]))
		e->n++;
	return e->n < JOBS_EXPIRE_MAX;
}

/* A host that is there and busy comes to it. */
static bool
will_come(const struct Rec__Host *h)
{
	return h != NULL && h->online && h->current_job.len > 0;
}

static void
expire(struct expiring *e, struct jobs_expiry *x, const struct ulid *job)
{
	struct Rec__Job *j = job_store_find(e->tx, job);
	struct jobs_closing c = { .job = *job,
		.state = REC__JOB_STATE__JOB_CANCELLED,
		.cause = "expired",
		.error = "it waited a day for its host, which did not come "
		         "back",
		.now_ms = x->now_ms,
		.zone = x->zone };

	if (j == NULL || !pb_id_get(&j->host_id, &c.host))
		return;
	if (will_come(host_store_find(e->tx, &c.host))) {
		j->expires_at_ms = x->now_ms + MORE_MS;
		job_store_put(e->tx, j);
		return;
	}
	jobs_close(e->tx, &c);
	x->hosts[x->n] = c.host;
	x->jobs[x->n++] = *job;
}

enum rc
jobs_expire_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct jobs_expiry *x = op->in;
	struct expiring *e = arena_alloc(&op->arena, sizeof(*e));
	size_t i;

	(void)vault;
	ASSERT(e != NULL);
	e->tx = state;
	e->x = x;
	e->n = x->n = 0;
	job_store_in_state(state, REC__JOB_STATE__JOB_QUEUED, jobs_on_waiting,
	    e);
	for (i = 0; i < e->n; i++)
		expire(e, x, &e->jobs[i]);
	return store_rc(state);
}

static void
jobs_on_expired(struct op *op, void *ctx)
{
	const struct jobs_expiry *x = op->in;
	struct controller *c = ctx;
	size_t i;

	if (op->err.rc != RC_OK) {
		log_warn(LOG_JOB, "jobs that waited too long not ended: %s",
		    log_safe(str_of(op->err.msg)));
		return;
	}
	for (i = 0; i < x->n; i++) {
		sse_job_changed(c->sse, &x->hosts[i], &x->jobs[i]);
		sse_host_changed(c->sse, &x->hosts[i]);
		courier_wake(c->courier, &x->hosts[i]);
	}
}

static bool
jobs_on_oldest(void *ctx, const struct Rec__Job *j)
{
	int64_t *created_ms = ctx;

	*created_ms = j->created_at_ms;
	return false;
}

void
jobs_expire_tick(struct controller *c)
{
	int64_t oldest = INT64_MAX, now = clock_now_ms();
	struct jobs_expiry *x;
	struct store_tx *tx;
	struct arena a;
	struct op *op;

	arena_init(&a, LOOK_ARENA);
	tx = store_begin_read(c->state, &a);
	job_store_in_state(tx, REC__JOB_STATE__JOB_QUEUED, jobs_on_oldest,
	    &oldest);
	store_abort(tx);
	arena_fini(&a);
	if (oldest > now - JOBS_WAIT_MS)
		return;
	op = op_new(jobs_expire_op, jobs_on_expired, c);
	x = arena_alloc(&op->arena, sizeof(*x));
	ASSERT(x != NULL);
	x->now_ms = now;
	x->zone = c->settings.timezone;
	op->in = x;
	op_submit(c->ops, &op);
}
