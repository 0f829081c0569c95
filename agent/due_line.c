/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "agent/due_own.h"
#include "lib/base/mem.h"

/* ------------------------------------------------------------- the line */

static void
due_free_run(struct due_run *r)
{
	mem_free(r->covers);
	mem_free(r);
}

void
due_free_line(struct due *d)
{
	size_t i;

	for (i = 0; i < d->n_line; i++)
		due_free_run(d->line[i]);
	mem_free(d->line);
}

struct due_run *
due_append(struct due *d)
{
	struct due_run *r = MEM_NEW(struct due_run);

	d->line =
	    mem_realloc(d->line, (d->n_line + 1) * sizeof(struct due_run *));
	d->line[d->n_line++] = r;
	return r;
}

static size_t
due_index(const struct due *d, const struct ulid *job)
{
	size_t i;

	for (i = 0; i < d->n_line; i++)
		if (ulid_eq(&d->line[i]->job, job))
			break;
	return i;
}

const struct due_run *
due_at(const struct due *d, size_t i)
{
	return i < d->n_line ? d->line[i] : NULL;
}

const struct due_run *
due_find(const struct due *d, const struct ulid *job)
{
	return due_at(d, due_index(d, job));
}

bool
due_is_running(const struct due *d, const struct due_run *r)
{
	return !ulid_is_zero(&d->running) && ulid_eq(&d->running, &r->job);
}

static struct due_run *
due_waiting(const struct due *d, const struct ulid *group)
{
	size_t i;

	for (i = 0; i < d->n_line; i++)
		if (ulid_eq(&d->line[i]->group, group) &&
		    !due_is_running(d, d->line[i]))
			return d->line[i];
	return NULL;
}

bool
due_covered(const struct due *d, const struct ulid *schedule)
{
	size_t i, k;

	for (i = 0; i < d->n_line; i++)
		for (k = 0; k < d->line[i]->n_covers; k++)
			if (ulid_eq(&d->line[i]->covers[k].schedule, schedule))
				return true;
	return false;
}

const struct due_run *
due_ready(const struct due *d, int64_t now_ms)
{
	const struct due_run *first = NULL;
	size_t i;

	if (!ulid_is_zero(&d->running))
		return NULL;
	for (i = 0; i < d->n_line; i++)
		if (d->line[i]->not_before_ms <= now_ms &&
		    (first == NULL ||
		        d->line[i]->not_before_ms < first->not_before_ms))
			first = d->line[i];
	return first;
}

void
due_begin(struct due *d, const struct ulid *job)
{
	d->running = *job;
}

/* --------------------------------------------------- what a run stands for */

void
due_add_cover(struct due_run *r, const struct due_cover *cover)
{
	r->covers =
	    mem_realloc(r->covers, (r->n_covers + 1) * sizeof(*r->covers));
	r->covers[r->n_covers++] = *cover;
}

/* The run did not do it for this due time: a later one has to succeed. */
static void
due_note_failed(struct due *d, const struct due_cover *c)
{
	struct due_schedule *s = due_schedule_of(d, &c->schedule);

	if (s != NULL && c->due_ms > s->mark.failed_due_ms)
		s->mark.failed_due_ms = c->due_ms;
}

static bool
due_awaited(const struct due *d, const struct due_cover *c)
{
	size_t i, k;

	for (i = 0; i < d->n_line; i++)
		for (k = 0; k < d->line[i]->n_covers; k++)
			if (d->line[i]->covers[k].due_ms == c->due_ms &&
			    ulid_eq(&d->line[i]->covers[k].schedule,
			        &c->schedule))
				return true;
	return false;
}

/* One group of that due time is over, its run has left the line. */
static void
due_settle(struct due *d, const struct due_cover *c, enum due_end end)
{
	struct due_schedule *s = due_schedule_of(d, &c->schedule);

	if (s == NULL)
		return;
	if (end == DUE_CANCELLED)
		s->mark.caught_up_due_ms = c->due_ms;
	if (end != DUE_SUCCEEDED)
		due_note_failed(d, c);
	else if (s->mark.failed_due_ms != c->due_ms && !due_awaited(d, c))
		s->mark.success_due_ms = c->due_ms;
}

/* The run stands for one due time of a schedule, the latest. */
static void
due_join(struct due *d, struct due_run *r, const struct due_cover *c)
{
	struct due_cover old;
	size_t i;

	for (i = 0; i < r->n_covers; i++)
		if (ulid_eq(&r->covers[i].schedule, &c->schedule))
			break;
	if (i == r->n_covers) {
		due_add_cover(r, c);
	} else if (r->covers[i].due_ms >= c->due_ms) {
		due_note_failed(d, c);
		return;
	} else {
		old = r->covers[i];
		r->covers[i] = *c;
		due_note_failed(d, &old);
	}
	if (c->due_ms >= r->covers[0].due_ms) {
		old = r->covers[0];
		r->covers[0] = r->covers[i];
		r->covers[i] = old;
	}
}

void
due_enqueue(struct due *d, const struct due_request *q)
{
	const struct due_cover c = { q->schedule->mark.schedule, q->due_ms };
	struct due_run *r = due_waiting(d, q->group);

	if (r == NULL) {
		r = due_append(d);
		ulid_new(&r->job);
		r->group = *q->group;
		r->not_before_ms = q->not_before_ms;
		due_add_cover(r, &c);
	} else {
		due_join(d, r, &c);
		if (q->not_before_ms < r->not_before_ms)
			r->not_before_ms = q->not_before_ms;
	}
	if (ulid_eq(&r->covers[0].schedule, &c.schedule)) {
		r->catch_up = q->catch_up;
		r->attempt = 1;
	}
}

/* ---------------------------------------------------------------- the end */

static const char *const due_hopeless[] = { "wrong_password", "no_repository",
	"no_credentials", "access_denied", "unknown_kind", "hooks_unreadable",
	"restic_too_old", "refused" };

enum due_end
due_judge(struct str status, struct str cause)
{
	size_t i;

	if (str_eqz(status, "succeeded"))
		return DUE_SUCCEEDED;
	if (str_eqz(status, "cancelled"))
		return DUE_CANCELLED;
	for (i = 0; i < ARRAY_LEN(due_hopeless); i++)
		if (str_eqz(cause, due_hopeless[i]))
			return DUE_HOPELESS;
	return DUE_FAILED;
}

/* Doubles with each retry; one of 0 s would only hammer. */
static int64_t
due_backoff_ms(uint32_t backoff_s, uint32_t attempt)
{
	int64_t ms = backoff_s > 0 ? (int64_t)backoff_s * 1000 : 1000;

	while (attempt-- > 1 && ms < DUE_BACKOFF_MAX_MS)
		ms *= 2;
	return ms < DUE_BACKOFF_MAX_MS ? ms : DUE_BACKOFF_MAX_MS;
}

static bool
due_wanted(const struct due *d, const struct due_cover *c,
    const struct ulid *group)
{
	const struct due_schedule *s = due_schedule_of(d, &c->schedule);

	return s != NULL && s->live && due_has_group(s, group);
}

int64_t
due_retry_at(const struct due *d, const struct ulid *job, enum due_end end,
    int64_t now_ms)
{
	const struct due_run *r = due_find(d, job);
	const struct due_group *g;

	if (end != DUE_FAILED || r == NULL ||
	    !due_wanted(d, &r->covers[0], &r->group))
		return 0;
	g = due_group_of(d, &r->group);
	/* One that waits already does it for this one. */
	if (g == NULL || r->attempt > g->retry_max ||
	    due_waiting(d, &r->group) != NULL)
		return 0;
	return now_ms + due_backoff_ms(g->retry_backoff_s, r->attempt);
}

static void
due_again(struct due *d, struct due_run *r, int64_t at_ms)
{
	ulid_new(&r->job);
	r->attempt++;
	r->not_before_ms = at_ms;
	d->changed = true;
}

/* What the run did not do, the one that waits for its group will. */
static void
due_hand_on(struct due *d, const struct due_run *from, struct due_run *to)
{
	size_t i;

	for (i = 0; i < from->n_covers; i++)
		due_join(d, to, &from->covers[i]);
}

void
due_ended(struct due *d, const struct ulid *job, enum due_end end,
    int64_t retry_at_ms)
{
	size_t i = due_index(d, job), k;
	struct due_run *waits;
	struct due_run *r;

	if (i == d->n_line)
		return;
	r = d->line[i];
	d->running = (struct ulid){ 0 };
	if (retry_at_ms > 0) {
		due_again(d, r, retry_at_ms);
		return;
	}
	/* It leaves the line before it is judged. */
	memmove(&d->line[i], &d->line[i + 1],
	    (d->n_line - i - 1) * sizeof(struct due_run *));
	d->n_line--;
	d->changed = true;
	waits = due_waiting(d, &r->group);
	if (end == DUE_FAILED && waits != NULL)
		due_hand_on(d, r, waits);
	else
		for (k = 0; k < r->n_covers; k++)
			due_settle(d, &r->covers[k], end);
	due_free_run(r);
}

/* ------------------------------------------------------------ a new plan */

/* What it stood for and is in no plan any more is left out.  False: that was
 * all of it. */
static bool
due_prune_run(struct due *d, struct due_run *r)
{
	size_t i, n = 0;

	if (due_is_running(d, r))
		return true;
	for (i = 0; i < r->n_covers; i++)
		if (due_wanted(d, &r->covers[i], &r->group))
			r->covers[n++] = r->covers[i];
	d->changed = d->changed || n != r->n_covers;
	r->n_covers = n;
	return n > 0;
}

void
due_prune(struct due *d)
{
	size_t i, n = 0;

	for (i = 0; i < d->n_line; i++)
		if (due_prune_run(d, d->line[i]))
			d->line[n++] = d->line[i];
		else
			due_free_run(d->line[i]);
	d->n_line = n;
}
