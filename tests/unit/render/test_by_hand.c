/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The quoting is tried on real shells: what they make of a word must be the
 * word. */
#include "render/by_hand.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"
#include "tests/unit/unit.h"

static char *
mut(const char *z)
{
	return (char *)(uintptr_t)z;
}

/* What printf %s of bash prints for the quoted word. */
static void
through_shell(const struct buf *quoted, struct buf *out)
{
	struct buf script;
	char piece[4096];
	ssize_t n;
	int fds[2], status;
	pid_t pid;

	buf_init(&script, KIB(64));
	buf_puts(&script, "printf %s ");
	buf_put_str(&script, buf_str(quoted));
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *argv[] = { mut("bash"), mut("-c"), mut(buf_text(&script)),
			NULL };

		(void)dup2(fds[1], 1);
		(void)close(fds[0]);
		(void)execv("/bin/bash", argv);
		_exit(127);
	}
	(void)close(fds[1]);
	while ((n = read(fds[0], piece, sizeof(piece))) > 0)
		buf_put(out, piece, (size_t)n);
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	buf_fini(&script);
}

/* B-02: nasty strings, in each of which a shell sees something. */
static const char *const words[] = { "/etc", "/srv/my files", "it's", "''",
	"$(touch /tmp/x)", "`id`", "a\"b", "\\", "\\'", "a\nb", "\ttab", "*",
	"~", "-x", "!!", "#", ";rm -rf /", "\x01\x7f", "\xff\xfe", "\xc3\xa4",
	"gnp\xe2\x80\xae", "\xc2\x85", "\x1b[31m7", "{a,b}", "a b\\", "\r\n",
	"\xe2\x80\xa8", "%s", "<b>&" };

static void
a_shell_reads_the_word_that_was_meant(void **state)
{
	struct buf quoted, got;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(words); i++) {
		buf_init(&quoted, KIB(4));
		buf_init(&got, KIB(4));
		by_hand_quote(&quoted, str_of(words[i]), false);
		through_shell(&quoted, &got);
		assert_string_equal(buf_text(&got), words[i]);
		for (k = 0; k < quoted.len; k++)
			assert_true((unsigned char)quoted.data[k] >= ' ');
		assert_null(strstr(buf_text(&quoted), "\xe2\x80\xae"));
		buf_fini(&got);
		buf_fini(&quoted);
	}
}

static const char *
quoted(struct arena *a, const char *word, bool windows)
{
	const char *z;
	struct buf b;

	buf_init(&b, KIB(4));
	by_hand_quote(&b, str_of(word), windows);
	z = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return z;
}

static void
quotes_stand_only_where_they_must(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, KIB(64));
	assert_string_equal(quoted(&a, "/etc/x_1.y", false), "/etc/x_1.y");
	assert_string_equal(quoted(&a, "", false), "''");
	assert_string_equal(quoted(&a, "it's", false), "'it'\\''s'");
	assert_string_equal(quoted(&a, "a\nb", false), "$'a\\012b'");
	assert_string_equal(quoted(&a, "C:\\My 'x'", true), "'C:\\My ''x'''");
	arena_fini(&a);
}

static void
a_backup_is_told_with_its_paths_and_without_secrets(void **state)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	char *includes[] = { mut("/etc"), mut("/srv/my files") };
	char *excludes[] = { mut("*.tmp") };
	struct arena a;

	(void)state;
	arena_init(&a, KIB(256));
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.group_name = mut("default");
	j.includes = includes;
	j.n_includes = 2;
	j.excludes = excludes;
	j.n_excludes = 1;
	j.bandwidth_up_kbps = 500;
	h.os = mut("linux");
	assert_string_equal(by_hand(&a, &j, &h),
	    "restic --limit-upload 500 backup --tag=default "
	    "'--exclude=*.tmp' -- /etc '/srv/my files'");
	assert_string_equal(by_hand_needs(&h),
	    "RESTIC_REPOSITORY, RESTIC_PASSWORD");
	/* A user is for rest-server alone. */
	h.repo_username = mut("web-1");
	h.repo_url = mut("/srv/restic/web-1");
	assert_null(strstr(by_hand_needs(&h), "RESTIC_REST_PASSWORD"));
	h.repo_url = mut("rest:https://backup.example/web-1/");
	assert_non_null(strstr(by_hand_needs(&h), "RESTIC_REST_PASSWORD"));
	j.bandwidth_up_kbps = 0;
	j.kind = REC__JOB_KIND__KIND_INIT;
	assert_string_equal(by_hand(&a, &j, NULL), "restic init");
	j.kind = REC__JOB_KIND__KIND_UPDATE;
	assert_string_equal(by_hand(&a, &j, NULL), "");
	arena_fini(&a);
}

static void
a_command_too_long_for_a_page_is_left_out(void **state)
{
	struct Rec__Job j = REC__JOB__INIT;
	static char path[20000];
	char *includes[] = { path };
	struct arena a;

	(void)state;
	arena_init(&a, KIB(256));
	memset(path, 'x', sizeof(path) - 1);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.includes = includes;
	j.n_includes = 1;
	assert_string_equal(by_hand(&a, &j, NULL), "");
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shell_reads_the_word_that_was_meant),
		cmocka_unit_test(quotes_stand_only_where_they_must),
		cmocka_unit_test(
		    a_backup_is_told_with_its_paths_and_without_secrets),
		cmocka_unit_test(a_command_too_long_for_a_page_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
