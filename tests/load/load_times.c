/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/load/load_times.h"

#include <string.h>

void
load_times_reset(struct load_times *t)
{
	memset(t, 0, sizeof(*t));
}

/* The first 2 * STEPS buckets are one microsecond wide; from there on each
 * doubling has STEPS of them. */
static unsigned
bucket_of(uint64_t us)
{
	unsigned shift = 0;

	while (us >> shift >= 2 * LOAD_TIMES_STEPS)
		shift++;
	return shift * LOAD_TIMES_STEPS + (unsigned)(us >> shift);
}

static uint64_t
value_of(unsigned bucket)
{
	unsigned shift = bucket / LOAD_TIMES_STEPS;

	if (shift < 2)
		return bucket;
	return (uint64_t)(bucket - (shift - 1) * LOAD_TIMES_STEPS)
	       << (shift - 1);
}

void
load_times_add(struct load_times *t, int64_t us)
{
	uint64_t v = us < 0 ? 0 : (uint64_t)us;
	unsigned b = bucket_of(v);

	t->buckets[b < LOAD_TIMES_BUCKETS ? b : LOAD_TIMES_BUCKETS - 1]++;
	t->n++;
	if (v > t->max_us)
		t->max_us = v;
}

double
load_times_at(const struct load_times *t, double percent)
{
	double wanted = (double)t->n * percent / 100, seen = 0;
	unsigned b;

	for (b = 0; b < LOAD_TIMES_BUCKETS; b++) {
		seen += (double)t->buckets[b];
		if (seen > 0 && seen >= wanted)
			return (double)value_of(b) / 1000;
	}
	return 0;
}

double
load_times_max(const struct load_times *t)
{
	return (double)t->max_us / 1000;
}
