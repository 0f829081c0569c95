/* SPDX-License-Identifier: GPL-3.0-or-later */
/* search: hosts, jobs and snapshots by a few letters. */
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/verbs.h"
#include "lib/base/json.h"

/* clang-format off */
static const struct print_column hosts[] = {
	{ "HOST", "name", PRINT_TEXT },
	{ "TAGS", "tags", PRINT_LIST },
	{ "ID",   "id",   PRINT_TEXT },
};

static const struct print_column jobs[] = {
	{ "JOB",     "id",         PRINT_TEXT },
	{ "HOST",    "host_name",  PRINT_TEXT },
	{ "KIND",    "kind",       PRINT_TEXT },
	{ "STATUS",  "status",     PRINT_STATE },
	{ "CREATED", "created_at", PRINT_TIME },
};

static const struct print_column snapshots[] = {
	{ "SNAPSHOT", "short_id",  PRINT_TEXT },
	{ "HOST",     "host_name", PRINT_TEXT },
	{ "TIME",     "time",      PRINT_TIME },
	{ "PATH",     "path",      PRINT_TEXT },
};

static const struct {
	const char *member;
	const struct print_column *cols;
	size_t n;
} parts[] = {
	{ "hosts",     hosts,     ARRAY_LEN(hosts) },
	{ "jobs",      jobs,      ARRAY_LEN(jobs) },
	{ "snapshots", snapshots, ARRAY_LEN(snapshots) },
};
/* clang-format on */

/* Only what was found; and whether there is more of it. */
static void
tell(struct cli *c, const struct json *doc)
{
	const struct json *part;
	size_t i, found = 0;

	for (i = 0; i < ARRAY_LEN(parts); i++) {
		part = json_get(doc, parts[i].member);
		if (json_len(json_get(part, "items")) == 0)
			continue;
		if (found++ > 0)
			print_line(&c->out, "%s", "");
		print_table(&c->out, parts[i].cols, parts[i].n,
		    json_get(part, "items"), "");
		if (json_flag(part, "more", false))
			print_line(&c->out, "... and other %s",
			    parts[i].member);
	}
	if (found == 0)
		print_line(&c->out, "nothing was found");
}

enum exit_code
verb_search(struct cli *c)
{
	struct client *cl = NULL;
	struct json *doc = NULL;
	struct err e = { 0 };
	struct buf path;
	enum rc rc;

	buf_init(&path, KIB(4));
	buf_puts(&path, "/api/search?q=");
	http_escape(&path, str_of(c->word[0]));
	if (buf_rc(&path) != RC_OK)
		rc = err_set(&e, RC_INVALID, "the text is too long");
	else if ((rc = client_new(&c->cfg, true, &cl, &e)) == RC_OK)
		rc = client_get(cl, buf_text(&path), &doc, &e);
	if (rc == RC_OK && c->out.json)
		print_doc(&c->out, client_text(cl));
	else if (rc == RC_OK)
		tell(c, doc);
	buf_fini(&path);
	json_free(doc);
	client_free(cl);
	return rc == RC_OK ? END_OK : cli_fail(c, &e);
}
