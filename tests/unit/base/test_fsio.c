/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "tests/unit/base/tmpdir.h"
#include "tests/unit/small_fs.h"

static int
setup(void **state)
{
	static struct tmpdir t;

	tmpdir_make(&t);
	*state = &t;
	return 0;
}

static int
teardown(void **state)
{
	const struct tmpdir *t = *state;

	tmpdir_remove(t->path);
	return 0;
}

static void
assert_holds(const char *path, const char *text)
{
	struct buf b;

	buf_init(&b, KIB(64));
	assert_int_equal(fsio_read(path, &b, NULL), RC_OK);
	assert_true(str_eqz(buf_str(&b), text));
	buf_fini(&b);
}

static void
read_appends_to_what_is_there(void **state)
{
	struct tmpdir *t = *state;
	struct buf b;

	tmpdir_write(t, "f", "world");
	buf_init(&b, 10);
	buf_puts(&b, "hello");
	assert_int_equal(fsio_read(t->file, &b, NULL), RC_OK);
	assert_string_equal(buf_text(&b), "helloworld");
	buf_fini(&b);
}

static void
read_of_more_than_the_room_leaves_the_buffer_as_it_was(void **state)
{
	struct tmpdir *t = *state;
	struct buf b;
	struct err e;

	tmpdir_write(t, "f", "worlds");
	buf_init(&b, 10);
	buf_puts(&b, "hello");
	assert_int_equal(fsio_read(t->file, &b, &e), RC_LIMIT);
	assert_non_null(strstr(e.msg, t->file));
	assert_true(str_eqz(buf_str(&b), "hello"));
	buf_fini(&b);
}

static void
read_that_fails_late_leaves_the_buffer_as_it_was(void **state)
{
	static char text[50000];
	struct tmpdir *t = *state;
	struct buf b;

	memset(text, 'x', sizeof(text) - 1);
	tmpdir_write(t, "f", text);
	buf_init(&b, 40000);
	buf_puts(&b, "hello");
	assert_int_equal(fsio_read(t->file, &b, NULL), RC_LIMIT);
	assert_true(str_eqz(buf_str(&b), "hello"));
	buf_fini(&b);
}

static void
read_errors_name_the_file(void **state)
{
	struct tmpdir *t = *state;
	struct buf b;
	struct err e;

	buf_init(&b, 10);
	assert_int_equal(fsio_read(tmpdir_file(t, "none"), &b, &e),
	    RC_NOTFOUND);
	assert_non_null(strstr(e.msg, t->file));
	assert_int_equal(fsio_read(t->path, &b, &e), RC_IO); /* directory */
	assert_int_equal(mkfifo(tmpdir_file(t, "fifo"), 0600), 0);
	assert_int_equal(fsio_read(t->file, &b, &e), RC_OK); /* no hang */
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void
read_takes_large_and_empty_files(void **state)
{
	struct tmpdir *t = *state;
	struct buf in, out;
	size_t i;

	buf_init(&in, KIB(200));
	buf_init(&out, KIB(200));
	for (i = 0; i < 100000; i++)
		buf_putc(&in, (char)(i * 7));
	assert_int_equal(fsio_replace(tmpdir_file(t, "f"), buf_str(&in), 0600,
	                     NULL),
	    RC_OK);
	assert_int_equal(fsio_read(t->file, &out, NULL), RC_OK);
	assert_true(str_eq(buf_str(&in), buf_str(&out)));
	buf_reset(&out);
	assert_int_equal(fsio_replace(t->file, str_of(""), 0600, NULL), RC_OK);
	assert_int_equal(fsio_read(t->file, &out, NULL), RC_OK);
	assert_int_equal(out.len, 0);
	buf_fini(&in);
	buf_fini(&out);
}

static void
replace_sets_contents_and_mode(void **state)
{
	struct tmpdir *t = *state;
	struct stat st;

	tmpdir_write(t, "f", "a much longer text than the new one");
	assert_int_equal(fsio_replace(t->file, STR("new"), 0640, NULL), RC_OK);
	assert_holds(t->file, "new");
	assert_int_equal(stat(t->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(tmpdir_count(t->path), 1);
}

static void
replace_works_in_the_current_directory(void **state)
{
	const struct tmpdir *t = *state;
	char before[512];

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(t->path), 0);
	assert_int_equal(fsio_replace("f", STR("x"), 0600, NULL), RC_OK);
	assert_holds("f", "x");
	assert_int_equal(fsio_remove("f", NULL), RC_OK);
	assert_int_equal(chdir(before), 0);
}

static void
failed_replace_keeps_the_old_file_and_leaves_no_temp(void **state)
{
	struct tmpdir *t = *state;
	struct err e;

	assert_int_equal(fsio_replace(tmpdir_file(t, "no/f"), STR("x"), 0600,
	                     &e),
	    RC_NOTFOUND);
	assert_int_equal(mkdir(tmpdir_file(t, "d"), 0700), 0);
	assert_int_not_equal(fsio_replace(t->file, STR("x"), 0600, &e), RC_OK);
	assert_non_null(strstr(e.msg, t->file));
	assert_int_equal(tmpdir_count(t->path), 1);
}

/* In a child, so that the limit dies with it. */
static int
replace_with_file_limit(const char *path, rlim_t limit)
{
	const struct rlimit lim = { limit, limit };
	char big[5000] = { 0 };
	struct err e;

	(void)signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &lim) != 0)
		return 1;
	if (fsio_replace(path, str_from(big, sizeof(big)), 0600, &e) != RC_IO)
		return 2;
	return strstr(e.msg, path) != NULL ? 0 : 3;
}

static int
wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
write_that_stops_half_way_keeps_the_old_file(void **state)
{
	static const rlim_t limits[] = { 0, 1, 1000, 4096, 4999 };
	struct tmpdir *t = *state;
	size_t i;
	pid_t pid;

	tmpdir_write(t, "f", "old");
	for (i = 0; i < ARRAY_LEN(limits); i++) {
		pid = fork();
		if (pid == 0)
			_exit(replace_with_file_limit(t->file, limits[i]));
		assert_int_equal(wait_for(pid), 0);
		assert_holds(t->file, "old");
		assert_int_equal(tmpdir_count(t->path), 1);
	}
}

static void
full_disk_is_told_and_keeps_the_old_file(void **state)
{
	struct tmpdir *t = *state;
	static char big[MIB(1)];
	struct err e;

	/* A mount namespace of our own: it ends with us, whatever happens. */
	if (!small_fs_enter() || !small_fs_mount(t->path, 256))
		skip(); /* not allowed: RLIMIT_FSIZE above shows the same */
	assert_int_equal(fsio_replace(tmpdir_file(t, "f"), STR("old"), 0600,
	                     &e),
	    RC_OK);
	assert_int_equal(fsio_replace(t->file, str_from(big, sizeof(big)), 0600,
	                     &e),
	    RC_FULL);
	assert_non_null(strstr(e.msg, t->file));
	assert_int_equal(tmpdir_count(t->path), 1);
	assert_holds(t->file, "old");
	assert_int_equal(fsio_create(tmpdir_file(t, "g"),
	                     str_from(big, sizeof(big)), 0600, &e),
	    RC_FULL);
	assert_int_equal(tmpdir_count(t->path), 1);
	assert_int_equal(fsio_remove(tmpdir_file(t, "f"), &e), RC_OK);
	assert_int_equal(umount(t->path), 0);
}

/* Writes the same file over and over until it is killed. */
static void
replace_for_ever(const char *path)
{
	static char text[20000];
	unsigned n;

	for (n = 0;; n++) {
		memset(text, 'a' + (int)(n % 26), sizeof(text));
		if (fsio_replace(path, str_from(text, sizeof(text)), 0600,
		        NULL) != RC_OK)
			_exit(1);
	}
}

static void
killed_writer_leaves_a_whole_file(void **state)
{
	struct tmpdir *t = *state;
	struct buf b;
	int round, status;
	pid_t pid;

	buf_init(&b, KIB(64));
	assert_int_equal(fsio_replace(tmpdir_file(t, "f"), STR(""), 0600, NULL),
	    RC_OK);
	for (round = 0; round < 20; round++) {
		pid = fork();
		if (pid == 0)
			replace_for_ever(t->file);
		(void)usleep(2000 + 731 * (useconds_t)round);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		buf_reset(&b);
		assert_int_equal(fsio_read(t->file, &b, NULL), RC_OK);
		assert_true(b.len == 0 || b.len == 20000);
		assert_true(
		    b.len == 0 || memcmp(b.data, b.data + 1, b.len - 1) == 0);
	}
	buf_fini(&b);
}

static void
create_refuses_a_name_that_is_taken(void **state)
{
	struct tmpdir *t = *state;
	struct stat st;
	struct err e;

	assert_int_equal(fsio_create(tmpdir_file(t, "f"), STR("first"), 0600,
	                     &e),
	    RC_OK);
	assert_int_equal(stat(t->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(fsio_create(t->file, STR("second"), 0600, &e),
	    RC_CONFLICT);
	assert_holds(t->file, "first");
	assert_int_equal(tmpdir_count(t->path), 1);
}

static void
create_by_many_at_once_succeeds_once(void **state)
{
	struct tmpdir *t = *state;
	pid_t pids[8];
	size_t i, made = 0;
	int r;

	(void)tmpdir_file(t, "f");
	for (i = 0; i < ARRAY_LEN(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit((int)fsio_create(t->file, STR("x"), 0600, NULL));
	}
	for (i = 0; i < ARRAY_LEN(pids); i++) {
		r = wait_for(pids[i]);
		assert_true(r == RC_OK || r == RC_CONFLICT);
		made += r == RC_OK ? 1 : 0;
	}
	assert_int_equal(made, 1);
	assert_int_equal(tmpdir_count(t->path), 1);
}

static void
mkdirs_makes_every_level_once(void **state)
{
	struct tmpdir *t = *state;
	struct stat st;
	struct err e;

	assert_int_equal(fsio_mkdirs(tmpdir_file(t, "a//b/c/"), 0750, &e),
	    RC_OK);
	assert_int_equal(stat(tmpdir_file(t, "a/b/c"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(fsio_mkdirs(t->file, 0700, &e), RC_OK);
	tmpdir_write(t, "a/file", "");
	assert_int_not_equal(fsio_mkdirs(t->file, 0700, &e), RC_OK);
	assert_int_not_equal(fsio_mkdirs(tmpdir_file(t, "a/file/x"), 0700, &e),
	    RC_OK);
	assert_non_null(strstr(e.msg, "a/file"));
	assert_int_equal(fsio_mkdirs("", 0700, &e), RC_INVALID);
	assert_int_equal(fsio_mkdirs("/", 0700, &e), RC_OK);
}

static void
too_long_paths_are_refused(void **state)
{
	static char path[8000];
	struct err e;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	memcpy(path, "/tmp/", 5);
	assert_int_equal(fsio_mkdirs(path, 0700, &e), RC_LIMIT);
	path[4000] = '/';
	assert_int_equal(fsio_replace(path, STR("x"), 0600, &e), RC_LIMIT);
	assert_int_equal(fsio_create(path, STR("x"), 0600, &e), RC_LIMIT);
	assert_int_equal(fsio_remove(path, &e), RC_LIMIT);
}

static void
remove_of_the_absent_is_fine(void **state)
{
	struct tmpdir *t = *state;
	struct err e;

	tmpdir_write(t, "f", "x");
	assert_int_equal(fsio_remove(t->file, &e), RC_OK);
	assert_int_equal(tmpdir_count(t->path), 0);
	assert_int_equal(fsio_remove(t->file, &e), RC_OK);
	assert_int_not_equal(fsio_remove(t->path, &e), RC_OK);
}

static void
write_all_survives_a_slow_reader(void **state)
{
	static char big[300000];
	static char got[sizeof(big) + 777];
	size_t have = 0;
	ssize_t n;
	pid_t pid;
	int fd[2];

	(void)state;
	memset(big, 'z', sizeof(big));
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(fd[0]);
		_exit(fsio_write_all(fd[1], str_from(big, sizeof(big)), NULL) ==
		              RC_OK
		          ? 0
		          : 1);
	}
	(void)close(fd[1]);
	while ((n = read(fd[0], got + have, 777)) > 0)
		have += (size_t)n;
	(void)close(fd[0]);
	assert_int_equal(have, sizeof(big));
	assert_memory_equal(big, got, sizeof(big));
	assert_int_equal(wait_for(pid), 0);
	assert_int_not_equal(fsio_write_all(-1, STR("x"), NULL), RC_OK);
	assert_int_equal(fsio_write_all(-1, STR(""), NULL), RC_OK);
}

/* Takes the lock in a child and tells the result. */
static int
lock_in_child(const char *path, char *msg, size_t cap)
{
	struct err e = { .msg = "" };
	ssize_t n;
	int fd[2], lock = -1, r;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		r = (int)fsio_lock(path, &lock, &e);
		n = write(fd[1], e.msg, strlen(e.msg));
		_exit(n < 0 ? 99 : r);
	}
	(void)close(fd[1]);
	n = read(fd[0], msg, cap - 1);
	msg[n > 0 ? n : 0] = '\0';
	(void)close(fd[0]);
	return wait_for(pid);
}

static void
lock_is_held_against_other_processes(void **state)
{
	struct tmpdir *t = *state;
	char msg[300], pid[32];
	struct err e;
	int fd = -1;

	(void)tmpdir_file(t, "lock");
	assert_int_equal(lock_in_child(t->file, msg, sizeof(msg)), RC_OK);
	/* its holder has ended */
	assert_int_equal(fsio_lock(t->file, &fd, &e), RC_OK);
	assert_int_equal(lock_in_child(t->file, msg, sizeof(msg)), RC_BUSY);
	(void)snprintf(pid, sizeof(pid), "process %ld ", (long)getpid());
	assert_non_null(strstr(msg, pid));
	assert_non_null(strstr(msg, t->file));
	(void)close(fd);
	assert_int_equal(lock_in_child(t->file, msg, sizeof(msg)), RC_OK);
	assert_int_equal(fsio_lock(tmpdir_file(t, "no/lock"), &fd, &e),
	    RC_NOTFOUND);
}

struct seen {
	char names[256];
	size_t n;
	size_t stop_at;
};

static enum rc
on_name(void *ctx, const char *name, struct err *e)
{
	struct seen *s = ctx;
	const size_t len = strlen(s->names);

	(void)snprintf(s->names + len, sizeof(s->names) - len, "%s ", name);
	s->n++;
	if (s->n == s->stop_at)
		return err_set(e, RC_CANCELLED, "stop");
	return RC_OK;
}

static void
walk_goes_in_order(void **state)
{
	struct tmpdir *t = *state;
	struct seen s = { .n = 0 };
	struct err e;

	tmpdir_write(t, "b", "");
	tmpdir_write(t, "a", "");
	tmpdir_write(t, "\xff", "");
	tmpdir_write(t, ".hidden", "");
	tmpdir_write(t, "B", "");
	assert_int_equal(fsio_walk(t->path, 100, on_name, &s, &e), RC_OK);
	assert_string_equal(s.names, ".hidden B a b \xff ");
	s = (struct seen){ .stop_at = 2 };
	assert_int_equal(fsio_walk(t->path, 100, on_name, &s, &e),
	    RC_CANCELLED);
	assert_string_equal(s.names, ".hidden B ");
	assert_string_equal(e.msg, "stop");
	assert_int_equal(fsio_walk(tmpdir_file(t, "none"), 100, on_name, &s,
	                     &e),
	    RC_NOTFOUND);
}

static void
walk_of_many_gives_the_first_ones(void **state)
{
	struct tmpdir *t = *state;
	struct seen s = { .n = 0 };
	char name[32];
	int i;

	for (i = 999; i >= 0; i--) {
		(void)snprintf(name, sizeof(name), "f%03d", (i * 7) % 1000);
		tmpdir_write(t, name, "");
	}
	assert_int_equal(fsio_walk(t->path, 3, on_name, &s, NULL), RC_OK);
	assert_string_equal(s.names, "f000 f001 f002 ");
	s = (struct seen){ .n = 0 };
	assert_int_equal(fsio_walk(t->path, 2000, on_name, &s, NULL), RC_OK);
	assert_int_equal(s.n, 1000);
	s = (struct seen){ .n = 0 };
	assert_int_equal(fsio_walk(t->path, 0, on_name, &s, NULL), RC_OK);
	assert_int_equal(s.n, 0);
}

static void
join_puts_one_slash_and_does_not_cut(void **state)
{
	char dst[8];

	(void)state;
	assert_int_equal(fsio_join(dst, sizeof(dst), "/a", "bcd"), RC_OK);
	assert_string_equal(dst, "/a/bcd");
	assert_int_equal(fsio_join(dst, sizeof(dst), "/", "b"), RC_OK);
	assert_string_equal(dst, "/b");
	assert_int_equal(fsio_join(dst, sizeof(dst), "/a/", "b"), RC_OK);
	assert_string_equal(dst, "/a/b");
	assert_int_equal(fsio_join(dst, sizeof(dst), "/abc", "def"), RC_LIMIT);
}

static void
free_percent_is_a_percentage(void **state)
{
	const struct tmpdir *t = *state;
	unsigned space = 1000, inodes = 1000;
	struct err e;

	assert_int_equal(fsio_free_percent(t->path, &space, &inodes, &e),
	    RC_OK);
	assert_in_range(space, 0, 100);
	assert_in_range(inodes, 0, 100);
	assert_int_equal(fsio_free_percent("/proc", &space, &inodes, &e),
	    RC_OK);
	assert_int_equal(space, 100); /* counts nothing, never full */
	assert_int_equal(fsio_free_percent("/no/such", &space, &inodes, &e),
	    RC_NOTFOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(read_appends_to_what_is_there),
		TEST(read_of_more_than_the_room_leaves_the_buffer_as_it_was),
		TEST(read_that_fails_late_leaves_the_buffer_as_it_was),
		TEST(read_errors_name_the_file),
		TEST(read_takes_large_and_empty_files),
		TEST(replace_sets_contents_and_mode),
		TEST(replace_works_in_the_current_directory),
		TEST(failed_replace_keeps_the_old_file_and_leaves_no_temp),
		TEST(write_that_stops_half_way_keeps_the_old_file),
		TEST(full_disk_is_told_and_keeps_the_old_file),
		TEST(killed_writer_leaves_a_whole_file),
		TEST(create_refuses_a_name_that_is_taken),
		TEST(create_by_many_at_once_succeeds_once),
		TEST(mkdirs_makes_every_level_once),
		TEST(too_long_paths_are_refused),
		TEST(remove_of_the_absent_is_fine),
		TEST(write_all_survives_a_slow_reader),
		TEST(lock_is_held_against_other_processes),
		TEST(walk_goes_in_order),
		TEST(walk_of_many_gives_the_first_ones),
		TEST(join_puts_one_slash_and_does_not_cut),
		TEST(free_percent_is_a_percentage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
