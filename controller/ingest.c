/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/ingest.h"

#include <string.h>

#include "controller/controller.h"
#include "controller/ingest_own.h"
#include "controller/ingest_wire.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

enum {
	HELLO_JOBS_MAX = 256,
	PRESENT_MAX = 1024,
	/* One job runs a host; older ones than these ended long ago. */
	COMPARE_JOBS = 200
};

static void
ingest_on_retry(void *ctx)
{
	struct ingest *i = ctx;

	i->waiting = false;
	ingest_kick(i);
}

static void
ingest_on_retry_held(void *ctx)
{
	struct ingest *i = ctx;
	struct list *el;

	while ((el = list_take(&i->held)) != NULL)
		list_append(&i->ready, el);
	ingest_kick(i);
}

struct ingest *
ingest_new(struct controller *c)
{
	struct ingest *i = MEM_NEW(struct ingest);

	i->ctl = c;
	i->inlets = map_new();
	list_init(&i->ready);
	list_init(&i->calm);
	list_init(&i->held);
	list_init(&i->packs);
	i->retry = loop_timer_new(c->loop, ingest_on_retry, i);
	i->slice = loop_timer_new(c->loop, ingest_on_slice, i);
	i->tick = loop_timer_new(c->loop, ingest_on_tick, i);
	i->retry_held = loop_timer_new(c->loop, ingest_on_retry_held, i);
	return i;
}

/* An event of a few bytes takes a multiple of them. */
static size_t
item_cost(size_t n)
{
	return sizeof(struct ingest_item) + n;
}

void
ingest_free_items(struct ingest *i, struct inlet *in, struct list *items)
{
	struct ingest_item *it;
	struct list *el;

	while ((el = list_take(items)) != NULL) {
		it = LIST_ENTRY(el, struct ingest_item, link);
		in->bytes -= item_cost(it->n);
		i->bytes -= item_cost(it->n);
		mem_free(it);
	}
}

static void
end(struct ingest *i)
{
	struct inlet *in;
	struct str key;
	size_t pos = 0;
	void *value;

	ingest_batch_free(i->batch);
	while (map_next(i->inlets, &pos, &key, &value)) {
		in = value;
		ingest_free_items(i, in, &in->pending);
		mem_free(in->present);
		mem_free(in);
	}
	map_free(i->inlets);
	ingest_pack_free(i);
	buf_fini(&i->spare);
	mem_free(i);
}

/* What the pool has of ours comes back while the loop ends. */
void
ingest_free(struct ingest *i)
{
	if (i == NULL)
		return;
	loop_timer_free(i->retry);
	loop_timer_free(i->slice);
	loop_timer_free(i->tick);
	loop_timer_free(i->retry_held);
	i->gone = true;
	if (i->pool == 0)
		end(i);
}

bool
ingest_still_here(struct ingest *i)
{
	ASSERT(i->pool > 0);
	i->pool--;
	if (!i->gone)
		return true;
	if (i->pool == 0)
		end(i);
	return false;
}

static struct inlet *
inlet_find(const struct ingest *i, const struct ulid *host)
{
	return map_get(i->inlets, str_from(host->b, sizeof(host->b)));
}

/* Where the former run of the controller stopped. */
static enum rc
load_cursor(struct ingest *i, struct inlet *in, struct err *e)
{
	const struct Rec__AgentCursor *c;
	struct store_tx *tx;
	struct arena arena;
	enum rc rc;

	arena_init(&arena, KIB(64));
	tx = store_begin_read(i->ctl->state, &arena);
	c = host_store_cursor(tx, &in->host);
	rc = store_rc(tx);
	if (rc != RC_OK && e != NULL)
		*e = *store_err(tx);
	if (c != NULL && c->epoch.len == sizeof(in->epoch)) {
		memcpy(in->epoch, c->epoch.data, sizeof(in->epoch));
		in->received = in->committed = c->last_seq;
	}
	store_abort(tx);
	arena_fini(&arena);
	return rc;
}

static enum rc
inlet_get(struct ingest *i, const struct ulid *host, struct inlet **out,
    struct err *e)
{
	struct inlet *in = inlet_find(i, host);
	enum rc rc;

	if (in == NULL) {
		in = MEM_NEW(struct inlet);
		in->host = *host;
		list_init(&in->pending);
		if ((rc = load_cursor(i, in, e)) != RC_OK) {
			mem_free(in);
			return rc;
		}
		map_put(i->inlets, str_from(host->b, sizeof(host->b)), in);
	}
	*out = in;
	return RC_OK;
}

/* --------------------------------------------------------------- hello */

static void
present_add(struct inlet *in, const struct ulid *job)
{
	if (in->present_count == PRESENT_MAX) {
		in->compare = false; /* the next hello will do it */
		return;
	}
	in->present = mem_realloc(in->present,
	    (in->present_count + 1) * sizeof(*in->present));
	in->present[in->present_count++] = *job;
}

static bool
present_has(const struct inlet *in, const struct ulid *job)
{
	size_t k;

	for (k = 0; k < in->present_count; k++)
		if (ulid_eq(&in->present[k], job))
			return true;
	return false;
}

static enum rc
take_ids(struct inlet *in, char *const *ids, size_t n, struct err *e)
{
	struct ulid id;
	size_t k;

	for (k = 0; k < n; k++) {
		if (!ulid_parse(str_of(ids[k]), &id))
			return err_code(e, RC_PROTO, "bad_request",
			    "hello lists a job id that is none");
		present_add(in, &id);
	}
	return RC_OK;
}

static enum rc
take_present(struct inlet *in, const struct Wire__Hello *h, struct err *e)
{
	enum rc rc;

	if (h->n_running_job_ids > HELLO_JOBS_MAX ||
	    h->n_accepted_job_ids > HELLO_JOBS_MAX)
		return err_code(e, RC_PROTO, "bad_request",
		    "hello lists more than %d jobs", (int)HELLO_JOBS_MAX);
	in->present_count = 0;
	in->compare = false;
	rc = take_ids(in, h->running_job_ids, h->n_running_job_ids, e);
	if (rc == RC_OK)
		rc =
		    take_ids(in, h->accepted_job_ids, h->n_accepted_job_ids, e);
	in->compare = rc == RC_OK;
	return rc;
}

static void
begin_epoch(struct ingest *i, struct inlet *in, const struct Wire__Hello *h)
{
	ingest_free_items(i, in, &in->pending);
	memcpy(in->epoch, h->epoch.data, sizeof(in->epoch));
	in->received = in->committed = 0;
}

/* The agent does not hold what follows the last committed event: an older
 * copy of our store, or a queue that was cut.  What is lost shows as dropped
 * lines; to ask for it again would never end. */
static void
skip_lost(struct ingest *i, struct inlet *in, uint64_t resume)
{
	if (resume <= in->committed + 1)
		return;
	log_warn(LOG_AGENT, "events lost from=%llu to=%llu",
	    (unsigned long long)in->committed + 1,
	    (unsigned long long)resume - 1);
	in->committed = resume - 1;
	if (in->received >= in->committed)
		return;
	ingest_free_items(i, in, &in->pending);
	in->received = in->committed;
}

/* Before anything is judged the agent puts into its queue how its jobs
 * ended, and says hello again.  Asked once: one that knows nothing of this
 * just comes again. */
static enum rc
ask_again(struct err *e)
{
	return err_code(e, RC_BUSY, "tell_again",
	    "this controller was restored from an older copy: tell the ends "
	    "of jobs again, and come back");
}

enum rc
ingest_hello(struct ingest *i, const struct ulid *host,
    const struct Wire__Hello *h, uint64_t *resume, struct err *e)
{
	struct inlet *in;
	bool same;
	enum rc rc;

	if (h->epoch.len != INGEST_EPOCH ||
	    h->instance_id.len != INGEST_INSTANCE || h->first_seq == 0 ||
	    h->next_seq < h->first_seq)
		return err_code(e, RC_PROTO, "bad_request",
		    "hello needs an instance_id of %d bytes, an epoch of %d "
		    "bytes and 1 <= first_seq <= next_seq",
		    (int)INGEST_INSTANCE, (int)INGEST_EPOCH);
	if ((rc = inlet_get(i, host, &in, e)) != RC_OK ||
	    (rc = take_present(in, h, e)) != RC_OK)
		return rc;
	same = memcmp(in->epoch, h->epoch.data, sizeof(in->epoch)) == 0;
	if (!same)
		begin_epoch(i, in, h);
	memcpy(in->instance, h->instance_id.data, sizeof(in->instance));
	*resume = rules_resume(same, in->committed, h->first_seq);
	if (*resume > in->committed + 1 && !in->asked) {
		in->asked = true;
		in->compare = false;
		return ask_again(e);
	}
	skip_lost(i, in, *resume);
	in->open = true;
	in->compare_after = h->next_seq - 1;
	ingest_compare(i, in);
	return RC_OK;
}

void
ingest_accepted(struct ingest *i, const struct ulid *host,
    const struct ulid *job)
{
	struct inlet *in = inlet_find(i, host);

	if (in != NULL && in->compare)
		present_add(in, job);
}

/* The epoch of nobody: a part of it that is being written is freed at its
 * end. */
void
ingest_forget(struct ingest *i, const struct ulid *host)
{
	struct inlet *in = inlet_find(i, host);

	if (in == NULL)
		return;
	ingest_free_items(i, in, &in->pending);
	list_del(&in->ready);
	in->calm = false;
	memset(in->epoch, 0, sizeof(in->epoch));
	in->open = in->compare = false;
}

bool
ingest_idle(const struct ingest *i, const struct ulid *host)
{
	const struct inlet *in = inlet_find(i, host);

	return in == NULL || (!in->busy && list_empty(&in->pending));
}

uint64_t
ingest_committed(const struct ingest *i, const struct ulid *host)
{
	const struct inlet *in = inlet_find(i, host);

	return in == NULL ? 0 : in->committed;
}

bool
ingest_unhealthy(const struct ingest *i, const char **why)
{
	if (i == NULL || i->fault.rc == RC_OK)
		return false;
	*why = i->fault.msg;
	return true;
}

/* -------------------------------------------------------------- events */

/* Events of hosts whose logs cannot be written keep nobody else waiting. */
size_t
ingest_room(const struct ingest *i)
{
	struct list *el, *tmp;
	size_t bytes = i->bytes;

	if (bytes < INGEST_PAUSE)
		return INGEST_PAUSE - bytes;
	LIST_FOREACH(el, tmp, &i->held)
	bytes -= LIST_ENTRY(el, struct inlet, ready)->bytes;
	return bytes < INGEST_PAUSE ? INGEST_PAUSE - bytes : 0;
}

static enum rc
check_room(const struct ingest *i, const struct inlet *in, size_t n,
    struct err *e)
{
	if (in->bytes + n > INGEST_HOST_MAX)
		return err_set(e, RC_BUSY,
		    "more than %d bytes of events wait to be written: send "
		    "at most 1 MiB without acknowledgement",
		    (int)INGEST_HOST_MAX);
	if (i->bytes + n > INGEST_ALL_MAX)
		return err_set(e, RC_BUSY,
		    "the controller has too many events to write, try later");
	return RC_OK;
}

/* An item for an event of n bytes, which the caller fills in and links; NULL:
 * e says why not. */
static struct ingest_item *
make_item(const struct ingest *i, const struct inlet *in, size_t n,
    struct err *e)
{
	struct ingest_item *it;

	if (n > INGEST_EVENT_MAX) {
		(void)err_code(e, RC_PROTO, "bad_request",
		    "an event of %zu bytes, at most %d are taken", n,
		    (int)INGEST_EVENT_MAX);
		return NULL;
	}
	if (check_room(i, in, item_cost(n), e) != RC_OK)
		return NULL;
	it = mem_realloc(NULL, sizeof(*it) + n);
	*it = (struct ingest_item){ .n = (uint32_t)n };
	return it;
}

static void
link_item(struct ingest *i, struct inlet *in, struct ingest_item *it)
{
	list_append(&in->pending, &it->link);
	in->bytes += item_cost(it->n);
	i->bytes += item_cost(it->n);
}

static enum rc
malformed(uint64_t seq, struct err *e)
{
	return err_code(e, RC_PROTO, "bad_request", "event %llu is malformed",
	    (unsigned long long)seq);
}

static enum rc
put_event(struct ingest *i, struct inlet *in, const struct Wire__Event *ev,
    struct err *e)
{
	size_t n = wire__event__get_packed_size(ev);
	struct ingest_item *it = make_item(i, in, n, e);

	if (it == NULL)
		return e->rc;
	(void)wire__event__pack(ev, it->bytes);
	it->seq = ev->seq;
	it->body = ev->body_case;
	if (it->body == WIRE__EVENT__BODY_LOG &&
	    !ingest_wire_chunk(str_from(it->bytes, n), &it->chunk)) {
		mem_free(it);
		return malformed(ev->seq, e);
	}
	link_item(i, in, it);
	return RC_OK;
}

static bool
job_id_ok(const char *id)
{
	struct ulid u;

	return ulid_parse(str_of(id), &u);
}

static enum rc
check_event(const struct Wire__Event *ev, struct err *e)
{
	bool ok = true;

	switch (ev->body_case) {
	case WIRE__EVENT__BODY_JOB_STARTED:
		ok = job_id_ok(ev->job_started->job_id);
		break;
	case WIRE__EVENT__BODY_JOB_FINISHED:
		ok = job_id_ok(ev->job_finished->job_id);
		break;
	case WIRE__EVENT__BODY_LOG:
		ok = job_id_ok(ev->log->job_id) && ev->log->first_line > 0;
		break;
	case WIRE__EVENT__BODY_GAP:
		ok = ev->gap->to_seq == ev->seq &&
		     ev->gap->from_seq <= ev->gap->to_seq;
		break;
	case WIRE__EVENT__BODY_SNAPSHOTS:
	case WIRE__EVENT__BODY_REPO_STATS:
	case WIRE__EVENT__BODY_CONFIG_ACK:
	case WIRE__EVENT__BODY__NOT_SET:
	case _WIRE__EVENT__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return ok ? RC_OK : malformed(ev->seq, e);
}

static void
note_started(struct inlet *in, const struct Wire__Event *ev)
{
	struct ulid id;

	if (in->compare && ev->seq > in->compare_after &&
	    ev->body_case == WIRE__EVENT__BODY_JOB_STARTED &&
	    ulid_parse(str_of(ev->job_started->job_id), &id))
		present_add(in, &id);
}

/* *out is NULL when the event is known already. */
static enum rc
in_turn(const struct ingest *i, const struct ulid *host, uint64_t seq,
    uint64_t gap, struct inlet **out, struct err *e)
{
	struct inlet *in = inlet_find(i, host);

	*out = NULL;
	if (in == NULL || !in->open)
		return err_code(e, RC_PROTO, "bad_request",
		    "an event before hello");
	switch (rules_seq(in->received, seq, gap)) {
	case RULES_KNOWN:
		return RC_OK;
	case RULES_ASTRAY:
		return err_code(e, RC_PROTO, "bad_request",
		    "event %llu after %llu: out of order",
		    (unsigned long long)seq, (unsigned long long)in->received);
	case RULES_NEXT:
		break;
	}
	*out = in;
	return RC_OK;
}

enum rc
ingest_event(struct ingest *i, const struct ulid *host,
    const struct Wire__Event *ev, struct err *e)
{
	uint64_t gap =
	    ev->body_case == WIRE__EVENT__BODY_GAP ? ev->gap->from_seq : 0;
	struct inlet *in;
	enum rc rc;

	if ((rc = in_turn(i, host, ev->seq, gap, &in, e)) != RC_OK ||
	    in == NULL)
		return rc;
	if ((rc = check_event(ev, e)) != RC_OK ||
	    (rc = put_event(i, in, ev, e)) != RC_OK)
		return rc;
	in->received = ev->seq;
	note_started(in, ev);
	ingest_ready(i, in, ev->body_case != WIRE__EVENT__BODY_LOG);
	return RC_OK;
}

enum rc
ingest_chunk(struct ingest *i, const struct ulid *host, const struct str *event,
    const struct ingest_chunk *c, struct err *e)
{
	struct ingest_item *it;
	struct inlet *in;
	struct ulid id;
	enum rc rc;

	if ((rc = in_turn(i, host, c->seq, 0, &in, e)) != RC_OK || in == NULL)
		return rc;
	if (!ulid_parse(c->job, &id) || c->first_line == 0)
		return malformed(c->seq, e);
	if ((it = make_item(i, in, event->n, e)) == NULL)
		return e->rc;
	memcpy(it->bytes, event->p, event->n);
	it->body = WIRE__EVENT__BODY_LOG;
	it->chunk = *c;
	it->chunk.job.p = (char *)it->bytes + (c->job.p - event->p);
	it->chunk.body.p = (char *)it->bytes + (c->body.p - event->p);
	link_item(i, in, it);
	in->received = it->seq = c->seq;
	ingest_ready(i, in, false);
	return RC_OK;
}

/* ----------------------------------------------------------- lost jobs */

/* A verdict of our own takes the same road as the agent's. */
static void
put_lost(struct ingest *i, struct inlet *in, const struct ulid *job)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__JobFinished f = WIRE__JOB_FINISHED__INIT;
	char id[ULID_TEXT_CAP];
	struct err e = { 0 };

	ulid_text(job, id);
	f.job_id = id;
	f.status = pb_text("failed");
	f.cause = pb_text("lost");
	f.error = pb_text("lost by the agent: it neither runs the job nor has "
	                  "a result of it");
	f.exit_code = -1;
	f.finished_at_ms = ev.at_ms = clock_now_ms();
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = &f;
	if (put_event(i, in, &ev, &e) == RC_OK) {
		log_warn(LOG_JOB, "job lost by the agent job=%s", id);
		ingest_ready(i, in, true);
	}
}

struct compare {
	const struct inlet *in;
	struct ulid lost[COMPARE_JOBS + 1];
	size_t count;
};

static bool
ingest_on_compared(void *ctx, const struct Rec__Job *j)
{
	struct compare *c = ctx;
	struct ulid id;

	if (rules_with_agent(j) && pb_id_get(&j->id, &id) &&
	    !present_has(c->in, &id))
		c->lost[c->count++] = id;
	return true;
}

/* What the host runs by its own record, should its id be old: then it is not
 * among the latest. */
static void
compare_current(struct compare *c, struct store_tx *tx)
{
	const struct Rec__Host *h = host_store_find(tx, &c->in->host);
	const struct Rec__Job *j = NULL;
	struct ulid id;
	size_t k;

	if (h == NULL || !pb_id_get(&h->current_job, &id))
		return;
	for (k = 0; k < c->count; k++)
		if (ulid_eq(&c->lost[k], &id))
			return;
	if ((j = job_store_find(tx, &id)) != NULL)
		(void)ingest_on_compared(c, j);
}

void
ingest_compare(struct ingest *i, struct inlet *in)
{
	struct compare c = { .in = in };
	struct store_tx *tx;
	struct arena arena;
	size_t k;

	if (!in->compare || in->busy || in->committed < in->compare_after)
		return;
	arena_init(&arena, MIB(16));
	tx = store_begin_read(i->ctl->state, &arena);
	job_store_open_of_host(tx, &in->host, COMPARE_JOBS, ingest_on_compared,
	    &c);
	compare_current(&c, tx);
	if (store_rc(tx) == RC_OK)
		in->compare = false; /* else the next batch tries again */
	store_abort(tx);
	arena_fini(&arena);
	for (k = 0; !in->compare && k < c.count; k++)
		put_lost(i, in, &c.lost[k]);
	if (in->compare)
		return;
	mem_free(in->present);
	in->present = NULL;
	in->present_count = 0;
}

void
ingest_stats(const struct ingest *i, struct ingest_stats *out)
{
	*out = i->stats;
	out->waiting_bytes = i->bytes;
}
