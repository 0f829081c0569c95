/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/uplink.h"

#include <string.h>

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/config.h"
#include "agent/events.h"
#include "agent/outbound.h"
#include "agent/secrets.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/grpc_client.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"

#define UPLINK_SESSION "/resticmanager.v1.Agent/Session"
#define UPLINK_POLL "/resticmanager.v1.Agent/Poll"

enum {
	UPLINK_BACKOFF_MIN_MS = 1000,
	UPLINK_BACKOFF_MAX_MS = 60000,
	UPLINK_REFUSED_MS = 300000,  /* the bearer is unknown or revoked */
	UPLINK_VERSION_MS = 3600000, /* until one side is updated */
	UPLINK_DUPLICATE_MS = 60000,
	UPLINK_HELLO_MS = 15000,
	UPLINK_SHORT_MS = 30000, /* a Session that ends sooner has failed */
	UPLINK_SESSION_TRIES = 3,
	UPLINK_SESSION_RETRY_MS = 600000,
	UPLINK_WAIT_MS = 25000,
	UPLINK_POLL_MS = 40000,
	UPLINK_POLL_GAP_MS = 1000, /* to a controller that does not wait */
	UPLINK_PING_MS = 60000,
	UPLINK_HEARTBEAT_MS = 30000,
	UPLINK_DRAIN_MS = 5000,
	UPLINK_PROGRESS_MS = 1000
};

enum uplink_state {
	UPLINK_WAITING, /* for the back-off timer */
	UPLINK_DIALLING,
	UPLINK_READY,  /* connected, hello not sent: the queue is busy */
	UPLINK_HELLO,  /* Session opened, hello sent */
	UPLINK_LIVE,   /* Session, hello answered */
	UPLINK_POLLING /* a Poll is under way */
};

/*
 * waiting -> dialling -> ready -> hello -> live, or polling again and again;
 * every failure leads back to waiting through uplink_down().
 */
struct uplink {
	struct agent *agent;
	struct tls_ctx *tls;
	enum uplink_state state;
	struct grpc_conn *conn;
	struct grpc_ccall *call;
	struct loop_timer *retry;
	struct loop_timer *beat;
	struct loop_timer *hello_limit;
	struct loop_timer *progress_timer;
	unsigned failures;        /* in a row, for the back-off */
	unsigned session_fails;   /* in a row */
	int64_t session_after_ms; /* monotonic: poll until then */
	int64_t live_since_ms;
	struct outbound out;
	bool poll_waits; /* the Poll under way may wait for a command */
	bool poll_idle;  /* it had nothing to say, nor had its answer */
	int64_t poll_began_ms;
	struct loop_timer *poll_gap;
	char said[64]; /* code of the Error before the stream's end */
	int64_t progress_sent_ms;
	/* drain */
	uplink_drained_fn *drained;
	void *drained_ctx;
	struct loop_timer *drain_limit;
};

static void uplink_begin(struct uplink *u);
static void uplink_poll(struct uplink *u);
static void uplink_pump(struct uplink *u);
static void uplink_send(struct uplink *u, const Wire__AgentMessage *m);

/* -------------------------------------------------------------- failing */

/* Full jitter: a controller that restarts meets no stampede. */
static uint64_t
uplink_backoff(struct uplink *u)
{
	uint64_t most = UPLINK_BACKOFF_MIN_MS;
	unsigned i;

	for (i = 0; i < u->failures && most < UPLINK_BACKOFF_MAX_MS; i++)
		most *= 2;
	if (most > UPLINK_BACKOFF_MAX_MS)
		most = UPLINK_BACKOFF_MAX_MS;
	u->failures++;
	return 50 + crypt_random_below((uint32_t)most);
}

/* The one teardown: after it nothing of the old connection calls back. */
static void
uplink_down(struct uplink *u, uint64_t wait_ms)
{
	if (u->call != NULL)
		grpc_call_cancel(u->call);
	u->call = NULL;
	if (u->conn != NULL)
		grpc_conn_free(u->conn);
	u->conn = NULL;
	loop_timer_stop(u->beat);
	loop_timer_stop(u->hello_limit);
	loop_timer_stop(u->poll_gap);
	u->state = UPLINK_WAITING;
	loop_timer_start(u->retry, wait_ms, 0);
}

static void
uplink_session_failed(struct uplink *u)
{
	if (++u->session_fails < UPLINK_SESSION_TRIES)
		return;
	log_warn(LOG_NET, "streams do not survive here, polling instead");
	u->session_fails = 0;
	u->session_after_ms = clock_mono_ms() + UPLINK_SESSION_RETRY_MS;
}

/* Ends that more tries do not mend: how long to wait, and what to do. */
static const struct uplink_refusal {
	const char *code;    /* rm-error-code, or */
	enum grpc_status st; /* GRPC_OK: any */
	unsigned wait_ms;
	const char *what_to_do;
} uplink_refusals[] = {
	{ "duplicate_identity", GRPC_OK, UPLINK_DUPLICATE_MS,
	    "another agent uses this host's identity; enrol one of them anew" },
	{ "protocol_too_old", GRPC_OK, UPLINK_VERSION_MS,
	    "this agent is too old for its controller; update the agent" },
	{ "protocol_too_new", GRPC_OK, UPLINK_VERSION_MS,
	    "this agent is too new for its controller; update the controller" },
	{ NULL, GRPC_UNAUTHENTICATED, UPLINK_REFUSED_MS,
	    "the controller does not know this agent's token; enrol again" },
	{ NULL, GRPC_PERMISSION_DENIED, UPLINK_REFUSED_MS,
	    "the controller refuses this agent" },
	{ NULL, GRPC_FAILED_PRECONDITION, UPLINK_REFUSED_MS,
	    "the controller refuses this agent" },
};

static const struct uplink_refusal *
uplink_refused(enum grpc_status st, struct str code)
{
	const struct uplink_refusal *r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(uplink_refusals); i++) {
		r = &uplink_refusals[i];
		if (r->code != NULL ? str_eqz(code, r->code) : st == r->st)
			return r;
	}
	return NULL;
}

static uint64_t
uplink_refusal_wait(const struct uplink_refusal *r)
{
	log_error(LOG_NET, "%s retry_s=%u", r->what_to_do, r->wait_ms / 1000);
	return r->wait_ms + crypt_random_below(r->wait_ms);
}

static void
uplink_call_ended(struct uplink *u, enum grpc_status st, struct str msg,
    struct str code)
{
	const struct uplink_refusal *refusal = uplink_refused(st, code);
	uint64_t wait =
	    refusal != NULL ? uplink_refusal_wait(refusal) : uplink_backoff(u);

	log_warn(LOG_NET,
	    "call ended status=%d code=%s message=%s "
	    "retry_ms=%llu",
	    (int)st, log_safe(code), log_safe(msg), (unsigned long long)wait);
	u->call = NULL;
	uplink_down(u, wait);
}

/* ----------------------------------------------------- what comes in */

/* What both HelloReply and PollReply say first.  False: start over. */
static bool
uplink_on_resume(struct uplink *u, const Wire__HelloReply *h)
{
	struct err e = { 0 };

	if (!outbound_resume(&u->out, h->resume_seq, &e)) {
		log_error(LOG_NET,
		    "the controller has events this queue never gave "
		    "error=%s",
		    e.msg);
		uplink_down(u, UPLINK_BACKOFF_MIN_MS);
		return false;
	}
	u->failures = 0;
	if (h->config != NULL)
		config_apply(u->agent, h->config);
	return true;
}

static void
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
	else if (uplink_refused(st, code) == NULL)
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
static void
uplink_renew(struct uplink *u)
{
	struct err e = { 0 };

	if (outbound_renew(&u->out, &e) == RC_OK)
		log_error(LOG_SPOOL, "the event queue is damaged, it was set "
		                     "aside and a new epoch begins");
	else
		log_error(LOG_SPOOL, "the event queue is damaged error=%s",
		    e.msg);
	uplink_down(u, UPLINK_BACKOFF_MIN_MS);
}

/* Sends what is durable and fits the window. */
static void
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

static void
uplink_send(struct uplink *u, const Wire__AgentMessage *m)
{
	struct buf b;

	outbound_pack(m, &b);
	if (grpc_call_send(u->call, buf_str(&b)) != RC_OK)
		log_debug(LOG_NET, "a passing message found no room");
	buf_fini(&b);
}

static void
uplink_on_beat(void *ctx)
{
	struct uplink *u = ctx;
	Wire__Heartbeat beat = WIRE__HEARTBEAT__INIT;
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;

	beat.sent_at_ms = clock_now_ms();
	m.body_case = WIRE__AGENT_MESSAGE__BODY_HEARTBEAT;
	m.heartbeat = &beat;
	uplink_send(u, &m);
}

static void
uplink_on_hello_limit(void *ctx)
{
	struct uplink *u = ctx;

	log_warn(LOG_NET, "the controller does not answer hello");
	uplink_session_failed(u);
	uplink_down(u, uplink_backoff(u));
}

static void
uplink_open_session(struct uplink *u)
{
	struct grpc_ccall_opts o = { .path = UPLINK_SESSION };
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	struct hello hello;

	if (hello_make(u->agent, &hello) != RC_OK)
		return; /* the queue is busy; uplink_on_ready comes back */
	o.bearer = u->agent->settings.agent_token;
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

/* ----------------------------------------------------------------- poll */

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

static void
uplink_on_poll_gap(void *ctx)
{
	struct uplink *u = ctx;

	if (u->state == UPLINK_READY)
		uplink_begin(u);
}

/* Events at hand make a Poll that returns at once; otherwise it waits. */
static void
uplink_poll(struct uplink *u)
{
	struct grpc_ccall_opts o = { .path = UPLINK_POLL };
	struct poll_request q;
	struct hello hello;

	u->state = UPLINK_READY;
	if (hello_make(u->agent, &hello) != RC_OK)
		return;
	outbound_poll_request(&u->out, &hello, UPLINK_WAIT_MS, &q);
	if (u->out.corrupt) {
		buf_fini(&q.packed);
		uplink_renew(u);
		return;
	}
	o.bearer = u->agent->settings.agent_token;
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
static void
uplink_interrupt_poll(struct uplink *u)
{
	if (u->state != UPLINK_POLLING || !u->poll_waits)
		return;
	grpc_call_cancel(u->call);
	u->call = NULL;
	uplink_poll(u);
}

/* ----------------------------------------------------------- connecting */

static void
uplink_begin(struct uplink *u)
{
	if (clock_mono_ms() < u->session_after_ms)
		uplink_poll(u);
	else
		uplink_open_session(u);
}

static void
uplink_on_conn_ready(void *ctx, struct grpc_conn *c)
{
	struct uplink *u = ctx;

	(void)c;
	u->state = UPLINK_READY;
	uplink_begin(u);
}

static void
uplink_on_conn_down(void *ctx, struct grpc_conn *c, const struct err *e)
{
	struct uplink *u = ctx;
	uint64_t wait = uplink_backoff(u);

	(void)c;
	log_warn(LOG_NET, "no connection server=%s error=%s retry_ms=%llu",
	    u->agent->settings.server, e->msg, (unsigned long long)wait);
	uplink_down(u, wait);
}

static void
uplink_dial(void *ctx)
{
	struct uplink *u = ctx;
	struct grpc_dial_opts o = { .loop = u->agent->loop };

	o.url = u->agent->settings.server;
	o.tls = u->tls;
	o.ping_ms = UPLINK_PING_MS;
	o.on_ready = uplink_on_conn_ready;
	o.on_down = uplink_on_conn_down;
	o.ctx = u;
	u->state = UPLINK_DIALLING;
	u->conn = grpc_dial(&o);
}

/* More events are durable, or the queue is free again. */
static void
uplink_on_ready(void *ctx)
{
	struct uplink *u = ctx;

	if (u->state == UPLINK_READY)
		uplink_begin(u);
	else if (u->state == UPLINK_LIVE)
		uplink_pump(u);
	else if (u->state == UPLINK_POLLING && !outbound_empty(&u->out))
		uplink_interrupt_poll(u);
	uplink_check_drained(u);
}

/* ------------------------------------------------------------- outwards */

void
uplink_result(struct uplink *u, const struct Wire__CommandResult *r)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;

	if (u->state == UPLINK_LIVE) {
		m.body_case = WIRE__AGENT_MESSAGE__BODY_RESULT;
		m.result = (Wire__CommandResult *)(uintptr_t)r;
		uplink_send(u, &m);
		return;
	}
	outbound_keep_result(&u->out, r);
	uplink_interrupt_poll(u);
}

static void
uplink_on_progress_timer(void *ctx)
{
	struct uplink *u = ctx;
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;

	m.progress = outbound_progress(&u->out);
	if (m.progress == NULL || u->state != UPLINK_LIVE)
		return;
	m.body_case = WIRE__AGENT_MESSAGE__BODY_PROGRESS;
	uplink_send(u, &m);
	outbound_forget_progress(&u->out);
	u->progress_sent_ms = clock_mono_ms();
}

void
uplink_progress(struct uplink *u, const struct Wire__JobProgress *p)
{
	int64_t since = clock_mono_ms() - u->progress_sent_ms;

	if (p == NULL) {
		loop_timer_stop(u->progress_timer);
		outbound_forget_progress(&u->out);
		return;
	}
	outbound_keep_progress(&u->out, p);
	if (since >= UPLINK_PROGRESS_MS)
		uplink_on_progress_timer(u);
	else
		loop_timer_start(u->progress_timer,
		    (uint64_t)(UPLINK_PROGRESS_MS - since), 0);
}

static void
uplink_on_drain_limit(void *ctx)
{
	struct uplink *u = ctx;
	uplink_drained_fn *fn = u->drained;

	u->drained = NULL;
	if (fn != NULL)
		fn(u->drained_ctx);
}

void
uplink_drain(struct uplink *u, uplink_drained_fn *done, void *ctx)
{
	u->drained = done;
	u->drained_ctx = ctx;
	loop_timer_start(u->drain_limit, UPLINK_DRAIN_MS, 0);
	uplink_check_drained(u);
}

enum rc
uplink_new(struct agent *a, struct uplink **out, struct err *e)
{
	struct tls_client_opts o = { 0 };
	uint8_t pin[TLS_PIN_SIZE];
	struct uplink *u;
	enum rc rc;

	if ((rc = settings_server_ok(a->settings.server, e)) != RC_OK)
		return rc;
	if (a->settings.cert_pin_sha256 != NULL) {
		if (!str_unhex(str_of(a->settings.cert_pin_sha256), pin,
		        sizeof(pin)))
			return err_set(e, RC_INVALID,
			    "cert_pin_sha256 is not 64 hex digits");
		o.pin = pin;
	}
	u = MEM_NEW(struct uplink);
	u->agent = a;
	if ((rc = tls_client_new(&o, &u->tls, e)) != RC_OK) {
		mem_free(u);
		return rc;
	}
	outbound_init(&u->out, a->events);
	u->retry = loop_timer_new(a->loop, uplink_dial, u);
	u->beat = loop_timer_new(a->loop, uplink_on_beat, u);
	u->hello_limit = loop_timer_new(a->loop, uplink_on_hello_limit, u);
	u->progress_timer =
	    loop_timer_new(a->loop, uplink_on_progress_timer, u);
	u->poll_gap = loop_timer_new(a->loop, uplink_on_poll_gap, u);
	u->drain_limit = loop_timer_new(a->loop, uplink_on_drain_limit, u);
	events_on_ready(a->events, uplink_on_ready, u);
	loop_timer_start(u->retry, 0, 0);
	*out = u;
	return RC_OK;
}

void
uplink_free(struct uplink *u)
{
	if (u == NULL)
		return;
	events_on_ready(u->agent->events, NULL, NULL);
	uplink_down(u, 0);
	loop_timer_free(u->retry);
	loop_timer_free(u->beat);
	loop_timer_free(u->hello_limit);
	loop_timer_free(u->progress_timer);
	loop_timer_free(u->drain_limit);
	loop_timer_free(u->poll_gap);
	outbound_fini(&u->out);
	tls_ctx_unref(u->tls);
	mem_free(u);
}
