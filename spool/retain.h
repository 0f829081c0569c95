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
	int64_t max_age_ms;  /* 0: no limit */
	uint64_t max_bytes;  /* 0: no limit */
};

struct retain_result {
	uint64_t files;
	uint64_t bytes;
	int64_t removed_before_ms; /* every log older than this is gone */
	uint64_t bytes_left;
};

/* Whole hours only; the current hour is never removed. */
MUST_USE enum rc retain_run(const char *root, const struct retain_opts *o,
    struct retain_result *out, struct err *e);
#endif
