/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_JOBLOG_READ_H
#define SPOOL_JOBLOG_READ_H
/*
 * Reading job logs, raw or compressed alike.  Positions are byte offsets
 * into the uncompressed text; a reader never passes the committed length
 * it was opened with.  Blocking; any thread or process.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "spool/joblog.h"

struct joblog_reader;

/* Opens .log, then .log.zst, then .log again (compression may happen at the
 * same time).  RC_NOTFOUND: no log.  RC_CORRUPT: a damaged .log.zst.  limit:
 * committed bytes. */
MUST_USE enum rc joblog_open(const char *root, const struct ulid *id,
    uint64_t limit, struct joblog_reader **out, struct err *e);
void joblog_close(struct joblog_reader *r);

/* Reads up to max bytes at offset into out (appended), cut back to the last
 * line end, but at least one line even if that is longer; at the end of the
 * log nothing is added.  May give less than max and not be at the end.
 * *next is the offset after them.  RC_CORRUPT: damaged here, or shorter than
 * limit (what is there is given first).  RC_LIMIT: no room in out. */
MUST_USE enum rc joblog_read(struct joblog_reader *r, uint64_t offset,
    size_t max, struct buf *out, uint64_t *next, struct err *e);

/* Offset of line n (1-based), or of the first of the last n lines and its
 * number.  Past the end: the end. */
MUST_USE enum rc joblog_seek_line(struct joblog_reader *r, uint64_t line,
    uint64_t *offset, struct err *e);
MUST_USE enum rc joblog_seek_tail(struct joblog_reader *r, uint64_t lines,
    uint64_t *offset, uint64_t *first_line, struct err *e);
/* Backwards from the end: offset of the first of the last n lines, and how
 * many there are from it on.  Costs what is passed, not what is before. */
MUST_USE enum rc joblog_seek_back(struct joblog_reader *r, uint64_t lines,
    uint64_t *offset, uint64_t *found, struct err *e);
/* All that was committed is there. */
bool joblog_whole(const struct joblog_reader *r);
/* The file that was opened; dies with the reader. */
const char *joblog_reader_path(const struct joblog_reader *r);

/* Takes one line off *rest and splits it; false at the end.  A line that
 * does not have the form is given as tag SYS, ts 0, whole text.  A last
 * line without newline is given too. */
struct joblog_entry {
	int64_t ts_ms;
	enum joblog_tag tag;
	struct str text; /* as stored, escapes included */
};
bool joblog_next(struct str *rest, struct joblog_entry *out);
/* "out", "err", "evt", "hook", "sys" */
const char *joblog_tag_name(enum joblog_tag tag);
/* stdout, stderr, event, hook, sys: the API's names */
const char *joblog_stream_name(enum joblog_tag tag);
#endif
