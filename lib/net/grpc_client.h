/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_GRPC_CLIENT_H
#define LIB_NET_GRPC_CLIENT_H
/*
 * The client side: one HTTP/2 connection to one controller and calls on it.
 * It does not reconnect; the uplink does.  Loop thread.
 *
 * dial -> on_ready once, or on_down once with the hop that failed in the
 * message (resolve, connect, TLS, ALPN, pin).  After on_ready on_down comes
 * when the connection ends; every open call got its on_end before.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/net/grpc.h"

struct loop;
struct tls_ctx;
struct grpc_conn;
struct grpc_ccall;

struct grpc_dial_opts {
	struct loop *loop;
	const char *url;     /* https://host[:port], http:// for plain */
	struct tls_ctx *tls; /* needed for https */
	unsigned timeout_ms; /* to on_ready; 0: 30 s */
	unsigned ping_ms;    /* keep-alive; two misses end it; 0: 20 s */
	void (*on_ready)(void *ctx, struct grpc_conn *c);
	void (*on_down)(void *ctx, struct grpc_conn *c, const struct err *e);
	void *ctx;
};

/* Failure is told by on_down, never from inside. */
struct grpc_conn *grpc_dial(const struct grpc_dial_opts *o);
/* Ends it; no callback follows (open calls included). */
void grpc_conn_free(struct grpc_conn *c);
/* After on_ready: a PING behind what was sent; on_pong (ctx of the dial) when
 * any PING is answered.  The peer has then read all that went before. */
void grpc_conn_ping(struct grpc_conn *c,
    void (*on_pong)(void *ctx, struct grpc_conn *c));

struct grpc_ccall_opts {
	const char *path;
	const char *bearer;  /* NULL: none */
	unsigned timeout_ms; /* grpc-timeout; 0: none (streams) */
	void (*on_message)(void *ctx, struct grpc_ccall *c, struct str msg);
	void (*on_writable)(void *ctx, struct grpc_ccall *c); /* may be NULL */
	/* The end, exactly once: status, message, rm-error-code ("" none). */
	void (*on_end)(void *ctx, struct grpc_ccall *c, enum grpc_status st,
	    struct str msg, struct str code);
	void *ctx;
};

struct grpc_ccall *grpc_call_open(struct grpc_conn *c,
    const struct grpc_ccall_opts *o);
/* As grpc_send(). */
MUST_USE enum rc grpc_call_send(struct grpc_ccall *c, struct str msg);
void grpc_call_half_close(struct grpc_ccall *c);
/* Resets; no callback follows. */
void grpc_call_cancel(struct grpc_ccall *c);
#endif
