/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_H2_H
#define LIB_NET_H2_H
/*
 * HTTP/2 over a link, both roles: the only user of nghttp2.  One object per
 * stream, which owns its header section and its unsent bytes.
 *
 * A stream's callbacks: on_head (client: the response; a server gets
 * h2_owner.on_stream instead) -> on_data ... -> on_half_close when the peer
 * has sent its last -> on_close exactly once, after which it is gone.
 * Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/net/head.h"
#include "lib/net/offence.h"
#include "lib/net/sendq.h"

struct buf;
struct link;
struct loop;
struct h2;
struct h2_stream;

struct h2_stream_ops {
	void (*on_head)(struct h2_stream *s); /* client only */
	void (*on_data)(struct h2_stream *s, struct str bytes);
	void (*on_half_close)(struct h2_stream *s);
	/* The unsent queue went below low water after it was over it. */
	void (*on_writable)(struct h2_stream *s);
	/* error: HTTP/2 code, 0 when both sides ended in order. */
	void (*on_close)(struct h2_stream *s, uint32_t error);
};

struct h2_owner {
	/* Server: a request's header section is complete.  Answer, or take
	 * the stream over with h2_stream_own(). */
	void (*on_stream)(void *ctx, struct h2_stream *s);
	/* The peer's SETTINGS came: it speaks HTTP/2. */
	void (*on_settings)(void *ctx);
	/* The peer has seen h2_notice(); NULL where none is given. */
	void (*on_noticed)(void *ctx);
	/* Any other PING of ours was answered; may be NULL. */
	void (*on_pong)(void *ctx);
	/* The peer broke the protocol, or went over a limit; may be NULL. */
	void (*on_bad)(void *ctx, enum offence kind);
};

struct h2_opts {
	bool server;
	struct loop *loop;
	struct link *link;
	const struct h2_owner *owner;
	void *ctx;
	unsigned streams;    /* concurrent, opened by the peer */
	unsigned stall_ms;   /* server: for h2_tick() */
	size_t header_bytes; /* larger sections are answered 431 */
	unsigned header_fields;
};

struct h2_field {
	struct str name; /* lower case; pseudo-fields first */
	struct str value;
};

struct h2 *h2_new(const struct h2_opts *o);
/* Ends every stream (on_close).  Never from inside a callback of h2. */
void h2_free(struct h2 *h);

/* Bytes from the link; false: it cannot go on, end the link. */
MUST_USE bool h2_input(struct h2 *h, struct str bytes);
/* After h2_input() was false: what the peer did. */
enum offence h2_offence(const struct h2 *h);
/* For link_handler.on_flush; shuts the link when both sides are done. */
void h2_output(struct h2 *h, struct buf *out);

/* Server, about once a second: resets streams whose peer sends on after the
 * answer, or does not read it.  True: one was not read. */
bool h2_tick(struct h2 *h, int64_t now_ms);

unsigned h2_streams(const struct h2 *h);
/* Bytes that wait for the peer to take them. */
size_t h2_unread(const struct h2 *h);
void h2_ping(struct h2 *h);
/* First step of an orderly end: no new streams, please.  on_noticed comes
 * when those that were under way have arrived. */
void h2_notice(struct h2 *h);
/* Second step: the streams there finish, then the link is shut. */
void h2_goaway(struct h2 *h);
/* GOAWAY, and the link is shut as soon as that is sent. */
void h2_terminate(struct h2 *h);
/* Calls fn for every stream that has ops. */
void h2_each(struct h2 *h, void (*fn)(struct h2_stream *s, void *ctx),
    void *ctx);
/* When the peer began a header section that is not complete; 0: none. */
int64_t h2_head_since_ms(const struct h2 *h);

/* Client.  NULL when no stream can be opened any more. */
struct h2_stream *h2_request(struct h2 *h, const struct h2_field *f, size_t n,
    const struct h2_stream_ops *ops, void *user);

void h2_stream_own(struct h2_stream *s, const struct h2_stream_ops *ops,
    void *user);
void *h2_stream_user(const struct h2_stream *s);
const struct h2_stream_ops *h2_stream_ops(const struct h2_stream *s);
const struct head *h2_stream_head(const struct h2_stream *s);
/* The section is not needed any more: it is empty from now on. */
void h2_stream_forget_head(struct h2_stream *s);
struct link *h2_stream_link(const struct h2_stream *s);
/* The peer has sent its last. */
bool h2_stream_half_closed(const struct h2_stream *s);

/* Server: the response's header section; end: nothing follows. */
void h2_respond(struct h2_stream *s, const struct h2_field *f, size_t n,
    bool end);
/* Put bytes into h2_stream_queue(), then call h2_stream_send(). */
struct sendq *h2_stream_queue(struct h2_stream *s);
void h2_stream_send(struct h2_stream *s);
/* on_writable is called when the queue falls to n bytes or less. */
void h2_stream_want(struct h2_stream *s, size_t n);
/* Ends our side after the queue, with trailers when n != 0. */
void h2_stream_end(struct h2_stream *s, const struct h2_field *trailers,
    size_t n);
/* RST_STREAM; but for on_close no callback follows. */
void h2_stream_reset(struct h2_stream *s, uint32_t error);

enum {
	H2_NO_ERROR = 0,
	H2_PROTOCOL_ERROR = 1,
	H2_INTERNAL_ERROR = 2,
	H2_REFUSED_STREAM = 7,
	H2_CANCEL = 8,
	H2_ENHANCE_YOUR_CALM = 11
};
#endif
