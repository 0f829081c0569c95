/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/jobs_due.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/store/host_store.h"
#include "lib/store/upkeep_store.h"
#include "render/fleet_next.h"
#include "render/status.h"
#include "render/value.h"
#include "render/view.h"

enum {
	SHOWN = 12,
	NAMES_SHOWN = 3
};

static const int64_t minute_ms = 60000, span_ms = INT64_C(24) * 3600000;

/* What begins together: one kind in one minute. */
struct due {
	int64_t at_ms; /* the first of them */
	Rec__JobKind kind;
	const struct Rec__Host *first[NAMES_SHOWN];
	size_t n;
};

/* The soonest, in order.  What has left it for others that are sooner does not
 * come back, so those that stay have counted all of theirs. */
struct dues {
	struct view *v;
	struct due of[SHOWN];
	size_t n;
};

/* By minute, then by kind. */
static int
compare(const struct due *d, int64_t at_ms, Rec__JobKind kind)
{
	int64_t a = d->at_ms / minute_ms, b = at_ms / minute_ms;

	if (a != b)
		return a < b ? -1 : 1;
	return (d->kind > kind) - (d->kind < kind);
}

/* Its place, made if need be; NULL: it comes later than all that are shown. */
static struct due *
due_at(struct dues *all, int64_t at_ms, Rec__JobKind kind)
{
	size_t at = all->n;
	int order = -1;

	while (at > 0 && (order = compare(&all->of[at - 1], at_ms, kind)) > 0)
		at--;
	if (at > 0 && order == 0)
		return &all->of[at - 1];
	if (at == SHOWN)
		return NULL;
	if (all->n < SHOWN)
		all->n++;
	memmove(all->of + at + 1, all->of + at,
	    (all->n - at - 1) * sizeof(*all->of));
	all->of[at] = (struct due){ .at_ms = at_ms, .kind = kind };
	return &all->of[at];
}

static void
count_one(struct due *d, const struct Rec__Host *h, int64_t at_ms)
{
	if (d->n < NAMES_SHOWN)
		d->first[d->n] = h;
	d->n++;
	if (at_ms < d->at_ms)
		d->at_ms = at_ms;
}

static void
jobs_due_on_backup(void *ctx, const struct Rec__Host *h, int64_t at_ms)
{
	struct due *d = due_at(ctx, at_ms, REC__JOB_KIND__KIND_BACKUP);

	if (d != NULL)
		count_one(d, h, at_ms);
}

/* Soonest first: what is too late for the list ends it. */
static bool
jobs_due_on_upkeep(void *ctx, const struct ulid *host, Rec__JobKind kind,
    int64_t due_ms)
{
	const struct Rec__Host *h = NULL;
	struct dues *all = ctx;
	struct due *d;

	/* What is due and waits is told with its host. */
	if (due_ms <= all->v->req->now_ms)
		return true;
	d = due_at(all, due_ms, kind);
	if (d == NULL)
		return compare(&all->of[SHOWN - 1], due_ms,
		           REC__JOB_KIND__KIND_UNKNOWN) > 0;
	if (d->n < NAMES_SHOWN)
		h = host_store_find(all->v->state, host);
	if (h != NULL || d->n >= NAMES_SHOWN)
		count_one(d, h, due_ms);
	return true;
}

static const char *
names_of(struct view *v, const struct due *d)
{
	const char *z;
	struct buf b;
	size_t i;

	buf_init(&b, KIB(4));
	for (i = 0; i < d->n && i < NAMES_SHOWN; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ", d->first[i]->name);
	if (i < d->n)
		buf_printf(&b, " and %s more", text_count(v->arena, d->n - i));
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

static void
put_item(struct view *v, struct value *item, const struct due *d)
{
	const char *tab =
	    d->kind == REC__JOB_KIND__KIND_BACKUP ? "schedules" : "repo";

	value_text(item, "time", text_minute(v->arena, &v->clock, d->at_ms));
	view_time(v, item, "at", d->at_ms);
	value_text(item, "hosts", names_of(v, d));
	value_text(item, "kind", status_kind_words(d->kind));
	value_text(item, "what",
	    d->n == 1 ? ""
	              : arena_printf(v->arena, "%s hosts",
	                    text_count(v->arena, d->n)));
	value_text(item, "link",
	    d->n == 1 ? arena_printf(v->arena, "/hosts/%s/%s",
	                    view_id(v, d->first[0]->id), tab)
	              : "");
}

void
jobs_due_put(struct view *v, struct value *root)
{
	const int64_t until = v->req->now_ms + span_ms;
	struct value *list = value_list(root, "due");
	struct dues all = { .v = v };
	size_t i;

	fleet_next_each(v, until, jobs_due_on_backup, &all);
	upkeep_store_due(v->state, until, jobs_due_on_upkeep, &all);
	for (i = 0; i < all.n; i++)
		if (all.of[i].n > 0)
			put_item(v, value_item(list), &all.of[i]);
}
