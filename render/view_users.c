/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings: users, one user, their setup links; and the page such a link
 * leads to. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/ulid.h"
#include "lib/store/user_store.h"
#include "render/settings_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	PAGE_USERS = 100,
	USERS_SHOWN_MAX = 10000
};

/* What a user is, in the order of the chips. */
enum look {
	LOOK_ACTIVE,
	LOOK_INVITED,
	LOOK_DISABLED,
	LOOKS
};
static const char *const look_names[] = { "active", "invited", "disabled" };
_Static_assert(ARRAY_LEN(look_names) == LOOKS, "a name for each look");

static enum look
look_of(const struct Rec__User *u)
{
	if (u->disabled_at_ms != 0)
		return LOOK_DISABLED;
	return u->setup_pending ? LOOK_INVITED : LOOK_ACTIVE;
}

/* ------------------------------------------------------------- the columns */

typedef int compare_fn(const void *a, const void *b);

static const struct Rec__User *
user_at(const void *p)
{
	return *(const struct Rec__User *const *)p;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(user_at(a)->name, user_at(b)->name);
}

static int
order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int
by_role(const void *a, const void *b)
{
	int n = order((int64_t)user_at(b)->role, (int64_t)user_at(a)->role);

	return n != 0 ? n : by_name(a, b);
}

static int
by_status(const void *a, const void *b)
{
	int n =
	    order((int64_t)look_of(user_at(a)), (int64_t)look_of(user_at(b)));

	return n != 0 ? n : by_name(a, b);
}

/* The latest first. */
static int
by_seen(const void *a, const void *b)
{
	int n = order(user_at(b)->last_login_ms, user_at(a)->last_login_ms);

	return n != 0 ? n : by_name(a, b);
}

static int
by_created(const void *a, const void *b)
{
	int n = order(user_at(b)->created_at_ms, user_at(a)->created_at_ms);

	return n != 0 ? n : by_name(a, b);
}

struct column {
	const char *name, *word;
	compare_fn *compare;
	bool wide; /* left out on narrow screens */
};

static const struct column columns[] = {
	{ "name", "User", by_name, false },
	{ "role", "Role", by_role, false },
	{ "status", "Status", by_status, false },
	{ "seen", "Last sign-in", by_seen, false },
	{ "created", "Created", by_created, true },
};

/* -------------------------------------------------------------------- list */

struct users {
	const struct Rec__User **v;
	size_t n;
	struct str state; /* chip, "" for all */
	uint64_t all, by_look[LOOKS];
};

static bool
view_on_user(void *ctx, struct Rec__User *u)
{
	struct users *l = ctx;
	enum look look = look_of(u);

	l->all++;
	l->by_look[look]++;
	if ((l->state.n == 0 || str_eqz(l->state, look_names[look])) &&
	    l->n < USERS_SHOWN_MAX)
		l->v[l->n++] = u;
	return true;
}

static const struct column *
chosen_column(const struct view *v)
{
	struct str sort = view_param(v, "sort");
	size_t i;

	for (i = 1; i < ARRAY_LEN(columns); i++)
		if (str_eqz(sort, columns[i].name))
			return &columns[i];
	return &columns[0];
}

static void
sort_users(struct users *l, const struct column *by, bool down)
{
	size_t i;

	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by->compare);
	for (i = 0; down && i < l->n / 2; i++) {
		const struct Rec__User *u = l->v[i];

		l->v[i] = l->v[l->n - 1 - i];
		l->v[l->n - 1 - i] = u;
	}
}

/* The address of the list with these, a page number to be appended. */
static const char *
list_link(const struct view *v, struct str state, const char *sort, bool down)
{
	return arena_printf(v->arena, "/settings/users?state=%.*s&sort=%s%s",
	    STR_ARG(state), sort, down ? "&dir=desc" : "");
}

static void
put_columns(struct view *v, struct value *root, const struct users *l,
    const struct column *by, bool down)
{
	struct value *list = value_list(root, "columns"), *item;
	size_t i;

	for (i = 0; i < ARRAY_LEN(columns); i++) {
		bool current = &columns[i] == by;

		item = value_item(list);
		value_text(item, "word", columns[i].word);
		value_bool(item, "wide", columns[i].wide);
		value_bool(item, "current", current);
		value_text(item, "sorted", down ? "descending" : "ascending");
		value_text(item, "href",
		    list_link(v, l->state, columns[i].name, current && !down));
	}
}

static void
put_chip(struct view *v, struct value *list, const struct users *l,
    const char *name, uint64_t n)
{
	struct value *item = value_item(list);

	value_text(item, "word", *name == '\0' ? "all" : name);
	value_text(item, "href",
	    list_link(v, str_of(name), chosen_column(v)->name,
	        view_param_is(v, "dir", "desc")));
	value_printf(item, "n", "%" PRIu64, n);
	value_bool(item, "current", str_eqz(l->state, name));
}

static void
put_status(const struct view *v, struct value *item, const struct Rec__User *u)
{
	static const char *const words[] = { "active", "invited", "disabled" };
	static const char *const classes[] = { "ok", "warn", "idle" };
	static const char *const glyphs[] = { "ok", "queued", "cancelled" };
	enum look look = look_of(u);

	value_text(item, "status", words[look]);
	value_text(item, "class", classes[look]);
	value_text(item, "glyph", glyphs[look]);
	value_bool(item, "link_out", u->setup_expires_at_ms > v->req->now_ms);
	value_bool(item, "link_over",
	    look == LOOK_INVITED && u->setup_expires_at_ms <= v->req->now_ms);
}

static void
put_user(struct view *v, struct value *list, const struct Rec__User *u)
{
	struct value *item = value_item(list);

	value_text(item, "id", view_id(v, u->id));
	value_lend(item, "name", str_of(u->name));
	value_lend(item, "email", str_of(u->email));
	value_text(item, "user_role", settings_role(u->role));
	value_bool(item, "you",
	    v->req->viewer != NULL &&
	        strcmp(u->name, v->req->viewer->user_name) == 0);
	put_status(v, item, u);
	view_time(v, item, "seen", u->last_login_ms);
	view_time(v, item, "created", u->created_at_ms);
}

static void
put_users(struct view *v, struct value *root, const struct users *l,
    const char *base)
{
	struct view_pager p = { base, view_param_number(v, "page", 1),
		PAGE_USERS, l->n };
	struct value *list = value_list(root, "users");
	size_t i, from;

	view_pager(root, "pager", &p);
	from = (size_t)(p.page - 1) * PAGE_USERS;
	for (i = from; i < l->n && i < from + PAGE_USERS; i++)
		put_user(v, list, l->v[i]);
	value_bool(root, "any_users", l->n > 0);
}

enum rc
view_users(struct view *v, struct value *root)
{
	bool down = view_param_is(v, "dir", "desc");
	const struct column *by = chosen_column(v);
	struct users l = { .state = view_param(v, "state") };
	struct value *chips;
	size_t i;

	l.v =
	    arena_array(v->arena, USERS_SHOWN_MAX, sizeof(struct Rec__User *));
	if (l.v == NULL)
		return RC_OK; /* the arena tells */
	for (i = 0; i < LOOKS && !str_eqz(l.state, look_names[i]); i++)
		continue;
	if (i == LOOKS)
		l.state = str_of("");
	user_store_each(v->state, view_on_user, &l);
	sort_users(&l, by, down);
	settings_common(v, root, "users");
	put_columns(v, root, &l, by, down);
	chips = value_list(root, "chips");
	put_chip(v, chips, &l, "", l.all);
	for (i = 0; i < LOOKS; i++)
		if (l.by_look[i] > 0 || str_eqz(l.state, look_names[i]))
			put_chip(v, chips, &l, look_names[i], l.by_look[i]);
	put_users(v, root, &l,
	    arena_printf(v->arena,
	        "%s&page=", list_link(v, l.state, by->name, down)));
	value_printf(root, "all", "%" PRIu64, l.all);
	value_bool(root, "one", l.all == 1);
	return RC_OK;
}

/* -------------------------------------------------------------------- forms */

enum rc
view_user_new(struct view *v, struct value *root)
{
	static const char *const fields[] = { "username", "email", NULL };
	struct str role = view_param(v, "role");

	settings_common(v, root, "users");
	view_fields(v, root, fields);
	value_lend(root, "role_error",
	    view_sentence(v, view_param(v, "error.role")));
	value_lend(root, "other", view_param(v, "other"));
	settings_roles(root, "roles", REC__ROLE__ROLE_ADMIN,
	    role.n > 0 ? role : STR("operator"));
	return RC_OK;
}

static struct Rec__User *
user_of_param(struct view *v)
{
	struct ulid id;

	return view_param_id(v, "id", &id) ? user_store_find(v->state, &id)
	                                   : NULL;
}

/* The form: what is stored, or what was typed and refused. */
static void
put_form(struct view *v, struct value *root, const struct Rec__User *u)
{
	bool typed = view_param_is(v, "typed", "1");

	settings_roles(root, "roles", REC__ROLE__ROLE_ADMIN,
	    typed ? view_param(v, "role") : str_of(settings_role(u->role)));
	value_lend(root, "email",
	    typed ? view_param(v, "email") : str_of(u->email));
	value_bool(root, "must_change",
	    typed ? view_param_is(v, "must_change", "1")
	          : u->must_change_password);
	value_lend(root, "role_error",
	    view_sentence(v, view_param(v, "error.role")));
	value_lend(root, "email_error",
	    view_sentence(v, view_param(v, "error.email")));
}

enum rc
view_user(struct view *v, struct value *root)
{
	const struct Rec__User *u = user_of_param(v);
	uint64_t tokens, sessions = 0;
	struct ulid id;

	if (u == NULL || !view_ulid(u->id, &id))
		return RC_NOTFOUND;
	settings_common(v, root, "users");
	value_text(root, "id", view_id(v, u->id));
	value_lend(root, "name", str_of(u->name));
	put_status(v, root, u);
	put_form(v, root, u);
	value_bool(root, "is_disabled", u->disabled_at_ms != 0);
	value_bool(root, "is_invited", look_of(u) == LOOK_INVITED);
	value_bool(root, "you",
	    v->req->viewer != NULL &&
	        strcmp(u->name, v->req->viewer->user_name) == 0);
	tokens = settings_tokens(v, root, &id,
	    arena_printf(v->arena, "/settings/users/%s", view_id(v, u->id)));
	if (!str_u64(view_param(v, "sessions"), UINT32_MAX, &sessions))
		sessions = 0;
	value_printf(root, "sessions", "%" PRIu64, sessions);
	value_bool(root, "any_sessions", sessions > 0);
	value_printf(root, "token_count", "%" PRIu64, tokens);
	view_time(v, root, "seen", u->last_login_ms);
	view_time(v, root, "created", u->created_at_ms);
	view_time(v, root, "disabled_at", u->disabled_at_ms);
	view_time(v, root, "link_expires", u->setup_expires_at_ms);
	return RC_OK;
}

enum rc
view_user_link(struct view *v, struct value *root)
{
	const struct Rec__User *u = user_of_param(v);

	if (u == NULL)
		return RC_NOTFOUND;
	settings_common(v, root, "users");
	value_text(root, "id", view_id(v, u->id));
	value_lend(root, "name", str_of(u->name));
	value_text(root, "user_role", settings_role(u->role));
	value_bool(root, "is_invited", u->setup_pending);
	value_bool(root, "is_disabled", u->disabled_at_ms != 0);
	put_status(v, root, u);
	value_text(root, "expires_minute",
	    text_minute(v->arena, &v->clock, u->setup_expires_at_ms));
	value_bool(root, "shown", view_param_is(v, "shown", "1"));
	value_text(root, "token",
	    arena_printf(v->arena, "%s" PAGES_MARK_TOKEN, v->req->marker));
	value_text(root, "base_url", v->req->base_url);
	return RC_OK;
}

enum rc
view_setup(struct view *v, struct value *root)
{
	static const char *const fields[] = { "username", "password", NULL };

	view_fields(v, root, fields);
	value_bool(root, "gone", view_param_is(v, "gone", "1"));
	value_text(root, "token",
	    arena_printf(v->arena, "%s" PAGES_MARK_TOKEN, v->req->marker));
	return RC_OK;
}
