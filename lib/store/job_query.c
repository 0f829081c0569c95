/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/job_query.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	FEW_HOSTS = 64, /* more of them are found faster among all jobs */
	KINDS = REC__JOB_KIND__KIND_UPDATE + 1,
	SOURCES_MAX = JOB_LOOK_COUNT * KINDS,
	RECORD_MAX = 2 * TABLE_VALUE_MAX
};

_Static_assert((int)FEW_HOSTS <= (int)SOURCES_MAX, "room for either");

/* One sorted stretch of keys, newest first, and its next job. */
struct source {
	struct table_scan sc;
	struct ulid id, host;
	uint8_t look, kind;
};

struct merge {
	struct store_tx *tx;
	const struct job_query *q;
	struct ulid since;
	struct source *v[SOURCES_MAX]; /* those that have a next one */
	size_t n;
	struct arena record; /* of the job whose group is looked at */
};

/* The first id of a millisecond. */
static void
id_at(int64_t ms, struct ulid *out)
{
	size_t i;

	*out = (struct ulid){ { 0 } };
	for (i = 6; i-- > 0; ms >>= 8)
		out->b[i] = (uint8_t)ms;
}

/* ------------------------------------------------------------- sources */

/* False at its end, which is also what is older than since. */
static bool
source_next(struct merge *m, struct source *s)
{
	const bool by_host = s->sc.table == TB_JOB_HOST;
	struct str key, value;

	if (!table_scan_next(&s->sc, &key, &value) ||
	    !key_id_at(m->tx, s->sc.table, key, KEY_TAIL, &s->id))
		return false;
	if (value.n != (by_host ? 2 : sizeof(s->host.b))) {
		store_fail(m->tx, RC_CORRUPT,
		    "an index of jobs holds a bad row; restore a backup");
		return false;
	}
	if (by_host) {
		s->look = (uint8_t)value.p[0];
		s->kind = (uint8_t)value.p[1];
	} else {
		memcpy(s->host.b, value.p, sizeof(s->host.b));
	}
	return memcmp(s->id.b, m->since.b, sizeof(s->id.b)) >= 0;
}

static void
add_source(struct merge *m, enum table t, const struct key *prefix,
    struct source *s)
{
	struct key behind = *prefix;
	struct ulid until;

	table_scan_init(&s->sc, m->tx, t, prefix, SCAN_DOWN);
	if (m->q->until_ms > 0) {
		id_at(m->q->until_ms, &until);
		key_ulid(&behind, &until);
		table_scan_behind(&s->sc, &behind);
	}
	if (source_next(m, s)) {
		m->v[m->n++] = s;
		return;
	}
	table_scan_fini(&s->sc);
	mem_free(s);
}

static bool
wanted(const struct job_query *q, unsigned look, unsigned kind)
{
	return (q->looks == 0 || (q->looks & 1U << look) != 0) &&
	       (q->kind == REC__JOB_KIND__KIND_UNKNOWN ||
	           kind == (unsigned)q->kind);
}

static void
add_looks(struct merge *m)
{
	unsigned look, kind;

	for (look = JOB_LOOK_NONE + 1; look < JOB_LOOK_COUNT; look++) {
		for (kind = 0; kind < KINDS; kind++) {
			struct source *s;
			struct key prefix = { 0 };

			if (!wanted(m->q, look, kind))
				continue;
			s = MEM_NEW(struct source);
			s->look = (uint8_t)look;
			s->kind = (uint8_t)kind;
			key_u8(&prefix, s->look);
			key_u8(&prefix, s->kind);
			add_source(m, TB_JOB_LOOK, &prefix, s);
		}
	}
}

static void
add_hosts(struct merge *m)
{
	size_t i;

	for (i = 0; i < m->q->n_hosts; i++) {
		struct source *s = MEM_NEW(struct source);
		struct key prefix = { 0 };

		s->host = m->q->hosts[i].id;
		key_ulid(&prefix, &s->host);
		add_source(m, TB_JOB_HOST, &prefix, s);
	}
}

/* The newest of all, NULL at the end. */
static struct source *
newest(const struct merge *m)
{
	struct source *best = NULL;
	size_t i;

	for (i = 0; i < m->n; i++)
		if (best == NULL ||
		    memcmp(m->v[i]->id.b, best->id.b, sizeof(best->id.b)) > 0)
			best = m->v[i];
	return best;
}

static void
step(struct merge *m, struct source *s)
{
	size_t i = 0;

	if (source_next(m, s))
		return;
	while (m->v[i] != s)
		i++;
	m->v[i] = m->v[--m->n];
	table_scan_fini(&s->sc);
	mem_free(s);
}

/* ------------------------------------------------------------- filters */

static int
by_id(const void *a, const void *b)
{
	const struct job_query_host *x = a, *y = b;

	return memcmp(x->id.b, y->id.b, sizeof(x->id.b));
}

static bool
by_schedule(const struct Rec__Job *j, const struct ulid *schedule)
{
	struct ulid id;

	return schedule == NULL ||
	       (key_id_field(&j->schedule_id, &id) && ulid_eq(&id, schedule));
}

/* What only the record knows. */
static bool
record_fits(struct merge *m, const struct ulid *id, bool by_group)
{
	struct arena *whole = m->tx->arena;
	const struct Rec__Job *j;
	bool fits;

	arena_reset(&m->record);
	m->tx->arena = &m->record;
	j = job_store_find(m->tx, id);
	fits =
	    j != NULL && by_schedule(j, m->q->schedule) &&
	    (!by_group || str_case_contains(str_of(j->group_name), m->q->text));
	m->tx->arena = whole;
	return fits;
}

static bool
fits(struct merge *m, const struct source *s)
{
	const struct job_query *q = m->q;
	struct job_query_host key = { .id = s->host };
	const struct job_query_host *host;

	if (!wanted(q, s->look, s->kind))
		return false;
	if (q->hosts == NULL)
		return q->schedule == NULL || record_fits(m, &s->id, false);
	host = q->n_hosts == 0
	           ? NULL
	           : bsearch(&key, q->hosts, q->n_hosts, sizeof(key), by_id);
	if (host == NULL)
		return false;
	return (!host->by_group && q->schedule == NULL) ||
	       record_fits(m, &s->id, host->by_group);
}

static bool
give(struct merge *m, const struct ulid *id, job_store_fn *fn, void *ctx)
{
	const struct Rec__Job *j = job_store_find(m->tx, id);

	if (j == NULL && store_usable(m->tx))
		store_fail(m->tx, RC_CORRUPT,
		    "an index of jobs leads nowhere; restore a backup");
	return j != NULL && fn(ctx, j);
}

static void
run(struct merge *m, struct job_found *out, job_store_fn *fn, void *ctx)
{
	const uint64_t end = m->q->skip + m->q->max;
	struct source *s;
	unsigned keys = 0;
	bool giving = true;

	while ((s = newest(m)) != NULL) {
		if (keys++ == JOB_QUERY_KEYS || out->total == JOB_QUERY_REACH) {
			out->more = true;
			out->back_to_ms = ulid_time_ms(&s->id);
			return;
		}
		if (fits(m, s)) {
			if (giving && out->total >= m->q->skip &&
			    out->total < end)
				giving = give(m, &s->id, fn, ctx);
			out->total++;
		}
		step(m, s);
	}
}

/* Without any filter the number of all is known. */
static void
count_all(struct merge *m, struct job_found *out)
{
	const struct job_query *q = m->q;

	if (out->more && q->looks == 0 && q->hosts == NULL &&
	    q->kind == REC__JOB_KIND__KIND_UNKNOWN && q->since_ms == 0 &&
	    q->until_ms == 0)
		out->total = table_count(m->tx, TB_JOB);
}

void
job_query(struct store_tx *tx, const struct job_query *q, struct job_found *out,
    job_store_fn *fn, void *ctx)
{
	struct merge *m = MEM_NEW(struct merge);

	*out = (struct job_found){ 0 };
	m->tx = tx;
	m->q = q;
	id_at(q->since_ms, &m->since);
	arena_init(&m->record, RECORD_MAX);
	if (q->hosts != NULL && q->n_hosts <= FEW_HOSTS)
		add_hosts(m);
	else
		add_looks(m);
	run(m, out, fn, ctx);
	count_all(m, out);
	while (m->n > 0) {
		table_scan_fini(&m->v[--m->n]->sc);
		mem_free(m->v[m->n]);
	}
	arena_fini(&m->record);
	mem_free(m);
}

/* ------------------------------------------------------------- by text */

struct hosts {
	struct job_query_host *v;
	size_t n, cap;
};

static bool
has_host(const struct hosts *h, const struct ulid *id)
{
	struct job_query_host key = { .id = *id };

	return bsearch(&key, h->v, h->n, sizeof(key), by_id) != NULL;
}

static void
add_named(struct store_tx *tx, struct str text, struct hosts *h)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid id;

	table_scan_init(&sc, tx, TB_HOST_NAME, NULL, SCAN_UP);
	while (h->n < h->cap && table_scan_next(&sc, &key, &value)) {
		if (!key_id_at(tx, TB_HOST_NAME, key, KEY_TAIL, &id))
			break;
		key = str_sub(key, 0, key.n - sizeof(id.b));
		if (str_case_contains(key, text))
			h->v[h->n++] = (struct job_query_host){ .id = id };
	}
	table_scan_fini(&sc);
	qsort(h->v, h->n, sizeof(*h->v), by_id);
}

/* False stops the walk: the record is damaged. */
static bool
group_named(struct store_tx *tx, struct str value, struct str text, bool *out)
{
	struct arena *whole = tx->arena, one;
	struct Rec__SourceGroup *g;

	arena_init(&one, RECORD_MAX);
	tx->arena = &one;
	g = table_unpack(tx, TB_GROUP, value, &rec__source_group__descriptor);
	*out = g != NULL && str_case_contains(str_of(g->name), text);
	tx->arena = whole;
	arena_fini(&one);
	return g != NULL;
}

/* Groups are sorted by host, so one behind the other is enough to see that
 * a host is there already. */
static void
add_grouped(struct store_tx *tx, struct str text, struct hosts *h)
{
	const struct hosts named = *h;
	struct table_scan sc;
	struct str key, value;
	struct ulid id;
	bool named_so;

	table_scan_init(&sc, tx, TB_GROUP, NULL, SCAN_UP);
	while (h->n < h->cap && table_scan_next(&sc, &key, &value)) {
		if (!key_id_at(tx, TB_GROUP, key, 0, &id))
			break;
		if (has_host(&named, &id) ||
		    (h->n > named.n && ulid_eq(&h->v[h->n - 1].id, &id)))
			continue;
		if (!group_named(tx, value, text, &named_so))
			break;
		if (named_so)
			h->v[h->n++] = (struct job_query_host){ .id = id,
				.by_group = true };
	}
	table_scan_fini(&sc);
	qsort(h->v, h->n, sizeof(*h->v), by_id);
}

void
job_query_by_text(struct store_tx *tx, struct str text, struct job_query *q)
{
	struct hosts h = { .cap = (size_t)table_count(tx, TB_HOST) };

	h.v = arena_array(store_arena(tx), h.cap + 1, sizeof(*h.v));
	if (h.v == NULL) {
		store_fail(tx, RC_LIMIT, "too many hosts for one filter");
		return;
	}
	add_named(tx, text, &h);
	add_grouped(tx, text, &h);
	q->text = text;
	q->hosts = h.v;
	q->n_hosts = h.n;
}

void
job_query_by_host(struct store_tx *tx, const struct ulid *host,
    struct job_query *q)
{
	struct job_query_host *h = arena_alloc(store_arena(tx), sizeof(*h));
	const struct job_query_host *found = NULL;

	if (h == NULL) {
		store_fail(tx, RC_LIMIT, "no memory for a filter");
		return;
	}
	h->id = *host;
	if (q->hosts != NULL && q->n_hosts > 0)
		found = bsearch(h, q->hosts, q->n_hosts, sizeof(*h), by_id);
	h->by_group = found != NULL && found->by_group;
	q->n_hosts = q->hosts == NULL || found != NULL;
	q->hosts = h;
}
