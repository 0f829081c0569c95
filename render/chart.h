/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_CHART_H
#define RENDER_CHART_H
/*
 * The heat strip: 30 days, oldest first, one character a day.
 *   o ok  i incomplete  f failed  m missed  z asleep  n not scheduled
 *   b before enrolment  r running
 * Drawn as one path per kind; pitch 10, 3 more before each Monday.
 */
#include <stdint.h>

#include "lib/base/str.h"

struct arena;
struct buf;
struct value;

enum {
	CHART_DAYS = 30
};

enum {
	CHART_SPARK_CAP = 400
};
/* 30 days of one figure, 72 by 20; d is "" when there is none of them. */
struct chart_spark {
	char d[CHART_SPARK_CAP];
	char last[16]; /* where the newest one is: "69 3.2" */
};
/* Bit i of has: the i-th day has a figure. */
void chart_spark(const uint64_t n[CHART_DAYS], uint32_t has,
    struct chart_spark *out);

/* Members: days (the codes), width, paths [{class, d}], label (in words). */
void chart_heat(struct value *map, const char codes[CHART_DAYS],
    int64_t first_day);
/* Of the drawing: five Mondays need more room than four. */
int chart_width(int64_t first_day);
/* Dates above all strips: [{x, text, end}], last one "today". */
void chart_axis(struct value *list, int64_t first_day);
/* One item a day: {class, title, tick}; tick only where a date stands. */
void chart_days(struct value *list, const char codes[CHART_DAYS],
    int64_t first_day);
/* Tenths as a number in a path: 312 is "31.2". */
void chart_tenths(struct buf *out, int v);
/* Joins the worse of two outcomes; n and b give way to anything. */
char chart_worse(char a, char b);
#endif
