/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/vault_store.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

/* What the expiry table leads to, and how long a row outlives its end. */
enum expiry_kind {
	EXPIRY_SESSION,
	EXPIRY_TOKEN
};
struct expiry_info {
	enum table rows;
	int64_t grace_ms;
};
static const struct expiry_info expiries[] = {
	[EXPIRY_SESSION] = { TB_SESSION, 0 },
	[EXPIRY_TOKEN] = { TB_TOKEN, 86400000 },
};

static void
id_key(struct key *k, const struct ulid *id)
{
	*k = (struct key){ 0 };
	key_ulid(k, id);
}

static void
hash_key(struct key *k, const uint8_t hash[CRYPT_HASH_SIZE])
{
	*k = (struct key){ 0 };
	key_bytes(k, hash, CRYPT_HASH_SIZE);
}

static void
put_record(struct store_tx *tx, enum table t,
    const uint8_t hash[CRYPT_HASH_SIZE], const ProtobufCMessage *m)
{
	struct key k;

	hash_key(&k, hash);
	table_put_record(tx, t, &k, m);
}

/* due, kind, hash: the sweep reads it from the front. */
static void
expiry_key(struct key *k, enum expiry_kind kind, int64_t expires_ms,
    const uint8_t hash[CRYPT_HASH_SIZE])
{
	int64_t due = INT64_MAX;

	if (expires_ms <= INT64_MAX - expiries[kind].grace_ms)
		due = expires_ms + expiries[kind].grace_ms;
	*k = (struct key){ 0 };
	key_u64(k, due < 0 ? 0 : (uint64_t)due);
	key_u8(k, (uint8_t)kind);
	key_bytes(k, hash, CRYPT_HASH_SIZE);
}

static void
expiry_set(struct store_tx *tx, enum expiry_kind kind, int64_t expires_ms,
    const uint8_t hash[CRYPT_HASH_SIZE], bool put)
{
	struct key k;

	expiry_key(&k, kind, expires_ms, hash);
	if (put)
		table_put(tx, TB_EXPIRY, &k, STR(""));
	else
		table_del(tx, TB_EXPIRY, &k);
}

struct Rec__Password *
vault_find_password(struct store_tx *tx, const struct ulid *user)
{
	struct key k;

	id_key(&k, user);
	return table_find(tx, TB_PASSWORD, &k, &rec__password__descriptor);
}

void
vault_put_password(struct store_tx *tx, const struct ulid *user,
    const struct Rec__Password *p)
{
	struct key k;

	id_key(&k, user);
	table_put_record(tx, TB_PASSWORD, &k, &p->base);
}

struct Rec__Session *
vault_find_session(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct key k;

	hash_key(&k, hash);
	return table_find(tx, TB_SESSION, &k, &rec__session__descriptor);
}

/* user, created, hash: a user's sessions, oldest first. */
static bool
session_user_key(struct key *k, const struct Rec__Session *s,
    const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct ulid user;

	if (!key_id_field(&s->user_id, &user))
		return false;
	id_key(k, &user);
	key_u64(k, s->created_at_ms < 0 ? 0 : (uint64_t)s->created_at_ms);
	key_bytes(k, hash, CRYPT_HASH_SIZE);
	return true;
}

void
vault_del_session(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct Rec__Session *s = vault_find_session(tx, hash);
	struct key k;

	if (s == NULL)
		return;
	if (session_user_key(&k, s, hash))
		table_del(tx, TB_SESSION_USER, &k);
	expiry_set(tx, EXPIRY_SESSION, s->expires_at_ms, hash, false);
	hash_key(&k, hash);
	table_del(tx, TB_SESSION, &k);
}

/* The hash at the end of an index key. */
static bool
hash_tail(struct store_tx *tx, enum table t, const struct key *k,
    uint8_t out[CRYPT_HASH_SIZE])
{
	if (k->n < CRYPT_HASH_SIZE) {
		store_fail(tx, RC_CORRUPT,
		    "table %s holds a bad key; restore a backup",
		    table_info(t)->name);
		return false;
	}
	memcpy(out, k->b + k->n - CRYPT_HASH_SIZE, CRYPT_HASH_SIZE);
	return true;
}

/* Ends the user's oldest sessions until at most max are left (max 0: all
 * of them); `user` is a key with the user's id. */
static void
end_oldest(struct store_tx *tx, const struct key *user, size_t max)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct table_scan sc;
	struct str key, value;
	size_t n = 0;

	table_scan_init(&sc, tx, TB_SESSION_USER, user, SCAN_UP);
	while (table_scan_next(&sc, &key, &value))
		n++;
	table_scan_init(&sc, tx, TB_SESSION_USER, user, SCAN_UP);
	while (n > max && table_scan_next(&sc, &key, &value)) {
		if (!hash_tail(tx, TB_SESSION_USER, &sc.at, hash))
			break;
		vault_del_session(tx, hash);
		n--;
	}
	table_scan_fini(&sc);
}

void
vault_put_session(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__Session *s, size_t max)
{
	struct key by_user, user;

	if (!session_user_key(&by_user, s, hash)) {
		store_fail(tx, RC_INVALID, "a session needs a user");
		return;
	}
	vault_del_session(tx, hash);
	put_record(tx, TB_SESSION, hash, &s->base);
	expiry_set(tx, EXPIRY_SESSION, s->expires_at_ms, hash, true);
	table_put(tx, TB_SESSION_USER, &by_user, STR(""));
	user = by_user;
	user.n = sizeof(struct ulid);
	end_oldest(tx, &user, max);
}

size_t
vault_end_sessions(struct store_tx *tx, const struct ulid *user,
    const uint8_t *keep)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	size_t n = 0;

	id_key(&prefix, user);
	table_scan_init(&sc, tx, TB_SESSION_USER, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		if (!hash_tail(tx, TB_SESSION_USER, &sc.at, hash))
			break;
		if (keep != NULL && memcmp(hash, keep, sizeof(hash)) == 0)
			continue;
		vault_del_session(tx, hash);
		n++;
	}
	table_scan_fini(&sc);
	return n;
}

size_t
vault_count_sessions(struct store_tx *tx, const struct ulid *user,
    int64_t now_ms)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct Rec__Session *s;
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	size_t n = 0;

	id_key(&prefix, user);
	table_scan_init(&sc, tx, TB_SESSION_USER, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		if (!hash_tail(tx, TB_SESSION_USER, &sc.at, hash))
			break;
		s = vault_find_session(tx, hash);
		n += s != NULL && s->expires_at_ms > now_ms;
	}
	table_scan_fini(&sc);
	return n;
}

struct Rec__EnrolToken *
vault_find_token(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct key k;

	hash_key(&k, hash);
	return table_find(tx, TB_TOKEN, &k, &rec__enrol_token__descriptor);
}

void
vault_del_token(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct Rec__EnrolToken *t = vault_find_token(tx, hash);
	struct key k;

	if (t == NULL)
		return;
	expiry_set(tx, EXPIRY_TOKEN, t->expires_at_ms, hash, false);
	hash_key(&k, hash);
	table_del(tx, TB_TOKEN, &k);
}

void
vault_put_token(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t)
{
	struct Rec__EnrolToken *old = vault_find_token(tx, hash);

	if (old != NULL && old->expires_at_ms != t->expires_at_ms)
		expiry_set(tx, EXPIRY_TOKEN, old->expires_at_ms, hash, false);
	expiry_set(tx, EXPIRY_TOKEN, t->expires_at_ms, hash, true);
	put_record(tx, TB_TOKEN, hash, &t->base);
}

void
vault_each_token(struct store_tx *tx, vault_token_fn *fn, void *ctx)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct Rec__EnrolToken *t;
	struct table_scan sc;
	struct str key, value;

	table_scan_init(&sc, tx, TB_TOKEN, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		t = table_unpack(tx, TB_TOKEN, value,
		    &rec__enrol_token__descriptor);
		if (t == NULL || !hash_tail(tx, TB_TOKEN, &sc.at, hash) ||
		    !fn(ctx, hash, t))
			break;
	}
	table_scan_fini(&sc);
}

static void
ticket_key(struct key *k, enum vault_ticket kind, const void *p, size_t n)
{
	*k = (struct key){ 0 };
	key_u8(k, (uint8_t)kind);
	key_bytes(k, p, n);
}

void
vault_put_ticket(struct store_tx *tx, enum vault_ticket kind,
    const struct ulid *owner, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct key k;

	vault_del_ticket(tx, kind, owner);
	ticket_key(&k, kind, hash, CRYPT_HASH_SIZE);
	table_put(tx, TB_TICKET, &k, str_from(owner->b, sizeof(owner->b)));
	ticket_key(&k, kind, owner->b, sizeof(owner->b));
	table_put(tx, TB_TICKET_OWNER, &k, str_from(hash, CRYPT_HASH_SIZE));
}

void
vault_del_ticket(struct store_tx *tx, enum vault_ticket kind,
    const struct ulid *owner)
{
	struct key by_owner, by_hash;
	struct str hash;

	ticket_key(&by_owner, kind, owner->b, sizeof(owner->b));
	if (!table_peek(tx, TB_TICKET_OWNER, &by_owner, &hash))
		return;
	if (hash.n == CRYPT_HASH_SIZE) {
		ticket_key(&by_hash, kind, hash.p, hash.n);
		table_del(tx, TB_TICKET, &by_hash);
	}
	table_del(tx, TB_TICKET_OWNER, &by_owner);
}

bool
vault_owner_of_ticket(struct store_tx *tx, enum vault_ticket kind,
    const uint8_t hash[CRYPT_HASH_SIZE], struct ulid *out)
{
	struct str value;
	struct key k;

	ticket_key(&k, kind, hash, CRYPT_HASH_SIZE);
	return table_peek(tx, TB_TICKET, &k, &value) &&
	       key_id_at(tx, TB_TICKET, value, KEY_TAIL, out);
}

struct Rec__HostSecrets *
vault_find_host(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	id_key(&k, host);
	return table_find(tx, TB_HOST_SECRETS, &k,
	    &rec__host_secrets__descriptor);
}

/* An empty hash is none; any other length than a hash's is invalid. */
static bool
bearer_key(struct key *k, const ProtobufCBinaryData *hash)
{
	if (hash->len != CRYPT_HASH_SIZE)
		return false;
	hash_key(k, hash->data);
	return true;
}

static void
index_bearer(struct store_tx *tx, const struct ulid *host,
    const ProtobufCBinaryData *hash)
{
	struct ulid holder;
	struct key k;

	if (hash->len == 0)
		return;
	if (!bearer_key(&k, hash)) {
		store_fail(tx, RC_INVALID, "a bearer's hash has %d bytes",
		    (int)CRYPT_HASH_SIZE);
		return;
	}
	if (vault_host_of_bearer(tx, hash->data, &holder) &&
	    !ulid_eq(&holder, host)) {
		store_fail(tx, RC_CONFLICT,
		    "this bearer belongs to another host");
		return;
	}
	table_put(tx, TB_BEARER, &k, str_from(host->b, sizeof(host->b)));
}

static void
forget_bearers(struct store_tx *tx, const struct Rec__HostSecrets *h)
{
	struct key k;

	if (bearer_key(&k, &h->bearer_hash))
		table_del(tx, TB_BEARER, &k);
	if (bearer_key(&k, &h->previous_bearer_hash))
		table_del(tx, TB_BEARER, &k);
}

void
vault_put_host(struct store_tx *tx, const struct ulid *host,
    const struct Rec__HostSecrets *h)
{
	struct Rec__HostSecrets *old = vault_find_host(tx, host);
	struct key k;

	if (old != NULL)
		forget_bearers(tx, old);
	index_bearer(tx, host, &h->bearer_hash);
	index_bearer(tx, host, &h->previous_bearer_hash);
	id_key(&k, host);
	table_put_record(tx, TB_HOST_SECRETS, &k, &h->base);
}

/* Tokens are few: each lives a day or so. */
struct token_search {
	struct store_tx *tx;
	const struct ulid *host;
};

static bool
vault_on_token_of_host(void *ctx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t)
{
	const struct token_search *s = ctx;
	struct ulid used;

	if (key_id_field(&t->used_host, &used) && ulid_eq(&used, s->host))
		vault_del_token(s->tx, hash);
	return true;
}

void
vault_del_host(struct store_tx *tx, const struct ulid *host)
{
	struct Rec__HostSecrets *h = vault_find_host(tx, host);
	struct token_search search = { tx, host };
	struct key k;

	vault_each_token(tx, vault_on_token_of_host, &search);
	if (h == NULL)
		return;
	forget_bearers(tx, h);
	id_key(&k, host);
	table_del(tx, TB_HOST_SECRETS, &k);
}

bool
vault_host_of_bearer(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    struct ulid *out)
{
	struct str value;
	struct key k;

	hash_key(&k, hash);
	return table_peek(tx, TB_BEARER, &k, &value) &&
	       key_id_at(tx, TB_BEARER, value, KEY_TAIL, out);
}

void
vault_each_host(struct store_tx *tx, vault_host_fn *fn, void *ctx)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid id;

	table_scan_init(&sc, tx, TB_HOST_SECRETS, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value))
		if (!key_id_at(tx, TB_HOST_SECRETS, key, KEY_TAIL, &id) ||
		    !fn(ctx, &id))
			break;
	table_scan_fini(&sc);
}

/* A row of the expiry table: ends what it names. */
static void
end_expired(struct store_tx *tx, const struct key *row)
{
	uint8_t hash[CRYPT_HASH_SIZE];

	if (!hash_tail(tx, TB_EXPIRY, row, hash))
		return;
	if (row->b[8] == EXPIRY_SESSION)
		vault_del_session(tx, hash);
	else
		vault_del_token(tx, hash);
	table_del(tx, TB_EXPIRY, row); /* also when it led nowhere */
}

size_t
vault_sweep(struct store_tx *tx, int64_t now_ms, size_t max)
{
	struct key now = { .n = 0 };
	struct table_scan sc;
	struct str key, value;
	size_t n = 0;

	key_u64(&now, now_ms < 0 ? 0 : (uint64_t)now_ms);
	table_scan_init(&sc, tx, TB_EXPIRY, NULL, SCAN_UP);
	while (n < max && table_scan_next(&sc, &key, &value) &&
	       memcmp(sc.at.b, now.b, now.n) <= 0) {
		end_expired(tx, &sc.at);
		n++;
	}
	table_scan_fini(&sc);
	return n;
}

struct reconcile {
	struct store_tx *state, *vault;
	size_t removed;
};

/* Only a read that worked says that a row is missing. */
static bool
state_lacks(const struct reconcile *r, enum table t, const struct ulid *id)
{
	struct key k;

	id_key(&k, id);
	return !table_has(r->state, t, &k) && store_usable(r->state);
}

static bool
vault_on_reconcile_host(void *ctx, const struct ulid *host)
{
	struct reconcile *r = ctx;

	if (state_lacks(r, TB_HOST, host)) {
		vault_del_host(r->vault, host);
		r->removed++;
	}
	return true;
}

/* The enrolment was lost with its host's row: the token is as before.  It
 * goes with a host that was deleted. */
static bool
vault_on_reconcile_token(void *ctx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t)
{
	struct Rec__EnrolToken unused = *t;
	struct reconcile *r = ctx;
	struct ulid host;

	if (!key_id_field(&t->used_host, &host) ||
	    !state_lacks(r, TB_HOST, &host))
		return true;
	if (!state_lacks(r, TB_HOST_GONE, &host)) {
		vault_del_token(r->vault, hash);
		r->removed++;
	} else {
		unused.used_at_ms = 0;
		unused.used_host = (ProtobufCBinaryData){ 0, NULL };
		unused.enrol_id_hash = (ProtobufCBinaryData){ 0, NULL };
		vault_put_token(r->vault, hash, &unused);
		r->removed++;
	}
	return true;
}

/* Rows of a table whose keys begin with a user's id. */
static void
reconcile_users(struct reconcile *r, enum table t)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid id;
	struct key k;

	table_scan_init(&sc, r->vault, t, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		if (!key_id_at(r->vault, t, key, 0, &id))
			break;
		if (!state_lacks(r, TB_USER, &id))
			continue;
		id_key(&k, &id);
		end_oldest(r->vault, &k, 0);
		table_del(r->vault, TB_PASSWORD, &k);
		r->removed++;
	}
	table_scan_fini(&sc);
}

static void
reconcile_tickets(struct reconcile *r, enum vault_ticket kind,
    enum table owners)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	struct ulid id;

	ticket_key(&prefix, kind, NULL, 0);
	table_scan_init(&sc, r->vault, TB_TICKET_OWNER, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		if (!key_id_at(r->vault, TB_TICKET_OWNER, key, KEY_TAIL, &id))
			break;
		if (!state_lacks(r, owners, &id))
			continue;
		vault_del_ticket(r->vault, kind, &id);
		r->removed++;
	}
	table_scan_fini(&sc);
}

size_t
vault_reconcile(struct store_tx *state, struct store_tx *vault)
{
	struct reconcile r = { state, vault, 0 };

	/* Tokens first: deleting a host deletes the tokens it used. */
	vault_each_token(vault, vault_on_reconcile_token, &r);
	vault_each_host(vault, vault_on_reconcile_host, &r);
	reconcile_users(&r, TB_PASSWORD);
	reconcile_users(&r, TB_SESSION_USER);
	reconcile_tickets(&r, VAULT_API_TOKEN, TB_API_TOKEN);
	reconcile_tickets(&r, VAULT_SETUP, TB_USER);
	return r.removed;
}
