/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_LINK_H
#define LIB_NET_LINK_H
/*
 * One TCP connection, with or without TLS, of either role.  Above it only
 * payload and events are seen, never sockets.
 *
 * Output is pulled: link_flush() asks for a flush, and before the loop next
 * waits on_flush is called once to append everything that is to go, which
 * leaves in one write.  While the socket takes no more, on_flush is not
 * called: what waits stays with the streams, which are bounded.
 *
 * Life: link_accept() or link_connect() -> on_ready -> on_data ... ->
 * on_end exactly once, never from inside a call, after which it is gone.
 * Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/net/tls_conn.h"

struct buf;
struct loop;
struct sockaddr;
struct tls_ctx;
struct uv_stream_s;
struct link;

enum {
	LINK_PEER_CAP = 48,
	LINK_FLUSH_BYTES = 262144 /* what one on_flush should not exceed */
};

struct link_handler {
	/* Server with TLS: the first record is here whole (or is none of
	 * TLS), and waits for link_handshake().  NULL: it does not wait. */
	void (*on_hello)(void *ctx);
	void (*on_ready)(void *ctx); /* connected, TLS done */
	void (*on_data)(void *ctx, struct str bytes);
	void (*on_flush)(void *ctx, struct buf *out);
	/* The peer sends no more.  Without it the link ends. */
	void (*on_eof)(void *ctx);
	void (*on_end)(void *ctx, const struct err *why); /* rc RC_OK: normal */
};

struct link_opts {
	struct loop *loop;
	struct tls_ctx *tls; /* NULL: plain */
	const char *host;    /* client with TLS: the name to verify */
	const struct link_handler *handler;
	void *ctx;
};

/* Takes the connection that waits on the listening stream. */
struct link *link_accept(const struct link_opts *o, struct uv_stream_s *server);
struct link *link_connect(const struct link_opts *o, const struct sockaddr *to);

/* Once, after on_hello. */
void link_handshake(struct link *l);

void link_flush(struct link *l);
/* Takes effect after the read in progress: up to 64 KiB may still come. */
void link_pause(struct link *l, bool on);
/* Ends it in order: output, close_notify, FIN, then up to 2 s for the
 * peer's.  May be called in on_flush, after the last output. */
void link_shut(struct link *l);
/* Ends it now; why NULL is a normal end. */
void link_end(struct link *l, const struct err *why);

const char *link_peer(const struct link *l); /* address, no port */
int link_fd(const struct link *l);           /* -1: none */
bool link_connected(const struct link *l);   /* or was */
/* It has begun a request: from now on its reads do not wait for their turn
 * among those of connections that have just come. */
void link_known(struct link *l);
bool link_paused(const struct link *l);
bool link_ending(const struct link *l); /* on_end is to come */
bool link_is_tls(const struct link *l);
enum tls_alpn link_alpn(const struct link *l);
/* As tls_conn_seen(). */
const struct tls_seen *link_seen(const struct link *l);
int64_t link_heard_ms(const struct link *l); /* monotonic, of last bytes */
/* When the write in progress began; 0: none. */
int64_t link_blocked_ms(const struct link *l);
#endif
