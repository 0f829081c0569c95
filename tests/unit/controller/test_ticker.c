/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/store/store_fixture.h"

#include "controller/controller.h"
#include "controller/op.h"
#include "controller/ticker.h"
#include "lib/base/clock.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "spool/joblog.h"

enum {
	OLD_JOBS = 450 /* more than one op marks */
};

struct bench {
	struct fixture f;
	struct controller c;
	char spool[300];
	struct loop_timer *watch;
	struct ulid oldest, newest_old, recent;
	unsigned left; /* polls until we give up */
};

static const int64_t day_ms = 86400000;

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);
	struct err e;

	fixture_init(&b->f);
	assert_true(str_fmt(b->spool, sizeof(b->spool), "%s/spool", b->f.dir));
	b->c.state = b->f.state;
	b->c.vault = b->f.vault;
	b->c.live = b->f.live;
	b->c.settings.spool_dir = b->spool;
	b->c.settings.log_retention_days = 90;
	b->c.settings.log_max_bytes = (int64_t)1 << 40;
	assert_rc(loop_new(&b->c.loop, &e), RC_OK);
	assert_rc(op_queue_new(b->c.loop, b->c.state, b->c.vault, &b->c.ops,
	              &e),
	    RC_OK);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	op_queue_free(b->c.ops);
	ticker_free(b->c.ticker);
	loop_timer_free(b->watch);
	loop_free(b->c.loop);
	fixture_fini(&b->f);
	mem_free(b);
	return 0;
}

/* An ended job of that age; its log, if it has one, is compressed. */
static struct ulid
put_old_job(struct bench *b, struct store_tx *tx, int64_t age_ms, uint32_t n,
    bool with_log)
{
	static const struct ulid host = { { 7 } };
	struct Rec__Job j = REC__JOB__INIT;
	int64_t at = clock_now_ms() - age_ms;
	struct ulid id = { { 0 } };
	struct err e;
	unsigned i;

	for (i = 0; i < 6; i++)
		id.b[i] = (uint8_t)((uint64_t)at >> (40 - 8 * i));
	id.b[14] = (uint8_t)(n >> 8);
	id.b[15] = (uint8_t)n;
	if (with_log) {
		assert_rc(joblog_append(b->spool, &id, 0, STR("a line\n"), &e),
		    RC_OK);
		assert_rc(joblog_compress(b->spool, &id, 7, &e), RC_OK);
	}
	j.id = id_bytes(&id);
	j.host_id = id_bytes(&host);
	j.state = REC__JOB_STATE__JOB_SUCCEEDED;
	j.created_at_ms = at;
	j.log_bytes = 7;
	j.log_closed = true;
	job_store_put(tx, &j);
	return id;
}

static bool
is_expired(struct bench *b, const struct ulid *id)
{
	struct store_tx *tx = store_begin_read(b->c.state, &b->f.arena);
	const struct Rec__Job *j = job_store_get(tx, id);
	bool expired = j != NULL && j->log_expired;

	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
	arena_reset(&b->f.arena);
	return expired;
}

static bool
log_exists(struct bench *b, const struct ulid *id)
{
	char path[JOBLOG_PATH_CAP];

	assert_rc(joblog_path(b->spool, id, true, path, sizeof(path)), RC_OK);
	return access(path, F_OK) == 0;
}

static void
watch(void *ctx)
{
	struct bench *b = ctx;

	if (--b->left == 0 ||
	    (is_expired(b, &b->oldest) && is_expired(b, &b->newest_old)))
		loop_stop(b->c.loop);
}

static void
retention_removes_logs_and_marks_their_jobs(void **state)
{
	struct bench *b = *state;
	struct store_tx *tx = store_begin_write(b->c.state, &b->f.arena);
	struct err e;
	unsigned i;

	for (i = 0; i < OLD_JOBS; i++) {
		struct ulid id = put_old_job(b, tx,
		    (100 + (int64_t)(OLD_JOBS - i) / 24) * day_ms, i,
		    i == 0 || i == OLD_JOBS - 1);

		if (i == 0)
			b->oldest = id;
		b->newest_old = id;
	}
	b->recent = put_old_job(b, tx, 2 * day_ms, 1, true);
	assert_rc(store_commit(tx, &e), RC_OK);

	b->c.ticker = ticker_new(&b->c);
	b->left = 500;
	b->watch = loop_timer_new(b->c.loop, watch, b);
	loop_timer_start(b->watch, 20, 20);
	ticker_retain(b->c.ticker);
	ticker_retain(b->c.ticker); /* while one runs: nothing */
	loop_run(b->c.loop);

	assert_true(is_expired(b, &b->oldest));
	assert_true(is_expired(b, &b->newest_old));
	assert_false(log_exists(b, &b->oldest));
	assert_false(log_exists(b, &b->newest_old));
	assert_false(is_expired(b, &b->recent));
	assert_true(log_exists(b, &b->recent));
}

static void
a_ticker_may_go_while_the_pool_works_for_it(void **state)
{
	struct bench *b = *state;

	b->c.ticker = ticker_new(&b->c);
	ticker_retain(b->c.ticker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    retention_removes_logs_and_marks_their_jobs, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_ticker_may_go_while_the_pool_works_for_it, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
