/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Whole jobs, from the command to the durable end.  restic is a script of
 * the shell that says what restic 0.18 says; the uplink is replaced. */
#include "tests/unit/agent/agent_help.h"

#include <inttypes.h>

#include "agent/agent.h"
#include "agent/job.h"
#include "agent/secrets.h"
#include "agent/uplink.h"
#include "lib/base/clock.h"

#define JOB "01JD000000000000000000000A"
#define SNAP "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct fake {
	size_t progress;
	bool forgotten;
} fake;

void
uplink_progress(struct uplink *u, const Wire__JobProgress *p)
{
	(void)u;
	fake.forgotten = p == NULL;
	fake.progress += p != NULL ? 1 : 0;
}

struct fixture {
	struct agent a;
	char secrets[256], restic[256], source[256];
	Wire__CommandRun cmd;
	char *paths[4];
	bool done;
	Wire__Event **all;
	size_t n;
	struct buf log; /* text of all lines */
};

/* The start of every pretend restic; steps are added as functions. */
#define RESTIC_HEAD                                                        \
	"#!/bin/sh\n"                                                      \
	"list() { echo '[{\"time\":\"2026-11-21T15:00:00.123456789Z\","    \
	"\"paths\":[\"/src\"],\"hostname\":\"web-1\",\"tags\":[\"docs\"]," \
	"\"id\":\"" SNAP "\",\"short_id\":\"01234567\"}]'; }\n"            \
	"summary() { echo '{\"message_type\":\"summary\",\"files_new\":2," \
	"\"total_files_processed\":2,\"total_bytes_processed\":10,"        \
	"\"snapshot_id\":\"'\"$1\"'\"}'; }\n"                              \
	"stats() { echo '{\"total_size\":99,\"snapshots_count\":1}'; }\n"  \
	"backup() { summary " SNAP "; }\n"                                 \
	"init() { echo created restic repository; }\n"                     \
	"unlock() { :; }\n"
#define RESTIC_TAIL                                           \
	"echo \"$*\" >>\"$HOME/calls\"\n"                     \
	"case $1 in\n"                                        \
	"version) echo 'restic 0.18.0 compiled with go' ;;\n" \
	"snapshots) list ;;\n"                                \
	"*) \"$1\" \"$@\" ;;\n"                               \
	"esac\n"

static void
fixture_open(struct fixture *f, const char *dir, const char *functions)
{
	static char job_text[] = JOB, backup_text[] = "backup",
	            docs_text[] = "docs";
	static const uint8_t key[CRYPT_KEY_SIZE];
	struct secrets_config config = { 1, 0, 0 };
	struct secrets_repo repo = { 0 };
	char text[4096];

	memset(&fake, 0, sizeof(fake));
	*f = (struct fixture){ 0 };
	help_path(f->secrets, dir, "secrets.enc");
	help_path(f->restic, dir, "restic");
	help_path(f->source, dir, "source");
	assert_rc(fsio_mkdirs(f->source, 0700, NULL), RC_OK);
	assert_true(str_fmt(text, sizeof(text), "%s%s\n%s", RESTIC_HEAD,
	    functions, RESTIC_TAIL));
	help_script(f->restic, text);
	f->a.settings.restic_path = f->restic;
	f->a.settings.state_dir = (char *)(uintptr_t)dir;
	assert_true(str_copy(f->a.facts.hostname, sizeof(f->a.facts.hostname),
	    STR("web-1")));
	f->a.loop = help_loop();
	f->a.queue = help_queue(dir);
	f->a.events = events_new(f->a.loop, f->a.queue);
	assert_rc(secrets_open(f->secrets, key, &f->a.secrets, NULL), RC_OK);
	secret_set(&repo.url, STR("rest:https://web:canary-two@h/r"));
	secret_set(&repo.username, STR("web"));
	secret_set(&repo.password, STR("canary-one"));
	assert_rc(secrets_put(f->a.secrets, SECRETS_REPO, &repo, &config, NULL),
	    RC_OK);
	secrets_repo_fini(&repo);
	wire__command_run__init(&f->cmd);
	f->cmd.job_id = job_text;
	f->cmd.kind = backup_text;
	f->cmd.tag = docs_text;
	f->paths[0] = f->source;
	f->cmd.includes = f->paths;
	f->cmd.n_includes = 1;
	f->all = mem_array(HELP_EVENTS, sizeof(*f->all));
	buf_init(&f->log, MIB(8));
}

static void
fixture_close(struct fixture *f)
{
	help_sync(f->a.loop, f->a.events);
	events_free(f->a.events);
	queue_close(f->a.queue);
	secrets_close(f->a.secrets);
	loop_free(f->a.loop);
	help_events_free(f->all, f->n);
	mem_free(f->all);
	buf_fini(&f->log);
}

static struct job *
start(struct fixture *f)
{
	struct job *j = job_start(&f->a, &f->cmd, help_mark, &f->done);

	assert_false(f->done);
	return j;
}

/* Waits for the end and gives it.  Lines are 1..n, each once, and nothing
 * follows the end. */
static const Wire__JobFinished *
finish(struct fixture *f)
{
	uint64_t line = 1;
	size_t i, k;

	help_run_until(f->a.loop, help_set, &f->done);
	help_run_ms(f->a.loop, 200);
	help_sync(f->a.loop, f->a.events);
	f->n = help_events(f->a.events, 1, f->all);
	assert_true(f->n >= 2);
	assert_int_equal(f->all[0]->body_case, WIRE__EVENT__BODY_JOB_STARTED);
	assert_int_equal(f->all[f->n - 1]->body_case,
	    WIRE__EVENT__BODY_JOB_FINISHED);
	for (i = 0; i < f->n; i++) {
		if (f->all[i]->body_case != WIRE__EVENT__BODY_LOG)
			continue;
		assert_int_equal(f->all[i]->log->first_line, line);
		line += f->all[i]->log->n_lines;
		for (k = 0; k < f->all[i]->log->n_lines; k++) {
			buf_put(&f->log, f->all[i]->log->lines[k]->payload.data,
			    f->all[i]->log->lines[k]->payload.len);
			buf_putc(&f->log, '\n');
		}
	}
	assert_int_equal(f->all[f->n - 1]->job_finished->log_lines, line - 1);
	assert_false(str_contains(buf_str(&f->log), STR("canary")));
	assert_true(fake.forgotten);
	return f->all[f->n - 1]->job_finished;
}

static size_t
count(const struct fixture *f, Wire__Event__BodyCase kind)
{
	size_t i, n = 0;

	for (i = 0; i < f->n; i++)
		n += f->all[i]->body_case == kind ? 1 : 0;
	return n;
}

static void
run_and_check(const char *dir, const char *functions, const char *status,
    const char *cause)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, dir, functions);
	start(&f);
	end = finish(&f);
	print_message("%s %s: %s\n", end->status, end->cause, end->error);
	assert_string_equal(end->status, status);
	assert_string_equal(end->cause, cause);
	fixture_close(&f);
}

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
	assert_true(end->summary->total_duration_ms >= 0);
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

/* They walk the whole repository: not after every backup when that is slow. */
static void
slow_statistics_are_had_once_a_day(void **state)
{
	static struct fixture f;
	int64_t now = clock_mono_ms();
	bool due;
	int i;

	for (i = 0; i < 3; i++) {
		fixture_open(&f, *state, "");
		events_ack(f.a.events, queue_synced(f.a.queue));
		f.a.stats_took_ms = i == 0 ? 10000 : 10001;
		f.a.stats_at_ms = now - (i == 2 ? 86400001 : 1000);
		due = i != 1;
		start(&f);
		help_run_until(f.a.loop, help_set, &f.done);
		assert_int_equal(f.a.stats_at_ms >= now, due);
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

/* ---------------------------------------------------------- no restic */

static void
without_restic_the_job_says_what_to_do(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.a.settings.restic_path = (char[]){ "/nonexistent/restic" };
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "failed");
	assert_string_equal(end->cause, "no_restic");
	assert_int_equal(end->exit_code, -1);
	assert_true(str_contains(str_of(end->error), STR("restic_path")));
	fixture_close(&f);
}

static void
without_credentials_it_does_not_start(void **state)
{
	static struct fixture f;
	struct secrets_config config = { 2, 0, 0 };
	struct secrets_repo repo = { 0 };
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	assert_rc(secrets_put(f.a.secrets, SECRETS_REPO, NULL, &config, NULL),
	    RC_OK);
	start(&f);
	end = finish(&f);
	assert_string_equal(end->cause, "no_credentials");
	fixture_close(&f);
	/* restic would ask for an empty password. */
	fixture_open(&f, *state, "");
	secret_set(&repo.url, STR("/repo"));
	assert_rc(secrets_put(f.a.secrets, SECRETS_REPO, &repo, &config, NULL),
	    RC_OK);
	secrets_repo_fini(&repo);
	f.done = false;
	events_ack(f.a.events, 100);
	start(&f);
	help_run_until(f.a.loop, help_set, &f.done);
	fixture_close(&f);
}

static void
unknown_kinds_are_failed(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.cmd.kind = (char[]){ "prune" };
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "failed");
	assert_string_equal(end->cause, "unknown_kind");
	assert_string_equal(end->error,
	    "kind prune not implemented on this agent");
	fixture_close(&f);
}

/* ----------------------------------------------------------------- init */

static void
init_check(const char *dir, const char *functions, const char *status,
    const char *cause)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, dir, functions);
	f.cmd.kind = (char[]){ "init" };
	f.cmd.n_includes = 0;
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, status);
	assert_string_equal(end->cause, cause);
	fixture_close(&f);
}

static void
init_makes_a_repository(void **state)
{
	init_check(*state, "list() { echo '[]'; }", "succeeded", "");
}

#define INIT_EXISTS                                                          \
	"init() { echo 'Fatal: create repository at /r failed: config file " \
	"already exists' >&2; exit 1; }\n"

static void
init_of_a_repository_that_fits_is_fine(void **state)
{
	init_check(*state, INIT_EXISTS, "succeeded", "");
}

static void
init_with_a_wrong_password_fails(void **state)
{
	init_check(*state,
	    INIT_EXISTS
	    "list() { echo '{\"message_type\":\"exit_error\",\"code\":12,"
	    "\"message\":\"Fatal: wrong password or no key found\"}' >&2; "
	    "exit 12; }",
	    "failed", "wrong_password");
}

/* --------------------------------------------------------------- cancel */

static bool
has_begun(void *ctx)
{
	char path[256];

	help_path(path, ctx, "begun");
	return access(path, F_OK) == 0;
}

static void
cancel_check(const char *dir, const char *functions, bool stop,
    const char *status, const char *cause)
{
	static struct fixture f;
	const Wire__JobFinished *end;
	struct job *j;
	char path[256];

	help_path(path, dir, "begun");
	(void)unlink(path);
	fixture_open(&f, dir, functions);
	j = start(&f);
	help_run_until(f.a.loop, has_begun, (void *)(uintptr_t)dir);
	if (stop)
		job_stop(j);
	else
		job_cancel(j);
	job_cancel(j); /* twice is once */
	end = finish(&f);
	assert_string_equal(end->status, status);
	assert_string_equal(end->cause, cause);
	assert_true(str_contains(buf_str(&f.log), STR("cancel requested\n")));
	assert_int_equal(count(&f, WIRE__EVENT__BODY_SNAPSHOTS), 0);
	fixture_close(&f);
}

#define BEGUN ": >\"$HOME/begun\"; "

static void
cancel_interrupts_restic(void **state)
{
	cancel_check(*state,
	    "backup() { trap 'exit 130' INT; " BEGUN
	    "while :; do sleep 0.05; done; }",
	    false, "cancelled", "cancelled");
}

/* The agent's own stop is nobody's wish to cancel. */
static void
a_stop_is_told_as_a_failure(void **state)
{
	cancel_check(*state,
	    "backup() { trap 'exit 130' INT; " BEGUN
	    "while :; do sleep 0.05; done; }",
	    true, "failed", "agent_restarted");
}

/* 10 s later SIGTERM, 5 s after that SIGKILL. */
static void
cancel_escalates(void **state)
{
	int64_t began = clock_mono_ms();

	cancel_check(*state,
	    "backup() { trap '' INT TERM; " BEGUN
	    "while :; do sleep 0.05; done; }",
	    false, "cancelled", "cancelled");
	assert_true(clock_mono_ms() - began >= 14500);
}

static void
cancel_before_restic_runs(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	job_cancel(start(&f));
	end = finish(&f);
	assert_string_equal(end->status, "cancelled");
	assert_int_equal(end->exit_code, 130);
	assert_string_equal(end->error, "");
	/* What looked at the paths is forgotten when it comes back. */
	help_run_ms(f.a.loop, 300);
	assert_int_equal(f.a.stuck, 0);
	fixture_close(&f);
}

static void
too_many_stuck_looks_refuse_a_job(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.a.stuck = 2;
	start(&f);
	end = finish(&f);
	assert_string_equal(end->status, "failed");
	assert_string_equal(end->cause, "path_blocked");
	fixture_close(&f);
}

/* An end that is told is the last word, whatever is asked meanwhile. */
static struct job *late_job;

static bool
job_about_to_end(void *ctx)
{
	struct fixture *f = ctx;

	/* Every turn: once is in between the end and its durability. */
	if (!f->done)
		job_cancel(late_job);
	return f->done;
}

static void
a_late_cancel_adds_no_line(void **state)
{
	static struct fixture f;
	const Wire__JobFinished *end;

	fixture_open(&f, *state, "");
	f.a.settings.restic_path = (char[]){ "/nonexistent/restic" };
	late_job = start(&f);
	help_run_until(f.a.loop, job_about_to_end, &f);
	end = finish(&f);
	assert_string_equal(end->status, "cancelled");
	fixture_close(&f);
}

/* ------------------------------------------------------------ long logs */

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
		unit_test_in_folder(slow_statistics_are_had_once_a_day),
		unit_test_in_folder(a_line_that_had_to_be_cut_is_no_proof),
		unit_test_in_folder(a_missing_source_makes_it_incomplete),
		unit_test_in_folder(errors_without_secrets_and_as_text),
		unit_test_in_folder(errors_are_cut_behind_secrets),
		unit_test_in_folder(lines_are_cut_behind_secrets),
		unit_test_in_folder(progress_is_told_and_never_logged),
		unit_test_in_folder(without_restic_the_job_says_what_to_do),
		unit_test_in_folder(without_credentials_it_does_not_start),
		unit_test_in_folder(unknown_kinds_are_failed),
		unit_test_in_folder(init_makes_a_repository),
		unit_test_in_folder(init_of_a_repository_that_fits_is_fine),
		unit_test_in_folder(init_with_a_wrong_password_fails),
		unit_test_in_folder(cancel_interrupts_restic),
		unit_test_in_folder(a_stop_is_told_as_a_failure),
		unit_test_in_folder(cancel_escalates),
		unit_test_in_folder(cancel_before_restic_runs),
		unit_test_in_folder(too_many_stuck_looks_refuse_a_job),
		unit_test_in_folder(a_late_cancel_adds_no_line),
		unit_test_in_folder(a_hundred_thousand_lines_arrive_in_order),
		unit_test_in_folder(long_path_lists_reach_restic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
