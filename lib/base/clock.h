/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_CLOCK_H
#define LIB_BASE_CLOCK_H
/*
 * The only source of time.  Times are int64_t milliseconds UTC since 1970;
 * tests freeze or move them with clock_fake().  Any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/attr.h"
#include "lib/base/str.h"

enum {
	CLOCK_TEXT_CAP = 25
}; /* "2026-11-20T20:43:11.123Z" and NUL */

int64_t clock_now_ms(void);  /* wall clock */
int64_t clock_mono_ms(void); /* monotonic, for intervals and time limits */
int64_t clock_mono_us(void); /* the same, finer: how long something took */
/* Both clocks stand still at the given values until the next call; a
 * negative wall_ms returns to the real ones. */
void clock_fake(int64_t wall_ms, int64_t mono_ms);

/* RFC 3339 UTC with milliseconds; years 1970 to 9999, clamped. */
void clock_text(int64_t ms, char out[CLOCK_TEXT_CAP]);
/* RFC 3339 with any offset and 0 to 9 fraction digits (restic prints
 * nanoseconds), years 1970 to 9999. */
MUST_USE bool clock_parse(struct str s, int64_t *out_ms);

/* Civil date of a time, UTC plus offset_s. */
struct civil {
	int year, month, day; /* month 1..12 */
	int hour, minute, second, ms;
	int weekday; /* 0 Sunday .. 6 Saturday */
};
void clock_civil(int64_t ms, int32_t offset_s, struct civil *out);
/* Seconds since 1970 at the start of January 1, UTC; negative before. */
int64_t clock_year_start_s(int year);
/* Offset of the IANA zone at that time, seconds east of UTC; false when the
 * zone is unknown.  "UTC" always works.  Zone data is cached. */
MUST_USE bool clock_zone_offset(const char *zone, int64_t ms,
    int32_t *out_offset_s);
/* The time around an instant in which the zone's clock does not change. */
struct tzif_span;
MUST_USE bool clock_zone_span(const char *zone, int64_t unix_s,
    struct tzif_span *out);
#endif
