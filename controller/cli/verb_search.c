/* SPDX-License-Identifier: GPL-3.0-or-later */
/* search: hosts, jobs and snapshots by a few letters. */
#include "controller/cli/ask.h"
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
	struct ask a;

	ask_begin(&a, c);
	buf_puts(&a.path, "/api/search?q=");
	buf_put_percent(&a.path, str_of(c->word[0]), "");
	ask_get(&a);
	if (ask_ok(&a) && !ask_told(&a))
		tell(c, a.doc);
	return ask_end(&a);
}
