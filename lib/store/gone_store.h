/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_GONE_STORE_H
#define LIB_STORE_GONE_STORE_H
/*
 * Hosts that were deleted.  The host's own record goes at once: from then on
 * nobody finds it.  What it owned may be a million rows and goes in slices,
 * jobs first (their logs before them), then the rest; a row here says what
 * is still to be done, and for a while what became of the host.
 * Key: host id.
 */
#include "lib/store/store.h"

/* Deletes the record; the open jobs among its newest end as cancelled. */
void gone_store_begin(struct store_tx *tx, const struct Rec__Host *h,
    const char *by, int64_t now_ms);
struct Rec__HostGone *gone_store_find(struct store_tx *tx,
    const struct ulid *host);
typedef bool gone_store_fn(void *ctx, const struct Rec__HostGone *g);
void gone_store_each(struct store_tx *tx, gone_store_fn *fn, void *ctx);

/* Ids of up to max of its jobs, newest first; returns how many.  Reads keys
 * only. */
size_t gone_store_jobs(struct store_tx *tx, const struct ulid *host,
    struct ulid *out, size_t max);
/* After its jobs: deletes up to max other rows.  True when nothing was left;
 * the host then counts as swept. */
bool gone_store_sweep(struct store_tx *tx, const struct ulid *host, size_t max,
    int64_t now_ms);
/* Forgets hosts swept before that time. */
size_t gone_store_expire(struct store_tx *tx, int64_t before_ms, size_t max);
#endif
