/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The connection of a client; its calls are in grpc_call.c. */
#include "lib/net/grpc_client.h"

#include <string.h>
#include <uv.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/grpc_client_priv.h"
#include "lib/net/h2.h"
#include "lib/net/link.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"
#include "lib/net/url.h"

enum {
	DIAL_MS = 30000,
	PING_MS = 20000,
	PING_MISSES = 2,
	HEADER_BYTES = 65536,
	HEADER_FIELDS = 100
};

enum step {
	RESOLVING,
	CONNECTING,
	SECURING,
	GREETING,
	READY,
	DOWN
};

struct grpc_conn {
	struct loop *loop;
	struct tls_ctx *tls;
	struct url url;
	unsigned timeout_ms, ping_ms;
	void (*on_ready)(void *ctx, struct grpc_conn *c);
	void (*on_down)(void *ctx, struct grpc_conn *c, const struct err *e);
	void (*on_pong)(void *ctx, struct grpc_conn *c); /* NULL: none asked */
	void *ctx;

	enum step step;
	bool freed;       /* no callback follows */
	unsigned pending; /* what must end before the memory may go */
	struct err why;   /* the first failure */
	uv_getaddrinfo_t resolve;
	struct addrinfo *found, *next;
	struct link *link;
	struct h2 *h2;
	struct loop_timer *dial, *ping;
	int64_t asked_ms; /* of the PING not yet answered */
	unsigned asked;
};

static void
release(struct grpc_conn *c)
{
	if (--c->pending != 0 || !c->freed)
		return;
	uv_freeaddrinfo(c->found);
	tls_ctx_unref(c->tls);
	mem_free(c);
}

/* Tells the owner, who may free the connection while told. */
static void
go_down(struct grpc_conn *c)
{
	if (c->step == DOWN)
		return;
	c->step = DOWN;
	loop_timer_free(c->dial);
	loop_timer_free(c->ping);
	c->dial = c->ping = NULL;
	if (c->why.rc == RC_OK)
		err_set(&c->why, RC_OFFLINE, "%s closed the connection",
		    c->url.host);
	if (!c->freed)
		c->on_down(c->ctx, c, &c->why);
}

/* The hop at which it stands. */
static const char *
what_was_done(const struct grpc_conn *c)
{
	if (c->step == RESOLVING)
		return "looking up";
	if (!link_connected(c->link))
		return "connecting to";
	if (c->step == CONNECTING)
		return "TLS with";
	return c->step == GREETING ? "waiting for HTTP/2 from"
	                           : "connection to";
}

static void
grpc_client_on_dial_timeout(void *ctx)
{
	struct grpc_conn *c = ctx;

	ASSERT(c->step < READY);
	err_set(&c->why, RC_TIMEOUT, "%s %s port %u: no answer in %u s",
	    what_was_done(c), c->url.host, c->url.port, c->timeout_ms / 1000);
	if (c->link != NULL)
		link_end(c->link, &c->why);
	else
		go_down(c); /* the look-up ends some time, unheard */
}

/* How long nothing has come, after what was asked is seen to be answered. */
static int64_t
silence_ms(struct grpc_conn *c)
{
	int64_t heard = link_heard_ms(c->link);

	if (c->asked != 0 && heard >= c->asked_ms)
		c->asked = 0;
	return clock_mono_ms() - heard;
}

static void
ask_peer(struct grpc_conn *c, unsigned again_ms)
{
	c->asked++;
	c->asked_ms = clock_mono_ms();
	h2_ping(c->h2);
	loop_timer_start(c->ping, again_ms, 0);
}

/* Who speaks after a long silence asks in the same breath: two wake-ups a
 * minute less than by the timer, which is late enough to find it done.
 * Figure: bench key agent-idle. */
void
grpc_conn_speaks(struct grpc_conn *c)
{
	if (c->step == READY && c->link != NULL && !c->freed &&
	    silence_ms(c) >= (int64_t)c->ping_ms * 3 / 4 && c->asked == 0)
		ask_peer(c, c->ping_ms + c->ping_ms / 8);
}

/* A peer that vanished without a word shows only when it is asked. */
static void
grpc_client_on_ping(void *ctx)
{
	struct grpc_conn *c = ctx;
	int64_t silence = silence_ms(c);
	struct err e;

	if (c->asked == 0 && silence < (int64_t)c->ping_ms) {
		loop_timer_start(c->ping,
		    (uint64_t)(c->ping_ms + c->ping_ms / 8 - silence), 0);
		return;
	}
	if (c->asked == PING_MISSES) {
		err_set(&e, RC_TIMEOUT, "%s does not answer any more",
		    c->url.host);
		link_end(c->link, &e);
		return;
	}
	ask_peer(c, c->ping_ms);
}

/* HTTP/2 */

static void
grpc_client_on_settings(void *ctx)
{
	struct grpc_conn *c = ctx;

	if (c->step != GREETING)
		return;
	c->step = READY;
	loop_timer_free(c->dial);
	c->dial = NULL;
	c->ping = loop_timer_new(c->loop, grpc_client_on_ping, c);
	loop_timer_start(c->ping, c->ping_ms + c->ping_ms / 8, 0);
	if (!c->freed)
		c->on_ready(c->ctx, c);
}

static void
grpc_client_on_pong(void *ctx)
{
	struct grpc_conn *c = ctx;

	/* For the keep-alive any byte heard counts, see on_ping. */
	if (!c->freed && c->on_pong != NULL)
		c->on_pong(c->ctx, c);
}

static const struct h2_owner h2_owner = {
	.on_settings = grpc_client_on_settings,
	.on_pong = grpc_client_on_pong,
};

/* Link */

static void
grpc_client_on_link_ready(void *ctx)
{
	struct grpc_conn *c = ctx;
	struct err e;

	if (c->url.tls && link_alpn(c->link) != TLS_ALPN_H2) {
		err_set(&e, RC_VERSION,
		    "%s does not offer HTTP/2 (ALPN h2). Is something between "
		    "that ends TLS?",
		    c->url.host);
		link_end(c->link, &e);
		return;
	}
	c->step = GREETING;
	c->h2 = h2_new(&(struct h2_opts){
	    .loop = c->loop,
	    .link = c->link,
	    .owner = &h2_owner,
	    .ctx = c,
	    .header_bytes = HEADER_BYTES,
	    .header_fields = HEADER_FIELDS,
	});
}

static void
grpc_client_on_link_data(void *ctx, struct str bytes)
{
	struct grpc_conn *c = ctx;
	struct err e;

	if (c->h2 == NULL || h2_input(c->h2, bytes))
		return;
	err_set(&e, RC_PROTO, "%s does not speak HTTP/2 on port %u",
	    c->url.host, c->url.port);
	link_end(c->link, &e);
}

static void
grpc_client_on_link_flush(void *ctx, struct buf *out)
{
	struct grpc_conn *c = ctx;

	if (c->h2 != NULL)
		h2_output(c->h2, out);
}

static void connect_next(struct grpc_conn *c);

static void
grpc_client_on_link_end(void *ctx, const struct err *why)
{
	struct grpc_conn *c = ctx;
	bool reached = link_connected(c->link);

	if (c->why.rc == RC_OK && why->rc != RC_OK) {
		c->why = *why;
		err_wrap(&c->why, "%s %s port %u", what_was_done(c),
		    c->url.host, c->url.port);
	}
	c->link = NULL;
	if (!reached && !c->freed && c->next != NULL) {
		connect_next(c);
		release(c);
		return;
	}
	h2_free(c->h2);
	c->h2 = NULL;
	go_down(c);
	release(c);
}

static const struct link_handler link_handler = {
	.on_ready = grpc_client_on_link_ready,
	.on_data = grpc_client_on_link_data,
	.on_flush = grpc_client_on_link_flush,
	.on_end = grpc_client_on_link_end,
};

/* Each address in turn, until one answers. */
static void
connect_next(struct grpc_conn *c)
{
	const struct addrinfo *ai = c->next;

	c->next = ai->ai_next;
	c->step = CONNECTING;
	c->why.rc = RC_OK;
	c->pending++;
	c->link = link_connect(
	    &(struct link_opts){
	        .loop = c->loop,
	        .tls = c->url.tls ? c->tls : NULL,
	        .host = c->url.tls ? c->url.host : NULL,
	        .handler = &link_handler,
	        .ctx = c,
	    },
	    ai->ai_addr);
}

static void
grpc_client_on_resolved(uv_getaddrinfo_t *req, int status,
    struct addrinfo *found)
{
	struct grpc_conn *c = req->data;

	c->found = c->next = found;
	if (c->freed || c->step == DOWN) {
		release(c);
		return;
	}
	if (status != 0 || found == NULL) {
		err_set(&c->why, RC_NOTFOUND, "looking up %s: %s", c->url.host,
		    status != 0 ? uv_strerror(status) : "no address");
		go_down(c);
	} else {
		connect_next(c);
	}
	release(c);
}

static void
grpc_client_on_refused(void *ctx)
{
	struct grpc_conn *c = ctx;

	if (!c->freed)
		go_down(c);
	release(c);
}

static enum rc
resolve(struct grpc_conn *c, struct err *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char port[8];
	int r;

	if (c->url.tls && c->tls == NULL)
		return err_set(e, RC_INVALID, "%s: https needs a TLS context",
		    c->url.host);
	ASSERT(str_fmt(port, sizeof(port), "%u", c->url.port));
	c->resolve.data = c;
	r = uv_getaddrinfo(loop_uv(c->loop), &c->resolve,
	    grpc_client_on_resolved, c->url.host, port, &hints);
	if (r != 0)
		return err_set(e, RC_IO, "looking up %s: %s", c->url.host,
		    uv_strerror(r));
	return RC_OK;
}

struct grpc_conn *
grpc_dial(const struct grpc_dial_opts *o)
{
	struct grpc_conn *c = MEM_NEW(struct grpc_conn);

	c->loop = o->loop;
	c->tls = o->tls == NULL ? NULL : tls_ctx_ref(o->tls);
	c->timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : DIAL_MS;
	c->ping_ms = o->ping_ms != 0 ? o->ping_ms : PING_MS;
	c->on_ready = o->on_ready;
	c->on_down = o->on_down;
	c->ctx = o->ctx;
	c->pending = 1;
	if (url_parse(o->url, &c->url, &c->why) != RC_OK ||
	    resolve(c, &c->why) != RC_OK) {
		loop_defer(c->loop, grpc_client_on_refused, c);
		return c;
	}
	c->dial = loop_timer_new(c->loop, grpc_client_on_dial_timeout, c);
	loop_timer_start(c->dial, c->timeout_ms, 0);
	return c;
}

void
grpc_conn_free(struct grpc_conn *c)
{
	if (c == NULL || c->freed)
		return;
	c->freed = true;
	loop_timer_free(c->dial);
	loop_timer_free(c->ping);
	c->dial = c->ping = NULL;
	if (c->link != NULL) {
		link_end(c->link, NULL);
	} else if (c->step == RESOLVING) {
		uv_cancel((uv_req_t *)&c->resolve);
	} else if (c->pending == 0) {
		c->pending = 1;
		release(c);
	}
}

void
grpc_conn_ping(struct grpc_conn *c,
    void (*on_pong)(void *ctx, struct grpc_conn *c))
{
	if (c->step != READY)
		return;
	c->on_pong = on_pong;
	h2_ping(c->h2);
}

struct loop *
grpc_conn_loop(struct grpc_conn *c)
{
	return c->loop;
}

struct h2 *
grpc_conn_h2(struct grpc_conn *c)
{
	return c->step == READY ? c->h2 : NULL;
}

const struct url *
grpc_conn_url(const struct grpc_conn *c)
{
	return &c->url;
}

const struct err *
grpc_conn_why(const struct grpc_conn *c)
{
	return &c->why;
}

bool
grpc_conn_lost(const struct grpc_conn *c)
{
	return c->link == NULL;
}

bool
grpc_conn_silent(const struct grpc_conn *c)
{
	return c->freed;
}

void
grpc_conn_hold(struct grpc_conn *c)
{
	c->pending++;
}

void
grpc_conn_let_go(struct grpc_conn *c)
{
	release(c);
}
