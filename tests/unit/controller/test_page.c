/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/edge_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "controller/enrol.h"
#include "controller/page_own.h"
#include "lib/base/frame.h"
#include "lib/base/log.h"
#include "proto/render.pb-c.h"
#include "render/pages.h"

/*
 * The renderer's side of the socket is played by a thread that behaves as
 * its mode says: what it may do wrong must not hurt the controller.
 */
enum mode {
	GOOD,       /* a page that quotes the request */
	IN_PIECES,  /* the same, a few bytes at a time */
	BIG,        /* of several megabytes */
	MISSING,    /* 404 with a page */
	FAILED,     /* 500 with a reason and no page */
	WRONG_KIND, /* a frame that is no reply */
	GARBAGE,    /* no protobuf */
	TOO_LONG,   /* announces more than it may */
	TWO,        /* two answers to one question */
	GOES,       /* closes without an answer */
	SILENT      /* never answers */
};

enum {
	BIG_SIZE = 5000000,
	READ_SIZE = 65536,
	REQUEST = 1,
	REPLY = 2
};

struct actor {
	pthread_t thread;
	int listener;
	_Atomic enum mode mode;
	atomic_bool stopping;
	atomic_int fd;
	atomic_uint asked;
	pthread_mutex_t lock;
	struct buf last; /* request, under the lock */
};

struct stage {
	struct edge *e;
	struct actor actor;
};

static void
send_all(int fd, struct str s, size_t piece)
{
	while (s.n > 0) {
		size_t n = s.n < piece ? s.n : piece;
		ssize_t sent = send(fd, s.p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		s = str_sub(s, (size_t)sent, s.n);
	}
}

static void
send_reply(int fd, int status, struct str body, const char *error, size_t piece)
{
	struct Ipc__RenderReply m = IPC__RENDER_REPLY__INIT;
	struct buf packed, frame;
	char *room;
	size_t n;

	m.status = status;
	m.body.data = (uint8_t *)(uintptr_t)body.p;
	m.body.len = body.n;
	m.error = text(error);
	n = ipc__render_reply__get_packed_size(&m);
	buf_init(&packed, MIB(16));
	buf_init(&frame, MIB(16));
	room = buf_reserve(&packed, n);
	buf_added(&packed, ipc__render_reply__pack(&m, (uint8_t *)room));
	frame_put(&frame, REPLY, buf_str(&packed));
	send_all(fd, buf_str(&frame), piece);
	buf_fini(&packed);
	buf_fini(&frame);
}

static void
send_page(int fd, const struct Ipc__RenderRequest *r, size_t piece)
{
	struct buf b;

	buf_init(&b, MIB(1));
	buf_printf(&b, "<p>page=%s user=%s csrf=%s", r->page,
	    r->viewer->user_name, r->csrf);
	if (r->marker[0] != '\0')
		buf_printf(&b,
		    " t=%s-token t=%s-token p=%s-password x=%s-other",
		    r->marker, r->marker, r->marker, r->marker);
	buf_puts(&b, "</p>");
	send_reply(fd, 200, buf_str(&b), "", piece);
	buf_fini(&b);
}

static void
send_big(int fd)
{
	struct buf b;
	char *room;

	buf_init(&b, BIG_SIZE);
	room = buf_reserve(&b, BIG_SIZE);
	memset(room, 'x', BIG_SIZE);
	buf_added(&b, BIG_SIZE);
	send_reply(fd, 200, buf_str(&b), "", BIG_SIZE);
	buf_fini(&b);
}

/* Returns false when the connection is over. */
static bool
play(struct actor *a, int fd, const struct Ipc__RenderRequest *r)
{
	static const char wrong[] = "\0\0\0\2\7x";
	static const char garbage[] = "\0\0\0\5\2\377\377\377\377";
	static const char longer[] = "\377\377\377\377\2";

	switch (atomic_load(&a->mode)) {
	case GOOD:
		send_page(fd, r, MIB(1));
		break;
	case IN_PIECES:
		send_page(fd, r, 3);
		break;
	case BIG:
		send_big(fd);
		break;
	case MISSING:
		send_reply(fd, 404, STR("<p>none</p>"), "", MIB(1));
		break;
	case FAILED:
		send_reply(fd, 500, STR(""), "the view \x01 broke", MIB(1));
		break;
	case WRONG_KIND:
		send_all(fd, str_from(wrong, sizeof(wrong) - 1), 99);
		break;
	case GARBAGE:
		send_all(fd, str_from(garbage, sizeof(garbage) - 1), 99);
		break;
	case TOO_LONG:
		send_all(fd, str_from(longer, sizeof(longer) - 1), 99);
		break;
	case TWO:
		send_page(fd, r, MIB(1));
		send_page(fd, r, MIB(1));
		break;
	case GOES:
		return false;
	case SILENT:
		break;
	}
	return true;
}

static bool
serve_one(struct actor *a, int fd, struct buf *in)
{
	struct Ipc__RenderRequest *r;
	struct str payload;
	uint8_t kind;
	size_t size;
	bool stay;

	while (frame_peek(buf_str(in), PAGES_REQUEST_MAX + FRAME_HEAD, &kind,
	           &payload, &size) == RC_BUSY) {
		char *room = buf_reserve(in, READ_SIZE);
		ssize_t n = recv(fd, room, READ_SIZE, 0);

		if (n <= 0)
			return false;
		buf_added(in, (size_t)n);
	}
	pthread_mutex_lock(&a->lock);
	buf_reset(&a->last);
	buf_put_str(&a->last, payload);
	pthread_mutex_unlock(&a->lock);
	atomic_fetch_add(&a->asked, 1);
	r = ipc__render_request__unpack(NULL, payload.n,
	    (const uint8_t *)payload.p);
	if (r == NULL || kind != REQUEST)
		return false;
	stay = play(a, fd, r);
	ipc__render_request__free_unpacked(r, NULL);
	buf_drop(in, size);
	return stay;
}

static void *
actor_main(void *arg)
{
	struct actor *a = arg;
	struct buf in;
	int fd;

	buf_init(&in, MIB(2));
	while (!atomic_load(&a->stopping) &&
	       (fd = accept(a->listener, NULL, NULL)) >= 0) {
		atomic_store(&a->fd, fd);
		buf_reset(&in);
		while (serve_one(a, fd, &in))
			continue;
		atomic_store(&a->fd, -1);
		close(fd);
	}
	buf_fini(&in);
	return NULL;
}

static int
setup(void **state)
{
	struct stage *s = MEM_NEW(struct stage);
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	void *edge;

	assert_int_equal(edge_setup(&edge), 0);
	s->e = edge;
	s->e->c.enrol = enrol_new(&s->e->c);
	assert_true(
	    str_copy(to.sun_path, sizeof(to.sun_path), str_of(s->e->sock)));
	s->actor.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s->actor.listener,
	                     (const struct sockaddr *)(const void *)&to,
	                     sizeof(to)),
	    0);
	assert_int_equal(listen(s->actor.listener, 1), 0);
	atomic_store(&s->actor.fd, -1);
	pthread_mutex_init(&s->actor.lock, NULL);
	buf_init(&s->actor.last, MIB(1));
	assert_int_equal(pthread_create(&s->actor.thread, NULL, actor_main,
	                     &s->actor),
	    0);
	edge_make_ann(s->e);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct stage *s = *state;
	void *edge = s->e;

	atomic_store(&s->actor.stopping, true);
	shutdown(s->actor.listener, SHUT_RDWR);
	if (atomic_load(&s->actor.fd) >= 0)
		shutdown(atomic_load(&s->actor.fd), SHUT_RDWR);
	pthread_join(s->actor.thread, NULL);
	close(s->actor.listener);
	pthread_mutex_destroy(&s->actor.lock);
	buf_fini(&s->actor.last);
	enrol_free(s->e->c.enrol);
	edge_teardown(&edge);
	mem_free(s);
	return 0;
}

static unsigned
get(struct stage *s, const char *path)
{
	char request[512];

	assert_true(str_fmt(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n"
	    "%s\r\n",
	    path, s->e->cookie));
	edge_ask(s->e, request);
	return s->e->status;
}

static bool
connected(struct edge *e)
{
	return page_ready(e->c.pages);
}

/* The connection is there, again. */
static void
wait_connected(struct stage *s)
{
	s->e->until = connected;
	edge_run(s->e);
	s->e->until = NULL;
}

/* ------------------------------------------------------------------ tests */

static void
pages_are_passed_on(void **state)
{
	struct stage *s = *state;

	assert_int_equal(get(s, "/"), 200);
	assert_true(edge_said(s->e, "<p>page=dashboard user=ann csrf="));
	atomic_store(&s->actor.mode, IN_PIECES);
	assert_int_equal(get(s, "/hosts/x"), 200);
	assert_true(edge_said(s->e, "<p>page=host user=ann csrf="));
	atomic_store(&s->actor.mode, MISSING);
	assert_int_equal(get(s, "/hosts/x"), 404);
	assert_true(edge_said(s->e, "<p>none</p>"));
}

/* A link must not make our pages say what its author likes. */
static void
no_sentence_comes_from_an_address(void **state)
{
	static const char *const paths[] = { "/?notice=All-is-well&q=web",
		"/hosts/x?notice=All-is-well&error=All-is-well",
		"/jobs/x?notice=All-is-well&message=All-is-well" };
	struct stage *s = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(paths); i++) {
		assert_int_equal(get(s, paths[i]), 200);
		pthread_mutex_lock(&s->actor.lock);
		assert_true(s->actor.last.len > 0);
		assert_false(
		    str_contains(buf_str(&s->actor.last), STR("All-is-well")));
		pthread_mutex_unlock(&s->actor.lock);
	}
}

static void
a_big_page_is_whole(void **state)
{
	struct stage *s = *state;

	buf_fini(&s->e->answer);
	buf_init(&s->e->answer, MIB(16));
	atomic_store(&s->actor.mode, BIG);
	assert_int_equal(get(s, "/"), 200);
	assert_true(s->e->answer.len > BIG_SIZE);
}

static void
a_page_that_failed_is_a_notice(void **state)
{
	struct stage *s = *state;

	atomic_store(&s->actor.mode, FAILED);
	assert_int_equal(get(s, "/"), 500);
	assert_true(edge_said(s->e, "could not be drawn"));
	assert_false(edge_said(s->e, "broke"));
}

static void
what_breaks_the_protocol_is_disconnected(void **state)
{
	static const enum mode modes[] = { WRONG_KIND, GARBAGE, TOO_LONG,
		GOES };
	struct stage *s = *state;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		atomic_store(&s->actor.mode, modes[i]);
		assert_int_equal(get(s, "/"), 503);
		assert_true(edge_said(s->e, "retry-after: "));
		atomic_store(&s->actor.mode, GOOD);
		wait_connected(s);
		assert_int_equal(get(s, "/"), 200);
	}
}

static void
an_answer_too_many_ends_the_connection(void **state)
{
	struct stage *s = *state;

	atomic_store(&s->actor.mode, TWO);
	(void)get(s, "/");
	atomic_store(&s->actor.mode, GOOD);
	wait_connected(s);
	(void)get(s, "/hosts/x");
	wait_connected(s);
	assert_int_equal(get(s, "/hosts/x"), 200);
	assert_true(edge_said(s->e, "page=host "));
}

static void
silence_costs_one_page_and_the_connection(void **state)
{
	struct stage *s = *state;

	atomic_store(&s->actor.mode, SILENT);
	assert_int_equal(get(s, "/"), 503);
	atomic_store(&s->actor.mode, GOOD);
	wait_connected(s);
	assert_int_equal(get(s, "/"), 200);
}

/* The pins are given back whatever happens: else the next page could not
 * take them. */
/* Whoever is not signed in can ask for the sign-in page as often as he
 * likes; the others' pages still find a place to wait. */
static void
strangers_do_not_take_all_places(void **state)
{
	static const char request[] = "GET /login HTTP/1.1\r\n"
	                              "Host: localhost\r\n"
	                              "Accept: text/html\r\n\r\n";
	struct stage *s = *state;
	int fds[PAGE_WAITING_MAX + 8];
	size_t i;

	atomic_store(&s->actor.mode, SILENT);
	s->e->until = connected;
	for (i = 0; i < ARRAY_LEN(fds); i++) {
		edge_connect(s->e, request);
		fds[i] = s->e->fd;
		s->e->fd = -1;
		edge_run(s->e);
		edge_run(s->e);
	}
	s->e->until = NULL;
	atomic_store(&s->actor.mode, GOOD);
	assert_int_equal(get(s, "/"), 200);
	for (i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void
unchanged_pages_are_not_asked_for(void **state)
{
	struct stage *s = *state;
	char request[1024], etag[256];
	const char *at;
	unsigned asked, i;

	for (i = 0; i < 3; i++) { /* not at the turn of a minute each time */
		assert_int_equal(get(s, "/"), 200);
		at = strstr(buf_text(&s->e->answer), "etag: ");
		assert_non_null(at);
		assert_true(str_fmt(etag, sizeof(etag), "%.*s",
		    (int)strcspn(at + 6, "\r"), at + 6));
		assert_true(str_fmt(request, sizeof(request),
		    "GET / HTTP/1.1\r\nHost: localhost\r\n%s"
		    "If-None-Match: \"x\", %s\r\n\r\n",
		    s->e->cookie, etag));
		asked = atomic_load(&s->actor.asked);
		edge_ask(s->e, request);
		if (s->e->status == 304)
			break;
	}
	assert_int_equal(s->e->status, 304);
	assert_int_equal(atomic_load(&s->actor.asked), asked);
}

/* The renderer never sees them; the reader does, once each where it says. */
static void
secrets_replace_their_markers(void **state)
{
	struct stage *s = *state;
	char path[128], token[128], password[64];
	const char *at;

	edge_post(s->e, "/api/enrollment-tokens", s->e->cookie,
	    "{\"hostname\":\"web-1\",\"repo_url\":\"/srv/<r&d>\"}");
	assert_int_equal(s->e->status, 200);
	at = strstr(buf_text(&s->e->answer), "\"repo_password\":\"");
	assert_non_null(at);
	assert_true(str_fmt(password, sizeof(password), "%.32s", at + 17));
	at = strstr(buf_text(&s->e->answer), "\"token\":\"");
	assert_non_null(at);
	assert_true(str_fmt(token, sizeof(token), "%.*s",
	    (int)strcspn(at + 9, "\""), at + 9));
	assert_true(str_fmt(path, sizeof(path), "/hosts/pending/%s", token));
	assert_int_equal(get(s, path), 303);
	at = strstr(buf_text(&s->e->answer), "location: ");
	assert_non_null(at);
	assert_true(str_fmt(path, sizeof(path), "%.*s",
	    (int)strcspn(at + 10, "\r"), at + 10));
	assert_null(strstr(path, token));
	assert_int_equal(get(s, path), 200);
	assert_true(edge_said(s->e, "cache-control: no-store"));
	assert_false(edge_said(s->e, "etag: "));
	assert_true(str_fmt(path, sizeof(path), " t=%s t=", token));
	assert_true(edge_said(s->e, path));
	assert_true(str_fmt(path, sizeof(path), " p=%s ", password));
	assert_true(edge_said(s->e, path));
	assert_false(edge_said(s->e, "-token"));
	assert_false(edge_said(s->e, "-password"));
	pthread_mutex_lock(&s->actor.lock);
	assert_null(memmem(s->actor.last.data, s->actor.last.len, token, 43));
	assert_null(
	    memmem(s->actor.last.data, s->actor.last.len, password, 32));
	pthread_mutex_unlock(&s->actor.lock);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_are_passed_on),
		TEST(no_sentence_comes_from_an_address),
		TEST(a_big_page_is_whole),
		TEST(a_page_that_failed_is_a_notice),
		TEST(what_breaks_the_protocol_is_disconnected),
		TEST(an_answer_too_many_ends_the_connection),
		TEST(silence_costs_one_page_and_the_connection),
		TEST(strangers_do_not_take_all_places),
		TEST(unchanged_pages_are_not_asked_for),
		TEST(secrets_replace_their_markers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
