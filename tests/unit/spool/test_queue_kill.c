/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A process that appends, syncs and acknowledges at random is killed at
 * random instants; then the machine loses what was not synced.  RM_SEED
 * repeats a run, RM_ROUNDS makes it longer. */
#include "tests/unit/spool/queue_story.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum {
	ROUNDS = 200,
	LAST_SEQ = 90000
};

static uint64_t random_state;

static uint64_t
random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static uint64_t
from_env(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

static int
setup(void **state)
{
	struct fixture *f;

	(void)fixture_setup(state);
	f = *state;
	tmpdir_remove(f->tmp.path);
	fixture_make_fast(f);
	f->opts.max_bytes = QUEUE_BYTES_MIN;
	random_state = from_env("RM_SEED", 20261120);
	print_message("RM_SEED=%llu\n", (unsigned long long)random_state);
	return 0;
}

NORETURN static void
live(struct fixture *f, struct told *t)
{
	uint64_t what;

	if (queue_open(&f->opts, &f->q, &f->fresh, NULL) != RC_OK || f->fresh)
		_exit(3);
	for (;;) {
		what = random_below(100);
		if (what < 75) {
			if (!story_append(f->q, t,
			        what < 4 ? QUEUE_EVENT : QUEUE_LOG))
				_exit(4);
		} else if (what < 93) {
			if (!story_sync(f->q, t))
				_exit(5);
		} else if (t->synced > t->acked &&
		           !story_ack(f->q, t,
		               t->acked +
		                   random_below(t->synced - t->acked + 1))) {
			_exit(6);
		}
	}
}

static void
kill_after(pid_t pid, long us)
{
	const struct timespec ts = { .tv_nsec = us * 1000 };
	int status;

	(void)nanosleep(&ts, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		fail_msg("the queue refused, status %d", WEXITSTATUS(status));
}

/* The number last written down as synced, 0 when there is none. */
static uint64_t
marked(struct fixture *f)
{
	struct buf file;
	struct rd r;
	uint64_t synced = 0;

	buf_init(&file, 64);
	if (fsio_read(fixture_path(f, "marks"), &file, NULL) == RC_OK) {
		rd_init(&r, buf_str(&file));
		(void)rd_bytes(&r, 16);
		synced = rd_u64(&r);
	}
	buf_fini(&file);
	return synced;
}

/* Where in the last segment the records end that were synced. */
static uint64_t
synced_size(struct fixture *f, uint64_t first)
{
	const uint64_t synced = marked(f);
	struct queue_record rec = { .seq = first - 1 };
	struct buf file;
	struct str rest;
	uint64_t size;

	buf_init(&file, QUEUE_SEG_MAX);
	assert_int_equal(fsio_read(fixture_seg(f, first), &file, NULL), RC_OK);
	rest = str_sub(buf_str(&file), QUEUE_SEG_HEAD, file.len);
	while (rec.seq < synced)
		assert_int_equal(queue_seg_take(&rest, rec.seq, &rec), RC_OK);
	size = synced < first && first > 1 ? 0 : file.len - rest.n;
	buf_fini(&file);
	return size;
}

/* What was not synced is gone, or there in part, or something else.  Only the
 * last segment can hold such bytes. */
static void
lose_power(struct fixture *f, const struct told *t)
{
	uint64_t first = t->appended + 1, size, at, end;
	char junk[512];
	struct stat st;
	int fd;

	while (stat(fixture_seg(f, first), &st) != 0)
		first--;
	end = (uint64_t)st.st_size;
	size = synced_size(f, first);
	fd = open(fixture_seg(f, first), O_WRONLY);
	assert_true(fd >= 0);
	for (at = size; at < end; at += sizeof(junk)) {
		memset(junk, random_below(2) ? 0 : (int)random_below(256),
		    sizeof(junk));
		if (random_below(3) == 0)
			assert_int_equal(pwrite(fd, junk, sizeof(junk),
			                     (off_t)at),
			    sizeof(junk));
	}
	end = size + random_below(end - size + 1);
	if (random_below(2) == 0)
		assert_int_equal(ftruncate(fd, (off_t)end), 0);
	(void)close(fd);
	/* Where the segment's own header may be gone the marks were synced:
	 * before what stood in front of it was removed. */
	if (size > 0 && random_below(8) == 0)
		assert_int_equal(truncate(fixture_path(f, "marks"), 0), 0);
}

static void
rounds(struct fixture *f, bool power_cut)
{
	const uint64_t n = from_env("RM_ROUNDS", ROUNDS);
	struct told *t = told_new();
	uint64_t i, seen = 0;
	pid_t pid;

	for (i = 0; i < n && t->appended < LAST_SEQ; i++) {
		story_check(f, t, power_cut);
		if (t->opened == 0)
			story_opened(f->q, t);
		assert_true(power_cut || queue_next(f->q) > seen);
		seen = t->synced;
		queue_close(f->q);
		f->q = NULL;
		(void)random_below(2); /* the child's sequence differs */
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			random_state += i;
			live(f, t);
		}
		kill_after(pid, (long)random_below(12000));
		if (power_cut)
			lose_power(f, t);
	}
	story_check(f, t, power_cut);
	print_message("%llu rounds, %llu records, %llu acknowledged\n",
	    (unsigned long long)i, (unsigned long long)t->appended,
	    (unsigned long long)t->acked);
	assert_true(t->appended > n);
	(void)munmap(t, sizeof(*t));
}

static void
killed_at_random_nothing_is_lost(void **state)
{
	rounds(*state, false);
}

static void
a_power_cut_at_random_loses_nothing_synced(void **state)
{
	rounds(*state, true);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	static const struct CMUnitTest tests[] = {
		T(killed_at_random_nothing_is_lost),
		T(a_power_cut_at_random_loses_nothing_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
