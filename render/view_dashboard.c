/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fleet: headline, figures, filters, one row per host. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/host_store.h"
#include "render/host_view.h"
#include "render/value.h"
#include "render/view.h"
#include "render/view_pages.h"

enum {
	HOSTS_MAX = 10000, /* looked at for one page */
	PAGE_HOSTS = 100,
	NAMED_MAX = 3, /* hosts in the headline */
	QUERY_CAP = 512
};

enum {
	DAY_MS = 86400000
};

enum sort {
	SORT_ATTENTION,
	SORT_NAME,
	SORT_LAST,
	SORT_SIZE
};

/* clang-format off */
static const struct {
	const char *name;
	const char *words;
} sorts[] = {
	[SORT_ATTENTION] = { "attention", "Attention first" },
	[SORT_NAME]      = { "name", "Name" },
	[SORT_LAST]      = { "last", "Last backup" },
	[SORT_SIZE]      = { "size", "Size" },
};
/* clang-format on */

struct fleet {
	struct view *v;
	struct host_view *rows; /* every host, then those of the filter */
	size_t n;
	size_t cap;
	size_t by_status[STATUS_HOST_COUNT];
	size_t offline;
	size_t safe; /* with a backup inside the allowed age */
	size_t attention;
	uint64_t stored;
	uint64_t snapshots;
	size_t ran, failed; /* hosts whose last run is of the last 24 h */
};

static bool
view_dashboard_on_host(void *ctx, const struct Rec__Host *h)
{
	struct fleet *f = ctx;
	struct host_view *hv;

	if (f->n == f->cap)
		return false;
	hv = &f->rows[f->n++];
	host_view_init(f->v, h, hv);
	f->by_status[hv->status]++;
	f->offline += !h->online;
	f->safe += status_protected(h, f->v->req->now_ms);
	f->attention += status_needs_attention(hv->status);
	if (f->v->req->now_ms - h->last_attempt_at_ms <= DAY_MS) {
		f->ran++;
		f->failed += h->last_backup_state == REC__JOB_STATE__JOB_FAILED;
	}
	f->stored += h->repo_size_bytes;
	f->snapshots += h->snapshot_count;
	return true;
}

/* "mail-01 and build-03", "a, b, c and 4 more" */
static void
put_names(struct buf *out, const struct fleet *f)
{
	size_t left = f->n - f->safe, named = 0, i;

	for (i = 0; i < f->n && named < NAMED_MAX; i++) {
		const struct Rec__Host *h = f->rows[i].host;

		if (status_protected(h, f->v->req->now_ms))
			continue;
		if (named > 0)
			buf_puts(out, named + 1 == left ? " and " : ", ");
		buf_puts(out, h->name);
		named++;
	}
	if (left > named)
		buf_printf(out, " and %zu more", left - named);
}

static void
put_headline(struct fleet *f, struct value *root)
{
	const char *s = f->n == 1 ? "" : "s";
	struct buf b;

	buf_init(&b, KIB(4));
	if (f->attention > 0)
		value_printf(root, "headline",
		    "%zu of %zu host%s need%s "
		    "attention",
		    f->attention, f->n, s, f->attention == 1 ? "s" : "");
	else if (f->safe == f->n)
		value_printf(root, "headline", "%s host%s protected",
		    f->n == 1 ? "Your" : "All", f->n == 1 ? " is" : "s are");
	else
		value_printf(root, "headline", "No host needs attention");
	if (f->safe == f->n) {
		buf_printf(&b, "%s a backup within %s allowed age.",
		    f->n == 1 ? "It has" : "Every one has",
		    f->n == 1 ? "the" : "its");
	} else {
		buf_printf(&b,
		    "%zu of %zu host%s %s a backup within the "
		    "allowed age. ",
		    f->safe, f->n, s, f->safe == 1 ? "has" : "have");
		put_names(&b, f);
		buf_puts(&b, f->n - f->safe == 1 ? " does not." : " do not.");
	}
	value_copy(root, "subline", buf_str(&b));
	buf_fini(&b);
}

static void
put_stats(struct fleet *f, struct value *root)
{
	struct arena *a = f->v->arena;
	struct value *m = value_map(root, "stats");

	value_text(m, "safe", text_count(a, f->safe));
	value_text(m, "all", text_count(a, f->n));
	value_text(m, "stored", f->stored == 0 ? "" : text_bytes(a, f->stored));
	value_text(m, "snapshots", text_count(a, f->snapshots));
	value_text(m, "ran", text_count(a, f->ran));
	value_text(m, "failed", text_count(a, f->failed));
	value_text(m, "running", text_count(a, f->by_status[STATUS_RUNNING]));
}

/* Percent-encodes what is not unreserved, for links that keep the query. */
static void
put_query(struct buf *out, const char *key, struct str value)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i;

	if (value.n == 0)
		return;
	buf_printf(out, "%s=", key);
	for (i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || strchr("-._~", c) != NULL) {
			buf_putc(out, (char)c);
			continue;
		}
		buf_putc(out, '%');
		buf_putc(out, hex[c >> 4]);
		buf_putc(out, hex[c & 15]);
	}
	buf_putc(out, '&');
}

/* What is given of q, tag and sort, and status, each with "&" behind it. */
static const char *
query(struct view *v, const char *before, struct str status, const char *last)
{
	struct buf b;
	const char *z;

	buf_init(&b, KIB(8));
	buf_puts(&b, before);
	put_query(&b, "q", view_param(v, "q"));
	put_query(&b, "tag", view_param(v, "tag"));
	put_query(&b, "sort", view_param(v, "sort"));
	put_query(&b, "status", status);
	buf_puts(&b, last);
	z = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return z;
}

static void
add_chip(struct fleet *f, struct value *list, const struct status_look *look,
    size_t n)
{
	struct str now = view_param(f->v, "status");
	struct value *item;

	if (n == 0 && !str_eqz(now, look->name))
		return;
	item = value_item(list);
	value_text(item, "class", look->class);
	value_text(item, "glyph", look->glyph);
	value_text(item, "word", look->brief);
	value_text(item, "n", text_count(f->v->arena, n));
	value_text(item, "href", query(f->v, "/?", str_of(look->name), ""));
	value_bool(item, "current", str_eqz(now, look->name));
}

static void
put_filters(struct fleet *f, struct value *root)
{
	/* clang-format off */
	static const struct status_look offline =
		{ "offline", "warn", "offline", "Offline", "Offline", false, false };
	static const struct status_look all =
		{ "", "", "", "All", "All", false, false };
	/* clang-format on */
	struct value *list = value_list(root, "chips");
	struct str sort = view_param(f->v, "sort");
	size_t i;

	add_chip(f, list, &all, f->n);
	for (i = 0; i < STATUS_HOST_COUNT; i++)
		add_chip(f, list, status_host_look((enum status_host)i),
		    f->by_status[i]);
	add_chip(f, list, &offline, f->offline);
	list = value_list(root, "sorts");
	for (i = 0; i < ARRAY_LEN(sorts); i++) {
		struct value *item = value_item(list);

		value_text(item, "value", sorts[i].name);
		value_text(item, "words", sorts[i].words);
		value_bool(item, "current", str_eqz(sort, sorts[i].name));
	}
	value_lend(root, "q", view_param(f->v, "q"));
	value_lend(root, "tag", view_param(f->v, "tag"));
	value_lend(root, "status_param", view_param(f->v, "status"));
}

static bool
has_tag(const struct Rec__Host *h, struct str tag)
{
	size_t i;

	for (i = 0; i < h->n_tags; i++) {
		if (str_case_eq(str_of(h->tags[i]), tag))
			return true;
	}
	return false;
}

/* Case-insensitive part of a name. */
static bool
name_has(const char *name, struct str part)
{
	struct str s = str_of(name);
	size_t i;

	for (i = 0; i + part.n <= s.n; i++) {
		if (str_case_eq(str_sub(s, i, part.n), part))
			return true;
	}
	return false;
}

/* One word of the query: name, tag:x, os:x, with - in front for not. */
static bool
word_fits(const struct Rec__Host *h, struct str word)
{
	bool not = word.n > 1 && word.p[0] == '-';
	struct str rest = not ? str_sub(word, 1, word.n - 1) : word;
	bool fits;

	if (str_starts(rest, STR("tag:")))
		fits = has_tag(h, str_sub(rest, 4, rest.n - 4));
	else if (str_starts(rest, STR("os:")))
		fits = str_case_eq(str_of(h->os), str_sub(rest, 3, rest.n - 3));
	else
		fits = name_has(h->name, rest);
	return fits != not ;
}

static bool
host_fits(const struct view *v, const struct host_view *hv)
{
	struct str q = view_param(v, "q"), word;
	struct str tag = view_param(v, "tag");
	struct str status = view_param(v, "status");

	if (tag.n > 0 && !has_tag(hv->host, tag))
		return false;
	if (str_eqz(status, "offline")) {
		if (hv->host->online)
			return false;
	} else if (status.n > 0 &&
	           !str_eqz(status, status_host_look(hv->status)->name)) {
		return false;
	}
	q = str_sub(q, 0, QUERY_CAP);
	while (str_next(&q, ' ', &word)) {
		if (word.n > 0 && !word_fits(hv->host, word))
			return false;
	}
	return true;
}

static int
by_name(const void *a, const void *b)
{
	const struct host_view *x = a, *y = b;

	return strcmp(x->host->name, y->host->name);
}

static int
by_attention(const void *a, const void *b)
{
	const struct host_view *x = a, *y = b;

	if (x->status != y->status)
		return x->status < y->status ? -1 : 1;
	return by_name(a, b);
}

static int
by_last(const void *a, const void *b)
{
	const struct host_view *x = a, *y = b;
	int64_t s = x->host->last_backup_at_ms, t = y->host->last_backup_at_ms;

	return s != t ? (s < t ? -1 : 1) : by_name(a, b);
}

static int
by_size(const void *a, const void *b)
{
	const struct host_view *x = a, *y = b;
	uint64_t s = x->host->repo_size_bytes, t = y->host->repo_size_bytes;

	return s != t ? (s > t ? -1 : 1) : by_name(a, b);
}

static void
filter_and_sort(struct fleet *f)
{
	static int (*const order[])(const void *, const void *) = {
		[SORT_ATTENTION] = by_attention,
		[SORT_NAME] = by_name,
		[SORT_LAST] = by_last,
		[SORT_SIZE] = by_size,
	};
	enum sort sort = SORT_ATTENTION;
	size_t i, kept = 0;

	for (i = 0; i < ARRAY_LEN(sorts); i++) {
		if (view_param_is(f->v, "sort", sorts[i].name))
			sort = (enum sort)i;
	}
	for (i = 0; i < f->n; i++) {
		if (host_fits(f->v, &f->rows[i]))
			f->rows[kept++] = f->rows[i];
	}
	f->n = kept;
	qsort(f->rows, f->n, sizeof(*f->rows), order[sort]);
}

static void
put_row(struct fleet *f, struct value *list, struct host_view *hv)
{
	char codes[CHART_DAYS];
	struct value *item = value_item(list);
	int64_t first;

	host_view_load(f->v, hv);
	host_view_put(f->v, item, hv);
	first = host_view_days(f->v, hv, codes);
	chart_heat(value_map(item, "heat"), codes, first);
}

/* The page of rows, or the one row that the param host asks for. */
static void
put_rows(struct fleet *f, struct value *root)
{
	struct view_pager pager = { .page = view_param_number(f->v, "page", 1),
		.size = PAGE_HOSTS,
		.total = f->n };
	struct value *list = value_list(root, "hosts");
	struct ulid only;
	bool one = view_param_id(f->v, "host", &only);
	size_t i;

	pager.base = query(f->v, "/?", view_param(f->v, "status"), "page=");
	view_pager(root, "pager", &pager);
	value_bool(root, "first_page", pager.page == 1);
	value_text(root, "event_query",
	    query(f->v, "&", view_param(f->v, "status"), ""));
	for (i = 0; i < f->n; i++) {
		if (one ? ulid_eq(&f->rows[i].id, &only)
		        : i / PAGE_HOSTS + 1 == pager.page)
			put_row(f, list, &f->rows[i]);
	}
}

/* The dates above the strips, and the first day for the script. */
static void
put_axis(struct view *v, struct value *root)
{
	int64_t first = text_day(&v->clock, v->req->now_ms) - (CHART_DAYS - 1);

	chart_axis(value_list(root, "axis"), first);
	value_printf(root, "axis_width", "%d", chart_width(first));
	value_text(root, "heat_from", text_day_machine(v->arena, first));
}

enum rc
view_dashboard(struct view *v, struct value *root)
{
	struct fleet f = { .v = v };
	uint64_t count = host_store_count(v->state);

	if (count > HOSTS_MAX)
		count = HOSTS_MAX;
	f.cap = (size_t)count;
	f.rows = arena_array(v->arena, f.cap + 1, sizeof(*f.rows));
	if (f.rows == NULL)
		return RC_LIMIT;
	host_store_each(v->state, view_dashboard_on_host, &f);
	value_bool(root, "any", f.n > 0);
	value_bool(root, "nav_hosts", true);
	view_waiting(v, root);
	put_headline(&f, root);
	put_stats(&f, root);
	put_filters(&f, root);
	put_axis(v, root);
	filter_and_sort(&f);
	put_rows(&f, root);
	return RC_OK;
}
