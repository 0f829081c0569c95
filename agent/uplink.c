/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/uplink.h"

#include "agent/agent.h"
#include "agent/backoff.h"
#include "agent/command.h"
#include "agent/events.h"
#include "agent/schedule.h"
#include "agent/settle.h"
#include "agent/uplink_own.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/grpc_client.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"

/* -------------------------------------------------------------- failing */

uint64_t
uplink_backoff(struct uplink *u)
{
	return backoff_ms(&u->failures);
}

/* The one teardown: after it nothing of the old connection calls back. */
void
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

void
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
	{ "host_deleted", GRPC_OK, UPLINK_REFUSED_MS,
	    "this host was deleted from its controller; enrol it again to "
	    "back it up" },
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

const struct uplink_refusal *
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

/* All that was told again is durable, so the next hello counts it. */
static void
uplink_on_told(void *ctx)
{
	struct uplink *u = ctx;

	if (u->state == UPLINK_WAITING)
		loop_timer_start(u->retry, uplink_backoff(u), 0);
}

/* Its database is older than what it has acknowledged. */
static void
uplink_tell_again(struct uplink *u)
{
	log_warn(LOG_NET, "the controller was restored from an older copy: "
	                  "telling the ends of jobs again");
	u->call = NULL;
	uplink_down(u, UPLINK_TELL_MS);
	command_tell_again(u->agent->command);
	events_when_synced(u->agent->events, uplink_on_told, u);
}

/* -------------------------------------------------------------- bearers */

enum rc
uplink_hello(struct uplink *u, struct hello *h)
{
	if (hello_make(u->agent, h) != RC_OK)
		return RC_BUSY;
	h->wire.rotates_bearer = true;
	if (bearer_offer(&u->bearer, h->new_bearer)) {
		h->wire.new_bearer_sha256.data = h->new_bearer;
		h->wire.new_bearer_sha256.len = sizeof(h->new_bearer);
	}
	return RC_OK;
}

void
uplink_rotate(struct uplink *u)
{
	struct err e = { 0 };

	if (bearer_renew(&u->bearer, &e) != RC_OK) {
		log_error(LOG_NET,
		    "the bearer stays, another one cannot be stored error=%s",
		    e.msg);
		return;
	}
	log_info(LOG_NET, "the controller wants another bearer, offering one");
	if (u->state == UPLINK_LIVE)
		uplink_down(u, BACKOFF_MIN_MS);
}

bool
uplink_was_rotated(struct str code)
{
	return str_eqz(code, "bearer_rotated");
}

/* Another bearer is to be tried now. */
static bool
uplink_turns_bearer(struct uplink *u, enum grpc_status st, struct str code)
{
	if (uplink_was_rotated(code)) {
		bearer_taken(&u->bearer);
		log_info(LOG_NET, "the controller took the new bearer");
		return true;
	}
	if (st != GRPC_UNAUTHENTICATED || str_eqz(code, "host_deleted") ||
	    !bearer_refused(&u->bearer))
		return false;
	log_warn(LOG_NET, "the controller does not know this bearer, trying "
	                  "another one of this host");
	return true;
}

void
uplink_call_ended(struct uplink *u, enum grpc_status st, struct str msg,
    struct str code)
{
	const struct uplink_refusal *refusal = uplink_refused(st, code);
	uint64_t wait;

	if (str_eqz(code, "tell_again")) {
		uplink_tell_again(u);
		return;
	}
	if (uplink_turns_bearer(u, st, code)) {
		u->call = NULL;
		uplink_down(u, BACKOFF_MIN_MS);
		return;
	}
	if (str_eqz(code, "host_deleted"))
		schedule_dismiss(u->agent->schedule);
	wait =
	    refusal != NULL ? uplink_refusal_wait(refusal) : uplink_backoff(u);
	log_warn(LOG_NET,
	    "call ended status=%d code=%s message=%s "
	    "retry_ms=%llu",
	    (int)st, log_safe(code), log_safe(msg), (unsigned long long)wait);
	u->call = NULL;
	uplink_down(u, wait);
}

/* ----------------------------------------------------------- connecting */

void
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
	settle_soon(u->agent->settle);
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
	rc = bearer_open(&u->bearer, a->secrets, a->settings.agent_token, e);
	if (rc != RC_OK || (rc = tls_client_new(&o, &u->tls, e)) != RC_OK) {
		bearer_wipe(&u->bearer);
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
	bearer_wipe(&u->bearer);
	mem_free(u);
}
