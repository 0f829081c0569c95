/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/log_store.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/store/job_store.h"

enum {
	JOBS = 450,
	A_TIME = 200
};

static void
put_job(struct store_tx *tx, uint32_t n, Rec__JobState state)
{
	struct ulid id = id_n(2, n), host = id_n(1, 1);
	struct Rec__Job j = REC__JOB__INIT;

	j.id = id_bytes(&id);
	j.host_id = id_bytes(&host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = state;
	j.log_closed = job_state_final(state);
	job_store_put(tx, &j);
}

static void
put_jobs(struct fixture *f, uint32_t from, uint32_t to)
{
	struct store_tx *tx = fixture_write(f);

	for (; from < to; from++)
		put_job(tx, from, REC__JOB_STATE__JOB_SUCCEEDED);
	fixture_commit(tx);
}

static size_t
expire(struct fixture *f, uint32_t before, size_t max)
{
	struct ulid id = id_n(2, before);
	struct store_tx *tx = fixture_write(f);
	size_t n = log_store_expire(tx, &id, max);

	fixture_commit(tx);
	return n;
}

struct seen {
	uint32_t expired, kept;
};

static bool
test_on_job(void *ctx, const struct Rec__Job *j)
{
	struct seen *s = ctx;

	if (j->log_expired)
		s->expired++;
	else
		s->kept++;
	return true;
}

static struct seen
look(struct fixture *f)
{
	struct store_tx *tx = fixture_read(f);
	struct seen s = { 0 };

	job_store_latest(tx, NULL, SIZE_MAX, test_on_job, &s);
	fixture_end(tx);
	return s;
}

static void
each_job_is_looked_at_once(void **state)
{
	struct fixture *f = *state;

	put_jobs(f, 0, JOBS);
	assert_int_equal(expire(f, 420, A_TIME), A_TIME);
	assert_int_equal(look(f).expired, 200);
	fixture_reopen(f); /* goes on where it was */
	assert_int_equal(expire(f, 420, A_TIME), A_TIME);
	assert_int_equal(expire(f, 420, A_TIME), 20);
	assert_int_equal(look(f).expired, 420);
	assert_int_equal(look(f).kept, JOBS - 420);
	fixture_reopen(f);
	assert_int_equal(expire(f, 420, A_TIME), 0);
	assert_int_equal(expire(f, 100, A_TIME), 0); /* back: nothing */
	assert_int_equal(expire(f, 421, A_TIME), 1);
	assert_int_equal(expire(f, 10000, A_TIME), JOBS - 421);
	assert_int_equal(look(f).kept, 0);
}

static void
nothing_to_do_is_no_change(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx;
	uint64_t before;

	put_jobs(f, 0, 5);
	assert_int_equal(expire(f, 5, A_TIME), 5);
	tx = fixture_read(f);
	before = store_txid(tx);
	fixture_end(tx);
	assert_int_equal(expire(f, 5, A_TIME), 0);
	tx = fixture_read(f);
	assert_int_equal(store_txid(tx), before);
	fixture_end(tx);
}

static void
a_log_closed_behind_the_mark_is_found_later(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);

	put_job(tx, 3, REC__JOB_STATE__JOB_RUNNING);
	put_job(tx, 4, REC__JOB_STATE__JOB_SUCCEEDED);
	fixture_commit(tx);
	assert_int_equal(expire(f, 10, A_TIME), 2);
	assert_int_equal(look(f).expired, 1);
	assert_int_equal(look(f).kept, 1); /* it runs */

	tx = fixture_write(f);
	put_job(tx, 3, REC__JOB_STATE__JOB_FAILED);
	/* Told late, by an agent that was away. */
	put_job(tx, 1, REC__JOB_STATE__JOB_SUCCEEDED);
	put_job(tx, 12, REC__JOB_STATE__JOB_SUCCEEDED);
	fixture_commit(tx);
	fixture_reopen(f);
	assert_int_equal(expire(f, 10, A_TIME), 2);
	assert_int_equal(look(f).expired, 3);
	assert_int_equal(expire(f, 10, A_TIME), 0);
}

static void
a_job_that_was_deleted_is_not_looked_for(void **state)
{
	struct fixture *f = *state;
	struct ulid id = id_n(2, 1);
	struct store_tx *tx;

	assert_int_equal(expire(f, 10, A_TIME), 0);
	put_jobs(f, 1, 3); /* both behind the mark */
	tx = fixture_write(f);
	job_store_del(tx, &id);
	fixture_commit(tx);
	assert_int_equal(expire(f, 10, A_TIME), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(each_job_is_looked_at_once),
		store_test(nothing_to_do_is_no_change),
		store_test(a_log_closed_behind_the_mark_is_found_later),
		store_test(a_job_that_was_deleted_is_not_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
