/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/store/store_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "controller/controller.h"
#include "controller/req.h"
#include "controller/sse.h"
#include "controller/sse_own.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/net/listen.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"
#include "spool/joblog.h"

/*
 * A browser on a real socket follows a job's log; listener, routing and
 * session are the real ones.  Both ends live in one loop.
 */
enum {
	TICK_MS = 2,
	TICKS_MAX = 10000,
	READ_SIZE = 65536,
	LINES_A_BATCH = 7
};

#define TOKEN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct bench {
	struct fixture f;
	struct controller c;
	char spool[300];
	struct listener *listener;
	struct loop_timer *tick;
	unsigned ticks;
	/* the job */
	struct ulid job, host;
	uint64_t bytes;
	unsigned lines, lines_end; /* written; to be written in all */
	unsigned text_size;        /* of a line */
	/* the browser */
	int fd;
	unsigned connect_at; /* lines that are there by then */
	unsigned rest_ticks; /* reads nothing for so long */
	const char *event_id;
	struct buf got;
	bool ended;
};

/* ----------------------------------------------------------------- the job */

static void
put_job(struct bench *b, Rec__JobState s)
{
	struct store_tx *tx = store_begin_write(b->c.state, &b->f.arena);
	struct Rec__Job j = REC__JOB__INIT;
	struct err e;

	j.id = id_bytes(&b->job);
	j.host_id = id_bytes(&b->host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = s;
	j.started_at_ms = 1700000000000;
	j.log_bytes = b->bytes;
	j.log_lines = b->lines;
	j.log_closed = s != REC__JOB_STATE__JOB_RUNNING;
	job_store_put(tx, &j);
	assert_rc(store_commit(tx, &e), RC_OK);
	arena_reset(&b->f.arena);
}

static void
write_lines(struct bench *b, unsigned n)
{
	struct str line;
	struct buf batch;
	struct err e;
	char *room;

	buf_init(&batch, MIB(32));
	while (n-- > 0 && b->lines < b->lines_end) {
		struct buf payload;

		buf_init(&payload, KIB(64));
		buf_printf(&payload, "line %u ", ++b->lines);
		room = buf_reserve(&payload, b->text_size);
		assert_non_null(room);
		memset(room, 'x', b->text_size);
		buf_added(&payload, b->text_size);
		line = buf_str(&payload);
		joblog_line(&batch, 1700000000000 + b->lines, JOBLOG_OUT, line);
		buf_fini(&payload);
	}
	assert_rc(joblog_append(b->spool, &b->job, b->bytes, buf_str(&batch),
	              &e),
	    RC_OK);
	b->bytes += batch.len;
	buf_fini(&batch);
}

/* As ingest does it: appended, committed, told. */
static void
work_a_little(struct bench *b)
{
	if (b->lines == b->lines_end)
		return;
	write_lines(b, LINES_A_BATCH);
	if (b->lines < b->lines_end) {
		put_job(b, REC__JOB_STATE__JOB_RUNNING);
		sse_log_grown(b->c.sse, &b->job, b->bytes);
	} else {
		put_job(b, REC__JOB_STATE__JOB_SUCCEEDED);
		sse_job_changed(b->c.sse, &b->host, &b->job);
	}
}

/* ------------------------------------------------------------- the browser */

static void
connect_browser(struct bench *b)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(listen_port(b->listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char id[ULID_TEXT_CAP], request[512];

	ulid_text(&b->job, id);
	assert_true(str_fmt(request, sizeof(request),
	    "GET /api/jobs/%s/stream HTTP/1.1\r\nHost: localhost\r\n"
	    "Cookie: a=b; rm_session=" TOKEN "\r\n%s%s%s\r\n",
	    id, b->event_id != NULL ? "Last-Event-ID: " : "",
	    b->event_id != NULL ? b->event_id : "",
	    b->event_id != NULL ? "\r\n" : ""));
	b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(b->fd >= 0);
	assert_int_equal(connect(b->fd,
	                     (const struct sockaddr *)(const void *)&to,
	                     sizeof(to)),
	    0);
	assert_int_equal(send(b->fd, request, strlen(request), 0),
	    (ssize_t)strlen(request));
	assert_int_equal(fcntl(b->fd, F_SETFL, O_NONBLOCK), 0);
}

static void
read_browser(struct bench *b)
{
	char *room = buf_reserve(&b->got, READ_SIZE);
	ssize_t n;

	assert_non_null(room);
	n = recv(b->fd, room, READ_SIZE, 0);
	if (n > 0) {
		buf_added(&b->got, (size_t)n);
		/* The last chunk; the connection itself stays open. */
		b->ended = str_ends(buf_str(&b->got), STR("\r\n0\r\n\r\n"));
	} else if (n == 0) {
		b->ended = true;
	} else {
		assert_int_equal(errno, EAGAIN);
	}
}

static void
test_on_tick(void *ctx)
{
	struct bench *b = ctx;

	work_a_little(b);
	if (b->fd < 0 && b->lines >= b->connect_at)
		connect_browser(b);
	else if (b->fd >= 0 && b->rest_ticks > 0)
		b->rest_ticks--;
	else if (b->fd >= 0 && !b->ended)
		read_browser(b);
	if (b->ended || ++b->ticks == TICKS_MAX)
		loop_stop(b->c.loop);
}

/* Body of a chunked answer. */
static void
dechunk(const struct buf *raw, struct buf *out)
{
	struct str rest = buf_str(raw), size;
	unsigned long n;
	const char *at = strstr(buf_text(raw), "\r\n\r\n");

	assert_non_null(at);
	rest = str_sub(rest, (size_t)(at - raw->data) + 4, raw->len);
	while (str_cut(rest, '\n', &size, &rest)) {
		n = strtoul(size.p, NULL, 16);
		if (n == 0)
			return;
		assert_true(n + 2 <= rest.n);
		buf_put(out, rest.p, n);
		rest = str_sub(rest, n + 2, rest.n);
	}
	fail_msg("the answer is cut off");
}

struct seen {
	unsigned first, last, count; /* log.stream */
	unsigned started, finished;
	uint64_t last_id;
	bool in_order, numbered;
};

static void
see_line(struct seen *s, struct str data)
{
	const char *seq = memmem(data.p, data.n, "\"seq\":", 6);
	const char *text = memmem(data.p, data.n, "\"line ", 6);
	unsigned n;

	assert_non_null(seq);
	assert_non_null(text);
	n = (unsigned)strtoul(seq + 6, NULL, 10);
	if (s->count++ == 0)
		s->first = n;
	else if (n != s->last + 1)
		s->in_order = false;
	if (n != strtoul(text + 6, NULL, 10))
		s->numbered = false;
	s->last = n;
}

static struct seen
look(const struct bench *b)
{
	struct seen s = { .in_order = true, .numbered = true };
	struct str rest, line, event = { "", 0 };
	struct buf body;

	buf_init(&body, MIB(64));
	dechunk(&b->got, &body);
	rest = buf_str(&body);
	while (str_next(&rest, '\n', &line)) {
		if (str_starts(line, STR("event: ")))
			event = str_sub(line, 7, line.n);
		else if (str_starts(line, STR("id: ")))
			s.last_id = strtoull(line.p + 4, NULL, 10);
		else if (!str_starts(line, STR("data: ")))
			continue;
		else if (str_eqz(event, "log.stream"))
			see_line(&s, line);
		else if (str_eqz(event, "job.started"))
			s.started++;
		else if (str_eqz(event, "job.finished"))
			s.finished++;
	}
	buf_fini(&body);
	return s;
}

/* --------------------------------------------------------------- the bench */

static void
put_session(struct bench *b)
{
	static const struct ulid user = { { 9 } };
	struct Rec__Session session = REC__SESSION__INIT;
	struct Rec__User u = REC__USER__INIT;
	uint8_t hash[CRYPT_HASH_SIZE];
	struct store_tx *tx;
	struct err e;

	crypt_sha256(STR(TOKEN), hash);
	session.user_id = id_bytes(&user);
	session.expires_at_ms = clock_now_ms() + 3600000;
	session.csrf = text(TOKEN);
	tx = store_begin_write(b->c.vault, &b->f.arena);
	vault_put_session(tx, hash, &session, 5);
	assert_rc(store_commit(tx, &e), RC_OK);
	u.id = id_bytes(&user);
	u.name = text("ann");
	u.role = REC__ROLE__ROLE_VIEWER;
	tx = store_begin_write(b->c.state, &b->f.arena);
	user_store_put(tx, &u);
	assert_rc(store_commit(tx, &e), RC_OK);
}

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);
	struct err e;

	log_open(STDERR_FILENO, LOG_WARN);
	fixture_init(&b->f);
	assert_true(str_fmt(b->spool, sizeof(b->spool), "%s/spool", b->f.dir));
	b->c.state = b->f.state;
	b->c.vault = b->f.vault;
	b->c.live = b->f.live;
	b->c.settings.spool_dir = b->spool;
	b->fd = -1;
	buf_init(&b->got, MIB(64));
	put_session(b);
	ulid_new(&b->job);
	ulid_new(&b->host);
	assert_rc(loop_new(&b->c.loop, &e), RC_OK);
	b->c.sse = sse_new(&b->c);
	b->tick = loop_timer_new(b->c.loop, test_on_tick, b);
	*state = b;
	return 0;
}

static void
test_on_closed(void *ctx)
{
	struct bench *b = ctx;

	loop_stop(b->c.loop);
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	loop_timer_free(b->tick);
	if (b->fd >= 0)
		close(b->fd);
	sse_end_all(b->c.sse);
	listen_close(b->listener, 0, test_on_closed, b);
	loop_run(b->c.loop);
	sse_free(b->c.sse);
	loop_free(b->c.loop);
	buf_fini(&b->got);
	fixture_fini(&b->f);
	mem_free(b);
	return 0;
}

/* Follows the job to its end. */
static struct seen
follow(struct bench *b)
{
	const struct listen_opts o = { .loop = b->c.loop,
		.address = "127.0.0.1:0",
		.http = &req_handler,
		.http_ctx = &b->c };
	struct err e;

	if (b->listener == NULL)
		assert_rc(listen_open(&o, &b->listener, &e), RC_OK);
	b->ticks = 0;
	b->ended = false;
	buf_reset(&b->got);
	loop_timer_start(b->tick, TICK_MS, TICK_MS);
	loop_run(b->c.loop);
	loop_timer_stop(b->tick);
	assert_true(b->ended);
	close(b->fd);
	b->fd = -1;
	return look(b);
}

static void
assert_whole(const struct seen *s, unsigned first, unsigned last)
{
	assert_true(s->in_order);
	assert_true(s->numbered);
	assert_int_equal(s->first, first);
	assert_int_equal(s->last, last);
	assert_int_equal(s->count, last - first + 1);
	assert_int_equal(s->started, 1);
	assert_int_equal(s->finished, 1);
}

/* ------------------------------------------------------------------- tests */

/* M-142, W-06: opened in the middle, replayed and then live. */
static void
no_line_is_lost_or_doubled_at_the_seam(void **state)
{
	struct bench *b = *state;
	struct seen s;

	b->lines_end = 2000;
	b->connect_at = 900;
	put_job(b, REC__JOB_STATE__JOB_RUNNING);
	s = follow(b);
	assert_whole(&s, 1, 2000);
	assert_int_equal(s.last_id, b->bytes);
}

static void
a_finished_job_is_replayed_compressed_too(void **state)
{
	struct bench *b = *state;
	struct seen s;
	struct err e;

	b->lines_end = 30000;
	write_lines(b, 30000);
	put_job(b, REC__JOB_STATE__JOB_SUCCEEDED);
	s = follow(b);
	assert_whole(&s, 1, 30000);
	assert_rc(joblog_compress(b->spool, &b->job, b->bytes, &e), RC_OK);
	s = follow(b);
	assert_whole(&s, 1, 30000);
}

/* Byte offset 0 of line 1 is 0; lines are of one length here. */
static void
a_stream_goes_on_where_it_broke(void **state)
{
	static const struct {
		unsigned line, inside;
	} breaks[] = { { 1, 0 }, { 2, 0 }, { 2, 1 }, { 5000, 0 }, { 5000, 20 },
		{ 9999, 0 } };
	struct bench *b = *state;
	uint64_t offset, length;
	char id[32];
	struct seen s;
	size_t i;

	b->lines = 10000; /* so that every number has five digits */
	b->lines_end = 19999;
	write_lines(b, 9999);
	length = b->bytes / 9999;
	put_job(b, REC__JOB_STATE__JOB_SUCCEEDED);
	b->event_id = id;
	for (i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		offset = (breaks[i].line - 1) * length + breaks[i].inside;
		assert_true(str_fmt(id, sizeof(id), "%llu",
		    (unsigned long long)offset));
		s = follow(b);
		assert_int_equal(s.first, breaks[i].line);
		assert_int_equal(s.last, 9999);
		assert_int_equal(s.count, 9999 - breaks[i].line + 1);
		assert_int_equal(s.finished, 1);
	}
	assert_true(
	    str_fmt(id, sizeof(id), "%llu", (unsigned long long)b->bytes));
	s = follow(b);
	assert_int_equal(s.count, 0);
	assert_int_equal(s.finished, 1);
	b->event_id = "18446744073709551615";
	s = follow(b);
	assert_int_equal(s.count, 0);
	assert_int_equal(s.finished, 1);
}

static void
a_slow_browser_loses_nothing(void **state)
{
	struct bench *b = *state;
	struct seen s;

	b->lines_end = 20000;
	b->text_size = 300;
	write_lines(b, 19900);
	put_job(b, REC__JOB_STATE__JOB_RUNNING);
	b->rest_ticks = 200;
	s = follow(b);
	assert_whole(&s, 1, 20000);
}

static void
the_longest_line_passes(void **state)
{
	struct bench *b = *state;
	struct seen s;

	b->lines_end = 5;
	b->text_size = JOBLOG_LINE_MAX - 100;
	write_lines(b, 5);
	put_job(b, REC__JOB_STATE__JOB_SUCCEEDED);
	s = follow(b);
	assert_whole(&s, 1, 5);
}

/* Retention took the log: the end is still told. */
static void
a_missing_log_does_not_hold_the_end_up(void **state)
{
	struct bench *b = *state;
	struct seen s;

	b->bytes = 1000;
	b->lines = b->lines_end = 10;
	put_job(b, REC__JOB_STATE__JOB_FAILED);
	s = follow(b);
	assert_int_equal(s.count, 0);
	assert_int_equal(s.finished, 1);
}

static void
a_browser_may_leave_at_any_time(void **state)
{
	struct bench *b = *state;
	unsigned i;

	b->lines_end = 20000;
	write_lines(b, 20000);
	put_job(b, REC__JOB_STATE__JOB_SUCCEEDED);
	(void)follow(b);
	for (i = 0; i < 40; i++) {
		b->ticks = 0;
		connect_browser(b);
		b->ended = false;
		b->rest_ticks = TICKS_MAX;
		b->ticks = TICKS_MAX - 1 - i % 5;
		loop_timer_start(b->tick, 1, 1);
		loop_run(b->c.loop);
		loop_timer_stop(b->tick);
		close(b->fd);
		b->fd = -1;
	}
	b->rest_ticks = 0;
	(void)follow(b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* A path with a CR in it must not become a field of the stream. */
static void
no_text_of_a_fragment_becomes_a_field(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, KIB(4));
	sse_put_fragment(&b, STR("<p>a\revent: reload\r\nid: 9\n</p>"));
	assert_string_equal(buf_text(&b),
	    "event: fragment\nid: 1\ndata: <p>a\ndata: event: reload\n"
	    "data: \ndata: id: 9\ndata: </p>\n\n");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_text_of_a_fragment_becomes_a_field),
		TEST(no_line_is_lost_or_doubled_at_the_seam),
		TEST(a_finished_job_is_replayed_compressed_too),
		TEST(a_stream_goes_on_where_it_broke),
		TEST(a_slow_browser_loses_nothing),
		TEST(the_longest_line_passes),
		TEST(a_missing_log_does_not_hold_the_end_up),
		TEST(a_browser_may_leave_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
