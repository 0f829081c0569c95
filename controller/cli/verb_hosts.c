/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hosts, snapshots. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/verbs.h"
#include "lib/base/json_doc.h"

enum {
	SNAPSHOTS_MAX = 10000,
	NUMBER_MAX = 100000000,
	HOUR_S = 3600
};

/* clang-format off */
static const struct print_column host_list[] = {
	{ "NAME",        "name",               PRINT_TEXT },
	{ "STATE",       "state",              PRINT_STATE },
	{ "STATUS",      "status",             PRINT_STATE },
	{ "LAST BACKUP", "last_backup_status", PRINT_STATE },
	{ "AT",          "last_backup_at",     PRINT_TIME },
	{ "REPOSITORY",  "repo_status",        PRINT_STATE },
	{ "SNAPSHOTS",   "snapshot_count",     PRINT_COUNT },
	{ "SIZE",        "repo_size_bytes",    PRINT_KNOWN_SIZE },
	{ "TAGS",        "tags",               PRINT_LIST },
	{ "ID",          "id",                 PRINT_TEXT },
};

static const struct print_column host_record[] = {
	{ "Name",          "name",               PRINT_TEXT },
	{ "Id",            "id",                 PRINT_TEXT },
	{ "Calls itself",  "reported_name",      PRINT_TEXT },
	{ "State",         "state",              PRINT_STATE },
	{ "Status",        "status",             PRINT_STATE },
	{ "Last seen",     "last_seen_at",       PRINT_TIME },
	{ "Last backup",   "last_backup_status", PRINT_STATE },
	{ "  made",        "last_backup_at",     PRINT_TIME },
	{ "  attempted",   "last_attempt_at",    PRINT_TIME },
	{ "Running job",   "current_job_id",     PRINT_TEXT },
	{ "Repository",    "repo_url",           PRINT_TEXT },
	{ "  status",      "repo_status",        PRINT_STATE },
	{ "  error",       "repo_status_error",  PRINT_TEXT },
	{ "  size",        "repo_size_bytes",    PRINT_KNOWN_SIZE },
	{ "Snapshots",     "snapshot_count",     PRINT_COUNT },
	{ "  listed",      "snapshots_at",       PRINT_TIME },
	{ "Tags",          "tags",               PRINT_LIST },
	{ "Notice",        "duplicate_notice",   PRINT_TEXT },
	{ "System",        "os",                 PRINT_TEXT },
	{ "  processor",   "arch",               PRINT_TEXT },
	{ "Agent",         "agent_version",      PRINT_TEXT },
	{ "restic",        "restic_version",     PRINT_TEXT },
	{ "Enrolled",      "enrolled_at",        PRINT_TIME },
	{ "Bearer rotated", "bearer_rotated_at", PRINT_TIME },
	{ "  wanted",      "bearer_rotation",    PRINT_STATE },
};

static const struct print_column snapshot_list[] = {
	{ "ID",    "short_id",   PRINT_TEXT },
	{ "TIME",  "time",       PRINT_TIME },
	{ "SIZE",  "size_bytes", PRINT_KNOWN_SIZE },
	{ "FILES", "file_count", PRINT_KNOWN_COUNT },
	{ "TAGS",  "tags",       PRINT_LIST },
	{ "PATHS", "paths",      PRINT_LIST },
};
/* clang-format on */

enum exit_code
verb_hosts_list(struct cli *c)
{
	const char *query = args_value(&c->args, OPT_QUERY);
	struct ask_shape shape = { host_list, ARRAY_LEN(host_list),
		"no hosts yet" };
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, "/api/hosts");
	if (query != NULL) {
		buf_puts(&a.path, "?q=");
		buf_put_percent(&a.path, str_of(query), "");
		shape.nothing = "no host fits";
	}
	ask_list(&a, 0, &shape);
	return ask_end(&a);
}

enum exit_code
verb_hosts_show(struct cli *c)
{
	const struct ask_shape shape = { host_record, ARRAY_LEN(host_record),
		"" };
	struct ask a;

	ask_begin(&a, c);
	ask_host(&a);
	ask_record(&a, &shape);
	return ask_end(&a);
}

enum exit_code
verb_snapshots(struct cli *c)
{
	const struct ask_shape shape = { snapshot_list,
		ARRAY_LEN(snapshot_list), "no snapshots yet" };
	struct ask a;
	int64_t limit;

	ask_begin(&a, c);
	limit = ask_number(&a, OPT_LIMIT, 1, SNAPSHOTS_MAX, 0);
	ask_host(&a);
	buf_puts(&a.path, "/snapshots");
	ask_list(&a, (size_t)limit, &shape);
	return ask_end(&a);
}

/* --------------------------------------------------------------- settings */

enum exit_code
verb_hosts_limit(struct cli *c)
{
	struct json_doc doc;
	struct ask a;

	ask_begin(&a, c);
	json_doc_init(&doc, KIB(1));
	ask_put_number(&a, &doc.j, "bandwidth_up_kbps", OPT_UP, NUMBER_MAX);
	ask_put_number(&a, &doc.j, "bandwidth_down_kbps", OPT_DOWN, NUMBER_MAX);
	ask_host(&a);
	buf_puts(&a.path, "/bandwidth");
	ask_change(&a, "PUT", json_doc_end(&doc), "saved");
	json_doc_fini(&doc);
	return ask_end(&a);
}

enum exit_code
verb_hosts_mode(struct cli *c)
{
	bool always = strcmp(c->word[1], "always-on") == 0;
	struct json_doc doc;
	struct ask a;

	ask_begin(&a, c);
	if (!always && strcmp(c->word[1], "comes-and-goes") != 0)
		(void)err_set(&a.e, RC_INVALID,
		    "the mode is always-on or comes-and-goes");
	json_doc_init(&doc, KIB(1));
	json_put_bool(&doc.j, "always_on", always);
	if (args_has(&c->args, OPT_ALLOWED_AGE))
		json_put_int(&doc.j, "allowed_age_s",
		    HOUR_S * ask_number(&a, OPT_ALLOWED_AGE, 0, NUMBER_MAX, 0));
	ask_host(&a);
	buf_puts(&a.path, "/mode");
	ask_change(&a, "POST", json_doc_end(&doc), "saved");
	json_doc_fini(&doc);
	return ask_end(&a);
}

enum exit_code
verb_hosts_rotate_bearer(struct cli *c)
{
	struct ask a;

	ask_begin(&a, c);
	ask_host(&a);
	buf_puts(&a.path, "/rotate-bearer");
	ask_change(&a, "POST", "{}",
	    "asked for; the agent does it while it is connected");
	return ask_end(&a);
}
