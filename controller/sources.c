/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/sources.h"

#include <string.h>

#include "controller/jobs_end.h"
#include "controller/pb.h"
#include "controller/plan.h"
#include "controller/sources_own.h"
#include "controller/upkeep.h"
#include "lib/base/glob.h"
#include "lib/base/json_doc.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/store.h"

enum {
	/* At most one job of a group waits, among the host's newest. */
	LOOK_BACK = 1000,
	AUDIT_PATHS = 20 /* of a long list the first ones */
};

/* ------------------------------------------------------------------- rules */

static bool
is_drive(const char *p)
{
	char c = p[0];

	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) &&
	       p[1] == ':' && (p[2] == '\\' || p[2] == '/');
}

/* On what system it runs is not known before its first hello. */
static bool
is_absolute(const char *p, const char *os)
{
	bool windows = strcmp(os, "windows") == 0;

	if (windows || os[0] == '\0') {
		if (is_drive(p) || strncmp(p, "\\\\", 2) == 0)
			return true;
	}
	return !windows && p[0] == '/';
}

static enum rc
check_name(struct store_tx *tx, const struct plan *p,
    const struct Rec__SourceGroup *g)
{
	struct str s = str_of(g->name);
	size_t i;

	if (s.n == 0 || s.n > PLAN_NAME_MAX || !pb_word_ok(g->name, s.n) ||
	    str_trim(s).n != s.n || s.p[0] == '-' || str_contains(s, STR(",")))
		return store_fail_field(tx, "name",
		    "the name is the tag of its snapshots: 1 to %d bytes, no "
		    "comma, no control characters, no blank or hyphen at "
		    "its front",
		    (int)PLAN_NAME_MAX);
	for (i = 0; i < p->n_groups; i++)
		if (strcmp(p->groups[i]->name, g->name) == 0 &&
		    memcmp(p->groups[i]->id.data, g->id.data, g->id.len) != 0)
			return store_fail_code(tx, RC_CONFLICT,
			    "duplicate_group",
			    "the host has another source group of this name");
	return RC_OK;
}

/* A path without the slashes at its end, by which two are the same. */
static struct str
bare(const char *path)
{
	struct str s = str_of(path);

	while (s.n > 1 && (s.p[s.n - 1] == '/' || s.p[s.n - 1] == '\\'))
		s.n--;
	return s;
}

static enum rc
check_one(struct store_tx *tx, const char *field, const char *z, size_t at)
{
	if (z[0] == '\0')
		return store_fail_field(tx, field, "%s: line %zu is empty",
		    field, at);
	if (strlen(z) > PLAN_PATH_BYTES_MAX)
		return store_fail_field(tx, field,
		    "%s: line %zu is longer than %d bytes", field, at,
		    (int)PLAN_PATH_BYTES_MAX);
	if (!pb_word_ok(z, PLAN_PATH_BYTES_MAX))
		return store_fail_field(tx, field,
		    "%s: line %zu holds control characters", field, at);
	return RC_OK;
}

/* Each by itself, and none twice. */
static enum rc
check_lines(struct store_tx *tx, const char *field, char *const *v, size_t n)
{
	struct map *seen = map_new();
	enum rc rc = RC_OK;
	size_t i;

	for (i = 0; rc == RC_OK && i < n; i++) {
		rc = check_one(tx, field, v[i], i + 1);
		if (rc == RC_OK && map_put(seen, bare(v[i]), v[i]) != NULL)
			rc = store_fail_field(tx, field,
			    "%s: line %zu stands there before: %.100s", field,
			    i + 1, v[i]);
	}
	map_free(seen);
	return rc;
}

static enum rc
check_patterns(struct store_tx *tx, const struct Rec__SourceGroup *g,
    const char *os)
{
	bool escapes = strcmp(os, "windows") != 0;
	size_t i;

	for (i = 0; i < g->n_excludes; i++)
		if (!glob_ok(str_of(g->excludes[i]), escapes))
			return store_fail_field(tx, "excludes",
			    "excludes: line %zu is a broken pattern, restic "
			    "would refuse it (a [ needs its ]): %.100s",
			    i + 1, g->excludes[i]);
	return RC_OK;
}

static enum rc
check_paths(struct store_tx *tx, const struct Rec__SourceGroup *g,
    const char *os)
{
	size_t i;
	enum rc rc;

	if (g->n_includes == 0)
		return store_fail_field(tx, "includes",
		    "includes: at least one path is needed");
	rc = check_lines(tx, "includes", g->includes, g->n_includes);
	if (rc == RC_OK)
		rc = check_lines(tx, "excludes", g->excludes, g->n_excludes);
	if (rc == RC_OK)
		rc = check_patterns(tx, g, os);
	for (i = 0; rc == RC_OK && i < g->n_includes; i++)
		if (!is_absolute(g->includes[i], os))
			rc = store_fail_field(tx, "includes",
			    "includes: line %zu is not an absolute path such "
			    "as %s: %.100s",
			    i + 1,
			    strcmp(os, "windows") == 0 ? "C:\\Users" : "/home",
			    g->includes[i]);
	return rc;
}

static size_t
text_bytes(char *const *v, size_t n)
{
	size_t i, sum = 0;

	for (i = 0; i < n; i++)
		sum += strlen(v[i]);
	return sum;
}

/* Of the whole host: all of it goes to the agent in one message. */
static enum rc
check_sizes(struct store_tx *tx, const struct plan *p,
    const struct Rec__SourceGroup *g)
{
	size_t i, paths = 0, bytes = 0;

	for (i = 0; i <= p->n_groups; i++) {
		const struct Rec__SourceGroup *o =
		    i < p->n_groups ? p->groups[i] : g;

		if (o != g && memcmp(o->id.data, g->id.data, g->id.len) == 0)
			continue; /* it is replaced */
		paths += o->n_includes + o->n_excludes;
		bytes += text_bytes(o->includes, o->n_includes) +
		         text_bytes(o->excludes, o->n_excludes);
	}
	if (paths > PLAN_PATHS_MAX)
		return store_fail_field(tx, "includes",
		    "all source groups of a host have at most %d paths and "
		    "patterns, these would be %zu",
		    (int)PLAN_PATHS_MAX, paths);
	if (bytes > PLAN_TEXT_MAX)
		return store_fail_field(tx, "includes",
		    "paths and patterns of all source groups of a host are at "
		    "most %d KiB, these would be %zu",
		    (int)PLAN_TEXT_MAX / 1024, bytes / 1024 + 1);
	return RC_OK;
}

static enum rc
check_keep(struct store_tx *tx, const struct Rec__SourceGroup *g)
{
	const struct Rec__Retention *k = g->retention;
	const uint32_t max = PLAN_KEEP_MAX;

	if (k != NULL &&
	    (k->last > max || k->hourly > max || k->daily > max ||
	        k->weekly > max || k->monthly > max || k->yearly > max))
		return store_fail_field(tx, "retention_policy",
		    "retention_policy: each counter is at most %d",
		    (int)PLAN_KEEP_MAX);
	if (g->retry_max > PLAN_RETRY_MAX)
		return store_fail_field(tx, "retry_max",
		    "retry_max is at most %d", (int)PLAN_RETRY_MAX);
	if (g->retry_backoff_s > PLAN_BACKOFF_MAX_S)
		return store_fail_field(tx, "retry_backoff_seconds",
		    "retry_backoff_seconds is at most %d: it doubles up to "
		    "that",
		    (int)PLAN_BACKOFF_MAX_S);
	return RC_OK;
}

/* --------------------------------------------------------------------- put */

static void
apply(struct sources_edit *ed, struct Rec__SourceGroup *g)
{
	if (ed->name != NULL)
		g->name = pb_text(ed->name);
	if (ed->includes != NULL) {
		g->includes = ed->includes->v;
		g->n_includes = ed->includes->n;
	}
	if (ed->excludes != NULL) {
		g->excludes = ed->excludes->v;
		g->n_excludes = ed->excludes->n;
	}
	if (ed->keep_given)
		g->retention = &ed->keep;
	if (ed->retry_given)
		g->retry_max = ed->retry_max;
	if (ed->backoff_given)
		g->retry_backoff_s = ed->backoff_s;
	g->updated_at_ms = ed->now_ms;
}

/* NULL: the transaction says why. */
static struct Rec__SourceGroup *
begin(struct store_tx *tx, struct sources_edit *ed, const struct plan *p)
{
	struct Rec__SourceGroup *g;

	ed->made = ulid_is_zero(&ed->group);
	if (!ed->made)
		return plan_store_get(tx, &ed->host, &ed->group);
	if (p->n_groups == PLAN_GROUPS_MAX) {
		(void)store_fail_code(tx, RC_CONFLICT, "too_many_groups",
		    "a host has at most %d source groups",
		    (int)PLAN_GROUPS_MAX);
		return NULL;
	}
	g = arena_alloc(store_arena(tx), sizeof(*g));
	if (g == NULL)
		return NULL;
	rec__source_group__init(g);
	ulid_new(&ed->group);
	g->id = pb_id(&ed->group);
	g->host_id = pb_id(&ed->host);
	g->created_at_ms = ed->now_ms;
	return g;
}

void
sources_put_keep(struct json_out *j, const struct Rec__Retention *k)
{
	const struct Rec__Retention none = REC__RETENTION__INIT;

	if (k == NULL)
		k = &none;
	json_obj(j, "retention_policy");
	json_put_uint(j, "keep_last", k->last);
	json_put_uint(j, "keep_hourly", k->hourly);
	json_put_uint(j, "keep_daily", k->daily);
	json_put_uint(j, "keep_weekly", k->weekly);
	json_put_uint(j, "keep_monthly", k->monthly);
	json_put_uint(j, "keep_yearly", k->yearly);
	json_obj_end(j);
}

static void
put_some(struct json_out *j, const char *name, const char *count_name,
    char *const *v, size_t n)
{
	json_put_uint(j, count_name, n);
	json_put_strs(j, name, v, n < AUDIT_PATHS ? n : AUDIT_PATHS);
}

static void
audit(struct store_tx *tx, const struct op *op, const char *action,
    const struct Rec__Host *h, const struct Rec__SourceGroup *g)
{
	struct ulid host;
	struct json_doc doc;

	(void)pb_id_get(&h->id, &host);
	json_doc_init(&doc, KIB(512));
	pb_put_id(&doc.j, "source_group_id", &g->id);
	json_put(&doc.j, "source_group", g->name);
	put_some(&doc.j, "includes", "includes_count", g->includes,
	    g->n_includes);
	put_some(&doc.j, "excludes", "excludes_count", g->excludes,
	    g->n_excludes);
	sources_put_keep(&doc.j, g->retention);
	json_put_uint(&doc.j, "retry_max", g->retry_max);
	json_put_uint(&doc.j, "retry_backoff_seconds", g->retry_backoff_s);
	json_put_uint(&doc.j, "config_version", h->config_version);
	op_audit(tx, op, action, "host", &host, h->name, json_doc_end(&doc));
	json_doc_fini(&doc);
}

enum rc
sources_put_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct sources_edit *ed = op->in;
	struct plan *p = arena_alloc(&op->arena, sizeof(*p));
	struct Rec__Host *h = host_store_get(state, &ed->host);
	struct Rec__SourceGroup *g, was;
	int64_t was_ms;

	(void)vault;
	if (h == NULL || p == NULL)
		return store_rc(state);
	plan_load(state, &ed->host, p);
	g = begin(state, ed, p);
	if (g == NULL)
		return store_rc(state);
	was = *g;
	was.updated_at_ms = ed->now_ms;
	was_ms = g->updated_at_ms;
	apply(ed, g);
	if (plan_check_seen(state, ed->seen_ms, was_ms, &was.base, &g->base) !=
	        RC_OK ||
	    check_name(state, p, g) != RC_OK ||
	    check_paths(state, g, h->os) != RC_OK ||
	    check_sizes(state, p, g) != RC_OK || check_keep(state, g) != RC_OK)
		return store_rc(state);
	plan_store_put(state, g);
	plan_changed(state, h, ed->now_ms);
	host_store_put(state, h);
	upkeep_wake(state, &ed->host, ed->now_ms);
	audit(state, op,
	    ed->made ? "source_group.created" : "source_group.updated", h, g);
	return store_rc(state);
}

/* ------------------------------------------------------------------ delete */

static void
list_users(const struct plan *p, const struct ulid *group,
    struct sources_users *u, struct arena *a)
{
	size_t i;

	for (i = 0; i < p->n_schedules; i++) {
		if (!plan_runs(p->schedules[i], group) ||
		    !pb_id_get(&p->schedules[i]->id, &u->ids[u->n]))
			continue;
		u->crons[u->n++] = arena_dup(a, p->schedules[i]->cron);
	}
}

static enum rc
check_unused(struct store_tx *tx, struct op *op, const struct plan *p,
    const struct Rec__SourceGroup *g)
{
	const struct sources_gone *gone = op->in;
	struct sources_users *u = arena_alloc(&op->arena, sizeof(*u));

	if (u == NULL)
		return store_fail(tx, RC_LIMIT, "the change is too large");
	list_users(p, &gone->group, u, &op->arena);
	op->out = u;
	if (u->n > 0)
		return store_fail_code(tx, RC_CONFLICT, "group_in_use",
		    "source group %s is used by %zu schedule%s (%s%s): take it "
		    "out of them first",
		    g->name, u->n, u->n == 1 ? "" : "s", u->crons[0],
		    u->n > 1 ? ", ..." : "");
	if (p->n_groups == 1)
		return store_fail_code(tx, RC_CONFLICT, "last_group",
		    "%s is the host's last source group: a host keeps one",
		    g->name);
	return RC_OK;
}

/* Runs of it that no agent has seen yet. */
struct waiting {
	struct store_tx *tx;
	const struct sources_gone *gone;
	struct Rec__Host *host;
};

static bool
sources_on_waiting(void *ctx, const struct Rec__Job *j)
{
	struct waiting *w = ctx;
	const struct jobs_end end = { .state = REC__JOB_STATE__JOB_CANCELLED,
		.exit_code = -1,
		.finished_at_ms = w->gone->now_ms,
		.now_ms = w->gone->now_ms,
		.error = "its source group was deleted",
		.cause = "group_deleted",
		.zone = w->gone->zone };
	struct Rec__Job copy = *j;
	struct ulid group;

	if (j->state != REC__JOB_STATE__JOB_QUEUED || j->sent_at_ms != 0 ||
	    !pb_id_get(&j->group_id, &group) ||
	    !ulid_eq(&group, &w->gone->group))
		return true;
	jobs_end(w->tx, w->host, &copy, &end);
	copy.log_closed = true;
	job_store_put(w->tx, &copy);
	return true;
}

enum rc
sources_delete_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct sources_gone *gone = op->in;
	struct plan *p = arena_alloc(&op->arena, sizeof(*p));
	struct Rec__Host *h = host_store_get(state, &gone->host);
	struct waiting w = { state, gone, h };
	const struct Rec__SourceGroup *g;

	(void)vault;
	if (h == NULL || p == NULL)
		return store_rc(state);
	g = plan_store_get(state, &gone->host, &gone->group);
	if (g == NULL)
		return store_rc(state);
	plan_load(state, &gone->host, p);
	if (check_unused(state, op, p, g) != RC_OK)
		return store_rc(state);
	gone->had_hooks = g->has_pre_hook || g->has_post_hook;
	job_store_open_of_host(state, &gone->host, LOOK_BACK,
	    sources_on_waiting, &w);
	plan_store_del(state, &gone->host, &gone->group);
	plan_changed(state, h, gone->now_ms);
	host_store_put(state, h);
	audit(state, op, "source_group.deleted", h, g);
	return store_rc(state);
}
