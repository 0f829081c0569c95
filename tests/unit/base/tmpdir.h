/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_BASE_TMPDIR_H
#define TESTS_UNIT_BASE_TMPDIR_H
/* A directory of its own for a test, removed with what is in it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tmpdir {
	char path[64];
	char file[256]; /* what tmpdir_file gave last */
};

static inline void
tmpdir_make(struct tmpdir *t)
{
	(void)snprintf(t->path, sizeof(t->path), "/tmp/rm-test-XXXXXX");
	if (mkdtemp(t->path) == NULL)
		abort();
}

static inline const char *
tmpdir_file(struct tmpdir *t, const char *name)
{
	if (snprintf(t->file, sizeof(t->file), "%s/%s", t->path, name) >=
	    (int)sizeof(t->file))
		abort();
	return t->file;
}

static inline void
tmpdir_write(struct tmpdir *t, const char *name, const char *text)
{
	FILE *f = fopen(tmpdir_file(t, name), "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

/* Number of names in the directory. */
static inline size_t
tmpdir_count(const char *path)
{
	const struct dirent *ent;
	size_t n = 0;
	DIR *d = opendir(path);

	if (d == NULL)
		abort();
	while ((ent = readdir(d)) != NULL) {
		if (strcmp(ent->d_name, ".") != 0 &&
		    strcmp(ent->d_name, "..") != 0)
			n++;
	}
	(void)closedir(d);
	return n;
}

static inline void
tmpdir_remove(const char *path)
{
	char below[512];
	const struct dirent *ent;
	DIR *d = opendir(path);

	if (d == NULL) {
		(void)unlink(path);
		return;
	}
	while ((ent = readdir(d)) != NULL) {
		if (strcmp(ent->d_name, ".") == 0 ||
		    strcmp(ent->d_name, "..") == 0)
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path,
		        ent->d_name) >= (int)sizeof(below))
			abort();
		tmpdir_remove(below);
	}
	(void)closedir(d);
	(void)rmdir(path);
}
#endif
