/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_BASE_SANDBOX_FILES_H
#define TESTS_UNIT_BASE_SANDBOX_FILES_H
/* Probes: files. */
#include "tests/unit/base/sandbox_help.h"

static inline int
read_allowed_file(struct world *w)
{
	struct buf b;

	buf_init(&b, KIB(1));
	if (fsio_read(tmpdir_file(&w->in, "data"), &b, NULL) != RC_OK)
		return WRONG;
	return str_eqz(buf_str(&b), "data") ? DONE : WRONG;
}

static inline int
read_part_of_allowed_file(struct world *w)
{
	char text[2];
	struct stat st;
	int dir, fd;

	dir = open(w->in.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, "data", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size != 4 ||
	    pread(fd, text, 2, 2) != 2 || lseek(fd, 1, SEEK_SET) != 1)
		return WRONG;
	return memcmp(text, "ta", 2) == 0 ? result(close(fd)) : WRONG;
}

static inline int
list_allowed_directory(struct world *w)
{
	return tmpdir_count(w->in.path) == 1 ? DONE : WRONG;
}

static inline int
map_allowed_file(struct world *w)
{
	int fd = open(tmpdir_file(&w->in, "data"), O_RDONLY | O_CLOEXEC);
	const char *p;

	p = mmap(NULL, (size_t)256 << 30, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return errno;
	return memcmp(p, "data", 4) == 0 ? DONE : WRONG;
}

static inline int
ask_for_zone(struct world *w)
{
	int32_t offset_s = 0;

	(void)w;
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
		return DONE; /* no zone data on this machine */
	if (!clock_zone_offset("Europe/Berlin", 1767225600000, &offset_s))
		return WRONG;
	return offset_s == 3600 ? DONE : WRONG;
}

static inline int
read_outside(struct world *w)
{
	return result(
	    open(tmpdir_file(&w->outside, "secret"), O_RDONLY | O_CLOEXEC));
}

static inline int
read_by_dots(struct world *w)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/../%s/secret", w->in.path,
	    w->outside.path + strlen("/tmp/"));
	return result(open(path, O_RDONLY | O_CLOEXEC));
}

static inline int
read_passwd(struct world *w)
{
	(void)w;
	return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static inline int
list_root(struct world *w)
{
	(void)w;
	return result(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

UNUSED static int
open_for_writing(struct world *w)
{
	return result(open(tmpdir_file(&w->in, "data"), O_WRONLY | O_CLOEXEC));
}

UNUSED static int
open_for_both(struct world *w)
{
	return result(
	    openat(AT_FDCWD, tmpdir_file(&w->in, "data"), O_RDWR | O_CLOEXEC));
}

UNUSED static int
create_file(struct world *w)
{
	return result(open(tmpdir_file(&w->in, "new"),
	    O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

UNUSED static int
truncate_by_open(struct world *w)
{
	return result(
	    open(tmpdir_file(&w->in, "data"), O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static inline int
open_by_openat2(struct world *w)
{
	const uint64_t how[3] = { O_WRONLY, 0, 0 };

	return result(syscall(SYS_openat2, AT_FDCWD,
	    tmpdir_file(&w->in, "data"), how, sizeof(how)));
}

static inline int
truncate_file(struct world *w)
{
	return result(truncate(tmpdir_file(&w->in, "data"), 0));
}

static inline int
unlink_file(struct world *w)
{
	return result(unlink(tmpdir_file(&w->in, "data")));
}

static inline int
rename_file(struct world *w)
{
	return result(rename(tmpdir_file(&w->in, "data"), "/tmp/x"));
}

static inline int
make_directory(struct world *w)
{
	return result(mkdir(tmpdir_file(&w->in, "d"), 0700));
}

static inline int
change_mode(struct world *w)
{
	return result(chmod(tmpdir_file(&w->in, "data"), 0777));
}

static inline int
replace_in_write_path(struct world *w)
{
	if (fsio_replace(tmpdir_file(&w->in, "data"), STR("x"), 0600, NULL) !=
	    RC_OK)
		return WRONG;
	return fsio_replace(w->in.file, STR("data"), 0600, NULL) == RC_OK
	           ? DONE
	           : WRONG;
}

static inline int
create_outside(struct world *w)
{
	return result(open(tmpdir_file(&w->outside, "new"),
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static inline int
read_library(struct world *w)
{
	return result(
	    open(tmpdir_file(&w->library, "book"), O_RDONLY | O_CLOEXEC));
}

static inline int
write_library(struct world *w)
{
	return result(
	    open(tmpdir_file(&w->library, "book"), O_WRONLY | O_CLOEXEC));
}

static inline int
create_in_library(struct world *w)
{
	return result(open(tmpdir_file(&w->library, "new"),
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static inline int
truncate_library(struct world *w)
{
	return result(truncate(tmpdir_file(&w->library, "book"), 0));
}

static inline int
unlink_library(struct world *w)
{
	return result(unlink(tmpdir_file(&w->library, "book")));
}
#endif
