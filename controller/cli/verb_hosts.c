/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hosts, snapshots. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/verbs.h"
#include "lib/base/json.h"

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
	enum exit_code code;
	struct buf path;

	buf_init(&path, KIB(8));
	buf_puts(&path, "/api/hosts");
	if (query != NULL) {
		buf_puts(&path, "?q=");
		http_escape(&path, str_of(query));
		shape.nothing = "no host fits";
	}
	code = ask_list(c, buf_text(&path), 0, &shape);
	buf_fini(&path);
	return code;
}

/* A question below the host that the first word names. */
static enum exit_code
ask_host(struct cli *c, const char *below, const struct ask_shape *shape)
{
	char id[CLIENT_ID_CAP], path[96];
	struct client *cl = NULL;
	struct err e = { 0 };
	enum exit_code code;
	int64_t limit = 0;

	if (args_number(&c->args, OPT_LIMIT, 1, SNAPSHOTS_MAX, 0, &limit, &e) !=
	        RC_OK ||
	    client_new(&c->cfg, true, &cl, &e) != RC_OK ||
	    client_host(cl, c->word[0], id, &e) != RC_OK) {
		client_free(cl);
		return cli_fail(c, &e);
	}
	ASSERT(str_fmt(path, sizeof(path), "/api/hosts/%s%s", id, below));
	if (below[0] == '\0')
		code = ask_record(c, cl, path, shape);
	else
		code = ask_list_by(c, cl, path, (size_t)limit, shape);
	client_free(cl);
	return code;
}

enum exit_code
verb_hosts_show(struct cli *c)
{
	const struct ask_shape shape = { host_record, ARRAY_LEN(host_record),
		"" };

	return ask_host(c, "", &shape);
}

enum exit_code
verb_snapshots(struct cli *c)
{
	const struct ask_shape shape = { snapshot_list,
		ARRAY_LEN(snapshot_list), "no snapshots yet" };

	return ask_host(c, "/snapshots", &shape);
}

/* --------------------------------------------------------------- settings */

/* A change below the host that the first word names. */
static enum exit_code
change_host(struct cli *c, const char *method, const char *below,
    const struct buf *body)
{
	char id[CLIENT_ID_CAP], path[96];
	enum exit_code code = END_OK;
	struct client *cl = NULL;
	struct err e = { 0 };

	if (client_new(&c->cfg, true, &cl, &e) != RC_OK ||
	    client_host(cl, c->word[0], id, &e) != RC_OK) {
		code = cli_fail(c, &e);
	} else {
		ASSERT(
		    str_fmt(path, sizeof(path), "/api/hosts/%s%s", id, below));
		code = ask_change(c, cl, method, path, buf_str(body), "saved");
	}
	client_free(cl);
	return code;
}

static enum rc
put_number(struct cli *c, struct json_out *j, const char *name,
    enum args_id option, struct err *e)
{
	int64_t v;
	enum rc rc;

	if (!args_has(&c->args, option))
		return RC_OK;
	rc = args_number(&c->args, option, 0, NUMBER_MAX, 0, &v, e);
	if (rc == RC_OK)
		json_put_int(j, name,
		    option == OPT_ALLOWED_AGE ? v * HOUR_S : v);
	return rc;
}

enum exit_code
verb_hosts_limit(struct cli *c)
{
	enum exit_code code;
	struct json_out j;
	struct err e = { 0 };
	struct buf b;

	buf_init(&b, KIB(1));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	if (put_number(c, &j, "bandwidth_up_kbps", OPT_UP, &e) == RC_OK &&
	    put_number(c, &j, "bandwidth_down_kbps", OPT_DOWN, &e) == RC_OK) {
		json_obj_end(&j);
		code = change_host(c, "PUT", "/bandwidth", &b);
	} else {
		code = cli_fail(c, &e);
	}
	buf_fini(&b);
	return code;
}

enum exit_code
verb_hosts_mode(struct cli *c)
{
	bool always = strcmp(c->word[1], "always-on") == 0;
	enum exit_code code;
	struct json_out j;
	struct err e = { 0 };
	struct buf b;

	if (!always && strcmp(c->word[1], "comes-and-goes") != 0) {
		(void)err_set(&e, RC_INVALID,
		    "the mode is always-on or comes-and-goes");
		return cli_fail(c, &e);
	}
	buf_init(&b, KIB(1));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put_bool(&j, "always_on", always);
	if (put_number(c, &j, "allowed_age_s", OPT_ALLOWED_AGE, &e) == RC_OK) {
		json_obj_end(&j);
		code = change_host(c, "POST", "/mode", &b);
	} else {
		code = cli_fail(c, &e);
	}
	buf_fini(&b);
	return code;
}
