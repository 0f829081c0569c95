/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/store/store_impl.h"
#include "lib/store/vault_own.h"

void
vault_hash_key(struct key *k, const uint8_t hash[CRYPT_HASH_SIZE])
{
	*k = (struct key){ 0 };
	key_bytes(k, hash, CRYPT_HASH_SIZE);
}

void
vault_ticket_key(struct key *k, enum vault_ticket kind, const void *p, size_t n)
{
	*k = (struct key){ 0 };
	key_u8(k, (uint8_t)kind);
	key_bytes(k, p, n);
}

bool
vault_hash_tail(struct store_tx *tx, enum table t, const struct key *k,
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

struct Rec__Password *
vault_find_password(struct store_tx *tx, const struct ulid *user)
{
	struct key k;

	key_of_id(&k, user);
	return table_find(tx, TB_PASSWORD, &k, &rec__password__descriptor);
}

uint32_t
vault_put_password(struct store_tx *tx, const struct ulid *user,
    const struct Rec__Password *p)
{
	const struct Rec__Password *old = vault_find_password(tx, user);
	struct Rec__Password row = *p;
	struct key k;

	row.number = old != NULL ? old->number + 1 : 1;
	if (old != NULL)
		row.was = old->argon2id;
	key_of_id(&k, user);
	table_put_record(tx, TB_PASSWORD, &k, &row.base);
	return row.number;
}

void
vault_settle_password(struct store_tx *tx, const struct ulid *user)
{
	const struct Rec__Password *p = vault_find_password(tx, user);
	struct Rec__Password row;
	char none[] = "";
	struct key k;

	if (p == NULL || p->was[0] == '\0')
		return;
	row = *p;
	row.was = none;
	key_of_id(&k, user);
	table_put_record(tx, TB_PASSWORD, &k, &row.base);
}

void
vault_put_ticket(struct store_tx *tx, enum vault_ticket kind,
    const struct ulid *owner, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct key k;

	vault_del_ticket(tx, kind, owner);
	vault_ticket_key(&k, kind, hash, CRYPT_HASH_SIZE);
	table_put(tx, TB_TICKET, &k, str_from(owner->b, sizeof(owner->b)));
	vault_ticket_key(&k, kind, owner->b, sizeof(owner->b));
	table_put(tx, TB_TICKET_OWNER, &k, str_from(hash, CRYPT_HASH_SIZE));
}

void
vault_del_ticket(struct store_tx *tx, enum vault_ticket kind,
    const struct ulid *owner)
{
	struct key by_owner, by_hash;
	struct str hash;

	vault_ticket_key(&by_owner, kind, owner->b, sizeof(owner->b));
	if (!table_peek(tx, TB_TICKET_OWNER, &by_owner, &hash))
		return;
	if (hash.n == CRYPT_HASH_SIZE) {
		vault_ticket_key(&by_hash, kind, hash.p, hash.n);
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

	vault_ticket_key(&k, kind, hash, CRYPT_HASH_SIZE);
	return table_peek(tx, TB_TICKET, &k, &value) &&
	       key_id_at(tx, TB_TICKET, value, KEY_TAIL, out);
}

struct Rec__HostSecrets *
vault_find_host(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	key_of_id(&k, host);
	return table_find(tx, TB_HOST_SECRETS, &k,
	    &rec__host_secrets__descriptor);
}

/* An empty hash is none; any other length than a hash's is invalid. */
static bool
bearer_key(struct key *k, const ProtobufCBinaryData *hash)
{
	if (hash->len != CRYPT_HASH_SIZE)
		return false;
	vault_hash_key(k, hash->data);
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
	key_of_id(&k, host);
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
	vault_del_hooks_of(tx, host);
	if (h == NULL)
		return;
	forget_bearers(tx, h);
	key_of_id(&k, host);
	table_del(tx, TB_HOST_SECRETS, &k);
}

bool
vault_host_of_bearer(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    struct ulid *out)
{
	struct str value;
	struct key k;

	vault_hash_key(&k, hash);
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
