/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/fsio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"

enum {
	READ_CHUNK = 4096,
	PATH_CAP = 3072 /* two of them fit a stack frame */
};

static void
fd_close(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static enum rc
read_fd(int fd, const char *path, struct buf *out, struct err *e)
{
	char chunk[READ_CHUNK];
	enum rc rc = RC_OK;
	ssize_t n;

	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_errno(e, errno, "%s: cannot read", path);
		else
			buf_put(out, chunk, (size_t)n);
		if (buf_rc(out) != RC_OK)
			rc = err_set(e, RC_LIMIT,
			    "%s: larger than the %zu bytes allowed", path,
			    out->max);
	} while (rc == RC_OK && n != 0);
	mem_wipe(chunk, sizeof(chunk));
	return rc;
}

enum rc
fsio_read(const char *path, struct buf *out, struct err *e)
{
	const size_t before = out->len;
	enum rc rc;
	int fd;

	/* O_NONBLOCK: a FIFO put in a file's place must not hang us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot open", path);
	rc = read_fd(fd, path, out, e);
	fd_close(fd);
	if (rc != RC_OK)
		buf_cut(out, before);
	return rc;
}

enum rc
fsio_write_all(int fd, struct str data, struct err *e)
{
	size_t done = 0;
	ssize_t n;

	while (done < data.n) {
		n = write(fd, data.p + done, data.n - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "cannot write");
		done += (size_t)n;
	}
	return RC_OK;
}

/* The directory a path is in, as a path of its own. */
static enum rc
dir_of(const char *path, char *dst, size_t cap, struct err *e)
{
	const char *slash = strrchr(path, '/');
	struct str dir = STR(".");

	if (slash != NULL)
		dir =
		    str_from(path, slash == path ? 1 : (size_t)(slash - path));
	if (!str_copy(dst, cap, dir))
		return err_set(e, RC_LIMIT, "the path is too long: %.100s...",
		    path);
	return RC_OK;
}

enum rc
fsio_sync_dir(const char *path, struct err *e)
{
	enum rc rc = RC_OK;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot open", path);
	if (fsync(fd) != 0)
		rc = err_errno(e, errno, "%s: cannot sync", path);
	fd_close(fd);
	return rc;
}

/* What is to become path: a file in its directory. */
struct temp {
	char dir[PATH_CAP];
	char name[PATH_CAP];
};

/* Synced.  On failure nothing is left behind. */
static enum rc
temp_write(struct temp *t, struct str data, mode_t mode, struct err *e)
{
	enum rc rc = RC_OK;
	uint64_t tag;
	int fd;

	crypt_random(&tag, sizeof(tag));
	if (!str_fmt(t->name, sizeof(t->name), "%s/" FSIO_TEMP_PREFIX "%016llx",
	        t->dir, (unsigned long long)tag))
		return err_set(e, RC_LIMIT, "the path is too long: %.100s...",
		    t->dir);
	fd = open(t->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot create a file", t->dir);
	rc = fsio_write_all(fd, data, e);
	if (rc == RC_OK && fchmod(fd, mode) != 0)
		rc = err_errno(e, errno, "cannot set the mode");
	if (rc == RC_OK && fsync(fd) != 0)
		rc = err_errno(e, errno, "cannot sync");
	if (close(fd) != 0 && rc == RC_OK)
		rc = err_errno(e, errno, "cannot close");
	if (rc != RC_OK)
		(void)unlink(t->name);
	return rc;
}

static enum rc
temp_beside(struct temp *t, const char *path, struct str data, mode_t mode,
    struct err *e)
{
	enum rc rc;

	if ((rc = dir_of(path, t->dir, sizeof(t->dir), e)) != RC_OK)
		return rc;
	rc = temp_write(t, data, mode, e);
	if (rc != RC_OK && e != NULL)
		(void)err_wrap(e, "%s", path);
	return rc;
}

enum rc
fsio_replace(const char *path, struct str data, mode_t mode, struct err *e)
{
	struct temp t;
	enum rc rc;

	if ((rc = temp_beside(&t, path, data, mode, e)) != RC_OK)
		return rc;
	if (rename(t.name, path) != 0) {
		rc = err_errno(e, errno, "%s: cannot replace", path);
		(void)unlink(t.name);
		return rc;
	}
	return fsio_sync_dir(t.dir, e);
}

enum rc
fsio_create(const char *path, struct str data, mode_t mode, struct err *e)
{
	struct temp t;
	enum rc rc;

	if ((rc = temp_beside(&t, path, data, mode, e)) != RC_OK)
		return rc;
	/* Unlike rename, link refuses a name that is taken. */
	if (link(t.name, path) != 0)
		rc = err_errno(e, errno, "%s: cannot create", path);
	if (unlink(t.name) != 0 && rc == RC_OK)
		rc = err_errno(e, errno, "%s: cannot remove", t.name);
	return rc != RC_OK ? rc : fsio_sync_dir(t.dir, e);
}

/* One level; an existing directory is fine. */
static enum rc
mkdir_one(const char *path, mode_t mode, struct err *e)
{
	char parent[PATH_CAP];
	struct stat st;
	enum rc rc;
	int saved;

	if (mkdir(path, mode) != 0) {
		saved = errno;
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return RC_OK;
		if (saved == EEXIST)
			saved = ENOTDIR;
		return err_errno(e, saved, "%s: cannot make the directory",
		    path);
	}
	if ((rc = dir_of(path, parent, sizeof(parent), e)) != RC_OK)
		return rc;
	return fsio_sync_dir(parent, e);
}

enum rc
fsio_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char part[PATH_CAP];
	size_t i, n = strlen(path);
	enum rc rc = RC_OK;

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n == 0)
		return err_set(e, RC_INVALID, "the path is empty");
	if (!str_copy(part, sizeof(part), str_from(path, n)))
		return err_set(e, RC_LIMIT, "the path is too long: %.100s...",
		    path);
	for (i = 1; i < n && rc == RC_OK; i++) {
		if (part[i] != '/')
			continue;
		part[i] = '\0';
		if (part[i - 1] != '\0') /* "a//b" has no level between */
			rc = mkdir_one(part, mode, e);
		part[i] = '/';
	}
	return rc != RC_OK ? rc : mkdir_one(part, mode, e);
}

enum rc
fsio_remove(const char *path, struct err *e)
{
	char dir[PATH_CAP];
	enum rc rc;

	if ((rc = dir_of(path, dir, sizeof(dir), e)) != RC_OK)
		return rc;
	if (unlink(path) != 0) {
		if (errno == ENOENT)
			return RC_OK;
		return err_errno(e, errno, "%s: cannot remove", path);
	}
	return fsio_sync_dir(dir, e);
}

/* The holder's process id, for the message; only a hint. */
static enum rc
lock_busy(int fd, const char *path, struct err *e)
{
	char text[24];
	ssize_t n;

	n = pread(fd, text, sizeof(text), 0);
	if (n <= 0)
		return err_set(e, RC_BUSY, "%s: another process holds it",
		    path);
	return err_set(e, RC_BUSY, "%s: process %.*s holds it", path,
	    STR_ARG(str_trim(str_from(text, (size_t)n))));
}

enum rc
fsio_lock(const char *path, int *out_fd, struct err *e)
{
	char pid[24];
	enum rc rc = RC_OK;
	bool told;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(e, errno, "%s: cannot open", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			rc = lock_busy(fd, path, e);
		else
			rc = err_errno(e, errno, "%s: cannot lock", path);
		fd_close(fd);
		return rc;
	}
	/* The lock counts, not what is written: a full disk is no reason to
	 * refuse. */
	told = str_fmt(pid, sizeof(pid), "%ld\n", (long)getpid()) &&
	       ftruncate(fd, 0) == 0 &&
	       fsio_write_all(fd, str_of(pid), NULL) == RC_OK;
	(void)told;
	*out_fd = fd;
	return RC_OK;
}

/* The bytewise first names of a directory, never more than twice max of
 * them in memory. */
struct names {
	char **v;
	size_t n, cap, max;
};

static int
name_cmp(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

static void
names_settle(struct names *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), name_cmp);
	while (l->n > l->max)
		mem_free(l->v[--l->n]);
}

static void
names_add(struct names *l, const char *name)
{
	if (l->n == l->cap && l->cap / 2 >= l->max)
		names_settle(l);
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : l->cap * 2;
		l->v = mem_realloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = mem_strdup(name);
}

static void
names_fini(struct names *l)
{
	while (l->n > 0)
		mem_free(l->v[--l->n]);
	mem_free(l->v);
}

static enum rc
names_read(struct names *l, const char *dir, struct err *e)
{
	struct dirent *ent;
	enum rc rc = RC_OK;
	DIR *d;

	d = opendir(dir);
	if (d == NULL)
		return err_errno(e, errno, "%s: cannot list", dir);
	for (errno = 0; (ent = readdir(d)) != NULL; errno = 0) {
		if (strcmp(ent->d_name, ".") != 0 &&
		    strcmp(ent->d_name, "..") != 0)
			names_add(l, ent->d_name);
	}
	if (errno != 0)
		rc = err_errno(e, errno, "%s: cannot list", dir);
	(void)closedir(d);
	names_settle(l);
	return rc;
}

enum rc
fsio_walk(const char *dir, size_t max, fsio_walk_fn *fn, void *ctx,
    struct err *e)
{
	struct names l = { .max = max };
	enum rc rc;
	size_t i;

	rc = names_read(&l, dir, e);
	for (i = 0; i < l.n && rc == RC_OK; i++)
		rc = fn(ctx, l.v[i], e);
	names_fini(&l);
	return rc;
}

enum rc
fsio_join(char *dst, size_t cap, const char *dir, const char *name)
{
	const char *sep = str_ends(str_of(dir), STR("/")) ? "" : "/";

	return str_fmt(dst, cap, "%s%s%s", dir, sep, name) ? RC_OK : RC_LIMIT;
}

char *
fsio_below(const char *dir, const char *name)
{
	size_t cap = strlen(dir) + strlen(name) + 2;
	char *path = mem_alloc(cap);

	ASSERT(fsio_join(path, cap, dir, name) == RC_OK);
	return path;
}

static unsigned
percent(uint64_t part, uint64_t whole)
{
	if (whole == 0)
		return 100; /* the filesystem does not count them */
	if (part >= whole)
		return 100;
	return (unsigned)((double)part / (double)whole * 100.0);
}

enum rc
fsio_free_percent(const char *path, unsigned *out_space, unsigned *out_inodes,
    struct err *e)
{
	struct statvfs v;

	if (statvfs(path, &v) != 0)
		return err_errno(e, errno, "%s: cannot ask for free space",
		    path);
	*out_space = percent(v.f_bavail, v.f_blocks);
	*out_inodes = percent(v.f_favail, v.f_files);
	return RC_OK;
}
