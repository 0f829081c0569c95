/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check, prune and unlock. */
#include "tests/unit/agent/kinds_help.h"

static void
a_sound_repository_is_told(void **state)
{
	struct kinds *k = kinds_open(*state, "check", "");
	Wire__CheckPart part = WIRE__CHECK_PART__INIT;
	const Wire__JobFinished *end;
	const Wire__RepoStats *stats;

	part.n = 2;
	part.of = 20;
	k->f.cmd.check_part = &part;
	end = run(k);
	check_end(end, "succeeded", "");
	assert_int_equal(calls(*state, "check --read-data-subset=2/20"), 1);
	assert_non_null(end->check);
	assert_false(end->check->errors_found);
	assert_int_equal(end->check->part->of, 20);
	stats = stats_of(k);
	assert_non_null(stats);
	assert_string_equal(stats->last_check_status, "ok");
	assert_true(stats->last_check_at_ms >= end->started_at_ms);
	assert_string_equal(stats->repo_id, SNAP);
	assert_non_null(stats->locks);
	assert_int_equal(stats->locks->count, 0);
	assert_int_equal(stats->total_size_bytes, 99);
	fixture_close(&k->f);
}

/* In the words of 0.14. */
static void
a_broken_index_is_damage_for_a_check(void **state)
{
	struct kinds *k = kinds_open(*state, "check",
	    "check() { { echo 'error: error loading index 94b677: load "
	    "<index/94b677c87a>: invalid data returned'; "
	    "echo Fatal: LoadIndex returned errors; } >&2; exit 1; }");
	const Wire__JobFinished *end = run(k);

	check_end(end, "failed", "check_errors");
	assert_int_equal(end->check->errors, 1);
	assert_string_equal(stats_of(k)->last_check_status, "errors");
	fixture_close(&k->f);
}

/* In the words of 0.18, which has no "Fatal:" here. */
static void
a_prune_that_met_damage_says_so(void **state)
{
	struct kinds *k = kinds_open(*state, "prune",
	    "prune() { echo 'LoadRaw(<index/4e9703c6b6>): invalid data "
	    "returned' >&2; exit 1; }");
	const Wire__JobFinished *end = run(k);

	check_end(end, "failed", "damaged");
	assert_string_equal(end->error,
	    "the repository is damaged: LoadRaw(<index/4e9703c6b6>): invalid "
	    "data returned");
	fixture_close(&k->f);
}

/* M-153 */
static void
a_damaged_repository_is_a_failure_with_its_errors(void **state)
{
	struct kinds *k = kinds_open(*state, "check",
	    "check() { echo check all packs; { echo 'pack 01: does not exist';"
	    " echo 'error for tree 02:'; echo '  blob 03'; echo; echo 'The "
	    "repository is damaged and must be repaired.'; echo; "
	    "echo Fatal: repository contains errors; } >&2; exit 1; }");
	const Wire__JobFinished *end = run(k);

	check_end(end, "failed", "check_errors");
	assert_string_equal(end->error,
	    "the repository is damaged: 2 errors were found, see the log");
	assert_true(end->check->errors_found);
	assert_int_equal(end->check->errors, 2);
	assert_string_equal(stats_of(k)->last_check_status, "errors");
	fixture_close(&k->f);
}

/* restic-facts 4.4, trap 4: who met a lock has found no errors. */
static void
a_check_that_met_a_lock_found_out_nothing(void **state)
{
	struct kinds *k = kinds_open(*state, "check",
	    "check() { echo 'repo already locked, waiting' >&2; "
	    "echo 'Fatal: unable to create lock in backend: repository is "
	    "already locked exclusively by PID 9 on db by root' >&2; exit 11;"
	    " }\n"
	    "locks() { echo " SNAP "; echo 1" SNAP "; }\n"
	    "lock() { echo '{\"time\":\"2026-11-20T10:00:00Z\",\"exclusive\":"
	    "true,\"hostname\":\"db\",\"pid\":9}'; }");
	const Wire__JobFinished *end = run(k);
	const Wire__RepoStats *stats = stats_of(k);

	check_end(end, "failed", "locked");
	assert_true(str_starts(str_of(end->error), STR("repository locked")));
	assert_null(end->check);
	assert_int_equal(stats->last_check_at__case, 0);
	assert_true(stats->lock_present);
	assert_int_equal(stats->locks->count, 1); /* the other is no id */
	assert_true(stats->locks->exclusive);
	assert_string_equal(stats->locks->holder, "db, PID 9");
	assert_int_equal(stats->locks->newest_at_ms, 1795168800000);
	fixture_close(&k->f);
}

static void
parts_there_are_not_cannot_be_checked(void **state)
{
	static const unsigned rows[][2] = { { 0, 5 }, { 6, 5 }, { 1, 0 } };
	Wire__CheckPart part = WIRE__CHECK_PART__INIT;
	struct kinds *k;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		k = kinds_open(*state, "check", "");
		events_ack(k->f.a.events, queue_synced(k->f.a.queue));
		part.n = rows[i][0];
		part.of = rows[i][1];
		k->f.cmd.check_part = &part;
		start(&k->f);
		help_run_until(k->f.a.loop, help_set, &k->f.done);
		fixture_close(&k->f);
	}
	assert_int_equal(calls(*state, "check"), 0);
}

/* M-150, M-207: used, and not kept. */
static void
prune_uses_the_credentials_of_its_command(void **state)
{
	Wire__RepoSlot admin = WIRE__REPO_SLOT__INIT;
	Wire__Variable ca = WIRE__VARIABLE__INIT, *extra[] = { &ca };
	struct secrets_repo stored;
	struct kinds *k = kinds_open(*state, "prune",
	    "for a; do case $a in --cacert=*) cat \"${a#*=}\" >pem;; esac; "
	    "done; while case $1 in --*) true;; *) false;; esac; do shift; "
	    "done\n"
	    "prune() { echo \"$RESTIC_PASSWORD $RESTIC_REST_USERNAME\" "
	    ">used; echo \"canary-admin\"; }");
	struct buf b;
	char path[256];

	admin.username = (char[]){ "boss" };
	admin.password = (char[]){ "canary-admin" };
	admin.url = (char[]){ "rest:https://h/r" };
	ca.name = (char[]){ "RESTIC_CACERT" };
	ca.value = (char[]){ "-----PEM-----" };
	admin.extra = extra;
	admin.n_extra = 1;
	k->f.cmd.admin = &admin;
	check_end(run(k), "succeeded", "");
	assert_true(stats_of(k)->last_prune_at_ms > 0);
	help_path(path, *state, "used");
	buf_init(&b, KIB(4));
	assert_rc(fsio_read(path, &b, NULL), RC_OK);
	assert_str(buf_str(&b), "canary-admin boss\n");
	buf_reset(&b);
	help_path(path, *state, "pem");
	assert_rc(fsio_read(path, &b, NULL), RC_OK);
	assert_str(buf_str(&b), "-----PEM-----");
	buf_fini(&b);
	assert_rc(secrets_get(k->f.a.secrets, SECRETS_ADMIN, &stored, NULL),
	    RC_NOTFOUND);
	assert_rc(secrets_get(k->f.a.secrets, SECRETS_REPO, &stored, NULL),
	    RC_OK);
	assert_str(secret_str(&stored.password), "canary-one");
	secrets_repo_fini(&stored);
	fixture_close(&k->f);
}

static void
a_refused_prune_says_why(void **state)
{
	struct kinds *k = kinds_open(*state, "prune",
	    "prune() { echo '" REFUSAL "' >&2; sleep 20; }");

	check_end(run(k), "failed", "append_only");
	assert_int_equal(stats_of(k)->last_prune_at__case, 0);
	fixture_close(&k->f);
}

static void
unlock_tells_what_is_left(void **state)
{
	struct kinds *k = kinds_open(*state, "unlock", "");

	check_end(run(k), "succeeded", "");
	assert_int_equal(stats_of(k)->lock_present__case,
	    WIRE__REPO_STATS__LOCK_PRESENT__LOCK_PRESENT);
	assert_false(stats_of(k)->lock_present);
	fixture_close(&k->f);
}

static void
the_id_of_the_repository_is_asked_once(void **state)
{
	struct kinds *k = kinds_open(*state, "unlock", "");

	check_end(run(k), "succeeded", "");
	assert_int_equal(calls(*state, "cat config"), 1);
	k->f.done = false;
	start(&k->f);
	help_run_until(k->f.a.loop, help_set, &k->f.done);
	assert_int_equal(calls(*state, "cat config"), 1);
	fixture_close(&k->f);
}

/* A repository that does not open is not looked at any further. */
static void
without_a_way_in_nothing_else_is_asked(void **state)
{
	struct kinds *k = kinds_open(*state, "unlock",
	    "unlock() { echo Fatal: wrong password or no key found >&2; "
	    "exit 12; }");

	check_end(run(k), "failed", "wrong_password");
	assert_null(stats_of(k));
	assert_int_equal(calls(*state, "list locks") +
	                     calls(*state, "cat config") +
	                     calls(*state, "stats"),
	    0);
	fixture_close(&k->f);
}

/* Once a second, as text: shown, not logged. */
static void
progress_of_text_is_progress(void **state)
{
	struct kinds *k = kinds_open(*state, "prune",
	    "prune() { for n in 1 2 3; do echo \"[0:0$n] $n.50%  $n / 8 packs"
	    "\"; done; echo '[0:04] 100.00%  8 / 8 packs'; }");

	check_end(run(k), "succeeded", "");
	assert_int_equal(fake.progress, 3);
	assert_false(str_contains(buf_str(&k->f.log), STR("2.50%")));
	assert_true(str_contains(buf_str(&k->f.log), STR("100.00%  8 / 8")));
	fixture_close(&k->f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(a_sound_repository_is_told),
		unit_test_in_folder(a_broken_index_is_damage_for_a_check),
		unit_test_in_folder(a_prune_that_met_damage_says_so),
		unit_test_in_folder(
		    a_damaged_repository_is_a_failure_with_its_errors),
		unit_test_in_folder(a_check_that_met_a_lock_found_out_nothing),
		unit_test_in_folder(parts_there_are_not_cannot_be_checked),
		unit_test_in_folder(prune_uses_the_credentials_of_its_command),
		unit_test_in_folder(a_refused_prune_says_why),
		unit_test_in_folder(unlock_tells_what_is_left),
		unit_test_in_folder(the_id_of_the_repository_is_asked_once),
		unit_test_in_folder(without_a_way_in_nothing_else_is_asked),
		unit_test_in_folder(progress_of_text_is_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
