/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_EDGE_FIXTURE_H
#define TESTS_UNIT_CONTROLLER_EDGE_FIXTURE_H
/*
 * A controller without agents and renderer that answers on a real socket;
 * the client lives in the same loop.
 *
 *   edge_ask(e, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
 *   assert_int_equal(e->status, 204);
 */
#include "tests/unit/store/store_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "controller/controller.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/shown.h"
#include "controller/tokens.h"
#include "controller/users.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/net/listen.h"
#include "lib/net/loop.h"

enum {
	EDGE_TICK_MS = 1,
	EDGE_TICKS_MAX = 20000
};

struct edge {
	struct fixture f;
	struct controller c;
	char spool[300], run[300], sock[320];
	struct listener *listener;
	struct loop_timer *tick;
	unsigned ticks;
	int fd;
	struct buf answer;
	unsigned status;
	char cookie[128]; /* a header line of ann's, or nothing */
	/* stop waiting when it says so, instead of at the answer */
	bool (*until)(struct edge *e);
};

static inline void
edge_connect(struct edge *e, const char *request)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(listen_port(e->listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	e->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(e->fd >= 0);
	assert_int_equal(connect(e->fd,
	                     (const struct sockaddr *)(const void *)&to,
	                     sizeof(to)),
	    0);
	assert_int_equal(send(e->fd, request, strlen(request), 0),
	    (ssize_t)strlen(request));
	assert_int_equal(fcntl(e->fd, F_SETFL, O_NONBLOCK), 0);
}

static inline void
edge_disconnect(struct edge *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

/* Whether head and body, by its Content-Length, are there. */
static inline bool
edge_complete(struct edge *e)
{
	const char *head = strstr(buf_text(&e->answer), "\r\n\r\n");
	const char *length = strstr(buf_text(&e->answer), "content-length: ");
	size_t size = 0;

	if (head == NULL)
		return false;
	if (length != NULL && length < head)
		size = strtoul(length + 16, NULL, 10);
	return e->answer.len >= (size_t)(head + 4 - e->answer.data) + size;
}

static inline void
edge_on_tick(void *ctx)
{
	struct edge *e = ctx;
	char piece[4096];
	ssize_t n;

	if (e->fd >= 0) {
		n = recv(e->fd, piece, sizeof(piece), 0);
		if (n > 0)
			buf_put(&e->answer, piece, (size_t)n);
	}
	if (++e->ticks >= EDGE_TICKS_MAX ||
	    (e->until != NULL ? e->until(e) : edge_complete(e)))
		loop_stop(e->c.loop);
}

/* Runs the loop until the answer is there, or until() says so. */
static inline void
edge_run(struct edge *e)
{
	e->ticks = 0;
	loop_timer_start(e->tick, EDGE_TICK_MS, EDGE_TICK_MS);
	loop_run(e->c.loop);
	loop_timer_stop(e->tick);
	if (e->ticks >= EDGE_TICKS_MAX)
		fail_msg("waited in vain");
}

static inline void
edge_ask(struct edge *e, const char *request)
{
	buf_reset(&e->answer);
	edge_connect(e, request);
	edge_run(e);
	edge_disconnect(e);
	assert_true(str_starts(buf_str(&e->answer), STR("HTTP/1.1 ")));
	e->status = (unsigned)strtoul(e->answer.data + 9, NULL, 10);
}

/* A JSON request; fields: more header lines, each with its line end. */
static inline void
edge_post(struct edge *e, const char *path, const char *fields,
    const char *body)
{
	char request[2048];

	assert_true(str_fmt(request, sizeof(request),
	    "POST %s HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
	    path, strlen(body), fields, body));
	edge_ask(e, request);
}

static inline bool
edge_said(const struct edge *e, const char *text)
{
	return strstr(buf_text(&e->answer), text) != NULL;
}

/* "Cookie: rm_session=...\r\n" out of the answer. */
static inline void
edge_cookie(const struct edge *e, char *dst, size_t cap)
{
	const char *at = strstr(buf_text(&e->answer), "rm_session=");

	assert_non_null(at);
	assert_true(
	    str_fmt(dst, cap, "Cookie: %.*s\r\n", (int)strcspn(at, ";"), at));
}

#define EDGE_ANN "{\"username\":\"ann\",\"password\":\"a long password\"}"

/* The first user, an administrator, who is signed in. */
static inline void
edge_make_ann(struct edge *e)
{
	edge_post(e, "/api/bootstrap", "", EDGE_ANN);
	assert_int_equal(e->status, 200);
	edge_cookie(e, e->cookie, sizeof(e->cookie));
}

/* fields: more header lines, each with its line end; gives the status. */
static inline unsigned
edge_get(struct edge *e, const char *path, const char *fields)
{
	char request[512];

	assert_true(str_fmt(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, fields));
	edge_ask(e, request);
	return e->status;
}

static inline int
edge_setup(void **state)
{
	struct edge *e = MEM_NEW(struct edge);
	const struct listen_opts o = { .address = "127.0.0.1:0",
		.http = &req_handler,
		.http_ctx = &e->c };
	struct listen_opts own = o;
	struct err err;

	log_open(STDERR_FILENO, LOG_ERROR);
	fixture_init(&e->f);
	assert_true(str_fmt(e->spool, sizeof(e->spool), "%s/spool", e->f.dir));
	assert_true(str_fmt(e->run, sizeof(e->run), "%s", e->f.dir));
	assert_true(str_fmt(e->sock, sizeof(e->sock), "%s/none", e->f.dir));
	e->c.state = e->f.state;
	e->c.vault = e->f.vault;
	e->c.live = e->f.live;
	e->c.settings.spool_dir = e->spool;
	e->c.settings.runtime_dir = e->run;
	e->c.settings.render_sock = e->sock;
	e->fd = -1;
	buf_init(&e->answer, MIB(1));
	assert_rc(loop_new(&e->c.loop, &err), RC_OK);
	assert_rc(op_queue_new(e->c.loop, e->c.state, e->c.vault, &e->c.ops,
	              &err),
	    RC_OK);
	assert_rc(page_client_new(&e->c, &e->c.pages, &err), RC_OK);
	e->c.users = users_new(&e->c);
	e->c.tokens = tokens_new(&e->c);
	e->c.shown = shown_new();
	own.loop = e->c.loop;
	assert_rc(listen_open(&own, &e->listener, &err), RC_OK);
	e->tick = loop_timer_new(e->c.loop, edge_on_tick, e);
	*state = e;
	return 0;
}

static inline void
edge_on_closed(void *ctx)
{
	struct edge *e = ctx;

	loop_stop(e->c.loop);
}

static inline int
edge_teardown(void **state)
{
	struct edge *e = *state;

	edge_disconnect(e);
	listen_close(e->listener, 0, edge_on_closed, e);
	loop_run(e->c.loop);
	op_queue_free(e->c.ops);
	page_client_free(e->c.pages);
	users_free(e->c.users);
	tokens_free(e->c.tokens);
	shown_free(e->c.shown);
	loop_timer_free(e->tick);
	loop_free(e->c.loop);
	buf_fini(&e->answer);
	fixture_fini(&e->f);
	mem_free(e);
	return 0;
}

#define edge_test(f) \
	cmocka_unit_test_setup_teardown(f, edge_setup, edge_teardown)
#endif
