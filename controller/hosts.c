/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/hosts.h"

#include <string.h>
#include <version.h>

#include "controller/controller.h"
#include "controller/hosts_own.h"
#include "controller/paging.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/store/fleet_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/snap_store.h"
#include "lib/store/status.h"

enum {
	BODY_MAX = 32 << 20,
	LIST_ARENA_MAX = 128 << 20,
	SNAPSHOTS_MAX = 10000
};

void
hosts_reading_begin(struct hosts_reading *g, const struct controller *c)
{
	arena_init(&g->arena, LIST_ARENA_MAX);
	g->state = store_begin_read(c->state, &g->arena);
	g->live = store_begin_read(c->live, &g->arena);
	buf_init(&g->body, BODY_MAX);
	json_out_init(&g->j, &g->body);
}

enum rc
hosts_reading_end(struct hosts_reading *g, struct err *e)
{
	*e = *store_err(g->state);
	if (e->rc == RC_OK)
		*e = *store_err(g->live);
	store_abort(g->live);
	store_abort(g->state);
	arena_fini(&g->arena);
	return e->rc;
}

/* The one object of a short answer, on the loop. */
static void
reading_begin(struct hosts_reading *g, struct req *r)
{
	hosts_reading_begin(g, r->ctl);
	json_obj(&g->j, NULL);
}

static void
reading_answer(struct hosts_reading *g, struct req *r)
{
	struct err e;

	json_obj_end(&g->j);
	if (hosts_reading_end(g, &e) == RC_OK)
		req_json(r, 200, &g->body);
	else
		req_fail(r, &e);
	buf_fini(&g->body);
}

/* -------------------------------------------------------------------- host */

/* Incomplete is an outcome of its own (contract.md, Jobs). */
const char *
hosts_backup_status(const struct Rec__Host *h)
{
	if (h->last_backup_incomplete &&
	    h->last_backup_state == REC__JOB_STATE__JOB_SUCCEEDED)
		return "incomplete";
	return job_state_name(h->last_backup_state);
}

static void
put_identity(struct json_out *j, const struct Rec__Host *h)
{
	pb_put_id(j, "id", &h->id);
	json_put(j, "name", h->name);
	json_put(j, "reported_name", h->reported_name);
	json_put(j, "status", h->online ? "online" : "offline");
	json_put(j, "os", h->os);
	json_put(j, "arch", h->arch);
	json_put(j, "agent_version", h->agent_version);
	json_put(j, "restic_version", h->restic_version);
	json_put_int(j, "protocol_version", h->protocol_version);
	json_put_bool(j, "update_available", status_outdated(h));
	json_put(j, "target_version", RM_VERSION);
	json_put_strs(j, "tags", h->tags, h->n_tags);
	json_put_bool(j, "always_on", h->always_on);
	json_put(j, "duplicate_notice", h->duplicate_notice);
}

static void
put_repository(struct json_out *j, const struct Rec__Host *h)
{
	json_put(j, "repo_status", status_repo_name(h->repo_status));
	json_put(j, "repo_status_error", h->repo_status_error);
	json_put(j, "repo_url", h->repo_url);
	json_put(j, "repo_username", h->repo_username);
	json_put_uint(j, "repo_size_bytes", h->repo_size_bytes);
	json_put_uint(j, "repo_raw_size_bytes", h->repo_raw_size_bytes);
	json_put_uint(j, "snapshot_count", h->snapshot_count);
	json_put_time(j, "snapshots_at", h->snapshots_at_ms);
	pb_put_id(j, "init_job_id", &h->init_job);
}

static void
put_work(struct json_out *j, const struct Rec__Host *h)
{
	json_put(j, "last_backup_status", hosts_backup_status(h));
	json_put_time(j, "last_backup_at", h->last_backup_at_ms);
	json_put_time(j, "last_attempt_at", h->last_attempt_at_ms);
	pb_put_id(j, "current_job_id", &h->current_job);
	json_put_uint(j, "config_version", h->config_version);
	json_put_uint(j, "applied_config_version", h->applied_config_version);
	json_put_bool(j, "in_sync", status_drift(h)[0] == '\0');
	json_put(j, "drift", status_drift(h));
	json_put(j, "zone", h->zone);
	json_put_int(j, "bandwidth_up_kbps", h->bandwidth_up_kbps);
	json_put_int(j, "bandwidth_down_kbps", h->bandwidth_down_kbps);
	json_put_int(j, "allowed_age_s", h->allowed_age_s);
	json_put_bool(j, "has_admin_credentials", h->has_admin);
	json_put(j, "bearer_rotation", status_rotation(h));
	json_put_time(j, "bearer_rotation_asked_at", h->rotation_asked_ms);
	json_put_time(j, "bearer_rotated_at", h->bearer_rotated_at_ms);
}

int64_t
hosts_last_seen(struct store_tx *live, const struct fleet_host *f)
{
	const struct Rec__Presence *p = live_find_presence(live, &f->id);

	if (p != NULL && p->last_seen_ms > f->host->last_seen_at_ms)
		return p->last_seen_ms;
	return f->host->last_seen_at_ms;
}

void
hosts_json(struct hosts_reading *g, const struct fleet_host *f)
{
	const struct Rec__Host *h = f->host;

	put_identity(&g->j, h);
	json_put(&g->j, "state", status_host_name(f->state));
	json_put_time(&g->j, "enrolled_at", h->enrolled_at_ms);
	json_put_time(&g->j, "last_seen_at", hosts_last_seen(g->live, f));
	json_put_time(&g->j, "boot_time", h->boot_time_ms);
	put_repository(&g->j, h);
	put_work(&g->j, h);
}

/* The host of vars[0]; absent: the transaction says so. */
static const struct Rec__Host *
find_host(struct hosts_reading *g, struct req *r, struct ulid *id)
{
	if (req_ulid(r, 0, id) == RC_OK)
		return host_store_get(g->state, id);
	(void)store_fail(g->state, RC_NOTFOUND, "there is no such host");
	return NULL;
}

void
hosts_get(struct req *r)
{
	const struct Rec__Host *h;
	struct hosts_reading g;
	struct fleet_host f;
	struct ulid id;

	reading_begin(&g, r);
	h = find_host(&g, r, &id);
	if (h != NULL) {
		fleet_store_host(g.state, h, clock_now_ms(), &f);
		hosts_json(&g, &f);
	}
	reading_answer(&g, r);
}

/* --------------------------------------------------------------- snapshots */

static bool
hosts_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct json_out *j = &((struct hosts_reading *)ctx)->j;

	json_obj(j, NULL);
	json_put(j, "id", s->id);
	json_put(j, "short_id", s->short_id);
	json_put_time(j, "time", s->time_ms);
	json_put(j, "hostname", s->hostname);
	json_put_strs(j, "paths", s->paths, s->n_paths);
	json_put_strs(j, "tags", s->tags, s->n_tags);
	json_put_uint(j, "size_bytes", s->size_bytes);
	json_put_uint(j, "file_count", s->file_count);
	json_obj_end(j);
	return true;
}

void
hosts_snapshots(struct req *r)
{
	const struct Rec__Host *h;
	struct hosts_reading g;
	struct paging p;
	struct ulid id;
	struct err e;

	if (paging_begin(&p, r, PAGING_EACH_MAX, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	/* Scripts of before take the whole list. */
	if (req_query(r, "page").n == 0 && req_query(r, "per_page").n == 0)
		p.per_page = SNAPSHOTS_MAX;
	reading_begin(&g, r);
	h = find_host(&g, r, &id);
	if (h != NULL) {
		p.total = snap_store_count(g.state, &id);
		json_put_time(&g.j, "refreshed_at", h->snapshots_at_ms);
		json_arr(&g.j, "items");
		snap_store_of_host(g.state, &id, (p.page - 1) * p.per_page,
		    p.per_page, hosts_on_snapshot, &g);
		json_arr_end(&g.j);
		paging_put(&p, &g.j);
	}
	reading_answer(&g, r);
}
