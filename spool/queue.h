/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_QUEUE_H
#define SPOOL_QUEUE_H
/*
 * The agent's events on disk: appended before they are sent, kept until they
 * are acknowledged.  Sequence numbers start at 1 and have no holes; the
 * epoch is 16 random bytes made with the directory.
 *
 *   queue/meta            magic, version, epoch, CRC
 *   queue/seg-<first seq> magic, version, epoch, first seq, then records
 *   queue/marks           highest numbers acknowledged and synced: hints
 *   queue/lock            held by the process that has the queue open
 *   record = u32 length, u32 CRC32C, u64 seq, u64 time ms, u8 type, payload
 *
 * Only synced records may be sent: queue_peek() gives no others.  Ring full:
 * the oldest log payloads go first and leave gap records in their place;
 * other records are never dropped.  Segments are preallocated with room for
 * QUEUE_RESERVE_SIZE more bytes that LOG records may not use.
 * Blocking (append is a write to the page cache, sync an fdatasync); one
 * thread at a time.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct queue;
struct buf;

enum queue_type {
	QUEUE_EVENT = 1, /* never dropped */
	QUEUE_LOG = 2,   /* may be dropped when the ring is full */
	QUEUE_GAP = 3    /* stands for dropped ones; its seq is the last one */
};

enum {
	QUEUE_EPOCH_SIZE = 16,
	QUEUE_RECORD_MAX = 65536,
	QUEUE_SEGMENT_SIZE = 1048576,
	QUEUE_RESERVE_SIZE = 65536,
	QUEUE_BYTES_MIN = 4194304 /* the smallest max_bytes */
};

struct queue_record {
	uint64_t seq;
	int64_t at_ms;
	enum queue_type type;
	struct str payload; /* lent */
};

/*
 * Neighbouring records that are about to be dropped, oldest first: LOG, or
 * GAP that stands for earlier ones.  They were the numbers from..to.
 */
struct queue_run {
	uint64_t from;
	uint64_t to;
	const struct queue_record *records;
	size_t n;
};

/*
 * Writes into gap the payload of the one GAP record, numbered run->to, that
 * takes the place of the run.  The queue knows no payloads, so its owner
 * gives this function.  Called inside queue_append(), any number of times; a
 * result may be thrown away (it was not shorter, or passed QUEUE_RECORD_MAX:
 * the queue then asks for parts of the run), so it must depend on nothing but
 * its arguments.  All is lent for the call; the queue must not be touched.
 */
typedef void queue_gap_fn(void *ctx, const struct queue_run *run,
    struct buf *gap);

struct queue_opts {
	const char *dir;
	uint64_t max_bytes; /* 0: 256 MiB */
	queue_gap_fn *gap;
	void *gap_ctx;
};

/* Opens or makes the directory.  A torn tail is cut.  Damage to what was
 * synced, and meta missing or damaged, make a new epoch: the segments are
 * set aside as seg-<n>.bad, numbers start at 1 again and *fresh is true (as
 * it is for a new directory).  RC_BUSY: another process has it open.
 * RC_VERSION: written by a newer agent; nothing is changed. */
MUST_USE enum rc queue_open(const struct queue_opts *o, struct queue **out,
    bool *fresh, struct err *e);
void queue_close(struct queue *q);
/* The same new epoch on demand: when the controller has numbers we never
 * gave (resume > queue_next(): this disk went back in time), or after
 * RC_CORRUPT. */
MUST_USE enum rc queue_renew(struct queue *q, struct err *e);

const uint8_t *queue_epoch(const struct queue *q); /* 16 bytes, lent */
uint64_t queue_first(const struct queue *q); /* lowest held; next if empty */
uint64_t queue_next(const struct queue *q);
uint64_t queue_synced(const struct queue *q); /* highest durable, 0 none */

/* Appends; *seq is its number.  RC_FULL: no room on disk or in the ring
 * (other records than LOG pass the ring's limit and use the reserve first).
 * RC_LIMIT: larger than QUEUE_RECORD_MAX.  After a failure nothing was
 * appended.  For lines that could not be appended the owner may append a GAP
 * of its own, which then stands for no number but its own. */
MUST_USE enum rc queue_append(struct queue *q, enum queue_type type,
    struct str payload, uint64_t *seq, struct err *e);
/* fdatasync of what was appended.  After a failure the same records are
 * written once more by the next call; none counts as synced before. */
MUST_USE enum rc queue_sync(struct queue *q, struct err *e);
/* The synced record with the lowest number >= from.  Its payload is lent
 * until the next call.  RC_NOTFOUND: none.  RC_CORRUPT: damaged since the
 * start.  A GAP may have begun before from: the receiver of a gap takes it
 * when from_seq <= last + 1 <= to_seq. */
MUST_USE enum rc queue_peek(struct queue *q, uint64_t from,
    struct queue_record *out, struct err *e);
/* Everything <= seq may go.  Higher than synced is RC_INVALID. */
MUST_USE enum rc queue_ack(struct queue *q, uint64_t seq, struct err *e);
#endif
