/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/host_view.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/fleet_store.h"
#include "lib/store/job_retry.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/plan_store.h"
#include "render/cause.h"
#include "render/value.h"
#include "render/view.h"

enum {
	TAGS_SHOWN = 4
};

void
host_view_init(struct view *v, const struct Rec__Host *h, struct host_view *out)
{
	struct fleet_host f;

	fleet_store_host(v->state, h, v->req->now_ms, &f);
	*out = (struct host_view){ .host = h,
		.id = f.id,
		.status = f.state,
		.running = f.running };
}

static bool
host_view_on_job(void *ctx, const struct Rec__Job *j)
{
	struct host_view *hv = ctx;

	if (j->kind != REC__JOB_KIND__KIND_BACKUP || !job_state_final(j->state))
		return true;
	if (j->state == REC__JOB_STATE__JOB_FAILED)
		hv->streak++;
	return j->state != REC__JOB_STATE__JOB_SUCCEEDED;
}

static bool
host_view_on_group(void *ctx, const struct Rec__SourceGroup *g)
{
	struct host_view *hv = ctx;

	if (hv->n_groups == HOST_VIEW_GROUPS)
		return false;
	hv->groups[hv->n_groups++] = g;
	return true;
}

void
host_view_load(struct view *v, struct host_view *hv)
{
	const struct Rec__Job *job;
	struct ulid last;
	size_t i;

	hv->groups =
	    arena_array(v->arena, HOST_VIEW_GROUPS, sizeof(*hv->groups));
	if (hv->groups == NULL)
		return;
	plan_store_of_host(v->state, &hv->id, host_view_on_group, hv);
	for (i = 0; i < hv->n_groups; i++) {
		if (!view_ulid(hv->groups[i]->last_job, &last))
			continue;
		job = job_store_find(v->state, &last);
		if (job == NULL)
			continue;
		if (hv->last == NULL ||
		    hv->last->finished_at_ms < job->finished_at_ms)
			hv->last = job;
		if (job->state == REC__JOB_STATE__JOB_FAILED)
			hv->failed = job;
	}
	if (hv->status == STATUS_FAILED)
		job_store_of_host(v->state, &hv->id, NULL, HOST_VIEW_STREAK,
		    host_view_on_job, hv);
}

static const char repository_not_ready[] = "Repository not ready";

/* "The repository is locked by another process, 3 in a row" */
static const char *
failed_reason(struct view *v, const struct host_view *hv)
{
	const char *words =
	    hv->failed == NULL ? "" : cause_words(hv->failed, v->arena);

	/* New credentials, or another repository, that do not work. */
	if (hv->host->last_backup_state != REC__JOB_STATE__JOB_FAILED)
		return repository_not_ready;
	if (hv->streak < 2 || *words == '\0')
		return words;
	return arena_printf(v->arena, "%s, %u%s in a row", words, hv->streak,
	    hv->streak == HOST_VIEW_STREAK ? " or more" : "");
}

static const char *
stale_reason(struct view *v, const struct host_view *hv)
{
	const struct Rec__Host *h = hv->host;
	const int64_t now = v->req->now_ms, most = status_allowed_ms(h);
	/* Away for too long, or too long without a backup before that. */
	bool away = !h->online && now - h->last_seen_at_ms >= most;
	int64_t since = away ? h->last_seen_at_ms : h->last_backup_at_ms;
	const char *span =
	    text_left(v->arena, (uint64_t)((now - since) / 1000));
	const char *allowed = text_left(v->arena, (uint64_t)most / 1000);

	if (!away)
		return arena_printf(v->arena, "No backup for %s, allowed %s",
		    span, allowed);
	return arena_printf(v->arena, "%s %s, allowed %s",
	    status_asleep(h) ? "Away" : "Offline", span, allowed);
}

static const char *
ok_reason(struct view *v, const struct host_view *hv)
{
	const struct Rec__Job *j = hv->last;

	if (j == NULL || j->finished_at_ms == 0)
		return "";
	return arena_printf(v->arena, "%s \xc2\xb7 %s added",
	    text_duration(v->arena, j->finished_at_ms - j->started_at_ms),
	    text_bytes(v->arena, j->stats == NULL ? 0 : j->stats->data_added));
}

static const char *
new_reason(struct view *v, const struct Rec__Host *h)
{
	if (h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED)
		return repository_not_ready;
	if (h->repo_status == REC__REPO_STATUS__REPO_UNKNOWN &&
	    h->init_job.len > 0)
		return h->last_backup_at_ms == 0
		           ? "Preparing the repository"
		           : "Repository or credentials were changed";
	return arena_printf(v->arena, "Enrolled %s",
	    text_when(v->arena, &v->clock, h->enrolled_at_ms));
}

/* How far it was when it was heard of last says nothing of now. */
static const char *
running_reason(struct view *v, const struct host_view *hv)
{
	const struct Rec__Host *h = hv->host;
	int64_t away = v->req->now_ms - h->last_seen_at_ms;

	if (!h->online)
		return arena_printf(v->arena, "unreachable for %s",
		    text_left(v->arena, (uint64_t)(away / 1000)));
	return hv->running->kind == REC__JOB_KIND__KIND_BACKUP
	           ? ""
	           : status_kind_words(hv->running->kind);
}

static const char *
reason(struct view *v, const struct host_view *hv)
{
	switch (hv->status) {
	case STATUS_STALE:
		return stale_reason(v, hv);
	case STATUS_NEVER:
	case STATUS_NEW:
		return new_reason(v, hv->host);
	case STATUS_FAILED:
		return failed_reason(v, hv);
	case STATUS_INCOMPLETE:
		if (hv->last == NULL || hv->last->unread_count == 0)
			return "Some files could not be read";
		return arena_printf(v->arena, "%s %s could not be read",
		    text_count(v->arena, hv->last->unread_count),
		    hv->last->unread_count == 1 ? "file" : "files");
	case STATUS_RUNNING:
		return running_reason(v, hv);
	case STATUS_OK:
		return ok_reason(v, hv);
	}
	return "";
}

void
host_view_progress(struct view *v, struct value *map, const char *key,
    const struct Rec__Job *job)
{
	const struct Rec__LiveProgress *p = NULL;
	struct value *m;
	struct ulid id;
	double percent;

	if (job != NULL && view_ulid(job->id, &id))
		p = live_find_progress(v->live, &id);
	if (p == NULL) {
		value_bool(map, key, false);
		return;
	}
	/* The fraction 0..1 that restic gives. */
	percent = p->percent_done * 100;
	percent = percent >= 0 && percent <= 100 ? percent : 0;
	m = value_map(map, key);
	value_printf(m, "percent", "%d", (int)percent);
	value_text(m, "left",
	    p->eta_seconds == 0 ? "" : text_left(v->arena, p->eta_seconds));
	value_text(m, "rate",
	    p->throughput_bps == 0 ? ""
	                           : text_rate(v->arena, p->throughput_bps));
	value_text(m, "read", text_bytes(v->arena, p->bytes_done));
	value_text(m, "total",
	    p->total_bytes == 0 ? "" : text_bytes(v->arena, p->total_bytes));
	value_text(m, "files", text_count(v->arena, p->files_done));
	value_text(m, "total_files",
	    p->total_files == 0 ? "" : text_count(v->arena, p->total_files));
}

static void
put_connection(struct view *v, struct value *map, const struct Rec__Host *h)
{
	const char *seen =
	    h->last_seen_at_ms == 0
	        ? ""
	        : text_relative(v->arena, &v->clock, h->last_seen_at_ms);

	value_bool(map, "online", h->online);
	value_bool(map, "asleep", status_asleep(h));
	if (*seen == '\0')
		value_text(map, "offline_words",
		    status_asleep(h) ? "Asleep" : "Offline");
	else if (status_asleep(h))
		value_text(map, "offline_words",
		    arena_printf(v->arena,
		        "Asleep \xc2\xb7 last seen %s \xc2\xb7 will catch up "
		        "on return",
		        seen));
	else
		value_text(map, "offline_words",
		    arena_printf(v->arena, "Offline since %s",
		        text_when(v->arena, &v->clock, h->last_seen_at_ms)));
}

/* "linux/amd64", and a short list of tags. */
static void
put_facts(struct view *v, struct value *map, const struct Rec__Host *h)
{
	struct buf tags;
	struct value *list;
	size_t i;

	buf_init(&tags, KIB(4));
	list = value_list(map, "tags");
	for (i = 0; i < h->n_tags; i++) {
		value_item_text(list, str_of(h->tags[i]));
		if (i < TAGS_SHOWN)
			buf_printf(&tags, "%s%s", i == 0 ? "" : ", ",
			    h->tags[i]);
	}
	value_copy(map, "tag_line", buf_str(&tags));
	buf_fini(&tags);
	value_text(map, "os",
	    h->os[0] == '\0' ? ""
	                     : arena_printf(v->arena, "%s/%s", h->os, h->arch));
}

static void
put_groups(struct view *v, struct value *map, const struct host_view *hv)
{
	struct value *list = value_list(map, "groups");
	size_t i;

	for (i = 0; i < hv->n_groups; i++) {
		struct value *item = value_item(list);

		value_text(item, "gid", view_id(v, hv->groups[i]->id));
		value_text(item, "group_name", hv->groups[i]->name);
	}
	value_bool(map, "one_group", hv->n_groups == 1);
	value_bool(map, "many_groups", hv->n_groups > 1);
	value_bool(map, "can_run",
	    v->can_operate && hv->n_groups > 0 && hv->running == NULL);
}

void
host_view_put(struct view *v, struct value *map, const struct host_view *hv)
{
	const struct Rec__Host *h = hv->host;
	uint64_t stored = h->repo_size_bytes;

	value_text(map, "id", view_id(v, h->id));
	value_text(map, "name", h->name);
	value_text(map, "link",
	    arena_printf(v->arena, "/hosts/%s", view_id(v, h->id)));
	status_put(map, "state", status_look_of(h, hv->status));
	value_text(map, "reason", reason(v, hv));
	host_view_progress(v, map, "progress", h->online ? hv->running : NULL);
	value_bool(map, "running", hv->running != NULL);
	value_text(map, "job_link",
	    hv->running == NULL ? ""
	                        : arena_printf(v->arena, "/jobs/%s",
	                              view_id(v, hv->running->id)));
	put_connection(v, map, h);
	put_facts(v, map, h);
	put_groups(v, map, hv);
	view_time(v, map, "last", h->last_backup_at_ms);
	value_text(map, "stored",
	    stored == 0 ? "" : text_bytes(v->arena, stored));
}

/* ------------------------------------------------------------- what is next */

struct next_words {
	const char *big, *small;
	bool timed; /* big is how far away it is */
};

/* A run that is tried again comes before its schedule's next one. */
static int64_t
retry_at(const struct view *v, const struct host_view *hv)
{
	int64_t now = v->req->now_ms;
	int64_t at =
	    hv->failed == NULL ? 0 : job_retry_at(v->state, hv->failed, now);

	return at > now ? at : 0;
}

/* Today the clock alone. */
static const char *
when_words(struct view *v, int64_t at_ms)
{
	const struct text_clock *c = &v->clock;

	return text_day(c, at_ms) == text_day(c, v->req->now_ms)
	           ? text_minute(v->arena, c, at_ms)
	           : text_when(v->arena, c, at_ms);
}

static struct next_words
next_of(struct view *v, const struct host_view *hv, const struct host_month *m)
{
	const struct Rec__Host *h = hv->host;
	int64_t again = retry_at(v, hv);

	if (m->schedules == 0)
		return (struct next_words){ "none", "no schedule yet", false };
	if (m->enabled == 0)
		return (struct next_words){ "paused",
			m->schedules == 1 ? "its schedule" : "its schedules",
			false };
	if (status_asleep(h))
		return (struct next_words){ "on wake", "catches up", false };
	if (!h->online && hv->status == STATUS_STALE)
		return (
		    struct next_words){ "overdue", "when it returns", false };
	if (again != 0 && (m->next_ms == 0 || again < m->next_ms))
		return (struct next_words){ arena_printf(v->arena, "retry %s",
			                        text_relative(v->arena,
			                            &v->clock, again)),
			when_words(v, again), false };
	if (m->next_ms == 0)
		return (
		    struct next_words){ "never", "see its schedules", false };
	return (
	    struct next_words){ text_relative(v->arena, &v->clock, m->next_ms),
		when_words(v, m->next_ms), true };
}

void
host_view_put_next(struct view *v, struct value *map,
    const struct host_view *hv, const struct host_month *m)
{
	struct next_words n = next_of(v, hv, m);
	char sid[ULID_TEXT_CAP] = "";

	if (m->covered)
		ulid_text(&m->covering, sid);
	value_text(map, "next_words", n.big);
	value_text(map, "next_small", n.small);
	value_bool(map, "next_timed", n.timed);
	value_copy(map, "covering", str_of(sid));
	value_copy(map, "spark", str_of(m->spark.d));
	value_copy(map, "spark_last", str_of(m->spark.last));
}

void
host_view_codes(const struct host_view *hv, const struct host_month *m,
    char codes[CHART_DAYS])
{
	memcpy(codes, m->codes, CHART_DAYS);
	if (hv->running != NULL &&
	    hv->running->kind == REC__JOB_KIND__KIND_BACKUP)
		codes[CHART_DAYS - 1] = 'r';
}
