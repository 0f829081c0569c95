/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Retention: by age, by size, and what it must leave alone. */
#include <fcntl.h>
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
#include "lib/base/fsio.h"
#include "lib/base/ulid.h"
#include "spool/joblog.h"
#include "spool/joblog_read.h"
#include "spool/retain.h"
#include "tests/unit/base/tmpdir.h"

#define HOUR INT64_C(3600000)
#define NOW (INT64_C(1795207391123)) /* 2026-11-20T20:43:11.123Z */

struct fixture {
	struct tmpdir tmp;
	struct retain_opts opts;
	struct retain_result result;
	unsigned count;
	char path[JOBLOG_PATH_CAP];
};

static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .opts = { .now_ms = NOW } };
	tmpdir_make(&f.tmp);
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

static struct ulid
id_at(struct fixture *f, int64_t ms)
{
	struct ulid id = { 0 };
	size_t i;

	for (i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(ms >> (8 * (5 - i)));
	id.b[14] = (uint8_t)(f->count >> 8);
	id.b[15] = (uint8_t)f->count++;
	return id;
}

/* A sparse log of that time, last written to at the same time. */
static struct ulid
make(struct fixture *f, int64_t ms, bool compressed, uint64_t bytes)
{
	const struct timespec times[2] = { { .tv_sec = ms / 1000 },
		{ .tv_sec = ms / 1000 } };
	const struct ulid id = id_at(f, ms);
	char *slash;
	int fd;

	assert_int_equal(joblog_path(f->tmp.path, &id, compressed, f->path,
	                     sizeof(f->path)),
	    RC_OK);
	fd = open(f->path, O_WRONLY | O_CREAT, 0640);
	if (fd < 0) {
		slash = strrchr(f->path, '/');
		*slash = '\0';
		assert_int_equal(fsio_mkdirs(f->path, 0750, NULL), RC_OK);
		*slash = '/';
		fd = open(f->path, O_WRONLY | O_CREAT, 0640);
	}
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(futimens(fd, times), 0);
	(void)close(fd);
	return id;
}

static bool
there(struct fixture *f, const struct ulid *id)
{
	char path[JOBLOG_PATH_CAP];

	assert_int_equal(joblog_path(f->tmp.path, id, false, path,
	                     sizeof(path)),
	    RC_OK);
	if (access(path, F_OK) == 0)
		return true;
	assert_int_equal(joblog_path(f->tmp.path, id, true, path, sizeof(path)),
	    RC_OK);
	return access(path, F_OK) == 0;
}

static void
run(struct fixture *f)
{
	struct err e = { 0 };

	if (retain_run(f->tmp.path, &f->opts, &f->result, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static void
an_empty_spool_is_fine(void **state)
{
	struct fixture *f = *state;

	f->opts.max_age_ms = HOUR;
	run(f);
	assert_int_equal(f->result.files, 0);
	assert_int_equal(f->result.bytes_left, 0);
	assert_int_equal(f->result.removed_before_ms, 0);
}

static void
without_limits_everything_stays(void **state)
{
	struct fixture *f = *state;
	struct ulid id = make(f, NOW - 10000 * HOUR, true, 5000);

	run(f);
	assert_true(there(f, &id));
	assert_int_equal(f->result.bytes_left, 8192);
}

static void
whole_hours_go_by_age(void **state)
{
	struct fixture *f = *state;
	/* NOW is at 20:43; the hour of 17:00 ends at 18:00. */
	struct ulid old = make(f, NOW - 60 * HOUR, true, 1);
	struct ulid older = make(f, NOW - 2000 * HOUR, false, 1);
	struct ulid edge = make(f, NOW - 3 * HOUR, true, 1);
	struct ulid young = make(f, NOW - 2 * HOUR, true, 1);

	f->opts.max_age_ms = 2 * HOUR + 43 * 60000;
	run(f);
	assert_false(there(f, &old));
	assert_false(there(f, &older));
	assert_false(there(f, &edge));
	assert_true(there(f, &young));
	assert_int_equal(f->result.files, 3);
	assert_int_equal(f->result.bytes, 3 * 4096);
	assert_int_equal(f->result.bytes_left, 4096);
	assert_int_equal(f->result.removed_before_ms,
	    NOW - NOW % HOUR - 2 * HOUR);
	/* A minute less and the hour of 17:00 stays. */
	edge = make(f, NOW - 3 * HOUR, true, 1);
	f->opts.max_age_ms += 60000;
	run(f);
	assert_true(there(f, &edge));
	assert_int_equal(f->result.files, 0);
}

static void
empty_directories_go_as_well(void **state)
{
	struct fixture *f = *state;

	make(f, NOW - 30000 * HOUR, true, 1);
	f->opts.max_age_ms = HOUR;
	run(f);
	assert_int_equal(tmpdir_count(tmpdir_file(&f->tmp, "jobs")), 0);
}

static void
the_current_hour_never_goes(void **state)
{
	struct fixture *f = *state;
	struct ulid now = make(f, NOW, true, 1000000);
	struct ulid early = make(f, NOW - NOW % HOUR, true, 1000000);

	f->opts.max_age_ms = 1;
	f->opts.max_bytes = 1;
	run(f);
	assert_true(there(f, &now));
	assert_true(there(f, &early));
}

static void
the_oldest_go_first_by_size(void **state)
{
	enum {
		FILES = 10000
	};
	static struct ulid ids[FILES];
	struct fixture *f = *state;
	uint64_t per_hour;
	unsigned i, gone = 0;

	/* Fifty hours of two hundred files of 1 MiB. */
	for (i = 0; i < FILES; i++)
		ids[i] = make(f, NOW - (50 - i / 200) * HOUR, true, MIB(1));
	per_hour = MIB(200);
	f->opts.max_bytes = 20 * per_hour + MIB(100);
	run(f);
	assert_int_equal(f->result.files, 30 * 200);
	assert_int_equal(f->result.bytes, 30 * per_hour);
	assert_int_equal(f->result.bytes_left, 20 * per_hour);
	for (i = 0; i < FILES && !there(f, &ids[i]); i++)
		gone++;
	assert_int_equal(gone, 30 * 200);
	for (; i < FILES; i++)
		assert_true(there(f, &ids[i]));
	assert_int_equal(f->result.removed_before_ms,
	    NOW - NOW % HOUR - 20 * HOUR);
	run(f);
	assert_int_equal(f->result.files, 0);
}

static void
small_files_count_as_blocks(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < 10; i++)
		make(f, NOW - (20 - i) * HOUR, true, 100);
	f->opts.max_bytes = 5 * 4096;
	run(f);
	assert_int_equal(f->result.files, 5);
	assert_int_equal(f->result.bytes_left, 5 * 4096);
}

static void
logs_that_may_be_running_stay(void **state)
{
	struct fixture *f = *state;
	struct timespec times[2] = { { .tv_sec = (NOW - 23 * HOUR) / 1000 },
		{ .tv_sec = (NOW - 23 * HOUR) / 1000 } };
	struct ulid running = make(f, NOW - 100 * HOUR, false, 5000);
	struct ulid ended;

	assert_int_equal(utimensat(AT_FDCWD, f->path, times, 0), 0);
	ended = make(f, NOW - 100 * HOUR, true, 5000);
	assert_int_equal(utimensat(AT_FDCWD, f->path, times, 0), 0);
	f->opts.max_age_ms = HOUR;
	f->opts.max_bytes = 1;
	run(f);
	assert_true(there(f, &running));
	assert_false(there(f, &ended));
	assert_int_equal(f->result.bytes_left, 8192);
	f->opts.now_ms = NOW + 2 * HOUR;
	run(f);
	assert_false(there(f, &running));
}

static void
logs_from_a_clock_ahead_go_last(void **state)
{
	struct fixture *f = *state;
	struct ulid ahead = make(f, NOW + 90000 * HOUR, true, MIB(1));
	struct ulid old = make(f, NOW - 10 * HOUR, true, MIB(1));

	f->opts.max_bytes = MIB(1);
	run(f);
	assert_false(there(f, &old));
	assert_true(there(f, &ahead));
	f->opts.max_bytes = 1;
	run(f);
	assert_false(there(f, &ahead));
	assert_int_equal(f->result.removed_before_ms, 0);
}

static void
foreign_directories_count_nothing(void **state)
{
	struct fixture *f = *state;
	char *slash;
	int i;

	make(f, NOW - 100 * HOUR, true, 1);
	slash = strrchr(f->path, '/');
	*slash = '\0';
	slash = strrchr(f->path, '/');
	for (i = 0; i < 20; i++) {
		assert_true(
		    str_fmt(slash, sizeof(f->path) - (size_t)(slash - f->path),
		        "/%d", 24 + i * 4));
		assert_int_equal(mkdir(f->path, 0700), 0);
	}
	run(f);
	assert_int_equal(f->result.bytes_left, 4096);
}

static void
files_of_others_are_left_alone(void **state)
{
	static const char *const names[] = { "jobs/notes.txt",
		"jobs/2020/01/01/05/notes.log", "jobs/2020/01/01/99/x.log",
		"jobs/2020/02/31/05/01M7XB5SWK0000000000000000.log.zst",
		"jobs/2020/01/01/05/01M7XB5SWK0000000000000000.log.zst.tmp" };
	struct fixture *f = *state;
	struct ulid id = make(f, NOW - 100 * HOUR, true, 1);

	assert_int_equal(fsio_mkdirs(tmpdir_file(&f->tmp, "jobs/2020/01/01/05"),
	                     0700, NULL),
	    RC_OK);
	assert_int_equal(fsio_mkdirs(tmpdir_file(&f->tmp, "jobs/2020/01/01/99"),
	                     0700, NULL),
	    RC_OK);
	assert_int_equal(fsio_mkdirs(tmpdir_file(&f->tmp, "jobs/2020/02/31/05"),
	                     0700, NULL),
	    RC_OK);
	tmpdir_write(&f->tmp, names[0], "x");
	tmpdir_write(&f->tmp, names[1], "x");
	tmpdir_write(&f->tmp, names[2], "x");
	tmpdir_write(&f->tmp, names[3], "x");
	tmpdir_write(&f->tmp, names[4], "x");
	/* A link to a directory outside is not walked into. */
	assert_int_equal(fsio_mkdirs(tmpdir_file(&f->tmp, "out/05"), 0700,
	                     NULL),
	    RC_OK);
	tmpdir_write(&f->tmp, "out/05/01M7XB5SWK0000000000000000.log", "x");
	assert_int_equal(symlink("../../../../out",
	                     tmpdir_file(&f->tmp, "jobs/2020/01/02")),
	    0);
	f->opts.max_age_ms = HOUR;
	run(f);
	assert_false(there(f, &id));
	assert_int_equal(f->result.files, 2);
	assert_int_equal(access(tmpdir_file(&f->tmp, names[0]), F_OK), 0);
	assert_int_equal(access(tmpdir_file(&f->tmp, names[1]), F_OK), 0);
	assert_int_equal(access(tmpdir_file(&f->tmp, names[2]), F_OK), 0);
	assert_int_equal(access(tmpdir_file(&f->tmp, names[3]), F_OK), 0);
	assert_int_not_equal(access(tmpdir_file(&f->tmp, names[4]), F_OK), 0);
	assert_int_equal(access(tmpdir_file(&f->tmp,
	                            "out/05/01M7XB5SWK0000000000000000.log"),
	                     F_OK),
	    0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(an_empty_spool_is_fine),
		T(without_limits_everything_stays),
		T(whole_hours_go_by_age),
		T(empty_directories_go_as_well),
		T(the_current_hour_never_goes),
		T(the_oldest_go_first_by_size),
		T(small_files_count_as_blocks),
		T(logs_that_may_be_running_stay),
		T(logs_from_a_clock_ahead_go_last),
		T(foreign_directories_count_nothing),
		T(files_of_others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
