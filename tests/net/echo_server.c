/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A server of lib/net alone, for foreign clients to try.  Prints one line
 * {"tls":PORT,"plain":PORT} and runs until SIGTERM (orderly end, 1 s grace);
 * SIGHUP loads the certificate again.
 *
 *     net_echo_server CERT KEY [limit=value ...] [tickets=FILE]
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/exch.h"
#include "lib/net/grpc.h"
#include "lib/net/listen.h"
#include "lib/net/loop.h"
#include "lib/net/offence.h"
#include "lib/net/tls.h"

enum {
	FLOOD_BYTES = 65536,
	GRACE_MS = 1000,
	BODY_MAX = 1048576
};

struct server {
	struct offences *offences;
	struct loop *loop;
	struct listener *tls, *plain;
	struct grpc_server *grpc;
	struct tls_server_opts files;
	struct listen_limits limits;
	unsigned closing;
	unsigned cancelled; /* calls that ended before we finished them */
};

/* gRPC: messages are plain bytes */

struct call {
	struct grpc_call *c;
	struct loop_timer *timer;
	unsigned left; /* messages still to send */
	bool done;
};

static void
call_open(void *ctx, struct grpc_call *c)
{
	struct call *k = MEM_NEW(struct call);

	(void)ctx;
	k->c = c;
	grpc_set_user(c, k);
}

static void
call_finish(struct grpc_call *c, enum grpc_status st, const char *msg)
{
	struct call *k = grpc_user(c);

	k->done = true;
	grpc_finish(c, st, msg, NULL);
}

static void
call_close(void *ctx, struct grpc_call *c)
{
	struct server *s = ctx;
	struct call *k = grpc_user(c);

	if (!k->done)
		s->cancelled++;
	loop_timer_free(k->timer);
	mem_free(k);
}

static void
call_send(struct grpc_call *c, struct str msg)
{
	if (grpc_send(c, msg) != RC_OK)
		call_finish(c, GRPC_RESOURCE_EXHAUSTED, "queue full");
}

static void
unary_message(void *ctx, struct grpc_call *c, struct str msg)
{
	(void)ctx;
	call_send(c, msg);
}

static void
finish_ok(void *ctx, struct grpc_call *c)
{
	(void)ctx;
	call_finish(c, GRPC_OK, "");
}

/* Metadata "want-status", "want-message", "want-code" choose the error. */
static void
fail_message(void *ctx, struct grpc_call *c, struct str msg)
{
	struct str status = grpc_metadata(c, "want-status");
	struct call *k = grpc_user(c);
	uint64_t n = GRPC_UNKNOWN;

	(void)ctx;
	if (!str_u64(status, 16, &n))
		n = GRPC_UNKNOWN;
	k->done = true;
	grpc_finish(c, (enum grpc_status)n,
	    msg.n == 0 ? "m\xc3\xbc\xc3\x9fig 100%\n" : "no", "test_code");
}

static void
nothing(void *ctx, struct grpc_call *c)
{
	(void)ctx;
	(void)c;
}

/* "N": N messages of 64 KiB, as fast as the peer reads. */
static void
flood_more(void *ctx, struct grpc_call *c)
{
	static const char block[FLOOD_BYTES];
	struct call *k = grpc_user(c);

	(void)ctx;
	for (; k->left != 0; k->left--)
		if (grpc_send(c, str_from(block, sizeof(block))) != RC_OK)
			return;
	if (!k->done)
		call_finish(c, GRPC_OK, "");
}

static void
flood_message(void *ctx, struct grpc_call *c, struct str msg)
{
	struct call *k = grpc_user(c);
	uint64_t n = 0;

	if (!str_u64(msg, 100000, &n)) {
		call_finish(c, GRPC_INVALID_ARGUMENT, "not a number");
		return;
	}
	k->left = (unsigned)n;
	flood_more(ctx, c);
}

/* Answers with what it knows of the call. */
static void
about_message(void *ctx, struct grpc_call *c, struct str msg)
{
	struct server *s = ctx;
	char text[512];
	struct str v = grpc_metadata(c, "x-word");

	(void)msg;
	if (!str_fmt(text, sizeof(text),
	        "peer=%s tls=%d word=%.*s cancelled=%u", grpc_peer(c),
	        grpc_is_tls(c), v.p == NULL ? 0 : (int)v.n,
	        v.p == NULL ? "" : v.p, s->cancelled))
		text[0] = '\0';
	call_send(c, str_of(text));
}

/* clang-format off */
static const struct grpc_method methods[] = {
	{ "/echo.Echo/Unary", false, call_open, unary_message, finish_ok,
	    NULL, call_close },
	{ "/echo.Echo/Bidi", true, call_open, unary_message, finish_ok,
	    NULL, call_close },
	{ "/echo.Echo/Fail", false, call_open, fail_message, nothing,
	    NULL, call_close },
	{ "/echo.Echo/Never", true, call_open, unary_message, nothing,
	    NULL, call_close },
	{ "/echo.Echo/Flood", false, call_open, flood_message, nothing,
	    flood_more, call_close },
	{ "/echo.Echo/About", false, call_open, about_message, finish_ok,
	    NULL, call_close },
};
/* clang-format on */

/* HTTP */

struct page {
	struct exch *x;
	struct loop_timer *timer;
	unsigned left;
};

static size_t
on_head(void *ctx, struct exch *x)
{
	struct page *p = MEM_NEW(struct page);

	(void)ctx;
	p->x = x;
	exch_set_user(x, p);
	if (str_eqz(exch_path(x), "/early"))
		exch_reply(x, 401, NULL, 0, STR("no\n"));
	return str_eqz(exch_method(x), "POST") ? BODY_MAX : 0;
}

static void
reply_text(struct exch *x, int status, struct str body)
{
	const struct http_field type = { STR("content-type"),
		STR("text/plain") };

	exch_reply(x, status, &type, 1, body);
}

static void
about(struct exch *x)
{
	struct arena *a = exch_arena(x);
	const struct http_field *f;
	struct str cookie = exch_field(x, "cookie");
	const char *text;
	size_t i;

	text = arena_printf(a,
	    "method=%.*s path=%.*s query=%.*s host=%.*s "
	    "tls=%d h2=%d peer=%s cookie=%.*s\n",
	    STR_ARG(exch_method(x)), STR_ARG(exch_path(x)),
	    STR_ARG(exch_query(x)), STR_ARG(exch_authority(x)), exch_is_tls(x),
	    exch_is_h2(x), exch_peer(x), cookie.p == NULL ? 0 : (int)cookie.n,
	    cookie.p == NULL ? "" : cookie.p);
	for (i = 0; i < exch_field_count(x); i++) {
		f = exch_field_at(x, i);
		text = arena_printf(a, "%s%.*s: %.*s\n", text, STR_ARG(f->name),
		    STR_ARG(f->value));
	}
	reply_text(x, 200, str_of(text));
}

static uint64_t
number(struct exch *x)
{
	uint64_t n = 0;

	if (!str_u64(exch_query(x), 1U << 30, &n))
		n = 0;
	return n;
}

static void
stream_more(struct page *p)
{
	static const char block[FLOOD_BYTES];

	for (; p->left != 0; p->left--)
		if (exch_stream_write(p->x, str_from(block, sizeof(block))) !=
		    RC_OK)
			return;
	exch_stream_end(p->x);
}

static void
on_sse_tick(void *ctx)
{
	struct page *p = ctx;
	char text[64];

	if (!str_fmt(text, sizeof(text), "id: %u\ndata: tick\n\n", p->left--))
		return;
	if (exch_stream_write(p->x, str_of(text)) != RC_OK)
		exch_abort(p->x);
	if (p->left == 0) {
		loop_timer_stop(p->timer);
		exch_stream_end(p->x);
	}
}

static void
start_sse(struct server *s, struct exch *x)
{
	const struct http_field type = { STR("content-type"),
		STR("text/event-stream") };
	struct page *p = exch_user(x);

	p->left = (unsigned)number(x);
	exch_stream_begin(x, 200, &type, 1);
	p->timer = loop_timer_new(s->loop, on_sse_tick, p);
	loop_timer_start(p->timer, 50, 50);
}

static void
on_late(void *ctx)
{
	struct page *p = ctx;

	reply_text(p->x, 200, STR("late\n"));
}

static void
reply_big(struct exch *x)
{
	size_t n = (size_t)number(x);
	char *p = mem_alloc(n + 1);

	memset(p, 'x', n);
	exch_reply_lent(x, 200, NULL, 0, str_from(p, n), mem_free, p);
}

static void
on_request(void *ctx, struct exch *x, struct str body)
{
	struct server *s = ctx;
	struct str path = exch_path(x);
	struct page *p = exch_user(x);

	if (str_eqz(path, "/about")) {
		about(x);
	} else if (str_eqz(path, "/echo")) {
		reply_text(x, 200, body);
	} else if (str_eqz(path, "/big")) {
		reply_big(x);
	} else if (str_eqz(path, "/stream")) {
		p->left = (unsigned)number(x);
		exch_stream_begin(x, 200, NULL, 0);
	} else if (str_eqz(path, "/sse")) {
		start_sse(s, x);
	} else if (str_eqz(path, "/late")) {
		p->timer = loop_timer_new(s->loop, on_late, p);
		loop_timer_start(p->timer, 300, 0);
	} else if (str_eqz(path, "/empty")) {
		exch_reply(x, 204, NULL, 0, STR(""));
	} else if (!str_eqz(path, "/never")) {
		reply_text(x, 404, STR("not found\n"));
	}
}

static void
on_writable(void *ctx, struct exch *x)
{
	(void)ctx;
	if (str_eqz(exch_path(x), "/stream"))
		stream_more(exch_user(x));
}

static void
on_close(void *ctx, struct exch *x)
{
	struct page *p = exch_user(x);

	(void)ctx;
	if (p == NULL)
		return;
	loop_timer_free(p->timer);
	mem_free(p);
}

static const struct exch_handler http = {
	.on_head = on_head,
	.on_request = on_request,
	.on_writable = on_writable,
	.on_close = on_close,
};

/* Program */

static void
on_closed(void *ctx)
{
	struct server *s = ctx;

	if (--s->closing == 0)
		loop_stop(s->loop);
}

static void
on_term(void *ctx, int signum)
{
	struct server *s = ctx;

	(void)signum;
	if (s->closing != 0)
		return;
	s->closing = 2;
	listen_close(s->tls, GRACE_MS, on_closed, s);
	listen_close(s->plain, GRACE_MS, on_closed, s);
}

static void
on_hup(void *ctx, int signum)
{
	struct server *s = ctx;
	struct tls_ctx *tls;
	struct err e;

	(void)signum;
	if (tls_server_new(&s->files, &tls, &e) != RC_OK) {
		log_error(LOG_NET, "reload failed why=%s", e.msg);
		return;
	}
	listen_set_tls(s->tls, tls);
	tls_ctx_unref(tls);
	printf("reloaded\n");
	fflush(stdout);
}

static void
on_stats(void *ctx, int signum)
{
	struct server *s = ctx;
	struct listen_stats a, b;

	(void)signum;
	listen_stats(s->tls, &a);
	listen_stats(s->plain, &b);
	printf("{\"accepted\":%llu,\"refused_limit\":%llu,"
	       "\"refused_address\":%llu,\"tls_failed\":%llu,\"h1_bad\":%llu,"
	       "\"h2_bad\":%llu,\"open\":%u,\"handshaking\":%u}\n",
	    (unsigned long long)(a.accepted + b.accepted),
	    (unsigned long long)(a.refused_limit + b.refused_limit),
	    (unsigned long long)(a.refused_address + b.refused_address),
	    (unsigned long long)(a.tls_failed + b.tls_failed),
	    (unsigned long long)(a.h1_bad + b.h1_bad),
	    (unsigned long long)(a.h2_bad + b.h2_bad), a.open + b.open,
	    a.handshaking + b.handshaking);
	fflush(stdout);
}

static bool
set_limit(struct listen_limits *l, const char *arg)
{
	struct {
		const char *name;
		unsigned *value;
	} rows[] = {
		{ "connections", &l->connections },
		{ "per_address", &l->per_address },
		{ "handshakes", &l->handshakes },
		{ "handshake_ms", &l->handshake_ms },
		{ "streams", &l->streams },
		{ "header_ms", &l->header_ms },
		{ "idle_ms", &l->idle_ms },
		{ "ping_ms", &l->ping_ms },
		{ "stall_ms", &l->stall_ms },
	};
	struct str name, value;
	uint64_t n;
	size_t i;

	if (!str_cut(str_of(arg), '=', &name, &value) ||
	    !str_u64(value, UINT32_MAX, &n))
		return false;
	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eqz(name, rows[i].name)) {
			*rows[i].value = (unsigned)n;
			return true;
		}
	return false;
}

static enum rc
open_one(struct server *s, struct tls_ctx *tls, struct listener **out,
    struct err *e)
{
	return listen_open(
	    &(struct listen_opts){
	        .loop = s->loop,
	        .address = "127.0.0.1:0",
	        .tls = tls,
	        .limits = s->limits,
	        .http = &http,
	        .http_ctx = s,
	        .grpc = s->grpc,
	        .offences = s->offences,
	    },
	    out, e);
}

static enum rc
run(struct server *s, struct err *e)
{
	struct tls_ctx *tls;
	enum rc rc;

	if ((rc = crypt_init(e)) != RC_OK || (rc = tls_init(e)) != RC_OK ||
	    (rc = loop_new(&s->loop, e)) != RC_OK ||
	    (rc = tls_server_new(&s->files, &tls, e)) != RC_OK)
		return rc;
	s->offences = offences_new(s->loop);
	s->grpc = grpc_server_new(s->loop, methods, ARRAY_LEN(methods), s);
	if ((rc = open_one(s, tls, &s->tls, e)) != RC_OK ||
	    (rc = open_one(s, NULL, &s->plain, e)) != RC_OK ||
	    (rc = loop_signal(s->loop, SIGTERM, on_term, s, e)) != RC_OK ||
	    (rc = loop_signal(s->loop, SIGHUP, on_hup, s, e)) != RC_OK ||
	    (rc = loop_signal(s->loop, SIGUSR1, on_stats, s, e)) != RC_OK)
		return rc;
	tls_ctx_unref(tls);
	printf("{\"tls\":%u,\"plain\":%u}\n", listen_port(s->tls),
	    listen_port(s->plain));
	fflush(stdout);
	loop_run(s->loop);
	grpc_server_free(s->grpc);
	offences_free(s->offences);
	loop_free(s->loop);
	return RC_OK;
}

int
main(int argc, char **argv)
{
	struct server s = { 0 };
	struct err e = { .rc = RC_OK };
	int i;

	log_open(2, LOG_INFO);
	for (i = 3; i < argc; i++)
		if (strncmp(argv[i], "tickets=", 8) == 0)
			s.files.ticket_key_file = argv[i] + 8;
		else if (!set_limit(&s.limits, argv[i]))
			argc = 0;
	if (argc < 3) {
		fprintf(stderr, "net_echo_server CERT KEY [limit=value]\n");
		return 2;
	}
	s.files.cert_file = argv[1];
	s.files.key_file = argv[2];
	if (run(&s, &e) != RC_OK) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	printf("ended\n");
	return 0;
}
