/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/job_view.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/ulid.h"
#include "lib/store/job_store.h"
#include "lib/store/user_store.h"
#include "render/cause.h"
#include "render/value.h"
#include "render/view.h"

enum {
	KINDS = REC__JOB_KIND__KIND_UPDATE + 1
};

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
