/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"
#include "spool/joblog.h"
#include "spool/joblog_read.h"

enum {
	FILE_MODE = 0640
};

/* All of the text that was committed. */
static enum rc
pour(struct joblog_reader *r, uint64_t bytes, int out, struct err *e)
{
	uint64_t at = 0, next = 0;
	enum rc rc = RC_OK;
	struct buf b;

	buf_init(&b, 2 * (size_t)JOBLOG_FRAME_SIZE);
	while (rc == RC_OK && at < bytes) {
		buf_reset(&b);
		rc = joblog_read(r, at, JOBLOG_FRAME_SIZE, &b, &next, e);
		if (rc == RC_OK && next == at)
			rc =
			    err_set(e, RC_CORRUPT, "%s: shorter than committed",
			        joblog_reader_path(r));
		if (rc == RC_OK)
			rc = fsio_write_all(out, buf_str(&b), e);
		at = next;
	}
	buf_fini(&b);
	return rc;
}

static enum rc
write_text(const struct joblog_files *u, struct joblog_reader *r,
    uint64_t bytes, struct err *e)
{
	enum rc rc;
	int out;

	out = open(u->tmp,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (out < 0)
		return err_errno(e, errno, "%s: cannot create", u->tmp);
	rc = pour(r, bytes, out, e);
	if (rc == RC_OK && fsync(out) != 0)
		rc = err_errno(e, errno, "%s: cannot sync", u->tmp);
	(void)close(out);
	if (rc != RC_OK)
		(void)unlink(u->tmp);
	return rc;
}

/* The text has its name before what it was made of goes. */
static enum rc
put_in_place(struct joblog_files *u, struct err *e)
{
	char *slash = strrchr(u->tmp, '/');
	enum rc rc;

	if (rename(u->tmp, u->log) != 0)
		return err_errno(e, errno, "%s: cannot name", u->log);
	*slash = '\0';
	if ((rc = fsio_sync_dir(u->tmp, e)) != RC_OK)
		return rc;
	if (unlink(u->zst) != 0)
		return err_errno(e, errno, "%s: cannot remove", u->zst);
	return RC_OK;
}

enum rc
joblog_unpack(const char *root, const struct ulid *id, uint64_t bytes,
    struct err *e)
{
	struct joblog_files *u = MEM_NEW(struct joblog_files);
	struct joblog_reader *r = NULL;
	enum rc rc;

	rc = joblog_files(root, id, u, e);
	if (rc == RC_OK)
		rc = joblog_open(root, id, bytes, &r, e);
	if (rc == RC_OK)
		rc = write_text(u, r, bytes, e);
	joblog_close(r);
	if (rc == RC_OK)
		rc = put_in_place(u, e);
	mem_free(u);
	return rc;
}
