/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/host_page.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/live.h"
#include "lib/store/snap_store.h"
#include "render/cause.h"
#include "render/plan_view.h"
#include "render/value.h"
#include "render/view.h"

enum {
	ERROR_SHOWN = 4096
};

static void
put_days(struct view *v, struct value *root, const struct host_view *hv)
{
	struct value *list = value_list(root, "days"), *item;
	char codes[CHART_DAYS];
	struct host_month m;
	int64_t day;

	host_month_get(v, hv, &m);
	host_view_codes(hv, &m, codes);
	host_view_put_next(v, root, hv, &m);
	view_time(v, root, "judged", m.judged_ms);
	day = m.first_day;
	chart_days(list, codes, day);
	for (item = list == NULL ? NULL : list->first; item != NULL;
	     item = item->next)
		value_text(item, "date", text_day_machine(v->arena, day++));
}

/* -------------------------------------------------------------- the banner */

/* What is wrong, and the one button that helps. */
struct trouble {
	const char *title, *text, *class;
	const struct Rec__Job *log; /* NULL: none to look at */
	const char *link, *word;    /* a page that helps, "": none */
	const char *post;           /* or a form without fields */
};

/* These are cured where the repository is told, not by trying again. */
static bool
by_connection(const struct Rec__Job *j)
{
	static const char *const causes[] = { "wrong_password", "access_denied",
		"no_repository", "no_credentials" };
	size_t i;

	for (i = 0; j != NULL && i < ARRAY_LEN(causes); i++)
		if (strcmp(j->cause, causes[i]) == 0)
			return true;
	return false;
}

static const char *
host_link(struct view *v, const struct Rec__Host *h, const char *rest)
{
	return arena_printf(v->arena, "/hosts/%s%s", view_id(v, h->id), rest);
}

static void
offer_connection(struct view *v, const struct Rec__Host *h, struct trouble *t)
{
	t->link = host_link(v, h, "/repo#connection");
	t->word = "Check the connection";
}

static void
init_trouble(struct view *v, const struct Rec__Host *h, struct trouble *t)
{
	t->title = "The repository could not be prepared";
	t->text = h->repo_status_error;
	t->log = host_page_init(v, h);
	if (by_connection(t->log)) {
		offer_connection(v, h, t);
	} else if (h->online) {
		t->post = host_link(v, h, "/repo/probe");
		t->word = "Try again";
	}
}

/* What the agent would not take, and what is in force instead. */
static void
plan_trouble(struct view *v, const struct Rec__Host *h, struct trouble *t)
{
	t->title = "The agent did not take all of the latest plan";
	t->text = h->plan_refused;
	t->link = host_link(v, h, "/schedules");
	t->word = "See schedules";
}

/* restic renews a lock that is in use every five minutes. */
static bool
left_locked(const struct Rec__Host *h)
{
	const int64_t stale_ms = INT64_C(30) * 60000;

	return h->lock_count > 0 && h->lock_newest_at_ms != 0 &&
	       h->locks_at_ms - h->lock_newest_at_ms > stale_ms;
}

static void
lock_trouble(struct view *v, const struct Rec__Host *h, struct trouble *t)
{
	t->title = "The repository is locked by a process that is gone";
	t->text = arena_printf(v->arena,
	    "%s%sNot renewed since %s, as of %s.%s", h->lock_holder,
	    h->lock_holder[0] == '\0' ? "" : ". ",
	    text_when(v->arena, &v->clock, h->lock_newest_at_ms),
	    text_when(v->arena, &v->clock, h->locks_at_ms),
	    h->lock_exclusive ? " It is exclusive: no backup can run." : "");
	t->class = h->lock_exclusive ? "bad" : "warn";
	/* Stale locks alone go: those in use stay. */
	t->post = h->online ? host_link(v, h, "/repo/unlock") : "";
	t->link = h->online ? "" : host_link(v, h, "/repo");
	t->word = h->online ? "Unlock" : "See the repository";
}

static void
backup_trouble(struct view *v, const struct host_view *hv, struct trouble *t)
{
	const char *advice = cause_advice(hv->failed);

	t->title = "The last backup failed";
	t->text = advice[0] == '\0' ? hv->failed->error
	                            : arena_printf(v->arena, "%s\n%s",
	                                  hv->failed->error, advice);
	t->log = hv->failed;
	if (by_connection(hv->failed)) {
		offer_connection(v, hv->host, t);
	} else if (hv->host->online && hv->running == NULL) {
		t->post = arena_printf(v->arena,
		    "/hosts/%s/source-groups/%s/run", view_id(v, hv->host->id),
		    view_id(v, hv->failed->group_id));
		t->word = "Run it again";
	}
}

/* One problem at a time, the one that blocks the others first. */
static void
find_trouble(struct view *v, const struct host_view *hv, struct trouble *t)
{
	const struct Rec__Host *h = hv->host;

	if (h->duplicate_notice[0] != '\0') {
		t->title = "Another machine tried to sign in as this host";
		t->text = h->duplicate_notice;
		t->class = "warn";
	} else if (h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED) {
		init_trouble(v, h, t);
	} else if (left_locked(h) && hv->running == NULL) {
		lock_trouble(v, h, t);
	} else if (h->plan_refused[0] != '\0') {
		plan_trouble(v, h, t);
	} else if (hv->status == STATUS_FAILED && hv->failed != NULL) {
		backup_trouble(v, hv, t);
	} else if (h->online && h->restic_version[0] == '\0') {
		t->title = "restic was not found on this host";
		t->text = "Install version 0.14 or newer there, or set "
		          "restic_path in agent.yaml, and restart the agent.";
	} else if (hv->status == STATUS_STALE) {
		t->title = "The last backup is older than it may be";
		t->text = h->online ? "Back it up now, and look why nothing "
		                      "ran."
		                    : "The host is not connected. Backups can "
		                      "run when its agent is back.";
	} else if (hv->status == STATUS_INCOMPLETE && hv->last != NULL) {
		t->title = "The last backup is incomplete";
		t->text = "A snapshot exists; some files could not be read.";
		t->log = hv->last;
		t->class = "warn";
	}
}

static void
put_banner(struct view *v, struct value *root, const struct host_view *hv)
{
	struct trouble t = { "", "", "bad", NULL, "", "", "" };

	find_trouble(v, hv, &t);
	if (t.title[0] == '\0') {
		value_bool(root, "banner", false);
		return;
	}
	root = value_map(root, "banner");
	value_text(root, "class", t.class);
	value_text(root, "glyph",
	    strcmp(t.class, "bad") == 0 ? "failed" : "incomplete");
	value_text(root, "title", t.title);
	value_copy(root, "text", view_cut(str_of(t.text), ERROR_SHOWN));
	value_text(root, "log",
	    t.log == NULL
	        ? ""
	        : arena_printf(v->arena, "/jobs/%s", view_id(v, t.log->id)));
	value_text(root, "help_link", v->can_operate ? t.link : "");
	value_text(root, "help_post", v->can_operate ? t.post : "");
	value_text(root, "help_word", t.word);
}

/* ---------------------------------------------------------------- the rest */

const struct Rec__Job *
host_page_init(struct view *v, const struct Rec__Host *h)
{
	struct ulid init;

	return view_ulid(h->init_job, &init) ? job_store_find(v->state, &init)
	                                     : NULL;
}

/* Backups are known of where they were made: after a move, or where what is
 * told now does not open, that is the repository before. */
static const char *
former_repository(struct view *v, const struct Rec__Host *h)
{
	if (h->last_backup_at_ms == 0)
		return "";
	if (h->repo_status != REC__REPO_STATUS__REPO_READY)
		return "Snapshots and \xe2\x80\x9cProtected "
		       "until\xe2\x80\x9d are of the repository that opened "
		       "last. The one that is set now has not opened yet.";
	if (h->last_backup_at_ms >= h->repo_changed_at_ms)
		return "";
	return arena_printf(v->arena,
	    "%s \xe2\x80\x9cProtected until\xe2\x80\x9d counts from a "
	    "backup in the repository that was used before %s. The next one "
	    "goes to the repository that is set now.",
	    h->snapshots_at_ms < h->repo_changed_at_ms
	        ? "These snapshots are of the former repository."
	        : "",
	    text_when(v->arena, &v->clock, h->repo_changed_at_ms));
}

/* M-243: how far the repository is, with the way to its log. */
static void
put_repository(struct view *v, struct value *root, const struct Rec__Host *h)
{
	const struct Rec__Job *job = host_page_init(v, h);
	const char *words = "not prepared yet";
	bool ready = h->repo_status == REC__REPO_STATUS__REPO_READY;
	bool open = job != NULL && !job_state_final(job->state);

	if (open)
		words = job->state == REC__JOB_STATE__JOB_QUEUED
		            ? "waiting to be tried"
		            : "being prepared";
	else if (ready)
		words = "ready";
	else if (h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED)
		words = "not ready";
	value_text(root, "repo_words", words);
	value_text(root, "repo_url", h->repo_url);
	value_text(root, "former_repo", former_repository(v, h));
	value_text(root, "repo_log",
	    job == NULL || (ready && !open)
	        ? ""
	        : arena_printf(v->arena, "/jobs/%s", view_id(v, job->id)));
}

/* The form with what the host has, or with what was typed and refused. */
static void
put_tag_form(struct view *v, struct value *root, const struct Rec__Host *h)
{
	struct str error = view_param(v, "error.tags");
	struct buf b;
	size_t i;

	buf_init(&b, KIB(16));
	for (i = 0; i < h->n_tags; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : ", ", h->tags[i]);
	value_copy(root, "tags_value",
	    error.n > 0 ? view_param(v, "tags_typed") : buf_str(&b));
	buf_fini(&b);
	value_lend(root, "tags_error", view_sentence(v, error));
	value_bool(root, "tagged", h->n_tags > 0);
}

/* The same of its presence. */
static void
put_presence_form(struct view *v, struct value *root, const struct Rec__Host *h)
{
	struct str error = view_param(v, "error.allowed_age_hours");
	uint32_t hours = (h->allowed_age_s + 3599) / 3600;
	const char *stored =
	    hours == 0 ? "" : arena_printf(v->arena, "%u", (unsigned)hours);

	value_text(root, "presence", h->always_on ? "24x7" : "Free");
	value_bool(root, "always_on",
	    error.n > 0 ? view_param_is(v, "always_on_typed", "1")
	                : h->always_on);
	value_lend(root, "age_value",
	    error.n > 0 ? view_param(v, "age_typed") : str_of(stored));
	value_lend(root, "age_error", view_sentence(v, error));
}

/* Fresher than the record, which moves when the state does. */
static void
put_seen(struct view *v, struct value *root, const struct host_view *hv)
{
	const struct Rec__Presence *p = live_find_presence(v->live, &hv->id);
	int64_t seen = hv->host->last_seen_at_ms;

	if (p != NULL && p->last_seen_ms > seen)
		seen = p->last_seen_ms;
	view_time(v, root, "seen", seen);
	value_text(root, "address", p == NULL ? "" : p->address);
}

static const char *
rotation_words(const struct Rec__Host *h)
{
	static const char *const words[][2] = {
		{ "under_way", "its bearer is being rotated" },
		{ "waiting_for_host", "bearer rotation waits for the host" },
		{ "agent_too_old", "agent too old to rotate its bearer" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i][0], status_rotation(h)) == 0)
			return words[i][1];
	return "";
}

static void
put_facts(struct view *v, struct value *root, const struct host_view *hv)
{
	const struct Rec__Host *h = hv->host;

	value_text(root, "agent_version", h->agent_version);
	value_text(root, "restic_version", h->restic_version);
	value_text(root, "reported_name",
	    h->reported_name[0] == '\0' ||
	            strcmp(h->reported_name, h->name) == 0
	        ? ""
	        : h->reported_name);
	value_text(root, "enrolled",
	    text_date(v->arena, &v->clock, h->enrolled_at_ms));
	view_time(v, root, "until",
	    h->last_backup_at_ms == 0
	        ? 0
	        : h->last_backup_at_ms + status_allowed_ms(h));
	value_text(root, "allowed",
	    text_left(v->arena, (uint64_t)status_allowed_ms(h) / 1000));
	value_text(root, "snapshot_count",
	    text_count(v->arena, snap_store_count(v->state, &hv->id)));
	value_text(root, "rotation", rotation_words(h));
	view_time(v, root, "rotated", h->bearer_rotated_at_ms);
	put_seen(v, root, hv);
}

static void
put_tab(struct value *root, const char *name)
{
	value_bool(root, "tab_snapshots", strcmp(name, "snapshots") == 0);
	value_bool(root, "tab_jobs", strcmp(name, "jobs") == 0);
	value_bool(root, "tab_repo", strcmp(name, "repo") == 0);
	value_bool(root, "tab_sources", strcmp(name, "sources") == 0);
	value_bool(root, "tab_schedules", strcmp(name, "schedules") == 0);
}

enum rc
host_page_put(struct view *v, struct value *root, const char *tab,
    struct host_view *hv)
{
	const struct Rec__Host *h;
	struct ulid id;

	if (!view_param_id(v, "id", &id))
		return RC_NOTFOUND;
	h = host_store_find(v->state, &id);
	if (h == NULL)
		return store_rc(v->state) == RC_OK ? RC_NOTFOUND
		                                   : store_rc(v->state);
	host_view_init(v, h, hv);
	host_view_load(v, hv);
	host_view_put(v, root, hv);
	put_days(v, root, hv);
	put_banner(v, root, hv);
	put_repository(v, root, h);
	put_facts(v, root, hv);
	plan_view_put_agent(v, root, h);
	put_tag_form(v, root, h);
	put_presence_form(v, root, h);
	put_tab(root, tab);
	value_bool(root, "nav_hosts", true);
	return RC_OK;
}
