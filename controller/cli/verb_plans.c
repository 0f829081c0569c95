/* SPDX-License-Identifier: GPL-3.0-or-later */
/* groups, schedules: what a host backs up, and when. */
#include <string.h>

#include "controller/cli/ask.h"
#include "controller/cli/cli.h"
#include "controller/cli/client.h"
#include "controller/cli/verbs.h"
#include "lib/base/json.h"

enum {
	PATH_CAP = 160,
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

/* ------------------------------------------------------------ what is meant */

/* One question about the plan of the host that the first word names. */
struct plan_ask {
	struct client *cl;
	char list[PATH_CAP]; /* of all its groups, or schedules */
	char path[PATH_CAP]; /* of the one, with what is below it */
};

/* what: "source-groups" or "schedules"; the second word names one of them if
 * by is given: "name" or "cron". */
static enum rc
plan_begin(struct cli *c, const char *what, const char *by, struct plan_ask *a,
    struct err *e)
{
	struct ask_name names = { a->list, by, NULL, NULL };
	char host[CLIENT_ID_CAP], id[CLIENT_ID_CAP];
	enum rc rc;

	a->cl = NULL;
	if ((rc = client_new(&c->cfg, true, &a->cl, e)) != RC_OK ||
	    (rc = client_host(a->cl, c->word[0], host, e)) != RC_OK)
		return rc;
	ASSERT(
	    str_fmt(a->list, sizeof(a->list), "/api/hosts/%s/%s", host, what));
	if (by == NULL)
		return RC_OK;
	names.what = strcmp(by, "name") == 0 ? "source group" : "schedule";
	rc = ask_id(a->cl, &names, c->word[1], id, sizeof(id), e);
	if (rc == RC_OK)
		ASSERT(str_fmt(a->path, sizeof(a->path), "%s/%s", a->list, id));
	return rc;
}

static enum exit_code
plan_end(struct cli *c, struct plan_ask *a, enum exit_code code,
    const struct err *e)
{
	if (e->rc != RC_OK)
		code = cli_fail(c, e);
	client_free(a->cl);
	return code;
}

static enum exit_code
list(struct cli *c, const char *what, const struct ask_shape *shape)
{
	enum exit_code code = END_OK;
	struct err e = { 0 };
	struct plan_ask a;

	if (plan_begin(c, what, NULL, &a, &e) == RC_OK)
		code = ask_list_by(c, a.cl, a.list, 0, shape);
	return plan_end(c, &a, code, &e);
}

/* A change without a body, of the one that is named. */
static enum exit_code
change(struct cli *c, const char *method, const char *what, const char *done)
{
	const char *by = strcmp(what, "schedules") == 0 ? "cron" : "name";
	enum exit_code code = END_OK;
	struct err e = { 0 };
	struct plan_ask a;

	if (plan_begin(c, what, by, &a, &e) == RC_OK)
		code = ask_change(c, a.cl, method, a.path, STR("{}"), done);
	return plan_end(c, &a, code, &e);
}

/* ----------------------------------------------------------------- bodies */

static void
put_list(struct json_out *j, const char *name, const struct args *a,
    enum args_id id)
{
	const struct args_list *l = args_list(a, id);
	size_t i;

	if (l->n == 0)
		return;
	json_arr(j, name);
	for (i = 0; i < l->n; i++)
		json_put(j, NULL, l->v[i]);
	json_arr_end(j);
}

static enum rc
put_number(struct json_out *j, const char *name, const struct args *a,
    enum args_id id, struct err *e)
{
	int64_t n = 0;
	enum rc rc = args_number(a, id, 0, NUMBER_MAX, 0, &n, e);

	if (rc == RC_OK && args_has(a, id))
		json_put_int(j, name, n);
	return rc;
}

/* "daily=14,weekly=4" */
static enum rc
put_keep(struct json_out *j, const struct args *a, struct err *e)
{
	static const char *const names[] = { "last", "hourly", "daily",
		"weekly", "monthly", "yearly" };
	struct str rest = str_of(args_value(a, OPT_KEEP)), one, name, n;
	char member[32];
	uint64_t v;
	size_t i;

	if (!args_has(a, OPT_KEEP))
		return RC_OK;
	json_obj(j, "retention_policy");
	while (str_next(&rest, ',', &one)) {
		(void)str_cut(one, '=', &name, &n);
		for (i = 0; i < ARRAY_LEN(names); i++)
			if (str_eqz(name, names[i]))
				break;
		if (i == ARRAY_LEN(names) || !str_u64(n, NUMBER_MAX, &v))
			return err_set(e, RC_INVALID,
			    "--keep takes counters such as "
			    "last=3,hourly=24,daily=14,weekly=4,monthly=12,"
			    "yearly=2");
		ASSERT(str_fmt(member, sizeof(member), "keep_%s", names[i]));
		json_put_uint(j, member, v);
	}
	json_obj_end(j);
	return RC_OK;
}

static enum rc
put_group(struct json_out *j, const struct args *a, struct err *e)
{
	enum rc rc;

	put_list(j, "includes", a, OPT_PATH);
	put_list(j, "excludes", a, OPT_EXCLUDE);
	if ((rc = put_keep(j, a, e)) == RC_OK &&
	    (rc = put_number(j, "retry_max", a, OPT_RETRIES, e)) == RC_OK)
		rc = put_number(j, "retry_backoff_seconds", a, OPT_BACKOFF, e);
	return rc;
}

/* Groups by their names or ids; none named: all the host has. */
static enum rc
put_group_ids(struct json_out *j, const struct args *a, struct client *cl,
    const char *list_path, struct err *e)
{
	const struct ask_name names = { list_path, "name", "source group",
		NULL };
	const struct args_list *l = args_list(a, OPT_GROUP);
	char id[CLIENT_ID_CAP];
	struct json *doc = NULL;
	enum rc rc = RC_OK;
	size_t i;

	json_arr(j, "source_group_ids");
	for (i = 0; rc == RC_OK && i < l->n; i++) {
		rc = ask_id(cl, &names, l->v[i], id, sizeof(id), e);
		if (rc == RC_OK)
			json_put(j, NULL, id);
	}
	if (l->n == 0 && (rc = client_list(cl, list_path, 0, &doc, e)) == RC_OK)
		for (i = 0; i < json_len(json_get(doc, "items")); i++)
			json_put_str(j, NULL,
			    json_text(json_at(json_get(doc, "items"), i),
			        "id"));
	json_arr_end(j);
	json_free(doc);
	return rc;
}

/* ------------------------------------------------------------------ groups */

enum exit_code
verb_groups_list(struct cli *c)
{
	return list(c, "source-groups", &groups_shape);
}

enum exit_code
verb_groups_show(struct cli *c)
{
	const struct ask_shape shape = { group_record, ARRAY_LEN(group_record),
		"" };
	enum exit_code code = END_OK;
	struct err e = { 0 };
	struct plan_ask a;

	if (plan_begin(c, "source-groups", "name", &a, &e) == RC_OK)
		code = ask_record(c, a.cl, a.path, &shape);
	return plan_end(c, &a, code, &e);
}

/* name: of a new one; NULL: the one that is named already. */
static enum exit_code
put_one_group(struct cli *c, const char *name)
{
	enum exit_code code = END_OK;
	struct err e = { 0 };
	struct json_out j;
	struct plan_ask a;
	struct buf b;
	enum rc rc;

	buf_init(&b, BODY_MAX);
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	if (name != NULL)
		json_put(&j, "name", name);
	rc = plan_begin(c, "source-groups", name != NULL ? NULL : "name", &a,
	    &e);
	if (rc == RC_OK)
		rc = put_group(&j, &c->args, &e);
	json_obj_end(&j);
	if (rc == RC_OK)
		code = ask_change(c, a.cl, name != NULL ? "POST" : "PUT",
		    name != NULL ? a.list : a.path, buf_str(&b),
		    name != NULL ? "the source group is made"
		                 : "the source group is changed");
	buf_fini(&b);
	return plan_end(c, &a, code, &e);
}

enum exit_code
verb_groups_create(struct cli *c)
{
	return put_one_group(c, c->word[1]);
}

enum exit_code
verb_groups_set(struct cli *c)
{
	return put_one_group(c, NULL);
}

enum exit_code
verb_groups_delete(struct cli *c)
{
	return change(c, "DELETE", "source-groups",
	    "the source group is deleted; its snapshots stay");
}

/* --------------------------------------------------------------- schedules */

enum exit_code
verb_schedules_list(struct cli *c)
{
	return list(c, "schedules", &schedules_shape);
}

static enum rc
put_schedule(struct cli *c, struct json_out *j, struct plan_ask *a,
    struct err *e)
{
	char list_path[PATH_CAP];
	struct str host, rest;
	enum rc rc;

	host = str_of(a->list);
	host.n -= strlen("/schedules");
	ASSERT(str_fmt(list_path, sizeof(list_path), "%.*s/source-groups",
	    STR_ARG(host)));
	rest = str_of(c->word[1]);
	json_put_str(j, "cron", rest);
	if (args_has(&c->args, OPT_ZONE))
		json_put(j, "zone", args_value(&c->args, OPT_ZONE));
	json_put_bool(j, "enabled", !args_has(&c->args, OPT_PAUSED));
	rc = put_number(j, "jitter_seconds", &c->args, OPT_JITTER, e);
	if (rc == RC_OK)
		rc = put_group_ids(j, &c->args, a->cl, list_path, e);
	return rc;
}

enum exit_code
verb_schedules_create(struct cli *c)
{
	enum exit_code code = END_OK;
	struct err e = { 0 };
	struct json_out j;
	struct plan_ask a;
	struct buf b;
	enum rc rc;

	buf_init(&b, BODY_MAX);
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	rc = plan_begin(c, "schedules", NULL, &a, &e);
	if (rc == RC_OK)
		rc = put_schedule(c, &j, &a, &e);
	json_obj_end(&j);
	if (rc == RC_OK)
		code = ask_change(c, a.cl, "POST", a.list, buf_str(&b),
		    "the schedule is made; the host's agent runs it");
	buf_fini(&b);
	return plan_end(c, &a, code, &e);
}

static enum exit_code
set_enabled(struct cli *c, bool enabled)
{
	enum exit_code code = END_OK;
	struct err e = { 0 };
	struct plan_ask a;

	if (plan_begin(c, "schedules", "cron", &a, &e) == RC_OK)
		code = ask_change(c, a.cl, "PUT", a.path,
		    enabled ? STR("{\"enabled\":true}")
		            : STR("{\"enabled\":false}"),
		    enabled ? "the schedule is on again"
		            : "the schedule is paused");
	return plan_end(c, &a, code, &e);
}

enum exit_code
verb_schedules_pause(struct cli *c)
{
	return set_enabled(c, false);
}

enum exit_code
verb_schedules_resume(struct cli *c)
{
	return set_enabled(c, true);
}

enum exit_code
verb_schedules_delete(struct cli *c)
{
	return change(c, "DELETE", "schedules", "the schedule is deleted");
}
