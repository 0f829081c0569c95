/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "agent/job_own.h"
#include "agent/report.h"
#include "lib/base/clock.h"
#include "lib/base/keep.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"

/*
 * forget: we decide (lib/base/keep.h), restic removes what it is named, and
 * the list afterwards proves it.
 *
 *   begin -> snapshots -> decide -> forget, some at a time -> snapshots ->
 *   compare -> judged
 *
 * A group is the snapshots that bear its tag and this host's name.  What is
 * in several groups goes only when all of them let it go; what is in none,
 * another host's or untagged, is left alone.  So is what a clock that was
 * ahead has made: as the newest for a long time it would push out, or with
 * keep-last at once, what is really newest.
 */

enum {
	FORGET_AT_ONCE = 500, /* ids in one argument list */
	FORGET_GROUPS_MAX = 1000,
	FORGET_WORDS = 96
};

/* A snapshot of one of the groups, as it was before. */
struct forget_snap {
	char id[65];
	int64_t time_ms;
	int32_t utc_offset_s;
	bool stays;
	bool listed; /* afterwards */
};

struct forget_group {
	const char *tag;
	struct keep_policy policy;
	struct forget_snap **snaps;
	size_t n, cap;
	uint64_t kept, removed;
};

struct forget {
	struct forget_group *groups;
	size_t n_groups;
	struct map *snaps; /* id -> struct forget_snap */
	char **ids;        /* to be forgotten; lent by snaps */
	size_t n_ids, at;
	/* With a tag of the groups, and left alone: of another machine, of a
	 * time to come. */
	size_t strange, ahead;
};

/* --------------------------------------------------------------- the end */

void
forget_free(struct forget *f)
{
	size_t i;

	if (f == NULL)
		return;
	for (i = 0; i < f->n_groups; i++)
		mem_free(f->groups[i].snaps);
	map_free_all(f->snaps);
	mem_free(f->groups);
	mem_free(f->ids);
	mem_free(f);
}

void
forget_tell(const struct job *j, Wire__JobFinished *out)
{
	const struct forget *f = j->forget;
	struct arena *a = (struct arena *)(uintptr_t)&j->arena;
	Wire__ForgotGroup *rows;
	size_t i;

	if (f == NULL || f->n_groups == 0)
		return;
	rows = arena_array(a, f->n_groups, sizeof(*rows));
	out->forgot = arena_array(a, f->n_groups, sizeof(*out->forgot));
	if (rows == NULL || out->forgot == NULL)
		return;
	for (i = 0; i < f->n_groups; i++) {
		wire__forgot_group__init(&rows[i]);
		rows[i].tag = (char *)(uintptr_t)f->groups[i].tag;
		rows[i].kept = f->groups[i].kept;
		rows[i].removed = f->groups[i].removed;
		out->forgot[i] = &rows[i];
	}
	out->n_forgot = f->n_groups;
}

/* --------------------------------------------------- the list afterwards */

static void
forget_on_left(void *ctx, const Wire__Snapshot *s)
{
	struct forget_snap *snap = map_get(ctx, str_of(s->id));

	if (snap != NULL)
		snap->listed = true;
}

static void
forget_compare(const struct forget *f, struct outcome_in *in)
{
	const struct forget_snap *snap;
	struct str key;
	void *value;
	size_t pos = 0, i, k;

	while (map_next(f->snaps, &pos, &key, &value)) {
		snap = value;
		in->left += !snap->stays && snap->listed ? 1 : 0;
		in->vanished += snap->stays && !snap->listed ? 1 : 0;
	}
	for (i = 0; i < f->n_groups; i++) {
		f->groups[i].kept = f->groups[i].removed = 0;
		for (k = 0; k < f->groups[i].n; k++)
			if (f->groups[i].snaps[k]->listed)
				f->groups[i].kept++;
			else
				f->groups[i].removed++;
	}
}

static void
forget_judge(struct job *j, bool compared)
{
	struct outcome_in in = job_outcome_in(j);

	in.listed = compared;
	if (compared)
		forget_compare(j->forget, &in);
	j->kind->judge(&in, &j->outcome);
	job_judged(j);
}

static enum rc
forget_read_left(struct job *j, struct err *e)
{
	struct report_list list = { .looked_for = "" };
	struct str doc = buf_str(&j->step.document);
	enum rc rc;

	rc = restic_read_snapshots(doc, &j->arena, forget_on_left,
	    j->forget->snaps, e);
	return rc == RC_OK ? report_snapshots(j->agent->events, doc, &list, e)
	                   : rc;
}

static void
forget_on_relist(struct job *j, const struct err *step_err)
{
	j->list_err = *step_err;
	j->list_seen = j->step.seen;
	forget_judge(j, step_err->rc == RC_OK &&
	                    forget_read_left(j, &j->list_err) == RC_OK);
}

/* ------------------------------------------------------------- forgetting */

static void forget_some(struct job *j);

static void
forget_on_some(struct job *j, const struct err *e)
{
	job_keep_main(j);
	if (j->cancelled)
		forget_judge(j, false);
	else if (e->rc == RC_OK && j->forget->at < j->forget->n_ids)
		forget_some(j);
	else /* also after a failure: some of them may be gone */
		step_run(j, RESTIC_SNAPSHOTS, forget_on_relist);
}

static void
forget_some(struct job *j)
{
	struct forget *f = j->forget;
	size_t n = f->n_ids - f->at;

	if (n > FORGET_AT_ONCE)
		n = FORGET_AT_ONCE;
	f->at += n;
	step_run_ids(j, RESTIC_FORGET, f->ids + f->at - n, n, forget_on_some);
}

/* --------------------------------------------------------------- deciding */

static void
forget_note(struct job *j, const struct forget_group *g,
    const struct keep_item *it)
{
	char when[CLOCK_TEXT_CAP], why[FORGET_WORDS] = "";
	size_t i, n = 0;

	clock_text(it->time_ms, when);
	for (i = 0; i < KEEP_RULE_COUNT; i++) {
		if ((it->reasons & 1U << i) == 0 ||
		    !str_fmt(why + n, sizeof(why) - n, "%s%s",
		        n > 0 ? ", " : "", keep_rule_name((enum keep_rule)i)))
			continue;
		n = strlen(why);
	}
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "%.200s: %s %.8s of %s%s%s%s", g->tag, n > 0 ? "keep" : "forget",
	    it->id, when, n > 0 ? " (" : "", why, n > 0 ? ")" : "");
}

/* A snapshot stays when any of its groups wants it. */
static void
forget_decide_group(struct job *j, struct forget_group *g)
{
	struct keep_item *items = mem_array(g->n + 1, sizeof(*items));
	size_t i;

	for (i = 0; i < g->n; i++)
		items[i] = (struct keep_item){ .time_ms = g->snaps[i]->time_ms,
			.utc_offset_s = g->snaps[i]->utc_offset_s,
			.id = g->snaps[i]->id };
	g->kept = keep_apply(&g->policy, items, g->n);
	ASSERT(g->n == 0 || g->kept > 0);
	for (i = 0; i < g->n; i++) {
		struct forget_snap *snap =
		    map_get(j->forget->snaps, str_of(items[i].id));

		if (items[i].reasons != 0)
			snap->stays = true;
		forget_note(j, g, &items[i]);
	}
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "%.200s: %zu snapshots, %" PRIu64 " to keep", g->tag, g->n,
	    g->kept);
	mem_free(items);
}

static void
forget_decide(struct job *j)
{
	struct forget *f = j->forget;
	struct forget_snap *snap;
	struct str key;
	void *value;
	size_t pos = 0, i;

	for (i = 0; i < f->n_groups; i++)
		forget_decide_group(j, &f->groups[i]);
	f->ids = mem_array(map_count(f->snaps) + 1, sizeof(*f->ids));
	while (map_next(f->snaps, &pos, &key, &value)) {
		snap = value;
		if (!snap->stays)
			f->ids[f->n_ids++] = snap->id;
	}
}

/* -------------------------------------------------------- the list before */

static void
forget_add(struct forget *f, struct forget_group *g, const Wire__Snapshot *s)
{
	struct forget_snap *snap = map_get(f->snaps, str_of(s->id));

	if (snap == NULL) {
		snap = MEM_NEW(struct forget_snap);
		memcpy(snap->id, s->id, sizeof(snap->id));
		snap->time_ms = s->time_ms;
		snap->utc_offset_s = s->utc_offset_s;
		map_put(f->snaps, str_of(s->id), snap);
	}
	if (g->n == g->cap) {
		g->cap = g->cap == 0 ? 64 : g->cap * 2;
		g->snaps = mem_realloc(g->snaps, g->cap * sizeof(*g->snaps));
	}
	g->snaps[g->n++] = snap;
}

static bool
forget_bears(const Wire__Snapshot *s, const char *tag)
{
	size_t i;

	for (i = 0; i < s->n_tags; i++)
		if (strcmp(s->tags[i], tag) == 0)
			return true;
	return false;
}

/* Ids become arguments; one whose time is not known would be the oldest. */
static bool
forget_is_sound(const Wire__Snapshot *s)
{
	uint8_t raw[32];

	return s->time_ms > 0 && str_unhex(str_of(s->id), raw, sizeof(raw));
}

static bool
forget_is_one_of(const struct forget *f, const Wire__Snapshot *s)
{
	size_t i;

	for (i = 0; i < f->n_groups; i++)
		if (forget_bears(s, f->groups[i].tag))
			return true;
	return false;
}

static void
forget_on_snapshot(void *ctx, const Wire__Snapshot *s)
{
	struct job *j = ctx;
	struct forget *f = j->forget;
	size_t i;

	if (!forget_is_sound(s) || !forget_is_one_of(f, s))
		return;
	if (strcmp(s->hostname, j->agent->facts.hostname) != 0) {
		f->strange++;
		return;
	}
	if (s->time_ms > clock_now_ms() + KEEP_AHEAD_MS) {
		f->ahead++;
		return;
	}
	for (i = 0; i < f->n_groups; i++)
		if (forget_bears(s, f->groups[i].tag))
			forget_add(f, &f->groups[i], s);
}

static void
forget_note_left(struct job *j)
{
	const struct forget *f = j->forget;

	if (f->strange > 0)
		lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    "%zu snapshots with these tags are of a machine that is "
		    "not called %.200s, and are left alone",
		    f->strange, j->agent->facts.hostname);
	if (f->ahead > 0)
		lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
		    "%zu snapshots are of a time to come, and are left alone "
		    "and not counted: they were made while this machine's "
		    "clock was ahead, or its clock is behind now",
		    f->ahead);
}

static void
forget_on_list(struct job *j, const struct err *step_err)
{
	struct err e = *step_err;

	if (e.rc == RC_OK &&
	    restic_read_snapshots(buf_str(&j->step.document), &j->arena,
	        forget_on_snapshot, j, &e) != RC_OK) {
		err_code(&j->list_err, e.rc, "not_listed", "%s", e.msg);
		job_end_unrun(j, &j->list_err);
		return;
	}
	if (e.rc != RC_OK || j->cancelled) {
		job_keep_main(j);
		forget_judge(j, false);
		return;
	}
	forget_decide(j);
	forget_note_left(j);
	if (j->forget->n_ids > 0) {
		forget_some(j);
		return;
	}
	lines_printf(j->lines, WIRE__LOG_STREAM__LOG_STREAM_EVENT,
	    "nothing is to be forgotten");
	job_keep_main(j);
	forget_on_relist(j, &e); /* it is the list afterwards, too */
}

/* --------------------------------------------------------------- the start */

static enum rc
forget_take_groups(struct forget *f, const Wire__CommandRun *cmd, struct err *e)
{
	const Wire__Retention *keep;
	size_t i;

	if (cmd->n_forget_groups == 0)
		return err_code(e, RC_INVALID, "bad_command",
		    "no source group to forget snapshots of");
	if (cmd->n_forget_groups > FORGET_GROUPS_MAX)
		return err_code(e, RC_LIMIT, "bad_command",
		    "more than %d source groups", FORGET_GROUPS_MAX);
	f->groups = mem_array(cmd->n_forget_groups, sizeof(*f->groups));
	for (i = 0; i < cmd->n_forget_groups; i++) {
		struct forget_group *g = &f->groups[f->n_groups++];

		*g = (struct forget_group){ .tag = cmd->forget_groups[i]->tag };
		keep = cmd->forget_groups[i]->keep;
		if (keep != NULL)
			g->policy = (struct keep_policy){ { keep->last,
			    keep->hourly, keep->daily, keep->weekly,
			    keep->monthly, keep->yearly } };
		if (g->tag[0] == '\0')
			return err_code(e, RC_INVALID, "bad_command",
			    "a source group without a name");
		if (keep_is_empty(&g->policy))
			return err_code(e, RC_INVALID, "empty_policy",
			    "the retention of %.100s keeps nothing, so "
			    "nothing is forgotten",
			    g->tag);
	}
	return RC_OK;
}

void
forget_begin(struct job *j)
{
	struct err e = { 0 };

	j->forget = MEM_NEW(struct forget);
	j->forget->snaps = map_new();
	if (forget_take_groups(j->forget, j->cmd, &e) != RC_OK)
		job_end_unrun(j, &e);
	else
		step_run(j, RESTIC_SNAPSHOTS, forget_on_list);
}
