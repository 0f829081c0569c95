/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/agents.h"
#include "controller/agents_own.h"
#include "controller/announce.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/enrol.h"
#include "controller/ingest.h"
#include "controller/ingest_wire.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/grpc.h"
#include "lib/net/offence.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/store.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

#define SERVICE "/resticmanager.v1.Agent/"
#define HELP_URL "https://github.com/restic-manager/restic-manager"

enum {
	/* An event, its frame and some room. */
	SESSION_MESSAGE_MAX = INGEST_EVENT_MAX + 4096
};

/* ---------------------------------------------------------------- calls */

enum rc
call_send(struct call *c, const struct Wire__ControllerMessage *m)
{
	struct buf b;
	enum rc rc;

	if (c->finished)
		return RC_CANCELLED;
	buf_init(&b, GRPC_MESSAGE_MAX);
	pb_pack(&m->base, &b);
	rc = buf_rc(&b);
	if (rc == RC_OK)
		rc = grpc_send(c->grpc, buf_str(&b));
	buf_wipe_fini(&b);
	return rc;
}

/* Thousands of full queues at once: their agents wait in TCP, which costs
 * less than turning them away (RC_BUSY, beyond INGEST_ALL_MAX). */
static void
pause_if_full(struct call *c)
{
	struct agents *a = c->agents;

	if (c->finished || list_linked(&c->paused) ||
	    ingest_room(a->ctl->ingest) > 0)
		return;
	list_append(&a->paused, &c->paused);
	grpc_pause(c->grpc, true);
}

/* From here on nothing of it is told to anybody. */
static void
call_detach(struct call *c)
{
	if (c->peer != NULL && c->peer->call == c)
		c->peer->call = NULL;
	c->peer = NULL;
	c->finished = true;
	call_read_on(c);
}

/* Who breaks the rules is counted, and told once. */
static bool
is_worth_a_line(const struct call *c, const struct err *e)
{
	static struct log_limit often;
	struct offences *o = c->agents->ctl->offences;

	if (e->rc == RC_AUTH)
		return offences_note(o, grpc_peer(c->grpc), OFFENCE_BEARER);
	if (e->rc == RC_PROTO && o != NULL)
		return offences_note(o, grpc_peer(c->grpc), OFFENCE_AGENT);
	return log_allow(&often, 30, 60);
}

static void
tell_end(const struct call *c, const struct err *e)
{
	const char *address = grpc_peer(c->grpc);

	if (is_worth_a_line(c, e))
		log_info(LOG_AGENT, "call ended peer=%s code=%s message=%s",
		    address,
		    e->code != NULL ? e->code : rc_info(e->rc)->json_code,
		    log_safe(str_of(e->msg)));
}

void
call_fail(struct call *c, const struct err *e)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__Error w = WIRE__ERROR__INIT;
	struct err with_code = *e;

	if (c->finished)
		return;
	tell_end(c, e);
	if (with_code.code == NULL)
		with_code.code = rc_info(e->rc)->json_code;
	if (!c->poll) {
		w.code = pb_text(with_code.code);
		w.message = pb_text(e->msg);
		if (e->rc == RC_VERSION)
			w.help_url = pb_text(HELP_URL);
		m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_ERROR;
		m.error = &w;
		if (call_send(c, &m) != RC_OK)
			log_debug(LOG_AGENT, "no room for the error");
	}
	call_detach(c);
	grpc_finish_err(c->grpc, &with_code);
}

/* Agents stay away for minutes after RC_AUTH: what could not be looked up is
 * something else. */
enum rc
agents_bearer(struct agents *a, struct grpc_call *g, struct ulid *host,
    struct err *e)
{
	struct str field = grpc_metadata(g, "authorization");
	uint8_t hash[CRYPT_HASH_SIZE];
	struct store_tx *tx;
	struct arena arena;
	bool found;

	(void)err_code(e, RC_AUTH, "unauthorised",
	    "the bearer is unknown or was revoked: enrol this host again");
	if (field.n < 8 || !str_case_eq(str_sub(field, 0, 7), STR("bearer ")))
		return RC_AUTH;
	crypt_sha256(str_trim(str_sub(field, 7, field.n)), hash);
	arena_init(&arena, MIB(1));
	tx = store_begin_read(a->ctl->vault, &arena);
	found = vault_host_of_bearer(tx, hash, host);
	if (store_rc(tx) != RC_OK) {
		log_error(LOG_STORE, "bearers cannot be read error=%s",
		    log_safe(str_of(store_err(tx)->msg)));
		(void)err_set(e, RC_BUSY,
		    "bearers cannot be looked up now, try again");
	}
	store_abort(tx);
	arena_fini(&arena);
	return found ? RC_OK : e->rc;
}

static void
call_open(struct agents *a, struct grpc_call *g, bool poll)
{
	struct call *c = MEM_NEW(struct call);
	struct err e;

	c->agents = a;
	c->grpc = g;
	c->poll = poll;
	c->until_ms = clock_mono_ms() + AGENTS_HELLO_MS;
	list_append(&a->waiting, &c->link);
	grpc_set_user(g, c);
	if (agents_bearer(a, g, &c->host, &e) != RC_OK)
		call_fail(c, &e);
}

static void
agents_on_close(void *ctx, struct grpc_call *g)
{
	struct call *c = grpc_user(g);

	(void)ctx;
	if (c == NULL)
		return;
	call_detach(c);
	list_del(&c->link);
	mem_free(c);
}

void *
agents_read(struct agents *a, const struct ProtobufCMessageDescriptor *d,
    struct str msg, struct err *e)
{
	void *m;

	arena_reset(&a->scratch);
	m = pb_unpack(d, msg, &a->scratch);
	if (m == NULL)
		(void)err_code(e, RC_PROTO, "bad_request",
		    "the message is malformed or too large");
	return m;
}

/* --------------------------------------------------- what both calls take */

/* Only what this host runs moves; everything else is ignored. */
static void
take_progress(struct call *c, const Wire__JobProgress *w)
{
	struct controller *ctl = c->agents->ctl;
	Rec__LiveProgress p = REC__LIVE_PROGRESS__INIT;
	const struct Rec__Job *j;
	struct store_tx *tx;
	struct ulid id, host;
	struct err e;
	bool ours;

	if (!ulid_parse(str_of(w->job_id), &id))
		return;
	tx = store_begin_read(ctl->state, &c->agents->scratch);
	j = job_store_find(tx, &id);
	ours = j != NULL && j->state == REC__JOB_STATE__JOB_RUNNING &&
	       pb_id_get(&j->host_id, &host) && ulid_eq(&host, &c->host);
	store_abort(tx);
	if (!ours)
		return;
	p.job_id = pb_id(&id);
	p.at_ms = clock_now_ms();
	p.percent_done = w->percent_done;
	p.files_done = w->files_done;
	p.total_files = w->total_files;
	p.bytes_done = w->bytes_done;
	p.total_bytes = w->total_bytes;
	p.eta_seconds = w->eta_seconds;
	p.throughput_bps = w->throughput_bps;
	tx = store_begin_write(ctl->live, NULL);
	live_put_progress(tx, &id, &p);
	if (store_commit(tx, &e) == RC_OK)
		sse_progress(ctl->sse, &c->host, &p);
}

/* Read at once, while the scratch arena holds it. */
static Wire__HelloReply *
fill_hello(struct call *c, Wire__HelloReply *r)
{
	struct agents *a = c->agents;

	wire__hello_reply__init(r);
	r->resume_seq = ingest_committed(a->ctl->ingest, &c->host) + 1;
	r->heartbeat_interval_ms = AGENTS_HEARTBEAT_MS;
	if (c->config_due)
		r->config = agents_config(a, &c->host);
	if (r->config != NULL)
		c->config_version = r->config->version;
	return r;
}

/* -------------------------------------------------------------- session */

static void
session_hello(struct call *c, const Wire__AgentMessage *m)
{
	Wire__ControllerMessage out = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__HelloReply r;
	struct err e;

	if (m->body_case != WIRE__AGENT_MESSAGE__BODY_HELLO) {
		(void)err_code(&e, RC_PROTO, "bad_request",
		    "the first message must be hello");
		call_fail(c, &e);
		return;
	}
	if (agents_hello(c->agents, c, m->hello, &e) != RC_OK) {
		call_fail(c, &e);
		return;
	}
	list_del(&c->link);
	list_append(&c->agents->calls, &c->link);
	grpc_forget_metadata(c->grpc);
	out.body_case = WIRE__CONTROLLER_MESSAGE__BODY_HELLO;
	out.hello = fill_hello(c, &r);
	if (call_send(c, &out) != RC_OK)
		log_warn(LOG_AGENT, "hello not answered");
	agents_config_wipe(r.config);
}

static void
session_event(struct call *c, const Wire__Event *ev)
{
	struct err e;

	if (ingest_event(c->agents->ctl->ingest, &c->host, ev, &e) != RC_OK)
		call_fail(c, &e);
	pause_if_full(c);
}

/* Log lines, which are most of what comes, are not unpacked. */
static bool
session_took_chunk(struct call *c, struct str msg)
{
	struct ingest_chunk chunk;
	struct str event;
	struct err e;

	if (!ingest_wire_event(msg, &event) ||
	    !ingest_wire_chunk(event, &chunk))
		return false;
	peer_seen(c->agents, c->peer);
	if (ingest_chunk(c->agents->ctl->ingest, &c->host, &event, &chunk,
	        &e) != RC_OK)
		call_fail(c, &e);
	pause_if_full(c);
	return true;
}

static void
session_take(struct call *c, const Wire__AgentMessage *m)
{
	peer_seen(c->agents, c->peer);
	switch (m->body_case) {
	case WIRE__AGENT_MESSAGE__BODY_EVENT:
		session_event(c, m->event);
		return;
	case WIRE__AGENT_MESSAGE__BODY_RESULT:
		courier_result(c->agents->ctl->courier, &c->host, m->result);
		return;
	case WIRE__AGENT_MESSAGE__BODY_PROGRESS:
		take_progress(c, m->progress);
		return;
	case WIRE__AGENT_MESSAGE__BODY_HELLO: /* once is enough */
	case WIRE__AGENT_MESSAGE__BODY_HEARTBEAT:
		return;
	case WIRE__AGENT_MESSAGE__BODY__NOT_SET:
	case _WIRE__AGENT_MESSAGE__BODY__CASE_IS_INT_SIZE:
		log_debug(LOG_AGENT, "message of an unknown kind");
		return;
	}
}

static void
agents_on_session_open(void *ctx, struct grpc_call *g)
{
	call_open(ctx, g, false);
}

static void
agents_on_session_message(void *ctx, struct grpc_call *g, struct str msg)
{
	struct call *c = grpc_user(g);
	const Wire__AgentMessage *m;
	struct err e;

	if (c == NULL || c->finished)
		return;
	if (msg.n > SESSION_MESSAGE_MAX) {
		(void)err_code(&e, RC_LIMIT, "bad_request",
		    "a message of %zu bytes, at most %d are taken", msg.n,
		    (int)SESSION_MESSAGE_MAX);
		call_fail(c, &e);
		return;
	}
	if (c->peer != NULL && session_took_chunk(c, msg))
		return;
	m = agents_read(ctx, &wire__agent_message__descriptor, msg, &e);
	if (m == NULL)
		call_fail(c, &e);
	else if (c->peer == NULL)
		session_hello(c, m);
	else
		session_take(c, m);
}

static void
agents_on_session_half_close(void *ctx, struct grpc_call *g)
{
	struct call *c = grpc_user(g);

	(void)ctx;
	if (c == NULL || c->finished)
		return;
	call_detach(c);
	grpc_finish(g, GRPC_OK, "", NULL);
}

/* A large configuration may have had no room behind the one before. */
static void
agents_on_session_writable(void *ctx, struct grpc_call *g)
{
	struct call *c = grpc_user(g);

	(void)ctx;
	if (c != NULL && !c->finished && c->peer != NULL && c->peer->call == c)
		agents_configure(c->agents, &c->host);
}

/* ----------------------------------------------------------------- poll */

void
call_poll_reply(struct call *c, const struct Wire__ControllerMessage *m)
{
	Wire__PollReply out = WIRE__POLL_REPLY__INIT;
	Wire__Command *command = NULL;
	Wire__HelloReply r;
	struct grpc_call *g = c->grpc;
	struct buf b;
	enum rc rc;

	if (c->finished)
		return;
	out.hello = fill_hello(c, &r);
	out.acked_seq = r.resume_seq - 1;
	if (m != NULL) {
		command = m->command;
		out.commands = &command;
		out.n_commands = 1;
	}
	buf_init(&b, GRPC_MESSAGE_MAX);
	pb_pack(&out.base, &b);
	agents_config_wipe(r.config);
	call_detach(c);
	rc = buf_rc(&b);
	if (rc == RC_OK)
		rc = grpc_send(g, buf_str(&b));
	buf_wipe_fini(&b);
	if (rc == RC_OK)
		grpc_finish(g, GRPC_OK, "", NULL);
	else
		grpc_finish(g, GRPC_RESOURCE_EXHAUSTED,
		    "the answer is too large", "too_large");
}

static enum rc
poll_events(struct call *c, const Wire__PollRequest *q, struct err *e)
{
	struct ingest *i = c->agents->ctl->ingest;
	enum rc rc = RC_OK;
	size_t k;

	for (k = 0; rc == RC_OK && k < q->n_events; k++)
		rc = ingest_event(i, &c->host, q->events[k], e);
	if (rc == RC_OK && q->n_events > 0)
		c->need_seq = q->events[q->n_events - 1]->seq;
	return rc;
}

/* Waits for the acknowledgement of what came, or for a command. */
static void
poll_wait(struct call *c, const Wire__PollRequest *q)
{
	uint32_t wait =
	    q->wait_ms < AGENTS_POLL_MS ? q->wait_ms : AGENTS_POLL_MS;
	uint64_t have = ingest_committed(c->agents->ctl->ingest, &c->host);

	if (c->need_seq > 0 && have >= c->need_seq) {
		c->need_seq = 0;
		wait = 0;
	}
	if (c->need_seq == 0 && (wait == 0 || c->config_due)) {
		call_poll_reply(c, NULL);
		return;
	}
	if (c->need_seq > 0)
		wait = AGENTS_POLL_MS;
	c->until_ms = clock_mono_ms() + wait;
}

static void
poll_take(struct call *c, const Wire__PollRequest *q)
{
	struct err e = { 0 };
	size_t k;

	if (q->hello == NULL) {
		(void)err_code(&e, RC_PROTO, "bad_request",
		    "a poll needs a hello");
		call_fail(c, &e);
		return;
	}
	if (agents_hello(c->agents, c, q->hello, &e) != RC_OK ||
	    poll_events(c, q, &e) != RC_OK) {
		call_fail(c, &e);
		return;
	}
	for (k = 0; k < q->n_results; k++)
		courier_result(c->agents->ctl->courier, &c->host,
		    q->results[k]);
	for (k = 0; k < q->n_progress; k++)
		take_progress(c, q->progress[k]);
	poll_wait(c, q);
}

static void
agents_on_poll_open(void *ctx, struct grpc_call *g)
{
	call_open(ctx, g, true);
}

static void
agents_on_poll_message(void *ctx, struct grpc_call *g, struct str msg)
{
	struct call *c = grpc_user(g);
	const Wire__PollRequest *q;
	struct err e;

	if (c == NULL || c->finished)
		return;
	q = agents_read(ctx, &wire__poll_request__descriptor, msg, &e);
	if (q == NULL)
		call_fail(c, &e);
	else
		poll_take(c, q);
}

/* Without a message there is nothing to wait for. */
static void
agents_on_poll_half_close(void *ctx, struct grpc_call *g)
{
	struct call *c = grpc_user(g);
	struct err e;

	(void)ctx;
	if (c == NULL || c->finished || c->peer != NULL)
		return;
	(void)err_code(&e, RC_PROTO, "bad_request", "a poll needs a message");
	call_fail(c, &e);
}

/* ---------------------------------------------------------------- enrol */

/* Lives until the call is closed and the op has come back. */
struct enrolling {
	struct agents *agents;
	struct grpc_call *grpc; /* NULL: closed */
	bool busy;
};

static void
enrolling_release(struct enrolling *en)
{
	if (!en->busy && en->grpc == NULL)
		mem_free(en);
}

static void
agents_on_enrol_open(void *ctx, struct grpc_call *g)
{
	struct enrolling *en = MEM_NEW(struct enrolling);

	en->agents = ctx;
	en->grpc = g;
	grpc_set_user(g, en);
}

static void
agents_on_enrol_close(void *ctx, struct grpc_call *g)
{
	struct enrolling *en = grpc_user(g);

	(void)ctx;
	en->grpc = NULL;
	enrolling_release(en);
}

static void
enrol_answer(struct enrolling *en, const struct enrol_out *out)
{
	Wire__EnrollReply r = WIRE__ENROLL_REPLY__INIT;
	char id[ULID_TEXT_CAP], pin[2 * CRYPT_HASH_SIZE + 1];
	struct buf b;

	ulid_text(&out->host, id);
	str_hex(en->agents->ctl->pin, CRYPT_HASH_SIZE, pin, sizeof(pin));
	r.host_id = id;
	r.agent_token = pb_text(out->bearer);
	r.cert_pin_sha256 = pin;
	buf_init(&b, KIB(4));
	pb_pack(&r.base, &b);
	if (grpc_send(en->grpc, buf_str(&b)) == RC_OK)
		grpc_finish(en->grpc, GRPC_OK, "", NULL);
	else
		grpc_finish(en->grpc, GRPC_INTERNAL, "no room to answer", NULL);
	buf_wipe_fini(&b);
}

static void
agents_on_enrolled(struct op *op, void *ctx)
{
	struct enrolling *en = ctx;

	en->busy = false;
	if (op->err.rc == RC_OK)
		enrol_consumed(en->agents->ctl, op->out);
	else
		log_warn(LOG_AGENT, "enrolment refused address=%s error=%s",
		    op->actor.address, log_safe(str_of(op->err.msg)));
	if (en->grpc != NULL && op->err.rc == RC_OK)
		enrol_answer(en, op->out);
	else if (en->grpc != NULL)
		grpc_finish_err(en->grpc, &op->err);
	enrolling_release(en);
}

/* Texts longer than any that is taken keep enough of it to be refused. */
static const char *
enrolling_keep(struct op *op, const char *z)
{
	return arena_str(&op->arena, str_sub(str_of(z), 0, KIB(1)));
}

static struct op *
enrolling_op(struct agents *a, const struct enrol_in *from)
{
	struct op *op = op_new(enrol_op, NULL, NULL);
	struct enrol_in *in = arena_alloc(&op->arena, sizeof(*in));

	ASSERT(in != NULL);
	in->ctl = a->ctl;
	in->token = enrolling_keep(op, from->token);
	in->enrol_id = enrolling_keep(op, from->enrol_id);
	in->hostname = enrolling_keep(op, from->hostname);
	in->os = enrolling_keep(op, from->os);
	in->arch = enrolling_keep(op, from->arch);
	in->agent_version = enrolling_keep(op, from->agent_version);
	in->restic_version = enrolling_keep(op, from->restic_version);
	op->vault = true;
	op->in = in;
	return op;
}

static void
agents_on_enrol_message(void *ctx, struct grpc_call *g, struct str msg)
{
	struct enrolling *en = grpc_user(g);
	const Wire__EnrollRequest *q;
	struct enrol_in in = { 0 };
	struct agents *a = ctx;
	struct op *op;
	struct err e;

	if (en->busy)
		return;
	q = agents_read(a, &wire__enroll_request__descriptor, msg, &e);
	if (q == NULL) {
		grpc_finish_err(g, &e);
		return;
	}
	in.token = q->token;
	in.enrol_id = q->enrol_id;
	in.hostname = q->hostname;
	in.os = q->os;
	in.arch = q->arch;
	in.agent_version = q->agent_version;
	in.restic_version = q->restic_version;
	op = enrolling_op(a, &in);
	op->done = agents_on_enrolled;
	op->ctx = en;
	if (!str_copy(op->actor.address, sizeof(op->actor.address),
	        str_of(grpc_peer(g))))
		op->actor.address[0] = '\0';
	en->busy = true;
	op_submit(a->ctl->ops, &op);
}

static void
agents_on_enrol_half_close(void *ctx, struct grpc_call *g)
{
	const struct enrolling *en = grpc_user(g);

	(void)ctx;
	if (!en->busy)
		grpc_finish(g, GRPC_INVALID_ARGUMENT, "a message is missing",
		    "bad_request");
}

/* -------------------------------------------------------------- service */

static const struct grpc_method methods[] = {
	{ .path = SERVICE "Enroll",
	    .on_open = agents_on_enrol_open,
	    .on_message = agents_on_enrol_message,
	    .on_half_close = agents_on_enrol_half_close,
	    .on_close = agents_on_enrol_close },
	{ .path = SERVICE "Announce",
	    .client_stream = true,
	    .on_open = announce_on_open,
	    .on_message = announce_on_message,
	    .on_half_close = announce_on_half_close,
	    .on_close = announce_on_close },
	{ .path = SERVICE "Poll",
	    .on_open = agents_on_poll_open,
	    .on_message = agents_on_poll_message,
	    .on_half_close = agents_on_poll_half_close,
	    .on_close = agents_on_close },
	{ .path = SERVICE "Session",
	    .client_stream = true,
	    .on_open = agents_on_session_open,
	    .on_message = agents_on_session_message,
	    .on_half_close = agents_on_session_half_close,
	    .on_writable = agents_on_session_writable,
	    .on_close = agents_on_close },
	{ .path = SERVICE "Check",
	    .on_open = agents_on_check_open,
	    .on_message = agents_on_check_message,
	    .on_half_close = agents_on_check_half_close,
	    .on_close = agents_on_check_close },
};

struct grpc_server *
agents_serve(struct agents *a, struct loop *l)
{
	return grpc_server_new(l, methods, ARRAY_LEN(methods), a);
}
