/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/store_impl.h"
#include "lib/store/vault_own.h"

struct Rec__EnrolToken *
vault_find_token(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct key k;

	vault_hash_key(&k, hash);
	return table_find(tx, TB_TOKEN, &k, &rec__enrol_token__descriptor);
}

void
vault_del_token(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct Rec__EnrolToken *t = vault_find_token(tx, hash);
	struct key k;

	if (t == NULL)
		return;
	vault_expiry_set(tx, VAULT_EXPIRY_TOKEN, t->expires_at_ms, hash, false);
	vault_hash_key(&k, hash);
	table_del(tx, TB_TOKEN, &k);
}

void
vault_put_token(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t)
{
	struct Rec__EnrolToken *old = vault_find_token(tx, hash);
	struct key k;

	if (old != NULL && old->expires_at_ms != t->expires_at_ms)
		vault_expiry_set(tx, VAULT_EXPIRY_TOKEN, old->expires_at_ms,
		    hash, false);
	vault_expiry_set(tx, VAULT_EXPIRY_TOKEN, t->expires_at_ms, hash, true);
	vault_hash_key(&k, hash);
	table_put_record(tx, TB_TOKEN, &k, &t->base);
}

void
vault_each_token(struct store_tx *tx, vault_token_fn *fn, void *ctx)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct Rec__EnrolToken *t;
	struct table_scan sc;

	table_scan_init(&sc, tx, TB_TOKEN, NULL, SCAN_UP);
	while (
	    (t = table_scan_record(&sc, &rec__enrol_token__descriptor)) != NULL)
		if (!vault_hash_tail(tx, TB_TOKEN, &sc.at, hash) ||
		    !fn(ctx, hash, t))
			break;
	table_scan_fini(&sc);
}
