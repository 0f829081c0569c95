/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /audit: who did what to what, from where. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/audit_query.h"
#include "lib/store/host_store.h"
#include "lib/store/store.h"
#include "render/audit_words.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	PER_PAGE = 50,
	LINK_MAX = 8192,
	PAYLOAD_SHOWN_MAX = 65536
};

static const char *const filters[] = { "user", "action", "target", "q", "from",
	"to", NULL };

/* ------------------------------------------------------------------- links */

/* "user=anna&from=2026-11-20&", each one that is set. */
static struct str
query_of(struct view *v, const char *const *names)
{
	struct str value;
	struct buf b;
	char *text;

	buf_init(&b, LINK_MAX);
	for (; *names != NULL; names++) {
		value = view_param(v, *names);
		if (value.n == 0)
			continue;
		buf_printf(&b, "%s=", *names);
		buf_put_percent(&b, value, "");
		buf_putc(&b, '&');
	}
	text = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return str_of(text);
}

/* Each header sorts by its column: the other way when it does already. */
static void
put_columns(struct value *root, struct str query, const struct audit_query *q)
{
	static const struct {
		const char *key, *words;
	} columns[] = {
		[AUDIT_BY_TIME] = { "time", "Time" },
		[AUDIT_BY_USER] = { "user", "Who" },
		[AUDIT_BY_ACTION] = { "action", "Did" },
		[AUDIT_BY_TARGET] = { "target", "To" },
		[AUDIT_BY_ADDRESS] = { "address", "From" },
	};
	struct value *list = value_list(root, "columns"), *item;
	bool current, up;
	size_t i;

	for (i = 0; i < ARRAY_LEN(columns); i++) {
		item = value_item(list);
		current = (size_t)q->sort == i;
		/* A first click gives A to Z, or the newest first. */
		up = current ? !q->up : i != AUDIT_BY_TIME;
		value_text(item, "words", columns[i].words);
		value_text(item, "order",
		    !current ? ""
		    : q->up  ? "ascending"
		             : "descending");
		value_bool(item, "lo", i == AUDIT_BY_ADDRESS);
		value_printf(item, "href", "/audit?%.*ssort=%s%s",
		    STR_ARG(query), up ? "" : "-", columns[i].key);
	}
}

/* ----------------------------------------------------------------- choices */

static void
put_choice(struct value *list, const char *action, const char *words,
    struct str chosen)
{
	struct value *item = value_item(list);

	value_text(item, "action", action);
	value_text(item, "words", words);
	value_bool(item, "current", str_eqz(chosen, action));
}

/* A noun stands for all its actions; the table is in their order. */
static void
put_choices(struct view *v, struct value *root)
{
	struct str chosen = view_param(v, "action"), noun, rest;
	struct value *groups = value_list(root, "nouns"), *group, *list = NULL;
	const struct audit_word *words;
	const char *last = "";
	bool known = chosen.n == 0;
	size_t i, n;

	words = audit_word_table(&n);
	for (i = 0; i < n; i++) {
		str_cut(str_of(words[i].action), '.', &noun, &rest);
		if (!str_eqz(noun, last)) {
			last = arena_str(v->arena, noun);
			group = value_item(groups);
			value_text(group, "noun",
			    audit_word_noun(str_of(words[i].action)));
			list = value_list(group, "actions");
			put_choice(list, last,
			    arena_printf(v->arena, "any: %s", last), chosen);
			known |= str_eq(chosen, noun);
		}
		put_choice(list, words[i].action, words[i].words, chosen);
		known |= str_eqz(chosen, words[i].action);
	}
	value_lend(root, "other_action", known ? str_of("") : chosen);
}

/* ----------------------------------------------------------------- entries */

/* JSON on lines of its own members; other text as it is. */
static const char *
laid_out(struct view *v, struct str s)
{
	bool quoted = false, escaped = false;
	unsigned depth = 0;
	struct buf b;
	char *text;
	size_t i;

	s = view_cut(s, PAYLOAD_SHOWN_MAX);
	buf_init(&b, KIB(256));
	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"' && !escaped)
			quoted = !quoted;
		escaped = c == '\\' && !escaped;
		if (!quoted && (c == '}' || c == ']') && depth > 0)
			buf_printf(&b, "\n%*s", (int)(--depth * 2), "");
		buf_putc(&b, c);
		if (!quoted && (c == '{' || c == '['))
			depth = depth < 32 ? depth + 1 : depth;
		if (!quoted && (c == '{' || c == '[' || c == ','))
			buf_printf(&b, "\n%*s", (int)(depth * 2), "");
		if (!quoted && c == ':')
			buf_putc(&b, ' ');
	}
	text = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return text;
}

static const char *
id_text(struct view *v, struct str bytes)
{
	char z[ULID_TEXT_CAP];
	struct ulid id;

	if (bytes.n != sizeof(id.b))
		return "";
	memcpy(id.b, bytes.p, sizeof(id.b));
	ulid_text(&id, z);
	return arena_dup(v->arena, z);
}

/* A host by its present name, with a link while it is there. */
static void
put_target(struct view *v, struct value *item, const struct audit_row *row)
{
	const char *id = id_text(v, row->target_id);
	const struct Rec__Host *h = NULL;
	struct str name = row->target, link = STR("");
	struct ulid host;

	if (str_eqz(row->target_kind, "host") &&
	    ulid_parse(str_of(id), &host)) {
		h = host_store_find(v->state, &host);
		if (h != NULL)
			link = str_of(arena_printf(v->arena, "/hosts/%s", id));
		if (h != NULL && name.n == 0)
			name = str_of(h->name);
	} else if (str_eqz(row->target_kind, "job") && *id != '\0') {
		link = str_of(arena_printf(v->arena, "/jobs/%s", id));
		if (name.n == 0)
			name = STR("job");
	}
	value_copy(item, "target", name.n > 0 ? name : row->target_kind);
	value_lend(item, "target_link", link);
	value_copy(item, "target_kind", row->target_kind);
	value_text(item, "target_id", id);
}

static void
put_entry(struct view *v, struct value *list, const struct audit_row *row)
{
	const struct audit_word *w = audit_word_find(row->action);
	struct value *item = value_item(list);

	value_text(item, "exact", text_exact(v->arena, &v->clock, row->at_ms));
	value_text(item, "machine", text_machine(v->arena, row->at_ms));
	value_copy(item, "actor", row->actor);
	value_copy(item, "action", row->action);
	value_copy(item, "did", w != NULL ? str_of(w->words) : row->action);
	value_bool(item, "refused", w != NULL && w->refused);
	value_copy(item, "address", row->address);
	value_text(item, "entry",
	    id_text(v, str_from(row->id.b, sizeof(row->id.b))));
	value_text(item, "payload", laid_out(v, row->payload));
	put_target(v, item, row);
}

static enum rc
put_entries(struct view *v, struct value *root, const struct audit_query *q,
    struct str query)
{
	static const char *const sorting[] = { "sort", NULL };
	const struct audit_want want = { view_param_number(v, "page", 1),
		PER_PAGE };
	struct view_pager pager = { .size = PER_PAGE };
	struct value *list = value_list(root, "entries");
	struct str sort = query_of(v, sorting);
	struct audit_found found;
	struct audit_row row;
	enum rc rc;
	size_t i;

	rc = audit_query_page(v->state, q, &want, v->arena, &found);
	if (rc != RC_OK)
		return rc;
	for (i = 0; i < found.n; i++) {
		if (audit_query_get(v->state, &found.ids[i], &row))
			put_entry(v, list, &row);
	}
	pager.page = found.page;
	pager.total = found.total;
	pager.base = arena_printf(v->arena,
	    "/audit?%.*s%.*spage=", STR_ARG(query), STR_ARG(sort));
	view_pager(root, "pager", &pager);
	value_bool(root, "partial", found.partial);
	value_bool(root, "unsorted", found.unsorted);
	value_text(root, "scan_max",
	    text_count(v->arena, AUDIT_QUERY_SCAN_MAX));
	value_text(root, "sort_max",
	    text_count(v->arena, AUDIT_QUERY_SORT_MAX));
	return RC_OK;
}

/* A filter that cannot be understood stays in its field and finds nothing
 * more narrow than everything. */
static void
read_query(struct view *v, struct value *root, struct audit_query *q)
{
	struct audit_ask ask = {
		.user = view_param(v, "user"),
		.action = view_param(v, "action"),
		.target = view_param(v, "target"),
		.q = view_param(v, "q"),
		.from = view_param(v, "from"),
		.to = view_param(v, "to"),
		.sort = view_param(v, "sort"),
	};
	static const struct audit_ask none;
	struct err e = { 0 };

	if (audit_query_init(q, &ask, v->clock.zone, &e) == RC_OK) {
		value_bool(root, "filter_error", false);
		return;
	}
	value_copy(root, "filter_error", view_sentence(v, str_of(e.msg)));
	if (audit_query_init(q, &none, v->clock.zone, &e) != RC_OK)
		*q = (struct audit_query){ .to_ms = INT64_MAX };
}

enum rc
view_audit(struct view *v, struct value *root)
{
	struct str query = query_of(v, filters);
	struct audit_query q;

	read_query(v, root, &q);
	/* "user" is who looks at the page. */
	value_lend(root, "user_filter", view_param(v, "user"));
	view_keep_params(v, root, filters + 1);
	value_lend(root, "sort", view_param(v, "sort"));
	value_bool(root, "filtered", q.filters || q.ranges);
	value_printf(root, "export", "?%.*ssort=%s", STR_ARG(query),
	    q.up && q.sort == AUDIT_BY_TIME ? "time" : "-time");
	put_columns(root, query, &q);
	put_choices(v, root);
	value_bool(root, "nav_hosts", false);
	value_bool(root, "nav_audit", true);
	return put_entries(v, root, &q, query);
}
