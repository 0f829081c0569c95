/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/fake/seed_repos.h"

#include <string.h>

#include "lib/base/attr.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/upkeep_store.h"
#include "tests/fake/seed.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

enum {
	TODAY = 20776,
	HISTORY_DAYS = 90
};

static char *
text(const char *z)
{
	return (char *)(uintptr_t)z;
}

static ProtobufCBinaryData
id_bytes(struct ulid *id)
{
	return (ProtobufCBinaryData){ sizeof(id->b), id->b };
}

/* A job of the repository's upkeep that has ended. */
static struct ulid
put_job(struct store_tx *tx, enum seed_host h, const struct Rec__Job *like)
{
	struct ulid host = seed_host_id(h), id = seed_job_id(SEED_JOB_OK);
	struct Rec__Job j = *like;

	id.b[8] = (uint8_t)(0x40 + like->kind);
	id.b[15] = (uint8_t)h;
	j.id = id_bytes(&id);
	j.host_id = id_bytes(&host);
	j.created_at_ms = j.started_at_ms = like->finished_at_ms - MINUTE_MS;
	j.log_closed = true;
	job_store_put(tx, &j);
	return id;
}

static struct ulid
put_forget(struct store_tx *tx)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct Rec__Forgot f = REC__FORGOT__INIT, *list[] = { &f };

	f.tag = text("default");
	f.kept = 40;
	f.removed = 12;
	j.kind = REC__JOB_KIND__KIND_FORGET;
	j.state = REC__JOB_STATE__JOB_SUCCEEDED;
	j.finished_at_ms = SEED_NOW_MS - 3 * HOUR_MS;
	j.forgot = list;
	j.n_forgot = 1;
	return put_job(tx, SEED_DB2, &j);
}

static struct ulid
put_check(struct store_tx *tx, enum seed_host h, bool errors)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct Rec__CheckResult c = REC__CHECK_RESULT__INIT;

	c.errors_found = errors;
	c.errors = errors ? 3 : 0;
	j.kind = REC__JOB_KIND__KIND_CHECK;
	j.state =
	    errors ? REC__JOB_STATE__JOB_FAILED : REC__JOB_STATE__JOB_SUCCEEDED;
	j.finished_at_ms = SEED_NOW_MS - 4 * DAY_MS;
	j.check = &c;
	j.check_part = 7;
	j.check_of = 20;
	return put_job(tx, h, &j);
}

static struct Rec__Upkeep
upkeep(const char *cron, Rec__JobState state, int64_t ago_ms)
{
	struct Rec__Upkeep u = REC__UPKEEP__INIT;

	u.cron = text(cron);
	u.enabled = true;
	u.due_ms = SEED_NOW_MS + DAY_MS;
	u.last_state = state;
	u.last_at_ms = ago_ms == 0 ? 0 : SEED_NOW_MS - ago_ms;
	if (state == REC__JOB_STATE__JOB_SUCCEEDED)
		u.last_success_at_ms = u.last_at_ms;
	return u;
}

static void
put_maintenance(struct store_tx *tx, enum seed_host h,
    struct Rec__Maintenance *m)
{
	struct ulid host = seed_host_id(h);

	m->host_id = id_bytes(&host);
	upkeep_store_put(tx, m);
}

static void
put_waiting(struct store_tx *tx)
{
	struct ulid forgot = put_forget(tx),
	            check = put_check(tx, SEED_DB2, false);
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep f =
	    upkeep("0 3 * * *", REC__JOB_STATE__JOB_SUCCEEDED, 3 * HOUR_MS);
	struct Rec__Upkeep p = upkeep("0 4 * * 0", REC__JOB_STATE__JOB_NONE, 0);
	struct Rec__Upkeep c =
	    upkeep("0 5 1 * *", REC__JOB_STATE__JOB_SUCCEEDED, 4 * DAY_MS);

	f.last_job = id_bytes(&forgot);
	c.last_job = id_bytes(&check);
	p.waiting = text("no_admin");
	p.waiting_since_ms = SEED_NOW_MS - 4 * DAY_MS;
	m.forget = &f;
	m.prune = &p;
	m.check = &c;
	m.check_subset_pct = 5;
	put_maintenance(tx, SEED_DB2, &m);
}

static void
put_damaged(struct store_tx *tx)
{
	struct ulid check = put_check(tx, SEED_EVIL, true);
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep p =
	    upkeep("<b>cron</b>", REC__JOB_STATE__JOB_FAILED, DAY_MS);
	struct Rec__Upkeep c =
	    upkeep("0 5 1 * *", REC__JOB_STATE__JOB_FAILED, 4 * DAY_MS);

	c.last_job = id_bytes(&check);
	p.last_error = text("<img src=x>");
	p.waiting = text("<b>odd</b>");
	m.prune = &p;
	m.check = &c;
	put_maintenance(tx, SEED_EVIL, &m);
}

static void
lock_host(struct store_tx *tx, enum seed_host which, const char *holder)
{
	struct ulid id = seed_host_id(which);
	struct Rec__Host *h = host_store_get(tx, &id);

	if (h == NULL)
		return;
	h->locks_at_ms = SEED_NOW_MS - 5 * MINUTE_MS;
	h->lock_count = 1;
	h->lock_exclusive = true;
	h->lock_newest_at_ms = SEED_NOW_MS - 14 * HOUR_MS;
	h->lock_holder = text(holder);
	host_store_put(tx, h);
}

/* One repository of two hosts, pruned by the other one at the moment. */
static void
share(struct store_tx *tx)
{
	static const enum seed_host both[] = { SEED_DB2, SEED_WEB };
	struct ulid web = seed_host_id(SEED_WEB), id;
	struct ulid job = seed_job_id(SEED_JOB_RUNNING);
	uint8_t repo[REPO_ID_SIZE];
	struct Rec__Repo *r;
	size_t i;

	memset(repo, 0xb9, sizeof(repo));
	for (i = 0; i < ARRAY_LEN(both); i++) {
		struct Rec__Host *h;

		id = seed_host_id(both[i]);
		h = host_store_get(tx, &id);
		if (h == NULL)
			return;
		repo_store_link(tx, h, repo);
		host_store_put(tx, h);
	}
	r = repo_store_find(tx, repo);
	if (r == NULL)
		return;
	r->lease_job = id_bytes(&job);
	r->lease_host = id_bytes(&web);
	r->lease_kind = REC__JOB_KIND__KIND_PRUNE;
	r->lease_since_ms = SEED_NOW_MS - 10 * MINUTE_MS;
	r->last_prune_at_ms = SEED_NOW_MS - 3 * DAY_MS;
	repo_store_put(tx, r);
}

/* A lease that its job's end did not free. */
static void
leave_lease(struct store_tx *tx)
{
	struct ulid id = seed_host_id(SEED_APP);
	struct ulid job = seed_job_id(SEED_JOB_OK);
	struct Rec__Host *h = host_store_get(tx, &id);
	uint8_t repo[REPO_ID_SIZE];
	struct Rec__Repo *r;

	if (h == NULL)
		return;
	memset(repo, 0xa7, sizeof(repo));
	repo_store_link(tx, h, repo);
	host_store_put(tx, h);
	r = repo_store_find(tx, repo);
	if (r == NULL)
		return;
	r->lease_job = id_bytes(&job);
	r->lease_host = id_bytes(&id);
	r->lease_kind = REC__JOB_KIND__KIND_FORGET;
	repo_store_put(tx, r);
}

static void
give_variables(struct store_tx *tx)
{
	struct ulid id = seed_host_id(SEED_WEB);
	struct Rec__Host *h = host_store_get(tx, &id);
	char *names[] = { text("AWS_ACCESS_KEY_ID"),
		text("AWS_SECRET_ACCESS_KEY") };

	if (h == NULL)
		return;
	h->repo_url = text("s3:https://s3.example.net/web-01");
	h->extra_names = names;
	h->n_extra_names = 2;
	h->has_admin = true;
	h->admin_username = text("root");
	h->admin_extra_names = names;
	h->n_admin_extra_names = 1;
	h->bandwidth_up_kbps = 4000;
	host_store_put(tx, h);
}

/* Forget was refused; prune is not due yet and cannot run; checks do. */
static void
put_refused(struct store_tx *tx)
{
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep f =
	    upkeep("0 3 * * *", REC__JOB_STATE__JOB_FAILED, 11 * HOUR_MS);
	struct Rec__Upkeep p = upkeep("0 4 * * 0", REC__JOB_STATE__JOB_NONE, 0);
	struct Rec__Upkeep c =
	    upkeep("0 5 1 * *", REC__JOB_STATE__JOB_SUCCEEDED, 4 * DAY_MS);

	f.last_error = text("the server only lets append");
	m.forget = &f;
	m.prune = &p;
	m.check = &c;
	put_maintenance(tx, SEED_FS, &m);
}

/* Others of the repository prune it. */
static void
put_pruned_elsewhere(struct store_tx *tx)
{
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep p =
	    upkeep("0 4 * * 0", REC__JOB_STATE__JOB_FAILED, 40 * DAY_MS);

	m.prune = &p;
	put_maintenance(tx, SEED_WEB, &m);
}

static void
put_history(struct store_tx *tx)
{
	struct ulid db = seed_host_id(SEED_DB2);
	struct Rec__RepoDay d = REC__REPO_DAY__INIT;
	uint32_t i;

	d.has_size = d.has_count = true;
	for (i = 0; i < HISTORY_DAYS; i++) {
		d.size_bytes = GIB(900) + i * GIB(4) - i / 30 * GIB(60);
		d.snapshot_count = 169 + i - i / 30 * 20;
		d.pruned = i > 0 && i % 30 == 0;
		repo_store_put_day(tx, &db, TODAY - HISTORY_DAYS + 1 + i, &d);
	}
}

void
seed_repos_put(struct store_tx *tx)
{
	put_waiting(tx);
	put_damaged(tx);
	put_refused(tx);
	put_pruned_elsewhere(tx);
	lock_host(tx, SEED_DB2, "PID 41220 on db-02");
	lock_host(tx, SEED_EVIL, "<img src=x onerror=alert(1)>");
	share(tx);
	leave_lease(tx);
	give_variables(tx);
	put_history(tx);
}
