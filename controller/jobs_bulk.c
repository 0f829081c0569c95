/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Back up now" over many hosts at once. */
#include <string.h>

#include "controller/agents.h"
#include "controller/bulk.h"
#include "controller/controller.h"
#include "controller/courier.h"
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
#include "lib/store/host_store.h"
#include "lib/store/plan_store.h"

enum {
	GROUPS_MAX = PLAN_GROUPS_MAX,
	JOBS_MAX = 400, /* of one request */
	NAMED_MAX = 50  /* ids in the address of the answer's page */
};

struct hosts_in {
	struct json_strs ids;
};

/* clang-format off */
static const struct json_field hosts_fields[] = {
	{ "host_ids", JSON_STRS, JSON_REQUIRED, 1, BULK_HOSTS_MAX, offsetof(struct hosts_in, ids), ULID_TEXT_CAP - 1, JSON_NO_SEEN },
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

struct bulk_job {
	struct ulid host, job;
	bool waits; /* it waited already, or its host is away */
	bool old;
};

/* op->in */
struct bulk {
	struct bulk_hosts hosts;
	bool online[BULK_HOSTS_MAX];
	enum bulk_end ends[BULK_HOSTS_MAX];
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
run_groups(struct store_tx *tx, const struct op *op, size_t at,
    const struct groups *all)
{
	struct bulk *b = op->in;
	const struct ulid *host = &b->hosts.ids[at];
	bool online = b->online[at];
	size_t i;

	for (i = 0; i < all->n; i++) {
		struct jobs_wish w = { .host = *host,
			.group = all->ids[i],
			.kind = REC__JOB_KIND__KIND_BACKUP,
			.online = online,
			.now_ms = b->now_ms,
			.lasts_ms = JOBS_WAIT_MS };

		if (jobs_run_alone(tx, op, &w) != RC_OK)
			return;
		b->jobs[b->n_jobs + i] =
		    (struct bulk_job){ *host, w.job, w.old || !online, w.old };
	}
}

static enum bulk_end
run_host(struct store_tx *tx, const struct op *op, size_t i)
{
	struct bulk *b = op->in;
	const struct Rec__Host *h = host_store_find(tx, &b->hosts.ids[i]);
	struct groups all = { .n = 0 };

	if (h == NULL)
		return BULK_UNKNOWN;
	if (h->repo_url[0] == '\0')
		return BULK_NO_REPOSITORY;
	plan_store_of_host(tx, &b->hosts.ids[i], jobs_on_bulk_group, &all);
	if (all.n == 0)
		return BULK_NO_GROUP;
	if (b->n_jobs + all.n > JOBS_MAX)
		return BULK_TOO_MANY;
	run_groups(tx, op, i, &all);
	if (store_rc(tx) == RC_OK)
		b->n_jobs += all.n;
	return BULK_OK;
}

static void
run_one(struct store_tx *tx, struct op *op, size_t i)
{
	struct bulk *b = op->in;

	b->ends[i] = run_host(tx, op, i);
}

static enum rc
bulk_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct bulk *b = op->in;

	(void)vault;
	return bulk_each(state, op, b->hosts.n, run_one);
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
is_refused(const struct bulk *b, size_t i)
{
	return b->ends[i] != BULK_OK;
}

/* Its jobs wait for its return. */
static bool
is_away(const struct bulk *b, size_t i)
{
	return b->ends[i] == BULK_OK && !b->online[i];
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
	for (i = 0; i < b->hosts.n; i++) {
		ulid_text(&b->hosts.ids[i], id);
		if (is_away(b, i))
			json_put(&doc.j, NULL, id);
	}
	json_arr_end(&doc.j);
	json_arr(&doc.j, "refused");
	for (i = 0; i < b->hosts.n; i++) {
		if (!is_refused(b, i))
			continue;
		json_obj(&doc.j, NULL);
		json_put_ulid(&doc.j, "host_id", &b->hosts.ids[i]);
		json_put(&doc.j, "message", bulk_words[b->ends[i]]);
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

	for (i = 0; i < b->hosts.n && n < NAMED_MAX; i++) {
		if (refused ? !is_refused(b, i) : !is_away(b, i))
			continue;
		ulid_text(&b->hosts.ids[i], id);
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
	bulk_back(r, &to);
	if (started > 0)
		buf_printf(&to, "started=%zu&", started);
	if (old > 0)
		buf_printf(&to, "waiting=%zu&", old);
	put_ids(&to, "offline=", b, false);
	put_ids(&to, "refused=", b, true);
	if (b->hosts.n == 0)
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

	if (!req_stored(r, op))
		return;
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
	else if (b->hosts.n == 1 && b->n_jobs == 1)
		answer_job(r, &b->jobs[0].job);
	else
		answer_html(r, b);
}

/* ------------------------------------------------------------- questions */

/* The one whose button was pressed, else those that are ticked. */
static enum rc
read_form(struct req *r, struct bulk_hosts *hosts, struct err *e)
{
	struct str one = req_field(r, "run");

	return one.n > 0 ? bulk_add(hosts, one, e) : bulk_ticked(hosts, r, e);
}

void
jobs_run_hosts(struct req *r)
{
	struct op *op = op_new(bulk_op, NULL, NULL);
	struct bulk *b = arena_alloc(&op->arena, sizeof(*b));
	const struct hosts_in *in = r->in;
	struct err e;
	size_t i;
	enum rc rc;

	ASSERT(b != NULL);
	b->now_ms = clock_now_ms();
	rc = in != NULL ? bulk_named(&b->hosts, &in->ids, &e)
	                : read_form(r, &b->hosts, &e);
	for (i = 0; i < b->hosts.n; i++)
		b->online[i] = agents_online(r->ctl->agents, &b->hosts.ids[i]);
	if (rc == RC_OK && b->hosts.n > 0) {
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
