/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_TIME_HELP_H
#define TESTS_UNIT_TIME_HELP_H
/* Both clocks stand still, but for what the test lets pass. */
#include <stdint.h>

#include "lib/base/clock.h"

static int64_t now;

static inline void
time_stop(int64_t at_ms)
{
	now = at_ms;
	clock_fake(now, now);
}

static inline void
pass(int64_t ms)
{
	time_stop(now + ms);
}

/* The real ones again. */
static inline void
time_run(void)
{
	clock_fake(-1, 0);
}
#endif
