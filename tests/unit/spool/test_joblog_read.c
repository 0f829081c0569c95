/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading job logs: text and compressed alike, from any place, damaged. */
#include "tests/unit/spool/joblog_help.h"

#include <fcntl.h>
#include <sys/wait.h>

enum {
	LINES = 12000 /* about 1.6 MB, seven frames */
};

/* Runs the check on the text and on its compressed form. */
typedef void check_fn(struct spool *s);

static void
on_both(struct spool *s, uint64_t limit, check_fn *check)
{
	spool_write(s);
	spool_open(s, limit);
	check(s);
	spool_compress(s);
	assert_false(spool_has(s->log));
	spool_open(s, limit);
	check(s);
}

static void
check_reads(struct spool *s)
{
	int i;

	assert_reads(s, 0, s->text.len, 1);
	assert_reads(s, 0, s->text.len, 4096);
	assert_reads(s, 0, s->text.len, MIB(1));
	srand(1);
	for (i = 0; i < 300; i++)
		assert_reads(s,
		    s->text.len - (size_t)rand() % (i % 2 ? 3000 : s->text.len),
		    s->text.len, 1000 + (size_t)rand() % 300000);
}

static void
both_forms_read_alike_from_anywhere(void **state)
{
	struct spool *s = *state;

	spool_fill(s, LINES);
	on_both(s, s->text.len, check_reads);
}

static void
check_half(struct spool *s)
{
	const char *nl =
	    memchr(s->text.data + s->text.len / 2, '\n', s->text.len / 2);
	const uint64_t limit = (uint64_t)(nl + 1 - s->text.data);
	uint64_t offset, line, tail;

	assert_reads(s, 0, limit, 100000);
	assert_int_equal(joblog_seek_line(s->r, LINES, &offset, NULL), RC_OK);
	assert_int_equal(offset, limit);
	assert_int_equal(joblog_seek_tail(s->r, 10, &tail, &line, NULL), RC_OK);
	assert_int_equal(joblog_seek_line(s->r, line, &offset, NULL), RC_OK);
	assert_int_equal(offset, tail);
	assert_int_equal(joblog_seek_line(s->r, line + 10, &offset, NULL),
	    RC_OK);
	assert_int_equal(offset, limit);
}

static void
a_reader_never_passes_the_committed_length(void **state)
{
	struct spool *s = *state;
	const char *nl;

	spool_fill(s, LINES);
	nl = memchr(s->text.data + s->text.len / 2, '\n', s->text.len / 2);
	on_both(s, (uint64_t)(nl + 1 - s->text.data), check_half);
}

static void
check_seeks(struct spool *s)
{
	uint64_t offset = 0, line, got, first;
	const char *at = s->text.data;

	for (line = 1; line <= LINES; line++) {
		if (line % 97 == 1 || line == LINES) {
			assert_int_equal(joblog_seek_line(s->r, line, &offset,
			                     NULL),
			    RC_OK);
			assert_int_equal(offset, at - s->text.data);
			assert_int_equal(joblog_seek_tail(s->r,
			                     LINES - line + 1, &got, &first,
			                     NULL),
			    RC_OK);
			assert_int_equal(got, offset);
			assert_int_equal(first, line);
			assert_int_equal(joblog_seek_back(s->r,
			                     LINES - line + 1, &got, &first,
			                     NULL),
			    RC_OK);
			assert_int_equal(got, offset);
			assert_int_equal(first, LINES - line + 1);
		}
		at = strchr(at, '\n') + 1;
	}
	assert_int_equal(joblog_seek_line(s->r, LINES + 1, &offset, NULL),
	    RC_OK);
	assert_int_equal(offset, s->text.len);
	assert_int_equal(joblog_seek_tail(s->r, UINT64_MAX, &got, &first, NULL),
	    RC_OK);
	assert_int_equal(got, 0);
	assert_int_equal(first, 1);
	assert_int_equal(joblog_seek_back(s->r, UINT64_MAX, &got, &first, NULL),
	    RC_OK);
	assert_int_equal(got, 0);
	assert_int_equal(first, LINES);
	assert_int_equal(joblog_seek_back(s->r, 0, &got, &first, NULL), RC_OK);
	assert_int_equal(got, s->text.len);
	assert_int_equal(first, 0);
	assert_int_equal(joblog_seek_tail(s->r, 0, &got, &first, NULL), RC_OK);
	assert_int_equal(got, s->text.len);
	assert_int_equal(first, LINES + 1);
	assert_int_equal(joblog_seek_line(s->r, 0, &offset, NULL), RC_INVALID);
}

static void
lines_are_found_by_number_and_from_the_end(void **state)
{
	struct spool *s = *state;

	spool_fill(s, LINES);
	on_both(s, s->text.len, check_seeks);
}

static void
check_long_lines(struct spool *s)
{
	struct err e = { 0 };
	struct buf out;
	uint64_t next;

	assert_reads(s, 0, s->text.len, 10);
	assert_reads(s, 0, s->text.len, 70000);
	buf_init(&out, KIB(32));
	assert_int_equal(joblog_read(s->r, 0, 10, &out, &next, &e), RC_LIMIT);
	buf_fini(&out);
}

static void
a_line_longer_than_asked_for_is_given_whole(void **state)
{
	static char text[JOBLOG_LINE_MAX];
	struct spool *s = *state;
	int i;

	memset(text, 2, sizeof(text)); /* four bytes each as stored */
	for (i = 0; i < 20; i++)
		joblog_line(&s->text, i, JOBLOG_OUT,
		    str_from(text, sizeof(text)));
	on_both(s, s->text.len, check_long_lines);
}

static void
check_empty(struct spool *s)
{
	uint64_t offset = 5, first = 5;

	assert_reads(s, 0, 0, 1000);
	assert_int_equal(joblog_seek_tail(s->r, 10, &offset, &first, NULL),
	    RC_OK);
	assert_int_equal(offset, 0);
	assert_int_equal(first, 1);
}

static void
an_empty_log_is_a_log(void **state)
{
	struct spool *s = *state;

	on_both(s, 0, check_empty);
}

static void
no_log_is_told(void **state)
{
	struct spool *s = *state;
	struct err e = { 0 };

	assert_int_equal(joblog_open(s->root, &s->id, 0, &s->r, &e),
	    RC_NOTFOUND);
	assert_int_equal(joblog_compress(s->root, &s->id, 0, &e), RC_NOTFOUND);
}

static void
check_short(struct spool *s)
{
	struct err e = { 0 };
	struct buf out;
	uint64_t next = 0;

	buf_init(&out, MIB(1));
	assert_int_equal(joblog_read(s->r, 0, MIB(1), &out, &next, &e), RC_OK);
	assert_int_equal(next, s->text.len);
	assert_int_equal(joblog_read(s->r, next, MIB(1), &out, &next, &e),
	    RC_CORRUPT);
	assert_non_null(strstr(e.msg, "were committed"));
	assert_int_equal(out.len, s->text.len);
	buf_fini(&out);
}

static void
a_log_shorter_than_committed_gives_what_is_there(void **state)
{
	struct spool *s = *state;
	struct err e = { 0 };

	spool_fill(s, 100);
	on_both(s, 1000000, check_short);
	spool_write(s);
	assert_int_equal(joblog_compress(s->root, &s->id, 1000000, &e),
	    RC_CORRUPT);
	assert_true(spool_has(s->log));
}

static void
compressing_takes_the_committed_bytes_only(void **state)
{
	struct spool *s = *state;
	size_t committed;
	struct buf out;
	uint64_t next;

	spool_fill(s, 100);
	committed = s->text.len;
	buf_puts(&s->text, "torn");
	spool_write(s);
	assert_int_equal(joblog_compress(s->root, &s->id, committed, NULL),
	    RC_OK);
	spool_open(s, committed);
	assert_reads(s, 0, committed, 10000);
	spool_open(s, committed + 1);
	buf_init(&out, KIB(4));
	assert_int_equal(joblog_read(s->r, committed, 1, &out, &next, NULL),
	    RC_CORRUPT);
	buf_fini(&out);
}

static void
doing_it_again_does_what_is_left(void **state)
{
	struct spool *s = *state;
	struct buf zst;

	spool_fill(s, LINES);
	spool_write(s);
	spool_compress(s);
	spool_compress(s); /* done before */
	buf_init(&zst, MIB(4));
	assert_int_equal(fsio_read(s->zst, &zst, NULL), RC_OK);
	/* Both there: killed before the text was removed. */
	spool_write(s);
	spool_compress(s);
	assert_false(spool_has(s->log));
	/* Only a part written. */
	spool_write(s);
	assert_int_equal(unlink(s->zst), 0);
	(void)strncat(s->zst, ".tmp", sizeof(s->zst) - strlen(s->zst) - 1);
	assert_int_equal(fsio_replace(s->zst, str_sub(buf_str(&zst), 0, 1000),
	                     0600, NULL),
	    RC_OK);
	spool_compress(s);
	assert_false(spool_has(s->zst));
	assert_false(spool_has(s->log));
	spool_open(s, s->text.len);
	assert_reads(s, 0, s->text.len, MIB(1));
	buf_fini(&zst);
}

static void
a_reader_of_the_text_is_not_disturbed(void **state)
{
	struct spool *s = *state;

	spool_fill(s, LINES);
	spool_write(s);
	spool_open(s, s->text.len);
	spool_compress(s);
	assert_reads(s, 0, s->text.len, 100000);
}

/* Reads all of it; the first failure. */
static enum rc
read_all(struct spool *s)
{
	struct joblog_reader *r = NULL;
	uint64_t at = 0, next = 0;
	struct err e = { 0 };
	struct buf out;
	enum rc rc;

	buf_init(&out, MIB(1));
	rc = joblog_open(s->root, &s->id, s->text.len, &r, &e);
	while (rc == RC_OK && at < s->text.len) {
		buf_reset(&out);
		rc = joblog_read(r, at, MIB(1), &out, &next, &e);
		if (rc == RC_OK)
			assert_memory_equal(out.data, s->text.data + at,
			    out.len);
		at = next;
	}
	if (rc != RC_OK)
		assert_non_null(strstr(e.msg, s->zst));
	joblog_close(r);
	buf_fini(&out);
	return rc;
}

static void
damage_anywhere_in_a_compressed_log_is_told(void **state)
{
	struct spool *s = *state;
	struct buf zst, bad;
	size_t at;

	spool_fill(s, 3000);
	spool_write(s);
	spool_compress(s);
	buf_init(&zst, MIB(1));
	buf_init(&bad, MIB(1));
	assert_int_equal(fsio_read(s->zst, &zst, NULL), RC_OK);
	assert_int_equal(read_all(s), RC_OK);
	for (at = 0; at < zst.len;
	     at += at < 40 || zst.len - at < 100 ? 1 : 331) {
		buf_reset(&bad);
		buf_put(&bad, zst.data, zst.len);
		bad.data[at] ^= 0x55;
		assert_int_equal(fsio_replace(s->zst, buf_str(&bad), 0600,
		                     NULL),
		    RC_OK);
		if (read_all(s) != RC_CORRUPT)
			fail_msg("damage at byte %zu of %zu was not seen", at,
			    zst.len);
		assert_int_equal(truncate(s->zst, (off_t)at), 0);
		if (read_all(s) != RC_CORRUPT)
			fail_msg("cut at byte %zu of %zu was not seen", at,
			    zst.len);
	}
	buf_fini(&bad);
	buf_fini(&zst);
}

static void
the_zstd_tools_read_a_compressed_log(void **state)
{
	struct spool *s = *state;
	struct buf out;
	int fd, status;
	pid_t pid;

	if (access("/usr/bin/zstdcat", X_OK) != 0) {
		print_message("no zstdcat here\n");
		skip();
	}
	spool_fill(s, LINES);
	spool_write(s);
	spool_compress(s);
	pid = fork();
	if (pid == 0) {
		fd = open(tmpdir_file(&s->tmp, "text"), O_WRONLY | O_CREAT,
		    0600);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			_exit(126);
		(void)execl("/usr/bin/zstdcat", "zstdcat", s->zst, NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	buf_init(&out, MIB(64));
	assert_int_equal(fsio_read(tmpdir_file(&s->tmp, "text"), &out, NULL),
	    RC_OK);
	assert_true(str_eq(buf_str(&out), buf_str(&s->text)));
	buf_fini(&out);
}

int
main(void)
{
#define T(name) \
	cmocka_unit_test_setup_teardown(name, spool_setup, spool_teardown)
	static const struct CMUnitTest tests[] = {
		T(both_forms_read_alike_from_anywhere),
		T(a_reader_never_passes_the_committed_length),
		T(lines_are_found_by_number_and_from_the_end),
		T(a_line_longer_than_asked_for_is_given_whole),
		T(an_empty_log_is_a_log),
		T(no_log_is_told),
		T(a_log_shorter_than_committed_gives_what_is_there),
		T(compressing_takes_the_committed_bytes_only),
		T(doing_it_again_does_what_is_left),
		T(a_reader_of_the_text_is_not_disturbed),
		T(damage_anywhere_in_a_compressed_log_is_told),
		T(the_zstd_tools_read_a_compressed_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
