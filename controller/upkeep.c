/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/upkeep.h"

#include <string.h>

#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/jobs_own.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/sse.h"
#include "controller/upkeep_rules.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/store.h"
#include "lib/store/upkeep_store.h"

enum {
	LOOK_BACK = 100,  /* open jobs are among a host's newest */
	MEND_HOSTS = 500, /* of one op, at a start */
	ROW_ARENA = 4 << 20,
	ASTRAY_MS = 3600000 /* a clock that went back by more was wrong */
};

struct upkeep {
	struct controller *ctl;
	bool busy; /* a round is under way */
	int64_t seen_ms;
};

/* ------------------------------------------------------------- a row of it */

/* One thing of one host that is due. */
struct row {
	struct ulid host;
	Rec__JobKind kind;
};

struct turn {
	struct store_tx *tx;
	const struct op *op;
	struct upkeep_round *round;
	const struct row *row;
	struct Rec__Host *h;
	struct Rec__Maintenance *m;
	struct Rec__Upkeep *u;
};

struct open_search {
	Rec__JobKind kind;
	bool found;
};

static bool
upkeep_on_open(void *ctx, const struct Rec__Job *j)
{
	struct open_search *s = ctx;

	s->found = j->kind == s->kind;
	return !s->found;
}

static bool
has_open(const struct turn *t)
{
	struct open_search s = { .kind = t->row->kind };

	job_store_open_of_host(t->tx, &t->row->host, LOOK_BACK, upkeep_on_open,
	    &s);
	return s.found;
}

/* One that a host which is there does for all of them. */
static bool
is_done_by_another(const struct turn *t, const struct Rec__Repo *r)
{
	const struct Rec__Host *other;
	const struct Rec__Job *j;
	struct ulid job, host;

	if (!pb_id_get(t->row->kind == REC__JOB_KIND__KIND_PRUNE
	                   ? &r->prune_job
	                   : &r->check_job,
	        &job))
		return false;
	j = job_store_find(t->tx, &job);
	if (j == NULL || job_state_final(j->state) ||
	    !pb_id_get(&j->host_id, &host) || ulid_eq(&host, &t->row->host))
		return false;
	other = host_store_find(t->tx, &host);
	return other != NULL && other->online;
}

static int64_t
owed_since(const struct Rec__Upkeep *u)
{
	return u->waiting[0] != '\0' ? u->waiting_since_ms : u->due_ms;
}

/* What a clock that was ahead has noted did not happen yet. */
static int64_t
past(const struct turn *t, int64_t at_ms)
{
	return at_ms > t->round->now_ms ? 0 : at_ms;
}

static void
look(const struct turn *t, struct upkeep_facts *f)
{
	const struct Rec__Repo *r = repo_store_of_host(t->tx, t->h);
	Rec__JobKind kind = t->row->kind;
	struct jobs_twin twin;

	*f = (struct upkeep_facts){ .kind = kind,
		.owed_ms = owed_since(t->u),
		.spread_ms = upkeep_spread(&t->row->host, kind),
		.has_repo =
		    t->h->repo_url[0] != '\0' &&
		    t->h->repo_status != REC__REPO_STATUS__REPO_INIT_FAILED,
		.has_admin = t->h->has_admin,
		.online = t->h->online,
		.open_job = has_open(t),
		.success_ms = past(t, t->u->last_success_at_ms) };
	if (kind == REC__JOB_KIND__KIND_FORGET) {
		f->has_retention = jobs_has_retention(t->tx, &t->row->host);
		f->has_twin = jobs_find_twin(t->tx, t->h, &twin);
	}
	if (r == NULL || kind == REC__JOB_KIND__KIND_FORGET)
		return;
	f->shared_job = is_done_by_another(t, r);
	f->repo_success_ms =
	    past(t, kind == REC__JOB_KIND__KIND_PRUNE ? r->last_prune_at_ms
	                                              : r->last_check_at_ms);
}

static void
next_window(struct turn *t)
{
	t->u->waiting = pb_text("");
	t->u->waiting_since_ms = 0;
	t->u->due_ms = upkeep_due(&t->row->host, t->row->kind, t->u,
	    t->round->zone, t->round->now_ms);
}

static void
hold_back(struct turn *t, const char *why)
{
	t->u->waiting_since_ms = owed_since(t->u);
	t->u->waiting = pb_text(why);
	t->u->due_ms = t->round->now_ms + upkeep_look_ms(why);
}

static void
run(struct turn *t, struct ulid *job)
{
	struct jobs_wish *w = arena_alloc(store_arena(t->tx), sizeof(*w));

	if (w == NULL) {
		(void)store_fail(t->tx, RC_LIMIT, "no room for a job");
		return;
	}
	*w = (struct jobs_wish){ .host = t->row->host,
		.kind = t->row->kind,
		.online = true,
		.now_ms = t->round->now_ms,
		.lasts_ms = JOBS_WAIT_MS };
	if (jobs_run(t->tx, t->op, w) != RC_OK)
		return;
	*job = w->job;
	t->u->open_job = pb_id(&w->job);
	next_window(t);
}

/* Its job, if one came of it. */
static void
take_turn(struct turn *t, struct ulid *job)
{
	struct upkeep_facts f;
	const char *why;

	t->m = upkeep_store_find(t->tx, &t->row->host);
	t->h = host_store_find(t->tx, &t->row->host);
	if (t->h == NULL || t->m == NULL) {
		upkeep_store_del(t->tx, &t->row->host);
		return;
	}
	t->u = upkeep_of(t->m, t->row->kind);
	look(t, &f);
	switch (upkeep_decide(&f, &why)) {
	case UPKEEP_RUN:
		run(t, job);
		break;
	case UPKEEP_DONE:
		next_window(t);
		break;
	case UPKEEP_WAIT:
		hold_back(t, why);
		break;
	}
	upkeep_store_put(t->tx, t->m);
}

/* ------------------------------------------------------------------ a round */

struct due {
	struct row rows[UPKEEP_ROUND_MAX];
	size_t n;
};

static bool
upkeep_on_due(void *ctx, const struct ulid *host, Rec__JobKind kind,
    int64_t due_ms)
{
	struct due *d = ctx;

	(void)due_ms;
	d->rows[d->n++] = (struct row){ *host, kind };
	return d->n < UPKEEP_ROUND_MAX;
}

/* What failed is looked at later, and holds up nobody. */
static void
put_off(struct store_tx *tx, const struct row *row, int64_t now_ms)
{
	struct Rec__Maintenance *m = upkeep_store_find(tx, &row->host);
	struct Rec__Upkeep *u = m != NULL ? upkeep_of(m, row->kind) : NULL;

	if (u == NULL)
		return;
	if (u->waiting[0] == '\0')
		u->waiting_since_ms = u->due_ms;
	u->waiting = pb_text("failed");
	u->due_ms = now_ms + UPKEEP_LOOK_MS;
	upkeep_store_put(tx, m);
}

/* Each row in a transaction and an arena of its own. */
static void
visit(struct store_tx *state, const struct op *op, struct upkeep_round *round,
    const struct row *row)
{
	struct turn t = { .op = op, .round = round, .row = row };
	struct ulid job = { { 0 } };
	struct arena a;
	struct err e;

	arena_init(&a, ROW_ARENA);
	t.tx = store_begin_child(state, &a);
	take_turn(&t, &job);
	if (store_commit(t.tx, &e) != RC_OK) {
		log_warn(LOG_JOB, "maintenance not started kind=%s error=%s",
		    job_kind_name(row->kind), log_safe(str_of(e.msg)));
		put_off(state, row, round->now_ms);
	} else if (!ulid_is_zero(&job)) {
		round->made[round->n++] =
		    (struct upkeep_made){ row->host, job };
	}
	arena_fini(&a);
}

enum rc
upkeep_round_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct upkeep_round *round = op->in;
	struct due *d = arena_alloc(&op->arena, sizeof(*d));
	size_t i;

	(void)vault;
	ASSERT(d != NULL); /* the op's arena is empty */
	d->n = 0;
	upkeep_store_due(state, round->now_ms, upkeep_on_due, d);
	for (i = 0; i < d->n && store_rc(state) == RC_OK; i++)
		visit(state, op, round, &d->rows[i]);
	round->more = d->n == UPKEEP_ROUND_MAX;
	return store_rc(state);
}

static void submit_round(struct upkeep *u);
static void submit_mend(struct upkeep *u, const struct ulid *after);

static void
upkeep_on_round(struct op *op, void *ctx)
{
	const struct upkeep_round *round = op->in;
	struct upkeep *u = ctx;
	size_t i;

	u->busy = false;
	if (op->err.rc != RC_OK) {
		log_warn(LOG_JOB, "maintenance not looked at error=%s",
		    log_safe(str_of(op->err.msg)));
		return;
	}
	for (i = 0; i < round->n; i++) {
		const struct upkeep_made *m = &round->made[i];

		courier_queued(u->ctl->courier, &m->host, &m->job);
		sse_job_changed(u->ctl->sse, &m->host, &m->job);
		sse_host_changed(u->ctl->sse, &m->host);
	}
	if (round->more)
		submit_round(u);
}

static void
submit_round(struct upkeep *u)
{
	struct op *op = op_new(upkeep_round_op, upkeep_on_round, u);
	struct upkeep_round *round = arena_alloc(&op->arena, sizeof(*round));

	ASSERT(round != NULL);
	*round = (struct upkeep_round){ .zone = u->ctl->settings.timezone,
		.now_ms = clock_now_ms() };
	op->in = round;
	u->busy = true;
	op_submit(u->ctl->ops, &op);
}

static bool
upkeep_on_first(void *ctx, const struct ulid *host, Rec__JobKind kind,
    int64_t due_ms)
{
	bool *any = ctx;

	(void)host;
	(void)kind;
	(void)due_ms;
	*any = true;
	return false;
}

void
upkeep_tick(struct upkeep *u)
{
	const struct ulid first = { { 0 } };
	int64_t now_ms = clock_now_ms();
	struct store_tx *tx;
	bool any = false;

	if (now_ms < u->seen_ms - ASTRAY_MS)
		submit_mend(u, &first);
	u->seen_ms = now_ms;
	if (u->busy)
		return;
	tx = store_begin_read(u->ctl->state, NULL);
	upkeep_store_due(tx, now_ms, upkeep_on_first, &any);
	store_abort(tx);
	if (any)
		submit_round(u);
}

/* ------------------------------------- a start, or a clock that was ahead */

/* Hosts behind one of them get what they lack, and times that a clock or a
 * zone has put elsewhere are set right. */
struct mend {
	struct ulid after;
	size_t n;
	const char *zone;
	int64_t now_ms;
	struct store_tx *tx; /* in the op */
};

static int64_t
right_due(const struct mend *md, const struct ulid *host, Rec__JobKind kind,
    const struct Rec__Upkeep *u)
{
	const int64_t most = md->now_ms + UPKEEP_LOOK_LONG_MS;
	int64_t due_ms;

	/* What is owed stays owed; a retry may come early. */
	if (u->waiting[0] != '\0' || u->retries > 0)
		return u->due_ms > most ? most : u->due_ms;
	if (u->due_ms != 0 && u->due_ms <= md->now_ms)
		return u->due_ms;
	due_ms = upkeep_due(host, kind, u, md->zone, md->now_ms);
	/* One that is due earlier is an @every that has begun. */
	if (u->due_ms != 0 && due_ms != 0 && u->due_ms <= due_ms)
		return u->due_ms;
	return due_ms;
}

static bool
realign(const struct mend *md, const struct ulid *host,
    struct Rec__Maintenance *m)
{
	static const Rec__JobKind kinds[] = { REC__JOB_KIND__KIND_FORGET,
		REC__JOB_KIND__KIND_PRUNE, REC__JOB_KIND__KIND_CHECK };
	bool changed = false;
	struct Rec__Upkeep *u;
	int64_t due_ms;
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		u = upkeep_of(m, kinds[i]);
		if (u == NULL)
			continue;
		due_ms = right_due(md, host, kinds[i], u);
		changed |= due_ms != u->due_ms;
		u->due_ms = due_ms;
	}
	return changed;
}

static void
upkeep_on_host(void *ctx, const struct ulid *host, struct Rec__Maintenance *m)
{
	struct mend *md = ctx;
	bool missing = m == NULL;

	md->after = *host;
	if (missing)
		m = upkeep_record(md->tx, host);
	if (m != NULL && (realign(md, host, m) || missing))
		upkeep_store_put(md->tx, m);
}

static enum rc
mend_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct mend *md = op->in;

	(void)vault;
	md->tx = state;
	md->n = upkeep_store_hosts(state, &md->after, MEND_HOSTS,
	    upkeep_on_host, md);
	return store_rc(state);
}

static void
upkeep_on_mended(struct op *op, void *ctx)
{
	const struct mend *md = op->in;

	if (op->err.rc != RC_OK)
		log_warn(LOG_STORE, "maintenance not completed error=%s",
		    log_safe(str_of(op->err.msg)));
	else if (md->n == MEND_HOSTS)
		submit_mend(ctx, &md->after);
}

static void
submit_mend(struct upkeep *u, const struct ulid *after)
{
	struct op *op = op_new(mend_op, upkeep_on_mended, u);
	struct mend *md = arena_alloc(&op->arena, sizeof(*md));

	ASSERT(md != NULL);
	*md = (struct mend){ .after = *after,
		.zone = u->ctl->settings.timezone,
		.now_ms = clock_now_ms() };
	op->in = md;
	op_submit(u->ctl->ops, &op);
}

struct upkeep *
upkeep_new(struct controller *c)
{
	struct upkeep *u = MEM_NEW(struct upkeep);
	const struct ulid first = { { 0 } };

	u->ctl = c;
	submit_mend(u, &first);
	return u;
}

void
upkeep_free(struct upkeep *u)
{
	mem_free(u);
}
