/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host page's tab Repository: the page, and its connection form. */
#include <string.h>

#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/page.h"
#include "controller/req.h"
#include "lib/store/store.h"

struct form_field {
	const char *name;
	size_t max;
	enum rc (*check)(const char *z, struct err *e);
};

enum {
	PASSWORD = 2
};

/* In the order of the form. */
static const struct form_field fields[] = {
	{ "repo_url", CREDS_URL_MAX, creds_check_url },
	{ "repo_username", CREDS_USER_MAX, creds_check_username },
	{ "repo_password", CREDS_PASSWORD_MAX, creds_check_password },
};

static struct str
stored_password(struct req *r)
{
	struct ulid host;

	if (req_ulid(r, 0, &host) == RC_OK && creds_has_password(r, &host))
		return STR("1");
	return STR("");
}

void
creds_page(struct req *r)
{
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "has_password", stored_password(r) },
		{ "notice", page_saved(r) },
	};

	page_reply(r, 200, "host_repo", params, ARRAY_LEN(params), NULL);
}

/* The typed URL without user:password@: a page must not hold a password, not
 * even one typed into the wrong field. */
static struct str
url_again(struct req *r)
{
	struct str url = req_field(r, "repo_url"), head, host;
	const char *slashes = memmem(url.p, url.n, "://", 3);
	size_t n;

	if (slashes == NULL)
		return url;
	n = (size_t)(slashes - url.p) + 3;
	if (!str_cut(str_sub(url, n, url.n), '@', &head, &host) ||
	    !str_contains(head, STR(":")))
		return url;
	return str_of(arena_printf(&r->arena, "%.*s%.*s",
	    STR_ARG(str_sub(url, 0, n)), STR_ARG(host)));
}

void
creds_page_again(struct req *r, const char *param, const struct err *e)
{
	bool typed = req_field(r, "repo_url").p != NULL;
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "has_password", stored_password(r) },
		{ "typed", typed ? STR("1") : STR("") },
		{ "repo_url", typed ? url_again(r) : STR("") },
		{ "repo_username", req_field(r, "repo_username") },
		{ "confirm", req_field(r, "confirm") },
		{ param, str_of(arena_dup(&r->arena, e->msg)) },
	};

	/* No such host, no page of it. */
	if (e->rc == RC_NOTFOUND)
		req_fail(r, e);
	else
		page_reply(r, rc_info(e->rc)->http_status, "host_repo", params,
		    ARRAY_LEN(params), NULL);
}

static void
creds_on_form_put(struct req *r, struct op *op)
{
	const struct creds_edit *ed = op->in;
	const struct err *e = &op->err;

	if (e->rc == RC_OK) {
		creds_tell(r->ctl, ed);
		req_redirect(r,
		    arena_printf(&r->arena, "/hosts/%.*s/repo?saved=connection",
		        STR_ARG(r->vars[0])));
	} else if (e->rc == RC_INVALID || e->rc == RC_CORRUPT) {
		creds_page_again(r, "error.repo_password", e);
	} else {
		creds_page_again(r, "error", e);
	}
}

static const char *
check_field(const struct form_field *f, const char *z, struct arena *a,
    struct err *e)
{
	if (strlen(z) > f->max)
		(void)err_set(e, RC_INVALID, "at most %zu bytes fit here",
		    f->max);
	else if (f->check(z, e) == RC_OK)
		return NULL;
	return arena_printf(a, "error.%s", f->name);
}

void
creds_form(struct req *r)
{
	struct creds_edit ed = { .as_typed = true };
	char *text[ARRAY_LEN(fields)];
	const char *wrong = NULL;
	struct err e;
	size_t i;

	if (req_ulid(r, 0, &ed.host) != RC_OK) {
		(void)err_set(&e, RC_NOTFOUND, "there is no such host");
		req_fail(r, &e);
		return;
	}
	for (i = 0; wrong == NULL && i < ARRAY_LEN(fields); i++) {
		struct str s = req_field(r, fields[i].name);

		/* Blanks at a password's ends are part of it. */
		text[i] = arena_str(&r->arena, i < PASSWORD ? str_trim(s) : s);
		wrong = check_field(&fields[i], text[i], &r->arena, &e);
	}
	if (wrong != NULL) {
		creds_page_again(r, wrong, &e);
		return;
	}
	ed.url = text[0];
	ed.username = text[1];
	ed.password = text[2];
	creds_submit(r, &ed, creds_on_form_put);
}
