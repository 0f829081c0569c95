/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host page's tab Repository: the page, and its forms of secrets. */
#include <string.h>

#include "controller/controller.h"
#include "controller/creds.h"
#include "controller/creds_own.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/sse.h"
#include "lib/base/repo_env.h"
#include "lib/store/store.h"

enum {
	PARAMS_MAX = 40,
	FIELD_MAX = 4096 /* of a text that comes back */
};

#define VALUE_OF "var-"
#define DROP_OF "drop-"

/* ------------------------------------------------------------------- page */

static struct str
stored_password(struct req *r, enum creds_slot slot)
{
	struct ulid host;

	if (req_ulid(r, 0, &host) == RC_OK &&
	    creds_has_password(r, &host, slot))
		return STR("1");
	return STR("");
}

void
creds_page(struct req *r)
{
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "has_password", stored_password(r, CREDS_REPO) },
		{ "has_admin_password", stored_password(r, CREDS_ADMIN) },
		{ "range", req_query(r, "range") },
		{ "notice", page_saved(r) },
	};

	page_reply(r, 200, "host_repo", params, ARRAY_LEN(params), NULL);
}

/* The form of the page that posts there. */
static const char *
section_of(const struct req *r)
{
	static const struct {
		const char *ends, *section;
	} sections[] = {
		{ "/repo/credentials", "connection" },
		{ "/admin-credentials", "admin" },
		{ "/repo/variables", "variables" },
		{ "/repo/bandwidth", "bandwidth" },
		{ "/repo/maintenance", "maintenance" },
		{ "/repo/hooks", "hooks" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(sections); i++)
		if (str_ends(str_of(r->route->pattern),
		        str_of(sections[i].ends)))
			return sections[i].section;
	return "danger";
}

/* A field is no param of the page by another name. */
static bool
is_field(struct str name)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if ((name.p[i] < 'a' || name.p[i] > 'z') && name.p[i] != '_')
			return false;
	return name.n > 0 && !str_eqz(name, "notice") &&
	       !str_eqz(name, "error");
}

static bool
comes_back(const struct req_form *f)
{
	static const char *const secret[] = { "csrf", "repo_password",
		"pre_hook", "post_hook" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(secret); i++)
		if (str_eqz(f->name, secret[i]))
			return false;
	return is_field(f->name) && f->value.n <= FIELD_MAX;
}

void
creds_page_again(struct req *r, const char *param, const struct err *e)
{
	struct page_param params[PARAMS_MAX] = {
		{ "id", r->vars[0] },
		{ "has_password", stored_password(r, CREDS_REPO) },
		{ "has_admin_password", stored_password(r, CREDS_ADMIN) },
		{ "typed", str_of(section_of(r)) },
		{ param, str_of(arena_dup(&r->arena, e->msg)) },
	};
	size_t i, n = 5;

	for (i = 0; i < r->form_count && n < PARAMS_MAX; i++) {
		const struct req_form *f = &r->form[i];
		bool url = str_eqz(f->name, "repo_url");

		if (comes_back(f))
			params[n++] =
			    (struct page_param){ arena_str(&r->arena, f->name),
				    url ? creds_url_again(&r->arena, f->value)
				        : f->value };
	}
	page_refused(r, "host_repo", params, n, e);
}

/* ------------------------------------------------------------------ forms */

struct form_field {
	const char *name;
	size_t max;
	enum rc (*check)(const char *z, struct err *e);
};

enum {
	URL,
	USERNAME,
	PASSWORD,
	FIELDS
};

/* Blank: the everyday slot's. */
static enum rc
check_admin_url(const char *url, struct err *e)
{
	return url[0] == '\0' ? RC_OK : creds_check_url(url, e);
}

static const struct form_field fields[][FIELDS] = {
	[CREDS_REPO] = {
	    { "repo_url", CREDS_URL_MAX, creds_check_url },
	    { "repo_username", CREDS_USER_MAX, creds_check_username },
	    { "repo_password", CREDS_PASSWORD_MAX, creds_check_password },
	},
	[CREDS_ADMIN] = {
	    { "repo_url", CREDS_URL_MAX, check_admin_url },
	    { "repo_username", CREDS_USER_MAX, creds_check_username },
	    { "repo_password", CREDS_PASSWORD_MAX, creds_check_password },
	},
};

static void
saved(struct req *r, const char *section)
{
	req_redirect(r, arena_printf(&r->arena, "/hosts/%.*s/repo?saved=%s",
	                    STR_ARG(r->vars[0]), section));
}

/* Saved nothing, so it says nothing. */
static void
unchanged(struct req *r, const char *section)
{
	req_redirect(r, arena_printf(&r->arena, "/hosts/%.*s/repo#%s",
	                    STR_ARG(r->vars[0]), section));
}

static void
creds_on_form_put(struct req *r, struct op *op)
{
	const struct creds_edit *ed = op->in;
	const struct err *e = &op->err;
	const char *section = section_of(r);

	if (e->rc == RC_OK) {
		creds_tell(r->ctl, ed);
		saved(r, ed->dropped ? "moved" : section);
	} else if (e->rc != RC_INVALID && e->rc != RC_CORRUPT) {
		creds_page_again(r, "error", e);
	} else if (strcmp(section, "variables") == 0 ||
	           (ed->extra.n > 0 && e->code == NULL &&
	               e->rc == RC_INVALID)) {
		creds_page_again(r, "error.variables", e);
	} else {
		creds_page_again(r, "error.repo_password", e);
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

/* Browsers send line ends as CR LF. */
static char *
lines_of(struct arena *a, struct str s)
{
	char *z = arena_str(a, s), *to = z;
	const char *from;

	for (from = z; *from != '\0'; from++)
		if (from[0] != '\r' || from[1] != '\n')
			*to++ = *from;
	*to = '\0';
	return z;
}

/* A value that was typed counts more than a tick at "remove". */
static void
read_variables(struct req *r, struct json_pairs *out)
{
	size_t i;

	out->v = arena_array(&r->arena, r->form_count + 1, sizeof(*out->v));
	for (i = 0; out->v != NULL && i < r->form_count; i++) {
		const struct req_form *f = &r->form[i];
		bool value = str_starts(f->name, STR(VALUE_OF));
		bool drop = str_starts(f->name, STR(DROP_OF));
		struct str name = str_sub(f->name,
		    value ? strlen(VALUE_OF) : strlen(DROP_OF), f->name.n);
		const char *typed;

		if ((!value && !drop) || f->value.n == 0)
			continue;
		typed = arena_printf(&r->arena, VALUE_OF "%.*s", STR_ARG(name));
		if (drop && req_field(r, typed).n > 0)
			continue;
		out->v[out->n].name = arena_str(&r->arena, name);
		out->v[out->n++].value =
		    value ? lines_of(&r->arena, f->value) : NULL;
	}
}

static void
form(struct req *r, enum creds_slot slot)
{
	struct creds_edit ed = { .slot = slot, .as_typed = true };
	char *text[FIELDS];
	const char *wrong = NULL;
	struct err e;
	size_t i;

	if (!req_need_ulid(r, 0, "there is no such host", &ed.host))
		return;
	for (i = 0; wrong == NULL && i < FIELDS; i++) {
		struct str s = req_field(r, fields[slot][i].name);

		/* Blanks at a password's ends are part of it. */
		text[i] = arena_str(&r->arena, i < PASSWORD ? str_trim(s) : s);
		wrong = check_field(&fields[slot][i], text[i], &r->arena, &e);
	}
	if (wrong != NULL) {
		creds_page_again(r, wrong, &e);
		return;
	}
	read_variables(r, &ed.extra);
	ed.url = text[URL];
	ed.username = text[USERNAME];
	ed.password = text[PASSWORD];
	if (slot == CREDS_ADMIN && ed.url[0] == '\0' &&
	    ed.username[0] == '\0' && ed.password[0] == '\0' && ed.extra.n == 0)
		unchanged(r, "admin"); /* M-204 */
	else
		creds_submit(r, &ed, creds_on_form_put);
}

void
creds_form(struct req *r)
{
	form(r, CREDS_REPO);
}

void
creds_form_admin(struct req *r)
{
	form(r, CREDS_ADMIN);
}

void
creds_form_variables(struct req *r)
{
	struct creds_edit ed = { .slot = CREDS_REPO };

	if (!req_need_ulid(r, 0, "there is no such host", &ed.host))
		return;
	read_variables(r, &ed.extra);
	if (ed.extra.n == 0)
		unchanged(r, "variables");
	else
		creds_submit(r, &ed, creds_on_form_put);
}

static void
creds_on_form_deleted(struct req *r, struct op *op)
{
	const struct creds_removal *x = op->in;

	if (op->err.rc != RC_OK) {
		creds_page_again(r, "error", &op->err);
		return;
	}
	if (x->removed)
		sse_host_changed(r->ctl->sse, &x->host);
	saved(r, "admin_deleted");
}

void
creds_form_admin_delete(struct req *r)
{
	creds_submit_removal(r, creds_on_form_deleted);
}
