/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The forms of schedules; what was typed comes back when it is refused. */
#include <string.h>

#include "controller/controller.h"
#include "controller/page.h"
#include "controller/plan.h"
#include "controller/plan_form.h"
#include "controller/req.h"
#include "controller/schedules_own.h"
#include "controller/sources.h"
#include "lib/base/cron.h"
#include "lib/base/json.h"

#define GROUP_OF "group-"
#define NO_SCHEDULE "there is no such schedule"

/* ------------------------------------------------------------------- again */

/* The form's name of what the API calls so. */
static const char *
error_param(struct req *r, const struct err *e)
{
	if (e->field == NULL)
		return "error";
	if (strcmp(e->field, "source_group_ids") == 0)
		return "error.groups";
	return arena_printf(&r->arena, "error.%s", e->field);
}

/* Ids of the boxes that are ticked, blanks between. */
static struct str
ticked(struct req *r)
{
	const char *ids = "";
	struct ulid id;
	size_t i;

	for (i = 0; i < r->form_count; i++) {
		struct str name = r->form[i].name;
		struct str text = str_sub(name, sizeof(GROUP_OF) - 1, name.n);

		if (str_starts(name, STR(GROUP_OF)) && ulid_parse(text, &id) &&
		    str_eqz(r->form[i].value, "1"))
			ids = arena_printf(&r->arena, "%s%s%.*s", ids,
			    ids[0] != '\0' ? " " : "", STR_ARG(text));
	}
	return str_of(ids);
}

/* e NULL: only to be looked at. */
static void
form_again(struct req *r, const struct err *e)
{
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "schedule", r->vars[1] },
		{ "typed", STR("1") },
		{ "preview", e == NULL ? STR("1") : STR("") },
		{ "preset", req_field(r, "preset") },
		{ "cron", req_field(r, "cron") },
		{ "zone", req_field(r, "zone") },
		{ "enabled", req_field(r, "enabled") },
		{ "jitter_seconds", req_field(r, "jitter_seconds") },
		{ "groups", ticked(r) },
		{ "seen", plan_form_seen_again(r, e) },
		{ e != NULL ? error_param(r, e) : "error",
		    e != NULL ? str_of(arena_dup(&r->arena, e->msg))
		              : STR("") },
	};

	if (e != NULL)
		page_refused(r, "host_schedule", params, ARRAY_LEN(params), e);
	else
		page_reply(r, 200, "host_schedule", params, ARRAY_LEN(params),
		    NULL);
}

static void
list_again(struct req *r, const struct err *e)
{
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "error", str_of(arena_dup(&r->arena, e->msg)) },
	};

	page_refused(r, "host_schedules", params, ARRAY_LEN(params), e);
}

static bool
need_schedule(struct req *r, struct ulid *host, struct ulid *schedule)
{
	return req_need_ulid(r, 0, NO_SCHEDULE, host) &&
	       req_need_ulid(r, 1, NO_SCHEDULE, schedule);
}

static void
to_list(struct req *r, const char *query)
{
	req_redirect(r, arena_printf(&r->arena, "/hosts/%.*s/schedules%s",
	                    STR_ARG(r->vars[0]), query));
}

/* -------------------------------------------------------------------- edit */

static void
schedules_on_form(struct req *r, struct op *op)
{
	const struct schedules_edit *ed = op->in;

	if (op->err.rc != RC_OK) {
		form_again(r, &op->err);
		return;
	}
	sources_tell(r->ctl, &ed->host);
	to_list(r, "?saved=schedule");
}

static void
read_groups(struct req *r, struct json_strs *out)
{
	struct str rest = ticked(r), id;

	out->n = 0;
	out->v = arena_array(&r->arena, REQ_FORM_MAX + 1, sizeof(*out->v));
	while (out->v != NULL && str_next(&rest, ' ', &id))
		if (id.n > 0)
			out->v[out->n++] = arena_str(&r->arena, id);
}

static enum rc
read_form(struct req *r, struct schedules_edit *ed, struct err *e)
{
	struct str preset = str_trim(req_field(r, "preset"));
	struct str cron = str_trim(req_field(r, "cron"));
	struct str zone = str_trim(req_field(r, "zone"));
	struct str jitter = str_trim(req_field(r, "jitter_seconds"));
	uint64_t v = 0;

	if (zone.n > PLAN_ZONE_MAX)
		return err_field(e, "zone", "at most %d characters fit here",
		    (int)PLAN_ZONE_MAX);
	if (cron.n > CRON_EXPR_MAX || preset.n > CRON_EXPR_MAX)
		return err_field(e, "cron", "at most %d characters fit here",
		    (int)CRON_EXPR_MAX);
	if (jitter.n > 0 && !str_u64(jitter, PLAN_JITTER_MAX_S, &v))
		return err_field(e, "jitter_seconds",
		    "a whole number of seconds, at most %d",
		    (int)PLAN_JITTER_MAX_S);
	ed->cron = arena_str(&r->arena, preset.n > 0 ? preset : cron);
	ed->zone = arena_str(&r->arena, zone);
	ed->jitter_given = true;
	ed->jitter_s = (uint32_t)v;
	ed->enabled_given = true;
	ed->enabled = str_eqz(req_field(r, "enabled"), "1");
	return RC_OK;
}

void
schedules_form(struct req *r)
{
	struct schedules_edit ed = { .cron = NULL };
	struct json_strs groups;
	struct err e;

	if (!req_need_ulid(r, 0, NO_SCHEDULE, &ed.host) ||
	    (r->vars[1].p != NULL &&
	        !req_need_ulid(r, 1, NO_SCHEDULE, &ed.schedule)))
		return;
	if (str_eqz(req_field(r, "do"), "preview")) {
		form_again(r, NULL);
		return;
	}
	if (read_form(r, &ed, &e) != RC_OK) {
		form_again(r, &e);
		return;
	}
	ed.seen_ms = plan_form_seen(r);
	read_groups(r, &groups);
	ed.groups = &groups;
	schedules_submit(r, &ed, schedules_on_form);
}

/* ---------------------------------------------------------- of the list */

static void
schedules_on_enabled_form(struct req *r, struct op *op)
{
	const struct schedules_edit *ed = op->in;

	if (op->err.rc != RC_OK) {
		list_again(r, &op->err);
		return;
	}
	sources_tell(r->ctl, &ed->host);
	to_list(r, "");
}

void
schedules_enabled_form(struct req *r)
{
	struct schedules_edit ed = { .enabled_given = true };

	if (!need_schedule(r, &ed.host, &ed.schedule))
		return;
	ed.enabled = str_eqz(req_field(r, "enabled"), "1");
	schedules_submit(r, &ed, schedules_on_enabled_form);
}

static void
schedules_on_delete_form(struct req *r, struct op *op)
{
	const struct schedules_gone *g = op->in;

	if (op->err.rc != RC_OK) {
		list_again(r, &op->err);
		return;
	}
	sources_tell(r->ctl, &g->host);
	to_list(r, "?saved=schedule-deleted");
}

void
schedules_delete_form(struct req *r)
{
	struct schedules_gone g = { .now_ms = 0 };

	if (need_schedule(r, &g.host, &g.schedule))
		schedules_submit_delete(r, &g, schedules_on_delete_form);
}
