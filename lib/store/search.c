/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/search.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_query.h"
#include "lib/store/job_store.h"
#include "lib/store/snap_store.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	ULID_CHARS = ULID_TEXT_CAP - 1,
	SNAP_ID_CHARS = 64,
	RECORD_MAX = 2 * TABLE_VALUE_MAX
};

struct finding {
	struct store_tx *tx;
	struct str text;
	struct search_found *out;
	struct arena scratch; /* of one record that is looked at */
	struct arena *whole;
	struct ulid first[SEARCH_MAX], second[SEARCH_MAX];
	size_t n_first, n_second;
	size_t seen;
};

/* ---------------------------------------------------------------- hosts */

static void
note(struct finding *f, const struct ulid *id, bool begins)
{
	struct ulid *v = begins ? f->first : f->second;
	size_t *n = begins ? &f->n_first : &f->n_second;

	if (*n == SEARCH_MAX)
		f->out->more_hosts = true;
	else
		v[(*n)++] = *id;
}

/* Names that begin with the text come before those that have it. */
static void
find_names(struct finding *f)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid id;

	table_scan_init(&sc, f->tx, TB_HOST_NAME, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value) &&
	       key_id_at(f->tx, TB_HOST_NAME, key, KEY_TAIL, &id)) {
		struct str name = str_sub(key, 0, key.n - sizeof(id.b));
		bool begins = str_case_eq(str_sub(name, 0, f->text.n), f->text);

		if (begins || job_query_contains(name, f->text))
			note(f, &id, begins);
	}
	table_scan_fini(&sc);
}

static void
add_host(struct finding *f, const struct ulid *id)
{
	struct search_found *out = f->out;
	const struct Rec__Host *h;
	size_t i;

	for (i = 0; i < out->n_hosts; i++)
		if (memcmp(out->hosts[i]->id.data, id->b, sizeof(id->b)) == 0)
			return;
	if (out->n_hosts == SEARCH_MAX) {
		out->more_hosts = true;
		return;
	}
	h = host_store_find(f->tx, id);
	if (h != NULL)
		out->hosts[out->n_hosts++] = h;
}

static bool
has_tag(const struct Rec__Host *h, struct str text)
{
	size_t i;

	for (i = 0; i < h->n_tags; i++)
		if (job_query_contains(str_of(h->tags[i]), text))
			return true;
	return false;
}

/* ------------------------------------------------------ paths, by each host */

static const char *
path_with(const struct Rec__Snapshot *s, struct str text)
{
	size_t i;

	for (i = 0; i < s->n_paths; i++)
		if (job_query_contains(str_of(s->paths[i]), text))
			return s->paths[i];
	return NULL;
}

struct newest {
	struct str text;
	struct search_snapshot *hit; /* NULL: only whether it fits */
	bool fits;
};

static bool
search_on_newest(void *ctx, const struct Rec__Snapshot *s)
{
	struct newest *n = ctx;
	const char *path = path_with(s, n->text);

	n->fits = path != NULL;
	if (n->fits && n->hit != NULL) {
		n->hit->snapshot = s;
		n->hit->path = path;
	}
	return false;
}

static bool
listed(const struct search_found *out, const struct Rec__Snapshot *s)
{
	size_t i;

	for (i = 0; i < out->n_snapshots; i++)
		if (strcmp(out->snapshots[i].snapshot->id, s->id) == 0)
			return true;
	return false;
}

/* Looked at in the scratch arena, and again for keeps when it fits. */
static void
look_for_path(struct finding *f, const struct ulid *host)
{
	struct search_found *out = f->out;
	struct search_snapshot hit = { .host = *host };
	struct newest n = { .text = f->text };

	if (f->text.n < SEARCH_PATH_MIN || out->more_snapshots)
		return;
	snap_store_of_host(f->tx, host, 0, 1, search_on_newest, &n);
	if (!n.fits)
		return;
	if (out->n_snapshots == SEARCH_MAX) {
		out->more_snapshots = true;
		return;
	}
	f->tx->arena = f->whole;
	n.hit = &hit;
	snap_store_of_host(f->tx, host, 0, 1, search_on_newest, &n);
	if (hit.snapshot != NULL && !listed(out, hit.snapshot))
		out->snapshots[out->n_snapshots++] = hit;
}

/* ------------------------------------------------------------ each record */

static bool
enough(const struct finding *f)
{
	return f->out->more_hosts &&
	       (f->text.n < SEARCH_PATH_MIN || f->out->more_snapshots);
}

static void
look_at_host(struct finding *f, struct str value, const struct ulid *id)
{
	const struct Rec__Host *h;
	bool tagged = false;

	arena_reset(&f->scratch);
	f->tx->arena = &f->scratch;
	if (!f->out->more_hosts) {
		h = table_unpack(f->tx, TB_HOST, value, &rec__host__descriptor);
		tagged = h != NULL && has_tag(h, f->text);
	}
	look_for_path(f, id);
	f->tx->arena = f->whole;
	if (tagged)
		add_host(f, id);
}

/* Tags and paths are in the records only. */
static void
find_in_records(struct finding *f)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid id;

	table_scan_init(&sc, f->tx, TB_HOST, NULL, SCAN_UP);
	while (!enough(f) && table_scan_next(&sc, &key, &value) &&
	       key_id_at(f->tx, TB_HOST, key, KEY_TAIL, &id)) {
		if (f->seen++ == SEARCH_HOSTS) {
			f->out->more_hosts = f->out->more_snapshots = true;
			break;
		}
		look_at_host(f, value, &id);
	}
	table_scan_fini(&sc);
}

/* -------------------------------------------------------------------- ids */

/* The lowest or highest id that begins so; false when none does. */
static bool
bound(struct str text, char fill, struct ulid *out)
{
	char z[ULID_TEXT_CAP];

	if (text.n < SEARCH_ID_MIN || text.n > ULID_CHARS)
		return false;
	memset(z, fill, ULID_CHARS);
	memcpy(z, text.p, text.n);
	return ulid_parse(str_from(z, ULID_CHARS), out);
}

static void
add_job(struct finding *f, const struct ulid *id)
{
	struct search_found *out = f->out;
	const struct Rec__Job *j;

	if (out->n_jobs == SEARCH_MAX) {
		out->more_jobs = true;
		return;
	}
	j = job_store_find(f->tx, id);
	if (j != NULL)
		out->jobs[out->n_jobs++] = j;
}

/* Newest first. */
static void
find_jobs(struct finding *f)
{
	struct ulid low, high, id;
	struct key behind = { 0 };
	struct table_scan sc;
	struct str key, value;

	if (!bound(f->text, '0', &low) || !bound(f->text, 'Z', &high))
		return;
	add_job(f, &high); /* the walk begins behind it */
	key_ulid(&behind, &high);
	table_scan_init(&sc, f->tx, TB_JOB, NULL, SCAN_DOWN);
	table_scan_behind(&sc, &behind);
	while (!f->out->more_jobs && table_scan_next(&sc, &key, &value) &&
	       key_id_at(f->tx, TB_JOB, key, KEY_TAIL, &id) &&
	       memcmp(id.b, low.b, sizeof(id.b)) >= 0)
		add_job(f, &id);
	table_scan_fini(&sc);
}

static bool
search_on_id(void *ctx, const struct ulid *host, const struct Rec__Snapshot *s)
{
	struct search_found *out = ((struct finding *)ctx)->out;

	if (out->n_snapshots == SEARCH_MAX) {
		out->more_snapshots = true;
		return false;
	}
	out->snapshots[out->n_snapshots++] =
	    (struct search_snapshot){ .host = *host, .snapshot = s };
	return true;
}

static void
find_snapshots(struct finding *f)
{
	char low[SNAP_ID_CHARS + 1] = "";
	size_t i;

	if (f->text.n < SEARCH_ID_MIN || f->text.n > SNAP_ID_CHARS)
		return;
	for (i = 0; i < f->text.n; i++) {
		char c = f->text.p[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c + ('a' - 'A'));
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return;
		low[i] = c;
	}
	snap_store_by_id(f->tx, str_of(low), search_on_id, f);
}

void
search(struct store_tx *tx, struct str text, struct search_found *out)
{
	struct finding *f;
	size_t i;

	*out = (struct search_found){ .n_hosts = 0 };
	text = str_trim(str_sub(text, 0, SEARCH_TEXT_MAX));
	if (text.n == 0)
		return;
	f = MEM_NEW(struct finding);
	f->tx = tx;
	f->text = text;
	f->out = out;
	f->whole = store_arena(tx);
	arena_init(&f->scratch, RECORD_MAX);
	find_names(f);
	for (i = 0; i < f->n_first; i++)
		add_host(f, &f->first[i]);
	for (i = 0; i < f->n_second; i++)
		add_host(f, &f->second[i]);
	find_jobs(f);
	find_snapshots(f);
	find_in_records(f);
	arena_fini(&f->scratch);
	mem_free(f);
}
