/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spool/mirror.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum {
	DEPTH_MAX = 16,
	CHUNK = 131072,
	MODES = 07777,
	SETTLED_S = 2, /* the kernel's times are coarse: younger ones repeat */
	PASSED_S = 1 << 30
};
#define PATH_CAP 3000
#define TEMP_NAME ".tmp-mirror"

struct mirror {
	const struct mirror_opts *o;
	struct mirror_result *r;
	char *chunk;
	unsigned depth;
};

/* One directory and its copy. */
struct pair {
	int from, to;
	const char *path; /* of the original, for messages */
	bool subdirs, growing;
};

static enum rc mirror_dir(struct mirror *m, int from, int to, const char *path,
    struct err *e);

static bool
same_time(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The time that a copy's directory gets when nothing is left to do in it:
 * that of the original, so many years ago that it cannot come by itself. */
static struct timespec
passed_time(const struct stat *st)
{
	return (struct timespec){ st->st_mtim.tv_sec - PASSED_S,
		st->st_mtim.tv_nsec };
}

static bool
passed(const struct stat *from, const struct stat *to)
{
	const struct timespec t = passed_time(from);

	return t.tv_sec == to->st_mtim.tv_sec &&
	       t.tv_nsec == to->st_mtim.tv_nsec;
}

static bool
dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* ----------------------------------------------------------------- files */

static enum rc
pour(struct mirror *m, int from, int to, struct err *e)
{
	enum rc rc = RC_OK;
	ssize_t n;

	while (rc == RC_OK && (n = read(from, m->chunk, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "cannot read");
		rc = fsio_write_all(to, str_from(m->chunk, (size_t)n), e);
		m->r->bytes += (uint64_t)n;
	}
	return rc;
}

/* The time is that of before the reading: what is appended meanwhile makes
 * the two differ, and the next round copies again. */
static enum rc
fill(struct mirror *m, const struct pair *p, const char *name,
    const struct stat *st, struct err *e)
{
	const struct timespec times[2] = { st->st_mtim, st->st_mtim };
	int from, to;
	enum rc rc;

	from = openat(p->from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (from < 0)
		return err_errno(e, errno, "cannot open");
	to = openat(p->to, TEMP_NAME,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0) {
		rc = err_errno(e, errno, "cannot create its copy");
		(void)close(from);
		return rc;
	}
	rc = pour(m, from, to, e);
	if (rc == RC_OK &&
	    (fchmod(to, st->st_mode & MODES) != 0 || futimens(to, times) != 0))
		rc = err_errno(e, errno, "cannot set the mode of its copy");
	(void)close(from);
	if (close(to) != 0 && rc == RC_OK)
		rc = err_errno(e, errno, "cannot close its copy");
	return rc;
}

static enum rc
mirror_file(struct mirror *m, const struct pair *p, const char *name,
    const struct stat *st, struct err *e)
{
	struct stat old;
	enum rc rc;

	if (fstatat(p->to, name, &old, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(old.st_mode) && old.st_size == st->st_size &&
	    same_time(&old, st))
		return RC_OK;
	rc = fill(m, p, name, st, e);
	if (rc == RC_NOTFOUND)
		return RC_OK; /* compressed or removed just now */
	if (rc == RC_OK && renameat(p->to, TEMP_NAME, p->to, name) != 0)
		rc = err_errno(e, errno, "cannot name its copy");
	if (rc != RC_OK) {
		(void)unlinkat(p->to, TEMP_NAME, 0);
		return err_wrap(e, "%s/%s", p->path, name);
	}
	m->r->files++;
	return RC_OK;
}

/* ----------------------------------------------------------- directories */

static int
open_dir(int at, const char *name)
{
	return openat(at, name,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static enum rc
mirror_subdir(struct mirror *m, const struct pair *p, const char *name,
    const struct stat *st, struct err *e)
{
	char path[PATH_CAP];
	int from, to = -1;
	enum rc rc = RC_OK;

	if (m->depth == DEPTH_MAX ||
	    fsio_join(path, sizeof(path), p->path, name) != RC_OK)
		return err_set(e, RC_LIMIT, "%s/%s: too deep", p->path, name);
	from = open_dir(p->from, name);
	if (from < 0 && errno == ENOENT)
		return RC_OK;
	if (from < 0)
		return err_errno(e, errno, "%s: cannot open", path);
	if (mkdirat(p->to, name, 0700) != 0 && errno != EEXIST)
		rc = err_errno(e, errno, "%s: cannot make its copy", path);
	else if ((to = open_dir(p->to, name)) < 0)
		rc = err_errno(e, errno, "%s: cannot open its copy", path);
	else if (fchmod(to, st->st_mode & MODES) != 0)
		rc =
		    err_errno(e, errno, "%s: cannot set its copy's mode", path);
	m->depth++;
	if (rc == RC_OK)
		rc = mirror_dir(m, from, to, path, e);
	m->depth--;
	(void)close(from);
	if (to >= 0)
		(void)close(to);
	return rc;
}

static enum rc
mirror_name(struct mirror *m, struct pair *p, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(p->from, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT
		           ? RC_OK
		           : err_errno(e, errno, "%s/%s: cannot look at it",
		                 p->path, name);
	if (S_ISDIR(st.st_mode)) {
		p->subdirs = true;
		return mirror_subdir(m, p, name, &st, e);
	}
	if (!S_ISREG(st.st_mode))
		return RC_OK;
	p->growing = p->growing || m->o->grows == NULL || m->o->grows(name);
	return mirror_file(m, p, name, &st, e);
}

/* Removes a name, and what is below it: to DEPTH_MAX.
 * NOLINTBEGIN(misc-no-recursion) */
static enum rc
drop(struct mirror *m, int at, const char *name, struct err *e)
{
	const struct dirent *ent;
	enum rc rc = RC_OK;
	DIR *d = NULL;
	int fd;

	if (unlinkat(at, name, 0) == 0) {
		m->r->removed++;
		return RC_OK;
	}
	if (errno != EISDIR && errno != EPERM)
		return err_errno(e, errno, "%s: cannot remove the copy", name);
	if (m->depth == DEPTH_MAX || (fd = open_dir(at, name)) < 0)
		return err_set(e, RC_IO, "%s: cannot open the copy", name);
	if ((d = fdopendir(fd)) == NULL) {
		(void)close(fd);
		return err_set(e, RC_IO, "%s: cannot list the copy", name);
	}
	m->depth++;
	while (rc == RC_OK && (ent = readdir(d)) != NULL)
		if (!dots(ent->d_name))
			rc = drop(m, dirfd(d), ent->d_name, e);
	m->depth--;
	(void)closedir(d);
	if (rc == RC_OK && unlinkat(at, name, AT_REMOVEDIR) != 0)
		rc = err_errno(e, errno, "%s: cannot remove the copy", name);
	return rc;
}

/* NOLINTEND(misc-no-recursion) */

typedef enum rc name_fn(struct mirror *m, struct pair *p, const char *name,
    struct err *e);

static enum rc
drop_if_gone(struct mirror *m, struct pair *p, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(p->from, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    errno != ENOENT)
		return RC_OK;
	return drop(m, p->to, name, e);
}

static enum rc
each_name(struct mirror *m, struct pair *p, int dir, name_fn *fn, struct err *e)
{
	const struct dirent *ent;
	enum rc rc = RC_OK;
	DIR *d;
	int fd;

	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (d = fdopendir(fd)) == NULL) {
		rc = err_errno(e, errno, "%s: cannot list", p->path);
		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	while (rc == RC_OK && (ent = readdir(d)) != NULL)
		if (!dots(ent->d_name) && strcmp(ent->d_name, TEMP_NAME) != 0)
			rc = fn(m, p, ent->d_name, e);
	(void)closedir(d);
	return rc;
}

static bool
settled(const struct pair *p, const struct stat *st)
{
	struct timespec now;

	return !p->subdirs && !p->growing &&
	       clock_gettime(CLOCK_REALTIME, &now) == 0 &&
	       now.tv_sec - st->st_mtim.tv_sec > SETTLED_S;
}

static enum rc
mirror_dir(struct mirror *m, int from, int to, const char *path, struct err *e)
{
	struct pair p = { .from = from, .to = to, .path = path };
	struct timespec times[2];
	struct stat st, old;
	enum rc rc;

	if (fstat(from, &st) != 0 || fstat(to, &old) != 0)
		return err_errno(e, errno, "%s: cannot look at it", path);
	if (passed(&st, &old)) {
		m->r->dirs_passed++;
		return RC_OK;
	}
	if ((rc = each_name(m, &p, from, mirror_name, e)) != RC_OK ||
	    (rc = each_name(m, &p, to, drop_if_gone, e)) != RC_OK)
		return rc;
	if (!settled(&p, &st))
		return RC_OK;
	times[0] = times[1] = passed_time(&st);
	if (futimens(to, times) != 0)
		return err_errno(e, errno, "%s: cannot set its copy's time",
		    path);
	return RC_OK;
}

enum rc
mirror_tree(const char *from, const char *to, const struct mirror_opts *o,
    struct mirror_result *out, struct err *e)
{
	struct mirror m = { .o = o, .r = out };
	struct stat st;
	int a, b = -1;
	enum rc rc;

	a = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a < 0 && errno == ENOENT)
		return RC_OK;
	if (a < 0 || fstat(a, &st) != 0) {
		rc = err_errno(e, errno, "%s: cannot open", from);
		if (a >= 0)
			(void)close(a);
		return rc;
	}
	rc = fsio_mkdirs(to, st.st_mode & MODES, e);
	if (rc == RC_OK &&
	    (b = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		rc = err_errno(e, errno, "%s: cannot open", to);
	m.chunk = mem_alloc(CHUNK);
	if (rc == RC_OK)
		rc = mirror_dir(&m, a, b, from, e);
	mem_free(m.chunk);
	(void)close(a);
	if (b >= 0)
		(void)close(b);
	return rc;
}

bool
mirror_log_grows(const char *name)
{
	return str_ends(str_of(name), STR(".log"));
}
