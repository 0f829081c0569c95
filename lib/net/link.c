/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/loop_priv.h"
#include "lib/net/tls.h"

enum {
	LINGER_MS = 2000,
	/* TLS answers some of what it reads by itself, whether or not the
	 * peer takes it: beyond this much unsent that ends. */
	UNSENT_MAX = 1 << 20,
	KEEPALIVE_S = 60, /* for HTTP/1.1, which has no PING */
	/* How long sent bytes may stay without the peer's kernel saying that
	 * it has them. */
	UNACKNOWLEDGED_MS = 60000,
	RECORD_HEAD = 5,
	RECORD_MAX = 16384,
	RECORD_HANDSHAKE = 22
};

struct link {
	uv_tcp_t tcp;
	union {
		uv_connect_t connect;
		uv_shutdown_t shutdown;
	} req;
	struct loop *loop;
	struct loop_task task; /* the flush */
	struct loop_task more; /* the next read */
	struct loop_timer *linger;
	struct tls_ctx *tls_ctx; /* NULL: plain */
	struct tls_conn *tls;
	struct buf *hello; /* server: what came before the handshake */
	const struct link_handler *handler;
	void *ctx;
	unsigned writes; /* in progress; try_write is for 0 only */
	bool connected;
	bool ready;
	bool greeted; /* on_hello was called */
	bool paused;
	bool young;     /* see link_known() */
	bool placed;    /* has a place for its next read */
	int end_code;   /* of a read that ended it, until it has a place */
	bool eof;       /* the peer's end was seen */
	bool shut;      /* close when all is written */
	bool shut_sent; /* close_notify and FIN are on their way */
	bool ending;    /* uv_close was called: no callback but on_end */
	int64_t heard_ms;
	int64_t blocked_ms;
	struct err *why; /* NULL: a normal end */
	char peer[LINK_PEER_CAP];
};

struct pending_write {
	uv_write_t req;
	char data[];
};

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

static void
end_uv(struct link *l, int code, const char *what)
{
	struct err e;

	err_set(&e, code == UV_ETIMEDOUT ? RC_TIMEOUT : RC_IO, "%s: %s", what,
	    uv_strerror(code));
	link_end(l, &e);
}

static void link_on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out);
static void link_on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b);

static void
start_reading(struct link *l)
{
	uv_read_start((uv_stream_t *)&l->tcp, link_on_alloc, link_on_read);
}

/* Output */

static void
link_on_written(uv_write_t *req, int status)
{
	struct link *l = req->handle->data;

	mem_free(CONTAINER_OF(req, struct pending_write, req));
	l->writes--;
	if (l->ending)
		return;
	if (status < 0) {
		end_uv(l, status, "write");
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
		end_uv(l, r, "write");
		return;
	}
	if (l->writes++ == 0)
		l->blocked_ms = clock_mono_ms();
}

static void
write_out(struct link *l, struct str s)
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
		end_uv(l, r, "write");
	else if ((size_t)r < s.n)
		write_later(l, s.p + r, s.n - (size_t)r);
}

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
		start_reading(l);
}

static void
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
	write_out(l, buf_str(out));
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

/* Input */

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
	    l->hello == NULL
	        ? LOOP_READ_SIZE
	        : (unsigned)(RECORD_HEAD + RECORD_MAX - l->hello->len));
}

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

/* False when the handshake goes on or has failed. */
static bool
handshake(struct link *l, struct buf *out)
{
	struct err e;
	enum rc rc = tls_conn_handshake(l->tls, &e);

	if (rc == RC_BUSY)
		return false;
	if (rc != RC_OK) {
		write_out(l, buf_str(out)); /* the alert */
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
	write_out(l, buf_str(&sc->cipher_out));
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
static void
feed_tls(struct link *l, struct str in)
{
	struct loop_scratch *sc = loop_scratch(l->loop);

	tls_conn_input(l->tls, in);
	tls_conn_output(l->tls, &sc->cipher_out);
	if (l->ready || handshake(l, &sc->cipher_out))
		read_records(l, sc);
	if (!l->ending && (sc->cipher_out.len == 0 || takes_answers(l)))
		write_out(l, buf_str(&sc->cipher_out));
}

/* Until its first record is here, a connection costs these bytes and no
 * more.  What is no handshake need not be waited for: TLS refuses it. */
static bool
hello_complete(const struct buf *b)
{
	const uint8_t *p = (const uint8_t *)b->data;

	if (b->len == 0)
		return false;
	return p[0] != RECORD_HANDSHAKE || b->len == RECORD_HEAD + RECORD_MAX ||
	       (b->len >= RECORD_HEAD &&
	           b->len >= RECORD_HEAD + ((size_t)p[3] << 8 | p[4]));
}

static void
take_hello(struct link *l, struct str in)
{
	buf_put_str(l->hello, in);
	if (l->hello->len == RECORD_HEAD + RECORD_MAX)
		uv_read_stop((uv_stream_t *)&l->tcp);
	if (l->greeted || !hello_complete(l->hello))
		return;
	l->greeted = true;
	l->handler->on_hello(l->ctx);
}

static void
read_ended(struct link *l, int code)
{
	if (code == UV_EOF)
		peer_ended(l);
	else
		end_uv(l, code, "read");
}

static void
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
		start_reading(l);
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
		feed_tls(l, str_from(b->base, (size_t)n));
	else if (!l->shut_sent)
		l->handler->on_data(l->ctx, str_from(b->base, (size_t)n));
	if (n == LOOP_READ_SIZE)
		yield(l);
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
		start_reading(l);
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
	start_reading(l);
	if (l->hello != NULL)
		return;
	if (l->tls != NULL) {
		feed_tls(l, str_from("", 0));
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
		buf_init(l->hello, RECORD_HEAD + RECORD_MAX);
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
	start_reading(l);
	feed_tls(l, buf_str(hello));
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
		end_uv(l, r, "accept");
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
		end_uv(l, status, "connect");
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
		end_uv(l, r, "connect");
	return l;
}

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
