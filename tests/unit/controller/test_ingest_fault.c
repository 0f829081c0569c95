/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/ingest_help.h"

#include "controller/ingest_own.h"
#include "lib/store/gone_store.h"
#include "lib/store/host_store.h"

/* Faults of the disk that stop one host's log, and must not stop the rest. */

#define JOB_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define JOB_B "01HZZZZZZZZZZZZZZZZZZZZZZB"
#define JOB_C "01HZZZZZZZZZZZZZZZZZZZZZZC"

/* A directory stands where the log of the job would be made. */
static void
block_log(struct desk *d, const char *job, char *path, size_t cap)
{
	struct ulid id;
	char *slash;

	assert_true(ulid_parse(str_of(job), &id));
	assert_rc(joblog_path(d->spool, &id, false, path, cap), RC_OK);
	for (slash = path + strlen(d->spool) + 1;
	     (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	assert_int_equal(mkdir(path, 0700), 0);
}

/* Speaks as another host from here on. */
static void
become(struct desk *d, const struct ulid *host, uint64_t acked)
{
	d->host = *host;
	d->told.acked = acked;
}

static void
send_log(struct desk *d, const char *job)
{
	uint64_t resume = 0;

	assert_rc(desk_hello(d, 1, 1, job, &resume), RC_OK);
	assert_rc(desk_started(d, 1, job), RC_OK);
	assert_rc(desk_lines(d, 2, job, 1, 3), RC_OK);
	assert_rc(desk_finished(d, 3, job, "succeeded", 3), RC_OK);
}

/* What one host cannot have written is taken again later, whole and once;
 * meanwhile the other's is acknowledged. */
static void
a_log_that_cannot_be_opened_holds_up_its_host_alone(void **state)
{
	struct desk *d = *state;
	const struct ulid first = d->host;
	struct ulid second;
	char path[JOBLOG_PATH_CAP];
	struct buf log;

	fixture_host(&d->f, "web-2", &second);
	block_log(d, JOB_A, path, sizeof(path));
	send_log(d, JOB_A);
	become(d, &second, 0);
	send_log(d, JOB_B);
	desk_run_to(d, 3);
	assert_null(desk_job(d, JOB_A));
	assert_int_equal(desk_job(d, JOB_B)->state,
	    REC__JOB_STATE__JOB_SUCCEEDED);
	assert_int_equal(d->told.drops, 0);

	assert_int_equal(rmdir(path), 0);
	become(d, &first, 0);
	desk_run_to(d, 3);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_SUCCEEDED);
	buf_init(&log, KIB(16));
	desk_log(d, JOB_A, &log);
	buf_putc(&log, 0);
	assert_non_null(strstr(buf_str(&log).p,
	    "out line 1\nout line 2\nout line 3\nsys end "));
	buf_fini(&log);
}

/* Runs until the host at hand is held. */
static void
wait_held(struct desk *d)
{
	unsigned turns = 0;

	while (list_empty(&d->c.ingest->held) && turns++ < 3000)
		desk_run(d, 10, 0);
	assert_false(list_empty(&d->c.ingest->held));
}

/* Twenty batches, and how long they took. */
static int64_t
twenty_batches(struct desk *d, const char *job)
{
	int64_t began = clock_mono_ms();
	unsigned k;

	send_log(d, job);
	desk_run_to(d, 3);
	for (k = 4; k < 24; k++) {
		assert_rc(desk_lines(d, k, job, 4, 1), RC_OK);
		desk_run_to(d, k);
	}
	return clock_mono_ms() - began;
}

/* The one that fails does not make the others wait a second each time. */
static void
others_do_not_wait_for_its_next_try(void **state)
{
	struct desk *d = *state;
	const struct ulid first = d->host;
	struct ulid second, third;
	char path[JOBLOG_PATH_CAP];
	int64_t calm;

	fixture_host(&d->f, "web-2", &second);
	fixture_host(&d->f, "web-3", &third);
	become(d, &second, 0);
	calm = twenty_batches(d, JOB_B);
	become(d, &first, 0);
	block_log(d, JOB_A, path, sizeof(path));
	send_log(d, JOB_A);
	wait_held(d);
	become(d, &third, 0);
	assert_true(twenty_batches(d, JOB_C) < 9000 + 3 * calm);
}

/* What it sent and cannot be written is nobody's: its sweep waits for the
 * inlet to be idle. */
static void
a_deleted_host_is_not_held_for_ever(void **state)
{
	struct desk *d = *state;
	struct store_tx *tx = fixture_write(&d->f);
	char path[JOBLOG_PATH_CAP];

	block_log(d, JOB_A, path, sizeof(path));
	send_log(d, JOB_A);
	gone_store_begin(tx, host_store_get(tx, &d->host), "admin",
	    clock_now_ms());
	fixture_commit(tx);
	wait_held(d);
	assert_false(ingest_idle(d->c.ingest, &d->host));
	ingest_forget(d->c.ingest, &d->host);
	assert_true(ingest_idle(d->c.ingest, &d->host));
	desk_run(d, 1200, 0); /* past the next try */
	assert_true(ingest_idle(d->c.ingest, &d->host));
}

/* The same while its part is being written. */
static void
a_host_deleted_within_a_batch_is_idle_after_it(void **state)
{
	struct desk *d = *state;
	char path[JOBLOG_PATH_CAP];

	block_log(d, JOB_A, path, sizeof(path));
	send_log(d, JOB_A);
	assert_rc(desk_lines(d, 4, JOB_B, 1, 3), RC_OK);
	ingest_forget(d->c.ingest, &d->host);
	assert_false(ingest_idle(d->c.ingest, &d->host));
	desk_settle(d);
	assert_int_equal(d->told.acked, 0);
}

static void
forget_host(struct desk *d, const struct ulid *host)
{
	struct store_tx *tx = fixture_write(&d->f);
	struct Rec__Host *h = host_store_get(tx, host);

	assert_non_null(h);
	host_store_del(tx, h);
	fixture_commit(tx);
}

/* All of a batch is one change; the host it fails for does not cost the
 * others theirs. */
static void
a_host_that_is_gone_spoils_nobodys_batch(void **state)
{
	struct desk *d = *state;
	const struct ulid first = d->host;
	struct ulid second, third;

	fixture_host(&d->f, "web-2", &second);
	fixture_host(&d->f, "web-3", &third);
	send_log(d, JOB_A); /* the batch under way */
	become(d, &second, 0);
	send_log(d, JOB_B);
	become(d, &third, 0);
	send_log(d, JOB_C);
	forget_host(d, &second);
	while (ingest_committed(d->c.ingest, &third) < 3 ||
	       ingest_committed(d->c.ingest, &first) < 3 || d->told.drops == 0)
		desk_run(d, 20, 0);
	assert_int_equal(ingest_committed(d->c.ingest, &first), 3);
	assert_int_equal(ingest_committed(d->c.ingest, &second), 0);
	assert_int_equal(d->told.drops, 1);
	assert_rc(d->told.drop_rc, RC_NOTFOUND);
	assert_null(desk_job(d, JOB_B));
	assert_int_equal(desk_job(d, JOB_C)->state,
	    REC__JOB_STATE__JOB_SUCCEEDED);
}

/* Lines alone do not look at the host's record, but it must be there. */
static void
lines_of_a_host_that_is_gone_are_refused(void **state)
{
	struct desk *d = *state;
	uint64_t resume = 0;

	assert_rc(desk_hello(d, 1, 1, NULL, &resume), RC_OK);
	forget_host(d, &d->host);
	assert_rc(desk_lines(d, 1, JOB_A, 1, 3), RC_OK);
	while (d->told.drops == 0)
		desk_run(d, 20, 0);
	assert_int_equal(d->told.acked, 0);
	assert_rc(d->told.drop_rc, RC_NOTFOUND);
	assert_null(desk_job(d, JOB_A));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_log_that_cannot_be_opened_holds_up_its_host_alone,
		    desk_setup, desk_teardown),
		cmocka_unit_test_setup_teardown(
		    others_do_not_wait_for_its_next_try, desk_setup,
		    desk_teardown),
		cmocka_unit_test_setup_teardown(
		    a_deleted_host_is_not_held_for_ever, desk_setup,
		    desk_teardown),
		cmocka_unit_test_setup_teardown(
		    a_host_deleted_within_a_batch_is_idle_after_it, desk_setup,
		    desk_teardown),
		cmocka_unit_test_setup_teardown(
		    a_host_that_is_gone_spoils_nobodys_batch, desk_setup,
		    desk_teardown),
		cmocka_unit_test_setup_teardown(
		    lines_of_a_host_that_is_gone_are_refused, desk_setup,
		    desk_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
