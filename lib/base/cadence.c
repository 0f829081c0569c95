/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/cadence.h"

#include "lib/base/attr.h"
#include "lib/base/cron.h"
#include "lib/base/str.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define YEAR_MS (366 * DAY_MS)

enum {
	/* Of days on which an expression fires the hours and minutes are the
	 * same: who fires more than once a day has shown the shortest time
	 * long before. */
	FIRINGS_MAX = 1000
};

/* Months and years differ. */
static const struct {
	const char *name, *words;
	int64_t shortest_ms, longest_ms;
} cadences[] = {
	[CADENCE_HOURLY] = { "hourly", "once an hour", HOUR_MS, HOUR_MS },
	[CADENCE_DAILY] = { "daily", "once a day", DAY_MS, DAY_MS },
	[CADENCE_WEEKLY] = { "weekly", "once a week", 7 * DAY_MS, 7 * DAY_MS },
	[CADENCE_MONTHLY] = { "monthly", "once a month", 28 * DAY_MS,
	    31 * DAY_MS },
	[CADENCE_YEARLY] = { "yearly", "once a year", 365 * DAY_MS, YEAR_MS },
};

_Static_assert(ARRAY_LEN(cadences) == CADENCE_COUNT, "a row each");

const char *
cadence_name(enum cadence c)
{
	return cadences[c].name;
}

void
cadence_text(int64_t gap_ms, char dst[CADENCE_TEXT_CAP])
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = { { DAY_MS, "days" }, { HOUR_MS, "hours" },
		{ MINUTE_MS, "minutes" }, { 1000, "seconds" } };
	size_t i;

	dst[0] = '\0';
	for (i = 0; i < ARRAY_LEN(cadences); i++)
		if (gap_ms >= cadences[i].shortest_ms &&
		    gap_ms <= cadences[i].longest_ms)
			ASSERT(str_copy(dst, CADENCE_TEXT_CAP,
			    str_of(cadences[i].words)));
	for (i = 0; gap_ms > 0 && dst[0] == '\0' && i < ARRAY_LEN(units); i++)
		if (gap_ms % units[i].ms == 0 || gap_ms > 10 * units[i].ms)
			ASSERT(str_fmt(dst, CADENCE_TEXT_CAP, "every %lld %s",
			    (long long)(gap_ms / units[i].ms), units[i].name));
}

int64_t
cadence_gap_ms(const struct cron *c, int64_t from_ms)
{
	int64_t until = from_ms + YEAR_MS, at, next, gap = 0;
	struct cron plain = *c;
	int n;

	if (c->every_s > 0)
		return c->every_s * 1000;
	/* A clock that is changed makes nothing more frequent. */
	ASSERT(str_copy(plain.zone, sizeof(plain.zone), STR("UTC")));
	if (!cron_next(&plain, from_ms, &at))
		return 0;
	for (n = 0; n < FIRINGS_MAX && cron_next(&plain, at, &next); n++) {
		if (gap == 0 || next - at < gap)
			gap = next - at;
		if (gap <= HOUR_MS || next > until)
			break;
		at = next;
	}
	return gap;
}

enum cadence
cadence_of(int64_t gap_ms)
{
	int c;

	for (c = 0; gap_ms > 0 && c < CADENCE_COUNT; c++)
		if (gap_ms <= cadences[c].longest_ms)
			return (enum cadence)c;
	return CADENCE_NONE;
}

enum cadence
cadence_conflict(const uint32_t keep[CADENCE_COUNT], int64_t gap_ms)
{
	enum cadence fires = cadence_of(gap_ms);
	int c;

	if (gap_ms <= 0)
		return CADENCE_NONE;
	for (c = 0; c < (int)fires; c++)
		if (keep[c] > 0)
			return (enum cadence)c;
	return CADENCE_NONE;
}
