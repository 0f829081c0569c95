/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Who goes into which batch: log lines wait for each other, changes do not
 * wait for them. */
#include "tests/unit/controller/ingest_help.h"

#include "controller/ingest_own.h"

#define JOB_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define JOB_B "01HZZZZZZZZZZZZZZZZZZZZZZB"

enum {
	HOUR_MS = 3600000,
	MANY = 70 /* more than are told in two turns of the loop */
};

/* The next time of log lines is not in this test. */
static void
lines_wait(struct desk *d)
{
	d->c.ingest->lines_ms = clock_mono_ms() + HOUR_MS;
}

static void
hello(struct desk *d)
{
	uint64_t resume;

	assert_rc(desk_hello(d, 1, 1, NULL, &resume), RC_OK);
}

static void
lines_wait_for_others_and_changes_do_not(void **state)
{
	struct desk *d = *state;
	const struct ulid first = d->host;
	struct ulid second;

	fixture_host(&d->f, "web-2", &second);
	lines_wait(d);
	hello(d);
	assert_rc(desk_lines(d, 1, JOB_A, 1, 2), RC_OK);
	d->host = second;
	hello(d);
	assert_rc(desk_started(d, 1, JOB_B), RC_OK);
	desk_run_to(d, 1);
	assert_int_equal(ingest_committed(d->c.ingest, &second), 1);
	assert_int_equal(ingest_committed(d->c.ingest, &first), 0);
	/* A change of its own takes them along, in order. */
	d->host = first;
	assert_rc(desk_finished(d, 2, JOB_A, "succeeded", 2), RC_OK);
	desk_run_to(d, 2);
	assert_int_equal(desk_job(d, JOB_A)->log_lines, 2);
	assert_false(desk_job(d, JOB_A)->log_truncated);
}

/* The agent must not come to a stop for it. */
static void
much_of_one_host_does_not_wait(void **state)
{
	struct desk *d = *state;
	uint64_t seq = 0;

	lines_wait(d);
	hello(d);
	while (d->c.ingest->batch == NULL && seq < 1000) {
		assert_rc(desk_lines(d, seq + 1, JOB_A, 64 * seq + 1, 64),
		    RC_OK);
		seq++;
	}
	assert_true(seq > 10 && seq < 500);
	desk_run_to(d, seq);
}

static void
lines_come_when_it_is_their_time(void **state)
{
	struct desk *d = *state;
	struct op_stats before, after;
	uint64_t seq;

	hello(d);
	op_queue_stats(d->c.ops, &before);
	for (seq = 1; seq <= 30; seq++) {
		assert_rc(desk_lines(d, seq, JOB_A, seq, 1), RC_OK);
		desk_run(d, 3, 0);
	}
	desk_run_to(d, 30);
	op_queue_stats(d->c.ops, &after);
	assert_int_equal(desk_job(d, JOB_A)->log_lines, 30);
	assert_true(after.commits - before.commits < 20);
}

static void
every_host_of_a_large_batch_is_told(void **state)
{
	struct desk *d = *state;
	struct ulid hosts[MANY], id;
	char name[32], job[ULID_TEXT_CAP];
	unsigned k;

	lines_wait(d);
	for (k = 0; k < MANY; k++) {
		assert_true(str_fmt(name, sizeof(name), "many-%u", k));
		fixture_host(&d->f, name, &hosts[k]);
		d->host = hosts[k];
		hello(d);
		ulid_new(&id);
		ulid_text(&id, job);
		assert_rc(desk_lines(d, 1, job, 1, 1), RC_OK);
	}
	d->c.ingest->lines_ms = 0;
	ingest_kick(d->c.ingest);
	while (d->c.ingest->batch != NULL)
		desk_run(d, 5, 0);
	for (k = 0; k < MANY; k++)
		assert_int_equal(ingest_committed(d->c.ingest, &hosts[k]), 1);
	assert_int_equal(d->told.grown, MANY);
}

/* The teardown ends it. */
static void
the_end_may_come_with_lines_still_waiting(void **state)
{
	every_host_of_a_large_batch_is_told(state);
	assert_rc(desk_lines(*state, 2, JOB_B, 1, 1), RC_OK);
}

#define ON_DESK(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DESK(lines_wait_for_others_and_changes_do_not),
		ON_DESK(much_of_one_host_does_not_wait),
		ON_DESK(lines_come_when_it_is_their_time),
		ON_DESK(every_host_of_a_large_batch_is_told),
		ON_DESK(the_end_may_come_with_lines_still_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
