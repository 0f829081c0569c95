/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two small files beside the segments.  meta and marks are alike: magic,
 * fields, CRC32C of what stands before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "spool/queue_impl.h"

enum {
	VERSION = 1,
	META_SIZE = 32,
	MARKS_SIZE = 28,
	CRC_SIZE = 4,
	FILE_MODE = 0600
};

static const char meta_magic[] = "RMQ-meta";
static const char marks_magic[] = "RMQmarks";

_Static_assert(sizeof(meta_magic) - 1 + 4 + QUEUE_EPOCH_SIZE + CRC_SIZE ==
                   META_SIZE,
    "meta");
_Static_assert(sizeof(marks_magic) - 1 + 8 + 8 + CRC_SIZE == MARKS_SIZE,
    "marks");

static void
put_crc(struct buf *b)
{
	buf_put_u32(b, crypt_crc32c(0, buf_str(b)));
}

static bool
crc_ok(struct str file, size_t size)
{
	struct rd r;

	if (file.n != size)
		return false;
	rd_init(&r, str_sub(file, size - CRC_SIZE, CRC_SIZE));
	return rd_u32(&r) == crypt_crc32c(0, str_sub(file, 0, size - CRC_SIZE));
}

static enum rc
meta_parse(struct queue *q, struct str file, struct err *e)
{
	struct str epoch;
	uint32_t version;
	struct rd r;

	if (!str_starts(file, str_of(meta_magic)))
		return err_set(e, RC_CORRUPT, "meta is damaged");
	rd_init(&r, str_sub(file, sizeof(meta_magic) - 1, file.n));
	version = rd_u32(&r);
	if (rd_rc(&r) == RC_OK && version > VERSION)
		return err_set(e, RC_VERSION,
		    "%s: version %u is newer than this program knows, "
		    "install the newer agent again",
		    q->dir, version);
	epoch = rd_bytes(&r, QUEUE_EPOCH_SIZE);
	if (version != VERSION || !crc_ok(file, META_SIZE))
		return err_set(e, RC_CORRUPT, "meta is damaged");
	memcpy(q->epoch, epoch.p, epoch.n);
	return RC_OK;
}

enum rc
queue_meta_read(struct queue *q, struct err *e)
{
	char path[QUEUE_PATH_CAP];
	struct buf file;
	enum rc rc;

	if ((rc = queue_path(q, "meta", path, e)) != RC_OK)
		return rc;
	buf_init(&file, KIB(4));
	if ((rc = fsio_read(path, &file, e)) == RC_OK)
		rc = meta_parse(q, buf_str(&file), e);
	buf_fini(&file);
	return rc;
}

enum rc
queue_meta_write(struct queue *q, struct err *e)
{
	char path[QUEUE_PATH_CAP];
	struct buf file;
	enum rc rc;

	if ((rc = queue_path(q, "meta", path, e)) != RC_OK)
		return rc;
	buf_init(&file, META_SIZE);
	buf_puts(&file, meta_magic);
	buf_put_u32(&file, VERSION);
	buf_put(&file, q->epoch, QUEUE_EPOCH_SIZE);
	put_crc(&file);
	rc = fsio_replace(path, buf_str(&file), FILE_MODE, e);
	buf_fini(&file);
	return rc;
}

enum rc
queue_marks_write(struct queue *q, struct err *e)
{
	enum rc rc = RC_OK;
	struct buf file;
	ssize_t n;

	buf_init(&file, MARKS_SIZE);
	buf_puts(&file, marks_magic);
	buf_put_u64(&file, q->acked);
	buf_put_u64(&file, q->synced);
	put_crc(&file);
	n = pwrite(q->marks_fd, file.data, file.len, 0);
	if (n < 0)
		rc = err_errno(e, errno, "%s: cannot write the marks", q->dir);
	else if (n != MARKS_SIZE)
		rc = err_set(e, RC_FULL, "%s: no space for the marks", q->dir);
	buf_fini(&file);
	return rc;
}

enum rc
queue_marks_open(struct queue *q, struct err *e)
{
	char path[QUEUE_PATH_CAP];
	char file[MARKS_SIZE + 1];
	struct str s;
	struct rd r;
	ssize_t n;
	enum rc rc;

	if ((rc = queue_path(q, "marks", path, e)) != RC_OK)
		return rc;
	q->marks_fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (q->marks_fd < 0)
		return err_errno(e, errno, "%s: cannot open", path);
	q->acked = q->synced = 0;
	n = pread(q->marks_fd, file, sizeof(file), 0);
	s = str_from(file, n > 0 ? (size_t)n : 0);
	if (!crc_ok(s, MARKS_SIZE) || !str_starts(s, str_of(marks_magic)))
		return RC_OK;
	rd_init(&r, str_sub(s, sizeof(marks_magic) - 1, s.n));
	q->acked = rd_u64(&r);
	q->synced = rd_u64(&r);
	return RC_OK;
}
