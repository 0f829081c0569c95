/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/courier_run.h"

#include "controller/creds.h"
#include "controller/hooks.h"
#include "controller/jobs_own.h"
#include "controller/pb.h"
#include "lib/base/arena.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/store.h"

enum {
	GROUPS_MAX = 1000 /* of a host, in one command */
};

/* ------------------------------------------------------------------- forget */

struct gather {
	struct arena *arena;
	Wire__CommandRun *run;
};

static Wire__Retention *
keep_of(struct arena *a, const struct Rec__Retention *r)
{
	Wire__Retention *k = arena_alloc(a, sizeof(*k));

	if (k == NULL)
		return NULL;
	wire__retention__init(k);
	k->last = r->last;
	k->hourly = r->hourly;
	k->daily = r->daily;
	k->weekly = r->weekly;
	k->monthly = r->monthly;
	k->yearly = r->yearly;
	return k;
}

/* A group that keeps nothing is left alone, and never sent. */
static bool
courier_on_group(void *ctx, const struct Rec__SourceGroup *g)
{
	struct gather *all = ctx;
	Wire__ForgetGroup *f;

	if (!jobs_keeps(g->retention))
		return true;
	f = arena_alloc(all->arena, sizeof(*f));
	if (f == NULL || all->run->n_forget_groups == GROUPS_MAX)
		return false;
	wire__forget_group__init(f);
	f->tag = g->name;
	f->keep = keep_of(all->arena, g->retention);
	all->run->forget_groups[all->run->n_forget_groups++] = f;
	return f->keep != NULL;
}

static enum rc
add_groups(const struct courier_run *from, Wire__CommandRun *out, struct err *e)
{
	struct gather all = { store_arena(from->state), out };
	struct jobs_twin twin;
	struct ulid host;

	out->forget_groups =
	    arena_array(all.arena, GROUPS_MAX, sizeof(Wire__ForgetGroup *));
	if (out->forget_groups == NULL || !pb_id_get(&from->host->id, &host))
		return err_set(e, RC_LIMIT, "no room for the source groups");
	plan_store_of_host(from->state, &host, courier_on_group, &all);
	/* It may have waited a day for its host. */
	if (jobs_find_twin(from->state, from->host, &twin))
		return jobs_twin_err(from->host, &twin, e);
	if (out->n_forget_groups > 0)
		return RC_OK;
	return err_code(e, RC_CONFLICT, "no_retention",
	    "no source group of the host says what to keep any more: nothing "
	    "was forgotten");
}

/* -------------------------------------------------------------------- admin */

/* What deletes uses the slot that may, if there is one; prune has to. */
static enum rc
add_admin(const struct courier_run *from, Wire__CommandRun *out, struct err *e)
{
	bool needed = from->job->kind == REC__JOB_KIND__KIND_PRUNE;
	struct ulid host;
	enum rc rc;

	if (!pb_id_get(&from->host->id, &host))
		return err_set(e, RC_CORRUPT, "the host has no id");
	rc = creds_for_agent(from->vault, from->key, &host, CREDS_ADMIN,
	    &out->admin);
	if (rc == RC_OK || (rc == RC_NOTFOUND && !needed))
		return RC_OK;
	if (rc == RC_NOTFOUND)
		return err_code(e, RC_CONFLICT, "no_admin",
		    "the host has no admin credentials any more, and prune "
		    "needs some that may delete");
	if (rc == RC_CORRUPT)
		return err_code(e, RC_CONFLICT, "no_admin",
		    "the stored admin credentials do not open with this "
		    "secret key: give them anew");
	return err_set(e, rc, "the admin credentials cannot be read");
}

/* --------------------------------------------------------------------- all */

static enum rc
add_bounds(const struct courier_run *from, Wire__CommandRun *out, struct err *e)
{
	struct arena *a = store_arena(from->state);
	const struct Rec__Job *j = from->job;

	if (j->caps_given) {
		out->caps = arena_alloc(a, sizeof(*out->caps));
		if (out->caps == NULL)
			return err_set(e, RC_LIMIT, "no room for the command");
		wire__caps__init(out->caps);
		out->caps->bandwidth_up_kbps = j->bandwidth_up_kbps;
		out->caps->bandwidth_down_kbps = j->bandwidth_down_kbps;
	}
	if (j->check_of > 0) {
		out->check_part = arena_alloc(a, sizeof(*out->check_part));
		if (out->check_part == NULL)
			return err_set(e, RC_LIMIT, "no room for the command");
		wire__check_part__init(out->check_part);
		out->check_part->n = j->check_part;
		out->check_part->of = j->check_of;
	}
	return RC_OK;
}

static enum rc
add_ids(const struct courier_run *from, Wire__CommandRun *out, struct err *e)
{
	struct arena *a = store_arena(from->state);
	struct ulid id;

	out->job_id = arena_alloc(a, ULID_TEXT_CAP);
	out->group_id = arena_alloc(a, ULID_TEXT_CAP);
	if (out->job_id == NULL || out->group_id == NULL)
		return err_set(e, RC_LIMIT, "no room for the command");
	if (!pb_id_get(&from->job->id, &id))
		return err_set(e, RC_CORRUPT, "the job has no id");
	ulid_text(&id, out->job_id);
	out->group_id[0] = '\0';
	if (pb_id_get(&from->job->group_id, &id))
		ulid_text(&id, out->group_id);
	return RC_OK;
}

/* A group that was deleted since has none. */
static enum rc
add_hooks(const struct courier_run *from, Wire__CommandRun *out, struct err *e)
{
	const struct hooks_from h = { from->vault, from->key,
		store_arena(from->state) };
	const struct Rec__SourceGroup *g = NULL;
	struct ulid host, group;

	if (pb_id_get(&from->host->id, &host) &&
	    pb_id_get(&from->job->group_id, &group))
		g = plan_store_find(from->state, &host, &group);
	if (g != NULL)
		out->hooks = hooks_resolve(&h, from->host, g);
	if (store_rc(from->state) == RC_OK && store_rc(from->vault) == RC_OK)
		return RC_OK;
	return err_set(e, RC_IO, "the hooks cannot be read");
}

enum rc
courier_run_make(const struct courier_run *from, Wire__CommandRun *out,
    struct err *e)
{
	const struct Rec__Job *j = from->job;
	enum rc rc;

	wire__command_run__init(out);
	out->kind = pb_text(job_kind_name(j->kind));
	out->includes = j->includes;
	out->n_includes = j->n_includes;
	out->excludes = j->excludes;
	out->n_excludes = j->n_excludes;
	out->tag = j->group_name;
	out->bandwidth_up_kbps = j->bandwidth_up_kbps;
	out->bandwidth_down_kbps = j->bandwidth_down_kbps;
	out->waited_ms = from->now_ms - j->created_at_ms;
	if ((rc = add_ids(from, out, e)) != RC_OK ||
	    (rc = add_bounds(from, out, e)) != RC_OK)
		return rc;
	if (j->kind == REC__JOB_KIND__KIND_BACKUP)
		rc = add_hooks(from, out, e);
	if (j->kind == REC__JOB_KIND__KIND_FORGET)
		rc = add_groups(from, out, e);
	if (rc == RC_OK && (j->kind == REC__JOB_KIND__KIND_FORGET ||
	                       j->kind == REC__JOB_KIND__KIND_PRUNE ||
	                       j->kind == REC__JOB_KIND__KIND_UNLOCK))
		rc = add_admin(from, out, e);
	return rc;
}

void
courier_run_wipe(Wire__CommandRun *c)
{
	hooks_wipe(c->hooks);
	c->hooks = NULL;
	creds_wipe_slot(c->admin);
	c->admin = NULL;
}
