/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Runs of the plan and commands: one job a host, and nobody starves. */
#include "tests/unit/agent/schedule_help.h"

/* Contract: one job a host; who comes second is told or waits. */
static void
runs_and_commands_take_turns(void **state)
{
	static struct host h;
	Wire__Command c = WIRE__COMMAND__INIT;

	host_open(&h, *state, "backup() { sleep 0.2; summary " SNAP "; }\n");
	c.body_case = WIRE__COMMAND__BODY_RUN;
	c.run = &h.f.cmd;
	command_handle(h.f.a.command, &c);
	host_pass(&h, at("2026-11-21T02:00:00Z"));
	help_run_ms(h.f.a.loop, 50);
	assert_true(fake.accepted);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 1);
	assert_null(host_started(&h, 0)->own);
	/* The plan's run takes the place as soon as it is free. */
	host_wait_ends(&h, 2);
	assert_non_null(host_started(&h, 1)->own);
	/* And the other way round. */
	host_pass(&h, at("2026-11-22T02:00:00Z"));
	help_run_ms(h.f.a.loop, 50);
	h.f.cmd.job_id = (char *)(uintptr_t) "01JD000000000000000000000B";
	command_handle(h.f.a.command, &c);
	assert_false(fake.accepted);
	assert_string_equal(fake.error, "busy");
	host_wait_ends(&h, 3);
	host_close(&h);
}

/* What follows one another on a host whose runs never leave a gap. */
static void
host_send(struct host *h, const char *id, int64_t waited_ms)
{
	Wire__Command c = WIRE__COMMAND__INIT;

	c.body_case = WIRE__COMMAND__BODY_RUN;
	c.run = &h->f.cmd;
	h->f.cmd.job_id = (char *)(uintptr_t)id;
	h->f.cmd.waited_ms = waited_ms;
	command_handle(h->f.a.command, &c);
}

static void
host_say_waits(struct host *h, int64_t waited_ms)
{
	Wire__CommandWaits w = WIRE__COMMAND_WAITS__INIT;
	Wire__Command c = WIRE__COMMAND__INIT;

	w.waited_ms = waited_ms;
	c.body_case = WIRE__COMMAND__BODY_WAITS;
	c.waits = &w;
	command_handle(h->f.a.command, &c);
}

static void
host_wait_starts(struct host *h, size_t starts)
{
	unsigned i;

	for (i = 0; i < 3000; i++) {
		if (host_count(h, WIRE__EVENT__BODY_JOB_STARTED) >= starts)
			return;
		help_run_ms(h->f.a.loop, 10);
	}
	fail();
}

static void
host_open_ever_due(struct host *h, const char *dir)
{
	host_prepare(h, dir, "backup() { sleep 0.2; summary " SNAP "; }\n");
	small_init(&h->plan, "@every 1s");
	h->plan.group[0].includes = h->paths;
	h->plan.group[0].n_includes = 1;
	host_put_plan(h);
	host_start(h);
	host_pass(h, h->now + 1000);
	host_wait_starts(h, 1);
}

#define CMD_B "01JD000000000000000000000B"
#define CMD_C "01JD000000000000000000000C"

/* Nothing of the plan begins for as long as the place is kept. */
static void
host_expect_kept(struct host *h, size_t ended)
{
	host_wait_ends(h, ended);
	assert_int_equal(host_count(h, WIRE__EVENT__BODY_JOB_STARTED), ended);
}

static void
a_schedule_that_is_ever_due_starves_no_command(void **state)
{
	static struct host h;

	host_open_ever_due(&h, *state);
	host_send(&h, CMD_B, 0);
	assert_string_equal(fake.error, "busy");
	host_pass(&h, h.now + 2000); /* due again, after it */
	host_expect_kept(&h, 1);
	host_send(&h, CMD_B, 2000);
	help_run_ms(h.f.a.loop, 50);
	assert_true(fake.accepted);
	/* The run that was ready goes before a command that came later. */
	host_pass(&h, h.now + 2000);
	host_send(&h, CMD_C, 1000);
	host_wait_starts(&h, 3);
	host_pass(&h, h.now + 2000);
	host_expect_kept(&h, 3);
	assert_null(host_started(&h, 1)->own);
	assert_non_null(host_started(&h, 2)->own);
	host_send(&h, CMD_C, 3000);
	host_wait_ends(&h, 5); /* and what came due behind it */
	assert_null(host_started(&h, 3)->own);
	host_close(&h);
}

/* Of what it would refuse anyway the agent is only told. */
static void
the_place_is_kept_for_what_waits_and_not_for_ever(void **state)
{
	static struct host h;

	host_open_ever_due(&h, *state);
	host_say_waits(&h, 500);
	host_pass(&h, h.now + 2000);
	host_expect_kept(&h, 1);
	host_pass(&h, h.now + 29000);
	help_run_ms(h.f.a.loop, 50);
	assert_int_equal(host_count(&h, WIRE__EVENT__BODY_JOB_STARTED), 1);
	host_pass(&h, h.now + 2000); /* it was cancelled, perhaps */
	host_wait_ends(&h, 2);
	/* And not again for the same. */
	host_pass(&h, h.now + 2000);
	host_wait_ends(&h, 3);
	host_close(&h);
}

/* A command that arrives while the place is free, and later than a run that
 * has not begun for a moment: its state is on its way to the disk. */
static void
commands_pass_no_run_that_was_ready_before(void **state)
{
	static struct host h;

	host_open_ever_due(&h, *state);
	host_wait_ends(&h, 1);
	host_clock(&h, h.now + 2000);
	schedule_contact(h.f.a.schedule); /* ready, and being saved */
	assert_true(command_is_free(h.f.a.command));
	host_clock(&h, h.now + 10);
	host_send(&h, CMD_B, 0);
	assert_string_equal(fake.error, "busy");
	host_wait_ends(&h, 2);
	assert_non_null(host_started(&h, 1)->own);
	host_send(&h, CMD_B, 1000);
	host_wait_ends(&h, 3);
	assert_null(host_started(&h, 2)->own);
	host_close(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		unit_test_in_folder(runs_and_commands_take_turns),
		unit_test_in_folder(
		    a_schedule_that_is_ever_due_starves_no_command),
		unit_test_in_folder(
		    the_place_is_kept_for_what_waits_and_not_for_ever),
		unit_test_in_folder(commands_pass_no_run_that_was_ready_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
