/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Three calls, one after the other.  Check answers for the bearer.  A
 * Session that begins with something else than a hello, and a Poll without
 * one, are refused before they mean anything: that refusal, by its code,
 * proves that the call came through.  So no live stream is fenced and no
 * second instance is seen.
 */
#include <string.h>

#include "agent/bearer.h"
#include "agent/doctor.h"
#include "agent/facts.h"
#include "agent/settings.h"
#include "lib/base/buf.h"
#include "lib/base/checkup.h"
#include "lib/base/clock.h"
#include "lib/net/checkup_net.h"
#include "lib/net/grpc_client.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"
#include "proto/agent.pb-c.h"

#define SERVICE "/resticmanager.v1.Agent/"

enum {
	TALK_STEP_MS = 8000,
	TALK_MESSAGE_MAX = 4096,
	TALK_PROTOCOL = 1
};

enum talk_step {
	TALK_CHECK,
	TALK_SESSION,
	TALK_POLL,
	TALK_STEPS
};

/* How a call ended. */
struct talk_end {
	enum grpc_status status;
	char code[64];
	char why[160];
};

struct talk {
	struct checkup *sheet;
	const struct settings *settings;
	const struct facts *facts;
	struct loop *loop;
	struct tls_ctx *tls;
	struct grpc_conn *conn;
	struct grpc_ccall *call;
	struct loop_timer *limit;
	enum talk_step step;
	struct talk_end end;
	int64_t asked_ms; /* wall clock */
	Wire__CheckReply *reply;
	struct bearer bearer;
	bool bearer_bad;
};

static void next(struct talk *t);

/* ------------------------------------------------------------------ words */

static bool
refused_politely(const struct talk_end *end)
{
	return strcmp(end->code, "bad_request") == 0;
}

static void
tell_presence(struct talk *t)
{
	const Wire__CheckReply *r = t->reply;

	if (r->live && r->other_instance)
		checkup_fail(t->sheet, "identity",
		    "one of the two was copied from the other: enrol this "
		    "one anew",
		    "another installation uses this bearer now");
	else if (r->live)
		checkup_ok(t->sheet, "identity",
		    "the controller sees this host online, by %s",
		    r->stream ? "Session" : "Poll");
	else
		checkup_ok(t->sheet, "identity",
		    "the controller sees this host offline");
}

static void
tell_check(struct talk *t)
{
	const Wire__CheckReply *r = t->reply;

	if (r != NULL && t->end.status == GRPC_OK) {
		checkup_ok(t->sheet, "bearer", "this is %s at controller %s",
		    r->host_name, r->controller_version);
		tell_presence(t);
		checkup_clock(t->sheet,
		    (t->asked_ms + clock_now_ms()) / 2 - r->now_ms);
		if (r->protocol_error[0] != '\0')
			checkup_fail(t->sheet, "protocol",
			    "update the older of the two", "%s",
			    r->protocol_error);
	} else if (t->end.status == GRPC_UNAUTHENTICATED) {
		t->bearer_bad = true;
		checkup_fail(t->sheet, "bearer",
		    "enrol this host again: Add host, on the controller's "
		    "page",
		    "%s", t->end.why);
	} else if (t->end.status == GRPC_UNIMPLEMENTED) {
		checkup_skip(t->sheet, "bearer",
		    "this controller is older and cannot say");
	} else {
		checkup_fail(t->sheet, "bearer",
		    "is something between that does not pass gRPC on (nginx: "
		    "grpc_pass)?",
		    "%s", t->end.why);
	}
}

static void
tell_session(struct talk *t)
{
	if (refused_politely(&t->end))
		checkup_ok(t->sheet, "session", "streams come through");
	else
		checkup_fail(t->sheet, "session",
		    "let the proxy pass gRPC streams on, without collecting "
		    "or ending them",
		    "no stream: %s", t->end.why);
}

static void
tell_poll(struct talk *t)
{
	if (refused_politely(&t->end))
		checkup_ok(t->sheet, "poll",
		    "comes through: the agent polls instead, nothing is lost");
	else
		checkup_fail(t->sheet, "poll",
		    "is this the controller's address, and does the proxy "
		    "pass gRPC on?",
		    "%s", t->end.why);
}

void
doctor_talk_skip(struct checkup *sheet)
{
	checkup_skip(sheet, "bearer", "not reached");
	checkup_skip(sheet, "session", "not reached");
}

/* ------------------------------------------------------------------ calls */

static void
ended(struct talk *t)
{
	loop_timer_stop(t->limit);
	t->call = NULL;
	switch (t->step) {
	case TALK_CHECK:
		if (t->end.status == GRPC_UNAUTHENTICATED &&
		    bearer_refused(&t->bearer))
			break;
		tell_check(t);
		t->step = TALK_SESSION;
		break;
	case TALK_SESSION:
		tell_session(t);
		t->step = refused_politely(&t->end) ? TALK_STEPS : TALK_POLL;
		break;
	case TALK_POLL:
		tell_poll(t);
		t->step = TALK_STEPS;
		break;
	case TALK_STEPS:
		break;
	}
	if (t->bearer_bad && t->step == TALK_SESSION) {
		checkup_skip(t->sheet, "session", "needs a bearer");
		t->step = TALK_STEPS;
	}
	if (t->step == TALK_STEPS)
		loop_stop(t->loop);
	else
		next(t);
}

static void
doctor_on_message(void *ctx, struct grpc_ccall *c, struct str msg)
{
	struct talk *t = ctx;

	(void)c;
	if (t->step == TALK_CHECK && t->reply == NULL)
		t->reply = wire__check_reply__unpack(NULL, msg.n,
		    (const uint8_t *)msg.p);
}

static void
doctor_on_end(void *ctx, struct grpc_ccall *c, enum grpc_status st,
    struct str msg, struct str code)
{
	struct talk *t = ctx;

	(void)c;
	t->end.status = st;
	if (!str_copy(t->end.code, sizeof(t->end.code), code))
		t->end.code[0] = '\0';
	if (!str_copy(t->end.why, sizeof(t->end.why),
	        str_sub(msg, 0, sizeof(t->end.why) - 1)))
		t->end.why[0] = '\0';
	if (t->end.why[0] == '\0')
		ASSERT(str_fmt(t->end.why, sizeof(t->end.why),
		    "gRPC status %d without a message", (int)st));
	ended(t);
}

static void
doctor_on_limit(void *ctx)
{
	struct talk *t = ctx;

	grpc_call_cancel(t->call);
	t->end = (struct talk_end){ .status = GRPC_DEADLINE_EXCEEDED };
	ASSERT(str_fmt(t->end.why, sizeof(t->end.why), "no answer within %d s",
	    TALK_STEP_MS / 1000));
	ended(t);
}

static void
send(struct talk *t, const ProtobufCMessage *m)
{
	struct buf b;
	char *room;

	buf_init(&b, TALK_MESSAGE_MAX);
	room = buf_reserve(&b, protobuf_c_message_get_packed_size(m) + 1);
	ASSERT(room != NULL); /* every field is bounded */
	buf_added(&b, protobuf_c_message_pack(m, (uint8_t *)room));
	/* What could not be sent has no answer: the limit tells. */
	if (grpc_call_send(t->call, buf_str(&b)) == RC_OK &&
	    t->step != TALK_SESSION)
		grpc_call_half_close(t->call);
	buf_fini(&b);
}

static void
send_check(struct talk *t)
{
	Wire__CheckRequest q = WIRE__CHECK_REQUEST__INIT;

	q.protocol_version = TALK_PROTOCOL;
	if (t->facts != NULL) {
		q.instance_id.data =
		    (uint8_t *)(uintptr_t)t->facts->instance_id;
		q.instance_id.len = sizeof(t->facts->instance_id);
	}
	send(t, &q.base);
}

static void
send_no_hello(struct talk *t)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__Heartbeat beat = WIRE__HEARTBEAT__INIT;

	m.body_case = WIRE__AGENT_MESSAGE__BODY_HEARTBEAT;
	m.heartbeat = &beat;
	beat.sent_at_ms = clock_now_ms();
	send(t, &m.base);
}

static void
next(struct talk *t)
{
	static const char *const paths[TALK_STEPS] = { SERVICE "Check",
		SERVICE "Session", SERVICE "Poll" };
	Wire__PollRequest poll = WIRE__POLL_REQUEST__INIT;
	struct grpc_ccall_opts o = { .path = paths[t->step], .ctx = t };

	o.bearer = bearer_in_use(&t->bearer);
	o.on_message = doctor_on_message;
	o.on_end = doctor_on_end;
	t->end = (struct talk_end){ 0 };
	t->asked_ms = clock_now_ms();
	t->call = grpc_call_open(t->conn, &o);
	loop_timer_start(t->limit, TALK_STEP_MS, 0);
	if (t->step == TALK_CHECK)
		send_check(t);
	else if (t->step == TALK_SESSION)
		send_no_hello(t);
	else
		send(t, &poll.base);
}

/* ------------------------------------------------------------- connection */

static void
doctor_on_ready(void *ctx, struct grpc_conn *conn)
{
	struct talk *t = ctx;

	t->conn = conn;
	next(t);
}

static void
doctor_on_down(void *ctx, struct grpc_conn *conn, const struct err *e)
{
	struct talk *t = ctx;

	(void)conn;
	if (t->step < TALK_STEPS) {
		checkup_fail(t->sheet, "connection",
		    "does the service behind this address speak HTTP/2?", "%s",
		    e->msg);
		if (t->step == TALK_CHECK)
			doctor_talk_skip(t->sheet);
	}
	loop_stop(t->loop);
}

static enum rc
make_tls(struct talk *t, struct err *e)
{
	struct tls_client_opts o = { 0 };
	uint8_t pin[TLS_PIN_SIZE];

	if (t->settings->cert_pin_sha256 != NULL) {
		if (!str_unhex(str_of(t->settings->cert_pin_sha256), pin,
		        sizeof(pin)))
			return err_set(e, RC_INVALID,
			    "cert_pin_sha256 is not 64 hex digits");
		o.pin = pin;
	}
	return tls_client_new(&o, &t->tls, e);
}

enum rc
doctor_talk(struct checkup *sheet, const struct settings *s,
    struct secrets *box, const struct facts *f, struct err *e)
{
	struct talk t = { .sheet = sheet, .settings = s, .facts = f };
	struct grpc_dial_opts o = { .url = s->server, .ctx = &t };
	enum rc rc;

	if ((rc = bearer_open(&t.bearer, box, s->agent_token, e)) != RC_OK ||
	    (rc = tls_init(e)) != RC_OK || (rc = make_tls(&t, e)) != RC_OK ||
	    (rc = loop_new(&t.loop, e)) != RC_OK) {
		tls_ctx_unref(t.tls);
		bearer_wipe(&t.bearer);
		return rc;
	}
	o.loop = t.loop;
	o.tls = t.tls;
	o.timeout_ms = TALK_STEP_MS;
	o.on_ready = doctor_on_ready;
	o.on_down = doctor_on_down;
	t.limit = loop_timer_new(t.loop, doctor_on_limit, &t);
	t.conn = grpc_dial(&o);
	loop_run(t.loop);
	t.step = TALK_STEPS;
	if (t.call != NULL)
		grpc_call_cancel(t.call);
	grpc_conn_free(t.conn);
	loop_timer_free(t.limit);
	loop_free(t.loop);
	tls_ctx_unref(t.tls);
	bearer_wipe(&t.bearer);
	if (t.reply != NULL)
		wire__check_reply__free_unpacked(t.reply, NULL);
	return RC_OK;
}
