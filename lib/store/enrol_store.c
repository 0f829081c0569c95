/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/enrol_store.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	ROWS_MAX = 10000
};

static void
hash_key(struct key *k, const uint8_t hash[CRYPT_HASH_SIZE])
{
	*k = (struct key){ 0 };
	key_bytes(k, hash, CRYPT_HASH_SIZE);
}

enum enrol_state
enrol_store_state(const struct Rec__Enrolment *e, int64_t now_ms)
{
	if (e->used_at_ms != 0)
		return ENROL_USED;
	if (e->replaced_by.len > 0)
		return ENROL_REPLACED;
	if (e->revoked_at_ms != 0)
		return ENROL_REVOKED;
	return e->expires_at_ms <= now_ms ? ENROL_EXPIRED : ENROL_AWAITING;
}

struct Rec__Enrolment *
enrol_store_find(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE])
{
	struct key k;

	hash_key(&k, hash);
	return table_find(tx, TB_ENROLMENT, &k, &rec__enrolment__descriptor);
}

bool
enrol_store_full(struct store_tx *tx)
{
	return table_count(tx, TB_ENROLMENT) >= ROWS_MAX;
}

void
enrol_store_put(struct store_tx *tx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__Enrolment *e)
{
	struct key k;

	hash_key(&k, hash);
	table_put_record(tx, TB_ENROLMENT, &k, &e->base);
}

/* ------------------------------------------------------------------ walks */

/* False ends the walk. */
typedef bool walk_fn(void *ctx, const struct key *k,
    const struct Rec__Enrolment *e);

static void
each(struct store_tx *tx, walk_fn *fn, void *ctx)
{
	struct Rec__Enrolment *e;
	struct table_scan sc;

	table_scan_init(&sc, tx, TB_ENROLMENT, NULL, SCAN_UP);
	while (
	    (e = table_scan_record(&sc, &rec__enrolment__descriptor)) != NULL)
		if (!fn(ctx, &sc.at, e))
			break;
	table_scan_fini(&sc);
}

struct listing {
	struct enrol_row *rows;
	size_t n, max;
	int64_t now_ms;
};

static bool
enrol_on_listed(void *ctx, const struct key *k, const struct Rec__Enrolment *e)
{
	struct listing *l = ctx;

	if (k->n != CRYPT_HASH_SIZE ||
	    enrol_store_state(e, l->now_ms) == ENROL_REPLACED)
		return true;
	memcpy(l->rows[l->n].hash, k->b, CRYPT_HASH_SIZE);
	l->rows[l->n].rec = e;
	l->n++;
	return l->n < l->max;
}

static int
compare(const void *a, const void *b, void *ctx)
{
	const struct enrol_row *x = a, *y = b;
	const struct listing *l = ctx;
	bool xw = enrol_store_state(x->rec, l->now_ms) == ENROL_AWAITING;
	bool yw = enrol_store_state(y->rec, l->now_ms) == ENROL_AWAITING;

	if (xw != yw)
		return xw ? -1 : 1;
	if (x->rec->created_at_ms != y->rec->created_at_ms)
		return x->rec->created_at_ms > y->rec->created_at_ms ? -1 : 1;
	return memcmp(x->hash, y->hash, sizeof(x->hash));
}

struct enrol_row *
enrol_store_list(struct store_tx *tx, int64_t now_ms, size_t *n)
{
	struct listing l = { .now_ms = now_ms };

	*n = 0;
	l.max = (size_t)table_count(tx, TB_ENROLMENT);
	l.rows = arena_array(store_arena(tx), l.max + 1, sizeof(*l.rows));
	if (l.rows == NULL || l.max == 0)
		return l.rows;
	each(tx, enrol_on_listed, &l);
	qsort_r(l.rows, l.n, sizeof(*l.rows), compare, &l);
	*n = l.n;
	return l.rows;
}

struct removal {
	struct store_tx *tx;
	int64_t before_ms;
	const struct ulid *host;
	size_t n, max;
};

static bool
enrol_on_swept(void *ctx, const struct key *k, const struct Rec__Enrolment *e)
{
	struct removal *r = ctx;

	if (e->expires_at_ms < r->before_ms) {
		table_del(r->tx, TB_ENROLMENT, k);
		r->n++;
	}
	return r->n < r->max;
}

size_t
enrol_store_sweep(struct store_tx *tx, int64_t before_ms, size_t max)
{
	struct removal r = { tx, before_ms, NULL, 0, max };

	each(tx, enrol_on_swept, &r);
	return r.n;
}

static bool
enrol_on_host(void *ctx, const struct key *k, const struct Rec__Enrolment *e)
{
	struct removal *r = ctx;
	struct ulid used;

	if (key_id_field(&e->used_host, &used) && ulid_eq(&used, r->host))
		table_del(r->tx, TB_ENROLMENT, k);
	return true;
}

void
enrol_store_del_host(struct store_tx *tx, const struct ulid *host)
{
	struct removal r = { tx, 0, host, 0, 0 };

	each(tx, enrol_on_host, &r);
}
