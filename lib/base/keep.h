/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_KEEP_H
#define LIB_BASE_KEEP_H
/*
 * Retention: which snapshots of one group stay, decided as restic's forget
 * does it.  Newest first, each counter keeps the newest snapshot of each of
 * its buckets (an hour, a day, an ISO week, a month, a year; for `last` each
 * snapshot is its own) until it is used up; all counters look at every
 * snapshot.  A bucket is told by the clock of the host that made the
 * snapshot, daylight saving included.  A counter that is not used up when the
 * oldest snapshot is reached keeps that one as well, which restic 0.14 did not.
 *
 * Whatever the counters, one snapshot at least stays.  Pure, any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum keep_rule {
	KEEP_LAST,
	KEEP_HOURLY,
	KEEP_DAILY,
	KEEP_WEEKLY,
	KEEP_MONTHLY,
	KEEP_YEARLY
};

enum {
	KEEP_RULE_COUNT = 6,
	KEEP_NO_POLICY = 1 << 6, /* a reason: nothing was asked for */
	/* What is newer than now and this was made by a clock that was ahead:
	 * it is left out, or it would push out what is really newest. */
	KEEP_AHEAD_MS = 86400000
};

/* How many buckets each rule keeps; 0: the rule keeps nothing. */
struct keep_policy {
	uint32_t n[KEEP_RULE_COUNT];
};

struct keep_item {
	int64_t time_ms;
	int32_t utc_offset_s; /* of the clock that made it */
	const char *id;       /* lent; among equal times the smaller is newer */
	/* Filled in by keep_apply(): bits 1 << enum keep_rule. */
	unsigned reasons; /* 0: it goes */
	unsigned oldest;  /* of those: only because it is the oldest */
};

/* All counters 0: that would keep nothing, and nobody may ask for it. */
bool keep_is_empty(const struct keep_policy *p);
/* Sorts the items newest first, fills in why each stays, and returns how many
 * do.  An empty policy keeps everything. */
size_t keep_apply(const struct keep_policy *p, struct keep_item *items,
    size_t n);
/* "last", "hourly", ...: restic's words, and those of our pages. */
const char *keep_rule_name(enum keep_rule r);
#endif
