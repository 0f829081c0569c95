/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A filesystem that is really full: a small tmpfs in a mount namespace of
 * our own.  Needs root; says so and skips otherwise. */
#include "tests/unit/small_fs.h"
#include "tests/unit/spool/joblog_help.h"
#include "tests/unit/spool/queue_help.h"

#include <errno.h>
#include <fcntl.h>

enum {
	DISK = 4 * 1048576
};

/* A queue and a spool below one mount. */
struct disk {
	struct fixture queue;
	char root[64];
	struct ulid id;
	struct buf text;
};

static int
setup(void **state)
{
	static struct disk d;

	d = (struct disk){ 0 };
	tmpdir_make(&d.queue.tmp);
	*state = &d;
	if (!small_fs_enter() ||
	    !small_fs_mount(d.queue.tmp.path, DISK / 1024)) {
		print_message("no tmpfs of our own here: %s\n",
		    strerror(errno));
		tmpdir_remove(d.queue.tmp.path);
		*state = NULL;
		return 0;
	}
	ASSERT(str_fmt(d.queue.dir, sizeof(d.queue.dir), "%s/queue",
	    d.queue.tmp.path));
	ASSERT(str_fmt(d.root, sizeof(d.root), "%s", d.queue.tmp.path));
	d.queue.opts =
	    (struct queue_opts){ .dir = d.queue.dir, .gap = test_gap };
	ulid_new(&d.id);
	buf_init(&d.text, MIB(64));
	return 0;
}

static int
teardown(void **state)
{
	struct disk *d = *state;

	if (d == NULL)
		return 0;
	queue_close(d->queue.q);
	buf_fini(&d->text);
	small_fs_unmount(d->queue.tmp.path);
	(void)rmdir(d->queue.tmp.path);
	return 0;
}

static struct disk *
disk_or_skip(void **state)
{
	if (*state == NULL)
		skip();
	return *state;
}

/* Takes all space that is left. */
static void
fill_disk(struct disk *d)
{
	assert_true(small_fs_fill_up(tmpdir_file(&d->queue.tmp, "ballast")));
}

static void
free_disk(struct disk *d)
{
	assert_int_equal(unlink(tmpdir_file(&d->queue.tmp, "ballast")), 0);
}

static void
on_a_full_disk_results_still_get_through(void **state)
{
	static char text[5000];
	struct disk *d = disk_or_skip(state);
	struct fixture *f = &d->queue;
	struct err e = { 0 };
	uint64_t seq, logs = 0, results = 0, i;

	fixture_open(f);
	put(f, QUEUE_EVENT, STR("first"));
	sync_now(f);
	fill_disk(d);
	/* What the segment has reserved may still be used by logs. */
	while (
	    logs < 1000 && queue_append(f->q, QUEUE_LOG,
	                       str_from(text, sizeof(text)), &seq, &e) == RC_OK)
		logs++;
	assert_int_equal(e.rc, RC_FULL);
	assert_in_range(logs, 200, 210);
	while (results < 1000 && queue_append(f->q, QUEUE_EVENT,
	                             str_from(text, 1000), &seq, &e) == RC_OK)
		results++;
	assert_int_equal(e.rc, RC_FULL);
	assert_in_range(results, 60, 70);
	sync_now(f);
	assert_int_equal(queue_synced(f->q), 1 + logs + results);
	fixture_reopen(f);
	assert_false(f->fresh);
	for (i = 1; i <= 1 + logs + results; i++)
		assert_int_equal(peek(f, i).seq, i);
	ack(f, logs);
	free_disk(d);
	put(f, QUEUE_LOG, str_from(text, sizeof(text)));
	sync_now(f);
	ack(f, queue_synced(f->q));
}

static void
a_full_ring_on_a_full_disk_refuses_logs_only(void **state)
{
	static char text[60000];
	struct disk *d = disk_or_skip(state);
	struct fixture *f = &d->queue;
	struct err e = { 0 };
	uint64_t seq, i, logs = 0;

	f->opts.max_bytes = QUEUE_BYTES_MIN; /* as large as the disk */
	fixture_open(f);
	while (
	    logs < 1000 && queue_append(f->q, QUEUE_LOG,
	                       str_from(text, sizeof(text)), &seq, &e) == RC_OK)
		logs++;
	assert_int_equal(e.rc, RC_FULL);
	assert_in_range(logs, 45, 70);
	put(f, QUEUE_EVENT, STR("result"));
	sync_now(f);
	fixture_reopen(f);
	for (i = 1; i <= logs + 1; i++)
		assert_int_equal(peek(f, i).seq, i);
	assert_payload(f, logs + 1, "result");
}

static void
a_log_on_a_full_disk_keeps_what_was_committed(void **state)
{
	struct disk *d = disk_or_skip(state);
	struct err e = { 0 };
	char path[JOBLOG_PATH_CAP];
	struct stat st;
	int i;

	for (i = 0; i < 60000; i++)
		joblog_line(&d->text, i, JOBLOG_OUT, STR("a line of a log"));
	assert_int_equal(joblog_append(d->root, &d->id, 0,
	                     str_sub(buf_str(&d->text), 0, 1000), &e),
	    RC_OK);
	fill_disk(d);
	assert_int_equal(joblog_append(d->root, &d->id, 1000,
	                     str_sub(buf_str(&d->text), 1000, MIB(1)), &e),
	    RC_FULL);
	assert_int_equal(joblog_path(d->root, &d->id, false, path,
	                     sizeof(path)),
	    RC_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 1000);
	assert_int_equal(joblog_compress(d->root, &d->id, 1000, &e), RC_FULL);
	assert_int_equal(access(path, F_OK), 0);
	free_disk(d);
	assert_int_equal(joblog_append(d->root, &d->id, 1000,
	                     str_sub(buf_str(&d->text), 1000, MIB(1)), &e),
	    RC_OK);
	assert_int_equal(joblog_compress(d->root, &d->id, 1000 + MIB(1), &e),
	    RC_OK);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(on_a_full_disk_results_still_get_through),
		T(a_full_ring_on_a_full_disk_refuses_logs_only),
		T(a_log_on_a_full_disk_keeps_what_was_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
