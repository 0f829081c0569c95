/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/answer.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/store/store.h"
#include "render/expand.h"
#include "render/pages.h"
#include "render/template.h"
#include "render/value.h"
#include "render/view.h"
#include "version.h"

enum {
	REGION_NAME_CAP = 64,
	PATH_CAP = 4096,
	ASSETS_MAX = 16777216, /* bytes of all static files */
	ASSETS_COUNT = 256,
	STATUS_OK_200 = 200,
	STATUS_NOT_FOUND = 404
};

static const struct template *
find(const struct answer *a, const char *prefix, const char *name)
{
	char full[REGION_NAME_CAP];

	if (!str_fmt(full, sizeof(full), "%s%s", prefix, name))
		return NULL;
	return template_find(a->templates, str_of(full));
}

enum rc
answer_check(const struct answer *a, struct err *e)
{
	const struct page *pages;
	const char *const *region;
	size_t i, n;

	pages = pages_table(&n);
	for (i = 0; i < n; i++) {
		if (find(a, "", pages[i].template) == NULL)
			return err_set(e, RC_NOTFOUND,
			    "page %s: there is no template %s", pages[i].name,
			    pages[i].template);
		for (region = pages[i].regions; *region != NULL; region++) {
			if (find(a, "live-", *region) == NULL)
				return err_set(e, RC_NOTFOUND,
				    "page %s: there is no template live-%s",
				    pages[i].name, *region);
		}
	}
	return RC_OK;
}

struct asset_walk {
	const char *dir;
	struct buf all;
};

static enum rc
answer_on_file(void *ctx, const char *name, struct err *e)
{
	struct asset_walk *w = ctx;
	char path[PATH_CAP];
	struct buf one;
	enum rc rc = fsio_join(path, sizeof(path), w->dir, name);

	if (rc != RC_OK)
		return err_set(e, rc, "%s/%s: the path is too long", w->dir,
		    name);
	buf_init(&one, ASSETS_MAX);
	rc = fsio_read(path, &one, e);
	buf_puts(&w->all, name);
	buf_put_str(&w->all, buf_str(&one));
	buf_fini(&one);
	return rc;
}

enum rc
answer_asset(struct answer *a, const char *dir, struct err *e)
{
	struct asset_walk w = { .dir = dir };
	uint8_t hash[CRYPT_HASH_SIZE];
	enum rc rc;

	buf_init(&w.all, ASSETS_MAX);
	rc = fsio_walk(dir, ASSETS_COUNT, answer_on_file, &w, e);
	if (rc == RC_OK && buf_rc(&w.all) != RC_OK)
		rc = err_set(e, RC_LIMIT, "%s: more than %d bytes", dir,
		    ASSETS_MAX);
	if (rc == RC_OK) {
		crypt_sha256(buf_str(&w.all), hash);
		str_hex(hash, (ANSWER_ASSET_CAP - 1) / 2, a->asset,
		    sizeof(a->asset));
	}
	buf_fini(&w.all);
	return rc;
}

static const char *
role_name(int role)
{
	switch (role) {
	case REC__ROLE__ROLE_ADMIN:
		return "administrator";
	case REC__ROLE__ROLE_OPERATOR:
		return "operator";
	case REC__ROLE__ROLE_VIEWER:
		return "viewer";
	default:
		return "";
	}
}

/* What every page and partial may ask for. */
static void
put_common(const struct answer *a, const struct view *v, struct value *root)
{
	const struct Ipc__RenderRequest *req = v->req;
	bool light = strcmp(req->theme, "light") == 0;
	bool dark = strcmp(req->theme, "dark") == 0;

	value_text(root, "theme", light || dark ? req->theme : "");
	value_bool(root, "compact", strcmp(req->density, "compact") == 0);
	value_text(root, "version", RM_VERSION);
	value_text(root, "asset", a->asset);
	value_text(root, "csrf", req->csrf);
	value_text(root, "request_id", req->request_id);
	value_text(root, "zone", a->zone);
	value_bool(root, "signed_in",
	    req->viewer != NULL && req->viewer->role != REC__ROLE__ROLE_NONE);
	value_text(root, "user",
	    req->viewer == NULL ? "" : req->viewer->user_name);
	value_text(root, "role",
	    role_name(req->viewer == NULL ? 0 : req->viewer->role));
	value_bool(root, "can_operate", v->can_operate);
	value_bool(root, "can_admin", view_can_admin(v));
	value_lend(root, "error", view_sentence(v, view_param(v, "error")));
	value_lend(root, "notice", view_sentence(v, view_param(v, "notice")));
	value_text(root, "now_minute",
	    text_minute(v->arena, &v->clock, req->now_ms));
	value_text(root, "now_when",
	    text_when(v->arena, &v->clock, req->now_ms));
	value_text(root, "now_machine", text_machine(v->arena, req->now_ms));
}

/* Runs the view between the begin and the end of its transactions; nothing
 * is read after them. */
static enum rc
run_view(const struct answer *a, const struct page *page, struct view *v,
    struct value *root, struct err *e)
{
	enum rc rc;

	v->state = store_begin_read(a->state, v->arena);
	v->live = store_begin_read(a->live, v->arena);
	rc = page->view(v, root);
	if (store_rc(v->state) != RC_OK && rc != RC_NOTFOUND) {
		rc = store_rc(v->state);
		if (rc != RC_NOTFOUND)
			*e = *store_err(v->state);
	}
	if (rc == RC_OK && store_rc(v->live) != RC_OK) {
		rc = store_rc(v->live);
		*e = *store_err(v->live);
	}
	store_abort(v->live);
	store_abort(v->state);
	if (rc == RC_OK && arena_rc(v->arena) != RC_OK)
		rc = err_set(e, RC_LIMIT, "page %s: out of working memory",
		    page->name);
	return rc;
}

static enum rc
expand_regions(const struct answer *a, const struct page *page,
    const char *wanted, const struct value *root, struct buf *body,
    struct err *e)
{
	bool all = strcmp(wanted, PAGES_ALL) == 0, found = false;
	const char *const *region;
	enum rc rc = RC_OK;

	for (region = page->regions; rc == RC_OK && *region != NULL; region++) {
		if (!all && strcmp(*region, wanted) != 0)
			continue;
		found = true;
		rc = expand(a->templates, find(a, "live-", *region), root, body,
		    e);
	}
	if (!found)
		return err_set(e, RC_INVALID, "page %s has no region %s",
		    page->name, wanted);
	return rc;
}

/* Absent texts are "" in protobuf-c; only messages may be NULL. */
static void
view_init(const struct answer *a, const struct Ipc__RenderRequest *req,
    struct arena *arena, struct view *v)
{
	*v = (struct view){ .arena = arena,
		.req = req,
		.clock = { a->zone, req->now_ms },
		.spool = a->spool,
		.months = a->months,
		.nexts = a->nexts,
		.can_operate =
		    req->viewer != NULL &&
		    req->viewer->role >= (int)REC__ROLE__ROLE_OPERATOR,
		.status = STATUS_OK_200 };
}

enum rc
answer_page(const struct answer *a, const struct Ipc__RenderRequest *req,
    struct arena *arena, struct buf *body, int *out_status, struct err *e)
{
	const struct page *page = pages_find(req->page);
	struct value *root;
	struct view v;
	enum rc rc;

	if (page == NULL)
		return err_set(e, RC_INVALID, "there is no page %s",
		    log_safe(str_of(req->page)));
	if (page->secrets && req->marker[0] == '\0' && req->fragment[0] == '\0')
		return err_set(e, RC_INVALID, "page %s needs a marker",
		    page->name);
	view_init(a, req, arena, &v);
	root = value_root(arena);
	put_common(a, &v, root);
	rc = run_view(a, page, &v, root, e);
	if (rc == RC_NOTFOUND) {
		page = pages_find("error");
		view_init(a, req, arena, &v);
		v.status = STATUS_NOT_FOUND;
		root = value_root(arena);
		put_common(a, &v, root);
		rc = run_view(a, page, &v, root, e);
	}
	if (rc != RC_OK)
		return rc;
	*out_status = v.status;
	if (req->fragment[0] != '\0' && v.status == STATUS_OK_200)
		return expand_regions(a, page, req->fragment, root, body, e);
	return expand(a->templates, find(a, "", page->template), root, body, e);
}
