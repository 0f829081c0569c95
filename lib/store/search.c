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
	struct arena *whole;
	struct ulid first[SEARCH_MAX], second[SEARCH_MAX];
	size_t n_first, n_second;
	size_t hosts; /* whose paths were looked at */
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

		if (begins || str_case_contains(name, f->text))
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
		if (str_case_contains(str_of(h->tags[i]), text))
			return true;
	return false;
}

/* Tags are in the records only, which are looked at one by one. */
static void
find_tags(struct finding *f)
{
	const struct Rec__Host *h;
	struct table_scan sc;
	struct arena scratch;
	struct str key, value;
	struct ulid id;
	size_t seen = 0;

	arena_init(&scratch, RECORD_MAX);
	table_scan_init(&sc, f->tx, TB_HOST, NULL, SCAN_UP);
	while (!f->out->more_hosts && table_scan_next(&sc, &key, &value) &&
	       key_id_at(f->tx, TB_HOST, key, KEY_TAIL, &id)) {
		f->out->more_hosts = seen++ == SEARCH_HOSTS;
		arena_reset(&scratch);
		f->tx->arena = &scratch;
		h = table_unpack(f->tx, TB_HOST, value, &rec__host__descriptor);
		f->tx->arena = f->whole;
		if (h != NULL && has_tag(h, f->text))
			add_host(f, &id);
	}
	table_scan_fini(&sc);
	arena_fini(&scratch);
}

/* ------------------------------------------------------------------ paths */

static bool
search_on_newest(void *ctx, const struct Rec__Snapshot *s)
{
	*(const struct Rec__Snapshot **)ctx = s;
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

static void
add_newest(struct finding *f, const struct ulid *host)
{
	struct search_found *out = f->out;
	const struct Rec__Snapshot *s = NULL;
	size_t i;

	if (out->n_snapshots == SEARCH_MAX) {
		out->more_snapshots = true;
		return;
	}
	snap_store_of_host(f->tx, host, 0, 1, search_on_newest, &s);
	for (i = 0; s != NULL && i < s->n_paths; i++)
		if (str_case_contains(str_of(s->paths[i]), f->text))
			break;
	if (s != NULL && i < s->n_paths && !listed(out, s))
		out->snapshots[out->n_snapshots++] =
		    (struct search_snapshot){ .host = *host,
			    .snapshot = s,
			    .path = s->paths[i] };
}

static bool
search_on_paths(void *ctx, const struct ulid *host, struct str paths)
{
	struct finding *f = ctx;

	if (f->hosts++ == SEARCH_HOSTS)
		f->out->more_snapshots = true;
	else if (str_case_contains(paths, f->text))
		add_newest(f, host);
	return !f->out->more_snapshots;
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
	find_names(f);
	for (i = 0; i < f->n_first; i++)
		add_host(f, &f->first[i]);
	for (i = 0; i < f->n_second; i++)
		add_host(f, &f->second[i]);
	find_tags(f);
	find_jobs(f);
	find_snapshots(f);
	if (text.n >= SEARCH_PATH_MIN && !out->more_snapshots)
		snap_store_each_paths(tx, search_on_paths, f);
	mem_free(f);
}
