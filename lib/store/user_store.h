/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_USER_STORE_H
#define LIB_STORE_USER_STORE_H
/* People who sign in.  Keys: user id | lower-case name -> id. */
#include "lib/store/store.h"

struct Rec__User *user_store_get(struct store_tx *tx, const struct ulid *id);
struct Rec__User *user_store_find(struct store_tx *tx, const struct ulid *id);
struct Rec__User *user_store_find_name(struct store_tx *tx, struct str name);
/* RC_CONFLICT when another user has the name. */
void user_store_put(struct store_tx *tx, const struct Rec__User *u);
/* By name; false ends it.  The record lives in the transaction's arena. */
typedef bool user_store_fn(void *ctx, struct Rec__User *u);
void user_store_each(struct store_tx *tx, user_store_fn *fn, void *ctx);
uint64_t user_store_count(struct store_tx *tx);
#endif
