/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_RETAIN_H
#define SPOOL_RETAIN_H
/*
 * Retention of job logs: oldest hour directories first, by age and by total
 * size.  Job records stay.  Blocking: pool thread.
 */
#include <stdint.h>

#include "lib/base/rc.h"

struct retain_opts {
	int64_t now_ms;
	int64_t max_age_ms; /* 0: no limit */
	uint64_t max_bytes; /* 0: no limit */
};

struct retain_result {
	uint64_t files; /* removed */
	uint64_t bytes;
	int64_t removed_before_ms; /* every log older than this is gone, but
				    * those that were kept; 0: none is */
	uint64_t bytes_left;
};

/* Whole hours only; the current hour is never removed.  Kept wherever they
 * are: a .log written to in the last 24 hours (its job may run), and files
 * that are not ours.  Sizes count in blocks of 4 KiB. */
MUST_USE enum rc retain_run(const char *root, const struct retain_opts *o,
    struct retain_result *out, struct err *e);
#endif
