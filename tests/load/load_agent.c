/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/grpc_client.h"
#include "lib/net/loop.h"
#include "tests/load/load.h"
#include "version.h"

#define SESSION "/resticmanager.v1.Agent/Session"

enum {
	MESSAGE_MAX = 131072,
	PING_MS = 60000 /* as the real agent's uplink */
};

/* ------------------------------------------------------ going and coming */

static void
set_state(struct load_agent *a, enum load_state to)
{
	struct load *l = a->load;

	l->live -= a->state == LOAD_LIVE;
	l->dialling -= a->state == LOAD_DIALLING || a->state == LOAD_HELLO;
	a->state = to;
	l->live += a->state == LOAD_LIVE;
	l->dialling += a->state == LOAD_DIALLING || a->state == LOAD_HELLO;
}

static void
hang_up(struct load_agent *a)
{
	if (a->call != NULL)
		grpc_call_cancel(a->call);
	a->call = NULL;
	if (a->conn != NULL)
		grpc_conn_free(a->conn);
	a->conn = NULL;
	a->ping_us = 0;
}

/* The real agent's rule: the same function, the same count of failures. */
void
load_agent_cut(struct load_agent *a)
{
	if (a->state == LOAD_LIVE)
		a->load->stats.reconnects++;
	else
		a->load->stats.failed++;
	hang_up(a);
	set_state(a, LOAD_WAITING);
	loop_timer_start(a->retry, backoff_ms(&a->failures), 0);
}

/* ----------------------------------------------------------- what comes in */

static void
on_hello(struct load_agent *a, const Wire__HelloReply *h)
{
	a->failures = 0;
	load_queue_resume(a, h->resume_seq);
	set_state(a, LOAD_LIVE);
	a->beat_ms = clock_mono_ms();
	load_times_add(&a->load->connect, clock_mono_us() - a->dial_us);
	load_queue_pump(a);
}

static void
load_agent_on_message(void *ctx, struct grpc_ccall *call, struct str msg)
{
	struct load_agent *a = ctx;
	Wire__ControllerMessage *m = wire__controller_message__unpack(NULL,
	    msg.n, (const uint8_t *)msg.p);

	(void)call;
	if (m == NULL) {
		log_error(LOG_AGENT, "malformed message host=%s", a->host);
		load_agent_cut(a);
		return;
	}
	switch (m->body_case) {
	case WIRE__CONTROLLER_MESSAGE__BODY_HELLO:
		on_hello(a, m->hello);
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_ACK:
		load_queue_ack(a, m->ack->seq);
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_COMMAND:
		load_on_command(a, m->command);
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_ERROR:
		log_warn(LOG_AGENT, "refused host=%s code=%s message=%s",
		    a->host, log_safe(str_of(m->error->code)),
		    log_safe(str_of(m->error->message)));
		a->load->stats.refused++;
		break;
	case WIRE__CONTROLLER_MESSAGE__BODY_CONFIG:
	case WIRE__CONTROLLER_MESSAGE__BODY_ROTATE_BEARER:
	case WIRE__CONTROLLER_MESSAGE__BODY__NOT_SET:
	case _WIRE__CONTROLLER_MESSAGE__BODY__CASE_IS_INT_SIZE:
		break;
	}
	wire__controller_message__free_unpacked(m, NULL);
}

static void
load_agent_on_writable(void *ctx, struct grpc_ccall *call)
{
	(void)call;
	load_queue_pump(ctx);
}

/* The gRPC parameters are the callback's. */
static void
load_agent_on_end(void *ctx, struct grpc_ccall *call, enum grpc_status st,
    struct str msg, struct str code)
{
	static struct log_limit often;
	struct load_agent *a = ctx;

	(void)call;
	if (log_allow(&often, 20, 60))
		log_warn(LOG_AGENT, "call ended status=%d code=%s message=%s",
		    (int)st, log_safe(code), log_safe(msg));
	a->call = NULL;
	load_agent_cut(a);
}

/* -------------------------------------------------------------- outwards */

void
load_agent_send(struct load_agent *a, const Wire__AgentMessage *m)
{
	size_t n = wire__agent_message__get_packed_size(m);
	struct buf b;
	char *room;

	buf_init(&b, MESSAGE_MAX);
	room = buf_reserve(&b, n);
	if (room != NULL)
		buf_added(&b, wire__agent_message__pack(m, (uint8_t *)room));
	if (grpc_call_send(a->call, buf_str(&b)) != RC_OK)
		log_warn(LOG_AGENT, "a message found no room host=%s", a->host);
	buf_fini(&b);
}

static void
load_agent_on_pong(void *ctx, struct grpc_conn *c)
{
	struct load_agent *a = ctx;

	(void)c;
	if (a->ping_us != 0)
		load_times_add(&a->load->beat, clock_mono_us() - a->ping_us);
	a->ping_us = 0;
}

void
load_agent_beat(struct load_agent *a, bool probe)
{
	Wire__Heartbeat beat = WIRE__HEARTBEAT__INIT;
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;

	beat.sent_at_ms = clock_now_ms();
	m.body_case = WIRE__AGENT_MESSAGE__BODY_HEARTBEAT;
	m.heartbeat = &beat;
	load_agent_send(a, &m);
	a->beat_ms = clock_mono_ms();
	a->load->stats.beats++;
	if (!probe || a->ping_us != 0)
		return;
	a->ping_us = clock_mono_us();
	grpc_conn_ping(a->conn, load_agent_on_pong);
}

static void
say_hello(struct load_agent *a)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__Hello h = WIRE__HELLO__INIT;
	/* protobuf-c has no const. */
	char version[] = RM_VERSION, restic[] = "0.18.0", os[] = "linux",
	     arch[] = "amd64";

	h.protocol_version = 1;
	h.agent_version = version;
	h.restic_version = restic;
	h.hostname = a->host;
	h.os = os;
	h.arch = arch;
	h.boot_time_ms = 1;
	h.instance_id.data = a->instance;
	h.instance_id.len = sizeof(a->instance);
	h.epoch.data = a->epoch;
	h.epoch.len = sizeof(a->epoch);
	h.first_seq = load_queue_first(a);
	h.next_seq = a->next_seq;
	h.config_version = 1; /* what seed gives */
	load_logs_hello(a, &h);
	m.body_case = WIRE__AGENT_MESSAGE__BODY_HELLO;
	m.hello = &h;
	load_agent_send(a, &m);
}

static void
load_agent_on_ready(void *ctx, struct grpc_conn *c)
{
	struct load_agent *a = ctx;
	const struct grpc_ccall_opts o = {
		.path = SESSION,
		.bearer = a->bearer,
		.on_message = load_agent_on_message,
		.on_writable = load_agent_on_writable,
		.on_end = load_agent_on_end,
		.ctx = a,
	};

	a->call = grpc_call_open(c, &o);
	set_state(a, LOAD_HELLO);
	say_hello(a);
}

static void
load_agent_on_down(void *ctx, struct grpc_conn *c, const struct err *e)
{
	static struct log_limit often;

	(void)c;
	if (log_allow(&often, 20, 60))
		log_warn(LOG_AGENT, "no connection error=%s", e->msg);
	load_agent_cut(ctx);
}

void
load_agent_dial(struct load_agent *a)
{
	const struct grpc_dial_opts o = {
		.loop = a->load->loop,
		.url = a->load->url,
		.tls = a->load->tls,
		.ping_ms = PING_MS,
		.on_ready = load_agent_on_ready,
		.on_down = load_agent_on_down,
		.ctx = a,
	};

	set_state(a, LOAD_DIALLING);
	a->dial_us = clock_mono_us();
	a->conn = grpc_dial(&o);
}

static void
load_agent_on_retry(void *ctx)
{
	load_agent_dial(ctx);
}

void
load_agent_init(struct load_agent *a, struct load *l, struct str host,
    struct str bearer)
{
	a->load = l;
	a->host = mem_strndup(host.p, host.n);
	a->bearer = mem_strndup(bearer.p, bearer.n);
	a->retry = loop_timer_new(l->loop, load_agent_on_retry, a);
	crypt_sha256(host, a->instance);
	crypt_random(a->epoch, sizeof(a->epoch));
	load_queue_init(a);
}

void
load_agent_fini(struct load_agent *a)
{
	hang_up(a);
	loop_timer_free(a->retry);
	load_logs_forget(a);
	load_queue_fini(a);
	mem_free(a->host);
	mem_free(a->bearer);
}
