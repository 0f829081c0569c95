/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "lib/store/store_impl.h"
#include "lib/store/vault_own.h"

enum {
	HOOKS_KEY_GROUP_AT = 16
};

/* The host's defaults stand under a group of zeros. */
static void
hooks_key(struct key *k, const struct ulid *host, const struct ulid *group)
{
	const struct ulid none = { { 0 } };

	key_of_ids(k, host, group != NULL ? group : &none);
}

struct Rec__Hooks *
vault_find_hooks(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group)
{
	struct key k;

	hooks_key(&k, host, group);
	return table_find(tx, TB_HOOKS, &k, &rec__hooks__descriptor);
}

void
vault_put_hooks(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group, const struct Rec__Hooks *h)
{
	struct key k;

	hooks_key(&k, host, group);
	if (h->sealed_pre.len > 0 || h->sealed_post.len > 0)
		table_put_record(tx, TB_HOOKS, &k, &h->base);
	else
		table_del(tx, TB_HOOKS, &k);
}

void
vault_del_hooks_of(struct store_tx *tx, const struct ulid *host)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, TB_HOOKS, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value))
		table_del(tx, TB_HOOKS, &sc.at);
	table_scan_fini(&sc);
}

/* Whether state has what the row is about. */
static bool
is_owned(struct store_tx *state, const struct key *row)
{
	const struct ulid none = { { 0 } };
	struct key k = { .n = 0 };
	enum table t = TB_GROUP;

	if (memcmp(row->b + HOOKS_KEY_GROUP_AT, none.b, sizeof(none.b)) == 0)
		t = TB_HOST;
	key_bytes(&k, row->b,
	    t == TB_HOST ? (size_t)HOOKS_KEY_GROUP_AT : row->n);
	/* Only a read that worked says that a row is missing. */
	return table_has(state, t, &k) || !store_usable(state);
}

size_t
vault_sweep_hooks(struct store_tx *state, struct store_tx *vault)
{
	struct table_scan sc;
	struct str key, value;
	size_t n = 0;

	table_scan_init(&sc, vault, TB_HOOKS, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		if (is_owned(state, &sc.at))
			continue;
		table_del(vault, TB_HOOKS, &sc.at);
		n++;
	}
	table_scan_fini(&sc);
	return n;
}
