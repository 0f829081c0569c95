/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * docs/api.md is the table of routes in words, docs/automation.md the table
 * of results: what stands on one side only fails here.
 */
#include "tests/unit/read_file.h"

#include "controller/auth.h"
#include "controller/route.h"
#include "lib/base/buf.h"

enum {
	ENTRIES_MAX = 400
};

/* One address of the page with what is said of it. */
struct entry {
	struct str method, pattern, text;
	bool used;
};

struct page {
	struct buf text;
	struct entry entries[ENTRIES_MAX];
	size_t n;
};

/* "### `GET /x`" begins a section, "| `GET /x` | ..." is one by itself. */
static bool
entry_begins(struct str line, struct str *inner)
{
	struct str rest;

	if (!str_starts(line, STR("### `")) && !str_starts(line, STR("| `")))
		return false;
	str_cut(line, '`', &rest, inner);
	str_cut(*inner, '`', inner, &rest);
	return str_starts(*inner, STR("GET /")) ||
	       str_starts(*inner, STR("POST /")) ||
	       str_starts(*inner, STR("PUT /")) ||
	       str_starts(*inner, STR("PATCH /")) ||
	       str_starts(*inner, STR("DELETE /"));
}

static void
entry_add(struct page *p, struct str inner, struct str line)
{
	struct entry *en = &p->entries[p->n];

	assert_true(p->n++ < ENTRIES_MAX);
	str_cut(inner, ' ', &en->method, &en->pattern);
	en->text = line;
}

static void
read_page(struct page *p)
{
	struct str rest, line, inner;
	bool section = false;

	memset(p, 0, sizeof(*p));
	read_file("docs/api.md", &p->text);
	rest = buf_str(&p->text);
	while (str_next(&rest, '\n', &line)) {
		if (entry_begins(line, &inner)) {
			entry_add(p, inner, line);
			section = line.p[0] == '#';
		} else if (str_starts(line, STR("#"))) {
			section = false;
		} else if (section) {
			struct entry *en = &p->entries[p->n - 1];

			en->text.n = (size_t)(line.p + line.n - en->text.p);
		}
	}
}

static struct entry *
find_entry(struct page *p, const struct route *r)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (str_eqz(p->entries[i].method, r->method) &&
		    str_eqz(p->entries[i].pattern, r->pattern))
			return &p->entries[i];
	fail_msg("docs/api.md does not have %s %s", r->method, r->pattern);
	return NULL;
}

static void
assert_contains(const struct entry *en, const char *before, const char *what,
    const char *after)
{
	char words[128];

	assert_true(
	    str_fmt(words, sizeof(words), "%s%s%s", before, what, after));
	if (!str_contains(en->text, str_of(words)))
		fail_msg("docs/api.md, %.*s %.*s: %s is missing",
		    STR_ARG(en->method), STR_ARG(en->pattern), words);
}

static const char *
role_name(enum route_role role)
{
	return role == ROUTE_PUBLIC ? "public" : auth_need_name(role);
}

static void
every_address_is_told_with_its_role(void **state)
{
	const struct route *rows;
	struct entry *en;
	static struct page p;
	size_t i, n;

	(void)state;
	read_page(&p);
	rows = route_table(&n);
	for (i = 0; i < n; i++) {
		en = find_entry(&p, &rows[i]);
		assert_false(en->used);
		en->used = true;
		assert_contains(en, "**", role_name(rows[i].role), "**");
	}
	for (i = 0; i < p.n; i++)
		if (!p.entries[i].used)
			fail_msg("no route is %.*s %.*s",
			    STR_ARG(p.entries[i].method),
			    STR_ARG(p.entries[i].pattern));
	buf_fini(&p.text);
}

static void
every_member_of_a_body_is_told(void **state)
{
	const struct route *rows;
	struct entry *en;
	char limit[32];
	static struct page p;
	size_t i, k, n;

	(void)state;
	read_page(&p);
	rows = route_table(&n);
	for (i = 0; i < n; i++) {
		en = find_entry(&p, &rows[i]);
		for (k = 0; rows[i].json != NULL && k < rows[i].json->n; k++)
			assert_contains(en, "`", rows[i].json->fields[k].name,
			    "`");
		if (rows[i].max_body == 0 || en->text.p[0] != '#')
			continue;
		assert_true(str_fmt(limit, sizeof(limit), "%zu",
		    rows[i].max_body / 1024));
		assert_contains(en, ", ", limit, " KiB");
	}
	buf_fini(&p.text);
}

static void
every_result_is_told_with_its_status(void **state)
{
	const struct rc_info *info;
	char row[64];
	struct buf b;
	unsigned i;

	(void)state;
	read_file("docs/automation.md", &b);
	for (i = RC_OK + 1; i < RC_COUNT; i++) {
		info = rc_info((enum rc)i);
		assert_true(str_fmt(row, sizeof(row), "\n| `%s` | %d | ",
		    info->json_code, info->http_status));
		if (!str_contains(buf_str(&b), str_of(row)))
			fail_msg("docs/automation.md has no row %s", row + 1);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_is_told_with_its_role),
		cmocka_unit_test(every_member_of_a_body_is_told),
		cmocka_unit_test(every_result_is_told_with_its_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
