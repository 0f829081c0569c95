/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/rotate.h"

#include <string.h>

#include "controller/agents.h"
#include "controller/agents_call.h"
#include "controller/agents_own.h"
#include "controller/controller.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"
#include "lib/net/grpc.h"
#include "lib/store/host_store.h"
#include "lib/store/status.h"
#include "lib/store/store.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

/* ------------------------------------------------------------------ asking */

struct wish {
	struct ulid host;
	bool fresh;        /* it was not asked for before */
	const char *state; /* as status_rotation() */
	int64_t asked_ms;
};

static enum rc
ask_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct wish *w = op->in;
	struct Rec__Host *h = host_store_get(state, &w->host);

	(void)vault;
	if (h == NULL)
		return store_rc(state);
	w->fresh = h->rotation_asked_ms == 0;
	if (w->fresh) {
		h->rotation_asked_ms = clock_now_ms();
		host_store_put(state, h);
		op_audit(state, op, "host.bearer_rotation", "host", &w->host,
		    h->name, NULL);
	}
	w->state = status_rotation(h);
	w->asked_ms = h->rotation_asked_ms;
	return store_rc(state);
}

static void
rotate_on_asked(struct req *r, struct op *op)
{
	const struct wish *w = op->in;
	struct json_doc doc;

	if (!req_stored(r, op))
		return;
	if (w->fresh) {
		sse_host_changed(r->ctl->sse, &w->host);
		agents_rotate(r->ctl->agents, &w->host);
	}
	if (r->wants_html) {
		req_redirect(r,
		    arena_printf(&r->arena, "/hosts/%.*s/repo?saved=bearer",
		        STR_ARG(r->vars[0])));
		return;
	}
	json_doc_init(&doc, KIB(1));
	json_put(&doc.j, "bearer_rotation", w->state);
	json_put_time(&doc.j, "bearer_rotation_asked_at", w->asked_ms);
	req_doc(r, w->fresh ? 202 : 200, &doc);
	json_doc_fini(&doc);
}

void
rotate_ask(struct req *r)
{
	struct wish w = { .fresh = false };

	if (req_need_ulid(r, 0, "there is no such host", &w.host))
		req_submit(r, op_with(ask_op, &w, sizeof(w)), rotate_on_asked);
}

/* ------------------------------------------------------------------ hellos */

/* What a hello does to the host's bearers. */
struct turn {
	struct caller by;
	bool offers;
	uint8_t offer[CRYPT_HASH_SIZE];
	/* out */
	enum turn_end {
		TURN_NOTHING,
		TURN_TAKEN, /* what was offered is good from now on, too */
		TURN_DONE   /* the one of the call is the only one */
	} end;
};

static bool
is_hash(const ProtobufCBinaryData *stored, const uint8_t hash[CRYPT_HASH_SIZE])
{
	return stored->len == CRYPT_HASH_SIZE &&
	       crypt_eq(stored->data, hash, CRYPT_HASH_SIZE);
}

bool
rotate_ends(const struct Rec__HostSecrets *s, const struct caller *by)
{
	return s != NULL && s->previous_bearer_hash.len > 0 &&
	       is_hash(&s->bearer_hash, by->bearer);
}

static void
take_offer(struct store_tx *vault, struct Rec__HostSecrets *s, struct turn *t)
{
	s->previous_bearer_hash = pb_bytes(t->by.bearer, sizeof(t->by.bearer));
	s->bearer_hash = pb_bytes(t->offer, sizeof(t->offer));
	vault_put_host(vault, &t->by.host, s);
	t->end = TURN_TAKEN;
}

/* The vault is committed first.  Cut off before state is, the wish stands,
 * and the host rotates once more: nobody is told of a rotation that the log
 * does not have. */
static void
finish(struct store_tx *state, struct store_tx *vault, struct op *op,
    struct Rec__HostSecrets *s, struct Rec__Host *h)
{
	struct turn *t = op->in;

	s->previous_bearer_hash = (ProtobufCBinaryData){ 0, NULL };
	vault_put_host(vault, &t->by.host, s);
	h->rotation_asked_ms = 0;
	h->bearer_rotated_at_ms = clock_now_ms();
	host_store_put(state, h);
	op_audit(state, op, "host.bearer_rotated", "host", &t->by.host, h->name,
	    NULL);
	t->end = TURN_DONE;
}

static enum rc
turn_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct turn *t = op->in;
	struct Rec__Host *h = host_store_get(state, &t->by.host);
	struct Rec__HostSecrets *s;

	if (h == NULL)
		return store_rc(state);
	s = vault_find_host(vault, &t->by.host);
	if (rotate_ends(s, &t->by))
		finish(state, vault, op, s, h);
	else if (s != NULL && t->offers && h->rotation_asked_ms != 0 &&
	         (is_hash(&s->bearer_hash, t->by.bearer) ||
	             is_hash(&s->previous_bearer_hash, t->by.bearer)))
		take_offer(vault, s, t);
	return store_rc(state);
}

static void
tell_taken(struct agents *a, const struct turn *t)
{
	struct err e;

	(void)err_code(&e, RC_CANCELLED, "bearer_rotated",
	    "the new bearer is good: use it from now on");
	agents_close_others(a, &t->by.host, t->offer, &e);
}

static void
tell_done(struct agents *a, const struct turn *t)
{
	char id[ULID_TEXT_CAP];
	struct err e;

	(void)err_code(&e, RC_AUTH, "unauthorised",
	    "this bearer was replaced by another one");
	agents_close_others(a, &t->by.host, t->by.bearer, &e);
	sse_host_changed(a->ctl->sse, &t->by.host);
	ulid_text(&t->by.host, id);
	log_info(LOG_AGENT, "bearer rotated host=%s", id);
}

static void
rotate_on_turned(struct op *op, void *ctx)
{
	const struct turn *t = op->in;
	struct agents *a = ctx;

	if (op->err.rc != RC_OK) {
		log_warn(LOG_AGENT, "bearer not rotated rc=%s error=%s",
		    rc_info(op->err.rc)->name, log_safe(str_of(op->err.msg)));
		/* Its next hello tries again, and there has to be one. */
		agents_drop(a, &t->by.host, &op->err);
		return;
	}
	switch (t->end) {
	case TURN_TAKEN:
		tell_taken(a, t);
		break;
	case TURN_DONE:
		tell_done(a, t);
		break;
	case TURN_NOTHING:
		break;
	}
}

static bool
offers(const struct call *c, const struct Wire__Hello *h)
{
	return c->rotate && h->new_bearer_sha256.len == CRYPT_HASH_SIZE &&
	       !is_hash(&h->new_bearer_sha256, c->caller.bearer);
}

void
rotate_hello(struct agents *a, struct call *c, const struct Wire__Hello *h)
{
	struct turn t = { .by = c->caller, .offers = offers(c, h) };
	struct op *op;

	if (!t.by.ends && !t.offers)
		return;
	c->rotate = false;
	if (t.offers)
		memcpy(t.offer, h->new_bearer_sha256.data, sizeof(t.offer));
	op = op_with(turn_op, &t, sizeof(t));
	op->done = rotate_on_turned;
	op->ctx = a;
	op->vault = true;
	if (!str_copy(op->actor.address, sizeof(op->actor.address),
	        str_of(grpc_peer(c->grpc))))
		op->actor.address[0] = '\0';
	op_submit(a->ctl->ops, &op);
}
