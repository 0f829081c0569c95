/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "controller/controller.h"
#include "controller/jobs.h"
#include "controller/pb.h"
#include "controller/pieces.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"
#include "spool/joblog_read.h"

enum {
	READ_BYTES = 65536,
	RAW_MAX = 1 << 20
};

/* Everything stored so far. */
struct download {
	bool ndjson;
	struct ulid job;
	uint64_t limit;
	const char *spool;
	char head[512]; /* of the text form */
	/* the pool's */
	struct joblog_reader *reader;
	uint64_t offset;
	uint64_t line;
	struct buf raw;
};

static void
jobs_on_downloaded(void *ctx)
{
	struct download *d = ctx;

	joblog_close(d->reader);
	buf_fini(&d->raw);
	mem_free(d);
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
format_text(struct buf *out, const struct joblog_entry *en)
{
	char when[CLOCK_TEXT_CAP];

	clock_text(en->ts_ms, when);
	buf_printf(out, "%.12s  %-4s  ", when + 11, upper_tag(en->tag));
	buf_put_str(out, en->text);
	buf_putc(out, '\n');
}

static void
format_json(struct buf *out, uint64_t line, const struct joblog_entry *en)
{
	struct json_out j;

	json_out_init(&j, out);
	json_obj(&j, NULL);
	json_put_uint(&j, "seq", line);
	json_put_time(&j, "ts", en->ts_ms);
	json_put(&j, "stream", joblog_stream_name(en->tag));
	json_put_str(&j, "payload", en->text);
	json_obj_end(&j);
	buf_putc(out, '\n');
}

static void
format_piece(struct download *d, struct buf *out)
{
	struct str rest = buf_str(&d->raw);
	struct joblog_entry en;

	if (d->line == 0 && !d->ndjson)
		buf_puts(out, d->head);
	while (joblog_next(&rest, &en)) {
		d->line++;
		if (d->ndjson)
			format_json(out, d->line, &en);
		else
			format_text(out, &en);
	}
}

static bool
jobs_on_piece(void *ctx, struct buf *out, struct err *e)
{
	struct download *d = ctx;
	uint64_t from = d->offset, next = from;
	enum rc rc = RC_OK;
	struct err why;

	buf_reset(&d->raw);
	if (d->reader == NULL && d->limit > 0)
		rc = joblog_open(d->spool, &d->job, d->limit, &d->reader, &why);
	if (rc == RC_OK && d->reader != NULL)
		rc = joblog_read(d->reader, from, READ_BYTES, &d->raw, &next,
		    &why);
	d->offset = next;
	if (rc == RC_OK || d->raw.len > 0)
		format_piece(d, out);
	if (rc != RC_OK)
		*e = why;
	return rc == RC_OK && next > from && next < d->limit;
}

/* --------------------------------------------------------------- the loop */

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
	char name[96], id[ULID_TEXT_CAP];
	struct pieces_opts o = { ndjson ? "application/x-ndjson"
		                        : "text/plain; charset=utf-8",
		name, jobs_on_piece, jobs_on_downloaded, NULL };
	struct download *d;
	struct ulid job;
	struct err e;

	if (!req_need_ulid(r, 0, "there is no job with this id", &job))
		return;
	ulid_text(&job, id);
	(void)snprintf(name, sizeof(name), "restic-manager-job-%s.%s", id,
	    ndjson ? "ndjson" : "txt");
	d = MEM_NEW(struct download);
	d->job = job;
	d->spool = r->ctl->settings.spool_dir;
	d->ndjson = ndjson;
	buf_init(&d->raw, RAW_MAX);
	o.ctx = d;
	if (download_describe(d, r, &e) == RC_OK) {
		pieces_start(r, &o);
		return;
	}
	req_fail(r, &e);
	jobs_on_downloaded(d);
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
