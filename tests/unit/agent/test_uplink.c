/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The uplink against a controller made up here: lib/net's client is replaced
 * by calls that the test answers, time by a clock that it sets.  Queue,
 * secrets and loop are real.
 */
#include "tests/unit/agent/agent_help.h"

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/secrets.h"
#include "agent/uplink.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/net/grpc_client.h"
#include "lib/net/tls.h"

/* --------------------------------------------------------------- fakes */

struct grpc_conn {
	struct grpc_dial_opts o;
	bool freed;
};

struct grpc_ccall {
	struct grpc_ccall_opts o;
	bool cancelled, half_closed, ended;
	size_t sent;
	struct buf last; /* the last message */
	bool full;       /* takes nothing more */
};

static struct fake {
	struct grpc_conn conns[64];
	struct grpc_ccall calls[64];
	size_t n_conns, n_calls;
	size_t taken; /* connections that the test has dealt with */
	size_t commands;
	char command_id[ULID_TEXT_CAP];
	bool answer_at_once; /* a command is answered from inside */
	struct agent *agent;
} fake;

struct grpc_conn *
grpc_dial(const struct grpc_dial_opts *o)
{
	struct grpc_conn *c = &fake.conns[fake.n_conns++];

	assert_true(fake.n_conns <= ARRAY_LEN(fake.conns));
	c->o = *o;
	return c;
}

void
grpc_conn_free(struct grpc_conn *c)
{
	assert_false(c->freed);
	c->freed = true;
}

struct grpc_ccall *
grpc_call_open(struct grpc_conn *conn, const struct grpc_ccall_opts *o)
{
	struct grpc_ccall *c = &fake.calls[fake.n_calls++];

	assert_true(fake.n_calls <= ARRAY_LEN(fake.calls));
	assert_false(conn->freed);
	assert_string_equal(o->bearer, "bearer");
	c->o = *o;
	buf_init(&c->last, MIB(8));
	return c;
}

enum rc
grpc_call_send(struct grpc_ccall *c, struct str msg)
{
	assert_false(c->cancelled || c->ended || c->half_closed);
	if (c->full)
		return RC_BUSY;
	buf_reset(&c->last);
	buf_put_str(&c->last, msg);
	c->sent++;
	return RC_OK;
}

void
grpc_call_half_close(struct grpc_ccall *c)
{
	c->half_closed = true;
}

void
grpc_call_cancel(struct grpc_ccall *c)
{
	assert_false(c->cancelled || c->ended);
	c->cancelled = true;
}

enum rc
tls_client_new(const struct tls_client_opts *o, struct tls_ctx **out,
    struct err *e)
{
	(void)o;
	(void)e;
	*out = NULL;
	return RC_OK;
}

void
tls_ctx_unref(struct tls_ctx *c)
{
	(void)c;
}

void
command_handle(struct command *c, const Wire__Command *cmd)
{
	Wire__CommandResult r = WIRE__COMMAND_RESULT__INIT;

	(void)c;
	assert_int_equal(cmd->body_case, WIRE__COMMAND__BODY_RUN);
	fake.commands++;
	assert_true(str_copy(fake.command_id, sizeof(fake.command_id),
	    str_of(cmd->run->job_id)));
	r.job_id = cmd->run->job_id;
	if (fake.answer_at_once)
		uplink_result(fake.agent->uplink, &r);
}

size_t
command_running(const struct command *c, struct ulid *out, size_t max)
{
	(void)c;
	(void)out;
	(void)max;
	return 0;
}

size_t
command_accepted(const struct command *c, struct ulid *out, size_t max)
{
	return command_running(c, out, max);
}

/* ------------------------------------------------------------- fixture */

static struct agent a;
static char secrets_path[256];

static int
begin(void **state)
{
	static const uint8_t key[CRYPT_KEY_SIZE];
	static char server[] = "https://h", bearer[] = "bearer";
	struct err e = { 0 };
	int rc = unit_folder_make(state);

	memset(&fake, 0, sizeof(fake));
	a = (struct agent){ .settings = { .server = server,
		                .agent_token = bearer } };
	fake.agent = &a;
	a.loop = help_loop();
	log_open(STDERR_FILENO, LOG_ERROR);
	a.queue = help_queue(*state);
	a.events = events_new(a.loop, a.queue);
	help_path(secrets_path, *state, "secrets.enc");
	assert_rc(secrets_open(secrets_path, key, &a.secrets, NULL), RC_OK);
	assert_rc(uplink_new(&a, &a.uplink, &e), RC_OK);
	return rc;
}

static int
finish(void **state)
{
	size_t i;

	uplink_free(a.uplink);
	for (i = 0; i < fake.n_calls; i++)
		buf_fini(&fake.calls[i].last);
	for (i = 0; i < fake.n_conns; i++)
		assert_true(fake.conns[i].freed);
	help_sync(a.loop, a.events);
	events_free(a.events);
	queue_close(a.queue);
	secrets_close(a.secrets);
	loop_free(a.loop);
	clock_fake(-1, 0);
	return unit_folder_remove(state);
}

static bool
more_conns(void *ctx)
{
	return fake.n_conns >= *(size_t *)ctx;
}

static bool
more_calls(void *ctx)
{
	return fake.n_calls >= *(size_t *)ctx;
}

static struct grpc_conn *
dialled(size_t n)
{
	help_run_until(a.loop, more_conns, &n);
	return &fake.conns[n - 1];
}

static struct grpc_ccall *
called(size_t n)
{
	help_run_until(a.loop, more_calls, &n);
	return &fake.calls[n - 1];
}

static struct grpc_ccall *
call_now(void)
{
	return &fake.calls[fake.n_calls - 1];
}

static void
put_event(void)
{
	Wire__ConfigAck ack = WIRE__CONFIG_ACK__INIT;
	Wire__Event e = WIRE__EVENT__INIT;

	e.body_case = WIRE__EVENT__BODY_CONFIG_ACK;
	e.config_ack = &ack;
	events_put(a.events, &e, true);
	help_sync(a.loop, a.events);
}

static void
give(struct grpc_ccall *c, const ProtobufCMessage *m)
{
	uint8_t *bytes = mem_alloc(protobuf_c_message_get_packed_size(m));
	size_t n = protobuf_c_message_pack(m, bytes);

	assert_false(c->cancelled);
	c->o.on_message(c->o.ctx, c, str_from(bytes, n));
	mem_free(bytes);
}

static void
give_hello(struct grpc_ccall *c, uint64_t resume)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__HelloReply h = WIRE__HELLO_REPLY__INIT;

	h.resume_seq = resume;
	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_HELLO;
	m.hello = &h;
	give(c, &m.base);
}

static void
give_ack(struct grpc_ccall *c, uint64_t seq)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__Ack ack = WIRE__ACK__INIT;

	ack.seq = seq;
	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_ACK;
	m.ack = &ack;
	give(c, &m.base);
}

static void
give_end(struct grpc_ccall *c, enum grpc_status st, const char *code)
{
	assert_false(c->cancelled || c->ended);
	c->ended = true;
	c->o.on_end(c->o.ctx, c, st, STR("said"), str_of(code));
}

static struct grpc_ccall *
live(void)
{
	struct grpc_conn *conn = dialled(++fake.taken);
	size_t before = fake.n_calls;

	conn->o.on_ready(conn->o.ctx, conn);
	return called(before + 1);
}

static Wire__AgentMessage *
last_message(const struct grpc_ccall *c)
{
	Wire__AgentMessage *m = wire__agent_message__unpack(NULL, c->last.len,
	    (const uint8_t *)buf_text(&c->last));

	assert_non_null(m);
	return m;
}

static Wire__PollRequest *
last_poll(const struct grpc_ccall *c)
{
	Wire__PollRequest *r;

	assert_string_equal(c->o.path, "/resticmanager.v1.Agent/Poll");
	assert_true(c->half_closed);
	r = wire__poll_request__unpack(NULL, c->last.len,
	    (const uint8_t *)buf_text(&c->last));
	assert_non_null(r);
	return r;
}

/* -------------------------------------------------------------- session */

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

/* ----------------------------------------------------------------- poll */

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

	(void)state;
	c = fall_back();
	before = fake.n_calls;
	for (i = 0; i < 1000 && fake.n_calls == before; i++) {
		if (!c->ended) {
			give_poll(c, 0, 0);
			give_end(c, GRPC_OK, "");
		}
		help_run_ms(a.loop, 10);
	}
	assert_true(i >= 50);
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

	(void)state;
	assert_rc(fsio_replace(secrets_path, STR("damaged"), 0600, NULL),
	    RC_OK);
	c = fall_back();
	before = fake.n_calls;
	config.version = 7;
	h.resume_seq = 1;
	h.config = &config;
	r.hello = &h;
	for (i = 0; i < 1000 && fake.n_calls == before; i++) {
		if (!c->ended) {
			give(c, &r.base);
			give_end(c, GRPC_OK, "");
		}
		help_run_ms(a.loop, 10);
	}
	assert_true(i >= 50);
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

/* ---------------------------------------------------------------- drain */

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
		uplink_test(three_sessions_that_fail_lead_to_polling),
		uplink_test(failures_count_only_in_a_row),
		uplink_test(streams_are_tried_again_after_ten_minutes),
		uplink_test(an_event_interrupts_a_poll_that_waits),
		uplink_test(an_answer_from_inside_a_poll_goes_with_the_next),
		uplink_test(a_poll_answered_at_once_leaves_a_gap),
		uplink_test(
		    a_poll_with_a_configuration_that_is_not_stored_leaves_a_gap),
		uplink_test(a_malformed_poll_reply_is_a_failure),
		uplink_test(a_drain_waits_for_the_last_acknowledgement),
		uplink_test(a_drain_without_a_controller_ends_after_5_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
