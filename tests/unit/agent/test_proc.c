/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/agent/agent_help.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "agent/proc.h"
#include "lib/base/clock.h"

struct run {
	struct loop *loop;
	struct proc *proc;
	struct buf out, err;
	size_t lines;
	bool ended;
	unsigned ends;
	struct proc_end end;
	int signal_at_line; /* sent when the first line came; 0: none */
};

static void
run_on_line(void *ctx, bool is_stderr, struct str line)
{
	struct run *r = ctx;
	struct buf *b = is_stderr ? &r->err : &r->out;

	buf_put_str(b, line);
	buf_putc(b, '|');
	r->lines++;
	if (r->signal_at_line != 0 && r->lines == 1)
		proc_signal(r->proc, r->signal_at_line);
}

static void
run_on_end(void *ctx, const struct proc_end *end)
{
	struct run *r = ctx;

	r->end = *end;
	r->ended = true;
	r->ends++;
	r->proc = NULL;
}

static void
run_start(struct run *r, char **argv, struct str input, size_t line_max)
{
	char *envp[] = { (char[]){ "PATH=/usr/bin:/bin" },
		(char[]){ "MARK=set" }, NULL };
	struct proc_opts o = { .argv = argv,
		.envp = envp,
		.line_max = line_max,
		.input = input,
		.on_line = run_on_line,
		.on_end = run_on_end,
		.ctx = r };

	buf_init(&r->out, MIB(8));
	buf_init(&r->err, MIB(8));
	r->loop = help_loop();
	o.loop = r->loop;
	r->proc = proc_start(&o);
	assert_false(r->ended); /* never from inside */
}

static void
run_shell(struct run *r, const char *script, size_t line_max)
{
	char *text = mem_strdup(script);
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, text, NULL };

	run_start(r, argv, STR(""), line_max);
	mem_free(text); /* lent for the call */
}

static void
run_wait(struct run *r)
{
	help_run_until(r->loop, help_set, &r->ended);
	assert_int_equal(r->ends, 1);
}

static void
run_done(struct run *r)
{
	loop_free(r->loop);
	buf_fini(&r->out);
	buf_fini(&r->err);
}

static void
exit_codes_and_both_outputs_come(void **state)
{
	struct run r = { 0 };

	(void)state;
	run_shell(&r, "echo one; echo two >&2; echo three; exit 7", 0);
	run_wait(&r);
	assert_rc(r.end.err.rc, RC_OK);
	assert_int_equal(r.end.exit_code, 7);
	assert_int_equal(r.end.signal, 0);
	assert_false(r.end.output_lost);
	assert_str(buf_str(&r.out), "one|three|");
	assert_str(buf_str(&r.err), "two|");
	run_done(&r);
}

static void
only_the_given_environment_and_input_are_there(void **state)
{
	struct run r = { 0 };
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" },
		(char[]){ "echo $MARK$SECRET; tr '\\0' '+'; ls /proc/self/fd "
		          "| wc -l" },
		NULL };
	struct buf in;
	size_t i;

	(void)state;
	assert_int_equal(setenv("SECRET", "parent", 1), 0);
	buf_init(&in, MIB(1));
	for (i = 0; i < 20000; i++)
		buf_put(&in, "/a/path", 8);
	run_start(&r, argv, buf_str(&in), 0);
	buf_fini(&in);
	run_wait(&r);
	assert_int_equal(unsetenv("SECRET"), 0);
	assert_int_equal(r.end.exit_code, 0);
	assert_true(str_starts(buf_str(&r.out), STR("set|/a/path+/a/path+")));
	/* 0, 1, 2 and the folder itself: nothing of ours leaks. */
	assert_true(str_ends(buf_str(&r.out), STR("/a/path+4|")));
	assert_int_equal(r.out.len, 4 + 20000 * 8 + 2);
	run_done(&r);
}

static void
without_input_there_is_nothing_to_read(void **state)
{
	struct run r = { 0 };

	(void)state;
	run_shell(&r, "wc -c", 0);
	run_wait(&r);
	assert_str(buf_str(&r.out), "0|");
	run_done(&r);
}

static void
a_signal_is_told_as_such(void **state)
{
	struct run r = { 0 };

	(void)state;
	run_shell(&r, "echo ready; kill -9 $$", 0);
	run_wait(&r);
	assert_int_equal(r.end.exit_code, -1);
	assert_int_equal(r.end.signal, SIGKILL);
	assert_str(buf_str(&r.out), "ready|");
	run_done(&r);
}

/* restic and what it started get the signal. */
static void
signals_reach_the_whole_group(void **state)
{
	struct run r = { .signal_at_line = SIGINT };

	(void)state;
	run_shell(&r,
	    "trap 'echo caught; exit 130' INT; "
	    "sh -c 'trap \"echo child; exit\" INT; echo ready; "
	    "while :; do sleep 0.05; done' & "
	    "while :; do wait; done",
	    0);
	run_wait(&r);
	assert_int_equal(r.end.exit_code, 130);
	assert_true(str_contains(buf_str(&r.out), STR("caught|")));
	run_done(&r);
}

static void
a_program_that_is_missing_is_an_error(void **state)
{
	char *argv[] = { (char[]){ "/nonexistent/restic" }, NULL };
	struct run r = { 0 };

	(void)state;
	run_start(&r, argv, STR(""), 0);
	run_wait(&r);
	assert_rc(r.end.err.rc, RC_NOTFOUND);
	assert_true(
	    str_contains(str_of(r.end.err.msg), STR("/nonexistent/restic")));
	assert_int_equal(r.end.exit_code, -1);
	run_done(&r);
}

static void
a_file_that_cannot_run_is_an_error(void **state)
{
	char path[256];
	char *argv[] = { path, NULL };
	struct run r = { 0 };

	help_path(path, *state, "data");
	assert_rc(fsio_replace(path, STR("\177not a program"), 0755, NULL),
	    RC_OK);
	run_start(&r, argv, STR(""), 0);
	run_wait(&r);
	assert_int_not_equal(r.end.err.rc, RC_OK);
	run_done(&r);
}

static void
the_last_line_needs_no_newline(void **state)
{
	struct run r = { 0 };

	(void)state;
	run_shell(&r, "printf 'a\\r\\nb\\n\\nlast'; printf 'err' >&2", 0);
	run_wait(&r);
	assert_str(buf_str(&r.out), "a|b||last|");
	assert_str(buf_str(&r.err), "err|");
	run_done(&r);
}

static void
long_lines_are_cut_and_told(void **state)
{
	struct run r = { 0 };

	(void)state;
	run_shell(&r,
	    "echo 12345678; echo 123456789abc; echo next; printf 123456789", 8);
	run_wait(&r);
	assert_str(buf_str(&r.out), "12345678|12345678|next|12345678|");
	assert_true(r.end.output_lost);
	run_done(&r);
}

static void
much_output_arrives_whole(void **state)
{
	struct run r = { 0 };
	size_t i, n = 0;

	(void)state;
	run_shell(&r, "seq 1 100000; seq 1 1000 >&2", 0);
	run_wait(&r);
	assert_int_equal(r.lines, 101000);
	for (i = 0; i < r.out.len; i++)
		n += r.out.data[i] == '|' ? 1 : 0;
	assert_int_equal(n, 100000);
	assert_true(str_ends(buf_str(&r.out), STR("|99999|100000|")));
	run_done(&r);
}

/* ssh with a shared connection does this: restic is over, its error output
 * stays open. */
static void
a_grandchild_that_holds_the_pipe_is_not_waited_for(void **state)
{
	struct run r = { 0 };
	int64_t began = clock_mono_ms();

	(void)state;
	run_shell(&r, "echo out; printf unfinished >&2; (sleep 20) & exit 3",
	    0);
	run_wait(&r);
	assert_true(clock_mono_ms() - began >= 4500);
	assert_true(clock_mono_ms() - began < 15000);
	assert_int_equal(r.end.exit_code, 3);
	assert_str(buf_str(&r.out), "out|");
	assert_str(buf_str(&r.err), "unfinished|");
	assert_false(r.end.output_lost);
	run_done(&r);
}

/* A closed output is no end, an exit alone is none either. */
static void
the_exit_is_waited_for_after_the_output(void **state)
{
	struct run r = { 0 };

	(void)state;
	run_shell(&r, "echo a; exec >&- 2>&-; sleep 0.3; exit 5", 0);
	run_wait(&r);
	assert_int_equal(r.end.exit_code, 5);
	assert_str(buf_str(&r.out), "a|");
	run_done(&r);
}

static void
signals_after_the_end_go_nowhere(void **state)
{
	struct run r = { 0 };

	(void)state;
	run_shell(&r, "echo a; (sleep 20) & exit 0", 0);
	help_run_ms(r.loop, 1000);
	assert_false(r.ended); /* the pipe is held open */
	proc_signal(r.proc, SIGKILL);
	run_wait(&r);
	assert_int_equal(r.end.exit_code, 0);
	run_done(&r);
}

/* ---------------------------------------------------------- files, groups */

static void
run_with(struct run *r, struct proc_opts *o, const char *script)
{
	char *text = mem_strdup(script);
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" }, text, NULL };
	char *envp[] = { (char[]){ "PATH=/usr/bin:/bin" }, NULL };

	buf_init(&r->out, MIB(8));
	buf_init(&r->err, MIB(8));
	r->loop = help_loop();
	o->loop = r->loop;
	o->argv = argv;
	o->envp = envp;
	o->on_line = run_on_line;
	o->on_end = run_on_end;
	o->ctx = r;
	r->proc = proc_start(o);
	mem_free(text);
}

/* Each can be read from its beginning, more than once, by descriptor. */
static void
files_in_memory_are_descriptors_of_the_child(void **state)
{
	struct str files[] = { STR("one"), STR("two\n"), STR(""), STR("four") };
	struct proc_opts o = { .files = files, .n_files = 4 };
	struct run r = { 0 };
	size_t i;

	(void)state;
	for (i = 1; i <= 4; i++) {
		r = (struct run){ 0 };
		o.n_files = i;
		run_with(&r, &o,
		    "cat /proc/self/fd/3; echo; cat /proc/self/fd/3; echo; "
		    "for n in 4 5 6; do [ ! -e /proc/self/fd/$n ] || "
		    "cat /proc/self/fd/$n; done; echo; "
		    "stat -Lc %a /proc/self/fd/3; ls /proc/self/fd | wc -l");
		run_wait(&r);
		assert_true(str_starts(buf_str(&r.out), STR("one|one|")));
		assert_int_equal(str_contains(buf_str(&r.out), STR("two")),
		    i > 1);
		assert_int_equal(str_contains(buf_str(&r.out), STR("four")),
		    i > 3);
		assert_true(str_contains(buf_str(&r.out), STR("|400|")));
		/* No other descriptor of ours is there; one is ls's own. */
		assert_int_equal(strtol(r.out.data + r.out.len - 2, NULL, 10),
		    4 + i);
		run_done(&r);
	}
}

static void
a_group_ends_with_its_leader_when_asked(void **state)
{
	struct proc_opts o = { .end_group = true };
	struct run r = { 0 };
	int64_t began = clock_mono_ms();

	(void)state;
	run_with(&r, &o, "trap '' TERM HUP; sleep 60 & sleep 60 & exit 4");
	run_wait(&r);
	assert_int_equal(r.end.exit_code, 4);
	/* Else the pipes would have been waited for. */
	assert_true(clock_mono_ms() - began < 4000);
	run_done(&r);
}

/* ------------------------------------------------------ the agent's death */

static void
helper_on_line(void *ctx, bool is_stderr, struct str line)
{
	int fd = *(int *)ctx;

	(void)is_stderr;
	assert_rc(fsio_write_all(fd, line, NULL), RC_OK);
	assert_rc(fsio_write_all(fd, STR("\n"), NULL), RC_OK);
}

static void
helper_on_end(void *ctx, const struct proc_end *end)
{
	(void)ctx;
	(void)end;
}

NORETURN static void
helper_main(int fd)
{
	char *argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" },
		(char[]){ "echo $$; exec sleep 60" }, NULL };
	char *envp[] = { (char[]){ "PATH=/usr/bin:/bin" }, NULL };
	struct proc_opts o = { .argv = argv, .envp = envp, .ctx = &fd };

	o.loop = help_loop();
	o.on_line = helper_on_line;
	o.on_end = helper_on_end;
	proc_start(&o);
	loop_run(o.loop);
	_exit(0);
}

static bool
process_runs(pid_t pid)
{
	char path[64];
	struct buf b;
	bool runs;

	assert_true(str_fmt(path, sizeof(path), "/proc/%d/stat", (int)pid));
	buf_init(&b, KIB(8));
	runs = fsio_read(path, &b, NULL) == RC_OK &&
	       !str_contains(buf_str(&b), STR(") Z "));
	buf_fini(&b);
	return runs;
}

static void
a_child_dies_with_its_agent(void **state)
{
	char text[32] = "";
	uint64_t pid = 0;
	int fds[2], i;
	pid_t helper;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	helper = fork();
	assert_true(helper >= 0);
	if (helper == 0)
		helper_main(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	assert_true(n > 1);
	assert_true(
	    str_u64(str_trim(str_from(text, (size_t)n)), 1 << 30, &pid));
	assert_true(process_runs((pid_t)pid));
	assert_int_equal(kill(helper, SIGKILL), 0);
	assert_int_equal(waitpid(helper, NULL, 0), helper);
	for (i = 0; i < 200 && process_runs((pid_t)pid); i++)
		usleep(10000);
	assert_false(process_runs((pid_t)pid));
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes_and_both_outputs_come),
		cmocka_unit_test(
		    only_the_given_environment_and_input_are_there),
		cmocka_unit_test(without_input_there_is_nothing_to_read),
		cmocka_unit_test(a_signal_is_told_as_such),
		cmocka_unit_test(signals_reach_the_whole_group),
		cmocka_unit_test(a_program_that_is_missing_is_an_error),
		unit_test_in_folder(a_file_that_cannot_run_is_an_error),
		cmocka_unit_test(the_last_line_needs_no_newline),
		cmocka_unit_test(long_lines_are_cut_and_told),
		cmocka_unit_test(much_output_arrives_whole),
		cmocka_unit_test(
		    a_grandchild_that_holds_the_pipe_is_not_waited_for),
		cmocka_unit_test(the_exit_is_waited_for_after_the_output),
		cmocka_unit_test(signals_after_the_end_go_nowhere),
		cmocka_unit_test(files_in_memory_are_descriptors_of_the_child),
		cmocka_unit_test(a_group_ends_with_its_leader_when_asked),
		cmocka_unit_test(a_child_dies_with_its_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
