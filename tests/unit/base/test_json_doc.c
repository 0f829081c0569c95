/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Documents of others, walked. */
#include "tests/unit/unit.h"

#include "lib/base/attr.h"
#include "lib/base/json.h"

static void
documents_are_walked(void **state)
{
	const char *text = "{\"message_type\":\"status\",\"percent\":0.5,"
	                   "\"n\":7,\"tags\":[\"a\",[],{\"k\":\"v\"}],"
	                   "\"whole\":3.0,\"part\":3.5}";
	const struct json *tags;
	struct json *doc = NULL;

	(void)state;
	assert_int_equal(json_parse(str_of(text), &doc, NULL), RC_OK);
	assert_true(json_is_object(doc));
	assert_false(json_is_array(doc));
	assert_true(str_eqz(json_text(doc, "message_type"), "status"));
	assert_true(str_eqz(json_text(doc, "none"), ""));
	assert_true(str_eqz(json_text(doc, "n"), ""));
	assert_int_equal(json_int(doc, "n", -1), 7);
	assert_int_equal(json_int(doc, "whole", -1), 3);
	assert_int_equal(json_int(doc, "part", -1), -1);
	assert_int_equal(json_int(doc, "message_type", -1), -1);
	assert_true(json_num(doc, "percent", 0) > 0.49);
	assert_true(json_num(doc, "n", 0) > 6.9);
	assert_true(json_num(doc, "tags", -1) < 0);
	tags = json_get(doc, "tags");
	assert_true(json_is_array(tags));
	assert_int_equal(json_len(tags), 3);
	assert_true(str_eqz(json_self_text(json_at(tags, 0)), "a"));
	assert_int_equal(json_len(json_at(tags, 1)), 0);
	assert_true(str_eqz(json_text(json_at(tags, 2), "k"), "v"));
	assert_null(json_at(tags, 3));
	assert_null(json_get(tags, "k"));
	json_free(doc);
}

static void
nothing_may_be_asked_for_anything(void **state)
{
	(void)state;
	assert_null(json_get(NULL, "a"));
	assert_null(json_at(NULL, 0));
	assert_int_equal(json_len(NULL), 0);
	assert_true(str_eqz(json_text(NULL, "a"), ""));
	assert_true(str_eqz(json_self_text(NULL), ""));
	assert_int_equal(json_int(NULL, "a", 5), 5);
	assert_true(json_num(NULL, "a", 5) > 4);
	assert_false(json_is_object(NULL));
	assert_false(json_is_array(NULL));
	json_free(NULL);
}

static void
huge_numbers_do_not_cost_the_document(void **state)
{
	const char *text = "{\"inode\":18446744073709551615,\"size\":4096,"
	                   "\"big\":9007199254740993,\"name\":\"f\"}";
	struct json *doc = NULL;

	(void)state;
	assert_int_equal(json_parse(str_of(text), &doc, NULL), RC_OK);
	assert_int_equal(json_int(doc, "size", -1), 4096);
	assert_int_equal(json_int(doc, "inode", -1), -1);
	assert_true(json_num(doc, "inode", 0) > 1.8e19);
	assert_true(str_eqz(json_text(doc, "name"), "f"));
	json_free(doc);
	doc = NULL;
	assert_int_equal(json_parse(STR("[1e999]"), &doc, NULL), RC_INVALID);
	assert_null(doc);
}

static void
documents_refuse_what_bodies_refuse(void **state)
{
	static const char *const texts[] = { "", "{", "[1,]",
		"{\"a\":1,\"a\":2}", "\"\\u0000\"", "\"\xff\"",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
		"]"
		"]]]]" };
	struct json *doc = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(json_parse(str_of(texts[i]), &doc, NULL),
		    RC_PROTO);
		assert_null(doc);
	}
	assert_int_equal(json_parse(STR(" \"text\" "), &doc, NULL), RC_OK);
	assert_true(str_eqz(json_self_text(doc), "text"));
	json_free(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_walked),
		cmocka_unit_test(nothing_may_be_asked_for_anything),
		cmocka_unit_test(huge_numbers_do_not_cost_the_document),
		cmocka_unit_test(documents_refuse_what_bodies_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
