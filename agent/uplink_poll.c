/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/agent.h"
#include "agent/command.h"
#include "agent/secrets.h"
#include "agent/uplink_own.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/net/grpc_client.h"
#include "lib/net/loop.h"

#define UPLINK_POLL "/resticmanager.v1.Agent/Poll"

/* A configuration came and is held; one that cannot be stored is offered
 * again with each answer. */
static bool
uplink_has_config(const struct uplink *u, const Wire__HelloReply *h)
{
	return h->config != NULL &&
	       secrets_config(u->agent->secrets).version == h->config->version;
}

static void
uplink_on_poll_reply(void *ctx, struct grpc_ccall *call, struct str msg)
{
	struct uplink *u = ctx;
	Wire__PollReply *r =
	    wire__poll_reply__unpack(NULL, msg.n, (const uint8_t *)msg.p);
	size_t i;

	(void)call;
	u->poll_waits = false; /* it ends by itself now */
	if (r == NULL || r->hello == NULL) {
		log_warn(LOG_NET, "malformed poll reply");
		uplink_down(u, uplink_backoff(u));
	} else if (uplink_on_resume(u, r->hello)) {
		if (r->n_commands > 0 || uplink_has_config(u, r->hello))
			u->poll_idle = false;
		outbound_ack(&u->out, r->acked_seq);
		for (i = 0; i < r->n_commands; i++)
			command_handle(u->agent->command, r->commands[i]);
		uplink_check_drained(u);
		if (r->hello->rotate_bearer)
			uplink_rotate(u);
	}
	if (r != NULL)
		wire__poll_reply__free_unpacked(r, NULL);
}

static void
uplink_on_poll_end(void *ctx, struct grpc_ccall *call, enum grpc_status st,
    struct str msg, struct str code)
{
	struct uplink *u = ctx;
	int64_t since;

	(void)call;
	if (st != GRPC_OK) {
		uplink_call_ended(u, st, msg, code);
		return;
	}
	u->call = NULL;
	u->state = UPLINK_READY;
	since = clock_mono_ms() - u->poll_began_ms;
	if (u->poll_idle && since < UPLINK_POLL_GAP_MS)
		loop_timer_start(u->poll_gap, UPLINK_POLL_GAP_MS, 0);
	else
		uplink_begin(u);
}

void
uplink_on_poll_gap(void *ctx)
{
	struct uplink *u = ctx;

	if (u->state == UPLINK_READY)
		uplink_begin(u);
}

/* Events at hand make a Poll that returns at once; otherwise it waits. */
void
uplink_poll(struct uplink *u)
{
	struct grpc_ccall_opts o = { .path = UPLINK_POLL };
	struct poll_request q;
	struct hello hello;

	u->state = UPLINK_READY;
	if (uplink_hello(u, &hello) != RC_OK)
		return;
	outbound_poll_request(&u->out, &hello, UPLINK_WAIT_MS, &q);
	if (u->out.corrupt) {
		buf_fini(&q.packed);
		uplink_renew(u);
		return;
	}
	o.bearer = bearer_in_use(&u->bearer);
	o.timeout_ms = UPLINK_POLL_MS;
	o.on_message = uplink_on_poll_reply;
	o.on_end = uplink_on_poll_end;
	o.ctx = u;
	u->state = UPLINK_POLLING;
	u->poll_waits = u->poll_idle = q.waits;
	u->poll_began_ms = clock_mono_ms();
	u->call = grpc_call_open(u->conn, &o);
	if (grpc_call_send(u->call, buf_str(&q.packed)) != RC_OK)
		log_warn(LOG_NET, "poll request too large");
	grpc_call_half_close(u->call);
	buf_fini(&q.packed);
}

/* Something to say: a waiting Poll is given up for one that says it.  What
 * its answer may have held is sent again by the controller. */
void
uplink_interrupt_poll(struct uplink *u)
{
	if (u->state != UPLINK_POLLING || !u->poll_waits)
		return;
	grpc_call_cancel(u->call);
	u->call = NULL;
	uplink_poll(u);
}
