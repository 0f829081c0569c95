/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/controller.h"
#include "controller/jobs.h"
#include "controller/pb.h"
#include "controller/quota.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"
#include "spool/joblog_read.h"

/* A line of control bytes grows from 64 KiB to 1.5 times that as JSON. */
enum {
	READ_BYTES = 65536,
	RAW_MAX = 1 << 20,
	TEXT_MAX = 4 << 20
};

/*
 * Everything stored so far, in pieces: a pool job reads and formats one, the
 * loop writes it, and asks for the next when the peer has taken it.
 * jobs_log -> pool -> jobs_on_piece -> write -> ... -> end.
 */
struct download {
	struct req *req;
	struct loop *loop;
	bool ndjson;
	struct ulid job;
	uint64_t limit;
	const char *spool;
	char head[512]; /* of the text form */
	bool begun;     /* the answer's head is sent */
	bool gone;      /* the peer; ends when the pool is done */
	bool busy;      /* the pool works */
	/* the pool's while busy */
	struct joblog_reader *reader;
	uint64_t offset;
	uint64_t line;
	bool at_end;
	struct buf raw, text;
	struct err err;
};

static void download_next(struct download *d);

static void
download_free(struct download *d)
{
	struct req *r = d->req;

	joblog_close(d->reader);
	buf_fini(&d->raw);
	buf_fini(&d->text);
	mem_free(d);
	req_release(r);
}

/* --------------------------------------------------------------- the pool */

static const char *
upper_tag(enum joblog_tag tag)
{
	static const char *const names[] = {
		[JOBLOG_OUT] = "OUT",
		[JOBLOG_ERR] = "ERR",
		[JOBLOG_EVT] = "EVT",
		[JOBLOG_HOOK] = "HOOK",
		[JOBLOG_SYS] = "SYS",
	};

	return names[tag];
}

static void
format_text(struct download *d, const struct joblog_entry *en)
{
	char when[CLOCK_TEXT_CAP];

	clock_text(en->ts_ms, when);
	buf_printf(&d->text, "%.12s  %-4s  ", when + 11, upper_tag(en->tag));
	buf_put_str(&d->text, en->text);
	buf_putc(&d->text, '\n');
}

static void
format_json(struct download *d, const struct joblog_entry *en)
{
	struct json_out j;

	json_out_init(&j, &d->text);
	json_obj(&j, NULL);
	json_put_uint(&j, "seq", d->line);
	json_put_time(&j, "ts", en->ts_ms);
	json_put(&j, "stream", joblog_stream_name(en->tag));
	json_put_str(&j, "payload", en->text);
	json_obj_end(&j);
	buf_putc(&d->text, '\n');
}

static void
format_piece(struct download *d)
{
	struct str rest = buf_str(&d->raw);
	struct joblog_entry en;

	if (d->line == 0 && !d->ndjson)
		buf_puts(&d->text, d->head);
	while (joblog_next(&rest, &en)) {
		d->line++;
		if (d->ndjson)
			format_json(d, &en);
		else
			format_text(d, &en);
	}
	if (d->err.rc == RC_OK && buf_rc(&d->text) != RC_OK)
		(void)err_set(&d->err, RC_LIMIT, "a line is too long");
}

static void
jobs_on_read(void *ctx)
{
	struct download *d = ctx;
	uint64_t next = d->offset;
	enum rc rc = RC_OK;

	buf_reset(&d->raw);
	buf_reset(&d->text);
	if (d->reader == NULL && d->limit > 0)
		rc = joblog_open(d->spool, &d->job, d->limit, &d->reader,
		    &d->err);
	if (rc == RC_OK && d->reader != NULL)
		rc = joblog_read(d->reader, d->offset, READ_BYTES, &d->raw,
		    &next, &d->err);
	if (rc == RC_OK)
		d->err = (struct err){ 0 };
	d->at_end = next == d->offset || next >= d->limit;
	d->offset = next;
	if (d->err.rc == RC_OK || d->raw.len > 0)
		format_piece(d);
}

/* --------------------------------------------------------------- the loop */

static void
jobs_on_writable(struct req *r, void *ctx)
{
	struct download *d = ctx;

	(void)r;
	if (!d->busy)
		download_next(d);
}

static void
jobs_on_closed(struct req *r, void *ctx)
{
	struct download *d = ctx;

	(void)r;
	d->gone = true;
	if (!d->busy)
		download_free(d);
}

static const struct req_stream download_stream = { jobs_on_writable,
	jobs_on_closed };

static void jobs_on_piece(void *ctx);

static void
download_read(struct download *d)
{
	d->busy = true;
	loop_work(d->loop, jobs_on_read, jobs_on_piece, d);
}

static bool
download_begin(struct download *d)
{
	char name[96], id[ULID_TEXT_CAP];

	ulid_text(&d->job, id);
	if (str_fmt(name, sizeof(name),
	        "attachment; filename=\"restic-manager-job-%s.%s\"", id,
	        d->ndjson ? "ndjson" : "txt"))
		req_add_field(d->req, "content-disposition", name);
	req_add_field(d->req, "content-type",
	    d->ndjson ? "application/x-ndjson" : "text/plain; charset=utf-8");
	d->begun = true;
	return req_stream_begin(d->req, 200, &download_stream, d);
}

/* Writes the piece at hand, then reads the next. */
static void
download_next(struct download *d)
{
	enum rc rc = RC_OK;

	if (d->text.len > 0)
		rc = req_stream_write(d->req, buf_str(&d->text));
	if (rc != RC_OK)
		return; /* writable or closed will come */
	buf_reset(&d->text);
	if (d->err.rc != RC_OK) {
		log_warn(LOG_SPOOL, "log download cut short error=%s",
		    log_safe(str_of(d->err.msg)));
		req_stream_abort(d->req);
	} else if (d->at_end) {
		req_stream_end(d->req);
	} else {
		download_read(d);
	}
}

static void
jobs_on_piece(void *ctx)
{
	struct download *d = ctx;

	d->busy = false;
	if (d->gone) {
		download_free(d);
	} else if (d->begun) {
		download_next(d);
	} else if (d->err.rc != RC_OK && d->text.len == 0) {
		req_fail(d->req, &d->err);
		download_free(d);
	} else if (!download_begin(d)) {
		download_free(d);
	}
}

static void
fill_head(struct download *d, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	char id[ULID_TEXT_CAP], when[CLOCK_TEXT_CAP];

	ulid_text(&d->job, id);
	clock_text(j->created_at_ms, when);
	if (!str_fmt(d->head, sizeof(d->head),
	        "# job %s\n# kind %s\n# host %.200s\n# state %s\n"
	        "# created %s\n# times are UTC\n\n",
	        id, job_kind_name(j->kind), h == NULL ? "" : h->name,
	        job_state_name(j->state), when))
		d->head[0] = '\0';
}

static enum rc
download_describe(struct download *d, struct req *r, struct err *e)
{
	struct store_tx *tx = store_begin_read(r->ctl->state, &r->arena);
	const struct Rec__Job *j = job_store_get(tx, &d->job);
	const struct Rec__Host *h = NULL;
	enum rc rc = RC_OK;
	struct ulid host;

	if (j != NULL && pb_id_get(&j->host_id, &host))
		h = host_store_find(tx, &host);
	if (j == NULL || store_rc(tx) != RC_OK) {
		*e = *store_err(tx);
		rc = e->rc;
	} else if (j->log_expired) {
		rc = err_set(e, RC_GONE, "the log was removed by retention");
	} else {
		d->limit = j->log_bytes;
		fill_head(d, j, h);
	}
	store_abort(tx);
	return rc;
}

static void
download(struct req *r, bool ndjson)
{
	struct download *d = MEM_NEW(struct download);
	struct err e;
	enum rc rc;

	req_hold(r);
	d->req = r;
	d->loop = r->ctl->loop;
	d->spool = r->ctl->settings.spool_dir;
	d->ndjson = ndjson;
	buf_init(&d->raw, RAW_MAX);
	buf_init(&d->text, TEXT_MAX);
	if (req_ulid(r, 0, &d->job) != RC_OK)
		rc = err_set(&e, RC_NOTFOUND, "there is no job with this id");
	else
		rc = download_describe(d, r, &e);
	if (rc == RC_OK)
		rc = quota_answer(r, &e);
	if (rc == RC_OK) {
		download_read(d);
		return;
	}
	req_fail(r, &e);
	download_free(d);
}

void
jobs_log_txt(struct req *r)
{
	download(r, false);
}

void
jobs_log_ndjson(struct req *r)
{
	download(r, true);
}
