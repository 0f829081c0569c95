/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hosts, snapshots. */
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/verbs.h"
#include "lib/base/json.h"

enum {
	SNAPSHOTS_MAX = 10000
};

/* clang-format off */
static const struct print_column host_list[] = {
	{ "NAME",        "name",               PRINT_TEXT },
	{ "STATUS",      "status",             PRINT_STATE },
	{ "LAST BACKUP", "last_backup_status", PRINT_STATE },
	{ "AT",          "last_backup_at",     PRINT_TIME },
	{ "REPOSITORY",  "repo_status",        PRINT_STATE },
	{ "SNAPSHOTS",   "snapshot_count",     PRINT_COUNT },
	{ "SIZE",        "repo_size_bytes",    PRINT_SIZE },
	{ "TAGS",        "tags",               PRINT_LIST },
	{ "ID",          "id",                 PRINT_TEXT },
};

static const struct print_column host_record[] = {
	{ "Name",          "name",               PRINT_TEXT },
	{ "Id",            "id",                 PRINT_TEXT },
	{ "Calls itself",  "reported_name",      PRINT_TEXT },
	{ "Status",        "status",             PRINT_STATE },
	{ "Last seen",     "last_seen_at",       PRINT_TIME },
	{ "Last backup",   "last_backup_status", PRINT_STATE },
	{ "  made",        "last_backup_at",     PRINT_TIME },
	{ "  attempted",   "last_attempt_at",    PRINT_TIME },
	{ "Running job",   "current_job_id",     PRINT_TEXT },
	{ "Repository",    "repo_url",           PRINT_TEXT },
	{ "  status",      "repo_status",        PRINT_STATE },
	{ "  error",       "repo_status_error",  PRINT_TEXT },
	{ "  size",        "repo_size_bytes",    PRINT_SIZE },
	{ "Snapshots",     "snapshot_count",     PRINT_COUNT },
	{ "  listed",      "snapshots_at",       PRINT_TIME },
	{ "Tags",          "tags",               PRINT_LIST },
	{ "Notice",        "duplicate_notice",   PRINT_TEXT },
	{ "System",        "os",                 PRINT_TEXT },
	{ "  processor",   "arch",               PRINT_TEXT },
	{ "Agent",         "agent_version",      PRINT_TEXT },
	{ "restic",        "restic_version",     PRINT_TEXT },
	{ "Enrolled",      "enrolled_at",        PRINT_TIME },
};

static const struct print_column snapshot_list[] = {
	{ "ID",    "short_id",   PRINT_TEXT },
	{ "TIME",  "time",       PRINT_TIME },
	{ "SIZE",  "size_bytes", PRINT_SIZE },
	{ "FILES", "file_count", PRINT_COUNT },
	{ "TAGS",  "tags",       PRINT_LIST },
	{ "PATHS", "paths",      PRINT_LIST },
};
/* clang-format on */

enum exit_code
verb_hosts_list(struct cli *c)
{
	const char *query = args_value(&c->args, OPT_QUERY);
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct err e = { 0 };
	struct buf path;
	enum rc rc;

	buf_init(&path, KIB(4));
	buf_puts(&path, "/api/hosts");
	if (query != NULL) {
		buf_puts(&path, "?q=");
		http_escape(&path, str_of(query));
	}
	if ((rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK)
		rc = client_list(cl, buf_text(&path), 0, &doc, &e);
	if (rc == RC_OK && c->out.json)
		print_doc(&c->out, client_text(cl));
	else if (rc == RC_OK)
		print_table(&c->out, host_list, ARRAY_LEN(host_list),
		    json_get(doc, "items"),
		    query != NULL ? "no host fits" : "no hosts yet");
	buf_fini(&path);
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}

/* GET of an address below the host the first word names. */
static enum rc
get_of_host(struct cli *c, struct client **cl, const char *below,
    struct json **doc, struct err *e)
{
	char id[CLIENT_ID_CAP], path[96];
	int64_t limit;
	enum rc rc;

	if ((rc = args_number(&c->args, OPT_LIMIT, 1, SNAPSHOTS_MAX, 0, &limit,
	         e)) != RC_OK ||
	    (rc = client_new(&c->cfg, true, cl, e)) != RC_OK ||
	    (rc = client_host(*cl, c->word[0], id, e)) != RC_OK)
		return rc;
	ASSERT(str_fmt(path, sizeof(path), "/api/hosts/%s%s", id, below));
	if (below[0] == '\0')
		return client_get(*cl, path, doc, e);
	return client_list(*cl, path, (size_t)limit, doc, e);
}

enum exit_code
verb_hosts_show(struct cli *c)
{
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct err e = { 0 };
	enum rc rc = get_of_host(c, &cl, "", &doc, &e);

	if (rc == RC_OK && c->out.json)
		print_doc(&c->out, client_text(cl));
	else if (rc == RC_OK)
		print_record(&c->out, host_record, ARRAY_LEN(host_record), doc);
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}

enum exit_code
verb_snapshots(struct cli *c)
{
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct err e = { 0 };
	enum rc rc = get_of_host(c, &cl, "/snapshots", &doc, &e);

	if (rc == RC_OK && c->out.json)
		print_doc(&c->out, client_text(cl));
	else if (rc == RC_OK)
		print_table(&c->out, snapshot_list, ARRAY_LEN(snapshot_list),
		    json_get(doc, "items"), "no snapshots yet");
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}
