/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/clock.h"
#include "tests/load/load.h"

enum {
	LAST_ACKS_US = 10000000
};

static void
put_event(struct load_agent *a, uint64_t n)
{
	Wire__RepoStats s = WIRE__REPO_STATS__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;

	s.total_size__case = WIRE__REPO_STATS__TOTAL_SIZE__TOTAL_SIZE_BYTES;
	s.total_size_bytes = 1000000 + n;
	ev.body_case = WIRE__EVENT__BODY_REPO_STATS;
	ev.repo_stats = &s;
	load_queue_put(a, &ev);
}

static void
put_result(struct load *l)
{
	load_answer(l);
	json_put_uint(&l->json, "events", l->pace.done);
	json_put_uint(&l->json, "unacked", l->stats.events - l->stats.acked);
	load_put_times(l, "ack", &l->ack);
	load_reply(l);
}

static void
step_events(struct load *l)
{
	int64_t late = clock_mono_us() - l->pace.end_us;
	uint64_t due = load_pace_due(&l->pace);
	struct load_agent *a;

	if (late > 0) {
		if (late > LAST_ACKS_US || l->stats.events == l->stats.acked)
			put_result(l);
		return;
	}
	for (; due > 0 && (a = load_next_live(l)) != NULL; due--)
		put_event(a, l->pace.done++);
}

/* events RATE SECONDS: statistics of a repository, by live agents in turn;
 * "ack" is the time until each was durable. */
void
load_events(struct load *l)
{
	load_times_reset(&l->ack);
	load_pace_start(&l->pace, l->args[0], l->args[1]);
	load_every_ms(l, step_events);
}
