/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/turn.h"

#include "lib/base/clock.h"

void
turn_ask(struct turn *t, int64_t waited_ms)
{
	int64_t now = clock_now_ms(), since = now;

	if (waited_ms > 0)
		since = waited_ms < now ? now - waited_ms : 1;
	if (t->asked_ms == 0)
		turn_free(t);
	if (t->asked_ms == 0 || since < t->asked_ms)
		t->asked_ms = since;
}

void
turn_done(struct turn *t)
{
	t->asked_ms = 0;
}

void
turn_free(struct turn *t)
{
	t->until_ms = clock_mono_ms() + TURN_KEEP_MS;
}

bool
turn_is_first(struct turn *t, int64_t ready_ms)
{
	if (clock_mono_ms() >= t->until_ms)
		turn_done(t);
	return t->asked_ms != 0 && t->asked_ms <= ready_ms;
}
