/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/users_admin.h"

#include <string.h>

#include "controller/answer.h"
#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/paging.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "controller/route.h"
#include "controller/users_op.h"
#include "lib/base/mem.h"
#include "lib/store/user_store.h"

enum {
	LIST_ARENA_MAX = 64 << 20,
	LIST_BODY_MAX = 4 << 20
};

#define NEW(member) offsetof(struct users_new_in, member)
#define PATCH(member) offsetof(struct users_patch_in, member)

/* clang-format off */
static const struct json_field new_fields[] = {
	{ "username", JSON_STR, JSON_REQUIRED, 0, 1024, NEW(username), 0, JSON_NO_SEEN },
	{ "role",     JSON_STR, JSON_REQUIRED, 0, 64,   NEW(role),     0, JSON_NO_SEEN },
	{ "email",    JSON_STR, JSON_NULL_OK,  0, 1024, NEW(email),    0, JSON_NO_SEEN },
};
static const struct json_field patch_fields[] = {
	{ "role",  JSON_STR, 0,            0, 64,   PATCH(role),  0, PATCH(has_role) },
	{ "email", JSON_STR, JSON_NULL_OK, 0, 1024, PATCH(email), 0, PATCH(has_email) },
	{ "must_change_password", JSON_BOOL, 0, 0, 0, PATCH(must_change), 0, PATCH(has_must_change) },
};
/* clang-format on */

const struct route_json users_create_body = { new_fields, ARRAY_LEN(new_fields),
	sizeof(struct users_new_in) };
const struct route_json users_patch_body = { patch_fields,
	ARRAY_LEN(patch_fields), sizeof(struct users_patch_in) };

/* -------------------------------------------------------------------- read */

static const char *
status_of(const struct Rec__User *u)
{
	if (u->disabled_at_ms != 0)
		return "disabled";
	return u->setup_pending ? "invited" : "active";
}

static void
put_user(struct json_out *j, const struct Rec__User *u)
{
	char text[ULID_TEXT_CAP];
	struct ulid id;

	(void)pb_id_get(&u->id, &id);
	ulid_text(&id, text);
	json_put(j, "id", text);
	json_put(j, "username", u->name);
	json_put(j, "email", u->email);
	json_put(j, "role", auth_role_name(u->role));
	json_put(j, "status", status_of(u));
	json_put_bool(j, "must_change_password", u->must_change_password);
	json_put_time(j, "created_at", u->created_at_ms);
	json_put_time(j, "disabled_at", u->disabled_at_ms);
	json_put_time(j, "last_login_at", u->last_login_ms);
	json_put_time(j, "setup_expires_at", u->setup_expires_at_ms);
}

struct listing {
	struct json_out *j;
	struct paging paging;
};

static bool
users_on_listed(void *ctx, struct Rec__User *u)
{
	struct listing *l = ctx;

	if (!paging_shows(&l->paging))
		return true;
	json_obj(l->j, NULL);
	put_user(l->j, u);
	json_obj_end(l->j);
	return true;
}

void
users_list(struct req *r)
{
	struct answer an;
	struct listing l;
	struct err e;

	if (paging_begin(&l.paging, r, USERS_LIST_MAX, &e) != RC_OK) {
		req_fail(r, &e);
		return;
	}
	l.j = answer_begin(&an, r, LIST_BODY_MAX, LIST_ARENA_MAX);
	json_arr(l.j, "items");
	user_store_each(an.tx, users_on_listed, &l);
	json_arr_end(l.j);
	paging_put(&l.paging, l.j);
	answer_end(&an, 200);
}

static void
show_user(struct req *r, const struct ulid *id)
{
	const struct Rec__User *u;
	struct answer an;

	(void)answer_begin(&an, r, KIB(4), KIB(64));
	u = user_store_get(an.tx, id);
	if (u != NULL)
		put_user(&an.doc.j, u);
	answer_end(&an, 200);
}

static bool
take_id(struct req *r, struct ulid *id)
{
	return req_need_ulid(r, 0, "there is no such user", id);
}

void
users_get(struct req *r)
{
	struct ulid id;

	if (take_id(r, &id))
		show_user(r, &id);
}

/* ------------------------------------------------------------------- write */

static void
put_link(struct req *r, int status, struct users_act *act)
{
	char *url = users_link_url(r, act->link);
	char id[ULID_TEXT_CAP];
	struct json_doc doc;

	ulid_text(&act->id, id);
	json_doc_init(&doc, KIB(4));
	json_put(&doc.j, "id", id);
	json_put(&doc.j, "setup_url", url);
	json_put_time(&doc.j, "setup_expires_at", act->link_expires_ms);
	req_doc(r, status, &doc);
	json_doc_wipe_fini(&doc);
	mem_wipe(url, strlen(url));
	mem_wipe(act->link, sizeof(act->link));
}

static void
users_on_created(struct req *r, struct op *op)
{
	if (req_stored(r, op))
		put_link(r, 201, op->in);
}

void
users_create(struct req *r)
{
	struct users_act act = { .role = REC__ROLE__ROLE_NONE };
	const char *field;
	struct err e;

	if (users_check_new(r->in, &act, &field, &e) == RC_OK)
		req_submit(r, users_op(users_create_op, &act),
		    users_on_created);
	else
		req_fail(r, &e);
}

static void
users_on_patched(struct req *r, struct op *op)
{
	const struct users_act *act = op->in;

	if (!req_stored(r, op))
		return;
	users_changed(r, &act->id);
	show_user(r, &act->id);
}

void
users_patch(struct req *r)
{
	struct users_act act = { .role = REC__ROLE__ROLE_NONE };
	const char *field;
	struct err e;

	if (!take_id(r, &act.id))
		return;
	if (users_check_patch(r->in, &act, &field, &e) == RC_OK)
		req_submit(r, users_op(users_patch_op, &act), users_on_patched);
	else
		req_fail(r, &e);
}

/* -------------------------------------------------- one click, one change */

/* done: what the user's page says of it. */
static void
submit(struct req *r, op_fn *run, const char *done, req_done_fn *then)
{
	struct users_act act = { .role = REC__ROLE__ROLE_NONE, .done = done };

	if (take_id(r, &act.id))
		req_submit(r, users_op(run, &act), then);
}

/* Browsers are led back to the user's page. */
static void
users_on_changed(struct req *r, struct op *op)
{
	const struct users_act *act = op->in;

	if (op->err.rc != RC_OK) {
		users_failed(r, &act->id, &op->err);
		return;
	}
	users_changed(r, &act->id);
	if (r->wants_html)
		req_redirect(r,
		    arena_printf(&r->arena, "/settings/users/%.*s?done=%s",
		        STR_ARG(r->vars[0]), act->done));
	else
		show_user(r, &act->id);
}

void
users_disable(struct req *r)
{
	submit(r, users_disable_op, "disabled", users_on_changed);
}

void
users_enable(struct req *r)
{
	submit(r, users_enable_op, "enabled", users_on_changed);
}

void
users_force_logout(struct req *r)
{
	submit(r, users_logout_op, "logged-out", users_on_changed);
}

static void
users_on_linked(struct req *r, struct op *op)
{
	struct users_act *act = op->in;

	if (op->err.rc != RC_OK)
		users_failed(r, &act->id, &op->err);
	else if (r->wants_html)
		users_show_link(r, act);
	else
		put_link(r, 200, act);
}

void
users_new_link(struct req *r)
{
	submit(r, users_link_op, NULL, users_on_linked);
}
