/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans and saved states: what is taken can be looked at over any gap in
 * bounded time, and what is saved is what is loaded. */
#include "tests/fuzz/fuzz.h"

#include "agent/due.h"
#include "agent/plan.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"

static void
same_again(const struct due *d, int64_t now)
{
	struct ulid host = { 0 };
	struct due *again = due_new(&host);
	struct buf first, second;

	buf_init(&first, MIB(16));
	buf_init(&second, MIB(16));
	ASSERT(due_save(d, now, &first) == RC_OK);
	ASSERT(due_load(again, buf_str(&first)) == RC_OK);
	ASSERT(due_save(again, now, &second) == RC_OK);
	ASSERT(str_eq(buf_str(&first), buf_str(&second)));
	buf_fini(&second);
	buf_fini(&first);
	due_free(again);
}

static void
live_a_while(struct due *d)
{
	static const int64_t steps_ms[] = { 0, 60000, 61000, 3600000, 3500000,
		INT64_C(864000000), 1000, INT64_C(31536000000000) };
	const struct due_run *r;
	struct ulid job;
	int64_t now;
	size_t i;

	for (i = 0; i < ARRAY_LEN(steps_ms); i++) {
		now = INT64_C(1700000000000) + steps_ms[i];
		(void)due_look(d, now);
		if ((r = due_ready(d, now)) == NULL)
			continue;
		job = r->job;
		due_begin(d, &job);
		due_ended(d, &job, i % 2 == 0 ? DUE_SUCCEEDED : DUE_FAILED,
		    due_retry_at(d, &job, DUE_FAILED, now));
	}
	same_again(d, now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	Wire__Plan *plan = plan_unpack(str_from(data, n));
	struct ulid host = { 0 };
	struct due *d = due_new(&host);
	struct buf remark;

	if (due_load(d, str_from(data, n)) == RC_OK)
		same_again(d, 1);
	if (plan != NULL && plan_check(plan, NULL) == RC_OK) {
		buf_init(&remark, KIB(4));
		plan_remark(plan, "Europe/Berlin", &remark);
		buf_fini(&remark);
		due_plan(d, plan, "Europe/Berlin", INT64_C(1700000000000));
		live_a_while(d);
	}
	plan_free(plan);
	due_free(d);
	return 0;
}
