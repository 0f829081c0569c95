/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_ENROL_STORE_H
#define LIB_STORE_ENROL_STORE_H
/*
 * What may be shown of enrolment tokens.  Their secrets lie in the vault
 * under the same key, which is written first.
 * Key: SHA-256 of the token's secret.
 */
#include "lib/base/crypt.h"
#include "lib/store/store.h"

enum enrol_state {
	ENROL_AWAITING,
	ENROL_USED,
	ENROL_EXPIRED,
	ENROL_REVOKED,
	ENROL_REPLACED /* revoked, and another one made in its place */
};
enum enrol_state enrol_store_state(const struct Rec__Enrolment *e,
    int64_t now_ms);

struct Rec__Enrolment *enrol_store_find(struct store_tx *tx,
    const uint8_t hash[CRYPT_HASH_SIZE]);
/* No room for another one: they are listed and sorted as a whole. */
bool enrol_store_full(struct store_tx *tx);
void enrol_store_put(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__Enrolment *e);

/* One of a list. */
struct enrol_row {
	uint8_t hash[CRYPT_HASH_SIZE];
	const struct Rec__Enrolment *rec;
};
/* All but the replaced, into tx's arena: what can still be used first, then
 * newest first. */
struct enrol_row *enrol_store_list(struct store_tx *tx, int64_t now_ms,
    size_t *n);

/* Removes those that expired before a time; at most max; returns how many. */
size_t enrol_store_sweep(struct store_tx *tx, int64_t before_ms, size_t max);
/* Removes those the host used. */
void enrol_store_del_host(struct store_tx *tx, const struct ulid *host);
#endif
