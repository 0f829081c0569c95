/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/announce_own.h"
#include "controller/controller.h"
#include "controller/enrol.h"
#include "controller/host_make.h"
#include "controller/pb.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/pending_store.h"
#include "lib/store/vault_store.h"

/* ------------------------------------------------------------ what is known */

enum rc
announce_check(const struct announce_facts *f, struct err *e)
{
	const struct enrol_in in = { .hostname = f->hostname,
		.os = f->os,
		.arch = f->arch,
		.agent_version = f->agent_version,
		.restic_version = f->restic_version };

	if (enrol_check_facts(&in, e) != RC_OK)
		return e->rc;
	if (!enrol_name_ok(f->hostname))
		return err_set(e, RC_PROTO,
		    "the hostname needs 1 to 253 letters, digits or . - _");
	return RC_OK;
}

/* The row that a key has now: one that is over is none, unless its agent
 * still waits. */
static struct Rec__PendingHost *
find(struct store_tx *state, const uint8_t *key, int64_t now)
{
	struct Rec__PendingHost *p = pending_store_find_key(state, key);
	struct ulid host;

	if (p == NULL)
		return NULL;
	switch (p->state) {
	case REC__PENDING_STATE__PENDING_WAITING:
		return p;
	case REC__PENDING_STATE__PENDING_ACCEPTED:
		if (pb_id_get(&p->host_id, &host) &&
		    host_store_find(state, &host) != NULL)
			return p;
		return NULL;
	case REC__PENDING_STATE__PENDING_REJECTED:
		return p->expires_at_ms > now ? p : NULL;
	case _REC__PENDING_STATE_IS_INT_SIZE:
		break;
	}
	return NULL;
}

static void
put_facts(struct Rec__PendingHost *p, const struct announce_facts *f)
{
	p->hostname = pb_text(f->hostname);
	p->os = pb_text(f->os);
	p->arch = pb_text(f->arch);
	p->agent_version = pb_text(f->agent_version);
	p->restic_version = pb_text(f->restic_version);
	p->public_key = pb_bytes(f->key, sizeof(f->key));
}

enum rc
announce_look(struct controller *c, const struct announce_facts *f,
    struct announce_known *out, struct err *e)
{
	struct Rec__PendingHost q = REC__PENDING_HOST__INIT;
	int64_t now = clock_now_ms();
	struct Rec__PendingHost *p;
	struct store_tx *tx;
	struct arena arena;
	enum rc rc;

	put_facts(&q, f);
	arena_init(&arena, MIB(1));
	tx = store_begin_read(c->state, &arena);
	p = find(tx, f->key, now);
	out->known = p != NULL && pb_id_get(&p->id, &out->id);
	out->state = p != NULL ? p->state : REC__PENDING_STATE__PENDING_WAITING;
	out->collision = pending_store_collides(tx, &q, now);
	out->full =
	    !out->known && pending_store_waiting(tx, now) >= PENDING_MAX;
	rc = store_rc(tx);
	if (rc != RC_OK)
		*e = *store_err(tx);
	store_abort(tx);
	arena_fini(&arena);
	return rc;
}

/* ------------------------------------------------------------------- joining */

static enum rc
put_new(struct store_tx *state, struct op *op, struct announce_join *j,
    int64_t now)
{
	struct Rec__PendingHost p = REC__PENDING_HOST__INIT;
	struct Rec__PendingHost *old;
	uint8_t fingerprint[CRYPT_HASH_SIZE];
	struct ulid id;

	old = pending_store_find_key(state, j->facts.key);
	if (old != NULL && pb_id_get(&old->id, &id))
		pending_store_del(state, &id); /* it is over */
	if (pending_store_waiting(state, now) >= PENDING_MAX)
		return store_fail_code(state, RC_BUSY, "too_many_pending",
		    "%d hosts wait for approval already; accept or reject "
		    "some, or enrol this one with a token",
		    (int)PENDING_MAX);
	keyproof_fingerprint(j->facts.key, fingerprint);
	put_facts(&p, &j->facts);
	p.id = pb_id(&j->id);
	p.fingerprint = pb_bytes(fingerprint, sizeof(fingerprint));
	p.address = op->actor.address;
	p.first_seen_at_ms = p.last_seen_at_ms = now;
	p.expires_at_ms = j->expires_at_ms = now + PENDING_EXPIRES_MS;
	j->state = p.state;
	j->collision = pending_store_collides(state, &p, now);
	pending_store_put(state, &p);
	return store_rc(state);
}

static enum rc
refresh(struct store_tx *state, struct op *op, struct announce_join *j,
    struct Rec__PendingHost *p)
{
	int64_t now = clock_now_ms();
	struct ulid id;

	if (!pb_id_get(&p->id, &id) || (j->proven && !ulid_eq(&id, &j->id)))
		return store_fail(state, RC_BUSY,
		    "this key announced itself twice at once; try again");
	j->id = id;
	j->state = p->state;
	p->last_seen_at_ms = now;
	if (p->state == REC__PENDING_STATE__PENDING_WAITING)
		p->expires_at_ms = now + PENDING_EXPIRES_MS;
	if (p->state == REC__PENDING_STATE__PENDING_WAITING && j->proven) {
		put_facts(p, &j->facts);
		p->address = op->actor.address;
	}
	j->expires_at_ms = p->expires_at_ms;
	j->collision = pending_store_collides(state, p, now);
	pending_store_put(state, p);
	return store_rc(state);
}

enum rc
announce_join_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct announce_join *j = op->in;
	int64_t now = clock_now_ms();
	struct Rec__PendingHost *p = find(state, j->facts.key, now);

	(void)vault;
	op->out = j;
	if (store_rc(state) != RC_OK)
		return store_rc(state);
	return p == NULL ? put_new(state, op, j, now)
	                 : refresh(state, op, j, p);
}

struct op *
announce_join_new(const struct announce_facts *f, const struct ulid *id,
    bool proven)
{
	struct op *op = op_new(announce_join_op, NULL, NULL);
	struct announce_join *j = arena_alloc(&op->arena, sizeof(*j));

	ASSERT(j != NULL); /* the op's arena is empty */
	memset(j, 0, sizeof(*j));
	memcpy(j->facts.key, f->key, sizeof(j->facts.key));
	j->facts.hostname = arena_dup(&op->arena, f->hostname);
	j->facts.os = arena_dup(&op->arena, f->os);
	j->facts.arch = arena_dup(&op->arena, f->arch);
	j->facts.agent_version = arena_dup(&op->arena, f->agent_version);
	j->facts.restic_version = arena_dup(&op->arena, f->restic_version);
	j->id = *id;
	j->proven = proven;
	op->in = j;
	return op;
}

/* ------------------------------------------------------------------ audit */

static void
audit(struct store_tx *state, const struct op *op, const char *action,
    const struct Rec__PendingHost *p)
{
	bool made = p->host_id.len > 0;
	char id[ULID_TEXT_CAP] = "", fingerprint[KEYPROOF_TEXT_CAP] = "";
	struct ulid pending = { { 0 } }, target;
	struct json_doc doc;

	if (pb_id_get(&p->id, &pending))
		ulid_text(&pending, id);
	if (!made || !pb_id_get(&p->host_id, &target))
		target = pending;
	if (p->fingerprint.len == CRYPT_HASH_SIZE)
		keyproof_text(p->fingerprint.data, fingerprint);
	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "pending_id", id);
	json_put(&doc.j, "fingerprint", fingerprint);
	json_put(&doc.j, "os", p->os);
	json_put(&doc.j, "arch", p->arch);
	json_put(&doc.j, "announced_from_ip", p->address);
	op_audit(state, op, action, made ? "host" : "pending_host", &target,
	    p->hostname, json_doc_end(&doc));
	json_doc_fini(&doc);
}

static void
audit_enrolled(struct store_tx *state, const struct op *op,
    const struct Rec__Host *h, bool has_repo, bool repeated)
{
	struct json_doc doc;
	struct ulid id;

	if (!pb_id_get(&h->id, &id))
		return;
	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "hostname", h->reported_name);
	json_put(&doc.j, "os", h->os);
	json_put(&doc.j, "arch", h->arch);
	json_put_bool(&doc.j, "has_repo_creds", has_repo);
	json_put_bool(&doc.j, "repeated", repeated);
	op_audit(state, op, "host.enrolled", "host", &id, h->name,
	    json_doc_end(&doc));
	json_doc_fini(&doc);
}

/* ---------------------------------------------------------------- handing over */

enum rc
announce_handover_op(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	struct announce_handover *o = op->in;
	struct Rec__PendingHost *p = find(state, o->key, clock_now_ms());
	const struct Rec__HostSecrets *s;
	const struct Rec__Host *h;
	bool has_repo, repeated;

	op->out = o;
	if (p == NULL || p->state != REC__PENDING_STATE__PENDING_ACCEPTED ||
	    !pb_id_get(&p->host_id, &o->host))
		return store_fail(state, RC_GONE,
		    "this host is no longer accepted");
	h = host_store_get(state, &o->host);
	s = vault_find_host(vault, &o->host);
	if (h == NULL || s == NULL)
		return store_fail(state, RC_GONE, "the host was deleted");
	repeated = s->bearer_hash.len > 0;
	if (host_make_bearer(vault, &o->host, o->bearer, &has_repo))
		audit_enrolled(state, op, h, has_repo, repeated);
	return store_rc(state);
}

void
announce_heard(struct store_tx *state, const struct ulid *host)
{
	const struct Rec__PendingHost *p = pending_store_find_host(state, host);
	struct ulid id;

	if (p != NULL && pb_id_get(&p->id, &id))
		pending_store_del(state, &id);
}

/* ------------------------------------------------------------------ deciding */

/* A row that may be decided about; NULL: the reason is the sticky error. */
static struct Rec__PendingHost *
undecided(struct store_tx *state, const struct ulid *id)
{
	struct Rec__PendingHost *p = pending_store_find(state, id);

	if (p == NULL)
		store_fail(state, RC_NOTFOUND,
		    "there is no such pending host; it may have expired");
	else if (p->state == REC__PENDING_STATE__PENDING_ACCEPTED)
		store_fail_code(state, RC_CONFLICT, "already_accepted",
		    "%s was accepted already", p->hostname);
	else if (p->state == REC__PENDING_STATE__PENDING_REJECTED)
		store_fail_code(state, RC_GONE, "rejected",
		    "%s was rejected already", p->hostname);
	else if (!pending_store_waits(p, clock_now_ms()))
		store_fail_code(state, RC_GONE, "expired",
		    "%s waited for an hour and has expired; announce it again",
		    p->hostname);
	return store_rc(state) == RC_OK ? p : NULL;
}

static void
make(struct store_tx *state, struct store_tx *vault,
    const struct Rec__PendingHost *p, const struct announce_decide *d)
{
	const struct host_make m = { .id = &d->host,
		.name = p->hostname,
		.reported_name = p->hostname,
		.os = p->os,
		.arch = p->arch,
		.agent_version = p->agent_version,
		.restic_version = p->restic_version,
		.repo_url = d->repo_url,
		.repo_username = d->repo_username,
		.sealed_repo = d->sealed_repo };

	host_make(state, vault, &m);
}

enum rc
announce_accept_op(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	struct announce_decide *d = op->in;
	struct Rec__PendingHost *p = undecided(state, &d->pending);

	op->out = d;
	if (p == NULL)
		return store_rc(state);
	if (!d->allow_duplicate &&
	    host_store_find_name(state, str_of(p->hostname)) != NULL)
		return store_fail_code(state, RC_CONFLICT, "duplicate_hostname",
		    "there is a host named %s already; set allow_duplicate to "
		    "add another one",
		    p->hostname);
	make(state, vault, p, d);
	p->state = REC__PENDING_STATE__PENDING_ACCEPTED;
	p->host_id = pb_id(&d->host);
	pending_store_put(state, p);
	audit(state, op, "host.accept_pending", p);
	d->name = arena_dup(&op->arena, p->hostname);
	return store_rc(state);
}

enum rc
announce_reject_op(struct store_tx *state, struct store_tx *vault,
    struct op *op)
{
	struct announce_decide *d = op->in;
	struct Rec__PendingHost *p = undecided(state, &d->pending);

	(void)vault;
	op->out = d;
	if (p == NULL)
		return store_rc(state);
	/* Kept a while, so that an agent that is away now is told as well. */
	p->state = REC__PENDING_STATE__PENDING_REJECTED;
	p->expires_at_ms = clock_now_ms() + PENDING_EXPIRES_MS;
	pending_store_put(state, p);
	audit(state, op, "host.reject_pending", p);
	d->name = arena_dup(&op->arena, p->hostname);
	return store_rc(state);
}

enum rc
announce_sweep_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	size_t *n = op->out;

	(void)vault;
	*n = pending_store_sweep(state, clock_now_ms());
	return store_rc(state);
}
