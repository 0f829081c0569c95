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
	RUNS_MAX = 200,
	SHOWN = 12,
	NAMES_SHOWN = 3
};

static const int64_t minute_ms = 60000, span_ms = INT64_C(24) * 3600000;

/* One thing that begins. */
struct due {
	const struct Rec__Host *host;
	int64_t at_ms;
	Rec__JobKind kind;
};

struct dues {
	struct view *v;
	struct due of[2 * RUNS_MAX];
	size_t n, upkeep;
};

static bool
jobs_due_on_upkeep(void *ctx, const struct ulid *host, Rec__JobKind kind,
    int64_t due_ms)
{
	struct dues *d = ctx;
	const struct Rec__Host *h = host_store_find(d->v->state, host);

	/* What is due and waits is told with its host. */
	if (h != NULL && due_ms > d->v->req->now_ms)
		d->of[d->n++] = (struct due){ h, due_ms, kind };
	return ++d->upkeep < RUNS_MAX;
}

/* Backups are sorted, maintenance is: a merge by insertion. */
static void
sort(struct dues *d)
{
	size_t i, at;

	for (i = 1; i < d->n; i++) {
		struct due one = d->of[i];

		for (at = i; at > 0 && d->of[at - 1].at_ms > one.at_ms; at--)
			d->of[at] = d->of[at - 1];
		d->of[at] = one;
	}
}

static void
collect(struct view *v, struct dues *d)
{
	struct fleet_run *runs = arena_array(v->arena, RUNS_MAX, sizeof(*runs));
	const int64_t until = v->req->now_ms + span_ms;
	size_t i, n;

	if (runs == NULL)
		return;
	n = fleet_next_get(v, until, runs, RUNS_MAX);
	for (i = 0; i < n; i++)
		d->of[d->n++] = (struct due){ runs[i].host, runs[i].at_ms,
			REC__JOB_KIND__KIND_BACKUP };
	upkeep_store_due(v->state, until, jobs_due_on_upkeep, d);
	sort(d);
}

static bool
together(const struct due *a, const struct due *b)
{
	return a->kind == b->kind &&
	       a->at_ms / minute_ms == b->at_ms / minute_ms;
}

static const char *
names_of(struct view *v, const struct due *d, size_t n)
{
	const char *z;
	struct buf b;
	size_t i;

	buf_init(&b, KIB(4));
	for (i = 0; i < n && i < NAMES_SHOWN; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ", d[i].host->name);
	if (i < n)
		buf_printf(&b, " and %s more", text_count(v->arena, n - i));
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

static void
put_item(struct view *v, struct value *item, const struct due *d, size_t n)
{
	const char *tab =
	    d->kind == REC__JOB_KIND__KIND_BACKUP ? "schedules" : "repo";

	value_text(item, "time", text_minute(v->arena, &v->clock, d->at_ms));
	view_time(v, item, "at", d->at_ms);
	value_text(item, "hosts", names_of(v, d, n));
	value_text(item, "kind", status_kind_words(d->kind));
	value_text(item, "what",
	    n == 1
	        ? ""
	        : arena_printf(v->arena, "%s hosts", text_count(v->arena, n)));
	value_text(item, "link",
	    n == 1 ? arena_printf(v->arena, "/hosts/%s/%s",
	                 view_id(v, d->host->id), tab)
	           : "");
}

void
jobs_due_put(struct view *v, struct value *root)
{
	struct dues *d = arena_alloc(v->arena, sizeof(*d));
	struct value *list = value_list(root, "due");
	size_t i, k, shown = 0;

	if (d == NULL)
		return;
	memset(d, 0, sizeof(*d));
	d->v = v;
	collect(v, d);
	for (i = 0; i < d->n && shown < SHOWN; i = k, shown++) {
		for (k = i + 1; k < d->n && together(&d->of[i], &d->of[k]);)
			k++;
		put_item(v, value_item(list), &d->of[i], k - i);
	}
}
