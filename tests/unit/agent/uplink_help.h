/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_AGENT_UPLINK_HELP_H
#define TESTS_UNIT_AGENT_UPLINK_HELP_H
/*
 * The uplink against a controller made up here: lib/net's client is replaced
 * by calls that the test answers, time by a clock that it sets.  Queue,
 * secrets and loop are real.
 */
#include "tests/unit/agent/agent_help.h"

#include "agent/agent.h"
#include "agent/command.h"
#include "agent/schedule.h"
#include "agent/secrets.h"
#include "agent/settle.h"
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
	char bearer[129];
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
	size_t commands, told_again, contacts, plans, dismissed;
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
	c->o = *o;
	assert_true(str_copy(c->bearer, sizeof(c->bearer), str_of(o->bearer)));
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
command_handle(struct command *c, Wire__Command *cmd)
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

void
command_tell_again(struct command *c)
{
	(void)c;
	fake.told_again++;
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

void
schedule_contact(struct schedule *s)
{
	(void)s;
	fake.contacts++;
}

void
schedule_dismiss(struct schedule *s)
{
	(void)s;
	fake.dismissed++;
}

void
schedule_plan(struct schedule *s)
{
	(void)s;
	fake.plans++;
}

/* ------------------------------------------------------------- fixture */

static struct agent a;
static char secrets_path[256];

static inline int
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
	a.settle = settle_new(a.loop);
	log_open(STDERR_FILENO, LOG_ERROR);
	a.queue = help_queue(*state);
	a.events = events_new(a.loop, a.queue);
	help_path(secrets_path, *state, "secrets.enc");
	assert_rc(secrets_open(secrets_path, key, &a.secrets, NULL), RC_OK);
	assert_rc(uplink_new(&a, &a.uplink, &e), RC_OK);
	return rc;
}

static inline int
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
	settle_free(a.settle);
	loop_free(a.loop);
	clock_fake(-1, 0);
	return unit_folder_remove(state);
}

static inline bool
more_conns(void *ctx)
{
	return fake.n_conns >= *(size_t *)ctx;
}

static inline bool
more_calls(void *ctx)
{
	return fake.n_calls >= *(size_t *)ctx;
}

static inline struct grpc_conn *
dialled(size_t n)
{
	help_run_until(a.loop, more_conns, &n);
	return &fake.conns[n - 1];
}

static inline struct grpc_ccall *
called(size_t n)
{
	help_run_until(a.loop, more_calls, &n);
	return &fake.calls[n - 1];
}

static inline struct grpc_ccall *
call_now(void)
{
	return &fake.calls[fake.n_calls - 1];
}

static inline void
put_event(void)
{
	Wire__ConfigAck ack = WIRE__CONFIG_ACK__INIT;
	Wire__Event e = WIRE__EVENT__INIT;

	e.body_case = WIRE__EVENT__BODY_CONFIG_ACK;
	e.config_ack = &ack;
	events_put(a.events, &e, true);
	help_sync(a.loop, a.events);
}

static inline void
give(struct grpc_ccall *c, const ProtobufCMessage *m)
{
	uint8_t *bytes = mem_alloc(protobuf_c_message_get_packed_size(m));
	size_t n = protobuf_c_message_pack(m, bytes);

	assert_false(c->cancelled);
	c->o.on_message(c->o.ctx, c, str_from(bytes, n));
	mem_free(bytes);
}

static inline void
give_hello(struct grpc_ccall *c, uint64_t resume)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__HelloReply h = WIRE__HELLO_REPLY__INIT;

	h.resume_seq = resume;
	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_HELLO;
	m.hello = &h;
	give(c, &m.base);
}

static inline void
give_ack(struct grpc_ccall *c, uint64_t seq)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__Ack ack = WIRE__ACK__INIT;

	ack.seq = seq;
	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_ACK;
	m.ack = &ack;
	give(c, &m.base);
}

static inline void
give_end(struct grpc_ccall *c, enum grpc_status st, const char *code)
{
	assert_false(c->cancelled || c->ended);
	c->ended = true;
	c->o.on_end(c->o.ctx, c, st, STR("said"), str_of(code));
}

static inline struct grpc_ccall *
live(void)
{
	struct grpc_conn *conn = dialled(++fake.taken);
	size_t before = fake.n_calls;

	conn->o.on_ready(conn->o.ctx, conn);
	return called(before + 1);
}

static inline Wire__AgentMessage *
last_message(const struct grpc_ccall *c)
{
	Wire__AgentMessage *m = wire__agent_message__unpack(NULL, c->last.len,
	    (const uint8_t *)buf_text(&c->last));

	assert_non_null(m);
	return m;
}

static inline Wire__PollRequest *
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
#endif
