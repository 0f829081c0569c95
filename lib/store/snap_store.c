/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/snap_store.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	SNAP_ID_KEY = 16,
	RECORD_MAX = 2 * TABLE_VALUE_MAX /* one of them, unpacked */
};

/* The count of a host's rows is kept beside them: reports are bounded by
 * it, and pages show it. */
struct list_table {
	enum table rows;
	uint8_t count_row;
};
static const struct list_table listed = { TB_SNAP, 0 };
static const struct list_table staged = { TB_SNAP_STAGE, 1 };

static void
snap_key(struct key *k, const struct ulid *host, const struct Rec__Snapshot *s)
{
	char id[SNAP_ID_KEY] = { 0 };
	size_t n = strlen(s->id);

	memcpy(id, s->id, n < sizeof(id) ? n : sizeof(id));
	key_of_id(k, host);
	key_u64(k, ~(uint64_t)s->time_ms);
	key_bytes(k, id, sizeof(id));
}

static void
count_key(struct key *k, const struct ulid *host, const struct list_table *l)
{
	key_of_id(k, host);
	key_u8(k, l->count_row);
}

static uint64_t
count_of(struct store_tx *tx, const struct ulid *host,
    const struct list_table *l)
{
	struct key k;

	count_key(&k, host, l);
	return table_u64(tx, TB_SNAP_COUNT, &k);
}

static void
set_count(struct store_tx *tx, const struct ulid *host,
    const struct list_table *l, uint64_t n)
{
	struct key k;

	count_key(&k, host, l);
	table_put_u64(tx, TB_SNAP_COUNT, &k, n);
}

void
snap_store_stage(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Snapshot *s)
{
	uint64_t n = count_of(tx, host, &staged);
	struct key k;

	if (s->id[0] == '\0') {
		store_fail(tx, RC_INVALID, "a snapshot needs an id");
		return;
	}
	snap_key(&k, host, s);
	if (!table_has(tx, TB_SNAP_STAGE, &k)) {
		if (n >= SNAP_STORE_MAX) {
			store_fail(tx, RC_LIMIT,
			    "more than %d snapshots in one list",
			    (int)SNAP_STORE_MAX);
			return;
		}
		set_count(tx, host, &staged, n + 1);
	}
	table_put_record(tx, TB_SNAP_STAGE, &k, &s->base);
}

/* Where the parts of a row's key lie. */
enum {
	AT_TIME = 16,
	AT_ID = 24,
	ROW_KEY = AT_ID + SNAP_ID_KEY
};

/* From the key of a listed row. */
static void
id_key(struct key *k, const struct key *row)
{
	*k = (struct key){ 0 };
	key_bytes(k, row->b + AT_ID, SNAP_ID_KEY);
	key_bytes(k, row->b, AT_TIME);
}

static void
index_id(struct store_tx *tx, const struct key *row)
{
	struct key k;

	id_key(&k, row);
	table_put(tx, TB_SNAP_ID, &k,
	    str_from(row->b + AT_TIME, AT_ID - AT_TIME));
}

static bool
delete_row(struct store_tx *tx, enum table t, const struct key *row)
{
	struct key k;

	if (t == TB_SNAP) {
		id_key(&k, row);
		table_del(tx, TB_SNAP_ID, &k);
	}
	return table_del(tx, t, row);
}

size_t
snap_store_del(struct store_tx *tx, const struct ulid *host, size_t max)
{
	static const enum table tables[] = { TB_SNAP, TB_SNAP_STAGE,
		TB_SNAP_COUNT, TB_SNAP_PATHS };
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	size_t i, n = 0;

	key_of_id(&prefix, host);
	for (i = 0; i < ARRAY_LEN(tables); i++) {
		table_scan_init(&sc, tx, tables[i], &prefix, SCAN_UP);
		while (n < max && table_scan_next(&sc, &key, &value))
			n += delete_row(tx, tables[i], &sc.at);
		table_scan_fini(&sc);
	}
	return n;
}

/* Deletes a host's rows that `keep` does not have (NULL: all of them);
 * returns whether there was one. */
static bool
delete_rows(struct store_tx *tx, const struct ulid *host, enum table t,
    const struct list_table *keep)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	bool any = false;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, t, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value))
		if (keep == NULL || !table_has(tx, keep->rows, &sc.at))
			any |= delete_row(tx, t, &sc.at);
	table_scan_fini(&sc);
	return any;
}

void
snap_store_drop_stage(struct store_tx *tx, const struct ulid *host)
{
	if (count_of(tx, host, &staged) == 0)
		return;
	delete_rows(tx, host, staged.rows, NULL);
	set_count(tx, host, &staged, 0);
}

/* Copies the staged rows over the list; only what differs is written. */
static bool
copy_rows(struct store_tx *tx, const struct ulid *host)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	struct buf copy;
	bool any = false;

	buf_init(&copy, TABLE_VALUE_MAX);
	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, staged.rows, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		/* A lent value may move when something is written. */
		buf_reset(&copy);
		buf_put_str(&copy, value);
		any |= table_put(tx, listed.rows, &sc.at, buf_str(&copy));
		index_id(tx, &sc.at);
	}
	table_scan_fini(&sc);
	buf_fini(&copy);
	return any;
}

/* ---------------------------------------------------- paths of the newest */

static bool
snap_on_newest(void *ctx, const struct Rec__Snapshot *s)
{
	struct buf *paths = ctx;
	size_t i;

	for (i = 0; i < s->n_paths; i++) {
		buf_puts(paths, s->paths[i]);
		buf_putc(paths, '\0');
	}
	return false;
}

/* A start may do so for all hosts: nothing of their records is kept. */
static void
keep_paths(struct store_tx *tx, const struct ulid *host)
{
	struct arena *whole = tx->arena, one;
	struct buf paths;
	struct key k;

	key_of_id(&k, host);
	buf_init(&paths, TABLE_VALUE_MAX);
	arena_init(&one, RECORD_MAX);
	tx->arena = &one;
	snap_store_of_host(tx, host, 0, 1, snap_on_newest, &paths);
	tx->arena = whole;
	arena_fini(&one);
	if (buf_str(&paths).n == 0)
		table_del(tx, TB_SNAP_PATHS, &k);
	else
		table_put(tx, TB_SNAP_PATHS, &k, buf_str(&paths));
	buf_fini(&paths);
}

void
snap_store_each_paths(struct store_tx *tx, snap_store_paths_fn *fn, void *ctx)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid host;

	table_scan_init(&sc, tx, TB_SNAP_PATHS, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value) &&
	       key_id_at(tx, TB_SNAP_PATHS, key, 0, &host) &&
	       fn(ctx, &host, value))
		;
	table_scan_fini(&sc);
}

/* ------------------------------------------------------------------- lists */

uint64_t
snap_store_replace(struct store_tx *tx, const struct ulid *host)
{
	uint64_t n = count_of(tx, host, &staged);
	bool changed;

	changed = delete_rows(tx, host, listed.rows, &staged);
	changed |= copy_rows(tx, host);
	set_count(tx, host, &listed, n);
	snap_store_drop_stage(tx, host);
	if (changed) {
		keep_paths(tx, host);
		store_bump_host(tx, host);
	}
	return n;
}

void
snap_store_of_host(struct store_tx *tx, const struct ulid *host, uint64_t skip,
    uint64_t max, snap_store_fn *fn, void *ctx)
{
	struct Rec__Snapshot *s;
	struct table_scan sc;
	struct str key, value;
	struct key prefix;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, listed.rows, &prefix, SCAN_UP);
	while (max > 0 && table_scan_next(&sc, &key, &value)) {
		if (skip > 0) {
			skip--;
			continue;
		}
		max--;
		s = table_unpack(tx, listed.rows, value,
		    &rec__snapshot__descriptor);
		if (s == NULL || !fn(ctx, s))
			break;
	}
	table_scan_fini(&sc);
}

uint64_t
snap_store_count(struct store_tx *tx, const struct ulid *host)
{
	return count_of(tx, host, &listed);
}

uint64_t
snap_store_place(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Snapshot *s, uint64_t max)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix, own;
	uint64_t n = 0;

	key_of_id(&prefix, host);
	snap_key(&own, host, s);
	table_scan_init(&sc, tx, listed.rows, &prefix, SCAN_UP);
	while (n < max && table_scan_next(&sc, &key, &value) &&
	       str_cmp(key, key_str(&own)) < 0)
		n++;
	table_scan_fini(&sc);
	return n;
}

/* An index row leads to its snapshot: host, time, id. */
static struct Rec__Snapshot *
by_index(struct store_tx *tx, struct str key, struct str time,
    struct ulid *host)
{
	struct Rec__Snapshot *s;
	struct key row = { 0 };

	if (time.n != AT_ID - AT_TIME ||
	    !key_id_at(tx, TB_SNAP_ID, key, KEY_TAIL, host))
		return NULL;
	key_ulid(&row, host);
	key_bytes(&row, time.p, time.n);
	key_bytes(&row, key.p, SNAP_ID_KEY);
	s = table_find(tx, listed.rows, &row, &rec__snapshot__descriptor);
	if (s == NULL && store_usable(tx))
		store_fail(tx, RC_CORRUPT,
		    "an index of snapshots leads nowhere; restore a backup");
	return s;
}

void
snap_store_by_id(struct store_tx *tx, struct str prefix, snap_store_id_fn *fn,
    void *ctx)
{
	const size_t known = prefix.n < SNAP_ID_KEY ? prefix.n : SNAP_ID_KEY;
	struct Rec__Snapshot *s;
	struct table_scan sc;
	struct str key, value;
	struct key begin = { 0 };
	struct ulid host;

	key_bytes(&begin, prefix.p, known);
	table_scan_init(&sc, tx, TB_SNAP_ID, &begin, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		s = by_index(tx, key, value, &host);
		if (s == NULL)
			break;
		if (str_starts(str_of(s->id), prefix) && !fn(ctx, &host, s))
			break;
	}
	table_scan_fini(&sc);
}

void
snap_store_build_ids(struct store_tx *tx)
{
	struct table_scan sc;
	struct str key, value;

	table_scan_init(&sc, tx, listed.rows, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value))
		if (sc.at.n == ROW_KEY)
			index_id(tx, &sc.at);
	table_scan_fini(&sc);
}

void
snap_store_build_paths(struct store_tx *tx)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid host;

	table_scan_init(&sc, tx, TB_SNAP_COUNT, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value) &&
	       key_id_at(tx, TB_SNAP_COUNT, key, 0, &host))
		keep_paths(tx, &host);
	table_scan_fini(&sc);
}
