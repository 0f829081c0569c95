/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the renderer may, and may not. */
#include "tests/unit/base/sandbox_files.h"
#include "tests/unit/base/sandbox_kernel.h"

static void
renderer_does_its_work(void **state)
{
	static const struct probe probes[] = {
		PROBE(read_allowed_file),
		PROBE(read_part_of_allowed_file),
		PROBE(list_allowed_directory),
		PROBE(map_allowed_file),
		PROBE(ask_for_zone),
		PROBE(talk_over_pair),
		PROBE(set_nonblocking),
		PROBE(use_memory),
		PROBE(use_clocks),
		PROBE(use_randomness),
		PROBE(write_log),
		PROBE(on_stdio),
		PROBE(handle_signals),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_works(*state, SANDBOX_RENDER, &probes[i]);
}

static void
renderer_answers_on_its_socket(void **state)
{
	struct world *w = *state;
	char text[16];

	assert_int_equal(run(w, SANDBOX_RENDER, SANDBOX_KILL, accept_and_talk),
	    0);
	assert_int_equal(recv(w->peer, text, sizeof(text), MSG_WAITALL), 10);
	assert_memory_equal(text, "hellohello", 10);
}

static void
renderer_reads_nothing_else(void **state)
{
	static const struct probe probes[] = {
		PROBE(read_outside),
		PROBE(read_by_dots),
		PROBE(read_passwd),
		PROBE(list_root),
	};
	struct world *w = *state;
	size_t i;

	if (!have_landlock(w))
		skip(); /* this kernel has no landlock */
	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_answers(w, SANDBOX_RENDER, &probes[i], EACCES);
}

static void
renderer_changes_nothing(void **state)
{
	static const struct probe probes[] = {
#ifndef SANITIZER_BUILD
		PROBE(open_for_writing),
		PROBE(open_for_both),
		PROBE(create_file),
		PROBE(truncate_by_open),
#endif
		PROBE(open_by_openat2),
		PROBE(truncate_file),
		PROBE(unlink_file),
		PROBE(rename_file),
		PROBE(make_directory),
		PROBE(change_mode),
		PROBE(anonymous_file),
	};
	struct world *w = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_filtered(w, SANDBOX_RENDER, &probes[i]);
	assert_int_equal(tmpdir_count(w->in.path), 1);
}

static void
renderer_makes_no_connection(void **state)
{
	static const struct probe probes[] = {
		PROBE(socket_unix),
		PROBE(socket_inet),
		PROBE(socket_netlink),
		PROBE(socket_packet),
		PROBE(socket_packet_hidden),
		PROBE(connect_loose),
		PROBE(bind_loose),
		PROBE(start_uring),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_filtered(*state, SANDBOX_RENDER, &probes[i]);
}

static void
renderer_starts_and_touches_no_process(void **state)
{
	static const struct probe probes[] = {
		PROBE(exec_true),
		PROBE(exec_by_descriptor),
		PROBE(mount_tmpfs),
		PROBE(new_namespace),
		PROBE(load_bpf),
		PROBE(change_user),
#ifndef SANITIZER_BUILD
		PROBE(start_child),
		PROBE(clone_namespace),
		PROBE(clone_the_new_way),
		PROBE(signal_parent),
		PROBE(signal_thread_of_parent),
		PROBE(trace_me),
		PROBE(set_name),
		PROBE(raise_limit),
		PROBE(map_executable),
		PROBE(make_executable),
#endif
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_filtered(*state, SANDBOX_RENDER, &probes[i]);
}

static void
renderer_has_a_memory_limit(void **state)
{
#ifdef SANITIZER_BUILD
	(void)state;
	skip();
#else
	static const struct probe p = PROBE(use_too_much_memory);

	assert_works(*state, SANDBOX_RENDER, &p);
#endif
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(renderer_does_its_work),
		TEST(renderer_answers_on_its_socket),
		TEST(renderer_reads_nothing_else),
		TEST(renderer_changes_nothing),
		TEST(renderer_makes_no_connection),
		TEST(renderer_starts_and_touches_no_process),
		TEST(renderer_has_a_memory_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
