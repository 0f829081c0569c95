/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/job_view.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/ulid.h"
#include "lib/store/host_store.h"
#include "lib/store/job_query.h"
#include "lib/store/job_store.h"
#include "lib/store/message.h"
#include "lib/store/user_store.h"
#include "render/cause.h"
#include "render/value.h"
#include "render/view.h"

enum {
	KINDS = REC__JOB_KIND__KIND_UPDATE + 1
};

const char *
job_view_chip(size_t i)
{
	static const enum job_look looks[] = { JOB_LOOK_RUNNING,
		JOB_LOOK_QUEUED, JOB_LOOK_FAILED, JOB_LOOK_INCOMPLETE,
		JOB_LOOK_SUCCEEDED, JOB_LOOK_CANCELLED };

	return i < ARRAY_LEN(looks) ? job_look_name(looks[i]) : NULL;
}

void
job_view_filter(const struct view *v, struct job_filter *out)
{
	struct str state = view_param(v, "state"), kind = view_param(v, "kind");

	*out = (struct job_filter){ .q = str_trim(view_param(v, "q")) };
	out->q = view_cut(out->q, JOB_QUERY_TEXT_MAX);
	if (job_look_parse(state) != JOB_LOOK_NONE)
		out->state = state;
	if (job_kind_parse(kind) != REC__JOB_KIND__KIND_UNKNOWN)
		out->kind = kind;
}

const struct status_look *
job_view_look(const char *name)
{
	static const Rec__JobState states[] = { REC__JOB_STATE__JOB_QUEUED,
		REC__JOB_STATE__JOB_RUNNING, REC__JOB_STATE__JOB_SUCCEEDED,
		REC__JOB_STATE__JOB_FAILED, REC__JOB_STATE__JOB_CANCELLED };
	struct Rec__Job probe = REC__JOB__INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(states); i++) {
		probe.state = states[i];
		if (strcmp(status_job_look(&probe)->name, name) == 0)
			return status_job_look(&probe);
	}
	probe.state = REC__JOB_STATE__JOB_SUCCEEDED;
	probe.incomplete = true;
	return status_job_look(&probe);
}

const char *
job_view_actor(struct view *v, const struct Rec__Job *j)
{
	const struct Rec__User *u;
	struct ulid id;

	switch (j->actor_kind) {
	case REC__ACTOR_KIND__ACTOR_SCHEDULE:
		return "schedule";
	case REC__ACTOR_KIND__ACTOR_USER:
		if (!view_ulid(j->actor_id, &id))
			return "a user";
		u = user_store_find(v->state, &id);
		return u == NULL ? "a removed user" : u->name;
	default:
		return "restic-manager";
	}
}

const char *
job_view_took(struct view *v, const struct Rec__Job *j)
{
	int64_t end = j->finished_at_ms;

	if (j->started_at_ms == 0)
		return "";
	if (end == 0)
		end = v->req->now_ms;
	return text_duration(v->arena, end - j->started_at_ms);
}

/* Why it waits beside its turn, as the controller has noted. */
static const char *
blocked_words(const struct Rec__Job *j)
{
	static const struct {
		const char *code, *words;
	} rows[] = {
		{ "offline", "the host is offline" },
		{ "repository_busy", "other work has the repository" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(j->blocked, rows[i].code) == 0)
			return rows[i].words;
	return "";
}

/* "waits for prune of web-2"; it may have ended since that was noted. */
static const char *
busy_words(struct view *v, const struct Rec__Job *j)
{
	const struct Rec__Host *h = NULL;
	const struct Rec__Job *by = NULL;
	struct ulid id;

	if (view_ulid(j->blocked_by, &id))
		by = job_store_find(v->state, &id);
	if (by != NULL && !job_state_final(by->state) &&
	    view_ulid(by->host_id, &id))
		h = host_store_find(v->state, &id);
	return h == NULL ? blocked_words(j)
	                 : arena_printf(v->arena, "waits for %s of %s",
	                       job_kind_name(by->kind), h->name);
}

const char *
job_view_waiting(struct view *v, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	if (j->cancel_requested)
		return "being cancelled";
	if (h != NULL && !h->online)
		return status_asleep(h) ? "waits until the host wakes"
		                        : "the host is offline";
	if (h != NULL && h->current_job.len > 0 &&
	    !message_same_id(&h->current_job, &j->id))
		return "waits for the job that runs there";
	if (j->blocked[0] != '\0')
		return busy_words(v, j);
	return j->accepted_at_ms != 0 ? "starts" : "waits for its host";
}

static const char *
forgot_words(struct view *v, const struct Rec__Job *j)
{
	uint64_t kept = 0, removed = 0;
	size_t i;

	for (i = 0; i < j->n_forgot; i++) {
		kept += j->forgot[i]->kept;
		removed += j->forgot[i]->removed;
	}
	return arena_printf(v->arena, "%s removed, %s kept",
	    text_count(v->arena, removed), text_count(v->arena, kept));
}

const char *
job_view_check(struct view *v, const struct Rec__Job *j)
{
	const char *found = "No errors";

	if (j->check != NULL && j->check->errors_found)
		found = j->check->errors == 0
		            ? "Errors found"
		            : arena_printf(v->arena, "%s %s",
		                  text_count(v->arena, j->check->errors),
		                  j->check->errors == 1 ? "error" : "errors");
	if (j->check_part == 0)
		return arena_printf(v->arena, "%s, structure only", found);
	return arena_printf(v->arena, "%s, data part %u of %u", found,
	    (unsigned)j->check_part, (unsigned)j->check_of);
}

static const char *
outcome(struct view *v, const struct Rec__Job *j)
{
	if (j->state == REC__JOB_STATE__JOB_FAILED)
		return cause_words(j, v->arena);
	if (j->incomplete && j->unread_count > 0)
		return arena_printf(v->arena, "%s unread",
		    text_count(v->arena, j->unread_count));
	if (j->state == REC__JOB_STATE__JOB_SUCCEEDED && j->stats != NULL &&
	    j->kind == REC__JOB_KIND__KIND_BACKUP)
		return arena_printf(v->arena, "%s added",
		    text_bytes(v->arena, j->stats->data_added));
	if (j->state == REC__JOB_STATE__JOB_SUCCEEDED && j->n_forgot > 0)
		return forgot_words(v, j);
	if (j->state == REC__JOB_STATE__JOB_SUCCEEDED &&
	    j->kind == REC__JOB_KIND__KIND_CHECK)
		return job_view_check(v, j);
	return "";
}

void
job_view_put(struct view *v, struct value *map, const struct Rec__Job *j)
{
	int64_t since = j->started_at_ms;

	if (since == 0)
		since = j->created_at_ms;
	value_text(map, "job_id", view_id(v, j->id));
	value_text(map, "link",
	    arena_printf(v->arena, "/jobs/%s", view_id(v, j->id)));
	value_text(map, "kind", status_kind_words(j->kind));
	value_text(map, "group", j->group_name);
	status_put(map, "state", status_job_look(j));
	view_time(v, map, "started", since);
	value_bool(map, "asked", j->started_at_ms == 0);
	value_text(map, "took", job_view_took(v, j));
	value_text(map, "outcome", outcome(v, j));
	value_text(map, "by", job_view_actor(v, j));
}

void
job_view_kinds(struct value *root, struct str chosen)
{
	struct value *list = value_list(root, "kinds");
	struct value *item;
	unsigned k;

	for (k = REC__JOB_KIND__KIND_UNKNOWN; k < KINDS; k++) {
		const char *name = k == 0 ? "" : job_kind_name((Rec__JobKind)k);

		item = value_item(list);
		value_text(item, "value", name);
		value_text(item, "words",
		    k == 0 ? "Every kind" : status_kind_words((Rec__JobKind)k));
		value_bool(item, "chosen", str_eqz(chosen, name));
	}
}
