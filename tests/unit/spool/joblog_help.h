/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_SPOOL_JOBLOG_HELP_H
#define TESTS_UNIT_SPOOL_JOBLOG_HELP_H
/* A spool in a directory of its own with one job's log. */
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
#include "lib/base/ulid.h"
#include "spool/joblog.h"
#include "spool/joblog_read.h"
#include "tests/unit/base/tmpdir.h"

struct spool {
	struct tmpdir tmp;
	const char *root;
	struct ulid id;
	char log[JOBLOG_PATH_CAP];
	char zst[JOBLOG_PATH_CAP];
	struct buf text; /* what the log holds */
	struct joblog_reader *r;
};

static inline int
spool_setup(void **state)
{
	static struct spool s;

	s = (struct spool){ 0 };
	tmpdir_make(&s.tmp);
	s.root = s.tmp.path;
	ulid_new(&s.id);
	assert_int_equal(joblog_path(s.root, &s.id, false, s.log,
	                     sizeof(s.log)),
	    RC_OK);
	assert_int_equal(joblog_path(s.root, &s.id, true, s.zst, sizeof(s.zst)),
	    RC_OK);
	buf_init(&s.text, MIB(64));
	*state = &s;
	return 0;
}

static inline int
spool_teardown(void **state)
{
	struct spool *s = *state;

	joblog_close(s->r);
	buf_fini(&s->text);
	tmpdir_remove(s->tmp.path);
	return 0;
}

static inline bool
spool_has(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Lines that tell their number, of lengths that differ. */
static inline void
spool_fill(struct spool *s, unsigned lines)
{
	static char text[1000];
	struct str line;
	unsigned i, n;

	srand(lines);
	memset(text, '.', sizeof(text));
	for (i = 1; i <= lines; i++) {
		n = (unsigned)snprintf(text, sizeof(text), "line %u ", i);
		text[n] = '.';
		line = str_from(text, n + (unsigned)rand() % 200);
		joblog_line(&s->text, 1790000000000 + i,
		    (enum joblog_tag)(i % 5), line);
	}
}

static inline void
spool_write(struct spool *s)
{
	struct err e = { 0 };

	if (joblog_append(s->root, &s->id, 0, buf_str(&s->text), &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static inline void
spool_compress(struct spool *s)
{
	struct err e = { 0 };

	if (joblog_compress(s->root, &s->id, s->text.len, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static inline void
spool_open(struct spool *s, uint64_t limit)
{
	struct err e = { 0 };

	joblog_close(s->r);
	s->r = NULL;
	if (joblog_open(s->root, &s->id, limit, &s->r, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

/* Reads from offset to the end in steps of max and compares. */
static inline void
assert_reads(struct spool *s, uint64_t offset, uint64_t limit, size_t max)
{
	struct err e = { 0 };
	struct buf out;
	uint64_t next;

	buf_init(&out, MIB(1));
	while (offset < limit) {
		buf_reset(&out);
		if (joblog_read(s->r, offset, max, &out, &next, &e) != RC_OK)
			fail_msg("%s", e.msg);
		assert_true(next > offset && next <= limit);
		assert_int_equal(out.len, next - offset);
		assert_int_equal(out.data[out.len - 1], '\n');
		assert_memory_equal(out.data, s->text.data + offset, out.len);
		offset = next;
	}
	buf_reset(&out);
	assert_int_equal(joblog_read(s->r, offset, max, &out, &next, &e),
	    RC_OK);
	assert_int_equal(out.len, 0);
	assert_int_equal(next, offset);
	buf_fini(&out);
}
#endif
