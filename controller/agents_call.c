/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/agents_call.h"

#include <string.h>

#include "controller/agents_own.h"
#include "controller/announce.h"
#include "controller/controller.h"
#include "controller/ingest.h"
#include "controller/pb.h"
#include "controller/rotate.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/net/grpc.h"
#include "lib/net/offence.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/message.h"
#include "lib/store/store.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

#define SERVICE "/resticmanager.v1.Agent/"
#define HELP_URL "https://github.com/restic-manager/restic-manager"

/* ------------------------------------------------------------------ begin */

/* Agents stay away for minutes after RC_AUTH: what could not be looked up is
 * something else. */
enum rc
agents_bearer(struct agents *a, struct grpc_call *g, struct caller *out,
    struct err *e)
{
	struct str field = grpc_metadata(g, "authorization");
	struct store_tx *tx;
	struct arena arena;
	bool found;

	(void)err_code(e, RC_AUTH, "unauthorised",
	    "the bearer is unknown or was revoked: enrol this host again");
	if (field.n < 8 || !str_case_eq(str_sub(field, 0, 7), STR("bearer ")))
		return RC_AUTH;
	crypt_sha256(str_trim(str_sub(field, 7, field.n)), out->bearer);
	arena_init(&arena, MIB(1));
	tx = store_begin_read(a->ctl->vault, &arena);
	found = vault_host_of_bearer(tx, out->bearer, &out->host);
	out->ends = found && rotate_ends(vault_find_host(tx, &out->host), out);
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

void
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
	if (agents_bearer(a, g, &c->caller, &e) != RC_OK)
		call_fail(c, &e);
	c->host = c->caller.host;
}

void *
agents_read(struct agents *a, const struct ProtobufCMessageDescriptor *d,
    struct str msg, struct err *e)
{
	void *m;

	arena_reset(&a->scratch);
	m = message_unpack(&a->scratch, msg, d);
	if (m == NULL)
		(void)err_code(e, RC_PROTO, "bad_request",
		    "the message is malformed or too large");
	return m;
}

/* -------------------------------------------------------------------- end */

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

void
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

void
agents_on_call_close(void *ctx, struct grpc_call *g)
{
	struct call *c = grpc_user(g);

	(void)ctx;
	if (c == NULL)
		return;
	call_detach(c);
	list_del(&c->link);
	mem_free(c);
}

/* --------------------------------------------------- what both calls take */

void
call_progress(struct call *c, const Wire__JobProgress *w)
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

Wire__HelloReply *
call_hello_reply(struct call *c, Wire__HelloReply *r)
{
	struct agents *a = c->agents;

	wire__hello_reply__init(r);
	r->resume_seq = ingest_committed(a->ctl->ingest, &c->host) + 1;
	r->heartbeat_interval_ms = AGENTS_HEARTBEAT_MS;
	r->rotate_bearer = c->rotate;
	if (c->config_due)
		r->config = agents_config(a, &c->host);
	if (r->config != NULL)
		c->config_version = r->config->version;
	return r;
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
	    .on_close = agents_on_call_close },
	{ .path = SERVICE "Session",
	    .client_stream = true,
	    .on_open = agents_on_session_open,
	    .on_message = agents_on_session_message,
	    .on_half_close = agents_on_session_half_close,
	    .on_writable = agents_on_session_writable,
	    .on_close = agents_on_call_close },
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
