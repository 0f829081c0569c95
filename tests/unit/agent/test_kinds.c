/* SPDX-License-Identifier: GPL-3.0-or-later */
/* forget, prune, check and unlock, from the command to the durable end.  The
 * pretend restic has a snapshot in each file of snaps/. */
#include "tests/unit/agent/job_help.h"

#include <unistd.h>

#define REPO                                                            \
	"cd \"$HOME\"\n"                                                \
	"list() { { printf '['; cat snaps/* 2>/dev/null; echo ']'; } |" \
	" tr '\\n' ' ' | sed 's/} *{/},{/g'; }\n"                       \
	"forget() { shift; for id; do rm \"snaps/$id\"; done; }\n"
#define REFUSAL                                                            \
	"Remove(<snapshot/0000>) failed: unexpected HTTP response (403): " \
	"403 Forbidden"

struct kinds {
	struct fixture f;
	Wire__ForgetGroup *groups[4];
	Wire__ForgetGroup group[4];
	Wire__Retention keep[4];
	char dir[256];
	unsigned made;
};

static struct kinds *
kinds_open(const char *dir, const char *kind, const char *functions)
{
	static char docs[] = "docs";
	static struct kinds k;
	char text[3000];
	size_t i;

	k.made = 0;
	assert_true(str_fmt(text, sizeof(text), "%s%s", REPO, functions));
	fixture_open(&k.f, dir, text);
	help_path(k.dir, dir, "snaps");
	assert_rc(fsio_mkdirs(k.dir, 0700, NULL), RC_OK);
	k.f.cmd.kind = (char *)(uintptr_t)kind;
	k.f.cmd.n_includes = 0;
	for (i = 0; i < ARRAY_LEN(k.group); i++) {
		wire__forget_group__init(&k.group[i]);
		wire__retention__init(&k.keep[i]);
		k.group[i].keep = &k.keep[i];
		k.groups[i] = &k.group[i];
	}
	k.group[0].tag = docs;
	k.f.cmd.forget_groups = k.groups;
	return &k;
}

/* Snapshot n of that day, newest last; its id is made of n. */
static void
snap_of(struct kinds *k, const char *host, const char *tags, const char *day)
{
	char id[65], path[512], text[512];
	unsigned n = k->made++;

	assert_true(str_fmt(id, sizeof(id), "%08u%056u", n, n));
	assert_true(str_fmt(path, sizeof(path), "%s/%s", k->dir, id));
	assert_true(str_fmt(text, sizeof(text),
	    "{\"time\":\"%sT10:00:%02u.5+02:00\",\"paths\":[\"/s\"],"
	    "\"hostname\":\"%s\",\"tags\":[%s],\"id\":\"%s\","
	    "\"short_id\":\"%.8s\"}\n",
	    day, n % 60, host, tags, id, id));
	assert_rc(fsio_replace(path, str_of(text), 0600, NULL), RC_OK);
}

static void
snap(struct kinds *k, const char *host, const char *tags, unsigned day)
{
	char text[16];

	assert_true(str_fmt(text, sizeof(text), "2020-10-%02u", day));
	snap_of(k, host, tags, text);
}

static bool
is_there(const struct kinds *k, unsigned n)
{
	char path[512];

	assert_true(str_fmt(path, sizeof(path), "%s/%08u%056u", k->dir, n, n));
	return access(path, F_OK) == 0;
}

static const Wire__JobFinished *
run(struct kinds *k)
{
	start(&k->f);
	return finish(&k->f);
}

static const Wire__RepoStats *
stats_of(const struct kinds *k)
{
	size_t i;

	for (i = 0; i < k->f.n; i++)
		if (k->f.all[i]->body_case == WIRE__EVENT__BODY_REPO_STATS)
			return k->f.all[i]->repo_stats;
	return NULL;
}

static void
check_end(const Wire__JobFinished *end, const char *status, const char *cause)
{
	print_message("%s %s: %s\n", end->status, end->cause, end->error);
	assert_string_equal(end->status, status);
	assert_string_equal(end->cause, cause);
}

/* The one run of a test that has no more to look at. */
static void
check_run(struct kinds *k, const char *status, const char *cause)
{
	check_end(run(k), status, cause);
	fixture_close(&k->f);
}

static size_t
calls(const char *dir, const char *begin)
{
	char path[256];
	struct str rest, line;
	struct buf b;
	size_t n = 0;

	help_path(path, dir, "calls");
	buf_init(&b, MIB(4));
	if (access(path, F_OK) == 0)
		assert_rc(fsio_read(path, &b, NULL), RC_OK);
	rest = buf_str(&b);
	while (str_next(&rest, '\n', &line))
		n += str_starts(line, str_of(begin)) ? 1 : 0;
	buf_fini(&b);
	return n;
}

/* ---------------------------------------------------------------- forget */

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

/* ----------------------------------------------------------- check, prune */

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
