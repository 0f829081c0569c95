/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the records of the agent's queue: opening, reading, appending,
 * opening again.  First byte: 1 makes the checksums right, so that what is
 * behind them is reached; 2 is a number said to be synced. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "spool/queue.h"
#include "spool/queue_seg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void
gap(void *ctx, const struct queue_run *run, struct buf *out)
{
	(void)ctx;
	buf_put_u64(out, run->from);
}

static void
clean(void)
{
	static const char *const names[] = { "meta", "marks", "lock",
		"seg-00000000000000000001", "seg-00000000000000000001.bad" };
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		ASSERT(fsio_join(path, sizeof(path), dir, names[i]) == RC_OK);
		(void)unlink(path);
	}
}

static void
remove_dir(void)
{
	clean();
	(void)rmdir(dir);
}

static void
save(const char *name, struct str bytes)
{
	char path[128];
	int fd;

	ASSERT(fsio_join(path, sizeof(path), dir, name) == RC_OK);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ASSERT(fd >= 0 && fsio_write_all(fd, bytes, NULL) == RC_OK);
	(void)close(fd);
}

static struct queue *
open_queue(bool *fresh)
{
	const struct queue_opts opts = { .dir = dir, .gap = gap };
	struct queue *q = NULL;
	struct err e;

	return queue_open(&opts, &q, fresh, &e) == RC_OK ? q : NULL;
}

/* The checksum of each record that can be one. */
static void
repair(struct buf *seg)
{
	size_t at = QUEUE_SEG_HEAD;
	struct str rec;
	struct rd r;
	uint32_t crc, length;
	int i;

	while (at + QUEUE_REC_HEAD <= seg->len) {
		rd_init(&r, str_sub(buf_str(seg), at, seg->len));
		length = rd_u32(&r);
		if (length > seg->len - at - QUEUE_REC_HEAD)
			return;
		rec = str_sub(buf_str(seg), at, QUEUE_REC_HEAD + length);
		crc = crypt_crc32c(0, str_sub(rec, 0, 4));
		crc = crypt_crc32c(crc, str_sub(rec, 8, rec.n));
		for (i = 0; i < 4; i++)
			seg->data[at + 4 + (size_t)i] =
			    (char)(crc >> (24 - 8 * i));
		at += rec.n;
	}
}

static void
put_marks(uint64_t synced)
{
	struct buf b;

	buf_init(&b, 64);
	buf_puts(&b, "RMQmarks");
	buf_put_u64(&b, 0);
	buf_put_u64(&b, synced);
	buf_put_u32(&b, crypt_crc32c(0, buf_str(&b)));
	save("marks", buf_str(&b));
	buf_fini(&b);
}

/* Reads everything; the numbers ascend and end with the last one. */
static void
walk(struct queue *q)
{
	uint64_t at = queue_first(q);
	struct queue_record rec;
	struct err e;

	while (queue_peek(q, at, &rec, &e) == RC_OK) {
		ASSERT(rec.seq >= at && rec.seq < queue_next(q));
		at = rec.seq + 1;
	}
	ASSERT(at == queue_next(q));
}

static void
use(void)
{
	struct queue_record rec;
	struct queue *q;
	struct err e;
	uint64_t seq;
	bool fresh;

	q = open_queue(&fresh);
	if (q == NULL)
		return;
	walk(q);
	if (queue_append(q, QUEUE_EVENT, STR("mine"), &seq, &e) == RC_OK) {
		ASSERT(queue_sync(q, &e) == RC_OK);
		queue_close(q);
		q = open_queue(&fresh);
		ASSERT(q != NULL && !fresh && queue_next(q) == seq + 1);
		walk(q);
		ASSERT(queue_peek(q, seq, &rec, &e) == RC_OK);
		ASSERT(rec.seq == seq && str_eqz(rec.payload, "mine"));
		ASSERT(queue_ack(q, seq, &e) == RC_OK);
		ASSERT(queue_first(q) == seq + 1);
	}
	queue_close(q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct queue *q;
	struct buf seg;
	bool fresh;

	if (size < 2 || size > KIB(64))
		return 0;
	if (dir[0] == '\0') {
		log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR);
		memcpy(dir, "/dev/shm/rm-fuzz-XXXXXX", 24);
		if (mkdtemp(dir) == NULL) {
			memcpy(dir, "/tmp/rm-fuzz-XXXXXX", 20);
			ASSERT(mkdtemp(dir) != NULL);
		}
		ASSERT(atexit(remove_dir) == 0);
	}
	clean();
	q = open_queue(&fresh);
	ASSERT(q != NULL && fresh);
	buf_init(&seg, QUEUE_SEG_MAX);
	queue_seg_put_head(&seg, queue_epoch(q), 1);
	queue_close(q);
	buf_put(&seg, data + 2, size - 2);
	if (data[0] & 1)
		repair(&seg);
	save("seg-00000000000000000001", buf_str(&seg));
	put_marks(data[1]);
	use();
	buf_fini(&seg);
	clean();
	return 0;
}
