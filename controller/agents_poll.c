/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/agents_call.h"
#include "controller/agents_own.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/ingest.h"
#include "controller/pb.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/net/grpc.h"
#include "proto/agent.pb-c.h"

void
call_poll_reply(struct call *c, const struct Wire__ControllerMessage *m)
{
	Wire__PollReply out = WIRE__POLL_REPLY__INIT;
	Wire__Command *command = NULL;
	Wire__HelloReply r;
	struct grpc_call *g = c->grpc;
	struct buf b;
	enum rc rc;

	if (c->finished)
		return;
	out.hello = call_hello_reply(c, &r);
	out.acked_seq = r.resume_seq - 1;
	if (m != NULL) {
		command = m->command;
		out.commands = &command;
		out.n_commands = 1;
	}
	buf_init(&b, GRPC_MESSAGE_MAX);
	pb_pack(&out.base, &b);
	agents_config_wipe(r.config);
	call_detach(c);
	rc = buf_rc(&b);
	if (rc == RC_OK)
		rc = grpc_send(g, buf_str(&b));
	buf_wipe_fini(&b);
	if (rc == RC_OK)
		grpc_finish(g, GRPC_OK, "", NULL);
	else
		grpc_finish(g, GRPC_RESOURCE_EXHAUSTED,
		    "the answer is too large", "too_large");
}

static enum rc
poll_events(struct call *c, const Wire__PollRequest *q, struct err *e)
{
	struct ingest *i = c->agents->ctl->ingest;
	enum rc rc = RC_OK;
	size_t k;

	for (k = 0; rc == RC_OK && k < q->n_events; k++)
		rc = ingest_event(i, &c->host, q->events[k], e);
	if (rc == RC_OK && q->n_events > 0)
		c->need_seq = q->events[q->n_events - 1]->seq;
	return rc;
}

/* Waits for the acknowledgement of what came, or for a command. */
static void
poll_wait(struct call *c, const Wire__PollRequest *q)
{
	uint32_t wait =
	    q->wait_ms < AGENTS_POLL_MS ? q->wait_ms : AGENTS_POLL_MS;
	uint64_t have = ingest_committed(c->agents->ctl->ingest, &c->host);

	if (c->need_seq > 0 && have >= c->need_seq) {
		c->need_seq = 0;
		wait = 0;
	}
	if (c->need_seq == 0 && (wait == 0 || c->config_due)) {
		call_poll_reply(c, NULL);
		return;
	}
	if (c->need_seq > 0)
		wait = AGENTS_POLL_MS;
	c->until_ms = clock_mono_ms() + wait;
}

static void
poll_take(struct call *c, const Wire__PollRequest *q)
{
	struct err e = { 0 };
	size_t k;

	if (q->hello == NULL) {
		(void)err_code(&e, RC_PROTO, "bad_request",
		    "a poll needs a hello");
		call_fail(c, &e);
		return;
	}
	if (agents_hello(c->agents, c, q->hello, &e) != RC_OK ||
	    poll_events(c, q, &e) != RC_OK) {
		call_fail(c, &e);
		return;
	}
	for (k = 0; k < q->n_results; k++)
		courier_result(c->agents->ctl->courier, &c->host,
		    q->results[k]);
	for (k = 0; k < q->n_progress; k++)
		call_progress(c, q->progress[k]);
	poll_wait(c, q);
}

void
agents_on_poll_open(void *ctx, struct grpc_call *g)
{
	call_open(ctx, g, true);
}

void
agents_on_poll_message(void *ctx, struct grpc_call *g, struct str msg)
{
	struct call *c = grpc_user(g);
	const Wire__PollRequest *q;
	struct err e;

	if (c == NULL || c->finished)
		return;
	q = agents_read(ctx, &wire__poll_request__descriptor, msg, &e);
	if (q == NULL)
		call_fail(c, &e);
	else
		poll_take(c, q);
}

/* Without a message there is nothing to wait for. */
void
agents_on_poll_half_close(void *ctx, struct grpc_call *g)
{
	struct call *c = grpc_user(g);
	struct err e;

	(void)ctx;
	if (c == NULL || c->finished || c->peer != NULL)
		return;
	(void)err_code(&e, RC_PROTO, "bad_request", "a poll needs a message");
	call_fail(c, &e);
}
