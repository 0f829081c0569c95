/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Job logs as they are written: paths, appending at the committed length,
 * cutting at start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/ulid.h"
#include "spool/joblog.h"
#include "tests/unit/base/tmpdir.h"

struct fixture {
	struct tmpdir tmp;
	struct ulid id;
	char path[JOBLOG_PATH_CAP];
};

static int
setup(void **state)
{
	static struct fixture f;

	tmpdir_make(&f.tmp);
	/* 2026-11-20T20:43:11.123Z */
	assert_true(ulid_parse(STR("01M7XB5SWK0000000000000000"), &f.id));
	assert_int_equal(joblog_path(f.tmp.path, &f.id, false, f.path,
	                     sizeof(f.path)),
	    RC_OK);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	tmpdir_remove(f->tmp.path);
	return 0;
}

static void
append(struct fixture *f, uint64_t at, struct str data)
{
	struct err e = { 0 };

	if (joblog_append(f->tmp.path, &f->id, at, data, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static void
assert_holds(struct fixture *f, const char *text)
{
	struct buf b;

	buf_init(&b, MIB(1));
	assert_int_equal(fsio_read(f->path, &b, NULL), RC_OK);
	assert_string_equal(buf_text(&b), text);
	buf_fini(&b);
}

static void
the_path_follows_from_the_id(void **state)
{
	struct fixture *f = *state;
	char path[JOBLOG_PATH_CAP];
	struct ulid last;

	assert_int_equal(joblog_path("/r", &f->id, false, path, sizeof(path)),
	    RC_OK);
	assert_string_equal(path,
	    "/r/jobs/2026/11/20/20/01M7XB5SWK0000000000000000.log");
	assert_int_equal(joblog_path("/r", &f->id, true, path, sizeof(path)),
	    RC_OK);
	assert_string_equal(path,
	    "/r/jobs/2026/11/20/20/01M7XB5SWK0000000000000000.log.zst");
	assert_int_equal(joblog_path("/r", &f->id, true, path, 20), RC_LIMIT);
	memset(&last, 0xff, sizeof(last));
	assert_int_equal(joblog_path("/r", &last, false, path, sizeof(path)),
	    RC_OK);
	assert_string_equal(path,
	    "/r/jobs/9999/12/31/23/7ZZZZZZZZZZZZZZZZZZZZZZZZZ.log");
}

static void
appends_follow_one_another(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int fd = -1;

	assert_int_equal(joblog_hold(f->tmp.path, &fd, NULL), RC_OK);
	append(f, 0, STR("one\n"));
	append(f, 4, STR("two\n"));
	append(f, 8, STR(""));
	assert_holds(f, "one\ntwo\n");
	assert_int_equal(joblog_sync(fd, f->tmp.path, NULL), RC_OK);
	close(fd);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
}

static void
what_was_not_committed_is_written_over(void **state)
{
	struct fixture *f = *state;

	append(f, 0, STR("one\n"));
	append(f, 4, STR("a long line of a batch that failed\n"));
	append(f, 4, STR("two\n"));
	assert_holds(f, "one\ntwo\n");
	append(f, 0, STR("anew\n"));
	assert_holds(f, "anew\n");
}

static void
a_log_shorter_than_committed_is_damaged(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	assert_int_equal(joblog_append(f->tmp.path, &f->id, 4, STR("two\n"),
	                     &e),
	    RC_CORRUPT);
	append(f, 0, STR("one\n"));
	assert_int_equal(joblog_append(f->tmp.path, &f->id, 5, STR("two\n"),
	                     &e),
	    RC_CORRUPT);
	assert_non_null(strstr(e.msg, "has 4 bytes, but 5 were committed"));
	assert_holds(f, "one\n");
}

static void
a_log_has_a_largest_size(void **state)
{
	const uint64_t max = (uint64_t)JOBLOG_FILE_MAX + JOBLOG_END_ROOM;
	struct fixture *f = *state;
	struct err e = { 0 };

	append(f, 0, STR("one\n"));
	assert_int_equal(truncate(f->path, (off_t)max - 3), 0);
	append(f, max - 3, STR("on\n"));
	assert_int_equal(joblog_append(f->tmp.path, &f->id, max - 3,
	                     STR("one\n"), &e),
	    RC_LIMIT);
	assert_int_equal(joblog_append(f->tmp.path, &f->id, UINT64_MAX,
	                     STR("one\n"), &e),
	    RC_LIMIT);
}

static void
a_link_in_the_place_of_a_log_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	append(f, 0, STR("one\n"));
	tmpdir_write(&f->tmp, "other", "keep me\n");
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(symlink(tmpdir_file(&f->tmp, "other"), f->path), 0);
	assert_int_equal(joblog_append(f->tmp.path, &f->id, 0, STR("two\n"),
	                     &e),
	    RC_IO);
}

static void
a_start_cuts_to_what_was_committed(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	bool damaged = true;

	assert_int_equal(joblog_recover(f->tmp.path, &f->id, 0, &damaged, &e),
	    RC_OK);
	assert_false(damaged);
	assert_int_equal(joblog_recover(f->tmp.path, &f->id, 4, &damaged, &e),
	    RC_OK);
	assert_true(damaged);
	append(f, 0, STR("one\ntwo\nthr"));
	assert_int_equal(joblog_recover(f->tmp.path, &f->id, 8, &damaged, &e),
	    RC_OK);
	assert_false(damaged);
	assert_holds(f, "one\ntwo\n");
	assert_int_equal(joblog_recover(f->tmp.path, &f->id, 9, &damaged, &e),
	    RC_OK);
	assert_true(damaged);
	assert_holds(f, "one\ntwo\n");
}

/* A copy of the spool is younger than the copy of the database with it. */
static void
a_start_opens_a_log_compressed_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	bool damaged = true;

	append(f, 0, STR("one\ntwo\nthree\n"));
	assert_int_equal(joblog_compress(f->tmp.path, &f->id, 14, &e), RC_OK);
	assert_int_equal(joblog_recover(f->tmp.path, &f->id, 20, &damaged, &e),
	    RC_OK);
	assert_true(damaged);
	assert_int_equal(joblog_recover(f->tmp.path, &f->id, 8, &damaged, &e),
	    RC_OK);
	assert_false(damaged);
	assert_holds(f, "one\ntwo\n");
	append(f, 8, STR("four\n"));
	assert_holds(f, "one\ntwo\nfour\n");
	assert_int_equal(joblog_compress(f->tmp.path, &f->id, 13, &e), RC_OK);
}

static void
an_unwritable_root_is_told(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	char file[512];
	int fd = -1;

	tmpdir_write(&f->tmp, "jobs", "a file");
	assert_int_not_equal(joblog_append(f->tmp.path, &f->id, 0, STR("x\n"),
	                         &e),
	    RC_OK);
	assert_non_null(strstr(e.msg, f->tmp.path));
	assert_true(str_fmt(file, sizeof(file), "%s/jobs", f->tmp.path));
	assert_int_not_equal(joblog_hold(file, &fd, &e), RC_OK);
	assert_int_equal(fd, -1);
	assert_int_not_equal(joblog_sync(fd, file, &e), RC_OK);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(the_path_follows_from_the_id),
		T(appends_follow_one_another),
		T(what_was_not_committed_is_written_over),
		T(a_log_shorter_than_committed_is_damaged),
		T(a_log_has_a_largest_size),
		T(a_link_in_the_place_of_a_log_is_not_followed),
		T(a_start_cuts_to_what_was_committed),
		T(a_start_opens_a_log_compressed_meanwhile),
		T(an_unwritable_root_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
