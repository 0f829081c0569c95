/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/repo_store.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/host_store.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	DAY_KEY_DAY_AT = 16,
	DAY_KEY_SIZE = 20,
	RECORD_MAX = 2 * TABLE_VALUE_MAX /* one of them, unpacked */
};

/* ------------------------------------------------------------ repositories */

static void
repo_key(struct key *k, const uint8_t id[REPO_ID_SIZE])
{
	*k = (struct key){ 0 };
	key_bytes(k, id, REPO_ID_SIZE);
}

struct Rec__Repo *
repo_store_find(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE])
{
	struct key k;

	repo_key(&k, id);
	return table_find(tx, TB_REPO, &k, &rec__repo__descriptor);
}

struct Rec__Repo *
repo_store_of_host(struct store_tx *tx, const struct Rec__Host *h)
{
	return h->repo_id.len == REPO_ID_SIZE
	           ? repo_store_find(tx, h->repo_id.data)
	           : NULL;
}

void
repo_store_put(struct store_tx *tx, const struct Rec__Repo *r)
{
	struct key k;

	if (r->id.len != REPO_ID_SIZE) {
		store_fail(tx, RC_INVALID, "a repository needs an id");
		return;
	}
	repo_key(&k, r->id.data);
	if (table_put_record(tx, TB_REPO, &k, &r->base))
		store_bump(tx, VER_HOSTS);
}

static bool
repo_on_any(void *ctx, const struct ulid *host)
{
	bool *any = ctx;

	(void)host;
	*any = true;
	return false;
}

/* A host that has gone holds nobody up. */
static void
repo_release(struct store_tx *tx, struct Rec__Repo *r, const struct ulid *host)
{
	const ProtobufCBinaryData none = { 0, NULL };
	struct ulid holder;

	if (r == NULL || !key_id_field(&r->lease_host, &holder) ||
	    !ulid_eq(&holder, host))
		return;
	r->lease_job = r->lease_host = none;
	r->lease_kind = REC__JOB_KIND__KIND_UNKNOWN;
	r->lease_since_ms = 0;
	repo_store_put(tx, r);
}

static void
repo_host_key(struct key *k, const uint8_t id[REPO_ID_SIZE],
    const struct ulid *host)
{
	repo_key(k, id);
	key_ulid(k, host);
}

static void
repo_leave(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    const struct ulid *host)
{
	bool any = false;
	struct key k;

	repo_host_key(&k, id, host);
	table_del(tx, TB_REPO_HOST, &k);
	repo_store_hosts(tx, id, repo_on_any, &any);
	if (any) {
		repo_release(tx, repo_store_find(tx, id), host);
		return;
	}
	repo_key(&k, id);
	table_del(tx, TB_REPO, &k);
}

static void
repo_join(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    const struct Rec__Host *h, const struct ulid *host)
{
	struct Rec__Repo r = REC__REPO__INIT;
	struct key k;

	repo_host_key(&k, id, host);
	table_put(tx, TB_REPO_HOST, &k, str_of(h->reported_name));
	if (repo_store_find(tx, id) != NULL)
		return;
	r.id.len = REPO_ID_SIZE;
	r.id.data = (uint8_t *)(uintptr_t)id;
	repo_store_put(tx, &r);
}

void
repo_store_link(struct store_tx *tx, struct Rec__Host *h,
    const uint8_t id[REPO_ID_SIZE])
{
	uint8_t *mine = NULL;
	struct ulid host;

	if (!key_id_field(&h->id, &host))
		return;
	if (id != NULL && h->repo_id.len == REPO_ID_SIZE &&
	    memcmp(h->repo_id.data, id, REPO_ID_SIZE) == 0)
		return;
	if (h->repo_id.len == REPO_ID_SIZE)
		repo_leave(tx, h->repo_id.data, &host);
	if (id != NULL) {
		mine = arena_alloc(store_arena(tx), REPO_ID_SIZE);
		if (mine == NULL) {
			store_fail(tx, RC_LIMIT, "no room for a repository id");
			return;
		}
		memcpy(mine, id, REPO_ID_SIZE);
		repo_join(tx, mine, h, &host);
	}
	h->repo_id.data = mine;
	h->repo_id.len = mine != NULL ? REPO_ID_SIZE : 0;
}

void
repo_store_hosts(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    repo_store_host_fn *fn, void *ctx)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	struct ulid host;

	repo_key(&prefix, id);
	table_scan_init(&sc, tx, TB_REPO_HOST, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value) &&
	       key_id_at(tx, TB_REPO_HOST, key, KEY_TAIL, &host) &&
	       fn(ctx, &host))
		continue;
	table_scan_fini(&sc);
}

/* By its record, for a row that was made before rows had names.  Thousands may
 * share a repository: nothing of their records is kept. */
static bool
repo_is_called(struct store_tx *tx, const struct ulid *host, const char *name)
{
	struct arena *whole = tx->arena, one;
	const struct Rec__Host *h;
	bool same;

	arena_init(&one, RECORD_MAX);
	tx->arena = &one;
	h = host_store_find(tx, host);
	same = h != NULL && strcmp(h->reported_name, name) == 0;
	tx->arena = whole;
	arena_fini(&one);
	return same;
}

void
repo_store_hosts_named(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    const char *name, repo_store_host_fn *fn, void *ctx)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	struct ulid host;

	repo_key(&prefix, id);
	table_scan_init(&sc, tx, TB_REPO_HOST, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value) &&
	       key_id_at(tx, TB_REPO_HOST, key, KEY_TAIL, &host)) {
		bool same = value.n > 0 ? str_eqz(value, name)
		                        : repo_is_called(tx, &host, name);

		if (same && !fn(ctx, &host))
			break;
	}
	table_scan_fini(&sc);
}

void
repo_store_keep_name(struct store_tx *tx, const struct Rec__Host *h)
{
	struct ulid host;
	struct key k;

	if (h->repo_id.len != REPO_ID_SIZE || !key_id_field(&h->id, &host))
		return;
	repo_host_key(&k, h->repo_id.data, &host);
	if (table_has(tx, TB_REPO_HOST, &k))
		table_put(tx, TB_REPO_HOST, &k, str_of(h->reported_name));
}

bool
repo_store_uses(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    const struct ulid *host)
{
	struct key k;

	repo_host_key(&k, id, host);
	return table_has(tx, TB_REPO_HOST, &k);
}

bool
repo_store_next_host(struct store_tx *tx, const uint8_t id[REPO_ID_SIZE],
    struct ulid *host)
{
	struct table_scan sc;
	struct str key, value;
	struct key k;
	bool found;

	repo_key(&k, id);
	table_scan_init(&sc, tx, TB_REPO_HOST, &k, SCAN_UP);
	repo_host_key(&k, id, host);
	table_scan_behind(&sc, &k);
	found = table_scan_next(&sc, &key, &value) &&
	        key_id_at(tx, TB_REPO_HOST, key, KEY_TAIL, host);
	table_scan_fini(&sc);
	return found;
}

/* -------------------------------------------------------------------- days */

static void
day_key(struct key *k, const struct ulid *host, uint32_t day)
{
	*k = (struct key){ 0 };
	key_ulid(k, host);
	key_u32(k, day);
}

struct Rec__RepoDay *
repo_store_find_day(struct store_tx *tx, const struct ulid *host, uint32_t day)
{
	struct key k;

	day_key(&k, host, day);
	return table_find(tx, TB_REPO_DAY, &k, &rec__repo_day__descriptor);
}

void
repo_store_put_day(struct store_tx *tx, const struct ulid *host, uint32_t day,
    const struct Rec__RepoDay *d)
{
	struct key k;

	day_key(&k, host, day);
	if (!table_put_record(tx, TB_REPO_DAY, &k, &d->base))
		return;
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, host);
}

static uint32_t
day_at(struct str key)
{
	const uint8_t *p = (const uint8_t *)key.p + DAY_KEY_DAY_AT;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

void
repo_store_trim_days(struct store_tx *tx, const struct ulid *host,
    uint32_t before)
{
	struct key prefix;
	struct table_scan sc;
	struct str key, value;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, TB_REPO_DAY, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value) && key.n == DAY_KEY_SIZE &&
	       day_at(key) < before)
		table_del(tx, TB_REPO_DAY, &sc.at);
	table_scan_fini(&sc);
}

void
repo_store_days(struct store_tx *tx, const struct ulid *host, uint32_t from,
    uint32_t to, repo_store_day_fn *fn, void *ctx)
{
	struct key prefix, start;
	struct Rec__RepoDay *d;
	struct table_scan sc;
	struct str key, value;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, TB_REPO_DAY, &prefix, SCAN_UP);
	if (from > 0) {
		day_key(&start, host, from - 1);
		table_scan_behind(&sc, &start);
	}
	while (table_scan_next(&sc, &key, &value)) {
		if (key.n != DAY_KEY_SIZE || day_at(key) > to)
			break;
		d = table_unpack(tx, TB_REPO_DAY, value,
		    &rec__repo_day__descriptor);
		if (d == NULL || !fn(ctx, day_at(key), d))
			break;
	}
	table_scan_fini(&sc);
}
