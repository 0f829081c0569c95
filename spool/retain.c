/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spool/retain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

enum {
	BLOCK = 4096,
	PATH_CAP = 3072,
	LEVELS = 4, /* jobs/YYYY/MM/DD/HH */
	HOUR_MS = 3600000,
	RUNNING_MS =
	    86400000 /* a log written to since may be a running job's */
};

/* A directory of the lowest level and what retention may remove in it. */
struct hour {
	int date[LEVELS];
	int64_t start_ms;
	uint64_t bytes;
};

struct retain {
	const struct retain_opts *o;
	char root[PATH_CAP]; /* ".../jobs" */
	struct hour at;      /* where the walk stands */
	struct hour *hours;
	size_t n, cap;
	struct retain_result result;
};

/* ---- names */

/* Four digits of a year, two of the others. */
static bool
parse_level(const char *name, size_t level, int *out)
{
	static const uint64_t max[LEVELS] = { 9999, 12, 31, 23 };
	const struct str s = str_of(name);
	uint64_t v;

	if (s.n != (level == 0 ? 4U : 2U) || !str_u64(s, max[level], &v))
		return false;
	*out = (int)v;
	return true;
}

/* <ULID>.log, .log.zst or the .log.zst.tmp of a compression cut short. */
static bool
is_ours(const char *name)
{
	static const char *const ends[] = { ".log", ".log.zst",
		".log.zst.tmp" };
	const struct str s = str_of(name);
	const size_t id_len = ULID_TEXT_CAP - 1;
	struct ulid id;
	size_t i;

	if (s.n <= id_len || !ulid_parse(str_sub(s, 0, id_len), &id))
		return false;
	for (i = 0; i < ARRAY_LEN(ends); i++)
		if (str_eqz(str_sub(s, id_len, s.n), ends[i]))
			return true;
	return false;
}

/* -1: no such date. */
static int64_t
hour_start(const int date[LEVELS])
{
	char text[CLOCK_TEXT_CAP];
	int64_t ms;

	if (!str_fmt(text, sizeof(text), "%04d-%02d-%02dT%02d:00:00.000Z",
	        date[0], date[1], date[2], date[3]) ||
	    !clock_parse(str_of(text), &ms))
		return -1;
	return ms;
}

/* ---- what is there */

static uint64_t
size_of(const struct stat *st)
{
	return ((uint64_t)st->st_size + BLOCK - 1) / BLOCK * BLOCK;
}

static bool
may_run(const struct retain *t, const char *name, const struct stat *st)
{
	const int64_t written_ms = (int64_t)st->st_mtim.tv_sec * 1000;

	return str_ends(str_of(name), STR(".log")) &&
	       written_ms > t->o->now_ms - RUNNING_MS;
}

static void
add_hour(struct retain *t)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 256 : t->cap * 2;
		t->hours = mem_realloc(t->hours, t->cap * sizeof(*t->hours));
	}
	t->hours[t->n++] = t->at;
	t->result.bytes_left += t->at.bytes;
}

/* A directory on its way down: false when it is none of ours.  It is seen on
 * its way up in any case, then with start_ms < 0. */
static bool
enter_dir(struct retain *t, const FTSENT *ent)
{
	const size_t level = (size_t)ent->fts_level;

	t->at.start_ms = -1;
	if (level == 0)
		return true;
	if (level > LEVELS ||
	    !parse_level(ent->fts_name, level - 1, &t->at.date[level - 1]))
		return false;
	if (level < LEVELS)
		return true;
	t->at.bytes = 0;
	t->at.start_ms = hour_start(t->at.date);
	return t->at.start_ms >= 0;
}

static enum rc
see(struct retain *t, FTS *tree, FTSENT *ent, struct err *e)
{
	switch (ent->fts_info) {
	case FTS_D:
		if (!enter_dir(t, ent))
			(void)fts_set(tree, ent, FTS_SKIP);
		return RC_OK;
	case FTS_DP:
		if (ent->fts_level == LEVELS && t->at.start_ms >= 0)
			add_hour(t);
		return RC_OK;
	case FTS_F:
		if (ent->fts_level == LEVELS + 1 && is_ours(ent->fts_name))
			t->at.bytes += size_of(ent->fts_statp);
		return RC_OK;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		if (ent->fts_errno == ENOENT)
			return RC_OK; /* nothing yet, or compressed just now */
		return err_errno(e, ent->fts_errno, "%s: cannot look at it",
		    ent->fts_path);
	default:
		return RC_OK;
	}
}

static enum rc
find_hours(struct retain *t, struct err *e)
{
	char *const roots[] = { t->root, NULL };
	enum rc rc = RC_OK;
	FTSENT *ent;
	FTS *tree;

	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (tree == NULL)
		return err_errno(e, errno, "%s: cannot list", t->root);
	while (rc == RC_OK) {
		errno = 0;
		ent = fts_read(tree);
		if (ent == NULL)
			break;
		rc = see(t, tree, ent, e);
	}
	if (rc == RC_OK && errno != 0)
		rc = err_errno(e, errno, "%s: cannot list", t->root);
	(void)fts_close(tree);
	return rc;
}

/* ---- removal */

static enum rc
remove_file(struct retain *t, int dir, const char *name, struct err *e)
{
	struct stat st;
	uint64_t size;

	if (!is_ours(name) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    may_run(t, name, &st))
		return RC_OK;
	if (unlinkat(dir, name, 0) != 0)
		return errno == ENOENT
		           ? RC_OK
		           : err_errno(e, errno, "%s: cannot remove %s",
		                 t->root, name);
	size = size_of(&st);
	t->result.files++;
	t->result.bytes += size;
	t->result.bytes_left -=
	    size < t->result.bytes_left ? size : t->result.bytes_left;
	return RC_OK;
}

static enum rc
remove_files(struct retain *t, const char *path, struct err *e)
{
	const struct dirent *ent;
	enum rc rc = RC_OK;
	DIR *d;

	d = opendir(path);
	if (d == NULL)
		return errno == ENOENT
		           ? RC_OK
		           : err_errno(e, errno, "%s: cannot list", path);
	while (rc == RC_OK && (ent = readdir(d)) != NULL)
		rc = remove_file(t, dirfd(d), ent->d_name, e);
	(void)closedir(d);
	return rc;
}

/* The directories that are empty now; the others are none of our business. */
static void
remove_dirs(char path[PATH_CAP])
{
	size_t i;

	for (i = 0; i < LEVELS && rmdir(path) == 0; i++)
		*strrchr(path, '/') = '\0';
}

static enum rc
remove_hour(struct retain *t, const struct hour *h, struct err *e)
{
	char path[PATH_CAP];
	enum rc rc;

	if (!str_fmt(path, sizeof(path), "%s/%04d/%02d/%02d/%02d", t->root,
	        h->date[0], h->date[1], h->date[2], h->date[3]))
		return err_set(e, RC_LIMIT, "the path is too long: %.100s...",
		    t->root);
	if ((rc = remove_files(t, path, e)) != RC_OK)
		return rc;
	remove_dirs(path);
	if (h->start_ms <= t->o->now_ms)
		t->result.removed_before_ms = h->start_ms + HOUR_MS;
	return RC_OK;
}

static bool
must_go(const struct retain *t, const struct hour *h)
{
	const int64_t now = t->o->now_ms, end = h->start_ms + HOUR_MS;

	if (h->start_ms <= now && now < end)
		return false;
	if (t->o->max_age_ms != 0 && end <= now - t->o->max_age_ms)
		return true;
	return t->o->max_bytes != 0 && t->result.bytes_left > t->o->max_bytes;
}

static int
hour_cmp(const void *a, const void *b)
{
	const struct hour *x = a, *y = b;

	return (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

enum rc
retain_run(const char *root, const struct retain_opts *o,
    struct retain_result *out, struct err *e)
{
	struct retain t = { .o = o };
	enum rc rc;
	size_t i;

	if (!str_fmt(t.root, sizeof(t.root), "%s/jobs", root))
		return err_set(e, RC_LIMIT, "the path is too long: %.100s...",
		    root);
	rc = find_hours(&t, e);
	if (t.n > 1)
		qsort(t.hours, t.n, sizeof(*t.hours), hour_cmp);
	for (i = 0; i < t.n && rc == RC_OK; i++)
		if (must_go(&t, &t.hours[i]))
			rc = remove_hour(&t, &t.hours[i], e);
	mem_free(t.hours);
	if (rc == RC_OK)
		*out = t.result;
	return rc;
}
