/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/agent.h"
#include "agent/backoff.h"
#include "agent/command.h"
#include "agent/config.h"
#include "agent/schedule.h"
#include "agent/uplink_own.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/net/grpc_client.h"
#include "lib/net/loop.h"

#define UPLINK_SESSION "/resticmanager.v1.Agent/Session"

/* -------------------------------------------------------- what comes in */

/* What both HelloReply and PollReply say first.  False: start over. */
bool
uplink_on_resume(struct uplink *u, const Wire__HelloReply *h)
{
	struct err e = { 0 };

	if (!outbound_resume(&u->out, h->resume_seq, &e)) {
		log_error(LOG_NET,
		    "the controller has events this queue never gave "
		    "error=%s",
		    e.msg);
		uplink_down(u, BACKOFF_MIN_MS);
		return false;
	}
	u->failures = 0;
	bearer_good(&u->bearer);
	if (h->config != NULL)
		config_apply(u->agent, h->config);
	schedule_contact(u->agent->schedule);
	return true;
}

void
uplink_check_drained(struct uplink *u)
{
	uplink_drained_fn *fn = u->drained;

	if (fn == NULL || !outbound_empty(&u->out))
		return;
	u->drained = NULL;
	loop_timer_stop(u->drain_limit);
	loop_defer(u->agent->loop, fn, u->drained_ctx);
}

/* Answers that were given while there was no connection. */
static void
uplink_send_kept(struct uplink *u)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;

	m.body_case = WIRE__AGENT_MESSAGE__BODY_RESULT;
	while ((m.result = outbound_take_result(&u->out)) != NULL) {
		uplink_send(u, &m);
		wire__command_result__free_unpacked(m.result, NULL);
	}
}

static void
uplink_on_hello(struct uplink *u, const Wire__HelloReply *h)
{
	uint32_t beat = h->heartbeat_interval_ms;

	loop_timer_stop(u->hello_limit);
	if (!uplink_on_resume(u, h))
		return;
	if (beat < 1000 || beat > UPLINK_HEARTBEAT_MS)
		beat = UPLINK_HEARTBEAT_MS;
	u->state = UPLINK_LIVE;
	u->live_since_ms = clock_mono_ms();
	loop_timer_start(u->beat, beat, beat);
	log_info(LOG_NET, "session open server=%s", u->agent->settings.server);
	uplink_send_kept(u);
	uplink_pump(u);
	uplink_check_drained(u);
	if (h->rotate_bearer)
		uplink_rotate(u);
}

static void
uplink_on_session_message(void *ctx, struct grpc_ccall *call, struct str msg)
{
	struct uplink *u = ctx;
	Wire__ControllerMessage *m = wire__controller_message__unpack(NULL,
	    msg.n, (const uint8_t *)msg.p);

	(void)call;
	if (m == NULL) {
		log_warn(LOG_NET, "malformed message from the controller");
		uplink_down(u, uplink_backoff(u));
		return;
	}
	switch (m->body_case) {
	case WIRE__CONTROLLER_MESSAGE__BODY_HELLO:
		uplink_on_hello(u, m->hello);
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_ACK:
		outbound_ack(&u->out, m->ack->seq);
		uplink_pump(u);
		uplink_check_drained(u);
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_COMMAND:
		command_handle(u->agent->command, m->command);
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_CONFIG:
		config_apply(u->agent, m->config);
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_ERROR:
		log_warn(LOG_NET,
		    "the controller says code=%s message=%s "
		    "help=%s",
		    log_safe(str_of(m->error->code)),
		    log_safe(str_of(m->error->message)),
		    log_safe(str_of(m->error->help_url)));
		if (!str_copy(u->said, sizeof(u->said), str_of(m->error->code)))
			u->said[0] = '\0';
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_ROTATE_BEARER:
		uplink_rotate(u);
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY__NOT_SET:
	case _WIRE__CONTROLLER_MESSAGE__BODY__CASE_IS_INT_SIZE:
		log_debug(LOG_NET, "message of an unknown kind, ignored");
		break;
	}
	wire__controller_message__free_unpacked(m, NULL);
}

static void
uplink_on_session_end(void *ctx, struct grpc_ccall *call, enum grpc_status st,
    struct str msg, struct str code)
{
	struct uplink *u = ctx;
	bool brief = u->state != UPLINK_LIVE ||
	             clock_mono_ms() - u->live_since_ms < UPLINK_SHORT_MS;

	(void)call;
	if (code.n == 0)
		code = str_of(u->said);
	if (!brief)
		u->session_fails = 0;
	else if (uplink_refused(st, code) == NULL && !uplink_was_rotated(code))
		uplink_session_failed(u);
	uplink_call_ended(u, st, msg, code);
}

/* -------------------------------------------------------------- session */

static void
uplink_on_writable(void *ctx, struct grpc_ccall *call)
{
	(void)call;
	uplink_pump(ctx);
}

/* What the queue held is damaged: nothing behind it can be sent. */
void
uplink_renew(struct uplink *u)
{
	struct err e = { 0 };

	if (outbound_renew(&u->out, &e) == RC_OK)
		log_error(LOG_SPOOL, "the event queue is damaged, it was set "
		                     "aside and a new epoch begins");
	else
		log_error(LOG_SPOOL, "the event queue is damaged error=%s",
		    e.msg);
	uplink_down(u, BACKOFF_MIN_MS);
}

/* Sends what is durable and fits the window. */
void
uplink_pump(struct uplink *u)
{
	struct str packed;

	if (u->state != UPLINK_LIVE)
		return;
	while (outbound_next(&u->out, &packed)) {
		if (grpc_call_send(u->call, packed) != RC_OK)
			return;
		outbound_sent(&u->out);
	}
	if (u->out.corrupt)
		uplink_renew(u);
}

void
uplink_send(struct uplink *u, const Wire__AgentMessage *m)
{
	struct buf b;

	outbound_pack(m, &b);
	if (grpc_call_send(u->call, buf_str(&b)) != RC_OK)
		log_debug(LOG_NET, "a passing message found no room");
	buf_fini(&b);
}

void
uplink_on_beat(void *ctx)
{
	struct uplink *u = ctx;
	Wire__Heartbeat beat = WIRE__HEARTBEAT__INIT;
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;

	beat.sent_at_ms = clock_now_ms();
	m.body_case = WIRE__AGENT_MESSAGE__BODY_HEARTBEAT;
	m.heartbeat = &beat;
	uplink_send(u, &m);
	schedule_contact(u->agent->schedule);
}

void
uplink_on_hello_limit(void *ctx)
{
	struct uplink *u = ctx;

	log_warn(LOG_NET, "the controller does not answer hello");
	uplink_session_failed(u);
	uplink_down(u, uplink_backoff(u));
}

void
uplink_open_session(struct uplink *u)
{
	struct grpc_ccall_opts o = { .path = UPLINK_SESSION };
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	struct hello hello;

	if (uplink_hello(u, &hello) != RC_OK)
		return; /* the queue is busy; uplink_on_ready comes back */
	o.bearer = bearer_in_use(&u->bearer);
	o.on_message = uplink_on_session_message;
	o.on_writable = uplink_on_writable;
	o.on_end = uplink_on_session_end;
	o.ctx = u;
	u->said[0] = '\0';
	u->out.offered = hello.wire.next_seq;
	u->state = UPLINK_HELLO;
	u->call = grpc_call_open(u->conn, &o);
	loop_timer_start(u->hello_limit, UPLINK_HELLO_MS, 0);
	m.body_case = WIRE__AGENT_MESSAGE__BODY_HELLO;
	m.hello = &hello.wire;
	uplink_send(u, &m);
}
