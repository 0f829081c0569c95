/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/gone_store.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/enrol_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/pending_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/snap_store.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"
#include "lib/store/upkeep_store.h"

enum {
	NEWEST = 200, /* at most one is queued a group and kind */
	VERSION_OF_HOST = 255
};

/* Tables whose keys begin with the host's id, but those of jobs and
 * snapshots. */
static const enum table owned[] = { TB_GROUP, TB_DAY, TB_SCHEDULE,
	TB_REPO_DAY };

static void
put(struct store_tx *tx, const struct ulid *host, const struct Rec__HostGone *g)
{
	struct key k;

	key_of_id(&k, host);
	table_put_record(tx, TB_HOST_GONE, &k, &g->base);
}

struct Rec__HostGone *
gone_store_find(struct store_tx *tx, const struct ulid *host)
{
	struct key k;

	key_of_id(&k, host);
	return table_find(tx, TB_HOST_GONE, &k, &rec__host_gone__descriptor);
}

/* ------------------------------------------------------------------- begin */

struct ending {
	struct store_tx *tx;
	int64_t now_ms;
};

/* A record of the transaction's arena, which may be changed. */
static void
end_job(struct ending *en, struct Rec__Job *j)
{
	static char cause[] = "host_deleted";

	if (job_state_final(j->state))
		return;
	j->state = REC__JOB_STATE__JOB_CANCELLED;
	j->finished_at_ms = en->now_ms;
	j->exit_code = -1;
	j->cause = cause;
	j->log_closed = true;
	job_store_put(en->tx, j);
}

static bool
gone_on_job(void *ctx, const struct Rec__Job *j)
{
	struct ending *en = ctx;
	struct Rec__Job *own;
	struct ulid id;

	if (!key_id_field(&j->id, &id))
		return true;
	own = job_store_find(en->tx, &id);
	if (own != NULL)
		end_job(en, own);
	return true;
}

void
gone_store_begin(struct store_tx *tx, const struct Rec__Host *h, const char *by,
    int64_t now_ms)
{
	struct Rec__HostGone g = REC__HOST_GONE__INIT;
	struct ending en = { tx, now_ms };
	struct Rec__Host unlinked;
	const struct Rec__PendingHost *pending;
	const struct Rec__Job *current;
	struct ulid id, job;

	if (!key_id_field(&h->id, &id)) {
		store_fail(tx, RC_CORRUPT, "the host has no id");
		return;
	}
	job_store_of_host(tx, &id, NULL, NEWEST, gone_on_job, &en);
	current = key_id_field(&h->current_job, &job) ? job_store_find(tx, &job)
	                                              : NULL;
	if (current != NULL)
		(void)gone_on_job(&en, current);
	g.id = h->id;
	g.name = h->name;
	g.deleted_at_ms = now_ms;
	g.deleted_by = arena_dup(store_arena(tx), by);
	put(tx, &id, &g);
	/* Or an agent that was accepted and did not hear of it would get the
	 * credentials of nobody. */
	pending = pending_store_find_host(tx, &id);
	if (pending != NULL && key_id_field(&pending->id, &job))
		pending_store_del(tx, &job);
	unlinked = *h;
	repo_store_link(tx, &unlinked, NULL);
	upkeep_store_del(tx, &id);
	host_store_del(tx, h);
}

/* ------------------------------------------------------------------- sweep */

void
gone_store_each(struct store_tx *tx, gone_store_fn *fn, void *ctx)
{
	struct Rec__HostGone *g;
	struct table_scan sc;

	table_scan_init(&sc, tx, TB_HOST_GONE, NULL, SCAN_UP);
	while (
	    (g = table_scan_record(&sc, &rec__host_gone__descriptor)) != NULL)
		if (!fn(ctx, g))
			break;
	table_scan_fini(&sc);
}

size_t
gone_store_jobs(struct store_tx *tx, const struct ulid *host, struct ulid *out,
    size_t max)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	size_t n = 0;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, TB_JOB_HOST, &prefix, SCAN_DOWN);
	while (n < max && table_scan_next(&sc, &key, &value) &&
	       key_id_at(tx, TB_JOB_HOST, key, KEY_TAIL, &out[n]))
		n++;
	table_scan_fini(&sc);
	return n;
}

static size_t
delete_owned(struct store_tx *tx, const struct ulid *host, enum table t,
    size_t max)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	size_t n = 0;

	key_of_id(&prefix, host);
	table_scan_init(&sc, tx, t, &prefix, SCAN_UP);
	while (n < max && table_scan_next(&sc, &key, &value))
		n += table_del(tx, t, &sc.at);
	table_scan_fini(&sc);
	return n;
}

/* The last of it. */
static void
finish(struct store_tx *tx, const struct ulid *host, int64_t now_ms)
{
	struct Rec__HostGone *g = gone_store_find(tx, host);
	struct key k = { 0 };

	enrol_store_del_host(tx, host);
	key_u8(&k, VERSION_OF_HOST);
	key_ulid(&k, host);
	table_del(tx, TB_VERSION, &k);
	if (g == NULL || g->swept_at_ms != 0)
		return;
	g->swept_at_ms = now_ms;
	put(tx, host, g);
}

bool
gone_store_sweep(struct store_tx *tx, const struct ulid *host, size_t max,
    int64_t now_ms)
{
	size_t i, n = snap_store_del(tx, host, max);

	for (i = 0; n < max && i < ARRAY_LEN(owned); i++)
		n += delete_owned(tx, host, owned[i], max - n);
	if (n == max)
		return false;
	finish(tx, host, now_ms);
	return store_rc(tx) == RC_OK;
}

size_t
gone_store_expire(struct store_tx *tx, int64_t before_ms, size_t max)
{
	struct Rec__HostGone *g;
	struct table_scan sc;
	size_t n = 0;

	table_scan_init(&sc, tx, TB_HOST_GONE, NULL, SCAN_UP);
	while (n < max && (g = table_scan_record(&sc,
	                       &rec__host_gone__descriptor)) != NULL) {
		if (g->swept_at_ms == 0 || g->swept_at_ms >= before_ms)
			continue;
		table_del(tx, TB_HOST_GONE, &sc.at);
		n++;
	}
	table_scan_fini(&sc);
	return n;
}
