/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/courier.h"

#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier_own.h"
#include "controller/ingest.h"
#include "controller/jobs.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

enum {
	BUSY_MS = 15000, /* the agent has a run of its own */
	VISITS = 64,     /* hosts in one turn of the loop */
	OPEN_MAX = 1000
};

/* -------------------------------------------------------------- open jobs */

struct errand *
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

void
errand_open(struct errand *er, const struct ulid *job)
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

/* ------------------------------------------------------------------- life */

static bool
courier_on_start(void *ctx, const struct Rec__Job *j)
{
	struct ulid host, id;

	if (pb_id_get(&j->host_id, &host) && pb_id_get(&j->id, &id))
		errand_open(errand_get(ctx, &host), &id);
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

/* ----------------------------------------------------------- what happens */

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

	errand_open(er, job);
	wake(k, er);
}

void
courier_send(struct courier *k, const struct ulid *host, const struct ulid *job)
{
	struct errand *er = errand_get(k, host);

	errand_open(er, job);
	if (list_linked(&er->woken))
		list_del(&er->woken);
	errand_visit(k, er);
}

void
courier_hello(struct courier *k, const struct ulid *host)
{
	struct errand *er = errand_get(k, host);

	er->sent_ms = er->cancel_ms = er->busy_until_ms = 0;
	er->told = (struct ulid){ 0 };
	wake(k, er);
}

void
courier_forget(struct courier *k, const struct ulid *host,
    const struct ulid *job)
{
	struct errand *er = errand_get(k, host);

	if (!ulid_is_zero(job) && !errand_cancel(k, er, job))
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

		if (now < er->calm_ms)
			continue;
		if (agents_online(k->ctl->agents, &er->host))
			wake(k, er);
		else /* its hello is heard */
			er->calm_ms = now + COURIER_CALM_MS;
	}
}

/* ---------------------------------------------------------------- answers */

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
