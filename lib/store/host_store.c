/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/host_store.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/host_cache.h"
#include "lib/store/repo_store.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

/* The NUL keeps "web" and its ids before "web-1". */
static void
name_prefix(struct key *k, struct str name)
{
	*k = (struct key){ 0 };
	key_name(k, name);
	key_u8(k, 0);
}

static void
name_key(struct key *k, const struct Rec__Host *h, const struct ulid *id)
{
	name_prefix(k, str_of(h->name));
	key_ulid(k, id);
}

struct Rec__Host *
host_store_get(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	return table_get(tx, TB_HOST, &k, &rec__host__descriptor, "host");
}

struct Rec__Host *
host_store_find(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	return table_find(tx, TB_HOST, &k, &rec__host__descriptor);
}

void
host_store_need(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	if (!table_has(tx, TB_HOST, &k) && store_usable(tx))
		store_fail(tx, RC_NOTFOUND, "there is no host with this id");
}

/* The id behind an index key, which ends with it. */
static bool
id_behind(struct store_tx *tx, struct str key, struct ulid *out)
{
	return key_id_at(tx, TB_HOST_NAME, key, KEY_TAIL, out);
}

static void
leads_nowhere(struct store_tx *tx)
{
	if (store_usable(tx))
		store_fail(tx, RC_CORRUPT,
		    "the index of host names leads nowhere; restore a backup");
}

static struct Rec__Host *
behind_index(struct store_tx *tx, struct str key)
{
	struct Rec__Host *h;
	struct ulid id;

	if (!id_behind(tx, key, &id))
		return NULL;
	h = host_store_find(tx, &id);
	if (h == NULL)
		leads_nowhere(tx);
	return h;
}

struct Rec__Host *
host_store_find_name(struct store_tx *tx, struct str name)
{
	struct Rec__Host *h = NULL;
	struct table_scan sc;
	struct str key, value;
	struct key prefix;

	name_prefix(&prefix, name);
	table_scan_init(&sc, tx, TB_HOST_NAME, &prefix, SCAN_UP);
	if (table_scan_next(&sc, &key, &value))
		h = behind_index(tx, key);
	table_scan_fini(&sc);
	return h;
}

void
host_store_put(struct store_tx *tx, const struct Rec__Host *h)
{
	struct Rec__Host *old;
	struct ulid id;
	struct key k;

	if (!key_id_field(&h->id, &id) || h->name[0] == '\0') {
		store_fail(tx, RC_INVALID, "a host needs an id and a name");
		return;
	}
	old = host_store_find(tx, &id);
	if (old != NULL && strcmp(old->name, h->name) != 0) {
		name_key(&k, old, &id);
		table_del(tx, TB_HOST_NAME, &k);
	}
	name_key(&k, h, &id);
	table_put(tx, TB_HOST_NAME, &k, STR(""));
	key_of_id(&k, &id);
	if (!table_put_record(tx, TB_HOST, &k, &h->base))
		return;
	repo_store_keep_name(tx, h);
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, &id);
}

void
host_store_del(struct store_tx *tx, const struct Rec__Host *h)
{
	struct ulid id;
	struct key k;

	if (!key_id_field(&h->id, &id))
		return;
	name_key(&k, h, &id);
	table_del(tx, TB_HOST_NAME, &k);
	key_of_id(&k, &id);
	table_del(tx, TB_CURSOR, &k);
	table_del(tx, TB_HOST, &k);
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, &id);
}

static bool
keep_behind_index(struct store_tx *tx, struct host_cache *c, struct str key)
{
	struct str stored;
	struct ulid id;
	struct key k;

	if (!id_behind(tx, key, &id))
		return false;
	key_of_id(&k, &id);
	if (!table_peek(tx, TB_HOST, &k, &stored)) {
		leads_nowhere(tx);
		return false;
	}
	/* A damaged one: table_unpack says so. */
	return host_cache_add(c, &id, stored) != NULL ||
	       table_unpack(tx, TB_HOST, stored, &rec__host__descriptor);
}

/* Brings the list of a reader up to date. */
static void
keep_all(struct store_tx *tx, struct host_cache *c)
{
	uint64_t version = store_version(tx, VER_HOSTS);
	struct table_scan sc;
	struct str key, value;

	if (store_rc(tx) != RC_OK || host_cache_is_of(c, version))
		return;
	host_cache_begin(c);
	table_scan_init(&sc, tx, TB_HOST_NAME, NULL, SCAN_UP);
	while (
	    table_scan_next(&sc, &key, &value) && keep_behind_index(tx, c, key))
		;
	table_scan_fini(&sc);
	if (store_rc(tx) == RC_OK)
		host_cache_end(c, version);
}

static void
each_kept(struct store_tx *tx, host_store_fn *fn, void *ctx)
{
	struct store *s = tx->store;
	const struct Rec__Host *h;
	size_t i;

	if (s->hosts == NULL)
		s->hosts = host_cache_new();
	keep_all(tx, s->hosts);
	for (i = 0; store_rc(tx) == RC_OK; i++) {
		h = host_cache_at(s->hosts, i);
		if (h == NULL || !fn(ctx, h))
			break;
	}
}

void
host_store_each(struct store_tx *tx, host_store_fn *fn, void *ctx)
{
	struct table_scan sc;
	struct str key, value;
	struct Rec__Host *h;

	/* It is a process of one thread that asks again and again. */
	if (tx->store->mode == STORE_READER) {
		each_kept(tx, fn, ctx);
		return;
	}
	table_scan_init(&sc, tx, TB_HOST_NAME, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		h = behind_index(tx, key);
		if (h == NULL || !fn(ctx, h))
			break;
	}
	table_scan_fini(&sc);
}

uint64_t
host_store_count(struct store_tx *tx)
{
	return table_count(tx, TB_HOST);
}

struct Rec__AgentCursor *
host_store_cursor(struct store_tx *tx, const struct ulid *id)
{
	struct Rec__AgentCursor *c;
	struct key k;

	key_of_id(&k, id);
	c = table_find(tx, TB_CURSOR, &k, &rec__agent_cursor__descriptor);
	if (c != NULL || !store_usable(tx))
		return c;
	c = arena_alloc(store_arena(tx), sizeof(*c));
	if (c == NULL)
		store_fail(tx, RC_LIMIT, "too many records at once");
	else
		rec__agent_cursor__init(c);
	return c;
}

void
host_store_put_cursor(struct store_tx *tx, const struct ulid *id,
    const struct Rec__AgentCursor *c)
{
	struct key k;

	key_of_id(&k, id);
	table_put_record(tx, TB_CURSOR, &k, &c->base);
}
