/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_CADENCE_H
#define LIB_BASE_CADENCE_H
/*
 * How often expressions fire, and what may be kept of that: to keep one thing
 * an hour of what is made once a day keeps one a day.  Pure, any thread.
 */
#include <stdbool.h>
#include <stdint.h>

struct cron;

/* From finest to coarsest. */
enum cadence {
	CADENCE_HOURLY,
	CADENCE_DAILY,
	CADENCE_WEEKLY,
	CADENCE_MONTHLY,
	CADENCE_YEARLY,
	CADENCE_NONE /* no period of these */
};
enum {
	CADENCE_COUNT = CADENCE_NONE,
	CADENCE_TEXT_CAP = 40
};

/* hourly, daily, weekly, monthly, yearly; not of NONE */
const char *cadence_name(enum cadence c);

/* The shortest time between two firings, as if no clock were ever changed;
 * looked for through a year from from_ms, or until it can only be found again;
 * 0: it never fires twice. */
int64_t cadence_gap_ms(const struct cron *c, int64_t from_ms);
/* What fires once in so long does so at least that often; NONE: not even once
 * a year, or gap_ms is 0. */
enum cadence cadence_of(int64_t gap_ms);

/* "once a day", "every 6 hours", "every 90 minutes"; "" for 0. */
void cadence_text(int64_t gap_ms, char dst[CADENCE_TEXT_CAP]);

/* The finest of those with keep[] > 0 that is finer than what fires once in
 * gap_ms; NONE: none, or gap_ms is 0 because nothing fires. */
enum cadence cadence_conflict(const uint32_t keep[CADENCE_COUNT],
    int64_t gap_ms);
#endif
