/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Two hosts name the same new job within one batch: it is the first one's. */
#include "tests/unit/controller/ingest_jobs.h"

enum {
	SECONDS_LINES = 40 /* longer than what the first one writes */
};

/* Both send before anything is taken, the first one first. */
static void
both_speak(struct desk *d, const struct ulid *first, const struct ulid *second,
    const char *firsts_before)
{
	uint64_t seq = 1, resume;

	d->c.ingest->waiting = true;
	d->host = *first;
	assert_rc(desk_hello(d, 1, 1, NULL, &resume), RC_OK);
	if (firsts_before != NULL)
		assert_rc(desk_started(d, seq++, firsts_before), RC_OK);
	assert_rc(desk_started(d, seq++, JOB_A), RC_OK);
	assert_rc(desk_lines(d, seq, JOB_A, 1, 3), RC_OK);
	d->host = *second;
	assert_rc(desk_hello(d, 1, 1, NULL, &resume), RC_OK);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_lines(d, 2, JOB_A, 1, SECONDS_LINES), RC_OK);
	assert_rc(desk_finished(d, 3, JOB_A, "failed", SECONDS_LINES), RC_OK);
}

static void
let_go(struct desk *d)
{
	d->c.ingest->waiting = false;
	ingest_kick(d->c.ingest);
}

/* The file is what the job's record says, to the byte, and of that host. */
static void
expect_log(struct desk *d, const struct ulid *host, const char *name,
    unsigned lines)
{
	char path[JOBLOG_PATH_CAP], head[200], last[32];
	const struct Rec__Job *j = desk_job(d, JOB_A);
	struct stat st;
	struct ulid id;
	struct buf log;

	assert_non_null(j);
	assert_memory_equal(j->host_id.data, host->b, sizeof(host->b));
	assert_int_equal(j->log_lines, lines);
	assert_true(ulid_parse(STR(JOB_A), &id));
	assert_rc(joblog_path(d->spool, &id, false, path, sizeof(path)), RC_OK);
	if (!j->log_closed) {
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, j->log_bytes);
	}
	buf_init(&log, KIB(64));
	desk_log(d, JOB_A, &log);
	assert_true(str_fmt(head, sizeof(head),
	    "sys job=%s kind=backup host=%s ", JOB_A, name));
	assert_int_equal(strncmp(buf_text(&log), head, strlen(head)), 0);
	assert_true(str_fmt(last, sizeof(last), "out line %u\n", lines));
	assert_non_null(strstr(buf_text(&log), last));
	buf_fini(&log);
}

static void
a_new_job_is_of_the_host_that_came_first(void **state)
{
	struct desk *d = *state;
	const struct ulid first = d->host;
	struct ulid second;

	fixture_host(&d->f, "web-2", &second);
	both_speak(d, &first, &second, NULL);
	let_go(d);
	desk_settle(d);
	assert_int_equal(ingest_committed(d->c.ingest, &first), 2);
	assert_int_equal(ingest_committed(d->c.ingest, &second), 3);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_RUNNING);
	expect_log(d, &first, "web-1", 3);
	assert_int_equal(d->told.drops, 0);
	/* It goes on where it was, and so does the refusal. */
	assert_rc(desk_lines(d, 4, JOB_A, 1, SECONDS_LINES), RC_OK);
	desk_settle(d);
	d->host = first;
	assert_rc(desk_lines(d, 3, JOB_A, 4, 2), RC_OK);
	desk_settle(d);
	expect_log(d, &first, "web-1", 5);
}

/* The first one was deleted meanwhile: nothing of it stays, and the second
 * one loses nothing. */
static void
a_first_host_that_is_refused_leaves_the_job_to_the_second(void **state)
{
	struct desk *d = *state;
	const struct ulid first = d->host;
	struct ulid second;
	struct store_tx *tx;

	fixture_host(&d->f, "web-2", &second);
	both_speak(d, &first, &second, NULL);
	tx = fixture_write(&d->f);
	host_store_del(tx, host_store_get(tx, &first));
	fixture_commit(tx);
	let_go(d);
	desk_settle(d);
	assert_int_equal(ingest_committed(d->c.ingest, &second), 3);
	assert_int_equal(desk_job(d, JOB_A)->state, REC__JOB_STATE__JOB_FAILED);
	assert_false(desk_job(d, JOB_A)->log_truncated);
	expect_log(d, &second, "web-2", SECONDS_LINES);
	assert_int_equal(d->told.drops, 1);
}

/* The first one waits for a log of another job, the second one does not. */
static void
a_first_host_that_is_held_leaves_the_job_to_the_second(void **state)
{
	struct desk *d = *state;
	const struct ulid first = d->host;
	char path[JOBLOG_PATH_CAP];
	struct ulid second, id;

	assert_true(ulid_parse(STR(JOB_B), &id));
	assert_rc(joblog_append(d->spool, &id, 0, STR("x"), &(struct err){ 0 }),
	    RC_OK);
	assert_rc(joblog_path(d->spool, &id, false, path, sizeof(path)), RC_OK);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_host(&d->f, "web-2", &second);
	both_speak(d, &first, &second, JOB_B);
	let_go(d);
	desk_settle(d);
	assert_int_equal(ingest_committed(d->c.ingest, &first), 0);
	assert_int_equal(ingest_committed(d->c.ingest, &second), 3);
	expect_log(d, &second, "web-2", SECONDS_LINES);
	assert_int_equal(rmdir(path), 0);
	d->host = first;
	desk_settle(d);
	assert_int_equal(ingest_committed(d->c.ingest, &first), 3);
	expect_log(d, &second, "web-2", SECONDS_LINES);
}

#define ON_DESK(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DESK(a_new_job_is_of_the_host_that_came_first),
		ON_DESK(
		    a_first_host_that_is_refused_leaves_the_job_to_the_second),
		ON_DESK(a_first_host_that_is_held_leaves_the_job_to_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
