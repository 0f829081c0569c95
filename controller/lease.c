/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/lease.h"

#include <string.h>

#include "controller/pb.h"
#include "lib/store/host_store.h"
#include "lib/store/job_out.h"
#include "lib/store/job_store.h"
#include "lib/store/message.h"
#include "lib/store/repo_store.h"
#include "lib/store/store.h"

bool
lease_exclusive(Rec__JobKind kind)
{
	return kind == REC__JOB_KIND__KIND_FORGET ||
	       kind == REC__JOB_KIND__KIND_PRUNE ||
	       kind == REC__JOB_KIND__KIND_CHECK ||
	       kind == REC__JOB_KIND__KIND_UNLOCK;
}

/* ------------------------------------------------------------ who is there */

/* A question about one repository. */
struct look {
	struct store_tx *tx;
	const struct Rec__Repo *repo;
	const struct Rec__Job *asking;
	struct ulid host, job; /* of the asking job */
	int64_t now_ms;
};

/* Whether work of this host, exclusive or not, is out of the way although
 * nobody has said that it ended. */
static bool
is_gone(const struct look *l, const struct ulid *host, bool exclusive)
{
	const struct Rec__Host *h = host_store_find(l->tx, host);
	int64_t seen = l->repo->unlocked_at_ms;

	if (h == NULL)
		return store_rc(l->tx) == RC_OK;
	if (h->online)
		return false;
	if (l->asking->kind == REC__JOB_KIND__KIND_UNLOCK)
		return true;
	if (exclusive && l->repo->shared_at_ms > seen)
		seen = l->repo->shared_at_ms;
	if (!exclusive && l->now_ms >= h->last_seen_at_ms + LEASE_DAY_MS)
		return true;
	return seen >= h->last_seen_at_ms + LEASE_SILENCE_MS;
}

/* No lease, no exclusive work: that is what lease_end() sees to. */
static bool
is_leased(const struct Rec__Repo *r, const struct Rec__Job *asking)
{
	return r->lease_job.len > 0 &&
	       !message_same_id(&r->lease_job, &asking->id);
}

/* The next job behind *at that is out on a host of the repository.  Both are
 * in the order of the hosts, so either is passed over by the other: many hosts
 * of which few are at work cost as little as few of many that are. */
static bool
next_out(const struct look *l, struct job_out *at)
{
	const uint8_t *repo = l->repo->id.data;

	while (job_out_next(l->tx, at)) {
		if (repo_store_uses(l->tx, repo, &at->host))
			return true;
		if (!repo_store_next_host(l->tx, repo, &at->host))
			return false;
		memset(&at->job, 0, sizeof(at->job));
	}
	return false;
}

/* Whether the two must not meet and nothing says that the other is over. */
static bool
is_in_the_way(const struct look *l, const struct job_out *o)
{
	bool exclusive = lease_exclusive(o->kind);

	if (ulid_eq(&o->host, &l->host))
		return false;
	if (!exclusive && !lease_exclusive(l->asking->kind))
		return false;
	return !is_gone(l, &o->host, exclusive);
}

/* The leased one is asked first: it is nearly always the reason. */
static bool
holder_is_in_the_way(const struct look *l, struct ulid *by)
{
	struct job_out o = { 0 };
	struct ulid holder;

	if (!pb_id_get(&l->repo->lease_host, &holder))
		return false;
	o.host = holder;
	while (job_out_next(l->tx, &o) && ulid_eq(&o.host, &holder))
		if (is_in_the_way(l, &o)) {
			*by = o.job;
			return true;
		}
	return false;
}

static bool
anybody_is_in_the_way(const struct look *l, struct ulid *by)
{
	struct job_out o = { 0 };

	if (!is_leased(l->repo, l->asking) && !lease_exclusive(l->asking->kind))
		return false;
	if (holder_is_in_the_way(l, by))
		return true;
	while (next_out(l, &o))
		if (is_in_the_way(l, &o)) {
			*by = o.job;
			return true;
		}
	return false;
}

/* ------------------------------------------------------------- whose turn */

/* A silent host's work may last for a day: who waits for that helps nobody by
 * holding up others. */
static bool
waits_for_silent(const struct look *l)
{
	const struct Rec__Host *h;
	struct job_out o = { 0 };

	while (next_out(l, &o)) {
		if (!is_in_the_way(l, &o))
			continue;
		h = host_store_find(l->tx, &o.host);
		if (h != NULL && !h->online)
			return true;
	}
	return false;
}

static const struct Rec__Job *
job_in_turn(struct store_tx *tx, const struct Rec__Repo *r)
{
	const struct Rec__Job *j;
	struct ulid id;

	if (!pb_id_get(&r->turn_job, &id))
		return NULL;
	j = job_store_find(tx, &id);
	return j != NULL && j->state == REC__JOB_STATE__JOB_QUEUED &&
	               j->sent_at_ms == 0
	           ? j
	           : NULL;
}

/* Whether another job has the turn, and could make use of it. */
static bool
turn_is_taken(const struct look *l, struct ulid *by)
{
	struct look next = { .tx = l->tx,
		.repo = l->repo,
		.now_ms = l->now_ms };
	const struct Rec__Host *h;

	next.asking = job_in_turn(l->tx, l->repo);
	if (next.asking == NULL ||
	    message_same_id(&next.asking->id, &l->asking->id) ||
	    !pb_id_get(&next.asking->id, &next.job) ||
	    !pb_id_get(&next.asking->host_id, &next.host) ||
	    !repo_store_uses(l->tx, l->repo->id.data, &next.host))
		return false;
	h = host_store_find(l->tx, &next.host);
	if (h == NULL || !h->online || h->current_job.len > 0 ||
	    waits_for_silent(&next))
		return false;
	*by = next.job;
	return true;
}

bool
lease_free(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms, struct ulid *by)
{
	struct look l = { .tx = tx, .asking = j, .now_ms = now_ms };

	*by = (struct ulid){ 0 };
	l.repo = repo_store_of_host(tx, h);
	if (l.repo == NULL || !pb_id_get(&h->id, &l.host))
		return true;
	if (anybody_is_in_the_way(&l, by))
		return false;
	return j->kind == REC__JOB_KIND__KIND_UNLOCK || !turn_is_taken(&l, by);
}

bool
lease_turn_due(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms)
{
	struct look l = { .tx = tx, .asking = j, .now_ms = now_ms };
	struct ulid by;

	if (!lease_exclusive(j->kind) ||
	    now_ms < j->created_at_ms + LEASE_PATIENCE_MS)
		return false;
	l.repo = repo_store_of_host(tx, h);
	return l.repo != NULL && !message_same_id(&l.repo->turn_job, &j->id) &&
	       !turn_is_taken(&l, &by);
}

void
lease_turn(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms)
{
	struct Rec__Repo *r;

	if (!lease_turn_due(tx, h, j, now_ms))
		return;
	r = repo_store_of_host(tx, h);
	r->turn_job = j->id;
	repo_store_put(tx, r);
}

/* ----------------------------------------------------------------- the lease */

static void
set_lease(struct store_tx *tx, struct Rec__Repo *r, const struct Rec__Job *j,
    int64_t now_ms)
{
	static const ProtobufCBinaryData none = { 0, NULL };

	r->lease_job = j != NULL ? j->id : none;
	r->lease_host = j != NULL ? j->host_id : none;
	r->lease_kind = j != NULL ? j->kind : REC__JOB_KIND__KIND_UNKNOWN;
	r->lease_since_ms = now_ms;
	if (j != NULL && message_same_id(&r->turn_job, &j->id))
		r->turn_job = none;
	repo_store_put(tx, r);
}

bool
lease_take(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms, struct ulid *by)
{
	struct Rec__Repo *r;

	if (!lease_free(tx, h, j, now_ms, by))
		return false;
	r = lease_exclusive(j->kind) ? repo_store_of_host(tx, h) : NULL;
	if (r == NULL)
		return true;
	set_lease(tx, r, j, now_ms);
	return true;
}

/* Exclusive work that is out beside the one that ends: of a host that was
 * silent when the other began.  NULL: none. */
static const struct Rec__Job *
heir_of(const struct look *l)
{
	struct job_out o = { 0 };

	while (next_out(l, &o))
		if (lease_exclusive(o.kind) && !ulid_eq(&o.job, &l->job))
			return job_store_find(l->tx, &o.job);
	return NULL;
}

void
lease_end(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j)
{
	struct look l = { .tx = tx, .asking = j };
	const struct Rec__Job *heir;
	struct Rec__Repo *r;

	if (!lease_exclusive(j->kind) || !pb_id_get(&j->id, &l.job))
		return;
	l.repo = r = repo_store_of_host(tx, h);
	if (r == NULL || !message_same_id(&r->lease_job, &j->id))
		return;
	heir = heir_of(&l);
	set_lease(tx, r, heir, heir != NULL ? heir->sent_at_ms : 0);
}

/* ----------------------------------------------------------------- evidence */

void
lease_on_locks(struct store_tx *tx, const struct Rec__Host *h)
{
	struct Rec__Repo *r = repo_store_of_host(tx, h);
	bool alive = h->lock_count > 0 &&
	             h->lock_newest_at_ms > h->locks_at_ms - LEASE_SILENCE_MS;

	if (r == NULL || alive || h->locks_at_ms <= r->unlocked_at_ms)
		return;
	r->unlocked_at_ms = h->locks_at_ms;
	repo_store_put(tx, r);
}

/* One that met no exclusive lock. */
void
lease_on_backup(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j)
{
	struct Rec__Repo *r;

	if (j->kind != REC__JOB_KIND__KIND_BACKUP ||
	    j->state != REC__JOB_STATE__JOB_SUCCEEDED)
		return;
	r = repo_store_of_host(tx, h);
	if (r == NULL || j->started_at_ms <= r->shared_at_ms)
		return;
	r->shared_at_ms = j->started_at_ms;
	repo_store_put(tx, r);
}
