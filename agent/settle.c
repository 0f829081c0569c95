/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/settle.h"

#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	SETTLE_MS = 5000 /* acknowledgements and the log's end are through */
};

struct settle {
	struct loop_timer *timer;
};

static void
settle_on_timer(void *ctx)
{
	(void)ctx;
	mem_settle();
}

struct settle *
settle_new(struct loop *l)
{
	struct settle *s = MEM_NEW(struct settle);

	s->timer = loop_timer_new(l, settle_on_timer, s);
	return s;
}

void
settle_free(struct settle *s)
{
	if (s == NULL)
		return;
	loop_timer_free(s->timer);
	mem_free(s);
}

void
settle_soon(struct settle *s)
{
	loop_timer_start(s->timer, SETTLE_MS, 0);
}
