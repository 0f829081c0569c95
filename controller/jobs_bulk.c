/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Back up now" over many hosts at once. */
#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/hosts_bulk.h"
#include "controller/jobs.h"
#include "controller/jobs_own.h"
#include "controller/pb.h"
#include "controller/plan.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"
#include "lib/store/host_store.h"
#include "lib/store/plan_store.h"

enum {
	HOSTS_MAX = 100,
	GROUPS_MAX = PLAN_GROUPS_MAX,
	JOBS_MAX = 400, /* of one request */
	NAMED_MAX = 50, /* ids in the address of the answer's page */
	HOST_ARENA = 8 << 20
};

struct hosts_in {
	struct json_strs ids;
};

/* clang-format off */
static const struct json_field hosts_fields[] = {
	{ "host_ids", JSON_STRS, JSON_REQUIRED, 1, HOSTS_MAX, offsetof(struct hosts_in, ids), ULID_TEXT_CAP - 1, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json jobs_run_hosts_body = { hosts_fields,
	ARRAY_LEN(hosts_fields), sizeof(struct hosts_in) };

enum bulk_end {
	BULK_OK,
	BULK_NO_REPOSITORY,
	BULK_NO_GROUP,
	BULK_UNKNOWN,
	BULK_TOO_MANY
};

static const char *const bulk_words[] = {
	[BULK_OK] = "",
	[BULK_NO_REPOSITORY] = "the host has no repository",
	[BULK_NO_GROUP] = "the host has nothing to back up",
	[BULK_UNKNOWN] = "there is no host with this id",
	[BULK_TOO_MANY] = "too many source groups at once",
};

struct bulk_host {
	struct ulid id;
	bool online;
	enum bulk_end end;
};

struct bulk_job {
	struct ulid host, job;
	bool waits; /* it waited already, or its host is away */
	bool old;
};

/* op->in */
struct bulk {
	struct bulk_host hosts[HOSTS_MAX];
	size_t n;
	int64_t now_ms;
	struct bulk_job jobs[JOBS_MAX];
	size_t n_jobs;
};

/* ---------------------------------------------------------- on the store */

struct groups {
	struct ulid ids[GROUPS_MAX];
	size_t n;
};

static bool
jobs_on_bulk_group(void *ctx, const struct Rec__SourceGroup *g)
{
	struct groups *all = ctx;

	if (all->n < GROUPS_MAX && pb_id_get(&g->id, &all->ids[all->n]))
		all->n++;
	return all->n < GROUPS_MAX;
}

static void
run_groups(struct store_tx *tx, const struct op *op, struct bulk *b,
    const struct bulk_host *bh, const struct groups *all)
{
	size_t i;

	for (i = 0; i < all->n; i++) {
		struct jobs_wish w = { .host = bh->id,
			.group = all->ids[i],
			.kind = REC__JOB_KIND__KIND_BACKUP,
			.online = bh->online,
			.now_ms = b->now_ms,
			.lasts_ms = JOBS_WAIT_MS };

		if (jobs_run_alone(tx, op, &w) != RC_OK)
			return;
		b->jobs[b->n_jobs + i] = (struct bulk_job){ bh->id, w.job,
			w.old || !bh->online, w.old };
	}
}

static enum bulk_end
run_host(struct store_tx *tx, const struct op *op, struct bulk *b,
    const struct bulk_host *bh)
{
	const struct Rec__Host *h = host_store_find(tx, &bh->id);
	struct groups all = { .n = 0 };

	if (h == NULL)
		return BULK_UNKNOWN;
	if (h->repo_url[0] == '\0')
		return BULK_NO_REPOSITORY;
	plan_store_of_host(tx, &bh->id, jobs_on_bulk_group, &all);
	if (all.n == 0)
		return BULK_NO_GROUP;
	if (b->n_jobs + all.n > JOBS_MAX)
		return BULK_TOO_MANY;
	run_groups(tx, op, b, bh, &all);
	if (store_rc(tx) == RC_OK)
		b->n_jobs += all.n;
	return BULK_OK;
}

/* Each host in a transaction and an arena of its own: all of it is one
 * commit, but what was read of one host is not kept for the next. */
static enum rc
bulk_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct bulk *b = op->in;
	size_t i;

	(void)vault;
	for (i = 0; i < b->n; i++) {
		struct store_tx *tx;
		struct arena a;
		struct err e;
		enum rc rc;

		arena_init(&a, HOST_ARENA);
		tx = store_begin_child(state, &a);
		b->hosts[i].end = run_host(tx, op, b, &b->hosts[i]);
		rc = store_commit(tx, &e);
		arena_fini(&a);
		if (rc != RC_OK)
			return store_fail(state, rc, "%s", e.msg);
	}
	return store_rc(state);
}

/* -------------------------------------------------------------- answers */

static void
put_jobs(struct json_out *j, const char *name, const struct bulk *b, bool waits)
{
	char url[64], id[ULID_TEXT_CAP];
	size_t i;

	json_arr(j, name);
	for (i = 0; i < b->n_jobs; i++) {
		if (b->jobs[i].waits != waits)
			continue;
		ulid_text(&b->jobs[i].job, id);
		json_obj(j, NULL);
		json_put_ulid(j, "host_id", &b->jobs[i].host);
		json_put(j, "job_id", id);
		json_put(j, "job_url",
		    str_fmt(url, sizeof(url), "/jobs/%s", id) ? url : "");
		json_obj_end(j);
	}
	json_arr_end(j);
}

static bool
is_refused(const struct bulk_host *bh)
{
	return bh->end != BULK_OK;
}

/* Its jobs wait for its return. */
static bool
is_away(const struct bulk_host *bh)
{
	return bh->end == BULK_OK && !bh->online;
}

static void
answer_json(struct req *r, const struct bulk *b)
{
	struct json_doc doc;
	char id[ULID_TEXT_CAP];
	size_t i;

	json_doc_init(&doc, MIB(1));
	put_jobs(&doc.j, "started", b, false);
	put_jobs(&doc.j, "waiting", b, true);
	json_arr(&doc.j, "offline");
	for (i = 0; i < b->n; i++) {
		ulid_text(&b->hosts[i].id, id);
		if (is_away(&b->hosts[i]))
			json_put(&doc.j, NULL, id);
	}
	json_arr_end(&doc.j);
	json_arr(&doc.j, "refused");
	for (i = 0; i < b->n; i++) {
		if (!is_refused(&b->hosts[i]))
			continue;
		json_obj(&doc.j, NULL);
		json_put_ulid(&doc.j, "host_id", &b->hosts[i].id);
		json_put(&doc.j, "message", bulk_words[b->hosts[i].end]);
		json_obj_end(&doc.j);
	}
	json_arr_end(&doc.j);
	req_doc(r, b->n_jobs > 0 ? 202 : 200, &doc);
	json_doc_fini(&doc);
}

static void
put_ids(struct buf *out, const char *name, const struct bulk *b, bool refused)
{
	char id[ULID_TEXT_CAP];
	size_t i, n = 0;

	for (i = 0; i < b->n && n < NAMED_MAX; i++) {
		const struct bulk_host *bh = &b->hosts[i];

		if (refused ? !is_refused(bh) : !is_away(bh))
			continue;
		ulid_text(&b->hosts[i].id, id);
		buf_printf(out, "%s%s", n++ == 0 ? name : ".", id);
	}
	if (n > 0)
		buf_putc(out, '&');
}

/* Numbers and ids: what they say is said by the page, for anybody can make a
 * link. */
static void
answer_html(struct req *r, const struct bulk *b)
{
	size_t i, started = 0, old = 0;
	struct buf to;

	for (i = 0; i < b->n_jobs; i++) {
		started += !b->jobs[i].waits;
		old += b->jobs[i].old;
	}
	buf_init(&to, KIB(16));
	hosts_bulk_back(r, &to);
	if (started > 0)
		buf_printf(&to, "started=%zu&", started);
	if (old > 0)
		buf_printf(&to, "waiting=%zu&", old);
	put_ids(&to, "offline=", b, false);
	put_ids(&to, "refused=", b, true);
	if (b->n == 0)
		buf_puts(&to, "ticked=0&");
	buf_cut(&to, to.len - 1);
	req_redirect(r, buf_text(&to));
	buf_fini(&to);
}

static void
answer_job(struct req *r, const struct ulid *job)
{
	char id[ULID_TEXT_CAP];

	ulid_text(job, id);
	req_redirect(r, arena_printf(&r->arena, "/jobs/%s", id));
}

static void
jobs_on_bulk(struct req *r, struct op *op)
{
	const struct bulk *b = op->in;
	size_t i;

	if (op->err.rc != RC_OK) {
		req_fail(r, &op->err);
		return;
	}
	for (i = 0; i < b->n_jobs; i++) {
		const struct bulk_job *j = &b->jobs[i];

		if (!j->old) {
			sse_job_changed(r->ctl->sse, &j->host, &j->job);
			sse_host_changed(r->ctl->sse, &j->host);
		}
		courier_queued(r->ctl->courier, &j->host, &j->job);
	}
	if (!r->wants_html)
		answer_json(r, b);
	else if (b->n == 1 && b->n_jobs == 1)
		answer_job(r, &b->jobs[0].job);
	else
		answer_html(r, b);
}

/* ------------------------------------------------------------- questions */

static enum rc
add_host(struct req *r, struct bulk *b, struct str text, struct err *e)
{
	struct bulk_host *bh = &b->hosts[b->n];
	size_t i;

	if (!ulid_parse(text, &bh->id))
		return err_set(e, RC_INVALID, "'%.26s' is not a host's id",
		    log_safe(text));
	for (i = 0; i < b->n; i++) {
		if (ulid_eq(&b->hosts[i].id, &bh->id))
			return RC_OK;
	}
	bh->online = agents_online(r->ctl->agents, &bh->id);
	b->n++;
	return RC_OK;
}

/* The one whose button was pressed, else those that are ticked. */
static enum rc
read_form(struct req *r, struct bulk *b, struct err *e)
{
	const struct str ticked = STR("host-");
	struct str one = req_field(r, "run");
	enum rc rc = RC_OK;
	size_t i;

	if (one.n > 0)
		return add_host(r, b, one, e);
	for (i = 0; rc == RC_OK && i < r->form_count; i++) {
		if (!str_starts(r->form[i].name, ticked))
			continue;
		if (b->n == HOSTS_MAX)
			return err_set(e, RC_INVALID,
			    "at most %d hosts at once", HOSTS_MAX);
		rc = add_host(r, b,
		    str_sub(r->form[i].name, ticked.n, ULID_TEXT_CAP), e);
	}
	return rc;
}

static enum rc
read_json(struct req *r, struct bulk *b, struct err *e)
{
	const struct hosts_in *in = r->in;
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; rc == RC_OK && i < in->ids.n; i++)
		rc = add_host(r, b, str_of(in->ids.v[i]), e);
	if (rc == RC_OK && b->n == 0)
		rc = err_set(e, RC_INVALID, "host_ids names no host");
	return rc;
}

void
jobs_run_hosts(struct req *r)
{
	struct op *op = op_new(bulk_op, NULL, NULL);
	struct bulk *b = arena_alloc(&op->arena, sizeof(*b));
	struct err e;
	enum rc rc;

	ASSERT(b != NULL);
	b->now_ms = clock_now_ms();
	rc = r->in != NULL ? read_json(r, b, &e) : read_form(r, b, &e);
	if (rc == RC_OK && b->n > 0) {
		op->in = b;
		req_submit(r, op, jobs_on_bulk);
		return;
	}
	if (rc != RC_OK)
		req_fail(r, &e);
	else
		answer_html(r, b);
	op_free(op);
}
