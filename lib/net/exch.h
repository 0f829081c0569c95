/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_EXCH_H
#define LIB_NET_EXCH_H
/*
 * One HTTP exchange, whether it came by HTTP/1.1 or HTTP/2: what the server
 * above sees of a connection.
 *
 * Life: on_head once the header section is there (choose the body limit, or
 * reply at once) -> on_request with the whole body -> one exch_reply(), or
 * exch_stream_begin() and pieces until exch_stream_end() -> on_close exactly
 * once, after which the exchange is gone.  The peer may go away at any time:
 * only on_close tells; replies after that must not happen.
 * Loop thread.  Strings lent by getters live as long as the exchange.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct exch;
struct arena;

struct http_field {
	struct str name; /* lower case */
	struct str value;
};

struct exch_handler {
	/* Returns the body limit in bytes; 0 refuses any body.  May reply. */
	size_t (*on_head)(void *ctx, struct exch *x);
	/* body lives until the exchange ends. */
	void (*on_request)(void *ctx, struct exch *x, struct str body);
	/* A stream reply may take more; also once after stream_begin. */
	void (*on_writable)(void *ctx, struct exch *x);
	void (*on_close)(void *ctx, struct exch *x);
};

struct str exch_method(const struct exch *x);
struct str exch_path(const struct exch *x);      /* undecoded, before '?' */
struct str exch_query(const struct exch *x);     /* after '?', may be empty */
struct str exch_authority(const struct exch *x); /* Host or :authority */
/* First field of that (lower-case) name; .p NULL when absent. */
struct str exch_field(const struct exch *x, const char *name);
size_t exch_field_count(const struct exch *x);
const struct http_field *exch_field_at(const struct exch *x, size_t i);
bool exch_is_tls(const struct exch *x);
bool exch_is_h2(const struct exch *x);
/* The direct peer's address as text, no port. */
const char *exch_peer(const struct exch *x);
/* Lives as long as the exchange; ceiling 1 MiB. */
struct arena *exch_arena(struct exch *x);
/* The owner's word, NULL at first. */
void exch_set_user(struct exch *x, void *user);
void *exch_user(const struct exch *x);

/* The whole answer; body is copied.  Content-Length and Date are added. */
void exch_reply(struct exch *x, int status, const struct http_field *fields,
    size_t n, struct str body);
/* The same without a copy: release(ctx) is called when body is not needed
 * any more (cached assets, rendered pages). */
typedef void exch_release_fn(void *ctx);
void exch_reply_lent(struct exch *x, int status,
    const struct http_field *fields, size_t n, struct str body,
    exch_release_fn *release, void *ctx);

void exch_stream_begin(struct exch *x, int status,
    const struct http_field *fields, size_t n);
/* Copies.  RC_BUSY: the unsent queue is over 256 KiB, nothing was taken;
 * on_writable comes when it is below 64 KiB. */
MUST_USE enum rc exch_stream_write(struct exch *x, struct str piece);
void exch_stream_end(struct exch *x);
/* Resets the stream, or closes an HTTP/1.1 connection. */
void exch_abort(struct exch *x);
#endif
