/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/announce.h"

#include <string.h>

#include "controller/announce_own.h"
#include "controller/bucket.h"
#include "controller/controller.h"
#include "controller/pb.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/grpc.h"
#include "lib/store/pending_store.h"
#include "proto/agent.pb-c.h"

struct announce *
announce_new(struct controller *c)
{
	struct announce *a = MEM_NEW(struct announce);

	a->ctl = c;
	list_init(&a->streams);
	a->buckets = buckets_new(ANNOUNCE_PER_MINUTE);
	return a;
}

void
announce_free(struct announce *a)
{
	if (a == NULL)
		return;
	ASSERT(list_empty(&a->streams));
	buckets_free(a->buckets);
	mem_free(a);
}

/* ------------------------------------------------------------- one stream */

void
held_release(struct held *h)
{
	if (h->busy || h->grpc != NULL)
		return;
	op_free(h->join);
	mem_free(h);
}

void
held_fail(struct held *h, const struct err *e)
{
	if (h->grpc == NULL || h->step == HELD_ENDED)
		return;
	log_info(LOG_AGENT, "announcement ended address=%s code=%s message=%s",
	    h->address, e->code != NULL ? e->code : rc_info(e->rc)->json_code,
	    log_safe(str_of(e->msg)));
	h->step = HELD_ENDED;
	grpc_finish_err(h->grpc, e);
}

static enum rc
send(struct held *h, const Wire__AnnounceReply *m)
{
	struct buf b;
	enum rc rc;

	buf_init(&b, KIB(4));
	pb_pack(&m->base, &b);
	rc = buf_rc(&b);
	if (rc == RC_OK)
		rc = grpc_send(h->grpc, buf_str(&b));
	buf_wipe_fini(&b);
	return rc;
}

static void
send_waiting(struct held *h)
{
	Wire__AnnounceReply m = WIRE__ANNOUNCE_REPLY__INIT;
	Wire__AnnounceWaiting w = WIRE__ANNOUNCE_WAITING__INIT;

	w.expires_at_ms = h->expires_at_ms;
	m.body_case = WIRE__ANNOUNCE_REPLY__BODY_WAITING;
	m.waiting = &w;
	h->beat_ms = clock_mono_ms() + HELD_BEAT_MS;
	if (send(h, &m) != RC_OK)
		log_debug(LOG_AGENT, "no room for a beat");
}

/* Another stream that waits for the same row. */
static struct held *
waits_for(struct announce *a, const struct ulid *pending,
    const struct held *but)
{
	struct list *el, *tmp;

	LIST_FOREACH(el, tmp, &a->streams)
	{
		struct held *h = LIST_ENTRY(el, struct held, link);

		if (h != but && h->step == HELD_WAITING &&
		    ulid_eq(&h->pending, pending))
			return h;
	}
	return NULL;
}

void
held_wait(struct held *h, int64_t expires_at_ms)
{
	struct held *older = waits_for(h->announce, &h->pending, h);
	struct err e;

	h->step = HELD_WAITING;
	h->expires_at_ms = expires_at_ms;
	send_waiting(h);
	if (older == NULL)
		return;
	(void)err_code(&e, RC_CANCELLED, "replaced",
	    "a newer connection with this key took over");
	held_fail(older, &e);
}

/* ------------------------------------------------------------ handing over */

static void
answer(struct held *h, const struct announce_handover *o)
{
	Wire__AnnounceReply m = WIRE__ANNOUNCE_REPLY__INIT;
	Wire__AnnounceEnrolled w = WIRE__ANNOUNCE_ENROLLED__INIT;
	char id[ULID_TEXT_CAP], pin[2 * CRYPT_HASH_SIZE + 1];

	ulid_text(&o->host, id);
	str_hex(h->announce->ctl->pin, CRYPT_HASH_SIZE, pin, sizeof(pin));
	w.host_id = id;
	w.agent_token = pb_text(o->bearer);
	w.cert_pin_sha256 = pin;
	m.body_case = WIRE__ANNOUNCE_REPLY__BODY_ENROLLED;
	m.enrolled = &w;
	h->step = HELD_ENDED;
	if (send(h, &m) == RC_OK)
		grpc_finish(h->grpc, GRPC_OK, "", NULL);
	else
		grpc_finish(h->grpc, GRPC_INTERNAL, "no room to answer", NULL);
	log_info(LOG_AGENT, "accepted host told host=%s address=%s", id,
	    h->address);
}

static void
announce_on_handed_over(struct op *op, void *ctx)
{
	struct announce_handover *o = op->in;
	struct held *h = ctx;

	h->busy = false;
	if (h->grpc != NULL && h->step != HELD_ENDED) {
		if (op->err.rc == RC_OK)
			answer(h, o);
		else
			held_fail(h, &op->err);
	}
	mem_wipe(o->bearer, sizeof(o->bearer));
	held_release(h);
}

void
held_hand_over(struct held *h, const uint8_t *key)
{
	struct op *op =
	    op_new(announce_handover_op, announce_on_handed_over, h);
	struct announce_handover *o = arena_alloc(&op->arena, sizeof(*o));

	ASSERT(o != NULL); /* the op's arena is empty */
	memset(o, 0, sizeof(*o));
	o->pending = h->pending;
	memcpy(o->key, key, sizeof(o->key));
	op->in = o;
	op->vault = true;
	memcpy(op->actor.address, h->address, sizeof(op->actor.address));
	h->step = HELD_JOINING;
	h->busy = true;
	op_submit(h->announce->ctl->ops, &op);
}

/* ---------------------------------------------------------------- decisions */

void
announce_accepted(struct announce *a, const struct ulid *pending)
{
	struct held *h = waits_for(a, pending, NULL);

	if (h != NULL)
		held_hand_over(h, h->key);
}

void
announce_rejection(struct err *e)
{
	(void)err_code(e, RC_DENIED, "rejected", "rejected by admin");
}

void
announce_rejected(struct announce *a, const struct ulid *pending)
{
	struct held *h = waits_for(a, pending, NULL);
	struct err e;

	if (h == NULL)
		return;
	announce_rejection(&e);
	held_fail(h, &e);
}

/* -------------------------------------------------------------------- ticks */

static void
tick_one(struct held *h, int64_t now_mono, int64_t now_ms)
{
	struct err e;

	switch (h->step) {
	case HELD_OPEN:
	case HELD_NONCE:
		if (now_mono < h->until_ms)
			return;
		(void)err_code(&e, RC_TIMEOUT, "announce_timeout", "%s in time",
		    h->step == HELD_OPEN ? "no announcement came"
		                         : "no signature came");
		held_fail(h, &e);
		return;
	case HELD_WAITING:
		if (now_ms >= h->expires_at_ms) {
			(void)err_code(&e, RC_GONE, "announce_expired",
			    "nobody accepted this host within an hour");
			held_fail(h, &e);
		} else if (now_mono >= h->beat_ms) {
			send_waiting(h);
		}
		return;
	case HELD_JOINING:
	case HELD_ENDED:
		return;
	}
}

void
announce_tick(struct announce *a)
{
	int64_t mono = clock_mono_ms(), now = clock_now_ms();
	struct list *el, *tmp;

	LIST_FOREACH(el, tmp, &a->streams)
	tick_one(LIST_ENTRY(el, struct held, link), mono, now);
	buckets_tick(a->buckets);
}

static void
announce_on_swept(struct op *op, void *ctx)
{
	const size_t *n = op->out;
	struct announce *a = ctx;

	if (op->err.rc != RC_OK) {
		log_warn(LOG_STORE, "pending hosts not swept error=%s",
		    log_safe(str_of(op->err.msg)));
	} else if (*n > 0) {
		log_info(LOG_AGENT, "pending hosts swept n=%zu", *n);
		sse_pending_changed(a->ctl->sse);
	}
}

static bool
announce_on_any(void *ctx, const struct Rec__PendingHost *p)
{
	(void)p;
	*(bool *)ctx = true;
	return false;
}

void
announce_sweep(struct announce *a)
{
	struct store_tx *tx;
	struct arena arena;
	bool any = false;
	struct op *op;

	arena_init(&arena, MIB(1));
	tx = store_begin_read(a->ctl->state, &arena);
	pending_store_each(tx, announce_on_any, &any);
	store_abort(tx);
	arena_fini(&arena);
	if (!any)
		return; /* usually: no commit for nothing */
	op = op_new(announce_sweep_op, announce_on_swept, a);
	op->out = arena_alloc(&op->arena, sizeof(size_t));
	ASSERT(op->out != NULL);
	op_submit(a->ctl->ops, &op);
}
