/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/read_file.h"
#include "tests/unit/store/store_fixture.h"

#include "controller/metrics_own.h"
#include "controller/op.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "lib/store/metric_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/upkeep_store.h"

#define GOLDEN "tests/data/metrics/golden.txt"

enum {
	JOBS = 300
};

static struct Rec__Job
job_of(const struct ulid *id, const struct ulid *host)
{
	struct Rec__Job j = REC__JOB__INIT;

	j.id = id_bytes(id);
	j.host_id = id_bytes(host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_RUNNING;
	j.started_at_ms = 1000;
	return j;
}

static void
put_upkeep(struct store_tx *tx, const struct ulid *host)
{
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep check = REC__UPKEEP__INIT, prune = REC__UPKEEP__INIT;

	check.enabled = prune.enabled = true;
	check.last_success_at_ms = 1795132700250;
	prune.waiting = text("no_admin");
	m.host_id = id_bytes(host);
	m.check = &check;
	m.prune = &prune;
	upkeep_store_put(tx, &m);
}

/* A host with everything, and one that was only just enrolled. */
static void
fill(struct fixture *f)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct ulid id = id_n(1, 1), other = id_n(1, 2), job = id_n(3, 1);
	struct Rec__Job j = job_of(&job, &id);
	struct store_tx *tx = fixture_write(f);
	uint8_t repo[REPO_ID_SIZE];
	struct Rec__Repo *r;

	h.id = id_bytes(&id);
	h.name = text("db \"one\"\\ c:\n");
	h.online = true;
	h.last_backup_at_ms = 1795132800500;
	h.last_backup_state = REC__JOB_STATE__JOB_FAILED;
	h.repo_size_bytes = 123456789012;
	h.snapshot_count = 42;
	h.repo_status = REC__REPO_STATUS__REPO_READY;
	h.locks_at_ms = 1795132800000;
	h.lock_count = 2;
	memset(repo, 9, sizeof(repo));
	repo_store_link(tx, &h, repo);
	host_store_put(tx, &h);
	r = repo_store_find(tx, repo);
	r->last_prune_at_ms = 1795132600000;
	repo_store_put(tx, r);
	put_upkeep(tx, &id);
	put_host(tx, &other, "web-1");
	job_store_put(tx, &j);
	metric_store_observe(tx, REC__JOB_KIND__KIND_BACKUP,
	    REC__JOB_STATE__JOB_SUCCEEDED, 1500);
	metric_store_observe(tx, REC__JOB_KIND__KIND_BACKUP,
	    REC__JOB_STATE__JOB_SUCCEEDED, 90000000);
	metric_store_observe(tx, REC__JOB_KIND__KIND_CHECK,
	    REC__JOB_STATE__JOB_CANCELLED, 0);
	fixture_commit(tx);
}

static struct metrics_now
figures(void)
{
	struct metrics_now n = { .spool_bytes = 4096,
		.loop_longest_us = 1500,
		.loop_store_us = 300,
		.pages_waiting = 2,
		.pages_ready = true,
		.healthy = true };

	n.ops.queued = 3;
	n.ops.commits = 10;
	n.ops.ops = 12;
	n.ops.failed = 1;
	latency_add(&n.ops.commit, 500);
	latency_add(&n.ops.commit, 501);
	latency_add(&n.ops.commit, 9000000);
	n.ingest.events = 7;
	n.ingest.lines = 1000;
	n.ingest.log_bytes = 200000;
	n.ingest.waiting_bytes = 64;
	n.agents.sessions = 5;
	n.agents.polls = 1;
	n.sse.pages = 2;
	n.net.open = 9;
	n.net.accepted = 20;
	n.net.refused_address = 4;
	n.net.tls_done = 18;
	n.net.tls_failed = 2;
	n.abuse[OFFENCE_RESETS] = 6;
	return n;
}

static void
write_all(struct fixture *f, struct buf *b)
{
	const struct metrics_now n = figures();
	struct store_tx *state = fixture_read(f);
	struct store_tx *vault = store_begin_read(f->vault, &f->arena);

	metrics_write_store(b, state, vault);
	fixture_end(vault);
	fixture_end(state);
	metrics_write_now(b, &n);
	assert_rc(buf_rc(b), RC_OK);
}

/* M-349 to M-358, M-361: names, labels, escaping, order, byte for byte; the
 * build's own labels aside. */
static void
what_is_rendered_is_what_is_written_down(void **state)
{
	struct fixture *f = *state;
	struct buf got, want;
	struct str a, b, x, y;

	fill(f);
	buf_init(&got, MIB(1));
	write_all(f, &got);
	if (getenv("RM_WRITE_GOLDEN") != NULL) {
		FILE *file = fopen(GOLDEN, "w");

		assert_non_null(file);
		assert_true(fputs(buf_text(&got), file) >= 0);
		assert_int_equal(fclose(file), 0);
	}
	read_file(GOLDEN, &want);
	a = buf_str(&got);
	b = buf_str(&want);
	while (str_next(&b, '\n', &y)) {
		assert_true(str_next(&a, '\n', &x));
		if (str_starts(y, STR("rm_build_info{")))
			assert_true(
			    str_starts(x, STR("rm_build_info{version=\"")));
		else if (!str_eq(x, y))
			fail_msg("%.*s is not %.*s", STR_ARG(x), STR_ARG(y));
	}
	assert_int_equal(a.n, 0);
	buf_fini(&want);
	buf_fini(&got);
}

static unsigned
times(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

/* Each row of the table is told once, by the text and by the document. */
static void
every_metric_is_told_and_documented(void **state)
{
	struct fixture *f = *state;
	struct buf all, doc;
	char line[512];
	unsigned m;

	fill(f);
	buf_init(&all, MIB(1));
	write_all(f, &all);
	metrics_write_sizes(&all, f->state, f->vault, f->live);
	metrics_write_process(&all);
	read_file("docs/metrics.md", &doc);
	for (m = 0; m < METRICS_COUNT; m++) {
		const struct metric_info *i = metric_info((enum metric)m);

		assert_true(str_fmt(line, sizeof(line), "# TYPE %s %s\n",
		    i->name, i->type));
		if (times(buf_text(&all), line) != 1)
			fail_msg("%s is not told once", i->name);
		assert_true(
		    str_fmt(line, sizeof(line), "| `%s` | %s | %s | %s |\n",
		        i->name, i->type, i->labels, i->help));
		if (times(buf_text(&doc), line) != 1)
			fail_msg("docs/metrics.md lacks: %s", line);
	}
	assert_int_equal(times(buf_text(&all), "# TYPE "), METRICS_COUNT);
	assert_int_equal(times(buf_text(&doc), "| `rm_") +
	                     times(buf_text(&doc), "| `process_"),
	    METRICS_COUNT);
	buf_fini(&doc);
	buf_fini(&all);
}

/* ------------------------------------------------------------- concurrency */

struct race {
	struct fixture *f;
	struct loop *loop;
	struct op_queue *q;
	unsigned done;
	uint64_t last;
};

static enum rc
end_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct ulid *id = op->in;
	struct ulid host = id_n(1, 1);
	struct Rec__Job j = job_of(id, &host);

	(void)vault;
	j.state = REC__JOB_STATE__JOB_FAILED;
	j.finished_at_ms = j.started_at_ms + 2000;
	job_store_put(state, &j);
	return store_rc(state);
}

/* The number behind a series' name. */
static uint64_t
value_of(const struct buf *b, const char *series)
{
	const char *at = strstr(buf_text(b), series);

	assert_non_null(at);
	return strtoull(at + strlen(series), NULL, 10);
}

/* While the store thread goes on: never less than before, and the same by
 * buckets and by count. */
static void
metrics_on_ended(struct op *op, void *ctx)
{
	struct race *r = ctx;
	uint64_t count;
	struct buf b;

	assert_rc(op->err.rc, RC_OK);
	buf_init(&b, MIB(1));
	write_all(r->f, &b);
	count = value_of(&b, "rm_job_duration_seconds_count{kind=\"backup\","
	                     "status=\"failed\"} ");
	assert_int_equal(count,
	    value_of(&b, "rm_job_duration_seconds_bucket{kind=\"backup\","
	                 "status=\"failed\",le=\"+Inf\"} "));
	assert_true(count >= r->last && count > r->done);
	r->last = count;
	buf_fini(&b);
	if (++r->done == JOBS)
		loop_stop(r->loop);
}

/* M-361 */
static void
jobs_that_end_at_once_are_all_counted(void **state)
{
	struct race r = { .f = *state };
	struct ulid ids[JOBS];
	struct err e;
	struct op *op;
	unsigned i;

	log_open(STDERR_FILENO, LOG_ERROR);
	assert_rc(loop_new(&r.loop, &e), RC_OK);
	assert_rc(op_queue_new(r.loop, r.f->state, r.f->vault, &r.q, &e),
	    RC_OK);
	for (i = 0; i < JOBS; i++) {
		ids[i] = id_n(9, i);
		op = op_new(end_op, metrics_on_ended, &r);
		op->in = &ids[i];
		op_submit(r.q, &op);
	}
	loop_run(r.loop);
	op_queue_free(r.q);
	loop_free(r.loop);
	assert_int_equal(r.last, JOBS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(what_is_rendered_is_what_is_written_down),
		store_test(every_metric_is_told_and_documented),
		store_test(jobs_that_end_at_once_are_all_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
