/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_SANDBOX_H
#define LIB_BASE_SANDBOX_H
/*
 * Taking rights away, once, after everything is open: limits, landlock
 * (where the kernel has it), seccomp.  Cannot be undone.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"

enum sandbox_profile {
	SANDBOX_RENDER,    /* read two directories, talk on open sockets */
	SANDBOX_CONTROLLER /* no exec, no ptrace, no mounts */
};

enum sandbox_mode {
	SANDBOX_ERRNO, /* forbidden calls fail with EPERM */
	SANDBOX_KILL   /* forbidden calls end the process */
};

struct sandbox_opts {
	enum sandbox_profile profile;
	enum sandbox_mode mode;
	const char *const *read_paths; /* landlock, NULL-terminated */
	const char *const *write_paths;
	size_t data_bytes; /* RLIMIT_DATA, 0: none */
};

/* landlock missing in the kernel: carries on and sets *landlock to false
 * (may be NULL); any other failure is an error. */
MUST_USE enum rc sandbox_enter(const struct sandbox_opts *o, bool *landlock,
    struct err *e);
#endif
