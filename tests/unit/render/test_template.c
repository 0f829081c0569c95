/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Refusals, bounds and escaping; what is right is in test_mustache.c. */
#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "render/escape.h"
#include "render/expand.h"
#include "render/template.h"
#include "render/value.h"

struct refusal {
	const char *source;
	const char *message;
};

static void
a_broken_template_is_refused_with_its_line(void **state)
{
	static const struct refusal rows[] = {
		{ "a\nb {{name", "line 2: the tag is not closed" },
		{ "{{#a}}\n{{/b}}", "line 2: another section is open" },
		{ "\n\n{{/b}}", "line 3: a section is closed" },
		{ "x\n{{#a}}", "line 2: the section is not closed" },
		{ "{{}}", "line 1: the tag names nothing" },
		{ "{{# }}", "line 1: the tag names nothing" },
		{ "{{=x}}", "line 1: a delimiter tag ends with =" },
		{ "{{=x=}}", "line 1: a delimiter tag names two" },
		{ "{{=<<<<<<<<<<<<<<<<<<<< >=}}", "not usable" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct template_set *set = template_set_new();
		struct err e = { .rc = RC_OK };

		assert_int_equal(template_add(set, "t", str_of(rows[i].source),
		                     &e),
		    RC_INVALID);
		if (strstr(e.msg, rows[i].message) == NULL)
			fail_msg("%s: %s", rows[i].source, e.msg);
		assert_null(template_find(set, STR("t")));
		template_set_free(set);
	}
}

static void
a_source_with_nul_bytes_is_read_to_its_end(void **state)
{
	struct template_set *set = template_set_new();
	struct err e;

	(void)state;
	assert_int_equal(template_add(set, "t", STR("a\0{{b}}\0{{"), &e),
	    RC_INVALID);
	assert_int_equal(template_add(set, "t", STR("a\0{{b}}\0"), &e), RC_OK);
	assert_int_equal(template_find(set, STR("t"))->count, 3);
	template_set_free(set);
}

static void
sections_nest_to_the_bound_and_no_further(void **state)
{
	struct template_set *set = template_set_new();
	struct buf b;
	struct err e;
	size_t i;

	(void)state;
	buf_init(&b, KIB(4));
	for (i = 0; i < TEMPLATE_NEST; i++)
		buf_puts(&b, "{{#a}}");
	for (i = 0; i < TEMPLATE_NEST; i++)
		buf_puts(&b, "{{/a}}");
	assert_int_equal(template_add(set, "just", buf_str(&b), &e), RC_OK);
	buf_reset(&b);
	for (i = 0; i <= TEMPLATE_NEST; i++)
		buf_puts(&b, "{{#a}}");
	assert_int_equal(template_add(set, "over", buf_str(&b), &e),
	    RC_INVALID);
	buf_fini(&b);
	template_set_free(set);
}

static void
a_missing_partial_is_an_error_when_strict(void **state)
{
	struct template_set *set = template_set_new();
	struct err e;

	(void)state;
	assert_int_equal(template_add(set, "t", STR("{{>gone}}"), &e), RC_OK);
	assert_int_equal(template_link(set, false, &e), RC_OK);
	assert_int_equal(template_link(set, true, &e), RC_NOTFOUND);
	assert_non_null(strstr(e.msg, "no template gone"));
	assert_int_equal(template_add(set, "t", STR(""), &e), RC_CONFLICT);
	template_set_free(set);
}

static enum rc
expand_text(const char *source, size_t max, struct err *e)
{
	struct template_set *set = template_set_new();
	struct arena a;
	struct buf out;
	struct value *root;
	enum rc rc;

	arena_init(&a, KIB(64));
	buf_init(&out, max);
	root = value_root(&a);
	value_text(root, "a", "aaaaaaaaaaaaaaaa");
	assert_int_equal(template_add(set, "t", str_of(source), e), RC_OK);
	assert_int_equal(template_link(set, true, e), RC_OK);
	rc = expand(set, template_find(set, STR("t")), root, &out, e);
	buf_fini(&out);
	arena_fini(&a);
	template_set_free(set);
	return rc;
}

static void
a_template_that_includes_itself_for_ever_is_stopped(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(expand_text("x{{>t}}", MIB(1), &e), RC_LIMIT);
	assert_int_equal(expand_text(" {{>t}}\n", MIB(1), &e), RC_LIMIT);
	assert_int_equal(expand_text("{{<t}}{{$b}}{{/b}}{{/t}}{{$b}}{{/b}}",
	                     MIB(1), &e),
	    RC_LIMIT);
}

static void
output_past_its_maximum_is_an_error(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(expand_text("{{a}}", 17, &e), RC_OK);
	assert_int_equal(expand_text("{{a}}{{a}}", 17, &e), RC_LIMIT);
}

static void
hostile_text_is_harmless_in_html(void **state)
{
	static const char *rows[][2] = {
		{ "<script>\"x\" & 'y'</script>",
		    "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;"
		    "&lt;/script&gt;" },
		{ "caf\xc3\xa9 \xf0\x9f\x98\x80",
		    "caf\xc3\xa9 \xf0\x9f\x98\x80" },
		{ "a\x80z\xc3", "a\xef\xbf\xbdz\xef\xbf\xbd" },
		{ "\x1b[31m\x7f\t\n", "\xef\xbf\xbd[31m\xef\xbf\xbd\t\n" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out;

		buf_init(&out, KIB(1));
		escape_html(&out, str_of(rows[i][0]));
		assert_string_equal(buf_text(&out), rows[i][1]);
		buf_fini(&out);
	}
}

static void
past_the_arena_values_vanish_without_a_crash(void **state)
{
	struct arena a;
	struct value *root, *list;
	size_t i;

	(void)state;
	arena_init(&a, 2048);
	root = value_root(&a);
	list = value_list(root, "list");
	for (i = 0; i < 1000; i++) {
		struct value *item = value_item(list);

		value_printf(item, "n", "%zu %300s", i, "");
		value_bool(item, "b", true);
		value_null(value_map(item, "m"), "x");
	}
	assert_int_equal(arena_rc(&a), RC_LIMIT);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_template_is_refused_with_its_line),
		cmocka_unit_test(a_source_with_nul_bytes_is_read_to_its_end),
		cmocka_unit_test(sections_nest_to_the_bound_and_no_further),
		cmocka_unit_test(a_missing_partial_is_an_error_when_strict),
		cmocka_unit_test(
		    a_template_that_includes_itself_for_ever_is_stopped),
		cmocka_unit_test(output_past_its_maximum_is_an_error),
		cmocka_unit_test(hostile_text_is_harmless_in_html),
		cmocka_unit_test(past_the_arena_values_vanish_without_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
