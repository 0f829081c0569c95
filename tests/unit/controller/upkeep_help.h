/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_CONTROLLER_UPKEEP_HELP_H
#define TESTS_UNIT_CONTROLLER_UPKEEP_HELP_H
/*
 * Hosts with repositories, their maintenance, and jobs that end, in a store
 * of the test's own.  Times are the test's.
 */
#include "tests/unit/store/store_fixture.h"

#include "controller/jobs.h"
#include "controller/jobs_end.h"
#include "controller/jobs_own.h"
#include "controller/op.h"
#include "controller/upkeep.h"
#include "lib/base/clock.h"
#include "lib/store/gone_store.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/table.h"
#include "lib/store/upkeep_store.h"

struct upkeep_host {
	struct ulid id;
	char name[32];
	const uint8_t *repo; /* NULL: not known */
	bool admin, keeps, online;
};

static inline void
upkeep_put_host(struct store_tx *tx, const struct upkeep_host *u)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct Rec__Retention keep = REC__RETENTION__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	struct ulid group = u->id;

	h.id = id_bytes(&u->id);
	h.name = text(u->name);
	h.repo_url = text("/srv/repo");
	h.has_admin = u->admin;
	h.online = u->online;
	h.config_version = 1;
	if (u->repo != NULL)
		repo_store_link(tx, &h, u->repo);
	host_store_put(tx, &h);
	group.b[15] = 0xee;
	g.id = id_bytes(&group);
	g.host_id = id_bytes(&u->id);
	g.name = text("default");
	keep.daily = u->keeps ? 7 : 0;
	g.retention = &keep;
	plan_store_put(tx, &g);
}

/* What the queue does: the op's failure undoes it. */
static inline enum rc
upkeep_run_op(struct store_tx *parent, op_fn *fn, void *in)
{
	struct op *op = op_new(fn, NULL, NULL);
	struct store_tx *tx = store_begin_child(parent, &op->arena);
	struct err e = { .rc = RC_OK };
	enum rc rc;

	op->in = in;
	rc = fn(tx, NULL, op);
	if (rc == RC_OK)
		rc = store_commit(tx, &e);
	else
		store_abort(tx);
	op_free(op);
	return rc;
}

static inline struct upkeep_round
upkeep_round_at(struct store_tx *parent, int64_t now_ms)
{
	struct upkeep_round r = { .zone = "UTC", .now_ms = now_ms };

	assert_rc(upkeep_run_op(parent, upkeep_round_op, &r), RC_OK);
	return r;
}

static inline bool
upkeep_on_any(void *ctx, const struct ulid *host, Rec__JobKind kind,
    int64_t due_ms)
{
	bool *any = ctx;

	(void)host;
	(void)kind;
	(void)due_ms;
	*any = true;
	return false;
}

/* As the ticker asks. */
static inline bool
upkeep_any_due(struct store_tx *tx, int64_t now_ms)
{
	bool any = false;

	upkeep_store_due(tx, now_ms, upkeep_on_any, &any);
	return any;
}

struct upkeep_ending {
	struct ulid job;
	Rec__JobState state;
	const char *cause;
	int64_t began_ms, now_ms;
};

static inline enum rc
upkeep_end_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	const struct upkeep_ending *en = op->in;
	struct Rec__Job *j = job_store_get(state, &en->job);
	struct Rec__Host *h;
	struct ulid host;
	const struct jobs_end end = { .state = en->state,
		.finished_at_ms = en->now_ms,
		.now_ms = en->now_ms,
		.error = "",
		.cause = en->cause,
		.zone = "UTC" };

	(void)vault;
	assert_non_null(j);
	assert_true(key_id_field(&j->host_id, &host));
	h = host_store_get(state, &host);
	assert_non_null(h);
	j->started_at_ms = en->began_ms;
	j->log_closed = true;
	jobs_end(state, h, j, &end);
	job_store_put(state, j);
	host_store_put(state, h);
	return store_rc(state);
}

static inline void
upkeep_end(struct store_tx *parent, const struct ulid *job, Rec__JobState state,
    int64_t now_ms)
{
	struct upkeep_ending en = { *job, state, "", now_ms - 1000, now_ms };

	assert_rc(upkeep_run_op(parent, upkeep_end_op, &en), RC_OK);
}

static inline int64_t
upkeep_at(const char *when)
{
	int64_t ms = 0;

	assert_true(clock_parse(str_of(when), &ms));
	return ms;
}
#endif
