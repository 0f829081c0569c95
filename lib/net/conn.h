/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_CONN_H
#define LIB_NET_CONN_H
/*
 * One connection of a listener: picks the HTTP version, hands requests to
 * gRPC or to the HTTP handler, and ends what is idle, slow or silent.
 * Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/list.h"
#include "lib/net/admit.h"
#include "lib/net/listen.h"

struct conn;
struct uv_stream_s;

/* What connections share, owned by their listener. */
struct conn_env {
	struct loop *loop;
	struct tls_ctx *tls; /* for new ones; NULL: plain */
	struct listen_limits limits;
	const struct exch_handler *http;
	void *http_ctx;
	struct grpc_server *grpc;
	struct listen_stats stats;
	struct list conns;
	void (
	    *on_hello)(void *ctx, struct conn *c); /* asks for its handshake */
	void (*on_settled)(void *ctx, struct conn *c); /* handshake over */
	void (*on_end)(void *ctx, struct conn *c);     /* then it is gone */
	/* One more request; false: its address has had its share of this
	 * turn of the loop. */
	bool (*on_turn)(void *ctx, struct conn *c);
	/* What it holds; false: its address holds too much. */
	bool (*on_load)(void *ctx, struct conn *c, size_t bytes);
	/* True for the first of its kind: the time for a line in the log. */
	bool (*on_offence)(void *ctx, struct conn *c, enum offence kind);
	void *ctx;
};

struct conn *conn_accept(struct conn_env *env, struct uv_stream_s *server);
struct conn *conn_of(struct list *el);
const char *conn_peer(const struct conn *c);
int conn_fd(const struct conn *c); /* -1: none */
/* The listener's. */
struct admit_conn *conn_admit(struct conn *c);
struct conn *conn_of_admit(struct admit_conn *a);
void conn_handshake(struct conn *c); /* once, after on_hello */
/* About once a second. */
void conn_tick(struct conn *c, int64_t now_ms);
/* Tells the peer that the end is near. */
void conn_drain(struct conn *c);
/* No new requests; ends when those in progress have ended. */
void conn_goaway(struct conn *c);
/* Ends what is in progress: calls with UNAVAILABLE, exchanges by abort. */
void conn_break_off(struct conn *c);
void conn_end(struct conn *c, const char *why); /* NULL: a normal end */
#endif
