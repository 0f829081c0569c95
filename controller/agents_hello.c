/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/agents.h"
#include "controller/agents_call.h"
#include "controller/agents_own.h"
#include "controller/announce.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/creds.h"
#include "controller/ingest.h"
#include "controller/jobs.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/plan.h"
#include "controller/rotate.h"
#include "controller/rules.h"
#include "controller/sse.h"
#include "controller/upkeep.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/net/grpc.h"
#include "lib/store/host_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

enum {
	WORD_MAX = 255,
	HELLO_LINES = 5 /* of a host in a minute */
};

/* ---------------------------------------------------------- what is stored */

/* What a hello says about its host; copied into the op. */
struct facts {
	struct ulid host;
	const char *agent_version, *restic_version;
	const char *hostname, *os, *arch, *zone;
	uint32_t protocol, plan_format;
	bool rotates_bearer;
	int64_t boot_ms;
	int64_t now_ms;
	const char *our_zone; /* RM_TIMEZONE */
	bool forget_duplicate;
	uint64_t held; /* version of its configuration */
	/* out */
	bool queued;
	bool configure;
	struct ulid job; /* that was */
};

static enum rc
hello_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct facts *f = op->in;
	struct Rec__Host *h = host_store_get(state, &f->host);

	(void)vault;
	if (h == NULL)
		return store_rc(state);
	h->agent_version = pb_text(f->agent_version);
	h->restic_version = pb_text(f->restic_version);
	h->reported_name = pb_text(f->hostname);
	h->os = pb_text(f->os);
	h->arch = pb_text(f->arch);
	h->zone = pb_text(f->zone);
	/* It was updated, and what it holds was taken without the plan. */
	f->configure = h->plan_format == 0 && f->plan_format > 0 &&
	               f->held == h->config_version;
	if (f->configure)
		h->config_version++;
	h->plan_format = f->plan_format;
	h->rotates_bearer = f->rotates_bearer;
	h->protocol_version = f->protocol;
	h->boot_time_ms = f->boot_ms;
	h->online = true;
	h->last_seen_at_ms = f->now_ms;
	if (f->forget_duplicate)
		h->duplicate_notice = pb_text("");
	if (jobs_auto_init(state, op, h, &f->queued) != RC_OK)
		return store_rc(state);
	f->queued = f->queued && pb_id_get(&h->init_job, &f->job);
	host_store_put(state, h);
	upkeep_hello(state, &f->host, f->our_zone, f->now_ms);
	announce_heard(state, &f->host);
	return store_rc(state);
}

static void
agents_on_hello_stored(struct op *op, void *ctx)
{
	const struct facts *f = op->in;
	struct agents *a = ctx;

	if (op->err.rc != RC_OK) {
		log_warn(LOG_AGENT, "hello not stored rc=%s error=%s",
		    rc_info(op->err.rc)->name, log_safe(str_of(op->err.msg)));
		/* The next hello tries again, and there has to be one: the
		 * store may have the host offline. */
		memset(peer_get(a, &f->host)->facts, 0,
		    sizeof(peer_get(a, &f->host)->facts));
		agents_drop(a, &f->host, &op->err);
		return;
	}
	sse_host_changed(a->ctl->sse, &f->host);
	if (f->queued)
		courier_queued(a->ctl->courier, &f->host, &f->job);
	if (f->configure)
		agents_configure(a, &f->host);
	courier_hello(a->ctl->courier, &f->host);
}

/* A zone that is not known here is as good as none. */
static const char *
known_zone(const char *zone)
{
	int32_t offset;

	return zone[0] != '\0' && clock_zone_offset(zone, 0, &offset) ? zone
	                                                              : "";
}

static void
store_hello(struct agents *a, struct peer *p, const struct Wire__Hello *h)
{
	struct op *op = op_new(hello_op, agents_on_hello_stored, a);
	struct facts *f = arena_alloc(&op->arena, sizeof(*f));
	int64_t since = clock_mono_ms() - p->duplicate_ms;

	ASSERT(f != NULL);
	f->host = p->host;
	f->agent_version = pb_keep(&op->arena, h->agent_version, WORD_MAX);
	f->restic_version = pb_keep(&op->arena, h->restic_version, WORD_MAX);
	f->hostname = pb_keep(&op->arena, h->hostname, WORD_MAX);
	f->os = pb_keep(&op->arena, h->os, WORD_MAX);
	f->arch = pb_keep(&op->arena, h->arch, WORD_MAX);
	f->zone = arena_dup(&op->arena, known_zone(h->zone));
	f->plan_format = h->plan_format;
	f->rotates_bearer = h->rotates_bearer;
	f->held = h->config_version;
	f->protocol = h->protocol_version;
	f->boot_ms = h->boot_time_ms;
	f->now_ms = clock_now_ms();
	f->our_zone = a->ctl->settings.timezone;
	f->forget_duplicate =
	    p->duplicate_ms == 0 || since > AGENTS_DUPLICATE_MS;
	op->in = f;
	op_submit(a->ctl->ops, &op);
}

struct offline {
	struct agents *agents;
	size_t n;
	int64_t now_ms;
	struct ulid *hosts;
	int64_t *seen_ms;
};

static enum rc
offline_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct offline *o = op->in;
	struct Rec__Host *h;
	size_t k;

	(void)vault;
	for (k = 0; k < o->n; k++) {
		h = host_store_find(state, &o->hosts[k]);
		if (h == NULL)
			continue;
		h->online = false;
		h->last_seen_at_ms = o->seen_ms[k];
		host_store_put(state, h);
	}
	return store_rc(state);
}

static void
agents_on_offline(struct op *op, void *ctx)
{
	const struct offline *o = op->in;
	struct agents *a = ctx;
	size_t k;

	for (k = 0; k < o->n; k++) {
		if (op->err.rc == RC_OK) {
			sse_host_changed(a->ctl->sse, &o->hosts[k]);
			continue;
		}
		/* Counted as online again, so that it is tried again. */
		if (!peer_get(a, &o->hosts[k])->online) {
			peer_get(a, &o->hosts[k])->online = true;
			a->online++;
			a->expire_ms = 0;
		}
	}
	if (op->err.rc != RC_OK)
		log_warn(LOG_AGENT, "offline hosts not stored error=%s",
		    log_safe(str_of(op->err.msg)));
}

void
agents_store_offline(struct agents *a, const struct ulid *hosts, size_t n)
{
	struct op *op = op_new(offline_op, agents_on_offline, a);
	struct offline *o = arena_alloc(&op->arena, sizeof(*o));
	size_t k;

	ASSERT(o != NULL);
	o->n = n;
	o->hosts = arena_array(&op->arena, n, sizeof(*o->hosts));
	o->seen_ms = arena_array(&op->arena, n, sizeof(*o->seen_ms));
	ASSERT(o->hosts != NULL && o->seen_ms != NULL);
	for (k = 0; k < n; k++) {
		o->hosts[k] = hosts[k];
		o->seen_ms[k] = peer_get(a, &hosts[k])->seen_at_ms;
	}
	op->in = o;
	log_info(LOG_AGENT, "hosts went offline n=%zu", n);
	op_submit(a->ctl->ops, &op);
}

/* ----------------------------------------------------------- duplicates */

struct notice {
	struct ulid host;
	const char *text;
};

static enum rc
notice_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct notice *n = op->in;
	struct Rec__Host *h = host_store_get(state, &n->host);

	(void)vault;
	if (h == NULL)
		return store_rc(state);
	h->duplicate_notice = pb_text(n->text);
	host_store_put(state, h);
	return store_rc(state);
}

static void
agents_on_noticed(struct op *op, void *ctx)
{
	const struct notice *n = op->in;
	struct agents *a = ctx;

	if (op->err.rc == RC_OK)
		sse_host_changed(a->ctl->sse, &n->host);
}

void
agents_store_duplicate(struct agents *a, const struct peer *p,
    const char *notice)
{
	struct op *op = op_new(notice_op, agents_on_noticed, a);
	struct notice *n = arena_alloc(&op->arena, sizeof(*n));

	ASSERT(n != NULL);
	n->host = p->host;
	n->text = arena_dup(&op->arena, notice);
	op->in = n;
	op_submit(a->ctl->ops, &op);
}

static enum rc
refuse_duplicate(struct agents *a, struct peer *p, const struct call *c,
    const struct Wire__Hello *h, struct err *e)
{
	int64_t now = clock_mono_ms();
	char text[512], when[CLOCK_TEXT_CAP];

	clock_text(clock_now_ms(), when);
	/* Once a minute is enough to say it. */
	if ((p->duplicate_ms == 0 || now - p->duplicate_ms > 60000) &&
	    str_fmt(text, sizeof(text),
	        "A second agent with this host's credentials (it calls "
	        "itself %s, address %s) was turned away at %s.",
	        h->hostname, grpc_peer(c->grpc), when))
		agents_store_duplicate(a, p, text);
	p->duplicate_ms = now;
	return err_code(e, RC_CONFLICT, "duplicate_identity",
	    "another agent with these credentials is connected; each host "
	    "needs an enrolment of its own");
}

/* ---------------------------------------------------------------- hello */

static enum rc
check_words(const struct Wire__Hello *h, struct err *e)
{
	if (h->new_bearer_sha256.len != 0 &&
	    h->new_bearer_sha256.len != CRYPT_HASH_SIZE)
		return err_code(e, RC_PROTO, "bad_request",
		    "new_bearer_sha256 needs %d bytes", (int)CRYPT_HASH_SIZE);
	if (h->instance_id.len != AGENTS_INSTANCE)
		return err_code(e, RC_PROTO, "bad_request",
		    "instance_id needs %d bytes", (int)AGENTS_INSTANCE);
	if (pb_word_ok(h->hostname, WORD_MAX) && pb_word_ok(h->os, WORD_MAX) &&
	    pb_word_ok(h->arch, WORD_MAX) &&
	    pb_word_ok(h->agent_version, WORD_MAX) &&
	    pb_word_ok(h->restic_version, WORD_MAX) &&
	    pb_word_ok(h->zone, PLAN_ZONE_MAX))
		return RC_OK;
	return err_code(e, RC_PROTO, "bad_request",
	    "hello has a text that is too long or malformed");
}

static enum rc
check_config(struct agents *a, struct call *c, uint64_t held, struct err *e)
{
	const struct Rec__Host *h;
	struct store_tx *tx;
	struct arena arena;
	enum rc rc = RC_OK;

	arena_init(&arena, MIB(1));
	tx = store_begin_read(a->ctl->state, &arena);
	h = host_store_find(tx, &c->host);
	c->config_version = held;
	if (h != NULL) {
		c->config_due = h->config_version != held;
		c->rotate = h->rotation_asked_ms != 0;
	} else if ((rc = store_rc(tx)) == RC_OK) {
		rc = err_code(e, RC_AUTH, "unauthorised",
		    "this host was removed");
	} else {
		*e = *store_err(tx);
	}
	store_abort(tx);
	arena_fini(&arena);
	return rc;
}

static void
hash_facts(const struct Wire__Hello *h, uint8_t out[CRYPT_HASH_SIZE])
{
	struct buf b;

	buf_init(&b, KIB(4));
	buf_printf(&b, "%s\n%s\n%s\n%s\n%s\n%s\n%u\n%u\n%d\n%lld",
	    h->agent_version, h->restic_version, h->hostname, h->os, h->arch,
	    h->zone, (unsigned)h->protocol_version, (unsigned)h->plan_format,
	    h->rotates_bearer, (long long)h->boot_time_ms);
	crypt_sha256(buf_str(&b), out);
	buf_fini(&b);
}

/* Polls come often: only one that says something new is stored. */
static void
note_hello(struct agents *a, struct call *c, const struct Wire__Hello *h)
{
	struct peer *p = c->peer;
	uint8_t facts[CRYPT_HASH_SIZE];
	bool was = p->online;

	hash_facts(h, facts);
	if (!p->online) {
		p->online = true;
		a->online++;
	}
	if (c->poll && was && memcmp(facts, p->facts, sizeof(facts)) == 0) {
		courier_wake(a->ctl->courier, &p->host);
		return;
	}
	memcpy(p->facts, facts, sizeof(facts));
	if (log_allow(&p->hellos, HELLO_LINES, 60))
		log_info(LOG_AGENT, "hello host=%s agent=%s restic=%s by=%s",
		    log_safe(str_of(h->hostname)),
		    log_safe(str_of(h->agent_version)),
		    log_safe(str_of(h->restic_version)),
		    c->poll ? "poll" : "session");
	store_hello(a, p, h);
}

enum rc
agents_hello(struct agents *a, struct call *c, const struct Wire__Hello *h,
    struct err *e)
{
	struct peer *p = peer_get(a, &c->host);
	struct rules_peer q = { .known = p->known };
	uint64_t resume;
	enum rc rc;

	if ((rc = rules_protocol(h->protocol_version, e)) != RC_OK ||
	    (rc = check_words(h, e)) != RC_OK ||
	    (rc = check_config(a, c, h->config_version, e)) != RC_OK)
		return rc;
	q.same =
	    memcmp(p->instance, h->instance_id.data, sizeof(p->instance)) == 0;
	q.silent_ms = clock_mono_ms() - p->seen_ms;
	if (rules_is_duplicate(&q))
		return refuse_duplicate(a, p, c, h, e);
	rc = ingest_hello(a->ctl->ingest, &c->host, h, &resume, e);
	if (rc != RC_OK)
		return rc;
	memcpy(p->instance, h->instance_id.data, sizeof(p->instance));
	p->known = true;
	peer_attach(a, p, c);
	note_hello(a, c, h);
	rotate_hello(a, c, h);
	return RC_OK;
}

/* -------------------------------------------------------- configuration */

static Wire__RepoSlot *
open_slot(struct agents *a, struct store_tx *vault, const struct ulid *host)
{
	char id[ULID_TEXT_CAP];
	Wire__RepoSlot *slot = NULL;
	enum rc rc;

	rc = creds_for_agent(vault, a->ctl->key, host, CREDS_REPO, &slot);
	if (rc != RC_OK && rc != RC_NOTFOUND) {
		ulid_text(host, id);
		log_error(LOG_AGENT,
		    "repository credentials cannot be opened host=%s: wrong "
		    "secret key? edit them to repair",
		    id);
	}
	return slot;
}

static Wire__Config *
make_config(struct agents *a, const struct Rec__Host *h)
{
	Wire__Config *c = arena_alloc(&a->config, sizeof(*c));
	Wire__Caps *caps = arena_alloc(&a->config, sizeof(*caps));

	if (c == NULL || caps == NULL)
		return NULL;
	wire__config__init(c);
	wire__caps__init(caps);
	c->version = h->config_version;
	c->caps = caps;
	caps->bandwidth_up_kbps = h->bandwidth_up_kbps;
	caps->bandwidth_down_kbps = h->bandwidth_down_kbps;
	return c;
}

struct Wire__Config *
agents_config(struct agents *a, const struct ulid *host)
{
	struct hooks_from from = { .key = a->ctl->key, .arena = &a->config };
	struct store_tx *state, *vault;
	const struct Rec__Host *h;
	Wire__Config *c = NULL;

	/* Not the message's arena: changes come without a message, many in a
	 * row, and what fills up would be sent to nobody. */
	arena_reset(&a->config);
	state = store_begin_read(a->ctl->state, &a->config);
	vault = store_begin_read(a->ctl->vault, &a->config);
	h = host_store_find(state, host);
	if (h != NULL)
		c = make_config(a, h);
	if (c != NULL)
		c->repo = open_slot(a, vault, host);
	from.vault = vault;
	if (c != NULL)
		c->plan = plan_make(state, &from, h);
	/* A host with a repository but without credentials that we can read
	 * keeps those it has: it backs up without us. */
	if (store_rc(state) != RC_OK || store_rc(vault) != RC_OK ||
	    (c != NULL && (c->plan == NULL ||
	                      (c->repo == NULL && h->repo_url[0] != '\0')))) {
		agents_config_wipe(c);
		c = NULL;
	}
	store_abort(vault);
	store_abort(state);
	return c;
}

bool
agents_config_version(struct agents *a, const struct ulid *host, uint64_t *out)
{
	const struct Rec__Host *h;
	struct store_tx *tx;
	struct arena arena;

	arena_init(&arena, MIB(1));
	tx = store_begin_read(a->ctl->state, &arena);
	h = host_store_find(tx, host);
	if (h != NULL)
		*out = h->config_version;
	store_abort(tx);
	arena_fini(&arena);
	return h != NULL;
}

void
agents_config_wipe(struct Wire__Config *c)
{
	if (c == NULL)
		return;
	plan_wipe(c->plan);
	creds_wipe_slot(c->repo);
}
