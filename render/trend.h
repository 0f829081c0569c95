/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_TREND_H
#define RENDER_TREND_H
/*
 * How a repository grew: stored size and snapshots by day, as lines over one
 * axis of days, with a mark where it was pruned.  Only the plot is drawn, as
 * paths in a box of TREND_WIDTH by TREND_HEIGHT that pages stretch; labels
 * are text.  Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct value;

enum {
	TREND_WIDTH = 1000,
	TREND_HEIGHT = 210,
	TREND_DAYS_MAX = 366
};

/* What is known of one day. */
struct trend_day {
	int64_t day; /* since 1970 */
	bool has_size, has_count, pruned;
	uint64_t size, count;
};

struct trend {
	int64_t first, last; /* the axis, both included */
	/* Ascending; what lies beside the axis is left out. */
	const struct trend_day *days;
	size_t n;
};

/* Members: any, sentence, label (the picture in words), area, size, count,
 * marks (paths), one_size and one_count (that path is a dot), left, right, x (labels), points [{x, w, dots, title}], rows
 * [{day, size, count, pruned}] with the newest first.  Without any day with
 * a figure only any and sentence are there. */
void trend_put(struct value *map, const struct trend *t);
#endif
