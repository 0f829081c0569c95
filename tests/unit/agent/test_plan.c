/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/agent/due_help.h"

#include "agent/plan.h"

/* --------------------------------------------------------- what is refused */

static void
of_no_groups(struct small *s)
{
	s->schedule[0].n_group_ids = 0;
}

static void
of_an_unknown_group(struct small *s)
{
	s->plan.n_groups = 0;
}

static void
newer(struct small *s)
{
	s->plan.format = 2;
}

static void
without_format(struct small *s)
{
	s->plan.format = 0;
}

static void
relative(struct small *s)
{
	static char *paths[] = { (char *)(uintptr_t) "etc" };

	s->group[0].includes = paths;
	s->group[0].n_includes = 1;
}

static void
nameless(struct small *s)
{
	s->group[1].name = (char *)(uintptr_t) "";
}

static void
two_of_an_id(struct small *s)
{
	s->group[1].id = s->group[0].id;
}

static void
schedule_twice(struct small *s)
{
	small_schedule(s, 1, DAILY, "0 3 * * *", 1);
}

static void
no_ulid(struct small *s)
{
	s->schedule[0].id = (char *)(uintptr_t) "7";
}

static void
a_plan_is_taken_as_a_whole_or_not_at_all(void **state)
{
	static const struct {
		void (*spoil)(struct small *s);
		enum rc rc;
		const char *says;
	} rows[] = {
		{ newer, RC_VERSION, "update the agent" },
		{ without_format, RC_VERSION, "format 0" },
		{ of_no_groups, RC_INVALID, "no source group" },
		{ of_an_unknown_group, RC_INVALID, "does not have" },
		{ relative, RC_INVALID, "not absolute" },
		{ nameless, RC_INVALID, "no name" },
		{ two_of_an_id, RC_INVALID, "id of its own" },
		{ schedule_twice, RC_INVALID, "twice" },
		{ no_ulid, RC_INVALID, "without an id" },
	};
	struct err e = { 0 };
	struct small s;
	size_t i;

	(void)state;
	small_init(&s, "0 2 * * *");
	assert_rc(plan_check(&s.plan, &e), RC_OK);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		small_init(&s, "0 2 * * *");
		rows[i].spoil(&s);
		assert_rc(plan_check(&s.plan, &e), rows[i].rc);
		print_message("%s\n", e.msg);
		assert_true(str_contains(str_of(e.msg), str_of(rows[i].says)));
	}
}

/* M-178: the rest works, and somebody is told. */
static void
a_schedule_that_cannot_fire_is_named(void **state)
{
	struct small s;
	struct buf b;

	(void)state;
	buf_init(&b, KIB(4));
	small_init(&s, "0 2 * * *");
	plan_remark(&s.plan, "UTC", &b);
	assert_int_equal(b.len, 0);
	small_schedule(&s, 1, OTHER, "0 2 30 2 * *", 1);
	assert_rc(plan_check(&s.plan, NULL), RC_OK);
	plan_remark(&s.plan, "UTC", &b);
	assert_true(str_contains(buf_str(&b), STR(OTHER)));
	buf_reset(&b);
	/* A zone this host has no data of. */
	small_schedule(&s, 1, OTHER, "0 2 * * *", 1);
	s.schedule[0].zone = (char *)(uintptr_t) "Mars/Olympus";
	s.schedule[1].zone = s.schedule[0].zone;
	plan_remark(&s.plan, "UTC", &b);
	assert_true(str_contains(buf_str(&b), STR("Mars/Olympus")));
	assert_true(str_contains(buf_str(&b), STR("1 more")));
	buf_reset(&b);
	s.schedule[0].enabled = s.schedule[1].enabled = false;
	plan_remark(&s.plan, "UTC", &b);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

/* ----------------------------------------------------------------- a run */

static void
a_run_has_what_its_group_says_now(void **state)
{
	static char *paths[4000];
	struct due_cover covers[] = { { small_id(DAILY), 5 },
		{ small_id(OTHER), 4 } };
	struct due_run r = { .job = small_id(OTHER),
		.group = small_id(GROUP_A),
		.covers = covers,
		.n_covers = 2,
		.attempt = 2,
		.catch_up = true };
	Wire__Hooks hooks = WIRE__HOOKS__INIT;
	Wire__JobStarted started = WIRE__JOB_STARTED__INIT;
	struct plan_run run;
	struct small s;
	size_t i;

	(void)state;
	small_init(&s, "0 2 * * *");
	for (i = 0; i < ARRAY_LEN(paths); i++)
		paths[i] = (char *)(uintptr_t) "/some/where/quite/far";
	s.group[0].includes = s.group[0].excludes = paths;
	s.group[0].n_includes = s.group[0].n_excludes = ARRAY_LEN(paths);
	s.group[0].hooks = &hooks;
	plan_run(&s.plan, &r, &run);
	assert_string_equal(run.cmd.job_id, OTHER);
	assert_string_equal(run.cmd.kind, "backup");
	assert_string_equal(run.cmd.tag, "a");
	assert_int_equal(run.cmd.n_includes, ARRAY_LEN(paths));
	assert_ptr_equal(run.cmd.hooks, &hooks);
	assert_string_equal(run.own.schedule_id, DAILY);
	assert_int_equal(run.own.due_at_ms, 5);
	assert_int_equal(run.own.attempt, 2);
	assert_true(run.own.catch_up);
	assert_int_equal(run.own.n_also, 1);
	assert_string_equal(run.own.also[0]->schedule_id, OTHER);
	assert_int_equal(run.own.also[0]->due_at_ms, 4);
	/* What is told of the paths fits an event. */
	started.own = &run.own;
	assert_in_range(wire__job_started__get_packed_size(&started), 20000,
	    60000);
	/* Of a group that is gone there are ids. */
	plan_run(NULL, &r, &run);
	assert_string_equal(run.own.group_id, GROUP_A);
	assert_string_equal(run.own.group_name, "");
	assert_int_equal(run.cmd.n_includes, 0);
}

static void
hooks_are_wiped(void **state)
{
	Wire__Hooks hooks = WIRE__HOOKS__INIT;
	uint8_t body[] = "canary";
	struct small s;

	(void)state;
	small_init(&s, "0 2 * * *");
	hooks.pre.data = body;
	hooks.pre.len = sizeof(body) - 1;
	s.group[0].hooks = &hooks;
	plan_wipe(&s.plan);
	assert_int_equal(body[0] | body[5], 0);
	plan_wipe(NULL);
	plan_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_is_taken_as_a_whole_or_not_at_all),
		cmocka_unit_test(a_schedule_that_cannot_fire_is_named),
		cmocka_unit_test(a_run_has_what_its_group_says_now),
		cmocka_unit_test(hooks_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
