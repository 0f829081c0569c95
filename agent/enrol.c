/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/enrol.h"

#include <string.h>

#include "agent/identity.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/net/grpc_client.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"
#include "proto/agent.pb-c.h"
#include "version.h"

#define ENROL_PATH "/resticmanager.v1.Agent/Enroll"

enum {
	ENROL_MS = 60000,
	ENROL_MESSAGE_MAX = 65536,
	ENROL_HALF = 43
};

/* dial -> call -> reply or end -> stop. */
struct enrol {
	struct settings *settings;
	struct loop *loop;
	struct grpc_conn *conn;
	struct grpc_ccall *call;
	struct loop_timer *limit;
	struct tls_ctx *tls;
	struct identity id;
	char secret[ENROL_HALF + 1];
	uint8_t pin[TLS_PIN_SIZE];
	bool answered;
	struct err err;
};

static void
enrol_stop(struct enrol *en)
{
	loop_timer_stop(en->limit);
	loop_stop(en->loop);
}

static void
enrol_fail(struct enrol *en, enum rc rc, struct str why)
{
	err_set(&en->err, rc, "%.*s", STR_ARG(str_sub(why, 0, 200)));
	enrol_stop(en);
}

static void
enrol_on_limit(void *ctx)
{
	enrol_fail(ctx, RC_TIMEOUT,
	    STR("the controller did not answer within "
	        "60 s"));
}

static void
enrol_take(struct enrol *en, const Wire__EnrollReply *r)
{
	char pin[2 * TLS_PIN_SIZE + 1];
	const struct identity_answer a = { r->host_id, r->agent_token, pin };

	str_hex(en->pin, sizeof(en->pin), pin, sizeof(pin));
	if (identity_take(&en->id, &a, &en->err) == RC_OK)
		en->answered = true;
}

static void
enrol_on_message(void *ctx, struct grpc_ccall *c, struct str msg)
{
	struct enrol *en = ctx;
	Wire__EnrollReply *r =
	    wire__enroll_reply__unpack(NULL, msg.n, (const uint8_t *)msg.p);

	(void)c;
	if (r == NULL)
		err_set(&en->err, RC_PROTO,
		    "the controller's answer is malformed");
	else
		enrol_take(en, r);
	if (r != NULL) {
		mem_wipe(r->agent_token, strlen(r->agent_token));
		wire__enroll_reply__free_unpacked(r, NULL);
	}
}

static void
enrol_on_end(void *ctx, struct grpc_ccall *c, enum grpc_status st,
    struct str msg, struct str code)
{
	struct enrol *en = ctx;

	(void)c;
	(void)code;
	en->call = NULL;
	if (en->answered || en->err.rc != RC_OK)
		enrol_stop(en);
	else if (st == GRPC_OK)
		enrol_fail(en, RC_PROTO, STR("the controller gave no answer"));
	else
		enrol_fail(en, rc_from_grpc((int)st), msg);
}

static void
enrol_on_ready(void *ctx, struct grpc_conn *conn)
{
	Wire__EnrollRequest q = WIRE__ENROLL_REQUEST__INIT;
	struct grpc_ccall_opts o = { .path = ENROL_PATH };
	struct enrol *en = ctx;
	struct buf b;
	char *room;

	q.token = en->secret;
	q.enrol_id = en->settings->enrol_id;
	q.hostname = en->id.facts.hostname;
	q.os = en->id.facts.os;
	q.arch = en->id.facts.arch;
	q.agent_version = (char *)(uintptr_t)RM_VERSION;
	q.restic_version = en->id.restic.version;
	o.timeout_ms = ENROL_MS;
	o.on_message = enrol_on_message;
	o.on_end = enrol_on_end;
	o.ctx = en;
	en->call = grpc_call_open(conn, &o);
	buf_init(&b, ENROL_MESSAGE_MAX);
	room = buf_reserve(&b, wire__enroll_request__get_packed_size(&q));
	ASSERT(room != NULL); /* every field is bounded */
	buf_added(&b, wire__enroll_request__pack(&q, (uint8_t *)room));
	if (grpc_call_send(en->call, buf_str(&b)) != RC_OK)
		enrol_fail(en, RC_IO, STR("the request could not be sent"));
	grpc_call_half_close(en->call);
	buf_wipe_fini(&b);
}

static void
enrol_on_down(void *ctx, struct grpc_conn *conn, const struct err *e)
{
	struct enrol *en = ctx;

	(void)conn;
	if (!en->answered && en->err.rc == RC_OK)
		en->err = *e;
	enrol_stop(en);
}

static enum rc
enrol_parse_token(struct enrol *en, const char *token, struct err *e)
{
	struct str secret, pin;
	size_t n = 0;

	if (!str_cut(str_trim(str_of(token)), '.', &secret, &pin) ||
	    secret.n != ENROL_HALF ||
	    !str_copy(en->secret, sizeof(en->secret), secret) ||
	    !str_unb64(pin, true, en->pin, sizeof(en->pin), &n) ||
	    n != sizeof(en->pin))
		return err_set(e, RC_INVALID,
		    "this is not an enrolment token; "
		    "copy it whole from the page where it was made");
	return RC_OK;
}

static void
enrol_fresh_id(char **field)
{
	uint8_t raw[16];
	char text[STR_B64_CAP(sizeof(raw))];

	crypt_random(raw, sizeof(raw));
	str_b64(raw, sizeof(raw), true, text, sizeof(text));
	settings_set(field, text);
}

/* Everything that can fail here fails before the token is used. */
static enum rc
enrol_prepare(struct enrol *en, const char *server, struct err *e)
{
	struct settings *s = en->settings;
	enum rc rc;

	if ((rc = identity_open(&en->id, s, e)) != RC_OK)
		return rc;
	settings_set(&s->server, server);
	if (s->enrol_id == NULL)
		enrol_fresh_id(&s->enrol_id);
	return settings_save(s, e);
}

static void
enrol_talk(struct enrol *en, const char *server)
{
	struct grpc_dial_opts o = { .loop = en->loop, .url = server };

	o.tls = en->tls;
	o.on_ready = enrol_on_ready;
	o.on_down = enrol_on_down;
	o.ctx = en;
	en->limit = loop_timer_new(en->loop, enrol_on_limit, en);
	loop_timer_start(en->limit, ENROL_MS, 0);
	en->conn = grpc_dial(&o);
	loop_run(en->loop);
	if (en->call != NULL)
		grpc_call_cancel(en->call);
	grpc_conn_free(en->conn);
	loop_timer_free(en->limit);
}

enum rc
enrol_run(struct settings *s, struct loop *l, const char *server,
    const char *token, struct err *e)
{
	struct enrol en = { .settings = s, .loop = l };
	struct tls_client_opts to = { .pin = en.pin };
	enum rc rc;

	if ((rc = enrol_parse_token(&en, token, e)) == RC_OK &&
	    (rc = enrol_prepare(&en, server, e)) == RC_OK &&
	    (rc = tls_client_new(&to, &en.tls, e)) == RC_OK) {
		enrol_talk(&en, server);
		rc = en.answered ? RC_OK : en.err.rc;
		if (rc != RC_OK && e != NULL)
			*e = en.err;
	}
	identity_close(&en.id);
	tls_ctx_unref(en.tls);
	mem_wipe(en.secret, sizeof(en.secret));
	return rc;
}
