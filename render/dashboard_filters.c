/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "render/dashboard.h"
#include "render/link.h"
#include "render/status.h"
#include "render/value.h"
#include "render/view.h"

enum {
	TEXT_MAX = 2 * FLEET_QUERY_MAX,
	LINK_MAX = 8192,
	TAGS_SHOWN = 6,
	TAGS_LISTED = 100
};

/* ------------------------------------------------------------------ reading */

void
dashboard_read(struct dashboard *d)
{
	const struct view *v = d->v;
	const struct fleet_params p = { view_param(v, "q"),
		view_param(v, "status"), view_param(v, "repo_status"),
		view_param(v, "tag"), view_param(v, "updates") };
	struct buf b;

	buf_init(&b, KIB(64));
	fleet_query_join(&p, &b);
	d->text = arena_str(v->arena, view_cut(buf_str(&b), TEXT_MAX));
	buf_fini(&b);
	fleet_query_parse(str_of(d->text), &d->query);
	(void)fleet_order_parse(view_param(v, "sort"), view_param(v, "dir"),
	    FLEET_BY_ATTENTION, &d->order);
	d->page = view_param_number(v, "page", 1);
}

static uint32_t
hash(const char *z)
{
	uint32_t h = 2166136261U;

	for (; *z != '\0'; z++) {
		h ^= (unsigned char)*z;
		h *= 16777619U;
	}
	return h;
}

static void
count_tag(struct dashboard *d, const char *name)
{
	size_t at = hash(name) % DASHBOARD_TAGS, i;

	for (i = 0; i < DASHBOARD_TAGS; i++) {
		struct dashboard_tag *t = &d->tags[(at + i) % DASHBOARD_TAGS];

		if (t->name != NULL && strcmp(t->name, name) != 0)
			continue;
		t->name = name;
		t->n++;
		return;
	}
}

void
dashboard_count_tags(struct dashboard *d, const struct Rec__Host *h)
{
	size_t i;

	for (i = 0; i < h->n_tags; i++)
		count_tag(d, h->tags[i]);
}

/* -------------------------------------------------------------------- links */

/* What is the default is left out. */
static void
put_order(struct buf *out, struct fleet_order o)
{
	if (o.sort != FLEET_BY_ATTENTION)
		link_query(out, "sort", str_of(fleet_sort_name(o.sort)));
	if (o.back)
		link_query(out, "dir", str_of(fleet_order_dir(o)));
}

static const char *
finish(const struct dashboard *d, struct buf *b, const char *after)
{
	const char *z;

	buf_puts(b, after);
	z = arena_str(d->v->arena, buf_str(b));
	buf_fini(b);
	return z;
}

static const char *
link_of(const struct dashboard *d, const char *before, struct str q,
    struct fleet_order o)
{
	struct buf b;

	buf_init(&b, LINK_MAX);
	buf_puts(&b, before);
	link_query(&b, "q", q);
	put_order(&b, o);
	if (b.len > 0 && (b.data[b.len - 1] == '&' || b.data[b.len - 1] == '?'))
		buf_cut(&b, b.len - 1);
	return finish(d, &b, "");
}

const char *
dashboard_link(const struct dashboard *d, const char *before, const char *after)
{
	struct buf b;

	buf_init(&b, LINK_MAX);
	buf_puts(&b, before);
	link_query(&b, "q", str_of(d->text));
	put_order(&b, d->order);
	return finish(d, &b, after);
}

/* The query with key:value, instead of every other value of a closed key;
 * without it when it is there. */
static const char *
toggled(const struct dashboard *d, enum fleet_key key, struct str value)
{
	bool has = fleet_query_has(&d->query, key, value);
	struct str none = { "", 0 };
	const char *link;
	struct buf b;

	buf_init(&b, TEXT_MAX);
	fleet_query_put(&d->query, key, key == FLEET_TAG ? value : none, &b);
	if (!has)
		fleet_query_add(&b, key, value);
	link = link_of(d, "/?", buf_str(&b), d->order);
	buf_fini(&b);
	return link;
}

/* -------------------------------------------------------------------- chips */

static void
add_chip(struct dashboard *d, struct value *list, enum fleet_key key,
    const struct status_look *look, size_t n)
{
	bool current = fleet_query_has(&d->query, key, str_of(look->name));
	struct value *item;

	if (n == 0 && !current)
		return;
	item = value_item(list);
	value_text(item, "class", look->class);
	value_text(item, "glyph", look->glyph);
	value_text(item, "word", look->brief);
	value_text(item, "n", text_count(d->v->arena, n));
	value_text(item, "href", toggled(d, key, str_of(look->name)));
	value_bool(item, "current", current);
}

/* Every host, whatever its state. */
static void
add_all(struct dashboard *d, struct value *list)
{
	bool some = fleet_query_has(&d->query, FLEET_STATE, STR("")) ||
	            fleet_query_has(&d->query, FLEET_STATUS, STR(""));
	struct value *item = value_item(list);
	struct fleet_query rest;
	struct buf a, b;

	buf_init(&a, TEXT_MAX);
	buf_init(&b, TEXT_MAX);
	fleet_query_put(&d->query, FLEET_STATE, STR(""), &a);
	fleet_query_parse(buf_str(&a), &rest);
	fleet_query_put(&rest, FLEET_STATUS, STR(""), &b);
	value_text(item, "word", "All");
	value_text(item, "class", "");
	value_text(item, "glyph", "");
	value_text(item, "n", text_count(d->v->arena, d->total));
	value_text(item, "href", link_of(d, "/?", buf_str(&b), d->order));
	value_bool(item, "current", !some);
	buf_fini(&b);
	buf_fini(&a);
}

static void
put_states(struct dashboard *d, struct value *root)
{
	/* clang-format off */
	static const struct status_look offline =
		{ "offline", "warn", "offline", "Offline", "Offline", false, false };
	/* clang-format on */
	struct value *list = value_list(root, "chips");
	int i;

	add_all(d, list);
	for (i = 0; i < STATUS_HOST_COUNT; i++)
		add_chip(d, list, FLEET_STATE,
		    status_host_look((enum status_host)i), d->by_status[i]);
	add_chip(d, list, FLEET_STATUS, &offline, d->offline);
}

static int
by_count(const void *a, const void *b)
{
	const struct dashboard_tag *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return x->n == 0 ? 0 : strcmp(x->name, y->name);
}

/* The usual ones as chips, the others in a menu; one that is asked for is
 * always a chip. */
static void
put_tags(struct dashboard *d, struct value *root)
{
	struct value *chips = value_list(root, "tag_chips");
	struct value *more = value_list(root, "more_tags");
	size_t i, shown = 0;

	qsort(d->tags, DASHBOARD_TAGS, sizeof(d->tags[0]), by_count);
	for (i = 0; i < TAGS_LISTED && d->tags[i].n > 0; i++) {
		const struct dashboard_tag *t = &d->tags[i];
		bool current =
		    fleet_query_has(&d->query, FLEET_TAG, str_of(t->name));
		bool chip = current || shown < TAGS_SHOWN;
		struct value *item = value_item(chip ? chips : more);

		shown += chip;
		value_text(item, "word", t->name);
		value_text(item, "n", text_count(d->v->arena, t->n));
		value_text(item, "href",
		    toggled(d, FLEET_TAG, str_of(t->name)));
		value_bool(item, "current", current);
		value_bool(item, "glyph", false);
	}
	value_bool(root, "any_tags", chips != NULL && chips->first != NULL);
	value_bool(root, "any_more", more != NULL && more->first != NULL);
}

/* -------------------------------------------------------------------- order */

/* A heading sorts by its column; again, the other way round. */
static void
put_columns(struct dashboard *d, struct value *root)
{
	static const char *const keys[] = { [FLEET_BY_ATTENTION] = "by_state",
		[FLEET_BY_NAME] = "by_name",
		[FLEET_BY_LAST] = "by_last",
		[FLEET_BY_SIZE] = "by_size" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		struct fleet_order o = { .sort = (enum fleet_sort)i };
		struct value *m = value_map(root, keys[i]);
		bool current = d->order.sort == o.sort;
		bool down = strcmp(fleet_order_dir(d->order), "desc") == 0;

		o.back = current && !d->order.back;
		value_text(m, "href", link_of(d, "/?", str_of(d->text), o));
		value_text(m, "aria_sort",
		    !current ? ""
		    : down   ? "descending"
		             : "ascending");
	}
}

static void
put_sorts(struct dashboard *d, struct value *root)
{
	static const char *const words[] = { [FLEET_BY_ATTENTION] =
		                                 "Attention first",
		[FLEET_BY_NAME] = "Name",
		[FLEET_BY_LAST] = "Last backup",
		[FLEET_BY_SIZE] = "Size" };
	struct value *list = value_list(root, "sorts");
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		struct value *item = value_item(list);

		value_text(item, "value", fleet_sort_name((enum fleet_sort)i));
		value_text(item, "words", words[i]);
		value_bool(item, "current",
		    d->order.sort == (enum fleet_sort)i);
	}
}

void
dashboard_put_filters(struct dashboard *d, struct value *root)
{
	struct str none = { "", 0 };

	value_text(root, "q", d->text);
	value_text(root, "q_problem", arena_dup(d->v->arena, d->query.problem));
	value_text(root, "clear", link_of(d, "/?", none, d->order));
	value_text(root, "csv",
	    link_of(d, "/hosts.csv?", str_of(d->text), d->order));
	put_states(d, root);
	put_tags(d, root);
	put_columns(d, root);
	put_sorts(d, root);
}
