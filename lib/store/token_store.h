/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_TOKEN_STORE_H
#define LIB_STORE_TOKEN_STORE_H
/*
 * API tokens as pages show them; their hashes are in the vault.
 * Keys: token id | user id, token id.
 */
#include "lib/store/store.h"

struct Rec__ApiToken *token_store_find(struct store_tx *tx,
    const struct ulid *id);
/* The user of a token never changes. */
void token_store_put(struct store_tx *tx, const struct Rec__ApiToken *t);
void token_store_del(struct store_tx *tx, const struct ulid *id);

/* Newest first, of one user, or of all when user is NULL; false ends it.
 * The record lives in the transaction's arena. */
typedef bool token_store_fn(void *ctx, struct Rec__ApiToken *t);
void token_store_each(struct store_tx *tx, const struct ulid *user,
    token_store_fn *fn, void *ctx);
#endif
