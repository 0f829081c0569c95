/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_LISTEN_H
#define LIB_NET_LISTEN_H
/*
 * Listeners: accept, limits, TLS, and the choice of HTTP version.  TLS port:
 * ALPN "h2" is HTTP/2, "http/1.1" or no ALPN is HTTP/1.1.  Plain port:
 * "PRI * HTTP/2.0" is HTTP/2, anything else HTTP/1.1.  Requests whose
 * content-type begins with application/grpc go to grpc, others to http.
 * Loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"

struct loop;
struct tls_ctx;
struct exch_handler;
struct grpc_server;
struct listener;
struct offences;

/* 0 takes the default in brackets. */
struct listen_limits {
	unsigned connections;     /* in all [fd limit less 200] */
	unsigned per_address;     /* [256]; trusted proxies are exempt */
	unsigned handshakes;      /* in progress [512] */
	unsigned handshakes_turn; /* started per loop turn [8] */
	unsigned handshake_ms;    /* one of an address each [5 ms], after a
	                             burst of per_address */
	unsigned requests_turn;   /* of one address over HTTP/1, begun per
	                             loop turn [16] */
	unsigned streams;         /* per connection [100] */
	size_t address_bytes;     /* requests and answers of one address that
	                             wait [16 MiB] */
	size_t header_bytes;      /* [32 KiB] */
	unsigned header_fields;   /* [100] */
	unsigned header_ms;       /* to a complete header section [10 s] */
	unsigned idle_ms;         /* without an open exchange [75 s] */
	unsigned slow_body_bps;   /* after 10 s [1024] */
	unsigned stall_ms; /* output waits and the peer takes none [60 s] */
	unsigned ping_ms;  /* our PING on long streams, two misses
	                               close [20 s] */
};

struct listen_stats {
	uint64_t accepted, refused_limit, refused_address;
	uint64_t tls_done, tls_failed; /* handshakes */
	uint64_t h1_bad, h2_bad;
	unsigned open, handshaking;
};

struct listen_opts {
	struct loop *loop;
	const char *address; /* ":8443", "127.0.0.1:0", "[::1]:8443" */
	struct tls_ctx *tls; /* NULL: plain */
	struct listen_limits limits;
	const struct exch_handler *http;
	void *http_ctx;
	struct grpc_server *grpc; /* NULL: gRPC gets 415 */
	/* Tells whether per_address does not apply to this peer. */
	bool (*exempt)(void *ctx, const char *peer);
	void *exempt_ctx;
	struct offences *offences; /* may be NULL; outlives the listener */
};

MUST_USE enum rc listen_open(const struct listen_opts *o, struct listener **out,
    struct err *e);
uint16_t listen_port(const struct listener *l);
/* New connections use the new context; old ones go on undisturbed. */
void listen_set_tls(struct listener *l, struct tls_ctx *tls);
void listen_stats(const struct listener *l, struct listen_stats *out);
/* No new connections; GOAWAY with notice, open streams get grace_ms; then
 * all is closed and done is called, once. */
typedef void listen_done_fn(void *ctx);
void listen_close(struct listener *l, unsigned grace_ms, listen_done_fn *done,
    void *ctx);
#endif
