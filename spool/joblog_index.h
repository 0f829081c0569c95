/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_JOBLOG_INDEX_H
#define SPOOL_JOBLOG_INDEX_H
/*
 * The index of a compressed job log: the zstd tools skip it, readers find
 * the frame of an offset or a line with it.  It is the last frame of the
 * file:
 *
 *   skippable frame 0x184D2A50, size (both little-endian, as zstd has it)
 *   for each frame: u32 compressed bytes, u32 text bytes, u32 lines
 *   u32 number of frames, u32 CRC32C of all before it but the frame's own
 *   8 bytes, "RMLOGIX1"
 */
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct buf;

enum {
	JOBLOG_INDEX_TAIL = 16,
	JOBLOG_INDEX_HEAD = 8,
	JOBLOG_INDEX_ROW = 12,
	JOBLOG_INDEX_ROWS = 4096,
	JOBLOG_INDEX_MAX = JOBLOG_INDEX_HEAD + JOBLOG_INDEX_TAIL +
	                   JOBLOG_INDEX_ROW * JOBLOG_INDEX_ROWS
};

struct joblog_frame {
	uint64_t at;        /* offset in the text */
	uint64_t packed_at; /* offset in the file */
	uint32_t bytes;
	uint32_t packed;
	uint32_t lines;
};

/* rows: what joblog_index_row() wrote, one for each frame. */
void joblog_index_row(struct buf *rows, const struct joblog_frame *frame);
void joblog_index_put(struct buf *out, struct str rows);

/* tail: the last JOBLOG_INDEX_TAIL bytes of a file.  *size is that of the
 * whole index. */
MUST_USE enum rc joblog_index_size(struct str tail, size_t *size);
/* index: the last bytes of a file of file_size bytes.  *out has *n rows
 * (mem_free it); RC_CORRUPT when they do not add up. */
MUST_USE enum rc joblog_index_parse(struct str index, uint64_t file_size,
    struct joblog_frame **out, size_t *n);
#endif
