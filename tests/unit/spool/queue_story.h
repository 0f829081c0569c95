/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_SPOOL_QUEUE_STORY_H
#define TESTS_UNIT_SPOOL_QUEUE_STORY_H
/*
 * A process that uses a queue and may be killed anywhere, and what must be
 * true afterwards.  What the process was told goes to memory that outlives
 * it.  Every payload follows from its number, so that any mix-up shows.
 */
#include <sys/mman.h>

#include "tests/unit/spool/queue_help.h"

/* All that the process was told, in memory shared with its parent. */
struct told {
	uint8_t epoch[QUEUE_EPOCH_SIZE];
	uint64_t opened; /* how often */
	uint64_t appended;
	uint64_t synced;
	uint64_t acked;
	enum queue_type type[100000];
};

enum {
	STORY_PAYLOAD = 60000
};

static inline struct told *
told_new(void)
{
	struct told *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(t != MAP_FAILED);
	return t;
}

static inline size_t
story_payload(uint64_t seq, char dst[STORY_PAYLOAD])
{
	uint64_t x = seq * UINT64_C(0x9e3779b97f4a7c15) + 1;
	const size_t n = seq % 3 == 0 ? 20 + seq % 50 : STORY_PAYLOAD - seq % 9;
	size_t i;

	for (i = 0; i < n; i += 512) {
		x = x * UINT64_C(6364136223846793005) + 1442695;
		memset(dst + i, (int)(x >> 56), n - i < 512 ? n - i : 512);
	}
	return n;
}

/* The process's part: each returns false when the queue refused. */
static inline bool
story_append(struct queue *q, struct told *t, enum queue_type type)
{
	static char text[STORY_PAYLOAD];
	const uint64_t next = queue_next(q);
	const size_t n = story_payload(next, text);
	uint64_t seq = 0;

	/* Said before it is done: killed after the write and before the
	 * return, it counts as a record of that type. */
	t->type[next] = type;
	if (queue_append(q, type, str_from(text, n), &seq, NULL) != RC_OK)
		return false;
	if (seq != next)
		abort();
	t->appended = seq;
	return true;
}

static inline bool
story_sync(struct queue *q, struct told *t)
{
	if (queue_sync(q, NULL) != RC_OK)
		return false;
	t->synced = queue_synced(q);
	if (t->synced != t->appended)
		abort();
	return true;
}

static inline bool
story_ack(struct queue *q, struct told *t, uint64_t seq)
{
	/* Said first, as an acknowledgement is no promise of ours. */
	t->acked = seq;
	return queue_ack(q, seq, NULL) == RC_OK;
}

static inline void
story_opened(struct queue *q, struct told *t)
{
	memcpy(t->epoch, queue_epoch(q), sizeof(t->epoch));
	t->opened++;
}

static inline void
story_check_record(const struct told *t, const struct queue_record *rec,
    uint64_t at)
{
	static char text[STORY_PAYLOAD];
	struct rd r;
	uint64_t i;

	if (rec->type == QUEUE_GAP) {
		rd_init(&r, rec->payload);
		assert_true(rd_u64(&r) <= at);
		assert_int_equal(rd_u64(&r), rec->seq);
		for (i = at; i <= rec->seq; i++)
			assert_int_equal(t->type[i], QUEUE_LOG);
		return;
	}
	assert_int_equal(rec->seq, at);
	assert_int_equal(rec->type, t->type[at]);
	i = story_payload(at, text);
	assert_true(str_eq(rec->payload, str_from(text, i)));
}

/* The parent's part: open again; no hole, nothing synced lost, the numbers go
 * on.  A killed process loses nothing that was appended; a machine may lose
 * what was not synced. */
static inline void
story_check(struct fixture *f, struct told *t, bool power_cut)
{
	struct queue_record rec;
	uint64_t at;

	fixture_open(f);
	if (t->opened == 0) {
		story_opened(f->q, t);
		t->opened = 0;
		return;
	}
	if (f->fresh)
		fail_msg("a new epoch without damage");
	assert_memory_equal(queue_epoch(f->q), t->epoch, sizeof(t->epoch));
	if (queue_next(f->q) <= (power_cut ? t->synced : t->appended))
		fail_msg("%llu appended, %llu synced, but next is %llu",
		    (unsigned long long)t->appended,
		    (unsigned long long)t->synced,
		    (unsigned long long)queue_next(f->q));
	assert_true(queue_next(f->q) <= t->appended + 2);
	assert_true(queue_first(f->q) <= t->acked + 1);
	for (at = queue_first(f->q); at < queue_next(f->q); at = rec.seq + 1) {
		rec = peek(f, at);
		story_check_record(t, &rec, at);
	}
	t->appended = t->synced = queue_next(f->q) - 1;
}
#endif
