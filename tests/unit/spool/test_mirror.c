/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spool/mirror.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "tests/unit/base/tmpdir.h"

enum {
	OLD_S = 3600
};

struct fixture {
	struct tmpdir tmp;
	char from[512], to[512];
	struct mirror_opts o;
	struct mirror_result r;
};

static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .o = { mirror_log_grows } };
	tmpdir_make(&f.tmp);
	assert_true(str_fmt(f.from, sizeof(f.from), "%s/from", f.tmp.path));
	assert_true(str_fmt(f.to, sizeof(f.to), "%s/to", f.tmp.path));
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	tmpdir_remove(((struct fixture *)*state)->tmp.path);
	return 0;
}

/* What the name says is old by then. */
static void
age(const struct fixture *f, const char *name)
{
	const struct timespec t[2] = { { time(NULL) - OLD_S, 5 },
		{ time(NULL) - OLD_S, 5 } };
	char path[1024];

	assert_true(str_fmt(path, sizeof(path), "%s/%s", f->from, name));
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void
put(const struct fixture *f, const char *below, const char *name,
    const char *text)
{
	char path[1024];

	assert_true(str_fmt(path, sizeof(path), "%s/%s", below, name));
	*strrchr(path, '/') = '\0';
	assert_int_equal(fsio_mkdirs(path, 0750, NULL), RC_OK);
	assert_true(str_fmt(path, sizeof(path), "%s/%s", below, name));
	assert_int_equal(fsio_replace(path, str_of(text), 0640, NULL), RC_OK);
	(void)f;
}

static void
run(struct fixture *f)
{
	struct err e = { 0 };

	f->r = (struct mirror_result){ 0 };
	if (mirror_tree(f->from, f->to, &f->o, &f->r, &e) != RC_OK)
		fail_msg("%s", e.msg);
}

static void
assert_copy(const struct fixture *f, const char *name, const char *want)
{
	char path[1024];
	struct buf b;

	assert_true(str_fmt(path, sizeof(path), "%s/%s", f->to, name));
	buf_init(&b, KIB(64));
	if (want == NULL) {
		assert_int_equal(fsio_read(path, &b, NULL), RC_NOTFOUND);
	} else {
		assert_int_equal(fsio_read(path, &b, NULL), RC_OK);
		assert_string_equal(buf_text(&b), want);
	}
	buf_fini(&b);
}

static void
only_what_differs_is_read_again(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[1024];

	put(f, f->from, "10/a.log.zst", "one");
	put(f, f->from, "11/b.log", "two");
	run(f);
	assert_int_equal(f->r.files, 2);
	assert_copy(f, "10/a.log.zst", "one");
	assert_copy(f, "11/b.log", "two");
	assert_true(str_fmt(path, sizeof(path), "%s/11/b.log", f->to));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	run(f);
	assert_int_equal(f->r.files, 0);
	put(f, f->from, "11/b.log", "two and more");
	run(f);
	assert_int_equal(f->r.files, 1);
	assert_copy(f, "11/b.log", "two and more");
}

static void
an_hour_that_is_over_costs_one_look(void **state)
{
	struct fixture *f = *state;

	put(f, f->from, "10/a.log.zst", "one");
	put(f, f->from, "11/b.log", "two");
	age(f, "10");
	age(f, "11");
	run(f);
	assert_int_equal(f->r.dirs_passed, 0);
	run(f);
	/* What is written to is no reason for its directory to change. */
	assert_int_equal(f->r.dirs_passed, 1);
	put(f, f->from, "10/c.log.zst", "late");
	run(f);
	assert_int_equal(f->r.files, 1);
	assert_copy(f, "10/c.log.zst", "late");
}

static void
what_is_gone_goes(void **state)
{
	struct fixture *f = *state;
	char path[1024];

	put(f, f->from, "10/a.log", "one");
	put(f, f->from, "11/x/b.log", "two");
	run(f);
	assert_true(str_fmt(path, sizeof(path), "%s/10/a.log", f->from));
	assert_int_equal(unlink(path), 0);
	put(f, f->from, "10/a.log.zst", "packed");
	assert_true(str_fmt(path, sizeof(path), "%s/11", f->from));
	tmpdir_remove(path);
	run(f);
	assert_int_equal(f->r.removed, 2);
	assert_copy(f, "10/a.log", NULL);
	assert_copy(f, "10/a.log.zst", "packed");
	assert_copy(f, "11/x/b.log", NULL);
}

/* A disk that is not mounted must not empty the copy. */
static void
a_source_that_is_not_there_empties_nothing(void **state)
{
	struct fixture *f = *state;

	put(f, f->from, "10/a.log", "one");
	run(f);
	tmpdir_remove(f->from);
	run(f);
	assert_int_equal(f->r.removed, 0);
	assert_copy(f, "10/a.log", "one");
}

static void
links_are_left_out(void **state)
{
	struct fixture *f = *state;
	char path[1024];

	put(f, f->from, "a", "one");
	assert_true(str_fmt(path, sizeof(path), "%s/link", f->from));
	assert_int_equal(symlink("/etc/passwd", path), 0);
	/* A temporary file of a copy that was killed is used again. */
	put(f, f->to, ".tmp-mirror", "half");
	run(f);
	assert_copy(f, "link", NULL);
	assert_copy(f, ".tmp-mirror", NULL);
	assert_copy(f, "a", "one");
}

static void
a_failure_names_the_file(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	put(f, f->from, "a/b", "one");
	put(f, f->to, "a", "a file in the way");
	assert_int_not_equal(mirror_tree(f->from, f->to, &f->o, &f->r, &e),
	    RC_OK);
	assert_non_null(strstr(e.msg, "from/a"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(only_what_differs_is_read_again),
		T(an_hour_that_is_over_costs_one_look),
		T(what_is_gone_goes),
		T(a_source_that_is_not_there_empties_nothing),
		T(links_are_left_out),
		T(a_failure_names_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
