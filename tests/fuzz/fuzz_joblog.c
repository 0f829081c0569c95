/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a line, as a log, as a compressed log and as the frame of a
 * compressed log whose index is right. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/ulid.h"
#include "spool/joblog.h"
#include "spool/joblog_index.h"
#include "spool/joblog_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64];
static const struct ulid id;

static void
remove_root(void)
{
	char path[JOBLOG_PATH_CAP];

	if (joblog_path(root, &id, false, path, sizeof(path)) != RC_OK)
		return;
	(void)unlink(path);
	while (strlen(path) > strlen(root)) {
		*strrchr(path, '/') = '\0';
		(void)rmdir(path);
	}
}

static void
make_root(void)
{
	struct err e;

	if (root[0] != '\0')
		return;
	memcpy(root, "/dev/shm/rm-fuzz-XXXXXX", 24);
	if (mkdtemp(root) == NULL) {
		memcpy(root, "/tmp/rm-fuzz-XXXXXX", 20);
		ASSERT(mkdtemp(root) != NULL);
	}
	ASSERT(atexit(remove_root) == 0);
	ASSERT(joblog_append(root, &id, 0, STR(""), &e) == RC_OK);
}

/* One line in, one line out, nothing in it that a terminal would obey. */
static void
as_line(struct str s)
{
	struct joblog_entry entry;
	struct str rest;
	struct buf b;
	size_t i;

	buf_init(&b, JOBLOG_STORED_MAX);
	joblog_line(&b, 1795207391123, JOBLOG_ERR, s);
	ASSERT(buf_rc(&b) == RC_OK);
	rest = buf_str(&b);
	ASSERT(joblog_next(&rest, &entry) && rest.n == 0);
	ASSERT(entry.tag == JOBLOG_ERR && entry.ts_ms == 1795207391123);
	ASSERT(entry.text.n == 0 || str_utf8_ok(entry.text));
	for (i = 0; i < entry.text.n; i++)
		ASSERT((uint8_t)entry.text.p[i] >= 0x20);
	buf_fini(&b);
}

static void
as_text(struct str s)
{
	const size_t all = s.n;
	struct joblog_entry entry;
	size_t used = 0;

	while (joblog_next(&s, &entry))
		used += entry.text.n;
	ASSERT(used <= all);
}

static void
read_all(uint64_t limit)
{
	uint64_t at = 0, next = 0, offset, first;
	struct joblog_reader *r;
	struct err e;
	struct buf b;

	if (joblog_open(root, &id, limit, &r, &e) != RC_OK)
		return;
	buf_init(&b, MIB(1));
	while (at < limit && joblog_read(r, at, 100, &b, &next, &e) == RC_OK) {
		ASSERT(next > at && next <= limit);
		at = next;
		buf_reset(&b);
	}
	if (joblog_seek_tail(r, 3, &offset, &first, &e) == RC_OK)
		ASSERT(offset <= limit && first >= 1);
	if (joblog_seek_line(r, 2, &offset, &e) == RC_OK)
		ASSERT(offset <= limit);
	joblog_close(r);
	buf_fini(&b);
}

static void
as_file(struct str s, bool compressed, uint64_t limit)
{
	char path[JOBLOG_PATH_CAP];
	int fd;

	ASSERT(joblog_path(root, &id, compressed, path, sizeof(path)) == RC_OK);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ASSERT(fd >= 0 && fsio_write_all(fd, s, NULL) == RC_OK);
	(void)close(fd);
	read_all(limit);
	ASSERT(unlink(path) == 0);
}

/* The first bytes say how much text the frame is said to hold. */
static void
as_frame(struct str s)
{
	struct joblog_frame frame = { .packed = (uint32_t)s.n };
	struct buf file, rows;

	if (s.n < 3)
		return;
	frame.bytes = (uint8_t)s.p[0] * 256U + (uint8_t)s.p[1] + 1;
	frame.lines = (uint8_t)s.p[2];
	frame.packed -= 3;
	buf_init(&file, MIB(1));
	buf_init(&rows, 64);
	joblog_index_row(&rows, &frame);
	buf_put_str(&file, str_sub(s, 3, s.n));
	joblog_index_put(&file, buf_str(&rows));
	as_file(buf_str(&file), true, frame.bytes);
	buf_fini(&file);
	buf_fini(&rows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str s = str_from(data, size);

	if (size > KIB(64))
		return 0;
	make_root();
	as_line(s);
	as_text(s);
	as_file(s, false, size);
	as_file(s, true, size * 4);
	as_frame(s);
	return 0;
}
