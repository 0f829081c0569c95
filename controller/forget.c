/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/forget.h"

#include <string.h>

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/creds.h"
#include "controller/ingest.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/gone_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/vault_store.h"
#include "spool/joblog.h"

/*
 * forget_tick -> left_take -> revoke -> slice: ids of jobs -> pool: their
 * logs -> their rows -> the next slice; without jobs: other rows, until none
 * is left.  A failure ends the round; the next tick begins another.
 */
enum {
	CONFIRM_MAX = 255,
	EXPIRE_EVERY = 3600 /* ticks */
};

struct forget {
	struct controller *ctl;
	bool busy;        /* a step is under way */
	bool gone;        /* freed by its owner meanwhile */
	bool read;        /* what former runs left is in left */
	struct list left; /* struct left: hosts, but for the one at hand */
	unsigned ticks;
	uint64_t jobs; /* of the host at hand */
	struct ulid host;
};

/* One slice on its way through the pool and the store thread. */
struct slice {
	struct forget *forget;
	struct ulid host;
	struct ulid jobs[FORGET_ROWS];
	size_t n;
	struct err err;
	bool done; /* nothing is left of the host */
};

static void slice_begin(struct forget *f);

/* ------------------------------------------------------------ who is left */

struct left {
	struct list link;
	struct ulid host;
};

static void
left_add(struct forget *f, const struct ulid *host)
{
	struct left *l = MEM_NEW(struct left);

	l->host = *host;
	list_append(&f->left, &l->link);
}

static void
left_clear(struct forget *f)
{
	struct list *el;

	while ((el = list_take(&f->left)) != NULL)
		mem_free(LIST_ENTRY(el, struct left, link));
}

static bool
forget_on_gone(void *ctx, const struct Rec__HostGone *g)
{
	struct ulid id;

	if (g->swept_at_ms == 0 && pb_id_get(&g->id, &id))
		left_add(ctx, &id);
	return true;
}

/* Once, at the start: thousands may have been deleted in the week for which
 * their records are kept. */
static void
left_read(struct forget *f)
{
	struct store_tx *tx;
	struct arena a;

	arena_init(&a, MIB(64));
	tx = store_begin_read(f->ctl->state, &a);
	gone_store_each(tx, forget_on_gone, f);
	f->read = store_rc(tx) == RC_OK;
	store_abort(tx);
	arena_fini(&a);
	if (!f->read)
		left_clear(f);
}

/* What a host sent last may still be being written: its turn comes. */
static bool
left_take(struct forget *f, struct ulid *out)
{
	struct list *el, *tmp;

	LIST_FOREACH(el, tmp, &f->left)
	{
		struct left *l = LIST_ENTRY(el, struct left, link);

		if (!ingest_idle(f->ctl->ingest, &l->host))
			continue;
		*out = l->host;
		list_del(el);
		mem_free(l);
		return true;
	}
	return false;
}

/* -------------------------------------------------------------- the rounds */

/* The next tick begins another, with this host or the next. */
static void
round_break(struct forget *f)
{
	left_add(f, &f->host);
	f->busy = false;
}

static void
round_failed(struct forget *f, const struct err *e)
{
	char id[ULID_TEXT_CAP];

	ulid_text(&f->host, id);
	log_warn(LOG_STORE, "deleted host not swept yet host=%s error=%s", id,
	    log_safe(str_of(e->msg)));
	round_break(f);
}

static void
round_done(struct forget *f)
{
	char id[ULID_TEXT_CAP];

	ulid_text(&f->host, id);
	log_info(LOG_STORE, "deleted host swept host=%s jobs=%llu", id,
	    (unsigned long long)f->jobs);
	f->busy = false;
	forget_tick(f);
}

static enum rc
rows_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct slice *s = op->in;
	size_t i;

	(void)vault;
	for (i = 0; i < s->n; i++)
		job_store_del(state, &s->jobs[i]);
	if (s->n == 0)
		s->done = gone_store_sweep(state, &s->host, FORGET_ROWS,
		    clock_now_ms());
	return store_rc(state);
}

static void
forget_on_rows(struct op *op, void *ctx)
{
	struct forget *f = ctx;
	struct slice *s = op->in;
	bool done = s->done;

	f->jobs += s->n;
	mem_free(s);
	if (op->err.rc != RC_OK)
		round_failed(f, &op->err);
	else if (done)
		round_done(f);
	else
		slice_begin(f);
}

static void
submit_rows(struct slice *s)
{
	struct op *op = op_new(rows_op, forget_on_rows, s->forget);

	op->in = s;
	op_submit(s->forget->ctl->ops, &op);
}

/* Pool. */
static void
forget_on_work(void *ctx)
{
	struct slice *s = ctx;
	const char *spool = s->forget->ctl->settings.spool_dir;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (joblog_remove(spool, &s->jobs[i], &s->err) != RC_OK)
			return;
	s->err.rc = RC_OK;
}

static void
forget_on_removed(void *ctx)
{
	struct slice *s = ctx;
	struct forget *f = s->forget;

	if (f->gone) {
		mem_free(s);
		mem_free(f);
	} else if (s->err.rc != RC_OK) {
		round_failed(f, &s->err);
		mem_free(s);
	} else {
		submit_rows(s);
	}
}

/* Nobody may be writing to the logs that go. */
static bool
logs_at_rest(const struct forget *f, const struct slice *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (ingest_packs(f->ctl->ingest, &s->jobs[i]))
			return false;
	return true;
}

static void
slice_begin(struct forget *f)
{
	struct slice *s = MEM_NEW(struct slice);
	struct store_tx *tx = store_begin_read(f->ctl->state, NULL);

	s->forget = f;
	s->host = f->host;
	s->n = gone_store_jobs(tx, &s->host, s->jobs, FORGET_ROWS);
	if (store_rc(tx) != RC_OK)
		s->err = *store_err(tx);
	store_abort(tx);
	if (s->err.rc != RC_OK) {
		round_failed(f, &s->err);
		mem_free(s);
	} else if (!logs_at_rest(f, s)) {
		mem_free(s);
		round_break(f);
	} else if (s->n > 0) {
		loop_work(f->ctl->loop, forget_on_work, forget_on_removed, s);
	} else {
		submit_rows(s);
	}
}

/* ---------------------------------------------------------------- the host */

static enum rc
revoke_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)state;
	vault_del_host(vault, op->in);
	return store_rc(vault);
}

static void
forget_on_revoked(struct op *op, void *ctx)
{
	struct forget *f = ctx;

	if (op->err.rc != RC_OK)
		round_failed(f, &op->err);
	else
		slice_begin(f);
}

static enum rc
expire_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)vault;
	(void)op;
	(void)gone_store_expire(state, clock_now_ms() - FORGET_KEEP_MS,
	    FORGET_ROWS);
	return store_rc(state);
}

void
forget_tick(struct forget *f)
{
	struct op *op;

	if (f->ticks++ % EXPIRE_EVERY == 0) {
		op = op_new(expire_op, NULL, NULL);
		op_submit(f->ctl->ops, &op);
	}
	if (f->busy)
		return;
	if (!f->read)
		left_read(f);
	if (!left_take(f, &f->host))
		return;
	f->jobs = 0;
	f->busy = true;
	op = op_new(revoke_op, forget_on_revoked, f);
	op->in = &f->host;
	op->vault = true;
	op_submit(f->ctl->ops, &op);
}

struct forget *
forget_new(struct controller *c)
{
	struct forget *f = MEM_NEW(struct forget);

	f->ctl = c;
	list_init(&f->left);
	return f;
}

void
forget_free(struct forget *f)
{
	if (f == NULL)
		return;
	left_clear(f);
	f->gone = true;
	if (!f->busy)
		mem_free(f);
}

/* ------------------------------------------------------------- the request */

struct host_in {
	char *confirm;
};

/* clang-format off */
static const struct json_field host_fields[] = {
	{ "confirm", JSON_STR, JSON_REQUIRED, 0, CONFIRM_MAX, offsetof(struct host_in, confirm), 0, JSON_NO_SEEN },
};
/* clang-format on */

const struct route_json forget_host_body = { host_fields,
	ARRAY_LEN(host_fields), sizeof(struct host_in) };

/* op->in */
struct deletion {
	struct ulid host, job;
	const char *confirm;
};

static void
audit(struct store_tx *tx, const struct op *op, const struct Rec__Host *h)
{
	const struct deletion *d = op->in;
	struct json_doc doc;

	json_doc_init(&doc, KIB(16));
	json_put(&doc.j, "repo_url", h->repo_url);
	json_put_uint(&doc.j, "snapshots_left_there", h->snapshot_count);
	op_audit(tx, op, "host.deleted", "host", &d->host, h->name,
	    json_doc_end(&doc));
	json_doc_fini(&doc);
}

static enum rc
delete_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct deletion *d = op->in;
	const struct Rec__Host *h = host_store_get(state, &d->host);

	(void)vault;
	if (h == NULL)
		return store_rc(state);
	if (strcmp(d->confirm, h->name) != 0)
		return store_fail_code(state, RC_INVALID, "confirm_mismatch",
		    "type the host's name, %s, to confirm", h->name);
	(void)pb_id_get(&h->current_job, &d->job);
	audit(state, op, h);
	gone_store_begin(state, h, op->actor.name, clock_now_ms());
	return store_rc(state);
}

/* Its agent hears of it first: the job it runs is cancelled, then its call
 * ends. */
static void
tell(struct controller *c, const struct deletion *d)
{
	struct err e;

	(void)err_code(&e, RC_AUTH, "host_deleted",
	    "this host was deleted from the controller; enrol it again to "
	    "back it up");
	courier_forget(c->courier, &d->host, &d->job);
	agents_forget(c->agents, &d->host, &d->job, &e);
	ingest_forget(c->ingest, &d->host);
	sse_host_gone(c->sse, &d->host);
	if (c->forget->read) /* else it is found with the others */
		left_add(c->forget, &d->host);
	forget_tick(c->forget);
}

static void
refuse(struct req *r, const struct err *e)
{
	if (r->wants_html && e->rc == RC_INVALID)
		creds_page_again(r, "error.delete", e);
	else
		req_fail(r, e);
}

static void
forget_on_deleted(struct req *r, struct op *op)
{
	if (op->err.rc != RC_OK) {
		refuse(r, &op->err);
		return;
	}
	tell(r->ctl, op->in);
	if (r->wants_html)
		req_redirect(r, "/?saved=deleted");
	else
		req_empty(r, 204);
}

void
forget_host(struct req *r)
{
	const struct host_in *in = r->in;
	struct deletion *d, given = { 0 };
	struct op *op;

	if (!req_need_ulid(r, 0, "there is no such host", &given.host))
		return;
	op = op_with(delete_op, &given, sizeof(given));
	d = op->in;
	d->confirm = in != NULL ? op_keep(op, in->confirm)
	                        : arena_str(&op->arena,
	                              str_trim(req_field(r, "confirm")));
	req_submit(r, op, forget_on_deleted);
}
