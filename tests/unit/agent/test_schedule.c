/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* When backups begin by themselves, and how they end. */
#include "tests/unit/agent/schedule_help.h"

static void
a_backup_begins_by_itself_when_it_is_due(void **state)
{
	static struct host h;
	const Wire__OwnRun *own;

	host_open(&h, *state, "");
	host_pass(&h, at("2026-11-21T01:59:59Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	own = host_started(&h, 0)->own;
	assert_non_null(own);
	assert_string_equal(host_started(&h, 0)->kind, "backup");
	assert_string_equal(own->schedule_id, DAILY);
	assert_string_equal(own->group_id, GROUP_A);
	assert_string_equal(own->group_name, "a");
	assert_string_equal(own->includes[0], h.f.source);
	assert_int_equal(own->due_at_ms, at("2026-11-21T02:00:00Z"));
	assert_int_equal(own->attempt, 1);
	assert_false(own->catch_up);
	assert_string_equal(host_finished(&h, 0)->status, "succeeded");
	assert_int_equal(host_finished(&h, 0)->retry_at_ms, 0);
	/* Not again, and then tomorrow. */
	host_pass(&h, at("2026-11-22T01:59:59Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 1);
	host_pass(&h, at("2026-11-22T02:00:00Z"));
	host_wait_ends(&h, 2);
	host_close(&h);
}

static void
a_failed_run_is_tried_again_and_says_when(void **state)
{
	static struct host h;

	host_open(&h, *state, "backup() { echo 'Fatal: no' >&2; exit 1; }\n");
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	assert_string_equal(host_finished(&h, 0)->status, "failed");
	assert_int_equal(host_finished(&h, 0)->retry_at_ms,
	    at("2026-11-21T02:00:30Z"));
	host_pass(&h, at("2026-11-21T02:00:30Z"));
	host_wait_ends(&h, 2);
	assert_int_equal(host_started(&h, 1)->own->attempt, 2);
	assert_int_equal(host_started(&h, 1)->own->due_at_ms,
	    at("2026-11-21T02:00:00Z"));
	assert_int_equal(host_finished(&h, 1)->retry_at_ms, 0);
	host_pass(&h, at("2026-11-21T03:00:00Z"));
	host_wait_ends(&h, 2);
	host_close(&h);
}

/* It says so, and the plan goes on when the file is whole again. */
static void
a_plan_that_cannot_be_read_fails_its_runs(void **state)
{
	static struct host h;
	struct buf good;

	host_open(&h, *state, "");
	buf_init(&good, MIB(1));
	assert_rc(fsio_read(h.f.secrets, &good, NULL), RC_OK);
	assert_rc(fsio_replace(h.f.secrets, str_sub(buf_str(&good), 0, 50),
	              0600, NULL),
	    RC_OK);
	schedule_plan(h.f.a.schedule); /* what is in force stays */
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	assert_string_equal(host_finished(&h, 0)->status, "failed");
	assert_string_equal(host_finished(&h, 0)->cause, "no_credentials");
	assert_non_null(strstr(host_finished(&h, 0)->error, "secrets.enc"));
	assert_int_equal(host_started(&h, 0)->own->due_at_ms,
	    at("2026-11-21T02:00:00Z"));
	assert_rc(fsio_replace(h.f.secrets, buf_str(&good), 0600, NULL), RC_OK);
	buf_fini(&good);
	host_pass(&h, at("2026-11-22T02:00:00Z"));
	host_wait_ends(&h, 2);
	assert_string_equal(host_finished(&h, 1)->status, "succeeded");
	host_close(&h);
}

static void
a_new_plan_counts_from_now_on(void **state)
{
	static struct host h;

	host_open(&h, *state, "");
	h.plan.schedule[0].cron = (char *)(uintptr_t) "30 1 * * *";
	host_put_plan(&h);
	schedule_plan(h.f.a.schedule);
	host_pass(&h, at("2026-11-22T01:29:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	host_pass(&h, at("2026-11-22T01:30:00Z"));
	host_wait_ends(&h, 1);
	host_close(&h);
}

/* A laptop that travels: from then on its new 02:00 counts. */
static void
times_follow_the_clock_of_the_host(void **state)
{
	static struct host h;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	host_prepare(&h, *state, "");
	h.plan.schedule[0].zone = (char *)(uintptr_t) "";
	host_put_plan(&h);
	host_start(&h);
	assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
	host_pass(&h, at("2026-11-21T16:59:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	host_pass(&h, at("2026-11-21T17:00:00Z"));
	host_wait_ends(&h, 1);
	host_close(&h);
	assert_int_equal(unsetenv("TZ"), 0);
}

static void
a_host_that_was_deleted_backs_up_no_more(void **state)
{
	static struct host h;

	host_open(&h, *state, "");
	schedule_dismiss(h.f.a.schedule);
	host_pass(&h, at("2026-11-23T12:00:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	/* Known after all it is given its plan again. */
	assert_int_equal(secrets_config(h.f.a.secrets).version, 0);
	host_close(&h);
}

/* Nobody is asked, so nobody tells: it fails where it can be seen. */
static void
a_group_without_paths_fails_visibly(void **state)
{
	static struct host h;

	host_prepare(&h, *state, "");
	h.plan.group[0].n_includes = 0;
	host_put_plan(&h);
	host_start(&h);
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	assert_string_equal(host_finished(&h, 0)->status, "failed");
	assert_string_equal(host_finished(&h, 0)->cause, "refused");
	assert_int_equal(host_finished(&h, 0)->retry_at_ms, 0);
	host_close(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(a_backup_begins_by_itself_when_it_is_due),
		unit_test_in_folder(a_failed_run_is_tried_again_and_says_when),
		unit_test_in_folder(a_plan_that_cannot_be_read_fails_its_runs),
		unit_test_in_folder(a_new_plan_counts_from_now_on),
		unit_test_in_folder(times_follow_the_clock_of_the_host),
		unit_test_in_folder(a_host_that_was_deleted_backs_up_no_more),
		unit_test_in_folder(a_group_without_paths_fails_visibly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
