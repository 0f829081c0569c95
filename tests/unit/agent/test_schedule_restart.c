/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* What schedule.state and jobs/ say after a restart, damage or a full disk. */
#include "tests/unit/agent/schedule_help.h"

#include "agent/jobfile.h"
#include "agent/statefile.h"

/* What a former process left in schedule.state: due, and not begun. */
static struct ulid
host_leave_due(struct host *h, const char *dir)
{
	struct ulid host = small_id(HOST), job;
	struct due *d = due_new(&host);
	struct buf b;

	due_plan(d, &h->plan.plan, "UTC", h->now);
	(void)due_look(d, h->now);
	(void)due_look(d, at("2026-11-21T02:00:00Z"));
	job = due_at(d, 0)->job;
	buf_init(&b, MIB(1));
	assert_rc(due_save(d, h->now, &b), RC_OK);
	assert_rc(statefile_write(dir, buf_str(&b), NULL), RC_OK);
	buf_fini(&b);
	due_free(d);
	host_clock(h, at("2026-11-21T02:00:10Z"));
	return job;
}

static void
what_was_due_and_not_begun_begins_after_a_restart_once(void **state)
{
	static struct host h;
	char text[ULID_TEXT_CAP];
	struct ulid job;

	host_prepare(&h, *state, "");
	job = host_leave_due(&h, *state);
	ulid_text(&job, text);
	host_start(&h);
	host_pass(&h, at("2026-11-21T02:05:00Z"));
	host_wait_ends(&h, 1);
	assert_string_equal(host_started(&h, 0)->job_id, text);
	assert_false(host_started(&h, 0)->own->catch_up);
	host_pass(&h, at("2026-11-21T12:00:00Z"));
	host_wait_ends(&h, 1);
	host_close(&h);
}

static void
host_leave_job(struct host *h, const struct ulid *job, bool ended)
{
	struct jobfile f = { .id = *job, .accepted_ms = h->now };
	Wire__JobFinished end = WIRE__JOB_FINISHED__INIT;
	uint8_t bytes[256];
	char text[ULID_TEXT_CAP];

	ulid_text(job, text);
	end.job_id = text;
	end.status = (char *)(uintptr_t) "succeeded";
	f.ended = ended;
	f.ended_ms = ended ? h->now : 0;
	if (ended)
		f.end = str_from(bytes, wire__job_finished__pack(&end, bytes));
	assert_rc(jobfile_write(h->jobs, &f, NULL), RC_OK);
}

/* The controller may not have heard of it: it is told all of it. */
static void
what_had_begun_ends_and_is_tried_again(void **state)
{
	static struct host h;
	char text[ULID_TEXT_CAP];
	struct ulid job;

	host_prepare(&h, *state, "");
	job = host_leave_due(&h, *state);
	host_leave_job(&h, &job, false);
	ulid_text(&job, text);
	host_start(&h);
	host_wait_ends(&h, 1);
	assert_string_equal(host_started(&h, 0)->job_id, text);
	assert_string_equal(host_started(&h, 0)->own->group_name, "a");
	assert_string_equal(host_finished(&h, 0)->job_id, text);
	assert_string_equal(host_finished(&h, 0)->cause, "agent_restarted");
	assert_int_equal(host_finished(&h, 0)->retry_at_ms, h.now + 30000);
	host_pass(&h, at("2026-11-21T02:05:00Z"));
	host_wait_ends(&h, 2);
	assert_string_not_equal(host_started(&h, 1)->job_id, text);
	assert_int_equal(host_started(&h, 1)->own->attempt, 2);
	assert_string_equal(host_finished(&h, 1)->status, "succeeded");
	host_close(&h);
}

static void
what_had_ended_is_not_run_again(void **state)
{
	static struct host h;
	struct ulid job;

	host_prepare(&h, *state, "");
	job = host_leave_due(&h, *state);
	host_leave_job(&h, &job, true);
	host_start(&h);
	host_pass(&h, at("2026-11-22T01:59:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	host_close(&h);
}

static void
host_queue_end(struct host *h, const struct ulid *job)
{
	Wire__JobFinished end = WIRE__JOB_FINISHED__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	char text[ULID_TEXT_CAP];

	ulid_text(job, text);
	end.job_id = text;
	end.status = (char *)(uintptr_t) "succeeded";
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = &end;
	events_put(h->f.a.events, &ev, true);
	help_sync(h->f.a.loop, h->f.a.events);
}

/* Killed between the two: its end is in the queue, and jobs/<id> does not
 * know. */
static void
what_the_queue_has_the_end_of_is_not_run_again(void **state)
{
	static struct host h;
	struct ulid job;

	host_prepare(&h, *state, "");
	job = host_leave_due(&h, *state);
	host_leave_job(&h, &job, false);
	host_queue_end(&h, &job);
	host_start(&h);
	assert_true(command_has_ended(h.f.a.command, &job));
	host_pass(&h, at("2026-11-22T01:59:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 0);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_FINISHED), 1);
	assert_string_equal(host_finished(&h, 0)->status, "succeeded");
	host_close(&h);
}

/* What was kept is set aside, and the plan runs. */
static void
goes_on_without(struct host *h, const char *dir)
{
	char path[256];

	host_start(h);
	help_path(path, dir, "schedule.state.damaged");
	assert_int_equal(access(path, F_OK), 0);
	host_pass(h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(h, 1);
	host_close(h);
}

static void
a_damaged_state_is_set_aside_and_schedules_go_on(void **state)
{
	static struct host h;

	host_prepare(&h, *state, "");
	assert_rc(statefile_write(*state, STR("\x12\xff damaged"), NULL),
	    RC_OK);
	goes_on_without(&h, *state);
}

static void
a_state_that_cannot_be_read_is_set_aside_too(void **state)
{
	static struct host h;
	char path[256], *huge = mem_alloc(STATEFILE_MAX + 1);

	memset(huge, 0, STATEFILE_MAX + 1);
	host_prepare(&h, *state, "");
	help_path(path, *state, "schedule.state");
	assert_rc(fsio_replace(path, str_from(huge, STATEFILE_MAX + 1), 0600,
	              NULL),
	    RC_OK);
	mem_free(huge);
	goes_on_without(&h, *state);
}

/* No room in the directory at all, not even for jobs/<id>. */
static void
a_disk_that_takes_nothing_stops_no_backup(void **state)
{
	static struct host h;
	const char *dir = *state;

	host_open(&h, dir, "");
	host_wait_ends(&h, 0);
	h.f.a.settings.state_dir = (char *)(uintptr_t) "/dev/null/no";
	h.f.a.settings.jobs_dir = (char *)(uintptr_t) "/dev/null/no";
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	host_wait_ends(&h, 1);
	assert_non_null(host_started(&h, 0)->own);
	host_pass(&h, at("2026-11-22T01:00:00Z"));
	host_wait_ends(&h, 1);
	h.f.a.settings.state_dir = (char *)(uintptr_t)dir;
	host_close(&h);
}

static size_t
host_saved_runs(const char *dir)
{
	struct ulid host;
	struct due *d;
	struct buf b;
	size_t n = 0;

	assert_true(ulid_parse(STR(HOST), &host));
	d = due_new(&host);
	buf_init(&b, MIB(1));
	assert_rc(statefile_read(dir, &b, NULL), RC_OK);
	assert_rc(due_load(d, buf_str(&b)), RC_OK);
	while (due_at(d, n) != NULL)
		n++;
	buf_fini(&b);
	due_free(d);
	return n;
}

/* What could not be written when the run ended is written as soon as there is
 * room: a restart would begin the run again. */
static void
a_state_that_found_no_room_is_written_later(void **state)
{
	static struct host h;
	char *dir = *state;

	host_open(&h, dir, "backup() { sleep 0.3; summary " SNAP "; }\n");
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	help_run_ms(h.f.a.loop, 150);
	assert_int_equal(host_saved_runs(dir), 1);
	h.f.a.settings.state_dir = (char *)(uintptr_t) "/dev/null/no";
	host_wait_ends(&h, 1);
	h.f.a.settings.state_dir = dir;
	assert_int_equal(host_saved_runs(dir), 1);
	host_pass(&h, at("2026-11-21T02:02:00Z"));
	help_run_ms(h.f.a.loop, 150);
	assert_int_equal(host_saved_runs(dir), 0);
	host_close(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(
		    what_was_due_and_not_begun_begins_after_a_restart_once),
		unit_test_in_folder(what_had_begun_ends_and_is_tried_again),
		unit_test_in_folder(what_had_ended_is_not_run_again),
		unit_test_in_folder(
		    what_the_queue_has_the_end_of_is_not_run_again),
		unit_test_in_folder(
		    a_damaged_state_is_set_aside_and_schedules_go_on),
		unit_test_in_folder(
		    a_state_that_cannot_be_read_is_set_aside_too),
		unit_test_in_folder(a_disk_that_takes_nothing_stops_no_backup),
		unit_test_in_folder(
		    a_state_that_found_no_room_is_written_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
