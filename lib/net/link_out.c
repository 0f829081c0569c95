/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/link_priv.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

enum {
	LINGER_MS = 2000
};

struct pending_write {
	uv_write_t req;
	char data[];
};

static void
link_on_written(uv_write_t *req, int status)
{
	struct link *l = req->handle->data;

	mem_free(CONTAINER_OF(req, struct pending_write, req));
	l->writes--;
	if (l->ending)
		return;
	if (status < 0) {
		link_end_uv(l, status, "write");
		return;
	}
	if (l->writes == 0) {
		l->blocked_ms = 0;
		link_flush(l);
	}
}

static void
write_later(struct link *l, const char *p, size_t n)
{
	struct pending_write *w = mem_alloc(sizeof(*w) + n);
	uv_buf_t b = uv_buf_init(w->data, (unsigned)n);
	int r;

	memcpy(w->data, p, n);
	r = uv_write(&w->req, (uv_stream_t *)&l->tcp, &b, 1, link_on_written);
	if (r < 0) {
		mem_free(w);
		link_end_uv(l, r, "write");
		return;
	}
	if (l->writes++ == 0)
		l->blocked_ms = clock_mono_ms();
}

void
link_write(struct link *l, struct str s)
{
	uv_buf_t b = uv_buf_init((char *)(uintptr_t)s.p, (unsigned)s.n);
	int r = 0;

	if (s.n == 0)
		return;
	if (l->writes == 0)
		r = uv_try_write((uv_stream_t *)&l->tcp, &b, 1);
	if (r == UV_EAGAIN)
		r = 0;
	if (r < 0)
		link_end_uv(l, r, "write");
	else if ((size_t)r < s.n)
		write_later(l, s.p + r, s.n - (size_t)r);
}

/* The end in order */

static void
link_on_shutdown(uv_shutdown_t *req, int status)
{
	struct link *l = req->handle->data;

	if (status == UV_ECANCELED || l->ending)
		return;
	if (status < 0 || l->eof)
		link_end(l, NULL);
}

static void
link_on_linger(void *ctx)
{
	link_end(ctx, NULL);
}

/* Closing with unread input makes the kernel reset the connection, which
 * may destroy our last bytes at the peer: so read on for a while. */
static void
start_shutdown(struct link *l)
{
	if (l->ending)
		return;
	l->shut_sent = true;
	l->linger = loop_timer_new(l->loop, link_on_linger, l);
	loop_timer_start(l->linger, LINGER_MS, 0);
	if (uv_shutdown(&l->req.shutdown, (uv_stream_t *)&l->tcp,
	        link_on_shutdown) < 0) {
		link_end(l, NULL);
		return;
	}
	if (!l->eof)
		link_read(l);
}

/* Flush */

void
link_on_flush(struct loop_task *t)
{
	struct link *l = CONTAINER_OF(t, struct link, task);
	struct loop_scratch *sc = loop_scratch(l->loop);
	struct buf *out = &sc->plain_out;
	struct err e;

	if (l->ending || l->writes != 0 || !l->ready || l->shut_sent)
		return;
	l->handler->on_flush(l->ctx, out);
	if (l->ending)
		return;
	if (l->tls != NULL) {
		tls_conn_output(l->tls, &sc->cipher_out);
		if (out->len != 0 &&
		    tls_conn_write(l->tls, buf_str(out), &e) != RC_OK) {
			link_end(l, &e);
			return;
		}
		if (l->shut)
			tls_conn_close_notify(l->tls);
		out = &sc->cipher_out;
	}
	if (buf_rc(&sc->plain_out) != RC_OK || buf_rc(out) != RC_OK) {
		err_set(&e, RC_LIMIT, "too much output at once");
		link_end(l, &e);
		return;
	}
	link_write(l, buf_str(out));
	if (l->shut)
		start_shutdown(l);
}

void
link_flush(struct link *l)
{
	if (!l->ending)
		loop_task_due(l->loop, &l->task);
}

void
link_shut(struct link *l)
{
	if (l->shut || l->ending)
		return;
	if (!l->ready) {
		link_end(l, NULL);
		return;
	}
	l->shut = true;
	link_flush(l);
}
