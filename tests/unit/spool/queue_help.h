/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_SPOOL_QUEUE_HELP_H
#define TESTS_UNIT_SPOOL_QUEUE_HELP_H
/* What the tests of the queue share: a queue in a directory of its own, and
 * a gap payload that counts: u64 from, u64 to, u64 log records dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "spool/queue.h"
#include "spool/queue_seg.h"
#include "tests/unit/base/tmpdir.h"

struct fixture {
	struct tmpdir tmp;
	struct queue_opts opts;
	struct queue *q;
	bool fresh;
	char dir[96];
	char path[256];
};

static inline void
test_gap(void *ctx, const struct queue_run *run, struct buf *gap)
{
	uint64_t count = 0;
	struct rd r;
	size_t i;

	(void)ctx;
	for (i = 0; i < run->n; i++) {
		if (run->records[i].type == QUEUE_LOG) {
			count++;
			continue;
		}
		assert_int_equal(run->records[i].type, QUEUE_GAP);
		rd_init(&r, run->records[i].payload);
		(void)rd_u64(&r);
		(void)rd_u64(&r);
		count += rd_u64(&r);
	}
	assert_int_equal(count, run->to - run->from + 1);
	buf_put_u64(gap, run->from);
	buf_put_u64(gap, run->to);
	buf_put_u64(gap, count);
}

static inline void
fixture_open(struct fixture *f)
{
	struct err e = { 0 };

	if (queue_open(&f->opts, &f->q, &f->fresh, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static inline void
fixture_reopen(struct fixture *f)
{
	queue_close(f->q);
	fixture_open(f);
}

/* In memory, where there is such a place: for tests of many rounds that are
 * about processes, not disks. */
static inline void
fixture_make_fast(struct fixture *f)
{
	(void)snprintf(f->tmp.path, sizeof(f->tmp.path),
	    "/dev/shm/rm-test-XXXXXX");
	if (mkdtemp(f->tmp.path) == NULL)
		tmpdir_make(&f->tmp);
	ASSERT(str_fmt(f->dir, sizeof(f->dir), "%s/queue", f->tmp.path));
}

static inline int
fixture_setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ 0 };
	tmpdir_make(&f.tmp);
	(void)snprintf(f.dir, sizeof(f.dir), "%s/queue", f.tmp.path);
	f.opts = (struct queue_opts){ .dir = f.dir, .gap = test_gap };
	*state = &f;
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	struct fixture *f = *state;

	queue_close(f->q);
	f->q = NULL;
	tmpdir_remove(f->tmp.path);
	return 0;
}

/* Path of a file of the queue, good until the next call. */
static inline const char *
fixture_path(struct fixture *f, const char *name)
{
	(void)snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, name);
	return f->path;
}

static inline const char *
fixture_seg(struct fixture *f, uint64_t first)
{
	char name[QUEUE_NAME_CAP];

	queue_seg_name(first, name);
	return fixture_path(f, name);
}

static inline bool
exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static inline uint64_t
put(struct fixture *f, enum queue_type type, struct str payload)
{
	struct err e = { 0 };
	uint64_t seq = 0;

	if (queue_append(f->q, type, payload, &seq, &e) != RC_OK)
		fail_msg("%s", e.msg);
	return seq;
}

/* A payload of n bytes in which, 26 bytes after the beginning of its record, a
 * sound record with that number stands: what an append of one byte in the
 * record's place leaves in sight. */
static inline struct str
forged_payload(uint64_t seq, char *dst, size_t n)
{
	const struct queue_record rec = { .seq = seq,
		.type = QUEUE_EVENT,
		.payload = STR("forged") };
	struct buf b;

	buf_init(&b, 200);
	buf_putc(&b, '.');
	queue_seg_put(&b, &rec);
	memset(dst, 'x', n);
	memcpy(dst, b.data, b.len);
	buf_fini(&b);
	return str_from(dst, n);
}

static inline void
sync_now(struct fixture *f)
{
	struct err e = { 0 };

	if (queue_sync(f->q, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static inline void
ack(struct fixture *f, uint64_t seq)
{
	struct err e = { 0 };

	if (queue_ack(f->q, seq, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static inline struct queue_record
peek(struct fixture *f, uint64_t from)
{
	struct queue_record rec = { 0 };
	struct err e = { 0 };

	if (queue_peek(f->q, from, &rec, &e) != RC_OK)
		fail_msg("%llu: %s", (unsigned long long)from, e.msg);
	return rec;
}

static inline void
assert_nothing_from(struct fixture *f, uint64_t from)
{
	struct queue_record rec;

	assert_int_equal(queue_peek(f->q, from, &rec, NULL), RC_NOTFOUND);
}

static inline void
assert_payload(struct fixture *f, uint64_t seq, const char *text)
{
	struct queue_record rec = peek(f, seq);

	assert_int_equal(rec.seq, seq);
	if (!str_eqz(rec.payload, text))
		fail_msg("%llu is \"%.*s\", not \"%s\"",
		    (unsigned long long)seq, STR_ARG(rec.payload), text);
}
#endif
