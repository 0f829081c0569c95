/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connecting, dropping, heartbeats. */
#include "lib/base/clock.h"
#include "lib/net/loop.h"
#include "tests/load/load.h"

enum {
	BEAT_MS = 30000, /* of a real agent */
	/* Heartbeats a second that have a PING behind them: enough for
	 * percentiles, little beside what is measured. */
	PROBES = 100,
	AT_ONCE = 64, /* connections under way, without a rate */
	PATIENCE_S = 300,
	LAST_PONGS_US = 2000000
};

/* -------------------------------------------------------------- connect */

static void
put_connected(struct load *l, const char *what)
{
	load_answer(l);
	json_put_uint(&l->json, what, l->live);
	json_put_num(&l->json, "took_ms",
	    (double)(clock_mono_us() - l->pace.began_us) / 1000);
	load_put_times(l, "connect", &l->connect);
	load_reply(l);
}

static void
step_connect(struct load *l)
{
	uint64_t due = l->pace.rate > 0 ? load_pace_due(&l->pace) : AT_ONCE;
	struct load_agent *a;

	while (l->wanted < (size_t)l->args[0] && due > 0 &&
	       (l->pace.rate > 0 || l->dialling < AT_ONCE)) {
		a = &l->agents[l->wanted++];
		load_agent_dial(a);
		l->pace.done++;
		due--;
	}
	if (l->live >= (size_t)l->args[0] || load_pace_over(&l->pace))
		put_connected(l, "live");
}

/* connect N RATE: the first N agents, at RATE a second or as quickly as it
 * goes; answered when all are live. */
void
load_connect(struct load *l)
{
	if (l->args[0] > (double)l->count) {
		load_refuse(l, "there are not so many bearers");
		return;
	}
	load_times_reset(&l->connect);
	load_pace_start(&l->pace, l->args[1], PATIENCE_S);
	load_every_ms(l, step_connect);
}

/* drop N: cuts the last N agents; they come back by themselves. */
void
load_drop(struct load *l)
{
	size_t i, n = 0;

	load_times_reset(&l->connect);
	for (i = l->wanted; i > 0 && n < (size_t)l->args[0]; i--) {
		if (l->agents[i - 1].state != LOAD_LIVE)
			continue;
		load_agent_cut(&l->agents[i - 1]);
		n++;
	}
	load_answer(l);
	json_put_uint(&l->json, "dropped", n);
	load_reply(l);
}

static void
step_wait_live(struct load *l)
{
	if (l->live >= (size_t)l->args[0] || load_pace_over(&l->pace))
		put_connected(l, "live");
}

/* wait-live N SECONDS: until N are live. */
void
load_wait_live(struct load *l)
{
	load_pace_start(&l->pace, 0, l->args[1]);
	load_every_ms(l, step_wait_live);
}

/* ----------------------------------------------------------------- beat */

static bool
pongs_missing(const struct load *l)
{
	size_t i;

	for (i = 0; i < l->wanted; i++)
		if (l->agents[i].ping_us != 0)
			return true;
	return false;
}

static void
put_beats(struct load *l)
{
	load_answer(l);
	json_put_uint(&l->json, "beats", l->pace.done);
	json_put_num(&l->json, "rate",
	    (double)l->pace.done * 1e6 /
	        (double)(l->pace.end_us - l->pace.began_us));
	load_put_times(l, "taken", &l->beat);
	load_reply(l);
}

static void
step_beat(struct load *l)
{
	int64_t late = clock_mono_us() - l->pace.end_us;
	uint64_t due = load_pace_due(&l->pace);
	uint64_t each = (uint64_t)l->pace.rate / PROBES + 1;
	struct load_agent *a;

	if (late > 0) {
		if (late > LAST_PONGS_US || !pongs_missing(l))
			put_beats(l);
		return;
	}
	for (; due > 0 && (a = load_next_live(l)) != NULL; due--)
		load_agent_beat(a, l->pace.done++ % each == 0);
}

/* beat RATE SECONDS: heartbeats, by live agents in turn.  "taken" is the
 * time until the controller had read one. */
void
load_beat(struct load *l)
{
	load_times_reset(&l->beat);
	load_pace_start(&l->pace, l->args[0], l->args[1]);
	load_every_ms(l, step_beat);
}

void
load_on_idle(void *ctx)
{
	struct load *l = ctx;
	int64_t now = clock_mono_ms();
	size_t i;

	for (i = 0; i < l->wanted; i++)
		if (l->agents[i].state == LOAD_LIVE &&
		    now - l->agents[i].beat_ms >= BEAT_MS)
			load_agent_beat(&l->agents[i], false);
}
