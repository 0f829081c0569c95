/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/jobs.h"

#include <string.h>

#include "controller/jobs_end.h"
#include "controller/jobs_own.h"
#include "controller/lease.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "lib/base/clock.h"
#include "lib/base/json_doc.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/store.h"

enum {
	/* Open jobs of a host are among its newest: at most one is queued a
	 * group and kind, for a day, and a step costs its key alone. */
	LOOK_BACK = 1000,
	ALONE_ARENA = 16 << 20
};

/* ------------------------------------------------------------- making one */

struct look {
	const struct jobs_wish *wish;
	bool unsent; /* only one that no agent can have seen will do */
	struct ulid found;
	bool any_open;
};

static bool
same_id(const ProtobufCBinaryData *field, const struct ulid *id)
{
	struct ulid have;

	(void)pb_id_get(field, &have);
	return ulid_eq(&have, id);
}

static bool
jobs_on_open(void *ctx, const struct Rec__Job *j)
{
	struct look *l = ctx;

	l->any_open = true;
	/* One the agent has taken runs as good as: another may wait. */
	if (j->state == REC__JOB_STATE__JOB_QUEUED && j->accepted_at_ms == 0 &&
	    (!l->unsent || j->sent_at_ms == 0) && j->kind == l->wish->kind &&
	    same_id(&j->group_id, &l->wish->group))
		(void)pb_id_get(&j->id, &l->found);
	return true;
}

/* A job that nothing is before counts as sent from the start: the courier
 * takes it at once, and saves a commit. */
static void
try_send(struct store_tx *tx, const struct Rec__Host *h,
    const struct jobs_wish *w, struct Rec__Job *j, struct ulid *by)
{
	if (!w->send_now)
		return;
	if (lease_take(tx, h, j, w->now_ms, by))
		j->sent_at_ms = w->now_ms;
	else
		j->blocked = pb_text(JOBS_BUSY);
	j->blocked_by = pb_id(by);
}

/* What a run is limited to, its own or the host's. */
struct caps {
	uint32_t up_kbps, down_kbps;
};

static struct caps
caps_wished(const struct Rec__Host *h, const struct jobs_wish *w)
{
	return (struct caps){
		w->up_given ? w->up_kbps : h->bandwidth_up_kbps,
		w->down_given ? w->down_kbps : h->bandwidth_down_kbps,
	};
}

static bool
has_other_limits(const struct Rec__Host *h, const struct jobs_wish *w,
    const struct Rec__Job *j)
{
	const struct caps c = caps_wished(h, w);

	if (j->caps_given)
		return c.up_kbps != j->bandwidth_up_kbps ||
		       c.down_kbps != j->bandwidth_down_kbps;
	return c.up_kbps != h->bandwidth_up_kbps ||
	       c.down_kbps != h->bandwidth_down_kbps;
}

static void
queue_job(struct store_tx *tx, const struct op *op, const struct Rec__Host *h,
    const struct jobs_wish *w, const struct Rec__SourceGroup *g)
{
	const struct caps c = caps_wished(h, w);
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid by;

	j.id = pb_id(&w->job);
	j.host_id = pb_id(&w->host);
	j.kind = w->kind;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.actor_kind = ulid_is_zero(&op->actor.user)
	                   ? REC__ACTOR_KIND__ACTOR_SYSTEM
	                   : REC__ACTOR_KIND__ACTOR_USER;
	j.actor_id = pb_id(&op->actor.user);
	j.created_at_ms = w->now_ms;
	j.expires_at_ms = w->lasts_ms > 0 ? w->now_ms + w->lasts_ms : 0;
	j.check_part = w->check_part;
	j.check_of = w->check_of;
	j.caps_given = w->up_given || w->down_given;
	if (j.caps_given) {
		j.bandwidth_up_kbps = c.up_kbps;
		j.bandwidth_down_kbps = c.down_kbps;
	}
	if (g != NULL) {
		j.group_id = pb_id(&w->group);
		j.group_name = g->name;
		j.includes = g->includes;
		j.n_includes = g->n_includes;
		j.excludes = g->excludes;
		j.n_excludes = g->n_excludes;
	}
	try_send(tx, h, w, &j, &by);
	job_store_put(tx, &j);
}

struct group_search {
	const struct jobs_wish *wish;
	struct Rec__SourceGroup *found;
	size_t matches;
	struct store_tx *tx;
};

static bool
jobs_on_group(void *ctx, const struct Rec__SourceGroup *g)
{
	struct group_search *s = ctx;
	struct ulid id;

	if (s->wish->group_name != NULL &&
	    strcmp(g->name, s->wish->group_name) != 0)
		return true;
	if (pb_id_get(&g->id, &id))
		s->found = plan_store_find(s->tx, &s->wish->host, &id);
	s->matches++;
	return true;
}

/* By id, by name, or the only one there is. */
static enum rc
find_group(struct store_tx *tx, struct jobs_wish *w,
    struct Rec__SourceGroup **out)
{
	struct group_search s = { .wish = w, .tx = tx };

	if (!ulid_is_zero(&w->group)) {
		*out = plan_store_get(tx, &w->host, &w->group);
		return store_rc(tx);
	}
	plan_store_of_host(tx, &w->host, jobs_on_group, &s);
	if (store_rc(tx) != RC_OK)
		return store_rc(tx);
	if (s.found == NULL)
		return store_fail(tx, RC_INVALID,
		    "the host has no source group of this name");
	if (s.matches > 1)
		return store_fail(tx, RC_INVALID,
		    "the host has several source groups: name one in args, or "
		    "use its own run address");
	(void)pb_id_get(&s.found->id, &w->group);
	*out = s.found;
	return RC_OK;
}

/* NULL: nothing can be started on it, and the transaction says why. */
static struct Rec__Host *
find_host(struct store_tx *tx, const struct jobs_wish *w)
{
	struct Rec__Host *h = host_store_get(tx, &w->host);

	if (h == NULL)
		return NULL;
	if (w->confirm != NULL && strcmp(w->confirm, h->name) != 0)
		store_fail_code(tx, RC_INVALID, "confirm_mismatch",
		    "type the host's name, %s, to confirm", h->name);
	else if (!w->online && w->kind == REC__JOB_KIND__KIND_INIT)
		store_fail(tx, RC_OFFLINE,
		    "host %s is offline: its repository cannot be tried now",
		    h->name);
	else if (h->repo_url[0] == '\0')
		store_fail(tx, RC_INVALID,
		    "host %s has no repository: edit its credentials first",
		    h->name);
	return store_rc(tx) == RC_OK ? h : NULL;
}

static void
audit_run(struct store_tx *tx, const struct op *op, const struct jobs_wish *w,
    const struct Rec__SourceGroup *g)
{
	char id[ULID_TEXT_CAP];
	struct json_doc doc;

	/* What people and scripts start; the controller's own says so itself. */
	if (ulid_is_zero(&op->actor.user))
		return;
	ulid_text(&w->job, id);
	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "job_id", id);
	json_put(&doc.j, "kind", job_kind_name(w->kind));
	if (g != NULL)
		json_put(&doc.j, "source_group", g->name);
	op_audit(tx, op, w->action != NULL ? w->action : "job.run_now", "host",
	    &w->host, "", json_doc_end(&doc));
	json_doc_fini(&doc);
}

enum rc
jobs_run_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)vault;
	return jobs_run(state, op, op->in);
}

enum rc
jobs_run(struct store_tx *state, const struct op *op, struct jobs_wish *w)
{
	struct look look = { .wish = w };
	struct Rec__SourceGroup *g = NULL;
	struct Rec__Host *h = find_host(state, w);
	const struct Rec__Job *j;

	if (h == NULL)
		return store_rc(state);
	if (w->kind == REC__JOB_KIND__KIND_BACKUP &&
	    find_group(state, w, &g) != RC_OK)
		return store_rc(state);
	if (jobs_upkeep_prepare(state, h, w) != RC_OK)
		return store_rc(state);
	job_store_open_of_host(state, &w->host, LOOK_BACK, jobs_on_open, &look);
	if (!ulid_is_zero(&look.found)) {
		w->job = look.found;
		w->old = true;
		j = job_store_get(state, &w->job);
		w->other_limits = j != NULL && has_other_limits(h, w, j);
		return store_rc(state);
	}
	ulid_new(&w->job);
	w->send_now = w->online && !look.any_open;
	queue_job(state, op, h, w, g);
	jobs_upkeep_note(state, h, w);
	if (w->kind == REC__JOB_KIND__KIND_INIT) {
		h->init_job = pb_id(&w->job);
		host_store_put(state, h);
	}
	audit_run(state, op, w, g);
	return store_rc(state);
}

enum rc
jobs_run_alone(struct store_tx *state, const struct op *op, struct jobs_wish *w)
{
	struct store_tx *tx;
	struct arena a;
	struct err e;
	enum rc rc;

	arena_init(&a, ALONE_ARENA);
	tx = store_begin_child(state, &a);
	(void)jobs_run(tx, op, w);
	rc = store_commit(tx, &e);
	arena_fini(&a);
	if (rc == RC_OK)
		return RC_OK;
	return e.code != NULL ? store_fail_code(state, rc, e.code, "%s", e.msg)
	                      : store_fail(state, rc, "%s", e.msg);
}

enum rc
jobs_auto_init(struct store_tx *tx, const struct op *op, struct Rec__Host *h,
    bool *made)
{
	struct jobs_wish *w;

	*made = false;
	if (h->repo_url[0] == '\0' || h->init_job.len > 0)
		return store_rc(tx);
	w = arena_alloc(store_arena(tx), sizeof(*w));
	if (w == NULL || !pb_id_get(&h->id, &w->host))
		return store_fail(tx, RC_CORRUPT, "the host has no id");
	w->kind = REC__JOB_KIND__KIND_INIT;
	w->now_ms = clock_now_ms();
	ulid_new(&w->job);
	queue_job(tx, op, h, w, NULL);
	h->init_job = pb_id(&w->job);
	*made = true;
	return store_rc(tx);
}

enum rc
jobs_probe(struct store_tx *tx, const struct op *op, struct Rec__Host *h,
    struct ulid *job)
{
	struct jobs_wish *w = arena_alloc(store_arena(tx), sizeof(*w));
	struct look look = { .wish = w, .unsent = true };

	if (w == NULL || !pb_id_get(&h->id, &w->host))
		return store_fail(tx, RC_CORRUPT, "the host has no id");
	w->kind = REC__JOB_KIND__KIND_INIT;
	w->now_ms = clock_now_ms();
	job_store_open_of_host(tx, &w->host, LOOK_BACK, jobs_on_open, &look);
	w->job = look.found;
	if (ulid_is_zero(&w->job)) {
		ulid_new(&w->job);
		queue_job(tx, op, h, w, NULL);
	}
	*job = w->job;
	h->init_job = pb_id(&w->job);
	return store_rc(tx);
}

/* --------------------------------------------------------------- answers */

enum rc
jobs_answer_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct jobs_answer *a = op->in;
	struct jobs_end end = { .state = REC__JOB_STATE__JOB_FAILED,
		.exit_code = -1,
		.finished_at_ms = a->now_ms,
		.now_ms = a->now_ms,
		.cause = "refused",
		.zone = a->zone };
	struct Rec__Job *j = job_store_find(state, &a->job);
	struct Rec__Host *h = host_store_get(state, &a->host);

	(void)vault;
	if (j == NULL || h == NULL || !same_id(&j->host_id, &a->host) ||
	    j->state != REC__JOB_STATE__JOB_QUEUED || j->accepted_at_ms != 0)
		return store_rc(state); /* said before, or not ours to say */
	if (a->accepted) {
		j->accepted_at_ms = a->now_ms;
		h->current_job = pb_id(&a->job);
	} else {
		end.error = arena_printf(&op->arena,
		    "the agent refused the job: %s", a->error);
		jobs_end(state, h, j, &end);
		j->log_closed = true;
	}
	job_store_put(state, j);
	host_store_put(state, h);
	return store_rc(state);
}

/* ---------------------------------------------------------------- cancel */

void
jobs_close(struct store_tx *tx, const struct jobs_closing *c)
{
	const struct jobs_end end = { .state = c->state,
		.exit_code = -1,
		.finished_at_ms = c->now_ms,
		.now_ms = c->now_ms,
		.error = c->error,
		.cause = c->cause,
		.zone = c->zone };
	struct Rec__Job *j = job_store_find(tx, &c->job);
	struct Rec__Host *h = host_store_find(tx, &c->host);

	if (j == NULL || h == NULL || j->state != REC__JOB_STATE__JOB_QUEUED ||
	    j->accepted_at_ms != 0)
		return;
	jobs_end(tx, h, j, &end);
	j->log_closed = true;
	job_store_put(tx, j);
	host_store_put(tx, h);
}

enum rc
jobs_close_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)vault;
	jobs_close(state, op->in);
	return store_rc(state);
}

static void
cancel_now(struct store_tx *tx, struct Rec__Job *j, const struct jobs_cancel *c)
{
	const struct jobs_end end = { .state = REC__JOB_STATE__JOB_CANCELLED,
		.exit_code = -1,
		.finished_at_ms = c->now_ms,
		.now_ms = c->now_ms,
		.error = "",
		.cause = "cancelled",
		.zone = c->zone };
	struct Rec__Host *h = host_store_get(tx, &c->host);

	if (h == NULL)
		return;
	jobs_end(tx, h, j, &end);
	j->log_closed = true;
	host_store_put(tx, h);
}

enum rc
jobs_cancel_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct jobs_cancel *c = op->in;
	struct Rec__Job *j = job_store_get(state, &c->job);
	bool again;

	(void)vault;
	if (j == NULL || !pb_id_get(&j->host_id, &c->host))
		return store_rc(state);
	again = j->cancel_requested;
	switch (rules_cancel(j, c->host_online)) {
	case RULES_CANCEL_OVER:
		return store_fail_code(state, RC_CONFLICT, "job_over",
		    "the job has ended already: %s", job_state_name(j->state));
	case RULES_CANCEL_OFFLINE:
		return store_fail(state, RC_OFFLINE,
		    "the host is offline: its job cannot be cancelled now");
	case RULES_CANCEL_NOW:
		cancel_now(state, j, c);
		break;
	case RULES_CANCEL_SEND:
		break;
	}
	if (again)
		return store_rc(state);
	j->cancel_requested = true;
	j->cancel_at_ms = c->now_ms;
	job_store_put(state, j);
	op_audit(state, op, "job.cancel", "job", &c->job, "", NULL);
	return store_rc(state);
}
