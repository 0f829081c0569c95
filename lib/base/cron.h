/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_CRON_H
#define LIB_BASE_CRON_H
/*
 * Schedule expressions: when something is due.  The dialect of robfig/cron v3
 * "standard" (five fields, names, @daily and the like, @every, CRON_TZ=),
 * stricter where that one takes nonsense.
 *
 * An expression fires at full minutes whose local clock reading matches.
 * When the clock changes, one whose minute and hour are both fixed runs
 * once: what falls into a gap fires at the end of the gap, what comes a
 * second time does not fire again.  Others follow the clock as it is read.
 *
 * A parsed expression is plain data without pointers.  Any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

enum {
	CRON_EXPR_MAX = 256,
	CRON_ZONE_CAP = 64,
	CRON_EVERY_MAX_S = 366 * 86400,
	CRON_HORIZON_YEARS = 12 /* from one 29 February to the next: 8 */
};

struct cron {
	char zone[CRON_ZONE_CAP];
	int64_t every_s; /* @every; 0: the fields count */
	uint64_t minutes;
	uint32_t hours, days, months, weekdays; /* Sunday is bit 0 */
	bool days_star, weekdays_star; /* no star: either day may match */
	bool fixed;                    /* a star in neither minute nor hour */
};

/* zone: IANA name that counts unless the expression names its own.
 * RC_INVALID tells which field is wrong and why. */
MUST_USE enum rc cron_parse(struct str expr, const char *zone, struct cron *out,
    struct err *e);
/* The first due time strictly after a time, 2 January 1970 or later.  False:
 * never, within CRON_HORIZON_YEARS, or the zone's data has gone since. */
MUST_USE bool cron_next(const struct cron *c, int64_t after_ms,
    int64_t *out_ms);
/* The last due time after the first and not after the second; false: none. */
MUST_USE bool cron_last(const struct cron *c, int64_t after_ms,
    int64_t until_ms, int64_t *out_ms);
#endif
