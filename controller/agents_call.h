/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_AGENTS_CALL_H
#define CONTROLLER_AGENTS_CALL_H
/*
 * The calls of the gRPC service.  agents_call.c begins and ends one and has
 * what all take; each method has a file of its own: agents_session.c,
 * agents_poll.c, agents_enrol.c, agents_check.c.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/list.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct agents;
struct grpc_call;
struct grpc_server;
struct loop;
struct peer;
struct ProtobufCMessageDescriptor;
struct Wire__ControllerMessage;
struct Wire__HelloReply;
struct Wire__JobProgress;

/* Who calls, by the bearer that is shown. */
struct caller {
	struct ulid host;
	uint8_t bearer[CRYPT_HASH_SIZE]; /* its hash */
	bool ends; /* it is the new one of two: the other has had its time */
};

/* One call of Session or Poll. */
struct call {
	struct list link; /* in agents.waiting, or in agents.calls */
	struct list paused;
	struct agents *agents;
	struct grpc_call *grpc;
	struct ulid host;
	struct caller caller;
	struct peer *peer; /* after hello */
	bool poll;
	bool finished;
	uint64_t config_version; /* that the agent holds, or was sent */
	int64_t until_ms; /* monotonic: for the hello, or a Poll's wait */
	/* Poll */
	bool rotate;       /* the agent is told that another bearer is wanted */
	uint64_t need_seq; /* answered when this is committed; 0: waits */
	bool config_due;
};

/* The service with its methods. */
struct grpc_server *agents_serve(struct agents *a, struct loop *l);

/* The host of the call's bearer: RC_AUTH, or RC_BUSY when it cannot be looked
 * up now. */
MUST_USE enum rc agents_bearer(struct agents *a, struct grpc_call *g,
    struct caller *out, struct err *e);
/* What has come, in the scratch arena; NULL: malformed. */
void *agents_read(struct agents *a, const struct ProtobufCMessageDescriptor *d,
    struct str msg, struct err *e);

/* A Session, or a Poll, begins: it fails if its bearer is none. */
void call_open(struct agents *a, struct grpc_call *g, bool poll);
MUST_USE enum rc call_send(struct call *c,
    const struct Wire__ControllerMessage *m);
/* From here on nothing of it is told to anybody. */
void call_detach(struct call *c);
/* Ends a call with what went wrong. */
void call_fail(struct call *c, const struct err *e);
/* Of one that was paused (agents.c). */
void call_read_on(struct call *c);

/* Only what this host runs moves; everything else is ignored. */
void call_progress(struct call *c, const struct Wire__JobProgress *w);
/* Fills in what answers a hello, and gives it back.  Its configuration is
 * there until the next one is asked for: send it at once, then wipe it by
 * agents_config_wipe(). */
struct Wire__HelloReply *call_hello_reply(struct call *c,
    struct Wire__HelloReply *r);
/* Answers a Poll, with at most one command (packed in m). */
void call_poll_reply(struct call *c, const struct Wire__ControllerMessage *m);

/* The methods. */
void agents_on_call_close(void *ctx, struct grpc_call *g);
void agents_on_session_open(void *ctx, struct grpc_call *g);
void agents_on_session_message(void *ctx, struct grpc_call *g, struct str msg);
void agents_on_session_half_close(void *ctx, struct grpc_call *g);
void agents_on_session_writable(void *ctx, struct grpc_call *g);
void agents_on_poll_open(void *ctx, struct grpc_call *g);
void agents_on_poll_message(void *ctx, struct grpc_call *g, struct str msg);
void agents_on_poll_half_close(void *ctx, struct grpc_call *g);
void agents_on_enrol_open(void *ctx, struct grpc_call *g);
void agents_on_enrol_message(void *ctx, struct grpc_call *g, struct str msg);
void agents_on_enrol_half_close(void *ctx, struct grpc_call *g);
void agents_on_enrol_close(void *ctx, struct grpc_call *g);
void agents_on_check_open(void *ctx, struct grpc_call *g);
void agents_on_check_message(void *ctx, struct grpc_call *g, struct str msg);
void agents_on_check_half_close(void *ctx, struct grpc_call *g);
void agents_on_check_close(void *ctx, struct grpc_call *g);
#endif
