/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SPOOL_QUEUE_IMPL_H
#define SPOOL_QUEUE_IMPL_H
/*
 * What queue.c (append, sync, peek, acknowledge), queue_open.c (start and
 * recovery), queue_meta.c (small files) and queue_gap.c (full ring) share.
 * For nobody else.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "spool/queue.h"
#include "spool/queue_seg.h"

enum {
	QUEUE_PATH_CAP = 3072
};

/* The segment that is being read. */
struct queue_view {
	uint64_t first;  /* of which segment; 0: none */
	struct buf file; /* its bytes so far */
	size_t at;       /* where the next record begins */
	uint64_t before; /* number of the record that ends there */
};

/*
 * Invariants: segs ascends without hole and its last one is the active
 * segment, open as fd; all others are synced whole.  acked <= synced <=
 * last.  tail holds the active segment's bytes from synced_size on, to be
 * written again after a failed sync.  fd < 0 only after a failed renewal.
 */
struct queue {
	char *dir;
	uint64_t max_bytes;
	queue_gap_fn *gap;
	void *gap_ctx;
	int lock_fd;
	int fd;
	int marks_fd;
	uint8_t epoch[QUEUE_EPOCH_SIZE];
	struct queue_seg *segs;
	size_t n, cap;
	uint64_t bytes; /* of all segments */
	uint64_t acked;
	uint64_t synced;
	uint64_t synced_size;
	struct buf tail;
	bool rewrite; /* the last sync failed */
	bool torn;    /* a failed append left bytes behind the end */
	struct queue_view view;
};

struct queue_seg *queue_active(const struct queue *q);
MUST_USE enum rc queue_path(const struct queue *q, const char *name,
    char dst[QUEUE_PATH_CAP], struct err *e);
MUST_USE enum rc queue_seg_path(const struct queue *q, uint64_t first,
    char dst[QUEUE_PATH_CAP], struct err *e);
void queue_add_seg(struct queue *q, const struct queue_seg *seg);
void queue_del_seg(struct queue *q, size_t i);
void queue_view_drop(struct queue *q);

/* queue_meta.c: fills or writes q->epoch.  RC_NOTFOUND, RC_CORRUPT,
 * RC_VERSION as of queue_open(). */
MUST_USE enum rc queue_meta_read(struct queue *q, struct err *e);
MUST_USE enum rc queue_meta_write(struct queue *q, struct err *e);
/* Opens or makes the file of hints; acked and synced are 0 when there are
 * none or they are damaged.  Writing does not sync. */
MUST_USE enum rc queue_marks_open(struct queue *q, struct err *e);
MUST_USE enum rc queue_marks_write(struct queue *q, struct err *e);

/* queue_open.c.  Makes the segment that begins with the next number the active one.
 * RC_FULL when its whole size cannot be reserved, unless poor is true. */
MUST_USE enum rc queue_seg_make(struct queue *q, bool poor, struct err *e);
/* Space ahead of the active segment's end; what cannot be had is not. */
void queue_seg_reserve(int fd);

/* queue_gap.c: drops the oldest log payloads until need more bytes fit or
 * none is left. */
MUST_USE enum rc queue_condense(struct queue *q, uint64_t need, struct err *e);
#endif
