/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exchanges on HTTP/2 streams. */
#include "lib/net/exch_priv.h"
#include "lib/net/h2.h"

enum {
	FIELDS_MAX = 48
};

static void
exch_h2_respond(void *ctx, const struct http_field *f, size_t n,
    enum exch_length len)
{
	struct h2_field h2[FIELDS_MAX];
	size_t i;

	ASSERT(n <= FIELDS_MAX);
	for (i = 0; i < n; i++)
		h2[i] = (struct h2_field){ f[i].name, f[i].value };
	h2_respond(ctx, h2, n, len == EXCH_NO_BODY);
}

static void
exch_h2_send(void *ctx)
{
	h2_stream_send(ctx);
}

static void
exch_h2_want(void *ctx, size_t n)
{
	h2_stream_want(ctx, n);
}

static void
exch_h2_end(void *ctx)
{
	h2_stream_end(ctx, NULL, 0);
}

static void
exch_h2_abort(void *ctx)
{
	h2_stream_reset(ctx, H2_INTERNAL_ERROR);
}

static const struct exch_version version = {
	.h2 = true,
	.respond = exch_h2_respond,
	.send = exch_h2_send,
	.want = exch_h2_want,
	.end = exch_h2_end,
	.abort = exch_h2_abort,
};

static void
exch_h2_on_data(struct h2_stream *s, struct str bytes)
{
	exch_body(h2_stream_user(s), bytes);
}

static void
exch_h2_on_half_close(struct h2_stream *s)
{
	exch_body_end(h2_stream_user(s));
}

static void
exch_h2_on_writable(struct h2_stream *s)
{
	exch_writable(h2_stream_user(s));
}

static void
exch_h2_on_close(struct h2_stream *s, uint32_t error)
{
	(void)error;
	exch_gone(h2_stream_user(s));
}

static const struct h2_stream_ops ops = {
	.on_data = exch_h2_on_data,
	.on_half_close = exch_h2_on_half_close,
	.on_writable = exch_h2_on_writable,
	.on_close = exch_h2_on_close,
};

void
exch_accept_h2(struct h2_stream *s, const struct exch_handler *h, void *ctx)
{
	const struct h2_field none = { STR(":status"), STR("404") };
	struct exch *x;

	if (h == NULL) {
		h2_respond(s, &none, 1, true);
		return;
	}
	x = exch_new(&(struct exch_opts){
	    .handler = h,
	    .handler_ctx = ctx,
	    .version = &version,
	    .version_ctx = s,
	    .head = h2_stream_head(s),
	    .queue = h2_stream_queue(s),
	    .link = h2_stream_link(s),
	});
	h2_stream_own(s, &ops, x);
	exch_begin(x, true);
}

void
exch_tick_h2(struct h2_stream *s, void *ctx)
{
	struct exch_tick *t = ctx;

	if (h2_stream_ops(s) == &ops)
		t->slow += exch_tick(h2_stream_user(s), t->now_ms, t->bps);
}
