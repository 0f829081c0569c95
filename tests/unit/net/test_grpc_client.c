/* SPDX-License-Identifier: GPL-3.0-or-later */
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

static void
srv_open(void *ctx, struct grpc_call *c)
{
	struct side *s = ctx;
	struct str b = grpc_metadata(c, "authorization");

	s->opened++;
	s->held = c;
	assert_true(
	    str_copy(s->bearer, sizeof(s->bearer), b.p == NULL ? STR("") : b));
}

static void
srv_message(void *ctx, struct grpc_call *c, struct str msg)
{
	struct side *s = ctx;

	s->messages++;
	s->bytes += msg.n;
	assert_int_equal(grpc_send(c, msg), RC_OK);
}

static void
srv_count(void *ctx, struct grpc_call *c, struct str msg)
{
	struct side *s = ctx;

	(void)c;
	s->messages++;
	s->bytes += msg.n;
}

static void
srv_half_close(void *ctx, struct grpc_call *c)
{
	struct side *s = ctx;

	s->half_closes++;
	grpc_finish(c, GRPC_OK, "", NULL);
}

static void
srv_err(void *ctx, struct grpc_call *c, struct str msg)
{
	struct err e;

	(void)ctx;
	(void)msg;
	err_code(&e, RC_VERSION, "protocol_too_old", "pr\xc3\xb6t 100%%\n%s",
	    "line");
	grpc_finish_err(c, &e);
}

static void
srv_flood(void *ctx, struct grpc_call *c)
{
	static const char block[BLOCK];
	struct side *s = ctx;

	for (; s->to_send != 0; s->to_send--)
		if (grpc_send(c, str_from(block, BLOCK)) != RC_OK)
			return;
	grpc_finish(c, GRPC_OK, "", NULL);
}

static void
srv_flood_start(void *ctx, struct grpc_call *c, struct str msg)
{
	struct side *s = ctx;

	(void)msg;
	s->to_send = 200;
	srv_flood(ctx, c);
}

static void
srv_nothing(void *ctx, struct grpc_call *c)
{
	(void)ctx;
	(void)c;
}

static void
srv_close(void *ctx, struct grpc_call *c)
{
	struct side *s = ctx;

	(void)c;
	s->closed++;
	s->held = NULL;
}

static void
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

static void
on_ready(void *ctx, struct grpc_conn *c)
{
	struct side *s = ctx;

	(void)c;
	s->ready++;
	loop_stop(s->loop);
}

static void
on_down(void *ctx, struct grpc_conn *c, const struct err *e)
{
	struct side *s = ctx;

	(void)c;
	s->down++;
	s->why = *e;
	loop_stop(s->loop);
}

static void
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

static void
fill(struct side *s)
{
	static const char block[BLOCK];

	for (; s->refill != 0; s->refill--)
		if (grpc_call_send(s->call, str_from(block, BLOCK)) != RC_OK)
			return;
	grpc_call_half_close(s->call);
}

static void
on_writable(void *ctx, struct grpc_ccall *c)
{
	struct side *s = ctx;

	(void)c;
	s->writable++;
	fill(s);
}

static void
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

static struct grpc_ccall *
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

static void
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

static void
on_limit(void *ctx)
{
	(void)ctx;
	fail_msg("the test hangs");
}

static int
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

static void
on_listener_done(void *ctx)
{
	struct side *s = ctx;

	s->listener_done = true;
	loop_stop(s->loop);
}

static int
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

static void
echoes_over_tls(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	assert_int_equal(s->ready, 1);
	s->call = open_call(s, "/t/Echo", 5000);
	assert_int_equal(grpc_call_send(s->call, STR("one")), RC_OK);
	assert_int_equal(grpc_call_send(s->call, STR("")), RC_OK);
	grpc_call_half_close(s->call);
	loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->status, GRPC_OK);
	assert_int_equal(s->got, 2);
	assert_int_equal(s->got_bytes, 3);
	assert_string_equal(s->bearer, "Bearer tok");
}

static void
tells_status_message_and_code(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Err", 0);
	assert_int_equal(grpc_call_send(s->call, STR("x")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_FAILED_PRECONDITION);
	assert_string_equal(s->text, "pr\xc3\xb6t 100%\nline");
	assert_string_equal(s->code, "protocol_too_old");
	s->call = open_call(s, "/t/Nope", 0);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_UNIMPLEMENTED);
	assert_int_equal(s->down, 0);
}

static void
bounds_what_is_unsent(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Count", 0);
	s->refill = 200;
	fill(s);
	assert_true(s->refill > 100); /* about 1 MiB of 64 KiB pieces went */
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_OK);
	assert_int_equal(s->messages, 200);
	assert_int_equal(s->bytes, 200 * BLOCK);
	assert_true(s->writable > 3);
}

static void
takes_a_flood_from_the_server(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Flood", 0);
	assert_int_equal(grpc_call_send(s->call, STR("")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_OK);
	assert_int_equal(s->got_bytes, 200 * BLOCK);
}

static void
refuses_large_messages(void **state)
{
	struct side *s = *state;
	char *big = mem_alloc(GRPC_MESSAGE_MAX + 1);

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Echo", 0);
	assert_int_equal(grpc_call_send(s->call,
	                     str_from(big, GRPC_MESSAGE_MAX + 1)),
	    RC_LIMIT);
	assert_int_equal(grpc_call_send(s->call,
	                     str_from(big, GRPC_MESSAGE_MAX)),
	    RC_OK);
	grpc_call_half_close(s->call);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_OK);
	assert_int_equal(s->got_bytes, GRPC_MESSAGE_MAX);
	mem_free(big);
}

static void
ends_a_call_at_its_deadline(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Hold", 100);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->down, 0);
	/* The connection serves on. */
	s->call = open_call(s, "/t/Echo", 0);
	grpc_call_half_close(s->call);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_OK);
}

static void
may_be_freed_inside_a_callback(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->free_in_end = true;
	(void)open_call(s, "/t/Hold", 0);
	s->call = open_call(s, "/t/Echo", 0);
	grpc_call_half_close(s->call);
	loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->down, 0);
}

static void
cancels_without_callbacks(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->cancel_in_message = true;
	s->call = open_call(s, "/t/Flood", 0);
	assert_int_equal(grpc_call_send(s->call, STR("")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->got, 1);
	s->call = open_call(s, "/t/Err", 0);
	assert_int_equal(grpc_call_send(s->call, STR("")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->got, 1);
}

static void
ends_open_calls_when_the_server_closes(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Hold", 0);
	assert_int_equal(grpc_call_send(s->call, STR("x")), RC_OK);
	listen_close(s->listener, 100, on_listener_done, s);
	s->listener = NULL;
	while (s->down == 0)
		loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->status, GRPC_UNAVAILABLE);
	assert_string_equal(s->text, "the server is shutting down");
	/* Too late, but never silent. */
	s->call = open_call(s, "/t/Echo", 0);
	while (s->ends == 1)
		loop_run(s->loop);
	assert_int_equal(s->status, GRPC_UNAVAILABLE);
}

static void
names_the_hop_that_failed(void **state)
{
	struct side *s = *state;
	struct tls_ctx *wrong;
	uint8_t pin[TLS_PIN_SIZE] = { 1 };
	struct err e;
	char url[64];

	assert_int_equal(tls_client_new(&(struct tls_client_opts){ .pin = pin },
	                     &wrong, &e),
	    RC_OK);
	dial(s, s->url, wrong, 0);
	assert_int_equal(s->why.rc, RC_AUTH);
	assert_non_null(strstr(s->why.msg, "TLS with 127.0.0.1"));
	assert_non_null(strstr(s->why.msg, "pinned"));
	grpc_conn_free(s->conn);
	tls_ctx_unref(wrong);

	dial(s, "https://127.0.0.1:1", s->client_tls, 0);
	assert_non_null(strstr(s->why.msg, "connecting to 127.0.0.1 port 1"));
	grpc_conn_free(s->conn);
	/* A label over 63 bytes is refused before any server is asked. */
	dial(s, "https://" LONG_LABEL ":1", s->client_tls, 0);
	assert_non_null(strstr(s->why.msg, "looking up " LONG_LABEL));
	grpc_conn_free(s->conn);
	dial(s, "ftp://x", s->client_tls, 0);
	assert_int_equal(s->why.rc, RC_INVALID);
	grpc_conn_free(s->conn);
	/* Plain HTTP/2 to the TLS port. */
	assert_true(str_fmt(url, sizeof(url), "http://127.0.0.1:%u",
	    listen_port(s->listener)));
	dial(s, url, NULL, 1000);
	assert_int_equal(s->ready, 0);
	assert_int_equal(s->down, 5);
}

/* A bare chroot has no /etc/hosts. */
static bool
knows_localhost(void)
{
	struct addrinfo *list;

	if (getaddrinfo("localhost", NULL, NULL, &list) != 0)
		return false;
	freeaddrinfo(list);
	return true;
}

/* Where localhost has two addresses, nobody listens at the first. */
static void
connects_by_name(void **state)
{
	struct side *s = *state;
	char url[64];

	if (!knows_localhost()) {
		print_message("localhost has no address here, skipped\n");
		skip();
	}
	assert_true(str_fmt(url, sizeof(url), "https://localhost:%u",
	    listen_port(s->listener)));
	dial(s, url, s->client_tls, 0);
	assert_int_equal(s->ready, 1);
	assert_int_equal(s->down, 0);
}

struct several {
	struct side *side;
	unsigned ready;
};

static void
on_one_of_several(void *ctx, struct grpc_conn *c)
{
	struct several *v = ctx;

	(void)c;
	if (++v->ready == 4)
		loop_stop(v->side->loop);
}

static void
on_several_down(void *ctx, struct grpc_conn *c, const struct err *e)
{
	(void)ctx;
	(void)c;
	fail_msg("%s", e->msg);
}

/* Their prefaces are made before any of them is sent. */
static void
dials_several_at_once(void **state)
{
	struct side *s = *state;
	struct several v = { .side = s };
	struct grpc_conn *conns[4];
	size_t i;

	for (i = 0; i < ARRAY_LEN(conns); i++)
		conns[i] = grpc_dial(&(struct grpc_dial_opts){
		    .loop = s->loop,
		    .url = s->url,
		    .tls = s->client_tls,
		    .on_ready = on_one_of_several,
		    .on_down = on_several_down,
		    .ctx = &v,
		});
	loop_run(s->loop);
	assert_int_equal(v.ready, ARRAY_LEN(conns));
	for (i = 0; i < ARRAY_LEN(conns); i++)
		grpc_conn_free(conns[i]);
}

static void
refuses_a_call_when_it_opens(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Refuse", 0);
	assert_int_equal(grpc_call_send(s->call, STR("x")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_UNAUTHENTICATED);
	assert_string_equal(s->text, "who are you?");
	assert_int_equal(s->got, 0);
	assert_int_equal(s->messages, 0);
}

/* A server that accepts and says nothing. */
static void
times_out_on_a_silent_server(void **state)
{
	struct side *s = *state;
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char url[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	assert_true(str_fmt(url, sizeof(url), "https://127.0.0.1:%u",
	    ntohs(sa.sin_port)));
	dial(s, url, s->client_tls, 1000);
	assert_int_equal(s->why.rc, RC_TIMEOUT);
	assert_non_null(strstr(s->why.msg, "TLS with 127.0.0.1"));
	close(fd);
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(echoes_over_tls),
		T(tells_status_message_and_code),
		T(bounds_what_is_unsent),
		T(takes_a_flood_from_the_server),
		T(refuses_large_messages),
		T(ends_a_call_at_its_deadline),
		T(may_be_freed_inside_a_callback),
		T(cancels_without_callbacks),
		T(ends_open_calls_when_the_server_closes),
		T(names_the_hop_that_failed),
		T(connects_by_name),
		T(dials_several_at_once),
		T(refuses_a_call_when_it_opens),
		T(times_out_on_a_silent_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
