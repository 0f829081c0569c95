/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_QUEUE_SEG_H
#define SPOOL_QUEUE_SEG_H
/*
 * Segment files of the agent's queue as bytes: names, header, records.  No
 * files are touched here and nothing is decided.
 *
 *   header: "RMQ-segm", u32 version, 16 bytes epoch, u64 first seq
 *   record: u32 length of the payload, u32 CRC32C of all but itself,
 *           u64 seq, u64 time ms, u8 type, payload
 *
 * Numbers follow one another; a GAP's own number is the last of those it
 * stands for.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "spool/queue.h"

struct buf;

enum {
	QUEUE_SEG_HEAD = 36,
	QUEUE_REC_HEAD = 25,
	QUEUE_SEG_MAX = QUEUE_SEGMENT_SIZE + QUEUE_RESERVE_SIZE,
	QUEUE_NAME_CAP = 32
};

struct queue_seg {
	uint64_t first; /* as in its name */
	uint64_t last;  /* first - 1 while it is empty */
	uint64_t size;  /* bytes */
	uint64_t logs;  /* of them in LOG records that may still be dropped */
};

void queue_seg_name(uint64_t first, char dst[QUEUE_NAME_CAP]);
MUST_USE bool queue_seg_parse_name(const char *name, uint64_t *out_first);

void queue_seg_put_head(struct buf *out, const uint8_t *epoch, uint64_t first);
/* Takes the header off *rest.  RC_VERSION: a newer one; RC_CORRUPT: not the
 * header of this segment. */
MUST_USE enum rc queue_seg_take_head(struct str *rest, const uint8_t *epoch,
    uint64_t first);

void queue_seg_put(struct buf *out, const struct queue_record *r);
/* Takes the record off *rest that follows number before.  RC_NOTFOUND: rest
 * is empty; RC_CORRUPT: damaged or torn, *rest is unchanged. */
MUST_USE enum rc queue_seg_take(struct str *rest, uint64_t before,
    struct queue_record *out);

/* Reads it all.  seg->first is given, the rest is filled in up to the first
 * damaged record (RC_CORRUPT; size 0 when it is the header). */
MUST_USE enum rc queue_seg_scan(struct str file, const uint8_t *epoch,
    struct queue_seg *seg);
#endif
