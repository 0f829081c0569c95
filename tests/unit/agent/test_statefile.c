/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sys/stat.h>

#include "tests/unit/small_fs.h"
#include "tests/unit/unit.h"

#include "agent/statefile.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"

static void
path_in(char path[256], const char *dir, const char *name)
{
	assert_true(str_fmt(path, 256, "%s/%s", dir, name));
}

static void
what_is_written_is_read(void **state)
{
	char path[256];
	struct err e = { 0 };
	struct stat st;
	struct buf b;

	buf_init(&b, KIB(4));
	assert_rc(statefile_read(*state, &b, &e), RC_NOTFOUND);
	assert_rc(statefile_write(*state, STR("one"), &e), RC_OK);
	assert_rc(statefile_write(*state, STR("two"), &e), RC_OK);
	assert_rc(statefile_read(*state, &b, &e), RC_OK);
	assert_str(buf_str(&b), "two");
	path_in(path, *state, "schedule.state");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	path_in(path, *state, "schedule.spare");
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 >= STATEFILE_SPARE_BYTES);
	assert_rc(statefile_write("/dev/null/no", STR("x"), &e), RC_IO);
	buf_fini(&b);
}

static void
what_is_set_aside_is_kept(void **state)
{
	char path[256];
	struct buf b;

	buf_init(&b, KIB(4));
	assert_rc(statefile_write(*state, STR("odd"), NULL), RC_OK);
	statefile_set_aside(*state);
	assert_rc(statefile_read(*state, &b, NULL), RC_NOTFOUND);
	path_in(path, *state, "schedule.state.damaged");
	assert_int_equal(access(path, F_OK), 0);
	statefile_set_aside(*state);
	statefile_set_aside("/dev/null/no");
	buf_fini(&b);
}

static bool
holds(const char *dir, const char *text)
{
	struct buf b;
	bool ok;

	buf_init(&b, KIB(64));
	ok = statefile_read(dir, &b, NULL) == RC_OK &&
	     str_eqz(buf_str(&b), text);
	buf_fini(&b);
	return ok;
}

/* In a child whose folder is small; returns its exit code. */
static int
on_a_full_disk(const char *dir)
{
	char path[256], text[16];
	struct err e = { 0 };
	int i;

	if (statefile_write(dir, STR("first"), &e) != RC_OK)
		return 1;
	path_in(path, dir, "fill");
	if (!small_fs_fill_up(path))
		return 2;
	for (i = 0; i < 20; i++) {
		assert_true(str_fmt(text, sizeof(text), "state %d", i));
		if (statefile_write(dir, str_of(text), &e) != RC_OK)
			return 10 + i;
		if (!holds(dir, text))
			return 40 + i;
		/* Somebody else takes what became free but one block. */
		if (!small_fs_fill_up(path))
			return 3;
	}
	return 0;
}

static void
a_full_disk_still_takes_states(void **state)
{
	small_fs_try(on_a_full_disk, *state, 512);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(what_is_written_is_read),
		unit_test_in_folder(what_is_set_aside_is_kept),
		unit_test_in_folder(a_full_disk_still_takes_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
