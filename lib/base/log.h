/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H
/*
 * One line per record on stderr (or a descriptor), which the service
 * manager collects:
 *   2026-11-20T20:43:11.123Z info  job  job finished host=web-1 rc=RC_OK
 * Constant message first, then key=value.  Outside text passes log_safe().
 * Never a secret, never restic's raw line.  Any thread.
 */
#include <stdbool.h>

#include "lib/base/attr.h"
#include "lib/base/str.h"

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG
};

enum log_area {
	LOG_MAIN,
	LOG_CONF,
	LOG_NET,
	LOG_HTTP,
	LOG_AGENT,
	LOG_JOB,
	LOG_STORE,
	LOG_SPOOL,
	LOG_PAGE,
	LOG_AUTH
};

void log_open(int fd, enum log_level level); /* fd is borrowed */
bool log_level_parse(struct str s, enum log_level *out);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, enum log_area area, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#define log_error(area, ...) log_write(LOG_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...) log_write(LOG_WARN, area, __VA_ARGS__)
#define log_info(area, ...) log_write(LOG_INFO, area, __VA_ARGS__)
#define log_debug(area, ...)                                              \
	(log_enabled(LOG_DEBUG) ? log_write(LOG_DEBUG, area, __VA_ARGS__) \
	                        : (void)0)

/* Limits a call site: at most burst records per period; then one record
 * tells how many were left out.  Storage static at the call site. */
struct log_limit {
	long long window_ms; /* start of the current period */
	unsigned count;
	unsigned dropped;
};
bool log_allow(struct log_limit *l, unsigned burst, unsigned period_s);

/* Outside text as one printable word: control bytes, quotes, backslash,
 * changes of writing direction and malformed UTF-8 as \xHH, cut to 200 bytes
 * and "..."; in double quotes when it is empty or has a blank.  Points into
 * one of eight per-thread buffers: use it in the same call only. */
const char *log_safe(struct str s);
#endif
