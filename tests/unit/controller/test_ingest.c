/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/ingest_jobs.h"

static void
an_event_needs_a_hello_and_its_turn(void **state)
{
	struct desk *d = *state;

	assert_rc(desk_started(d, 1, JOB_A), RC_PROTO);
	hello(d, 1, NULL);
	assert_rc(desk_started(d, 2, JOB_A), RC_PROTO);
	assert_rc(desk_started(d, 1, "not an id"), RC_PROTO);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	desk_run_to(d, 1);
}

static void
a_malformed_hello_is_refused(void **state)
{
	struct desk *d = *state;
	Wire__Hello h = WIRE__HELLO__INIT;
	struct err e = { 0 };
	uint64_t resume;

	h.first_seq = h.next_seq = 1;
	assert_rc(ingest_hello(d->c.ingest, &d->host, &h, &resume, &e),
	    RC_PROTO);
	h.epoch = bytes_of(d->epoch, sizeof(d->epoch));
	h.instance_id = bytes_of(d->instance, sizeof(d->instance));
	h.first_seq = 5;
	assert_rc(ingest_hello(d->c.ingest, &d->host, &h, &resume, &e),
	    RC_PROTO);
}

/* M-130, M-156, B-01: every projected field moves. */
static void
a_backup_moves_its_job_host_group_and_day(void **state)
{
	struct desk *d = *state;
	const struct Rec__Job *j;
	const struct Rec__Host *h;
	const struct Rec__SourceGroup *g;
	struct store_tx *tx;
	struct ulid u;

	put_group(d);
	put_job(d, JOB_A, &d->host, REC__JOB_KIND__KIND_BACKUP, true);
	hello(d, 1, JOB_A);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	desk_run_to(d, 1);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_RUNNING);
	assert_int_equal(desk_host(d)->current_job.len, 16);
	assert_string_equal(desk_host(d)->restic_version, "0.14.0");
	assert_rc(desk_lines(d, 2, JOB_A, 1, 3), RC_OK);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 3), RC_OK);
	desk_run_to(d, 3);
	j = desk_job(d, JOB_A);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_SUCCEEDED);
	assert_true(j->started_at_ms > 0 && j->finished_at_ms > 0);
	assert_true(j->log_closed && j->log_bytes > 0);
	assert_int_equal(j->log_lines, 3);
	assert_int_equal(j->log_file_lines, 5); /* head and end are ours */
	assert_int_equal(j->first_error_line, 0);
	assert_int_equal(j->finished_lines, 3);
	assert_string_equal(j->restic_version, "0.14.0");
	h = desk_host(d);
	assert_int_equal(h->current_job.len, 0);
	assert_true(h->last_backup_at_ms > 0);
	assert_int_equal(h->last_attempt_at_ms, h->last_backup_at_ms);
	assert_int_equal(h->last_backup_state, REC__JOB_STATE__JOB_SUCCEEDED);
	assert_int_equal(h->repo_status, REC__REPO_STATUS__REPO_READY);
	tx = fixture_read(&d->f);
	g = plan_store_get(tx, &d->host, &group);
	assert_non_null(g);
	assert_int_equal(g->last_state, REC__JOB_STATE__JOB_SUCCEEDED);
	assert_true(g->last_success_at_ms > 0);
	assert_true(ulid_parse(STR(JOB_A), &u));
	assert_memory_equal(g->last_job.data, u.b, sizeof(u.b));
	store_abort(tx);
	assert_true(d->told.grown > 0 && d->told.woken > 0);
}

static bool
on_day(void *ctx, uint32_t day, const struct ulid *id,
    const struct Rec__DayOutcome *o)
{
	Rec__JobState *s = ctx;

	(void)day;
	assert_true(ulid_eq(id, &group));
	*s = o->state;
	return true;
}

static void
the_day_tells_its_last_run(void **state)
{
	struct desk *d = *state;
	Rec__JobState s = REC__JOB_STATE__JOB_NONE;
	struct store_tx *tx;

	put_group(d);
	put_job(d, JOB_A, &d->host, REC__JOB_KIND__KIND_BACKUP, true);
	put_job(d, JOB_B, &d->host, REC__JOB_KIND__KIND_BACKUP, false);
	hello(d, 1, JOB_A);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_finished(d, 2, JOB_A, "succeeded", 0), RC_OK);
	assert_rc(desk_started(d, 3, JOB_B), RC_OK);
	assert_rc(desk_finished(d, 4, JOB_B, "failed", 0), RC_OK);
	desk_run_to(d, 4);
	tx = fixture_read(&d->f);
	plan_store_days(tx, &d->host, 0, UINT32_MAX, on_day, &s);
	store_abort(tx);
	assert_int_equal(s, REC__JOB_STATE__JOB_FAILED);
	assert_int_equal(desk_host(d)->last_backup_state,
	    REC__JOB_STATE__JOB_FAILED);
	assert_true(desk_host(d)->last_backup_at_ms > 0);
}

/* An agent whose clock is years behind: what it ran now is later than what
 * was there before the controller asked for it. */
static void
an_agents_wrong_clock_hides_no_failure(void **state)
{
	struct desk *d = *state;
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__JobFinished f = WIRE__JOB_FINISHED__INIT;
	int64_t asked = clock_now_ms() - 1000;
	struct store_tx *tx;
	struct Rec__Host *h;
	struct Rec__Job *j;
	struct ulid u;

	put_job(d, JOB_A, &d->host, REC__JOB_KIND__KIND_BACKUP, true);
	assert_true(ulid_parse(STR(JOB_A), &u));
	tx = fixture_write(&d->f);
	j = job_store_find(tx, &u);
	j->created_at_ms = asked;
	job_store_put(tx, j);
	h = host_store_get(tx, &d->host);
	h->last_attempt_at_ms = h->last_backup_at_ms = asked - 1;
	h->last_backup_state = REC__JOB_STATE__JOB_SUCCEEDED;
	host_store_put(tx, h);
	fixture_commit(tx);
	hello(d, 1, JOB_A);
	f.job_id = text(JOB_A);
	f.status = text("failed");
	f.started_at_ms = 1577836800000;
	f.finished_at_ms = f.started_at_ms + 60000;
	ev.seq = 1;
	ev.body_case = WIRE__EVENT__BODY_JOB_FINISHED;
	ev.job_finished = &f;
	assert_rc(desk_event(d, &ev), RC_OK);
	desk_run_to(d, 1);
	assert_true(desk_job(d, JOB_A)->finished_at_ms >= asked);
	assert_int_equal(desk_host(d)->last_backup_state,
	    REC__JOB_STATE__JOB_FAILED);
	assert_true(desk_host(d)->last_attempt_at_ms >= asked);
	assert_int_equal(desk_host(d)->last_backup_at_ms, asked - 1);
}

static void
init_moves_the_repository(void **state)
{
	struct desk *d = *state;

	put_job(d, JOB_A, &d->host, REC__JOB_KIND__KIND_INIT, true);
	hello(d, 1, JOB_A);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_finished(d, 2, JOB_A, "failed", 0), RC_OK);
	desk_run_to(d, 2);
	assert_int_equal(desk_host(d)->repo_status,
	    REC__REPO_STATUS__REPO_INIT_FAILED);
	assert_string_equal(desk_host(d)->repo_status_error, "it broke");
	assert_int_equal(desk_host(d)->last_attempt_at_ms, 0);
}

static void
a_final_state_never_changes(void **state)
{
	struct desk *d = *state;

	hello(d, 1, NULL);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_finished(d, 2, JOB_A, "succeeded", 0), RC_OK);
	assert_rc(desk_finished(d, 3, JOB_A, "failed", 0), RC_OK);
	assert_rc(desk_lines(d, 4, JOB_A, 1, 3), RC_OK);
	assert_rc(desk_started(d, 5, JOB_A), RC_OK);
	desk_run_to(d, 5);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_SUCCEEDED);
	assert_int_equal(desk_job(d, JOB_A)->log_lines, 0);
	assert_int_equal(desk_host(d)->current_job.len, 0);
}

static void
an_agents_own_run_becomes_a_job(void **state)
{
	struct desk *d = *state;
	const struct Rec__Job *j;

	hello(d, 1, NULL);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	desk_run_to(d, 1);
	j = desk_job(d, JOB_A);
	assert_non_null(j);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_RUNNING);
	assert_int_equal(j->kind, REC__JOB_KIND__KIND_BACKUP);
	assert_int_equal(j->actor_kind, REC__ACTOR_KIND__ACTOR_SCHEDULE);
	/* Nothing that the courier would send. */
	assert_true(j->accepted_at_ms > 0);
}

static void
another_hosts_job_is_left_alone(void **state)
{
	static const struct ulid other = { { 4, 2 } };
	struct desk *d = *state;

	put_job(d, JOB_A, &other, REC__JOB_KIND__KIND_BACKUP, true);
	hello(d, 1, NULL);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_lines(d, 2, JOB_A, 1, 3), RC_OK);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 3), RC_OK);
	desk_run_to(d, 3); /* refused, and not asked for again */
	assert_int_equal(desk_job(d, JOB_A)->state, REC__JOB_STATE__JOB_QUEUED);
	assert_int_equal(desk_job(d, JOB_A)->log_bytes, 0);
	assert_int_equal(desk_host(d)->current_job.len, 0);
	assert_int_equal(d->told.drops, 0);
}

/* ---------------------------------------------------------------- lines */

static void
lines_that_overlap_are_kept_once_and_gaps_are_told(void **state)
{
	struct desk *d = *state;
	struct buf b;

	hello(d, 1, NULL);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_lines(d, 2, JOB_A, 1, 2), RC_OK);
	assert_rc(desk_lines(d, 3, JOB_A, 2, 2), RC_OK);
	assert_rc(desk_lines(d, 4, JOB_A, 7, 1), RC_OK);
	assert_rc(desk_finished(d, 5, JOB_A, "succeeded", 9), RC_OK);
	desk_run_to(d, 5);
	buf_init(&b, MIB(1));
	desk_log(d, JOB_A, &b);
	assert_string_equal(buf_text(&b),
	    "sys job=" JOB_A " kind=backup host=web-1 group=\"\" "
	    "restic=0.14.0\n"
	    "out line 1\nout line 2\nout line 3\n"
	    "sys 3 lines dropped\nout line 7\nsys 2 lines dropped\n"
	    "sys end state=succeeded exit=0 lines=9\n");
	assert_int_equal(desk_job(d, JOB_A)->log_file_lines, 8);
	buf_fini(&b);
	assert_true(desk_job(d, JOB_A)->log_truncated);
}

static void
a_log_ends_at_its_limit(void **state)
{
	struct desk *d = *state;
	char path[JOBLOG_PATH_CAP];
	const struct Rec__Job *j;
	struct store_tx *tx;
	struct Rec__Job *full;
	struct ulid u;
	struct err e;

	/* A log that is as long as it may be, most of it a hole. */
	put_job(d, JOB_A, &d->host, REC__JOB_KIND__KIND_BACKUP, true);
	assert_true(ulid_parse(STR(JOB_A), &u));
	assert_rc(joblog_append(d->spool, &u, 0, STR("x\n"), &e), RC_OK);
	assert_rc(joblog_path(d->spool, &u, false, path, sizeof(path)), RC_OK);
	assert_int_equal(truncate(path, JOBLOG_FILE_MAX - 100), 0);
	tx = fixture_write(&d->f);
	full = job_store_get(tx, &u);
	assert_non_null(full);
	full->log_bytes = JOBLOG_FILE_MAX - 100;
	full->log_lines = 10;
	job_store_put(tx, full);
	fixture_commit(tx);
	hello(d, 1, JOB_A);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_lines(d, 2, JOB_A, 11, 60), RC_OK);
	desk_run_to(d, 2);
	j = desk_job(d, JOB_A);
	assert_int_equal(j->log_bytes, JOBLOG_FILE_MAX - 100);
	assert_int_equal(j->log_lines, 70);
	assert_true(j->log_truncated);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 70), RC_OK);
	desk_run_to(d, 3);
	assert_true(desk_job(d, JOB_A)->log_bytes > JOBLOG_FILE_MAX - 100);
}

static void
a_damaged_log_does_not_stop_its_job(void **state)
{
	struct desk *d = *state;
	char path[JOBLOG_PATH_CAP];
	struct ulid u;

	hello(d, 1, NULL);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	desk_run_to(d, 1);
	assert_true(ulid_parse(STR(JOB_A), &u));
	assert_rc(joblog_path(d->spool, &u, false, path, sizeof(path)), RC_OK);
	assert_int_equal(truncate(path, 3), 0);
	assert_rc(desk_lines(d, 2, JOB_A, 1, 1), RC_OK);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 1), RC_OK);
	desk_run_to(d, 3);
	assert_true(desk_job(d, JOB_A)->log_damaged);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_SUCCEEDED);
}

#define ON_DESK(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DESK(an_event_needs_a_hello_and_its_turn),
		ON_DESK(a_malformed_hello_is_refused),
		ON_DESK(a_backup_moves_its_job_host_group_and_day),
		ON_DESK(the_day_tells_its_last_run),
		ON_DESK(an_agents_wrong_clock_hides_no_failure),
		ON_DESK(init_moves_the_repository),
		ON_DESK(a_final_state_never_changes),
		ON_DESK(an_agents_own_run_becomes_a_job),
		ON_DESK(another_hosts_job_is_left_alone),
		ON_DESK(lines_that_overlap_are_kept_once_and_gaps_are_told),
		ON_DESK(a_log_ends_at_its_limit),
		ON_DESK(a_damaged_log_does_not_stop_its_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
