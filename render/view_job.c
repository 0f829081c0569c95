/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One job: what it is, how far, how it ended, and its log. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/store/host_store.h"
#include "lib/store/job_retry.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/message.h"
#include "lib/store/snap_store.h"
#include "render/by_hand.h"
#include "render/cause.h"
#include "render/host_view.h"
#include "render/job_log.h"
#include "render/job_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	ERROR_SHOWN = 4096,
	REFRESH_S = 10,
	ANNOUNCE_STEP = 10, /* per cent between announcements */
	ROW_MAX = 100       /* failed in a row: no more are looked at */
};

static const char *
incomplete_title(struct view *v, const struct Rec__Job *j)
{
	if (j->unread_count == 0)
		return "The backup is incomplete";
	return arena_printf(v->arena, "%s %s could not be read",
	    text_count(v->arena, j->unread_count),
	    j->unread_count == 1 ? "file" : "files");
}

/* What restic or the agent said, and what to do about it. */
static const char *
told(struct view *v, const struct Rec__Job *j)
{
	const char *error =
	    arena_str(v->arena, view_cut(str_of(j->error), ERROR_SHOWN));
	const char *advice = cause_advice(j);

	if (error[0] == '\0' || advice[0] == '\0')
		return error[0] != '\0' ? error : advice;
	return arena_printf(v->arena, "%s\n%s", error, advice);
}

static void
put_banner(struct view *v, struct value *root, const struct Rec__Job *j)
{
	const char *title = "", *class = "bad";

	if (j->state == REC__JOB_STATE__JOB_FAILED) {
		title = cause_words(j, v->arena);
	} else if (j->state == REC__JOB_STATE__JOB_SUCCEEDED && j->incomplete) {
		class = "warn";
		title = incomplete_title(v, j);
	}
	if (title[0] == '\0') {
		value_bool(root, "banner", false);
		return;
	}
	root = value_map(root, "banner");
	value_text(root, "class", class);
	value_text(root, "glyph",
	    strcmp(class, "bad") == 0 ? "failed" : "incomplete");
	value_text(root, "title", title);
	value_text(root, "text", told(v, j));
	value_text(root, "log", "");
}

/* --------------------------------------------------------- protection left */

static bool
view_job_on_newest(void *ctx, const struct Rec__Snapshot *s)
{
	*(const struct Rec__Snapshot **)ctx = s;
	return false;
}

struct in_a_row {
	ProtobufCBinaryData group;
	unsigned n, seen;
};

/* Those whose group nobody knows are taken for one. */
static bool
same_group(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return (a->len == 0 && b->len == 0) || message_same_id(a, b);
}

static bool
view_job_on_older(void *ctx, const struct Rec__Job *j)
{
	struct in_a_row *r = ctx;

	if (j->kind != REC__JOB_KIND__KIND_BACKUP ||
	    !same_group(&j->group_id, &r->group))
		return true;
	if (j->state == REC__JOB_STATE__JOB_FAILED)
		r->n++;
	return j->state != REC__JOB_STATE__JOB_SUCCEEDED;
}

/* How many backups of the group up to this one failed, none in between
 * having made a snapshot. */
static const char *
failed_in_a_row(struct view *v, const struct Rec__Job *j,
    const struct ulid *host)
{
	struct in_a_row r = { .group = j->group_id, .n = 1 };
	struct ulid id;

	if (!view_ulid(j->id, &id))
		return "";
	job_store_of_host(v->state, host, &id, ROW_MAX, view_job_on_older, &r);
	return arena_printf(v->arena, "%u%s", r.n,
	    r.n > ROW_MAX ? " or more" : "");
}

/* A backup that made no snapshot: what there is to go back to. */
static void
put_protection(struct view *v, struct value *root, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	const struct Rec__Snapshot *newest = NULL;
	struct ulid host;
	int64_t until;

	if (j->kind != REC__JOB_KIND__KIND_BACKUP || h == NULL ||
	    (j->state != REC__JOB_STATE__JOB_FAILED &&
	        j->state != REC__JOB_STATE__JOB_CANCELLED) ||
	    !view_ulid(h->id, &host)) {
		value_bool(root, "protection", false);
		return;
	}
	snap_store_of_host(v->state, &host, 0, 1, view_job_on_newest, &newest);
	root = value_map(root, "protection");
	until = h->last_backup_at_ms == 0
	            ? 0
	            : h->last_backup_at_ms + status_allowed_ms(h);
	value_bool(root, "safe", status_protected(h, v->req->now_ms));
	view_time(v, root, "until", until);
	view_time(v, root, "newest", newest == NULL ? 0 : newest->time_ms);
	value_text(root, "newest_id", newest == NULL ? "" : newest->short_id);
	value_text(root, "in_a_row",
	    j->state == REC__JOB_STATE__JOB_FAILED
	        ? failed_in_a_row(v, j, &host)
	        : "");
}

static void
put_by_hand(struct view *v, struct value *root, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	value_text(root, "by_hand", by_hand(v->arena, j, h));
	value_text(root, "by_hand_needs", by_hand_needs(h));
	value_text(root, "by_hand_as",
	    h != NULL && strcmp(h->os, "windows") == 0
	        ? "in PowerShell as Administrator"
	        : "as root");
}

static void
put_result(struct view *v, struct value *root, const struct Rec__Job *j)
{
	const struct Rec__JobStats *s = j->stats;
	struct value *m;

	if (s == NULL || s->total_files_processed == 0) {
		value_bool(root, "result", false);
		return;
	}
	m = value_map(root, "result");
	value_text(m, "read", text_bytes(v->arena, s->total_bytes_processed));
	value_text(m, "files", text_count(v->arena, s->total_files_processed));
	value_text(m, "added", text_bytes(v->arena, s->data_added));
	value_text(m, "new_files", text_count(v->arena, s->files_new));
	value_text(m, "changed", text_count(v->arena, s->files_changed));
	/* What restic names and the listing does not show is none. */
	value_printf(m, "snapshot", "%.8s",
	    j->state == REC__JOB_STATE__JOB_SUCCEEDED ? s->snapshot_id : "");
}

/* What forget and check report. */
static void
put_report(struct view *v, struct value *root, const struct Rec__Job *j)
{
	struct value *list = value_list(root, "forgot"), *item;
	bool checked = j->kind == REC__JOB_KIND__KIND_CHECK &&
	               (j->check != NULL || job_state_final(j->state));
	size_t i;

	for (i = 0; i < j->n_forgot; i++) {
		item = value_item(list);
		value_text(item, "tag", j->forgot[i]->tag);
		value_text(item, "kept",
		    text_count(v->arena, j->forgot[i]->kept));
		value_text(item, "removed",
		    text_count(v->arena, j->forgot[i]->removed));
	}
	value_bool(root, "any_forgot", j->n_forgot > 0);
	value_text(root, "checked", checked ? job_view_check(v, j) : "");
}

/* A run that the host's own schedule began: "due 02:00, attempt 2". */
static void
put_own(struct view *v, struct value *root, const struct Rec__Job *j)
{
	struct ulid id;
	struct value *m;
	int64_t again;

	if (!view_ulid(j->schedule_id, &id) || j->due_at_ms == 0) {
		value_bool(root, "own", false);
		return;
	}
	m = value_map(root, "own");
	value_text(m, "due", text_when(v->arena, &v->clock, j->due_at_ms));
	value_text(m, "attempt",
	    j->attempt < 2 ? "" : text_count(v->arena, (uint64_t)j->attempt));
	value_bool(m, "catch_up", j->catch_up);
	again = job_retry_at(v->state, j, v->req->now_ms);
	view_time(v, m, "again", again);
	value_bool(m, "again_soon", again > v->req->now_ms);
	value_bool(m, "again_dropped", again == 0 && j->retry_at_ms != 0);
}

/* The way to the other runs of the schedule whose it was. */
static void
put_schedule(struct view *v, struct value *root, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	struct ulid id;

	value_text(root, "schedule_runs",
	    h == NULL || !view_ulid(j->schedule_id, &id)
	        ? ""
	        : arena_printf(v->arena, "/hosts/%s/jobs?schedule=%s",
	              view_id(v, h->id), view_id(v, j->schedule_id)));
}

/* While it waits: why, and how long at most. */
static void
put_waiting(struct view *v, struct value *root, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	bool queued = j->state == REC__JOB_STATE__JOB_QUEUED;

	value_text(root, "waits_for", queued ? job_view_waiting(v, j, h) : "");
	view_time(v, root, "expires", queued ? j->expires_at_ms : 0);
}

static void
put_state(struct view *v, struct value *root, const struct Rec__Job *j,
    const struct Rec__Host *h)
{
	bool final = job_state_final(j->state);
	bool running = j->state == REC__JOB_STATE__JOB_RUNNING;
	struct ulid group;

	value_bool(root, "final", final);
	value_bool(root, "queued", j->state == REC__JOB_STATE__JOB_QUEUED);
	value_bool(root, "running", running);
	value_bool(root, "cancelling", !final && j->cancel_requested);
	value_bool(root, "can_cancel",
	    v->can_operate && !final && !j->cancel_requested);
	value_bool(root, "can_rerun",
	    v->can_operate && final && h != NULL &&
	        j->kind == REC__JOB_KIND__KIND_BACKUP &&
	        view_ulid(j->group_id, &group));
	value_text(root, "gid", view_id(v, j->group_id));
	if (final && j->started_at_ms != 0)
		value_printf(root, "exit_code", "%" PRId32, j->exit_code);
	else
		value_text(root, "exit_code", "");
	value_text(root, "unreachable",
	    running && h != NULL && !h->online
	        ? arena_printf(v->arena, "agent unreachable since %s",
	              text_when(v->arena, &v->clock, h->last_seen_at_ms))
	        : "");
	value_bool(root, "live", !final);
	value_printf(root, "refresh", "%d", REFRESH_S);
}

/* "Backup of db-01, 60 percent, about 4 min left": changes at every tenth
 * per cent, so that it is spoken then. */
static void
put_announcement(struct view *v, struct value *root, const struct Rec__Job *j,
    const char *host)
{
	const struct Rec__LiveProgress *p = NULL;
	const char *kind = status_kind_words(j->kind);
	struct ulid id;
	int percent;

	if (j->state == REC__JOB_STATE__JOB_RUNNING && view_ulid(j->id, &id))
		p = live_find_progress(v->live, &id);
	if (p == NULL) {
		value_printf(root, "announcement", "%s of %s: %s", kind, host,
		    status_job_look(j)->word);
		return;
	}
	percent = p->percent_done >= 0 && p->percent_done <= 1
	              ? (int)(p->percent_done * 100)
	              : 0;
	value_printf(root, "announcement", "%s of %s, %d percent", kind, host,
	    percent - percent % ANNOUNCE_STEP);
}

enum rc
view_job(struct view *v, struct value *root)
{
	const struct Rec__Job *j;
	const struct Rec__Host *h = NULL;
	struct ulid id, host;

	if (!view_param_id(v, "id", &id))
		return RC_NOTFOUND;
	j = job_store_find(v->state, &id);
	if (j == NULL)
		return store_rc(v->state) == RC_OK ? RC_NOTFOUND
		                                   : store_rc(v->state);
	if (view_ulid(j->host_id, &host))
		h = host_store_find(v->state, &host);
	value_text(root, "host_name", h == NULL ? "a removed host" : h->name);
	value_text(root, "host_link",
	    h == NULL ? ""
	              : arena_printf(v->arena, "/hosts/%s", view_id(v, h->id)));
	value_text(root, "host_id", h == NULL ? "" : view_id(v, h->id));
	job_view_put(v, root, j);
	put_state(v, root, j, h);
	host_view_progress(v, root, "progress",
	    j->state == REC__JOB_STATE__JOB_RUNNING ? j : NULL);
	put_result(v, root, j);
	put_report(v, root, j);
	put_own(v, root, j);
	put_schedule(v, root, j, h);
	put_waiting(v, root, j, h);
	put_banner(v, root, j);
	put_protection(v, root, j, h);
	put_by_hand(v, root, j, h);
	put_announcement(v, root, j, h == NULL ? "a removed host" : h->name);
	if (v->req->fragment[0] == '\0')
		job_log_put(v, root, j);
	value_bool(root, "nav_jobs", true);
	return RC_OK;
}
