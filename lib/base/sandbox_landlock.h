/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_SANDBOX_LANDLOCK_H
#define LIB_BASE_SANDBOX_LANDLOCK_H
/* The part of sandbox that speaks to landlock; for sandbox.c only. */
#include <stdbool.h>

#include "lib/base/rc.h"

/* Leaves only reading below the read paths and everything below the write
 * paths (each list NULL-terminated or NULL).  Needs NO_NEW_PRIVS; covers
 * the calling thread and those it starts.  A kernel without landlock:
 * RC_OK and *have false. */
MUST_USE enum rc sandbox_landlock(const char *const *read_paths,
    const char *const *write_paths, bool *have, struct err *e);
#endif
