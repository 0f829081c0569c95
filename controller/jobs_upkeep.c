/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What forget, prune, check and unlock need before they can be queued. */
#include "controller/jobs_own.h"

#include <string.h>

#include "controller/check_turns.h"
#include "controller/pb.h"
#include "controller/upkeep_rules.h"
#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/store/host_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/store.h"
#include "lib/store/upkeep_store.h"

bool
jobs_keeps(const struct Rec__Retention *r)
{
	return r != NULL &&
	       (r->last > 0 || r->hourly > 0 || r->daily > 0 || r->weekly > 0 ||
	           r->monthly > 0 || r->yearly > 0);
}

static bool
jobs_on_keeping(void *ctx, const struct Rec__SourceGroup *g)
{
	bool *any = ctx;

	*any = jobs_keeps(g->retention);
	return !*any;
}

bool
jobs_has_retention(struct store_tx *tx, const struct ulid *host)
{
	bool any = false;

	plan_store_of_host(tx, host, jobs_on_keeping, &any);
	return any;
}

/* ------------------------------------------------------------------- twins */

/* A host's snapshots are those with its machine's name and a group's tag. */
struct twins {
	struct store_tx *tx;
	const struct Rec__Host *h;
	struct ulid host;
	const char *group; /* by which it forgets */
	struct jobs_twin *out;
};

static bool
jobs_on_namesake(void *ctx, const struct ulid *host)
{
	const struct Rec__Host *other;
	struct twins *t = ctx;

	if (ulid_eq(host, &t->host) ||
	    !plan_store_has_name(t->tx, host, t->group, NULL))
		return true;
	other = host_store_find(t->tx, host);
	t->out->host = other != NULL ? other->name : "";
	t->out->group = t->group;
	return false;
}

static bool
jobs_on_own_group(void *ctx, const struct Rec__SourceGroup *g)
{
	struct twins *t = ctx;

	if (!jobs_keeps(g->retention))
		return true;
	t->group = g->name;
	repo_store_hosts_named(t->tx, t->h->repo_id.data, t->h->reported_name,
	    jobs_on_namesake, t);
	return t->out->group == NULL;
}

bool
jobs_find_twin(struct store_tx *tx, const struct Rec__Host *h,
    struct jobs_twin *out)
{
	struct twins t = { .tx = tx, .h = h, .out = out };

	*out = (struct jobs_twin){ NULL, NULL };
	if (h->repo_id.len != REPO_ID_SIZE || h->reported_name[0] == '\0' ||
	    !pb_id_get(&h->id, &t.host))
		return false;
	plan_store_of_host(tx, &t.host, jobs_on_own_group, &t);
	return out->group != NULL;
}

enum rc
jobs_twin_err(const struct Rec__Host *h, const struct jobs_twin *twin,
    struct err *e)
{
	return err_code(e, RC_CONFLICT, "shared_name",
	    "host %.60s has the machine name %.60s and a source group %.64s, "
	    "too, in the same repository: forget could not tell their "
	    "snapshots apart; rename one of the groups",
	    twin->host, h->reported_name, twin->group);
}

/* ------------------------------------------------------------------- parts */

bool
jobs_subset(struct str s, uint32_t *out)
{
	uint64_t v;
	size_t i;

	s = str_trim(s);
	if (s.n > 1 && s.p[s.n - 1] == '%')
		s.n--;
	if (s.n == 0)
		return false;
	for (i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	/* More digits than fit are more than 100, too. */
	if (!str_u64(s, UPKEEP_PCT_MAX, &v))
		v = UPKEEP_PCT_MAX;
	*out = (uint32_t)v;
	return true;
}

/* Of the repository, whichever host read them. */
static void
next_part(struct store_tx *tx, const struct Rec__Host *h, struct jobs_wish *w)
{
	const struct Rec__Maintenance *m = upkeep_store_find(tx, &w->host);
	const struct Rec__Repo *r = repo_store_of_host(tx, h);
	uint32_t pct = UPKEEP_SUBSET_PCT;
	struct check_turns t = { NULL, 0, 0 };

	if (w->subset_given)
		pct = w->subset_pct;
	else if (m != NULL)
		pct = m->check_subset_pct;
	if (r != NULL)
		t = (struct check_turns){ r->check_turns, r->n_check_turns,
			r->check_position };
	else if (m != NULL)
		t = (struct check_turns){ m->check_turns, m->n_check_turns,
			m->check_position };
	check_turns_next(&t, pct, !w->subset_given, &w->check_part,
	    &w->check_of);
}

enum rc
jobs_upkeep_prepare(struct store_tx *tx, const struct Rec__Host *h,
    struct jobs_wish *w)
{
	struct jobs_twin twin;
	struct err e;

	if (w->kind == REC__JOB_KIND__KIND_PRUNE && !h->has_admin)
		return store_fail_code(tx, RC_CONFLICT, "admin_creds_required",
		    "host %s has no admin credentials: prune needs some that "
		    "may delete",
		    h->name);
	if (w->kind == REC__JOB_KIND__KIND_FORGET &&
	    !jobs_has_retention(tx, &w->host))
		return store_fail_code(tx, RC_CONFLICT, "no_retention",
		    "no source group of host %s says what to keep: set a "
		    "retention first, nothing is forgotten without one",
		    h->name);
	if (w->kind == REC__JOB_KIND__KIND_FORGET &&
	    jobs_find_twin(tx, h, &twin)) {
		(void)jobs_twin_err(h, &twin, &e);
		return store_fail_code(tx, e.rc, e.code, "%s", e.msg);
	}
	if (w->kind == REC__JOB_KIND__KIND_CHECK)
		next_part(tx, h, w);
	return store_rc(tx);
}

void
jobs_upkeep_note(struct store_tx *tx, const struct Rec__Host *h,
    const struct jobs_wish *w)
{
	struct Rec__Repo *r;

	if (w->kind != REC__JOB_KIND__KIND_PRUNE &&
	    w->kind != REC__JOB_KIND__KIND_CHECK)
		return;
	r = repo_store_of_host(tx, h);
	if (r == NULL)
		return;
	if (w->kind == REC__JOB_KIND__KIND_PRUNE)
		r->prune_job = pb_id(&w->job);
	else
		r->check_job = pb_id(&w->job);
	repo_store_put(tx, r);
}
