/* SPDX-License-Identifier: GPL-3.0-or-later */
/* groups, schedules: what a host backs up, and when. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/verbs.h"
#include "lib/base/json_doc.h"

#define GROUPS "/source-groups"
#define SCHEDULES "/schedules"

enum {
	BODY_MAX = 256 << 10,
	NUMBER_MAX = 1000000
};

/* clang-format off */
static const struct print_column group_list[] = {
	{ "NAME",     "name",               PRINT_TEXT },
	{ "LAST",     "last_status",        PRINT_STATE },
	{ "SUCCESS",  "last_success_at",    PRINT_TIME },
	{ "PATHS",    "includes",           PRINT_LIST },
	{ "CONFLICT", "conflict_dimension", PRINT_TEXT },
	{ "ID",       "id",                 PRINT_TEXT },
};

static const struct print_column group_record[] = {
	{ "Name",           "name",                  PRINT_TEXT },
	{ "Id",             "id",                    PRINT_TEXT },
	{ "Backs up",       "includes",              PRINT_LIST },
	{ "Leaves out",     "excludes",              PRINT_LIST },
	{ "Keeps, last",    "retention_policy.keep_last",    PRINT_KNOWN_COUNT },
	{ "  hourly",       "retention_policy.keep_hourly",  PRINT_KNOWN_COUNT },
	{ "  daily",        "retention_policy.keep_daily",   PRINT_KNOWN_COUNT },
	{ "  weekly",       "retention_policy.keep_weekly",  PRINT_KNOWN_COUNT },
	{ "  monthly",      "retention_policy.keep_monthly", PRINT_KNOWN_COUNT },
	{ "  yearly",       "retention_policy.keep_yearly",  PRINT_KNOWN_COUNT },
	{ "Conflict",       "conflict",              PRINT_TEXT },
	{ "Retries",        "retry_max",             PRINT_COUNT },
	{ "  after seconds", "retry_backoff_seconds", PRINT_COUNT },
	{ "Hook before",    "has_pre_hook",          PRINT_YES },
	{ "  after",        "has_post_hook",         PRINT_YES },
	{ "Schedules",      "schedule_ids",          PRINT_LIST },
	{ "Last run",       "last_status",           PRINT_STATE },
	{ "Last success",   "last_success_at",       PRINT_TIME },
};

static const struct print_column schedule_list[] = {
	{ "WHEN",     "cron",           PRINT_TEXT },
	{ "ZONE",     "effective_zone", PRINT_TEXT },
	{ "ON",       "enabled",        PRINT_YES },
	{ "NEXT RUN", "next_run_at",    PRINT_TIME },
	{ "LAST",     "last_status",    PRINT_STATE },
	{ "AT",       "last_run_at",    PRINT_TIME },
	{ "ID",       "id",             PRINT_TEXT },
};
/* clang-format on */

static const struct ask_shape groups_shape = { group_list,
	ARRAY_LEN(group_list), "no source groups" };
static const struct ask_shape schedules_shape = { schedule_list,
	ARRAY_LEN(schedule_list), "no schedules: nothing runs by itself" };

static const struct ask_name group_name = { "name", "source group", NULL };
static const struct ask_name schedule_name = { "cron", "schedule", NULL };

/* ------------------------------------------------------------ what is meant */

/* About the groups, or schedules, of the host that the first word names, and
 * about the one that the second word names if n is given. */
static void
begin(struct ask *a, struct cli *c, const char *what, const struct ask_name *n)
{
	ask_begin(a, c);
	ask_host(a);
	buf_puts(&a->path, what);
	if (n != NULL)
		ask_named(a, n, c->word[1]);
}

static enum exit_code
list(struct cli *c, const char *what, const struct ask_shape *shape)
{
	struct ask a;

	begin(&a, c, what, NULL);
	ask_list(&a, 0, shape);
	return ask_end(&a);
}

/* ------------------------------------------------------------------ groups */

/* "daily=14,weekly=4" */
static void
put_keep(struct ask *a, struct json_out *j)
{
	static const char *const names[] = { "last", "hourly", "daily",
		"weekly", "monthly", "yearly" };
	struct str rest = str_of(args_value(&a->cli->args, OPT_KEEP));
	struct str one, name, n;
	char member[32];
	uint64_t v;
	size_t i;

	if (!args_has(&a->cli->args, OPT_KEEP))
		return;
	json_obj(j, "retention_policy");
	while (ask_ok(a) && str_next(&rest, ',', &one)) {
		(void)str_cut(one, '=', &name, &n);
		for (i = 0; i < ARRAY_LEN(names); i++)
			if (str_eqz(name, names[i]))
				break;
		if (i == ARRAY_LEN(names) || !str_u64(n, NUMBER_MAX, &v)) {
			(void)err_set(&a->e, RC_INVALID,
			    "--keep takes counters such as "
			    "last=3,hourly=24,daily=14,weekly=4,monthly=12,"
			    "yearly=2");
			continue;
		}
		ASSERT(str_fmt(member, sizeof(member), "keep_%s", names[i]));
		json_put_uint(j, member, v);
	}
	json_obj_end(j);
}

enum exit_code
verb_groups_list(struct cli *c)
{
	return list(c, GROUPS, &groups_shape);
}

enum exit_code
verb_groups_show(struct cli *c)
{
	const struct ask_shape shape = { group_record, ARRAY_LEN(group_record),
		"" };
	struct ask a;

	begin(&a, c, GROUPS, &group_name);
	ask_record(&a, &shape);
	return ask_end(&a);
}

/* name: of a new one; NULL: the one that is named already. */
static enum exit_code
put_group(struct cli *c, const char *name)
{
	struct json_doc doc;
	struct ask a;

	begin(&a, c, GROUPS, name != NULL ? NULL : &group_name);
	json_doc_init(&doc, BODY_MAX);
	if (name != NULL)
		json_put(&doc.j, "name", name);
	ask_put_list(&a, &doc.j, "includes", OPT_PATH);
	ask_put_list(&a, &doc.j, "excludes", OPT_EXCLUDE);
	put_keep(&a, &doc.j);
	ask_put_number(&a, &doc.j, "retry_max", OPT_RETRIES, NUMBER_MAX);
	ask_put_number(&a, &doc.j, "retry_backoff_seconds", OPT_BACKOFF,
	    NUMBER_MAX);
	ask_change(&a, name != NULL ? "POST" : "PUT", json_doc_end(&doc),
	    name != NULL ? "the source group is made"
	                 : "the source group is changed");
	json_doc_fini(&doc);
	return ask_end(&a);
}

enum exit_code
verb_groups_create(struct cli *c)
{
	return put_group(c, c->word[1]);
}

enum exit_code
verb_groups_set(struct cli *c)
{
	return put_group(c, NULL);
}

enum exit_code
verb_groups_delete(struct cli *c)
{
	struct ask a;

	begin(&a, c, GROUPS, &group_name);
	ask_change(&a, "DELETE", "{}",
	    "the source group is deleted; its snapshots stay");
	return ask_end(&a);
}

/* --------------------------------------------------------------- schedules */

enum exit_code
verb_schedules_list(struct cli *c)
{
	return list(c, SCHEDULES, &schedules_shape);
}

/* Groups by their names or ids; none named: all the host has.  The path is
 * that of the host's groups. */
static void
put_group_ids(struct ask *a, struct json_out *j)
{
	const struct args_list *l = args_list(&a->cli->args, OPT_GROUP);
	const struct json *items;
	char id[ASK_ID_CAP];
	size_t i;

	json_arr(j, "source_group_ids");
	for (i = 0; i < l->n; i++)
		if (ask_id(a, &group_name, l->v[i], id, sizeof(id)))
			json_put(j, NULL, id);
	items = l->n == 0 ? ask_items(a, 0) : NULL;
	for (i = 0; i < json_len(items); i++)
		json_put_str(j, NULL, json_text(json_at(items, i), "id"));
	json_arr_end(j);
}

enum exit_code
verb_schedules_create(struct cli *c)
{
	struct json_doc doc;
	struct ask a;

	begin(&a, c, GROUPS, NULL);
	json_doc_init(&doc, BODY_MAX);
	json_put(&doc.j, "cron", c->word[1]);
	ask_put_text(&a, &doc.j, "zone", OPT_ZONE);
	json_put_bool(&doc.j, "enabled", !args_has(&c->args, OPT_PAUSED));
	ask_put_number(&a, &doc.j, "jitter_seconds", OPT_JITTER, NUMBER_MAX);
	put_group_ids(&a, &doc.j);
	buf_cut(&a.path, a.path.len - strlen(GROUPS));
	buf_puts(&a.path, SCHEDULES);
	ask_change(&a, "POST", json_doc_end(&doc),
	    "the schedule is made; the host's agent runs it");
	json_doc_fini(&doc);
	return ask_end(&a);
}

/* A change of the one that the second word names. */
static enum exit_code
change_schedule(struct cli *c, const char *method, const char *body,
    const char *done)
{
	struct ask a;

	begin(&a, c, SCHEDULES, &schedule_name);
	ask_change(&a, method, body, done);
	return ask_end(&a);
}

enum exit_code
verb_schedules_pause(struct cli *c)
{
	return change_schedule(c, "PUT", "{\"enabled\":false}",
	    "the schedule is paused");
}

enum exit_code
verb_schedules_resume(struct cli *c)
{
	return change_schedule(c, "PUT", "{\"enabled\":true}",
	    "the schedule is on again");
}

enum exit_code
verb_schedules_delete(struct cli *c)
{
	return change_schedule(c, "DELETE", "{}", "the schedule is deleted");
}
