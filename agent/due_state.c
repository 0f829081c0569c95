/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/due_own.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "proto/store.pb-c.h"

enum {
	DUE_STATE_MAX = 16777216
};

void
due_free_schedules(struct due_schedule *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		mem_free(s[i].mark.when);
		mem_free(s[i].groups);
	}
	mem_free(s);
}

/* -------------------------------------------------------------- loading */

static bool
due_load_mark(const Rec__AgentMark *rec, struct due_mark *m)
{
	if (!ulid_parse(str_of(rec->schedule_id), &m->schedule))
		return false;
	m->when = mem_strdup(rec->when);
	m->last_due_ms = rec->last_due_ms;
	m->success_due_ms = rec->success_due_ms;
	m->caught_up_due_ms = rec->caught_up_due_ms;
	m->failed_due_ms = rec->failed_due_ms;
	return true;
}

static void
due_load_run(struct due *d, const Rec__AgentRun *rec)
{
	struct due_cover c = { .due_ms = rec->due_at_ms };
	struct ulid job, group;
	struct due_run *r;
	size_t i;

	if (!ulid_parse(str_of(rec->job_id), &job) ||
	    !ulid_parse(str_of(rec->group_id), &group) ||
	    !ulid_parse(str_of(rec->schedule_id), &c.schedule))
		return;
	r = due_append(d);
	r->job = job;
	r->group = group;
	r->not_before_ms = rec->not_before_ms;
	r->attempt = rec->attempt;
	r->catch_up = rec->catch_up;
	due_add_cover(r, &c);
	for (i = 0; i < rec->n_also; i++) {
		c.due_ms = rec->also[i]->due_at_ms;
		if (ulid_parse(str_of(rec->also[i]->schedule_id), &c.schedule))
			due_add_cover(r, &c);
	}
}

enum rc
due_load(struct due *d, struct str saved)
{
	Rec__AgentSchedules *rec = rec__agent_schedules__unpack(NULL, saved.n,
	    (const uint8_t *)saved.p);
	size_t i;

	if (rec == NULL)
		return RC_CORRUPT;
	d->schedules = mem_array(rec->n_marks, sizeof(*d->schedules));
	for (i = 0; i < rec->n_marks; i++)
		if (due_load_mark(rec->marks[i],
		        &d->schedules[d->n_schedules].mark))
			d->n_schedules++;
	for (i = 0; i < rec->n_runs; i++)
		due_load_run(d, rec->runs[i]);
	rec__agent_schedules__free_unpacked(rec, NULL);
	return RC_OK;
}

/* --------------------------------------------------------------- saving */

static char *
due_id(struct arena *a, const struct ulid *id)
{
	char text[ULID_TEXT_CAP];

	ulid_text(id, text);
	return arena_dup(a, text);
}

static Rec__AgentMark *
due_save_mark(struct arena *a, const struct due_mark *m)
{
	Rec__AgentMark *rec = arena_alloc(a, sizeof(*rec));

	if (rec == NULL)
		return NULL;
	rec__agent_mark__init(rec);
	rec->schedule_id = due_id(a, &m->schedule);
	rec->when = m->when;
	rec->last_due_ms = m->last_due_ms;
	rec->success_due_ms = m->success_due_ms;
	rec->caught_up_due_ms = m->caught_up_due_ms;
	rec->failed_due_ms = m->failed_due_ms;
	return rec;
}

static Rec__AgentDue *
due_save_cover(struct arena *a, const struct due_cover *c)
{
	Rec__AgentDue *rec = arena_alloc(a, sizeof(*rec));

	if (rec == NULL)
		return NULL;
	rec__agent_due__init(rec);
	rec->schedule_id = due_id(a, &c->schedule);
	rec->due_at_ms = c->due_ms;
	return rec;
}

static Rec__AgentRun *
due_save_run(struct arena *a, const struct due_run *r)
{
	Rec__AgentRun *rec = arena_alloc(a, sizeof(*rec));
	size_t i;

	if (rec == NULL)
		return NULL;
	rec__agent_run__init(rec);
	rec->job_id = due_id(a, &r->job);
	rec->group_id = due_id(a, &r->group);
	rec->schedule_id = due_id(a, &r->covers[0].schedule);
	rec->due_at_ms = r->covers[0].due_ms;
	rec->not_before_ms = r->not_before_ms;
	rec->attempt = r->attempt;
	rec->catch_up = r->catch_up;
	rec->also = arena_array(a, r->n_covers, sizeof(*rec->also));
	for (i = 1; rec->also != NULL && i < r->n_covers; i++)
		rec->also[rec->n_also++] = due_save_cover(a, &r->covers[i]);
	return rec;
}

enum rc
due_save(const struct due *d, int64_t now_ms, struct buf *out)
{
	Rec__AgentSchedules all = REC__AGENT_SCHEDULES__INIT;
	struct arena a;
	char *room = NULL;
	enum rc rc;
	size_t i;

	arena_init(&a, DUE_STATE_MAX);
	all.saved_at_ms = now_ms;
	all.marks = arena_array(&a, d->n_schedules, sizeof(*all.marks));
	all.runs = arena_array(&a, d->n_line, sizeof(*all.runs));
	for (i = 0; all.marks != NULL && i < d->n_schedules; i++)
		all.marks[all.n_marks++] =
		    due_save_mark(&a, &d->schedules[i].mark);
	for (i = 0; all.runs != NULL && i < d->n_line; i++)
		all.runs[all.n_runs++] = due_save_run(&a, d->line[i]);
	if ((rc = arena_rc(&a)) == RC_OK)
		room = buf_reserve(out,
		    rec__agent_schedules__get_packed_size(&all));
	if (room != NULL)
		buf_added(out,
		    rec__agent_schedules__pack(&all, (uint8_t *)room));
	arena_fini(&a);
	return rc == RC_OK ? buf_rc(out) : rc;
}
