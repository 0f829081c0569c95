/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/audit_store.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/store/audit_impl.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

static void
hash_field(struct buf *b, const void *p, size_t n)
{
	buf_put_u32(b, (uint32_t)n);
	buf_put(b, p, n);
}

static void
hash_text(struct buf *b, const char *z)
{
	hash_field(b, z, strlen(z));
}

bool
audit_entry_hash(const struct Rec__AuditEntry *a, uint8_t out[CRYPT_HASH_SIZE])
{
	struct buf b;
	bool ok;

	buf_init(&b, TABLE_VALUE_MAX);
	hash_field(&b, a->previous.data, a->previous.len);
	hash_field(&b, a->id.data, a->id.len);
	buf_put_u32(&b, 8);
	buf_put_u64(&b, (uint64_t)a->at_ms);
	hash_field(&b, a->actor_id.data, a->actor_id.len);
	hash_text(&b, a->actor_name);
	hash_text(&b, a->action);
	hash_text(&b, a->target_kind);
	hash_field(&b, a->target_id.data, a->target_id.len);
	hash_text(&b, a->target_name);
	hash_text(&b, a->address);
	hash_text(&b, a->payload);
	ok = buf_rc(&b) == RC_OK;
	if (ok)
		crypt_sha256(buf_str(&b), out);
	buf_fini(&b);
	return ok;
}

struct Rec__AuditEntry *
audit_last_entry(struct store_tx *tx)
{
	struct Rec__AuditEntry *a;
	struct table_scan sc;

	table_scan_init(&sc, tx, TB_AUDIT, NULL, SCAN_DOWN);
	a = table_scan_record(&sc, &rec__audit_entry__descriptor);
	table_scan_fini(&sc);
	return a;
}

/* Entries follow each other by key, also when the clock was set back. */
static void
id_behind(struct ulid *id, const struct ulid *last)
{
	size_t i;

	if (memcmp(id->b, last->b, sizeof(id->b)) > 0)
		return;
	*id = *last;
	for (i = sizeof(id->b); i-- > 0;)
		if (++id->b[i] != 0)
			break;
}

void
audit_store_add(struct store_tx *tx, const struct Rec__AuditEntry *a)
{
	struct Rec__AuditEntry e = *a, *last;
	uint8_t hash[CRYPT_HASH_SIZE];
	struct ulid id, last_id;
	struct key k;

	last = audit_last_entry(tx);
	if (!store_usable(tx))
		return;
	ulid_new(&id);
	e.previous = (ProtobufCBinaryData){ 0, NULL };
	if (last != NULL) {
		if (!key_id_field(&last->id, &last_id)) {
			store_fail(tx, RC_CORRUPT,
			    "the last audit entry is "
			    "damaged; restore a backup");
			return;
		}
		id_behind(&id, &last_id);
		e.previous = last->hash;
	}
	e.id = (ProtobufCBinaryData){ sizeof(id.b), id.b };
	e.at_ms = clock_now_ms();
	if (!audit_entry_hash(&e, hash)) {
		store_fail(tx, RC_LIMIT, "an audit entry is too large");
		return;
	}
	e.hash = (ProtobufCBinaryData){ sizeof(hash), hash };
	audit_head_move(tx, last, &e);
	key_of_id(&k, &id);
	if (table_put_record(tx, TB_AUDIT, &k, &e.base))
		store_bump(tx, VER_AUDIT);
}

void
audit_store_latest(struct store_tx *tx, const struct ulid *before, size_t max,
    audit_store_fn *fn, void *ctx)
{
	struct Rec__AuditEntry *a;
	struct table_scan sc;
	struct key k;

	table_scan_init(&sc, tx, TB_AUDIT, NULL, SCAN_DOWN);
	if (before != NULL) {
		key_of_id(&k, before);
		table_scan_behind(&sc, &k);
	}
	while (max-- > 0 && (a = table_scan_record(&sc,
	                         &rec__audit_entry__descriptor)) != NULL)
		if (!fn(ctx, a))
			break;
	table_scan_fini(&sc);
}

uint64_t
audit_store_count(struct store_tx *tx)
{
	return table_count(tx, TB_AUDIT);
}
