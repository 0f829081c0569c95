/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/announce.h"

#include <stdio.h>
#include <string.h>

#include "agent/backoff.h"
#include "agent/identity.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/keyproof.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"
#include "lib/net/grpc_client.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"
#include "proto/agent.pb-c.h"
#include "version.h"

#define ANNOUNCE_PATH "/resticmanager.v1.Agent/Announce"
#define RULE "================================================================"

enum {
	/* M-095 */
	ANNOUNCE_DIAL_MS = 30000,
	ANNOUNCE_STEP_MS = 30000, /* nonce, and what follows the signature */
	ANNOUNCE_WAIT_MS = 3600000,
	ANNOUNCE_MESSAGE_MAX = 65536,
	/* Three beats of the controller did not come. */
	ANNOUNCE_SILENT_MS = 80000,
	ANNOUNCE_RATED_MS = 10000 /* a token comes every 6 s */
};

enum announce_step {
	ANNOUNCE_CONNECTING,
	ANNOUNCE_NONCE,  /* announced, for the nonce */
	ANNOUNCE_SIGNED, /* for a first answer */
	ANNOUNCE_WAITING /* for an administrator */
};

struct announce {
	struct identity id;
	struct loop *loop;
	const char *server;
	struct tls_ctx *tls;
	char pin[2 * TLS_PIN_SIZE + 1]; /* hex, "" when a CA is trusted */
	uint8_t pub[CRYPT_SIGN_PUBLIC_SIZE];
	uint8_t sec[CRYPT_SIGN_SECRET_SIZE];
	enum announce_step step;
	struct grpc_conn *conn;
	struct grpc_ccall *call;
	struct loop_timer *limit; /* of the step */
	struct loop_timer *retry;
	struct loop_timer *patience; /* of it all */
	unsigned failures;
	char shown[ULID_TEXT_CAP]; /* pending id of the banner, "" none yet */
	bool accepted;
	bool over;
	struct err err;
};

/* ------------------------------------------------------------------ ending */

static void
announce_disconnect(struct announce *a)
{
	if (a->call != NULL)
		grpc_call_cancel(a->call);
	a->call = NULL;
	if (a->conn != NULL)
		grpc_conn_free(a->conn);
	a->conn = NULL;
	loop_timer_stop(a->limit);
}

static void
announce_stop(struct announce *a)
{
	a->over = true;
	announce_disconnect(a);
	loop_timer_stop(a->retry);
	loop_timer_stop(a->patience);
	loop_stop(a->loop);
}

static void
announce_fail(struct announce *a, const struct err *e)
{
	a->err = *e;
	announce_stop(a);
}

/* As long as nobody was shown a fingerprint there is nothing to hold on to:
 * a wrong address or pin is told at once. */
static void
announce_again(struct announce *a, const struct err *why, uint64_t least_ms)
{
	uint64_t wait;

	if (a->shown[0] == '\0') {
		announce_fail(a, why);
		return;
	}
	announce_disconnect(a);
	wait = least_ms + backoff_ms(&a->failures);
	log_warn(LOG_NET, "still waiting, connecting again in %llu ms: %s",
	    (unsigned long long)wait, log_safe(str_of(why->msg)));
	loop_timer_start(a->retry, wait, 0);
}

static void
announce_on_limit(void *ctx)
{
	struct announce *a = ctx;
	struct err e;

	err_set(&e, RC_TIMEOUT, "%s does not answer", a->server);
	announce_again(a, &e, 0);
}

static void
announce_on_patience(void *ctx)
{
	struct announce *a = ctx;
	struct err e;

	err_set(&e, RC_TIMEOUT,
	    "nobody accepted this host within 1 hour; give the command again");
	announce_fail(a, &e);
}

/* The key was refused: the next announcement is another host's. */
static void
announce_forget_key(struct announce *a)
{
	struct err e = { 0 };

	settings_set(&a->id.settings->announce_key, NULL);
	if (settings_save(a->id.settings, &e) != RC_OK)
		log_warn(LOG_CONF, "announce_key not removed error=%s", e.msg);
}

/* Ends that more tries do not mend. */
static const struct announce_final {
	const char *code;    /* rm-error-code, or */
	enum grpc_status st; /* GRPC_OK: any */
	enum rc rc;
	bool forget_key;
	const char *sentence; /* NULL: the controller's */
} announce_finals[] = {
	{ "rejected", GRPC_OK, RC_DENIED, true, "rejected by admin" },
	{ "announce_expired", GRPC_OK, RC_TIMEOUT, false,
	    "nobody accepted this host within 1 hour; give the command again" },
	{ "replaced", GRPC_OK, RC_CONFLICT, false,
	    "another agent announced itself with the same key; is agent.yaml "
	    "a copy of another host's?" },
	{ "bad_signature", GRPC_OK, RC_AUTH, false,
	    "the controller refused the signature: is something between that "
	    "ends TLS? Its key is not the one pinned here" },
	{ NULL, GRPC_INVALID_ARGUMENT, RC_INVALID, false, NULL },
	{ NULL, GRPC_UNIMPLEMENTED, RC_VERSION, false,
	    "the controller does not know announcements; update it, or enrol "
	    "with a token" },
};

static const struct announce_final *
announce_final(enum grpc_status st, struct str code)
{
	const struct announce_final *f;
	size_t i;

	for (i = 0; i < ARRAY_LEN(announce_finals); i++) {
		f = &announce_finals[i];
		if (f->code != NULL ? str_eqz(code, f->code) : st == f->st)
			return f;
	}
	return NULL;
}

static void
announce_on_end(void *ctx, struct grpc_ccall *c, enum grpc_status st,
    struct str msg, struct str code)
{
	const struct announce_final *f = announce_final(st, code);
	bool rated = str_eqz(code, "rate_limited");
	struct announce *a = ctx;
	struct err e;

	(void)c;
	a->call = NULL;
	if (a->over)
		return;
	err_set(&e, f != NULL ? f->rc : rc_from_grpc((int)st), "%.*s",
	    STR_ARG(str_sub(msg, 0, 200)));
	if (f != NULL && f->sentence != NULL)
		err_set(&e, f->rc, "%s", f->sentence);
	if (e.rc == RC_OK)
		err_set(&e, RC_PROTO, "the controller ended without an answer");
	if (f != NULL && f->forget_key)
		announce_forget_key(a);
	if (f != NULL)
		announce_fail(a, &e);
	else
		announce_again(a, &e, rated ? ANNOUNCE_RATED_MS : 0);
}

static void
announce_on_down(void *ctx, struct grpc_conn *conn, const struct err *e)
{
	struct announce *a = ctx;

	(void)conn;
	if (!a->over)
		announce_again(a, e, 0);
}

/* ----------------------------------------------------------------- talking */

static void
announce_send(struct announce *a, const Wire__AnnounceMessage *m)
{
	struct buf b;
	char *room;
	struct err e;

	buf_init(&b, ANNOUNCE_MESSAGE_MAX);
	room = buf_reserve(&b, wire__announce_message__get_packed_size(m));
	ASSERT(room != NULL); /* every field is bounded */
	buf_added(&b, wire__announce_message__pack(m, (uint8_t *)room));
	if (grpc_call_send(a->call, buf_str(&b)) != RC_OK) {
		err_set(&e, RC_IO, "the message could not be sent");
		announce_again(a, &e, 0);
	}
	buf_fini(&b);
}

static void
announce_banner(struct announce *a, const Wire__AnnouncePending *p)
{
	uint8_t fingerprint[CRYPT_HASH_SIZE];
	char blocks[KEYPROOF_BLOCKS_CAP];

	if (strcmp(a->shown, p->pending_id) == 0)
		return; /* connected again to the same row */
	ASSERT(str_copy(a->shown, sizeof(a->shown), str_of(p->pending_id)));
	keyproof_fingerprint(a->pub, fingerprint);
	keyproof_blocks(fingerprint, blocks);
	printf(RULE "\nHost name:   %s\nServer:      %s\nPending ID:  %s\n"
	            "Fingerprint:\n%s\n",
	    a->id.facts.hostname, a->server, p->pending_id, blocks);
	if (p->hostname_collision)
		printf("\nWARNING: the controller knows another host named %s. "
		       "If that is not you,\nsomebody may be posing as this "
		       "host: compare the fingerprint with care.\n",
		    a->id.facts.hostname);
	printf("\nCompare the fingerprint with the one in the UI before "
	       "accepting.\nWaiting for an admin to accept (1 hour "
	       "timeout)\xe2\x80\xa6\n" RULE "\n");
	(void)fflush(stdout);
}

/* What the page will show is what is printed here. */
static bool
announce_is_ours(struct announce *a, const Wire__AnnouncePending *p)
{
	uint8_t fingerprint[CRYPT_HASH_SIZE];
	char text[KEYPROOF_TEXT_CAP];
	struct ulid id;

	keyproof_fingerprint(a->pub, fingerprint);
	keyproof_text(fingerprint, text);
	return p->nonce.len == KEYPROOF_NONCE &&
	       strcmp(p->fingerprint, text) == 0 &&
	       ulid_parse(str_of(p->pending_id), &id);
}

static void
announce_sign(struct announce *a, const Wire__AnnouncePending *p)
{
	Wire__AnnounceMessage m = WIRE__ANNOUNCE_MESSAGE__INIT;
	Wire__SignedNonce w = WIRE__SIGNED_NONCE__INIT;
	struct keyproof proof = { .id = p->pending_id, .pin = a->pin };
	uint8_t sig[CRYPT_SIGN_SIZE];
	struct err e;

	if (!announce_is_ours(a, p)) {
		err_set(&e, RC_PROTO,
		    "the controller's answer does not fit this agent's key");
		announce_fail(a, &e);
		return;
	}
	memcpy(proof.nonce, p->nonce.data, sizeof(proof.nonce));
	keyproof_sign(&proof, a->sec, sig);
	w.signature.data = sig;
	w.signature.len = sizeof(sig);
	m.body_case = WIRE__ANNOUNCE_MESSAGE__BODY_SIGNED_NONCE;
	m.signed_nonce = &w;
	a->step = ANNOUNCE_SIGNED;
	loop_timer_start(a->limit, ANNOUNCE_STEP_MS, 0);
	announce_banner(a, p);
	announce_send(a, &m);
}

static void
announce_enrolled(struct announce *a, const Wire__AnnounceEnrolled *w)
{
	const struct identity_answer answer = { w->host_id, w->agent_token,
		NULL };

	if (identity_take(&a->id, &answer, &a->err) == RC_OK)
		a->accepted = true;
	announce_stop(a);
}

static void
announce_take(struct announce *a, const Wire__AnnounceReply *r)
{
	struct err e;

	if (r->body_case == WIRE__ANNOUNCE_REPLY__BODY_PENDING &&
	    a->step == ANNOUNCE_NONCE) {
		announce_sign(a, r->pending);
	} else if (r->body_case == WIRE__ANNOUNCE_REPLY__BODY_WAITING &&
	           a->step >= ANNOUNCE_SIGNED) {
		a->step = ANNOUNCE_WAITING;
		a->failures = 0;
		loop_timer_start(a->limit, ANNOUNCE_SILENT_MS, 0);
	} else if (r->body_case == WIRE__ANNOUNCE_REPLY__BODY_ENROLLED &&
	           a->step >= ANNOUNCE_SIGNED) {
		announce_enrolled(a, r->enrolled);
	} else {
		err_set(&e, RC_PROTO, "the controller answered out of turn");
		announce_again(a, &e, 0);
	}
}

static void
announce_on_message(void *ctx, struct grpc_ccall *c, struct str msg)
{
	struct announce *a = ctx;
	Wire__AnnounceReply *r = NULL;
	struct err e;

	(void)c;
	if (a->over)
		return;
	if (msg.n <= ANNOUNCE_MESSAGE_MAX)
		r = wire__announce_reply__unpack(NULL, msg.n,
		    (const uint8_t *)msg.p);
	if (r == NULL) {
		err_set(&e, RC_PROTO, "the controller's answer is malformed");
		announce_again(a, &e, 0);
		return;
	}
	announce_take(a, r);
	if (r->body_case == WIRE__ANNOUNCE_REPLY__BODY_ENROLLED)
		mem_wipe(r->enrolled->agent_token,
		    strlen(r->enrolled->agent_token));
	wire__announce_reply__free_unpacked(r, NULL);
}

static void
announce_on_ready(void *ctx, struct grpc_conn *conn)
{
	Wire__AnnounceMessage m = WIRE__ANNOUNCE_MESSAGE__INIT;
	Wire__AnnounceHost w = WIRE__ANNOUNCE_HOST__INIT;
	struct grpc_ccall_opts o = { .path = ANNOUNCE_PATH };
	struct announce *a = ctx;

	o.on_message = announce_on_message;
	o.on_end = announce_on_end;
	o.ctx = a;
	a->call = grpc_call_open(conn, &o);
	w.hostname = a->id.facts.hostname;
	w.os = a->id.facts.os;
	w.arch = a->id.facts.arch;
	w.agent_version = (char *)(uintptr_t)RM_VERSION;
	w.restic_version = a->id.restic.version;
	w.public_key.data = a->pub;
	w.public_key.len = sizeof(a->pub);
	m.body_case = WIRE__ANNOUNCE_MESSAGE__BODY_ANNOUNCE;
	m.announce = &w;
	a->step = ANNOUNCE_NONCE;
	loop_timer_start(a->limit, ANNOUNCE_STEP_MS, 0);
	announce_send(a, &m);
}

static void
announce_dial(void *ctx)
{
	struct announce *a = ctx;
	struct grpc_dial_opts o = { .loop = a->loop, .url = a->server };

	o.tls = a->tls;
	o.timeout_ms = ANNOUNCE_DIAL_MS;
	o.on_ready = announce_on_ready;
	o.on_down = announce_on_down;
	o.ctx = a;
	a->step = ANNOUNCE_CONNECTING;
	a->conn = grpc_dial(&o);
}

/* --------------------------------------------------------------- preparing */

/* The stored pair, or a new one, which is stored before it is used. */
static enum rc
announce_key(struct announce *a, struct err *e)
{
	struct settings *s = a->id.settings;
	char text[STR_B64_CAP(CRYPT_SIGN_SECRET_SIZE)];
	size_t n = 0;

	if (s->announce_key != NULL) {
		if (!str_unb64(str_of(s->announce_key), false, a->sec,
		        sizeof(a->sec), &n) ||
		    n != sizeof(a->sec))
			return err_set(e, RC_INVALID,
			    "announce_key in %s is not base64 of 64 bytes; "
			    "remove the line to make another one",
			    s->path);
		/* The second half of the secret key is the public one. */
		memcpy(a->pub, a->sec + sizeof(a->sec) - sizeof(a->pub),
		    sizeof(a->pub));
		return RC_OK;
	}
	crypt_sign_keypair(a->pub, a->sec);
	str_b64(a->sec, sizeof(a->sec), false, text, sizeof(text));
	settings_set(&s->announce_key, text);
	mem_wipe(text, sizeof(text));
	return settings_save(s, e);
}

/* A controller that could be anybody gets no key shown: the pin, or a CA. */
static enum rc
announce_trust(struct announce *a, struct err *e)
{
	const struct settings *s = a->id.settings;
	struct tls_client_opts o = { 0 };
	uint8_t pin[TLS_PIN_SIZE];

	if (s->cert_pin_sha256 != NULL) {
		if (!str_unhex(str_of(s->cert_pin_sha256), pin, sizeof(pin)))
			return err_set(e, RC_INVALID,
			    "the certificate's pin is not 64 hex digits");
		str_hex(pin, sizeof(pin), a->pin, sizeof(a->pin));
		o.pin = pin;
	}
	return tls_client_new(&o, &a->tls, e);
}

static enum rc
announce_prepare(struct announce *a, struct settings *s, struct err *e)
{
	enum rc rc;

	if ((rc = settings_server_ok(a->server, e)) != RC_OK ||
	    (rc = identity_open(&a->id, s, e)) != RC_OK ||
	    (rc = announce_trust(a, e)) != RC_OK)
		return rc;
	settings_set(&s->server, a->server);
	return announce_key(a, e);
}

static void
announce_talk(struct announce *a)
{
	a->limit = loop_timer_new(a->loop, announce_on_limit, a);
	a->retry = loop_timer_new(a->loop, announce_dial, a);
	a->patience = loop_timer_new(a->loop, announce_on_patience, a);
	loop_timer_start(a->patience, ANNOUNCE_WAIT_MS, 0);
	loop_timer_start(a->retry, 0, 0);
	loop_run(a->loop);
	loop_timer_free(a->limit);
	loop_timer_free(a->retry);
	loop_timer_free(a->patience);
}

enum rc
announce_run(struct settings *s, struct loop *l, const char *server,
    struct err *e)
{
	struct announce a = { .loop = l, .server = server };
	enum rc rc = announce_prepare(&a, s, e);

	if (rc == RC_OK) {
		announce_talk(&a);
		rc = a.accepted ? RC_OK : a.err.rc;
		if (rc != RC_OK && e != NULL)
			*e = a.err;
	}
	identity_close(&a.id);
	tls_ctx_unref(a.tls);
	mem_wipe(a.sec, sizeof(a.sec));
	return rc;
}
