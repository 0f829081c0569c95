/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/repo_state.h"

#include <string.h>

#include "controller/lease.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/repo_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

enum {
	HOLDER_MAX = 255
};

/* ---------------------------------------------------------------- identity */

/* Two hosts with one repository, or one host with another than before, are
 * told apart by restic's id alone. */
static void
take_id(struct store_tx *tx, const struct repo_report *r)
{
	struct Rec__Host *h = r->host;
	uint8_t id[REPO_ID_SIZE];

	if (r->stats->repo_id__case != WIRE__REPO_STATS__REPO_ID__REPO_ID ||
	    !str_unhex(str_of(r->stats->repo_id), id, sizeof(id)))
		return;
	if (h->repo_id.len == REPO_ID_SIZE &&
	    memcmp(h->repo_id.data, id, REPO_ID_SIZE) != 0) {
		log_warn(LOG_AGENT, "another repository than before host=%s",
		    log_safe(str_of(h->name)));
		h->repo_changed_at_ms = r->now_ms;
	}
	repo_store_link(tx, h, id);
}

/* ------------------------------------------------------------------- locks */

static void
take_locks(struct store_tx *tx, const struct repo_report *r)
{
	const Wire__RepoLocks *l = r->stats->locks;
	struct Rec__Host *h = r->host;
	int64_t at;

	if (l == NULL) {
		/* Somebody says so who did not list them. */
		if (r->stats->lock_present__case ==
		    WIRE__REPO_STATS__LOCK_PRESENT__LOCK_PRESENT) {
			h->lock_count = r->stats->lock_present ? 1 : 0;
			h->lock_exclusive = false;
			h->lock_newest_at_ms = 0;
			h->lock_holder = pb_text("");
			h->locks_at_ms = r->at_ms;
		}
		return;
	}
	at = rules_time(l->at_ms, 1, r->now_ms);
	if (at < h->locks_at_ms && h->locks_at_ms <= r->now_ms)
		return; /* told late */
	h->locks_at_ms = at;
	h->lock_count = l->count;
	h->lock_exclusive = l->exclusive;
	h->lock_newest_at_ms = l->newest_at_ms;
	h->lock_holder = pb_keep(store_arena(tx), l->holder, HOLDER_MAX);
	lease_on_locks(tx, h);
}

/* -------------------------------------------------------------- size by day */

/* What a report does not tell stays as it was that day (M-223). */
static bool
take_sizes(const struct repo_report *r, struct Rec__RepoDay *d)
{
	const struct Wire__RepoStats *s = r->stats;
	struct Rec__Host *h = r->host;
	bool any = false;

	if (s->total_size__case ==
	    WIRE__REPO_STATS__TOTAL_SIZE__TOTAL_SIZE_BYTES) {
		h->repo_size_bytes = d->size_bytes = s->total_size_bytes;
		d->has_size = any = true;
	}
	if (s->raw_size__case == WIRE__REPO_STATS__RAW_SIZE__RAW_SIZE_BYTES) {
		h->repo_raw_size_bytes = d->raw_size_bytes = s->raw_size_bytes;
		any = true;
	}
	if (s->snapshot_count__case ==
	    WIRE__REPO_STATS__SNAPSHOT_COUNT__SNAPSHOT_COUNT) {
		h->snapshot_count = d->snapshot_count = s->snapshot_count;
		d->has_count = any = true;
	}
	if (s->last_prune_at__case ==
	    WIRE__REPO_STATS__LAST_PRUNE_AT__LAST_PRUNE_AT_MS)
		d->pruned = any = true;
	return any;
}

static void
take_day(struct store_tx *tx, const struct repo_report *r)
{
	struct Rec__RepoDay fresh = REC__REPO_DAY__INIT, *d;
	int32_t offset = 0;
	struct ulid host;
	uint32_t day;

	if (!pb_id_get(&r->host->id, &host))
		return;
	if (!clock_zone_offset(r->zone, r->at_ms, &offset))
		offset = 0;
	day = rules_day(r->at_ms, offset);
	d = repo_store_find_day(tx, &host, day);
	if (!take_sizes(r, d != NULL ? d : &fresh))
		return;
	repo_store_put_day(tx, &host, day, d != NULL ? d : &fresh);
	if (d == NULL && day > REPO_HISTORY_DAYS)
		repo_store_trim_days(tx, &host, day - REPO_HISTORY_DAYS);
}

/* --------------------------------------------------------------------- all */

static void
take_work(struct store_tx *tx, const struct repo_report *r)
{
	struct Rec__Repo *repo = repo_store_of_host(tx, r->host);
	const struct Wire__RepoStats *s = r->stats;
	int64_t at;

	if (repo == NULL)
		return;
	if (s->last_prune_at__case ==
	    WIRE__REPO_STATS__LAST_PRUNE_AT__LAST_PRUNE_AT_MS) {
		at = rules_time(s->last_prune_at_ms, 1, r->now_ms);
		if (rules_later(at, repo->last_prune_at_ms, r->now_ms))
			repo->last_prune_at_ms = at;
	}
	repo_store_put(tx, repo);
}

void
repo_state_report(struct store_tx *tx, const struct repo_report *r)
{
	take_id(tx, r);
	take_locks(tx, r);
	take_day(tx, r);
	take_work(tx, r);
}
