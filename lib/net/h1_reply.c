/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How exchanges are answered over HTTP/1. */
#include "lib/net/h1_priv.h"
#include "lib/net/link.h"

void
h1_refuse(struct h1 *h, int status)
{
	h->state = H1_CLOSED;
	buf_printf(&h->out,
	    "HTTP/1.1 %d %s\r\nconnection: close\r\ncontent-length: 0\r\n"
	    "\r\n",
	    status, http_reason(status));
	link_shut(h->link);
}

static void
h1_respond(void *ctx, const struct http_field *f, size_t n,
    enum exch_length len)
{
	struct h1 *h = ctx;
	uint64_t status = 500;
	size_t i;

	ASSERT(str_u64(f[0].value, 999, &status));
	h->responded = true;
	h->chunked = len == EXCH_STREAM && !h->http10;
	h->fin = len == EXCH_NO_BODY;
	if (h->draining || !h->message_done ||
	    (len == EXCH_STREAM && h->http10))
		h->keep_alive = false;
	buf_printf(&h->out, "HTTP/1.1 %u %s\r\n", (unsigned)status,
	    http_reason((int)status));
	for (i = 1; i < n; i++)
		buf_printf(&h->out, "%.*s: %.*s\r\n", STR_ARG(f[i].name),
		    STR_ARG(f[i].value));
	if (h->chunked)
		buf_puts(&h->out, "transfer-encoding: chunked\r\n");
	if (!h->keep_alive)
		buf_puts(&h->out, "connection: close\r\n");
	else if (h->http10)
		buf_puts(&h->out, "connection: keep-alive\r\n");
	buf_puts(&h->out, "\r\n");
	link_flush(h->link);
}

static void
h1_send(void *ctx)
{
	struct h1 *h = ctx;

	link_flush(h->link);
}

static void
h1_want(void *ctx, size_t n)
{
	struct h1 *h = ctx;

	h->want = n;
	link_flush(h->link);
}

static void
h1_end(void *ctx)
{
	struct h1 *h = ctx;

	h->fin = true;
	link_flush(h->link);
}

static void
h1_abort(void *ctx)
{
	struct h1 *h = ctx;

	h->state = H1_CLOSED;
	link_end(h->link, NULL);
}

const struct exch_version h1_version = {
	.h2 = false,
	.respond = h1_respond,
	.send = h1_send,
	.want = h1_want,
	.end = h1_end,
	.abort = h1_abort,
};

static void
put_body(struct h1 *h, struct buf *out)
{
	size_t n = h->q.bytes;
	char *dst;

	if (n > LINK_FLUSH_BYTES) {
		n = LINK_FLUSH_BYTES;
		link_flush(h->link);
	}
	if (n != 0) {
		if (h->chunked)
			buf_printf(out, "%zx\r\n", n);
		if ((dst = buf_reserve(out, n)) == NULL)
			return;
		buf_added(out, sendq_move(&h->q, dst, n));
		if (h->chunked)
			buf_puts(out, "\r\n");
	}
	if (h->chunked && h->fin && h->q.bytes == 0)
		buf_puts(out, "0\r\n\r\n");
}

bool
h1_put_reply(struct h1 *h, struct buf *out)
{
	buf_put_str(out, buf_str(&h->out));
	buf_fini(&h->out);
	if (h->x == NULL || !h->responded)
		return false;
	put_body(h, out);
	if (h->fin && h->q.bytes == 0)
		return true;
	if (h->q.bytes <= h->want && h->want != SIZE_MAX) {
		h->want = SIZE_MAX;
		exch_writable(h->x);
	}
	return false;
}
