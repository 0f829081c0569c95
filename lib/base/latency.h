/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_LATENCY_H
#define LIB_BASE_LATENCY_H
/* How long something took, counted in buckets.  The owner guards it. */
#include <stdint.h>

enum {
	LATENCY_BOUNDS = 11,
	LATENCY_BUCKETS = LATENCY_BOUNDS + 1
};
/* Upper ends in microseconds, themselves included. */
extern const uint64_t latency_bounds_us[LATENCY_BOUNDS];

struct latency {
	uint64_t bucket[LATENCY_BUCKETS]; /* each its own, not summed up */
	uint64_t count, sum_us;
};

void latency_add(struct latency *l, uint64_t us);
#endif
