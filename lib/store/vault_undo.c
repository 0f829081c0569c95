/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/store_impl.h"
#include "lib/store/vault_own.h"

/* Two looks at one table, in the order of its keys. */
struct undo {
	struct store_tx *vault;
	enum table t;
	struct table_scan then, now; /* at: the row that is compared */
	struct str value;            /* of then, which does not change */
	bool has_then, has_now;
};

static void
undo_next_then(struct undo *u)
{
	struct str key;

	u->has_then = table_scan_next(&u->then, &key, &u->value);
}

static void
undo_next_now(struct undo *u)
{
	struct str key, value;

	u->has_now = table_scan_next(&u->now, &key, &value);
}

static int
undo_order(const struct undo *u)
{
	if (!u->has_now)
		return -1;
	if (!u->has_then)
		return 1;
	return str_cmp(str_from(u->then.at.b, u->then.at.n),
	    str_from(u->now.at.b, u->now.at.n));
}

/* One row is as it was. */
static void
undo_row(struct undo *u)
{
	int order = undo_order(u);

	if (order > 0) {
		table_del(u->vault, u->t, &u->now.at);
		undo_next_now(u);
		return;
	}
	table_put(u->vault, u->t, &u->then.at, u->value); /* if it differs */
	undo_next_then(u);
	if (order == 0)
		undo_next_now(u);
}

void
vault_undo(struct store_tx *before, struct store_tx *vault)
{
	struct undo u = { .vault = vault };
	unsigned i;

	for (i = 0; i < TABLE_COUNT; i++) {
		u.t = (enum table)i;
		if ((table_info(u.t)->where & (1U << STORE_VAULT)) == 0)
			continue;
		table_scan_init(&u.then, before, u.t, NULL, SCAN_UP);
		table_scan_init(&u.now, vault, u.t, NULL, SCAN_UP);
		undo_next_then(&u);
		undo_next_now(&u);
		while ((u.has_then || u.has_now) && store_rc(vault) == RC_OK)
			undo_row(&u);
		table_scan_fini(&u.then);
		table_scan_fini(&u.now);
	}
	if (store_rc(before) != RC_OK)
		(void)store_fail(vault, store_rc(before), "%s",
		    store_err(before)->msg);
}
