/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_DUE_HELP_H
#define TESTS_UNIT_AGENT_DUE_HELP_H
/* Small plans and readable times for tests of what is due. */
#include "tests/unit/unit.h"

#include "agent/due.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "proto/agent.pb-c.h"

#define HOST "01JD0000000000000000000HST"
#define GROUP_A "01JD00000000000000000GRP0A"
#define GROUP_B "01JD00000000000000000GRP0B"
#define DAILY "01JD00000000000000000SCH0D"
#define OTHER "01JD00000000000000000SCH0E"

enum {
	MINUTE = 60000,
	HOUR = 3600000
};
#define DAY INT64_C(86400000)

/* Two groups and up to three schedules. */
struct small {
	Wire__Plan plan;
	Wire__PlanGroup group[2], *groups[2];
	Wire__PlanSchedule schedule[3], *schedules[3];
	char *ids[3][2];
};

static inline void
small_schedule(struct small *s, size_t i, const char *id, const char *cron,
    size_t groups)
{
	Wire__PlanSchedule *p = &s->schedule[i];

	wire__plan_schedule__init(p);
	s->schedules[i] = p;
	p->id = (char *)(uintptr_t)id;
	p->cron = (char *)(uintptr_t)cron;
	p->enabled = true;
	s->ids[i][0] = (char *)(uintptr_t)GROUP_A;
	s->ids[i][1] = (char *)(uintptr_t)GROUP_B;
	p->group_ids = s->ids[i];
	p->n_group_ids = groups;
	if (s->plan.n_schedules <= i)
		s->plan.n_schedules = i + 1;
}

/* DAILY at that expression, of group A alone; OTHER is left out. */
static inline void
small_init(struct small *s, const char *cron)
{
	size_t i;

	memset(s, 0, sizeof(*s));
	wire__plan__init(&s->plan);
	s->plan.format = 1;
	for (i = 0; i < 2; i++) {
		wire__plan_group__init(&s->group[i]);
		s->groups[i] = &s->group[i];
	}
	s->group[0].id = (char *)(uintptr_t)GROUP_A;
	s->group[0].name = (char *)(uintptr_t) "a";
	s->group[1].id = (char *)(uintptr_t)GROUP_B;
	s->group[1].name = (char *)(uintptr_t) "b";
	s->plan.groups = s->groups;
	s->plan.n_groups = 2;
	s->plan.schedules = s->schedules;
	small_schedule(s, 0, DAILY, cron, 1);
}

static inline struct ulid
small_id(const char *text)
{
	struct ulid id;

	assert_true(ulid_parse(str_of(text), &id));
	return id;
}

static inline int64_t
at(const char *text)
{
	int64_t ms;

	assert_true(clock_parse(str_of(text), &ms));
	return ms;
}
#endif
