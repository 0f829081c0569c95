/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/route.h"
#include "lib/base/json_doc.h"
#include "lib/base/log.h"

/* What a page may load: only what comes from here (ui/design.md, 11). */
#define CONTENT_POLICY                                              \
	"default-src 'none'; style-src 'self'; script-src 'self'; " \
	"img-src 'self'; font-src 'self'; connect-src 'self'; "     \
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

static bool
has_field(const struct req *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->field_count; i++) {
		if (str_eqz(r->fields[i].name, name))
			return true;
	}
	return false;
}

/* name is a literal. */
static void
add_static(struct req *r, const char *name, const char *value)
{
	ASSERT(r->field_count < REQ_FIELDS_MAX);
	r->fields[r->field_count].name = str_of(name);
	r->fields[r->field_count++].value = str_of(value);
}

void
req_add_field(struct req *r, const char *name, const char *value)
{
	ASSERT(strcmp(name, "set-cookie") == 0 || !has_field(r, name));
	add_static(r, arena_dup(&r->arena, name), arena_dup(&r->arena, value));
}

static void
add_common(struct req *r)
{
	add_static(r, "x-request-id", r->id);
	add_static(r, "x-content-type-options", "nosniff");
	add_static(r, "content-security-policy", CONTENT_POLICY);
	add_static(r, "referrer-policy", "same-origin");
	add_static(r, "x-frame-options", "DENY");
	add_static(r, "cross-origin-opener-policy", "same-origin");
	add_static(r, "cross-origin-resource-policy", "same-origin");
	if (r->https)
		add_static(r, "strict-transport-security", "max-age=31536000");
	if (!has_field(r, "cache-control"))
		add_static(r, "cache-control", "no-store");
}

/* Whether there is still somebody to answer; it is the one answer. */
static bool
begin(struct req *r, int status, const char *type)
{
	if (r->x == NULL)
		return false;
	ASSERT(r->status == 0);
	r->status = status;
	if (type != NULL)
		add_static(r, "content-type", type);
	add_common(r);
	return true;
}

void
req_text(struct req *r, int status, const char *type, struct str body)
{
	if (begin(r, status, type))
		exch_reply(r->x, status, r->fields, r->field_count, body);
}

void
req_lent(struct req *r, int status, const char *type, struct str body,
    exch_release_fn *release, void *ctx)
{
	if (begin(r, status, type))
		exch_reply_lent(r->x, status, r->fields, r->field_count, body,
		    release, ctx);
	else
		release(ctx);
}

void
req_empty(struct req *r, int status)
{
	req_text(r, status, NULL, str_from("", 0));
}

void
req_redirect(struct req *r, const char *location)
{
	req_add_field(r, "location", location);
	req_empty(r, 303);
}

void
req_json(struct req *r, int status, const struct buf *body)
{
	struct err e;

	if (buf_rc(body) == RC_OK) {
		req_text(r, status, "application/json", buf_str(body));
		return;
	}
	(void)err_set(&e, RC_LIMIT, "the answer is too large");
	req_fail_status(r, 500, &e);
}

void
req_doc(struct req *r, int status, struct json_doc *d)
{
	(void)json_doc_end(d);
	req_json(r, status, &d->b);
}

static void
fail_json(struct req *r, int status, const struct err *e)
{
	const struct rc_info *info = rc_info(e->rc);
	struct json_doc d;

	json_doc_init(&d, KIB(4));
	json_put(&d.j, "code", e->code != NULL ? e->code : info->json_code);
	json_put(&d.j, "message", e->msg[0] != '\0' ? e->msg : info->text);
	if (e->field != NULL)
		json_put(&d.j, "field", e->field);
	req_text(r, status, "application/json", str_of(json_doc_end(&d)));
	json_doc_fini(&d);
}

static void
fail_page(struct req *r, int status, const struct err *e)
{
	const char *needs =
	    e->rc == RC_DENIED && e->code == NULL && r->route != NULL
	        ? auth_need_name(r->route->role)
	        : "";
	const struct page_param params[] = {
		{ "status", str_of(arena_printf(&r->arena, "%d", status)) },
		{ "message", str_of(arena_dup(&r->arena, e->msg)) },
		{ "needs", str_of(needs) },
		{ "code", str_of(e->code == NULL ? "" : e->code) },
	};

	page_reply(r, status, "error", params, ARRAY_LEN(params), NULL);
}

void
req_fail_status(struct req *r, int status, const struct err *e)
{
	if (r->x == NULL)
		return;
	if (status >= 500)
		log_warn(LOG_HTTP, "request failed id=%s rc=%s: %s", r->id,
		    rc_info(e->rc)->name, log_safe(str_of(e->msg)));
	if (r->wants_html)
		fail_page(r, status, e);
	else
		fail_json(r, status, e);
}

/* What was to be changed was not; to sign out is done already. */
static bool
changes_nothing(const struct route *route)
{
	return route != NULL && strcmp(route->method, "POST") == 0 &&
	       strcmp(route->pattern, "/logout") != 0;
}

void
req_fail(struct req *r, const struct err *e)
{
	if (e->rc == RC_AUTH && r->wants_html && r->x != NULL)
		req_redirect(r,
		    changes_nothing(r->route) ? "/login?ended=1" : "/login");
	else
		req_fail_status(r, rc_info(e->rc)->http_status, e);
}

bool
req_need_ulid(struct req *r, size_t i, const char *none, struct ulid *out)
{
	struct ulid id;
	struct err e;

	if (req_ulid(r, i, &id) == RC_OK && !ulid_is_zero(&id)) {
		*out = id;
		return true;
	}
	(void)err_set(&e, RC_NOTFOUND, "%s", none);
	req_fail(r, &e);
	return false;
}

bool
req_stream_begin(struct req *r, int status, const struct req_stream *s,
    void *ctx)
{
	if (!begin(r, status, NULL))
		return false;
	r->stream = s;
	r->stream_ctx = ctx;
	exch_stream_begin(r->x, status, r->fields, r->field_count);
	return true;
}

enum rc
req_stream_write(struct req *r, struct str piece)
{
	if (r->x == NULL)
		return RC_CANCELLED;
	return exch_stream_write(r->x, piece);
}

void
req_stream_end(struct req *r)
{
	if (r->x != NULL)
		exch_stream_end(r->x);
}

void
req_stream_abort(struct req *r)
{
	if (r->x != NULL)
		exch_abort(r->x);
}
