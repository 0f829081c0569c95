/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spool/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "spool/queue_impl.h"

enum {
	TAIL_KEEP = 131072 /* a larger buffer is given back after a sync */
};

struct queue_seg *
queue_active(const struct queue *q)
{
	ASSERT(q->n > 0);
	return &q->segs[q->n - 1];
}

enum rc
queue_path(const struct queue *q, const char *name, char dst[QUEUE_PATH_CAP],
    struct err *e)
{
	if (fsio_join(dst, QUEUE_PATH_CAP, q->dir, name) != RC_OK)
		return err_set(e, RC_LIMIT, "the path is too long: %.100s...",
		    q->dir);
	return RC_OK;
}

enum rc
queue_seg_path(const struct queue *q, uint64_t first, char dst[QUEUE_PATH_CAP],
    struct err *e)
{
	char name[QUEUE_NAME_CAP];

	queue_seg_name(first, name);
	return queue_path(q, name, dst, e);
}

void
queue_add_seg(struct queue *q, const struct queue_seg *seg)
{
	if (q->n == q->cap) {
		q->cap = q->cap == 0 ? 16 : q->cap * 2;
		q->segs = mem_realloc(q->segs, q->cap * sizeof(*q->segs));
	}
	q->segs[q->n++] = *seg;
	q->bytes += seg->size;
}

void
queue_del_seg(struct queue *q, size_t i)
{
	q->bytes -= q->segs[i].size;
	q->n--;
	memmove(&q->segs[i], &q->segs[i + 1], (q->n - i) * sizeof(*q->segs));
}

void
queue_view_drop(struct queue *q)
{
	buf_fini(&q->view.file);
	q->view.first = 0;
}

const uint8_t *
queue_epoch(const struct queue *q)
{
	return q->epoch;
}

uint64_t
queue_next(const struct queue *q)
{
	return q->n == 0 ? 1 : queue_active(q)->last + 1;
}

uint64_t
queue_first(const struct queue *q)
{
	return q->n == 0 ? 1 : q->acked + 1;
}

uint64_t
queue_synced(const struct queue *q)
{
	return q->synced;
}

static enum rc
usable(const struct queue *q, struct err *e)
{
	if (q->fd >= 0)
		return RC_OK;
	return err_set(e, RC_IO, "%s: could not be begun anew, open it again",
	    q->dir);
}

/* ---- append */

static enum rc
write_at(struct queue *q, uint64_t at, struct str data, struct err *e)
{
	enum rc rc;

	if (lseek(q->fd, (off_t)at, SEEK_SET) < 0)
		return err_errno(e, errno, "%s: cannot seek", q->dir);
	rc = fsio_write_all(q->fd, data, e);
	if (rc != RC_OK && e != NULL)
		(void)err_wrap(e, "%s", q->dir);
	return rc;
}

/* What a failed append left must go before the next one: it is text from
 * outside and could be read as records. */
static enum rc
cut_torn(struct queue *q, struct err *e)
{
	if (!q->torn)
		return RC_OK;
	if (ftruncate(q->fd, (off_t)queue_active(q)->size) != 0)
		return err_errno(e, errno, "%s: cannot cut a torn record",
		    q->dir);
	q->torn = false;
	queue_seg_reserve(q->fd); /* went with the cut */
	return RC_OK;
}

/* The full segment is synced whole before the next one begins, so only the
 * active one can ever be torn. */
static enum rc
rotate(struct queue *q, struct err *e)
{
	const int old = q->fd;
	const off_t size = (off_t)queue_active(q)->size;
	enum rc rc;

	if ((rc = queue_sync(q, e)) != RC_OK)
		return rc;
	if ((rc = queue_seg_make(q, false, e)) != RC_OK)
		return rc;
	if (ftruncate(old, size) != 0) {
		/* The space ahead of its end stays taken until it is
		 * acknowledged; nothing is lost by that. */
	}
	(void)close(old);
	return RC_OK;
}

static enum rc
room_in_ring(struct queue *q, enum queue_type type, uint64_t need,
    struct err *e)
{
	enum rc rc;

	if (q->bytes + need <= q->max_bytes)
		return RC_OK;
	rc = queue_condense(q, need, e);
	if (type != QUEUE_LOG || q->bytes + need <= q->max_bytes)
		return RC_OK;
	if (rc != RC_OK)
		return rc;
	return err_set(e, RC_FULL,
	    "%s: full, %llu bytes wait for the controller", q->dir,
	    (unsigned long long)q->bytes);
}

static enum rc
room_in_segment(struct queue *q, enum queue_type type, uint64_t need,
    struct err *e)
{
	const uint64_t size = queue_active(q)->size;
	enum rc rc;

	if (size + need <= QUEUE_SEGMENT_SIZE)
		return RC_OK;
	if ((rc = rotate(q, e)) == RC_OK)
		return RC_OK;
	return type != QUEUE_LOG && size + need <= QUEUE_SEG_MAX ? RC_OK : rc;
}

static enum rc
write_record(struct queue *q, const struct queue_record *rec, struct err *e)
{
	struct queue_seg *seg = queue_active(q);
	const size_t at = q->tail.len;
	struct str bytes;
	enum rc rc;

	queue_seg_put(&q->tail, rec);
	ASSERT(buf_rc(&q->tail) == RC_OK);
	bytes = str_sub(buf_str(&q->tail), at, q->tail.len);
	if ((rc = write_at(q, seg->size, bytes, e)) != RC_OK) {
		buf_cut(&q->tail, at);
		q->torn = true;
		return rc;
	}
	seg->size += bytes.n;
	seg->last = rec->seq;
	seg->logs += rec->type == QUEUE_LOG ? bytes.n : 0;
	q->bytes += bytes.n;
	return RC_OK;
}

enum rc
queue_append(struct queue *q, enum queue_type type, struct str payload,
    uint64_t *seq, struct err *e)
{
	const uint64_t need = QUEUE_REC_HEAD + payload.n;
	struct queue_record rec = { .type = type, .payload = payload };
	enum rc rc;

	if (payload.n > QUEUE_RECORD_MAX)
		return err_set(e, RC_LIMIT,
		    "an event of %zu bytes is larger than the %d allowed",
		    payload.n, QUEUE_RECORD_MAX);
	if ((rc = usable(q, e)) != RC_OK || (rc = cut_torn(q, e)) != RC_OK)
		return rc;
	if ((rc = room_in_ring(q, type, need, e)) != RC_OK)
		return rc;
	if ((rc = room_in_segment(q, type, need, e)) != RC_OK)
		return rc;
	rec.seq = queue_next(q);
	rec.at_ms = clock_now_ms();
	if ((rc = write_record(q, &rec, e)) != RC_OK)
		return rc;
	*seq = rec.seq;
	return RC_OK;
}

/* ---- sync */

/* The kernel tells a failed write-back once and then takes the pages for
 * clean: written again they are dirty again, so that the next sync means
 * what it says. */
static enum rc
write_again(struct queue *q, struct err *e)
{
	if (!q->rewrite)
		return RC_OK;
	return write_at(q, q->synced_size, buf_str(&q->tail), e);
}

/* The records themselves are safe: hints that are not written cost no more
 * than sending something again. */
static void
write_hints(struct queue *q)
{
	const enum rc rc = queue_marks_write(q, NULL);

	(void)rc;
}

enum rc
queue_sync(struct queue *q, struct err *e)
{
	enum rc rc;

	if ((rc = usable(q, e)) != RC_OK)
		return rc;
	if (q->tail.len == 0)
		return RC_OK;
	if ((rc = write_again(q, e)) != RC_OK)
		return rc;
	if (fdatasync(q->fd) != 0) {
		q->rewrite = true;
		return err_errno(e, errno, "%s: cannot sync", q->dir);
	}
	q->rewrite = false;
	q->synced = queue_active(q)->last;
	q->synced_size = queue_active(q)->size;
	buf_reset(&q->tail);
	if (q->tail.cap > TAIL_KEEP)
		buf_fini(&q->tail);
	write_hints(q);
	return RC_OK;
}

/* ---- peek */

static enum rc
view_read(struct queue_view *v, int fd, size_t want, struct err *e)
{
	char *dst = buf_reserve(&v->file, want);
	ssize_t n;

	ASSERT(dst != NULL);
	while (want > 0) {
		n = pread(fd, dst, want, (off_t)v->file.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "cannot read");
		if (n == 0)
			return err_set(e, RC_CORRUPT, "shorter than it was");
		buf_added(&v->file, (size_t)n);
		dst += n;
		want -= (size_t)n;
	}
	return RC_OK;
}

static enum rc
view_fill(struct queue *q, const struct queue_seg *seg, struct err *e)
{
	const size_t want = (size_t)seg->size - q->view.file.len;
	char path[QUEUE_PATH_CAP];
	enum rc rc;
	int fd;

	if (want == 0)
		return RC_OK;
	if (seg == queue_active(q))
		return view_read(&q->view, q->fd, want, e);
	if ((rc = queue_seg_path(q, seg->first, path, e)) != RC_OK)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, errno, "cannot open");
	rc = view_read(&q->view, fd, want, e);
	(void)close(fd);
	return rc;
}

/* Loads the segment and stands before the record that has from or more. */
static enum rc
view_open(struct queue *q, const struct queue_seg *seg, uint64_t from,
    struct err *e)
{
	struct queue_view *v = &q->view;
	struct str rest;
	enum rc rc;

	if (v->first != seg->first) {
		queue_view_drop(q);
		v->first = seg->first;
		v->at = 0;
	}
	if ((rc = view_fill(q, seg, e)) != RC_OK)
		return rc;
	if (v->at != 0 && from > v->before)
		return RC_OK;
	rest = buf_str(&v->file);
	rc = queue_seg_take_head(&rest, q->epoch, seg->first);
	if (rc != RC_OK)
		return err_set(e, RC_CORRUPT, "the header is damaged");
	v->at = v->file.len - rest.n;
	v->before = seg->first - 1;
	return RC_OK;
}

static enum rc
view_next(struct queue *q, uint64_t from, struct queue_record *out,
    struct err *e)
{
	struct queue_view *v = &q->view;
	struct queue_record rec;
	struct str rest;
	enum rc rc;

	do {
		rest = str_sub(buf_str(&v->file), v->at, v->file.len);
		rc = queue_seg_take(&rest, v->before, &rec);
		if (rc != RC_OK)
			return err_set(e, RC_CORRUPT,
			    "the record after %llu is damaged",
			    (unsigned long long)v->before);
		v->at = v->file.len - rest.n;
		v->before = rec.seq;
	} while (rec.seq < from);
	*out = rec;
	return RC_OK;
}

enum rc
queue_peek(struct queue *q, uint64_t from, struct queue_record *out,
    struct err *e)
{
	char name[QUEUE_NAME_CAP];
	size_t i = 0;
	enum rc rc;

	if ((rc = usable(q, e)) != RC_OK)
		return rc;
	if (from < queue_first(q))
		from = queue_first(q);
	if (from > q->synced)
		return RC_NOTFOUND;
	while (q->segs[i].last < from)
		i++;
	if ((rc = view_open(q, &q->segs[i], from, e)) == RC_OK)
		rc = view_next(q, from, out, e);
	if (rc == RC_OK)
		return RC_OK;
	queue_view_drop(q);
	queue_seg_name(q->segs[i].first, name);
	if (e != NULL)
		(void)err_wrap(e, "%s/%s", q->dir, name);
	return rc;
}

/* ---- acknowledge */

/* The marks must be on disk first: a segment missing in front is no damage
 * only if what it held is known to be acknowledged. */
static enum rc
forget(struct queue *q, struct err *e)
{
	char path[QUEUE_PATH_CAP];
	enum rc rc;

	if (q->n == 1 || q->segs[0].last > q->acked)
		return RC_OK;
	if ((rc = queue_marks_write(q, e)) != RC_OK)
		return rc;
	if (fdatasync(q->marks_fd) != 0)
		return err_errno(e, errno, "%s: cannot sync the marks", q->dir);
	while (q->n > 1 && q->segs[0].last <= q->acked) {
		rc = queue_seg_path(q, q->segs[0].first, path, e);
		if (rc != RC_OK)
			return rc;
		if (unlink(path) != 0 && errno != ENOENT)
			return err_errno(e, errno, "%s: cannot remove", path);
		queue_del_seg(q, 0);
	}
	return RC_OK;
}

enum rc
queue_ack(struct queue *q, uint64_t seq, struct err *e)
{
	enum rc rc;

	if ((rc = usable(q, e)) != RC_OK)
		return rc;
	if (seq > q->synced)
		return err_set(e, RC_INVALID,
		    "number %llu acknowledged, but %llu is the last one sent",
		    (unsigned long long)seq, (unsigned long long)q->synced);
	if (seq <= q->acked)
		return RC_OK;
	q->acked = seq;
	if (q->acked == q->synced)
		queue_view_drop(q);
	write_hints(q);
	return forget(q, e);
}
