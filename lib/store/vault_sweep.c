/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/store/store_impl.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_own.h"

/* How long a row outlives its end. */
struct expiry_info {
	enum table rows;
	int64_t grace_ms;
};
static const struct expiry_info expiries[] = {
	[VAULT_EXPIRY_SESSION] = { TB_SESSION, 0 },
	[VAULT_EXPIRY_TOKEN] = { TB_TOKEN, 86400000 },
};

/* due, kind, hash: the sweep reads it from the front. */
static void
expiry_key(struct key *k, enum vault_expiry kind, int64_t expires_ms,
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

void
vault_expiry_set(struct store_tx *tx, enum vault_expiry kind,
    int64_t expires_ms, const uint8_t hash[CRYPT_HASH_SIZE], bool put)
{
	struct key k;

	expiry_key(&k, kind, expires_ms, hash);
	if (put)
		table_put(tx, TB_EXPIRY, &k, STR(""));
	else
		table_del(tx, TB_EXPIRY, &k);
}

/* A row of the expiry table: ends what it names. */
static void
end_expired(struct store_tx *tx, const struct key *row)
{
	uint8_t hash[CRYPT_HASH_SIZE];

	if (!vault_hash_tail(tx, TB_EXPIRY, row, hash))
		return;
	if (row->b[8] == VAULT_EXPIRY_SESSION)
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

	key_of_id(&k, id);
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

/* The state's half of the latest change was never committed: it was refused, and
 * the one before it is good. */
static void
reconcile_password(struct reconcile *r, const struct ulid *user)
{
	const struct Rec__Password *p = vault_find_password(r->vault, user);
	const struct Rec__User *u = user_store_find(r->state, user);
	struct Rec__Password before = REC__PASSWORD__INIT;
	struct key k;

	if (p == NULL || u == NULL || p->number != u->password_number + 1)
		return;
	key_of_id(&k, user);
	before.argon2id = p->was;
	before.must_change = p->must_change;
	before.number = u->password_number;
	if (p->was[0] != '\0')
		table_put_record(r->vault, TB_PASSWORD, &k, &before.base);
	else if (p->number == 1 && u->setup_pending) /* the first one */
		table_del(r->vault, TB_PASSWORD, &k);
	else
		return;
	r->removed++;
}

static void
reconcile_passwords(struct reconcile *r)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid id;

	table_scan_init(&sc, r->vault, TB_PASSWORD, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value) &&
	       key_id_at(r->vault, TB_PASSWORD, key, 0, &id))
		reconcile_password(r, &id);
	table_scan_fini(&sc);
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
		key_of_id(&k, &id);
		vault_end_oldest(r->vault, &k, 0);
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

	vault_ticket_key(&prefix, kind, NULL, 0);
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
	r.removed += vault_sweep_hooks(state, vault);
	reconcile_users(&r, TB_PASSWORD);
	reconcile_users(&r, TB_SESSION_USER);
	reconcile_passwords(&r);
	reconcile_tickets(&r, VAULT_API_TOKEN, TB_API_TOKEN);
	reconcile_tickets(&r, VAULT_SETUP, TB_USER);
	return r.removed;
}
