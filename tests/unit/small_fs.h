/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_SMALL_FS_H
#define TESTS_UNIT_SMALL_FS_H
/*
 * A real file system that can be filled: a small tmpfs in a mount namespace
 * of this process alone.  Needs root or user namespaces; where neither is
 * allowed small_fs_enter() says so and the tests are skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum {
	SMALL_FS_NONE = 77 /* small_fs_child() could not make one */
};

static inline bool
small_fs_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static inline bool
small_fs_user_namespace(void)
{
	unsigned uid = (unsigned)getuid(), gid = (unsigned)getgid();
	char map[64];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	(void)small_fs_write("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	if (!small_fs_write("/proc/self/uid_map", map))
		return false;
	(void)snprintf(map, sizeof(map), "0 %u 1", gid);
	return small_fs_write("/proc/self/gid_map", map);
}

/* Before any thread is started. */
static inline bool
small_fs_enter(void)
{
	if (unshare(CLONE_NEWNS) != 0 && !small_fs_user_namespace())
		return false;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* An empty file system of that size at dir, which is made if need be. */
static inline bool
small_fs_mount(const char *dir, unsigned kib)
{
	char options[64];

	(void)snprintf(options, sizeof(options), "size=%uk", kib);
	return (mkdir(dir, 0700) == 0 || errno == EEXIST) &&
	       mount("tmpfs", dir, "tmpfs", 0, options) == 0;
}

static inline void
small_fs_unmount(const char *dir)
{
	(void)umount2(dir, MNT_DETACH);
}

/* Takes that many bytes; unlink(path) gives them back. */
static inline bool
small_fs_fill(const char *path, size_t bytes)
{
	static const char block[4096] = "full";
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ssize_t n = 1;

	if (fd < 0)
		return false;
	for (; bytes > 0 && n > 0; bytes -= (size_t)n)
		n = write(fd, block,
		    bytes < sizeof(block) ? bytes : sizeof(block));
	close(fd);
	return bytes == 0;
}

/* Takes all that is left, also of what became free since the last time. */
static inline bool
small_fs_fill_up(const char *path)
{
	return !small_fs_fill(path, SIZE_MAX) && errno == ENOSPC;
}

/* The exit code of a child that calls fn(dir) where dir is a file system of
 * that size, or SMALL_FS_NONE; -1: it did not get to its end. */
static inline int
small_fs_child(int (*fn)(const char *dir), const char *dir, unsigned kib)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (!small_fs_enter() || !small_fs_mount(dir, kib))
			_exit(SMALL_FS_NONE);
		_exit(fn(dir));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}
/* fn(dir) gives 0 there; where no file system can be made it is skipped. */
static inline void
small_fs_try(int (*fn)(const char *dir), const char *dir, unsigned kib)
{
	int code = small_fs_child(fn, dir, kib);

	if (code == SMALL_FS_NONE)
		skip();
	assert_int_equal(code, 0);
}
#endif
