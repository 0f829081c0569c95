/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/fleet_store.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/store/fleet_query.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/table.h"

void
fleet_store_host(struct store_tx *tx, const struct Rec__Host *h, int64_t now_ms,
    struct fleet_host *out)
{
	const struct Rec__Job *job;
	struct ulid current;
	bool known;

	*out = (struct fleet_host){ .host = h };
	known = key_id_field(&h->id, &out->id);
	ASSERT(known); /* it is the record's key */
	if (key_id_field(&h->current_job, &current)) {
		job = job_store_find(tx, &current);
		if (job != NULL && job->state == REC__JOB_STATE__JOB_RUNNING)
			out->running = job;
	}
	out->state = status_of_host(h, out->running != NULL, now_ms);
}

static bool
fleet_on_host(void *ctx, const struct Rec__Host *h)
{
	struct fleet_list *l = ctx;

	if (l->n == l->cap)
		return false;
	fleet_store_host(l->tx, h, l->now_ms, &l->rows[l->n]);
	l->rows[l->n].rank = (uint32_t)l->n;
	l->n++;
	return true;
}

enum rc
fleet_store_load(struct store_tx *tx, struct arena *a, int64_t now_ms,
    struct fleet_list *out)
{
	uint64_t count = host_store_count(tx);

	*out = (struct fleet_list){ .tx = tx, .now_ms = now_ms };
	out->cap = count < FLEET_HOSTS_MAX ? (size_t)count : FLEET_HOSTS_MAX;
	out->rows = arena_array(a, out->cap + 1, sizeof(*out->rows));
	if (out->rows == NULL)
		return RC_LIMIT;
	host_store_each(tx, fleet_on_host, out);
	return store_rc(tx);
}

/* Of hosts that share one the largest figures count: the others are older, or
 * were told before the last backup. */
static void
count_shared(struct fleet_stored *out, struct map *seen,
    const struct Rec__Host *h)
{
	struct str key = str_from(h->repo_id.data, h->repo_id.len);
	struct fleet_stored *have = map_get(seen, key);

	if (have == NULL) {
		have = MEM_NEW(struct fleet_stored);
		map_put(seen, key, have);
	}
	if (h->repo_size_bytes > have->bytes) {
		out->bytes += h->repo_size_bytes - have->bytes;
		have->bytes = h->repo_size_bytes;
	}
	if (h->snapshot_count > have->snapshots) {
		out->snapshots += h->snapshot_count - have->snapshots;
		have->snapshots = h->snapshot_count;
	}
}

void
fleet_store_stored(const struct fleet_list *l, struct fleet_stored *out)
{
	struct map *seen = map_new();
	const struct Rec__Host *h;
	size_t i;

	*out = (struct fleet_stored){ 0, 0 };
	for (i = 0; i < l->n; i++) {
		h = l->rows[i].host;
		if (h->repo_id.len > 0) {
			count_shared(out, seen, h);
			continue;
		}
		out->bytes += h->repo_size_bytes;
		out->snapshots += h->snapshot_count;
	}
	map_free_all(seen);
}

void
fleet_store_filter(struct fleet_list *l, const struct fleet_query *q)
{
	size_t i, kept = 0;

	if (q->n == 0)
		return;
	for (i = 0; i < l->n; i++) {
		if (fleet_query_fits(q, &l->rows[i]))
			l->rows[kept++] = l->rows[i];
	}
	l->n = kept;
}

/* -------------------------------------------------------------------- order */

static int
by_name(const void *a, const void *b)
{
	const struct fleet_host *x = a, *y = b;

	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static int
by_attention(const void *a, const void *b)
{
	const struct fleet_host *x = a, *y = b;

	if (x->state != y->state)
		return x->state < y->state ? -1 : 1;
	return by_name(a, b);
}

static int
by_last(const void *a, const void *b)
{
	const struct fleet_host *x = a, *y = b;
	int64_t s = x->host->last_backup_at_ms, t = y->host->last_backup_at_ms;

	return s != t ? (s < t ? -1 : 1) : by_name(a, b);
}

static int
by_size(const void *a, const void *b)
{
	const struct fleet_host *x = a, *y = b;
	uint64_t s = x->host->repo_size_bytes, t = y->host->repo_size_bytes;

	return s != t ? (s > t ? -1 : 1) : by_name(a, b);
}

static const struct {
	const char *name;
	int (*order)(const void *, const void *);
	bool down; /* it reads downwards by itself */
} sorts[] = {
	[FLEET_BY_ATTENTION] = { "attention", by_attention, false },
	[FLEET_BY_NAME] = { "name", by_name, false },
	[FLEET_BY_LAST] = { "last", by_last, false },
	[FLEET_BY_SIZE] = { "size", by_size, true },
};

_Static_assert(ARRAY_LEN(sorts) == FLEET_SORTS, "one row per order");

const char *
fleet_sort_name(enum fleet_sort s)
{
	return sorts[s].name;
}

const char *
fleet_order_dir(struct fleet_order o)
{
	return sorts[o.sort].down != o.back ? "desc" : "asc";
}

bool
fleet_order_parse(struct str sort, struct str dir, enum fleet_sort dflt,
    struct fleet_order *out)
{
	bool down = str_eqz(dir, "desc");
	bool ok = dir.n == 0 || down || str_eqz(dir, "asc");
	size_t i = 0;

	*out = (struct fleet_order){ .sort = dflt };
	while (i < ARRAY_LEN(sorts) && !str_eqz(sort, sorts[i].name))
		i++;
	if (i < ARRAY_LEN(sorts))
		out->sort = (enum fleet_sort)i;
	else
		ok = ok && sort.n == 0;
	if (dir.n > 0 && (down || str_eqz(dir, "asc")))
		out->back = down != sorts[out->sort].down;
	return ok;
}

void
fleet_store_sort(struct fleet_list *l, struct fleet_order o)
{
	size_t i;

	qsort(l->rows, l->n, sizeof(*l->rows), sorts[o.sort].order);
	for (i = 0; o.back && i < l->n / 2; i++) {
		struct fleet_host h = l->rows[i];

		l->rows[i] = l->rows[l->n - 1 - i];
		l->rows[l->n - 1 - i] = h;
	}
}
