/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Compression of a finished job log.  The compressed file gets its name only
 * when it is whole and on disk, and the text goes only after that: killed
 * anywhere, doing it again does what is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "spool/joblog.h"
#include "spool/joblog_index.h"

enum {
	FILE_MODE = 0640,
	LEVEL = 3
};

struct pack {
	struct joblog_files at;
	int in;
	int out;
	uint64_t bytes; /* of the text */
	struct buf text;
	struct buf packed;
	struct buf rows;
	ZSTD_CCtx *zstd;
};

/* No text but a compressed file: it was done before. */
static enum rc
pack_open(struct pack *p, bool *done, struct err *e)
{
	struct stat st;

	p->in = open(p->at.log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (p->in < 0 && errno == ENOENT && access(p->at.zst, F_OK) == 0) {
		*done = true;
		return RC_OK;
	}
	if (p->in < 0)
		return err_errno(e, errno, "%s: cannot open", p->at.log);
	if (fstat(p->in, &st) != 0)
		return err_errno(e, errno, "%s: cannot ask for its size",
		    p->at.log);
	if ((uint64_t)st.st_size < p->bytes)
		return err_set(e, RC_CORRUPT,
		    "%s: has %lld bytes, but %llu were committed", p->at.log,
		    (long long)st.st_size, (unsigned long long)p->bytes);
	p->out = open(p->at.tmp,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (p->out < 0)
		return err_errno(e, errno, "%s: cannot create", p->at.tmp);
	return RC_OK;
}

static enum rc
read_text(struct pack *p, uint64_t at, struct err *e)
{
	const uint64_t left = p->bytes - at;
	size_t want =
	    left < JOBLOG_FRAME_SIZE ? (size_t)left : JOBLOG_FRAME_SIZE;
	char *dst;
	ssize_t n;

	buf_reset(&p->text);
	dst = buf_reserve(&p->text, want);
	ASSERT(dst != NULL);
	while (want > 0) {
		n = pread(p->in, dst + p->text.len, want,
		    (off_t)(at + p->text.len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "%s: cannot read",
			    p->at.log);
		if (n == 0)
			return err_set(e, RC_CORRUPT, "%s: became shorter",
			    p->at.log);
		buf_added(&p->text, (size_t)n);
		want -= (size_t)n;
	}
	return RC_OK;
}

static uint32_t
count_lines(struct str s)
{
	const char *at = s.p, *end = s.p + s.n;
	uint32_t n = 0;

	while (
	    at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		n++;
		at++;
	}
	return n;
}

/* Cuts the frame's text at its last line end, if there is one. */
static void
cut_frame(struct pack *p, uint64_t at)
{
	size_t n = p->text.len;

	if (at + n == p->bytes)
		return;
	while (n > 0 && p->text.data[n - 1] != '\n')
		n--;
	if (n > 0)
		buf_cut(&p->text, n);
}

static enum rc
write_out(struct pack *p, struct str data, struct err *e)
{
	const enum rc rc = fsio_write_all(p->out, data, e);

	if (rc != RC_OK && e != NULL)
		(void)err_wrap(e, "%s", p->at.tmp);
	return rc;
}

static enum rc
write_frame(struct pack *p, struct err *e)
{
	const size_t room = ZSTD_compressBound(p->text.len);
	struct joblog_frame frame = { .bytes = (uint32_t)p->text.len,
		.lines = count_lines(buf_str(&p->text)) };
	char *dst;
	size_t n;

	buf_reset(&p->packed);
	dst = buf_reserve(&p->packed, room);
	ASSERT(dst != NULL);
	n = ZSTD_compress2(p->zstd, dst, room, p->text.data, p->text.len);
	if (ZSTD_isError(n))
		return err_set(e, RC_IO, "%s: cannot compress: %s", p->at.log,
		    ZSTD_getErrorName(n));
	buf_added(&p->packed, n);
	frame.packed = (uint32_t)n;
	joblog_index_row(&p->rows, &frame);
	return write_out(p, buf_str(&p->packed), e);
}

static enum rc
write_frames(struct pack *p, struct err *e)
{
	uint64_t at = 0;
	enum rc rc;

	while (at < p->bytes) {
		if ((rc = read_text(p, at, e)) != RC_OK)
			return rc;
		cut_frame(p, at);
		if ((rc = write_frame(p, e)) != RC_OK)
			return rc;
		at += p->text.len;
	}
	buf_reset(&p->packed);
	joblog_index_put(&p->packed, buf_str(&p->rows));
	if (buf_rc(&p->rows) != RC_OK || buf_rc(&p->packed) != RC_OK)
		return err_set(e, RC_LIMIT, "%s: too large to compress",
		    p->at.log);
	return write_out(p, buf_str(&p->packed), e);
}

/* The order is what keeps the log: name, then the text goes. */
static enum rc
put_in_place(struct pack *p, struct err *e)
{
	char *slash = strrchr(p->at.tmp, '/');
	enum rc rc;

	if (fsync(p->out) != 0)
		return err_errno(e, errno, "%s: cannot sync", p->at.tmp);
	if (rename(p->at.tmp, p->at.zst) != 0)
		return err_errno(e, errno, "%s: cannot name", p->at.zst);
	*slash = '\0';
	rc = fsio_sync_dir(p->at.tmp, e);
	*slash = '/';
	if (rc != RC_OK)
		return rc;
	if (unlink(p->at.log) != 0)
		return err_errno(e, errno, "%s: cannot remove", p->at.log);
	return RC_OK;
}

static enum rc
pack_init(struct pack *p, struct err *e)
{
	p->in = p->out = -1;
	buf_init(&p->text, JOBLOG_FRAME_SIZE);
	buf_init(&p->packed, ZSTD_COMPRESSBOUND(JOBLOG_FRAME_SIZE));
	buf_init(&p->rows, (size_t)JOBLOG_INDEX_ROW * JOBLOG_INDEX_ROWS);
	p->zstd = ZSTD_createCCtx();
	if (p->zstd == NULL ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd,
	        ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(
	        ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1)))
		return err_set(e, RC_LIMIT, "no memory to compress a log");
	return RC_OK;
}

static void
pack_fini(struct pack *p)
{
	if (p->in >= 0)
		(void)close(p->in);
	if (p->out >= 0)
		(void)close(p->out);
	buf_fini(&p->text);
	buf_fini(&p->packed);
	buf_fini(&p->rows);
	(void)ZSTD_freeCCtx(p->zstd);
}

static enum rc
pack_run(struct pack *p, struct err *e)
{
	bool done = false;
	enum rc rc;

	if ((rc = pack_open(p, &done, e)) != RC_OK || done)
		return rc;
	if ((rc = write_frames(p, e)) == RC_OK)
		rc = put_in_place(p, e);
	if (rc != RC_OK)
		(void)unlink(p->at.tmp);
	return rc;
}

enum rc
joblog_compress(const char *root, const struct ulid *id, uint64_t bytes,
    struct err *e)
{
	struct pack *p = MEM_NEW(struct pack);
	enum rc rc;

	p->bytes = bytes;
	if ((rc = pack_init(p, e)) == RC_OK &&
	    (rc = joblog_files(root, id, &p->at, e)) == RC_OK)
		rc = pack_run(p, e);
	pack_fini(p);
	mem_free(p);
	return rc;
}
