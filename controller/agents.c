/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/agents.h"

#include <string.h>

#include "controller/agents_call.h"
#include "controller/agents_own.h"
#include "controller/controller.h"
#include "controller/ingest.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/grpc.h"
#include "lib/net/loop.h"
#include "lib/store/host_store.h"
#include "lib/store/live.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

enum {
	SCRATCH_MAX = 64 << 20,
	READ_AHEAD = 65536,  /* that an agent may send before it is stopped */
	OFFLINE_BATCH = 256, /* hosts that one op marks */
	/* Peers that one turn writes to live/: 0.15 ms (bench:
	 * event-durable, stall). */
	SLICE = 256
};

/* --------------------------------------------------------------- peers */

static struct peer *
peer_find(const struct agents *a, const struct ulid *host)
{
	return map_get(a->peers, str_from(host->b, sizeof(host->b)));
}

struct peer *
peer_get(struct agents *a, const struct ulid *host)
{
	struct peer *p = peer_find(a, host);

	if (p != NULL)
		return p;
	p = MEM_NEW(struct peer);
	p->host = *host;
	map_put(a->peers, str_from(host->b, sizeof(host->b)), p);
	return p;
}

void
peer_seen(struct agents *a, struct peer *p)
{
	p->seen_ms = clock_mono_ms();
	p->seen_at_ms = clock_now_ms();
	if (!list_linked(&p->fresh))
		list_append(&a->fresh, &p->fresh);
}

void
peer_attach(struct agents *a, struct peer *p, struct call *c)
{
	struct call *old = p->call;
	struct err e;

	p->call = c;
	c->peer = p;
	p->stream = !c->poll;
	if (!str_copy(p->address, sizeof(p->address),
	        str_of(grpc_peer(c->grpc))))
		p->address[0] = '\0';
	peer_seen(a, p);
	if (!c->poll)
		p->connected_ms = p->seen_at_ms;
	if (old == NULL || old == c)
		return;
	old->peer = NULL;
	(void)err_code(&e, RC_CANCELLED, "replaced",
	    "a newer connection of this agent took over");
	call_fail(old, &e);
}

/* Before the restart it was online: it gets as long as any other to be
 * heard of again, and its place is not free for a second instance. */
struct load {
	struct agents *agents;
	struct store_tx *tx;
};

static bool
agents_on_host(void *ctx, const struct Rec__Host *h)
{
	struct load *l = ctx;
	const struct Rec__AgentCursor *c;
	struct ulid id;
	struct peer *p;

	if (!h->online || !pb_id_get(&h->id, &id))
		return true;
	p = peer_get(l->agents, &id);
	p->online = true;
	p->seen_ms = clock_mono_ms();
	p->seen_at_ms = h->last_seen_at_ms;
	l->agents->online++;
	c = host_store_cursor(l->tx, &id);
	if (c != NULL && c->instance_id.len == sizeof(p->instance)) {
		memcpy(p->instance, c->instance_id.data, sizeof(p->instance));
		p->known = true;
	}
	return true;
}

static void agents_on_slice(void *ctx);

struct agents *
agents_new(struct controller *c)
{
	struct agents *a = MEM_NEW(struct agents);
	struct load l = { .agents = a };
	struct arena arena;

	a->ctl = c;
	a->peers = map_new();
	list_init(&a->fresh);
	list_init(&a->calls);
	list_init(&a->waiting);
	list_init(&a->paused);
	arena_init(&a->scratch, SCRATCH_MAX);
	arena_init(&a->config, SCRATCH_MAX);
	arena_init(&arena, GIB(1));
	l.tx = store_begin_read(c->state, &arena);
	host_store_each(l.tx, agents_on_host, &l);
	if (store_rc(l.tx) != RC_OK)
		log_error(LOG_AGENT, "hosts cannot be read error=%s",
		    log_safe(str_of(store_err(l.tx)->msg)));
	store_abort(l.tx);
	arena_fini(&arena);
	a->slice = loop_timer_new(c->loop, agents_on_slice, a);
	a->grpc = agents_serve(a, c->loop);
	return a;
}

void
agents_free(struct agents *a)
{
	if (a == NULL)
		return;
	ASSERT(list_empty(&a->calls) && list_empty(&a->waiting));
	grpc_server_free(a->grpc);
	loop_timer_free(a->slice);
	map_free_all(a->peers);
	arena_fini(&a->scratch);
	arena_fini(&a->config);
	mem_free(a);
}

struct grpc_server *
agents_grpc(struct agents *a)
{
	return a->grpc;
}

/* -------------------------------------------------------- for the others */

bool
agents_online(const struct agents *a, const struct ulid *host)
{
	const struct peer *p = peer_find(a, host);

	return p != NULL && p->online;
}

unsigned
agents_count(const struct agents *a)
{
	return a->online;
}

static void
count_calls(const struct list *calls, struct agents_stats *out)
{
	const struct list *el;

	for (el = calls->next; el != calls; el = el->next) {
		const struct call *c = (const struct call *)(const void *)el;

		out->sessions += c->poll ? 0 : 1;
		out->polls += c->poll ? 1 : 0;
	}
}

void
agents_stats(const struct agents *a, struct agents_stats *out)
{
	*out = (struct agents_stats){ .online = a->online };
	count_calls(&a->calls, out);
	count_calls(&a->waiting, out);
}

static bool
send_config(struct agents *a, struct call *c)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	enum rc rc;

	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_CONFIG;
	m.config = agents_config(a, &c->host);
	if (m.config == NULL)
		return false;
	rc = call_send(c, &m);
	agents_config_wipe(m.config);
	if (rc == RC_OK)
		c->config_version = m.config->version;
	return rc == RC_OK;
}

/* Brings the configuration in force before what follows: on a Session as a
 * message of its own, in a Poll's reply beside the command.  False: there is
 * no room, or it cannot be read. */
static bool
bring_config(struct agents *a, struct call *c)
{
	uint64_t version;

	if (!agents_config_version(a, &c->host, &version))
		return false;
	if (version == c->config_version)
		return true;
	if (!c->poll)
		return send_config(a, c);
	c->config_due = true;
	return true;
}

void
agents_configure(struct agents *a, const struct ulid *host)
{
	struct peer *p = peer_find(a, host);
	struct call *c = p != NULL ? p->call : NULL;

	if (c == NULL)
		return; /* the next hello finds that the versions differ */
	if (!bring_config(a, c))
		log_warn(LOG_AGENT, "configuration not sent yet");
	else if (c->poll && c->config_due && c->need_seq == 0)
		call_poll_reply(c, NULL);
}

/* To stop, or to be told of what waits, is possible with any, and when there
 * is none any more. */
static bool
needs_no_config(const struct Wire__ControllerMessage *m)
{
	return m->body_case == WIRE__CONTROLLER_MESSAGE__BODY_COMMAND &&
	       m->command->body_case != WIRE__COMMAND__BODY_RUN;
}

bool
agents_send(struct agents *a, const struct ulid *host,
    const struct Wire__ControllerMessage *m)
{
	struct peer *p = peer_find(a, host);

	if (p == NULL || p->call == NULL)
		return false;
	if (p->call->poll && p->call->need_seq > 0)
		return false;
	if (!needs_no_config(m) && !bring_config(a, p->call))
		return false;
	if (!p->call->poll)
		return call_send(p->call, m) == RC_OK;
	call_poll_reply(p->call, m);
	return true;
}

void
agents_ack(struct agents *a, const struct ulid *host, uint64_t seq)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__Ack ack = WIRE__ACK__INIT;
	struct peer *p = peer_find(a, host);

	if (p == NULL || p->call == NULL)
		return;
	if (p->call->poll) {
		if (p->call->need_seq > 0 && seq >= p->call->need_seq)
			call_poll_reply(p->call, NULL);
		return;
	}
	ack.seq = seq;
	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_ACK;
	m.ack = &ack;
	/* No room: the next acknowledgement says this one too. */
	if (call_send(p->call, &m) != RC_OK)
		log_debug(LOG_AGENT, "acknowledgement not sent");
}

void
agents_drop(struct agents *a, const struct ulid *host, const struct err *e)
{
	struct peer *p = peer_find(a, host);

	if (p != NULL && p->call != NULL)
		call_fail(p->call, e);
}

void
agents_rotate(struct agents *a, const struct ulid *host)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__RotateBearer rotate = WIRE__ROTATE_BEARER__INIT;
	struct peer *p = peer_find(a, host);

	if (p == NULL || p->call == NULL)
		return;
	if (p->call->poll) {
		p->call->rotate = true;
		if (p->call->need_seq == 0)
			call_poll_reply(p->call, NULL);
		return;
	}
	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_ROTATE_BEARER;
	m.rotate_bearer = &rotate;
	/* No room: the next hello is told. */
	if (call_send(p->call, &m) != RC_OK)
		log_debug(LOG_AGENT, "the wish for a bearer is not sent");
}

static void
close_others(struct list *calls, const struct caller *keep, const struct err *e)
{
	struct list *el, *tmp;
	struct call *c;

	LIST_FOREACH(el, tmp, calls)
	{
		c = LIST_ENTRY(el, struct call, link);
		if (!c->finished && ulid_eq(&c->host, &keep->host) &&
		    memcmp(c->caller.bearer, keep->bearer,
		        sizeof(keep->bearer)) != 0)
			call_fail(c, e);
	}
}

void
agents_close_others(struct agents *a, const struct ulid *host,
    const uint8_t bearer[CRYPT_HASH_SIZE], const struct err *e)
{
	struct caller keep = { .host = *host };

	memcpy(keep.bearer, bearer, sizeof(keep.bearer));
	close_others(&a->calls, &keep, e);
	close_others(&a->waiting, &keep, e);
}

void
agents_forget(struct agents *a, const struct ulid *host, const struct ulid *job,
    const struct err *e)
{
	struct peer *p = peer_find(a, host);
	struct store_tx *tx = store_begin_write(a->ctl->live, NULL);
	struct err failed = { 0 };

	live_del_presence(tx, host);
	live_del_progress(tx, job);
	if (store_commit(tx, &failed) != RC_OK)
		log_warn(LOG_STORE, "presence not removed error=%s",
		    failed.msg);
	if (p == NULL)
		return;
	if (p->call != NULL)
		call_fail(p->call, e);
	if (p->online)
		a->online--;
	(void)map_del(a->peers, str_from(host->b, sizeof(host->b)));
	list_del(&p->fresh);
	mem_free(p);
}

/* ---------------------------------------------------------------- ticks */

static void
put_presence(struct store_tx *tx, struct peer *p)
{
	struct Rec__Presence r = REC__PRESENCE__INIT;

	r.last_seen_ms = p->seen_at_ms;
	r.stream = p->stream;
	r.address = p->address;
	r.connected_at_ms = p->connected_ms;
	live_put_presence(tx, &p->host, &r);
}

/* What was seen this second goes to live/, a slice each turn. */
static void
write_presence(struct agents *a)
{
	struct store_tx *tx;
	struct err e = { 0 };
	struct list *el;
	unsigned n = 0;

	if (list_empty(&a->fresh))
		return;
	tx = store_begin_write(a->ctl->live, NULL);
	while (n++ < SLICE && (el = list_take(&a->fresh)) != NULL)
		put_presence(tx, LIST_ENTRY(el, struct peer, fresh));
	if (store_commit(tx, &e) != RC_OK)
		log_warn(LOG_STORE, "presence not written error=%s", e.msg);
	if (!list_empty(&a->fresh))
		loop_timer_start(a->slice, 0, 0);
}

static void
agents_on_slice(void *ctx)
{
	write_presence(ctx);
}

/* Only a hello brings a host back, so what it may still have open ends: an
 * agent that slept behind a proxy would keep its stream and never say one. */
static void
peer_expire(struct agents *a, struct peer *p)
{
	struct err e;

	p->online = false;
	memset(p->facts, 0, sizeof(p->facts));
	a->online--;
	if (p->call == NULL)
		return;
	(void)err_set(&e, RC_TIMEOUT,
	    "nothing was heard of this agent for %d s", RULES_ONLINE_MS / 1000);
	call_fail(p->call, &e);
}

/* All of them are looked at only when the one silent longest has run out: as
 * long as agents beat, that is once a minute (bench: heartbeat-cpu). */
static void
expire_peers(struct agents *a)
{
	struct ulid gone[OFFLINE_BATCH];
	int64_t now = clock_mono_ms(), next = now + RULES_ONLINE_MS;
	struct str key;
	size_t pos = 0, n = 0;
	void *value;
	struct peer *p;

	if (now < a->expire_ms)
		return;
	while (n < OFFLINE_BATCH && map_next(a->peers, &pos, &key, &value)) {
		p = value;
		if (!p->online)
			continue;
		if (now - p->seen_ms < RULES_ONLINE_MS) {
			if (p->seen_ms + RULES_ONLINE_MS < next)
				next = p->seen_ms + RULES_ONLINE_MS;
			continue;
		}
		peer_expire(a, p);
		gone[n++] = p->host;
	}
	a->expire_ms = n < OFFLINE_BATCH ? next : now;
	if (n > 0)
		agents_store_offline(a, gone, n);
}

/* Hellos that did not come, Polls that waited long enough. */
static void
expire_calls(struct agents *a)
{
	int64_t now = clock_mono_ms();
	struct list *el, *tmp;
	struct call *c;
	struct err e;

	LIST_FOREACH(el, tmp, &a->waiting)
	{
		c = LIST_ENTRY(el, struct call, link);
		if (c->finished || now < c->until_ms)
			continue;
		if (c->poll && c->peer != NULL) {
			call_poll_reply(c, NULL);
			continue;
		}
		(void)err_code(&e, RC_TIMEOUT, "bad_request",
		    "no hello within %d s", AGENTS_HELLO_MS / 1000);
		call_fail(c, &e);
	}
}

void
call_read_on(struct call *c)
{
	if (!list_linked(&c->paused))
		return;
	list_del(&c->paused);
	grpc_pause(c->grpc, false);
}

void
agents_read_on(struct agents *a)
{
	struct list *el;
	size_t room;

	if (list_empty(&a->paused))
		return;
	room = ingest_room(a->ctl->ingest);
	while (room > 0 && (el = list_first(&a->paused)) != NULL) {
		call_read_on(LIST_ENTRY(el, struct call, paused));
		room -= room < READ_AHEAD ? room : READ_AHEAD;
	}
}

void
agents_tick(struct agents *a)
{
	expire_calls(a);
	expire_peers(a);
	write_presence(a);
	agents_read_on(a);
}
