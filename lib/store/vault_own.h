/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_VAULT_OWN_H
#define LIB_STORE_VAULT_OWN_H
/* What the files of the vault share: its keys. */
#include "lib/store/table.h"
#include "lib/store/vault_store.h"

struct key;

/* What the expiry table leads to. */
enum vault_expiry {
	VAULT_EXPIRY_SESSION,
	VAULT_EXPIRY_TOKEN
};

void vault_hash_key(struct key *k, const uint8_t hash[CRYPT_HASH_SIZE]);
/* n 0: the prefix of the kind. */
void vault_ticket_key(struct key *k, enum vault_ticket kind, const void *p,
    size_t n);
/* The hash at the end of an index key.  False: damaged, and tx says so. */
bool vault_hash_tail(struct store_tx *tx, enum table t, const struct key *k,
    uint8_t out[CRYPT_HASH_SIZE]);
/* Puts, or takes away, the row that lets vault_sweep() find it. */
void vault_expiry_set(struct store_tx *tx, enum vault_expiry kind,
    int64_t expires_ms, const uint8_t hash[CRYPT_HASH_SIZE], bool put);
/* Ends the user's oldest sessions until at most max are left (max 0: all
 * of them); user is a key with the user's id. */
void vault_end_oldest(struct store_tx *tx, const struct key *user, size_t max);
#endif
