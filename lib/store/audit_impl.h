/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_AUDIT_IMPL_H
#define LIB_STORE_AUDIT_IMPL_H
/* What the files of the audit log share. */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/crypt.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"
#include "lib/store/store.h"

/*
 * SHA-256 over the previous hash and the fields 1 to 10, each as a length
 * (u32, big-endian) and its bytes, the time as 8 of them.  Not over the
 * packed record: how protobuf packs is no promise of ours.
 */
bool audit_entry_hash(const struct Rec__AuditEntry *a,
    uint8_t out[CRYPT_HASH_SIZE]);
struct Rec__AuditEntry *audit_last_entry(struct store_tx *tx);

/* The seal goes on from the entry before (NULL: none) to `now`; only if it
 * was right until now (audit_head.c). */
void audit_head_move(struct store_tx *tx, const struct Rec__AuditEntry *last,
    const struct Rec__AuditEntry *now);
#endif
