/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/net/grpc_client_help.h"

static void
echoes_over_tls(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	assert_int_equal(s->ready, 1);
	s->call = open_call(s, "/t/Echo", 5000);
	assert_int_equal(grpc_call_send(s->call, STR("one")), RC_OK);
	assert_int_equal(grpc_call_send(s->call, STR("")), RC_OK);
	grpc_call_half_close(s->call);
	loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->status, GRPC_OK);
	assert_int_equal(s->got, 2);
	assert_int_equal(s->got_bytes, 3);
	assert_string_equal(s->bearer, "Bearer tok");
}

static void
tells_status_message_and_code(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Err", 0);
	assert_int_equal(grpc_call_send(s->call, STR("x")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_FAILED_PRECONDITION);
	assert_string_equal(s->text, "pr\xc3\xb6t 100%\nline");
	assert_string_equal(s->code, "protocol_too_old");
	s->call = open_call(s, "/t/Nope", 0);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_UNIMPLEMENTED);
	assert_int_equal(s->down, 0);
}

static void
bounds_what_is_unsent(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Count", 0);
	s->refill = 200;
	fill(s);
	assert_true(s->refill > 100); /* about 1 MiB of 64 KiB pieces went */
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_OK);
	assert_int_equal(s->messages, 200);
	assert_int_equal(s->bytes, 200 * BLOCK);
	assert_true(s->writable > 3);
}

static void
takes_a_flood_from_the_server(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Flood", 0);
	assert_int_equal(grpc_call_send(s->call, STR("")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_OK);
	assert_int_equal(s->got_bytes, 200 * BLOCK);
}

static void
refuses_large_messages(void **state)
{
	struct side *s = *state;
	char *big = mem_alloc(GRPC_MESSAGE_MAX + 1);

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Echo", 0);
	assert_int_equal(grpc_call_send(s->call,
	                     str_from(big, GRPC_MESSAGE_MAX + 1)),
	    RC_LIMIT);
	assert_int_equal(grpc_call_send(s->call,
	                     str_from(big, GRPC_MESSAGE_MAX)),
	    RC_OK);
	grpc_call_half_close(s->call);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_OK);
	assert_int_equal(s->got_bytes, GRPC_MESSAGE_MAX);
	mem_free(big);
}

static void
ends_a_call_at_its_deadline(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Hold", 100);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_DEADLINE_EXCEEDED);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->down, 0);
	/* The connection serves on. */
	s->call = open_call(s, "/t/Echo", 0);
	grpc_call_half_close(s->call);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_OK);
}

static void
may_be_freed_inside_a_callback(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->free_in_end = true;
	(void)open_call(s, "/t/Hold", 0);
	s->call = open_call(s, "/t/Echo", 0);
	grpc_call_half_close(s->call);
	loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->down, 0);
}

static void
cancels_without_callbacks(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->cancel_in_message = true;
	s->call = open_call(s, "/t/Flood", 0);
	assert_int_equal(grpc_call_send(s->call, STR("")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->got, 1);
	s->call = open_call(s, "/t/Err", 0);
	assert_int_equal(grpc_call_send(s->call, STR("")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->got, 1);
}

static void
ends_open_calls_when_the_server_closes(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Hold", 0);
	assert_int_equal(grpc_call_send(s->call, STR("x")), RC_OK);
	listen_close(s->listener, 100, on_listener_done, s);
	s->listener = NULL;
	while (s->down == 0)
		loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	assert_int_equal(s->status, GRPC_UNAVAILABLE);
	assert_string_equal(s->text, "the server is shutting down");
	/* Too late, but never silent. */
	s->call = open_call(s, "/t/Echo", 0);
	while (s->ends == 1)
		loop_run(s->loop);
	assert_int_equal(s->status, GRPC_UNAVAILABLE);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(echoes_over_tls),
		T(tells_status_message_and_code),
		T(bounds_what_is_unsent),
		T(takes_a_flood_from_the_server),
		T(refuses_large_messages),
		T(ends_a_call_at_its_deadline),
		T(may_be_freed_inside_a_callback),
		T(cancels_without_callbacks),
		T(ends_open_calls_when_the_server_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
