/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_DUE_BENCH_H
#define TESTS_UNIT_AGENT_DUE_BENCH_H
/*
 * A small plan and what is due of it, for the tests of agent/due.c.  Unless
 * the test says otherwise: DAILY at 02:00 UTC, of group A alone.
 */
#include "tests/unit/agent/due_help.h"

static const int64_t two = INT64_C(1795226400000); /* 2026-11-21T02:00:00Z */

struct bench {
	struct small s;
	const char *zone; /* the host's */
	struct due *d;    /* NULL before know() */
};

static inline int
bench_setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	assert_rc(crypt_init(NULL), RC_OK);
	assert_int_equal(two, at("2026-11-21T02:00:00Z"));
	small_init(&b->s, "0 2 * * *");
	b->zone = "UTC";
	*state = b;
	return 0;
}

static inline int
bench_teardown(void **state)
{
	struct bench *b = *state;

	due_free(b->d);
	mem_free(b);
	return 0;
}

#define ON_BENCH(f) \
	cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

/* The plan as it is now. */
static inline void
plan(struct bench *b, int64_t now_ms)
{
	due_plan(b->d, &b->s.plan, b->zone, now_ms);
}

/* One look, whenever the last one was. */
static inline void
look(struct bench *b, int64_t now_ms)
{
	(void)due_look(b->d, now_ms);
}

/* Forgets all; the plan is made known, and the start is behind us. */
static inline void
know(struct bench *b, int64_t now_ms)
{
	struct ulid host = small_id(HOST);

	due_free(b->d);
	b->d = due_new(&host);
	plan(b, now_ms);
	assert_null(due_ready(b->d, now_ms));
	look(b, now_ms);
	assert_null(due_ready(b->d, now_ms));
}

/* Looks every half minute up to a time, as an agent does. */
static inline void
pass(struct bench *b, int64_t from_ms, int64_t until_ms)
{
	int64_t now;

	for (now = from_ms; now < until_ms; now += 30000)
		look(b, now);
	look(b, until_ms);
}

/* That time comes for an agent that is awake. */
static inline void
come(struct bench *b, int64_t now_ms)
{
	look(b, now_ms - 30000);
	look(b, now_ms);
}

/* Known for an hour, it is 02:00. */
static inline void
at_two(struct bench *b)
{
	know(b, two - HOUR);
	come(b, two);
}

/* The first that may begin does. */
static inline struct ulid
begin(struct bench *b, int64_t now_ms)
{
	const struct due_run *r = due_ready(b->d, now_ms);
	struct ulid job;

	assert_non_null(r);
	job = r->job;
	due_begin(b->d, &job);
	return job;
}

/* Begins and ends what may begin; how many runs that were. */
static inline size_t
run_all(struct bench *b, int64_t now_ms, enum due_end end)
{
	struct ulid job;
	size_t n = 0;

	while (due_ready(b->d, now_ms) != NULL) {
		job = begin(b, now_ms);
		due_ended(b->d, &job, end,
		    due_retry_at(b->d, &job, end, now_ms));
		n++;
	}
	return n;
}

#define assert_runs(b, now_ms, end, n) \
	assert_int_equal(run_all(b, now_ms, end), n)
#define assert_idle(b) assert_null(due_at((b)->d, 0))

/* What is saved, opened by another process. */
static inline void
restart(struct bench *b, int64_t now_ms)
{
	struct ulid host = small_id(HOST);
	struct buf saved;

	buf_init(&saved, MIB(1));
	assert_rc(due_save(b->d, now_ms, &saved), RC_OK);
	due_free(b->d);
	b->d = due_new(&host);
	assert_rc(due_load(b->d, buf_str(&saved)), RC_OK);
	buf_fini(&saved);
	plan(b, now_ms);
}

/* So, and its first look. */
static inline void
wake(struct bench *b, int64_t now_ms)
{
	restart(b, now_ms);
	look(b, now_ms);
}
#endif
