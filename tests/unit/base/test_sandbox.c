/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the controller may, and may not; what is so in any sandbox. */
#include "tests/unit/base/sandbox_files.h"
#include "tests/unit/base/sandbox_kernel.h"

static int
break_invariant(struct world *w)
{
	ASSERT(w == NULL);
	return WRONG;
}

/* All that runs at the end, such as the leak checker. */
static int
end_normally(struct world *w)
{
	(void)w;
	exit(DONE);
}

static void
programs_end_normally(void **state)
{
	static const struct probe p = PROBE(end_normally);

	assert_works(*state, SANDBOX_RENDER, &p);
	assert_works(*state, SANDBOX_CONTROLLER, &p);
}

static void
broken_invariant_still_aborts(void **state)
{
	int status;

	status = run(*state, SANDBOX_RENDER, SANDBOX_KILL, break_invariant);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
controller_does_its_work(void **state)
{
	static const struct probe probes[] = {
		PROBE(read_allowed_file),
		PROBE(list_allowed_directory),
		PROBE(replace_in_write_path),
		PROBE(read_library),
		PROBE(ask_for_zone),
		PROBE(socket_unix),
		PROBE(socket_inet),
		PROBE(socket_netlink),
		PROBE(start_thread),
		PROBE(use_memory),
		PROBE(use_clocks),
		PROBE(use_randomness),
		PROBE(handle_signals),
		PROBE(look_for_privileges),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_works(*state, SANDBOX_CONTROLLER, &probes[i]);
}

static void
controller_gives_up_what_it_never_does(void **state)
{
	static const struct probe probes[] = {
		PROBE(exec_true),
		PROBE(exec_by_descriptor),
#ifndef SANITIZER_BUILD
		PROBE(trace_me),
#endif
		PROBE(mount_tmpfs),
		PROBE(new_namespace),
		PROBE(clone_namespace),
		PROBE(load_bpf),
		PROBE(change_user),
		PROBE(socket_packet),
		PROBE(socket_packet_hidden),
	};
	static const struct probe absent[] = {
		PROBE(start_uring),
		PROBE(clone_the_new_way),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_filtered(*state, SANDBOX_CONTROLLER, &probes[i]);
	for (i = 0; i < ARRAY_LEN(absent); i++)
		assert_answers(*state, SANDBOX_CONTROLLER, &absent[i], ENOSYS);
}

static void
controller_stays_on_its_paths(void **state)
{
	static const struct probe probes[] = {
		PROBE(read_outside),
		PROBE(read_passwd),
		PROBE(create_outside),
		PROBE(write_library),
		PROBE(create_in_library),
		PROBE(truncate_library),
		PROBE(unlink_library),
	};
	struct world *w = *state;
	size_t i;

	if (!have_landlock(w))
		skip();
	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_answers(w, SANDBOX_CONTROLLER, &probes[i], EACCES);
}

static int
enter_with_absent_path(struct world *w)
{
	const char *paths[] = { tmpdir_file(&w->in, "absent"), NULL };
	const struct sandbox_opts o = { SANDBOX_CONTROLLER, SANDBOX_ERRNO,
		paths, NULL, 0 };
	struct err e = { .msg = "" };

	if (sandbox_enter(&o, NULL, &e) != RC_NOTFOUND)
		return WRONG;
	return strstr(e.msg, w->in.file) != NULL ? DONE : WRONG;
}

static void
absent_path_is_an_error(void **state)
{
	struct world *w = *state;
	int status;
	pid_t pid;

	if (!have_landlock(w))
		skip();
	pid = fork();
	if (pid == 0)
		_exit(enter_with_absent_path(w));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The filter reaches threads that were there before. */
static void *
sandbox_on_older_thread(void *arg)
{
	const int *fd = arg;
	char c;

	if (read(*fd, &c, 1) != 1)
		_exit(WRONG);
	_exit(socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : DONE);
	return NULL;
}

static int
enter_beside_a_thread(struct world *w)
{
	const struct sandbox_opts o = { SANDBOX_RENDER, SANDBOX_ERRNO, NULL,
		NULL, 0 };
	pthread_t t;

	if (pthread_create(&t, NULL, sandbox_on_older_thread, &w->pair[0]) !=
	        0 ||
	    sandbox_enter(&o, NULL, NULL) != RC_OK ||
	    write(w->pair[1], "x", 1) != 1)
		return WRONG;
	(void)pthread_join(t, NULL);
	return WRONG;
}

static void
filter_covers_older_threads(void **state)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		_exit(enter_beside_a_thread(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPERM);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(programs_end_normally),
		TEST(broken_invariant_still_aborts),
		TEST(controller_does_its_work),
		TEST(controller_gives_up_what_it_never_does),
		TEST(controller_stays_on_its_paths),
		TEST(absent_path_is_an_error),
		TEST(filter_covers_older_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
