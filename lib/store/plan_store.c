/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/plan_store.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/message.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

/* host | day | group; a day key without group sorts before its groups. */
static void
day_key(struct key *k, const struct ulid *host, uint32_t day)
{
	*k = (struct key){ 0 };
	key_ulid(k, host);
	key_u32(k, day);
}

struct Rec__SourceGroup *
plan_store_get(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group)
{
	struct key k;

	key_of_ids(&k, host, group);
	return table_get(tx, TB_GROUP, &k, &rec__source_group__descriptor,
	    "source group");
}

struct Rec__SourceGroup *
plan_store_find(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group)
{
	struct key k;

	key_of_ids(&k, host, group);
	return table_find(tx, TB_GROUP, &k, &rec__source_group__descriptor);
}

bool
plan_store_has(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group)
{
	struct key k;

	key_of_ids(&k, host, group);
	return table_has(tx, TB_GROUP, &k);
}

enum {
	DAY_KEY_GROUP_AT = 20,
	ONE_GROUP_ARENA = 8 * TABLE_VALUE_MAX
};

struct day_reader {
	plan_store_day_fn *fn;
	void *ctx;
};

/* Their paths may be many, and a commit may put many groups: nothing of them
 * is kept. */
bool
plan_store_has_name(struct store_tx *tx, const struct ulid *host,
    const char *name, const ProtobufCBinaryData *but)
{
	const struct Rec__SourceGroup *other;
	struct key prefix;
	struct table_scan sc;
	struct str key, value;
	struct arena a;
	bool taken = false;

	arena_init(&a, ONE_GROUP_ARENA);
	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, TB_GROUP, &prefix, SCAN_UP);
	while (!taken && table_scan_next(&sc, &key, &value)) {
		arena_reset(&a);
		other =
		    message_unpack(&a, value, &rec__source_group__descriptor);
		if (other == NULL) {
			store_fail(tx, RC_CORRUPT,
			    "a source group is damaged; restore a backup");
			break;
		}
		taken = strcmp(other->name, name) == 0 &&
		        (but == NULL || other->id.len != but->len ||
		            memcmp(other->id.data, but->data, but->len) != 0);
	}
	table_scan_fini(&sc);
	arena_fini(&a);
	return taken;
}

void
plan_store_put(struct store_tx *tx, const struct Rec__SourceGroup *g)
{
	struct ulid id, host;
	struct key k;

	if (!key_id_field(&g->id, &id) || !key_id_field(&g->host_id, &host) ||
	    g->name[0] == '\0') {
		store_fail(tx, RC_INVALID,
		    "a source group needs an id, a host and a name");
		return;
	}
	if (plan_store_has_name(tx, &host, g->name, &g->id)) {
		store_fail(tx, RC_CONFLICT,
		    "the host has another source group of this name");
		return;
	}
	key_of_ids(&k, &host, &id);
	if (!table_put_record(tx, TB_GROUP, &k, &g->base))
		return;
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, &host);
}

void
plan_store_del(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group)
{
	struct key k;

	key_of_ids(&k, host, group);
	if (!table_del(tx, TB_GROUP, &k))
		return;
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, host);
}

void
plan_store_of_host(struct store_tx *tx, const struct ulid *host,
    plan_store_fn *fn, void *ctx)
{
	struct Rec__SourceGroup *g;
	struct table_scan sc;
	struct key prefix;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, TB_GROUP, &prefix, SCAN_UP);
	while ((g = table_scan_record(&sc, &rec__source_group__descriptor)) !=
	       NULL)
		if (!fn(ctx, g))
			break;
	table_scan_fini(&sc);
}

void
plan_store_put_day(struct store_tx *tx, const struct ulid *host, uint32_t day,
    const struct ulid *group, const struct Rec__DayOutcome *o)
{
	struct key k;

	day_key(&k, host, day);
	key_ulid(&k, group);
	if (!table_put_record(tx, TB_DAY, &k, &o->base))
		return;
	store_bump(tx, VER_HOSTS);
	store_bump_host(tx, host);
}

/* The few fields there are, without an allocation: a page of hosts reads
 * thousands of these.  False: it has more than we know. */
static bool
read_outcome(struct str v, struct Rec__DayOutcome *out)
{
	const uint8_t state = 0x08, incomplete = 0x10, job = 0x1a, more = 0x80;
	const uint8_t *p = (const uint8_t *)v.p;
	size_t i;

	rec__day_outcome__init(out);
	for (i = 0; i + 1 < v.n; i += 2) {
		if ((p[i + 1] & more) != 0)
			return false;
		if (p[i] == state) {
			out->state = (Rec__JobState)p[i + 1];
		} else if (p[i] == incomplete) {
			out->incomplete = p[i + 1] != 0;
		} else if (p[i] == job && p[i + 1] <= v.n - i - 2) {
			out->job_id.len = p[i + 1];
			out->job_id.data = (uint8_t *)(uintptr_t)(p + i + 2);
			i += p[i + 1];
		} else {
			return false;
		}
	}
	return i == v.n;
}

/* One row of the walk; false ends it. */
static bool
give_day(struct store_tx *tx, struct str key, struct str value, uint32_t to,
    const struct day_reader *r)
{
	const uint8_t *p = (const uint8_t *)key.p + sizeof(struct ulid);
	struct Rec__DayOutcome small, *o = &small;
	struct ulid group;
	uint32_t day;

	if (!key_id_at(tx, TB_DAY, key, DAY_KEY_GROUP_AT, &group))
		return false;
	day = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	      (uint32_t)p[2] << 8 | p[3];
	if (day > to)
		return false;
	if (!read_outcome(value, &small))
		o = table_unpack(tx, TB_DAY, value,
		    &rec__day_outcome__descriptor);
	return o != NULL && r->fn(r->ctx, day, &group, o);
}

void
plan_store_days(struct store_tx *tx, const struct ulid *host, uint32_t from,
    uint32_t to, plan_store_day_fn *fn, void *ctx)
{
	const struct day_reader r = { fn, ctx };
	struct key prefix, start;
	struct table_scan sc;
	struct str key, value;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, TB_DAY, &prefix, SCAN_UP);
	day_key(&start, host, from);
	table_scan_behind(&sc, &start);
	while (table_scan_next(&sc, &key, &value) &&
	       give_day(tx, key, value, to, &r))
		continue;
	table_scan_fini(&sc);
}
