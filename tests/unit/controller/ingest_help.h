/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_INGEST_HELP_H
#define TESTS_UNIT_CONTROLLER_INGEST_HELP_H
/*
 * Ingest over a real store and a real spool, without a network: the test is
 * the agent, and what ingest tells its neighbours is counted here.
 */
#include "tests/unit/store/store_fixture.h"

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/ingest.h"
#include "controller/ingest_wire.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "proto/agent.pb-c.h"
#include "spool/joblog.h"
#include "spool/joblog_read.h"

/* What came out; agents_ack() and the others below fill it. */
struct told {
	uint64_t acked;
	unsigned drops, woken, grown, ended;
	enum rc drop_rc;
	int pipe; /* acknowledgements go there too, -1: nowhere */
};

struct desk {
	struct fixture f;
	struct controller c;
	char spool[300];
	struct ulid host;
	struct loop_timer *timer;
	uint64_t until; /* an acknowledgement that ends desk_run_to() */
	struct told told;
	uint8_t epoch[16], instance[32];
};

/* The one under test: the neighbours have no context of their own. */
static struct desk *desk_now;

void
agents_ack(struct agents *a, const struct ulid *host, uint64_t seq)
{
	struct told *t = &desk_now->told;

	(void)a;
	(void)host;
	t->acked = seq;
	if (t->pipe >= 0 && write(t->pipe, &seq, sizeof(seq)) < 0)
		_exit(3);
	if (desk_now->until != 0 && seq >= desk_now->until)
		loop_stop(desk_now->c.loop);
}

void
agents_drop(struct agents *a, const struct ulid *host, const struct err *e)
{
	(void)a;
	(void)host;
	desk_now->told.drops++;
	desk_now->told.drop_rc = e->rc;
}

void
agents_read_on(struct agents *a)
{
	(void)a;
}

void
courier_wake(struct courier *k, const struct ulid *host)
{
	(void)k;
	(void)host;
	desk_now->told.woken++;
}

void
sse_log_grown(struct sse *s, const struct ulid *job, uint64_t bytes)
{
	(void)s;
	(void)job;
	(void)bytes;
	desk_now->told.grown++;
}

void
sse_job_changed(struct sse *s, const struct ulid *host, const struct ulid *job)
{
	(void)s;
	(void)host;
	(void)job;
	desk_now->told.ended++;
}

void
sse_host_changed(struct sse *s, const struct ulid *host)
{
	(void)s;
	(void)host;
}

/* ------------------------------------------------------------ life */

static inline void
desk_open(struct desk *d)
{
	struct err e = { 0 };

	desk_now = d;
	d->told = (struct told){ .pipe = -1 };
	fixture_open(&d->f);
	d->c.state = d->f.state;
	d->c.vault = d->f.vault;
	d->c.live = d->f.live;
	d->c.settings.spool_dir = d->spool;
	d->c.settings.timezone = text("UTC");
	if (loop_new(&d->c.loop, &e) != RC_OK ||
	    op_queue_new(d->c.loop, d->c.state, d->c.vault, &d->c.ops, &e) !=
	        RC_OK)
		fail_msg("%s", e.msg);
	d->c.ingest = ingest_new(&d->c);
	if (ingest_recover(&d->c, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static inline void
desk_close(struct desk *d)
{
	op_queue_free(d->c.ops);
	ingest_free(d->c.ingest);
	loop_timer_free(d->timer);
	d->timer = NULL;
	loop_free(d->c.loop);
	fixture_close(&d->f);
}

static inline struct desk *
desk_new(void)
{
	struct desk *d = MEM_NEW(struct desk);

	fixture_init(&d->f);
	assert_true(str_fmt(d->spool, sizeof(d->spool), "%s/spool", d->f.dir));
	assert_int_equal(mkdir(d->spool, 0700), 0);
	memset(d->epoch, 1, sizeof(d->epoch));
	memset(d->instance, 2, sizeof(d->instance));
	fixture_host(&d->f, "web-1", &d->host);
	fixture_close(&d->f);
	return d;
}

static inline void
desk_free(struct desk *d)
{
	fixture_fini(&d->f);
	mem_free(d);
}

static inline int
desk_setup(void **state)
{
	struct desk *d = desk_new();

	desk_open(d);
	*state = d;
	return 0;
}

static inline int
desk_teardown(void **state)
{
	desk_close(*state);
	desk_free(*state);
	return 0;
}

static inline void
desk_on_time(void *ctx)
{
	struct desk *d = ctx;

	loop_stop(d->c.loop);
}

/* Lets the loop run for a while, or until that number is acknowledged. */
static inline void
desk_run(struct desk *d, unsigned ms, uint64_t until)
{
	d->until = until;
	if (until != 0 && d->told.acked >= until)
		return;
	loop_timer_free(d->timer);
	d->timer = loop_timer_new(d->c.loop, desk_on_time, d);
	loop_timer_start(d->timer, ms, 0);
	loop_run(d->c.loop);
	d->until = 0;
}

static inline void
desk_run_to(struct desk *d, uint64_t seq)
{
	desk_run(d, 30000, seq);
	assert_int_equal(d->told.acked, seq);
}

/* What is under way for the host comes to its end. */
static inline void
desk_settle(struct desk *d)
{
	unsigned calm = 0, turns = 0;

	while (calm < 5 && turns++ < 6000) {
		desk_run(d, 5, 0);
		calm = ingest_idle(d->c.ingest, &d->host) ? calm + 1 : 0;
	}
	assert_int_equal(calm, 5);
}

/* ----------------------------------------------------- the agent's side */

static inline enum rc
desk_hello(struct desk *d, uint64_t first, uint64_t next, const char *running,
    uint64_t *resume)
{
	Wire__Hello h = WIRE__HELLO__INIT;
	char *ids[1] = { text(running) };
	struct err e = { 0 };

	h.protocol_version = 1;
	h.epoch = bytes_of(d->epoch, sizeof(d->epoch));
	h.instance_id = bytes_of(d->instance, sizeof(d->instance));
	h.first_seq = first;
	h.next_seq = next;
	h.running_job_ids = ids;
	h.n_running_job_ids = running == NULL ? 0 : 1;
	return ingest_hello(d->c.ingest, &d->host, &h, resume, &e);
}

/* Log chunks go packed, as a Session gives them. */
static inline enum rc
desk_event(struct desk *d, const Wire__Event *ev)
{
	struct ingest_chunk c;
	struct err e = { 0 };
	struct str packed;
	struct buf b;
	enum rc rc;

	if (ev->body_case != WIRE__EVENT__BODY_LOG)
		return ingest_event(d->c.ingest, &d->host, ev, &e);
	buf_init(&b, KIB(256));
	pb_pack(&ev->base, &b);
	packed = buf_str(&b);
	assert_true(ingest_wire_chunk(packed, &c));
	rc = ingest_chunk(d->c.ingest, &d->host, &packed, &c, &e);
	buf_fini(&b);
	return rc;
}

static inline enum rc
desk_started(struct desk *d, uint64_t seq, const char *job)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__JobStarted s = WIRE__JOB_STARTED__INIT;

	s.job_id = text(job);
	s.kind = text("backup");
	s.started_at_ms = clock_now_ms();
	s.restic_version = text("0.14.0");
	ev.seq = seq;
	ev.at_ms = clock_now_ms();
	ev.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	ev.job_started = &s;
	return desk_event(d, &ev);
}

/* Lines "line <n>" for n = first .. first + count - 1, at most 64. */
static inline enum rc
desk_lines(struct desk *d, uint64_t seq, const char *job, uint64_t first,
    unsigned count)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__LogChunk c = WIRE__LOG_CHUNK__INIT;
	static Wire__LogLine lines[64], *p[64];
	static char words[64][32];
	unsigned k;

	for (k = 0; k < count; k++) {
		wire__log_line__init(&lines[k]);
		lines[k].ts_ms = clock_now_ms();
		lines[k].stream = WIRE__LOG_STREAM__LOG_STREAM_STDOUT;
		if (!str_fmt(words[k], sizeof(words[k]), "line %llu",
		        (unsigned long long)(first + k)))
			return RC_LIMIT;
		lines[k].payload = bytes_of(words[k], strlen(words[k]));
		p[k] = &lines[k];
	}
	c.job_id = text(job);
	c.first_line = first;
	c.lines = p;
	c.n_lines = count;
	ev.seq = seq;
	ev.at_ms = clock_now_ms();
	ev.body_case = WIRE__EVENT__BODY_LOG;
	ev.log = &c;
	return desk_event(d, &ev);
}

static inline enum rc
desk_gap(struct desk *d, uint64_t from, uint64_t to, const char *job,
    uint64_t first, uint64_t count)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__Gap g = WIRE__GAP__INIT;
	Wire__GapLines lines = WIRE__GAP_LINES__INIT, *one = &lines;

	lines.job_id = text(job);
	lines.first_line = first;
	lines.count = count;
	g.from_seq = from;
	g.to_seq = to;
	g.lines = &one;
	g.n_lines = 1;
	ev.seq = to;
	ev.at_ms = clock_now_ms();
	ev.body_case = WIRE__EVENT__BODY_GAP;
	ev.gap = &g;
	return desk_event(d, &ev);
}

static inline enum rc
desk_finished(struct desk *d, uint64_t seq, const char *job, const char *status,
    uint64_t lines)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__JobFinished f = WIRE__JOB_FINISHED__INIT;

	f.job_id = text(job);
	f.status = text(status);
	f.error = text(strcmp(status, "failed") == 0 ? "it broke" : "");
	f.finished_at_ms = clock_now_ms();
	f.log_lines = lines;
	ev.seq = seq;
	ev.at_ms = clock_now_ms();
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = &f;
	return desk_event(d, &ev);
}

/* --------------------------------------------------------- looking at it */

/* Valid until the next look. */
static inline const struct Rec__Job *
desk_job(struct desk *d, const char *id)
{
	struct store_tx *tx = fixture_read(&d->f);
	const struct Rec__Job *j;
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j = job_store_find(tx, &u);
	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
	return j;
}

static inline const struct Rec__Host *
desk_host(struct desk *d)
{
	struct store_tx *tx = fixture_read(&d->f);
	const struct Rec__Host *h = host_store_get(tx, &d->host);

	assert_non_null(h);
	store_abort(tx);
	return h;
}

/* The stored log, its texts only, one a line. */
static inline void
desk_log(struct desk *d, const char *id, struct buf *out)
{
	uint64_t bytes = desk_job(d, id)->log_bytes, at = 0, next = 0;
	struct joblog_reader *r = NULL;
	struct joblog_entry en;
	struct err e = { 0 };
	struct ulid u;
	struct str rest;
	struct buf raw;

	assert_true(ulid_parse(str_of(id), &u));
	buf_init(&raw, MIB(64));
	if (joblog_open(d->spool, &u, bytes, &r, &e) != RC_OK)
		fail_msg("%s", e.msg);
	do {
		at = next;
		if (joblog_read(r, at, KIB(256), &raw, &next, &e) != RC_OK)
			fail_msg("%s", e.msg);
	} while (next != at);
	joblog_close(r);
	rest = buf_str(&raw);
	assert_int_equal(rest.n, bytes);
	while (joblog_next(&rest, &en)) {
		buf_printf(out, "%s ", joblog_tag_name(en.tag));
		buf_put_str(out, en.text);
		buf_putc(out, '\n');
	}
	buf_fini(&raw);
}
#endif
