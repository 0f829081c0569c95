/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hooks around a backup (M-188 to M-194, C-07, W-15), from the command to the
 * durable end. */
#include "tests/unit/agent/job_help.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/run.h"

struct hooked {
	struct fixture f;
	Wire__Hooks hooks;
	char out[256]; /* what hooks write */
	char pre[2048], post[2048];
};

static struct hooked *
hooked_open(const char *dir, const char *functions, const char *pre,
    const char *post)
{
	static struct hooked h;

	fixture_open(&h.f, dir, functions);
	wire__hooks__init(&h.hooks);
	help_path(h.out, dir, "out");
	if (unlink(h.out) != 0)
		assert_int_equal(errno, ENOENT);
	assert_true(str_fmt(h.pre, sizeof(h.pre), "out=%s\n%s", h.out, pre));
	assert_true(str_fmt(h.post, sizeof(h.post), "out=%s\n%s", h.out, post));
	h.hooks.pre.data = (uint8_t *)h.pre;
	h.hooks.pre.len = pre[0] != '\0' ? strlen(h.pre) : 0;
	h.hooks.post.data = (uint8_t *)h.post;
	h.hooks.post.len = post[0] != '\0' ? strlen(h.post) : 0;
	h.f.cmd.hooks = &h.hooks;
	return &h;
}

static void
check_out(const struct hooked *h, const char *expected)
{
	struct buf b;

	buf_init(&b, MIB(1));
	assert_rc(fsio_read(h->out, &b, NULL), RC_OK);
	assert_str(buf_str(&b), expected);
	buf_fini(&b);
}

static void
check_log(const struct hooked *h, const char *part)
{
	if (!str_contains(buf_str(&h->f.log), str_of(part)))
		fail_msg("not in the log: %s\n%s", part, buf_text(&h->f.log));
}

#define SAY_STATUS "echo \"$RM_HOOK_PHASE $RM_JOB_STATUS\" >>$out\n"

static void
both_run_around_the_backup_with_an_environment_of_their_own(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	assert_int_equal(setenv("CANARY", "canary", 1), 0);
	h = hooked_open(*state,
	    "backup() { echo backup >>$HOME/out; summary " SNAP "; }",
	    "env | grep -vE '^(PWD|SHLVL|_|OLDPWD)=' | cut -d= -f1 | sort | "
	    "tr '\\n' ' ' >>$out\n" SAY_STATUS "echo \"$RM_JOB_ID\" >>$out\n"
	    "echo; echo from the hook; echo to stderr >&2",
	    SAY_STATUS);
	start(&h->f);
	end = finish(&h->f);
	assert_string_equal(end->status, "succeeded");
	check_out(h, "PATH RM_HOOK_PHASE RM_JOB_ID pre \n" JOB
	             "\nbackup\npost succeeded\n");
	check_log(h, "hook(pre): from the hook");
	check_log(h, "hook(pre): to stderr");
	assert_false(str_contains(buf_str(&h->f.log), STR("left out")));
	assert_int_equal(unsetenv("CANARY"), 0);
	fixture_close(&h->f);
}

/* M-192, C-07 */
static void
a_failed_pre_hook_stops_the_backup_and_post_runs(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, "backup() { echo backup >>$HOME/out; }",
	    "echo cannot stop it; exit 3", SAY_STATUS);
	start(&h->f);
	end = finish(&h->f);
	assert_string_equal(end->status, "failed");
	assert_string_equal(end->cause, "pre_hook_failed");
	assert_string_equal(end->error, "pre_hook failed: exit code 3");
	assert_int_equal(end->exit_code, -1);
	check_out(h, "post failed\n");
	fixture_close(&h->f);
}

/* M-193 */
static void
a_failed_post_hook_changes_nothing(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, "", "", SAY_STATUS "kill -9 $$");
	start(&h->f);
	end = finish(&h->f);
	assert_string_equal(end->status, "succeeded");
	assert_string_equal(end->error, "");
	check_log(h, "post_hook failed: ended by signal 9");
	check_out(h, "post succeeded\n");
	fixture_close(&h->f);
}

static void
post_hears_of_failures_of_any_kind(void **state)
{
	struct hooked *h;

	h = hooked_open(*state, "backup() { exit 1; }", "", SAY_STATUS);
	start(&h->f);
	assert_string_equal(finish(&h->f)->status, "failed");
	check_out(h, "post failed\n");
	fixture_close(&h->f);
	/* It never came to a backup at all. */
	h = hooked_open(*state, "", "", SAY_STATUS);
	h->f.a.settings.restic_path = (char[]){ "/nonexistent/restic" };
	events_ack(h->f.a.events, queue_synced(h->f.a.queue));
	start(&h->f);
	help_run_until(h->f.a.loop, help_set, &h->f.done);
	check_out(h, "post failed\n");
	fixture_close(&h->f);
}

/* A pre_hook makes what is backed up: a dump, a mounted snapshot. */
static void
source_paths_are_looked_at_behind_the_pre_hook(void **state)
{
	struct hooked *h;
	char made[256], pre[600];

	help_path(made, *state, "made");
	assert_true(str_fmt(pre, sizeof(pre), "mkdir -p %s", made));
	h = hooked_open(*state, "", pre, "");
	h->f.paths[0] = made;
	start(&h->f);
	assert_string_equal(finish(&h->f)->cause, "");
	fixture_close(&h->f);
}

/* W-15 */
static void
hooks_that_cannot_be_read_fail_the_run(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, "backup() { echo backup >>$HOME/out; }",
	    SAY_STATUS, SAY_STATUS);
	h->hooks.unreadable = (char[]){ "they do not open" };
	start(&h->f);
	end = finish(&h->f);
	assert_string_equal(end->cause, "hooks_unreadable");
	assert_int_not_equal(access(h->out, F_OK), 0);
	fixture_close(&h->f);
}

/* M-191 */
static void
other_kinds_have_no_hooks(void **state)
{
	struct hooked *h;

	h = hooked_open(*state, "", SAY_STATUS, SAY_STATUS);
	h->f.cmd.kind = (char[]){ "unlock" };
	start(&h->f);
	assert_string_equal(finish(&h->f)->status, "succeeded");
	assert_int_not_equal(access(h->out, F_OK), 0);
	fixture_close(&h->f);
}

/* --------------------------------------------------- bad ones, and cancel */

static void
one_that_hangs_is_ended_with_all_it_began(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;
	int64_t began = clock_mono_ms();

	h = hooked_open(*state, "",
	    "(trap '' TERM; sleep 60; echo left >>$out) & sleep 60",
	    SAY_STATUS);
	h->hooks.limit_s = 1;
	start(&h->f);
	end = finish(&h->f);
	assert_string_equal(end->cause, "pre_hook_failed");
	assert_string_equal(end->error,
	    "pre_hook failed: it took longer than 1 s and was ended");
	assert_true(clock_mono_ms() - began < 15000);
	check_out(h, "post failed\n");
	fixture_close(&h->f);
}

struct left {
	pid_t pid;
};

/* Nobody of that number, or one that only waits to be reaped. */
static bool
is_gone(void *ctx)
{
	struct left *l = ctx;
	char path[64];
	struct buf b;
	bool gone;

	assert_true(str_fmt(path, sizeof(path), "/proc/%d/stat", (int)l->pid));
	buf_init(&b, KIB(4));
	gone = fsio_read(path, &b, NULL) != RC_OK ||
	       str_contains(buf_str(&b), STR(") Z "));
	buf_fini(&b);
	return gone;
}

/* Whose number may be somebody else's as soon as it is gone. */
static void
what_is_left_of_its_group_ends_with_it(void **state)
{
	struct hooked *h;
	int64_t began = clock_mono_ms();
	struct left left;
	struct buf b;

	h = hooked_open(*state, "",
	    "sleep 61 & echo $! >>$out; nohup sleep 62 & exit 0", "");
	start(&h->f);
	assert_string_equal(finish(&h->f)->status, "succeeded");
	/* Nobody keeps its outputs open. */
	assert_true(clock_mono_ms() - began < 4500);
	buf_init(&b, KIB(1));
	assert_rc(fsio_read(h->out, &b, NULL), RC_OK);
	left.pid = (pid_t)strtol(buf_text(&b), NULL, 10);
	help_run_until(h->f.a.loop, is_gone, &left);
	buf_fini(&b);
	fixture_close(&h->f);
}

static void
one_that_prints_for_ever_leaves_room_for_the_rest(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, "", "yes 'the same again' | head -n 3000000",
	    "");
	start(&h->f);
	end = finish(&h->f);
	assert_string_equal(end->status, "succeeded");
	check_log(h, "lines left out");
	check_log(h, "backup with restic");
	assert_true(end->log_lines < 70000);
	fixture_close(&h->f);
}

/* nobody stops reading, so the hook is never held up. */
static void
endless_lines_are_cut_and_drained(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, "",
	    "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo behind it; "
	    "printf 'without an end'",
	    "");
	start(&h->f);
	end = finish(&h->f);
	assert_string_equal(end->status, "succeeded");
	check_log(h, "xxxx [cut]");
	check_log(h, "hook(pre): behind it");
	check_log(h, "hook(pre): without an end");
	fixture_close(&h->f);
}

struct canceller {
	struct hooked *h;
	struct job *job;
	struct loop_timer *timer;
	bool stop;
	unsigned times;
};

static void
canceller_on_timer(void *ctx)
{
	struct canceller *c = ctx;

	if (c->h->f.done)
		return;
	if (access(c->h->out, F_OK) != 0) {
		loop_timer_start(c->timer, 10, 0);
		return;
	}
	/* The controller asks until it hears of the end. */
	if (c->stop)
		job_stop(c->job);
	else
		job_cancel(c->job);
	if (++c->times < 20)
		loop_timer_start(c->timer, 20, 0);
}

/* Cancels as soon as a hook or restic has written something. */
static const Wire__JobFinished *
run_and_cancel(struct hooked *h, bool stop)
{
	struct canceller c = { .h = h, .stop = stop };
	const Wire__JobFinished *end;

	c.job = start(&h->f);
	c.timer = loop_timer_new(h->f.a.loop, canceller_on_timer, &c);
	loop_timer_start(c.timer, 10, 0);
	end = finish(&h->f);
	loop_timer_free(c.timer);
	return end;
}

#define SLOW_BACKUP "backup() { echo backup >>$HOME/out; sleep 30; }"

/* C-07: in its own time, although what it belongs to was cancelled. */
static void
post_hears_of_a_cancel_and_is_not_cancelled_itself(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, SLOW_BACKUP, "", "sleep 1\n" SAY_STATUS);
	end = run_and_cancel(h, false);
	assert_string_equal(end->status, "cancelled");
	check_out(h, "backup\npost cancelled\n");
	fixture_close(&h->f);
}

static void
a_pre_hook_can_be_cancelled(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, SLOW_BACKUP, "echo pre >>$out; sleep 30",
	    SAY_STATUS);
	end = run_and_cancel(h, false);
	assert_string_equal(end->status, "cancelled");
	assert_int_equal(end->exit_code, 130);
	check_out(h, "pre\npost cancelled\n");
	fixture_close(&h->f);
}

/* The backup is made; only the hook is not waited for. */
static void
a_post_hook_can_be_cancelled(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, "", "", "echo post >>$out; sleep 30");
	end = run_and_cancel(h, false);
	assert_string_equal(end->status, "succeeded");
	check_log(h, "post_hook was cancelled");
	fixture_close(&h->f);
}

static void
a_stopping_agent_lets_post_hooks_finish(void **state)
{
	const Wire__JobFinished *end;
	struct hooked *h;

	h = hooked_open(*state, SLOW_BACKUP, "", "sleep 1\n" SAY_STATUS);
	end = run_and_cancel(h, true);
	assert_string_equal(end->cause, "agent_restarted");
	check_out(h, "backup\npost failed\n");
	fixture_close(&h->f);
	h = hooked_open(*state, "", "",
	    "echo begun >>$out; sleep 1\n" SAY_STATUS);
	events_ack(h->f.a.events, queue_synced(h->f.a.queue));
	run_and_cancel(h, true);
	check_out(h, "begun\npost succeeded\n");
	fixture_close(&h->f);
}

/* M-190, M-464: memory only.  The arguments of what runs are in /proc. */
static void
bodies_are_in_no_argument_and_no_file(void **state)
{
	struct hooked *h;
	char grep[1024];

	assert_true(str_fmt(grep, sizeof(grep),
	    "secret=canary-in-hook\n"
	    "cat /proc/$$/cmdline /proc/$$/environ | tr '\\0' ' ' >>$out\n"
	    "grep -rl canary-in-ho%s %s >>$out; true\n",
	    "[o]k", (char *)*state));
	h = hooked_open(*state, "", grep, "");
	start(&h->f);
	assert_string_equal(finish(&h->f)->status, "succeeded");
	{
		struct buf b;

		buf_init(&b, MIB(1));
		assert_rc(fsio_read(h->out, &b, NULL), RC_OK);
		assert_true(
		    str_contains(buf_str(&b), STR("/bin/sh /proc/self/fd/3 ")));
		assert_false(str_contains(buf_str(&b), STR("canary")));
		assert_false(str_contains(buf_str(&b), STR("\n")));
		buf_fini(&b);
	}
	fixture_close(&h->f);
}

static void
copies_are_wiped(void **state)
{
	Wire__CommandRun *copy;
	Wire__RepoSlot admin = WIRE__REPO_SLOT__INIT;
	struct hooked *h = hooked_open(*state, "", "canary", "canary");

	admin.url = mem_strdup("rest:https://u:canary@h/");
	admin.password = mem_strdup("canary");
	h->f.cmd.admin = &admin;
	copy = run_copy(&h->f.cmd);
	assert_true(copy->hooks->pre.len == h->hooks.pre.len);
	run_wipe(copy);
	assert_int_equal(copy->hooks->pre.data[0], 0);
	assert_int_equal(copy->hooks->post.data[h->hooks.post.len - 1], 0);
	assert_string_equal(copy->admin->password, "");
	assert_string_equal(copy->admin->url, "");
	run_free(copy);
	run_free(NULL);
	mem_free(admin.url);
	mem_free(admin.password);
	fixture_close(&h->f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(
		    both_run_around_the_backup_with_an_environment_of_their_own),
		unit_test_in_folder(
		    a_failed_pre_hook_stops_the_backup_and_post_runs),
		unit_test_in_folder(a_failed_post_hook_changes_nothing),
		unit_test_in_folder(post_hears_of_failures_of_any_kind),
		unit_test_in_folder(
		    source_paths_are_looked_at_behind_the_pre_hook),
		unit_test_in_folder(hooks_that_cannot_be_read_fail_the_run),
		unit_test_in_folder(other_kinds_have_no_hooks),
		unit_test_in_folder(one_that_hangs_is_ended_with_all_it_began),
		unit_test_in_folder(what_is_left_of_its_group_ends_with_it),
		unit_test_in_folder(
		    one_that_prints_for_ever_leaves_room_for_the_rest),
		unit_test_in_folder(endless_lines_are_cut_and_drained),
		unit_test_in_folder(
		    post_hears_of_a_cancel_and_is_not_cancelled_itself),
		unit_test_in_folder(a_pre_hook_can_be_cancelled),
		unit_test_in_folder(a_post_hook_can_be_cancelled),
		unit_test_in_folder(a_stopping_agent_lets_post_hooks_finish),
		unit_test_in_folder(bodies_are_in_no_argument_and_no_file),
		unit_test_in_folder(copies_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
