/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/ingest_help.h"

#include <fcntl.h>

#include "controller/ingest_own.h"
#include "lib/store/live.h"
#include "lib/store/plan_store.h"
#include "lib/store/snap_store.h"

#define JOB_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define JOB_B "01HZZZZZZZZZZZZZZZZZZZZZZB"

static const struct ulid group = { { 9, 9, 9 } };

/* A job as the controller queues it. */
static void
put_job(struct desk *d, const char *id, const struct ulid *host,
    Rec__JobKind kind, bool accepted)
{
	struct store_tx *tx = fixture_write(&d->f);
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j.id = id_bytes(&u);
	j.host_id = id_bytes(host);
	j.group_id = id_bytes(&group);
	j.group_name = text("default");
	j.kind = kind;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.created_at_ms = j.sent_at_ms = 1;
	j.accepted_at_ms = accepted ? 1 : 0;
	job_store_put(tx, &j);
	fixture_commit(tx);
}

static void
put_group(struct desk *d)
{
	struct store_tx *tx = fixture_write(&d->f);
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;

	g.id = id_bytes(&group);
	g.host_id = id_bytes(&d->host);
	g.name = text("default");
	plan_store_put(tx, &g);
	fixture_commit(tx);
}

static void
hello(struct desk *d, uint64_t next, const char *running)
{
	uint64_t resume = 0;

	assert_rc(desk_hello(d, 1, next, running, &resume), RC_OK);
	assert_int_equal(resume, d->told.acked + 1);
}

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

/* -------------------------------------------------------------- reports */

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

/* ------------------------------------------------------------- lost jobs */

static void
start_job(struct desk *d)
{
	hello(d, 1, NULL);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_lines(d, 2, JOB_A, 1, 2), RC_OK);
	desk_run_to(d, 2);
}

static void
a_job_the_agent_does_not_have_is_lost(void **state)
{
	const struct Rec__Job *j;
	struct desk *d = *state;
	struct buf b;

	start_job(d);
	hello(d, 3, NULL);
	desk_run(d, 300, 0);
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
	desk_run(d, 300, 0);
	assert_int_equal(desk_job(d, JOB_A)->state, REC__JOB_STATE__JOB_FAILED);
	assert_string_equal(desk_job(d, JOB_A)->cause, "lost");
}

static void
a_job_the_agent_runs_is_not_lost(void **state)
{
	struct desk *d = *state;

	start_job(d);
	hello(d, 3, JOB_A);
	desk_run(d, 200, 0);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_RUNNING);
}

static void
a_job_whose_end_is_still_queued_is_not_lost(void **state)
{
	struct desk *d = *state;

	start_job(d);
	hello(d, 4, NULL); /* event 3 is its end */
	desk_run(d, 200, 0);
	assert_int_equal(desk_job(d, JOB_A)->state,
	    REC__JOB_STATE__JOB_RUNNING);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 2), RC_OK);
	desk_run_to(d, 3);
	desk_run(d, 200, 0);
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
	desk_run(d, 200, 0);
	assert_int_equal(desk_job(d, JOB_B)->state,
	    REC__JOB_STATE__JOB_RUNNING);
}

static void
a_queued_job_that_was_never_accepted_stays_queued(void **state)
{
	struct desk *d = *state;

	put_job(d, JOB_A, &d->host, REC__JOB_KIND__KIND_BACKUP, false);
	hello(d, 1, NULL);
	desk_run(d, 200, 0);
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
	desk_run(d, 300, 0);
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
	assert_rc(desk_hello(d, 10, 12, JOB_A, &resume), RC_OK);
	assert_int_equal(resume, 10);
	assert_rc(desk_lines(d, 10, JOB_A, 30, 1), RC_OK);
	desk_run_to(d, 10);
	assert_int_equal(desk_job(d, JOB_A)->log_lines, 30);
}

/* ----------------------------------------------------------------- disk */

static void
nothing_is_acknowledged_that_is_not_on_disk(void **state)
{
	struct desk *d = *state;
	const char *why;

	hello(d, 1, NULL);
	assert_int_equal(rmdir(d->spool), 0);
	assert_int_equal(close(open(d->spool, O_CREAT | O_WRONLY, 0600)), 0);
	assert_rc(desk_started(d, 1, JOB_A), RC_OK);
	assert_rc(desk_lines(d, 2, JOB_A, 1, 2), RC_OK);
	desk_run(d, 300, 0);
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
	desk_run(d, 5000, seq - 2);
	assert_int_equal(d->told.acked, seq - 2);
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
	struct ulid u;

	start_job(d);
	assert_rc(desk_finished(d, 3, JOB_A, "succeeded", 2), RC_OK);
	desk_run_to(d, 3);
	desk_run(d, 500, 0);
	assert_true(ulid_parse(STR(JOB_A), &u));
	assert_rc(joblog_path(d->spool, &u, true, path, sizeof(path)), RC_OK);
	assert_int_equal(access(path, F_OK), 0);
	assert_rc(joblog_path(d->spool, &u, false, path, sizeof(path)), RC_OK);
	assert_int_not_equal(access(path, F_OK), 0);
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
		ON_DESK(a_report_replaces_the_list_as_a_whole),
		ON_DESK(statistics_are_partial),
		ON_DESK(an_applied_configuration_is_noted),
		ON_DESK(an_event_of_an_unknown_kind_is_counted_and_ignored),
		ON_DESK(a_job_the_agent_does_not_have_is_lost),
		ON_DESK(a_lost_job_is_found_behind_many_others),
		ON_DESK(a_job_the_agent_runs_is_not_lost),
		ON_DESK(a_job_whose_end_is_still_queued_is_not_lost),
		ON_DESK(a_job_accepted_after_the_hello_is_not_lost),
		ON_DESK(a_queued_job_that_was_never_accepted_stays_queued),
		ON_DESK(a_new_epoch_starts_at_one_and_ends_what_ran),
		ON_DESK(what_neither_side_has_is_not_asked_for),
		ON_DESK(nothing_is_acknowledged_that_is_not_on_disk),
		ON_DESK(too_much_that_waits_is_refused),
		ON_DESK(many_small_events_are_refused_too),
		ON_DESK(an_event_too_large_is_refused),
		ON_DESK(progress_goes_with_its_job),
		ON_DESK(a_closed_log_is_compressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
