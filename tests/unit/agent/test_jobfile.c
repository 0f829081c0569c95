/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sys/stat.h>

#include "tests/unit/small_fs.h"
#include "tests/unit/unit.h"

#include "agent/jobfile.h"
#include "lib/base/fsio.h"

struct found {
	size_t n, ended, told;
	struct jobfile last;
};

static void
take(void *ctx, const struct jobfile *f)
{
	struct found *found = ctx;

	found->n++;
	found->ended += f->ended ? 1 : 0;
	found->told += str_eqz(f->end, "the end") ? 1 : 0;
	found->last = *f;
}

static struct found
load(const char *dir, int64_t since)
{
	struct found found = { 0 };
	struct err e = { 0 };

	assert_rc(jobfile_load(dir, since, take, &found, &e), RC_OK);
	return found;
}

static void
what_is_written_is_loaded(void **state)
{
	struct jobfile f = { .accepted_ms = 5 };
	struct found found;
	struct err e = { 0 };

	ulid_new(&f.id);
	assert_rc(jobfile_write(*state, &f, &e), RC_OK);
	found = load(*state, 0);
	assert_int_equal(found.n, 1);
	assert_true(ulid_eq(&found.last.id, &f.id));
	assert_int_equal(found.last.accepted_ms, 5);
	assert_false(found.last.ended);
	f.ended = true;
	f.ended_ms = 1000;
	assert_rc(jobfile_write(*state, &f, &e), RC_OK);
	found = load(*state, 1000);
	assert_int_equal(found.ended, 1);
	assert_int_equal(found.last.ended_ms, 1000);
	/* Old ends are forgotten, what did not end never is. */
	found = load(*state, 1001);
	assert_int_equal(found.n, 0);
	assert_int_equal(load(*state, 0).n, 0);
	f.ended = false;
	assert_rc(jobfile_write(*state, &f, &e), RC_OK);
	assert_int_equal(load(*state, 1001).n, 1);
	assert_rc(jobfile_write("/nonexistent", &f, &e), RC_NOTFOUND);
}

static void
damage_counts_as_accepted(void **state)
{
	static const char *const texts[] = { "", "\377\377", "\0\0\0\0" };
	struct found found;
	char path[256], name[ULID_TEXT_CAP];
	struct ulid id;
	size_t i;

	ulid_new(&id);
	ulid_text(&id, name);
	assert_rc(fsio_join(path, sizeof(path), *state, name), RC_OK);
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_rc(fsio_replace(path, str_from(texts[i], i * 2), 0600,
		              NULL),
		    RC_OK);
		found = load(*state, 1);
		assert_int_equal(found.n, 1);
		assert_false(found.last.ended);
	}
}

static void
spares_hold_their_room_and_are_no_jobs(void **state)
{
	struct stat st;
	char path[256];
	unsigned i;

	jobfile_make_spares(*state);
	jobfile_make_spares(*state);
	for (i = 0; i < JOBFILE_SPARES; i++) {
		assert_true(str_fmt(path, sizeof(path), "%s/spare-%u",
		    (char *)*state, i));
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_blocks * 512 >= JOBFILE_SPARE_BYTES);
	}
	assert_int_equal(load(*state, 0).n, 0);
}

/* In a child whose folder is small; returns its exit code. */
static int
on_a_full_disk(const char *dir)
{
	struct jobfile f = { .accepted_ms = 5, .began = STR("began") };
	struct err e = { 0 };
	char path[256];
	int accepted = 0;

	jobfile_make_spares(dir);
	assert_true(str_fmt(path, sizeof(path), "%s/fill", dir));
	if (!small_fs_fill_up(path))
		return 1;
	for (accepted = 0; accepted < 100; accepted++) {
		ulid_new(&f.id);
		f.ended = false;
		f.end = STR("");
		if (jobfile_write(dir, &f, &e) != RC_OK)
			break;
		f.ended = true; /* and each can be marked as ended, and how */
		f.ended_ms = 7;
		f.end = STR("the end");
		if (jobfile_write(dir, &f, &e) != RC_OK)
			return 2;
		jobfile_make_spares(dir); /* no room: nothing is broken */
	}
	if (accepted != JOBFILE_SPARES || e.rc != RC_FULL)
		return 3;
	return load(dir, 0).told == JOBFILE_SPARES ? 0 : 4;
}

static void
a_full_disk_still_takes_jobs(void **state)
{
	small_fs_try(on_a_full_disk, *state, 512);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(what_is_written_is_loaded),
		unit_test_in_folder(damage_counts_as_accepted),
		unit_test_in_folder(spares_hold_their_room_and_are_no_jobs),
		unit_test_in_folder(a_full_disk_still_takes_jobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
