/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_AUDIT_STORE_H
#define LIB_STORE_AUDIT_STORE_H
/*
 * The audit log: appended in the transaction of the change itself, each
 * entry holding the hash of the one before.  Key: entry id (ULID).
 */
#include "lib/store/store.h"

/* id, at_ms, previous and hash are filled in here; strings are lent. */
void audit_store_add(struct store_tx *tx, const struct Rec__AuditEntry *a);
typedef bool audit_store_fn(void *ctx, const struct Rec__AuditEntry *a);
void audit_store_latest(struct store_tx *tx, const struct ulid *before,
    size_t max, audit_store_fn *fn, void *ctx);
/* Walks the chain from its start; *bad is the id of the first entry that
 * does not fit (zero: all fit). */
MUST_USE enum rc audit_store_verify(struct store_tx *tx, struct ulid *bad,
    uint64_t *count);
#endif
