/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_QUEUE_H
#define SPOOL_QUEUE_H
/*
 * The agent's events on disk: appended before they are sent, kept until they
 * are acknowledged.  Sequence numbers start at 1 and have no holes; the
 * epoch is 16 random bytes made with the directory.
 *
 *   queue/meta            magic, version, epoch, CRC
 *   queue/seg-<first seq> magic, version, then records
 *   queue/ack             highest number acknowledged: a hint
 *   queue/reserve         preallocated, given up for results on a full disk
 *   record = u32 length, u32 CRC32C, u64 seq, u64 time ms, u8 type, payload
 *
 * Only synced records may be sent: queue_peek() gives no others.  Ring full:
 * the oldest log payloads go first and leave one gap record in their place;
 * other records are never dropped.
 * Blocking (append is a write to the page cache, sync an fdatasync); one
 * thread at a time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct queue;
struct buf;

enum queue_type {
	QUEUE_EVENT = 1, /* never dropped */
	QUEUE_LOG = 2,   /* may be dropped when the ring is full */
	QUEUE_GAP = 3    /* stands for dropped ones */
};

enum {
	QUEUE_EPOCH_SIZE = 16,
	QUEUE_RECORD_MAX = 65536,
	QUEUE_SEGMENT_SIZE = 1048576,
	QUEUE_RESERVE_SIZE = 65536
};

/* Asked when log records from..to are about to be dropped: writes the
 * payload of the gap record that takes their place (their payloads are
 * given one by one, in order, before the call with payload.p == NULL). */
typedef void queue_gap_fn(void *ctx, uint64_t seq, struct str payload,
    struct buf *gap);

struct queue_opts {
	const char *dir;
	uint64_t max_bytes; /* 0: 256 MiB */
	queue_gap_fn *gap;
	void *gap_ctx;
};

/* Opens or makes the directory.  A torn tail is cut; a damaged middle is set
 * aside as seg-<n>.bad and makes a new epoch; meta missing or damaged makes
 * a new epoch.  *fresh tells that the epoch is new. */
MUST_USE enum rc queue_open(const struct queue_opts *o, struct queue **out,
    bool *fresh, struct err *e);
void queue_close(struct queue *q);

const uint8_t *queue_epoch(const struct queue *q); /* 16 bytes, lent */
uint64_t queue_first(const struct queue *q); /* lowest held; next if empty */
uint64_t queue_next(const struct queue *q);
uint64_t queue_synced(const struct queue *q); /* highest durable, 0 none */

/* Appends; *seq is its number.  RC_FULL: no room on disk (an EVENT then
 * uses the reserve). RC_LIMIT: larger than QUEUE_RECORD_MAX. */
MUST_USE enum rc queue_append(struct queue *q, enum queue_type type,
    struct str payload, uint64_t *seq, struct err *e);
/* fdatasync of what was appended. */
MUST_USE enum rc queue_sync(struct queue *q, struct err *e);
/* The synced record with the lowest number >= from.  Lends payload until
 * the next call.  RC_NOTFOUND: none. */
MUST_USE enum rc queue_peek(struct queue *q, uint64_t from, uint64_t *seq,
    int64_t *at_ms, enum queue_type *type, struct str *payload,
    struct err *e);
/* Everything <= seq may go.  Higher than synced is RC_INVALID. */
MUST_USE enum rc queue_ack(struct queue *q, uint64_t seq, struct err *e);
#endif
