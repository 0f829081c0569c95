/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run, jobs, logs. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/follow.h"
#include "controller/cli/verbs.h"
#include "lib/base/json.h"

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

static enum rc
dispatch(struct cli *c, struct client *cl, const char *kind, struct json **doc,
    struct err *e)
{
	char id[CLIENT_ID_CAP], path[96];
	struct json_out j;
	struct buf b;
	enum rc rc;

	if ((rc = client_host(cl, c->word[0], id, e)) != RC_OK)
		return rc;
	ASSERT(str_fmt(path, sizeof(path), "/api/hosts/%s/jobs", id));
	buf_init(&b, KIB(8));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put(&j, "kind", kind);
	if (c->words > 1) {
		json_arr(&j, "args");
		json_put(&j, NULL, c->word[1]);
		json_arr_end(&j);
	}
	json_obj_end(&j);
	rc = client_call(cl, "POST", path, buf_str(&b), doc, e);
	buf_fini(&b);
	if (rc == RC_OK && json_text(*doc, "job_id").n == 0)
		rc = err_set(e, RC_CORRUPT, "the answer names no job");
	return rc;
}

static void
tell_started(struct cli *c, struct client *cl, const char *job)
{
	if (c->out.json)
		print_doc(&c->out, client_text(cl));
	else
		print_line(&c->out,
		    "job %s is asked for\nwatch it: restic-manager logs %s "
		    "--follow",
		    job, job);
}

static enum exit_code
start(struct cli *c, const char *kind)
{
	enum exit_code code = END_OK;
	struct client *cl = NULL;
	struct json *doc = NULL;
	char job[CLIENT_ID_CAP];
	struct err e = { 0 };
	enum rc rc;

	if ((rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK &&
	    (rc = dispatch(c, cl, kind, &doc, &e)) == RC_OK &&
	    !str_copy(job, sizeof(job), json_text(doc, "job_id")))
		rc = err_set(&e, RC_CORRUPT, "the job's id is malformed");
	if (rc != RC_OK) {
		code = cli_fail(c, &e);
	} else if (!args_has(&c->args, OPT_FOLLOW)) {
		tell_started(c, cl, job);
	} else {
		if (!c->out.json)
			print_line(&c->out, "job %s", job);
		print_flush(&c->out);
		code = follow_job(c, cl, job,
		    c->out.json ? FOLLOW_SILENT : FOLLOW_TEXT);
	}
	json_free(doc);
	client_free(cl);
	return code;
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
static enum rc
jobs_path(struct cli *c, struct client *cl, struct buf *path, struct err *e)
{
	const char *status = args_value(&c->args, OPT_STATUS);
	char host[CLIENT_ID_CAP];
	char sign = '?';
	enum rc rc;

	buf_puts(path, "/api/jobs");
	if (c->words > 0) {
		if ((rc = client_host(cl, c->word[0], host, e)) != RC_OK)
			return rc;
		buf_printf(path, "%chost=%s", sign, host);
		sign = '&';
	}
	if (status != NULL) {
		buf_printf(path, "%cstate=", sign);
		http_escape(path, str_of(status));
	}
	return RC_OK;
}

enum exit_code
verb_jobs_list(struct cli *c)
{
	const struct ask_shape shape = { job_list, ARRAY_LEN(job_list),
		"no jobs" };
	struct client *cl = NULL;
	enum exit_code code;
	struct err e = { 0 };
	struct buf path;
	int64_t limit = 0;

	buf_init(&path, KIB(8));
	if (args_number(&c->args, OPT_LIMIT, 1, JOBS_MAX, JOBS_USUAL, &limit,
	        &e) != RC_OK ||
	    client_new(&c->cfg, true, &cl, &e) != RC_OK ||
	    jobs_path(c, cl, &path, &e) != RC_OK)
		code = cli_fail(c, &e);
	else
		code =
		    ask_list_by(c, cl, buf_text(&path), (size_t)limit, &shape);
	buf_fini(&path);
	client_free(cl);
	return code;
}

/* A client and the address of the job that the first word names. */
static enum rc
job_path(struct cli *c, const char *below, struct client **cl, char path[96],
    struct err *e)
{
	char id[CLIENT_ID_CAP];
	enum rc rc;

	if ((rc = client_id(c->word[0], "job", id, e)) != RC_OK ||
	    (rc = client_new(&c->cfg, true, cl, e)) != RC_OK)
		return rc;
	ASSERT(str_fmt(path, 96, "/api/jobs/%s%s", id, below));
	return RC_OK;
}

enum exit_code
verb_jobs_show(struct cli *c)
{
	const struct ask_shape shape = { job_record, ARRAY_LEN(job_record),
		"" };
	struct client *cl = NULL;
	enum exit_code code;
	struct err e = { 0 };
	char path[96];

	if (job_path(c, "", &cl, path, &e) != RC_OK)
		return cli_fail(c, &e);
	code = ask_record(c, cl, path, &shape);
	client_free(cl);
	return code;
}

enum exit_code
verb_jobs_cancel(struct cli *c)
{
	struct client *cl = NULL;
	enum exit_code code;
	struct err e = { 0 };
	char path[96];

	if (job_path(c, "/cancel", &cl, path, &e) != RC_OK)
		return cli_fail(c, &e);
	code = ask_change(c, cl, "POST", path, STR("{}"),
	    "the job is being cancelled");
	client_free(cl);
	return code;
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
	enum exit_code code = END_OK;
	struct client *cl = NULL;
	char id[CLIENT_ID_CAP];
	struct err e = { 0 };
	enum rc rc;

	if ((rc = client_id(c->word[0], "job", id, &e)) == RC_OK)
		rc = client_new(&c->cfg, true, &cl, &e);
	if (rc == RC_OK && args_has(&c->args, OPT_FOLLOW))
		code =
		    follow_job(c, cl, id, ndjson ? FOLLOW_NDJSON : FOLLOW_TEXT);
	else if (rc == RC_OK)
		rc = print_log(c, cl, id, &e);
	client_free(cl);
	return rc == RC_OK ? code : cli_fail(c, &e);
}
