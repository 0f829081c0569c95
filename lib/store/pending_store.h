/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_PENDING_STORE_H
#define LIB_STORE_PENDING_STORE_H
/*
 * Announced hosts: waiting for an administrator, accepted but not heard of
 * yet, or rejected and still to be told.
 * Keys: pending id | index by public key | index by the host made of it.
 */
#include "lib/base/crypt.h"
#include "lib/store/store.h"

enum {
	PENDING_MAX = 100, /* that wait */
	PENDING_EXPIRES_MS = 3600000
};

struct Rec__PendingHost *pending_store_find(struct store_tx *tx,
    const struct ulid *id);
struct Rec__PendingHost *pending_store_find_key(struct store_tx *tx,
    const uint8_t key[CRYPT_SIGN_PUBLIC_SIZE]);
/* The accepted one that this host was made of. */
struct Rec__PendingHost *pending_store_find_host(struct store_tx *tx,
    const struct ulid *host);
/* Inserts or replaces; a key belongs to one row.  Keeps indexes and the
 * version of hosts. */
void pending_store_put(struct store_tx *tx, const struct Rec__PendingHost *p);
void pending_store_del(struct store_tx *tx, const struct ulid *id);
/* Oldest first; false from fn stops. */
typedef bool pending_store_fn(void *ctx, const struct Rec__PendingHost *p);
void pending_store_each(struct store_tx *tx, pending_store_fn *fn, void *ctx);

/* Waits, and not longer than it may. */
bool pending_store_waits(const struct Rec__PendingHost *p, int64_t now_ms);
size_t pending_store_waiting(struct store_tx *tx, int64_t now_ms);
/* Whether a host, or another one that waits, has this one's name (M-087). */
bool pending_store_collides(struct store_tx *tx,
    const struct Rec__PendingHost *p, int64_t now_ms);
/* Removes what has expired, and accepted ones whose host is gone; returns
 * how many. */
size_t pending_store_sweep(struct store_tx *tx, int64_t now_ms);
#endif
