/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/fake/seed_plans.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/next_run.h"
#include "lib/store/plan_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/schedule_store.h"
#include "lib/store/upkeep_store.h"
#include "tests/fake/seed_repos.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)

enum {
	PATH_CAP = 1024,
	ARENA_MAX = 1 << 22,
	TODAY = 20776,
	GROUPS_MAX = 2
};

struct plan_row {
	enum seed_host host;
	unsigned n;
	const char *cron, *zone;
	bool enabled;
	uint32_t jitter_s;
};

/* clang-format off */
static const struct plan_row rows[] = {
	{ SEED_APP,  0, "0 3 * * *", "", true, 900 },
	{ SEED_DB2,  0, "0 0,12 * * *", "Europe/Berlin", true, 0 },
	{ SEED_WEB,  0, "0 */6 * * *", "", true, 0 },
	{ SEED_WEB,  1, "30 2 * * 1-5", "", false, 0 },
	{ SEED_MAIL, 0, "0 2 * * *", "", true, 0 },
	{ SEED_EVIL, 0, "<script>alert(1)</script>", "\"><b>", true, 0 },
};
/* clang-format on */

static char *
text(const char *z)
{
	return (char *)(uintptr_t)z;
}

struct ulid
seed_schedule_id(enum seed_host h, unsigned n)
{
	struct ulid id = seed_group_id(h);

	id.b[6] = 7;
	id.b[14] = (uint8_t)n;
	return id;
}

static void
put_schedule(struct store_tx *tx, const struct plan_row *r)
{
	struct ulid id = seed_schedule_id(r->host, r->n);
	struct ulid host = seed_host_id(r->host),
	            group = seed_group_id(r->host);
	struct ulid other = group, job = seed_job_id(SEED_JOB_FAILED);
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	ProtobufCBinaryData groups[GROUPS_MAX] = { { sizeof(group.b), group.b },
		{ sizeof(other.b), other.b } };

	other.b[14] = 1;
	s.id = (ProtobufCBinaryData){ sizeof(id.b), id.b };
	s.host_id = (ProtobufCBinaryData){ sizeof(host.b), host.b };
	s.cron = text(r->cron);
	s.zone = text(r->zone);
	s.enabled = r->enabled;
	s.jitter_s = r->jitter_s;
	s.group_ids = groups;
	s.n_group_ids = r->host == SEED_APP ? 2 : 1;
	s.created_at_ms = s.updated_at_ms = SEED_NOW_MS - 10 * DAY_MS;
	if (r->host == SEED_DB2) {
		s.last_job = (ProtobufCBinaryData){ sizeof(job.b), job.b };
		s.last_at_ms = SEED_NOW_MS - 120 * MINUTE_MS;
	}
	schedule_store_put(tx, &s);
}

static void
change_group(struct store_tx *tx)
{
	struct ulid host = seed_host_id(SEED_APP), id = seed_group_id(SEED_APP);
	struct Rec__SourceGroup *g = plan_store_get(tx, &host, &id);
	struct Rec__Retention keep = REC__RETENTION__INIT;
	char *excludes[] = { text("*.tmp"), text("node_modules") };

	if (g == NULL)
		return;
	keep.last = 7;
	keep.hourly = 2;
	g->retention = &keep;
	g->conflict_dimension = text("hourly");
	g->excludes = excludes;
	g->n_excludes = ARRAY_LEN(excludes);
	g->retry_max = 3;
	g->retry_backoff_s = 120;
	g->has_pre_hook = true;
	plan_store_put(tx, g);
}

static void
change_host(struct store_tx *tx, enum seed_host which)
{
	struct ulid id = seed_host_id(which);
	struct Rec__Host *h = host_store_get(tx, &id);

	if (h == NULL)
		return;
	h->always_on = which != SEED_MAIL;
	h->config_version = 7;
	h->plan_format = which == SEED_FS ? 0 : 1;
	h->applied_config_version = which == SEED_WEB ? 5 : 7;
	h->plan_refused = text(
	    which == SEED_EVIL || which == SEED_NEW ? "<b>too new</b>" : "");
	h->zone = text(which == SEED_DB2 ? "Europe/Berlin" : "");
	h->backup_interval_s = next_run_interval_s(tx, &id, SEED_NOW_MS);
	host_store_put(tx, h);
}

static void
change_job(struct store_tx *tx)
{
	struct ulid id = seed_job_id(SEED_JOB_FAILED);
	struct ulid sid = seed_schedule_id(SEED_DB2, 0);
	struct Rec__Job *j = job_store_get(tx, &id);

	if (j == NULL)
		return;
	j->actor_kind = REC__ACTOR_KIND__ACTOR_SCHEDULE;
	j->schedule_id = (ProtobufCBinaryData){ sizeof(sid.b), sid.b };
	j->due_at_ms = SEED_NOW_MS - 138 * MINUTE_MS;
	j->attempt = 2;
	j->retry_at_ms = SEED_NOW_MS + 42 * MINUTE_MS;
	job_store_put(tx, j);
}

/* One that waits gives up some day, an old one was a forget. */
static void
change_others(struct store_tx *tx)
{
	struct ulid queued = seed_job_id(SEED_JOB_QUEUED);
	struct ulid old = seed_job_id(SEED_JOB_EXPIRED);
	struct Rec__Forgot forgot = REC__FORGOT__INIT, *list[] = { &forgot };
	struct Rec__Job *j = job_store_get(tx, &queued);

	if (j == NULL)
		return;
	j->expires_at_ms = SEED_NOW_MS + DAY_MS;
	job_store_put(tx, j);
	j = job_store_get(tx, &old);
	if (j == NULL)
		return;
	forgot.tag = text("default <b>");
	forgot.kept = 6;
	forgot.removed = 1;
	job_store_del(tx, &old);
	j->kind = REC__JOB_KIND__KIND_FORGET;
	j->stats = NULL;
	j->n_forgot = ARRAY_LEN(list);
	j->forgot = list;
	job_store_put(tx, j);
}

/* For a host that is away. */
static void
put_waiting(struct store_tx *tx)
{
	struct ulid id = seed_job_id(SEED_JOB_QUEUED);
	struct ulid host = seed_host_id(SEED_MAIL);
	struct ulid group = seed_group_id(SEED_MAIL);
	struct Rec__Job j = REC__JOB__INIT;

	id.b[15] = 99;
	j.id = (ProtobufCBinaryData){ sizeof(id.b), id.b };
	j.host_id = (ProtobufCBinaryData){ sizeof(host.b), host.b };
	j.group_id = (ProtobufCBinaryData){ sizeof(group.b), group.b };
	j.group_name = text("default");
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.created_at_ms = SEED_NOW_MS - MINUTE_MS;
	j.expires_at_ms = SEED_NOW_MS + DAY_MS / 2;
	job_store_put(tx, &j);
}

static void
put_upkeep(struct store_tx *tx)
{
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep forget = REC__UPKEEP__INIT;
	struct ulid host = seed_host_id(SEED_APP);

	forget.cron = text("0 4 * * *");
	forget.enabled = true;
	forget.due_ms = SEED_NOW_MS + 600 * MINUTE_MS;
	m.host_id = (ProtobufCBinaryData){ sizeof(host.b), host.b };
	m.forget = &forget;
	upkeep_store_put(tx, &m);
}

static void
put_sizes(struct store_tx *tx)
{
	struct ulid app = seed_host_id(SEED_APP), web = seed_host_id(SEED_WEB);
	struct Rec__RepoDay d = REC__REPO_DAY__INIT;
	uint32_t i;

	d.has_size = true;
	for (i = 0; i < 30; i++) {
		d.size_bytes = GIB(200) + i * GIB(1) / 2;
		repo_store_put_day(tx, &app, TODAY - 29 + i, &d);
	}
	repo_store_put_day(tx, &web, TODAY, &d);
}

static void
put_all(struct store_tx *tx)
{
	size_t i;
	int h;

	change_group(tx);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		put_schedule(tx, &rows[i]);
	for (h = 0; h < SEED_HOSTS; h++)
		change_host(tx, (enum seed_host)h);
	change_job(tx);
	change_others(tx);
	put_waiting(tx);
	put_upkeep(tx);
	put_sizes(tx);
	seed_repos_put(tx);
}

enum rc
seed_plans(const char *dir, struct err *e)
{
	struct store *state = NULL;
	struct store_tx *tx;
	char path[PATH_CAP];
	struct arena a;
	enum rc rc;

	(void)snprintf(path, sizeof(path), "%s/db/state", dir);
	rc = store_open(STORE_STATE, STORE_WRITER, path, &state, e);
	if (rc != RC_OK)
		return rc;
	arena_init(&a, ARENA_MAX);
	tx = store_begin_write(state, &a);
	put_all(tx);
	rc = store_commit(tx, e);
	arena_fini(&a);
	store_close(state);
	return rc;
}
