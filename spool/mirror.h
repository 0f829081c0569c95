/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_MIRROR_H
#define SPOOL_MIRROR_H
/*
 * A copy of a directory tree that is brought up to date again and again:
 * files and directories, what is gone is removed, links and everything else
 * are left out.  A file of the same size and time is not read again; each
 * one is replaced as a whole, so that a copy cut short holds old files and
 * new ones, never halves.
 *
 * A directory without subdirectories in which nothing grows gets a time made
 * of its original's, and is passed over while the two belong together: an
 * hour of job logs that is over costs one look.  Blocking.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"

struct mirror_opts {
	/* Whether a file may change without its directory knowing; NULL:
	 * any may, and every directory is read. */
	bool (*grows)(const char *name);
};

struct mirror_result {
	uint64_t files, bytes; /* written */
	uint64_t removed;
	uint64_t dirs_passed; /* as they were */
};

/* Nothing is synced; a source that is not there empties nothing and is
 * RC_OK.  *out is added to. */
MUST_USE enum rc mirror_tree(const char *from, const char *to,
    const struct mirror_opts *o, struct mirror_result *out, struct err *e);
/* For job logs: one that is written to. */
bool mirror_log_grows(const char *name);
#endif
