/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/jobs_end.h"

#include "controller/lease.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "controller/upkeep.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/job_store.h"
#include "lib/store/message.h"
#include "lib/store/plan_store.h"
#include "lib/store/schedule_store.h"

static void
move_group(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group, const struct Rec__Job *j, int64_t now_ms)
{
	struct Rec__SourceGroup *g = plan_store_find(tx, host, group);
	const struct Rec__Job *last;
	struct ulid last_id;

	if (g == NULL)
		return;
	/* An older run that is told late does not replace a newer one. */
	last = pb_id_get(&g->last_job, &last_id) ? job_store_find(tx, &last_id)
	                                         : NULL;
	if (last != NULL && last->finished_at_ms != j->finished_at_ms &&
	    !rules_later(j->finished_at_ms, last->finished_at_ms, now_ms))
		return;
	rules_group_backup(g, j, now_ms);
	plan_store_put(tx, g);
}

static void
move_schedule(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Job *j, int64_t now_ms)
{
	struct Rec__Schedule *s = NULL;
	struct ulid id;

	if (pb_id_get(&j->schedule_id, &id))
		s = schedule_store_find(tx, host, &id);
	if (s != NULL && rules_schedule_backup(s, j, now_ms))
		schedule_store_put(tx, s);
}

/* Its own, and those whose due times it stood for as well. */
static void
move_schedules(struct store_tx *tx, const struct ulid *host,
    const struct Rec__Job *j, int64_t now_ms)
{
	struct Rec__Job other = *j;
	size_t i;

	move_schedule(tx, host, j, now_ms);
	for (i = 0; i < j->n_also; i++) {
		other.schedule_id = j->also[i]->schedule_id;
		other.due_at_ms = j->also[i]->due_at_ms;
		move_schedule(tx, host, &other, now_ms);
	}
}

struct day_search {
	struct ulid group;
	struct ulid job;
};

static bool
jobs_on_day(void *ctx, uint32_t day, const struct ulid *group,
    const struct Rec__DayOutcome *o)
{
	struct day_search *s = ctx;

	(void)day;
	if (ulid_eq(group, &s->group))
		(void)pb_id_get(&o->job_id, &s->job);
	return true;
}

/* The outcome of the last run that day. */
static void
move_day(struct store_tx *tx, const struct ulid *host, const struct ulid *group,
    const struct Rec__Job *j, const struct jobs_end *end)
{
	struct Rec__DayOutcome o = REC__DAY_OUTCOME__INIT;
	struct day_search s = { .group = *group };
	const struct Rec__Job *other = NULL;
	int32_t offset = 0;
	uint32_t day;

	if (!clock_zone_offset(end->zone, j->finished_at_ms, &offset))
		offset = 0;
	day = rules_day(j->finished_at_ms, offset);
	plan_store_days(tx, host, day, day, jobs_on_day, &s);
	if (!ulid_is_zero(&s.job))
		other = job_store_find(tx, &s.job);
	if (other != NULL && other->finished_at_ms != j->finished_at_ms &&
	    !rules_later(j->finished_at_ms, other->finished_at_ms, end->now_ms))
		return;
	o.state = j->state;
	o.incomplete = j->incomplete;
	o.job_id = j->id;
	plan_store_put_day(tx, host, day, group, &o);
}

void
jobs_end(struct store_tx *tx, struct Rec__Host *h, struct Rec__Job *j,
    const struct jobs_end *end)
{
	struct ulid host, group;

	ASSERT(!job_state_final(j->state));
	j->state = end->state;
	j->exit_code = end->exit_code;
	j->finished_at_ms = end->finished_at_ms;
	j->error = pb_text(end->error);
	j->cause = pb_text(end->cause);
	if (message_same_id(&h->current_job, &j->id))
		h->current_job = (ProtobufCBinaryData){ 0, NULL };
	rules_host_backup(h, j, end->now_ms);
	rules_host_repo(h, j);
	j->blocked = pb_text("");
	j->blocked_by = (ProtobufCBinaryData){ 0, NULL };
	lease_end(tx, h, j);
	lease_on_backup(tx, h, j);
	upkeep_ended(tx, h, j, end);
	if (j->kind != REC__JOB_KIND__KIND_BACKUP || rules_never_ran(j))
		return;
	if (!pb_id_get(&h->id, &host))
		return;
	move_schedules(tx, &host, j, end->now_ms);
	if (!pb_id_get(&j->group_id, &group))
		return;
	move_group(tx, &host, &group, j, end->now_ms);
	move_day(tx, &host, &group, j, end);
}
