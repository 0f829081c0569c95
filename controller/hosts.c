/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/hosts.h"

#include <string.h>
#include <version.h>

#include "controller/controller.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/plan_store.h"
#include "lib/store/snap_store.h"

enum {
	BODY_MAX = 32 << 20,
	LIST_ARENA_MAX = 128 << 20,
	SNAPSHOTS_MAX = 10000,
	ROLLUP_JOBS_MAX = 20000,
	DAY_MS = 86400000
};

/* One answer in the making: a read transaction and the JSON. */
struct reading {
	struct req *r;
	struct arena arena;
	struct store_tx *state;
	struct store_tx *live;
	struct buf body;
	struct json_out j;
};

static void
reading_begin(struct reading *g, struct req *r)
{
	g->r = r;
	arena_init(&g->arena, LIST_ARENA_MAX);
	g->state = store_begin_read(r->ctl->state, &g->arena);
	g->live = store_begin_read(r->ctl->live, &g->arena);
	buf_init(&g->body, BODY_MAX);
	json_out_init(&g->j, &g->body);
	json_obj(&g->j, NULL);
}

static void
reading_end(struct reading *g)
{
	struct err e = *store_err(g->state);

	json_obj_end(&g->j);
	if (e.rc == RC_OK)
		e = *store_err(g->live);
	store_abort(g->live);
	store_abort(g->state);
	if (e.rc == RC_OK)
		req_json(g->r, 200, &g->body);
	else
		req_fail(g->r, &e);
	buf_fini(&g->body);
	arena_fini(&g->arena);
}

static void
put_id(struct json_out *j, const char *name, ProtobufCBinaryData id)
{
	char text[ULID_TEXT_CAP];
	struct ulid u;

	if (id.len != sizeof(u.b)) {
		json_put_null(j, name);
		return;
	}
	memcpy(u.b, id.data, sizeof(u.b));
	ulid_text(&u, text);
	json_put(j, name, text);
}

static void
put_strings(struct json_out *j, const char *name, char *const *v, size_t n)
{
	size_t i;

	json_arr(j, name);
	for (i = 0; i < n; i++)
		json_put(j, NULL, v[i]);
	json_arr_end(j);
}

/* -------------------------------------------------------------------- host */

static const char *
repo_status_name(Rec__RepoStatus s)
{
	switch (s) {
	case REC__REPO_STATUS__REPO_READY:
		return "ready";
	case REC__REPO_STATUS__REPO_INIT_FAILED:
		return "init_failed";
	case REC__REPO_STATUS__REPO_UNKNOWN:
	case _REC__REPO_STATUS_IS_INT_SIZE:
		break;
	}
	return "unknown";
}

/* Incomplete is an outcome of its own (contract.md, Jobs). */
static const char *
backup_status(const struct Rec__Host *h)
{
	if (h->last_backup_incomplete &&
	    h->last_backup_state == REC__JOB_STATE__JOB_SUCCEEDED)
		return "incomplete";
	return job_state_name(h->last_backup_state);
}

/* Dotted numbers; what is not a number counts as 0. */
static bool
version_older(struct str have, struct str want)
{
	struct str a, b;
	uint64_t x, y;

	while (str_next(&want, '.', &b)) {
		if (!str_next(&have, '.', &a) || !str_u64(a, UINT32_MAX, &x))
			x = 0;
		if (!str_u64(b, UINT32_MAX, &y))
			y = 0;
		if (x != y)
			return x < y;
	}
	return false;
}

static void
put_identity(struct json_out *j, const struct Rec__Host *h)
{
	put_id(j, "id", h->id);
	json_put(j, "name", h->name);
	json_put(j, "reported_name", h->reported_name);
	json_put(j, "status", h->online ? "online" : "offline");
	json_put(j, "os", h->os);
	json_put(j, "arch", h->arch);
	json_put(j, "agent_version", h->agent_version);
	json_put(j, "restic_version", h->restic_version);
	json_put_int(j, "protocol_version", h->protocol_version);
	json_put_bool(j, "update_available",
	    version_older(str_of(h->agent_version), STR(RM_VERSION)));
	json_put(j, "target_version", RM_VERSION);
	put_strings(j, "tags", h->tags, h->n_tags);
	json_put_bool(j, "always_on", h->always_on);
	json_put(j, "duplicate_notice", h->duplicate_notice);
}

static void
put_repository(struct json_out *j, const struct Rec__Host *h)
{
	json_put(j, "repo_status", repo_status_name(h->repo_status));
	json_put(j, "repo_status_error", h->repo_status_error);
	json_put(j, "repo_url", h->repo_url);
	json_put(j, "repo_username", h->repo_username);
	json_put_uint(j, "repo_size_bytes", h->repo_size_bytes);
	json_put_uint(j, "repo_raw_size_bytes", h->repo_raw_size_bytes);
	json_put_uint(j, "snapshot_count", h->snapshot_count);
	json_put_time(j, "snapshots_at", h->snapshots_at_ms);
	put_id(j, "init_job_id", h->init_job);
}

static void
put_work(struct json_out *j, const struct Rec__Host *h)
{
	json_put(j, "last_backup_status", backup_status(h));
	json_put_time(j, "last_backup_at", h->last_backup_at_ms);
	json_put_time(j, "last_attempt_at", h->last_attempt_at_ms);
	put_id(j, "current_job_id", h->current_job);
	json_put_uint(j, "config_version", h->config_version);
	json_put_uint(j, "applied_config_version", h->applied_config_version);
	json_put_int(j, "bandwidth_up_kbps", h->bandwidth_up_kbps);
	json_put_int(j, "bandwidth_down_kbps", h->bandwidth_down_kbps);
}

/* Members of the object that is open. */
static void
put_host(struct reading *g, const struct Rec__Host *h)
{
	const struct Rec__Presence *p = NULL;
	int64_t seen = h->last_seen_at_ms;
	struct ulid id;

	if (h->id.len == sizeof(id.b)) {
		memcpy(id.b, h->id.data, sizeof(id.b));
		p = live_find_presence(g->live, &id);
	}
	if (p != NULL && p->last_seen_ms > seen)
		seen = p->last_seen_ms;
	put_identity(&g->j, h);
	json_put_time(&g->j, "enrolled_at", h->enrolled_at_ms);
	json_put_time(&g->j, "last_seen_at", seen);
	json_put_time(&g->j, "boot_time", h->boot_time_ms);
	put_repository(&g->j, h);
	put_work(&g->j, h);
}

static bool
hosts_on_listed(void *ctx, const struct Rec__Host *h)
{
	struct reading *g = ctx;

	json_obj(&g->j, NULL);
	put_host(g, h);
	json_obj_end(&g->j);
	return true;
}

void
hosts_list(struct req *r)
{
	struct reading g;

	reading_begin(&g, r);
	json_arr(&g.j, "items");
	host_store_each(g.state, hosts_on_listed, &g);
	json_arr_end(&g.j);
	reading_end(&g);
}

/* The host of vars[0]; absent: the transaction says so. */
static const struct Rec__Host *
find_host(struct reading *g, struct ulid *id)
{
	if (req_ulid(g->r, 0, id) == RC_OK)
		return host_store_get(g->state, id);
	(void)store_fail(g->state, RC_NOTFOUND, "there is no such host");
	return NULL;
}

void
hosts_get(struct req *r)
{
	const struct Rec__Host *h;
	struct reading g;
	struct ulid id;

	reading_begin(&g, r);
	h = find_host(&g, &id);
	if (h != NULL)
		put_host(&g, h);
	reading_end(&g);
}

/* --------------------------------------------------------------- snapshots */

static bool
hosts_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct json_out *j = &((struct reading *)ctx)->j;

	json_obj(j, NULL);
	json_put(j, "id", s->id);
	json_put(j, "short_id", s->short_id);
	json_put_time(j, "time", s->time_ms);
	json_put(j, "hostname", s->hostname);
	put_strings(j, "paths", s->paths, s->n_paths);
	put_strings(j, "tags", s->tags, s->n_tags);
	json_put_uint(j, "size_bytes", s->size_bytes);
	json_put_uint(j, "file_count", s->file_count);
	json_obj_end(j);
	return true;
}

void
hosts_snapshots(struct req *r)
{
	const struct Rec__Host *h;
	struct reading g;
	struct ulid id;

	reading_begin(&g, r);
	h = find_host(&g, &id);
	if (h != NULL) {
		json_put_time(&g.j, "refreshed_at", h->snapshots_at_ms);
		json_put_uint(&g.j, "total", snap_store_count(g.state, &id));
		json_arr(&g.j, "items");
		snap_store_of_host(g.state, &id, 0, SNAPSHOTS_MAX,
		    hosts_on_snapshot, &g);
		json_arr_end(&g.j);
	}
	reading_end(&g);
}

/* ----------------------------------------------------------- source groups */

static bool
hosts_on_group(void *ctx, const struct Rec__SourceGroup *s)
{
	struct json_out *j = &((struct reading *)ctx)->j;

	json_obj(j, NULL);
	put_id(j, "id", s->id);
	json_put(j, "name", s->name);
	put_strings(j, "includes", s->includes, s->n_includes);
	put_strings(j, "excludes", s->excludes, s->n_excludes);
	json_put_time(j, "created_at", s->created_at_ms);
	put_id(j, "last_job_id", s->last_job);
	json_put(j, "last_status",
	    s->last_incomplete ? "incomplete" : job_state_name(s->last_state));
	json_put_time(j, "last_success_at", s->last_success_at_ms);
	json_obj_end(j);
	return true;
}

void
hosts_groups(struct req *r)
{
	struct reading g;
	struct ulid id;

	reading_begin(&g, r);
	if (find_host(&g, &id) != NULL) {
		json_arr(&g.j, "items");
		plan_store_of_host(g.state, &id, hosts_on_group, &g);
		json_arr_end(&g.j);
	}
	reading_end(&g);
}

/* ----------------------------------------------------------------- summary */

struct totals {
	uint64_t hosts, online, running, behind, init_failed;
	uint64_t ok, incomplete, failed, never;
	uint64_t repo_bytes, snapshots;
};

static bool
hosts_on_summed(void *ctx, const struct Rec__Host *h)
{
	struct totals *t = ctx;

	t->hosts++;
	t->online += h->online ? 1 : 0;
	t->running += h->current_job.len > 0;
	t->behind += h->online &&
	             version_older(str_of(h->agent_version), STR(RM_VERSION));
	t->init_failed += h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED;
	t->repo_bytes += h->repo_size_bytes;
	t->snapshots += h->snapshot_count;
	if (h->last_backup_state == REC__JOB_STATE__JOB_NONE)
		t->never++;
	else if (h->last_backup_state != REC__JOB_STATE__JOB_SUCCEEDED)
		t->failed++;
	else if (h->last_backup_incomplete)
		t->incomplete++;
	else
		t->ok++;
	return true;
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
put_rollup(struct reading *g)
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

void
hosts_summary(struct req *r)
{
	struct totals t = { 0 };
	struct reading g;

	reading_begin(&g, r);
	host_store_each(g.state, hosts_on_summed, &t);
	json_obj(&g.j, "hosts");
	json_put_uint(&g.j, "total", t.hosts);
	json_put_uint(&g.j, "online", t.online);
	json_put_uint(&g.j, "offline", t.hosts - t.online);
	json_put_uint(&g.j, "running", t.running);
	json_put_uint(&g.j, "behind", t.behind);
	json_put_uint(&g.j, "init_failed", t.init_failed);
	json_obj_end(&g.j);
	json_obj(&g.j, "last_backup");
	json_put_uint(&g.j, "succeeded", t.ok);
	json_put_uint(&g.j, "incomplete", t.incomplete);
	json_put_uint(&g.j, "failed", t.failed);
	json_put_uint(&g.j, "none", t.never);
	json_obj_end(&g.j);
	json_put_uint(&g.j, "repo_bytes", t.repo_bytes);
	json_put_uint(&g.j, "snapshots", t.snapshots);
	put_rollup(&g);
	reading_end(&g);
}
