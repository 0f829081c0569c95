/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/upkeep_store.h"

#include "lib/base/mem.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	DUE_KEY_HOST_AT = 8,
	DUE_KEY_KIND_AT = 24,
	DUE_KEY_SIZE = 25
};

static const Rec__JobKind kinds[] = { REC__JOB_KIND__KIND_FORGET,
	REC__JOB_KIND__KIND_PRUNE, REC__JOB_KIND__KIND_CHECK };

struct Rec__Upkeep *
upkeep_of(const struct Rec__Maintenance *m, Rec__JobKind kind)
{
	if (kind == REC__JOB_KIND__KIND_FORGET)
		return m->forget;
	if (kind == REC__JOB_KIND__KIND_PRUNE)
		return m->prune;
	if (kind == REC__JOB_KIND__KIND_CHECK)
		return m->check;
	return NULL;
}

struct Rec__Maintenance *
upkeep_store_find(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	key_of_id(&k, host);
	return table_find(tx, TB_UPKEEP, &k, &rec__maintenance__descriptor);
}

/* m NULL: none.  Puts its rows into the index, or takes them out. */
static void
index_rows(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Maintenance *m, bool in)
{
	const struct Rec__Upkeep *u;
	struct key k;
	size_t i;

	for (i = 0; m != NULL && i < ARRAY_LEN(kinds); i++) {
		u = upkeep_of(m, kinds[i]);
		if (u == NULL || !u->enabled || u->due_ms <= 0)
			continue;
		k = (struct key){ 0 };
		key_u64(&k, (uint64_t)u->due_ms);
		key_ulid(&k, host);
		key_u8(&k, (uint8_t)kinds[i]);
		if (in)
			table_put(tx, TB_UPKEEP_DUE, &k, STR(""));
		else
			table_del(tx, TB_UPKEEP_DUE, &k);
	}
}

void
upkeep_store_put(struct store_tx *tx, const struct Rec__Maintenance *m)
{
	struct ulid host;
	struct key k;

	if (!key_id_field(&m->host_id, &host)) {
		store_fail(tx, RC_INVALID, "maintenance needs a host");
		return;
	}
	index_rows(tx, &host, upkeep_store_find(tx, &host), false);
	index_rows(tx, &host, m, true);
	key_of_id(&k, &host);
	if (!table_put_record(tx, TB_UPKEEP, &k, &m->base))
		return;
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, &host);
}

void
upkeep_store_del(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	index_rows(tx, host, upkeep_store_find(tx, host), false);
	key_of_id(&k, host);
	table_del(tx, TB_UPKEEP, &k);
}

size_t
upkeep_store_hosts(struct store_tx *tx, const struct ulid *after, size_t max,
    upkeep_store_host_fn *fn, void *ctx)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid host;
	struct key k;
	size_t n = 0;

	table_scan_init(&sc, tx, TB_HOST, NULL, SCAN_UP);
	key_of_id(&k, after);
	table_scan_behind(&sc, &k);
	while (n < max && table_scan_next(&sc, &key, &value) &&
	       key_id_at(tx, TB_HOST, key, KEY_TAIL, &host)) {
		fn(ctx, &host, upkeep_store_find(tx, &host));
		n++;
	}
	table_scan_fini(&sc);
	return n;
}

static int64_t
due_at(struct str key)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < DUE_KEY_HOST_AT; i++)
		v = v << 8 | (uint8_t)key.p[i];
	return (int64_t)v;
}

void
upkeep_store_due(struct store_tx *tx, int64_t until_ms, upkeep_store_fn *fn,
    void *ctx)
{
	struct key all = { .n = 0 };
	struct table_scan sc;
	struct str key, value;
	struct ulid host;

	table_scan_init(&sc, tx, TB_UPKEEP_DUE, &all, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		if (key.n != DUE_KEY_SIZE ||
		    !key_id_at(tx, TB_UPKEEP_DUE, key, DUE_KEY_HOST_AT, &host))
			break;
		if (due_at(key) > until_ms ||
		    !fn(ctx, &host,
		        (Rec__JobKind)(uint8_t)key.p[DUE_KEY_KIND_AT],
		        due_at(key)))
			break;
	}
	table_scan_fini(&sc);
}
