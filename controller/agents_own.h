/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_AGENTS_OWN_H
#define CONTROLLER_AGENTS_OWN_H
/*
 * What the files of agents share: agents.c keeps who is there, agents_call.c
 * speaks gRPC, agents_hello.c takes a hello.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct agents;
struct call;
struct controller;
struct grpc_call;
struct grpc_server;
struct loop;
struct loop_timer;
struct map;
struct ProtobufCMessageDescriptor;
struct Wire__Config;
struct Wire__Hello;
struct Wire__HelloReply;

enum {
	AGENTS_INSTANCE = 32,
	AGENTS_HELLO_MS = 10000,
	AGENTS_HEARTBEAT_MS = 30000,
	AGENTS_POLL_MS = 25000,
	AGENTS_DUPLICATE_MS = 600000 /* how long the notice stands */
};

/* A host that was heard of since the start, or was online before it. */
struct peer {
	struct list fresh; /* in agents.fresh: live/ does not have it yet */
	struct ulid host;
	struct call *call; /* live Session or waiting Poll */
	bool known;        /* instance is */
	uint8_t instance[AGENTS_INSTANCE];
	int64_t seen_ms;      /* monotonic */
	int64_t seen_at_ms;   /* wall clock */
	int64_t connected_ms; /* wall clock */
	char address[64];
	bool stream;
	bool online;          /* as stored, or on its way there */
	uint8_t facts[32];    /* hash of the hello that was stored last */
	int64_t duplicate_ms; /* monotonic: one was turned away, 0: none */
	struct log_limit hellos;
};

struct agents {
	struct controller *ctl;
	struct grpc_server *grpc;
	struct map *peers;
	struct list fresh;        /* peers seen since they were written */
	struct loop_timer *slice; /* the next of them are written */
	struct list calls;        /* that wait for nothing */
	struct list waiting;      /* for the hello, or a Poll's end */
	struct list paused;       /* until events have been written */
	int64_t expire_ms;        /* monotonic: no peer runs out before */
	struct arena scratch;     /* the message at hand */
	struct arena config;      /* the configuration at hand */
	unsigned online;
};

/* One call of Session or Poll. */
struct call {
	struct list link; /* in agents.waiting, or in agents.calls */
	struct list paused;
	struct agents *agents;
	struct grpc_call *grpc;
	struct ulid host;
	struct peer *peer; /* after hello */
	bool poll;
	bool finished;
	uint64_t config_version; /* that the agent holds, or was sent */
	int64_t until_ms; /* monotonic: for the hello, or a Poll's wait */
	/* Poll */
	uint64_t need_seq; /* answered when this is committed; 0: waits */
	bool config_due;
};

struct peer *peer_get(struct agents *a, const struct ulid *host);
void peer_seen(struct agents *a, struct peer *p);
/* Of one that was paused. */
void call_read_on(struct call *c);
/* Makes c the peer's only way; the older call ends. */
void peer_attach(struct agents *a, struct peer *p, struct call *c);

/* Checks a hello and takes it: RC_VERSION, RC_CONFLICT (duplicate), RC_PROTO,
 * RC_AUTH.  Fills c->peer and c->config_due. */
MUST_USE enum rc agents_hello(struct agents *a, struct call *c,
    const struct Wire__Hello *h, struct err *e);
/* The host's configuration, until the next one is asked for; NULL: cannot be
 * read.
 * Wipe it by agents_config_wipe(). */
struct Wire__Config *agents_config(struct agents *a, const struct ulid *host);
void agents_config_wipe(struct Wire__Config *c);
/* The version in force; false: it cannot be read. */
bool agents_config_version(struct agents *a, const struct ulid *host,
    uint64_t *out);

/* The host of the call's bearer: RC_AUTH, or RC_BUSY when it cannot be looked
 * up now. */
MUST_USE enum rc agents_bearer(struct agents *a, struct grpc_call *g,
    struct ulid *host, struct err *e);
/* What has come, in the scratch arena; NULL: malformed. */
void *agents_read(struct agents *a, const struct ProtobufCMessageDescriptor *d,
    struct str msg, struct err *e);
/* The method Check (agents_check.c). */
void agents_on_check_open(void *ctx, struct grpc_call *g);
void agents_on_check_message(void *ctx, struct grpc_call *g, struct str msg);
void agents_on_check_half_close(void *ctx, struct grpc_call *g);
void agents_on_check_close(void *ctx, struct grpc_call *g);

/* Ends a call with what went wrong. */
void call_fail(struct call *c, const struct err *e);
/* Answers a Poll, with at most one command (packed in m). */
struct Wire__ControllerMessage;
void call_poll_reply(struct call *c, const struct Wire__ControllerMessage *m);
MUST_USE enum rc call_send(struct call *c,
    const struct Wire__ControllerMessage *m);

/* The service's methods (agents_call.c). */
struct grpc_server *agents_serve(struct agents *a, struct loop *l);
/* Hosts marked online or offline: one op (agents_hello.c). */
void agents_store_offline(struct agents *a, const struct ulid *hosts, size_t n);
void agents_store_duplicate(struct agents *a, const struct peer *p,
    const char *notice);
#endif
