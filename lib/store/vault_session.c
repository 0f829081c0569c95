/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/store/store_impl.h"
#include "lib/store/vault_own.h"

struct Rec__Session *
vault_find_session(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct key k;

	vault_hash_key(&k, hash);
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
	key_of_id(k, &user);
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
	vault_expiry_set(tx, VAULT_EXPIRY_SESSION, s->expires_at_ms, hash,
	    false);
	vault_hash_key(&k, hash);
	table_del(tx, TB_SESSION, &k);
}

/* The next of a walk over a user's; false: there is none. */
static bool
next_session(struct table_scan *sc, uint8_t hash[CRYPT_HASH_SIZE])
{
	struct str key, value;

	return table_scan_next(sc, &key, &value) &&
	       vault_hash_tail(sc->tx, TB_SESSION_USER, &sc->at, hash);
}

void
vault_end_oldest(struct store_tx *tx, const struct key *user, size_t max)
{
	uint64_t n = table_count_below(tx, TB_SESSION_USER, user);
	uint8_t hash[CRYPT_HASH_SIZE];
	struct table_scan sc;

	table_scan_init(&sc, tx, TB_SESSION_USER, user, SCAN_UP);
	for (; n > max && next_session(&sc, hash); n--)
		vault_del_session(tx, hash);
	table_scan_fini(&sc);
}

void
vault_put_session(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__Session *s, size_t max)
{
	struct key k, by_user, user;

	if (!session_user_key(&by_user, s, hash)) {
		store_fail(tx, RC_INVALID, "a session needs a user");
		return;
	}
	vault_del_session(tx, hash);
	vault_hash_key(&k, hash);
	table_put_record(tx, TB_SESSION, &k, &s->base);
	vault_expiry_set(tx, VAULT_EXPIRY_SESSION, s->expires_at_ms, hash,
	    true);
	table_put(tx, TB_SESSION_USER, &by_user, STR(""));
	user = by_user;
	user.n = sizeof(struct ulid);
	vault_end_oldest(tx, &user, max);
}

size_t
vault_end_sessions(struct store_tx *tx, const struct ulid *user,
    const uint8_t *keep)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct table_scan sc;
	struct key prefix;
	size_t n = 0;

	key_of_id(&prefix, user);
	table_scan_init(&sc, tx, TB_SESSION_USER, &prefix, SCAN_UP);
	while (next_session(&sc, hash)) {
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
	struct key prefix;
	size_t n = 0;

	key_of_id(&prefix, user);
	table_scan_init(&sc, tx, TB_SESSION_USER, &prefix, SCAN_UP);
	while (next_session(&sc, hash)) {
		s = vault_find_session(tx, hash);
		n += s != NULL && s->expires_at_ms > now_ms;
	}
	table_scan_fini(&sc);
	return n;
}
