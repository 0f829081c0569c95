/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/table.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/store/store_impl.h"

static const struct table_info tables[] = {
#define X(id, where, name, keys) { where, name, keys },
	TABLE_LIST(X)
#undef X
};
_Static_assert(ARRAY_LEN(tables) == TABLE_COUNT, "a row for each table");

const struct table_info *
table_info(enum table t)
{
	ASSERT((unsigned)t < TABLE_COUNT);
	return &tables[t];
}

void
key_bytes(struct key *k, const void *p, size_t n)
{
	ASSERT(n <= sizeof(k->b) - k->n);
	if (n > 0)
		memcpy(k->b + k->n, p, n);
	k->n += n;
}

void
key_ulid(struct key *k, const struct ulid *id)
{
	key_bytes(k, id->b, sizeof(id->b));
}

static void
key_uint(struct key *k, uint64_t v, size_t bytes)
{
	uint8_t b[8];
	size_t i;

	for (i = bytes; i-- > 0; v >>= 8)
		b[i] = (uint8_t)v;
	key_bytes(k, b, bytes);
}

void
key_u8(struct key *k, uint8_t v)
{
	key_uint(k, v, 1);
}

void
key_u32(struct key *k, uint32_t v)
{
	key_uint(k, v, 4);
}

void
key_u64(struct key *k, uint64_t v)
{
	key_uint(k, v, 8);
}

void
key_name(struct key *k, struct str name)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	uint8_t low[TABLE_NAME_MAX] = { 0 };
	size_t i, n = name.n;

	if (n > TABLE_NAME_MAX)
		n = TABLE_NAME_MAX - sizeof(hash);
	for (i = 0; i < n; i++) {
		low[i] = (uint8_t)name.p[i];
		if (low[i] >= 'A' && low[i] <= 'Z')
			low[i] = (uint8_t)(low[i] + ('a' - 'A'));
	}
	key_bytes(k, low, n);
	if (n == name.n)
		return;
	crypt_sha256(name, hash);
	key_bytes(k, hash, sizeof(hash));
}

struct str
key_str(const struct key *k)
{
	return str_from(k->b, k->n);
}

void
key_of_id(struct key *k, const struct ulid *id)
{
	*k = (struct key){ 0 };
	key_ulid(k, id);
}

void
key_of_ids(struct key *k, const struct ulid *owner, const struct ulid *id)
{
	key_of_id(k, owner);
	key_ulid(k, id);
}

bool
key_id_field(const ProtobufCBinaryData *field, struct ulid *out)
{
	if (field->len != sizeof(out->b))
		return false;
	memcpy(out->b, field->data, sizeof(out->b));
	return true;
}

bool
key_id_at(struct store_tx *tx, enum table t, struct str key, int at,
    struct ulid *out)
{
	size_t from = (size_t)at;

	if (at == KEY_TAIL)
		from = key.n < sizeof(out->b) ? key.n : key.n - sizeof(out->b);
	if (from > key.n || key.n - from < sizeof(out->b)) {
		store_fail(tx, RC_CORRUPT,
		    "table %s holds a bad key; restore a backup",
		    tables[t].name);
		return false;
	}
	memcpy(out->b, key.p + from, sizeof(out->b));
	return true;
}

static MDB_val
mdb_key(const struct key *k)
{
	/* LMDB's type has no const; it only reads keys. */
	union {
		const void *from;
		void *to;
	} p = { .from = k->b };

	return (MDB_val){ .mv_size = k->n, .mv_data = p.to };
}

static struct str
str_mdb(MDB_val v)
{
	return str_from(v.mv_data, v.mv_size);
}

static MDB_dbi
dbi_of(const struct store_tx *tx, enum table t)
{
	ASSERT(tables[t].where & (1U << tx->store->env));
	return tx->store->dbi[t];
}

static void
fail_table(struct store_tx *tx, enum table t, const char *verb, int code)
{
	char what[64];

	if (!str_fmt(what, sizeof(what), "cannot %s table %s", verb,
	        tables[t].name))
		what[0] = '\0';
	store_mdb_fail(tx, code, what);
}

bool
table_peek(struct store_tx *tx, enum table t, const struct key *k,
    struct str *out)
{
	MDB_val key = mdb_key(k), v;
	int code;

	if (!store_usable(tx))
		return false;
	code = mdb_get(tx->txn, dbi_of(tx, t), &key, &v);
	if (code == 0)
		*out = str_mdb(v);
	else if (code != MDB_NOTFOUND)
		fail_table(tx, t, "read", code);
	return code == 0;
}

bool
table_has(struct store_tx *tx, enum table t, const struct key *k)
{
	struct str v;

	return table_peek(tx, t, k, &v);
}

bool
table_put(struct store_tx *tx, enum table t, const struct key *k,
    struct str value)
{
	MDB_val key = mdb_key(k), v = { .mv_size = value.n };
	union {
		const void *from;
		void *to;
	} p = { .from = value.p };
	struct str old;
	int code = MDB_KEYEXIST;
	bool there;

	there = table_peek(tx, t, k, &old);
	if (tx->err.rc != RC_OK || (there && str_eq(old, value)))
		return false;
	v.mv_data = p.to;
	/* Most keys begin with a fresh ULID and go to the end, where APPEND
	 * fills pages; an agent's clock may be late. */
	if (!there)
		code = mdb_put(tx->txn, dbi_of(tx, t), &key, &v, MDB_APPEND);
	if (code == MDB_KEYEXIST)
		code = mdb_put(tx->txn, dbi_of(tx, t), &key, &v, 0);
	if (code != 0)
		fail_table(tx, t, "write to", code);
	return code == 0;
}

bool
table_del(struct store_tx *tx, enum table t, const struct key *k)
{
	MDB_val key = mdb_key(k);
	int code;

	if (!store_usable(tx))
		return false;
	code = mdb_del(tx->txn, dbi_of(tx, t), &key, NULL);
	if (code != 0 && code != MDB_NOTFOUND)
		fail_table(tx, t, "delete from", code);
	return code == 0;
}

uint64_t
table_count(struct store_tx *tx, enum table t)
{
	MDB_stat st = { 0 };
	int code;

	if (!store_usable(tx))
		return 0;
	code = mdb_stat(tx->txn, dbi_of(tx, t), &st);
	if (code != 0)
		fail_table(tx, t, "count", code);
	return code == 0 ? (uint64_t)st.ms_entries : 0;
}

void
table_clear(struct store_tx *tx, enum table t)
{
	int code;

	if (!store_usable(tx))
		return;
	code = mdb_drop(tx->txn, dbi_of(tx, t), 0);
	if (code != 0)
		fail_table(tx, t, "clear", code);
}

uint64_t
table_u64(struct store_tx *tx, enum table t, const struct key *k)
{
	struct str v;
	uint64_t n = 0;
	size_t i;

	if (!table_peek(tx, t, k, &v))
		return 0;
	if (v.n != 8) {
		store_fail(tx, RC_CORRUPT, "table %s holds a bad number",
		    tables[t].name);
		return 0;
	}
	for (i = 0; i < 8; i++)
		n = n << 8 | (uint8_t)v.p[i];
	return n;
}

void
table_put_u64(struct store_tx *tx, enum table t, const struct key *k,
    uint64_t v)
{
	struct key value = { .n = 0 };

	key_u64(&value, v);
	table_put(tx, t, k, key_str(&value));
}

void
table_scan_init(struct table_scan *sc, struct store_tx *tx, enum table t,
    const struct key *prefix, enum scan_dir dir)
{
	sc->tx = tx;
	sc->cursor = NULL;
	sc->table = t;
	sc->dir = dir;
	sc->from_set = false;
	sc->prefix_len = 0;
	if (prefix == NULL)
		return;
	sc->prefix = *prefix;
	sc->prefix_len = prefix->n;
}

void
table_scan_behind(struct table_scan *sc, const struct key *k)
{
	sc->at = *k;
	sc->from_set = true;
}

/* The place before the first key upwards is the prefix itself; downwards it
 * is the first key that no longer has the prefix. */
static bool
scan_bound(const struct table_scan *sc, struct key *out)
{
	size_t n = sc->prefix_len;

	*out = (struct key){ 0 };
	key_bytes(out, sc->prefix.b, n);
	if (sc->dir == SCAN_UP)
		return n > 0;
	while (n > 0 && ++out->b[n - 1] == 0)
		n--;
	out->n = n;
	return n > 0;
}

static int
scan_seek_up(const struct table_scan *sc, MDB_val *k, MDB_val *v)
{
	struct key from = sc->at;
	MDB_val want;
	int code;

	if (!sc->from_set && !scan_bound(sc, &from))
		return mdb_cursor_get(sc->cursor, k, v, MDB_FIRST);
	*k = want = mdb_key(&from);
	code = mdb_cursor_get(sc->cursor, k, v, MDB_SET_RANGE);
	if (code == 0 && sc->from_set && str_eq(str_mdb(*k), str_mdb(want)))
		code = mdb_cursor_get(sc->cursor, k, v, MDB_NEXT);
	return code;
}

static int
scan_seek_down(const struct table_scan *sc, MDB_val *k, MDB_val *v)
{
	struct key from = sc->at;
	int code;

	if (!sc->from_set && !scan_bound(sc, &from))
		return mdb_cursor_get(sc->cursor, k, v, MDB_LAST);
	*k = mdb_key(&from);
	code = mdb_cursor_get(sc->cursor, k, v, MDB_SET_RANGE);
	return mdb_cursor_get(sc->cursor, k, v,
	    code == 0 ? MDB_PREV : MDB_LAST);
}

static int
scan_step(struct table_scan *sc, MDB_val *k, MDB_val *v)
{
	int code;

	if (sc->cursor != NULL)
		return mdb_cursor_get(sc->cursor, k, v,
		    sc->dir == SCAN_UP ? MDB_NEXT : MDB_PREV);
	code = mdb_cursor_open(sc->tx->txn, dbi_of(sc->tx, sc->table),
	    &sc->cursor);
	if (code != 0) {
		sc->cursor = NULL;
		return code;
	}
	return sc->dir == SCAN_UP ? scan_seek_up(sc, k, v)
	                          : scan_seek_down(sc, k, v);
}

bool
table_scan_next(struct table_scan *sc, struct str *key, struct str *value)
{
	struct str prefix = str_from(sc->prefix.b, sc->prefix_len);
	MDB_val k = { 0 }, v = { 0 };
	int code;

	if (!store_usable(sc->tx))
		return false;
	code = scan_step(sc, &k, &v);
	/* A cursor does not stay open while others may write. */
	if (sc->tx->write || code != 0)
		table_scan_fini(sc);
	if (code != 0) {
		if (code != MDB_NOTFOUND)
			fail_table(sc->tx, sc->table, "read", code);
		return false;
	}
	*key = str_mdb(k);
	*value = str_mdb(v);
	if (!str_starts(*key, prefix))
		return false;
	if (key->n > sizeof(sc->at.b)) {
		store_fail(sc->tx, RC_CORRUPT, "table %s holds a bad key",
		    tables[sc->table].name);
		return false;
	}
	sc->at.n = 0;
	key_bytes(&sc->at, key->p, key->n);
	sc->from_set = true;
	return true;
}

void
table_scan_fini(struct table_scan *sc)
{
	if (sc->cursor != NULL)
		mdb_cursor_close(sc->cursor);
	sc->cursor = NULL;
}

uint64_t
table_count_below(struct store_tx *tx, enum table t, const struct key *prefix)
{
	struct table_scan sc;
	struct str key, value;
	uint64_t n = 0;

	table_scan_init(&sc, tx, t, prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value))
		n++;
	table_scan_fini(&sc);
	return n;
}
