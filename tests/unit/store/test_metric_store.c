/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/metric_store.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/store/job_store.h"

#define BACKUP REC__JOB_KIND__KIND_BACKUP
#define CHECK REC__JOB_KIND__KIND_CHECK
#define OK REC__JOB_STATE__JOB_SUCCEEDED
#define FAILED REC__JOB_STATE__JOB_FAILED

static struct metric_durations
durations(struct fixture *f, Rec__JobKind kind, Rec__JobState state)
{
	struct store_tx *tx = fixture_read(f);
	struct metric_durations d;

	metric_store_durations(tx, kind, state, &d);
	fixture_end(tx);
	return d;
}

/* M-357, M-361: the upper end belongs to its bucket. */
static void
each_bound_belongs_to_its_bucket(void **state)
{
	struct fixture *f = *state;
	struct metric_durations d;
	struct store_tx *tx;
	size_t i;

	for (i = 0; i < METRIC_BOUNDS; i++) {
		int64_t ms = metric_bounds_s[i] * 1000;

		tx = fixture_write(f);
		metric_store_observe(tx, BACKUP, OK, ms);
		metric_store_observe(tx, BACKUP, OK, ms + 1);
		metric_store_observe(tx, CHECK, FAILED, ms - 1);
		fixture_commit(tx);
		d = durations(f, BACKUP, OK);
		assert_int_equal(d.bucket[i], i == 0 ? 1 : 2);
		assert_int_equal(d.bucket[i + 1], 1);
		assert_int_equal(d.count, 2 * (i + 1));
		d = durations(f, CHECK, FAILED);
		assert_int_equal(d.bucket[i], 1);
	}
	tx = fixture_write(f);
	metric_store_observe(tx, CHECK, OK, -5);
	fixture_commit(tx);
	d = durations(f, CHECK, OK);
	assert_int_equal(d.bucket[0], 1);
	assert_int_equal(d.sum_ms, 0);
	assert_int_equal(durations(f, BACKUP, FAILED).count, 0);
}

static struct Rec__Job
job(const struct ulid *id, const struct ulid *host, Rec__JobState state)
{
	struct Rec__Job j = REC__JOB__INIT;

	j.id = id_bytes(id);
	j.host_id = id_bytes(host);
	j.kind = BACKUP;
	j.state = state;
	j.started_at_ms = 1000;
	j.finished_at_ms = job_state_final(state) ? 4500 : 0;
	return j;
}

static void
put(struct fixture *f, const struct Rec__Job *j)
{
	struct store_tx *tx = fixture_write(f);

	job_store_put(tx, j);
	fixture_commit(tx);
}

/* M-130, W-04: in the transaction that ends the job, once, and kept. */
static void
a_job_is_counted_once_when_it_ends(void **state)
{
	struct fixture *f = *state;
	struct ulid id = id_n(1, 1), other = id_n(1, 2), host = id_n(2, 1);
	struct Rec__Job j = job(&id, &host, REC__JOB_STATE__JOB_QUEUED);
	struct metric_durations d;
	struct store_tx *tx;

	put(f, &j);
	j = job(&id, &host, REC__JOB_STATE__JOB_RUNNING);
	put(f, &j);
	assert_int_equal(durations(f, BACKUP, OK).count, 0);
	/* A commit that does not come about counts nothing. */
	j = job(&id, &host, OK);
	tx = fixture_write(f);
	job_store_put(tx, &j);
	store_abort(tx);
	assert_int_equal(durations(f, BACKUP, OK).count, 0);
	put(f, &j);
	j.log_closed = true;
	put(f, &j);
	put(f, &j);
	fixture_reopen(f);
	d = durations(f, BACKUP, OK);
	assert_int_equal(d.count, 1);
	assert_int_equal(d.bucket[1], 1);
	assert_int_equal(d.sum_ms, 3500);
	/* One that ended before it was heard of, and never began. */
	j = job(&other, &host, FAILED);
	j.started_at_ms = 0;
	put(f, &j);
	d = durations(f, BACKUP, FAILED);
	assert_int_equal(d.bucket[0], 1);
	assert_int_equal(d.sum_ms, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(each_bound_belongs_to_its_bucket),
		store_test(a_job_is_counted_once_when_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
