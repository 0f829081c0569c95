/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Method Announce: announcement -> nonce -> signature -> row -> waiting. */
#include <string.h>

#include "controller/agents_call.h"
#include "controller/agents_own.h"
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
#include "lib/store/message.h"
#include "lib/store/pending_store.h"
#include "proto/agent.pb-c.h"

enum {
	MESSAGE_MAX = 8192
};

static bool
is_unproven(const struct held *h)
{
	return h->step == HELD_OPEN || h->step == HELD_NONCE;
}

/* One address that opens streams and says nothing keeps no other out. */
static bool
may_stay(const struct announce *a, const struct held *h)
{
	struct list *el, *tmp;
	unsigned n = 0;

	LIST_FOREACH(el, tmp, &a->streams)
	{
		const struct held *o = LIST_ENTRY(el, struct held, link);

		n += is_unproven(o) && strcmp(o->address, h->address) == 0;
	}
	return n <= HELD_UNPROVEN_MAX && a->open <= ANNOUNCE_STREAMS_MAX;
}

void
announce_on_open(void *agents, struct grpc_call *g)
{
	struct announce *a = ((struct agents *)agents)->ctl->announce;
	struct held *h = MEM_NEW(struct held);
	struct err e;

	h->announce = a;
	h->grpc = g;
	h->until_ms = clock_mono_ms() + HELD_OPEN_MS;
	client_address(&a->ctl->settings, grpc_peer(g),
	    grpc_metadata(g, "x-forwarded-for"), h->address);
	list_append(&a->streams, &h->link);
	a->open++;
	grpc_set_user(g, h);
	if (may_stay(a, h))
		return;
	(void)err_code(&e, RC_RATE, "too_many_streams",
	    "too many agents announce themselves at once, try again later");
	held_fail(h, &e);
}

void
announce_on_close(void *agents, struct grpc_call *g)
{
	struct held *h = grpc_user(g);

	(void)agents;
	if (h == NULL)
		return;
	list_del(&h->link);
	h->announce->open--;
	h->grpc = NULL;
	h->step = HELD_ENDED;
	held_release(h);
}

void
announce_on_half_close(void *agents, struct grpc_call *g)
{
	struct held *h = grpc_user(g);
	struct err e;

	(void)agents;
	/* Who has signed may have nothing more to say, and still wait. */
	if (h == NULL || !is_unproven(h))
		return;
	(void)err_code(&e, RC_PROTO, "bad_request", "a message is missing");
	held_fail(h, &e);
}

/* -------------------------------------------------------------- announcement */

static enum rc
read_facts(const Wire__AnnounceHost *w, struct announce_facts *f, struct err *e)
{
	if (w->public_key.len != sizeof(f->key))
		return err_code(e, RC_PROTO, "bad_request",
		    "public_key has %zu bytes, Ed25519 keys have %d",
		    w->public_key.len, (int)CRYPT_SIGN_PUBLIC_SIZE);
	memcpy(f->key, w->public_key.data, sizeof(f->key));
	f->hostname = w->hostname;
	f->os = w->os;
	f->arch = w->arch;
	f->agent_version = w->agent_version;
	f->restic_version = w->restic_version;
	return announce_check(f, e);
}

/* What would be refused after the signature is refused before it. */
static enum rc
admit(struct held *h, const struct announce_facts *f,
    struct announce_known *known, struct err *e)
{
	struct announce *a = h->announce;
	unsigned wait_s = buckets_take(a->buckets, h->address);

	if (wait_s > 0)
		return err_set(e, RC_RATE,
		    "more than %d announcements a minute from %s; try again "
		    "in %u s",
		    (int)ANNOUNCE_PER_MINUTE, h->address, wait_s);
	ulid_new(&known->id);
	if (announce_look(a->ctl, f, known, e) != RC_OK)
		return e->rc;
	if (known->full)
		return err_code(e, RC_BUSY, "too_many_pending",
		    "%d hosts wait for approval already; accept or reject "
		    "some, or enrol this one with a token",
		    (int)PENDING_MAX);
	return RC_OK;
}

static void
challenge(struct held *h, const struct announce_facts *f,
    const struct announce_known *known)
{
	Wire__AnnounceReply m = WIRE__ANNOUNCE_REPLY__INIT;
	Wire__AnnouncePending w = WIRE__ANNOUNCE_PENDING__INIT;
	uint8_t hash[CRYPT_HASH_SIZE];
	char fingerprint[KEYPROOF_TEXT_CAP];
	struct buf b;

	h->pending = known->id;
	ulid_text(&h->pending, h->id);
	h->proof.id = h->id;
	crypt_random(h->proof.nonce, sizeof(h->proof.nonce));
	memcpy(h->key, f->key, sizeof(h->key));
	keyproof_fingerprint(f->key, hash);
	keyproof_text(hash, fingerprint);
	w.pending_id = h->id;
	w.fingerprint = fingerprint;
	w.hostname_collision = known->collision;
	w.nonce = pb_bytes(h->proof.nonce, sizeof(h->proof.nonce));
	m.body_case = WIRE__ANNOUNCE_REPLY__BODY_PENDING;
	m.pending = &w;
	buf_init(&b, KIB(4));
	pb_pack(&m.base, &b);
	if (grpc_send(h->grpc, buf_str(&b)) != RC_OK)
		log_debug(LOG_AGENT, "no room for a nonce");
	buf_fini(&b);
	h->step = HELD_NONCE;
	h->until_ms = clock_mono_ms() + HELD_NONCE_MS;
}

static void
take_announcement(struct held *h, const Wire__AnnounceHost *w)
{
	struct announce_known known = { .known = false };
	struct announce_facts f;
	struct err e;

	if (read_facts(w, &f, &e) != RC_OK ||
	    admit(h, &f, &known, &e) != RC_OK) {
		held_fail(h, &e);
		return;
	}
	h->join = announce_join_new(&f, &known.id, true);
	challenge(h, &f, &known);
}

/* ---------------------------------------------------------------- signature */

static void
joined(struct held *h, const struct announce_join *j)
{
	struct err e;

	switch (j->state) {
	case REC__PENDING_STATE__PENDING_WAITING:
		log_info(LOG_AGENT,
		    "host waits for approval hostname=%s address=%s id=%s",
		    log_safe(str_of(j->facts.hostname)), h->address, h->id);
		held_wait(h, j->expires_at_ms);
		return;
	case REC__PENDING_STATE__PENDING_ACCEPTED:
		held_hand_over(h, h->key);
		return;
	case REC__PENDING_STATE__PENDING_REJECTED:
		announce_rejection(&e);
		held_fail(h, &e);
		return;
	case _REC__PENDING_STATE_IS_INT_SIZE:
		return;
	}
}

static void
announce_on_joined(struct op *op, void *ctx)
{
	struct held *h = ctx;

	h->busy = false;
	if (op->err.rc == RC_OK)
		sse_pending_changed(h->announce->ctl->sse);
	if (h->grpc != NULL && h->step != HELD_ENDED) {
		if (op->err.rc == RC_OK)
			joined(h, op->in);
		else
			held_fail(h, &op->err);
	}
	held_release(h);
}

/* With our pin, or with none by an agent that trusts a CA. */
static bool
is_signed(struct held *h, const uint8_t sig[CRYPT_SIGN_SIZE])
{
	char pin[2 * CRYPT_HASH_SIZE + 1];

	str_hex(h->announce->ctl->pin, CRYPT_HASH_SIZE, pin, sizeof(pin));
	h->proof.pin = pin;
	if (keyproof_verify(&h->proof, sig, h->key))
		return true;
	h->proof.pin = "";
	return keyproof_verify(&h->proof, sig, h->key);
}

static void
take_signature(struct held *h, const Wire__SignedNonce *w)
{
	struct err e;

	if (w->signature.len != CRYPT_SIGN_SIZE ||
	    !is_signed(h, w->signature.data)) {
		(void)err_code(&e, RC_AUTH, "bad_signature",
		    "the signature does not belong to the announced key, this "
		    "controller and this nonce");
		held_fail(h, &e);
		return;
	}
	h->join->done = announce_on_joined;
	h->join->ctx = h;
	memcpy(h->join->actor.address, h->address,
	    sizeof(h->join->actor.address));
	h->step = HELD_JOINING;
	h->busy = true;
	op_submit(h->announce->ctl->ops, &h->join);
}

void
announce_on_message(void *agents, struct grpc_call *g, struct str msg)
{
	struct agents *a = agents;
	struct held *h = grpc_user(g);
	const Wire__AnnounceMessage *m;
	struct err e;

	if (h == NULL || h->step == HELD_ENDED)
		return;
	arena_reset(&a->scratch);
	m = msg.n > MESSAGE_MAX ? NULL
	                        : message_unpack(&a->scratch, msg,
	                              &wire__announce_message__descriptor);
	if (m != NULL && h->step == HELD_OPEN &&
	    m->body_case == WIRE__ANNOUNCE_MESSAGE__BODY_ANNOUNCE) {
		take_announcement(h, m->announce);
		return;
	}
	if (m != NULL && h->step == HELD_NONCE &&
	    m->body_case == WIRE__ANNOUNCE_MESSAGE__BODY_SIGNED_NONCE) {
		take_signature(h, m->signed_nonce);
		return;
	}
	(void)err_code(&e, RC_PROTO, "bad_request",
	    "the message is malformed or out of turn: announce, then "
	    "signed_nonce, each once");
	held_fail(h, &e);
}
