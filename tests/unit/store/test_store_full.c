/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/store/store_fixture.h"

#include <errno.h>

#include "lib/base/fsio.h"
#include "lib/store/store_impl.h"
#include "tests/unit/small_fs.h"

static bool have_small_fs;

struct full {
	struct fixture f;
	char mount[300], filler[320];
};

static int
full_setup(void **state)
{
	struct full *x;

	if (!have_small_fs) {
		*state = NULL;
		return 0;
	}
	x = MEM_NEW(struct full);
	assert_rc(crypt_init(NULL), RC_OK);
	fixture_dir(&x->f);
	assert_true(str_fmt(x->mount, sizeof(x->mount), "%s/small", x->f.dir));
	assert_true(
	    str_fmt(x->filler, sizeof(x->filler), "%s/filler", x->mount));
	assert_true(str_fmt(x->f.state_dir, sizeof(x->f.state_dir), "%s/state",
	    x->mount));
	assert_true(small_fs_mount(x->mount, 4096));
	arena_init(&x->f.arena, MIB(64));
	*state = x;
	return 0;
}

static int
full_teardown(void **state)
{
	struct full *x = *state;

	if (x == NULL)
		return 0;
	fixture_close(&x->f);
	small_fs_unmount(x->mount);
	fixture_fini(&x->f);
	mem_free(x);
	return 0;
}

static struct full *
need(void **state)
{
	if (*state == NULL) {
		print_message("no small file system: needs root or user "
		              "namespaces\n");
		skip();
	}
	return *state;
}

static enum rc
add_host(struct fixture *f, uint32_t n, struct err *e)
{
	struct store_tx *tx = fixture_write(f);
	struct ulid id = id_n(1, n);
	char name[600];

	memset(name, 'n', sizeof(name));
	name[599] = '\0';
	put_host(tx, &id, name);
	return store_commit(tx, e);
}

static void
a_full_disk_is_said_and_outlived(void **state)
{
	struct full *x = need(state);
	struct err e = { 0 };
	uint32_t n = 0, round;
	unsigned i;
	enum rc rc = RC_OK;

	fixture_open_one(STORE_STATE, x->f.state_dir, &x->f.state);
	for (round = 0; round < 3; round++) {
		assert_true(small_fs_fill(x->filler, KIB(1024)) || round > 0);
		while ((rc = add_host(&x->f, n, &e)) == RC_OK)
			assert_true(++n < 100000);
		assert_rc(rc, RC_FULL);
		assert_non_null(strstr(e.msg, "no space left"));
		for (i = 0; i < 5; i++) /* and again, as long as it is */
			assert_rc(add_host(&x->f, n, &e), RC_FULL);
		assert_int_equal(fixture_hosts(&x->f), n);
		assert_int_equal(unlink(x->filler), 0);
		assert_rc(add_host(&x->f, n++, &e), RC_OK);
		assert_int_equal(fixture_hosts(&x->f), n);
	}
	store_close(x->f.state);
	fixture_open_one(STORE_STATE, x->f.state_dir, &x->f.state);
	assert_int_equal(fixture_hosts(&x->f), n);
}

static void
a_start_on_a_full_disk_is_said_and_can_be_repeated(void **state)
{
	struct full *x = need(state);
	struct err e = { 0 };

	assert_false(small_fs_fill(x->filler, MIB(8)));
	assert_rc(store_open(STORE_STATE, STORE_WRITER, x->f.state_dir,
	              &x->f.state, &e),
	    RC_FULL);
	assert_int_equal(unlink(x->filler), 0);
	fixture_open_one(STORE_STATE, x->f.state_dir, &x->f.state);
	assert_rc(add_host(&x->f, 1, &e), RC_OK);
}

static void
a_copy_to_a_full_disk_is_said_and_leaves_nothing(void **state)
{
	struct full *x = need(state);
	struct err e = { 0 };
	char copy[400], tmp[420];
	uint32_t n;

	assert_true(str_fmt(copy, sizeof(copy), "%s/copy.mdb", x->mount));
	assert_true(str_fmt(tmp, sizeof(tmp), "%s.tmp", copy));
	fixture_open_one(STORE_STATE, x->f.state_dir, &x->f.state);
	for (n = 0; n < 200; n++)
		assert_rc(add_host(&x->f, n, &e), RC_OK);
	assert_false(small_fs_fill(x->filler, MIB(8)));
	assert_rc(store_backup(x->f.state, copy, &e), RC_FULL);
	assert_int_not_equal(access(copy, F_OK), 0);
	assert_int_not_equal(access(tmp, F_OK), 0);
	assert_int_equal(unlink(x->filler), 0);
	assert_rc(store_backup(x->f.state, copy, &e), RC_OK);
	assert_rc(add_host(&x->f, n, &e), RC_OK);
}

static void
an_input_error_of_a_disk_with_room_is_no_full_disk(void **state)
{
	struct full *x = need(state);
	struct err e = { 0 };

	fixture_open_one(STORE_STATE, x->f.state_dir, &x->f.state);
	assert_rc(store_mdb_err(x->f.state, EIO, "x", &e), RC_IO);
	assert_false(small_fs_fill(x->filler, MIB(8)));
	assert_rc(store_mdb_err(x->f.state, EIO, "x", &e), RC_FULL);
	assert_int_equal(unlink(x->filler), 0);
	assert_rc(store_mdb_err(x->f.state, ENOSPC, "x", &e), RC_FULL);
	assert_rc(store_mdb_err(x->f.state, MDB_MAP_FULL, "x", &e), RC_FULL);
	assert_rc(store_mdb_err(x->f.state, MDB_PANIC, "x", &e), RC_IO);
	assert_rc(store_mdb_err(x->f.state, MDB_CORRUPTED, "x", &e),
	    RC_CORRUPT);
}

#define full_test(f) \
	cmocka_unit_test_setup_teardown(f, full_setup, full_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		full_test(a_full_disk_is_said_and_outlived),
		full_test(a_start_on_a_full_disk_is_said_and_can_be_repeated),
		full_test(a_copy_to_a_full_disk_is_said_and_leaves_nothing),
		full_test(an_input_error_of_a_disk_with_room_is_no_full_disk),
	};

	have_small_fs = small_fs_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
