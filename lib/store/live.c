/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/live.h"

#include "lib/store/store_impl.h"
#include "lib/store/table.h"

static void
put(struct store_tx *tx, enum table t, const struct ulid *id,
    const ProtobufCMessage *m)
{
	struct key k;

	key_of_id(&k, id);
	table_put_record(tx, t, &k, m);
}

static void
del(struct store_tx *tx, enum table t, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	table_del(tx, t, &k);
}

void
live_put_presence(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Presence *p)
{
	put(tx, TB_PRESENCE, host, &p->base);
}

void
live_del_presence(struct store_tx *tx, const struct ulid *host)
{
	del(tx, TB_PRESENCE, host);
}

struct Rec__Presence *
live_find_presence(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	key_of_id(&k, host);
	return table_find(tx, TB_PRESENCE, &k, &rec__presence__descriptor);
}

void
live_put_progress(struct store_tx *tx, const struct ulid *job,
    const struct Rec__LiveProgress *p)
{
	put(tx, TB_PROGRESS, job, &p->base);
}

void
live_del_progress(struct store_tx *tx, const struct ulid *job)
{
	del(tx, TB_PROGRESS, job);
}

struct Rec__LiveProgress *
live_find_progress(struct store_tx *tx, const struct ulid *job)
{
	struct key k;

	key_of_id(&k, job);
	return table_find(tx, TB_PROGRESS, &k, &rec__live_progress__descriptor);
}

void
live_clear(struct store_tx *tx)
{
	table_clear(tx, TB_PRESENCE);
	table_clear(tx, TB_PROGRESS);
}
