/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/rules.h"

#include <string.h>

#include "lib/store/job_store.h"

enum {
	DAY_S = 86400,
	MS_PER_S = 1000
};

/* No job has more lines; numbers beyond it are nonsense. */
static const uint64_t lines_max = UINT64_C(1) << 48;

enum rc
rules_protocol(uint32_t version, struct err *e)
{
	if (version < RULES_PROTOCOL)
		return err_code(e, RC_VERSION, "protocol_too_old",
		    "this agent speaks version %u of the protocol, the "
		    "controller needs %d: update the agent",
		    (unsigned)version, (int)RULES_PROTOCOL);
	if (version > RULES_PROTOCOL)
		return err_code(e, RC_VERSION, "protocol_too_new",
		    "this agent speaks version %u of the protocol, the "
		    "controller only %d: update the controller",
		    (unsigned)version, (int)RULES_PROTOCOL);
	return RC_OK;
}

enum rules_seq
rules_seq(uint64_t have, uint64_t seq, uint64_t gap_from)
{
	if (seq <= have)
		return RULES_KNOWN;
	if (seq == have + 1)
		return RULES_NEXT;
	return gap_from > 0 && gap_from <= have + 1 ? RULES_NEXT : RULES_ASTRAY;
}

uint64_t
rules_resume(bool same_epoch, uint64_t have, uint64_t first_held)
{
	uint64_t resume = same_epoch ? have + 1 : 1;

	return resume < first_held ? first_held : resume;
}

bool
rules_lines(uint64_t have, uint64_t first, uint64_t count,
    struct rules_lines *out)
{
	if (first == 0 || first > lines_max || count > lines_max)
		return false;
	*out = (struct rules_lines){ 0 };
	if (first > have + 1)
		out->missing = first - have - 1;
	else if (first <= have)
		out->known = have - first + 1;
	if (out->known > count)
		out->known = count;
	return true;
}

bool
rules_is_duplicate(const struct rules_peer *p)
{
	return p->known && !p->same && p->silent_ms < RULES_ONLINE_MS;
}

enum rules_cancel
rules_cancel(const struct Rec__Job *j, bool online)
{
	if (job_state_final(j->state))
		return RULES_CANCEL_OVER;
	if (j->state == REC__JOB_STATE__JOB_QUEUED && j->sent_at_ms == 0)
		return RULES_CANCEL_NOW;
	return online ? RULES_CANCEL_SEND : RULES_CANCEL_OFFLINE;
}

bool
rules_with_agent(const struct Rec__Job *j)
{
	return j->state == REC__JOB_STATE__JOB_RUNNING ||
	       (j->state == REC__JOB_STATE__JOB_QUEUED &&
	           j->accepted_at_ms != 0);
}

bool
rules_never_ran(const struct Rec__Job *j)
{
	return j->state == REC__JOB_STATE__JOB_CANCELLED &&
	       j->started_at_ms == 0;
}

int64_t
rules_time(int64_t said_ms, int64_t earliest_ms, int64_t now_ms)
{
	if (said_ms > now_ms || said_ms <= 0 || earliest_ms > now_ms)
		return now_ms;
	return said_ms < earliest_ms ? earliest_ms : said_ms;
}

/* A job of the agent's own schedule may be told long after it ran. */
int64_t
rules_job_earliest(const struct Rec__Job *j)
{
	if (j->actor_kind == REC__ACTOR_KIND__ACTOR_SCHEDULE ||
	    j->created_at_ms < 1)
		return 1;
	return j->created_at_ms;
}

bool
rules_later(int64_t at_ms, int64_t stored_ms, int64_t now_ms)
{
	return at_ms > stored_ms || stored_ms > now_ms;
}

uint32_t
rules_day(int64_t ms, int32_t offset_s)
{
	int64_t s = ms / MS_PER_S + offset_s;

	return s < 0 ? 0 : (uint32_t)(s / DAY_S);
}

static bool
is_backup(const struct Rec__Job *j)
{
	return j->kind == REC__JOB_KIND__KIND_BACKUP && !rules_never_ran(j);
}

/* Reports may come out of order after an absence: times only grow, and the
 * state is that of the latest attempt. */
void
rules_host_backup(struct Rec__Host *h, const struct Rec__Job *j, int64_t now_ms)
{
	int64_t at = j->finished_at_ms;

	if (!is_backup(j))
		return;
	if (at == h->last_attempt_at_ms ||
	    rules_later(at, h->last_attempt_at_ms, now_ms)) {
		h->last_attempt_at_ms = j->finished_at_ms;
		h->last_backup_state = j->state;
		h->last_backup_incomplete = j->incomplete;
	}
	if (j->state == REC__JOB_STATE__JOB_SUCCEEDED &&
	    rules_later(at, h->last_backup_at_ms, now_ms))
		h->last_backup_at_ms = at;
}

/* Ids ascend with time: what is older than the init that tries changed
 * credentials may have run with the former ones. */
static bool
says_nothing_of_repo(const struct Rec__Host *h, const struct Rec__Job *j)
{
	return h->repo_status == REC__REPO_STATUS__REPO_UNKNOWN &&
	       h->init_job.len > 0 && h->init_job.len == j->id.len &&
	       memcmp(j->id.data, h->init_job.data, j->id.len) < 0;
}

void
rules_host_repo(struct Rec__Host *h, const struct Rec__Job *j)
{
	static char none[] = "";
	bool good = j->state == REC__JOB_STATE__JOB_SUCCEEDED;

	if (says_nothing_of_repo(h, j))
		return;
	if (good && (j->kind == REC__JOB_KIND__KIND_INIT ||
	                j->kind == REC__JOB_KIND__KIND_BACKUP)) {
		h->repo_status = REC__REPO_STATUS__REPO_READY;
		h->repo_status_error = none;
	} else if (j->kind == REC__JOB_KIND__KIND_INIT &&
	           j->state == REC__JOB_STATE__JOB_FAILED) {
		h->repo_status = REC__REPO_STATUS__REPO_INIT_FAILED;
		h->repo_status_error = j->error;
	}
}

void
rules_group_backup(struct Rec__SourceGroup *g, const struct Rec__Job *j,
    int64_t now_ms)
{
	if (!is_backup(j))
		return;
	g->last_job = j->id;
	g->last_state = j->state;
	g->last_incomplete = j->incomplete;
	if (j->state == REC__JOB_STATE__JOB_SUCCEEDED &&
	    rules_later(j->finished_at_ms, g->last_success_at_ms, now_ms))
		g->last_success_at_ms = j->finished_at_ms;
}

bool
rules_schedule_backup(struct Rec__Schedule *s, const struct Rec__Job *j,
    int64_t now_ms)
{
	int64_t at = j->finished_at_ms;

	if (!is_backup(j) || j->actor_kind != REC__ACTOR_KIND__ACTOR_SCHEDULE)
		return false;
	if (j->state == REC__JOB_STATE__JOB_SUCCEEDED &&
	    rules_later(at, s->last_success_at_ms, now_ms))
		s->last_success_at_ms = at;
	if (at == s->last_at_ms || rules_later(at, s->last_at_ms, now_ms)) {
		s->last_job = j->id;
		s->last_state = j->state;
		s->last_incomplete = j->incomplete;
		s->last_at_ms = at;
		s->last_due_ms = j->due_at_ms;
	}
	return true;
}
