/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/edge_fixture.h"

#include "lib/base/fsio.h"
#include "lib/store/job_store.h"
#include "spool/joblog.h"

#define JOB "01HZZZZZZZZZZZZZZZZZZZZZZA"

/* Chunked to its end, or an answer with a length. */
static bool
all_there(struct edge *e)
{
	if (edge_said(e, "transfer-encoding: chunked"))
		return edge_said(e, "\r\n0\r\n\r\n");
	return edge_complete(e);
}

static void
ask(struct edge *e, const char *path)
{
	e->until = all_there;
	edge_get(e, path, e->cookie);
	e->until = NULL;
}

/* A job with this log, of which `committed` bytes count (0: all). */
static void
put_log(struct edge *e, const struct buf *log, uint64_t committed, bool expired)
{
	struct store_tx *tx = fixture_write(&e->f);
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid host = { { 7 } }, u;
	struct err err;

	assert_true(ulid_parse(STR(JOB), &u));
	assert_rc(fsio_mkdirs(e->spool, 0700, &err), RC_OK);
	if (log->len > 0)
		assert_rc(joblog_append(e->spool, &u, 0, buf_str(log), &err),
		    RC_OK);
	j.id = id_bytes(&u);
	j.host_id = id_bytes(&host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_RUNNING;
	j.created_at_ms = 1700000000000;
	j.log_bytes = committed > 0 ? committed : log->len;
	j.log_expired = expired;
	j.log_closed = expired;
	put_host(tx, &host, "web-1");
	job_store_put(tx, &j);
	fixture_commit(tx);
}

static void
three_lines(struct buf *b)
{
	buf_init(b, KIB(4));
	joblog_line(b, 1700000000123, JOBLOG_SYS, STR("job=x"));
	joblog_line(b, 1700000001000, JOBLOG_OUT, STR("said \"quoted\""));
	joblog_line(b, 1700000002000, JOBLOG_ERR, STR("tab\there"));
}

static void
json_lines_have_number_time_stream_and_payload(void **state)
{
	struct edge *e = *state;
	struct buf b;

	edge_make_ann(e);
	three_lines(&b);
	put_log(e, &b, 0, false);
	ask(e, "/api/jobs/" JOB "/log.ndjson");
	assert_int_equal(e->status, 200);
	assert_true(edge_said(e, "content-type: application/x-ndjson"));
	assert_true(edge_said(e,
	    "attachment; filename=\"restic-manager-job-" JOB ".ndjson\""));
	assert_true(edge_said(e,
	    "{\"seq\":1,\"ts\":\"2023-11-14T22:13:20.123Z\","
	    "\"stream\":\"sys\",\"payload\":\"job=x\"}\n"
	    "{\"seq\":2,\"ts\":\"2023-11-14T22:13:21.000Z\","
	    "\"stream\":\"stdout\",\"payload\":\"said \\\"quoted\\\"\"}\n"
	    "{\"seq\":3,\"ts\":\"2023-11-14T22:13:22.000Z\","
	    "\"stream\":\"stderr\",\"payload\":\"tab\\\\x09here\"}\n"));
	buf_fini(&b);
}

static void
text_has_a_head_and_short_times(void **state)
{
	struct edge *e = *state;
	struct buf b;

	edge_make_ann(e);
	three_lines(&b);
	put_log(e, &b, 0, false);
	ask(e, "/api/jobs/" JOB "/log.txt");
	assert_int_equal(e->status, 200);
	assert_true(edge_said(e, "# job " JOB "\n# kind backup\n"
	                         "# host web-1\n# state running\n"));
	assert_true(edge_said(e, "22:13:20.123  SYS   job=x\n"
	                         "22:13:21.000  OUT   said \"quoted\"\n"
	                         "22:13:22.000  ERR   tab\\x09here\n"));
	buf_fini(&b);
}

static void
what_is_not_committed_is_not_shown(void **state)
{
	struct edge *e = *state;
	struct buf b;

	edge_make_ann(e);
	three_lines(&b);
	put_log(e, &b, strlen("2023-11-14T22:13:20.123Z sys  job=x\n"), false);
	ask(e, "/api/jobs/" JOB "/log.ndjson");
	assert_true(edge_said(e, "\"seq\":1,"));
	assert_false(edge_said(e, "\"seq\":2,"));
	buf_fini(&b);
}

static void
a_long_log_comes_in_pieces_and_whole(void **state)
{
	struct edge *e = *state;
	struct buf b;
	char line[64];
	unsigned n;

	edge_make_ann(e);
	buf_init(&b, MIB(1));
	for (n = 1; n <= 6000; n++) {
		assert_true(str_fmt(line, sizeof(line), "line %u of it", n));
		joblog_line(&b, 1700000000000, JOBLOG_OUT, str_of(line));
	}
	put_log(e, &b, 0, false);
	ask(e, "/api/jobs/" JOB "/log.ndjson");
	assert_true(edge_said(e, "\"seq\":6000,"));
	assert_true(edge_said(e, "\"payload\":\"line 1 of it\""));
	assert_true(edge_said(e, "\"payload\":\"line 3000 of it\""));
	buf_fini(&b);
}

static void
a_job_without_a_line_has_an_empty_log(void **state)
{
	struct edge *e = *state;
	struct buf b;

	edge_make_ann(e);
	buf_init(&b, KIB(1));
	put_log(e, &b, 0, false);
	ask(e, "/api/jobs/" JOB "/log.ndjson");
	assert_int_equal(e->status, 200);
	assert_false(edge_said(e, "seq"));
	ask(e, "/api/jobs/" JOB "/log.txt");
	assert_int_equal(e->status, 200);
	assert_true(edge_said(e, "# host web-1\n"));
	buf_fini(&b);
}

static void
logs_that_are_gone_are_told(void **state)
{
	struct edge *e = *state;
	struct ulid u;
	struct buf b;
	struct err err;
	char path[JOBLOG_PATH_CAP];

	edge_make_ann(e);
	ask(e, "/api/jobs/" JOB "/log.txt");
	assert_int_equal(e->status, 404);
	ask(e, "/api/jobs/nonsense/log.ndjson");
	assert_int_equal(e->status, 404);
	three_lines(&b);
	put_log(e, &b, 0, true);
	ask(e, "/api/jobs/" JOB "/log.txt");
	assert_int_equal(e->status, 410);
	/* Not expired, and not there. */
	put_log(e, &b, 0, false);
	assert_true(ulid_parse(STR(JOB), &u));
	assert_rc(joblog_path(e->spool, &u, false, path, sizeof(path)), RC_OK);
	assert_rc(fsio_remove(path, &err), RC_OK);
	ask(e, "/api/jobs/" JOB "/log.txt");
	assert_int_equal(e->status, 404);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		edge_test(json_lines_have_number_time_stream_and_payload),
		edge_test(text_has_a_head_and_short_times),
		edge_test(what_is_not_committed_is_not_shown),
		edge_test(a_long_log_comes_in_pieces_and_whole),
		edge_test(a_job_without_a_line_has_an_empty_log),
		edge_test(logs_that_are_gone_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
