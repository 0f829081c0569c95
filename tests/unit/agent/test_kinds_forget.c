/* SPDX-License-Identifier: GPL-3.0-or-later */
/* forget: what goes, what stays, and what is believed of it. */
#include "tests/unit/agent/kinds_help.h"

/* M-149, and what it must never touch. */
static void
forget_removes_what_it_decided_and_nothing_else(void **state)
{
	struct kinds *k = kinds_open(*state, "forget", "");
	const Wire__JobFinished *end;
	const Wire__Snapshot *first;
	size_t i;

	snap(k, "web-1", "\"docs\"", 1);
	snap(k, "web-1", "\"docs\"", 1);
	snap(k, "web-1", "\"docs\"", 2);
	snap(k, "web-2", "\"docs\"", 1); /* 3: another host's */
	snap(k, "web-1", "", 1);         /* 4: nobody's */
	snap(k, "web-1", "\"other\"", 1);
	k->keep[0].daily = 2;
	k->f.cmd.n_forget_groups = 1;
	end = run(k);
	check_end(end, "succeeded", "");
	for (i = 0; i < 6; i++)
		assert_int_equal(is_there(k, (unsigned)i), i != 0);
	assert_int_equal(end->n_forgot, 1);
	assert_string_equal(end->forgot[0]->tag, "docs");
	assert_int_equal(end->forgot[0]->kept, 2);
	assert_int_equal(end->forgot[0]->removed, 1);
	assert_int_equal(count(&k->f, WIRE__EVENT__BODY_SNAPSHOTS), 1);
	for (i = 0; k->f.all[i]->body_case != WIRE__EVENT__BODY_SNAPSHOTS; i++)
		continue;
	first = k->f.all[i]->snapshots->snapshots[0];
	assert_int_equal(first->utc_offset_s, 7200);
	assert_int_equal(k->f.all[i]->snapshots->n_snapshots, 5);
	fixture_close(&k->f);
}

/* As the newest for years it would be the only one that keep-last keeps. */
static void
a_snapshot_of_a_time_to_come_counts_for_nothing(void **state)
{
	struct kinds *k = kinds_open(*state, "forget", "");
	const Wire__JobFinished *end;
	size_t i;

	snap(k, "web-1", "\"docs\"", 1);
	snap(k, "web-1", "\"docs\"", 2);
	snap_of(k, "web-1", "\"docs\"", "2099-01-01");
	snap(k, "web-2", "\"docs\"", 1);
	k->keep[0].last = 1;
	k->f.cmd.n_forget_groups = 1;
	end = run(k);
	check_end(end, "succeeded", "");
	for (i = 0; i < 4; i++)
		assert_int_equal(is_there(k, (unsigned)i), i != 0);
	assert_int_equal(end->forgot[0]->kept, 1);
	assert_int_equal(end->forgot[0]->removed, 1);
	assert_non_null(strstr(k->f.log.data, "1 snapshots are of a time to "));
	assert_non_null(strstr(k->f.log.data, "that is not called web-1"));
	fixture_close(&k->f);
}

static void
the_newest_of_a_day_stays(void **state)
{
	struct kinds *k = kinds_open(*state, "forget", "");
	const Wire__JobFinished *end;

	snap(k, "web-1", "\"docs\"", 1);
	snap(k, "web-1", "\"docs\"", 1);
	snap(k, "web-1", "\"docs\"", 2);
	snap(k, "web-1", "\"docs\"", 2);
	k->keep[0].daily = 2;
	k->f.cmd.n_forget_groups = 1;
	end = run(k);
	check_end(end, "succeeded", "");
	assert_false(is_there(k, 0));
	assert_true(is_there(k, 1));
	assert_false(is_there(k, 2));
	assert_true(is_there(k, 3));
	assert_int_equal(end->forgot[0]->kept, 2);
	assert_int_equal(end->forgot[0]->removed, 2);
	fixture_close(&k->f);
}

static void
a_snapshot_of_two_groups_goes_when_both_let_it(void **state)
{
	struct kinds *k = kinds_open(*state, "forget", "");

	snap(k, "web-1", "\"docs\",\"db\"", 1);
	snap(k, "web-1", "\"docs\"", 2);
	snap(k, "web-1", "\"docs\"", 3);
	k->group[1].tag = (char[]){ "db" };
	k->keep[0].last = 1;
	k->keep[1].last = 1;
	k->f.cmd.n_forget_groups = 2;
	check_end(run(k), "succeeded", "");
	assert_true(is_there(k, 0));
	assert_false(is_there(k, 1));
	assert_true(is_there(k, 2));
	fixture_close(&k->f);
}

static void
policies_that_keep_nothing_are_refused(void **state)
{
	struct kinds *k = kinds_open(*state, "forget", "");

	snap(k, "web-1", "\"docs\"", 1);
	k->group[1].tag = (char[]){ "db" };
	k->keep[0].last = 1;
	k->f.cmd.n_forget_groups = 2;
	check_run(k, "failed", "empty_policy");
	assert_true(is_there(k, 0));
}

static void
impossible_commands_are_refused(void **state)
{
	check_run(kinds_open(*state, "forget", ""), "failed", "bad_command");
}

static void
groups_without_a_name_are_refused(void **state)
{
	struct kinds *k = kinds_open(*state, "forget", "");

	snap(k, "web-1", "\"\"", 1);
	snap(k, "web-1", "\"\"", 2);
	k->group[0].tag = (char[]){ "" };
	k->keep[0].last = 1;
	k->f.cmd.n_forget_groups = 1;
	check_run(k, "failed", "bad_command");
	assert_true(is_there(k, 0));
}

static void
nothing_to_forget_is_a_success(void **state)
{
	struct kinds *k = kinds_open(*state, "forget", "");

	snap(k, "web-1", "\"docs\"", 1);
	k->keep[0].last = 1;
	k->f.cmd.n_forget_groups = 1;
	check_end(run(k), "succeeded", "");
	assert_int_equal(calls(*state, "forget"), 0);
	assert_int_equal(count(&k->f, WIRE__EVENT__BODY_SNAPSHOTS), 1);
	fixture_close(&k->f);
}

static void
many_go_some_at_a_time(void **state)
{
	struct kinds *k = kinds_open(*state, "forget", "");
	const Wire__JobFinished *end;
	unsigned i;

	for (i = 0; i < 1101; i++)
		snap(k, "web-1", "\"docs\"", 1 + i / 60);
	k->keep[0].last = 1;
	k->f.cmd.n_forget_groups = 1;
	end = run(k);
	check_end(end, "succeeded", "");
	assert_int_equal(end->forgot[0]->removed, 1100);
	assert_true(is_there(k, 1100));
	assert_int_equal(calls(*state, "forget"), 3);
	fixture_close(&k->f);
}

static struct kinds *
two_of_which_one_goes(const char *dir, const char *functions)
{
	struct kinds *k = kinds_open(dir, "forget", functions);

	snap(k, "web-1", "\"docs\"", 1);
	snap(k, "web-1", "\"docs\"", 2);
	k->keep[0].last = 1;
	k->f.cmd.n_forget_groups = 1;
	return k;
}

/* restic 0.18 says 0. */
static void
a_server_that_removes_nothing_is_a_failure(void **state)
{
	struct kinds *k = two_of_which_one_goes(*state,
	    "forget() { echo '" REFUSAL "' >&2; }");
	const Wire__JobFinished *end = run(k);

	check_end(end, "failed", "append_only");
	assert_int_equal(end->forgot[0]->removed, 0);
	assert_int_equal(end->forgot[0]->kept, 2);
	assert_int_equal(count(&k->f, WIRE__EVENT__BODY_SNAPSHOTS), 1);
	fixture_close(&k->f);
}

/* restic 0.14 asks again for a quarter of an hour. */
static void
a_server_that_removes_nothing_is_not_asked_again(void **state)
{
	int64_t began = clock_mono_ms();

	check_run(two_of_which_one_goes(*state,
	              "forget() { trap 'exit 130' INT; echo 'Remove(<snapshot"
	              "/0000>) returned error, retrying after 5s: blob not "
	              "removed, server response: 403 Forbidden (403)' >&2; "
	              "while :; do sleep 0.1; done; }"),
	    "failed", "append_only");
	assert_true(clock_mono_ms() - began < 8000);
}

static void
a_success_that_removed_nothing_is_a_failure(void **state)
{
	check_run(two_of_which_one_goes(*state, "forget() { :; }"), "failed",
	    "not_forgotten");
}

static void
a_failure_that_removed_all_is_a_success(void **state)
{
	check_run(two_of_which_one_goes(*state,
	              "forget() { rm snaps/$2; echo Fatal: no >&2; exit 1; }"),
	    "succeeded", "");
}

static void
more_gone_than_decided_is_a_failure(void **state)
{
	check_run(two_of_which_one_goes(*state, "forget() { rm snaps/*; }"),
	    "failed", "snapshots_missing");
}

static void
a_lock_is_told(void **state)
{
	check_run(two_of_which_one_goes(*state,
	              "forget() { echo 'unable to create lock in backend: "
	              "repository is already locked by PID 7' >&2; exit 1; }"),
	    "failed", "locked");
}

static void
a_list_that_fails_before_forgets_nothing(void **state)
{
	struct kinds *k = two_of_which_one_goes(*state,
	    "list() { echo Fatal: wrong password or no key found >&2; "
	    "exit 1; }");

	check_end(run(k), "failed", "wrong_password");
	assert_int_equal(calls(*state, "forget"), 0);
	fixture_close(&k->f);
}

static void
half_a_list_forgets_nothing(void **state)
{
	struct kinds *k =
	    two_of_which_one_goes(*state, "list() { echo '[{'; }");

	check_end(run(k), "failed", "not_listed");
	assert_true(is_there(k, 0));
	fixture_close(&k->f);
}

static void
a_list_that_fails_afterwards_proves_nothing(void **state)
{
	check_run(two_of_which_one_goes(*state,
	              "real() { { printf '['; cat snaps/*; echo ']'; } | "
	              "tr '\\n' ' ' | sed 's/} *{/},{/g'; }\n"
	              "list() { [ -e done ] && exit 1; real; }\n"
	              "forget() { rm snaps/$2; touch done; }"),
	    "failed", "not_verified");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(
		    forget_removes_what_it_decided_and_nothing_else),
		unit_test_in_folder(
		    a_snapshot_of_a_time_to_come_counts_for_nothing),
		unit_test_in_folder(the_newest_of_a_day_stays),
		unit_test_in_folder(
		    a_snapshot_of_two_groups_goes_when_both_let_it),
		unit_test_in_folder(policies_that_keep_nothing_are_refused),
		unit_test_in_folder(impossible_commands_are_refused),
		unit_test_in_folder(groups_without_a_name_are_refused),
		unit_test_in_folder(nothing_to_forget_is_a_success),
		unit_test_in_folder(many_go_some_at_a_time),
		unit_test_in_folder(a_server_that_removes_nothing_is_a_failure),
		unit_test_in_folder(
		    a_server_that_removes_nothing_is_not_asked_again),
		unit_test_in_folder(
		    a_success_that_removed_nothing_is_a_failure),
		unit_test_in_folder(a_failure_that_removed_all_is_a_success),
		unit_test_in_folder(more_gone_than_decided_is_a_failure),
		unit_test_in_folder(a_lock_is_told),
		unit_test_in_folder(a_list_that_fails_before_forgets_nothing),
		unit_test_in_folder(half_a_list_forgets_nothing),
		unit_test_in_folder(
		    a_list_that_fails_afterwards_proves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
