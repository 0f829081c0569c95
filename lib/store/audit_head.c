/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The seal of the audit log (audit_store.h). */
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/store/audit_impl.h"
#include "lib/store/audit_store.h"
#include "lib/store/message.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

#define PURPOSE "restic-manager audit log seal 1"

enum {
	MAC_INPUT_MAX = 256
};

void
audit_store_key(struct store *s, const uint8_t secret[32])
{
	_Static_assert(sizeof(s->audit_key) == CRYPT_HASH_SIZE, "one key");
	crypt_mac(secret, STR(PURPOSE), s->audit_key);
	s->audit_keyed = true;
}

static void
head_key(struct key *k)
{
	*k = (struct key){ 0 };
	key_bytes(k, "head", 4);
}

static struct Rec__AuditHead *
find_head(struct store_tx *tx)
{
	struct key k;

	head_key(&k);
	return table_find(tx, TB_AUDIT_HEAD, &k, &rec__audit_head__descriptor);
}

static void
head_mac(const struct store_tx *tx, const struct Rec__AuditHead *h,
    uint8_t out[CRYPT_HASH_SIZE])
{
	struct buf b;

	buf_init(&b, MAC_INPUT_MAX);
	buf_put_u64(&b, h->count);
	buf_put_u32(&b, (uint32_t)h->last.len);
	buf_put(&b, h->last.data, h->last.len);
	buf_put_u32(&b, (uint32_t)h->hash.len);
	buf_put(&b, h->hash.data, h->hash.len);
	buf_put_u64(&b, h->before);
	/* Longer than anything of ours: a MAC that fits nothing. */
	if (buf_rc(&b) == RC_OK)
		crypt_mac(tx->store->audit_key, buf_str(&b), out);
	else
		crypt_random(out, CRYPT_HASH_SIZE);
	buf_fini(&b);
}

static bool
mac_fits(const struct store_tx *tx, const struct Rec__AuditHead *h)
{
	uint8_t mac[CRYPT_HASH_SIZE];

	head_mac(tx, h, mac);
	return h->mac.len == sizeof(mac) &&
	       crypt_eq(h->mac.data, mac, sizeof(mac));
}

static void
put_head(struct store_tx *tx, struct Rec__AuditHead *h)
{
	uint8_t mac[CRYPT_HASH_SIZE];
	struct key k;

	head_mac(tx, h, mac);
	h->mac = (ProtobufCBinaryData){ sizeof(mac), mac };
	head_key(&k);
	table_put_record(tx, TB_AUDIT_HEAD, &k, &h->base);
	h->mac = (ProtobufCBinaryData){ 0, NULL };
}

static bool
same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static enum audit_seal
judge(struct store_tx *tx, const struct Rec__AuditHead *h,
    const struct Rec__AuditEntry *last)
{
	if (!tx->store->audit_keyed)
		return AUDIT_SEAL_FITS;
	if (h == NULL)
		return table_count(tx, TB_AUDIT) == 0 ? AUDIT_SEAL_FITS
		                                      : AUDIT_SEAL_MISSING;
	if (!mac_fits(tx, h))
		return AUDIT_SEAL_BROKEN;
	if (last == NULL || h->count != table_count(tx, TB_AUDIT) ||
	    !same(&h->last, &last->id) || !same(&h->hash, &last->hash))
		return AUDIT_SEAL_ASTRAY;
	return AUDIT_SEAL_FITS;
}

void
audit_head_move(struct store_tx *tx, const struct Rec__AuditEntry *last,
    const struct Rec__AuditEntry *now)
{
	struct Rec__AuditHead next = REC__AUDIT_HEAD__INIT;
	const struct Rec__AuditHead *h;

	if (!tx->store->audit_keyed)
		return;
	h = find_head(tx);
	if (!store_usable(tx) || judge(tx, h, last) != AUDIT_SEAL_FITS)
		return;
	next.count = h == NULL ? 1 : h->count + 1;
	next.before = h == NULL ? 0 : h->before;
	next.last = now->id;
	next.hash = now->hash;
	put_head(tx, &next);
}

static void
copy_hash(uint8_t out[CRYPT_HASH_SIZE], const ProtobufCBinaryData *hash)
{
	memset(out, 0, CRYPT_HASH_SIZE);
	if (hash->len == CRYPT_HASH_SIZE)
		memcpy(out, hash->data, CRYPT_HASH_SIZE);
}

/* NULL: there is none, or it cannot be read, which is for the verification
 * to say. */
static struct Rec__AuditEntry *
last_readable(struct store_tx *tx)
{
	struct Rec__AuditEntry *a = NULL;
	struct table_scan sc;
	struct str key, value;

	table_scan_init(&sc, tx, TB_AUDIT, NULL, SCAN_DOWN);
	if (table_scan_next(&sc, &key, &value))
		a = message_unpack(tx->arena, value,
		    &rec__audit_entry__descriptor);
	table_scan_fini(&sc);
	return a;
}

void
audit_store_head(struct store_tx *tx, struct audit_head *out)
{
	const struct Rec__AuditEntry *last = last_readable(tx);
	const struct Rec__AuditHead *h = NULL;

	*out = (struct audit_head){ .count = table_count(tx, TB_AUDIT) };
	if (last != NULL)
		copy_hash(out->hash, &last->hash);
	if (tx->store->audit_keyed)
		h = find_head(tx);
	if (h != NULL) {
		out->sealed = h->count;
		out->before = h->before;
		copy_hash(out->sealed_hash, &h->hash);
	}
	out->seal = judge(tx, h, last);
}

void
audit_store_seal(struct store_tx *tx)
{
	const struct Rec__AuditEntry *last = audit_last_entry(tx);
	struct Rec__AuditHead h = REC__AUDIT_HEAD__INIT;

	ASSERT(tx->store->audit_keyed);
	if (last == NULL)
		return;
	h.count = h.before = table_count(tx, TB_AUDIT);
	h.last = last->id;
	h.hash = last->hash;
	put_head(tx, &h);
}
