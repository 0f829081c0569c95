/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
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
	unsigned commands, errors;
};

struct bench {
	struct fixture f;
	struct controller c;
	char spool[300];
	struct ulid host;
	struct listener *listener;
	struct grpc_conn *conn;
	bool ready, closed;
	struct loop_timer *timer;
	int64_t now;
	struct end one, two;
	bool (*until)(struct bench *b);
	unsigned turns;
	uint8_t instance[32], epoch[16];
};

/* ------------------------------------------------------------------ life */

static void
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
	creds_host_ad(&b->host, ad);
	assert_rc(creds_seal(b->c.key, ad, &repo, &sealed), RC_OK);
	crypt_sha256(STR(BEARER), hash);
	s.bearer_hash = bytes_of(hash, sizeof(hash));
	s.sealed_repo = bytes_of(sealed.data, sealed.len);
	vault_put_host(vault, &b->host, &s);
	fixture_commit(vault);
	fixture_commit(state);
	buf_fini(&sealed);
}

static void
on_conn_ready(void *ctx, struct grpc_conn *c)
{
	struct bench *b = ctx;

	(void)c;
	b->ready = true;
}

static void
on_conn_down(void *ctx, struct grpc_conn *c, const struct err *e)
{
	struct bench *b = ctx;

	(void)c;
	(void)e;
	b->ready = false;
	b->conn = NULL;
}

static void
on_turn(void *ctx)
{
	struct bench *b = ctx;

	if (b->until == NULL || b->until(b) || ++b->turns > 3000)
		loop_stop(b->c.loop);
}

static void
run_until(struct bench *b, bool (*until)(struct bench *b))
{
	b->until = until;
	b->turns = 0;
	loop_timer_start(b->timer, 1, 2);
	loop_run(b->c.loop);
	loop_timer_stop(b->timer);
	assert_true(until(b));
}

static bool
waited(struct bench *b)
{
	return b->turns > 60;
}

/* What is under way happens. */
static void
settle(struct bench *b)
{
	run_until(b, waited);
}

static bool
is_ready(struct bench *b)
{
	return b->ready;
}

static void
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
	b->conn = grpc_dial(&o);
	run_until(b, is_ready);
}

static void
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

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	log_open(STDERR_FILENO, LOG_ERROR);
	assert_int_equal(crypt_init(NULL), RC_OK);
	fixture_dir(&b->f);
	arena_init(&b->f.arena, MIB(64));
	fixture_open(&b->f);
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

static void
on_closed(void *ctx)
{
	struct bench *b = ctx;

	b->closed = true;
}

static bool
is_closed(struct bench *b)
{
	return b->closed;
}

static int
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
	fixture_close(&b->f);
	arena_fini(&b->f.arena);
	(void)nftw(b->f.dir, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	mem_free(b);
	return 0;
}

/* Seconds go by, with their ticks. */
static void
pass(struct bench *b, int64_t ms)
{
	b->now += ms;
	clock_fake(b->now, b->now);
	agents_tick(b->c.agents);
	courier_tick(b->c.courier);
	settle(b);
}

/* ------------------------------------------------------- the agent's side */

static void
take_config(struct end *e, const Wire__Config *c)
{
	if (c == NULL)
		return;
	e->config_version = c->version;
	assert_non_null(c->repo);
	assert_true(str_copy(e->password, sizeof(e->password),
	    str_of(c->repo->password)));
}

static void
take_command(struct end *e, const Wire__Command *c)
{
	e->commands++;
	e->config_at_run = e->config_version;
	if (c->body_case != WIRE__COMMAND__BODY_RUN)
		return;
	assert_true(str_copy(e->run, sizeof(e->run), str_of(c->run->job_id)));
	assert_true(str_copy(e->kind, sizeof(e->kind), str_of(c->run->kind)));
}

static void
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
		take_config(e, m->hello->config);
	} else if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_ACK) {
		e->acked = m->ack->seq;
	} else if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_COMMAND) {
		take_command(e, m->command);
	} else if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_CONFIG) {
		take_config(e, m->config);
	} else if (m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_ERROR) {
		e->errors++;
	}
	wire__controller_message__free_unpacked(m, NULL);
}

static void
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
	take_config(e, m->hello->config);
	for (k = 0; k < m->n_commands; k++)
		take_command(e, m->commands[k]);
	wire__poll_reply__free_unpacked(m, NULL);
}

static void
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

static void
call(struct bench *b, struct end *e, const char *path, const char *bearer)
{
	struct grpc_ccall_opts o = { .path = path,
		.bearer = bearer,
		.on_message = strcmp(path, SERVICE "Poll") == 0
		                  ? on_poll_message
		                  : on_session_message,
		.on_end = on_end,
		.ctx = e };

	*e = (struct end){ .b = b };
	e->call = grpc_call_open(b->conn, &o);
}

static void
send_packed(struct end *e, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *p = mem_alloc(n);

	protobuf_c_message_pack(m, p);
	assert_rc(grpc_call_send(e->call, str_from(p, n)), RC_OK);
	mem_free(p);
}

static Wire__Hello
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

static void
send_hello(struct bench *b, struct end *e, const Wire__Hello *h)
{
	Wire__AgentMessage m = WIRE__AGENT_MESSAGE__INIT;
	Wire__Hello copy = *h;

	(void)b;
	m.body_case = WIRE__AGENT_MESSAGE__BODY_HELLO;
	m.hello = &copy;
	send_packed(e, &m.base);
}

static bool
one_is_answered(struct bench *b)
{
	return b->one.messages > 0 || b->one.ended;
}

static bool
one_has_ended(struct bench *b)
{
	return b->one.ended;
}

static bool
two_has_ended(struct bench *b)
{
	return b->two.ended;
}

static void
open_session(struct bench *b)
{
	Wire__Hello h = hello_of(b, b->instance);

	call(b, &b->one, SERVICE "Session", BEARER);
	send_hello(b, &b->one, &h);
	run_until(b, one_is_answered);
	assert_false(b->one.ended);
	settle(b);
}

static void
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

static void
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

static const struct Rec__Host *
host(struct bench *b)
{
	struct store_tx *tx = fixture_read(&b->f);
	const struct Rec__Host *h = host_store_get(tx, &b->host);

	assert_non_null(h);
	store_abort(tx);
	return h;
}

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

/* -------------------------------------------------------------------- poll */

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
		ON_BENCH(poll_alone_is_enough),
		ON_BENCH(no_command_overtakes_the_configuration),
		ON_BENCH(an_edit_is_brought_at_once),
		ON_BENCH(a_poll_waits_no_longer_than_it_may),
		ON_BENCH(a_poll_needs_a_hello),
		ON_BENCH(an_unknown_token_is_refused_by_grpc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
