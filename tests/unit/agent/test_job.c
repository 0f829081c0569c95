/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/agent/job_help.h"

static void
a_backup_is_green_when_it_was_verified(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;
	struct buf calls;
	char path[256];

	fixture_open(&f, *state, "");
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "succeeded");
	assert_string_equal(end->cause, "");
	assert_string_equal(end->error, "");
	assert_int_equal(end->exit_code, 0);
	assert_false(end->incomplete);
	assert_non_null(end->summary);
	assert_string_equal(end->summary->snapshot_id, SNAP);
	assert_int_equal(end->summary->files_new, 2);
	assert_true(end->summary->total_duration_ms > 0);
	assert_true(end->finished_at_ms >= end->started_at_ms);
	/* Listing and statistics precede the end. */
	assert_int_equal(count(&f, WIRE__EVENT__BODY_SNAPSHOTS), 1);
	assert_int_equal(count(&f, WIRE__EVENT__BODY_REPO_STATS), 1);
	assert_string_equal(f.a.restic.version, "0.18.0");
	help_path(path, *state, "calls");
	buf_init(&calls, KIB(16));
	assert_rc(fsio_read(path, &calls, NULL), RC_OK);
	assert_true(str_contains(buf_str(&calls),
	    STR("backup --json --host=web-1 --tag=docs -- ")));
	assert_false(str_contains(buf_str(&calls), STR("canary")));
	buf_fini(&calls);
	fixture_close(&f);
}

static void
short_ids_are_resolved_by_the_list(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "backup() { summary 01234567; }");
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "succeeded");
	assert_string_equal(end->summary->snapshot_id, SNAP);
	fixture_close(&f);
}

static void
success_without_proof_is_not_green(void **state)
{
	run_and_check(*state, "list() { echo '[]'; }", "failed", "no_snapshot");
}

static void
a_list_that_fails_leaves_it_unverified(void **state)
{
	run_and_check(*state, "list() { echo 'Fatal: no' >&2; return 1; }",
	    "succeeded", "not_verified");
}

static void
a_list_that_is_no_json_leaves_it_unverified(void **state)
{
	run_and_check(*state, "list() { echo nonsense; }", "succeeded",
	    "not_verified");
}

static void
exit_0_without_a_snapshot_is_a_failure(void **state)
{
	run_and_check(*state, "backup() { :; }", "failed", "no_snapshot");
}

static void
unknown_exit_codes_are_failures(void **state)
{
	run_and_check(*state, "backup() { summary x; exit 42; }", "failed",
	    "restic_failed");
}

static void
failed_statistics_do_not_fail_a_backup(void **state)
{
	run_and_check(*state, "stats() { echo '{}'; }", "succeeded", "");
}

/* They walk the whole repository: a hundredth of the time is for them, and
 * once a day they are had anyway. */
static void
statistics_take_their_share_of_the_time(void **state)
{
	static const struct {
		int64_t took_ms, ago_ms;
		bool due;
	} rows[] = {
		{ 10, 1000, true },
		{ 100000, 1000, false },
		{ 36000000, 86400001, true },
	};
	static struct fixture f;
	int64_t now = clock_mono_ms();
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_open(&f, *state, "");
		events_ack(f.a.events, queue_synced(f.a.queue));
		f.a.stats_took_ms = rows[i].took_ms;
		f.a.stats_at_ms = now - rows[i].ago_ms;
		start(&f);
		help_run_until(f.a.loop, help_set, &f.done);
		assert_int_equal(f.a.stats_at_ms >= now, rows[i].due);
		fixture_close(&f);
	}
}

static void
a_line_that_had_to_be_cut_is_no_proof(void **state)
{
	run_and_check(*state,
	    "backup() { head -c 2000000 /dev/zero | tr '\\0' x >&2; echo >&2;"
	    " summary " SNAP "; }",
	    "succeeded", "output_lost");
}

static void
a_missing_source_makes_it_incomplete(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.paths[1] = (char[]){ "/nonexistent/source" };
	f.cmd.n_includes = 2;
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "succeeded");
	assert_string_equal(end->cause, "missing_path");
	assert_true(end->incomplete);
	assert_int_equal(end->unread_count, 1);
	fixture_close(&f);
}

static void
errors_without_secrets_and_as_text(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state,
	    "backup() { printf 'Fatal: canary-one at "
	    "rest:https://web:canary-two@h/r \\377 canary-two\\n' >&2; "
	    "exit 1; }");
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "failed");
	assert_string_equal(end->error, "*** at rest:https://***@h/r ? ***");
	assert_true(str_utf8_ok(str_of(end->error)));
	fixture_close(&f);
}

/* What is cut for a sentence must not end in the first half of a secret,
 * which nobody would recognise. */
static void
errors_are_cut_behind_secrets(void **state)
{
	static struct fixture f;

	fixture_open(&f, *state,
	    "backup() { x=$(printf 'x%.0s' $(seq 191)); "
	    "printf 'Fatal: %scanary-one is no password\\n' $x >&2; "
	    "exit 1; }");
	start(&f);
	assert_null(strstr(finish(&f)->error, "canary"));
	fixture_close(&f);
}

/* The same where a line is as long as a log shows. */
static void
lines_are_cut_behind_secrets(void **state)
{
	static struct fixture f;

	fixture_open(&f, *state,
	    "backup() { x=$(printf 'x%.0s' $(seq 16376)); "
	    "printf '%scanary-one\\n' $x >&2; exit 1; }");
	start(&f);
	(void)finish(&f);
	assert_true(str_contains(buf_str(&f.log), STR("xxxx")));
	fixture_close(&f);
}

/* M-137 */
static void
progress_is_told_and_never_logged(void **state)
{
	static struct fixture f;

	fixture_open(&f, *state,
	    "backup() { i=0; while [ $i -lt 50 ]; do echo "
	    "'{\"message_type\":\"status\",\"percent_done\":0.5}'; "
	    "i=$((i+1)); done; summary " SNAP "; }");
	start(&f);
	finish(&f);
	assert_int_equal(fake.progress, 50); /* the uplink thins them out */
	assert_false(str_contains(buf_str(&f.log), STR("status")));
	fixture_close(&f);
}

static void
a_hundred_thousand_lines_arrive_in_order(void **state)
{
	static struct fixture f;
	struct str rest, line;
	uint64_t n = 0, v;

	fixture_open(&f, *state,
	    "backup() { seq 1 100000; summary " SNAP "; }");
	start(&f);
	finish(&f);
	rest = buf_str(&f.log);
	while (str_next(&rest, '\n', &line))
		if (str_u64(line, 100000, &v)) {
			n++;
			assert_int_equal(v, n);
		}
	assert_int_equal(n, 100000);
	fixture_close(&f);
}

static void
long_path_lists_reach_restic(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;
	static char *paths[2000];
	char *text;
	size_t i;

	fixture_open(&f, *state,
	    "backup() { [ \"$5\" = --files-from-raw=- ] && "
	    "tr '\\0' '\\n' | wc -l; summary " SNAP "; }");
	text = mem_alloc(301);
	memset(text, 'x', 300);
	text[0] = '/';
	for (i = 0; i < ARRAY_LEN(paths); i++)
		paths[i] = text;
	f.cmd.includes = paths;
	f.cmd.n_includes = ARRAY_LEN(paths);
	start(&f);
	end = finish(&f);
	assert_string_equal(end->cause, "missing_path");
	assert_int_equal(end->unread_count, 2000);
	assert_true(str_contains(buf_str(&f.log), STR("\n2000\n")));
	mem_free(text);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(a_backup_is_green_when_it_was_verified),
		unit_test_in_folder(short_ids_are_resolved_by_the_list),
		unit_test_in_folder(success_without_proof_is_not_green),
		unit_test_in_folder(a_list_that_fails_leaves_it_unverified),
		unit_test_in_folder(
		    a_list_that_is_no_json_leaves_it_unverified),
		unit_test_in_folder(exit_0_without_a_snapshot_is_a_failure),
		unit_test_in_folder(unknown_exit_codes_are_failures),
		unit_test_in_folder(failed_statistics_do_not_fail_a_backup),
		unit_test_in_folder(statistics_take_their_share_of_the_time),
		unit_test_in_folder(a_line_that_had_to_be_cut_is_no_proof),
		unit_test_in_folder(a_missing_source_makes_it_incomplete),
		unit_test_in_folder(errors_without_secrets_and_as_text),
		unit_test_in_folder(errors_are_cut_behind_secrets),
		unit_test_in_folder(lines_are_cut_behind_secrets),
		unit_test_in_folder(progress_is_told_and_never_logged),
		unit_test_in_folder(a_hundred_thousand_lines_arrive_in_order),
		unit_test_in_folder(long_path_lists_reach_restic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
