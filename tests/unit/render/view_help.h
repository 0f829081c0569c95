/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_RENDER_VIEW_HELP_H
#define TESTS_UNIT_RENDER_VIEW_HELP_H
/* A view of the stores at a time of the test's, without a page around it, and
 * hosts with a schedule to look at. */
#include "tests/unit/store/store_fixture.h"

#include "lib/store/schedule_store.h"
#include "render/view.h"

/* Thursday 19 November 2026, 14:18 UTC. */
static const int64_t now_ms = INT64_C(1795097880000);

struct look {
	struct arena arena;
	struct Ipc__RenderRequest req;
	struct view v;
};

static inline void
look_begin(struct look *l, struct fixture *f, int64_t at_ms)
{
	arena_init(&l->arena, MIB(4));
	ipc__render_request__init(&l->req);
	l->req.now_ms = at_ms;
	l->v = (struct view){ .arena = &l->arena,
		.req = &l->req,
		.clock = { "UTC", at_ms } };
	l->v.state = store_begin_read(f->state, &l->arena);
	l->v.live = l->v.state;
}

static inline void
look_end(struct look *l)
{
	assert_rc(store_rc(l->v.state), RC_OK);
	store_abort(l->v.state);
	arena_fini(&l->arena);
}

/* Host n, with one schedule. */
static inline void
put_scheduled(struct store_tx *tx, uint32_t n, const char *cron, bool enabled)
{
	struct ulid host = id_n(1, n), id = id_n(5, n);
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	char name[16];

	assert_true(str_fmt(name, sizeof(name), "host-%03u", (unsigned)n));
	put_host(tx, &host, name);
	s.id = id_bytes(&id);
	s.host_id = id_bytes(&host);
	s.cron = text(cron);
	s.enabled = enabled;
	schedule_store_put(tx, &s);
}
#endif
