/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A host's maintenance record: how it comes into being and what moves it. */
#include <string.h>

#include "controller/check_turns.h"
#include "controller/jobs_end.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "controller/upkeep.h"
#include "controller/upkeep_rules.h"
#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/cron.h"
#include "lib/store/job_store.h"
#include "lib/store/message.h"
#include "lib/store/repo_store.h"
#include "lib/store/store.h"
#include "lib/store/upkeep_store.h"

static const struct {
	Rec__JobKind kind;
	const char *cron;
} defaults[] = {
	{ REC__JOB_KIND__KIND_FORGET, UPKEEP_FORGET_CRON },
	{ REC__JOB_KIND__KIND_PRUNE, UPKEEP_PRUNE_CRON },
	{ REC__JOB_KIND__KIND_CHECK, UPKEEP_CHECK_CRON },
};

static void
set_upkeep(struct Rec__Maintenance *m, Rec__JobKind kind, struct Rec__Upkeep *u)
{
	if (kind == REC__JOB_KIND__KIND_FORGET)
		m->forget = u;
	else if (kind == REC__JOB_KIND__KIND_PRUNE)
		m->prune = u;
	else
		m->check = u;
}

/* What an older version has not written is there afterwards. */
static bool
complete(struct arena *a, struct Rec__Maintenance *m)
{
	struct Rec__Upkeep *u;
	size_t i;

	for (i = 0; i < ARRAY_LEN(defaults); i++) {
		if (upkeep_of(m, defaults[i].kind) != NULL)
			continue;
		if ((u = arena_alloc(a, sizeof(*u))) == NULL)
			return false;
		rec__upkeep__init(u);
		u->cron = pb_text(defaults[i].cron);
		u->enabled = true;
		set_upkeep(m, defaults[i].kind, u);
	}
	return true;
}

struct Rec__Maintenance *
upkeep_record(struct store_tx *tx, const struct ulid *host)
{
	struct Rec__Maintenance *m = upkeep_store_find(tx, host);
	struct arena *a = store_arena(tx);

	if (m == NULL && store_rc(tx) == RC_OK &&
	    (m = arena_alloc(a, sizeof(*m))) != NULL) {
		rec__maintenance__init(m);
		m->host_id = pb_id_keep(a, host);
		m->check_subset_pct = UPKEEP_SUBSET_PCT;
	}
	if (m == NULL || !complete(a, m)) {
		(void)store_fail(tx, RC_LIMIT, "no room for maintenance");
		return NULL;
	}
	return m;
}

void
upkeep_make(struct store_tx *tx, const struct ulid *host)
{
	const struct Rec__Maintenance *m = upkeep_record(tx, host);

	if (m != NULL)
		upkeep_store_put(tx, m);
}

int64_t
upkeep_due(const struct ulid *host, Rec__JobKind kind,
    const struct Rec__Upkeep *u, const char *zone, int64_t now_ms)
{
	struct cron c;

	if (cron_parse(str_of(u->cron), zone, &c, NULL) != RC_OK)
		return 0;
	return upkeep_next(&c, upkeep_spread(host, kind), now_ms);
}

/* Whether that changes when it is due. */
static bool
wake(struct Rec__Upkeep *u, int64_t now_ms)
{
	if (u->waiting[0] == '\0' || u->due_ms <= now_ms + UPKEEP_SETTLE_MS)
		return false;
	u->due_ms = now_ms + UPKEEP_SETTLE_MS;
	return true;
}

void
upkeep_wake(struct store_tx *tx, const struct ulid *host, int64_t now_ms)
{
	struct Rec__Maintenance *m = upkeep_store_find(tx, host);
	struct Rec__Upkeep *u;
	bool any = false;
	size_t i;

	for (i = 0; m != NULL && i < ARRAY_LEN(defaults); i++) {
		u = upkeep_of(m, defaults[i].kind);
		any |= u != NULL && wake(u, now_ms);
	}
	if (any)
		upkeep_store_put(tx, m);
}

/* Whole fleets say hello after a restart: one that changes nothing writes
 * nothing. */
void
upkeep_hello(struct store_tx *tx, const struct ulid *host, const char *zone,
    int64_t now_ms)
{
	struct Rec__Maintenance *m = upkeep_store_find(tx, host);
	bool changed = m == NULL;
	struct Rec__Upkeep *u;
	size_t i;

	if (m == NULL)
		m = upkeep_record(tx, host);
	for (i = 0; m != NULL && i < ARRAY_LEN(defaults); i++) {
		u = upkeep_of(m, defaults[i].kind);
		if (u == NULL)
			continue;
		changed |= wake(u, now_ms);
		if (u->due_ms != 0 || !u->enabled)
			continue;
		u->due_ms = upkeep_due(host, defaults[i].kind, u, zone, now_ms);
		changed |= u->due_ms != 0;
	}
	if (m != NULL && changed)
		upkeep_store_put(tx, m);
}

/* ---------------------------------------------------------------- the end */

/* What may have passed in an hour. */
static bool
passes(const char *cause)
{
	static const char *const causes[] = { "locked", "unreachable", "lost",
		"agent_restarted" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(causes); i++)
		if (strcmp(cause, causes[i]) == 0)
			return true;
	return false;
}

/* A month is long to wait for the next check because a lock stood there. */
static void
retry(struct Rec__Upkeep *u, const struct Rec__Job *j, int64_t now_ms)
{
	if (j->state != REC__JOB_STATE__JOB_FAILED ||
	    j->actor_kind != REC__ACTOR_KIND__ACTOR_SYSTEM ||
	    !passes(j->cause) || u->retries >= UPKEEP_RETRIES) {
		u->retries = 0;
		return;
	}
	if (u->due_ms == 0 || u->due_ms <= now_ms + UPKEEP_RETRY_MS)
		return;
	u->retries++;
	u->due_ms = now_ms + UPKEEP_RETRY_MS;
}

static void
move_upkeep(struct Rec__Upkeep *u, const struct Rec__Job *j, int64_t now_ms)
{
	if (!rules_later(j->finished_at_ms, u->last_at_ms, now_ms))
		return;
	u->last_job = j->id;
	u->last_state = j->state;
	u->last_at_ms = j->finished_at_ms;
	u->last_error = j->error;
	if (j->state == REC__JOB_STATE__JOB_SUCCEEDED)
		u->last_success_at_ms = j->finished_at_ms;
	retry(u, j, now_ms);
}

/* Nobody took it before its time was over: it is still owed. */
static void
owe_again(struct Rec__Upkeep *u, const struct Rec__Job *j, int64_t now_ms)
{
	if (j->actor_kind != REC__ACTOR_KIND__ACTOR_SYSTEM ||
	    strcmp(j->cause, "expired") != 0 || !u->enabled)
		return;
	u->waiting = pb_text("offline");
	u->waiting_since_ms = j->created_at_ms;
	u->due_ms = now_ms + upkeep_look_ms("offline");
}

static void
note_turn(struct store_tx *tx, struct check_turns *t, const struct Rec__Job *j)
{
	if (!check_turns_note(t, store_arena(tx), j))
		(void)store_fail(tx, RC_LIMIT, "no room for the turns");
}

static void
move_repo(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms)
{
	struct Rec__Repo *r = repo_store_of_host(tx, h);
	int64_t at = j->finished_at_ms;
	struct check_turns t;

	if (r == NULL)
		return;
	t = (struct check_turns){ r->check_turns, r->n_check_turns,
		r->check_position };
	note_turn(tx, &t, j);
	r->check_turns = t.v;
	r->n_check_turns = t.n;
	r->check_position = t.before;
	if (j->state == REC__JOB_STATE__JOB_SUCCEEDED) {
		if (j->kind == REC__JOB_KIND__KIND_PRUNE &&
		    rules_later(at, r->last_prune_at_ms, now_ms))
			r->last_prune_at_ms = at;
		if (j->kind == REC__JOB_KIND__KIND_CHECK &&
		    rules_later(at, r->last_check_at_ms, now_ms))
			r->last_check_at_ms = at;
	}
	repo_store_put(tx, r);
}

void
upkeep_ended(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, const struct jobs_end *end)
{
	const ProtobufCBinaryData none = { 0, NULL };
	struct Rec__Maintenance *m;
	struct check_turns t;
	struct Rec__Upkeep *u;
	struct ulid host;

	if (!pb_id_get(&h->id, &host))
		return;
	if (j->kind == REC__JOB_KIND__KIND_INIT &&
	    j->state == REC__JOB_STATE__JOB_SUCCEEDED)
		upkeep_wake(tx, &host, end->now_ms);
	if ((j->kind != REC__JOB_KIND__KIND_FORGET &&
	        j->kind != REC__JOB_KIND__KIND_PRUNE &&
	        j->kind != REC__JOB_KIND__KIND_CHECK))
		return;
	m = upkeep_record(tx, &host);
	if (m == NULL)
		return;
	u = upkeep_of(m, j->kind);
	if (message_same_id(&u->open_job, &j->id))
		u->open_job = none;
	if (rules_never_ran(j))
		owe_again(u, j, end->now_ms);
	else
		move_upkeep(u, j, end->now_ms);
	t = (struct check_turns){ m->check_turns, m->n_check_turns,
		m->check_position };
	note_turn(tx, &t, j);
	m->check_turns = t.v;
	m->n_check_turns = t.n;
	m->check_position = t.before;
	upkeep_store_put(tx, m);
	move_repo(tx, h, j, end->now_ms);
}
