/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/lease.h"

#include <string.h>

#include "controller/pb.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/store.h"

enum {
	/* One that was sent and not accepted is among its host's newest. */
	LOOK_BACK = 100
};

bool
lease_exclusive(Rec__JobKind kind)
{
	return kind == REC__JOB_KIND__KIND_FORGET ||
	       kind == REC__JOB_KIND__KIND_PRUNE ||
	       kind == REC__JOB_KIND__KIND_CHECK ||
	       kind == REC__JOB_KIND__KIND_UNLOCK;
}

static bool
same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len == b->len && a->len > 0 &&
	       memcmp(a->data, b->data, a->len) == 0;
}

/* ------------------------------------------------------------ who is there */

/* A question about one repository. */
struct look {
	struct store_tx *tx;
	const struct Rec__Repo *repo;
	const struct Rec__Job *asking;
	struct ulid host; /* of the asking job */
	int64_t now_ms;
	bool busy;
	const struct Rec__Job *heir;
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

static bool
is_out(const struct Rec__Job *j)
{
	return j != NULL && !job_state_final(j->state) && j->sent_at_ms != 0;
}

/* No lease, no exclusive work: that is what lease_end() sees to. */
static bool
is_leased(const struct Rec__Repo *r, const struct Rec__Job *asking)
{
	return r->lease_job.len > 0 && !same_bytes(&r->lease_job, &asking->id);
}

struct sent {
	const struct look *look;
	const struct Rec__Job *found;
};

static bool
lease_on_job(void *ctx, const struct Rec__Job *j)
{
	struct sent *s = ctx;

	if (is_out(j) && !same_bytes(&j->id, &s->look->asking->id))
		s->found = j;
	return s->found == NULL;
}

/* What a host has of us: what it has taken, or what is on its way. */
static const struct Rec__Job *
job_out(const struct look *l, const struct ulid *host)
{
	const struct Rec__Host *h = host_store_find(l->tx, host);
	struct sent s = { .look = l };
	const struct Rec__Job *j;
	struct ulid job;

	if (h == NULL)
		return NULL;
	if (pb_id_get(&h->current_job, &job)) {
		j = job_store_find(l->tx, &job);
		if (is_out(j))
			return j;
	}
	job_store_open_of_host(l->tx, host, LOOK_BACK, lease_on_job, &s);
	return s.found;
}

static bool
lease_on_host(void *ctx, const struct ulid *host)
{
	struct look *l = ctx;
	const struct Rec__Job *j;

	if (ulid_eq(host, &l->host))
		return true;
	j = job_out(l, host);
	if (j == NULL ||
	    (!lease_exclusive(j->kind) && !lease_exclusive(l->asking->kind)))
		return true;
	l->busy = !is_gone(l, host, lease_exclusive(j->kind));
	return !l->busy;
}

/* The leased one is asked first: it is nearly always the reason. */
static bool
holder_counts(struct look *l)
{
	struct ulid host;

	if (!is_leased(l->repo, l->asking) ||
	    !pb_id_get(&l->repo->lease_host, &host))
		return false;
	(void)lease_on_host(l, &host);
	return l->busy;
}

bool
lease_free(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms)
{
	struct look l = { .tx = tx, .asking = j, .now_ms = now_ms };

	l.repo = repo_store_of_host(tx, h);
	if (l.repo == NULL || !pb_id_get(&h->id, &l.host))
		return true;
	if (!is_leased(l.repo, j) && !lease_exclusive(j->kind))
		return true;
	if (!holder_counts(&l))
		repo_store_hosts(tx, h->repo_id.data, lease_on_host, &l);
	return !l.busy;
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
	repo_store_put(tx, r);
}

bool
lease_take(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms)
{
	struct Rec__Repo *r;

	if (!lease_free(tx, h, j, now_ms))
		return false;
	r = lease_exclusive(j->kind) ? repo_store_of_host(tx, h) : NULL;
	if (r == NULL)
		return true;
	set_lease(tx, r, j, now_ms);
	return true;
}

/* Exclusive work that is out beside the one that ended: of a host that was
 * silent when the other began. */
static bool
lease_on_heir(void *ctx, const struct ulid *host)
{
	struct look *l = ctx;
	const struct Rec__Job *j = job_out(l, host);

	if (j != NULL && lease_exclusive(j->kind))
		l->heir = j;
	return l->heir == NULL;
}

void
lease_end(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j)
{
	struct look l = { .tx = tx, .asking = j };
	struct Rec__Repo *r;

	if (!lease_exclusive(j->kind))
		return;
	r = repo_store_of_host(tx, h);
	if (r == NULL || !same_bytes(&r->lease_job, &j->id))
		return;
	repo_store_hosts(tx, h->repo_id.data, lease_on_heir, &l);
	set_lease(tx, r, l.heir, l.heir != NULL ? l.heir->sent_at_ms : 0);
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
