/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Reports of snapshots and figures; what a disk and memory refuse. */
#include "tests/unit/controller/ingest_jobs.h"

static enum rc
send_snapshots(struct desk *d, uint64_t seq, const char *report, uint32_t n,
    bool last)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__SnapshotsPart part = WIRE__SNAPSHOTS_PART__INIT;
	Wire__Snapshot one = WIRE__SNAPSHOT__INIT, *p = &one;
	char id[65];

	memset(id, (int)('a' + n), 64);
	id[64] = '\0';
	one.id = id;
	one.time_ms = (int64_t)seq;
	part.report_id = text(report);
	part.n = n;
	part.last = last;
	part.snapshots = &p;
	part.n_snapshots = 1;
	ev.seq = seq;
	ev.at_ms = clock_now_ms();
	ev.body_case = WIRE__EVENT__BODY_SNAPSHOTS;
	ev.snapshots = &part;
	return desk_event(d, &ev);
}

static uint64_t
listed(struct desk *d)
{
	struct store_tx *tx = fixture_read(&d->f);
	uint64_t n = snap_store_count(tx, &d->host);

	store_abort(tx);
	return n;
}

/* M-449 */
static void
a_report_replaces_the_list_as_a_whole(void **state)
{
	struct desk *d = *state;

	hello(d, 1, NULL);
	assert_rc(send_snapshots(d, 1, "r1", 0, false), RC_OK);
	assert_rc(send_snapshots(d, 2, "r1", 1, false), RC_OK);
	desk_run_to(d, 2);
	assert_int_equal(listed(d), 0);
	assert_rc(send_snapshots(d, 3, "r1", 2, true), RC_OK);
	desk_run_to(d, 3);
	assert_int_equal(listed(d), 3);
	assert_int_equal(desk_host(d)->snapshot_count, 3);
	assert_true(desk_host(d)->snapshots_at_ms > 0);
	/* The beginning of the next one is lost: the list stays. */
	assert_rc(send_snapshots(d, 4, "r2", 1, true), RC_OK);
	desk_run_to(d, 4);
	assert_int_equal(listed(d), 3);
	assert_rc(send_snapshots(d, 5, "r3", 0, true), RC_OK);
	desk_run_to(d, 5);
	assert_int_equal(listed(d), 1);
}

/* M-450 */
static void
statistics_are_partial(void **state)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__RepoStats s = WIRE__REPO_STATS__INIT;
	struct desk *d = *state;

	hello(d, 1, NULL);
	ev.seq = 1;
	ev.body_case = WIRE__EVENT__BODY_REPO_STATS;
	ev.repo_stats = &s;
	s.total_size__case = WIRE__REPO_STATS__TOTAL_SIZE__TOTAL_SIZE_BYTES;
	s.total_size_bytes = 1000;
	s.snapshot_count__case =
	    WIRE__REPO_STATS__SNAPSHOT_COUNT__SNAPSHOT_COUNT;
	s.snapshot_count = 4;
	assert_rc(desk_event(d, &ev), RC_OK);
	wire__repo_stats__init(&s);
	s.raw_size__case = WIRE__REPO_STATS__RAW_SIZE__RAW_SIZE_BYTES;
	s.raw_size_bytes = 3000;
	ev.seq = 2;
	assert_rc(desk_event(d, &ev), RC_OK);
	desk_run_to(d, 2);
	assert_int_equal(desk_host(d)->repo_size_bytes, 1000);
	assert_int_equal(desk_host(d)->repo_raw_size_bytes, 3000);
	assert_int_equal(desk_host(d)->snapshot_count, 4);
}

/* M-452 */
static void
an_applied_configuration_is_noted(void **state)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__ConfigAck a = WIRE__CONFIG_ACK__INIT;
	struct desk *d = *state;

	hello(d, 1, NULL);
	a.version = 7;
	ev.seq = 1;
	ev.body_case = WIRE__EVENT__BODY_CONFIG_ACK;
	ev.config_ack = &a;
	assert_rc(desk_event(d, &ev), RC_OK);
	desk_run_to(d, 1);
	assert_int_equal(desk_host(d)->applied_config_version, 7);
}

static void
an_event_of_an_unknown_kind_is_counted_and_ignored(void **state)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	struct desk *d = *state;

	hello(d, 1, NULL);
	ev.seq = 1;
	assert_rc(desk_event(d, &ev), RC_OK);
	desk_run_to(d, 1);
}

/* ----------------------------------------------------------------- disk */

static void
nothing_is_acknowledged_that_is_not_on_disk(void **state)
{
	struct desk *d = *state;
	unsigned turns;
	const char *why;

	hello(d, 1, NULL);
	assert_int_equal(rmdir(d->spool), 0);
	assert_int_equal(close(open(d->spool, O_CREAT | O_WRONLY, 0600)), 0);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_lines(d, 2, JOB_A, 1, 2), RC_OK);
	for (turns = 0; turns < 3000; turns++) {
		if (ingest_unhealthy(d->c.ingest, &why))
			break;
		desk_run(d, 10, 0);
	}
	assert_int_equal(d->told.acked, 0);
	assert_null(desk_job(d, JOB_A));
	assert_true(ingest_unhealthy(d->c.ingest, &why));
	assert_true(why[0] != '\0');
	assert_int_equal(d->told.drops, 0);
	/* The disk is back: what waited is written, once. */
	assert_int_equal(unlink(d->spool), 0);
	assert_int_equal(mkdir(d->spool, 0700), 0);
	desk_run_to(d, 2);
	assert_int_equal(desk_job(d, JOB_A)->log_lines, 2);
	assert_false(ingest_unhealthy(d->c.ingest, &why));
}

static void
too_much_that_waits_is_refused(void **state)
{
	static char line[16000];
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__LogChunk c = WIRE__LOG_CHUNK__INIT;
	Wire__LogLine one = WIRE__LOG_LINE__INIT, *p[3] = { &one, &one, &one };
	struct desk *d = *state;
	enum rc rc = RC_OK;
	uint64_t seq;

	hello(d, 1, NULL);
	memset(line, 'x', sizeof(line));
	one.payload = bytes_of(line, sizeof(line));
	c.job_id = text(JOB_A);
	c.lines = p;
	c.n_lines = 3;
	ev.body_case = WIRE__EVENT__BODY_LOG;
	ev.log = &c;
	for (seq = 1; rc == RC_OK && seq < 200; seq++) {
		ev.seq = seq;
		c.first_line = 3 * seq - 2;
		rc = desk_event(d, &ev);
	}
	assert_rc(rc, RC_BUSY);
	assert_true(seq > 80);
	desk_run_to(d, seq - 2);
	ev.seq = seq - 1;
	c.first_line = 3 * (seq - 1) - 2;
	assert_rc(desk_event(d, &ev), RC_OK);
}

/* The smallest events cost what is kept with them. */
static void
many_small_events_are_refused_too(void **state)
{
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__ConfigAck ack = WIRE__CONFIG_ACK__INIT;
	struct desk *d = *state;
	enum rc rc = RC_OK;

	hello(d, 1, NULL);
	ev.body_case = WIRE__EVENT__BODY_CONFIG_ACK;
	ev.config_ack = &ack;
	while (rc == RC_OK && ev.seq < 200000) {
		ev.seq++;
		rc = desk_event(d, &ev);
	}
	assert_rc(rc, RC_BUSY);
	assert_true(ev.seq * sizeof(struct ingest_item) <= INGEST_HOST_MAX);
	desk_run_to(d, ev.seq - 1);
}

static void
an_event_too_large_is_refused(void **state)
{
	static char line[70000];
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__LogChunk c = WIRE__LOG_CHUNK__INIT;
	Wire__LogLine one = WIRE__LOG_LINE__INIT, *p = &one;
	struct desk *d = *state;

	hello(d, 1, NULL);
	one.payload = bytes_of(line, sizeof(line));
	c.job_id = text(JOB_A);
	c.first_line = 1;
	c.lines = &p;
	c.n_lines = 1;
	ev.seq = 1;
	ev.body_case = WIRE__EVENT__BODY_LOG;
	ev.log = &c;
	assert_rc(desk_event(d, &ev), RC_PROTO);
}

static void
progress_goes_with_its_job(void **state)
{
	Rec__LiveProgress p = REC__LIVE_PROGRESS__INIT;
	struct desk *d = *state;
	struct store_tx *tx;
	struct ulid u;

	start_job(d);
	assert_true(ulid_parse(STR(JOB_A), &u));
	tx = store_begin_write(d->f.live, NULL);
	live_put_progress(tx, &u, &p);
	fixture_commit(tx);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 2), RC_OK);
	desk_run_to(d, 3);
	arena_reset(&d->f.arena);
	tx = store_begin_read(d->f.live, &d->f.arena);
	assert_null(live_find_progress(tx, &u));
	store_abort(tx);
}

static void
a_closed_log_is_compressed(void **state)
{
	char path[JOBLOG_PATH_CAP];
	struct desk *d = *state;
	unsigned turns = 0;
	struct ulid u;

	start_job(d);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 2), RC_OK);
	desk_run_to(d, 3);
	assert_true(ulid_parse(STR(JOB_A), &u));
	while (ingest_packs(d->c.ingest, &u) && turns++ < 3000)
		desk_run(d, 10, 0);
	assert_rc(joblog_path(d->spool, &u, true, path, sizeof(path)), RC_OK);
	assert_int_equal(access(path, F_OK), 0);
	assert_rc(joblog_path(d->spool, &u, false, path, sizeof(path)), RC_OK);
	assert_int_not_equal(access(path, F_OK), 0);
}

static struct ulid
put_uncompressed(struct desk *d, struct store_tx *tx)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid id;
	struct err e;

	ulid_new(&id);
	assert_rc(joblog_append(d->spool, &id, 0, STR("a line\n"), &e), RC_OK);
	j.id = id_bytes(&id);
	j.host_id = id_bytes(&d->host);
	j.state = REC__JOB_STATE__JOB_SUCCEEDED;
	j.log_bytes = 7;
	j.log_closed = true;
	job_store_put(tx, &j);
	return id;
}

/* They waited for their turn when the controller was killed. */
static void
any_number_of_logs_is_compressed_after_a_start(void **state)
{
	struct desk *d = *state;
	struct store_tx *tx = store_begin_write(d->f.state, &d->f.arena);
	struct ulid first = put_uncompressed(d, tx);
	unsigned n;

	for (n = 0; n < 1500; n++)
		(void)put_uncompressed(d, tx);
	fixture_commit(tx);
	desk_close(d);
	desk_open(d);
	assert_true(ingest_packs(d->c.ingest, &first));
}

#define ON_DESK(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DESK(a_report_replaces_the_list_as_a_whole),
		ON_DESK(statistics_are_partial),
		ON_DESK(an_applied_configuration_is_noted),
		ON_DESK(an_event_of_an_unknown_kind_is_counted_and_ignored),
		ON_DESK(nothing_is_acknowledged_that_is_not_on_disk),
		ON_DESK(too_much_that_waits_is_refused),
		ON_DESK(many_small_events_are_refused_too),
		ON_DESK(an_event_too_large_is_refused),
		ON_DESK(progress_goes_with_its_job),
		ON_DESK(a_closed_log_is_compressed),
		ON_DESK(any_number_of_logs_is_compressed_after_a_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
