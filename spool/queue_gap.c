/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A full ring: log payloads are dropped from the oldest segments, gap
 * records take their place.  A segment is rewritten as a whole, together
 * with the one before it if that has become small, so that a ring that stays
 * full for long keeps a bounded number of files.
 */
#include <errno.h>
#include <unistd.h>

#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "spool/queue_impl.h"

enum {
	FILE_MODE = 0600
};

/* All records of one or two neighbouring segments, and what becomes of
 * them. */
struct condense {
	const struct queue *q;
	struct buf in[2];
	struct queue_record *records; /* lent from in */
	size_t n, cap;
	uint64_t first; /* number the records begin with */
	struct buf out;
};

static void
condense_fini(struct condense *c)
{
	buf_fini(&c->in[0]);
	buf_fini(&c->in[1]);
	buf_fini(&c->out);
	mem_free(c->records);
}

static void
add_record(struct condense *c, const struct queue_record *rec)
{
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 256 : c->cap * 2;
		c->records =
		    mem_realloc(c->records, c->cap * sizeof(*c->records));
	}
	c->records[c->n++] = *rec;
}

static enum rc
condense_load(struct condense *c, const struct queue_seg *seg, struct buf *file,
    struct err *e)
{
	char path[QUEUE_PATH_CAP];
	struct queue_record rec;
	uint64_t before = seg->first - 1;
	struct str rest;
	enum rc rc;

	if ((rc = queue_seg_path(c->q, seg->first, path, e)) != RC_OK)
		return rc;
	if ((rc = fsio_read(path, file, e)) != RC_OK)
		return rc;
	rest = buf_str(file);
	rc = queue_seg_take_head(&rest, c->q->epoch, seg->first);
	if (rc != RC_OK)
		return err_set(e, RC_CORRUPT, "%s: damaged", path);
	while ((rc = queue_seg_take(&rest, before, &rec)) == RC_OK) {
		before = rec.seq;
		add_record(c, &rec);
	}
	if (rc != RC_NOTFOUND || before != seg->last)
		return err_set(e, RC_CORRUPT, "%s: damaged", path);
	return RC_OK;
}

static uint64_t
run_size(const struct queue_run *run)
{
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < run->n; i++)
		size += QUEUE_REC_HEAD + run->records[i].payload.n;
	return size;
}

static void
put_unchanged(struct condense *c, const struct queue_run *run)
{
	size_t i;

	for (i = 0; i < run->n; i++)
		queue_seg_put(&c->out, &run->records[i]);
}

/* One record instead of many, if that is shorter.  RC_LIMIT: what stands for
 * all of them does not fit one record. */
static enum rc
put_gap(struct condense *c, const struct queue_run *run)
{
	struct queue_record rec = run->records[run->n - 1];
	struct buf gap;
	enum rc rc;

	buf_init(&gap, QUEUE_RECORD_MAX);
	c->q->gap(c->q->gap_ctx, run, &gap);
	rc = buf_rc(&gap);
	rec.type = QUEUE_GAP;
	rec.payload = buf_str(&gap);
	if (rc == RC_OK && QUEUE_REC_HEAD + gap.len < run_size(run))
		queue_seg_put(&c->out, &rec);
	else if (rc == RC_OK || run->n == 1)
		put_unchanged(c, run);
	buf_fini(&gap);
	return run->n == 1 ? RC_OK : rc;
}

/* Halves a run until what stands for a part fits.  The parts still to do are
 * all behind one another, so the end of the run is all there is to keep. */
static void
put_run(struct condense *c, const struct queue_run *run)
{
	struct queue_run part = *run;
	size_t left = run->n;

	while (left > 0) {
		part.to = part.records[part.n - 1].seq;
		if (part.n == 1 && part.records[0].type == QUEUE_GAP)
			put_unchanged(c, &part);
		else if (put_gap(c, &part) != RC_OK) {
			part.n /= 2;
			continue;
		}
		left -= part.n;
		part.from = part.to + 1;
		part.records += part.n;
		part.n = left;
	}
}

static void
put_all(struct condense *c)
{
	struct queue_run run = { .from = c->first };
	size_t i = 0;

	while (i < c->n) {
		run.records = &c->records[i];
		for (run.n = 0; i + run.n < c->n; run.n++)
			if (run.records[run.n].type == QUEUE_EVENT)
				break;
		put_run(c, &run);
		i += run.n;
		if (i < c->n)
			queue_seg_put(&c->out, &c->records[i++]);
		run.from = c->records[i - 1].seq + 1;
	}
}

/* Rewrites segment i, with the one before it when joined, under the first
 * name.  RC_LIMIT: both do not fit one segment. */
static enum rc
condense_segs(struct queue *q, size_t i, bool joined, struct err *e)
{
	const size_t at = joined ? i - 1 : i;
	const struct queue_seg seg = { .first = q->segs[at].first,
		.last = q->segs[i].last };
	struct condense c = { .q = q, .first = seg.first };
	char path[QUEUE_PATH_CAP];
	enum rc rc;

	buf_init(&c.in[0], QUEUE_SEG_MAX);
	buf_init(&c.in[1], QUEUE_SEG_MAX);
	buf_init(&c.out, QUEUE_SEG_MAX);
	if ((rc = condense_load(&c, &q->segs[at], &c.in[0], e)) != RC_OK)
		goto out;
	if (joined) {
		rc = condense_load(&c, &q->segs[i], &c.in[1], e);
		if (rc != RC_OK)
			goto out;
	}
	queue_seg_put_head(&c.out, q->epoch, seg.first);
	put_all(&c);
	if ((rc = buf_rc(&c.out)) != RC_OK)
		goto out;
	if ((rc = queue_seg_path(q, seg.first, path, e)) != RC_OK)
		goto out;
	rc = fsio_replace(path, buf_str(&c.out), FILE_MODE, e);
	if (rc != RC_OK)
		goto out;
	queue_view_drop(q);
	q->bytes -= q->segs[at].size;
	q->segs[at].last = seg.last;
	q->segs[at].size = c.out.len;
	q->segs[at].logs = 0;
	q->bytes += c.out.len;
out:
	condense_fini(&c);
	return rc;
}

/* The file that was joined to its neighbour; what is left of it after a
 * crash here, the next start removes. */
static enum rc
drop_joined(struct queue *q, size_t i, struct err *e)
{
	char path[QUEUE_PATH_CAP];
	enum rc rc;

	if ((rc = queue_seg_path(q, q->segs[i].first, path, e)) != RC_OK)
		return rc;
	queue_del_seg(q, i);
	if (unlink(path) != 0)
		return err_errno(e, errno, "%s: cannot remove", path);
	return RC_OK;
}

/* Joining is worth it while what cannot be dropped fits beside the other. */
static bool
joinable(const struct queue *q, size_t i)
{
	return i > 0 &&
	       q->segs[i - 1].size + q->segs[i].size - q->segs[i].logs <=
	           QUEUE_SEGMENT_SIZE / 2;
}

/* Condenses the oldest segments one by one; *i is where to go on. */
static enum rc
condense_next(struct queue *q, size_t *i, struct err *e)
{
	enum rc rc;

	if (joinable(q, *i)) {
		rc = condense_segs(q, *i, true, e);
		if (rc == RC_OK)
			return drop_joined(q, *i, e);
		if (rc != RC_LIMIT)
			return rc;
	}
	rc = condense_segs(q, *i, false, e);
	(*i)++;
	return rc;
}

enum rc
queue_condense(struct queue *q, uint64_t need, struct err *e)
{
	enum rc rc = RC_OK;
	size_t i = 0;

	while (rc == RC_OK && i + 1 < q->n && q->bytes + need > q->max_bytes) {
		if (q->segs[i].logs == 0)
			i++;
		else
			rc = condense_next(q, &i, e);
	}
	return rc;
}
