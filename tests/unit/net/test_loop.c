/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/net/listen.h"
#include "lib/net/loop_priv.h"

struct seen {
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_wake *wake;
	struct loop_task task;
	char order[64];
	unsigned count;
	bool worked;
};

static int
setup(void **state)
{
	static struct seen s;
	struct err e;

	memset(&s, 0, sizeof(s));
	*state = &s;
	return loop_new(&s.loop, &e) == RC_OK ? 0 : -1;
}

static int
teardown(void **state)
{
	struct seen *s = *state;

	loop_free(s->loop);
	return 0;
}

static void
note(struct seen *s, char c)
{
	s->order[strlen(s->order)] = c;
}

static void
on_deferred(void *ctx)
{
	struct seen *s = ctx;

	note(s, 'd');
	if (++s->count < 3)
		loop_defer(s->loop, on_deferred, s);
}

static void
on_task(struct loop_task *t)
{
	struct seen *s = LIST_ENTRY(t, struct seen, task);

	note(s, 't');
	if (s->count < 3)
		loop_task_due(s->loop, t);
	else
		loop_stop(s->loop);
}

static void
deferred_work_and_tasks_take_turns(void **state)
{
	struct seen *s = *state;

	s->task.fn = on_task;
	loop_defer(s->loop, on_deferred, s);
	loop_task_due(s->loop, &s->task);
	loop_task_due(s->loop, &s->task); /* once */
	assert_string_equal(s->order, "");
	loop_run(s->loop);
	assert_int_equal(s->count, 3);
	/* Neither keeps the other from running. */
	assert_non_null(strstr(s->order, "dt"));
	assert_null(strstr(s->order, "dd"));
}

static void
on_tick(void *ctx)
{
	struct seen *s = ctx;

	if (++s->count < 3)
		return;
	loop_timer_free(s->timer); /* from its own callback */
	loop_stop(s->loop);
}

static void
timers_repeat_until_freed(void **state)
{
	struct seen *s = *state;
	int64_t began = clock_mono_ms();

	s->timer = loop_timer_new(s->loop, on_tick, s);
	loop_timer_start(s->timer, 1, 10);
	loop_run(s->loop);
	assert_int_equal(s->count, 3);
	assert_true(clock_mono_ms() - began >= 20);
	loop_timer_free(NULL);
}

static void
on_signal(void *ctx, int signum)
{
	struct seen *s = ctx;

	assert_int_equal(signum, SIGUSR1);
	s->count++;
	loop_stop(s->loop);
}

static void
signals_arrive_on_the_loop(void **state)
{
	struct seen *s = *state;
	struct err e;

	assert_int_equal(loop_signal(s->loop, SIGUSR1, on_signal, s, &e),
	    RC_OK);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	loop_run(s->loop);
	assert_int_equal(s->count, 1);
	assert_int_equal(loop_signal(s->loop, SIGKILL, on_signal, s, &e),
	    RC_IO);
}

static void
work(void *ctx)
{
	struct seen *s = ctx;

	s->worked = true;
	loop_wake(s->wake); /* another thread than the loop's */
	loop_wake(s->wake);
}

static void
work_done(void *ctx)
{
	struct seen *s = ctx;

	assert_true(s->worked);
	note(s, 'w');
	if (strlen(s->order) == 2)
		loop_stop(s->loop);
}

static void
on_wake(void *ctx)
{
	struct seen *s = ctx;

	note(s, 'a');
	loop_wake_free(s->wake);
	if (strlen(s->order) == 2)
		loop_stop(s->loop);
}

static void
threads_report_to_the_loop(void **state)
{
	struct seen *s = *state;

	s->wake = loop_wake_new(s->loop, on_wake, s);
	loop_work(s->loop, work, work_done, s);
	loop_run(s->loop);
	assert_int_equal(strlen(s->order), 2);
}

static void
on_closed(void *ctx)
{
	struct seen *s = ctx;

	loop_stop(s->loop);
}

static void
refuses_bad_listen_addresses(void **state)
{
	static const char *const bad[] = { "", "8443", "localhost:1",
		"127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "[::1:1",
		"1.2.3.4.5:1", NULL };
	struct seen *s = *state;
	struct listener *l, *second;
	struct listen_opts o = { .loop = s->loop };
	char text[32];
	struct err e;
	size_t i;

	for (i = 0; bad[i] != NULL; i++) {
		o.address = bad[i];
		if (listen_open(&o, &l, &e) != RC_INVALID)
			fail_msg("%s", bad[i]);
	}
	o.address = ":0"; /* with and without IPv6 */
	assert_int_equal(listen_open(&o, &l, &e), RC_OK);
	assert_int_not_equal(listen_port(l), 0);
	listen_close(l, 0, on_closed, s);
	loop_run(s->loop);
	o.address = "127.0.0.1:0";
	assert_int_equal(listen_open(&o, &l, &e), RC_OK);
	assert_true(
	    str_fmt(text, sizeof(text), "127.0.0.1:%u", listen_port(l)));
	o.address = text;
	assert_int_equal(listen_open(&o, &second, &e), RC_CONFLICT);
	assert_non_null(strstr(e.msg, text));
	listen_close(l, 0, on_closed, s);
	loop_run(s->loop);
}

static void
on_long_turn(void *ctx)
{
	struct seen *s = ctx;

	usleep(60000);
	loop_timer_start(s->timer, 100, 0);
}

static void
on_short_turn(void *ctx)
{
	loop_stop(((struct seen *)ctx)->loop);
}

/* What was worked counts, what was slept does not. */
static void
the_longest_turn_is_told(void **state)
{
	struct seen *s = *state;

	s->timer = loop_timer_new(s->loop, on_short_turn, s);
	loop_timer_start(s->timer, 300, 0);
	loop_run(s->loop);
	assert_true(loop_longest_us(s->loop) < 200000);
	loop_defer(s->loop, on_long_turn, s);
	loop_run(s->loop);
	assert_true(loop_longest_us(s->loop) >= 59000);
	loop_timer_free(s->timer);
}

static void
on_slice(void *ctx)
{
	struct seen *s = ctx;
	static unsigned turn;

	assert_true(s->count == 0 || loop_turn(s->loop) != turn);
	turn = loop_turn(s->loop);
	if (s->count++ < 5)
		loop_timer_start(s->timer, 0, 0);
	else
		loop_stop(s->loop);
}

/* Work in slices lets the sockets have their turn. */
static void
a_timer_started_for_now_comes_a_turn_later(void **state)
{
	struct seen *s = *state;

	s->timer = loop_timer_new(s->loop, on_slice, s);
	loop_timer_start(s->timer, 1, 0);
	loop_run(s->loop);
	assert_int_equal(s->count, 6);
	loop_timer_start(s->timer, 0, 0);
	loop_timer_free(s->timer); /* it does not come any more */
}

static void
on_stored(void *ctx)
{
	struct seen *s = ctx;

	if (s->count++ == 0) {
		loop_note_store(s->loop, 400);
		loop_note_store(s->loop, 300);
	} else if (s->count == 2) {
		loop_note_store(s->loop, 500);
	} else {
		loop_stop(s->loop);
	}
}

/* What a turn gave the database is added up, turn by turn. */
static void
the_database_is_told_apart(void **state)
{
	struct seen *s = *state;

	s->timer = loop_timer_new(s->loop, on_stored, s);
	loop_timer_start(s->timer, 5, 5);
	loop_run(s->loop);
	assert_int_equal(loop_longest_store_us(s->loop), 700);
	loop_timer_free(s->timer);
}

enum {
	CROWD = 3 * LOOP_PLACES + 5
};

struct waiter {
	struct loop_task task;
	struct crowd *crowd;
	unsigned turn; /* in which it had its place */
};

struct crowd {
	struct loop *loop;
	unsigned served;
	struct waiter all[CROWD];
};

static void
on_place(struct loop_task *t)
{
	struct waiter *w = LIST_ENTRY(t, struct waiter, task);
	struct crowd *c = w->crowd;

	assert_ptr_equal(w, &c->all[c->served]); /* in order */
	w->turn = loop_turn(c->loop);
	if (c->served++ == 0) {
		while (loop_place(c->loop))
			fail_msg("those who wait have all places");
	}
	if (c->served == CROWD) {
		assert_true(loop_place(c->loop));
		loop_stop(c->loop);
	}
}

static void
a_crowd_has_so_many_places_in_a_turn(void **state)
{
	struct seen *s = *state;
	struct crowd c = { .loop = s->loop };
	unsigned i;

	for (i = 0; i < CROWD; i++) {
		c.all[i].crowd = &c;
		c.all[i].task.fn = on_place;
		loop_task_place(s->loop, &c.all[i].task);
		loop_task_place(s->loop, &c.all[i].task); /* once */
	}
	loop_run(s->loop);
	assert_int_equal(c.served, CROWD);
	for (i = 0; i + LOOP_PLACES < CROWD; i++)
		assert_true(c.all[i].turn < c.all[i + LOOP_PLACES].turn);
	for (i = 0; i < LOOP_PLACES; i++)
		assert_int_equal(c.all[i].turn, c.all[0].turn);
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(deferred_work_and_tasks_take_turns),
		T(timers_repeat_until_freed),
		T(signals_arrive_on_the_loop),
		T(threads_report_to_the_loop),
		T(the_longest_turn_is_told),
		T(the_database_is_told_apart),
		T(a_timer_started_for_now_comes_a_turn_later),
		T(a_crowd_has_so_many_places_in_a_turn),
		T(refuses_bad_listen_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
