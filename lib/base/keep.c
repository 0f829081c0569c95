/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/keep.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/attr.h"
#include "lib/base/clock.h"

static const char *const keep_names[] = {
	[KEEP_LAST] = "last",
	[KEEP_HOURLY] = "hourly",
	[KEEP_DAILY] = "daily",
	[KEEP_WEEKLY] = "weekly",
	[KEEP_MONTHLY] = "monthly",
	[KEEP_YEARLY] = "yearly",
};
_Static_assert(ARRAY_LEN(keep_names) == KEEP_RULE_COUNT, "a name each");

const char *
keep_rule_name(enum keep_rule r)
{
	return keep_names[r];
}

bool
keep_is_empty(const struct keep_policy *p)
{
	size_t i;

	for (i = 0; i < KEEP_RULE_COUNT; i++)
		if (p->n[i] > 0)
			return false;
	return true;
}

static int
keep_newer(const void *a, const void *b)
{
	const struct keep_item *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms > y->time_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* Year and week of ISO 8601: a week belongs to the year of its Thursday. */
static int64_t
keep_iso_week(int64_t local_ms)
{
	struct civil c;
	int64_t thursday_s, since_monday;

	clock_civil(local_ms, 0, &c);
	since_monday = (c.weekday + 6) % 7;
	thursday_s = local_ms / 1000 + (3 - since_monday) * 86400;
	clock_civil(thursday_s * 1000, 0, &c);
	return c.year * INT64_C(100) + 1 +
	       (thursday_s - clock_year_start_s(c.year)) / 604800;
}

/* What two snapshots of one bucket have in common. */
static int64_t
keep_bucket(enum keep_rule r, const struct keep_item *it, size_t nr)
{
	struct civil c;
	int64_t month, day;

	clock_civil(it->time_ms, it->utc_offset_s, &c);
	month = c.year * INT64_C(100) + c.month;
	day = month * 100 + c.day;
	switch (r) {
	case KEEP_LAST:
		return (int64_t)nr;
	case KEEP_HOURLY:
		return day * 100 + c.hour;
	case KEEP_DAILY:
		return day;
	case KEEP_WEEKLY:
		return keep_iso_week(
		    it->time_ms + it->utc_offset_s * INT64_C(1000));
	case KEEP_MONTHLY:
		return month;
	case KEEP_YEARLY:
		return c.year;
	}
	return 0;
}

struct keep_counter {
	uint32_t left;
	int64_t bucket; /* the last one it kept */
};

static void
keep_judge(struct keep_counter counters[KEEP_RULE_COUNT], struct keep_item *it,
    size_t nr, bool is_oldest)
{
	int64_t bucket;
	size_t i;

	it->reasons = it->oldest = 0;
	for (i = 0; i < KEEP_RULE_COUNT; i++) {
		if (counters[i].left == 0)
			continue;
		bucket = keep_bucket((enum keep_rule)i, it, nr);
		if (bucket == counters[i].bucket && !is_oldest)
			continue;
		it->reasons |= 1U << i;
		if (bucket == counters[i].bucket)
			it->oldest |= 1U << i;
		counters[i].bucket = bucket;
		counters[i].left--;
	}
}

size_t
keep_apply(const struct keep_policy *p, struct keep_item *items, size_t n)
{
	struct keep_counter counters[KEEP_RULE_COUNT];
	size_t i, kept = 0;

	if (n == 0)
		return 0;
	qsort(items, n, sizeof(*items), keep_newer);
	for (i = 0; i < KEEP_RULE_COUNT; i++)
		counters[i] = (struct keep_counter){ p->n[i], -1 };
	for (i = 0; i < n; i++) {
		keep_judge(counters, &items[i], i, i + 1 == n);
		if (keep_is_empty(p))
			items[i].reasons = KEEP_NO_POLICY;
		kept += items[i].reasons != 0 ? 1 : 0;
	}
	return kept;
}
