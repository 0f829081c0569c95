/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/controller.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/shown.h"
#include "controller/tokens.h"
#include "controller/users_op.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

/* clang-format off */
static const struct users_notice notices[] = {
	{ "saved",      "saved" },
	{ "disabled",   "the user is disabled: sessions, event streams and API tokens are over" },
	{ "enabled",    "the user is enabled again" },
	{ "revoked",    "the API token is revoked" },
	{ "logged-out", "the user is signed out everywhere" },
};
/* clang-format on */

/* -------------------------------------------------------------------- list */

void
users_page(struct req *r)
{
	const struct page_param params[] = {
		{ "state", req_query(r, "state") },
		{ "sort", req_query(r, "sort") },
		{ "dir", req_query(r, "dir") },
		{ "page", req_query(r, "page") },
	};

	page_reply(r, 200, "users", params, ARRAY_LEN(params), NULL);
}

/* --------------------------------------------------------------------- new */

/* other: the id of who has the name already, or "". */
static void
put_new(struct req *r, const struct err *e, const char *field,
    const char *other)
{
	const struct page_param params[] = {
		{ "username", req_field(r, "username") },
		{ "email", req_field(r, "email") },
		{ "role", req_field(r, "role") },
		{ "other", str_of(other) },
		{ arena_printf(&r->arena, "error.%s", field), str_of(e->msg) },
	};

	page_reply(r, e->rc == RC_OK ? 200 : rc_info(e->rc)->http_status,
	    "user_new", params, ARRAY_LEN(params), NULL);
}

static void
show_new(struct req *r, const struct err *e, const char *field,
    const struct ulid *other)
{
	char id[ULID_TEXT_CAP] = "";

	if (!ulid_is_zero(other))
		ulid_text(other, id);
	put_new(r, e, field, id);
}

void
users_new_page(struct req *r)
{
	const struct ulid none = { { 0 } };
	const struct err e = { .rc = RC_OK };

	show_new(r, &e, "username", &none);
}

static void
users_on_invited(struct req *r, struct op *op)
{
	struct users_act *act = op->in;

	if (op->err.rc == RC_OK)
		users_show_link(r, act);
	else
		show_new(r, &op->err, "username", &act->other);
}

void
users_new_form(struct req *r)
{
	struct users_act act = { .role = REC__ROLE__ROLE_NONE };
	struct users_new_in in;
	const char *field;
	struct err e;

	in.username = arena_str(&r->arena, str_trim(req_field(r, "username")));
	in.role = arena_str(&r->arena, req_field(r, "role"));
	in.email = arena_str(&r->arena, req_field(r, "email"));
	if (users_check_new(&in, &act, &field, &e) == RC_OK)
		req_submit(r, users_op(users_create_op, &act),
		    users_on_invited);
	else
		show_new(r, &e, field, &act.other);
}

/* -------------------------------------------------------------------- edit */

static char *
count_sessions(struct req *r)
{
	struct ulid id = { { 0 } };
	struct store_tx *tx;
	size_t n = 0;

	if (req_ulid(r, 0, &id) == RC_OK) {
		tx = store_begin_read(r->ctl->vault, &r->arena);
		n = vault_count_sessions(tx, &id, clock_now_ms());
		store_abort(tx);
	}
	return arena_printf(&r->arena, "%zu", n);
}

/* What was typed stands in the form again when it was refused. */
static void
show_edit(struct req *r, const char *param, const struct err *e)
{
	bool typed = e->rc != RC_OK && r->form_count > 1;
	const struct page_param params[] = {
		{ "id", r->vars[0] },
		{ "sessions", str_of(count_sessions(r)) },
		{ "typed", typed ? STR("1") : str_of("") },
		{ "role", req_field(r, "role") },
		{ "email", req_field(r, "email") },
		{ "must_change", req_field(r, "must_change") },
		{ "notice", users_notice(r, notices, ARRAY_LEN(notices)) },
		{ param, str_of(e->msg) },
	};

	page_reply(r, e->rc == RC_OK ? 200 : rc_info(e->rc)->http_status,
	    "user", params, ARRAY_LEN(params), NULL);
}

void
users_edit_page(struct req *r)
{
	const struct err e = { .rc = RC_OK };

	show_edit(r, "error", &e);
}

void
users_failed(struct req *r, const struct ulid *id, const struct err *e)
{
	(void)id;
	if (r->wants_html && e->rc == RC_CONFLICT)
		show_edit(r, "error", e);
	else
		req_fail(r, e);
}

static void
users_on_edited(struct req *r, struct op *op)
{
	const struct users_act *act = op->in;

	if (op->err.rc != RC_OK) {
		users_failed(r, &act->id, &op->err);
		return;
	}
	users_changed(r, &act->id);
	req_redirect(r,
	    arena_printf(&r->arena, "/settings/users/%.*s?done=saved",
	        STR_ARG(r->vars[0])));
}

void
users_edit_form(struct req *r)
{
	struct users_act act = { .role = REC__ROLE__ROLE_NONE };
	struct users_patch_in in = { .has_role = true,
		.has_email = true,
		.has_must_change = true };
	const char *field;
	struct err e;

	in.role = arena_str(&r->arena, req_field(r, "role"));
	in.email = arena_str(&r->arena, req_field(r, "email"));
	in.must_change = str_eqz(req_field(r, "must_change"), "1");
	if (!req_need_ulid(r, 0, "there is no such user", &act.id))
		return;
	if (users_check_patch(&in, &act, &field, &e) == RC_OK)
		req_submit(r, users_op(users_patch_op, &act), users_on_edited);
	else
		show_edit(r, arena_printf(&r->arena, "error.%s", field), &e);
}

/* ----------------------------------------------------- one API token */

static void
users_on_token_revoked(struct req *r, struct op *op)
{
	struct ulid user = { { 0 } };

	if (!req_stored(r, op))
		return;
	if (req_ulid(r, 0, &user) == RC_OK)
		users_changed(r, &user);
	req_redirect(r,
	    arena_printf(&r->arena, "/settings/users/%.*s?done=revoked",
	        STR_ARG(r->vars[0])));
}

void
users_revoke_token(struct req *r)
{
	struct ulid id;

	if (req_need_ulid(r, 1, "there is no such API token", &id))
		req_submit(r, tokens_revoke_op(r, &id), users_on_token_revoked);
}

/* -------------------------------------------------------- the link, once */

void
users_show_link(struct req *r, struct users_act *act)
{
	char id[ULID_TEXT_CAP];

	shown_keep(r->ctl->shown, &r->user_id, &act->id, str_of(act->link));
	mem_wipe(act->link, sizeof(act->link));
	ulid_text(&act->id, id);
	req_redirect(r, arena_printf(&r->arena, "/settings/users/%s/link", id));
}

void
users_link_page(struct req *r)
{
	struct page_param params[] = { { "id", r->vars[0] },
		{ "shown", STR("1") } };
	struct page_secrets secrets = { 0 };
	struct secret link = { 0 };
	struct ulid id;

	if (req_ulid(r, 0, &id) == RC_OK && page_may_show(r) &&
	    shown_take(r->ctl->shown, &r->user_id, &id, &link))
		params[1].value = str_of("");
	secrets.token = secret_str(&link);
	page_reply(r, 200, "user_link", params, ARRAY_LEN(params), &secrets);
	secret_fini(&link);
}
