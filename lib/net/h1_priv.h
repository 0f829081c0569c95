/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_H1_PRIV_H
#define LIB_NET_H1_PRIV_H
/* Shared by h1.c (connection and requests) and h1_reply.c only. */
#include <llhttp.h>

#include "lib/base/buf.h"
#include "lib/net/exch_priv.h"
#include "lib/net/h1.h"
#include "lib/net/loop_priv.h"

enum h1_state {
	H1_HEAD, /* waiting for a header section */
	H1_BODY,
	H1_REPLY, /* the request is complete, its reply is not */
	H1_CLOSED /* nothing is taken any more */
};

struct h1 {
	struct loop *loop;
	struct link *link;
	size_t header_bytes;
	unsigned header_fields;
	const struct exch_handler *handler;
	void *ctx;
	bool (*may_begin)(void *ctx);
	bool (*on_request)(void *ctx);
	void (*on_bad)(void *ctx, enum offence kind);
	void *owner_ctx;

	/* The request */
	llhttp_t parser;
	enum h1_state state;
	struct loop_task again;
	bool waits; /* a whole head is here; again comes */
	struct buf in;
	size_t scanned; /* bytes of in without the end of a section */
	int64_t head_since_ms;
	struct head head;
	struct buf name, value;
	size_t body_bytes, raw_bytes; /* of a body, without and with framing */
	bool message_done;
	bool http10;
	bool keep_alive;

	/* The reply */
	struct exch *x;
	struct buf out;
	struct sendq q;
	size_t want;
	bool responded;
	bool chunked;
	bool fin;
	bool draining;
};

/* llhttp's callbacks */

extern const struct exch_version h1_version;

/* An answer without an exchange; the connection ends with it. */
void h1_refuse(struct h1 *h, int status);
/* Appends what is ready; true when the reply in progress is now complete. */
bool h1_put_reply(struct h1 *h, struct buf *out);
#endif
