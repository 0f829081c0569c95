/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/user_store.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

static void
name_key(struct key *k, struct str name)
{
	*k = (struct key){ 0 };
	key_name(k, name);
}

struct Rec__User *
user_store_get(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	return table_get(tx, TB_USER, &k, &rec__user__descriptor, "user");
}

struct Rec__User *
user_store_find(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	return table_find(tx, TB_USER, &k, &rec__user__descriptor);
}

static bool
find_id(struct store_tx *tx, struct str name, struct ulid *out)
{
	struct str value;
	struct key k;

	if (name.n == 0)
		return false;
	name_key(&k, name);
	return table_peek(tx, TB_USER_NAME, &k, &value) &&
	       key_id_at(tx, TB_USER_NAME, value, KEY_TAIL, out);
}

struct Rec__User *
user_store_find_name(struct store_tx *tx, struct str name)
{
	struct Rec__User *u;
	struct ulid id;

	if (!find_id(tx, name, &id))
		return NULL;
	u = user_store_find(tx, &id);
	if (u == NULL && store_usable(tx))
		store_fail(tx, RC_CORRUPT,
		    "the index of user names leads nowhere; restore a backup");
	return u;
}

void
user_store_put(struct store_tx *tx, const struct Rec__User *u)
{
	struct Rec__User *old;
	struct ulid id, holder;
	struct key k;

	if (!key_id_field(&u->id, &id) || u->name[0] == '\0') {
		store_fail(tx, RC_INVALID, "a user needs an id and a name");
		return;
	}
	if (find_id(tx, str_of(u->name), &holder) && !ulid_eq(&holder, &id)) {
		store_fail(tx, RC_CONFLICT, "another user has this name");
		return;
	}
	old = user_store_find(tx, &id);
	if (old != NULL && strcmp(old->name, u->name) != 0) {
		name_key(&k, str_of(old->name));
		table_del(tx, TB_USER_NAME, &k);
	}
	name_key(&k, str_of(u->name));
	table_put(tx, TB_USER_NAME, &k, str_from(id.b, sizeof(id.b)));
	key_of_id(&k, &id);
	if (table_put_record(tx, TB_USER, &k, &u->base))
		store_bump(tx, VER_USERS);
}

void
user_store_each(struct store_tx *tx, user_store_fn *fn, void *ctx)
{
	struct table_scan sc;
	struct str key, value;
	struct Rec__User *u;
	struct ulid id;

	table_scan_init(&sc, tx, TB_USER_NAME, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		if (!key_id_at(tx, TB_USER_NAME, value, KEY_TAIL, &id))
			break;
		u = user_store_find(tx, &id);
		if (u == NULL || !fn(ctx, u))
			break;
	}
	table_scan_fini(&sc);
}

uint64_t
user_store_count(struct store_tx *tx)
{
	return table_count(tx, TB_USER);
}
