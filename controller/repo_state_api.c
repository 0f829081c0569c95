/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/lease.h"
#include "controller/pb.h"
#include "controller/repo_state.h"
#include "controller/req.h"
#include "controller/rules.h"
#include "controller/upkeep.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/store.h"
#include "lib/store/upkeep_store.h"

enum {
	READ_MAX = 4 << 20,
	HOSTS_SHOWN = 100, /* of those that share a repository */
	DAY_S = 86400,
	HEX_CAP = 2 * REPO_ID_SIZE + 1
};

/* -------------------------------------------------------------------- state */

struct sharing {
	struct json_out *j;
	struct ulid self;
	size_t n;
};

static bool
repo_state_on_host(void *ctx, const struct ulid *host)
{
	struct sharing *s = ctx;

	if (ulid_eq(host, &s->self))
		return true;
	json_put_ulid(s->j, NULL, host);
	return ++s->n < HOSTS_SHOWN;
}

static void
put_identity(struct json_out *j, struct store_tx *tx, const struct Rec__Host *h)
{
	struct sharing s = { .j = j };
	char hex[HEX_CAP];

	if (h->repo_id.len == REPO_ID_SIZE) {
		str_hex(h->repo_id.data, REPO_ID_SIZE, hex, sizeof(hex));
		json_put(j, "repo_id", hex);
	} else {
		json_put_null(j, "repo_id");
	}
	json_put_time(j, "repo_changed_at", h->repo_changed_at_ms);
	json_arr(j, "shared_with");
	if (h->repo_id.len == REPO_ID_SIZE && pb_id_get(&h->id, &s.self))
		repo_store_hosts(tx, h->repo_id.data, repo_state_on_host, &s);
	json_arr_end(j);
}

static void
put_locks(struct json_out *j, const struct Rec__Host *h)
{
	json_put_bool(j, "lock_present", h->lock_count > 0);
	json_obj(j, "locks");
	json_put_time(j, "at", h->locks_at_ms);
	json_put_uint(j, "count", h->lock_count);
	json_put_bool(j, "exclusive", h->lock_exclusive);
	json_put_time(j, "newest_at", h->lock_newest_at_ms);
	json_put(j, "holder", h->lock_holder);
	json_obj_end(j);
}

static void
put_lease(struct json_out *j, struct store_tx *tx, const struct Rec__Repo *r)
{
	const struct Rec__Job *job = NULL;
	struct ulid id;

	if (r != NULL && pb_id_get(&r->lease_job, &id))
		job = job_store_find(tx, &id);
	if (job == NULL || job_state_final(job->state)) {
		json_put_null(j, "lease");
		return;
	}
	json_obj(j, "lease");
	pb_put_id(j, "job_id", &r->lease_job);
	pb_put_id(j, "host_id", &r->lease_host);
	json_put(j, "kind", job_kind_name(r->lease_kind));
	json_put_time(j, "since", r->lease_since_ms);
	json_obj_end(j);
}

/* The host's own work, or that of another on the same repository. */
static int64_t
latest(int64_t own_ms, int64_t shared_ms)
{
	return shared_ms > own_ms ? shared_ms : own_ms;
}

static void
put_fresh(struct json_out *j, const char *kind, int64_t success_ms,
    int64_t last_ms, const char *status)
{
	json_obj(j, kind);
	json_put_time(j, "last_success_at", success_ms);
	json_put_time(j, "last_at", last_ms);
	json_put(j, "last_status", status);
	json_obj_end(j);
}

static void
put_freshness(struct json_out *j, const struct Rec__Host *h,
    const struct Rec__Maintenance *m, const struct Rec__Repo *r)
{
	json_obj(j, "freshness");
	put_fresh(j, "backup", h->last_backup_at_ms, h->last_attempt_at_ms,
	    job_state_name(h->last_backup_state));
	put_fresh(j, "forget", m->forget->last_success_at_ms,
	    m->forget->last_at_ms, job_state_name(m->forget->last_state));
	put_fresh(j, "prune",
	    latest(m->prune->last_success_at_ms,
	        r != NULL ? r->last_prune_at_ms : 0),
	    m->prune->last_at_ms, job_state_name(m->prune->last_state));
	put_fresh(j, "check",
	    latest(m->check->last_success_at_ms,
	        r != NULL ? r->last_check_at_ms : 0),
	    m->check->last_at_ms, job_state_name(m->check->last_state));
	json_obj_end(j);
}

static void
put_state(struct json_out *j, struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Maintenance *m)
{
	const struct Rec__Repo *r = repo_store_of_host(tx, h);

	put_identity(j, tx, h);
	json_put_uint(j, "size_bytes", h->repo_size_bytes);
	json_put_uint(j, "raw_size_bytes", h->repo_raw_size_bytes);
	json_put_uint(j, "snapshot_count", h->snapshot_count);
	json_put_time(j, "last_check_at", m->check->last_at_ms);
	json_put(j, "last_check_status", job_state_name(m->check->last_state));
	json_put_uint(j, "check_position",
	    r != NULL ? r->check_position : m->check_position);
	json_put_time(j, "last_prune_at",
	    latest(m->prune->last_success_at_ms,
	        r != NULL ? r->last_prune_at_ms : 0));
	put_locks(j, h);
	put_lease(j, tx, r);
	put_freshness(j, h, m, r);
}

void
repo_state_get(struct req *r)
{
	const struct Rec__Maintenance *m = NULL;
	const struct Rec__Host *h;
	struct answer an;
	struct ulid host;

	if (!req_need_ulid(r, 0, "there is no such host", &host))
		return;
	(void)answer_begin(&an, r, KIB(64), READ_MAX);
	h = host_store_get(an.tx, &host);
	if (h != NULL)
		m = upkeep_record(an.tx, &host);
	if (m != NULL)
		put_state(&an.doc.j, an.tx, h, m);
	answer_end(&an, 200);
}

/* ------------------------------------------------------------------ history */

static bool
repo_state_on_day(void *ctx, uint32_t day, const struct Rec__RepoDay *d)
{
	struct json_out *j = ctx;
	struct civil c;
	char text[16];

	clock_civil((int64_t)day * DAY_S * 1000, 0, &c);
	if (!str_fmt(text, sizeof(text), "%04d-%02d-%02d", c.year, c.month,
	        c.day))
		return true;
	json_obj(j, NULL);
	json_put(j, "day", text);
	if (d->has_size) {
		json_put_uint(j, "size_bytes", d->size_bytes);
		json_put_uint(j, "raw_size_bytes", d->raw_size_bytes);
	} else {
		json_put_null(j, "size_bytes");
		json_put_null(j, "raw_size_bytes");
	}
	if (d->has_count)
		json_put_uint(j, "snapshot_count", d->snapshot_count);
	else
		json_put_null(j, "snapshot_count");
	json_put_bool(j, "pruned", d->pruned);
	json_obj_end(j);
	return true;
}

/* 30, 90 or 365; 30 if nothing is said. */
static bool
read_days(struct req *r, uint32_t *out)
{
	static const uint32_t ranges[] = { 30, 90, 365 };
	struct str s = req_query(r, "days");
	uint64_t v = ranges[0];
	size_t i;

	if (s.n > 0 && !str_u64(s, UINT32_MAX, &v))
		return false;
	for (i = 0; i < ARRAY_LEN(ranges); i++)
		if (v == ranges[i])
			break;
	*out = (uint32_t)v;
	return i < ARRAY_LEN(ranges);
}

static uint32_t
today(const struct req *r)
{
	int64_t now = clock_now_ms();
	int32_t offset = 0;

	if (!clock_zone_offset(r->ctl->settings.timezone, now, &offset))
		offset = 0;
	return rules_day(now, offset);
}

static void
answer_days(struct req *r, const struct ulid *host, uint32_t days)
{
	uint32_t last = today(r);
	struct json_out *j;
	struct answer an;

	j = answer_begin(&an, r, KIB(256), READ_MAX);
	host_store_need(an.tx, host);
	json_put_uint(j, "days", days);
	json_put(j, "zone", r->ctl->settings.timezone);
	json_arr(j, "items");
	repo_store_days(an.tx, host, last >= days ? last - days + 1 : 0, last,
	    repo_state_on_day, j);
	json_arr_end(j);
	answer_end(&an, 200);
}

void
repo_state_history(struct req *r)
{
	struct ulid host;
	uint32_t days;
	struct err e;

	if (!req_need_ulid(r, 0, "there is no such host", &host))
		return;
	if (!read_days(r, &days)) {
		(void)err_set(&e, RC_INVALID, "days is 30, 90 or 365");
		req_fail(r, &e);
	} else {
		answer_days(r, &host, days);
	}
}
