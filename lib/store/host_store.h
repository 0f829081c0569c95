/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_HOST_STORE_H
#define LIB_STORE_HOST_STORE_H
/*
 * Hosts, and how far each agent's events are on disk.
 * Keys: host id | index by lower-case name -> id (several ids a name).
 */
#include "lib/store/store.h"

struct Rec__Host *host_store_get(struct store_tx *tx, const struct ulid *id);
struct Rec__Host *host_store_find(struct store_tx *tx, const struct ulid *id);
/* RC_NOTFOUND when there is none, without reading it. */
void host_store_need(struct store_tx *tx, const struct ulid *id);
/* The oldest host of that name (any case). */
struct Rec__Host *host_store_find_name(struct store_tx *tx, struct str name);
/* Inserts or replaces; keeps the index and versions. */
void host_store_put(struct store_tx *tx, const struct Rec__Host *h);
/* Its record, name and cursor; what else it owns: gone_store. */
void host_store_del(struct store_tx *tx, const struct Rec__Host *h);
/* By name, then id; false from fn stops. */
typedef bool host_store_fn(void *ctx, const struct Rec__Host *h);
void host_store_each(struct store_tx *tx, host_store_fn *fn, void *ctx);
uint64_t host_store_count(struct store_tx *tx);

/* Never NULL without an error: a host not heard of has zero values. */
struct Rec__AgentCursor *host_store_cursor(struct store_tx *tx,
    const struct ulid *id);
void host_store_put_cursor(struct store_tx *tx, const struct ulid *id,
    const struct Rec__AgentCursor *c);
#endif
