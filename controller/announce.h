/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_ANNOUNCE_H
#define CONTROLLER_ANNOUNCE_H
/*
 * Announce-and-approve (M-083 ff.): agents that nobody knows show their key
 * and wait, an administrator compares fingerprints and accepts or rejects.
 * announce.c holds the streams that wait, announce_call.c takes them in,
 * announce_op.c changes rows, announce_api.c is what people and scripts ask.
 *
 * Accepting makes the host; its bearer is made when it is handed over, anew
 * each time, and the row stays until the agent's first hello.  So neither a
 * lost answer nor a crash on either side loses the host, and the host's
 * secrets hold no bearer that nobody has.
 */
#include "lib/base/rc.h"
#include "lib/base/str.h"

struct announce;
struct controller;
struct grpc_call;
struct req;
struct route_json;
struct store_tx;
struct ulid;

enum {
	ANNOUNCE_PER_MINUTE = 10, /* an address, M-086 */
	ANNOUNCE_STREAMS_MAX = 200
};

struct announce *announce_new(struct controller *c);
void announce_free(struct announce *a);
void announce_tick(struct announce *a);  /* every second */
void announce_sweep(struct announce *a); /* every minute, M-099 */

/* Part of the op of a hello: its agent has the bearer. */
void announce_heard(struct store_tx *state, const struct ulid *host);

/* Method Announce of the agents' service, whose context is struct agents. */
void announce_on_open(void *agents, struct grpc_call *g);
void announce_on_message(void *agents, struct grpc_call *g, struct str msg);
void announce_on_half_close(void *agents, struct grpc_call *g);
void announce_on_close(void *agents, struct grpc_call *g);

void announce_post(struct req *r);   /* POST /api/agents/announce */
void announce_list(struct req *r);   /* GET /api/pending-hosts */
void announce_accept(struct req *r); /* POST /api/pending-hosts/{id}/accept */
void announce_reject(struct req *r); /* POST .../reject */
extern const struct route_json announce_post_body;
extern const struct route_json announce_accept_body;
#endif
