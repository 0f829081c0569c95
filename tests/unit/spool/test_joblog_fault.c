/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Job logs when any single system call fails or is the last one of the
 * process: what was committed stays, whichever form it has. */
#include "tests/unit/spool/faults.h"
#include "tests/unit/spool/joblog_help.h"

#include <sys/wait.h>

static int
teardown(void **state)
{
	fault_set(FAULT_NONE, 0, 0);
	return spool_teardown(state);
}

static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void
a_failed_append_leaves_the_committed_bytes(void **state)
{
	static const struct {
		enum fault_mode mode;
		int error;
		enum rc rc;
	} cases[] = { { FAULT_ONCE, ENOSPC, RC_FULL },
		{ FAULT_ONCE, EDQUOT, RC_FULL }, { FAULT_ONCE, EIO, RC_IO } };
	struct spool *s = *state;
	struct err e;
	size_t i;

	spool_fill(s, 10);
	spool_write(s);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		fault_set(cases[i].mode, 1, cases[i].error);
		assert_int_equal(joblog_append(s->root, &s->id, s->text.len,
		                     STR("one more\n"), &e),
		    cases[i].rc);
		assert_non_null(strstr(e.msg, s->log));
		assert_int_equal(size_of(s->log), s->text.len);
	}
}

static void
half_an_append_is_cut_back(void **state)
{
	struct spool *s = *state;
	struct err e;

	spool_fill(s, 10);
	spool_write(s);
	/* Half is written; cutting back fails as well. */
	fault_set(FAULT_SHORT, 1, ENOSPC);
	assert_int_equal(joblog_append(s->root, &s->id, s->text.len,
	                     STR("one more\n"), &e),
	    RC_FULL);
	assert_int_equal(size_of(s->log), s->text.len + 4);
	fault_set(FAULT_NONE, 0, 0);
	assert_int_equal(joblog_append(s->root, &s->id, s->text.len, STR("x\n"),
	                     &e),
	    RC_OK);
	assert_int_equal(size_of(s->log), s->text.len + 2);
}

/* All of it can be read, and compressing it again ends well. */
static void
assert_whole_and_go_on(struct spool *s)
{
	spool_open(s, s->text.len);
	assert_reads(s, 0, s->text.len, MIB(1));
	spool_compress(s);
	assert_false(spool_has(s->log));
	spool_open(s, s->text.len);
	assert_reads(s, 0, s->text.len, MIB(1));
	assert_int_equal(unlink(s->zst), 0);
}

static int
calls_to_compress(struct spool *s)
{
	int calls;

	spool_fill(s, 5000);
	spool_write(s);
	fault_set(FAULT_NONE, 0, 0);
	spool_compress(s);
	calls = fault.calls;
	assert_int_equal(unlink(s->zst), 0);
	return calls;
}

static void
killed_anywhere_in_compressing_nothing_is_lost(void **state)
{
	struct spool *s = *state;
	const int calls = calls_to_compress(s);
	int at, status;
	pid_t pid;

	assert_in_range(calls, 6, 20);
	for (at = 1; at <= calls; at++) {
		spool_write(s);
		pid = fork();
		if (pid == 0) {
			fault_set(FAULT_EXIT, at, 0);
			_exit((int)joblog_compress(s->root, &s->id, s->text.len,
			    NULL));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(
		    WIFEXITED(status) && WEXITSTATUS(status) == FAULT_STATUS);
		assert_whole_and_go_on(s);
	}
}

static void
failing_anywhere_in_compressing_nothing_is_lost(void **state)
{
	static const enum fault_mode modes[] = { FAULT_ONCE, FAULT_ON,
		FAULT_SHORT };
	struct spool *s = *state;
	const int calls = calls_to_compress(s);
	struct err e;
	size_t i;
	int at;

	for (i = 0; i < ARRAY_LEN(modes); i++) {
		for (at = 1; at <= calls; at++) {
			spool_write(s);
			fault_set(modes[i], at, ENOSPC);
			assert_int_equal(joblog_compress(s->root, &s->id,
			                     s->text.len, &e),
			    RC_FULL);
			fault_set(FAULT_NONE, 0, 0);
			assert_whole_and_go_on(s);
		}
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, spool_setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(a_failed_append_leaves_the_committed_bytes),
		T(half_an_append_is_cut_back),
		T(killed_anywhere_in_compressing_nothing_is_lost),
		T(failing_anywhere_in_compressing_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
