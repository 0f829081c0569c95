/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_EXCH_PRIV_H
#define LIB_NET_EXCH_PRIV_H
/*
 * Between exchanges and the two HTTP versions.  A version calls
 * exch_new -> exch_begin -> exch_body ... -> exch_body_end -> exch_gone.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/net/exch.h"
#include "lib/net/head.h"
#include "lib/net/sendq.h"

struct h2_stream;
struct link;

enum exch_length {
	EXCH_NO_BODY, /* the section is all */
	EXCH_SIZED,   /* content-length is among the fields */
	EXCH_STREAM   /* until end() */
};

/* What an HTTP version does for its exchanges; ctx is given to exch_new. */
struct exch_version {
	bool h2;
	/* Fields in lower case, ":status" first. */
	void (*respond)(void *ctx, const struct http_field *f, size_t n,
	    enum exch_length len);
	void (*send)(void *ctx);           /* the queue has more */
	void (*want)(void *ctx, size_t n); /* exch_writable() at n bytes */
	void (*end)(void *ctx);            /* after the queue */
	void (*abort)(void *ctx);
};

struct exch_opts {
	const struct exch_handler *handler;
	void *handler_ctx;
	const struct exch_version *version;
	void *version_ctx;
	const struct head *head; /* lent until exch_gone() */
	struct sendq *queue;     /* lent */
	struct link *link;
};

struct exch *exch_new(const struct exch_opts *o);
/* The header section is there.  more: a body may follow. */
void exch_begin(struct exch *x, bool more);
void exch_body(struct exch *x, struct str bytes);
void exch_body_end(struct exch *x);
void exch_writable(struct exch *x);
/* on_close, then it is freed. */
void exch_gone(struct exch *x);
bool exch_replied(const struct exch *x);
/* A reply by ourselves, if there was none: text names the fault. */
void exch_refuse(struct exch *x, int status, const char *text);
/* Ends it with 408 when the body is slower than bps after 10 s; true: now. */
bool exch_tick(struct exch *x, int64_t now_ms, unsigned bps);

void exch_accept_h2(struct h2_stream *s, const struct exch_handler *h,
    void *ctx);
struct exch_tick {
	int64_t now_ms;
	unsigned bps;
	unsigned slow; /* counts those that were */
};
/* For h2_each(): ctx is a struct exch_tick. */
void exch_tick_h2(struct h2_stream *s, void *ctx);

/* "200" -> "OK"; "" when unknown. */
const char *http_reason(int status);
#endif
