/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/view.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"
#include "render/pages.h"
#include "render/value.h"

enum {
	NEIGHBOURS = 2
}; /* page numbers shown beside the current one */

struct str
view_param(const struct view *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->req->n_params; i++) {
		const struct Ipc__Param *p = v->req->params[i];

		if (strcmp(p->name, name) == 0)
			return str_of(p->value);
	}
	return str_of("");
}

bool
view_param_is(const struct view *v, const char *name, const char *z)
{
	return str_eqz(view_param(v, name), z);
}

uint64_t
view_param_number(const struct view *v, const char *name, uint64_t dflt)
{
	uint64_t n;

	if (!str_u64(view_param(v, name), UINT32_MAX, &n) || n == 0)
		return dflt;
	return n;
}

bool
view_param_id(const struct view *v, const char *name, struct ulid *out)
{
	return ulid_parse(view_param(v, name), out);
}

struct str
view_cut(struct str text, size_t max)
{
	const unsigned char high = 0xc0, follows = 0x80;

	if (text.n <= max)
		return text;
	while (max > 0 && ((unsigned char)text.p[max] & high) == follows)
		max--;
	return str_sub(text, 0, max);
}

struct str
view_sentence(const struct view *v, struct str text)
{
	bool ends;
	char *z;

	text = str_trim(text);
	if (text.n == 0)
		return text;
	ends = memchr(".!?:", text.p[text.n - 1], 4) != NULL;
	z = arena_printf(v->arena, "%.*s%s", STR_ARG(text), ends ? "" : ".");
	/* Its name is written so, also where a sentence begins. */
	if (str_starts(text, STR("restic")))
		return str_of(z);
	if (z[0] >= 'a' && z[0] <= 'z')
		z[0] = (char)(z[0] - 'a' + 'A');
	return str_of(z);
}

bool
view_can_admin(const struct view *v)
{
	return v->req->viewer != NULL &&
	       v->req->viewer->role >= REC__ROLE__ROLE_ADMIN;
}

bool
view_wants(const struct view *v, const char *region)
{
	const char *asked = v->req->fragment;

	return asked[0] == '\0' || strcmp(asked, PAGES_ALL) == 0 ||
	       strcmp(asked, region) == 0;
}

void
view_keep_params(const struct view *v, struct value *map,
    const char *const *names)
{
	for (; *names != NULL; names++)
		value_lend(map, *names, view_param(v, *names));
}

void
view_fields(const struct view *v, struct value *root, const char *const *names)
{
	bool focused = false;

	for (; *names != NULL; names++) {
		const char *name = *names;
		struct str text =
		    view_param(v, arena_printf(v->arena, "error.%s", name));

		value_lend(root, name, view_param(v, name));
		value_lend(root, arena_printf(v->arena, "%s_error", name),
		    view_sentence(v, text));
		value_bool(root, arena_printf(v->arena, "%s_focus", name),
		    text.n > 0 && !focused);
		focused = focused || text.n > 0;
	}
}

void
view_time(const struct view *v, struct value *map, const char *key, int64_t ms)
{
	struct value *t;

	if (ms == 0) {
		value_bool(map, key, false);
		return;
	}
	t = value_map(map, key);
	value_printf(t, "ms", "%" PRId64, ms);
	value_text(t, "machine", text_machine(v->arena, ms));
	value_text(t, "relative", text_relative(v->arena, &v->clock, ms));
	value_text(t, "when", text_when(v->arena, &v->clock, ms));
	value_text(t, "exact", text_exact(v->arena, &v->clock, ms));
}

bool
view_ulid(ProtobufCBinaryData id, struct ulid *out)
{
	if (id.len != sizeof(out->b))
		return false;
	memcpy(out->b, id.data, sizeof(out->b));
	return true;
}

const char *
view_id(const struct view *v, ProtobufCBinaryData id)
{
	char z[ULID_TEXT_CAP];
	struct ulid u;

	if (!view_ulid(id, &u))
		return "";
	ulid_text(&u, z);
	return arena_dup(v->arena, z);
}

static void
add_page(struct value *list, const struct view_pager *p, uint64_t n)
{
	struct value *item = value_item(list);

	value_printf(item, "n", "%" PRIu64, n);
	value_printf(item, "href", "%s%" PRIu64, p->base, n);
	value_bool(item, "current", n == p->page);
	value_bool(item, "gap", false);
}

static void
add_gap(struct value *list)
{
	value_bool(value_item(list), "gap", true);
}

void
view_pager(struct value *map, const char *key, struct view_pager *p)
{
	uint64_t pages = p->total == 0 ? 1 : (p->total - 1) / p->size + 1;
	struct value *m = value_map(map, key);
	struct value *list;
	uint64_t n, last = 0;

	if (p->page < 1)
		p->page = 1;
	if (p->page > pages)
		p->page = pages;
	n = p->page * p->size;
	if (m == NULL)
		return;
	value_bool(m, "any", p->total > 0);
	value_text(m, "first",
	    text_count(m->arena,
	        p->total == 0 ? 0 : (p->page - 1) * p->size + 1));
	value_text(m, "last",
	    text_count(m->arena, n < p->total ? n : p->total));
	value_text(m, "total", text_count(m->arena, p->total));
	list = value_list(m, "pages");
	for (n = 1; pages > 1 && n <= pages; n++) {
		bool near =
		    n + NEIGHBOURS >= p->page && n <= p->page + NEIGHBOURS;

		if (n != 1 && n != pages && !near)
			continue;
		if (last + 1 < n)
			add_gap(list);
		add_page(list, p, n);
		last = n;
	}
}
