/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_UPKEEP_STORE_H
#define LIB_STORE_UPKEEP_STORE_H
/*
 * What the controller does for hosts' repositories (forget, prune, check),
 * found by host and by when it is due.
 * Keys: host id | due ms (u64 big-endian), host id, kind (u8).
 */
#include "lib/store/store.h"

/* NULL: the host has none yet, or the transaction failed. */
struct Rec__Maintenance *upkeep_store_find(struct store_tx *tx,
    const struct ulid *host);
/* Inserts or replaces; keeps the index and versions.  An upkeep that is
 * absent, not enabled or whose due_ms is 0 is not in the index. */
void upkeep_store_put(struct store_tx *tx, const struct Rec__Maintenance *m);
/* The record and its index rows. */
void upkeep_store_del(struct store_tx *tx, const struct ulid *host);

/* Hosts behind `after` in the order of their ids, with their records (NULL:
 * none yet), at most max.  The number of hosts given. */
typedef void upkeep_store_host_fn(void *ctx, const struct ulid *host,
    struct Rec__Maintenance *m);
size_t upkeep_store_hosts(struct store_tx *tx, const struct ulid *after,
    size_t max, upkeep_store_host_fn *fn, void *ctx);

/* FORGET, PRUNE or CHECK of the record; NULL when absent or another kind. */
struct Rec__Upkeep *upkeep_of(const struct Rec__Maintenance *m,
    Rec__JobKind kind);

typedef bool upkeep_store_fn(void *ctx, const struct ulid *host,
    Rec__JobKind kind, int64_t due_ms);

/* Due at or before until_ms, longest due first; false from fn stops.  Cost:
 * the rows given, whatever the number of hosts. */
void upkeep_store_due(struct store_tx *tx, int64_t until_ms,
    upkeep_store_fn *fn, void *ctx);
#endif
