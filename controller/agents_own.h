/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_AGENTS_OWN_H
#define CONTROLLER_AGENTS_OWN_H
/*
 * What the files of agents share: agents.c keeps who is there, agents_hello.c
 * takes a hello, and the others speak gRPC (agents_call.h).
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
struct grpc_server;
struct loop_timer;
struct map;
struct Wire__Config;
struct Wire__Hello;

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

struct peer *peer_get(struct agents *a, const struct ulid *host);
void peer_seen(struct agents *a, struct peer *p);
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

/* Hosts marked online or offline: one op (agents_hello.c). */
void agents_store_offline(struct agents *a, const struct ulid *hosts, size_t n);
void agents_store_duplicate(struct agents *a, const struct peer *p,
    const char *notice);
#endif
