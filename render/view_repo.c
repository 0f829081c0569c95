/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One host: the tab Repository. */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/job_store.h"
#include "lib/store/snap_store.h"
#include "render/cause.h"
#include "render/host_page.h"
#include "render/host_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	TAGS_SHOWN = 20,
	TAG_CAP = 80,
	SNAPSHOTS_LOOKED_AT = 5000
};

/* -------------------------------------------------------------- snapshots */

/* M-233: how many snapshots carry which tag. */
struct tally {
	struct {
		char tag[TAG_CAP];
		uint64_t n;
	} of[TAGS_SHOWN];
	size_t used;
	uint64_t untagged, seen;
};

static void
count_tag(struct tally *t, struct str tag)
{
	size_t i;

	tag = view_cut(tag, TAG_CAP - 1);
	for (i = 0; i < t->used; i++)
		if (str_eqz(tag, t->of[i].tag))
			break;
	if (i == TAGS_SHOWN)
		return;
	if (i == t->used && !str_copy(t->of[i].tag, TAG_CAP, tag))
		return;
	t->used += i == t->used;
	t->of[i].n++;
}

static bool
view_repo_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct tally *t = ctx;
	size_t i;

	t->seen++;
	t->untagged += s->n_tags == 0;
	for (i = 0; i < s->n_tags; i++)
		count_tag(t, str_of(s->tags[i]));
	return true;
}

static void
put_tally(struct view *v, struct value *root, const struct host_view *hv)
{
	struct tally *t = arena_alloc(v->arena, sizeof(*t));
	struct value *list = value_list(root, "by_tag"), *item;
	size_t i;

	if (t == NULL)
		return;
	memset(t, 0, sizeof(*t));
	snap_store_of_host(v->state, &hv->id, 0, SNAPSHOTS_LOOKED_AT,
	    view_repo_on_snapshot, t);
	for (i = 0; i < t->used; i++) {
		item = value_item(list);
		value_copy(item, "tag", str_of(t->of[i].tag));
		value_text(item, "n", text_count(v->arena, t->of[i].n));
	}
	value_text(root, "untagged",
	    t->untagged == 0 ? "" : text_count(v->arena, t->untagged));
	value_bool(root, "any_snapshot", t->seen > 0);
	value_text(root, "looked_at",
	    t->seen < SNAPSHOTS_LOOKED_AT ? "" : text_count(v->arena, t->seen));
}

/* ----------------------------------------------------------------- health */

struct condition {
	const char *class, *glyph, *word;
};

static struct condition
condition_of(const struct Rec__Host *h, const struct Rec__Job *init)
{
	if (init != NULL && init->state == REC__JOB_STATE__JOB_RUNNING)
		return (struct condition){ "run", "run", "Being tried" };
	if (init != NULL && init->state == REC__JOB_STATE__JOB_QUEUED)
		return (struct condition){ "idle", "queued",
			"Waiting to be tried" };
	switch (h->repo_status) {
	case REC__REPO_STATUS__REPO_READY:
		return (struct condition){ "ok", "ok", "Ready" };
	case REC__REPO_STATUS__REPO_INIT_FAILED:
		return (struct condition){ "bad", "failed", "Not ready" };
	case REC__REPO_STATUS__REPO_UNKNOWN:
	case _REC__REPO_STATUS_IS_INT_SIZE:
		break;
	}
	return (struct condition){ "idle", "never", "Not tried yet" };
}

static void
put_health(struct view *v, struct value *root, const struct host_view *hv)
{
	const struct Rec__Host *h = hv->host;
	const struct Rec__Job *init = host_page_init(v, h);
	struct condition c = condition_of(h, init);
	bool open = init != NULL && !job_state_final(init->state);
	bool failed = h->repo_status == REC__REPO_STATUS__REPO_INIT_FAILED;
	struct value *m = value_map(root, "health");

	value_text(m, "class", c.class);
	value_text(m, "glyph", c.glyph);
	value_text(m, "word", c.word);
	value_bool(m, "spin", strcmp(c.glyph, "run") == 0);
	value_copy(m, "why",
	    view_sentence(v,
	        view_cut(str_of(failed ? h->repo_status_error : ""), KIB(4))));
	value_text(m, "advice",
	    failed && init != NULL ? cause_advice(init) : "");
	value_text(m, "init_link",
	    init == NULL
	        ? ""
	        : arena_printf(v->arena, "/jobs/%s", view_id(v, init->id)));
	view_time(v, m, "tried",
	    init == NULL || open ? 0 : init->finished_at_ms);
	value_text(m, "raw",
	    h->repo_raw_size_bytes == 0
	        ? ""
	        : text_bytes(v->arena, h->repo_raw_size_bytes));
	view_time(v, m, "listed", h->snapshots_at_ms);
	value_bool(m, "held", h->applied_config_version == h->config_version);
	value_bool(m, "can_try",
	    v->can_operate && !open && h->repo_url[0] != '\0');
}

/* ------------------------------------------------------------------ forms */

/* What is stored, or what was typed and refused. */
static void
put_form(struct view *v, struct value *root, const struct Rec__Host *h)
{
	static const char *const names[] = { "repo_url", "repo_username",
		"repo_password", "reinit", "delete", NULL };
	bool typed = view_param_is(v, "typed", "1");
	struct value *m = value_map(root, "form");

	view_fields(v, m, names);
	value_lend(m, "url_value",
	    typed ? view_param(v, "repo_url") : str_of(h->repo_url));
	value_lend(m, "username_value",
	    typed ? view_param(v, "repo_username") : str_of(h->repo_username));
	value_bool(m, "has_password", view_param_is(v, "has_password", "1"));
	value_lend(m, "confirm", view_param(v, "confirm"));
}

/* The name as a regular expression, for the field that asks for it. */
static void
put_name_pattern(struct value *root, const struct Rec__Host *h)
{
	const char *p;
	struct buf b;

	buf_init(&b, KIB(4));
	for (p = h->name; *p != '\0'; p++) {
		if (strchr("^$\\.*+?()[]{}|/-&!#%,:;<=>@`~", *p) != NULL)
			buf_putc(&b, '\\');
		buf_putc(&b, *p);
	}
	value_copy(root, "name_pattern", buf_str(&b));
	buf_fini(&b);
}

enum rc
view_host_repo(struct view *v, struct value *root)
{
	struct host_view hv = { 0 };
	enum rc rc;

	rc = host_page_put(v, root, "repo", &hv);
	if (rc != RC_OK)
		return rc;
	put_health(v, root, &hv);
	put_tally(v, root, &hv);
	put_form(v, root, hv.host);
	put_name_pattern(root, hv.host);
	value_text(root, "repo_place", hv.host->repo_url);
	value_text(root, "event_query", "");
	return RC_OK;
}
