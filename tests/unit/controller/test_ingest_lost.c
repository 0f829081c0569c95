/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Jobs that neither the agent has nor its queue. */
#include "tests/unit/controller/ingest_jobs.h"

static void
a_job_the_agent_does_not_have_is_lost(void **state)
{
	const struct Rec__Job *j;
	struct desk *d = *state;
	struct buf b;

	start_job(d);
	hello(d, 3, NULL);
	desk_settle(d);
	j = desk_job(d, JOB_A);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_FAILED);
	assert_string_equal(j->cause, "lost");
	assert_true(j->log_closed);
	assert_int_equal(d->told.acked, 2); /* a verdict has no number */
	buf_init(&b, MIB(1));
	desk_log(d, JOB_A, &b);
	assert_non_null(
	    strstr(buf_text(&b), "out line 2\nsys end state=failed"));
	buf_fini(&b);
}

/* Its id sorts before those of many that ended: a clock was set back. */
static void
a_lost_job_is_found_behind_many_others(void **state)
{
	struct desk *d = *state;
	struct store_tx *tx;
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid u = { { 0xff } };
	unsigned i;

	put_job(d, JOB_A, &d->host, REC__JOB_KIND__KIND_BACKUP, true);
	hello(d, 1, JOB_A);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	desk_run_to(d, 1);
	tx = fixture_write(&d->f);
	for (i = 0; i < 300; i++) {
		u.b[14] = (uint8_t)(i >> 8);
		u.b[15] = (uint8_t)i;
		j.id = id_bytes(&u);
		j.host_id = id_bytes(&d->host);
		j.state = REC__JOB_STATE__JOB_SUCCEEDED;
		job_store_put(tx, &j);
	}
	fixture_commit(tx);
	hello(d, 2, NULL);
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_A)->state, REC__JOB_STATE__JOB_FAILED);
	assert_string_equal(desk_job(d, JOB_A)->cause, "lost");
}

static void
a_job_the_agent_runs_is_not_lost(void **state)
{
	struct desk *d = *state;

	start_job(d);
	hello(d, 3, JOB_A);
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_RUNNING);
}

static void
a_job_whose_end_is_still_queued_is_not_lost(void **state)
{
	struct desk *d = *state;

	start_job(d);
	hello(d, 4, NULL); /* event 3 is its end */
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_RUNNING);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 2), RC_OK);
	desk_run_to(d, 3);
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_SUCCEEDED);
}

static void
a_job_accepted_after_the_hello_is_not_lost(void **state)
{
	struct desk *d = *state;
	struct ulid u;

	hello(d, 3, NULL);
	assert_true(ulid_parse(STR(JOB_B), &u));
	put_job(d, JOB_B, &d->host, REC__JOB_KIND__KIND_BACKUP, true);
	ingest_accepted(d->c.ingest, &d->host, &u);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_finished(d, 2, JOB_A, "succeeded", 0), RC_OK);
	assert_rc(desk_started(d, 3, JOB_B), RC_OK);
	desk_run_to(d, 3);
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_B)->state,
	    REC__JOB_STATE__JOB_RUNNING);
}

static void
a_queued_job_that_was_never_accepted_stays_queued(void **state)
{
	struct desk *d = *state;

	put_job(d, JOB_A, &d->host, REC__JOB_KIND__KIND_BACKUP, false);
	hello(d, 1, NULL);
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_A)->state, REC__JOB_STATE__JOB_QUEUED);
}

static void
a_new_epoch_starts_at_one_and_ends_what_ran(void **state)
{
	struct desk *d = *state;
	uint64_t resume = 0;

	start_job(d);
	assert_rc(desk_lines(d, 3, JOB_A, 3, 1), RC_OK); /* not yet on disk */
	memset(d->epoch, 77, sizeof(d->epoch));
	assert_rc(desk_hello(d, 1, 1, NULL, &resume), RC_OK);
	assert_int_equal(resume, 1);
	d->told.acked = 0;
	assert_rc(desk_started(d, 1, JOB_B), RC_OK);
	desk_run_to(d, 1);
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_A)->state, REC__JOB_STATE__JOB_FAILED);
	assert_int_equal(desk_job(d, JOB_B)->state,
	    REC__JOB_STATE__JOB_RUNNING);
	/* And after a restart it goes on from there. */
	desk_close(d);
	desk_open(d);
	assert_rc(desk_hello(d, 2, 2, JOB_B, &resume), RC_OK);
	assert_int_equal(resume, 2);
}

static void
what_neither_side_has_is_not_asked_for(void **state)
{
	struct desk *d = *state;
	uint64_t resume = 0;

	start_job(d);
	/* Once it is asked to tell again what it knows. */
	assert_rc(desk_hello(d, 10, 12, JOB_A, &resume), RC_BUSY);
	assert_rc(desk_hello(d, 10, 12, JOB_A, &resume), RC_OK);
	assert_int_equal(resume, 10);
	assert_rc(desk_lines(d, 10, JOB_A, 30, 1), RC_OK);
	desk_run_to(d, 10);
	assert_int_equal(desk_job(d, JOB_A)->log_lines, 30);
}

/* Our database is an older copy.  Nothing is judged before the agent has
 * told again what it knows, and then by what it told. */
static void
a_job_that_ended_behind_our_back_is_not_lost(void **state)
{
	struct desk *d = *state;
	uint64_t resume = 0;

	start_job(d);
	assert_rc(desk_hello(d, 10, 10, NULL, &resume), RC_BUSY);
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_RUNNING);
	/* Numbers 10 to 12 are what it told: the end of A, and of B, which
	 * was never heard of here. */
	assert_rc(desk_hello(d, 10, 13, NULL, &resume), RC_OK);
	assert_int_equal(resume, 10);
	assert_rc(desk_finished(d, 10, JOB_A, "succeeded", 3), RC_OK);
	assert_rc(desk_started(d, 11, JOB_B), RC_OK);
	assert_rc(desk_finished(d, 12, JOB_B, "failed", 1), RC_OK);
	desk_run_to(d, 12);
	desk_settle(d);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_SUCCEEDED);
	assert_int_equal(desk_job(d, JOB_B)->state, REC__JOB_STATE__JOB_FAILED);
	assert_int_equal(desk_job(d, JOB_B)->kind, REC__JOB_KIND__KIND_BACKUP);
}

#define ON_DESK(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DESK(a_job_the_agent_does_not_have_is_lost),
		ON_DESK(a_lost_job_is_found_behind_many_others),
		ON_DESK(a_job_the_agent_runs_is_not_lost),
		ON_DESK(a_job_whose_end_is_still_queued_is_not_lost),
		ON_DESK(a_job_accepted_after_the_hello_is_not_lost),
		ON_DESK(a_queued_job_that_was_never_accepted_stays_queued),
		ON_DESK(a_new_epoch_starts_at_one_and_ends_what_ran),
		ON_DESK(what_neither_side_has_is_not_asked_for),
		ON_DESK(a_job_that_ended_behind_our_back_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
