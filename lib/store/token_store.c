/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/token_store.h"

#include "lib/store/store_impl.h"
#include "lib/store/table.h"

struct Rec__ApiToken *
token_store_find(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	return table_find(tx, TB_API_TOKEN, &k, &rec__api_token__descriptor);
}

void
token_store_put(struct store_tx *tx, const struct Rec__ApiToken *t)
{
	struct ulid id, user;
	struct key k;

	if (!key_id_field(&t->id, &id) || !key_id_field(&t->user_id, &user)) {
		store_fail(tx, RC_INVALID,
		    "an API token needs an id and a user");
		return;
	}
	key_of_ids(&k, &user, &id);
	table_put(tx, TB_API_TOKEN_USER, &k, STR(""));
	key_of_id(&k, &id);
	if (table_put_record(tx, TB_API_TOKEN, &k, &t->base))
		store_bump(tx, VER_USERS);
}

void
token_store_del(struct store_tx *tx, const struct ulid *id)
{
	const struct Rec__ApiToken *t = token_store_find(tx, id);
	struct ulid user;
	struct key k;

	if (t == NULL)
		return;
	if (key_id_field(&t->user_id, &user)) {
		key_of_ids(&k, &user, id);
		table_del(tx, TB_API_TOKEN_USER, &k);
	}
	key_of_id(&k, id);
	if (table_del(tx, TB_API_TOKEN, &k))
		store_bump(tx, VER_USERS);
}

void
token_store_each(struct store_tx *tx, const struct ulid *user,
    token_store_fn *fn, void *ctx)
{
	enum table t = user == NULL ? TB_API_TOKEN : TB_API_TOKEN_USER;
	struct Rec__ApiToken *token;
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	struct ulid id;

	if (user != NULL)
		key_of_id(&prefix, user);
	table_scan_init(&sc, tx, t, user != NULL ? &prefix : NULL, SCAN_DOWN);
	while (table_scan_next(&sc, &key, &value)) {
		if (!key_id_at(tx, t, key, KEY_TAIL, &id))
			break;
		token = token_store_find(tx, &id);
		if (token == NULL || !fn(ctx, token))
			break;
	}
	table_scan_fini(&sc);
}
