/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_H1_H
#define LIB_NET_H1_H
/*
 * HTTP/1.1 and 1.0, server side, over a link: the only user of llhttp.
 * Requests are taken one after the other; what a client sends ahead waits.
 * Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/str.h"
#include "lib/net/offence.h"

struct buf;
struct exch_handler;
struct link;
struct loop;
struct h1;

struct h1_opts {
	struct loop *loop;
	struct link *link;
	size_t header_bytes;
	unsigned header_fields;
	const struct exch_handler *handler; /* NULL: everything is 404 */
	void *ctx;
	/* A whole header section is here.  False: it is not its turn yet, on
	 * the next turn of the loop it is asked again. */
	bool (*may_begin)(void *ctx);
	/* A whole request.  False: it is answered 503, and the connection
	 * ends. */
	bool (*on_request)(void *ctx);
	/* A malformed request, or a header section that is too large. */
	void (*on_bad)(void *ctx, enum offence kind);
	void *owner_ctx; /* of these three */
};

struct h1 *h1_new(const struct h1_opts *o);
/* Ends the exchange in progress (on_close). */
void h1_free(struct h1 *h);
void h1_input(struct h1 *h, struct str bytes);
void h1_output(struct h1 *h, struct buf *out);
void h1_eof(struct h1 *h);
bool h1_busy(const struct h1 *h);     /* an exchange is in progress */
size_t h1_unread(const struct h1 *h); /* bytes of its answer not yet sent */
/* When the request line in progress began, or waiting for the first one;
 * 0: between requests. */
int64_t h1_head_since_ms(const struct h1 *h);
/* The header section took too long: 408 and end. */
void h1_timeout(struct h1 *h);
/* True: its body was too slow, the answer is 408. */
bool h1_tick(struct h1 *h, int64_t now_ms, unsigned slow_body_bps);
/* No further request on this connection. */
void h1_drain(struct h1 *h);
#endif
