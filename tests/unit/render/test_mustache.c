/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mustache specification's own cases, each named by file and index. */
#include "tests/unit/unit.h"

#include <jansson.h>

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "render/expand.h"
#include "render/template.h"
#include "render/value.h"

#define SPEC_DIR "tests/data/mustache-spec/specs/"

struct spec_file {
	const char *name;
	size_t cases;
};

/* clang-format off */
static const struct spec_file files[] = {
	{ "comments", 12 }, { "delimiters", 14 }, { "interpolation", 42 },
	{ "inverted", 22 }, { "partials", 12 }, { "sections", 34 },
	{ "~inheritance", 27 }, { "~dynamic-names", 21 },
};
/* clang-format on */

static void convert(struct value *parent, struct str key, json_t *j);

static void
convert_text(struct value *parent, struct str key, const char *z)
{
	struct value *v = value_add(parent, key, VALUE_TEXT);

	v->text = str_of(arena_dup(parent->arena, z));
}

static void
convert_members(struct value *v, json_t *j)
{
	const char *key;
	json_t *member;
	size_t i;

	json_object_foreach(j, key, member)
	    convert(v, str_of(arena_dup(v->arena, key)), member);
	json_array_foreach(j, i, member) convert(v, str_of(NULL), member);
}

static void
convert(struct value *parent, struct str key, json_t *j)
{
	char number[32];

	switch (json_typeof(j)) {
	case JSON_OBJECT:
		convert_members(value_add(parent, key, VALUE_MAP), j);
		return;
	case JSON_ARRAY:
		convert_members(value_add(parent, key, VALUE_LIST), j);
		return;
	case JSON_STRING:
		convert_text(parent, key, json_string_value(j));
		return;
	case JSON_INTEGER:
	case JSON_REAL:
		assert_true(str_fmt(number, sizeof(number), "%.15g",
		    json_number_value(j)));
		convert_text(parent, key, number);
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		value_add(parent, key, VALUE_BOOL)->truth = json_is_true(j);
		return;
	case JSON_NULL:
		(void)value_add(parent, key, VALUE_NULL);
		return;
	}
}

static enum rc
expand_case(json_t *c, struct buf *out, struct err *e)
{
	struct template_set *set = template_set_new();
	struct value *holder;
	struct arena arena;
	const char *name;
	json_t *partial;
	enum rc rc;

	arena_init(&arena, MIB(1));
	holder = value_root(&arena);
	convert(holder, STR("data"), json_object_get(c, "data"));
	rc = template_add(set, "-case",
	    str_of(json_string_value(json_object_get(c, "template"))), e);
	json_object_foreach(json_object_get(c, "partials"), name, partial)
	{
		if (rc == RC_OK)
			rc = template_add(set, name,
			    str_of(json_string_value(partial)), e);
	}
	if (rc == RC_OK)
		rc = template_link(set, false, e);
	if (rc == RC_OK)
		rc = expand(set, template_find(set, STR("-case")),
		    value_get(holder, STR("data")), out, e);
	arena_fini(&arena);
	template_set_free(set);
	return rc;
}

static bool
case_ok(const struct spec_file *f, size_t i, json_t *c)
{
	const char *want = json_string_value(json_object_get(c, "expected"));
	struct err e = { .rc = RC_OK };
	struct buf out;
	bool ok;

	buf_init(&out, KIB(64));
	ok = expand_case(c, &out, &e) == RC_OK &&
	     strcmp(buf_text(&out), want) == 0;
	if (!ok)
		print_error("%s #%zu (%s): %s\n want <%s>\n got  <%s>\n",
		    f->name, i, json_string_value(json_object_get(c, "name")),
		    e.rc == RC_OK ? "differs" : e.msg, want, buf_text(&out));
	buf_fini(&out);
	return ok;
}

static void
every_case_of_the_file_gives_the_expected_bytes(void **state)
{
	const struct spec_file *f = *state;
	char path[256];
	json_error_t je;
	json_t *doc, *cases, *c;
	size_t i, bad = 0;

	assert_true(str_fmt(path, sizeof(path), SPEC_DIR "%s.json", f->name));
	doc = json_load_file(path, 0, &je);
	assert_non_null(doc);
	cases = json_object_get(doc, "tests");
	assert_int_equal(json_array_size(cases), f->cases);
	json_array_foreach(cases, i, c) bad += !case_ok(f, i, c);
	json_decref(doc);
	assert_int_equal(bad, 0);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(files)];
	struct spec_file table[ARRAY_LEN(files)];
	size_t i;

	memcpy(table, files, sizeof(files));
	for (i = 0; i < ARRAY_LEN(files); i++)
		tests[i] = (struct CMUnitTest){ .name = table[i].name,
			.test_func =
			    every_case_of_the_file_gives_the_expected_bytes,
			.initial_state = &table[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
