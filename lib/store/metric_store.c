/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/metric_store.h"

#include "lib/store/table.h"

const int64_t metric_bounds_s[METRIC_BOUNDS] = { 1, 5, 30, 60, 300, 1800, 3600,
	21600, 86400 };

enum {
	MS_PER_S = 1000
};

static void
durations_key(struct key *k, Rec__JobKind kind, Rec__JobState state)
{
	*k = (struct key){ 0 };
	key_u8(k, (uint8_t)kind);
	key_u8(k, (uint8_t)state);
}

/* The store of another version may have other buckets: what does not fit is
 * in the last one. */
void
metric_store_durations(struct store_tx *tx, Rec__JobKind kind,
    Rec__JobState state, struct metric_durations *out)
{
	const struct Rec__Durations *d;
	struct key k;
	size_t i;

	*out = (struct metric_durations){ .count = 0 };
	durations_key(&k, kind, state);
	d = table_find(tx, TB_DURATIONS, &k, &rec__durations__descriptor);
	if (d == NULL)
		return;
	for (i = 0; i < d->n_bucket; i++) {
		size_t to = i < METRIC_BUCKETS ? i : METRIC_BUCKETS - 1;

		out->bucket[to] += d->bucket[i];
		out->count += d->bucket[i];
	}
	out->sum_ms = d->sum_ms;
}

void
metric_store_observe(struct store_tx *tx, Rec__JobKind kind,
    Rec__JobState state, int64_t duration_ms)
{
	struct Rec__Durations d = REC__DURATIONS__INIT;
	struct metric_durations now;
	struct key k;
	size_t i = 0;

	if (duration_ms < 0)
		duration_ms = 0;
	while (i < METRIC_BOUNDS && duration_ms > metric_bounds_s[i] * MS_PER_S)
		i++;
	metric_store_durations(tx, kind, state, &now);
	now.bucket[i]++;
	d.bucket = now.bucket;
	d.n_bucket = METRIC_BUCKETS;
	d.sum_ms = now.sum_ms + duration_ms;
	durations_key(&k, kind, state);
	table_put_record(tx, TB_DURATIONS, &k, &d.base);
}
