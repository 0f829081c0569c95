/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

enum {
	SECOND_MS = 1000,
	MINUTE_S = 60,
	HOUR_S = 3600,
	DAY_S = 86400,
	SKEW_S = 3
};

static const int64_t day_ms = (int64_t)DAY_S * SECOND_MS;
static const char thin_space[] = "\xe2\x80\x89";

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static const char *
scaled(struct arena *a, uint64_t n, const char *suffix)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB",
		"EiB" };
	double v = (double)n / 1024;
	size_t u = 0;
	int digits;

	if (n < 1000)
		return arena_printf(a, "%" PRIu64 " B%s", n, suffix);
	while (v >= 999.5 && u + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		u++;
	}
	digits = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
	return arena_printf(a, "%.*f %s%s", digits, v, units[u], suffix);
}

const char *
text_bytes(struct arena *a, uint64_t n)
{
	return scaled(a, n, "");
}

const char *
text_rate(struct arena *a, uint64_t bytes_per_s)
{
	return scaled(a, bytes_per_s, "/s");
}

const char *
text_count(struct arena *a, uint64_t n)
{
	const char *z = arena_printf(a, "%" PRIu64, n % 1000);

	if (n < 1000)
		return z;
	z = arena_printf(a, "%03" PRIu64, n % 1000);
	for (n /= 1000; n >= 1000; n /= 1000)
		z = arena_printf(a, "%03" PRIu64 "%s%s", n % 1000, thin_space,
		    z);
	return arena_printf(a, "%" PRIu64 "%s%s", n, thin_space, z);
}

const char *
text_duration(struct arena *a, int64_t ms)
{
	int64_t s = ms < 0 ? 0 : ms / SECOND_MS;

	if (s < MINUTE_S)
		return arena_printf(a, "%" PRId64 "s", s);
	if (s < HOUR_S)
		return arena_printf(a, "%" PRId64 "m %02" PRId64 "s",
		    s / MINUTE_S, s % MINUTE_S);
	if (s < DAY_S)
		return arena_printf(a, "%" PRId64 "h %02" PRId64 "m",
		    s / HOUR_S, s % HOUR_S / MINUTE_S);
	return arena_printf(a, "%" PRId64 "d %" PRId64 "h", s / DAY_S,
	    s % DAY_S / HOUR_S);
}

const char *
text_left(struct arena *a, uint64_t s)
{
	if (s < MINUTE_S)
		return arena_printf(a, "%" PRIu64 " s", s);
	if (s < HOUR_S)
		return arena_printf(a, "%" PRIu64 " min", s / MINUTE_S);
	if (s >= 2 * (uint64_t)DAY_S)
		return arena_printf(a, "%" PRIu64 " d", s / DAY_S);
	if (s % HOUR_S < MINUTE_S)
		return arena_printf(a, "%" PRIu64 " h", s / HOUR_S);
	return arena_printf(a, "%" PRIu64 " h %" PRIu64 " min", s / HOUR_S,
	    s % HOUR_S / MINUTE_S);
}

const char *
text_relative(struct arena *a, const struct text_clock *c, int64_t ms)
{
	bool past = ms <= c->now_ms;
	int64_t s = (past ? c->now_ms - ms : ms - c->now_ms) / SECOND_MS;
	const char *unit = "d";
	int64_t n = s / DAY_S;

	if (ms == 0)
		return "never";
	/* A second or two is what two clocks differ by. */
	if (s < MINUTE_S)
		return past || s <= SKEW_S ? "just now" : "in under 1 min";
	if (s < HOUR_S) {
		unit = "min";
		n = s / MINUTE_S;
	} else if (s < 2 * (int64_t)DAY_S) {
		unit = "h";
		n = s / HOUR_S;
	}
	return past ? arena_printf(a, "%" PRId64 " %s ago", n, unit)
	            : arena_printf(a, "in %" PRId64 " %s", n, unit);
}

static struct civil
civil(const struct text_clock *c, int64_t ms)
{
	struct civil out;
	int32_t offset = 0;

	if (!clock_zone_offset(c->zone, ms, &offset))
		offset = 0;
	clock_civil(ms, offset, &out);
	return out;
}

const char *
text_when(struct arena *a, const struct text_clock *c, int64_t ms)
{
	struct civil t = civil(c, ms), now = civil(c, c->now_ms);

	if (t.year != now.year)
		return text_date(a, c, ms);
	return arena_printf(a, "%d %s %02d:%02d", t.day, months[t.month - 1],
	    t.hour, t.minute);
}

const char *
text_exact(struct arena *a, const struct text_clock *c, int64_t ms)
{
	struct civil t = civil(c, ms);

	return arena_printf(a, "%d %s %d %02d:%02d:%02d", t.day,
	    months[t.month - 1], t.year, t.hour, t.minute, t.second);
}

const char *
text_time(struct arena *a, const struct text_clock *c, int64_t ms)
{
	struct civil t = civil(c, ms);

	return arena_printf(a, "%02d:%02d:%02d", t.hour, t.minute, t.second);
}

const char *
text_minute(struct arena *a, const struct text_clock *c, int64_t ms)
{
	struct civil t = civil(c, ms);

	return arena_printf(a, "%02d:%02d", t.hour, t.minute);
}

const char *
text_date(struct arena *a, const struct text_clock *c, int64_t ms)
{
	struct civil t = civil(c, ms);

	return arena_printf(a, "%d %s %d", t.day, months[t.month - 1], t.year);
}

const char *
text_machine(struct arena *a, int64_t ms)
{
	char z[CLOCK_TEXT_CAP];

	clock_text(ms, z);
	return arena_dup(a, z);
}

int64_t
text_day(const struct text_clock *c, int64_t ms)
{
	int32_t offset = 0;
	int64_t local;

	if (!clock_zone_offset(c->zone, ms, &offset))
		offset = 0;
	local = ms + (int64_t)offset * SECOND_MS;
	return local >= 0 ? local / day_ms : (local - day_ms + 1) / day_ms;
}

const char *
text_day_name(struct arena *a, int64_t day)
{
	struct civil t;

	clock_civil(day * day_ms, 0, &t);
	return arena_printf(a, "%d %s", t.day, months[t.month - 1]);
}

const char *
text_day_machine(struct arena *a, int64_t day)
{
	struct civil t;

	clock_civil(day * day_ms, 0, &t);
	return arena_printf(a, "%04d-%02d-%02d", t.year, t.month, t.day);
}

int64_t
text_day_parse(struct str s)
{
	const size_t form = sizeof("2026-11-09") - 1;
	char z[32];
	int64_t ms;

	if (s.n != form ||
	    !str_fmt(z, sizeof(z), "%.*sT00:00:00Z", STR_ARG(s)) ||
	    !clock_parse(str_of(z), &ms))
		return -1;
	return ms / day_ms;
}

/* Clocks are put forward or back at night, but seldom at midnight: the
 * offset then is looked up twice. */
int64_t
text_day_start(const struct text_clock *c, int64_t day)
{
	int64_t ms = day * day_ms, at = ms;
	int32_t offset = 0;
	int i;

	for (i = 0; i < 2; i++) {
		if (!clock_zone_offset(c->zone, at, &offset))
			offset = 0;
		at = ms - (int64_t)offset * SECOND_MS;
	}
	return at;
}

int
text_weekday(int64_t day)
{
	const int thursday = 4, week = 7; /* 1 January 1970 was one */

	return (int)(((day + thursday) % week + week) % week);
}
