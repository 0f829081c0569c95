/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/controller.h"
#include "controller/ingest_own.h"
#include "controller/jobs_end.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "controller/repo_state.h"
#include "controller/rules.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/message.h"
#include "lib/store/plan_store.h"
#include "lib/store/schedule_store.h"
#include "lib/store/snap_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

enum {
	WORD_MAX = 255,
	SENTENCE_MAX = 1024,
	FORGOT_MAX = 1000, /* source groups of one job */
	ALSO_MAX = 100     /* schedules of one host */
};

/* Records are read once, changed in memory and put at the end. */
struct apply {
	struct store_tx *tx;
	struct arena *arena;
	struct ingest_part *p;
	struct Rec__Host *host; /* NULL: log lines alone do not touch it */
	struct Rec__AgentCursor *cursor;
	struct map *jobs; /* id -> struct touched */
	struct list order;
	const Wire__Event *ev;
};

struct touched {
	struct list link;
	struct Rec__Job *job; /* NULL: of another host */
};

/* ---------------------------------------------------------------- jobs */

/* An id nobody dispatched: the agent's own schedule made it. */
static struct Rec__Job *
new_job(struct apply *ap, const struct ulid *id)
{
	struct Rec__Job *j = arena_alloc(ap->arena, sizeof(*j));

	if (j == NULL)
		return NULL;
	rec__job__init(j);
	j->id = pb_id_keep(ap->arena, id);
	j->host_id = pb_id_keep(ap->arena, &ap->p->host);
	j->actor_kind = REC__ACTOR_KIND__ACTOR_SCHEDULE;
	j->state = REC__JOB_STATE__JOB_QUEUED;
	j->created_at_ms = ap->p->batch->now_ms;
	j->sent_at_ms = j->accepted_at_ms = j->created_at_ms;
	return j;
}

static bool
is_ours(const struct apply *ap, const struct Rec__Job *j)
{
	static struct log_limit limit;
	char id[ULID_TEXT_CAP];
	struct ulid host;

	if (pb_id_get(&j->host_id, &host) && ulid_eq(&host, &ap->p->host))
		return true;
	if (!log_allow(&limit, 5, 60))
		return false;
	ulid_text(&ap->p->host, id);
	log_warn(LOG_AGENT, "event for a job of another host refused host=%s",
	    id);
	return false;
}

/* NULL: malformed, of another host, or the transaction failed. */
static struct Rec__Job *
job_for(struct apply *ap, const char *text)
{
	struct touched *t;
	struct ulid id;
	struct str key;

	if (!ulid_parse(str_of(text), &id))
		return NULL;
	key = str_from(id.b, sizeof(id.b));
	t = map_get(ap->jobs, key);
	if (t != NULL)
		return t->job;
	t = arena_alloc(ap->arena, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->job = job_store_find(ap->tx, &id);
	if (t->job == NULL && store_rc(ap->tx) == RC_OK)
		t->job = new_job(ap, &id);
	else if (t->job != NULL && !is_ours(ap, t->job))
		t->job = NULL;
	map_put(ap->jobs, key, t);
	list_append(&ap->order, &t->link);
	return t->job;
}

/* The event dies before the job is put. */
static void
keep_paths(struct apply *ap, char *const *from, size_t n, char ***to,
    size_t *out_n)
{
	char **v = arena_array(ap->arena, n + 1, sizeof(*v));
	size_t i;

	*out_n = 0;
	for (i = 0; v != NULL && i < n; i++)
		v[(*out_n)++] = arena_dup(ap->arena, from[i]);
	*to = v;
}

static void
keep_also(struct apply *ap, struct Rec__Job *j, const Wire__OwnRun *own)
{
	size_t i, n = own->n_also < ALSO_MAX ? own->n_also : ALSO_MAX;
	Rec__JobDue *rows = arena_array(ap->arena, n + 1, sizeof(*rows));
	struct ulid id;

	j->also = arena_array(ap->arena, n + 1, sizeof(*j->also));
	j->n_also = 0;
	for (i = 0; rows != NULL && j->also != NULL && i < n; i++) {
		if (!ulid_parse(str_of(own->also[i]->schedule_id), &id) ||
		    schedule_store_find(ap->tx, &ap->p->host, &id) == NULL)
			continue;
		rec__job_due__init(&rows[i]);
		rows[i].schedule_id = pb_id_keep(ap->arena, &id);
		rows[i].due_at_ms = rules_time(own->also[i]->due_at_ms, 1,
		    ap->p->batch->now_ms);
		j->also[j->n_also++] = &rows[i];
	}
}

/* What the agent's own plan made, said with ids that need not be those of
 * this host any more, or at all.  The name is that of its plan, which became
 * the tag; long lists of paths it leaves out: an event has 64 KiB. */
static void
take_own(struct apply *ap, struct Rec__Job *j, const Wire__OwnRun *own)
{
	struct ulid id;

	if (ulid_parse(str_of(own->schedule_id), &id) &&
	    schedule_store_find(ap->tx, &ap->p->host, &id) != NULL)
		j->schedule_id = pb_id_keep(ap->arena, &id);
	if (ulid_parse(str_of(own->group_id), &id) &&
	    plan_store_has(ap->tx, &ap->p->host, &id))
		j->group_id = pb_id_keep(ap->arena, &id);
	if (pb_word_ok(own->group_name, WORD_MAX))
		j->group_name = pb_keep(ap->arena, own->group_name, WORD_MAX);
	/* It was due before it began. */
	j->due_at_ms = own->due_at_ms > 0
	                   ? rules_time(own->due_at_ms, 1, j->started_at_ms)
	                   : 0;
	j->attempt = own->attempt;
	j->catch_up = own->catch_up;
	keep_also(ap, j, own);
	keep_paths(ap, own->includes, own->n_includes, &j->includes,
	    &j->n_includes);
	keep_paths(ap, own->excludes, own->n_excludes, &j->excludes,
	    &j->n_excludes);
}

static void
apply_started(struct apply *ap)
{
	const Wire__JobStarted *s = ap->ev->job_started;
	struct Rec__Job *j = job_for(ap, s->job_id);
	int64_t now = ap->p->batch->now_ms;

	if (j == NULL || j->state != REC__JOB_STATE__JOB_QUEUED)
		return;
	j->state = REC__JOB_STATE__JOB_RUNNING;
	if (j->kind == REC__JOB_KIND__KIND_UNKNOWN)
		j->kind = job_kind_parse(str_of(s->kind));
	if (j->accepted_at_ms == 0)
		j->accepted_at_ms = now;
	j->started_at_ms =
	    rules_time(s->started_at_ms, rules_job_earliest(j), now);
	if (s->own != NULL && j->actor_kind == REC__ACTOR_KIND__ACTOR_SCHEDULE)
		take_own(ap, j, s->own);
	j->restic_version = pb_keep(ap->arena, s->restic_version, WORD_MAX);
	if (j->restic_version[0] != '\0')
		ap->host->restic_version = j->restic_version;
	ap->host->current_job = j->id;
	ap->p->jobs_changed = true;
}

static Rec__JobState
state_of(const char *status)
{
	if (strcmp(status, "succeeded") == 0)
		return REC__JOB_STATE__JOB_SUCCEEDED;
	if (strcmp(status, "cancelled") == 0)
		return REC__JOB_STATE__JOB_CANCELLED;
	return REC__JOB_STATE__JOB_FAILED;
}

static void
take_stats(struct apply *ap, struct Rec__Job *j, const Wire__BackupSummary *w)
{
	struct Rec__JobStats *s = arena_alloc(ap->arena, sizeof(*s));

	if (s == NULL)
		return;
	rec__job_stats__init(s);
	s->files_new = w->files_new;
	s->files_changed = w->files_changed;
	s->files_unmodified = w->files_unmodified;
	s->dirs_new = w->dirs_new;
	s->dirs_changed = w->dirs_changed;
	s->dirs_unmodified = w->dirs_unmodified;
	s->data_added = w->data_added;
	s->data_added_packed = w->data_added_packed;
	s->total_files_processed = w->total_files_processed;
	s->total_bytes_processed = w->total_bytes_processed;
	s->total_duration_ms = w->total_duration_ms;
	s->snapshot_id = pb_keep(ap->arena, w->snapshot_id, WORD_MAX);
	j->stats = s;
}

/* What forget and check found. */
static void
take_results(struct apply *ap, struct Rec__Job *j, const Wire__JobFinished *f)
{
	struct Rec__Forgot *g;
	size_t i, n = f->n_forgot < FORGOT_MAX ? f->n_forgot : FORGOT_MAX;

	j->forgot = arena_array(ap->arena, n + 1, sizeof(*j->forgot));
	for (i = 0; j->forgot != NULL && i < n; i++) {
		if ((g = arena_alloc(ap->arena, sizeof(*g))) == NULL)
			return;
		rec__forgot__init(g);
		g->tag = pb_keep(ap->arena, f->forgot[i]->tag, WORD_MAX);
		g->kept = f->forgot[i]->kept;
		g->removed = f->forgot[i]->removed;
		j->forgot[j->n_forgot++] = g;
	}
	if (f->check == NULL ||
	    (j->check = arena_alloc(ap->arena, sizeof(*j->check))) == NULL)
		return;
	rec__check_result__init(j->check);
	j->check->errors_found = f->check->errors_found;
	j->check->errors = f->check->errors;
}

static void
apply_finished(struct apply *ap)
{
	const Wire__JobFinished *f = ap->ev->job_finished;
	struct Rec__Job *j = job_for(ap, f->job_id);
	int64_t now = ap->p->batch->now_ms;
	struct jobs_end end = { .zone = ap->p->batch->zone, .now_ms = now };
	int64_t earliest;

	if (j == NULL || job_state_final(j->state))
		return;
	earliest = rules_job_earliest(j);
	if (f->started_at_ms > 0)
		j->started_at_ms = rules_time(f->started_at_ms, earliest, now);
	if (j->started_at_ms > earliest)
		earliest = j->started_at_ms;
	j->incomplete = f->incomplete;
	j->unread_count = f->unread_count;
	j->finished_lines = f->log_lines;
	j->retry_at_ms = f->retry_at_ms > 0 ? f->retry_at_ms : 0;
	if (f->summary != NULL)
		take_stats(ap, j, f->summary);
	take_results(ap, j, f);
	end.state = state_of(f->status);
	end.exit_code = f->exit_code;
	end.finished_at_ms = rules_time(f->finished_at_ms, earliest, now);
	end.error = pb_keep(ap->arena, f->error, SENTENCE_MAX);
	end.cause = pb_keep(ap->arena, f->cause, WORD_MAX);
	/* Other jobs of this batch that the heat strip compares with must be
	 * where it looks for them. */
	jobs_end(ap->tx, ap->host, j, &end);
	job_store_put(ap->tx, j);
	ap->p->jobs_changed = ap->p->job_ended = true;
}

/* ------------------------------------------------------------- reports */

static void
stage_snapshot(struct apply *ap, const Wire__Snapshot *w)
{
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;

	if (w->id[0] == '\0' || strlen(w->id) > WORD_MAX)
		return;
	s.id = w->id;
	s.short_id = pb_keep(ap->arena, w->short_id, WORD_MAX);
	s.time_ms = w->time_ms;
	s.hostname = pb_keep(ap->arena, w->hostname, WORD_MAX);
	s.paths = w->paths;
	s.n_paths = w->n_paths;
	s.tags = w->tags;
	s.n_tags = w->n_tags;
	s.size_bytes = w->size_bytes;
	s.file_count = w->file_count;
	snap_store_stage(ap->tx, &ap->p->host, &s);
	ap->cursor->report_count++;
}

/* A part that does not fit behind the last one belongs to a report whose
 * beginning is lost: the list stays as it was. */
static bool
report_continues(struct apply *ap, const Wire__SnapshotsPart *part)
{
	struct Rec__AgentCursor *c = ap->cursor;

	if (part->n == 0) {
		snap_store_drop_stage(ap->tx, &ap->p->host);
		c->report_id = pb_keep(ap->arena, part->report_id, WORD_MAX);
		c->report_next = 0;
		c->report_count = 0;
	}
	return part->n == c->report_next &&
	       strcmp(part->report_id, c->report_id) == 0 &&
	       c->report_count + part->n_snapshots <= SNAP_STORE_MAX;
}

static void
apply_snapshots(struct apply *ap)
{
	const Wire__SnapshotsPart *part = ap->ev->snapshots;
	int64_t now = ap->p->batch->now_ms;
	size_t k;

	if (!report_continues(ap, part)) {
		log_warn(LOG_AGENT,
		    "part of a snapshot report dropped host=%s n=%u",
		    log_safe(str_of(ap->host->name)), (unsigned)part->n);
		ap->cursor->report_next = UINT32_MAX;
		return;
	}
	for (k = 0; k < part->n_snapshots; k++)
		stage_snapshot(ap, part->snapshots[k]);
	ap->cursor->report_next++;
	if (!part->last)
		return;
	ap->host->snapshot_count = snap_store_replace(ap->tx, &ap->p->host);
	ap->host->snapshots_at_ms = rules_time(ap->ev->at_ms, 1, now);
	ap->cursor->report_next = UINT32_MAX;
}

static void
apply_stats(struct apply *ap)
{
	int64_t now = ap->p->batch->now_ms;
	const struct repo_report report = { .host = ap->host,
		.stats = ap->ev->repo_stats,
		.at_ms = rules_time(ap->ev->at_ms, 1, now),
		.now_ms = now,
		.zone = ap->p->batch->zone };

	repo_state_report(ap->tx, &report);
}

static void
apply_ack(struct apply *ap)
{
	const Wire__ConfigAck *ack = ap->ev->config_ack;

	ap->host->applied_config_version = ack->version;
	ap->host->plan_refused = pb_keep(ap->arena, ack->refused, SENTENCE_MAX);
}

static void
apply_event(struct apply *ap)
{
	ap->p->host_changed = true;
	switch (ap->ev->body_case) {
	case WIRE__EVENT__BODY_JOB_STARTED:
		apply_started(ap);
		return;
	case WIRE__EVENT__BODY_JOB_FINISHED:
		apply_finished(ap);
		return;
	case WIRE__EVENT__BODY_SNAPSHOTS:
		apply_snapshots(ap);
		return;
	case WIRE__EVENT__BODY_REPO_STATS:
		apply_stats(ap);
		return;
	case WIRE__EVENT__BODY_CONFIG_ACK:
		apply_ack(ap);
		return;
	case WIRE__EVENT__BODY_LOG: /* log_only() */
	case WIRE__EVENT__BODY_GAP:
	case WIRE__EVENT__BODY__NOT_SET:
	case _WIRE__EVENT__BODY__CASE_IS_INT_SIZE:
		return;
	}
}

/* Lines and gaps stand in the log, which the pool has written. */
static bool
log_only(const struct ingest_item *it)
{
	return it->body == WIRE__EVENT__BODY_LOG ||
	       it->body == WIRE__EVENT__BODY_GAP;
}

static void
apply_items(struct apply *ap)
{
	struct ingest_batch *b = ap->p->batch;
	const struct ingest_item *it;
	struct list *el, *tmp;
	size_t k = 0;

	LIST_FOREACH(el, tmp, &ap->p->items)
	{
		if (k++ == ap->p->used || store_rc(ap->tx) != RC_OK)
			return;
		it = LIST_ENTRY(el, struct ingest_item, link);
		if (log_only(it))
			continue;
		arena_reset(&b->scratch);
		ap->ev = message_unpack(&b->scratch, str_from(it->bytes, it->n),
		    &wire__event__descriptor);
		if (ap->ev != NULL)
			apply_event(ap);
	}
}

/* --------------------------------------------------------------- logs */

/* Where to look first in a long log, without reading it again. */
static void
count_lines(struct Rec__Job *j, const struct ingest_log *l)
{
	const uint64_t before = j->log_file_lines;

	if (l->bytes == 0 || (before == 0 && j->log_bytes > 0))
		return;
	if (j->first_error_line == 0 && l->error_line > 0)
		j->first_error_line = before + l->error_line;
	if (j->first_fatal_line == 0 && l->fatal_line > 0)
		j->first_fatal_line = before + l->fatal_line;
	j->log_file_lines = before + l->text_lines;
}

/* What was foreign when the logs were written and is not any more (the host
 * that came first was refused) is staged anew, as what has moved on is. */
static void
apply_log(struct apply *ap, const struct ingest_log *l)
{
	char id[ULID_TEXT_CAP];
	struct Rec__Job *j;

	ulid_text(&l->job, id);
	if ((j = job_for(ap, id)) == NULL)
		return;
	if (l->foreign || j->log_bytes != l->at) {
		store_fail(ap->tx, RC_BUSY,
		    "the log of job %s has moved on meanwhile", id);
		return;
	}
	count_lines(j, l);
	j->log_bytes = l->at + l->bytes;
	j->log_lines = l->lines;
	j->log_truncated = l->truncated;
	j->log_damaged = l->damaged;
	j->log_closed |= l->ended;
}

static void
put_all(struct apply *ap)
{
	struct Rec__AgentCursor *c = ap->cursor;
	const struct ingest_part *p = ap->p;
	struct list *el, *tmp;
	struct touched *t;

	LIST_FOREACH(el, tmp, &p->logs)
	apply_log(ap, LIST_ENTRY(el, struct ingest_log, link));
	LIST_FOREACH(el, tmp, &ap->order)
	{
		t = LIST_ENTRY(el, struct touched, link);
		if (t->job != NULL)
			job_store_put(ap->tx, t->job);
	}
	if (ap->host != NULL)
		host_store_put(ap->tx, ap->host);
	c->instance_id = pb_bytes(p->instance, sizeof(p->instance));
	c->epoch = pb_bytes(p->epoch, sizeof(p->epoch));
	if (p->last_seq > 0)
		c->last_seq = p->last_seq;
	host_store_put_cursor(ap->tx, &p->host, c);
}

/* The number of another epoch is not comparable. */
static void
check_epoch(struct apply *ap)
{
	struct Rec__AgentCursor *c = ap->cursor;
	const struct ingest_part *p = ap->p;

	if (c->epoch.len == sizeof(p->epoch) &&
	    memcmp(c->epoch.data, p->epoch, sizeof(p->epoch)) == 0)
		return;
	c->last_seq = 0;
	c->report_next = UINT32_MAX;
}

static bool
touches_host(const struct ingest_part *p)
{
	struct list *el, *tmp;
	size_t k = 0;

	LIST_FOREACH(el, tmp, &p->items)
	{
		if (k++ == p->used)
			return false;
		if (!log_only(LIST_ENTRY(el, struct ingest_item, link)))
			return true;
	}
	return false;
}

static bool
begin_part(struct apply *ap)
{
	const struct ulid *host = &ap->p->host;

	if (touches_host(ap->p))
		ap->host = host_store_get(ap->tx, host);
	else
		host_store_need(ap->tx, host);
	ap->cursor = host_store_cursor(ap->tx, host);
	return store_rc(ap->tx) == RC_OK && ap->cursor != NULL;
}

static enum rc
apply_part(struct store_tx *state, struct arena *arena, struct ingest_part *p)
{
	struct apply ap = { .tx = state, .arena = arena, .p = p };

	p->host_changed = p->jobs_changed = p->job_ended = false;
	if (!begin_part(&ap))
		return store_rc(state);
	check_epoch(&ap);
	ap.jobs = map_new();
	list_init(&ap.order);
	apply_items(&ap);
	if (store_rc(state) == RC_OK)
		put_all(&ap);
	map_free(ap.jobs);
	return store_rc(state);
}

enum rc
ingest_part_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)vault;
	return apply_part(state, &op->arena, op->in);
}

enum rc
ingest_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct ingest_batch *b = op->in;
	struct ingest_part *p;
	struct list *el, *tmp;
	enum rc rc = RC_OK;

	(void)vault;
	LIST_FOREACH(el, tmp, &b->parts)
	{
		p = LIST_ENTRY(el, struct ingest_part, link);
		if (rc == RC_OK && p->submitted)
			rc = apply_part(state, &op->arena, p);
	}
	return rc;
}
