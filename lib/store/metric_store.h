/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_METRIC_STORE_H
#define LIB_STORE_METRIC_STORE_H
/*
 * How long jobs took, counted by kind and end: what Prometheus calls a
 * histogram, kept in the transaction that ends the job, so that a restart
 * neither forgets a job nor counts one twice (W-04).
 * Key: kind | state.  job_store_put() is the one that counts.
 */
#include "lib/store/store.h"

enum {
	METRIC_BOUNDS = 9, /* and one more for what is longer */
	METRIC_BUCKETS = METRIC_BOUNDS + 1
};
/* Upper ends in seconds, themselves included (M-357). */
extern const int64_t metric_bounds_s[METRIC_BOUNDS];

struct metric_durations {
	uint64_t bucket[METRIC_BUCKETS]; /* each its own, not summed up */
	uint64_t count;
	int64_t sum_ms;
};

/* A job of that kind has ended so; less than nothing counts as nothing. */
void metric_store_observe(struct store_tx *tx, Rec__JobKind kind,
    Rec__JobState state, int64_t duration_ms);
void metric_store_durations(struct store_tx *tx, Rec__JobKind kind,
    Rec__JobState state, struct metric_durations *out);
#endif
