/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/pending_store.h"

#include "lib/base/arena.h"
#include "lib/store/host_store.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

static bool
public_key(struct key *k, const struct Rec__PendingHost *p)
{
	if (p->public_key.len != CRYPT_SIGN_PUBLIC_SIZE)
		return false;
	*k = (struct key){ 0 };
	key_bytes(k, p->public_key.data, p->public_key.len);
	return true;
}

struct Rec__PendingHost *
pending_store_find(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	return table_find(tx, TB_PENDING, &k, &rec__pending_host__descriptor);
}

static struct Rec__PendingHost *
behind_index(struct store_tx *tx, enum table t, const struct key *k)
{
	struct str value;
	struct ulid id;

	if (!table_peek(tx, t, k, &value) ||
	    !key_id_at(tx, t, value, KEY_TAIL, &id))
		return NULL;
	return pending_store_find(tx, &id);
}

struct Rec__PendingHost *
pending_store_find_key(struct store_tx *tx,
    const uint8_t key[CRYPT_SIGN_PUBLIC_SIZE])
{
	struct key k = { 0 };

	key_bytes(&k, key, CRYPT_SIGN_PUBLIC_SIZE);
	return behind_index(tx, TB_PENDING_KEY, &k);
}

struct Rec__PendingHost *
pending_store_find_host(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	key_of_id(&k, host);
	return behind_index(tx, TB_PENDING_HOST, &k);
}

void
pending_store_put(struct store_tx *tx, const struct Rec__PendingHost *p)
{
	struct Rec__PendingHost *old;
	struct ulid id, host, other;
	struct key k, by_key;

	if (!key_id_field(&p->id, &id) || !public_key(&by_key, p)) {
		store_fail(tx, RC_INVALID,
		    "a pending host needs an id and a public key");
		return;
	}
	old = behind_index(tx, TB_PENDING_KEY, &by_key);
	if (old != NULL && key_id_field(&old->id, &other) &&
	    !ulid_eq(&other, &id)) {
		store_fail(tx, RC_CONFLICT,
		    "this public key belongs to another pending host");
		return;
	}
	table_put(tx, TB_PENDING_KEY, &by_key, str_from(id.b, sizeof(id.b)));
	if (key_id_field(&p->host_id, &host)) {
		key_of_id(&k, &host);
		table_put(tx, TB_PENDING_HOST, &k,
		    str_from(id.b, sizeof(id.b)));
	}
	key_of_id(&k, &id);
	if (table_put_record(tx, TB_PENDING, &k, &p->base))
		store_bump(tx, VER_HOSTS);
}

void
pending_store_del(struct store_tx *tx, const struct ulid *id)
{
	struct Rec__PendingHost *p = pending_store_find(tx, id);
	struct ulid host;
	struct key k;

	if (p == NULL)
		return;
	if (public_key(&k, p))
		table_del(tx, TB_PENDING_KEY, &k);
	if (key_id_field(&p->host_id, &host)) {
		key_of_id(&k, &host);
		table_del(tx, TB_PENDING_HOST, &k);
	}
	key_of_id(&k, id);
	table_del(tx, TB_PENDING, &k);
	store_bump(tx, VER_HOSTS);
}

void
pending_store_each(struct store_tx *tx, pending_store_fn *fn, void *ctx)
{
	struct Rec__PendingHost *p;
	struct table_scan sc;

	table_scan_init(&sc, tx, TB_PENDING, NULL, SCAN_UP);
	while ((p = table_scan_record(&sc, &rec__pending_host__descriptor)) !=
	       NULL)
		if (!fn(ctx, p))
			break;
	table_scan_fini(&sc);
}

bool
pending_store_waits(const struct Rec__PendingHost *p, int64_t now_ms)
{
	return p->state == REC__PENDING_STATE__PENDING_WAITING &&
	       p->expires_at_ms > now_ms;
}

struct count {
	int64_t now_ms;
	size_t n;
};

static bool
pending_on_count(void *ctx, const struct Rec__PendingHost *p)
{
	struct count *c = ctx;

	c->n += pending_store_waits(p, c->now_ms);
	return true;
}

size_t
pending_store_waiting(struct store_tx *tx, int64_t now_ms)
{
	struct count c = { now_ms, 0 };

	pending_store_each(tx, pending_on_count, &c);
	return c.n;
}

struct twin {
	const struct Rec__PendingHost *of;
	int64_t now_ms;
	bool found;
};

static bool
pending_on_twin(void *ctx, const struct Rec__PendingHost *p)
{
	struct twin *t = ctx;

	t->found = pending_store_waits(p, t->now_ms) &&
	           str_case_eq(str_of(p->hostname), str_of(t->of->hostname)) &&
	           !str_eq(str_from(p->public_key.data, p->public_key.len),
	               str_from(t->of->public_key.data, t->of->public_key.len));
	return !t->found;
}

bool
pending_store_collides(struct store_tx *tx, const struct Rec__PendingHost *p,
    int64_t now_ms)
{
	struct twin t = { p, now_ms, false };

	if (host_store_find_name(tx, str_of(p->hostname)) != NULL)
		return true;
	pending_store_each(tx, pending_on_twin, &t);
	return t.found;
}

struct sweep {
	struct store_tx *tx;
	int64_t now_ms;
	size_t n;
};

static bool
is_over(struct sweep *s, const struct Rec__PendingHost *p)
{
	struct ulid host;

	if (p->state != REC__PENDING_STATE__PENDING_ACCEPTED)
		return p->expires_at_ms <= s->now_ms;
	return !key_id_field(&p->host_id, &host) ||
	       host_store_find(s->tx, &host) == NULL;
}

static bool
pending_on_sweep(void *ctx, const struct Rec__PendingHost *p)
{
	struct sweep *s = ctx;
	struct ulid id;

	if (is_over(s, p) && store_usable(s->tx) && key_id_field(&p->id, &id)) {
		pending_store_del(s->tx, &id);
		s->n++;
	}
	return true;
}

size_t
pending_store_sweep(struct store_tx *tx, int64_t now_ms)
{
	struct sweep s = { tx, now_ms, 0 };

	pending_store_each(tx, pending_on_sweep, &s);
	return s.n;
}
