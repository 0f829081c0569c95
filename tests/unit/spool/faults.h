/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_SPOOL_FAULTS_H
#define TESTS_UNIT_SPOOL_FAULTS_H
/*
 * System calls that fail, write short or are never returned from, by count.
 * Included by one file of a program: its definitions take the place of the C
 * library's for the code under test.  Syncing does nothing, for speed: what
 * is tested here are ends of the process, not of the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum fault_mode {
	FAULT_NONE,
	FAULT_EXIT,  /* the process ends before the call */
	FAULT_ONCE,  /* the call fails, later ones do not */
	FAULT_ON,    /* it and all later ones fail */
	FAULT_SHORT, /* a write does half, later ones fail */
};

enum {
	FAULT_STATUS = 42
};

static struct {
	enum fault_mode mode;
	int at; /* the how manyth call */
	int error;
	bool full; /* nothing can be reserved */
	int calls; /* so far */
	int writes;
	int syncs;
} fault;

static void
fault_set(enum fault_mode mode, int at, int error)
{
	fault.mode = mode;
	fault.at = at;
	fault.error = error;
	fault.full = false;
	fault.calls = fault.writes = fault.syncs = 0;
}

/* Counts a call; true when it must fail. */
static bool
fault_hits(void)
{
	const int n = ++fault.calls;

	if (fault.mode == FAULT_NONE || n < fault.at)
		return false;
	if (fault.mode == FAULT_EXIT)
		_exit(FAULT_STATUS);
	if (fault.mode == FAULT_ONCE && n > fault.at)
		return false;
	errno = fault.error;
	return true;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	fault.writes++;
	if (fault_hits()) {
		if (fault.mode != FAULT_SHORT || fault.calls > fault.at)
			return -1;
		n /= 2;
	}
	return syscall(SYS_write, fd, p, n);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	return fault_hits() ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

int
ftruncate(int fd, off_t n)
{
	return fault_hits() ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

int
fallocate(int fd, int mode, off_t at, off_t n)
{
	if (fault.full) {
		errno = ENOSPC;
		return -1;
	}
	return fault_hits() ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, n);
}

int
fsync(int fd)
{
	(void)fd;
	fault.syncs++;
	return fault_hits() ? -1 : 0;
}

int
fdatasync(int fd)
{
	(void)fd;
	fault.syncs++;
	return fault_hits() ? -1 : 0;
}

int
rename(const char *from, const char *to)
{
	return fault_hits() ? -1
	                    : (int)syscall(SYS_renameat2, AT_FDCWD, from,
	                          AT_FDCWD, to, 0);
}

int
unlink(const char *path)
{
	return fault_hits() ? -1
	                    : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
#endif
