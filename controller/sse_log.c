/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/controller.h"
#include "controller/jobs.h"
#include "controller/req.h"
#include "controller/sse_own.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "spool/joblog_read.h"

enum {
	PIECE_MAX = 131072, /* of the log, a read; above any line's length */
	COUNT_MAX = 262144,
	OUT_MAX = 4 << 20,
	RECORD_MAX = 1 << 20,
	PACE_MS = 250, /* live lines: at most four batches a second */
	PROGRESS_MS = 500
};

/*
 * Everything comes from the spool by byte offset, replayed or live alike, so
 * there is no seam: `offset` is what was sent, `committed` what is there.
 */
struct sse_log {
	struct sse_stream st;
	struct ulid job;
	uint64_t offset, committed;
	uint64_t line; /* number of the line at offset, less 1 */
	bool counted;  /* line is known */
	bool over;     /* the job has ended and its log is whole */
	bool told_start, told_end;
	struct buf out;
	struct loop_timer *pace;
	int64_t pumped_ms, progress_ms;
	/* the read that is with the pool */
	bool reading;
	const char *spool;
	uint64_t limit, next;
	struct buf piece;
	enum rc rc;
	struct err err;
};

static void pump(struct sse_log *l);

static struct sse_log *
log_of(struct sse_stream *st)
{
	return (struct sse_log *)(void *)st;
}

static void
destroy(struct sse_log *l)
{
	struct req *r = l->st.r;

	buf_fini(&l->out);
	buf_fini(&l->piece);
	mem_free(l);
	req_release(r);
}

/* ------------------------------------------------------------------ events */

static void
begin_event(struct sse_log *l, struct json_out *j, const char *event,
    uint64_t id)
{
	char job[ULID_TEXT_CAP];

	buf_printf(&l->out, "event: %s\nid: %llu\ndata: ", event,
	    (unsigned long long)id);
	json_out_init(j, &l->out);
	json_obj(j, NULL);
	ulid_text(&l->job, job);
	json_put(j, "job_id", job);
}

static void
end_event(struct sse_log *l, struct json_out *j)
{
	json_obj_end(j);
	buf_puts(&l->out, "\n\n");
}

/* M-445 */
static void
put_started(struct sse_log *l, const struct Rec__Job *job)
{
	struct json_out j;

	if (l->told_start || job->started_at_ms == 0)
		return;
	l->told_start = true;
	begin_event(l, &j, "job.started", l->offset);
	json_put(&j, "kind", job_kind_name(job->kind));
	json_put_time(&j, "started_at", job->started_at_ms);
	end_event(l, &j);
}

/* M-447 */
static void
put_finished(struct sse_log *l, const struct Rec__Job *job)
{
	struct json_out j;

	l->told_end = true;
	begin_event(l, &j, "job.finished", l->offset);
	json_put(&j, "status", job_state_name(job->state));
	json_put_bool(&j, "incomplete", job->incomplete);
	json_put_int(&j, "exit_code", job->exit_code);
	json_put_time(&j, "finished_at", job->finished_at_ms);
	jobs_stats_json(&j, job->stats);
	json_put(&j, "error", job->error);
	end_event(l, &j);
}

/* M-448 */
static void
put_lines(struct sse_log *l)
{
	struct str rest = buf_str(&l->piece);
	struct joblog_entry entry;
	struct json_out j;

	while (joblog_next(&rest, &entry)) {
		l->line++;
		begin_event(l, &j, "log.stream",
		    l->offset + l->piece.len - rest.n);
		json_put_uint(&j, "seq", l->line);
		json_put_time(&j, "ts", entry.ts_ms);
		json_put(&j, "stream", joblog_stream_name(entry.tag));
		json_put_str(&j, "payload", entry.text);
		end_event(l, &j);
	}
}

/* ------------------------------------------------------------------- reads */

/* Counts the lines before offset, and moves it to the beginning of the line
 * it points into. */
static enum rc
count_lines(struct sse_log *l, struct joblog_reader *reader)
{
	uint64_t at = 0, start = 0, next;
	struct str line, rest;
	struct buf b;
	enum rc rc = RC_OK;

	buf_init(&b, COUNT_MAX + 1);
	l->line = 0;
	while (at < l->offset && rc == RC_OK) {
		buf_reset(&b);
		rc = joblog_read(reader, at, COUNT_MAX, &b, &next, &l->err);
		if (rc != RC_OK || next == at)
			break;
		rest = buf_str(&b);
		while (str_cut(rest, '\n', &line, &rest) &&
		       start + line.n + 1 <= l->offset) {
			start += line.n + 1;
			l->line++;
		}
		at = next;
	}
	buf_fini(&b);
	l->offset = start;
	return rc;
}

static void
read_work(void *ctx)
{
	struct sse_log *l = ctx;
	struct joblog_reader *reader = NULL;

	l->rc = joblog_open(l->spool, &l->job, l->limit, &reader, &l->err);
	if (l->rc != RC_OK)
		return;
	if (!l->counted)
		l->rc = count_lines(l, reader);
	if (l->rc == RC_OK)
		l->rc = joblog_read(reader, l->offset, PIECE_MAX, &l->piece,
		    &l->next, &l->err);
	joblog_close(reader);
}

static void
sse_on_log_read(void *ctx)
{
	struct sse_log *l = ctx;

	l->reading = false;
	if (l->st.closed) {
		destroy(l);
		return;
	}
	l->counted = true;
	if (l->rc != RC_OK || l->next == l->offset) {
		/* Retention took it, or the disk lost it; the page says so.
		 * The stream still tells how the job goes on. */
		if (l->rc != RC_NOTFOUND)
			log_warn(LOG_SPOOL, "job log not streamed rc=%s: %s",
			    rc_info(l->rc)->name, l->err.msg);
		l->offset = l->limit;
	} else {
		put_lines(l);
		l->offset = l->next;
	}
	pump(l);
}

static void
start_read(struct sse_log *l)
{
	l->reading = true;
	l->limit = l->committed;
	l->err = (struct err){ .rc = RC_OK };
	buf_reset(&l->piece);
	loop_work(l->st.sse->ctl->loop, read_work, sse_on_log_read, l);
}

/* ---------------------------------------------------------------- the pump */

/* Takes from the record how far the log goes and whether it is over. */
static bool
refresh(struct sse_log *l, bool finish)
{
	const struct Rec__Job *job;
	struct store_tx *tx;
	struct arena a;

	arena_init(&a, RECORD_MAX);
	tx = store_begin_read(l->st.sse->ctl->state, &a);
	job = job_store_find(tx, &l->job);
	if (job != NULL) {
		if (job->log_bytes > l->committed)
			l->committed = job->log_bytes;
		if (l->offset > l->committed)
			l->offset = l->committed;
		l->over = job_state_final(job->state) && job->log_closed;
		put_started(l, job);
		if (finish && !l->told_end)
			put_finished(l, job);
	}
	store_abort(tx);
	arena_fini(&a);
	return job != NULL;
}

static void
pump(struct sse_log *l)
{
	l->pumped_ms = clock_mono_ms();
	if (!sse_flush(&l->st, &l->out) || l->reading)
		return;
	if (l->offset < l->committed) {
		start_read(l);
	} else if (l->over) {
		(void)refresh(l, true);
		if (sse_flush(&l->st, &l->out))
			sse_end(&l->st);
	}
}

static void
sse_on_pace(void *ctx)
{
	pump(ctx);
}

/* Soon, but not more often than the pace. */
static void
pump_later(struct sse_log *l)
{
	int64_t passed = clock_mono_ms() - l->pumped_ms;

	if (l->reading)
		return;
	loop_timer_start(l->pace,
	    passed >= PACE_MS ? 0 : (uint64_t)(PACE_MS - passed), 0);
}

static void
sse_on_log_writable(struct req *r, void *ctx)
{
	(void)r;
	pump(log_of(ctx));
}

static void
sse_on_log_closed(struct req *r, void *ctx)
{
	struct sse_log *l = log_of(ctx);

	(void)r;
	sse_leave(&l->st);
	loop_timer_free(l->pace);
	l->pace = NULL;
	if (!l->reading)
		destroy(l);
}

static const struct req_stream calls = { sse_on_log_writable,
	sse_on_log_closed };

/* ------------------------------------------------------------------- route */

static uint64_t
first_offset(struct req *r)
{
	struct str s = exch_field(r->x, "last-event-id");
	uint64_t n = 0;

	if (s.p == NULL)
		s = req_query(r, "from");
	return str_u64(s, UINT64_MAX, &n) ? n : 0;
}

void
sse_job_stream(struct req *r)
{
	struct sse *s = r->ctl->sse;
	struct sse_log *l;
	struct ulid job;
	struct err e;

	if (!req_need_ulid(r, 0, "there is no such job", &job))
		return;
	if (sse_admit(s, r, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	l = MEM_NEW(struct sse_log);
	l->st.sse = s;
	l->st.r = r;
	l->job = job;
	l->spool = s->ctl->settings.spool_dir;
	buf_init(&l->out, OUT_MAX);
	buf_init(&l->piece, PIECE_MAX + 1);
	/* Before anything is put: each event's id is where to go on. */
	l->offset = first_offset(r);
	req_hold(r);
	if (!refresh(l, false)) {
		(void)err_set(&e, RC_NOTFOUND, "there is no such job");
		req_fail(r, &e);
		destroy(l);
		return;
	}
	l->counted = l->offset == 0;
	l->pace = loop_timer_new(s->ctl->loop, sse_on_pace, l);
	l->reading = true; /* so that it outlives its beginning */
	sse_begin(&l->st, &s->logs, &calls);
	l->reading = false;
	if (l->st.closed)
		destroy(l);
	else
		pump_later(l);
}

/* ----------------------------------------------------------------- notices */

void
sse_log_job_changed(struct sse *s, const struct ulid *job)
{
	struct list *el, *next;

	LIST_FOREACH(el, next, &s->logs)
	{
		struct sse_log *l = log_of((struct sse_stream *)(void *)el);

		if (!ulid_eq(&l->job, job))
			continue;
		(void)refresh(l, false);
		pump_later(l);
	}
}

/* In case a notice was missed: the record is the truth. */
void
sse_log_ping(struct sse_stream *st)
{
	struct sse_log *l = log_of(st);

	(void)refresh(l, false);
	pump_later(l);
}

void
sse_log_grown(struct sse *s, const struct ulid *job, uint64_t bytes)
{
	struct list *el, *next;

	LIST_FOREACH(el, next, &s->logs)
	{
		struct sse_log *l = log_of((struct sse_stream *)(void *)el);

		if (!ulid_eq(&l->job, job) || bytes <= l->committed)
			continue;
		l->committed = bytes;
		pump_later(l);
	}
}

/* M-446 */
static void
put_progress(struct sse_log *l, const struct Rec__LiveProgress *p)
{
	int64_t now = clock_mono_ms();
	struct json_out j;

	if (now - l->progress_ms < PROGRESS_MS || l->out.len > 0)
		return;
	l->progress_ms = now;
	begin_event(l, &j, "job.progress", l->offset);
	json_put_num(&j, "percent_done", p->percent_done);
	json_put_uint(&j, "files_done", p->files_done);
	json_put_uint(&j, "total_files", p->total_files);
	json_put_uint(&j, "bytes_done", p->bytes_done);
	json_put_uint(&j, "total_bytes", p->total_bytes);
	json_put_uint(&j, "eta_seconds", p->eta_seconds);
	json_put_uint(&j, "throughput_bps", p->throughput_bps);
	end_event(l, &j);
	(void)sse_flush(&l->st, &l->out);
}

void
sse_progress(struct sse *s, const struct ulid *host,
    const struct Rec__LiveProgress *p)
{
	struct list *el, *next;
	struct ulid job;

	if (p->job_id.len != sizeof(job.b))
		return;
	memcpy(job.b, p->job_id.data, sizeof(job.b));
	LIST_FOREACH(el, next, &s->logs)
	{
		struct sse_log *l = log_of((struct sse_stream *)(void *)el);

		if (ulid_eq(&l->job, &job))
			put_progress(l, p);
	}
	sse_page_changed(s, host, &job, SSE_PROGRESS);
}
