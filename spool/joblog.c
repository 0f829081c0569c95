/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spool/joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fsio.h"
#include "lib/base/ulid.h"

enum {
	DIR_MODE = 0750, /* set-group-ID comes down from the root directory */
	FILE_MODE = 0640,
	MAKE_TRIES = 3
};
#define LAST_MS INT64_C(253402300799999) /* end of the year 9999 */

enum rc
joblog_path(const char *root, const struct ulid *id, bool compressed, char *dst,
    size_t cap)
{
	char name[ULID_TEXT_CAP];
	struct civil c;
	int64_t ms = ulid_time_ms(id);

	clock_civil(ms > LAST_MS ? LAST_MS : ms, 0, &c);
	ulid_text(id, name);
	return str_fmt(dst, cap, "%s/jobs/%04d/%02d/%02d/%02d/%s.log%s", root,
	           c.year, c.month, c.day, c.hour, name,
	           compressed ? ".zst" : "")
	           ? RC_OK
	           : RC_LIMIT;
}

enum rc
joblog_files(const char *root, const struct ulid *id, struct joblog_files *out,
    struct err *e)
{
	if (joblog_path(root, id, false, out->log, JOBLOG_PATH_CAP) == RC_OK &&
	    joblog_path(root, id, true, out->zst, JOBLOG_PATH_CAP) == RC_OK &&
	    str_fmt(out->tmp, JOBLOG_PATH_CAP, "%s.tmp", out->zst))
		return RC_OK;
	return err_set(e, RC_LIMIT, "the path is too long: %.100s...", root);
}

static enum rc
path_of(const char *root, const struct ulid *id, char path[JOBLOG_PATH_CAP],
    struct err *e)
{
	if (joblog_path(root, id, false, path, JOBLOG_PATH_CAP) != RC_OK)
		return err_set(e, RC_LIMIT, "the path is too long: %.100s...",
		    root);
	return RC_OK;
}

/* Retention may remove the empty directory before the file is in it, hence
 * more than one try. */
static enum rc
make_log(char path[JOBLOG_PATH_CAP], int *out_fd, struct err *e)
{
	char *slash = strrchr(path, '/');
	int tries, fd = -1;
	enum rc rc;

	for (tries = 0; tries < MAKE_TRIES; tries++) {
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    FILE_MODE);
		if (fd >= 0 || errno != ENOENT)
			break;
		*slash = '\0';
		rc = fsio_mkdirs(path, DIR_MODE, e);
		*slash = '/';
		if (rc != RC_OK)
			return rc;
	}
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot create", path);
	*out_fd = fd;
	return RC_OK;
}

static enum rc
open_log(char path[JOBLOG_PATH_CAP], uint64_t at, int *out_fd, struct err *e)
{
	int fd;

	if (at == 0)
		return make_log(path, out_fd, e);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, RC_CORRUPT,
		    "%s: missing, but %llu bytes of it were committed", path,
		    (unsigned long long)at);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot open", path);
	*out_fd = fd;
	return RC_OK;
}

/* Cuts what lies behind at. */
static enum rc
cut_log(int fd, uint64_t at, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(e, errno, "%s: cannot ask for its size", path);
	if ((uint64_t)st.st_size < at)
		return err_set(e, RC_CORRUPT,
		    "%s: has %lld bytes, but %llu were committed", path,
		    (long long)st.st_size, (unsigned long long)at);
	if ((uint64_t)st.st_size > at && ftruncate(fd, (off_t)at) != 0)
		return err_errno(e, errno, "%s: cannot cut", path);
	return RC_OK;
}

static enum rc
write_at(int fd, uint64_t at, struct str data, const char *path, struct err *e)
{
	enum rc rc;

	if (lseek(fd, (off_t)at, SEEK_SET) < 0)
		return err_errno(e, errno, "%s: cannot seek", path);
	if ((rc = fsio_write_all(fd, data, e)) == RC_OK)
		return RC_OK;
	if (e != NULL)
		(void)err_wrap(e, "%s", path);
	if (ftruncate(fd, (off_t)at) != 0 && e != NULL)
		(void)err_wrap(e, "not cut back"); /* the next append will */
	return rc;
}

enum rc
joblog_append(const char *root, const struct ulid *id, uint64_t at,
    struct str data, struct err *e)
{
	const uint64_t max = (uint64_t)JOBLOG_FILE_MAX + JOBLOG_END_ROOM;
	char path[JOBLOG_PATH_CAP];
	enum rc rc;
	int fd = -1;

	if ((rc = path_of(root, id, path, e)) != RC_OK)
		return rc;
	if (at > max || data.n > max - at)
		return err_set(e, RC_LIMIT,
		    "%s: would pass the %llu bytes a log may have", path,
		    (unsigned long long)max);
	if ((rc = open_log(path, at, &fd, e)) != RC_OK)
		return rc;
	if ((rc = cut_log(fd, at, path, e)) == RC_OK)
		rc = write_at(fd, at, data, path, e);
	(void)close(fd);
	return rc;
}

enum rc
joblog_hold(const char *root, int *out_fd, struct err *e)
{
	enum rc rc;
	int fd;

	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if ((rc = fsio_mkdirs(root, DIR_MODE, e)) != RC_OK)
			return rc;
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot open", root);
	*out_fd = fd;
	return RC_OK;
}

enum rc
joblog_sync(int fd, const char *root, struct err *e)
{
	if (syncfs(fd) != 0)
		return err_errno(e, errno, "%s: cannot sync", root);
	return RC_OK;
}

enum rc
joblog_recover(const char *root, const struct ulid *id, uint64_t bytes,
    bool *damaged, struct err *e)
{
	char path[JOBLOG_PATH_CAP];
	enum rc rc;
	int fd;

	if ((rc = path_of(root, id, path, e)) != RC_OK)
		return rc;
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT)
		return err_errno(e, errno, "%s: cannot open", path);
	if (fd < 0 && bytes == 0) {
		*damaged = false;
		return RC_OK;
	}
	if (fd < 0) {
		rc = joblog_unpack(root, id, bytes, e);
		if (rc == RC_NOTFOUND)
			rc = RC_CORRUPT;
	} else {
		rc = cut_log(fd, bytes, path, e);
		(void)close(fd);
	}
	if (rc != RC_OK && rc != RC_CORRUPT)
		return rc;
	*damaged = rc == RC_CORRUPT;
	return RC_OK;
}

enum rc
joblog_remove(const char *root, const struct ulid *id, struct err *e)
{
	char path[JOBLOG_PATH_CAP];
	int i;

	for (i = 0; i < 2; i++) {
		if (joblog_path(root, id, i == 1, path, sizeof(path)) != RC_OK)
			return err_set(e, RC_LIMIT, "%s: the path is too long",
			    root);
		if (unlink(path) != 0 && errno != ENOENT)
			return err_errno(e, errno, "%s: cannot remove", path);
	}
	return RC_OK;
}
