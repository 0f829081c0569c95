/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/link_priv.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"

enum {
	/* TLS answers some of what it reads by itself, whether or not the
	 * peer takes it: beyond this much unsent that ends. */
	UNSENT_MAX = 1 << 20,
	RECORD_HEAD = 5,
	RECORD_HANDSHAKE = 22
};

static void
peer_ended(struct link *l)
{
	l->eof = true;
	l->end_code = 0;
	uv_read_stop((uv_stream_t *)&l->tcp);
	if (l->shut_sent || !l->ready || l->handler->on_eof == NULL)
		link_end(l, NULL);
	else
		l->handler->on_eof(l->ctx);
}

/* TLS */

/* False when the handshake goes on or has failed. */
static bool
handshake(struct link *l, struct buf *out)
{
	struct err e;
	enum rc rc = tls_conn_handshake(l->tls, &e);

	if (rc == RC_BUSY)
		return false;
	if (rc != RC_OK) {
		link_write(l, buf_str(out)); /* the alert */
		link_end(l, &e);
		return false;
	}
	l->ready = true;
	l->handler->on_ready(l->ctx);
	link_flush(l);
	return !l->ending;
}

static void
read_records(struct link *l, struct loop_scratch *sc)
{
	struct err e;
	enum rc rc = RC_OK;
	size_t n;

	while (!l->ending) {
		rc = tls_conn_read(l->tls, sc->plain_in, sizeof(sc->plain_in),
		    &n, &e);
		if (rc != RC_OK)
			break;
		if (!l->shut_sent)
			l->handler->on_data(l->ctx, str_from(sc->plain_in, n));
		if (!tls_conn_more(l->tls))
			return;
	}
	if (l->ending || rc == RC_BUSY)
		return;
	if (rc == RC_GONE) {
		peer_ended(l);
		return;
	}
	link_write(l, buf_str(&sc->cipher_out));
	link_end(l, &e);
}

static bool
takes_answers(struct link *l)
{
	struct err e;

	if (uv_stream_get_write_queue_size((uv_stream_t *)&l->tcp) <=
	    UNSENT_MAX)
		return true;
	err_set(&e, RC_LIMIT, "the peer asks on and does not read");
	link_end(l, &e);
	return false;
}

/* Everything must be taken out of in, which is gone afterwards. */
void
link_feed_tls(struct link *l, struct str in)
{
	struct loop_scratch *sc = loop_scratch(l->loop);

	tls_conn_input(l->tls, in);
	tls_conn_output(l->tls, &sc->cipher_out);
	if (l->ready || handshake(l, &sc->cipher_out))
		read_records(l, sc);
	if (!l->ending && (sc->cipher_out.len == 0 || takes_answers(l)))
		link_write(l, buf_str(&sc->cipher_out));
}

/* The first record */

/* Until its first record is here, a connection costs these bytes and no
 * more.  What is no handshake need not be waited for: TLS refuses it. */
static bool
hello_complete(const struct buf *b)
{
	const uint8_t *p = (const uint8_t *)b->data;

	if (b->len == 0)
		return false;
	return p[0] != RECORD_HANDSHAKE || b->len == LINK_HELLO_MAX ||
	       (b->len >= RECORD_HEAD &&
	           b->len >= RECORD_HEAD + ((size_t)p[3] << 8 | p[4]));
}

static void
take_hello(struct link *l, struct str in)
{
	buf_put_str(l->hello, in);
	if (l->hello->len == LINK_HELLO_MAX)
		uv_read_stop((uv_stream_t *)&l->tcp);
	if (l->greeted || !hello_complete(l->hello))
		return;
	l->greeted = true;
	l->handler->on_hello(l->ctx);
}

/* Reads, and whose turn it is */

static void
read_ended(struct link *l, int code)
{
	if (code == UV_EOF)
		peer_ended(l);
	else
		link_end_uv(l, code, "read");
}

static void
link_on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
	struct link *l = h->data;

	(void)hint;
	if (l->young && l->hello == NULL && !l->placed &&
	    !loop_place(l->loop)) {
		*out = uv_buf_init(NULL, 0);
		return;
	}
	l->placed = false;
	*out = uv_buf_init(loop_scratch(l->loop)->read,
	    l->hello == NULL ? LOOP_READ_SIZE
	                     : (unsigned)(LINK_HELLO_MAX - l->hello->len));
}

/* Thousands may come, or be cut, at once. */
static void
await_place(struct link *l, int end_code)
{
	l->end_code = end_code;
	uv_read_stop((uv_stream_t *)&l->tcp);
	loop_task_place(l->loop, &l->more);
}

/* One full read a turn: a peer that sends without end does not keep the
 * others waiting. */
static void
yield(struct link *l)
{
	if (l->ending || l->eof || l->paused)
		return;
	uv_read_stop((uv_stream_t *)&l->tcp);
	loop_task_next_turn(l->loop, &l->more);
}

static void
link_on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct link *l = s->data;

	if (n == 0 || l->ending)
		return;
	if (n == UV_ENOBUFS) {
		await_place(l, 0);
		return;
	}
	if (n < 0) {
		if (loop_place(l->loop))
			read_ended(l, (int)n);
		else
			await_place(l, (int)n);
		return;
	}
	l->heard_ms = clock_mono_ms();
	if (l->hello != NULL)
		take_hello(l, str_from(b->base, (size_t)n));
	else if (l->tls != NULL)
		link_feed_tls(l, str_from(b->base, (size_t)n));
	else if (!l->shut_sent)
		l->handler->on_data(l->ctx, str_from(b->base, (size_t)n));
	if (n == LOOP_READ_SIZE)
		yield(l);
}

void
link_read(struct link *l)
{
	uv_read_start((uv_stream_t *)&l->tcp, link_on_alloc, link_on_read);
}

void
link_on_more(struct loop_task *t)
{
	struct link *l = CONTAINER_OF(t, struct link, more);

	if (l->ending || l->eof)
		return;
	if (l->end_code != 0) {
		read_ended(l, l->end_code);
		return;
	}
	l->placed = true;
	if (!l->paused)
		link_read(l);
}

void
link_pause(struct link *l, bool on)
{
	if (l->ending || l->eof || l->paused == on)
		return;
	l->paused = on;
	if (on)
		uv_read_stop((uv_stream_t *)&l->tcp);
	else
		link_read(l);
}
