/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/repo_forms.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/repo_env.h"
#include "lib/base/str.h"
#include "lib/store/upkeep_store.h"
#include "render/host_view.h"
#include "render/value.h"
#include "render/view.h"

enum {
	FIRST_VARIABLES = 4 /* shown without asking for more */
};

/* One of them in the making. */
struct form {
	struct view *v;
	const struct Rec__Host *h;
	struct value *map;
	bool typed; /* and refused: show that */
};

static struct form
form_begin(struct view *v, struct value *root, const struct Rec__Host *h,
    const char *section)
{
	struct form f = { v, h, value_map(root, section),
		view_param_is(v, "typed", section) };

	value_text(f.map, "form_id", section);
	return f;
}

/* Its error, when this form is the one that was refused. */
static void
put_error(const struct form *f, const char *name)
{
	struct str text = STR("");

	if (f->typed)
		text = view_param(f->v,
		    arena_printf(f->v->arena, "error.%s", name));
	value_lend(f->map, arena_printf(f->v->arena, "%s_error", name),
	    view_sentence(f->v, text));
	value_bool(f->map, arena_printf(f->v->arena, "%s_focus", name),
	    text.n > 0);
}

static void
put_field(const struct form *f, const char *name, const char *stored)
{
	value_lend(f->map, name,
	    f->typed ? view_param(f->v, name) : str_of(stored));
	put_error(f, name);
}

static void
put_tick(const struct form *f, const char *name, bool stored)
{
	value_bool(f->map, name,
	    f->typed ? view_param_is(f->v, name, "1") : stored);
}

static const char *
number(const struct form *f, uint32_t n)
{
	return n == 0 ? "" : arena_printf(f->v->arena, "%" PRIu32, n);
}

/* -------------------------------------------------------------- variables */

/* A REST server has all it needs in the connection. */
static size_t
first_shown(enum repo_backend b)
{
	return b == REPO_REST ? 0 : FIRST_VARIABLES;
}

static bool
any(const struct value *list)
{
	return list != NULL && list->first != NULL;
}

/* Those the back end takes: the usual ones and those that are stored, and
 * the rest. */
static void
put_variables(const struct form *f, const char *url, char *const *stored,
    size_t n)
{
	enum repo_backend backend = repo_env_backend(str_of(url));
	struct value *first = value_list(f->map, "variables");
	struct value *rest = value_list(f->map, "more");
	const struct repo_env *e;
	size_t i, seen = 0;

	for (i = 0; (e = repo_env_at(i)) != NULL; i++) {
		bool held = str_among(stored, n, e->name);
		bool suits = repo_env_suits(e, backend);
		struct value *item;

		if (!suits && !held)
			continue;
		item = value_item(
		    held || seen < first_shown(backend) ? first : rest);
		seen += suits;
		value_text(item, "var", e->name);
		value_text(item, "what", e->what);
		value_bool(item, "stored", held);
		value_bool(item, "file", e->form == REPO_ENV_FILE);
		value_bool(item, "secret", e->secret);
	}
	value_bool(f->map, "any_variables", any(first) || any(rest));
	value_bool(f->map, "any_more", any(rest));
	value_text(f->map, "backend", repo_env_backend_name(backend));
	put_error(f, "variables");
}

/* ------------------------------------------------------------------ forms */

static void
put_connection(const struct form *f)
{
	put_field(f, "repo_url", f->h->repo_url);
	put_field(f, "repo_username", f->h->repo_username);
	put_error(f, "repo_password");
	value_bool(f->map, "has_password",
	    view_param_is(f->v, "has_password", "1"));
	value_bool(f->map, "has_more",
	    f->h->has_admin || f->h->n_extra_names > 0);
}

static void
put_admin(const struct form *f)
{
	const struct Rec__Host *h = f->h;

	put_field(f, "repo_url", h->admin_url);
	put_field(f, "repo_username", h->admin_username);
	put_error(f, "repo_password");
	value_bool(f->map, "set", h->has_admin);
	value_bool(f->map, "has_password",
	    view_param_is(f->v, "has_admin_password", "1"));
	put_variables(f, h->admin_url[0] != '\0' ? h->admin_url : h->repo_url,
	    h->admin_extra_names, h->n_admin_extra_names);
}

static void
put_bandwidth(const struct form *f)
{
	put_field(f, "bandwidth_up_kbps", number(f, f->h->bandwidth_up_kbps));
	put_field(f, "bandwidth_down_kbps",
	    number(f, f->h->bandwidth_down_kbps));
}

static void
put_maintenance(const struct form *f, const struct Rec__Maintenance *m)
{
	/* clang-format off */
	static const struct {
		Rec__JobKind kind;
		const char *cadence, *enabled;
	} rows[] = {
		{ REC__JOB_KIND__KIND_FORGET, "forget_cadence", "forget_enabled" },
		{ REC__JOB_KIND__KIND_PRUNE, "prune_cadence", "prune_enabled" },
		{ REC__JOB_KIND__KIND_CHECK, "check_cadence", "check_enabled" },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct Rec__Upkeep *u =
		    m == NULL ? NULL : upkeep_of(m, rows[i].kind);

		put_field(f, rows[i].cadence, u == NULL ? "" : u->cron);
		put_tick(f, rows[i].enabled, u == NULL || u->enabled);
	}
	put_field(f, "check_subset_pct",
	    m == NULL
	        ? ""
	        : arena_printf(f->v->arena, "%" PRIu32, m->check_subset_pct));
	value_text(f->map, "zone", f->v->clock.zone);
}

static void
put_hooks(const struct form *f)
{
	put_error(f, "pre_hook");
	put_error(f, "post_hook");
	put_field(f, "hook_limit_seconds", number(f, f->h->hook_limit_s));
	value_bool(f->map, "has_pre", f->h->has_pre_hook);
	value_bool(f->map, "has_post", f->h->has_post_hook);
}

static void
put_danger(const struct form *f)
{
	put_field(f, "confirm", "");
	put_error(f, "reinit");
	put_error(f, "delete");
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

void
repo_forms_put(struct view *v, struct value *root, const struct host_view *hv)
{
	const struct Rec__Host *h = hv->host;
	struct form f = form_begin(v, root, h, "connection");

	put_connection(&f);
	f = form_begin(v, root, h, "admin");
	put_admin(&f);
	f = form_begin(v, root, h, "variables");
	put_variables(&f, h->repo_url, h->extra_names, h->n_extra_names);
	f = form_begin(v, root, h, "bandwidth");
	put_bandwidth(&f);
	f = form_begin(v, root, h, "maintenance");
	put_maintenance(&f, upkeep_store_find(v->state, &hv->id));
	f = form_begin(v, root, h, "hooks");
	put_hooks(&f);
	f = form_begin(v, root, h, "danger");
	put_danger(&f);
	put_name_pattern(root, h);
}
