/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_LOAD_LOAD_TIMES_H
#define TESTS_LOAD_LOAD_TIMES_H
/*
 * Percentiles of many times in little room: microseconds in buckets whose
 * width is 1/64 of their value.
 */
#include <stdint.h>

enum {
	LOAD_TIMES_STEPS = 64,
	LOAD_TIMES_BUCKETS = 40 * LOAD_TIMES_STEPS
};

struct load_times {
	uint64_t n, max_us;
	uint64_t buckets[LOAD_TIMES_BUCKETS];
};

void load_times_reset(struct load_times *t);
void load_times_add(struct load_times *t, int64_t us);
/* In ms; 0 without any. */
double load_times_at(const struct load_times *t, double percent);
double load_times_max(const struct load_times *t);
#endif
