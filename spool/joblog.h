/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_JOBLOG_H
#define SPOOL_JOBLOG_H
/*
 * Job logs on disk: the only writer of the line form that administrators
 * grep.
 *
 *   2026-11-20T20:43:11.123Z out  processed 120 files
 *   |24 bytes UTC time      | |tag, two blanks, text
 *
 * Text: control bytes (C1 ones too) and malformed UTF-8 as \xHH.  So that
 * this can be undone, backslashes standing directly before what reads as
 * such an escape, or before an escape, are doubled; all others stand as they
 * are.
 * A file lies at jobs/YYYY/MM/DD/HH/<ULID>.log by the ULID's own time.  The
 * length committed with the job record is the truth: joblog_append() writes
 * at that offset and cuts what lies behind it, so a torn line or a batch
 * that was never committed cannot survive.
 * Blocking: pool threads and tools only.  One writer per file at a time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"

struct buf;
struct ulid;

enum joblog_tag {
	JOBLOG_OUT,
	JOBLOG_ERR,
	JOBLOG_EVT,
	JOBLOG_HOOK,
	JOBLOG_SYS
};

enum {
	JOBLOG_PATH_CAP = 4096,
	JOBLOG_LINE_MAX = 16384,    /* payload bytes; longer ones are cut */
	JOBLOG_STORED_MAX = 65664,  /* a stored line, newline included */
	JOBLOG_FILE_MAX = 41943040, /* 40 MiB: the controller's own cap */
	JOBLOG_END_ROOM = 65536,    /* beyond it, for the last lines */
	JOBLOG_FRAME_SIZE = 262144  /* uncompressed bytes per zstd frame */
};

/* root/jobs/YYYY/MM/DD/HH/<id>.log, or .log.zst.  Ids of a time after the
 * year 9999 lie in its last hour.  RC_LIMIT: longer than cap. */
MUST_USE enum rc joblog_path(const char *root, const struct ulid *id,
    bool compressed, char *dst, size_t cap);
/* What one of its files is made of and becomes: tmp is given the other's name
 * when it is whole. */
struct joblog_files {
	char log[JOBLOG_PATH_CAP];
	char zst[JOBLOG_PATH_CAP];
	char tmp[JOBLOG_PATH_CAP];
};
MUST_USE enum rc joblog_files(const char *root, const struct ulid *id,
    struct joblog_files *out, struct err *e);

/* Formats one line, newline included, at most JOBLOG_STORED_MAX bytes. */
void joblog_line(struct buf *out, int64_t ts_ms, enum joblog_tag tag,
    struct str text);
/* The same for many: lines of one moment share its text.  Zeroed at first. */
struct joblog_stamp {
	bool set;
	int64_t ms;
	char text[CLOCK_TEXT_CAP];
};
void joblog_line_at(struct buf *out, struct joblog_stamp *st, int64_t ts_ms,
    enum joblog_tag tag, struct str text);

/* Writes data (whole lines) at offset at of the job's file, which it makes
 * with its directories if at is 0, and cuts the file there first.  A file
 * shorter than at, or missing, is RC_CORRUPT.  RC_LIMIT: it would pass
 * JOBLOG_FILE_MAX + JOBLOG_END_ROOM.  On RC_FULL or RC_IO the file is cut
 * back to at.  Not durable before joblog_sync(). */
MUST_USE enum rc joblog_append(const char *root, const struct ulid *id,
    uint64_t at, struct str data, struct err *e);

/* syncfs of the filesystem the spool lies on: all appends since
 * joblog_hold(), new directories included, are durable afterwards.
 *
 * Hold before the first append of a batch, close *out_fd after the sync: the
 * kernel tells a write-back that failed to everybody who had the filesystem
 * open by then, and to one who opens it later only if nobody else has asked
 * meanwhile. */
MUST_USE enum rc joblog_hold(const char *root, int *out_fd, struct err *e);
MUST_USE enum rc joblog_sync(int fd, const char *root, struct err *e);

/* At start, for a job whose log is still open: cuts to bytes.  *damaged is
 * set when the file is shorter, or missing with bytes > 0 (nothing is
 * changed then).  A log that was compressed already is text again: a copy of
 * the spool is younger than the copy of the database beside it. */
MUST_USE enum rc joblog_recover(const char *root, const struct ulid *id,
    uint64_t bytes, bool *damaged, struct err *e);

/* Makes .log of the first bytes of the text in .log.zst, which goes.
 * RC_NOTFOUND: no log.  RC_CORRUPT: damaged or shorter; it stays. */
MUST_USE enum rc joblog_unpack(const char *root, const struct ulid *id,
    uint64_t bytes, struct err *e);

/* Removes the job's log, compressed or not; RC_OK when there is none. */
MUST_USE enum rc joblog_remove(const char *root, const struct ulid *id,
    struct err *e);

/* After the end: compresses to .log.zst (independent frames cut at line
 * ends, checksums, index in a trailing skippable frame), fsync, rename,
 * fsync directory, unlinks .log.  Done before or interrupted anywhere: does
 * what is left.  bytes is the committed length.  RC_NOTFOUND: no log.
 * RC_CORRUPT: shorter than bytes; it stays as it is. */
MUST_USE enum rc joblog_compress(const char *root, const struct ulid *id,
    uint64_t bytes, struct err *e);
#endif
