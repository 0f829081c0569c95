/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_TEXT_H
#define RENDER_TEXT_H
/*
 * Numbers and times in the words of the pages, one form everywhere.  Each
 * result lives in the arena and is never NULL.  Civil times are those of the
 * zone given at the start.
 */
#include <stdint.h>

#include "lib/base/str.h"

struct arena;

/* What civil times depend on. */
struct text_clock {
	const char *zone; /* IANA name; must be known to clock_zone_offset */
	int64_t now_ms;
};

/* Binary units, three significant digits: 0 B, 870 MiB, 1.92 GiB. */
const char *text_bytes(struct arena *a, uint64_t n);
/* The same a second. */
const char *text_rate(struct arena *a, uint64_t bytes_per_s);
/* Thousands apart by a thin space: 1 204. */
const char *text_count(struct arena *a, uint64_t n);
/* 12s, 6m 41s, 1h 06m, 2d 3h; less than a second is 0s. */
const char *text_duration(struct arena *a, int64_t ms);
/* Rough: 40 s, 12 min, 2 h 10 min, 3 d. */
const char *text_left(struct arena *a, uint64_t seconds);

/* just now, 3 min ago, 26 h ago, 9 d ago; in under 1 min, in 42 min; "never"
 * for 0. */
const char *text_relative(struct arena *a, const struct text_clock *c,
    int64_t ms);
/* 18 Nov 12:04; in another year than now 18 Nov 2025. */
const char *text_when(struct arena *a, const struct text_clock *c, int64_t ms);
/* 19 Nov 2026 12:00:03 */
const char *text_exact(struct arena *a, const struct text_clock *c, int64_t ms);
/* 14:05:11, 14:18, and 3 Mar 2026 */
const char *text_time(struct arena *a, const struct text_clock *c, int64_t ms);
const char *text_minute(struct arena *a, const struct text_clock *c,
    int64_t ms);
const char *text_date(struct arena *a, const struct text_clock *c, int64_t ms);
/* RFC 3339, for <time datetime>. */
const char *text_machine(struct arena *a, int64_t ms);

/* Days since 1970 in the zone, and a day as "9 Nov". */
int64_t text_day(const struct text_clock *c, int64_t ms);
const char *text_day_name(struct arena *a, int64_t day);
/* 2026-11-09 */
const char *text_day_machine(struct arena *a, int64_t day);
/* "2026-11-09" as a day; -1 for anything else. */
int64_t text_day_parse(struct str s);
/* When it begins in the zone. */
int64_t text_day_start(const struct text_clock *c, int64_t day);
/* 0 Sunday .. 6 Saturday */
int text_weekday(int64_t day);
#endif
