/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/audit_check.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/store/audit_impl.h"
#include "lib/store/audit_store.h"
#include "lib/store/message.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	MESSAGE_MAX = 1024
};

/* clang-format off */
static const struct {
	const char *name;
	const char *text;
} faults[] = {
	[AUDIT_FITS]     = { "none", "every entry fits" },
	[AUDIT_DAMAGED]  = { "damaged", "it cannot be read" },
	[AUDIT_EDITED]   = { "edited", "it was edited: it does not say what its hash was made of" },
	[AUDIT_REMOVED]  = { "removed", "the entry it followed is gone: removed, or edited together with its hash" },
	[AUDIT_INSERTED] = { "inserted", "it was inserted: the next entry does not follow it" },
	[AUDIT_MOVED]    = { "out_of_order", "it is out of order: the entry it followed comes later, or it stood elsewhere" },
	[AUDIT_CUT]      = { "newest_removed", "the newest entries, which followed it, were removed" },
	[AUDIT_REPLACED] = { "rewritten", "the log up to here was written anew: it is not the one that was sealed" },
	[AUDIT_ADDED]    = { "added", "it was added behind the last entry that was sealed" },
	[AUDIT_UNSEALED] = { "unsealed", "the seal of the log was removed" },
	[AUDIT_BROKEN]   = { "seal_broken", "the seal of the log does not fit: it was changed, or secret.key is another one" },
};
/* clang-format on */
_Static_assert(ARRAY_LEN(faults) == AUDIT_BROKEN + 1, "a text for each fault");

const char *
audit_fault_name(enum audit_fault f)
{
	return faults[f].name;
}

void
audit_check_init(struct audit_check *c, const uint8_t *expected)
{
	*c = (struct audit_check){ 0 };
	if (expected == NULL)
		return;
	c->expects = true;
	memcpy(c->expected, expected, sizeof(c->expected));
}

static bool
bytes_are(const ProtobufCBinaryData *f, const void *p, size_t n)
{
	return f->len == n && (n == 0 || memcmp(f->data, p, n) == 0);
}

static bool
hash_fits(const struct Rec__AuditEntry *a)
{
	uint8_t hash[CRYPT_HASH_SIZE];

	return audit_entry_hash(a, hash) &&
	       bytes_are(&a->hash, hash, sizeof(hash));
}

static void
blame(struct audit_check *c, enum audit_fault fault)
{
	c->fault = fault;
	c->row = c->count;
	c->bad = c->at;
	c->bad_at_ms = c->at_ms;
}

/* a does not follow the entry before it: who is at fault shows in what a
 * wants, and maybe later in the log. */
static void
broken_link(struct audit_check *c, const struct Rec__AuditEntry *a,
    const struct ulid *before, int64_t before_ms)
{
	blame(c, AUDIT_REMOVED);
	if (c->count > 2 &&
	    bytes_are(&a->previous, c->before_hash, CRYPT_HASH_SIZE)) {
		c->fault = AUDIT_INSERTED;
		c->row--;
		c->bad = *before;
		c->bad_at_ms = before_ms;
		return;
	}
	if (c->count == 2 && a->previous.len == 0) {
		c->fault = AUDIT_INSERTED;
		c->row = 1;
		c->bad = *before;
		c->bad_at_ms = before_ms;
		return;
	}
	if (a->previous.len != CRYPT_HASH_SIZE)
		return;
	c->seeking = true;
	memcpy(c->wanted, a->previous.data, CRYPT_HASH_SIZE);
	memcpy(c->stand_in, c->hash, CRYPT_HASH_SIZE);
}

/* Behind a broken link: the hash that was wanted may come later. */
static void
seek(struct audit_check *c, const struct Rec__AuditEntry *a)
{
	if (a != NULL && bytes_are(&a->hash, c->wanted, CRYPT_HASH_SIZE)) {
		c->fault = AUDIT_MOVED;
		c->seeking = false;
	} else if (a != NULL && !c->next_seen && c->row > 1 &&
	           bytes_are(&a->previous, c->stand_in, CRYPT_HASH_SIZE)) {
		c->fault = AUDIT_INSERTED;
	}
	c->next_seen = true;
}

static void
accept_entry(struct audit_check *c, const struct Rec__AuditEntry *a)
{
	memcpy(c->before_hash, c->hash, sizeof(c->hash));
	memcpy(c->hash, a->hash.data, sizeof(c->hash));
	if (c->expects && c->expected_row == 0 &&
	    memcmp(c->expected, c->hash, sizeof(c->hash)) == 0)
		c->expected_row = c->count;
}

/* NULL: it cannot be unpacked. */
static void
look_at(struct audit_check *c, const struct Rec__AuditEntry *a, struct str key)
{
	struct ulid before = c->at;
	int64_t before_ms = c->at_ms;

	c->count++;
	memcpy(c->at.b, key.p, sizeof(c->at.b));
	c->at_ms = a == NULL ? 0 : a->at_ms;
	if (c->fault != AUDIT_FITS) {
		if (c->seeking)
			seek(c, a);
	} else if (a == NULL) {
		blame(c, AUDIT_DAMAGED);
	} else if (!hash_fits(a)) {
		blame(c, AUDIT_EDITED);
	} else if (!bytes_are(&a->previous, c->hash,
	               c->count > 1 ? sizeof(c->hash) : 0)) {
		broken_link(c, a, &before, before_ms);
	} else if (!bytes_are(&a->id, key.p, key.n)) {
		blame(c, AUDIT_MOVED);
	} else {
		accept_entry(c, a);
	}
}

/* Where the seal stood when the walk began; it may move on meanwhile, but
 * never backwards. */
static void
note_seal(struct audit_check *c, struct store_tx *tx)
{
	struct audit_head h;

	audit_store_head(tx, &h);
	c->sealed = h.sealed;
	c->before = h.before;
	c->begun = true;
}

static void
compare_seal(struct audit_check *c, const struct audit_head *h)
{
	if (c->fault != AUDIT_FITS)
		return;
	switch (h->seal) {
	case AUDIT_SEAL_FITS:
		break;
	case AUDIT_SEAL_MISSING:
		blame(c, AUDIT_UNSEALED);
		c->row = 0;
		break;
	case AUDIT_SEAL_BROKEN:
		blame(c, AUDIT_BROKEN);
		c->row = 0;
		break;
	case AUDIT_SEAL_ASTRAY:
		if (c->count < h->sealed) {
			blame(c, AUDIT_CUT);
			break;
		}
		blame(c, AUDIT_REPLACED);
		if (c->count == h->sealed || !c->sealed_seen)
			break;
		c->fault = AUDIT_ADDED;
		c->row = h->sealed + 1;
		c->bad = c->beyond;
		c->bad_at_ms = c->beyond_ms;
		break;
	}
}

static void
at_end(struct audit_check *c, struct store_tx *tx)
{
	struct audit_head h;

	audit_store_head(tx, &h);
	if (!store_usable(tx))
		return;
	c->sealed = h.sealed;
	c->before = h.before;
	compare_seal(c, &h);
}

/* Remembers what stands on both sides of the seal's edge. */
static void
watch_edge(struct audit_check *c, const struct audit_head *h)
{
	if (c->fault != AUDIT_FITS)
		return;
	if (c->count == h->sealed)
		c->sealed_seen =
		    memcmp(c->hash, h->sealed_hash, sizeof(c->hash)) == 0;
	if (c->count == h->sealed + 1) {
		c->beyond = c->at;
		c->beyond_ms = c->at_ms;
	}
}

/* One entry at a time is unpacked: the log may be larger than any arena. */
static struct Rec__AuditEntry *
unpack(struct arena *one, struct str value)
{
	arena_reset(one);
	return message_unpack(one, value, &rec__audit_entry__descriptor);
}

bool
audit_check_step(struct audit_check *c, struct store_tx *tx, size_t max)
{
	struct arena one, own;
	struct arena *outer = tx->arena;
	struct audit_head h;
	struct table_scan sc;
	struct str key, value;
	struct key from = { .n = 0 };
	bool more = true;

	arena_init(&own, MIB(8));
	arena_init(&one, MIB(8));
	tx->arena = &own;
	if (!c->begun)
		note_seal(c, tx);
	audit_store_head(tx, &h);
	table_scan_init(&sc, tx, TB_AUDIT, NULL, SCAN_UP);
	key_ulid(&from, &c->at);
	if (c->count > 0)
		table_scan_behind(&sc, &from);
	while (max-- > 0 && (more = table_scan_next(&sc, &key, &value))) {
		if (key.n != sizeof(c->at.b)) {
			store_fail(tx, RC_CORRUPT,
			    "the audit log has a key "
			    "that is none; restore a backup");
			break;
		}
		look_at(c, unpack(&one, value), key);
		watch_edge(c, &h);
	}
	table_scan_fini(&sc);
	if (!more)
		at_end(c, tx);
	tx->arena = outer;
	arena_fini(&one);
	arena_fini(&own);
	return more && store_usable(tx);
}

enum rc
audit_store_verify(struct store_tx *tx, struct ulid *bad, uint64_t *count)
{
	struct audit_check c;

	audit_check_init(&c, NULL);
	while (audit_check_step(&c, tx, SIZE_MAX))
		continue;
	*bad = c.bad;
	*count = c.row > 0 ? c.row - 1 : c.count;
	return store_rc(tx);
}

void
audit_check_text(const struct audit_check *c, struct buf *out)
{
	char id[ULID_TEXT_CAP], when[CLOCK_TEXT_CAP];

	if (c->fault == AUDIT_FITS) {
		buf_printf(out, "%" PRIu64 " entries, every one fits%s",
		    c->count, c->count > 0 ? ", and so does the seal" : "");
	} else if (c->row == 0) {
		buf_printf(out, "%s", faults[c->fault].text);
	} else {
		ulid_text(&c->bad, id);
		clock_text(c->bad_at_ms, when);
		buf_printf(out, "entry %" PRIu64 " (%s, %s): %s", c->row, id,
		    c->bad_at_ms != 0 ? when : "time unknown",
		    faults[c->fault].text);
	}
	if (c->fault == AUDIT_CUT)
		buf_printf(out, "; %" PRIu64 " of %" PRIu64 " are missing",
		    c->sealed - c->count, c->sealed);
	if (c->before > 0)
		buf_printf(out,
		    "; the first %" PRIu64 " entries are older than the seal",
		    c->before);
}

bool
audit_check_ok(const struct audit_check *c)
{
	return c->fault == AUDIT_FITS && (!c->expects || c->expected_row > 0);
}

static void
put_entry(const struct audit_check *c, struct json_out *j)
{
	char id[ULID_TEXT_CAP];

	if (c->row == 0) {
		json_put_null(j, "row");
		json_put_null(j, "entry_id");
		return;
	}
	ulid_text(&c->bad, id);
	json_put_uint(j, "row", c->row);
	json_put(j, "entry_id", id);
}

void
audit_check_json(const struct audit_check *c, struct json_out *j)
{
	char hash[2 * sizeof(c->hash) + 1];
	struct buf text;

	str_hex(c->hash, sizeof(c->hash), hash, sizeof(hash));
	buf_init(&text, MESSAGE_MAX);
	audit_check_text(c, &text);
	json_obj(j, NULL);
	json_put_bool(j, "ok", audit_check_ok(c));
	json_put_uint(j, "entries", c->count);
	json_put_uint(j, "sealed_entries", c->sealed);
	json_put_uint(j, "entries_before_seal", c->before);
	json_put(j, "hash", hash);
	json_put(j, "fault", audit_fault_name(c->fault));
	put_entry(c, j);
	json_put_time(j, "time", c->bad_at_ms);
	if (c->expects)
		json_put_bool(j, "expected_found", c->expected_row > 0);
	else
		json_put_null(j, "expected_found");
	json_put_str(j, "message", buf_str(&text));
	json_obj_end(j);
	buf_fini(&text);
}
