/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ended jobs of all hosts, older than what fleet.c makes.  They come in the
 * order of time, as they do in life, so that the pages of the store are as
 * full as a controller's; and many to a commit, which is bounded by the
 * pages that a transaction may change (LMDB writes more of them early). */
#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/store/store.h"
#include "tests/tools/fleet_own.h"

enum {
	SLICE = 50000 /* jobs a commit */
};

struct slot {
	int64_t from, length; /* of time, one job of each host in it */
	uint64_t first;       /* host it begins with */
};

static void
put_one(struct fleet *f, const struct slot *s, uint64_t i)
{
	struct made m = { .state = FLEET_OK };
	struct run r = { .group_name = "default", .state = DONE };
	const struct fleet_past *p = &f->past[(i + s->first) % f->o->hosts];
	struct ulid id;

	m.id = p->host;
	m.cause = (int)(fleet_roll(f) % 5);
	r.group = &p->group;
	r.at = s->from +
	       (int64_t)((double)s->length * (double)i / (double)f->o->hosts);
	r.took = fleet_between(f, 20, 900) * 1000;
	if (fleet_chance(f, 3))
		r.state = FAIL;
	r.part = r.state == DONE && fleet_chance(f, 2);
	id = fleet_id_at(f, r.at);
	fleet_put_run(f, &m, &id, &r);
}

enum rc
fleet_put_past(struct fleet *f, struct store *state)
{
	const struct fleet_opts *o = f->o;
	const int64_t span = (int64_t)o->days * DAY_MS;
	struct slot s = { .length = span / (int64_t)o->past };
	uint64_t k, i = 0, n = 0;
	struct arena a;
	enum rc rc = RC_OK;

	arena_init(&a, MIB(64));
	f->tx = NULL;
	for (k = 0; rc == RC_OK && k < o->past; k++) {
		s.from =
		    o->now_ms - KEPT * DAY_MS - span + (int64_t)k * s.length;
		s.first = fleet_roll(f) % o->hosts;
		for (i = 0; rc == RC_OK && i < o->hosts; i++) {
			if (f->tx == NULL)
				f->tx = store_begin_write(state, &a);
			put_one(f, &s, i);
			arena_reset(&a);
			if (++n % SLICE != 0 &&
			    (k + 1 < o->past || i + 1 < o->hosts))
				continue;
			rc = store_commit(f->tx, f->e);
			f->tx = NULL;
		}
	}
	arena_fini(&a);
	return rc;
}
