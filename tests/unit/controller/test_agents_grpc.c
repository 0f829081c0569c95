/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/controller/agents_bench.h"

/* ----------------------------------------------------------- who is there */

static void
a_bearer_opens_the_door(void **state)
{
	struct bench *b = *state;

	call(b, &b->one, SERVICE "Session", "something else");
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_UNAUTHENTICATED);
	assert_string_equal(b->one.code, "unauthorised");
	call(b, &b->one, SERVICE "Session", NULL);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_UNAUTHENTICATED);
}

/* To an agent whose bearer cannot be looked up now, "enrol again" would be a
 * lie that it believes for minutes. */
static void
a_vault_that_cannot_be_read_is_no_wrong_bearer(void **state)
{
	struct store_tx *readers[200];
	struct bench *b = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(readers); i++)
		readers[i] = store_begin_read(b->f.vault, NULL);
	assert_int_not_equal(store_rc(readers[i - 1]), RC_OK);
	call(b, &b->one, SERVICE "Session", BEARER);
	run_until(b, one_has_ended);
	for (i = 0; i < ARRAY_LEN(readers); i++)
		store_abort(readers[i]);
	assert_int_equal(b->one.status, GRPC_UNAVAILABLE);
}

static void
a_hello_is_answered_with_everything_it_needs(void **state)
{
	struct bench *b = *state;
	const struct Rec__Host *h;

	open_session(b);
	assert_int_equal(b->one.resume, 1);
	assert_int_equal(b->one.config_version, 3);
	assert_string_equal(b->one.password, PASSWORD);
	/* M-239: and init comes by itself. */
	assert_string_equal(b->one.kind, "init");
	h = host(b);
	assert_true(h->online);
	assert_string_equal(h->agent_version, "1.2.3");
	assert_string_equal(h->restic_version, "0.14.0");
	assert_string_equal(h->reported_name, "web-1.example");
	assert_string_equal(h->name, "web-1");
	assert_string_equal(h->os, "linux");
	assert_int_equal(h->protocol_version, 1);
	assert_true(h->last_seen_at_ms > 0);
	assert_true(agents_online(b->c.agents, &b->host));
	assert_int_equal(agents_count(b->c.agents), 1);
}

static void
a_configuration_it_has_is_not_sent_again(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);

	h.config_version = 3;
	call(b, &b->one, SERVICE "Session", BEARER);
	send_hello(b, &b->one, &h);
	run_until(b, one_is_answered);
	assert_int_equal(b->one.config_version, 0);
	assert_string_equal(b->one.password, "");
}

/* The agent backs up with what it holds: a secret key that is lost here must
 * not take that from it. */
static void
credentials_that_do_not_open_are_not_taken_away(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);

	b->c.key[0] ^= 1;
	h.config_version = 2;
	call(b, &b->one, SERVICE "Session", BEARER);
	send_hello(b, &b->one, &h);
	run_until(b, one_is_answered);
	assert_int_equal(b->one.config_version, 0);
	assert_int_equal(b->one.status, GRPC_OK);
}

static void
hello_comes_first_and_within_ten_seconds(void **state)
{
	struct bench *b = *state;

	call(b, &b->one, SERVICE "Session", BEARER);
	send_started(&b->one, 1);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
	assert_string_equal(b->one.code, "bad_request");
	assert_int_equal(b->one.errors, 1);
	call(b, &b->one, SERVICE "Session", BEARER);
	settle(b);
	pass(b, 9000);
	assert_false(b->one.ended);
	pass(b, 1500);
	assert_true(b->one.ended);
	assert_int_equal(b->one.status, GRPC_DEADLINE_EXCEEDED);
}

/* M-121, M-456 */
static void
versions_and_malformed_hellos_are_told(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);

	h.protocol_version = 2;
	call(b, &b->one, SERVICE "Session", BEARER);
	send_hello(b, &b->one, &h);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_FAILED_PRECONDITION);
	assert_string_equal(b->one.code, "protocol_too_new");
	h = hello_of(b, b->instance);
	h.hostname = text("web\x01");
	call(b, &b->one, SERVICE "Session", BEARER);
	send_hello(b, &b->one, &h);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
	h = hello_of(b, b->instance);
	h.epoch.len = 3;
	call(b, &b->one, SERVICE "Session", BEARER);
	send_hello(b, &b->one, &h);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
	assert_false(agents_online(b->c.agents, &b->host));
}

static void
bytes_that_are_no_message_end_the_call(void **state)
{
	struct bench *b = *state;
	static char large[80000];

	call(b, &b->one, SERVICE "Session", BEARER);
	assert_rc(grpc_call_send(b->one.call, STR("\xff\xff\xff\xff")), RC_OK);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
	call(b, &b->one, SERVICE "Session", BEARER);
	assert_rc(grpc_call_send(b->one.call, str_from(large, sizeof(large))),
	    RC_OK);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_RESOURCE_EXHAUSTED);
}

/* ---------------------------------------------------------- live identity */

/* M-106 */
static void
the_same_agent_coming_back_replaces_its_older_stream(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);

	open_session(b);
	call(b, &b->two, SERVICE "Session", BEARER);
	send_hello(b, &b->two, &h);
	run_until(b, one_has_ended);
	assert_string_equal(b->one.code, "replaced");
	settle(b);
	assert_false(b->two.ended);
	assert_int_equal(b->two.resume, 1);
	assert_int_equal(agents_count(b->c.agents), 1);
}

static void
a_second_instance_is_turned_away_while_the_first_lives(void **state)
{
	struct bench *b = *state;
	uint8_t other[32] = { 9 };
	Wire__Hello h = hello_of(b, other);

	open_session(b);
	call(b, &b->two, SERVICE "Session", BEARER);
	send_hello(b, &b->two, &h);
	run_until(b, two_has_ended);
	assert_int_equal(b->two.status, GRPC_ALREADY_EXISTS);
	assert_string_equal(b->two.code, "duplicate_identity");
	settle(b);
	assert_false(b->one.ended);
	assert_non_null(strstr(host(b)->duplicate_notice, "web-1.example"));
	/* When the first is silent, the second may take its place. */
	grpc_call_cancel(b->one.call);
	pass(b, 91000);
	assert_false(host(b)->online);
	b->epoch[0] = 99;
	h = hello_of(b, other);
	call(b, &b->two, SERVICE "Session", BEARER);
	send_hello(b, &b->two, &h);
	settle(b);
	assert_false(b->two.ended);
	assert_true(host(b)->online);
}

/* M-441: a heartbeat proves life, and nothing else. */
static void
silence_of_ninety_seconds_is_offline(void **state)
{
	struct bench *b = *state;
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__Heartbeat beat = WIRE__HEARTBEAT__INIT;
	int64_t seen;

	open_session(b);
	pass(b, 60000);
	assert_true(host(b)->online);
	m.body_case = WIRE__AGENT_MESSAGE__BODY_HEARTBEAT;
	m.heartbeat = &beat;
	beat.sent_at_ms = 1; /* an agent's clock does not count */
	send_packed(&b->one, &m.base);
	settle(b);
	seen = b->now;
	pass(b, 60000);
	assert_true(host(b)->online);
	pass(b, 31000);
	assert_false(host(b)->online);
	assert_int_equal(host(b)->last_seen_at_ms, seen);
	assert_false(agents_online(b->c.agents, &b->host));
	assert_int_equal(agents_count(b->c.agents), 0);
}

/* M-104, M-446 */
static void
presence_and_progress_are_live(void **state)
{
	struct bench *b = *state;
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__JobProgress p = WIRE__JOB_PROGRESS__INIT;
	const struct Rec__LiveProgress *shown;
	const struct Rec__Presence *here;
	struct store_tx *tx;
	struct ulid job;

	assert_true(ulid_parse(STR(JOB), &job));
	open_session(b);
	pass(b, 1000);
	p.job_id = text(JOB);
	p.percent_done = 0.5;
	m.body_case = WIRE__AGENT_MESSAGE__BODY_PROGRESS;
	m.progress = &p;
	send_packed(&b->one, &m.base); /* of a job that does not run */
	settle(b);
	tx = store_begin_read(b->f.live, &b->f.arena);
	here = live_find_presence(tx, &b->host);
	assert_non_null(here);
	assert_true(here->stream);
	assert_string_equal(here->address, "127.0.0.1");
	assert_null(live_find_progress(tx, &job));
	store_abort(tx);
	send_started(&b->one, 1);
	settle(b);
	assert_int_equal(b->one.acked, 1);
	send_packed(&b->one, &m.base);
	settle(b);
	tx = store_begin_read(b->f.live, &b->f.arena);
	shown = live_find_progress(tx, &job);
	assert_non_null(shown);
	assert_true(shown->percent_done > 0.4 && shown->percent_done < 0.6);
	store_abort(tx);
}

/* ------------------------------------------------------------------ events */

static void
events_are_acknowledged_and_disorder_ends_the_stream(void **state)
{
	struct bench *b = *state;

	open_session(b);
	send_started(&b->one, 1);
	settle(b);
	assert_int_equal(b->one.acked, 1);
	send_started(&b->one, 5);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_INVALID_ARGUMENT);
	assert_string_equal(b->one.code, "bad_request");
	open_session(b);
	assert_int_equal(b->one.resume, 2);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_bearer_opens_the_door),
		ON_BENCH(a_vault_that_cannot_be_read_is_no_wrong_bearer),
		ON_BENCH(a_hello_is_answered_with_everything_it_needs),
		ON_BENCH(a_configuration_it_has_is_not_sent_again),
		ON_BENCH(credentials_that_do_not_open_are_not_taken_away),
		ON_BENCH(hello_comes_first_and_within_ten_seconds),
		ON_BENCH(versions_and_malformed_hellos_are_told),
		ON_BENCH(bytes_that_are_no_message_end_the_call),
		ON_BENCH(the_same_agent_coming_back_replaces_its_older_stream),
		ON_BENCH(
		    a_second_instance_is_turned_away_while_the_first_lives),
		ON_BENCH(silence_of_ninety_seconds_is_offline),
		ON_BENCH(presence_and_progress_are_live),
		ON_BENCH(events_are_acknowledged_and_disorder_ends_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
