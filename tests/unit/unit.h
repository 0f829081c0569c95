/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H
/*
 * What every unit test includes first: cmocka with what it needs before it,
 * checks that print our own types, a temporary folder per test, and proof
 * that a broken invariant ends the process.
 *
 *   static void reads_what_it_wrote(void **state)
 *   {
 *           const char *dir = *state;
 *           ...
 *   }
 *   int main(void)
 *   {
 *           const struct CMUnitTest tests[] = {
 *                   cmocka_unit_test(needs_no_folder),
 *                   unit_test_in_folder(reads_what_it_wrote),
 *           };
 *           return cmocka_run_group_tests(tests, NULL, NULL);
 *   }
 *
 * Failing allocations: tests/fake/mem_try.h.
 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* After setjmp, stdarg, stddef and stdint, which it takes for granted. */
#include <cmocka.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

/* Checks that name what they saw. */
#define assert_rc(actual, expected) \
	assert_string_equal(rc_info(actual)->name, rc_info(expected)->name)
#define assert_str(actual, text) \
	unit_assert_str(actual, text, __FILE__, __LINE__)

static inline void
unit_assert_str(struct str actual, const char *text, const char *file, int line)
{
	if (str_eqz(actual, text))
		return;
	print_error("\"%.*s\" != \"%s\"\n", STR_ARG(actual), text);
	_fail(file, line);
}

static inline int
unit_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* Makes an empty folder; *state is its path, short enough for a socket. */
static inline int
unit_folder_make(void **state)
{
	char *path = strdup("/tmp/rm-unit-XXXXXX");

	if (path == NULL || mkdtemp(path) == NULL)
		return -1;
	*state = path;
	return 0;
}

/* Removes it with everything in it; links are not followed. */
static inline int
unit_folder_remove(void **state)
{
	int rc = nftw(*state, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	*state = NULL;
	return rc;
}

#define unit_test_in_folder(f) \
	cmocka_unit_test_setup_teardown(f, unit_folder_make, unit_folder_remove)

/* Whether fn(arg) aborts.  Runs in a child, which is silent and leaves no
 * core. */
static inline bool
unit_aborts(void (*fn)(void *), void *arg)
{
	const struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (fd >= 0)
			dup2(fd, STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		fn(arg);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		continue;
	return pid > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
#endif
