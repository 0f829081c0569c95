/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/hosts.h"
#include "controller/hosts_own.h"
#include "lib/base/attr.h"
#include "lib/base/clock.h"
#include "lib/store/fleet_store.h"
#include "lib/store/job_store.h"

enum {
	ROLLUP_JOBS_MAX = 20000,
	DAY_MS = 86400000
};

struct totals {
	uint64_t by_state[STATUS_HOST_COUNT];
	uint64_t hosts, online, running, safe, behind, init_failed;
	uint64_t ok, incomplete, failed, never;
	struct fleet_stored stored;
};

static void
add(struct totals *t, const struct fleet_host *f, int64_t now_ms)
{
	const struct Rec__Host *h = f->host;

	t->by_state[f->state]++;
	t->safe += status_protected(h, now_ms);
	t->hosts++;
	t->online += h->online ? 1 : 0;
	t->running += h->current_job.len > 0;
	t->behind += status_behind(h);
	t->init_failed += h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED;
	if (h->last_backup_state == REC__JOB_STATE__JOB_NONE)
		t->never++;
	else if (h->last_backup_state != REC__JOB_STATE__JOB_SUCCEEDED)
		t->failed++;
	else if (h->last_backup_incomplete)
		t->incomplete++;
	else
		t->ok++;
}

struct rollup {
	int64_t since_ms;
	uint64_t of[REC__JOB_STATE__JOB_CANCELLED + 1];
	uint64_t incomplete, total;
};

/* Newest first; the creation time is part of the id. */
static bool
hosts_on_rolled(void *ctx, const struct Rec__Job *j)
{
	struct rollup *u = ctx;

	if (j->created_at_ms < u->since_ms)
		return false;
	u->total++;
	if ((size_t)j->state < ARRAY_LEN(u->of))
		u->of[j->state]++;
	u->incomplete += j->incomplete ? 1 : 0;
	return true;
}

static void
put_rollup(struct hosts_reading *g)
{
	struct rollup u = { .since_ms = clock_now_ms() - DAY_MS };
	Rec__JobState s;

	job_store_latest(g->state, NULL, ROLLUP_JOBS_MAX, hosts_on_rolled, &u);
	json_obj(&g->j, "jobs_24h");
	for (s = REC__JOB_STATE__JOB_QUEUED; s <= REC__JOB_STATE__JOB_CANCELLED;
	     s++)
		json_put_uint(&g->j, job_state_name(s), u.of[s]);
	json_put_uint(&g->j, "incomplete", u.incomplete);
	json_put_bool(&g->j, "partial", u.total == ROLLUP_JOBS_MAX);
	json_obj_end(&g->j);
}

static void
put_totals(struct json_out *j, const struct totals *t)
{
	int i;

	json_obj(j, "hosts");
	json_put_uint(j, "total", t->hosts);
	json_put_uint(j, "online", t->online);
	json_put_uint(j, "offline", t->hosts - t->online);
	json_put_uint(j, "running", t->running);
	json_put_uint(j, "behind", t->behind);
	json_put_uint(j, "init_failed", t->init_failed);
	json_put_uint(j, "protected", t->safe);
	json_obj_end(j);
	json_obj(j, "states");
	for (i = 0; i < STATUS_HOST_COUNT; i++)
		json_put_uint(j, status_host_name((enum status_host)i),
		    t->by_state[i]);
	json_obj_end(j);
	json_obj(j, "last_backup");
	json_put_uint(j, "succeeded", t->ok);
	json_put_uint(j, "incomplete", t->incomplete);
	json_put_uint(j, "failed", t->failed);
	json_put_uint(j, "none", t->never);
	json_obj_end(j);
	json_put_uint(j, "repo_bytes", t->stored.bytes);
	json_put_uint(j, "snapshots", t->stored.snapshots);
}

static void
summary_look(struct hosts_reading *g, void *in)
{
	struct totals t = { 0 };
	struct fleet_list l;
	size_t i;
	enum rc rc;

	(void)in;
	rc = fleet_store_load(g->state, &g->arena, clock_now_ms(), &l);
	if (rc != RC_OK) {
		(void)store_fail(g->state, rc, "the fleet is too large");
		return;
	}
	for (i = 0; i < l.n; i++)
		add(&t, &l.rows[i], l.now_ms);
	fleet_store_stored(&l, &t.stored);
	put_totals(&g->j, &t);
	put_rollup(g);
}

void
hosts_summary(struct req *r)
{
	hosts_sweep(r, summary_look, NULL);
}
