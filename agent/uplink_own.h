/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_UPLINK_OWN_H
#define AGENT_UPLINK_OWN_H
/*
 * What the files of the uplink share: uplink.c connects, fails and comes
 * again; uplink_session.c holds the stream; uplink_poll.c does without.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/bearer.h"
#include "agent/outbound.h"
#include "agent/uplink.h"
#include "lib/base/str.h"
#include "lib/net/grpc.h"
#include "proto/agent.pb-c.h"

struct agent;
struct grpc_ccall;
struct grpc_conn;
struct loop_timer;
struct tls_ctx;

enum {
	UPLINK_REFUSED_MS = 300000,  /* the bearer is unknown or revoked */
	UPLINK_VERSION_MS = 3600000, /* until one side is updated */
	UPLINK_DUPLICATE_MS = 60000,
	UPLINK_TELL_MS = 60000, /* at most, for what is told to be durable */
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
	struct bearer bearer;
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

/* uplink.c */

/* Full jitter: a controller that restarts meets no stampede. */
uint64_t uplink_backoff(struct uplink *u);
/* The one teardown: after it nothing of the old connection calls back. */
void uplink_down(struct uplink *u, uint64_t wait_ms);
/* One more Session that did not hold; after a few we poll. */
void uplink_session_failed(struct uplink *u);
void uplink_call_ended(struct uplink *u, enum grpc_status st, struct str msg,
    struct str code);
struct uplink_refusal;
/* What the controller's refusal means; NULL: it is none. */
const struct uplink_refusal *uplink_refused(enum grpc_status st,
    struct str code);
/* hello_make(), and what it says of bearers. */
MUST_USE enum rc uplink_hello(struct uplink *u, struct hello *out);
/* The controller wants another bearer: the next hello offers one. */
void uplink_rotate(struct uplink *u);
/* What we offered was taken: the end of a call, and no failure. */
bool uplink_was_rotated(struct str code);
/* Connected and the queue is free: Session, or Poll meanwhile. */
void uplink_begin(struct uplink *u);

/* uplink_session.c */

/* What HelloReply and PollReply say first.  False: all is started over. */
bool uplink_on_resume(struct uplink *u, const Wire__HelloReply *h);
void uplink_check_drained(struct uplink *u);
void uplink_renew(struct uplink *u);
void uplink_open_session(struct uplink *u);
/* Sends what is durable and fits the window. */
void uplink_pump(struct uplink *u);
void uplink_send(struct uplink *u, const Wire__AgentMessage *m);
void uplink_on_beat(void *ctx);
void uplink_on_hello_limit(void *ctx);

/* uplink_poll.c */
void uplink_poll(struct uplink *u);
/* Something to say: a waiting Poll is given up for one that says it. */
void uplink_interrupt_poll(struct uplink *u);
void uplink_on_poll_gap(void *ctx);
#endif
