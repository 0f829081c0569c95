/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/conn.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/exch_priv.h"
#include "lib/net/grpc_priv.h"
#include "lib/net/h1.h"
#include "lib/net/h2.h"
#include "lib/net/link.h"

enum {
	PING_MISSES = 2,
	STREAM_BYTES = 8192 /* what a request in progress is counted as */
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum {
	PREFACE_SIZE = sizeof(preface) - 1
};

struct conn {
	struct list link;
	struct conn_env *env;
	struct link *io;
	struct h1 *h1;
	struct h2 *h2;
	struct admit_conn admit;
	int64_t born_ms;
	int64_t idle_ms;  /* since when nothing is open */
	int64_t asked_ms; /* of the PING not yet answered */
	unsigned asked;   /* PINGs without a sign of life */
	bool settled;     /* the handshake is over */
	bool spoke;       /* a first request or SETTINGS came */
	bool draining;
	char sniff[PREFACE_SIZE];
	size_t sniffed;
};

struct conn *
conn_of(struct list *el)
{
	return LIST_ENTRY(el, struct conn, link);
}

const char *
conn_peer(const struct conn *c)
{
	return link_peer(c->io);
}

int
conn_fd(const struct conn *c)
{
	return link_fd(c->io);
}

struct admit_conn *
conn_admit(struct conn *c)
{
	return &c->admit;
}

struct conn *
conn_of_admit(struct admit_conn *a)
{
	return CONTAINER_OF(a, struct conn, admit);
}

void
conn_handshake(struct conn *c)
{
	link_handshake(c->io);
}

static bool
offence(struct conn *c, enum offence kind)
{
	return c->env->on_offence(c->env->ctx, c, kind);
}

/* Tells what it holds, and `more` requests: false when that is too much for
 * its address. */
static bool
tell_load(struct conn *c, unsigned more)
{
	size_t requests = more, unread = 0;

	if (c->h2 != NULL) {
		requests += h2_streams(c->h2);
		unread = h2_unread(c->h2);
	} else if (c->h1 != NULL) {
		requests += h1_busy(c->h1);
		unread = h1_unread(c->h1);
	}
	return c->env->on_load(c->env->ctx, c,
	    requests * STREAM_BYTES + unread);
}

/* HTTP/2 */

static void
conn_on_stream(void *ctx, struct h2_stream *s)
{
	const struct h2_field unsupported = { STR(":status"), STR("415") };
	struct conn *c = ctx;
	struct str type = head_get(h2_stream_head(s), "content-type");

	c->spoke = true;
	link_known(c->io);
	if (!tell_load(c, 0)) {
		/* Who takes no answers gets no more of them. */
		offence(c, OFFENCE_SLOW_READ);
		h2_stream_reset(s, H2_REFUSED_STREAM);
	} else if (!str_starts(type, STR("application/grpc"))) {
		exch_accept_h2(s, c->env->http, c->env->http_ctx);
	} else if (c->env->grpc == NULL) {
		h2_respond(s, &unsupported, 1, true);
	} else {
		grpc_accept(c->env->grpc, s);
	}
}

static void
conn_on_settings(void *ctx)
{
	struct conn *c = ctx;

	c->spoke = true;
}

/* What the peer sends from now on it knew to be late. */
static void
conn_on_noticed(void *ctx)
{
	struct conn *c = ctx;

	if (c->draining)
		h2_goaway(c->h2);
}

static void
conn_on_bad(void *ctx, enum offence kind)
{
	struct conn *c = ctx;

	c->env->stats.h2_bad++;
	offence(c, kind);
}

static const struct h2_owner h2_owner = {
	.on_stream = conn_on_stream,
	.on_settings = conn_on_settings,
	.on_noticed = conn_on_noticed,
	.on_bad = conn_on_bad,
};

static void
start_h2(struct conn *c)
{
	const struct listen_limits *lim = &c->env->limits;

	c->h2 = h2_new(&(struct h2_opts){
	    .server = true,
	    .loop = c->env->loop,
	    .link = c->io,
	    .owner = &h2_owner,
	    .ctx = c,
	    .streams = lim->streams,
	    .stall_ms = lim->stall_ms,
	    .header_bytes = lim->header_bytes,
	    .header_fields = lim->header_fields,
	});
}

/* HTTP/1 */

static bool
conn_on_turn(void *ctx)
{
	struct conn *c = ctx;

	link_known(c->io);
	return c->env->on_turn(c->env->ctx, c);
}

static bool
conn_on_request(void *ctx)
{
	struct conn *c = ctx;

	if (tell_load(c, 1))
		return true;
	offence(c, OFFENCE_SLOW_READ);
	return false;
}

static void
conn_on_bad_h1(void *ctx, enum offence kind)
{
	struct conn *c = ctx;

	c->env->stats.h1_bad++;
	offence(c, kind);
}

static void
start_h1(struct conn *c)
{
	const struct listen_limits *lim = &c->env->limits;

	c->h1 = h1_new(&(struct h1_opts){
	    .loop = c->env->loop,
	    .link = c->io,
	    .header_bytes = lim->header_bytes,
	    .header_fields = lim->header_fields,
	    .handler = c->env->http,
	    .ctx = c->env->http_ctx,
	    .may_begin = conn_on_turn,
	    .on_request = conn_on_request,
	    .on_bad = conn_on_bad_h1,
	    .owner_ctx = c,
	});
}

static bool
busy(const struct conn *c)
{
	return c->h2 != NULL ? h2_streams(c->h2) != 0
	                     : c->h1 != NULL && h1_busy(c->h1);
}

/* Events of the link */

static void
conn_on_hello(void *ctx)
{
	struct conn *c = ctx;

	c->env->on_hello(c->env->ctx, c);
}

static void
conn_on_ready(void *ctx)
{
	struct conn *c = ctx;

	c->settled = true;
	c->env->on_settled(c->env->ctx, c);
	if (!link_is_tls(c->io))
		return; /* the first bytes tell */
	c->env->stats.tls_done++;
	if (link_alpn(c->io) == TLS_ALPN_H2)
		start_h2(c);
	else
		start_h1(c);
}

static void
input(struct conn *c, struct str bytes)
{
	struct err e;

	if (c->h2 == NULL) {
		h1_input(c->h1, bytes);
	} else if (!h2_input(c->h2, bytes)) {
		conn_on_bad(c, h2_offence(c->h2));
		err_set(&e, RC_PROTO, "HTTP/2 protocol error");
		link_end(c->io, &e);
	}
}

/* A plain connection: HTTP/2 by prior knowledge begins with a fixed text. */
static void
sniff(struct conn *c, struct str bytes)
{
	struct str seen = str_from(c->sniff, 0);
	size_t n = PREFACE_SIZE - c->sniffed;

	if (n > bytes.n)
		n = bytes.n;
	memcpy(c->sniff + c->sniffed, bytes.p, n);
	c->sniffed += n;
	seen.n = c->sniffed;
	if (memcmp(c->sniff, preface, c->sniffed) != 0)
		start_h1(c);
	else if (c->sniffed == PREFACE_SIZE)
		start_h2(c);
	else
		return;
	input(c, seen);
	if (n < bytes.n)
		input(c, str_sub(bytes, n, bytes.n));
}

static void
conn_on_data(void *ctx, struct str bytes)
{
	struct conn *c = ctx;

	if (c->h1 == NULL && c->h2 == NULL)
		sniff(c, bytes);
	else
		input(c, bytes);
	/* A request may begin and end between two ticks. */
	if (busy(c))
		c->idle_ms = link_heard_ms(c->io);
}

static void
conn_on_flush(void *ctx, struct buf *out)
{
	struct conn *c = ctx;

	if (c->h2 != NULL) {
		h2_output(c->h2, out);
	} else if (c->h1 != NULL) {
		h1_output(c->h1, out);
		/* One request at a time: what it leaves unread is known
		 * here, and counts when another one of its address comes. */
		(void)tell_load(c, 0);
	}
}

static void
conn_on_eof(void *ctx)
{
	struct conn *c = ctx;

	if (c->h1 != NULL)
		h1_eof(c->h1);
	else
		link_end(c->io, NULL);
}

static void
conn_on_link_end(void *ctx, const struct err *why)
{
	static struct log_limit limit;
	struct conn *c = ctx;

	if (!c->settled && link_is_tls(c->io)) {
		c->env->stats.tls_failed++;
		if (offence(c, OFFENCE_HANDSHAKE) && why->rc != RC_OK &&
		    log_allow(&limit, 10, 60))
			log_info(LOG_NET, "handshake failed peer=%s why=%s",
			    conn_peer(c), log_safe(str_of(why->msg)));
	}
	h2_free(c->h2);
	h1_free(c->h1);
	list_del(&c->link);
	c->env->on_end(c->env->ctx, c);
	mem_free(c);
}

static const struct link_handler conn_handler = {
	.on_hello = conn_on_hello,
	.on_ready = conn_on_ready,
	.on_data = conn_on_data,
	.on_flush = conn_on_flush,
	.on_eof = conn_on_eof,
	.on_end = conn_on_link_end,
};

struct conn *
conn_accept(struct conn_env *env, struct uv_stream_s *server)
{
	struct conn *c = MEM_NEW(struct conn);

	c->env = env;
	c->born_ms = c->idle_ms = clock_mono_ms();
	list_append(&env->conns, &c->link);
	c->io = link_accept(
	    &(struct link_opts){
	        .loop = env->loop,
	        .tls = env->tls,
	        .handler = &conn_handler,
	        .ctx = c,
	    },
	    server);
	return c;
}

/* Time limits */

static int64_t
head_since(const struct conn *c)
{
	if (!c->settled || (c->h1 == NULL && !c->spoke))
		return c->born_ms;
	return c->h2 != NULL ? h2_head_since_ms(c->h2)
	                     : h1_head_since_ms(c->h1);
}

static void
conn_timeout(struct conn *c, const char *what)
{
	struct err e;

	err_set(&e, RC_TIMEOUT, "%s", what);
	link_end(c->io, &e);
}

/* A peer that vanished without a word shows only when it is asked. */
static void
keep_alive(struct conn *c, int64_t now)
{
	int64_t heard = link_heard_ms(c->io);

	if (link_paused(c->io))
		return; /* an answer would not be read */
	if (c->asked != 0 && heard >= c->asked_ms)
		c->asked = 0;
	if (now - (c->asked != 0 ? c->asked_ms : heard) <
	    (int64_t)c->env->limits.ping_ms)
		return;
	if (c->asked == PING_MISSES) {
		conn_timeout(c, "no answer to PING");
		return;
	}
	c->asked++;
	c->asked_ms = now;
	h2_ping(c->h2);
}

static void
leave_idle(struct conn *c)
{
	if (c->h2 != NULL)
		h2_goaway(c->h2);
	else
		link_shut(c->io);
}

static void
tick_bodies(struct conn *c, int64_t now)
{
	struct exch_tick t = { now, c->env->limits.slow_body_bps, 0 };

	if (c->h1 != NULL) {
		t.slow = h1_tick(c->h1, now, t.bps);
	} else if (c->h2 != NULL) {
		(void)tell_load(c, 0);
		if (h2_tick(c->h2, now))
			offence(c, OFFENCE_SLOW_READ);
		h2_each(c->h2, exch_tick_h2, &t);
	}
	if (t.slow != 0)
		offence(c, OFFENCE_SLOW_BODY);
}

void
conn_tick(struct conn *c, int64_t now)
{
	const struct listen_limits *lim = &c->env->limits;
	int64_t since = head_since(c), blocked = link_blocked_ms(c->io);

	if (since != 0 && now - since >= (int64_t)lim->header_ms) {
		if (c->settled)
			offence(c, OFFENCE_SILENT);
		if (c->h1 != NULL && c->settled)
			h1_timeout(c->h1);
		else
			conn_timeout(c, "no complete request in time");
		return;
	}
	if (blocked != 0 && now - blocked >= (int64_t)lim->stall_ms) {
		offence(c, OFFENCE_SLOW_READ);
		conn_timeout(c, "the peer does not read");
		return;
	}
	tick_bodies(c, now);
	if (busy(c)) {
		c->idle_ms = now;
		if (c->h2 != NULL)
			keep_alive(c, now);
	} else if (now - c->idle_ms >= (int64_t)lim->idle_ms) {
		leave_idle(c);
	}
}

/* Ends */

void
conn_drain(struct conn *c)
{
	if (c->draining)
		return;
	c->draining = true;
	if (c->h2 != NULL)
		h2_notice(c->h2);
	else if (c->h1 != NULL)
		h1_drain(c->h1);
	else
		link_end(c->io, NULL);
}

void
conn_goaway(struct conn *c)
{
	if (c->h2 != NULL)
		h2_goaway(c->h2);
}

static void
break_off_stream(struct h2_stream *s, void *ctx)
{
	(void)ctx;
	if (!grpc_end_for_shutdown(s))
		h2_stream_reset(s, H2_CANCEL);
}

void
conn_break_off(struct conn *c)
{
	if (c->h2 == NULL) {
		link_end(c->io, NULL);
		return;
	}
	h2_each(c->h2, break_off_stream, NULL);
	h2_goaway(c->h2);
}

void
conn_end(struct conn *c, const char *why)
{
	struct err e;

	if (why != NULL)
		err_set(&e, RC_LIMIT, "%s", why);
	link_end(c->io, why != NULL ? &e : NULL);
}
