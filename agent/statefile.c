/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"

enum {
	STATEFILE_BLOCK = 4096
};

#define STATEFILE_NAME "schedule.state"
#define STATEFILE_SPARE "schedule.spare"
#define STATEFILE_DAMAGED "schedule.state.damaged"
/* No path is longer: settings.c bounds state_dir. */
#define STATEFILE_PATH_CAP 3990

static enum rc
statefile_path(const char *dir, char path[STATEFILE_PATH_CAP], struct err *e)
{
	if (fsio_join(path, STATEFILE_PATH_CAP, dir, STATEFILE_NAME) == RC_OK)
		return RC_OK;
	return err_set(e, RC_LIMIT, "%s: the path is too long", dir);
}

enum rc
statefile_read(const char *dir, struct buf *out, struct err *e)
{
	char path[STATEFILE_PATH_CAP];
	enum rc rc = statefile_path(dir, path, e);

	return rc == RC_OK ? fsio_read(path, out, e) : rc;
}

/* Takes blocks now for a day without any; fewer where there are not many. */
static void
statefile_make_spare(int d)
{
	int fd = openat(d, STATEFILE_SPARE,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	off_t bytes = STATEFILE_SPARE_BYTES;

	if (fd < 0)
		return;
	while (bytes >= STATEFILE_BLOCK && posix_fallocate(fd, 0, bytes) != 0)
		bytes /= 4;
	if (bytes < STATEFILE_BLOCK)
		(void)unlinkat(d, STATEFILE_SPARE, 0);
	close(fd);
}

/* Into the spare, then under the name: as whole as any other way. */
static enum rc
statefile_use_spare(int d, struct str data, struct err *e)
{
	int fd = openat(d, STATEFILE_SPARE, O_WRONLY | O_CLOEXEC);
	enum rc rc = RC_OK;

	if (fd < 0)
		return err_errno(e, errno, "no room for " STATEFILE_NAME);
	if (pwrite(fd, data.p, data.n, 0) != (ssize_t)data.n ||
	    ftruncate(fd, (off_t)data.n) != 0 || fsync(fd) != 0 ||
	    renameat(d, STATEFILE_SPARE, d, STATEFILE_NAME) != 0 ||
	    fsync(d) != 0)
		rc = err_set(e, RC_FULL, "no room for " STATEFILE_NAME);
	close(fd);
	return rc;
}

enum rc
statefile_write(const char *dir, struct str data, struct err *e)
{
	char path[STATEFILE_PATH_CAP];
	enum rc rc = statefile_path(dir, path, e);
	int d =
	    rc == RC_OK ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (rc == RC_OK && d < 0)
		rc = err_errno(e, errno, "cannot open %s", dir);
	if (rc == RC_OK)
		rc = fsio_replace(path, data, 0600, e);
	if (rc == RC_FULL)
		rc = statefile_use_spare(d, data, e);
	if (d >= 0) {
		statefile_make_spare(d);
		close(d);
	}
	return rc;
}

void
statefile_set_aside(const char *dir)
{
	int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (d < 0)
		return;
	(void)renameat(d, STATEFILE_NAME, d, STATEFILE_DAMAGED);
	close(d);
}
