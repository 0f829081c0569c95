/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spool/joblog_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "spool/joblog_index.h"

/*
 * Everything reads through chunk_at(), which lends a stretch of the text:
 * read from the file as it is, or out of the frame that holds it, which
 * stays unpacked in window.
 */
struct joblog_reader {
	char path[JOBLOG_PATH_CAP];
	int fd;
	uint64_t limit; /* committed */
	uint64_t end;   /* of it there */
	struct buf window;
	ZSTD_DCtx *zstd; /* of a compressed log, NULL otherwise */
	struct joblog_frame *frames;
	size_t n;
	size_t unpacked; /* which frame is in window; n: none */
	struct buf packed;
};

/* ---- open */

/* Exactly want bytes into the empty buffer. */
static enum rc
read_at(struct joblog_reader *r, uint64_t at, size_t want, struct buf *out,
    struct err *e)
{
	char *dst;
	ssize_t n;

	buf_reset(out);
	dst = buf_reserve(out, want);
	if (dst == NULL)
		return err_set(e, RC_LIMIT, "%s: no memory", r->path);
	while (out->len < want) {
		n = pread(r->fd, dst + out->len, want - out->len,
		    (off_t)(at + out->len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "%s: cannot read", r->path);
		if (n == 0)
			return err_set(e, RC_CORRUPT, "%s: became shorter",
			    r->path);
		buf_added(out, (size_t)n);
	}
	return RC_OK;
}

static enum rc
damaged(const struct joblog_reader *r, const char *what, struct err *e)
{
	return err_set(e, RC_CORRUPT, "%s: %s; zstdcat shows what is left",
	    r->path, what);
}

static enum rc
read_index(struct joblog_reader *r, uint64_t size, struct err *e)
{
	struct buf b;
	size_t n = 0;
	enum rc rc;

	if (size < JOBLOG_INDEX_TAIL)
		return damaged(r, "cut off", e);
	buf_init(&b, JOBLOG_INDEX_MAX);
	rc = read_at(r, size - JOBLOG_INDEX_TAIL, JOBLOG_INDEX_TAIL, &b, e);
	if (rc != RC_OK)
		goto out;
	if (joblog_index_size(buf_str(&b), &n) != RC_OK || n > size) {
		rc = damaged(r, "its end is missing", e);
		goto out;
	}
	if ((rc = read_at(r, size - n, n, &b, e)) != RC_OK)
		goto out;
	rc = joblog_index_parse(buf_str(&b), size, &r->frames, &r->n);
	if (rc != RC_OK)
		rc = damaged(r, "its index is damaged", e);
out:
	buf_fini(&b);
	return rc;
}

static enum rc
open_packed(struct joblog_reader *r, uint64_t size, struct err *e)
{
	const struct joblog_frame *last;
	enum rc rc;

	r->zstd = ZSTD_createDCtx();
	if (r->zstd == NULL)
		return err_set(e, RC_LIMIT, "%s: no memory", r->path);
	if ((rc = read_index(r, size, e)) != RC_OK)
		return rc;
	r->unpacked = r->n;
	last = r->n == 0 ? NULL : &r->frames[r->n - 1];
	r->end = last == NULL ? 0 : last->at + last->bytes;
	return RC_OK;
}

static enum rc
open_any(struct joblog_reader *r, const char *root, const struct ulid *id,
    struct err *e)
{
	static const bool order[] = { false, true, false };
	bool packed = false;
	struct stat st;
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; i < ARRAY_LEN(order) && r->fd < 0; i++) {
		packed = order[i];
		if (joblog_path(root, id, packed, r->path, sizeof(r->path)) !=
		    RC_OK)
			return err_set(e, RC_LIMIT,
			    "the path is too long: %.100s...", root);
		r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (r->fd < 0 && errno != ENOENT)
			break;
	}
	if (r->fd < 0)
		return err_errno(e, errno, "%s: cannot open", r->path);
	if (fstat(r->fd, &st) != 0)
		return err_errno(e, errno, "%s: cannot ask for its size",
		    r->path);
	if (packed)
		rc = open_packed(r, (uint64_t)st.st_size, e);
	else
		r->end = (uint64_t)st.st_size;
	if (r->end > r->limit)
		r->end = r->limit;
	return rc;
}

enum rc
joblog_open(const char *root, const struct ulid *id, uint64_t limit,
    struct joblog_reader **out, struct err *e)
{
	struct joblog_reader *r = MEM_NEW(struct joblog_reader);
	enum rc rc;

	r->fd = -1;
	r->limit = limit;
	buf_init(&r->window, JOBLOG_FRAME_SIZE);
	buf_init(&r->packed, ZSTD_COMPRESSBOUND(JOBLOG_FRAME_SIZE));
	if ((rc = open_any(r, root, id, e)) != RC_OK)
		joblog_close(r);
	else
		*out = r;
	return rc;
}

void
joblog_close(struct joblog_reader *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		(void)close(r->fd);
	buf_fini(&r->window);
	buf_fini(&r->packed);
	mem_free(r->frames);
	(void)ZSTD_freeDCtx(r->zstd);
	mem_free(r);
}

/* ---- a stretch of the text */

static size_t
frame_at(const struct joblog_reader *r, uint64_t offset)
{
	size_t low = 0, high = r->n, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (r->frames[middle].at <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static enum rc
unpack(struct joblog_reader *r, size_t i, struct err *e)
{
	const struct joblog_frame *f = &r->frames[i];
	char *dst;
	size_t n;
	enum rc rc;

	if (r->unpacked == i)
		return RC_OK;
	r->unpacked = r->n;
	if (f->packed > ZSTD_COMPRESSBOUND(JOBLOG_FRAME_SIZE))
		return damaged(r, "a frame of its index is too large", e);
	rc = read_at(r, f->packed_at, f->packed, &r->packed, e);
	if (rc != RC_OK)
		return rc;
	buf_reset(&r->window);
	dst = buf_reserve(&r->window, f->bytes);
	if (dst == NULL)
		return err_set(e, RC_LIMIT, "%s: no memory", r->path);
	n = ZSTD_decompressDCtx(r->zstd, dst, f->bytes, r->packed.data,
	    r->packed.len);
	if (n != f->bytes)
		return damaged(r, "a frame is damaged", e);
	buf_added(&r->window, n);
	r->unpacked = i;
	return RC_OK;
}

/* Some of the text from offset on, at most want bytes: at least one, or
 * none at the end.  Lent until the next call. */
static enum rc
chunk_at(struct joblog_reader *r, uint64_t offset, size_t want, struct str *out,
    struct err *e)
{
	const uint64_t left = offset < r->end ? r->end - offset : 0;
	size_t i, n = want < JOBLOG_FRAME_SIZE ? want : JOBLOG_FRAME_SIZE;
	enum rc rc;

	*out = (struct str){ 0 };
	if (left == 0)
		return RC_OK;
	if (n > left)
		n = (size_t)left;
	if (r->zstd == NULL) {
		rc = read_at(r, offset, n, &r->window, e);
		*out = buf_str(&r->window);
		return rc;
	}
	i = frame_at(r, offset);
	if ((rc = unpack(r, i, e)) == RC_OK)
		*out = str_sub(buf_str(&r->window),
		    (size_t)(offset - r->frames[i].at), n);
	return rc;
}

/* ---- read */

/* Whole lines within max, else the first one, else (damaged) all of it. */
static size_t
whole_lines(struct str s, size_t max)
{
	const char *nl;
	size_t n = max < s.n ? max : s.n;

	nl = n == 0 ? NULL : memrchr(s.p, '\n', n);
	if (nl == NULL)
		nl = memchr(s.p + n, '\n', s.n - n);
	return nl == NULL ? s.n : (size_t)(nl - s.p) + 1;
}

enum rc
joblog_read(struct joblog_reader *r, uint64_t offset, size_t max,
    struct buf *out, uint64_t *next, struct err *e)
{
	struct str s;
	enum rc rc;

	rc = chunk_at(r, offset,
	    max > JOBLOG_STORED_MAX ? max : JOBLOG_STORED_MAX, &s, e);
	if (rc != RC_OK)
		return rc;
	if (s.n == 0 && offset < r->limit)
		return err_set(e, RC_CORRUPT,
		    "%s: has %llu bytes, but %llu were committed", r->path,
		    (unsigned long long)r->end, (unsigned long long)r->limit);
	if (s.n > 0)
		s.n = whole_lines(s, max);
	buf_put_str(out, s);
	if (buf_rc(out) != RC_OK)
		return err_set(e, RC_LIMIT, "%s: no room for %zu bytes",
		    r->path, s.n);
	*next = offset + s.n;
	return RC_OK;
}

/* ---- seek */

/* Bytes up to the skip-th line end in s; takes what it passed off *skip. */
static size_t
pass_lines(struct str s, uint64_t *skip)
{
	size_t at = 0;
	const char *nl;

	while (at<s.n && * skip> 0) {
		nl = memchr(s.p + at, '\n', s.n - at);
		if (nl == NULL)
			return s.n;
		at = (size_t)(nl - s.p) + 1;
		(*skip)--;
	}
	return at;
}

/* A whole frame by its index row alone. */
static bool
pass_frame(const struct joblog_reader *r, uint64_t *at, uint64_t *skip)
{
	const struct joblog_frame *f;

	if (r->zstd == NULL || *at >= r->end)
		return false;
	f = &r->frames[frame_at(r, *at)];
	if (f->at != *at || f->at + f->bytes > r->end || f->lines > *skip)
		return false;
	*at += f->bytes;
	*skip -= f->lines;
	return true;
}

/* From the start past skip line ends; *left: those not found before the
 * end. */
static enum rc
walk_lines(struct joblog_reader *r, uint64_t skip, uint64_t *offset,
    uint64_t *left, struct err *e)
{
	uint64_t at = 0;
	struct str s;
	enum rc rc;

	while (skip > 0 && at < r->end) {
		if (pass_frame(r, &at, &skip))
			continue;
		rc = chunk_at(r, at, JOBLOG_FRAME_SIZE, &s, e);
		if (rc != RC_OK)
			return rc;
		at += pass_lines(s, &skip);
	}
	*offset = at;
	*left = skip;
	return RC_OK;
}

enum rc
joblog_seek_line(struct joblog_reader *r, uint64_t line, uint64_t *offset,
    struct err *e)
{
	uint64_t left;

	if (line == 0)
		return err_set(e, RC_INVALID, "lines are counted from 1");
	return walk_lines(r, line - 1, offset, &left, e);
}

enum rc
joblog_seek_tail(struct joblog_reader *r, uint64_t lines, uint64_t *offset,
    uint64_t *first_line, struct err *e)
{
	uint64_t at, left, total, skip;
	enum rc rc;

	if ((rc = walk_lines(r, UINT64_MAX, &at, &left, e)) != RC_OK)
		return rc;
	total = UINT64_MAX - left;
	skip = total > lines ? total - lines : 0;
	if ((rc = walk_lines(r, skip, &at, &left, e)) != RC_OK)
		return rc;
	*offset = at;
	*first_line = skip + 1;
	return RC_OK;
}

/* The stretch of text that ends at *at, and its beginning; whole frames of a
 * compressed log. */
static enum rc
chunk_before(struct joblog_reader *r, uint64_t *at, struct str *out,
    struct err *e)
{
	const uint64_t end = *at;
	uint64_t start = end > JOBLOG_FRAME_SIZE ? end - JOBLOG_FRAME_SIZE : 0;
	enum rc rc;

	if (r->zstd != NULL)
		start = r->frames[frame_at(r, end - 1)].at;
	rc = chunk_at(r, start, (size_t)(end - start), out, e);
	*at = start;
	return rc;
}

/* Goes back over line ends until *left of them are passed; the place behind
 * the last one that may not be. */
static size_t
pass_back(struct str s, uint64_t *left)
{
	size_t n = s.n;

	while (n > 0) {
		const char *nl = memrchr(s.p, '\n', n);

		if (nl == NULL)
			return 0;
		n = (size_t)(nl - s.p);
		if (*left == 0)
			return n + 1;
		(*left)--;
	}
	return 0;
}

enum rc
joblog_seek_back(struct joblog_reader *r, uint64_t lines, uint64_t *offset,
    uint64_t *found, struct err *e)
{
	uint64_t at = r->end, left = lines;
	struct str s;
	size_t keep = 0;
	enum rc rc;

	while (at > 0 && keep == 0) {
		if ((rc = chunk_before(r, &at, &s, e)) != RC_OK)
			return rc;
		keep = pass_back(s, &left);
	}
	*offset = at + keep;
	*found = lines - left;
	return RC_OK;
}

bool
joblog_whole(const struct joblog_reader *r)
{
	return r->end >= r->limit;
}

const char *
joblog_reader_path(const struct joblog_reader *r)
{
	return r->path;
}
