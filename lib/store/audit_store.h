/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_AUDIT_STORE_H
#define LIB_STORE_AUDIT_STORE_H
/*
 * The audit log: appended in the transaction of the change itself, each
 * entry holding the hash of the one before.  Key: entry id (ULID).
 *
 * The seal (AuditHead) says how many entries there are and what the hash of
 * the newest is, under a MAC whose key comes from secret.key.  It moves on
 * with each entry, in the same transaction, so that who has the database but
 * not the key can neither take the newest entries away nor write the chain
 * anew.  A seal that does not fit is left as it is: it is the evidence.
 */
#include "lib/store/store.h"

/* From now on entries are sealed: secret is secret.key.  Once, before the
 * first transaction. */
void audit_store_key(struct store *s, const uint8_t secret[32]);

/* id, at_ms, previous and hash are filled in here; strings are lent. */
void audit_store_add(struct store_tx *tx, const struct Rec__AuditEntry *a);
typedef bool audit_store_fn(void *ctx, const struct Rec__AuditEntry *a);
void audit_store_latest(struct store_tx *tx, const struct ulid *before,
    size_t max, audit_store_fn *fn, void *ctx);
uint64_t audit_store_count(struct store_tx *tx);

/* How the seal and the newest entry go together. */
enum audit_seal {
	AUDIT_SEAL_FITS,
	AUDIT_SEAL_MISSING, /* there are entries and no seal */
	AUDIT_SEAL_BROKEN,  /* its MAC does not fit: changed, or another key */
	AUDIT_SEAL_ASTRAY   /* it tells of another count or hash */
};
/* The head of the log: what to note elsewhere, so that a copy of an older
 * database shows as well. */
struct audit_head {
	uint64_t count; /* entries there are */
	uint8_t hash[32];
	uint64_t sealed; /* entries the seal tells of */
	uint64_t before; /* of them older than the seal itself */
	uint8_t sealed_hash[32];
	enum audit_seal seal;
};
/* Without the key nothing is known of the seal, and seal is
 * AUDIT_SEAL_FITS. */
void audit_store_head(struct store_tx *tx, struct audit_head *out);
/* All of audit_check.h in one go: *bad is the id of the first entry that does
 * not fit (zero: all fit), *count how many do before it. */
MUST_USE enum rc audit_store_verify(struct store_tx *tx, struct ulid *bad,
    uint64_t *count);
/* Seals the log as it is, whatever the seal said before. */
void audit_store_seal(struct store_tx *tx);
#endif
