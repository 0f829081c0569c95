/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/req.h"
#include "controller/quota.h"

#include <string.h>

#include "controller/auth.h"
#include "controller/client.h"
#include "controller/controller.h"
#include "controller/form.h"
#include "controller/op.h"
#include "controller/page.h"
#include "controller/route.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

enum {
	REQ_ARENA_MAX = 4 << 20,
	REFUSED_BODY_MAX = 1 << 18, /* the largest of any form */
	HTTP_CLIENT_GONE = 499
};

static struct req *
req_new(struct controller *c, struct exch *x)
{
	struct req *r = MEM_NEW(struct req);
	struct ulid id;

	ulid_new(&id);
	ulid_text(&id, r->id);
	r->ctl = c;
	r->x = x;
	r->began_ms = clock_mono_ms();
	arena_init(&r->arena, REQ_ARENA_MAX);
	exch_set_user(x, r);
	return r;
}

void
req_hold(struct req *r)
{
	r->holds++;
}

void
req_release(struct req *r)
{
	ASSERT(r->holds > 0);
	if (--r->holds > 0 || r->x != NULL)
		return;
	arena_fini(&r->arena);
	mem_wipe(r, sizeof(*r));
	mem_free(r);
}

/* ------------------------------------------------- who, and from where */

/* A name that no other machine can be reached by, so that a page of another
 * site whose name was pointed at us does not count as this machine. */
static bool
is_loopback_name(struct str authority)
{
	struct str host, port;

	if (str_starts(authority, STR("[::1]")))
		return true;
	str_cut(authority, ':', &host, &port);
	return str_case_eq(host, STR("localhost")) ||
	       (str_starts(host, STR("127.")) && client_is_address(host));
}

static bool
is_loopback(const struct req *r, const char *peer)
{
	static const char *const forwarded[] = { "forwarded", "x-forwarded-for",
		"x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(forwarded); i++) {
		if (exch_field(r->x, forwarded[i]).p != NULL)
			return false;
	}
	if (!is_loopback_name(exch_authority(r->x)))
		return false;
	return str_starts(str_of(peer), STR("127.")) ||
	       str_starts(str_of(peer), STR("::ffff:127.")) ||
	       strcmp(peer, "::1") == 0;
}

static void
identify_peer(struct req *r)
{
	const char *peer = exch_peer(r->x);
	struct str forwarded, s;

	r->https = exch_is_tls(r->x);
	r->loopback = is_loopback(r, peer);
	forwarded = exch_field(r->x, "x-forwarded-for");
	if (settings_trusted(&r->ctl->settings, peer)) {
		s = exch_field(r->x, "x-forwarded-proto");
		if (s.p != NULL)
			r->https = str_case_eq(s, STR("https"));
	}
	client_address(&r->ctl->settings, peer, forwarded, r->address);
}

static struct str
authority(const struct req *r)
{
	struct str s;

	if (r->x == NULL)
		return str_from(NULL, 0);
	s = exch_field(r->x, "x-forwarded-host");
	if (s.n > 0 && settings_trusted(&r->ctl->settings, exch_peer(r->x)))
		return s;
	return exch_authority(r->x);
}

/* It goes into links and commands that people copy. */
static bool
authority_ok(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && memchr(".-_:[]", c, 6) == NULL)
			return false;
	}
	return s.n > 0 && s.n <= 255;
}

const char *
req_base_url(struct req *r)
{
	struct str a;

	if (r->ctl->settings.base_url != NULL)
		return r->ctl->settings.base_url;
	if (r->base_url == NULL) {
		a = authority(r);
		r->base_url = arena_printf(&r->arena, "%s://%.*s",
		    r->https ? "https" : "http", STR_ARG(a));
	}
	return r->base_url;
}

static bool
field_has(const struct req *r, const char *name, struct str part)
{
	struct str s = exch_field(r->x, name);

	return s.p != NULL && str_contains(s, part);
}

static bool
wants_html(const struct req *r)
{
	/* Of the API only forms that a browser has sent. */
	if (str_starts(exch_path(r->x), STR("/api/")))
		return field_has(r, "content-type",
		           STR("application/x-www-form-urlencoded")) &&
		       field_has(r, "accept", STR("text/html"));
	if (field_has(r, "content-type", STR("application/json")) ||
	    field_has(r, "accept", STR("text/event-stream")))
		return false;
	return field_has(r, "accept", STR("text/html")) ||
	       !field_has(r, "accept", STR("application/json"));
}

/* ------------------------------------------------------- the head's steps */

static void
fail(struct req *r, enum rc rc, const char *code, const char *msg)
{
	struct err e;

	(void)err_code(&e, rc, code, "%s", msg);
	req_fail(r, &e);
}

static bool
find_route(struct req *r)
{
	char allow[64];
	struct err e;
	enum rc rc;
	size_t i;

	rc = route_find(exch_method(r->x), exch_path(r->x), &r->route, r->vars,
	    allow, sizeof(allow));
	for (i = 0; rc == RC_OK && i < REQ_VARS_MAX; i++) {
		if (r->vars[i].p != NULL)
			rc = form_decode(r->vars[i], false, &r->arena,
			    &r->vars[i]);
	}
	if (rc == RC_OK)
		return true;
	if (rc == RC_INVALID) {
		req_add_field(r, "allow", allow);
		(void)err_code(&e, rc, "method_not_allowed",
		    "this address takes %s", allow);
		req_fail_status(r, 405, &e);
	} else if (rc == RC_NOTFOUND) {
		fail(r, rc, NULL, "there is nothing at this address");
	} else {
		fail(r, rc, NULL, "the address is malformed");
	}
	return false;
}

static bool
allowed(struct req *r)
{
	struct err e;

	if (auth_allows(r->route->role, r->role, &e) != RC_OK) {
		req_fail(r, &e);
		return false;
	}
	if (!r->must_change || auth_while_changing(r->route))
		return true;
	if (r->wants_html) {
		req_redirect(r, "/settings/account");
		return false;
	}
	fail(r, RC_DENIED, "password_change_required",
	    "choose a new password first: POST /api/account/password");
	return false;
}

static bool
length_ok(struct req *r)
{
	struct str s = exch_field(r->x, "content-length");
	struct err e;
	uint64_t n;

	if (s.p == NULL ||
	    (str_u64(s, UINT64_MAX, &n) && n <= r->route->max_body))
		return true;
	(void)err_set(&e, RC_LIMIT,
	    "the body is larger than the %zu bytes taken here",
	    r->route->max_body);
	req_fail(r, &e);
	return false;
}

static bool
head_ok(struct req *r)
{
	struct err e;

	identify_peer(r);
	r->wants_html = wants_html(r);
	if (!authority_ok(authority(r))) {
		fail(r, RC_PROTO, NULL, "the Host is missing or malformed");
		return false;
	}
	if (auth_identify(r, &e) != RC_OK) {
		req_fail(r, &e);
		return false;
	}
	return find_route(r) && allowed(r) && length_ok(r);
}

static size_t
req_on_head(void *ctx, struct exch *x)
{
	struct req *r = req_new(ctx, x);
	size_t limit;

	req_hold(r);
	r->refused = !head_ok(r);
	/* The page that says why is still being drawn: a body that would be
	 * refused for its length now would be answered before it. */
	if (!r->refused)
		limit = r->route->max_body;
	else
		limit = r->status == 0 ? REFUSED_BODY_MAX : 0;
	req_release(r);
	return limit;
}

/* ------------------------------------------------------- the body's steps */

static bool
is_safe(struct str method)
{
	return str_eqz(method, "GET") || str_eqz(method, "HEAD");
}

static enum rc
check_origin(const struct req *r, struct err *e)
{
	const struct auth_origin o = { exch_field(r->x, "origin"),
		exch_field(r->x, "sec-fetch-site"), r->https, authority(r),
		r->ctl->settings.base_url };

	/* No page can make a browser send a bearer. */
	if (is_safe(exch_method(r->x)) || r->bearer)
		return RC_OK;
	return auth_origin_ok(&o, e);
}

static bool
type_is(struct str have, struct str want)
{
	struct str type, rest;

	str_cut(have, ';', &type, &rest);
	return str_case_eq(str_trim(type), want);
}

static enum rc
decode_form(struct req *r, struct err *e)
{
	enum rc rc;

	rc = form_parse(r->body, &r->arena, &r->form, &r->form_count);
	if (rc == RC_LIMIT)
		return err_set(e, rc, "the form has too many fields");
	if (rc != RC_OK)
		return err_set(e, rc, "the form is not well-formed");
	return auth_form_ok(r, e);
}

static enum rc
decode_json(struct req *r, struct err *e)
{
	const struct route_json *json = r->route->json;
	struct str text = r->body.n > 0 ? r->body : STR("{}");

	if (json == NULL)
		return RC_OK;
	r->in = arena_alloc(&r->arena, json->size);
	if (r->in == NULL)
		return err_set(e, RC_LIMIT, "the body is too large");
	return json_read(text, json->fields, json->n, r->in, &r->arena, e);
}

static enum rc
decode_body(struct req *r, struct err *e)
{
	struct str type = exch_field(r->x, "content-type");
	enum route_body body = r->route->body;

	if (body == ROUTE_NO_BODY)
		return RC_OK;
	if (body != ROUTE_JSON &&
	    type_is(type, STR("application/x-www-form-urlencoded")))
		return decode_form(r, e);
	/* Without a body scripts send no type; the origin was checked. */
	if (body != ROUTE_FORM && (type_is(type, STR("application/json")) ||
	                              (type.p == NULL && r->body.n == 0)))
		return decode_json(r, e);
	return err_code(e, RC_PROTO, "content_type", "Content-Type must be %s",
	    body == ROUTE_FORM ? "application/x-www-form-urlencoded"
	                       : "application/json");
}

static void
req_on_request(void *ctx, struct exch *x, struct str body)
{
	struct req *r = exch_user(x);
	struct err e;

	(void)ctx;
	if (r == NULL || r->refused)
		return;
	req_hold(r);
	r->body = body;
	if (check_origin(r, &e) == RC_OK && decode_body(r, &e) == RC_OK)
		r->route->run(r);
	else
		req_fail(r, &e);
	req_release(r);
}

static void
req_on_writable(void *ctx, struct exch *x)
{
	struct req *r = exch_user(x);

	(void)ctx;
	if (r != NULL && r->stream != NULL)
		r->stream->writable(r, r->stream_ctx);
}

/* ----------------------------------------------------------------- the end */

/* An enrolment token is secret.pin, the secret 32 bytes as base64url; it is
 * good without its second half too, and the path may be encoded. */
static bool
is_secret(struct req *r, struct str segment)
{
	struct str plain, head, tail;

	if (form_decode(segment, false, &r->arena, &plain) != RC_OK)
		plain = segment;
	(void)str_cut(plain, '.', &head, &tail);
	return head.n == CRYPT_TOKEN_CAP - 1;
}

static struct str
path_for_log(struct req *r)
{
	struct str rest = exch_path(r->x), segment;
	struct str whole = rest;
	size_t at;

	while (str_next(&rest, '/', &segment)) {
		if (segment.n < CRYPT_TOKEN_CAP - 1 || !is_secret(r, segment))
			continue;
		at = (size_t)(segment.p - whole.p);
		return str_of(
		    arena_printf(&r->arena, "%.*s[token]", (int)at, whole.p));
	}
	return whole;
}

static void
log_request(struct req *r)
{
	int status = r->status != 0 ? r->status : HTTP_CLIENT_GONE;
	long long ms = clock_mono_ms() - r->began_ms;

	if (!quota_line(r))
		return;
	log_info(LOG_HTTP,
	    "request id=%s method=%s path=%s status=%d ms=%lld user=%s "
	    "address=%s http=%s",
	    r->id, log_safe(exch_method(r->x)), log_safe(path_for_log(r)),
	    status, ms, r->user_name[0] != '\0' ? r->user_name : "-",
	    r->address, exch_is_h2(r->x) ? "2" : "1");
}

static void
req_on_close(void *ctx, struct exch *x)
{
	struct req *r = exch_user(x);

	(void)ctx;
	if (r == NULL)
		return;
	log_request(r);
	quota_closed(r);
	req_hold(r);
	r->x = NULL;
	if (r->stream != NULL)
		r->stream->closed(r, r->stream_ctx);
	r->stream = NULL;
	req_release(r);
}

const struct exch_handler req_handler = {
	.on_head = req_on_head,
	.on_request = req_on_request,
	.on_writable = req_on_writable,
	.on_close = req_on_close,
};

/* --------------------------------------------------------- for the handlers */

struct str
req_field(const struct req *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->form_count; i++) {
		if (str_eqz(r->form[i].name, name))
			return r->form[i].value;
	}
	return str_from(NULL, 0);
}

struct str
req_query(struct req *r, const char *name)
{
	struct req_form *fields;
	size_t i, n;

	if (r->x == NULL)
		return str_from(NULL, 0);
	if (form_parse(exch_query(r->x), &r->arena, &fields, &n) != RC_OK)
		return str_from(NULL, 0);
	for (i = 0; i < n; i++) {
		if (str_eqz(fields[i].name, name))
			return fields[i].value;
	}
	return str_from(NULL, 0);
}

enum rc
req_ulid(const struct req *r, size_t i, struct ulid *out)
{
	ASSERT(i < REQ_VARS_MAX);
	return ulid_parse(r->vars[i], out) ? RC_OK : RC_NOTFOUND;
}

static void
req_on_committed(struct op *op, void *ctx)
{
	struct req *r = ctx;
	req_done_fn *done = r->op_done;

	r->op_done = NULL;
	done(r, op);
	req_release(r);
}

void
req_submit(struct req *r, struct op *op, req_done_fn *done)
{
	ASSERT(r->op_done == NULL);
	op->done = req_on_committed;
	op->ctx = r;
	op->actor.user = r->user_id;
	memcpy(op->actor.name, r->user_name, sizeof(op->actor.name));
	memcpy(op->actor.address, r->address, sizeof(op->actor.address));
	r->op_done = done;
	req_hold(r);
	op_submit(r->ctl->ops, &op);
}

bool
req_stored(struct req *r, const struct op *op)
{
	if (op->err.rc != RC_OK)
		req_fail(r, &op->err);
	return op->err.rc == RC_OK;
}
