/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings: one's own account and its API tokens. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/ulid.h"
#include "lib/store/token_store.h"
#include "lib/store/user_store.h"
#include "render/settings_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

struct days {
	const char *days;
	const char *words;
};

static const struct days lives[] = {
	{ "7", "7 days" },
	{ "30", "30 days" },
	{ "90", "90 days" },
	{ "365", "one year" },
};

/* Roles by name, as forms send them, lowest first. */
static const Rec__Role roles[] = { REC__ROLE__ROLE_VIEWER,
	REC__ROLE__ROLE_OPERATOR, REC__ROLE__ROLE_ADMIN };

const char *
settings_role(Rec__Role role)
{
	switch (role) {
	case REC__ROLE__ROLE_ADMIN:
		return "admin";
	case REC__ROLE__ROLE_OPERATOR:
		return "operator";
	case REC__ROLE__ROLE_VIEWER:
		return "viewer";
	case REC__ROLE__ROLE_NONE:
	case _REC__ROLE_IS_INT_SIZE:
		break;
	}
	return "";
}

static const char *
role_words(Rec__Role role)
{
	switch (role) {
	case REC__ROLE__ROLE_ADMIN:
		return "users and everything else";
	case REC__ROLE__ROLE_OPERATOR:
		return "add hosts, run and stop backups, edit repositories";
	case REC__ROLE__ROLE_VIEWER:
		return "see everything, change nothing";
	case REC__ROLE__ROLE_NONE:
	case _REC__ROLE_IS_INT_SIZE:
		break;
	}
	return "";
}

void
settings_roles(struct value *root, const char *key, Rec__Role max,
    struct str chosen)
{
	struct value *list = value_list(root, key), *item;
	size_t i;

	for (i = 0; i < ARRAY_LEN(roles) && roles[i] <= max; i++) {
		item = value_item(list);
		value_text(item, "role_name", settings_role(roles[i]));
		value_text(item, "role_words", role_words(roles[i]));
		value_bool(item, "chosen",
		    str_eqz(chosen, settings_role(roles[i])));
	}
}

void
settings_common(struct view *v, struct value *root, const char *tab)
{
	static const char *const tabs[] = { "account", "users" };
	size_t i;

	value_bool(root, "nav_settings", true);
	for (i = 0; i < ARRAY_LEN(tabs); i++)
		value_bool(root, arena_printf(v->arena, "settings_%s", tabs[i]),
		    strcmp(tabs[i], tab) == 0);
}

static struct Rec__User *
viewer_record(struct view *v)
{
	return user_store_find_name(v->state,
	    str_of(v->req->viewer == NULL ? "" : v->req->viewer->user_name));
}

struct token_list {
	struct view *v;
	struct value *list;
	const char *base;
	uint64_t n;
};

static bool
view_on_token(void *ctx, struct Rec__ApiToken *t)
{
	struct token_list *l = ctx;
	struct value *item = value_item(l->list);
	bool over = t->expires_at_ms <= l->v->req->now_ms;

	value_text(item, "revoke",
	    arena_printf(l->v->arena, "%s/tokens/%s/revoke", l->base,
	        view_id(l->v, t->id)));
	value_lend(item, "token_name", str_of(t->name));
	value_text(item, "token_role", settings_role(t->role));
	value_bool(item, "token_over", over);
	view_time(l->v, item, "created", t->created_at_ms);
	view_time(l->v, item, "expires", t->expires_at_ms);
	view_time(l->v, item, "used", t->last_used_at_ms);
	l->n++;
	return true;
}

uint64_t
settings_tokens(struct view *v, struct value *root, const struct ulid *user,
    const char *base)
{
	struct token_list l = { v, value_list(root, "tokens"), base, 0 };

	token_store_each(v->state, user, view_on_token, &l);
	value_bool(root, "any_tokens", l.n > 0);
	return l.n;
}

static void
put_lives(struct value *root, struct str chosen)
{
	struct value *list = value_list(root, "lives"), *item;
	size_t i;

	if (chosen.n == 0)
		chosen = STR("90");
	for (i = 0; i < ARRAY_LEN(lives); i++) {
		item = value_item(list);
		value_text(item, "days", lives[i].days);
		value_text(item, "days_words", lives[i].words);
		value_bool(item, "chosen", str_eqz(chosen, lives[i].days));
	}
}

enum rc
view_account(struct view *v, struct value *root)
{
	static const char *const fields[] = { "current_password",
		"new_password", "name", "expires_in_days", NULL };
	const struct Rec__User *u = viewer_record(v);
	uint64_t sessions = view_param_number(v, "sessions", 1);
	struct str role = view_param(v, "role");
	struct ulid id;

	if (u == NULL || !view_ulid(u->id, &id))
		return RC_NOTFOUND;
	settings_common(v, root, "account");
	view_fields(v, root, fields);
	value_lend(root, "role_error",
	    view_sentence(v, view_param(v, "error.role")));
	value_bool(root, "must_change", view_param_is(v, "must_change", "1"));
	value_lend(root, "email", str_of(u->email));
	view_time(v, root, "seen", u->last_login_ms);
	value_printf(root, "sessions", "%" PRIu64, sessions);
	value_printf(root, "others", "%" PRIu64, sessions - 1);
	value_bool(root, "any_others", sessions > 1);
	value_bool(root, "many_others", sessions > 2);
	settings_roles(root, "roles", u->role,
	    role.n > 0 ? role : STR("viewer"));
	put_lives(root, view_param(v, "expires_in_days"));
	(void)settings_tokens(v, root, &id, "/settings/account");
	return RC_OK;
}

enum rc
view_account_token(struct view *v, struct value *root)
{
	const struct Rec__ApiToken *t = NULL;
	struct ulid id;

	if (view_param_id(v, "id", &id))
		t = token_store_find(v->state, &id);
	if (t == NULL)
		return RC_NOTFOUND;
	settings_common(v, root, "account");
	value_lend(root, "token_name", str_of(t->name));
	value_text(root, "token_role", settings_role(t->role));
	value_text(root, "token_id", view_id(v, t->id));
	view_time(v, root, "expires", t->expires_at_ms);
	value_bool(root, "shown", view_param_is(v, "shown", "1"));
	value_text(root, "token",
	    arena_printf(v->arena, "%s" PAGES_MARK_TOKEN, v->req->marker));
	value_text(root, "base_url", v->req->base_url);
	return RC_OK;
}
