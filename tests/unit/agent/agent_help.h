/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_AGENT_HELP_H
#define TESTS_UNIT_AGENT_AGENT_HELP_H
/* What tests with a loop share: running it until something is true, with a
 * limit; small files; a queue and the events that came out of it. */
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "agent/events.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "spool/queue.h"

enum {
	HELP_LIMIT_MS = 30000,
	HELP_EVENTS = 4096
};

struct help {
	struct loop *loop;
	struct loop_timer *look, *limit;
	bool (*until)(void *ctx);
	void *ctx;
	bool late;
};

static inline void
help_on_look(void *ctx)
{
	struct help *h = ctx;

	if (h->until(h->ctx))
		loop_stop(h->loop);
}

static inline void
help_on_limit(void *ctx)
{
	struct help *h = ctx;

	h->late = true;
	loop_stop(h->loop);
}

static inline struct loop *
help_loop(void)
{
	struct loop *l;
	struct err e = { 0 };

	assert_rc(crypt_init(&e), RC_OK);
	assert_rc(loop_new(&l, &e), RC_OK);
	return l;
}

/* Runs the loop until fn says so; fails after 30 s. */
static inline void
help_run_until(struct loop *l, bool (*fn)(void *ctx), void *ctx)
{
	struct help h = { .loop = l, .until = fn, .ctx = ctx };

	if (fn(ctx))
		return;
	h.look = loop_timer_new(l, help_on_look, &h);
	h.limit = loop_timer_new(l, help_on_limit, &h);
	loop_timer_start(h.look, 1, 2);
	loop_timer_start(h.limit, HELP_LIMIT_MS, 0);
	loop_run(l);
	loop_timer_free(h.look);
	loop_timer_free(h.limit);
	assert_false(h.late);
}

static inline void
help_run_ms(struct loop *l, uint64_t ms)
{
	struct help h = { .loop = l };

	h.limit = loop_timer_new(l, help_on_limit, &h);
	loop_timer_start(h.limit, ms, 0);
	loop_run(l);
	loop_timer_free(h.limit);
}

static inline void
help_path(char dst[256], const char *dir, const char *name)
{
	assert_rc(fsio_join(dst, 256, dir, name), RC_OK);
}

/* A program of the shell. */
static inline void
help_script(const char *path, const char *text)
{
	assert_rc(fsio_replace(path, str_of(text), 0755, NULL), RC_OK);
	assert_int_equal(chmod(path, 0755), 0);
}

static inline struct queue *
help_queue(const char *dir)
{
	static char path[256];
	struct queue_opts o = { .dir = path,
		.max_bytes = 8388608,
		.gap = events_gap };
	struct queue *q;
	struct err e = { 0 };
	bool fresh;

	help_path(path, dir, "queue");
	assert_rc(queue_open(&o, &q, &fresh, &e), RC_OK);
	return q;
}

static inline bool
help_set(void *ctx)
{
	return *(bool *)ctx;
}

static inline void
help_mark(void *ctx)
{
	*(bool *)ctx = true;
}

static inline void
help_sync(struct loop *l, struct events *ev)
{
	bool synced = false;

	events_when_synced(ev, help_mark, &synced);
	help_run_until(l, help_set, &synced);
}

/* All durable events from that number on, unpacked; free each. */
static inline size_t
help_events(struct events *ev, uint64_t from, Wire__Event **out)
{
	struct events_item item;
	struct err e = { 0 };
	size_t n = 0;

	while (n < HELP_EVENTS && events_peek(ev, from, &item, &e) == RC_OK) {
		out[n] = wire__event__unpack(NULL, item.packed.n,
		    (const uint8_t *)item.packed.p);
		assert_non_null(out[n]);
		assert_int_equal(out[n]->seq, item.seq);
		from = item.seq + 1;
		n++;
	}
	return n;
}

static inline void
help_events_free(Wire__Event **all, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		wire__event__free_unpacked(all[i], NULL);
}
#endif
