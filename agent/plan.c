/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/plan.h"

#include <string.h>

#include "agent/due.h"
#include "agent/run.h"
#include "lib/base/buf.h"
#include "lib/base/cron.h"
#include "lib/base/mem.h"

enum {
	PLAN_NAME_MAX = 1024,
	PLAN_JITTER_MAX_S = 7 * 86400,
	PLAN_RETRY_MAX = 1000,
	/* What is told of a run's paths; an event holds 64 KiB. */
	PLAN_TOLD_PATHS_MAX = 24576
};

/* ------------------------------------------------------------- checking */

static const Wire__PlanGroup *
plan_group(const Wire__Plan *p, const char *id)
{
	size_t i;

	for (i = 0; i < p->n_groups; i++)
		if (strcmp(p->groups[i]->id, id) == 0)
			return p->groups[i];
	return NULL;
}

static enum rc
plan_check_group(const Wire__Plan *p, const Wire__PlanGroup *g, struct err *e)
{
	struct ulid id;
	size_t i;

	if (!ulid_parse(str_of(g->id), &id) || plan_group(p, g->id) != g)
		return err_set(e, RC_INVALID,
		    "the plan has a source group without an id of its own");
	if (g->name[0] == '\0' || strlen(g->name) > PLAN_NAME_MAX)
		return err_set(e, RC_INVALID,
		    "source group %s has no name, or one longer than %d bytes",
		    g->id, PLAN_NAME_MAX);
	for (i = 0; i < g->n_includes; i++)
		if (g->includes[i][0] != '/')
			return err_set(e, RC_INVALID,
			    "source group %s: a path is not absolute", g->id);
	if (g->retry_max > PLAN_RETRY_MAX)
		return err_set(e, RC_LIMIT,
		    "source group %s: more than %d retries", g->id,
		    PLAN_RETRY_MAX);
	return RC_OK;
}

static enum rc
plan_check_schedule(const Wire__Plan *p, size_t n, struct err *e)
{
	const Wire__PlanSchedule *s = p->schedules[n];
	struct ulid id;
	size_t i;

	if (!ulid_parse(str_of(s->id), &id))
		return err_set(e, RC_INVALID,
		    "the plan has a schedule without an id");
	for (i = 0; i < n; i++)
		if (strcmp(p->schedules[i]->id, s->id) == 0)
			return err_set(e, RC_INVALID,
			    "the plan has schedule %s twice", s->id);
	if (s->n_group_ids == 0 || s->n_group_ids > PLAN_GROUPS_MAX)
		return err_set(e, RC_INVALID,
		    "schedule %s has no source group, or more than %d", s->id,
		    PLAN_GROUPS_MAX);
	for (i = 0; i < s->n_group_ids; i++)
		if (plan_group(p, s->group_ids[i]) == NULL)
			return err_set(e, RC_INVALID,
			    "schedule %s is of a source group that the plan "
			    "does not have",
			    s->id);
	if (s->jitter_s > PLAN_JITTER_MAX_S)
		return err_set(e, RC_LIMIT,
		    "schedule %s is spread over more than a week", s->id);
	return RC_OK;
}

enum rc
plan_check(const Wire__Plan *p, struct err *e)
{
	enum rc rc;
	size_t i;

	if (p->format != PLAN_FORMAT)
		return err_set(e, RC_VERSION,
		    "the plan is of format %u, this agent understands %d%s",
		    p->format, PLAN_FORMAT,
		    p->format > PLAN_FORMAT ? "; update the agent" : "");
	if (p->n_groups > PLAN_GROUPS_MAX ||
	    p->n_schedules > PLAN_SCHEDULES_MAX ||
	    wire__plan__get_packed_size(p) > PLAN_BYTES_MAX)
		return err_set(e, RC_LIMIT,
		    "the plan is too large for an agent: %d source groups, %d "
		    "schedules, 4 MiB",
		    PLAN_GROUPS_MAX, PLAN_SCHEDULES_MAX);
	for (i = 0; i < p->n_groups; i++)
		if ((rc = plan_check_group(p, p->groups[i], e)) != RC_OK)
			return rc;
	for (i = 0; i < p->n_schedules; i++)
		if ((rc = plan_check_schedule(p, i, e)) != RC_OK)
			return rc;
	return RC_OK;
}

void
plan_remark(const Wire__Plan *p, const char *zone, struct buf *out)
{
	const Wire__PlanSchedule *s;
	struct err e = { 0 };
	struct cron c;
	size_t i, n = 0;

	for (i = 0; i < p->n_schedules; i++) {
		s = p->schedules[i];
		if (!s->enabled || cron_parse(str_of(s->cron),
		                       s->zone[0] != '\0' ? s->zone : zone, &c,
		                       n == 0 ? &e : NULL) == RC_OK)
			continue;
		if (n++ == 0)
			buf_printf(out, "schedule %s cannot fire here: %s",
			    s->id, e.msg);
	}
	if (n > 1)
		buf_printf(out, "; so with %zu more", n - 1);
}

/* --------------------------------------------------------------- packed */

enum rc
plan_pack(const Wire__Plan *p, struct buf *out)
{
	char *room = buf_reserve(out, wire__plan__get_packed_size(p));

	if (room != NULL)
		buf_added(out, wire__plan__pack(p, (uint8_t *)room));
	return buf_rc(out);
}

Wire__Plan *
plan_unpack(struct str packed)
{
	return wire__plan__unpack(NULL, packed.n, (const uint8_t *)packed.p);
}

void
plan_wipe(Wire__Plan *p)
{
	size_t i;

	for (i = 0; p != NULL && i < p->n_groups; i++)
		run_wipe_hooks(p->groups[i]->hooks);
}

void
plan_free(Wire__Plan *p)
{
	if (p == NULL)
		return;
	plan_wipe(p);
	wire__plan__free_unpacked(p, NULL);
}

/* -------------------------------------------------------------- one run */

/* As many of them as there is room for in an event. */
static size_t
plan_told(char *const *paths, size_t n)
{
	size_t i, bytes = 0;

	for (i = 0; i < n; i++) {
		bytes += strlen(paths[i]) + 4;
		if (bytes > PLAN_TOLD_PATHS_MAX)
			break;
	}
	return i;
}

static void
plan_fill(const Wire__PlanGroup *g, struct plan_run *out)
{
	out->cmd.includes = out->own.includes = g->includes;
	out->cmd.n_includes = g->n_includes;
	out->own.n_includes = plan_told(g->includes, g->n_includes);
	out->cmd.excludes = out->own.excludes = g->excludes;
	out->cmd.n_excludes = g->n_excludes;
	out->own.n_excludes = plan_told(g->excludes, g->n_excludes);
	out->cmd.tag = out->own.group_name = g->name;
	out->cmd.hooks = g->hooks;
}

static void
plan_tell_also(const struct due_run *r, struct plan_run *out)
{
	size_t i, n = 0;

	for (i = 1; i < r->n_covers && n < PLAN_ALSO_MAX; i++, n++) {
		wire__own_due__init(&out->also[n]);
		ulid_text(&r->covers[i].schedule, out->also_id[n]);
		out->also[n].schedule_id = out->also_id[n];
		out->also[n].due_at_ms = r->covers[i].due_ms;
		out->also_list[n] = &out->also[n];
	}
	out->own.also = out->also_list;
	out->own.n_also = n;
}

void
plan_run(const Wire__Plan *p, const struct due_run *r, struct plan_run *out)
{
	static char backup[] = "backup";
	const Wire__PlanGroup *g;

	wire__command_run__init(&out->cmd);
	wire__own_run__init(&out->own);
	ulid_text(&r->job, out->job);
	ulid_text(&r->group, out->group);
	ulid_text(&r->covers[0].schedule, out->schedule);
	out->cmd.job_id = out->job;
	out->cmd.kind = backup;
	out->cmd.group_id = out->own.group_id = out->group;
	out->own.schedule_id = out->schedule;
	out->own.due_at_ms = r->covers[0].due_ms;
	out->own.attempt = r->attempt;
	out->own.catch_up = r->catch_up;
	plan_tell_also(r, out);
	g = p != NULL ? plan_group(p, out->group) : NULL;
	if (g != NULL)
		plan_fill(g, out);
}
