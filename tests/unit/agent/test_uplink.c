/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/agent/uplink_help.h"

static bool
something_was_sent(void *ctx)
{
	const struct grpc_ccall *c = ctx;

	return c->sent > 1;
}

/* M-441: as often as the controller asked for, at least every 30 s. */
static void
heartbeats_tell_when_they_were_sent(void **state)
{
	Wire__ControllerMessage reply = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__HelloReply h = WIRE__HELLO_REPLY__INIT;
	int64_t before = clock_now_ms();
	struct grpc_ccall *c = live();
	Wire__AgentMessage *m;

	(void)state;
	h.resume_seq = 1;
	h.heartbeat_interval_ms = 1000;
	reply.body_case = WIRE__CONTROLLER_MESSAGE__BODY_HELLO;
	reply.hello = &h;
	give(c, &reply.base);
	assert_int_equal(c->sent, 1);
	help_run_until(a.loop, something_was_sent, c);
	m = last_message(c);
	assert_int_equal(m->body_case, WIRE__AGENT_MESSAGE__BODY_HEARTBEAT);
	assert_in_range(m->heartbeat->sent_at_ms, before + 900, clock_now_ms());
	wire__agent_message__free_unpacked(m, NULL);
}

/* M-440 */
static void
a_session_says_hello_then_events(void **state)
{
	struct grpc_ccall *c;
	Wire__AgentMessage *m;

	(void)state;
	put_event();
	c = live();
	assert_string_equal(c->o.path, "/resticmanager.v1.Agent/Session");
	assert_int_equal(c->sent, 1); /* no event before the answer */
	m = last_message(c);
	assert_int_equal(m->body_case, WIRE__AGENT_MESSAGE__BODY_HELLO);
	assert_int_equal(m->hello->next_seq, 2);
	wire__agent_message__free_unpacked(m, NULL);
	give_hello(c, 1);
	assert_int_equal(c->sent, 2);
	put_event();
	assert_int_equal(c->sent, 3);
	m = last_message(c);
	assert_int_equal(m->event->seq, 2);
	wire__agent_message__free_unpacked(m, NULL);
	give_ack(c, 2);
}

static void
a_full_call_is_continued_when_it_can_be(void **state)
{
	struct grpc_ccall *c = live();

	(void)state;
	give_hello(c, 1);
	c->full = true;
	put_event();
	put_event();
	assert_int_equal(c->sent, 1);
	c->full = false;
	c->o.on_writable(c->o.ctx, c);
	assert_int_equal(c->sent, 3);
}

static void
answers_given_offline_are_sent_when_live(void **state)
{
	Wire__CommandResult r = WIRE__COMMAND_RESULT__INIT;
	struct grpc_ccall *c;
	Wire__AgentMessage *m;

	(void)state;
	r.job_id = (char[]){ "job" };
	uplink_result(a.uplink, &r);
	c = live();
	give_hello(c, 1);
	m = last_message(c);
	assert_int_equal(m->body_case, WIRE__AGENT_MESSAGE__BODY_RESULT);
	assert_string_equal(m->result->job_id, "job");
	wire__agent_message__free_unpacked(m, NULL);
	assert_int_equal(c->sent, 2);
}

static void
progress_goes_at_most_once_a_second(void **state)
{
	Wire__JobProgress p = WIRE__JOB_PROGRESS__INIT;
	struct grpc_ccall *c = live();
	Wire__AgentMessage *m;
	int i;

	(void)state;
	give_hello(c, 1);
	p.job_id = (char[]){ "job" };
	for (i = 0; i < 100; i++) {
		p.files_done = (uint64_t)i;
		uplink_progress(a.uplink, &p);
	}
	assert_int_equal(c->sent, 2); /* the first at once */
	help_run_ms(a.loop, 1300);
	assert_int_equal(c->sent, 3); /* and the latest */
	m = last_message(c);
	assert_int_equal(m->progress->files_done, 99);
	wire__agent_message__free_unpacked(m, NULL);
	uplink_progress(a.uplink, &p);
	uplink_progress(a.uplink, NULL); /* the job ended */
	help_run_ms(a.loop, 1300);
	assert_int_equal(c->sent, 3);
}

static void
malformed_messages_end_the_session(void **state)
{
	struct grpc_ccall *c = live();

	(void)state;
	give_hello(c, 1);
	c->o.on_message(c->o.ctx, c, STR("\377\377\377"));
	assert_true(c->cancelled);
	assert_true(fake.conns[0].freed);
	dialled(2);
}

/* M-121, W-20 */
static void
messages_of_a_newer_controller_are_ignored(void **state)
{
	struct grpc_ccall *c = live();

	(void)state;
	give_hello(c, 1);
	/* Field 99, two bytes. */
	c->o.on_message(c->o.ctx, c, STR("\232\006\002ab"));
	assert_false(c->cancelled);
}

/* The teardown happens inside the call's own callback. */
static void
a_resume_never_given_starts_over_with_a_new_epoch(void **state)
{
	struct grpc_ccall *c;
	Wire__AgentMessage *first, *second;

	(void)state;
	put_event();
	c = live();
	first = last_message(c);
	give_hello(c, 7);
	assert_true(c->cancelled);
	assert_true(fake.conns[0].freed);
	c = live();
	second = last_message(c);
	assert_memory_not_equal(first->hello->epoch.data,
	    second->hello->epoch.data, 16);
	assert_int_equal(second->hello->next_seq, 1);
	wire__agent_message__free_unpacked(first, NULL);
	wire__agent_message__free_unpacked(second, NULL);
}

/* ---------------------------------------------------------- coming back */

/* M-107 */
static void
a_lost_connection_is_dialled_again(void **state)
{
	struct grpc_conn *conn = dialled(1);
	struct err e = { 0 };

	(void)state;
	err_set(&e, RC_OFFLINE, "refused");
	conn->o.on_down(conn->o.ctx, conn, &e);
	assert_true(conn->freed);
	dialled(2);
}

/* M-103, and an hour instead of a loop. */
static void
check_refusal(enum grpc_status st, const char *code, bool in_message)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__Error error = WIRE__ERROR__INIT;
	struct grpc_ccall *c = live();
	size_t conns = fake.n_conns;

	if (in_message) {
		error.code = (char *)(uintptr_t)code;
		m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_ERROR;
		m.error = &error;
		give(c, &m.base);
		code = "";
	}
	give_end(c, st, code);
	help_run_ms(a.loop, 2500); /* longer than the first back-off */
	assert_int_equal(fake.n_conns, conns);
	assert_true(fake.conns[conns - 1].freed);
}

static void
an_agent_too_old_does_not_knock_all_the_time(void **state)
{
	(void)state;
	check_refusal(GRPC_FAILED_PRECONDITION, "protocol_too_old", false);
}

static void
the_code_may_come_as_a_message(void **state)
{
	(void)state;
	check_refusal(GRPC_UNKNOWN, "protocol_too_new", true);
}

static void
a_revoked_bearer_does_not_knock_all_the_time(void **state)
{
	(void)state;
	check_refusal(GRPC_UNAUTHENTICATED, "", false);
}

static void
a_second_identity_waits_long(void **state)
{
	(void)state;
	check_refusal(GRPC_ALREADY_EXISTS, "duplicate_identity", false);
}

static void
a_deleted_host_goes_on_with_nothing(void **state)
{
	(void)state;
	give_end(live(), GRPC_UNAVAILABLE, "");
	assert_int_equal(fake.dismissed, 0);
	give_end(live(), GRPC_UNAUTHENTICATED, "host_deleted");
	assert_int_equal(fake.dismissed, 1);
}

/* A controller restored from an older copy: soon again, with the ends. */
static void
what_the_controller_lost_is_told_again(void **state)
{
	(void)state;
	give_end(live(), GRPC_UNAVAILABLE, "tell_again");
	assert_int_equal(fake.told_again, 1);
	dialled(2);
}

static void
a_drain_waits_for_the_last_acknowledgement(void **state)
{
	struct grpc_ccall *c;
	bool drained = false;

	(void)state;
	put_event();
	c = live();
	give_hello(c, 1);
	uplink_drain(a.uplink, help_mark, &drained);
	help_run_ms(a.loop, 100);
	assert_false(drained);
	give_ack(c, 1);
	help_run_ms(a.loop, 100);
	assert_true(drained);
}

static void
a_drain_without_a_controller_ends_after_5_s(void **state)
{
	bool drained = false;
	int64_t began = clock_mono_ms();

	(void)state;
	put_event();
	uplink_drain(a.uplink, help_mark, &drained);
	help_run_until(a.loop, help_set, &drained);
	assert_true(clock_mono_ms() - began >= 4900);
	assert_true(clock_mono_ms() - began < 15000);
}

#define uplink_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		uplink_test(a_session_says_hello_then_events),
		uplink_test(heartbeats_tell_when_they_were_sent),
		uplink_test(a_full_call_is_continued_when_it_can_be),
		uplink_test(answers_given_offline_are_sent_when_live),
		uplink_test(progress_goes_at_most_once_a_second),
		uplink_test(malformed_messages_end_the_session),
		uplink_test(messages_of_a_newer_controller_are_ignored),
		uplink_test(a_resume_never_given_starts_over_with_a_new_epoch),
		uplink_test(a_lost_connection_is_dialled_again),
		uplink_test(an_agent_too_old_does_not_knock_all_the_time),
		uplink_test(the_code_may_come_as_a_message),
		uplink_test(a_revoked_bearer_does_not_knock_all_the_time),
		uplink_test(a_second_identity_waits_long),
		uplink_test(a_deleted_host_goes_on_with_nothing),
		uplink_test(what_the_controller_lost_is_told_again),
		uplink_test(a_drain_waits_for_the_last_acknowledgement),
		uplink_test(a_drain_without_a_controller_ends_after_5_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
