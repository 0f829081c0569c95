/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run, jobs, logs. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/follow.h"
#include "controller/cli/verbs.h"
#include "lib/base/json_doc.h"

enum {
	JOBS_MAX = 10000, /* the controller pages no further */
	JOBS_USUAL = 50
};

/* clang-format off */
static const struct print_column job_list[] = {
	{ "JOB",      "id",           PRINT_TEXT },
	{ "HOST",     "host_name",    PRINT_TEXT },
	{ "KIND",     "kind",         PRINT_TEXT },
	{ "STATUS",   "status",       PRINT_STATE },
	{ "GROUP",    "source_group", PRINT_TEXT },
	{ "CREATED",  "created_at",   PRINT_TIME },
	{ "FINISHED", "finished_at",  PRINT_TIME },
	{ "ERROR",    "error",        PRINT_TEXT },
};

static const struct print_column job_record[] = {
	{ "Job",        "id",                          PRINT_TEXT },
	{ "Kind",       "kind",                        PRINT_TEXT },
	{ "Host",       "host_id",                     PRINT_TEXT },
	{ "Group",      "source_group",                PRINT_TEXT },
	{ "Status",     "status",                      PRINT_STATE },
	{ "Cause",      "cause",                       PRINT_TEXT },
	{ "Error",      "error",                       PRINT_TEXT },
	{ "Unread",     "unread_count",                PRINT_COUNT },
	{ "Created",    "created_at",                  PRINT_TIME },
	{ "Started",    "started_at",                  PRINT_TIME },
	{ "Finished",   "finished_at",                 PRINT_TIME },
	{ "Snapshot",   "stats.snapshot_id",           PRINT_TEXT },
	{ "Added",      "stats.data_added",            PRINT_SIZE },
	{ "Processed",  "stats.total_bytes_processed", PRINT_SIZE },
	{ "  files",    "stats.total_files_processed", PRINT_COUNT },
	{ "Log lines",  "log.lines",                   PRINT_COUNT },
	{ "restic",     "restic_version",              PRINT_TEXT },
};
/* clang-format on */

/* -------------------------------------------------------------------- run */

/* The one it started goes to job. */
static void
dispatch(struct ask *a, const char *kind, char job[CLIENT_ID_CAP])
{
	const struct cli *c = a->cli;
	struct json_doc doc;

	ask_host(a);
	buf_puts(&a->path, "/jobs");
	json_doc_init(&doc, KIB(8));
	json_put(&doc.j, "kind", kind);
	if (c->words > 1) {
		json_arr(&doc.j, "args");
		json_put(&doc.j, NULL, c->word[1]);
		json_arr_end(&doc.j);
	}
	ask_call(a, "POST", json_doc_end(&doc));
	json_doc_fini(&doc);
	if (!ask_ok(a))
		return;
	if (json_text(a->doc, "job_id").n == 0)
		(void)err_set(&a->e, RC_CORRUPT, "the answer names no job");
	else if (!str_copy(job, CLIENT_ID_CAP, json_text(a->doc, "job_id")))
		(void)err_set(&a->e, RC_CORRUPT, "the job's id is malformed");
}

static enum exit_code
start(struct cli *c, const char *kind)
{
	char job[CLIENT_ID_CAP] = "";
	struct ask a;

	ask_begin(&a, c);
	dispatch(&a, kind, job);
	if (!ask_ok(&a))
		return ask_end(&a);
	if (args_has(&c->args, OPT_FOLLOW)) {
		if (!c->out.json)
			print_line(&c->out, "job %s", job);
		print_flush(&c->out);
		a.code = follow_job(c, a.cl, job,
		    c->out.json ? FOLLOW_SILENT : FOLLOW_TEXT);
	} else if (!ask_told(&a)) {
		print_line(&c->out,
		    "job %s is asked for\nwatch it: restic-manager logs %s "
		    "--follow",
		    job, job);
	}
	return ask_end(&a);
}

enum exit_code
verb_run(struct cli *c)
{
	return start(c, "backup");
}

enum exit_code
verb_repo_check(struct cli *c)
{
	return start(c, "check");
}

enum exit_code
verb_repo_forget(struct cli *c)
{
	return start(c, "forget");
}

enum exit_code
verb_repo_prune(struct cli *c)
{
	return start(c, "prune");
}

enum exit_code
verb_repo_unlock(struct cli *c)
{
	return start(c, "unlock");
}

/* ------------------------------------------------------------------- jobs */

/* The query of GET /api/jobs. */
static void
jobs_path(struct ask *a)
{
	const char *status = args_value(&a->cli->args, OPT_STATUS);
	char host[ASK_ID_CAP];
	char sign = '?';

	buf_puts(&a->path, "/api/jobs");
	if (a->cli->words > 0 && ask_host_id(a, a->cli->word[0], host)) {
		buf_printf(&a->path, "%chost=%s", sign, host);
		sign = '&';
	}
	if (status != NULL) {
		buf_printf(&a->path, "%cstate=", sign);
		buf_put_percent(&a->path, str_of(status), "");
	}
}

enum exit_code
verb_jobs_list(struct cli *c)
{
	const struct ask_shape shape = { job_list, ARRAY_LEN(job_list),
		"no jobs" };
	int64_t limit;
	struct ask a;

	ask_begin(&a, c);
	limit = ask_number(&a, OPT_LIMIT, 1, JOBS_MAX, JOBS_USUAL);
	jobs_path(&a);
	ask_list(&a, (size_t)limit, &shape);
	return ask_end(&a);
}

/* The path of the job that the first word names. */
static void
ask_job(struct ask *a)
{
	char id[CLIENT_ID_CAP];
	struct err e;

	if (client_id(a->cli->word[0], "job", id, &e) == RC_OK)
		buf_printf(&a->path, "/api/jobs/%s", id);
	else
		ask_fail(a, &e);
}

enum exit_code
verb_jobs_show(struct cli *c)
{
	const struct ask_shape shape = { job_record, ARRAY_LEN(job_record),
		"" };
	struct ask a;

	ask_begin(&a, c);
	ask_job(&a);
	ask_record(&a, &shape);
	return ask_end(&a);
}

enum exit_code
verb_jobs_cancel(struct cli *c)
{
	struct ask a;

	ask_begin(&a, c);
	ask_job(&a);
	buf_puts(&a.path, "/cancel");
	ask_change(&a, "POST", "{}", "the job is being cancelled");
	return ask_end(&a);
}

/* ------------------------------------------------------------------- logs */

struct log_sink {
	struct print *out;
	struct buf line; /* text: shown line by line, safely */
	bool raw;        /* NDJSON is safe by its escapes */
};

enum {
	LOG_LINE_MAX = 256 << 10
};

static void
log_line(struct log_sink *s)
{
	print_safe(&s->out->b, buf_str(&s->line));
	buf_putc(&s->out->b, '\n');
	buf_reset(&s->line);
}

static bool
logs_on_data(void *ctx, struct str bytes)
{
	struct log_sink *s = ctx;
	struct str line;
	bool whole;

	if (s->raw)
		buf_put_str(&s->out->b, bytes);
	while (!s->raw && bytes.n > 0) {
		whole = str_cut(bytes, '\n', &line, &bytes);
		buf_put_str(&s->line, line);
		if (whole || buf_rc(&s->line) != RC_OK)
			log_line(s);
	}
	print_flush(s->out);
	return !s->out->broken;
}

static enum rc
print_log(struct cli *c, struct client *cl, const char *job, struct err *e)
{
	bool ndjson = args_has(&c->args, OPT_NDJSON) || c->out.json;
	struct log_sink sink = { .out = &c->out, .raw = ndjson };
	struct http_request q = { .method = "GET", .wake_fd = -1 };
	struct http_answer a;
	char path[64];
	enum rc rc;

	ASSERT(str_fmt(path, sizeof(path), "/api/jobs/%s/log.%s", job,
	    ndjson ? "ndjson" : "txt"));
	buf_init(&sink.line, LOG_LINE_MAX);
	q.path = path;
	q.accept = "*/*";
	q.on_data = logs_on_data;
	q.ctx = &sink;
	rc = http_do(client_http(cl), &q, &a, e);
	if (rc == RC_OK && (a.status < 200 || a.status >= 300))
		rc = client_refused(cl, &a, e);
	if (sink.line.len > 0)
		log_line(&sink);
	http_answer_fini(&a);
	buf_fini(&sink.line);
	return c->out.broken ? RC_OK : rc;
}

enum exit_code
verb_logs(struct cli *c)
{
	bool ndjson = args_has(&c->args, OPT_NDJSON) || c->out.json;
	char id[CLIENT_ID_CAP];
	struct err e;
	struct ask a;

	ask_begin(&a, c);
	if (client_id(c->word[0], "job", id, &e) != RC_OK)
		ask_fail(&a, &e);
	if (ask_client(&a) == NULL)
		return ask_end(&a);
	if (args_has(&c->args, OPT_FOLLOW))
		a.code = follow_job(c, a.cl, id,
		    ndjson ? FOLLOW_NDJSON : FOLLOW_TEXT);
	else if (print_log(c, a.cl, id, &e) != RC_OK)
		ask_fail(&a, &e);
	return ask_end(&a);
}
