/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/fleet_next.h"

#include <string.h>

#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/base/ulid.h"
#include "lib/store/host_store.h"
#include "lib/store/next_run.h"
#include "lib/store/schedule_store.h"
#include "render/view.h"

enum {
	SPARE = 1000, /* entries of hosts that are gone, before all are */
	ZONE_CAP = 64
};

/* Good while the host is the one it was made of: a change of its schedules
 * is a new version of its configuration, its zone is in its record.  What is
 * in step with the last run needs the host's own version, which costs more. */
struct entry {
	uint64_t config, version;
	int64_t next_ms; /* 0: none */
	bool made, in_step;
	char zone[ZONE_CAP];
};

struct fleet_nexts {
	struct map *hosts; /* id -> struct entry */
};

struct fleet_nexts *
fleet_nexts_new(void)
{
	struct fleet_nexts *n = MEM_NEW(struct fleet_nexts);

	n->hosts = map_new();
	return n;
}

void
fleet_nexts_free(struct fleet_nexts *n)
{
	if (n == NULL)
		return;
	map_free_all(n->hosts);
	mem_free(n);
}

/* ----------------------------------------------------------------- one host */

struct soonest {
	struct view *v;
	const struct Rec__Host *host;
	struct entry *e;
};

static bool
fleet_next_on_schedule(void *ctx, const struct Rec__Schedule *s)
{
	struct soonest *f = ctx;
	struct next_run_rule r;
	struct next_run n;

	if (!s->enabled ||
	    !next_run_rule(s, next_run_zone(s, f->host, f->v->clock.zone), &r))
		return true;
	f->e->in_step |= r.cron.every_s > 0;
	if (!next_run(&r, f->v->req->now_ms, &n))
		return true;
	if (f->e->next_ms == 0 || n.at_ms < f->e->next_ms)
		f->e->next_ms = n.at_ms;
	return true;
}

static struct entry *
entry_of(struct fleet_nexts *kept, const struct ulid *id, struct entry *one)
{
	struct str key = str_from(id->b, sizeof(id->b));
	struct entry *e;

	if (kept == NULL)
		return one;
	e = map_get(kept->hosts, key);
	if (e == NULL) {
		e = MEM_NEW(struct entry);
		map_put(kept->hosts, key, e);
	}
	return e;
}

static bool
is_good(struct view *v, const struct Rec__Host *h, const struct ulid *id,
    const struct entry *e)
{
	return e->made && e->config == h->config_version &&
	       (e->next_ms == 0 || v->req->now_ms < e->next_ms) &&
	       strcmp(e->zone, h->zone) == 0 &&
	       (!e->in_step || e->version == store_host_version(v->state, id));
}

static const struct entry *
look_up(struct view *v, const struct Rec__Host *h, const struct ulid *id,
    struct entry *one)
{
	struct entry *e = entry_of(v->nexts, id, one);
	struct soonest f = { v, h, e };

	if (is_good(v, h, id, e))
		return e;
	*e = (struct entry){ .config = h->config_version,
		.version = store_host_version(v->state, id) };
	e->made = str_copy(e->zone, sizeof(e->zone), str_of(h->zone));
	schedule_store_of_host(v->state, id, fleet_next_on_schedule, &f);
	return e;
}

/* ---------------------------------------------------------------- the fleet */

struct each {
	struct view *v;
	int64_t until_ms;
	fleet_next_fn *fn;
	void *ctx;
};

static bool
fleet_next_on_host(void *ctx, const struct Rec__Host *h)
{
	const struct each *all = ctx;
	struct entry one = { 0 };
	const struct entry *e;
	struct ulid id;

	if (!view_ulid(h->id, &id))
		return true;
	e = look_up(all->v, h, &id, &one);
	if (e->next_ms != 0 && e->next_ms <= all->until_ms)
		all->fn(all->ctx, h, e->next_ms);
	return true;
}

void
fleet_next_each(struct view *v, int64_t until_ms, fleet_next_fn *fn, void *ctx)
{
	struct each all = { v, until_ms, fn, ctx };

	if (v->nexts != NULL &&
	    map_count(v->nexts->hosts) > host_store_count(v->state) + SPARE) {
		map_free_all(v->nexts->hosts);
		v->nexts->hosts = map_new();
	}
	host_store_each(v->state, fleet_next_on_host, &all);
}
