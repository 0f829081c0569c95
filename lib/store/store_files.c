/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/store/store_impl.h"

enum {
	FILE_PATH_CAP = 1024
};

/* State and live are read by the renderer's group, which is the directory's
 * own (set-group-id hands it to the files); the vault by nobody else. */
struct file_modes {
	mode_t dir, data;
};
static const struct file_modes modes[] = {
	[STORE_STATE] = { 02750, 0640 },
	[STORE_VAULT] = { 0700, 0600 },
	[STORE_LIVE] = { 02750, 0640 },
};

/* LMDB maps the lock file and writes to it through the map: without its
 * blocks on disk that is SIGBUS on a full one.  The size is LMDB's own for
 * 126 readers; it grows a smaller file without asking for blocks. */
enum {
	LOCK_MODE = 0600,
	LOCK_BYTES = 8192
};

static enum rc
make_dir(const char *dir, mode_t mode, struct err *e)
{
	struct stat st;
	enum rc rc;

	if (stat(dir, &st) == 0)
		return RC_OK;
	if ((rc = fsio_mkdirs(dir, mode & 0777, e)) != RC_OK)
		return rc;
	/* mkdir() takes the mode through the umask and without its set-
	 * group-id bit. */
	if (chmod(dir, mode) != 0)
		return err_errno(e, errno, "%s: cannot set the mode", dir);
	return RC_OK;
}

/* LMDB would give data and lock file the same mode.  Both may be empty: it
 * fills them.  Only before mdb_env_open(): closing the lock file afterwards
 * would drop LMDB's own locks. */
static enum rc
make_file(const char *dir, const char *name, mode_t mode, off_t bytes,
    struct err *e)
{
	char path[FILE_PATH_CAP];
	struct stat st;
	enum rc rc = RC_OK;
	int code, fd;

	if (fsio_join(path, sizeof(path), dir, name) != RC_OK)
		return err_set(e, RC_LIMIT, "%s: the path is too long", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot open", path);
	if (fstat(fd, &st) != 0)
		rc = err_errno(e, errno, "%s: cannot examine", path);
	else if ((st.st_mode & 07777) != mode && fchmod(fd, mode) != 0)
		rc = err_errno(e, errno, "%s: cannot set the mode", path);
	else if (bytes > 0 && (code = posix_fallocate(fd, 0, bytes)) != 0)
		rc = err_errno(e, code, "%s: cannot reserve space", path);
	close(fd);
	return rc;
}

static enum rc
remove_in(const char *dir, const char *name, struct err *e)
{
	char path[FILE_PATH_CAP];

	if (fsio_join(path, sizeof(path), dir, name) != RC_OK)
		return err_set(e, RC_LIMIT, "%s: the path is too long", dir);
	return fsio_remove(path, e);
}

/*
 * The live environment is not synced: a power cut may leave it damaged.  A
 * file from before this boot is removed, which is safe because no process
 * from then can have it open.  Within one boot it is never unlinked: the
 * renderer may be looking at it.
 */
static enum rc
drop_from_before_boot(const char *dir, struct err *e)
{
	char path[FILE_PATH_CAP];
	struct buf now, then;
	enum rc rc = RC_OK;

	buf_init(&now, 64);
	buf_init(&then, 64);
	if (fsio_join(path, sizeof(path), dir, "boot_id") != RC_OK) {
		rc = err_set(e, RC_LIMIT, "%s: the path is too long", dir);
		goto out;
	}
	if (fsio_read("/proc/sys/kernel/random/boot_id", &now, NULL) != RC_OK)
		goto out; /* no such kernel interface: keep the file */
	if (fsio_read(path, &then, NULL) == RC_OK &&
	    str_eq(buf_str(&now), buf_str(&then)))
		goto out;
	if ((rc = remove_in(dir, "data.mdb", e)) != RC_OK ||
	    (rc = remove_in(dir, "lock.mdb", e)) != RC_OK)
		goto out;
	rc = fsio_replace(path, buf_str(&now), 0600, e);
out:
	buf_fini(&now);
	buf_fini(&then);
	return rc;
}

static enum rc
lock_owner(struct store *s, struct err *e)
{
	char path[FILE_PATH_CAP];

	if (fsio_join(path, sizeof(path), s->dir, "owner.lock") != RC_OK)
		return err_set(e, RC_LIMIT, "%s: the path is too long", s->dir);
	return fsio_lock(path, &s->lock_fd, e);
}

enum rc
store_files_prepare(struct store *s, struct err *e)
{
	char data[FILE_PATH_CAP];
	enum rc rc;

	if (s->mode == STORE_WRITER &&
	    (rc = make_dir(s->dir, modes[s->env].dir, e)) != RC_OK)
		return rc;
	if (fsio_join(data, sizeof(data), s->dir, "data.mdb") != RC_OK)
		return err_set(e, RC_LIMIT, "%s: the path is too long", s->dir);
	if (s->mode == STORE_OFFLINE && access(data, F_OK) != 0)
		return err_errno(e, errno, "%s: no database here", data);
	if ((rc = lock_owner(s, e)) != RC_OK)
		return rc;
	if (s->env == STORE_LIVE &&
	    (rc = drop_from_before_boot(s->dir, e)) != RC_OK)
		return rc;
	if ((rc = make_file(s->dir, "lock.mdb", LOCK_MODE, LOCK_BYTES, e)) !=
	    RC_OK)
		return rc;
	return make_file(s->dir, "data.mdb", modes[s->env].data, 0, e);
}
