/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "spool/queue_impl.h"

enum {
	DIR_MODE = 0700,
	FILE_MODE = 0600,
	NAMES_MAX = 100000, /* of a directory of at most some hundred */
	BAD_NAMES = 1000
};

/* ---- segments */

void
queue_seg_reserve(int fd)
{
	/* Without it (an old filesystem, a full disk) there is no reserve;
	 * the write itself tells. */
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, QUEUE_SEG_MAX) != 0)
		return;
}

/* RC_FULL only when the disk is full: filesystems that cannot reserve are
 * fine. */
static enum rc
reserve_or_fail(int fd, const char *path, struct err *e)
{
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, QUEUE_SEG_MAX) == 0)
		return RC_OK;
	if (errno != ENOSPC && errno != EDQUOT)
		return RC_OK;
	return err_errno(e, errno, "%s: no room for a segment", path);
}

enum rc
queue_seg_make(struct queue *q, bool poor, struct err *e)
{
	struct queue_seg seg = { .first = queue_next(q) };
	char path[QUEUE_PATH_CAP];
	enum rc rc;
	int fd;

	seg.last = seg.first - 1;
	seg.size = QUEUE_SEG_HEAD;
	if ((rc = queue_seg_path(q, seg.first, path, e)) != RC_OK)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot create", path);
	buf_reset(&q->tail);
	queue_seg_put_head(&q->tail, q->epoch, seg.first);
	rc = reserve_or_fail(fd, path, e);
	if (rc == RC_OK || poor)
		rc = fsio_write_all(fd, buf_str(&q->tail), e);
	if (rc == RC_OK)
		rc = fsio_sync_dir(q->dir, e);
	if (rc != RC_OK) {
		buf_reset(&q->tail);
		(void)close(fd);
		(void)unlink(path);
		return rc;
	}
	queue_add_seg(q, &seg);
	q->fd = fd;
	q->synced_size = 0; /* the header is in tail */
	return RC_OK;
}

static enum rc
remove_seg(const struct queue *q, uint64_t first, struct err *e)
{
	char path[QUEUE_PATH_CAP];
	enum rc rc;

	if ((rc = queue_seg_path(q, first, path, e)) != RC_OK)
		return rc;
	if (unlink(path) != 0)
		return err_errno(e, errno, "%s: cannot remove", path);
	return RC_OK;
}

/* Adds the segment after all that are there, or finds out that it is a
 * rest, or is damaged.  Only the last one may end in a torn record. */
static enum rc
check_seg(struct queue *q, struct queue_seg *seg, struct str file, bool last)
{
	const uint64_t before = q->n == 0 ? seg->first - 1 : queue_next(q) - 1;
	const enum rc rc = queue_seg_scan(file, q->epoch, seg);

	if (rc == RC_VERSION)
		return rc;
	if (rc == RC_OK && seg->last >= seg->first && seg->last <= before)
		return RC_GONE; /* merged into the one before it */
	if (seg->first != before + 1)
		return RC_CORRUPT;
	if (rc == RC_OK)
		return RC_OK;
	if (!last || seg->last < q->synced)
		return RC_CORRUPT;
	if (seg->size > 0)
		return RC_OK;
	/* Made, but its header was never written. */
	if (q->n > 0)
		return RC_GONE;
	/* All before it was acknowledged and is gone: nothing is missing, and
	 * open_active() gives it its header. */
	return q->acked > 0 && seg->first == q->acked + 1 ? RC_OK : RC_CORRUPT;
}

static enum rc
load_seg(struct queue *q, uint64_t first, bool last, struct buf *file,
    struct err *e)
{
	struct queue_seg seg = { .first = first };
	char path[QUEUE_PATH_CAP];
	enum rc rc;

	if ((rc = queue_seg_path(q, first, path, e)) != RC_OK)
		return rc;
	buf_reset(file);
	rc = fsio_read(path, file, e);
	if (rc == RC_IO || rc == RC_LIMIT)
		return err_set(e, RC_CORRUPT, "%s: cannot be read", path);
	if (rc != RC_OK)
		return rc;
	switch ((int)check_seg(q, &seg, buf_str(file), last)) {
	case RC_OK:
		queue_add_seg(q, &seg);
		return RC_OK;
	case RC_GONE:
		return remove_seg(q, first, e);
	case RC_VERSION:
		return err_set(e, RC_VERSION,
		    "%s: its version is newer than this program knows", path);
	default:
		return err_set(e, RC_CORRUPT, "%s: damaged", path);
	}
}

struct names {
	const struct queue *q;
	uint64_t *first;
	size_t n, cap;
};

static enum rc
queue_on_name(void *ctx, const char *name, struct err *e)
{
	struct names *l = ctx;
	char path[QUEUE_PATH_CAP];
	uint64_t first;
	enum rc rc;

	if (str_starts(str_of(name), STR(FSIO_TEMP_PREFIX))) {
		if ((rc = queue_path(l->q, name, path, e)) != RC_OK)
			return rc;
		(void)unlink(path);
	}
	if (!queue_seg_parse_name(name, &first) || first == 0)
		return RC_OK;
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		l->first = mem_realloc(l->first, l->cap * sizeof(*l->first));
	}
	l->first[l->n++] = first;
	return RC_OK;
}

/* What the marks say must agree with what was found. */
static enum rc
check_marks(struct queue *q, struct err *e)
{
	const uint64_t first = q->segs[0].first, last = queue_next(q) - 1;

	if (q->synced > last || q->acked > last)
		return err_set(e, RC_CORRUPT,
		    "the number %llu was synced, but the last one held is %llu",
		    (unsigned long long)q->synced, (unsigned long long)last);
	if (q->synced != 0 && q->acked + 1 < first)
		return err_set(e, RC_CORRUPT,
		    "the numbers from %llu to %llu are missing",
		    (unsigned long long)q->acked + 1,
		    (unsigned long long)first - 1);
	if (q->acked + 1 < first)
		q->acked = first - 1;
	return RC_OK;
}

/* Ascending names.  Those that are acknowledged whole go first, whatever
 * they hold. */
static enum rc
load_all(struct queue *q, const struct names *l, struct err *e)
{
	struct buf file;
	enum rc rc = RC_OK;
	size_t i = 0;

	while (i + 1 < l->n && l->first[i + 1] <= q->acked + 1 && rc == RC_OK)
		rc = remove_seg(q, l->first[i++], e);
	buf_init(&file, QUEUE_SEG_MAX);
	for (; i < l->n && rc == RC_OK; i++)
		rc = load_seg(q, l->first[i], i + 1 == l->n, &file, e);
	buf_fini(&file);
	if (rc == RC_OK && q->n == 0)
		rc = err_set(e, RC_CORRUPT, "there is no segment");
	return rc != RC_OK ? rc : check_marks(q, e);
}

/* A segment that was killed before it had a header gets it now. */
static enum rc
put_head(struct queue *q, struct queue_seg *seg, struct err *e)
{
	struct buf head;
	enum rc rc;

	if (seg->size > 0)
		return RC_OK;
	buf_init(&head, QUEUE_SEG_HEAD);
	queue_seg_put_head(&head, q->epoch, seg->first);
	rc = fsio_write_all(q->fd, buf_str(&head), e);
	buf_fini(&head);
	if (rc != RC_OK)
		return rc;
	seg->size = QUEUE_SEG_HEAD;
	q->bytes += QUEUE_SEG_HEAD;
	return RC_OK;
}

/* Cuts the torn tail and makes sure that all that was found is on disk. */
static enum rc
open_active(struct queue *q, struct err *e)
{
	struct queue_seg *seg = queue_active(q);
	char path[QUEUE_PATH_CAP];
	enum rc rc;

	if ((rc = queue_seg_path(q, seg->first, path, e)) != RC_OK)
		return rc;
	q->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (q->fd < 0)
		return err_errno(e, errno, "%s: cannot open", path);
	if (ftruncate(q->fd, (off_t)seg->size) != 0)
		return err_errno(e, errno, "%s: cannot cut", path);
	queue_seg_reserve(q->fd);
	if ((rc = put_head(q, seg, e)) != RC_OK)
		return rc;
	if (fdatasync(q->fd) != 0)
		return err_errno(e, errno, "%s: cannot sync", path);
	if ((rc = fsio_sync_dir(q->dir, e)) != RC_OK)
		return rc;
	q->synced = seg->last;
	q->synced_size = seg->size;
	return queue_marks_write(q, e);
}

static enum rc
recover(struct queue *q, struct err *e)
{
	struct names l = { .q = q };
	enum rc rc;

	if ((rc = queue_meta_read(q, e)) != RC_OK)
		return rc;
	if ((rc = queue_marks_open(q, e)) != RC_OK)
		return rc;
	rc = fsio_walk(q->dir, NAMES_MAX, queue_on_name, &l, e);
	if (rc == RC_OK)
		rc = load_all(q, &l, e);
	mem_free(l.first);
	return rc != RC_OK ? rc : open_active(q, e);
}

/* ---- a new epoch */

static void
close_files(struct queue *q)
{
	queue_view_drop(q);
	buf_fini(&q->tail);
	if (q->fd >= 0)
		(void)close(q->fd);
	if (q->marks_fd >= 0)
		(void)close(q->marks_fd);
	q->fd = q->marks_fd = -1;
	q->n = 0;
	q->bytes = q->acked = q->synced = q->synced_size = 0;
	q->rewrite = q->torn = false;
}

/* seg-<n>.bad, or .bad.2 and so on when that is taken: never over another. */
static enum rc
queue_set_aside(void *ctx, const char *name, struct err *e)
{
	const struct queue *q = ctx;
	char from[QUEUE_PATH_CAP], to[QUEUE_PATH_CAP];
	struct stat st;
	uint64_t first;
	enum rc rc;
	int i;

	if (!queue_seg_parse_name(name, &first))
		return RC_OK;
	if ((rc = queue_path(q, name, from, e)) != RC_OK)
		return rc;
	for (i = 1; i < BAD_NAMES; i++) {
		if (!(i == 1 ? str_fmt(to, sizeof(to), "%s.bad", from)
		             : str_fmt(to, sizeof(to), "%s.bad.%d", from, i)))
			return err_set(e, RC_LIMIT, "%s: too long", from);
		if (lstat(to, &st) != 0)
			break;
	}
	if (rename(from, to) != 0)
		return err_errno(e, errno, "%s: cannot set aside", from);
	return RC_OK;
}

/* meta goes first and comes last: killed anywhere between, the next start
 * comes here again. */
static enum rc
begin_anew(struct queue *q, struct err *e)
{
	char path[QUEUE_PATH_CAP];
	enum rc rc;

	close_files(q);
	if ((rc = queue_path(q, "meta", path, e)) != RC_OK)
		return rc;
	if ((rc = fsio_remove(path, e)) != RC_OK)
		return rc;
	rc = fsio_walk(q->dir, NAMES_MAX, queue_set_aside, q, e);
	if (rc != RC_OK)
		return rc;
	if ((rc = queue_path(q, "marks", path, e)) != RC_OK)
		return rc;
	if ((rc = fsio_remove(path, e)) != RC_OK)
		return rc;
	crypt_random(q->epoch, sizeof(q->epoch));
	if ((rc = queue_marks_open(q, e)) != RC_OK)
		return rc;
	if ((rc = queue_seg_make(q, true, e)) != RC_OK)
		return rc;
	if ((rc = queue_sync(q, e)) != RC_OK)
		return rc;
	return queue_meta_write(q, e);
}

enum rc
queue_renew(struct queue *q, struct err *e)
{
	const enum rc rc = begin_anew(q, e);

	if (rc != RC_OK)
		close_files(q);
	return rc;
}

static enum rc
open_or_begin(struct queue *q, bool *fresh, struct err *e)
{
	struct err why = { 0 };
	enum rc rc;

	rc = recover(q, &why);
	*fresh = rc == RC_NOTFOUND || rc == RC_CORRUPT;
	if (rc == RC_OK)
		return RC_OK;
	if (!*fresh)
		return err_set(e, rc, "%s", why.msg);
	if (rc == RC_CORRUPT)
		log_warn(LOG_SPOOL,
		    "queue damaged, set aside, new epoch dir=%s why=%s",
		    log_safe(str_of(q->dir)), log_safe(str_of(why.msg)));
	return begin_anew(q, e);
}

enum rc
queue_open(const struct queue_opts *o, struct queue **out, bool *fresh,
    struct err *e)
{
	char path[QUEUE_PATH_CAP];
	struct queue *q;
	enum rc rc;

	ASSERT(o->gap != NULL);
	if (o->max_bytes != 0 && o->max_bytes < QUEUE_BYTES_MIN)
		return err_set(e, RC_INVALID, "a queue needs at least %d bytes",
		    QUEUE_BYTES_MIN);
	if ((rc = fsio_mkdirs(o->dir, DIR_MODE, e)) != RC_OK)
		return rc;
	q = MEM_NEW(struct queue);
	q->dir = mem_strdup(o->dir);
	q->max_bytes = o->max_bytes != 0 ? o->max_bytes : MIB(256);
	q->gap = o->gap;
	q->gap_ctx = o->gap_ctx;
	q->lock_fd = q->fd = q->marks_fd = -1;
	buf_init(&q->tail, QUEUE_SEG_MAX);
	buf_init(&q->view.file, QUEUE_SEG_MAX);
	if ((rc = queue_path(q, "lock", path, e)) == RC_OK &&
	    (rc = fsio_lock(path, &q->lock_fd, e)) == RC_OK)
		rc = open_or_begin(q, fresh, e);
	if (rc != RC_OK)
		queue_close(q);
	else
		*out = q;
	return rc;
}

void
queue_close(struct queue *q)
{
	if (q == NULL)
		return;
	close_files(q);
	if (q->lock_fd >= 0)
		(void)close(q->lock_fd);
	mem_free(q->segs);
	mem_free(q->dir);
	mem_free(q);
}
