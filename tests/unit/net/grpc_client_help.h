/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_NET_GRPC_CLIENT_HELP_H
#define TESTS_UNIT_NET_GRPC_CLIENT_HELP_H
/* Client and server of lib/net against each other, over TLS. */
#include "lib/net/grpc_client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/listen.h"
#include "lib/net/loop.h"
#include "lib/net/tls.h"

enum {
	BLOCK = 65536,
	LIMIT_MS = 20000
};

#define LONG_LABEL \
	"a-label-of-more-than-sixty-three-bytes-cannot-be-a-part-of-any-name"

struct side {
	struct loop *loop;
	struct loop_timer *limit;
	struct listener *listener;
	struct grpc_server *server;
	struct tls_ctx *server_tls, *client_tls;
	char dir[64], cert[96], key[96];
	uint8_t pin[TLS_PIN_SIZE];
	char url[64];

	/* The server's view */
	unsigned opened, closed, messages, half_closes;
	size_t bytes;
	char bearer[64];
	struct grpc_call *held;
	unsigned to_send;

	/* The client's */
	struct grpc_conn *conn;
	struct grpc_ccall *call;
	unsigned ready, down, ends, got, writable;
	size_t got_bytes;
	enum grpc_status status;
	char text[300], code[64];
	struct err why;
	bool free_in_end, cancel_in_message, listener_done;
	unsigned refill;
};

/* Server */

static inline void
srv_open(void *ctx, struct grpc_call *c)
{
	struct side *s = ctx;
	struct str b = grpc_metadata(c, "authorization");

	s->opened++;
	s->held = c;
	assert_true(
	    str_copy(s->bearer, sizeof(s->bearer), b.p == NULL ? STR("") : b));
}

static inline void
srv_message(void *ctx, struct grpc_call *c, struct str msg)
{
	struct side *s = ctx;

	s->messages++;
	s->bytes += msg.n;
	assert_int_equal(grpc_send(c, msg), RC_OK);
}

static inline void
srv_count(void *ctx, struct grpc_call *c, struct str msg)
{
	struct side *s = ctx;

	(void)c;
	s->messages++;
	s->bytes += msg.n;
}

static inline void
srv_half_close(void *ctx, struct grpc_call *c)
{
	struct side *s = ctx;

	s->half_closes++;
	grpc_finish(c, GRPC_OK, "", NULL);
}

static inline void
srv_err(void *ctx, struct grpc_call *c, struct str msg)
{
	struct err e;

	(void)ctx;
	(void)msg;
	err_code(&e, RC_VERSION, "protocol_too_old", "pr\xc3\xb6t 100%%\n%s",
	    "line");
	grpc_finish_err(c, &e);
}

static inline void
srv_flood(void *ctx, struct grpc_call *c)
{
	static const char block[BLOCK];
	struct side *s = ctx;

	for (; s->to_send != 0; s->to_send--)
		if (grpc_send(c, str_from(block, BLOCK)) != RC_OK)
			return;
	grpc_finish(c, GRPC_OK, "", NULL);
}

static inline void
srv_flood_start(void *ctx, struct grpc_call *c, struct str msg)
{
	struct side *s = ctx;

	(void)msg;
	s->to_send = 200;
	srv_flood(ctx, c);
}

static inline void
srv_nothing(void *ctx, struct grpc_call *c)
{
	(void)ctx;
	(void)c;
}

static inline void
srv_close(void *ctx, struct grpc_call *c)
{
	struct side *s = ctx;

	(void)c;
	s->closed++;
	s->held = NULL;
}

static inline void
srv_refuse(void *ctx, struct grpc_call *c)
{
	struct side *s = ctx;

	s->opened++;
	grpc_finish(c, GRPC_UNAUTHENTICATED, "who are you?", NULL);
	assert_int_equal(grpc_send(c, STR("unheard")), RC_OK);
	grpc_finish(c, GRPC_OK, "", NULL);
}

/* clang-format off */
static const struct grpc_method methods[] = {
	{ "/t/Echo", true, srv_open, srv_message, srv_half_close, NULL,
	    srv_close },
	{ "/t/Err", false, srv_open, srv_err, srv_nothing, NULL, srv_close },
	{ "/t/Count", true, srv_open, srv_count, srv_half_close, NULL,
	    srv_close },
	{ "/t/Refuse", true, srv_refuse, srv_count, srv_half_close, NULL,
	    srv_close },
	{ "/t/Hold", true, srv_open, srv_count, srv_nothing, NULL, srv_close },
	{ "/t/Flood", false, srv_open, srv_flood_start, srv_nothing,
	    srv_flood, srv_close },
};
/* clang-format on */

/* Client */

static inline void
on_ready(void *ctx, struct grpc_conn *c)
{
	struct side *s = ctx;

	(void)c;
	s->ready++;
	loop_stop(s->loop);
}

static inline void
on_down(void *ctx, struct grpc_conn *c, const struct err *e)
{
	struct side *s = ctx;

	(void)c;
	s->down++;
	s->why = *e;
	loop_stop(s->loop);
}

static inline void
on_message(void *ctx, struct grpc_ccall *c, struct str msg)
{
	struct side *s = ctx;

	s->got++;
	s->got_bytes += msg.n;
	if (s->cancel_in_message) {
		grpc_call_cancel(c);
		loop_stop(s->loop);
	}
}

static inline void
fill(struct side *s)
{
	static const char block[BLOCK];

	for (; s->refill != 0; s->refill--)
		if (grpc_call_send(s->call, str_from(block, BLOCK)) != RC_OK)
			return;
	grpc_call_half_close(s->call);
}

static inline void
on_writable(void *ctx, struct grpc_ccall *c)
{
	struct side *s = ctx;

	(void)c;
	s->writable++;
	fill(s);
}

static inline void
on_end(void *ctx, struct grpc_ccall *c, enum grpc_status st, struct str msg,
    struct str code)
{
	struct side *s = ctx;

	(void)c;
	s->ends++;
	s->status = st;
	assert_true(str_copy(s->text, sizeof(s->text), msg));
	assert_true(str_copy(s->code, sizeof(s->code), code));
	if (s->free_in_end) {
		grpc_conn_free(s->conn);
		s->conn = NULL;
	}
	loop_stop(s->loop);
}

static inline struct grpc_ccall *
open_call(struct side *s, const char *path, unsigned timeout_ms)
{
	return grpc_call_open(s->conn, &(struct grpc_ccall_opts){
	                                   .path = path,
	                                   .bearer = "tok",
	                                   .timeout_ms = timeout_ms,
	                                   .on_message = on_message,
	                                   .on_writable = on_writable,
	                                   .on_end = on_end,
	                                   .ctx = s,
	                               });
}

static inline void
dial(struct side *s, const char *url, struct tls_ctx *tls, unsigned ms)
{
	s->conn = grpc_dial(&(struct grpc_dial_opts){
	    .loop = s->loop,
	    .url = url,
	    .tls = tls,
	    .timeout_ms = ms,
	    .ping_ms = 200,
	    .on_ready = on_ready,
	    .on_down = on_down,
	    .ctx = s,
	});
	loop_run(s->loop);
}

static inline void
on_limit(void *ctx)
{
	(void)ctx;
	fail_msg("the test hangs");
}

static inline int
setup(void **state)
{
	static const char *const names[] = { "localhost", "127.0.0.1", NULL };
	struct side *s = MEM_NEW(struct side);
	struct err e;

	*state = s;
	log_open(2, LOG_WARN);
	assert_int_equal(crypt_init(&e), RC_OK);
	assert_int_equal(tls_init(&e), RC_OK);
	assert_int_equal(loop_new(&s->loop, &e), RC_OK);
	memcpy(s->dir, "/tmp/net-XXXXXX", 16);
	assert_non_null(mkdtemp(s->dir));
	assert_true(str_fmt(s->cert, sizeof(s->cert), "%s/c.pem", s->dir));
	assert_true(str_fmt(s->key, sizeof(s->key), "%s/k.pem", s->dir));
	assert_int_equal(tls_self_signed(s->cert, s->key, "test", names, &e),
	    RC_OK);
	assert_int_equal(tls_file_pin(s->cert, s->pin, &e), RC_OK);
	assert_int_equal(tls_server_new(&(struct tls_server_opts){ .cert_file =
	                                                               s->cert,
	                                    .key_file = s->key },
	                     &s->server_tls, &e),
	    RC_OK);
	assert_int_equal(tls_client_new(&(struct tls_client_opts){ .pin =
	                                                               s->pin },
	                     &s->client_tls, &e),
	    RC_OK);
	s->server = grpc_server_new(s->loop, methods, ARRAY_LEN(methods), s);
	assert_int_equal(listen_open(&(struct listen_opts){ .loop = s->loop,
	                                 .address = "127.0.0.1:0",
	                                 .tls = s->server_tls,
	                                 .grpc = s->server },
	                     &s->listener, &e),
	    RC_OK);
	assert_true(str_fmt(s->url, sizeof(s->url), "https://127.0.0.1:%u",
	    listen_port(s->listener)));
	s->limit = loop_timer_new(s->loop, on_limit, s);
	loop_timer_start(s->limit, LIMIT_MS, 0);
	return 0;
}

static inline void
on_listener_done(void *ctx)
{
	struct side *s = ctx;

	s->listener_done = true;
	loop_stop(s->loop);
}

static inline int
teardown(void **state)
{
	struct side *s = *state;

	grpc_conn_free(s->conn);
	if (s->listener != NULL)
		listen_close(s->listener, 0, on_listener_done, s);
	while (!s->listener_done)
		loop_run(s->loop);
	loop_timer_free(s->limit);
	assert_int_equal(s->opened, s->closed);
	grpc_server_free(s->server);
	tls_ctx_unref(s->server_tls);
	tls_ctx_unref(s->client_tls);
	loop_free(s->loop);
	unlink(s->cert);
	unlink(s->key);
	rmdir(s->dir);
	mem_free(s);
	return 0;
}
#endif
