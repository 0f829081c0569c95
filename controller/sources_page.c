/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The forms of source groups; what was typed comes back when it is refused. */
#include <string.h>

#include "controller/controller.h"
#include "controller/page.h"
#include "controller/plan.h"
#include "controller/plan_form.h"
#include "controller/req.h"
#include "controller/sources_own.h"
#include "lib/base/json.h"

#define NO_GROUP "there is no such source group"

/* In the order of the form. */
static const char *const typed[] = { "name", "includes", "excludes",
	"keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly",
	"keep_yearly", "retry_max", "retry_backoff_seconds" };

/* ------------------------------------------------------------------- again */

static const char *
error_param(struct req *r, const struct err *e)
{
	if (e->field != NULL)
		return arena_printf(&r->arena, "error.%s", e->field);
	return e->rc == RC_CONFLICT && e->code != NULL &&
	               strcmp(e->code, "duplicate_group") == 0
	           ? "error.name"
	           : "error";
}

static void
form_again(struct req *r, const struct err *e)
{
	struct page_param params[ARRAY_LEN(typed) + 5] = {
		{ "id", r->vars[0] },
		{ "group", r->vars[1] },
		{ "typed", STR("1") },
		{ error_param(r, e), str_of(arena_dup(&r->arena, e->msg)) },
		{ "seen", plan_form_seen_again(r, e) },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(typed); i++)
		params[i + 5] =
		    (struct page_param){ typed[i], req_field(r, typed[i]) };
	page_refused(r, "host_source", params, ARRAY_LEN(params), e);
}

/* ----------------------------------------------------------------- reading */

/* One a line; blank lines and blanks around are nobody's. */
static enum rc
read_lines(struct req *r, const char *field, struct json_strs *out,
    struct err *e)
{
	struct str rest = req_field(r, field), line;

	out->n = 0;
	out->v = arena_array(&r->arena, PLAN_PATHS_MAX + 1, sizeof(*out->v));
	if (out->v == NULL)
		return err_set(e, RC_LIMIT, "the form is too large");
	while (str_next(&rest, '\n', &line)) {
		line = str_trim(line);
		if (line.n == 0)
			continue;
		if (out->n == PLAN_PATHS_MAX)
			return err_field(e, field, "at most %d lines fit here",
			    (int)PLAN_PATHS_MAX);
		out->v[out->n++] = arena_str(&r->arena, line);
	}
	return RC_OK;
}

static enum rc
read_number(struct req *r, const char *field, uint64_t max, uint32_t *out,
    struct err *e)
{
	struct str s = str_trim(req_field(r, field));
	uint64_t v = 0;

	if (s.n > 0 && !str_u64(s, max, &v))
		return err_field(e, field, "a whole number up to %llu",
		    (unsigned long long)max);
	*out = (uint32_t)v;
	return RC_OK;
}

static enum rc
read_numbers(struct req *r, struct sources_edit *ed, struct err *e)
{
	struct Rec__Retention *k = &ed->keep;
	const struct {
		const char *field;
		uint64_t max;
		uint32_t *out;
	} rows[] = {
		{ "keep_last", PLAN_KEEP_MAX, &k->last },
		{ "keep_hourly", PLAN_KEEP_MAX, &k->hourly },
		{ "keep_daily", PLAN_KEEP_MAX, &k->daily },
		{ "keep_weekly", PLAN_KEEP_MAX, &k->weekly },
		{ "keep_monthly", PLAN_KEEP_MAX, &k->monthly },
		{ "keep_yearly", PLAN_KEEP_MAX, &k->yearly },
		{ "retry_max", PLAN_RETRY_MAX, &ed->retry_max },
		{ "retry_backoff_seconds", PLAN_BACKOFF_MAX_S, &ed->backoff_s },
	};
	enum rc rc = RC_OK;
	size_t i;

	rec__retention__init(k);
	for (i = 0; rc == RC_OK && i < ARRAY_LEN(rows); i++)
		rc = read_number(r, rows[i].field, rows[i].max, rows[i].out, e);
	return rc;
}

/* -------------------------------------------------------------------- edit */

static void
sources_on_form(struct req *r, struct op *op)
{
	const struct sources_edit *ed = op->in;

	if (op->err.rc != RC_OK) {
		form_again(r, &op->err);
		return;
	}
	sources_tell(r->ctl, &ed->host);
	req_redirect(r,
	    arena_printf(&r->arena, "/hosts/%.*s/sources?saved=source",
	        STR_ARG(r->vars[0])));
}

void
sources_form(struct req *r)
{
	struct sources_edit ed = { .keep_given = true,
		.retry_given = true,
		.backoff_given = true };
	struct json_strs includes, excludes;
	struct err e;

	if (!req_need_ulid(r, 0, NO_GROUP, &ed.host) ||
	    (r->vars[1].p != NULL && !req_need_ulid(r, 1, NO_GROUP, &ed.group)))
		return;
	if (read_lines(r, "includes", &includes, &e) != RC_OK ||
	    read_lines(r, "excludes", &excludes, &e) != RC_OK ||
	    read_numbers(r, &ed, &e) != RC_OK) {
		form_again(r, &e);
		return;
	}
	ed.seen_ms = plan_form_seen(r);
	ed.name = arena_str(&r->arena, str_trim(req_field(r, "name")));
	ed.includes = &includes;
	ed.excludes = &excludes;
	sources_submit(r, &ed, sources_on_form);
}

/* ------------------------------------------------------------------ delete */

static void
sources_on_delete_form(struct req *r, struct op *op)
{
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "error", str_of(arena_dup(&r->arena, op->err.msg)) },
	};

	if (op->err.rc == RC_OK) {
		sources_tell_deleted(r->ctl, op->in);
		req_redirect(r, arena_printf(&r->arena,
		                    "/hosts/%.*s/sources?saved=source-deleted",
		                    STR_ARG(r->vars[0])));
	} else {
		page_refused(r, "host_sources", params, ARRAY_LEN(params),
		    &op->err);
	}
}

void
sources_delete_form(struct req *r)
{
	struct sources_gone g = { .zone = NULL };

	if (req_need_ulid(r, 0, NO_GROUP, &g.host) &&
	    req_need_ulid(r, 1, NO_GROUP, &g.group))
		sources_submit_delete(r, &g, sources_on_delete_form);
}
