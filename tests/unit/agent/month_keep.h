/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_MONTH_KEEP_H
#define TESTS_UNIT_AGENT_MONTH_KEEP_H
/*
 * The snapshots of one group over a month in which some are forgotten each
 * day.  What retention promises is what it would keep had nothing ever been
 * forgotten before: however often forget runs, misses its hour or sees a
 * clock that was wrong, none of that may be gone.  (That keep_apply() decides
 * as restic does is proven in tests/system/test_keep.py.)
 */
#include "tests/unit/unit.h"

#include "lib/base/keep.h"

enum {
	SHELF_MAX = 4000
};

struct shelf {
	struct keep_policy policy;
	struct keep_item made[SHELF_MAX]; /* all, ever */
	size_t n_made;
	struct keep_item left[SHELF_MAX];
	size_t n_left;
	char ids[SHELF_MAX][8];
	bool gone[SHELF_MAX];
	uint64_t forgotten;
};

static inline void
shelf_open(struct shelf *s, size_t nth)
{
	static const struct keep_policy policies[] = {
		{ { [KEEP_LAST] = 3, [KEEP_DAILY] = 7 } },
		{ { [KEEP_HOURLY] = 24, [KEEP_DAILY] = 7, [KEEP_WEEKLY] = 4 } },
		{ { [KEEP_DAILY] = 14, [KEEP_MONTHLY] = 2 } },
		{ { [KEEP_LAST] = 1 } },
	};

	memset(s, 0, sizeof(*s));
	s->policy = policies[nth % ARRAY_LEN(policies)];
}

static inline void
shelf_add(struct shelf *s, int64_t time_ms, int32_t utc_offset_s)
{
	struct keep_item *it = &s->made[s->n_made];

	assert_true(s->n_made < SHELF_MAX);
	assert_true(str_fmt(s->ids[s->n_made], 8, "%06zu", s->n_made));
	it->time_ms = time_ms;
	it->utc_offset_s = utc_offset_s;
	it->id = s->ids[s->n_made++];
	s->left[s->n_left++] = *it;
}

static inline size_t
shelf_place(const struct shelf *s, const struct keep_item *it)
{
	return (size_t)(it->id - s->ids[0]) / sizeof(s->ids[0]);
}

static inline void
shelf_forget(struct shelf *s)
{
	size_t i, n = 0;

	(void)keep_apply(&s->policy, s->left, s->n_left);
	for (i = 0; i < s->n_left; i++)
		if (s->left[i].reasons != 0)
			s->left[n++] = s->left[i];
		else
			s->gone[shelf_place(s, &s->left[i])] = true;
	s->forgotten += s->n_left - n;
	assert_true(n > 0 || s->n_left == 0);
	s->n_left = n;
}

static inline void
shelf_check(struct shelf *s)
{
	size_t i;

	(void)keep_apply(&s->policy, s->made, s->n_made);
	for (i = 0; i < s->n_made; i++)
		if ((s->made[i].reasons & ~s->made[i].oldest) != 0)
			assert_false(s->gone[shelf_place(s, &s->made[i])]);
}
#endif
