/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Following a job over a connection that is made up here. */
#include "tests/unit/unit.h"

#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/follow.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"

#define JOB "01HZZZZZZZZZZZZZZZZZZZZZZA"

enum {
	MINUTE_MS = 60000
};

/* What the stream says each time, how long that takes, and what was told. */
static struct {
	const char *stream;
	int64_t takes_ms, mono_ms;
	unsigned asked;
	struct err told;
} line;

enum rc
http_do(struct http *h, const struct http_request *q, struct http_answer *out,
    struct err *e)
{
	(void)h;
	(void)e;
	*out = (struct http_answer){ .status = 200 };
	line.asked++;
	line.mono_ms += line.takes_ms;
	clock_fake(1700000000000, line.mono_ms);
	if (line.stream[0] != '\0')
		(void)q->on_data(q->ctx, str_of(line.stream));
	return RC_OK;
}

void
http_answer_fini(struct http_answer *a)
{
	(void)a;
}

struct http *
client_http(struct client *c)
{
	(void)c;
	return NULL;
}

enum rc
client_refused(struct client *c, const struct http_answer *a, struct err *e)
{
	(void)c;
	return err_set(e, RC_IO, "status %d", a->status);
}

enum rc
client_get(struct client *c, const char *path, struct json **doc, struct err *e)
{
	(void)c;
	assert_string_equal(path, "/api/jobs/" JOB);
	return json_parse(STR("{\"status\":\"succeeded\"}"), doc, e);
}

struct str
client_text(const struct client *c)
{
	(void)c;
	return STR("{}");
}

enum exit_code
cli_fail(struct cli *c, const struct err *e)
{
	(void)c;
	line.told = *e;
	return exit_of(e);
}

void
cli_note(const char *fmt, ...)
{
	(void)fmt;
}

static enum exit_code
follow(const char *stream, int64_t takes_ms)
{
	struct cli c = { .words = 0 };
	enum exit_code code;

	memset(&line, 0, sizeof(line));
	line.stream = stream;
	line.takes_ms = takes_ms;
	line.mono_ms = 1;
	clock_fake(1700000000000, line.mono_ms);
	code = follow_job(&c, NULL, JOB, FOLLOW_SILENT);
	clock_fake(-1, 0);
	return code;
}

static void
the_end_of_the_job_is_the_outcome(void **state)
{
	(void)state;
	assert_int_equal(follow("event: job.finished\nid: 7\ndata: {}\n\n",
	                     1000),
	    END_OK);
	assert_int_equal(line.asked, 1);
	assert_int_equal(line.told.rc, RC_OK);
}

/* A proxy that ends every stream at once, politely. */
static void
streams_that_only_end_are_no_success(void **state)
{
	(void)state;
	assert_int_equal(follow("", (int64_t)20 * MINUTE_MS), END_BUSY);
	assert_int_equal(line.asked, 1);
	assert_int_equal(line.told.rc, RC_TIMEOUT);
	assert_non_null(strstr(line.told.msg, "15 minutes"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_of_the_job_is_the_outcome),
		cmocka_unit_test(streams_that_only_end_are_no_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
