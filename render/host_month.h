/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_HOST_MONTH_H
#define RENDER_HOST_MONTH_H
/*
 * What a host's row says of its last 30 days and of what comes next: outcomes
 * beside what its schedules asked for, the repository's size, the next run.
 * All of it is read out of dozens of records, so it is kept until the host
 * changes or a time in it has passed (./bench dashboard).
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/ulid.h"
#include "render/chart.h"

struct host_months;
struct host_view;
struct view;

struct host_month {
	int64_t first_day;
	char codes[CHART_DAYS]; /* what runs now is not in it */
	struct chart_spark spark;
	int64_t next_ms;    /* of the enabled schedules; 0: none */
	int64_t judged_ms;  /* what was missed is known from then on, for all
	                     * enabled schedules; 0: for the whole month */
	unsigned schedules; /* at most 100 are looked at */
	unsigned enabled;
	bool covered;         /* by one enabled schedule alone: all groups */
	struct ulid covering; /* that one */
};

struct host_months *host_months_new(void);
void host_months_free(struct host_months *m); /* NULL is fine */

/* hv is loaded. */
void host_month_get(struct view *v, const struct host_view *hv,
    struct host_month *out);
#endif
