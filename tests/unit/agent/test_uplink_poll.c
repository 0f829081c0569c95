/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Polling, where streams do not live. */
#include "tests/unit/agent/uplink_help.h"

/* Three Sessions that do not live: the proxy between kills streams. */
static struct grpc_ccall *
fall_back(void)
{
	struct grpc_conn *conn;
	int i;

	for (i = 0; i < 3; i++)
		give_end(live(), i == 1 ? GRPC_UNAVAILABLE : GRPC_INTERNAL, "");
	conn = dialled(++fake.taken);
	conn->o.on_ready(conn->o.ctx, conn);
	return call_now();
}

static void
give_poll(struct grpc_ccall *c, uint64_t acked, size_t commands)
{
	Wire__PollReply r = WIRE__POLL_REPLY__INIT;
	Wire__HelloReply h = WIRE__HELLO_REPLY__INIT;
	Wire__Command cmd = WIRE__COMMAND__INIT, *cmds[2] = { &cmd, &cmd };
	Wire__CommandRun run = WIRE__COMMAND_RUN__INIT;

	h.resume_seq = acked + 1;
	run.job_id = (char[]){ "01JD000000000000000000000A" };
	cmd.body_case = WIRE__COMMAND__BODY_RUN;
	cmd.run = &run;
	r.hello = &h;
	r.acked_seq = acked;
	r.commands = cmds;
	r.n_commands = commands;
	give(c, &r.base);
}

static void
three_sessions_that_fail_lead_to_polling(void **state)
{
	struct grpc_ccall *c;
	Wire__PollRequest *r;

	(void)state;
	put_event();
	c = fall_back();
	r = last_poll(c);
	assert_int_equal(r->n_events, 1);
	assert_int_equal(r->wait_ms, 0);
	wire__poll_request__free_unpacked(r, NULL);
	give_poll(c, 1, 0);
	give_end(c, GRPC_OK, "");
	c = call_now();
	r = last_poll(c);
	assert_int_equal(r->n_events, 0);
	assert_int_equal(r->wait_ms, 25000);
	wire__poll_request__free_unpacked(r, NULL);
}

/* A session that lived makes the failures before it count no more. */
static void
failures_count_only_in_a_row(void **state)
{
	struct grpc_ccall *c;
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		give_end(live(), GRPC_INTERNAL, "");
		clock_fake(clock_now_ms(), clock_mono_ms());
		c = live();
		give_hello(c, 1);
		clock_fake(clock_now_ms(), clock_mono_ms() + 40000);
		give_end(c, GRPC_UNAVAILABLE, "");
	}
	c = live();
	assert_string_equal(c->o.path, "/resticmanager.v1.Agent/Session");
}

static void
streams_are_tried_again_after_ten_minutes(void **state)
{
	struct grpc_ccall *c;

	(void)state;
	clock_fake(clock_now_ms(), clock_mono_ms());
	c = fall_back();
	give_poll(c, 0, 0);
	clock_fake(clock_now_ms(), clock_mono_ms() + 600001);
	give_end(c, GRPC_OK, "");
	c = call_now();
	assert_string_equal(c->o.path, "/resticmanager.v1.Agent/Session");
}

static void
an_event_interrupts_a_poll_that_waits(void **state)
{
	struct grpc_ccall *c, *next;
	Wire__PollRequest *r;

	(void)state;
	c = fall_back();
	put_event();
	next = called((size_t)(c - fake.calls) + 2);
	assert_true(c->cancelled);
	r = last_poll(next);
	assert_int_equal(r->n_events, 1);
	wire__poll_request__free_unpacked(r, NULL);
	/* One that is about to return is left alone. */
	put_event();
	assert_false(next->cancelled);
	assert_ptr_equal(call_now(), next);
	give_poll(next, 1, 0);
	give_end(next, GRPC_OK, "");
	r = last_poll(call_now());
	assert_int_equal(r->n_events, 1);
	assert_int_equal(r->events[0]->seq, 2);
	wire__poll_request__free_unpacked(r, NULL);
}

static void
an_answer_from_inside_a_poll_goes_with_the_next(void **state)
{
	struct grpc_ccall *c;
	Wire__PollRequest *r;
	size_t calls;

	(void)state;
	fake.answer_at_once = true;
	c = fall_back();
	calls = fake.n_calls;
	give_poll(c, 0, 2);
	assert_int_equal(fake.commands, 2);
	assert_false(c->cancelled);
	assert_int_equal(fake.n_calls, calls);
	give_end(c, GRPC_OK, "");
	r = last_poll(call_now());
	assert_int_equal(r->n_results, 2);
	wire__poll_request__free_unpacked(r, NULL);
}

/* A controller that does not wait must not make us spin. */
static void
a_poll_answered_at_once_leaves_a_gap(void **state)
{
	struct grpc_ccall *c;
	size_t i, before;
	int64_t began;

	(void)state;
	c = fall_back();
	before = fake.n_calls;
	began = clock_mono_ms();
	for (i = 0; i < 1000 && fake.n_calls == before; i++) {
		if (!c->ended) {
			give_poll(c, 0, 0);
			give_end(c, GRPC_OK, "");
		}
		help_run_ms(a.loop, 10);
	}
	assert_true(clock_mono_ms() - began >= 500);
	assert_int_equal(fake.n_calls, before + 1);
}

/* A controller offers a configuration with every answer until it is held:
 * one that cannot be stored here must not make us ask without pause. */
static void
a_poll_with_a_configuration_that_is_not_stored_leaves_a_gap(void **state)
{
	Wire__PollReply r = WIRE__POLL_REPLY__INIT;
	Wire__HelloReply h = WIRE__HELLO_REPLY__INIT;
	Wire__Config config = WIRE__CONFIG__INIT;
	struct grpc_ccall *c;
	size_t i, before;
	int64_t began;

	(void)state;
	assert_rc(fsio_replace(secrets_path, STR("damaged"), 0600, NULL),
	    RC_OK);
	c = fall_back();
	before = fake.n_calls;
	config.version = 7;
	h.resume_seq = 1;
	h.config = &config;
	r.hello = &h;
	began = clock_mono_ms();
	for (i = 0; i < 1000 && fake.n_calls == before; i++) {
		if (!c->ended) {
			give(c, &r.base);
			give_end(c, GRPC_OK, "");
		}
		help_run_ms(a.loop, 10);
	}
	assert_true(clock_mono_ms() - began >= 500);
}

static void
a_malformed_poll_reply_is_a_failure(void **state)
{
	struct grpc_ccall *c = fall_back();
	size_t conns = fake.n_conns;

	(void)state;
	c->o.on_message(c->o.ctx, c, STR("\377\377\377"));
	assert_true(fake.conns[conns - 1].freed);
	dialled(conns + 1);
}

#define uplink_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		uplink_test(three_sessions_that_fail_lead_to_polling),
		uplink_test(failures_count_only_in_a_row),
		uplink_test(streams_are_tried_again_after_ten_minutes),
		uplink_test(an_event_interrupts_a_poll_that_waits),
		uplink_test(an_answer_from_inside_a_poll_goes_with_the_next),
		uplink_test(a_poll_answered_at_once_leaves_a_gap),
		uplink_test(
		    a_poll_with_a_configuration_that_is_not_stored_leaves_a_gap),
		uplink_test(a_malformed_poll_reply_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
