/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/repo_health.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/cron.h"
#include "lib/base/str.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/upkeep_store.h"
#include "render/cause.h"
#include "render/host_page.h"
#include "render/host_view.h"
#include "render/plan_view.h"
#include "render/status.h"
#include "render/value.h"
#include "render/view.h"

/* restic renews a lock every five minutes and takes none older than this for
 * one that is in use. */
#define STALE_MS (INT64_C(30) * 60 * 1000)
#define LATE_MS (INT64_C(2) * 3600 * 1000)

enum {
	TEXT_SHOWN = 4096
};

struct look {
	const char *class, *glyph, *word;
};

/* What is to be told of one host. */
struct health {
	struct view *v;
	const struct host_view *hv;
	const struct Rec__Host *h;
	const struct Rec__Maintenance *plan; /* NULL: none yet */
	const struct Rec__Repo *repo;        /* NULL: not known */
	const struct Rec__Job *init;
	struct value *map;
	bool check_failed;
	/* The first upkeep of which it is true, "": none. */
	const char *waits, *failed, *late, *lacks;
};

static const char *
job_link(const struct health *w, ProtobufCBinaryData id)
{
	return id.len == 0
	           ? ""
	           : arena_printf(w->v->arena, "/jobs/%s", view_id(w->v, id));
}

static const char *
span(const struct health *w, int64_t ms)
{
	return text_left(w->v->arena, (uint64_t)(ms < 0 ? 0 : ms / 1000));
}

/* ------------------------------------------------------------------ locks */

static bool
is_stale(const struct health *w)
{
	return w->v->req->now_ms - w->h->lock_newest_at_ms > STALE_MS;
}

static void
put_lock(struct health *w)
{
	const struct Rec__Host *h = w->h;
	int64_t age = w->v->req->now_ms - h->lock_newest_at_ms;
	struct value *m = value_map(w->map, "lock");
	bool stale = is_stale(w);

	value_bool(m, "looked", h->locks_at_ms != 0);
	view_time(w->v, m, "at", h->locks_at_ms);
	value_bool(m, "any", h->lock_count > 0);
	value_bool(m, "exclusive", h->lock_exclusive);
	value_bool(m, "stale", stale);
	value_text(m, "class",
	    h->lock_count == 0 ? "ok"
	    : stale            ? "bad"
	                       : "run");
	value_text(m, "glyph",
	    h->lock_count == 0 ? "ok"
	    : stale            ? "failed"
	                       : "run");
	value_text(m, "word",
	    h->lock_count == 0 ? "none"
	    : stale ? arena_printf(w->v->arena, "stale, %s", span(w, age))
	            : "in use");
	value_text(m, "more",
	    h->lock_count < 2 ? ""
	                      : arena_printf(w->v->arena, "%s locks",
	                            text_count(w->v->arena, h->lock_count)));
	value_copy(m, "holder", view_cut(str_of(h->lock_holder), 200));
}

/* A lease is what its job is. */
static bool
is_leased(struct health *w)
{
	const struct Rec__Job *j = NULL;
	struct ulid id;

	if (w->repo != NULL && view_ulid(w->repo->lease_job, &id))
		j = job_store_find(w->v->state, &id);
	return j != NULL && !job_state_final(j->state);
}

/* Work that the controller lets no other one meet. */
static void
put_busy(struct health *w)
{
	const struct Rec__Repo *r = w->repo;
	const struct Rec__Host *by = NULL;
	struct value *m;
	struct ulid id;

	if (!is_leased(w)) {
		value_bool(w->map, "busy", false);
		return;
	}
	if (view_ulid(r->lease_host, &id))
		by = host_store_find(w->v->state, &id);
	m = value_map(w->map, "busy");
	value_text(m, "busy_kind", status_kind_words(r->lease_kind));
	value_text(m, "busy_host", by == NULL ? "" : by->name);
	value_text(m, "busy_link", job_link(w, r->lease_job));
	view_time(w->v, m, "busy_since", r->lease_since_ms);
}

/* ----------------------------------------------------------------- upkeep */

/* clang-format off */
static const struct {
	const char *code, *words;
	const char *link, *help; /* where it is cured, behind the host's own */
} reasons[] = {
	{ "no_repository",   "the repository is not ready", "", "" },
	{ "no_retention",    "no source group says what to keep", "/sources", "Set a retention" },
	{ "shared_name",     "another host of this repository has the same machine name and source group", "/sources", "Rename the group" },
	{ "no_admin",        "it needs admin credentials", "/repo#admin", "Add them" },
	{ "job_running",     "another run of it is under way", "", "" },
	{ "repository_busy", "other work on the repository has to end first", "", "" },
	{ "failed",          "it could not be queued; see the controller's log", "", "" },
	{ "offline",         "the host is away; it runs once when it is back", "", "" },
};
/* clang-format on */

static bool
has_retention(const struct health *w)
{
	size_t i;

	for (i = 0; i < w->hv->n_groups; i++)
		if (plan_view_retention(w->v, w->hv->groups[i]->retention)[0] !=
		    '\0')
			return true;
	return false;
}

/* What it will wait for when it is due, as far as that is known before. */
static const char *
foreseen(const struct health *w, Rec__JobKind kind, const struct Rec__Upkeep *u)
{
	if (!u->enabled)
		return "";
	if (kind == REC__JOB_KIND__KIND_PRUNE && !w->h->has_admin)
		return "no_admin";
	if (kind == REC__JOB_KIND__KIND_FORGET && !has_retention(w))
		return "no_retention";
	return "";
}

static void
put_waiting(struct health *w, struct value *m, const struct Rec__Upkeep *u,
    const char *code)
{
	const char *words = "";
	size_t i;

	for (i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(reasons[i].code, code) == 0)
			break;
	if (code[0] != '\0')
		words = i == ARRAY_LEN(reasons) ? code : reasons[i].words;
	value_text(m, "waiting", u->waiting[0] == '\0' ? "" : words);
	value_text(m, "will_wait", u->waiting[0] == '\0' ? words : "");
	value_text(m, "help_link",
	    i == ARRAY_LEN(reasons) || reasons[i].link[0] == '\0'
	        ? ""
	        : arena_printf(w->v->arena, "/hosts/%s%s",
	              view_id(w->v, w->h->id), reasons[i].link));
	value_text(m, "help", i == ARRAY_LEN(reasons) ? "" : reasons[i].help);
	view_time(w->v, m, "waits_since", u->waiting_since_ms);
}

/* Its last success, on whatever host, is older than two of its rounds and two
 * hours. */
static bool
is_late(const struct health *w, const struct Rec__Upkeep *u, int64_t other_ms)
{
	int64_t now = w->v->req->now_ms, since = u->last_success_at_ms, one,
	        two;
	struct cron c;
	struct err e;

	if (!u->enabled || u->cron[0] == '\0' ||
	    cron_parse(str_of(u->cron), w->v->clock.zone, &c, &e) != RC_OK ||
	    !cron_next(&c, now, &one) || !cron_next(&c, one, &two))
		return false;
	if (since < other_ms)
		since = other_ms;
	if (since == 0)
		since = w->h->enrolled_at_ms;
	return now - since > 2 * (two - one) + LATE_MS;
}

/* other_ms: its last success on another host of the repository, 0: none. */
static struct look
upkeep_look(const struct health *w, const struct Rec__Upkeep *u,
    const struct Rec__Job *open, int64_t other_ms)
{
	if (open != NULL && open->state == REC__JOB_STATE__JOB_RUNNING)
		return (struct look){ "run", "run", "running" };
	if (open != NULL)
		return (struct look){ "idle", "queued", "waiting" };
	if (u->last_state == REC__JOB_STATE__JOB_FAILED &&
	    u->last_at_ms >= other_ms)
		return (struct look){ "bad", "failed", "failed" };
	if (is_late(w, u, other_ms))
		return (struct look){ "warn", "stale", "overdue" };
	if (u->last_state == REC__JOB_STATE__JOB_SUCCEEDED)
		return (struct look){ "ok", "ok", "OK" };
	if (u->last_state == REC__JOB_STATE__JOB_CANCELLED)
		return (struct look){ "idle", "cancelled", "cancelled" };
	return (struct look){ "idle", "never", "never" };
}

/* "12 removed, 40 kept" */
static const char *
forgot_words(const struct health *w, const struct Rec__Job *j)
{
	struct arena *a = w->v->arena;
	uint64_t kept = 0, removed = 0;
	size_t i;

	for (i = 0; i < j->n_forgot; i++) {
		kept += j->forgot[i]->kept;
		removed += j->forgot[i]->removed;
	}
	return j->n_forgot == 0
	           ? ""
	           : arena_printf(a, "%s removed, %s kept",
	                 text_count(a, removed), text_count(a, kept));
}

static const char *
check_words(const struct health *w, const struct Rec__Job *j)
{
	struct arena *a = w->v->arena;

	if (j->check != NULL && j->check->errors_found)
		return j->check->errors == 0
		           ? "errors found"
		           : arena_printf(a, "%s errors found",
		                 text_count(a, j->check->errors));
	if (j->check_of == 0)
		return "structure only";
	return arena_printf(a, "part %" PRIu32 " of %" PRIu32 " read back",
	    j->check_part, j->check_of);
}

/* How far a round of all data is. */
static void
put_read_back(struct value *m, const struct Rec__Job *j)
{
	bool part = j != NULL && j->check_of > 1 && j->check_part > 0;

	value_bool(m, "read_back", part);
	if (part)
		value_printf(m, "read_percent", "%" PRIu32,
		    j->check_part * 100 / j->check_of);
}

static void
put_detail(struct health *w, struct value *m, Rec__JobKind kind,
    const struct Rec__Upkeep *u)
{
	const struct Rec__Job *j = NULL;
	const char *words = "";
	struct ulid id;

	if (view_ulid(u->last_job, &id))
		j = job_store_find(w->v->state, &id);
	if (j != NULL && kind == REC__JOB_KIND__KIND_FORGET)
		words = forgot_words(w, j);
	if (j != NULL && kind == REC__JOB_KIND__KIND_CHECK)
		words = check_words(w, j);
	if (j != NULL && kind == REC__JOB_KIND__KIND_CHECK)
		w->check_failed = j->check != NULL && j->check->errors_found;
	put_read_back(m, kind == REC__JOB_KIND__KIND_CHECK ? j : NULL);
	value_text(m, "detail", words);
	value_copy(m, "failure",
	    u->last_state == REC__JOB_STATE__JOB_FAILED
	        ? view_sentence(w->v, view_cut(str_of(u->last_error), 400))
	        : STR(""));
}

/* Another host may have done it for all. */
static int64_t
elsewhere(const struct health *w, Rec__JobKind kind)
{
	if (w->repo == NULL)
		return 0;
	if (kind == REC__JOB_KIND__KIND_PRUNE)
		return w->repo->last_prune_at_ms;
	return kind == REC__JOB_KIND__KIND_CHECK ? w->repo->last_check_at_ms
	                                         : 0;
}

static void
note(const char **first, Rec__JobKind kind, bool is_so)
{
	if (is_so && (*first)[0] == '\0')
		*first = job_kind_name(kind);
}

static void
put_upkeep(struct health *w, struct value *list, Rec__JobKind kind)
{
	static const struct Rec__Upkeep none = REC__UPKEEP__INIT;
	const struct Rec__Upkeep *u =
	    w->plan == NULL ? NULL : upkeep_of(w->plan, kind);
	const struct Rec__Job *open = NULL;
	struct value *m = value_item(list);
	struct look look;
	struct ulid id;
	int64_t other = elsewhere(w, kind);
	const char *ahead;

	u = u == NULL ? &none : u;
	if (view_ulid(u->open_job, &id))
		open = job_store_find(w->v->state, &id);
	look = upkeep_look(w, u, open, other);
	value_text(m, "kind", status_kind_words(kind));
	value_text(m, "class", look.class);
	value_text(m, "glyph", look.glyph);
	value_text(m, "word", look.word);
	value_bool(m, "spin", strcmp(look.glyph, "run") == 0);
	value_text(m, "run_link",
	    job_link(w, open != NULL ? u->open_job : u->last_job));
	view_time(w->v, m, "ran", open != NULL ? 0 : u->last_at_ms);
	view_time(w->v, m, "elsewhere",
	    other > u->last_success_at_ms ? other : 0);
	view_time(w->v, m, "next", u->enabled ? u->due_ms : 0);
	value_bool(m, "off", w->plan != NULL && !u->enabled);
	put_detail(w, m, kind, u);
	ahead = foreseen(w, kind, u);
	put_waiting(w, m, u, u->waiting[0] != '\0' ? u->waiting : ahead);
	note(&w->waits, kind, u->waiting[0] != '\0');
	note(&w->lacks, kind, ahead[0] != '\0');
	note(&w->failed, kind, strcmp(look.glyph, "failed") == 0);
	note(&w->late, kind, strcmp(look.glyph, "stale") == 0);
}

/* ---------------------------------------------------------------- headline */

static struct look
condition_of(const struct health *w)
{
	const struct Rec__Host *h = w->h;
	const struct Rec__Job *init = w->init;

	if (init != NULL && init->state == REC__JOB_STATE__JOB_RUNNING)
		return (struct look){ "run", "run", "Being tried" };
	if (init != NULL && init->state == REC__JOB_STATE__JOB_QUEUED)
		return (struct look){ "idle", "queued", "Waiting to be tried" };
	if (h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED)
		return (struct look){ "bad", "failed", "Not ready" };
	if (h->repo_status != REC__REPO_STATUS__REPO_READY)
		return (struct look){ "idle", "never", "Not tried yet" };
	if (w->check_failed)
		return (struct look){ "bad", "failed", "Damaged" };
	if (h->lock_count > 0 && is_stale(w))
		return (struct look){ "bad", "failed", "Locked" };
	if (w->failed[0] != '\0')
		return (
		    struct look){ "warn", "incomplete", "Maintenance failed" };
	if (w->waits[0] != '\0')
		return (
		    struct look){ "warn", "incomplete", "Maintenance waits" };
	if (w->late[0] != '\0')
		return (
		    struct look){ "warn", "incomplete", "Maintenance overdue" };
	return (struct look){ "ok", "ok", "Ready" };
}

static const char *
headline(const struct health *w, const char *word)
{
	struct arena *a = w->v->arena;
	const struct Rec__Host *h = w->h;

	if (strcmp(word, "Damaged") == 0)
		return "The last check found errors in the repository";
	if (strcmp(word, "Locked") == 0)
		return arena_printf(a,
		    "A lock was left behind %s ago and keeps maintenance out",
		    span(w, w->v->req->now_ms - h->lock_newest_at_ms));
	if (strcmp(word, "Not ready") == 0)
		return "The repository could not be used";
	if (strcmp(word, "Maintenance failed") == 0)
		return arena_printf(a, "The last %s failed", w->failed);
	if (strcmp(word, "Maintenance waits") == 0)
		return arena_printf(a, "A %s is due and waits", w->waits);
	if (strcmp(word, "Maintenance overdue") == 0)
		return arena_printf(a, "A %s is overdue", w->late);
	if (strcmp(word, "Ready") != 0)
		return "";
	return w->lacks[0] == '\0'
	           ? "Nothing here needs anybody"
	           : arena_printf(a, "Backups can run; the next %s will wait",
	                 w->lacks);
}

static void
put_condition(struct health *w)
{
	struct look look = condition_of(w);
	bool failed = w->h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED;

	value_text(w->map, "class", look.class);
	value_text(w->map, "glyph", look.glyph);
	value_text(w->map, "word", look.word);
	value_bool(w->map, "spin", strcmp(look.glyph, "run") == 0);
	value_text(w->map, "headline", headline(w, look.word));
	value_copy(w->map, "why",
	    view_sentence(w->v,
	        view_cut(str_of(failed ? w->h->repo_status_error : ""),
	            TEXT_SHOWN)));
	value_text(w->map, "advice",
	    failed && w->init != NULL ? cause_advice(w->init) : "");
}

static void
put_figures(struct health *w)
{
	const struct Rec__Host *h = w->h;
	bool open = w->init != NULL && !job_state_final(w->init->state);
	bool usable = w->v->can_operate && h->repo_url[0] != '\0';

	value_text(w->map, "init_link", job_link(w, h->init_job));
	view_time(w->v, w->map, "tried",
	    w->init == NULL || open ? 0 : w->init->finished_at_ms);
	value_text(w->map, "raw",
	    h->repo_raw_size_bytes == 0
	        ? ""
	        : text_bytes(w->v->arena, h->repo_raw_size_bytes));
	view_time(w->v, w->map, "listed", h->snapshots_at_ms);
	value_bool(w->map, "held",
	    h->applied_config_version == h->config_version);
	value_bool(w->map, "can_try", usable && !open);
	value_bool(w->map, "can_work", usable);
	value_bool(w->map, "can_prune", usable && h->has_admin);
}

void
repo_health_put(struct view *v, struct value *root, const struct host_view *hv)
{
	static const Rec__JobKind kinds[] = { REC__JOB_KIND__KIND_CHECK,
		REC__JOB_KIND__KIND_PRUNE, REC__JOB_KIND__KIND_FORGET };
	struct health w = { .v = v,
		.hv = hv,
		.h = hv->host,
		.plan = upkeep_store_find(v->state, &hv->id),
		.repo = repo_store_of_host(v->state, hv->host),
		.init = host_page_init(v, hv->host),
		.map = value_map(root, "health"),
		.waits = "",
		.failed = "",
		.late = "",
		.lacks = "" };
	struct value *list = value_list(w.map, "upkeep");
	size_t i;

	put_lock(&w);
	put_busy(&w);
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		put_upkeep(&w, list, kinds[i]);
	put_condition(&w);
	put_figures(&w);
}
