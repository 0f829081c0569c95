/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_AGENTS_BENCH_H
#define TESTS_UNIT_CONTROLLER_AGENTS_BENCH_H
/*
 * The controller's gRPC service on loopback, over a real store, and the
 * agent's side of it.  Time is the test's.
 */
#include "tests/unit/store/store_fixture.h"

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/creds.h"
#include "controller/ingest.h"
#include "controller/op.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/net/grpc_client.h"
#include "lib/net/listen.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"

#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

#define SERVICE "/resticmanager.v1.Agent/"
#define BEARER "bearer-bearer-bearer-bearer-bearer-bearer-b"
#define PASSWORD "the repository's password"
#define JOB "01HZZZZZZZZZZZZZZZZZZZZZZA"

/* One call of an agent, and what came back. */
struct end {
	struct bench *b;
	struct grpc_ccall *call;
	unsigned messages;
	bool ended;
	enum grpc_status status;
	char code[64];
	/* of the messages */
	uint64_t resume, acked, config_version;
	uint64_t config_at_run; /* held when the last command came */
	char password[64], run[ULID_TEXT_CAP], kind[32];
	unsigned commands, errors, wishes; /* for another bearer */
};

struct bench {
	struct fixture f;
	struct controller c;
	char spool[300];
	struct ulid host;
	struct listener *listener;
	struct grpc_conn *conn;
	bool ready, closed, committed;
	struct loop_timer *timer;
	int64_t now;
	struct end one, two;
	bool (*until)(struct bench *b);
	unsigned turns;
	uint8_t instance[32], epoch[16];
};

/* ------------------------------------------------------------------ life */

static inline void
put_our_host(struct bench *b)
{
	struct store_tx *state = fixture_write(&b->f);
	struct store_tx *vault = store_begin_write(b->f.vault, &b->f.arena);
	Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	Rec__RepoSecret repo = REC__REPO_SECRET__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	uint8_t hash[CRYPT_HASH_SIZE];
	char ad[CREDS_AD_CAP];
	struct buf sealed;

	h.id = id_bytes(&b->host);
	h.name = text("web-1");
	h.repo_url = text("/srv/repo");
	h.config_version = 3;
	host_store_put(state, &h);
	repo.url = text("/srv/repo");
	repo.password = text(PASSWORD);
	buf_init(&sealed, KIB(16));
	creds_host_ad(&b->host, CREDS_REPO, ad);
	assert_rc(creds_seal(b->c.key, ad, &repo, &sealed), RC_OK);
	crypt_sha256(STR(BEARER), hash);
	s.bearer_hash = bytes_of(hash, sizeof(hash));
	s.sealed_repo = bytes_of(sealed.data, sealed.len);
	vault_put_host(vault, &b->host, &s);
	fixture_commit(vault);
	fixture_commit(state);
	buf_fini(&sealed);
}

static inline void
on_conn_ready(void *ctx, struct grpc_conn *c)
{
	struct bench *b = ctx;

	(void)c;
	b->ready = true;
}

static inline void
on_conn_down(void *ctx, struct grpc_conn *c, const struct err *e)
{
	struct bench *b = ctx;

	(void)c;
	(void)e;
	b->ready = false; /* freed by the next dial, or at the end */
}

static inline void
on_turn(void *ctx)
{
	struct bench *b = ctx;

	if (b->until == NULL || b->until(b) || ++b->turns > 15000)
		loop_stop(b->c.loop);
}

static inline void
run_until(struct bench *b, bool (*until)(struct bench *b))
{
	b->until = until;
	b->turns = 0;
	loop_timer_start(b->timer, 1, 2);
	loop_run(b->c.loop);
	loop_timer_stop(b->timer);
	assert_true(until(b));
}

static inline enum rc
nothing(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)vault;
	(void)op;
	return store_rc(state);
}

static inline void
on_nothing(struct op *op, void *ctx)
{
	struct bench *b = ctx;

	(void)op;
	b->committed = true;
}

/* Whatever the loop had before is done, and nothing of it waits for a disk. */
static inline bool
is_settled(struct bench *b)
{
	return b->turns > 20 && b->committed &&
	       ingest_idle(b->c.ingest, &b->host);
}

/* What is under way happens: what comes in makes a change, a change tells
 * somebody, and that may make another. */
static inline void
settle(struct bench *b)
{
	struct op *op;
	int i;

	for (i = 0; i < 3; i++) {
		b->committed = false;
		op = op_new(nothing, on_nothing, b);
		op_submit(b->c.ops, &op);
		run_until(b, is_settled);
	}
}

static inline bool
is_ready(struct bench *b)
{
	return b->ready;
}

static inline void
dial(struct bench *b)
{
	struct grpc_dial_opts o = { .loop = b->c.loop,
		.on_ready = on_conn_ready,
		.on_down = on_conn_down,
		.ctx = b };
	char url[64];

	assert_true(str_fmt(url, sizeof(url), "http://127.0.0.1:%u",
	    (unsigned)listen_port(b->listener)));
	o.url = url;
	grpc_conn_free(b->conn);
	b->conn = grpc_dial(&o);
	run_until(b, is_ready);
}

static inline void
open_controller(struct bench *b)
{
	struct listen_opts o = { .address = "127.0.0.1:0" };
	struct err e;

	b->c.state = b->f.state;
	b->c.vault = b->f.vault;
	b->c.live = b->f.live;
	b->c.settings.spool_dir = b->spool;
	b->c.settings.timezone = text("UTC");
	assert_rc(loop_new(&b->c.loop, &e), RC_OK);
	assert_rc(op_queue_new(b->c.loop, b->c.state, b->c.vault, &b->c.ops,
	              &e),
	    RC_OK);
	b->c.sse = sse_new(&b->c);
	b->c.agents = agents_new(&b->c);
	b->c.courier = courier_new(&b->c);
	b->c.ingest = ingest_new(&b->c);
	o.loop = b->c.loop;
	o.grpc = agents_grpc(b->c.agents);
	assert_rc(listen_open(&o, &b->listener, &e), RC_OK);
	b->timer = loop_timer_new(b->c.loop, on_turn, b);
}

static inline int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	log_open(STDERR_FILENO, LOG_ERROR);
	fixture_init(&b->f);
	assert_true(str_fmt(b->spool, sizeof(b->spool), "%s/spool", b->f.dir));
	assert_int_equal(mkdir(b->spool, 0700), 0);
	memset(b->instance, 1, sizeof(b->instance));
	memset(b->epoch, 2, sizeof(b->epoch));
	memset(b->c.key, 3, sizeof(b->c.key));
	b->now = 1700000000000;
	clock_fake(b->now, b->now);
	ulid_new(&b->host);
	put_our_host(b);
	open_controller(b);
	dial(b);
	*state = b;
	return 0;
}

static inline void
on_closed(void *ctx)
{
	struct bench *b = ctx;

	b->closed = true;
}

static inline bool
is_closed(struct bench *b)
{
	return b->closed;
}

static inline int
teardown(void **state)
{
	struct bench *b = *state;

	grpc_conn_free(b->conn);
	listen_close(b->listener, 0, on_closed, b);
	run_until(b, is_closed);
	op_queue_free(b->c.ops);
	sse_free(b->c.sse);
	ingest_free(b->c.ingest);
	courier_free(b->c.courier);
	agents_free(b->c.agents);
	loop_timer_free(b->timer);
	loop_free(b->c.loop);
	clock_fake(-1, 0);
	fixture_fini(&b->f);
	mem_free(b);
	return 0;
}

/* Seconds go by, with their ticks. */
static inline void
pass(struct bench *b, int64_t ms)
{
	b->now += ms;
	clock_fake(b->now, b->now);
	agents_tick(b->c.agents);
	courier_tick(b->c.courier);
	settle(b);
}

/* ------------------------------------------------------- the agent's side */

static inline void
take_config(struct end *e, const Wire__Config *c)
{
	if (c == NULL)
		return;
	e->config_version = c->version;
	assert_non_null(c->repo);
	assert_true(str_copy(e->password, sizeof(e->password),
	    str_of(c->repo->password)));
}

static inline void
take_command(struct end *e, const Wire__Command *c)
{
	e->commands++;
	e->config_at_run = e->config_version;
	if (c->body_case != WIRE__COMMAND__BODY_RUN)
		return;
	assert_true(str_copy(e->run, sizeof(e->run), str_of(c->run->job_id)));
	assert_true(str_copy(e->kind, sizeof(e->kind), str_of(c->run->kind)));
}

static inline void
on_session_message(void *ctx, struct grpc_ccall *c, struct str msg)
{
	Wire__ControllerMessage *m = wire__controller_message__unpack(NULL,
	    msg.n, (const uint8_t *)msg.p);
	struct end *e = ctx;

	(void)c;
	assert_non_null(m);
	e->messages++;
	if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_HELLO) {
		e->resume = m->hello->resume_seq;
		e->wishes += m->hello->rotate_bearer ? 1 : 0;
		take_config(e, m->hello->config);
	} else if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_ACK) {
		e->acked = m->ack->seq;
	} else if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_COMMAND) {
		take_command(e, m->command);
	} else if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_CONFIG) {
		take_config(e, m->config);
	} else if (m->body_case ==
	           WIRE__CONTROLLER_MESSAGE__BODY_ROTATE_BEARER) {
		e->wishes++;
	} else if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_ERROR) {
		e->errors++;
	}
	wire__controller_message__free_unpacked(m, NULL);
}

static inline void
on_poll_message(void *ctx, struct grpc_ccall *c, struct str msg)
{
	Wire__PollReply *m =
	    wire__poll_reply__unpack(NULL, msg.n, (const uint8_t *)msg.p);
	struct end *e = ctx;
	size_t k;

	(void)c;
	assert_non_null(m);
	e->messages++;
	assert_non_null(m->hello);
	e->resume = m->hello->resume_seq;
	e->acked = m->acked_seq;
	e->wishes += m->hello->rotate_bearer ? 1 : 0;
	take_config(e, m->hello->config);
	for (k = 0; k < m->n_commands; k++)
		take_command(e, m->commands[k]);
	wire__poll_reply__free_unpacked(m, NULL);
}

static inline void
on_end(void *ctx, struct grpc_ccall *c, enum grpc_status st, struct str msg,
    struct str code)
{
	struct end *e = ctx;

	(void)c;
	(void)msg;
	e->call = NULL;
	e->ended = true;
	e->status = st;
	assert_true(str_copy(e->code, sizeof(e->code), code));
}

static inline void
call(struct bench *b, struct end *e, const char *path, const char *bearer)
{
	struct grpc_ccall_opts o = { .path = path,
		.bearer = bearer,
		.on_message = strcmp(path, SERVICE "Poll") == 0
		                  ? on_poll_message
		                  : on_session_message,
		.on_end = on_end,
		.ctx = e };

	/* Minutes may have passed with nothing open, and the server hung up. */
	if (!b->ready)
		dial(b);
	*e = (struct end){ .b = b };
	e->call = grpc_call_open(b->conn, &o);
}

static inline void
send_packed(struct end *e, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *p = mem_alloc(n);

	protobuf_c_message_pack(m, p);
	assert_rc(grpc_call_send(e->call, str_from(p, n)), RC_OK);
	mem_free(p);
}

static inline Wire__Hello
hello_of(struct bench *b, const uint8_t *instance)
{
	Wire__Hello h = WIRE__HELLO__INIT;

	h.protocol_version = 1;
	h.agent_version = text("1.2.3");
	h.restic_version = text("0.14.0");
	h.hostname = text("web-1.example");
	h.os = text("linux");
	h.arch = text("amd64");
	h.instance_id = bytes_of(instance, 32);
	h.epoch = bytes_of(b->epoch, sizeof(b->epoch));
	h.first_seq = h.next_seq = 1;
	return h;
}

static inline void
send_hello(struct bench *b, struct end *e, const Wire__Hello *h)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__Hello copy = *h;

	(void)b;
	m.body_case = WIRE__AGENT_MESSAGE__BODY_HELLO;
	m.hello = &copy;
	send_packed(e, &m.base);
}

static inline bool
one_is_answered(struct bench *b)
{
	return b->one.messages > 0 || b->one.ended;
}

static inline bool
one_has_ended(struct bench *b)
{
	return b->one.ended;
}

static inline bool
two_has_ended(struct bench *b)
{
	return b->two.ended;
}

static inline void
open_session(struct bench *b)
{
	Wire__Hello h = hello_of(b, b->instance);

	call(b, &b->one, SERVICE "Session", BEARER);
	send_hello(b, &b->one, &h);
	run_until(b, one_is_answered);
	assert_false(b->one.ended);
	settle(b);
}

static inline void
send_started(struct end *e, uint64_t seq)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__Event ev = WIRE__EVENT__INIT;
	Wire__JobStarted s = WIRE__JOB_STARTED__INIT;

	s.job_id = text(JOB);
	s.kind = text("backup");
	ev.seq = seq;
	ev.body_case = WIRE__EVENT__BODY_JOB_STARTED;
	ev.job_started = &s;
	m.body_case = WIRE__AGENT_MESSAGE__BODY_EVENT;
	m.event = &ev;
	send_packed(e, &m.base);
}

static inline void
send_poll(struct bench *b, struct end *e, const Wire__Hello *h,
    const Wire__Event *ev, uint32_t wait_ms)
{
	Wire__PollRequest q = WIRE__POLL_REQUEST__INIT;
	Wire__Hello copy = *h;
	Wire__Event event, *p = &event;

	call(b, e, SERVICE "Poll", BEARER);
	q.hello = &copy;
	if (ev != NULL) {
		event = *ev;
		q.events = &p;
		q.n_events = 1;
	}
	q.wait_ms = wait_ms;
	send_packed(e, &q.base);
	grpc_call_half_close(e->call);
}

static inline const struct Rec__Host *
host(struct bench *b)
{
	struct store_tx *tx = fixture_read(&b->f);
	const struct Rec__Host *h = host_store_get(tx, &b->host);

	assert_non_null(h);
	store_abort(tx);
	return h;
}
#endif
