/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* On a real queue.  What a full disk does: test_events_full.c. */
#include "tests/unit/agent/events_help.h"

#include "lib/base/clock.h"
#include "lib/base/ulid.h"

struct fixture {
	struct loop *l;
	struct queue *q;
	struct events *ev;
};

static void
fixture_open(struct fixture *f, const char *dir)
{
	f->l = help_loop();
	f->q = help_queue(dir);
	f->ev = events_new(f->l, f->q);
}

static void
fixture_close(struct fixture *f)
{
	help_sync(f->l, f->ev);
	events_free(f->ev);
	queue_close(f->q);
	loop_free(f->l);
}

static void
put_started(struct events *ev, const char *kind, bool now)
{
	Wire__JobStarted s = WIRE__JOB_STARTED__INIT;
	Wire__Event e = WIRE__EVENT__INIT;

	s.job_id = (char[]){ JOB };
	s.kind = (char *)(uintptr_t)kind;
	e.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	e.job_started = &s;
	events_put(ev, &e, now);
}

static void
events_get_numbers_and_times_in_order(void **state)
{
	Wire__Event *all[8];
	struct fixture f;
	struct events_range range;
	int64_t before = clock_now_ms();
	size_t n;

	fixture_open(&f, *state);
	put_started(f.ev, "backup", false);
	put_log(f.ev, 1, 2, 10);
	put_started(f.ev, "init", true);
	help_sync(f.l, f.ev);
	n = help_events(f.ev, 1, all);
	assert_int_equal(n, 3);
	assert_int_equal(all[0]->seq, 1);
	assert_int_equal(all[0]->body_case, WIRE__EVENT__BODY_JOB_STARTED);
	assert_string_equal(all[0]->job_started->kind, "backup");
	assert_int_equal(all[1]->body_case, WIRE__EVENT__BODY_LOG);
	assert_int_equal(all[1]->log->n_lines, 2);
	assert_string_equal(all[2]->job_started->kind, "init");
	assert_true(all[2]->at_ms >= before);
	help_events_free(all, n);
	assert_rc(events_range(f.ev, &range), RC_OK);
	assert_int_equal(range.first, 1);
	assert_int_equal(range.next, 4);
	fixture_close(&f);
}

/* Numbers with one to several bytes as varints. */
static void
prefixes_parse_back_at_every_length(void **state)
{
	Wire__Event **all = mem_array(HELP_EVENTS, sizeof(*all));
	struct fixture f;
	size_t i, n;

	fixture_open(&f, *state);
	for (i = 0; i < 300; i++)
		put_started(f.ev, "backup", false);
	help_sync(f.l, f.ev);
	n = help_events(f.ev, 1, all);
	assert_int_equal(n, 300);
	for (i = 0; i < n; i++)
		assert_int_equal(all[i]->seq, i + 1);
	help_events_free(all, n);
	/* Unknown to the queue: a time far away. */
	clock_fake(253402300799000, 0);
	put_started(f.ev, "late", true);
	help_sync(f.l, f.ev);
	n = help_events(f.ev, 301, all);
	assert_int_equal(n, 1);
	assert_int_equal(all[0]->at_ms, 253402300799000);
	help_events_free(all, n);
	clock_fake(-1, 0);
	mem_free(all);
	fixture_close(&f);
}

static void
nothing_is_offered_before_it_is_durable(void **state)
{
	struct events_item item;
	struct events_range range;
	struct fixture f;
	struct err e = { 0 };
	bool synced = false;

	fixture_open(&f, *state);
	put_started(f.ev, "backup", false);
	assert_rc(events_peek(f.ev, 1, &item, &e), RC_NOTFOUND);
	events_when_synced(f.ev, help_mark, &synced);
	/* The pool has it now. */
	assert_rc(events_peek(f.ev, 1, &item, &e), RC_BUSY);
	assert_rc(events_range(f.ev, &range), RC_BUSY);
	assert_rc(events_renew(f.ev, &e), RC_BUSY);
	assert_false(synced);
	help_run_until(f.l, help_set, &synced);
	assert_rc(events_peek(f.ev, 1, &item, &e), RC_OK);
	fixture_close(&f);
}

/* Of the event of that number: RC_NOTFOUND it waits, RC_BUSY it is being
 * written, RC_OK it is on disk. */
static enum rc
look_at(struct fixture *f, uint64_t seq)
{
	struct events_item item;
	struct err e;

	return events_peek(f->ev, seq, &item, &e);
}

static void
a_batch_waits_a_moment_an_end_does_not(void **state)
{
	struct fixture f;
	bool ready = false;
	int64_t began;

	fixture_open(&f, *state);
	events_on_ready(f.ev, help_mark, &ready);
	began = clock_mono_ms();
	put_log(f.ev, 1, 1, 10);
	assert_rc(look_at(&f, 1), RC_NOTFOUND);
	help_run_until(f.l, help_set, &ready);
	assert_true(clock_mono_ms() - began >= 90);
	ready = false;
	put_started(f.ev, "x", true);
	assert_rc(look_at(&f, 2), RC_BUSY);
	help_run_until(f.l, help_set, &ready);
	/* 64 KiB are a batch as well. */
	put_log(f.ev, 2, 40, 1000);
	assert_rc(look_at(&f, 3), RC_NOTFOUND);
	put_log(f.ev, 42, 40, 1000);
	assert_rc(look_at(&f, 3), RC_BUSY);
	fixture_close(&f);
}

/* An end that comes while a batch is being written waits for that alone. */
static void
an_urgent_event_behind_a_batch_is_next(void **state)
{
	struct fixture f;
	bool ready = false;

	fixture_open(&f, *state);
	events_on_ready(f.ev, help_mark, &ready);
	put_started(f.ev, "a", true);
	put_started(f.ev, "b", true);
	help_run_until(f.l, help_set, &ready);
	help_run_ms(f.l, 0);
	assert_int_not_equal(look_at(&f, 2), RC_NOTFOUND);
	fixture_close(&f);
}

struct order {
	int n;
	int at[4];
};

static struct order order;

static void
first_waiter(void *ctx)
{
	*(int *)ctx = ++order.n;
}

static void
waiters_are_told_in_order_and_once(void **state)
{
	struct fixture f;

	order = (struct order){ 0 };
	fixture_open(&f, *state);
	/* With nothing to wait for it still comes, but later. */
	events_when_synced(f.ev, first_waiter, &order.at[0]);
	assert_int_equal(order.n, 0);
	put_started(f.ev, "a", false);
	events_when_synced(f.ev, first_waiter, &order.at[1]);
	put_started(f.ev, "b", false);
	events_when_synced(f.ev, first_waiter, &order.at[2]);
	help_sync(f.l, f.ev);
	assert_int_equal(order.n, 3);
	assert_int_equal(order.at[0], 1);
	assert_int_equal(order.at[1], 2);
	assert_int_equal(order.at[2], 3);
	fixture_close(&f);
}

static void
acks_move_the_range_also_during_a_batch(void **state)
{
	struct events_range range;
	struct fixture f;
	int i;

	fixture_open(&f, *state);
	for (i = 0; i < 5; i++)
		put_started(f.ev, "a", false);
	help_sync(f.l, f.ev);
	put_started(f.ev, "b", true); /* busy */
	events_ack(f.ev, 3);
	events_ack(f.ev, 2); /* late and lower: no step back */
	help_sync(f.l, f.ev);
	assert_rc(events_range(f.ev, &range), RC_OK);
	assert_int_equal(range.first, 4);
	assert_int_equal(range.next, 7);
	events_ack(f.ev, 6);
	assert_rc(events_range(f.ev, &range), RC_OK);
	assert_int_equal(range.first, 7);
	assert_int_equal(range.next, 7);
	fixture_close(&f);
}

static void
what_is_held_stays_in_the_queue_though_acknowledged(void **state)
{
	struct events_range range;
	struct fixture f;

	fixture_open(&f, *state);
	put_started(f.ev, "a", true);
	help_sync(f.l, f.ev);
	events_hold(f.ev);
	events_hold(f.ev);
	events_ack(f.ev, 1);
	events_release(f.ev);
	assert_rc(events_range(f.ev, &range), RC_OK);
	assert_int_equal(range.first, 1);
	events_release(f.ev);
	assert_rc(events_range(f.ev, &range), RC_OK);
	assert_int_equal(range.first, 2);
	fixture_close(&f);
}

static void
what_was_put_survives_a_restart(void **state)
{
	Wire__Event *all[8];
	struct fixture f;
	size_t n;

	fixture_open(&f, *state);
	put_started(f.ev, "a", false);
	put_started(f.ev, "b", false);
	/* events_free() writes what is staged. */
	events_free(f.ev);
	queue_close(f.q);
	loop_free(f.l);
	fixture_open(&f, *state);
	n = help_events(f.ev, 1, all);
	assert_int_equal(n, 2);
	assert_string_equal(all[1]->job_started->kind, "b");
	help_events_free(all, n);
	fixture_close(&f);
}

static void
a_new_epoch_starts_at_one(void **state)
{
	struct events_range a, b;
	Wire__Event *all[8];
	struct fixture f;
	struct err e = { 0 };
	size_t n;

	fixture_open(&f, *state);
	put_started(f.ev, "a", true);
	help_sync(f.l, f.ev);
	events_ack(f.ev, 1);
	assert_rc(events_range(f.ev, &a), RC_OK);
	assert_rc(events_renew(f.ev, &e), RC_OK);
	assert_rc(events_range(f.ev, &b), RC_OK);
	assert_memory_not_equal(a.epoch, b.epoch, sizeof(a.epoch));
	assert_int_equal(b.first, 1);
	assert_int_equal(b.next, 1);
	put_started(f.ev, "b", true);
	help_sync(f.l, f.ev);
	n = help_events(f.ev, 1, all);
	assert_int_equal(n, 1);
	assert_int_equal(all[0]->seq, 1);
	help_events_free(all, n);
	/* Acks count afresh. */
	events_ack(f.ev, 1);
	assert_rc(events_range(f.ev, &b), RC_OK);
	assert_int_equal(b.first, 2);
	fixture_close(&f);
}

/* It could never be queued; it must not hold up what follows. */
static void
an_event_too_large_is_dropped_alone(void **state)
{
	Wire__Event *all[8];
	struct fixture f;
	char *kind = mem_alloc(70001);
	size_t n;

	memset(kind, 'k', 70000);
	fixture_open(&f, *state);
	put_started(f.ev, "before", false);
	put_started(f.ev, kind, true);
	put_started(f.ev, "after", true);
	help_sync(f.l, f.ev);
	n = help_events(f.ev, 1, all);
	assert_int_equal(n, 2);
	assert_string_equal(all[1]->job_started->kind, "after");
	assert_int_equal(all[1]->seq, 2);
	help_events_free(all, n);
	mem_free(kind);
	fixture_close(&f);
}

/* storage-facts.md 5, rule 12: the ring loses log lines and tells which. */
static void
a_full_ring_loses_lines_and_says_which(void **state)
{
	Wire__Event **all = mem_array(HELP_EVENTS, sizeof(*all));
	struct fixture f;
	uint64_t line = 1, next_line = 1, next_seq = 1, lost = 0;
	size_t i, k, n;

	fixture_open(&f, *state);
	put_started(f.ev, "backup", true);
	for (i = 0; i < 400; i++) { /* 16 MiB into a ring of 8 */
		put_log(f.ev, line, 40, 1000);
		line += 40;
		help_sync(f.l, f.ev);
	}
	put_started(f.ev, "end", true);
	help_sync(f.l, f.ev);
	n = help_events(f.ev, 1, all);
	assert_int_equal(all[0]->body_case, WIRE__EVENT__BODY_JOB_STARTED);
	for (i = 0; i < n; i++) {
		if (all[i]->body_case == WIRE__EVENT__BODY_GAP) {
			assert_true(all[i]->gap->from_seq <= next_seq);
			assert_int_equal(all[i]->gap->to_seq, all[i]->seq);
			for (k = 0; k < all[i]->gap->n_lines; k++) {
				assert_string_equal(all[i]
				                        ->gap->lines[k]
				                        ->job_id,
				    JOB);
				assert_int_equal(all[i]
				                     ->gap->lines[k]
				                     ->first_line,
				    next_line);
				next_line += all[i]->gap->lines[k]->count;
				lost += all[i]->gap->lines[k]->count;
			}
		} else {
			assert_int_equal(all[i]->seq, next_seq);
		}
		if (all[i]->body_case == WIRE__EVENT__BODY_LOG) {
			assert_int_equal(all[i]->log->first_line, next_line);
			next_line += all[i]->log->n_lines;
		}
		next_seq = all[i]->seq + 1;
	}
	assert_int_equal(next_line, line); /* each line once or in a gap */
	assert_true(lost > 4000 && lost < 14000);
	assert_int_equal(all[n - 1]->body_case, WIRE__EVENT__BODY_JOB_STARTED);
	help_events_free(all, n);
	mem_free(all);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(events_get_numbers_and_times_in_order),
		unit_test_in_folder(prefixes_parse_back_at_every_length),
		unit_test_in_folder(nothing_is_offered_before_it_is_durable),
		unit_test_in_folder(a_batch_waits_a_moment_an_end_does_not),
		unit_test_in_folder(an_urgent_event_behind_a_batch_is_next),
		unit_test_in_folder(waiters_are_told_in_order_and_once),
		unit_test_in_folder(acks_move_the_range_also_during_a_batch),
		unit_test_in_folder(
		    what_is_held_stays_in_the_queue_though_acknowledged),
		unit_test_in_folder(what_was_put_survives_a_restart),
		unit_test_in_folder(a_new_epoch_starts_at_one),
		unit_test_in_folder(an_event_too_large_is_dropped_alone),
		unit_test_in_folder(a_full_ring_loses_lines_and_says_which),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
