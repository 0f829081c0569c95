/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_SANDBOX_H
#define LIB_BASE_SANDBOX_H
/*
 * Taking rights away, once, after everything is open: limits, landlock
 * (where the kernel has it), seccomp.  Cannot be undone.
 * Call it while there is one thread: seccomp covers all, landlock only the
 * caller and the threads it starts afterwards.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"

enum sandbox_profile {
	/* What is listed and nothing else: read the read paths, accept and
	 * talk on open sockets, wait, memory without execution. */
	SANDBOX_RENDER,
	/* Everything but exec, ptrace, mounts, namespaces, modules, raw
	 * sockets, change of user.  Landlock only when paths are given. */
	SANDBOX_CONTROLLER
};

enum sandbox_mode {
	SANDBOX_ERRNO, /* forbidden calls fail with EPERM */
	SANDBOX_KILL   /* forbidden calls end the process */
};

struct sandbox_opts {
	enum sandbox_profile profile;
	enum sandbox_mode mode;
	/* For landlock, NULL-terminated or NULL.  They must exist. */
	const char *const *read_paths;
	const char *const *write_paths;
	size_t data_bytes; /* RLIMIT_DATA, 0: none; not in sanitizer builds */
};

/* landlock missing in the kernel: carries on and sets *landlock to false
 * (may be NULL); any other failure is an error. */
MUST_USE enum rc sandbox_enter(const struct sandbox_opts *o, bool *landlock,
    struct err *e);
#endif
