/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_SNAP_STORE_H
#define LIB_STORE_SNAP_STORE_H
/*
 * A host's snapshots, as its agent last listed them.  A report comes in
 * parts that are staged apart and replace the list as a whole.
 * Keys: host id, inverted time (u64), first 16 characters of the
 * snapshot id | those 16 characters, host id | host id.
 */
#include "lib/store/store.h"

enum {
	SNAP_STORE_MAX = 100000
}; /* a list: more is RC_LIMIT */

/* Stages one snapshot of a report's part. */
void snap_store_stage(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Snapshot *s);
void snap_store_drop_stage(struct store_tx *tx, const struct ulid *host);
/* The staged ones become the list; returns how many there are.  The caller
 * updates the host's count and time. */
uint64_t snap_store_replace(struct store_tx *tx, const struct ulid *host);

/* Deletes up to max rows of the host, listed and staged; returns how many,
 * 0 when none was left. */
size_t snap_store_del(struct store_tx *tx, const struct ulid *host, size_t max);

typedef bool snap_store_fn(void *ctx, const struct Rec__Snapshot *s);
/* Newest first, skipping skip, at most max. */
void snap_store_of_host(struct store_tx *tx, const struct ulid *host,
    uint64_t skip, uint64_t max, snap_store_fn *fn, void *ctx);
uint64_t snap_store_count(struct store_tx *tx, const struct ulid *host);
/* How many newer ones its host has, at most max: all of them are passed. */
uint64_t snap_store_place(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Snapshot *s, uint64_t max);

/* Of any host, those whose id begins with prefix (lower case), by id. */
typedef bool snap_store_id_fn(void *ctx, const struct ulid *host,
    const struct Rec__Snapshot *s);
void snap_store_by_id(struct store_tx *tx, struct str prefix,
    snap_store_id_fn *fn, void *ctx);

/* The paths of each host's newest snapshot, each with a NUL behind it, by
 * host.  They lie side by side: a walk over all hosts costs their bytes,
 * however many snapshots there are. */
typedef bool snap_store_paths_fn(void *ctx, const struct ulid *host,
    struct str paths);
void snap_store_each_paths(struct store_tx *tx, snap_store_paths_fn *fn,
    void *ctx);

/* Schema 1 had no ids, 2 no paths. */
void snap_store_build_ids(struct store_tx *tx);
void snap_store_build_paths(struct store_tx *tx);
#endif
