/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_H2_PRIV_H
#define LIB_NET_H2_PRIV_H
/* Shared by h2.c (session) and h2_stream.c (streams) only. */
#include <nghttp2/nghttp2.h>

#include "lib/base/list.h"
#include "lib/net/h2.h"
#include "lib/net/h2_mem.h"

struct h2 {
	nghttp2_session *ng;
	struct h2_mem mem;
	struct link *link;
	const struct h2_owner *owner;
	void *ctx;
	struct list streams;
	unsigned count;
	unsigned stall_ms;
	size_t header_bytes;
	unsigned header_fields;
	int64_t head_since_ms;
	int32_t head_id; /* the stream of that section */
	/* server: the largest stream begun, the last ones passed over */
	int32_t last_id, gap_from, gap_to;
	size_t heads;     /* bytes of the streams' header sections */
	size_t useful;    /* bytes of the input that carried something */
	size_t waste;     /* bytes that carried nothing, less what is allowed */
	int64_t waste_ms; /* when that was last lowered */
	unsigned resets;  /* by the peer, of late */
	size_t budget; /* bytes of DATA the flush in progress may still make */
	bool server;
	bool settled; /* the peer's SETTINGS came */
	bool starved; /* a stream was held back by the budget */
	bool terminated;
	bool flooded;   /* with what carries nothing */
	bool bombed;    /* by a section far beyond the limit */
	size_t section; /* decoded bytes of the one in progress */
};

struct h2_stream {
	struct list link;
	struct h2 *h;
	int32_t id;
	const struct h2_stream_ops *ops; /* NULL: nobody listens */
	void *user;
	struct head head;
	struct sendq q;
	struct head trailers; /* ours, kept until the queue is empty */
	size_t want;          /* SIZE_MAX: on_writable is not wanted */
	bool fin;             /* our side ends after q */
	bool deferred;        /* nghttp2 waits for h2_stream_send() */
	bool half_closed;
	bool answered;       /* client: the response is here, not one of 1xx */
	bool muted;          /* we reset it */
	int64_t moved_ms;    /* when bytes of q last left, or had room to */
	int64_t answered_ms; /* server: our side ended before the peer's */
};

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
/* on_close, then frees. */
void h2_stream_gone(struct h2_stream *s, uint32_t error);
ssize_t h2_stream_on_read(nghttp2_session *ng, int32_t id, uint8_t *dst,
    size_t cap, uint32_t *flags, nghttp2_data_source *src, void *user);
/* Tells the streams that may write again; after each flush. */
void h2_stream_wake(struct h2 *h);
#endif
