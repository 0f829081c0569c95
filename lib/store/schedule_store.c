/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/schedule_store.h"

#include "lib/store/store_impl.h"
#include "lib/store/table.h"

struct Rec__Schedule *
schedule_store_get(struct store_tx *tx, const struct ulid *host,
    const struct ulid *schedule)
{
	struct key k;

	key_of_ids(&k, host, schedule);
	return table_get(tx, TB_SCHEDULE, &k, &rec__schedule__descriptor,
	    "schedule");
}

struct Rec__Schedule *
schedule_store_find(struct store_tx *tx, const struct ulid *host,
    const struct ulid *schedule)
{
	struct key k;

	key_of_ids(&k, host, schedule);
	return table_find(tx, TB_SCHEDULE, &k, &rec__schedule__descriptor);
}

void
schedule_store_put(struct store_tx *tx, const struct Rec__Schedule *s)
{
	struct ulid id, host;
	struct key k;

	if (!key_id_field(&s->id, &id) || !key_id_field(&s->host_id, &host)) {
		store_fail(tx, RC_INVALID, "a schedule needs an id and a host");
		return;
	}
	key_of_ids(&k, &host, &id);
	if (!table_put_record(tx, TB_SCHEDULE, &k, &s->base))
		return;
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, &host);
}

void
schedule_store_del(struct store_tx *tx, const struct ulid *host,
    const struct ulid *schedule)
{
	struct key k;

	key_of_ids(&k, host, schedule);
	if (!table_del(tx, TB_SCHEDULE, &k))
		return;
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, host);
}

void
schedule_store_of_host(struct store_tx *tx, const struct ulid *host,
    schedule_store_fn *fn, void *ctx)
{
	struct Rec__Schedule *s;
	struct table_scan sc;
	struct key prefix;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, TB_SCHEDULE, &prefix, SCAN_UP);
	while ((s = table_scan_record(&sc, &rec__schedule__descriptor)) != NULL)
		if (!fn(ctx, s))
			break;
	table_scan_fini(&sc);
}
