/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/link_priv.h"
#include "lib/net/tls.h"

enum {
	KEEPALIVE_S = 60, /* for HTTP/1.1, which has no PING */
	/* How long sent bytes may stay without the peer's kernel saying that
	 * it has them. */
	UNACKNOWLEDGED_MS = 60000
};

/* End */

static void
drop_hello(struct link *l)
{
	if (l->hello == NULL)
		return;
	buf_fini(l->hello);
	mem_free(l->hello);
	l->hello = NULL;
}

static void
link_on_closed(uv_handle_t *h)
{
	static const struct err normal = { .rc = RC_OK };
	struct link *l = h->data;

	l->handler->on_end(l->ctx, l->why != NULL ? l->why : &normal);
	mem_free(l->why);
	drop_hello(l);
	tls_conn_free(l->tls);
	tls_ctx_unref(l->tls_ctx);
	mem_free(l);
}

void
link_end(struct link *l, const struct err *why)
{
	if (l->ending)
		return;
	l->ending = true;
	if (why != NULL) {
		l->why = MEM_NEW(struct err);
		*l->why = *why;
	}
	loop_task_cancel(&l->task);
	loop_task_cancel(&l->more);
	loop_timer_free(l->linger);
	uv_close((uv_handle_t *)&l->tcp, link_on_closed);
}

void
link_end_uv(struct link *l, int code, const char *what)
{
	struct err e;

	err_set(&e, code == UV_ETIMEDOUT ? RC_TIMEOUT : RC_IO, "%s: %s", what,
	    uv_strerror(code));
	link_end(l, &e);
}

/* Start */

static void
set_peer(struct link *l)
{
	struct sockaddr_storage sa;
	int n = (int)sizeof(sa);
	char text[LINK_PEER_CAP] = "?";
	const char *from = text;

	if (uv_tcp_getpeername(&l->tcp, (struct sockaddr *)&sa, &n) == 0)
		uv_ip_name((struct sockaddr *)&sa, text, sizeof(text));
	if (strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.') != NULL)
		from = text + 7;
	memcpy(l->peer, from, strlen(from) + 1);
}

static struct link *
link_new(const struct link_opts *o)
{
	struct link *l = MEM_NEW(struct link);

	uv_tcp_init(loop_uv(o->loop), &l->tcp);
	l->tcp.data = l;
	l->loop = o->loop;
	l->task.fn = link_on_flush;
	l->more.fn = link_on_more;
	l->handler = o->handler;
	l->ctx = o->ctx;
	if (o->tls != NULL)
		l->tls_ctx = tls_ctx_ref(o->tls);
	l->heard_ms = clock_mono_ms();
	l->peer[0] = '?';
	return l;
}

/* Else the kernel sends them again for a quarter of an hour. */
static void
limit_unacknowledged(struct link *l)
{
#ifdef TCP_USER_TIMEOUT
	const unsigned ms = UNACKNOWLEDGED_MS;

	(void)setsockopt(link_fd(l), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
	    sizeof(ms));
#endif
}

static void
connected(struct link *l)
{
	l->connected = true;
	uv_tcp_nodelay(&l->tcp, 1);
	uv_tcp_keepalive(&l->tcp, 1, KEEPALIVE_S);
	limit_unacknowledged(l);
	link_read(l);
	if (l->hello != NULL)
		return;
	if (l->tls != NULL) {
		link_feed_tls(l, str_from("", 0));
		return;
	}
	l->ready = true;
	l->handler->on_ready(l->ctx);
	link_flush(l);
}

static bool
add_tls(struct link *l, const char *host)
{
	struct err e;

	if (l->tls_ctx == NULL)
		return true;
	l->tls = tls_conn_new(l->tls_ctx, host);
	if (l->tls != NULL)
		return true;
	err_set(&e, RC_BUSY, "TLS: no descriptor left for random numbers");
	link_end(l, &e);
	return false;
}

/* Nothing is called back before the caller has its pointer. */
static void
link_on_accepted(struct loop_task *t)
{
	struct link *l = CONTAINER_OF(t, struct link, task);

	l->task.fn = link_on_flush;
	if (l->tls_ctx != NULL && l->handler->on_hello != NULL) {
		l->hello = MEM_NEW(struct buf);
		buf_init(l->hello, LINK_HELLO_MAX);
		connected(l);
	} else if (add_tls(l, NULL)) {
		connected(l);
	}
}

void
link_handshake(struct link *l)
{
	struct buf *hello = l->hello;

	if (l->ending || !add_tls(l, NULL))
		return;
	l->hello = NULL;
	link_read(l);
	link_feed_tls(l, buf_str(hello));
	buf_fini(hello);
	mem_free(hello);
}

struct link *
link_accept(const struct link_opts *o, struct uv_stream_s *server)
{
	struct link *l = link_new(o);
	int r = uv_accept(server, (uv_stream_t *)&l->tcp);

	l->young = true;
	if (r < 0) {
		link_end_uv(l, r, "accept");
	} else {
		set_peer(l);
		l->task.fn = link_on_accepted;
		loop_task_due(l->loop, &l->task);
	}
	return l;
}

static void
link_on_connected(uv_connect_t *req, int status)
{
	struct link *l = req->handle->data;

	if (l->ending)
		return;
	if (status < 0) {
		link_end_uv(l, status, "connect");
	} else {
		set_peer(l);
		connected(l);
	}
}

struct link *
link_connect(const struct link_opts *o, const struct sockaddr *to)
{
	struct link *l = link_new(o);
	int r;

	if (!add_tls(l, o->host))
		return l;
	r = uv_tcp_connect(&l->req.connect, &l->tcp, to, link_on_connected);
	if (r < 0)
		link_end_uv(l, r, "connect");
	return l;
}

/* What is known of it */

const char *
link_peer(const struct link *l)
{
	return l->peer;
}

int
link_fd(const struct link *l)
{
	uv_os_fd_t fd;

	return uv_fileno((const uv_handle_t *)&l->tcp, &fd) == 0 ? fd : -1;
}

bool
link_connected(const struct link *l)
{
	return l->connected;
}

void
link_known(struct link *l)
{
	l->young = false;
}

bool
link_paused(const struct link *l)
{
	return l->paused;
}

bool
link_ending(const struct link *l)
{
	return l->ending;
}

bool
link_is_tls(const struct link *l)
{
	return l->tls_ctx != NULL;
}

enum tls_alpn
link_alpn(const struct link *l)
{
	return l->tls == NULL ? TLS_ALPN_NONE : tls_conn_alpn(l->tls);
}

const struct tls_seen *
link_seen(const struct link *l)
{
	return l->tls == NULL ? NULL : tls_conn_seen(l->tls);
}

int64_t
link_heard_ms(const struct link *l)
{
	return l->heard_ms;
}

int64_t
link_blocked_ms(const struct link *l)
{
	return l->blocked_ms;
}
