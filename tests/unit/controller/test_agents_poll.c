/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Poll, the edits that a poll brings, and Enroll. */
#include "tests/unit/controller/agents_bench.h"

static void
poll_alone_is_enough(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__JobStarted s = WIRE__JOB_STARTED__INIT;

	/* The configuration is due: no waiting. */
	send_poll(b, &b->one, &h, NULL, 25000);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_OK);
	assert_int_equal(b->one.config_version, 3);
	assert_string_equal(b->one.password, PASSWORD);
	settle(b);
	/* init waits for the next. */
	h.config_version = 3;
	send_poll(b, &b->one, &h, NULL, 25000);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.commands, 1);
	assert_string_equal(b->one.kind, "init");
	/* Events are acknowledged in the reply. */
	s.job_id = text(JOB);
	s.kind = text("backup");
	ev.seq = 1;
	ev.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	ev.job_started = &s;
	h.next_seq = 2;
	send_poll(b, &b->one, &h, &ev, 0);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_OK);
	assert_int_equal(b->one.acked, 1);
	assert_int_equal(b->one.resume, 2);
	assert_true(host(b)->online);
}

/* As an edit leaves it; nobody is told. */
static void
edit_host(struct bench *b, bool with_repo)
{
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Host *rec = host_store_get(tx, &b->host);

	assert_non_null(rec);
	rec->config_version++;
	if (!with_repo)
		rec->repo_url = text(""); /* no init */
	host_store_put(tx, rec);
	fixture_commit(tx);
}

/* M-206, M-210: also one that goes out before the edit is told. */
static void
no_command_overtakes_the_configuration(void **state)
{
	struct bench *b = *state;
	Wire__Hello h;

	open_session(b);
	assert_int_equal(b->one.commands, 1);
	assert_int_equal(b->one.config_at_run, 3);
	edit_host(b, true);
	pass(b, 10500); /* not answered: sent again */
	assert_int_equal(b->one.commands, 2);
	assert_int_equal(b->one.config_at_run, 4);
	edit_host(b, true);
	h = hello_of(b, b->instance);
	h.config_version = 4;
	send_poll(b, &b->two, &h, NULL, 25000);
	run_until(b, two_has_ended);
	assert_int_equal(b->two.config_version, 5);
	settle(b);
	h.config_version = 5;
	send_poll(b, &b->two, &h, NULL, 25000);
	settle(b);
	assert_false(b->two.ended);
	edit_host(b, true);
	pass(b, 10500);
	assert_true(b->two.ended);
	assert_int_equal(b->two.commands, 1);
	assert_int_equal(b->two.config_at_run, 6);
}

static void
an_edit_is_brought_at_once(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);
	unsigned messages;

	agents_configure(b->c.agents, &b->host); /* nobody is there */
	edit_host(b, false);
	open_session(b);
	assert_int_equal(b->one.config_version, 4);
	messages = b->one.messages;
	agents_configure(b->c.agents, &b->host); /* it has it */
	settle(b);
	assert_int_equal(b->one.messages, messages);
	edit_host(b, false);
	agents_configure(b->c.agents, &b->host);
	settle(b);
	assert_int_equal(b->one.config_version, 5);
	assert_string_equal(b->one.password, PASSWORD);
	messages = b->one.messages;
	agents_configure(b->c.agents, &b->host); /* it was sent */
	settle(b);
	assert_int_equal(b->one.messages, messages);
	h.config_version = 5;
	send_poll(b, &b->two, &h, NULL, 25000);
	settle(b);
	assert_false(b->two.ended);
	edit_host(b, false);
	agents_configure(b->c.agents, &b->host);
	run_until(b, two_has_ended);
	assert_int_equal(b->two.status, GRPC_OK);
	assert_int_equal(b->two.config_version, 6);
}

static void
a_poll_waits_no_longer_than_it_may(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Host *rec = host_store_get(tx, &b->host);

	assert_non_null(rec);
	rec->repo_url = text(""); /* no init */
	host_store_put(tx, rec);
	fixture_commit(tx);
	h.config_version = 3;
	send_poll(b, &b->one, &h, NULL, 600000);
	settle(b);
	assert_false(b->one.ended);
	pass(b, 24000);
	assert_false(b->one.ended);
	pass(b, 1500);
	assert_true(b->one.ended);
	assert_int_equal(b->one.status, GRPC_OK);
	assert_int_equal(b->one.commands, 0);
	send_poll(b, &b->one, &h, NULL, 0);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_OK);
}

static void
a_poll_needs_a_hello(void **state)
{
	struct bench *b = *state;
	Wire__PollRequest q = WIRE__POLL_REQUEST__INIT;

	call(b, &b->one, SERVICE "Poll", BEARER);
	send_packed(&b->one, &q.base);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
	call(b, &b->one, SERVICE "Poll", BEARER);
	grpc_call_half_close(b->one.call);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
}

/* ------------------------------------------------------------------- enrol */

static void
an_unknown_token_is_refused_by_grpc(void **state)
{
	struct bench *b = *state;
	Wire__EnrollRequest q = WIRE__ENROLL_REQUEST__INIT;

	q.token = text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	q.hostname = text("web-2");
	q.os = text("linux");
	q.arch = text("amd64");
	call(b, &b->one, SERVICE "Enroll", NULL);
	send_packed(&b->one, &q.base);
	grpc_call_half_close(b->one.call);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_UNAUTHENTICATED);
	q.token = text("short");
	call(b, &b->one, SERVICE "Enroll", NULL);
	send_packed(&b->one, &q.base);
	grpc_call_half_close(b->one.call);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
	call(b, &b->one, SERVICE "Enroll", NULL);
	grpc_call_half_close(b->one.call);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(poll_alone_is_enough),
		ON_BENCH(no_command_overtakes_the_configuration),
		ON_BENCH(an_edit_is_brought_at_once),
		ON_BENCH(a_poll_waits_no_longer_than_it_may),
		ON_BENCH(a_poll_needs_a_hello),
		ON_BENCH(an_unknown_token_is_refused_by_grpc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
