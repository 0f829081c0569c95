/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The queue when any single system call fails, writes short, or is the last
 * one of the process. */
#include "tests/unit/spool/faults.h"
#include "tests/unit/spool/queue_story.h"

#include <sys/wait.h>

enum {
	STEPS = 160
};

static int
setup(void **state)
{
	struct fixture *f;

	fault_set(FAULT_NONE, 0, 0);
	(void)fixture_setup(state);
	f = *state;
	tmpdir_remove(f->tmp.path);
	fixture_make_fast(f);
	return 0;
}

static int
teardown(void **state)
{
	fault_set(FAULT_NONE, 0, 0);
	return fixture_teardown(state);
}

/* Opens and does the same steps each time: segments fill, the ring fills,
 * acknowledgements come, at last a restart.  Goes on after failures. */
static void
story(struct fixture *f, struct told *t)
{
	struct err e = { 0 };
	uint64_t step;

	if (queue_open(&f->opts, &f->q, &f->fresh, &e) != RC_OK)
		return;
	story_opened(f->q, t);
	for (step = 1; step <= STEPS; step++) {
		(void)story_append(f->q, t,
		    step % 10 == 0 ? QUEUE_EVENT : QUEUE_LOG);
		if (step % 4 == 0)
			(void)story_sync(f->q, t);
		if (step == STEPS - 40 || step == STEPS - 7)
			(void)story_ack(f->q, t, t->synced - 20);
	}
	(void)story_sync(f->q, t);
	queue_close(f->q);
	f->q = NULL;
}

static int
calls_of_the_story(struct fixture *f, struct told *t)
{
	fault_set(FAULT_NONE, 0, 0);
	story(f, t);
	assert_int_equal(t->synced, STEPS);
	return fault.calls;
}

static void
start_over(struct fixture *f, struct told *t)
{
	queue_close(f->q);
	f->q = NULL;
	tmpdir_remove(f->dir);
	memset(t, 0, sizeof(*t));
}

static void
killed_at_any_call_nothing_is_lost(void **state)
{
	struct fixture *f = *state;
	struct told *t = told_new();
	int calls, at, status;
	pid_t pid;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	calls = calls_of_the_story(f, t);
	assert_in_range(calls, 200, 2000);
	for (at = 1; at <= calls; at++) {
		start_over(f, t);
		pid = fork();
		if (pid == 0) {
			fault_set(FAULT_EXIT, at, 0);
			story(f, t);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(
		    WIFEXITED(status) && WEXITSTATUS(status) == FAULT_STATUS);
		story_check(f, t, false);
		/* And it goes on. */
		assert_true(story_append(f->q, t, QUEUE_EVENT));
		assert_true(story_sync(f->q, t));
		story_check_record(t,
		    &(struct queue_record){ .seq = t->synced,
		        .type = QUEUE_EVENT,
		        .payload = peek(f, t->synced).payload },
		    t->synced);
	}
	print_message("%d calls\n", calls);
	(void)munmap(t, sizeof(*t));
}

static void
failing_at_any_call(struct fixture *f, enum fault_mode mode, int error)
{
	struct told *t = told_new();
	int calls, at;

	f->opts.max_bytes = QUEUE_BYTES_MIN;
	calls = calls_of_the_story(f, t);
	for (at = 1 + error % 2; at <= calls;
	     at += mode == FAULT_ONCE ? 2 : 7) {
		start_over(f, t);
		fault_set(mode, at, error);
		story(f, t);
		fault_set(FAULT_NONE, 0, 0);
		queue_close(f->q);
		f->q = NULL;
		story_check(f, t, false);
		assert_true(story_append(f->q, t, QUEUE_EVENT));
		assert_true(story_sync(f->q, t));
	}
	(void)munmap(t, sizeof(*t));
}

static void
one_call_that_fails_costs_nothing_else(void **state)
{
	failing_at_any_call(*state, FAULT_ONCE, EIO);
}

static void
one_call_without_space_costs_nothing_else(void **state)
{
	failing_at_any_call(*state, FAULT_ONCE, ENOSPC);
}

static void
a_disk_full_from_any_call_on_keeps_what_was_said(void **state)
{
	failing_at_any_call(*state, FAULT_ON, ENOSPC);
}

static void
a_short_write_then_no_space_keeps_what_was_said(void **state)
{
	failing_at_any_call(*state, FAULT_SHORT, ENOSPC);
}

static void
a_failed_sync_promises_nothing_and_writes_again(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };

	fixture_open(f);
	put(f, QUEUE_LOG, STR("one"));
	sync_now(f);
	put(f, QUEUE_LOG, STR("two"));
	fault_set(FAULT_ONCE, 1, EIO);
	assert_int_equal(queue_sync(f->q, &e), RC_IO);
	assert_non_null(strstr(e.msg, f->dir));
	assert_int_equal(queue_synced(f->q), 1);
	assert_nothing_from(f, 2);
	put(f, QUEUE_LOG, STR("three"));
	assert_nothing_from(f, 2);
	/* The kernel has told it and forgets: a second sync alone would lie. */
	fault_set(FAULT_NONE, 0, 0);
	sync_now(f);
	assert_int_equal(fault.writes, 1);
	assert_int_equal(fault.syncs, 1);
	assert_payload(f, 2, "two");
	assert_payload(f, 3, "three");
	sync_now(f);
	assert_int_equal(fault.syncs, 1);
	fixture_reopen(f);
	assert_payload(f, 2, "two");
	assert_payload(f, 3, "three");
}

static void
a_torn_append_is_cut_before_the_next(void **state)
{
	static const enum fault_mode modes[] = { FAULT_SHORT, FAULT_ONCE };
	struct fixture *f = *state;
	struct err e = { 0 };
	uint64_t seq = 0;
	char text[300];
	size_t i;

	fixture_open(f);
	for (i = 0; i < ARRAY_LEN(modes); i++) {
		seq = 0;
		fault_set(modes[i], 1, ENOSPC);
		assert_int_equal(queue_append(f->q, QUEUE_EVENT,
		                     forged_payload(i + 2, text, sizeof(text)),
		                     &seq, &e),
		    RC_FULL);
		assert_int_equal(seq, 0);
		fault_set(FAULT_NONE, 0, 0);
		assert_int_equal(put(f, QUEUE_EVENT, STR("x")), i + 1);
		sync_now(f);
		assert_payload(f, i + 1, "x");
		fixture_reopen(f);
		assert_false(f->fresh);
		assert_int_equal(queue_next(f->q), i + 2);
	}
}

static void
on_a_full_disk_results_use_the_reserve(void **state)
{
	static char text[50000];
	struct fixture *f = *state;
	struct err e = { 0 };
	uint64_t seq, logs = 0, results = 0;

	fixture_open(f);
	fault.full = true; /* a new segment cannot be had */
	while (
	    logs < 100 && queue_append(f->q, QUEUE_LOG,
	                      str_from(text, sizeof(text)), &seq, &e) == RC_OK)
		logs++;
	assert_int_equal(e.rc, RC_FULL);
	assert_int_equal(logs, 20);
	while (results < 100 && queue_append(f->q, QUEUE_EVENT,
	                            str_from(text, 9000), &seq, &e) == RC_OK)
		results++;
	assert_int_equal(e.rc, RC_FULL);
	assert_int_equal(results,
	    (QUEUE_SEG_MAX - QUEUE_SEG_HEAD - 20 * (50000 + QUEUE_REC_HEAD)) /
	        (9000 + QUEUE_REC_HEAD));
	sync_now(f);
	fixture_reopen(f);
	assert_int_equal(queue_next(f->q), logs + results + 1);
	assert_int_equal(peek(f, logs + results).type, QUEUE_EVENT);
	/* Space again: it goes on in a new segment. */
	fault.full = false;
	put(f, QUEUE_LOG, str_from(text, sizeof(text)));
	assert_true(exists(fixture_seg(f, logs + results + 1)));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(killed_at_any_call_nothing_is_lost),
		T(one_call_that_fails_costs_nothing_else),
		T(one_call_without_space_costs_nothing_else),
		T(a_disk_full_from_any_call_on_keeps_what_was_said),
		T(a_short_write_then_no_space_keeps_what_was_said),
		T(a_failed_sync_promises_nothing_and_writes_again),
		T(a_torn_append_is_cut_before_the_next),
		T(on_a_full_disk_results_use_the_reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
