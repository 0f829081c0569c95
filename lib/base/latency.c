/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/latency.h"

#include <stddef.h>

const uint64_t latency_bounds_us[LATENCY_BOUNDS] = { 500, 1000, 2500, 5000,
	10000, 25000, 50000, 100000, 250000, 1000000, 5000000 };

void
latency_add(struct latency *l, uint64_t us)
{
	size_t i = 0;

	while (i < LATENCY_BOUNDS && us > latency_bounds_us[i])
		i++;
	l->bucket[i]++;
	l->count++;
	l->sum_us += us;
}
