/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_LOOP_H
#define LIB_NET_LOOP_H
/*
 * One libuv loop and what every program hangs on it: timers, signals, work
 * for the pool, a wake-up from other threads, and an end that asserts that no
 * handle was left open.
 * Threads: the loop's own, but for loop_wake().
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"

struct uv_loop_s;

struct loop;
struct loop_timer;
struct loop_wake;

typedef void loop_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signum);

MUST_USE enum rc loop_new(struct loop **out, struct err *e);
/* After loop_run(): everything on the loop was freed or closed before; waits
 * for what is closing and for work in the pool.  What was deferred and has
 * not run is dropped. */
void loop_free(struct loop *l);
struct uv_loop_s *loop_uv(struct loop *l); /* lent */
/* Returns after loop_stop(), or when nothing is left to wait for.  Owners then
 * free their parts, loop_free() comes last. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* The longest turn, without what it slept, of the last 10 to 20 s. */
uint64_t loop_longest_us(const struct loop *l);
/* What of the turn at hand went to the database: store_watch_fn, ctx is the
 * loop.  And the longest such part of a turn, of the last 10 to 20 s. */
void loop_note_store(void *ctx, int64_t us);
uint64_t loop_longest_store_us(const struct loop *l);
/* Runs fn on a later turn, never from inside the caller. */
void loop_defer(struct loop *l, loop_fn *fn, void *ctx);

/* A timer belongs to the caller until loop_timer_free(), which may be called
 * from its own callback.  every_ms 0: once; after_ms 0 as well: on the next
 * turn, after the sockets.  Starting again re-arms. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *ctx);
void loop_timer_start(struct loop_timer *t, uint64_t after_ms,
    uint64_t every_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine */

/* Signals stay watched until the loop ends. */
MUST_USE enum rc loop_signal(struct loop *l, int signum, loop_signal_fn *fn,
    void *ctx, struct err *e);

/* work on a pool thread, then done on the loop; done always comes. */
void loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *ctx);

/* Calls fn on the loop soon after loop_wake(); calls may be merged. */
struct loop_wake *loop_wake_new(struct loop *l, loop_fn *fn, void *ctx);
void loop_wake(struct loop_wake *w); /* any thread */
void loop_wake_free(struct loop_wake *w);
#endif
