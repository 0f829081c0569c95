/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/agents.h"
#include "controller/agents_call.h"
#include "controller/agents_own.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/ingest.h"
#include "controller/ingest_wire.h"
#include "lib/net/grpc.h"
#include "proto/agent.pb-c.h"

enum {
	/* An event, its frame and some room. */
	SESSION_MESSAGE_MAX = INGEST_EVENT_MAX + 4096
};

void
agents_on_session_open(void *ctx, struct grpc_call *g)
{
	call_open(ctx, g, false);
}

static void
session_hello(struct call *c, const Wire__AgentMessage *m)
{
	Wire__ControllerMessage out = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__HelloReply r;
	struct err e;

	if (m->body_case != WIRE__AGENT_MESSAGE__BODY_HELLO) {
		(void)err_code(&e, RC_PROTO, "bad_request",
		    "the first message must be hello");
		call_fail(c, &e);
		return;
	}
	if (agents_hello(c->agents, c, m->hello, &e) != RC_OK) {
		call_fail(c, &e);
		return;
	}
	list_del(&c->link);
	list_append(&c->agents->calls, &c->link);
	grpc_forget_metadata(c->grpc);
	out.body_case = WIRE__CONTROLLER_MESSAGE__BODY_HELLO;
	out.hello = call_hello_reply(c, &r);
	if (call_send(c, &out) != RC_OK)
		log_warn(LOG_AGENT, "hello not answered");
	agents_config_wipe(r.config);
}

/* ----------------------------------------------------------------- events */

/* Thousands of full queues at once: their agents wait in TCP, which costs
 * less than turning them away (RC_BUSY, beyond INGEST_ALL_MAX). */
static void
pause_if_full(struct call *c)
{
	struct agents *a = c->agents;

	if (c->finished || list_linked(&c->paused) ||
	    ingest_room(a->ctl->ingest) > 0)
		return;
	list_append(&a->paused, &c->paused);
	grpc_pause(c->grpc, true);
}

static void
session_event(struct call *c, const Wire__Event *ev)
{
	struct err e;

	if (ingest_event(c->agents->ctl->ingest, &c->host, ev, &e) != RC_OK)
		call_fail(c, &e);
	pause_if_full(c);
}

/* Log lines, which are most of what comes, are not unpacked. */
static bool
session_took_chunk(struct call *c, struct str msg)
{
	struct ingest_chunk chunk;
	struct str event;
	struct err e;

	if (!ingest_wire_event(msg, &event) ||
	    !ingest_wire_chunk(event, &chunk))
		return false;
	peer_seen(c->agents, c->peer);
	if (ingest_chunk(c->agents->ctl->ingest, &c->host, &event, &chunk,
	        &e) != RC_OK)
		call_fail(c, &e);
	pause_if_full(c);
	return true;
}

/* --------------------------------------------------------------- messages */

static void
session_take(struct call *c, const Wire__AgentMessage *m)
{
	peer_seen(c->agents, c->peer);
	switch (m->body_case) {
	case WIRE__AGENT_MESSAGE__BODY_EVENT:
		session_event(c, m->event);
		return;
	case WIRE__AGENT_MESSAGE__BODY_RESULT:
		courier_result(c->agents->ctl->courier, &c->host, m->result);
		return;
	case WIRE__AGENT_MESSAGE__BODY_PROGRESS:
		call_progress(c, m->progress);
		return;
	case WIRE__AGENT_MESSAGE__BODY_HELLO: /* once is enough */
	case WIRE__AGENT_MESSAGE__BODY_HEARTBEAT:
		return;
	case WIRE__AGENT_MESSAGE__BODY__NOT_SET:
	case _WIRE__AGENT_MESSAGE__BODY__CASE_IS_INT_SIZE:
		log_debug(LOG_AGENT, "message of an unknown kind");
		return;
	}
}

void
agents_on_session_message(void *ctx, struct grpc_call *g, struct str msg)
{
	struct call *c = grpc_user(g);
	const Wire__AgentMessage *m;
	struct err e;

	if (c == NULL || c->finished)
		return;
	if (msg.n > SESSION_MESSAGE_MAX) {
		(void)err_code(&e, RC_LIMIT, "bad_request",
		    "a message of %zu bytes, at most %d are taken", msg.n,
		    (int)SESSION_MESSAGE_MAX);
		call_fail(c, &e);
		return;
	}
	if (c->peer != NULL && session_took_chunk(c, msg))
		return;
	m = agents_read(ctx, &wire__agent_message__descriptor, msg, &e);
	if (m == NULL)
		call_fail(c, &e);
	else if (c->peer == NULL)
		session_hello(c, m);
	else
		session_take(c, m);
}

void
agents_on_session_half_close(void *ctx, struct grpc_call *g)
{
	struct call *c = grpc_user(g);

	(void)ctx;
	if (c == NULL || c->finished)
		return;
	call_detach(c);
	grpc_finish(g, GRPC_OK, "", NULL);
}

/* A large configuration may have had no room behind the one before. */
void
agents_on_session_writable(void *ctx, struct grpc_call *g)
{
	struct call *c = grpc_user(g);

	(void)ctx;
	if (c != NULL && !c->finished && c->peer != NULL && c->peer->call == c)
		agents_configure(c->agents, &c->host);
}
