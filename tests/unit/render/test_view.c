/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/ulid.h"
#include "render/value.h"
#include "render/view.h"

/* The numbers of a pager as "1 … 4 [5] 6 … 20". */
static void
pager_text(struct view_pager *p, char *dst, size_t cap)
{
	struct arena a;
	struct value *root;
	const struct value *page;
	struct buf b;

	arena_init(&a, KIB(64));
	buf_init(&b, KIB(1));
	root = value_root(&a);
	view_pager(root, "pager", p);
	page = value_get(value_get(root, STR("pager")), STR("pages"))->first;
	for (; page != NULL; page = page->next) {
		bool current = value_truthy(value_get(page, STR("current")));

		if (value_truthy(value_get(page, STR("gap"))))
			buf_puts(&b, "..");
		else
			buf_printf(&b, current ? "[%s]" : "%s",
			    value_get(page, STR("n"))->text.p);
		buf_putc(&b, ' ');
	}
	assert_true(str_copy(dst, cap, str_trim(buf_str(&b))));
	buf_fini(&b);
	arena_fini(&a);
}

static void
a_pager_shows_ends_and_neighbours(void **state)
{
	static const struct {
		uint64_t page, total;
		const char *want;
	} rows[] = {
		{ 1, 0, "" },
		{ 1, 50, "" },
		{ 9, 50, "" },
		{ 1, 51, "[1] 2" },
		{ 10, 1000, "1 .. 8 9 [10] 11 12 .. 20" },
		{ 1, 1000, "[1] 2 3 .. 20" },
		{ 99, 1000, "1 .. 18 19 [20]" },
		{ 0, 1000, "[1] 2 3 .. 20" },
	};
	char got[128];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct view_pager p = { .base = "?page=",
			.page = rows[i].page,
			.size = 50,
			.total = rows[i].total };

		pager_text(&p, got, sizeof(got));
		assert_string_equal(got, rows[i].want);
	}
}

static void
params_are_read_strictly(void **state)
{
	struct Ipc__RenderRequest req = IPC__RENDER_REQUEST__INIT;
	struct Ipc__Param p[3], *list[3] = { &p[0], &p[1], &p[2] };
	char page[] = "page", seven[] = "7", bad[] = "-1", from[] = "from";
	char none[] = "id", empty[] = "";
	struct view v = { .req = &req };
	struct ulid id;

	(void)state;
	ipc__param__init(&p[0]);
	ipc__param__init(&p[1]);
	ipc__param__init(&p[2]);
	p[0].name = page;
	p[0].value = seven;
	p[1].name = from;
	p[1].value = bad;
	p[2].name = none;
	p[2].value = empty;
	req.n_params = 3;
	req.params = list;
	assert_int_equal(view_param_number(&v, "page", 1), 7);
	assert_int_equal(view_param_number(&v, "from", 3), 3);
	assert_int_equal(view_param_number(&v, "absent", 5), 5);
	assert_false(view_param_id(&v, "id", &id));
	assert_true(view_param_is(&v, "page", "7"));
	assert_str(view_param(&v, "absent"), "");
}

static void
text_is_cut_between_characters(void **state)
{
	(void)state;
	assert_str(view_cut(STR("abc"), 3), "abc");
	assert_str(view_cut(STR("abcd"), 3), "abc");
	assert_str(view_cut(STR("ab\xc3\xa9z"), 3), "ab");
	assert_str(view_cut(STR("ab\xc3\xa9z"), 4), "ab\xc3\xa9");
	assert_str(view_cut(STR("\x80\x80\x80"), 2), "");
}

static void
messages_become_sentences(void **state)
{
	struct arena a;
	struct view v = { .arena = &a };

	(void)state;
	arena_init(&a, KIB(4));
	assert_str(view_sentence(&v, STR("no such job ")), "No such job.");
	assert_str(view_sentence(&v, STR("Wait!")), "Wait!");
	assert_str(view_sentence(&v, STR("restic failed")), "restic failed.");
	assert_str(view_sentence(&v, STR("")), "");
	assert_str(view_sentence(&v, STR("\xc3\xa9t\xc3\xa9")),
	    "\xc3\xa9t\xc3\xa9.");
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pager_shows_ends_and_neighbours),
		cmocka_unit_test(params_are_read_strictly),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(messages_become_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
