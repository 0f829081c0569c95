/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bodies of requests, read by a table. */
#include "tests/unit/unit.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"

struct body {
	char *name;
	char *note;
	int64_t count;
	bool on;
	struct json_strs paths;
	struct json_pairs extra;
	bool seen_note;
	bool seen_count;
};

/* clang-format off */
#define AT(m) offsetof(struct body, m)
static const struct json_field fields[] = {
	{ "name", JSON_STR, JSON_REQUIRED, 1, 8, AT(name), 0, JSON_NO_SEEN },
	{ "note", JSON_STR, JSON_NULL_OK, 0, 100, AT(note), 0, AT(seen_note) },
	{ "count", JSON_INT, JSON_NULL_OK, -5, 1000, AT(count), 0, AT(seen_count) },
	{ "on", JSON_BOOL, 0, 0, 0, AT(on), 0, JSON_NO_SEEN },
	{ "paths", JSON_STRS, 0, 1, 3, AT(paths), 4, JSON_NO_SEEN },
	{ "extra", JSON_PAIRS, JSON_NULL_OK, 0, 2, AT(extra), 5, JSON_NO_SEEN },
};
/* clang-format on */

struct ctx {
	struct arena a;
	struct body b;
	struct err e;
};

static int
setup(void **state)
{
	static struct ctx c;

	c = (struct ctx){ .b = { .count = 42, .on = true } };
	arena_init(&c.a, KIB(64));
	*state = &c;
	return 0;
}

static int
teardown(void **state)
{
	struct ctx *c = *state;

	arena_fini(&c->a);
	return 0;
}

static enum rc
read_str(struct ctx *c, struct str text)
{
	c->e.msg[0] = '\0';
	return json_read(text, fields, ARRAY_LEN(fields), &c->b, &c->a, &c->e);
}

static enum rc
read_z(struct ctx *c, const char *text)
{
	return read_str(c, str_of(text));
}

static void
members_arrive_in_their_fields(void **state)
{
	struct ctx *c = *state;

	assert_int_equal(read_z(c,
	                     " {\"on\":false,\"paths\":[\"/a\",\"\",\"/bcd\"],"
	                     "\"name\":\"J\\u00fcrgen\\n\",\"count\":-5,"
	                     "\"note\":\"\",\"unknown\":{\"x\":[1,2.5]}}\n"),
	    RC_OK);
	assert_string_equal(c->b.name, "J\xc3\xbcrgen\n");
	assert_string_equal(c->b.note, "");
	assert_true(c->b.seen_note);
	assert_int_equal(c->b.count, -5);
	assert_true(c->b.seen_count);
	assert_false(c->b.on);
	assert_int_equal(c->b.paths.n, 3);
	assert_string_equal(c->b.paths.v[0], "/a");
	assert_string_equal(c->b.paths.v[1], "");
	assert_string_equal(c->b.paths.v[2], "/bcd");
	assert_null(c->b.paths.v[3]);
}

static void
an_object_of_texts_arrives_as_pairs(void **state)
{
	static const char *const bad[] = { "{\"A\":\"canary\"}", "{\"A\":7}",
		"[\"A\"]", "{\"A\":\"\",\"B\":\"\",\"C\":\"\"}" };
	struct ctx *c = *state;
	char text[100];
	size_t i;

	assert_int_equal(read_z(c, "{\"name\":\"x\","
	                           "\"extra\":{\"A\":\"12345\",\"B\":null}}"),
	    RC_OK);
	assert_int_equal(c->b.extra.n, 2);
	assert_string_equal(c->b.extra.v[0].name, "A");
	assert_string_equal(c->b.extra.v[0].value, "12345");
	assert_string_equal(c->b.extra.v[1].name, "B");
	assert_null(c->b.extra.v[1].value);
	assert_int_equal(read_z(c, "{\"name\":\"x\",\"extra\":null}"), RC_OK);
	assert_int_equal(c->b.extra.n, 0);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(str_fmt(text, sizeof(text),
		    "{\"name\":\"x\",\"extra\":%s}", bad[i]));
		assert_int_equal(read_z(c, text), RC_INVALID);
		assert_null(strstr(c->e.msg, "canary"));
	}
}

static void
absent_members_leave_the_defaults(void **state)
{
	struct ctx *c = *state;

	assert_int_equal(read_z(c, "{\"name\":\"x\"}"), RC_OK);
	assert_null(c->b.note);
	assert_false(c->b.seen_note);
	assert_int_equal(c->b.count, 42);
	assert_false(c->b.seen_count);
	assert_true(c->b.on);
	assert_int_equal(c->b.paths.n, 0);
}

static void
null_empties_where_it_is_allowed(void **state)
{
	struct ctx *c = *state;

	assert_int_equal(read_z(c,
	                     "{\"name\":\"x\",\"note\":null,\"count\":null}"),
	    RC_OK);
	assert_null(c->b.note);
	assert_true(c->b.seen_note);
	assert_int_equal(c->b.count, 0);
	assert_true(c->b.seen_count);
	assert_int_equal(read_z(c, "{\"name\":null}"), RC_INVALID);
	assert_int_equal(read_z(c, "{\"name\":\"x\",\"on\":null}"), RC_INVALID);
}

/* "a.b" is a member of the object a; null may count as nothing. */
static void
members_of_objects_are_read(void **state)
{
	static const struct inner {
		int64_t n, left;
		bool seen, outer, left_seen;
	} zero = { 0, 0, false, false, false };
	static const struct json_field rows[] = {
		{ "keep", JSON_OBJ, JSON_NULL_ABSENT, 0, 0, 0, 0,
		    offsetof(struct inner, outer) },
		{ "keep.daily", JSON_INT, 0, 0, 9, offsetof(struct inner, n), 0,
		    offsetof(struct inner, seen) },
		{ "left", JSON_INT, JSON_NULL_ABSENT, 0, 9,
		    offsetof(struct inner, left), 0,
		    offsetof(struct inner, left_seen) },
	};
	struct inner in = zero;
	struct ctx *c = *state;

	assert_int_equal(json_read(STR("{\"keep\":{\"daily\":7},\"left\":"
	                               "null}"),
	                     rows, 3, &in, &c->a, &c->e),
	    RC_OK);
	assert_int_equal(in.n, 7);
	assert_true(in.seen && in.outer && !in.left_seen);
	in = zero;
	assert_int_equal(json_read(STR("{\"keep\":null,\"left\":0}"), rows, 3,
	                     &in, &c->a, &c->e),
	    RC_OK);
	assert_true(!in.seen && !in.outer && in.left_seen);
	assert_int_equal(json_read(STR("{\"keep\":[7]}"), rows, 3, &in, &c->a,
	                     &c->e),
	    RC_INVALID);
	assert_string_equal(c->e.field, "keep");
	assert_int_equal(json_read(STR("{\"keep\":{\"daily\":10}}"), rows, 3,
	                     &in, &c->a, &c->e),
	    RC_INVALID);
	assert_string_equal(c->e.field, "keep.daily");
	assert_non_null(strstr(c->e.msg, "keep.daily: must be between"));
}

struct bad {
	const char *text;
	enum rc rc;
	const char *says; /* part of the message */
};

static void
assert_refused(struct ctx *c, const struct bad *bad, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		assert_int_equal(read_z(c, bad[i].text), bad[i].rc);
		if (strstr(c->e.msg, bad[i].says) == NULL)
			fail_msg("%s: %s", bad[i].text, c->e.msg);
		assert_int_equal(c->e.rc, bad[i].rc);
	}
}

static void
bad_values_name_their_member(void **state)
{
	static const struct bad bad[] = {
		{ "{}", RC_INVALID, "name: is missing" },
		{ "{\"name\":\"\"}", RC_INVALID, "name: must not be empty" },
		{ "{\"name\":\"123456789\"}", RC_INVALID,
		    "name: must be at most 8" },
		{ "{\"name\":1}", RC_INVALID, "name: must be a text" },
		{ "{\"name\":[\"a\"]}", RC_INVALID, "name: must be a text" },
		{ "{\"name\":\"a\",\"count\":\"1\"}", RC_INVALID,
		    "count: must be a whole number" },
		{ "{\"name\":\"a\",\"count\":1.0}", RC_INVALID,
		    "count: must be a whole number" },
		{ "{\"name\":\"a\",\"count\":true}", RC_INVALID,
		    "count: must be a whole number" },
		{ "{\"name\":\"a\",\"count\":1001}", RC_INVALID,
		    "count: must be between -5 and 1000" },
		{ "{\"name\":\"a\",\"count\":-6}", RC_INVALID, "count" },
		{ "{\"name\":\"a\",\"count\":9223372036854775807}", RC_INVALID,
		    "count" },
		{ "{\"name\":\"a\",\"count\":9223372036854775808}", RC_INVALID,
		    "out of range" },
		{ "{\"name\":\"a\",\"count\":1e999}", RC_INVALID,
		    "out of range" },
		{ "{\"name\":\"a\",\"on\":\"true\"}", RC_INVALID,
		    "on: must be true or false" },
		{ "{\"name\":\"a\",\"on\":1}", RC_INVALID, "on" },
		{ "{\"name\":\"a\",\"paths\":\"/a\"}", RC_INVALID,
		    "paths: must be a list" },
		{ "{\"name\":\"a\",\"paths\":{}}", RC_INVALID,
		    "paths: must be a list" },
		{ "{\"name\":\"a\",\"paths\":[]}", RC_INVALID,
		    "paths: must have 1 to 3 elements" },
		{ "{\"name\":\"a\",\"paths\":[\"\",\"\",\"\",\"\"]}",
		    RC_INVALID, "has 4" },
		{ "{\"name\":\"a\",\"paths\":[\"a\",2]}", RC_INVALID,
		    "paths: must be a list of texts" },
		{ "{\"name\":\"a\",\"paths\":[\"a\",\"12345\"]}", RC_INVALID,
		    "paths: element 2 is longer than 4" },
	};

	assert_refused(*state, bad, ARRAY_LEN(bad));
}

static void
malformed_text_is_refused(void **state)
{
	static const struct bad bad[] = {
		{ "", RC_PROTO, "ends too early" },
		{ "   ", RC_PROTO, "ends too early" },
		{ "{", RC_PROTO, "ends too early" },
		{ "{\"name\":\"a", RC_PROTO, "ends too early" },
		{ "{\"name\":\"a\"}x", RC_PROTO, "goes on" },
		{ "{\"name\":\"a\"}{}", RC_PROTO, "goes on" },
		{ "{\"name\":\"a\",}", RC_PROTO, "not well-formed JSON" },
		{ "{'name':'a'}", RC_PROTO, "not well-formed JSON" },
		{ "{\"name\" \"a\"}", RC_PROTO, "not well-formed JSON" },
		{ "{\"name\":NaN}", RC_PROTO, "not well-formed JSON" },
		{ "{\"name\":01}", RC_PROTO, "not well-formed JSON" },
		{ "{\"name\":\"\t\"}", RC_PROTO, "line 1" },
		{ "{\"name\":\"\\x41\"}", RC_PROTO, "not well-formed JSON" },
		{ "{\n\"name\":\n\"\\ud800\"}", RC_PROTO, "line 3" },
		{ "{\"name\":\"\\udc00\\ud800\"}", RC_PROTO, "JSON" },
		{ "{\"name\":\"\\u0000\"}", RC_PROTO, "NUL" },
		{ "{\"na\\u0000me\":\"a\"}", RC_PROTO, "NUL" },
		{ "{\"name\":\"\xff\"}", RC_PROTO, "UTF-8" },
		{ "{\"name\":\"\xc0\x80\"}", RC_PROTO, "UTF-8" },
		{ "{\"name\":\"\xed\xa0\x80\"}", RC_PROTO, "UTF-8" },
		{ "{\"name\":\"\xf4\x90\x80\x80\"}", RC_PROTO, "UTF-8" },
		{ "{\"name\":\"\xe2\x82\"}", RC_PROTO, "UTF-8" },
		{ "{\"name\":\"a\",\"\xff\":1}", RC_PROTO, "UTF-8" },
		{ "\xff\xfe{\"name\":1}", RC_PROTO, "UTF-8" },
		{ "[]", RC_INVALID, "must be an object" },
		{ "\"name\"", RC_INVALID, "must be an object" },
		{ "null", RC_INVALID, "must be an object" },
	};

	assert_refused(*state, bad, ARRAY_LEN(bad));
	assert_int_equal(read_str(*state, STR("{\"name\":\"a\"}\0")), RC_PROTO);
	assert_int_equal(read_str(*state, (struct str){ NULL, 0 }), RC_PROTO);
}

static void
duplicates_are_named(void **state)
{
	static const struct bad bad[] = {
		{ "{\"name\":\"a\",\"name\":\"a\"}", RC_PROTO,
		    "the member \"name\" is there twice" },
		{ "{\"name\":\"a\",\"x\":{\"y\":1,\"y\":2}}", RC_PROTO,
		    "\"y\" is there twice" },
		{ "{\"name\":\"a\",\"n\\u0061me\":\"b\"}", RC_PROTO, "twice" },
	};

	assert_refused(*state, bad, ARRAY_LEN(bad));
}

static void
messages_never_quote_a_value(void **state)
{
	static const char *const texts[] = {
		"{\"password\":\"hunter2\" \"hunter2\"}",
		"{\"password\":\"hunter2",
		"{\"password\":\"hunter2\\q\"}",
		"{\"password\":\"hunter2\xff\"}",
		"{\"password\":\"hunter2\"}hunter2",
		"{\"name\":\"hunter2hunter2\"}",
		"{\"password\":\"hunter2\",\"password\":\"hunter2\"}",
		"hunter2",
		"{\"password\":hunter2}",
	};
	struct ctx *c = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_not_equal(read_z(c, texts[i]), RC_OK);
		assert_int_not_equal(strlen(c->e.msg), 0);
		assert_null(strstr(c->e.msg, "hunter2"));
	}
}

static enum rc
read_nested(struct ctx *c, int depth, char open, char end)
{
	struct buf b;
	enum rc rc;
	int i;

	buf_init(&b, MIB(4));
	buf_puts(&b, "{\"name\":\"a\",\"x\":");
	for (i = 1; i < depth; i++)
		buf_puts(&b, open == '{' ? "{\"\\\"[\":" : "[");
	buf_puts(&b, "0");
	for (i = 1; i < depth; i++)
		buf_putc(&b, end);
	buf_puts(&b, "}");
	rc = read_str(c, buf_str(&b));
	buf_fini(&b);
	return rc;
}

static void
depth_ends_at_thirty_two(void **state)
{
	struct ctx *c = *state;

	assert_int_equal(read_nested(c, 32, '[', ']'), RC_OK);
	assert_int_equal(read_nested(c, 32, '{', '}'), RC_OK);
	assert_int_equal(read_nested(c, 33, '[', ']'), RC_PROTO);
	assert_non_null(strstr(c->e.msg, "deeper than 32"));
	assert_int_equal(read_nested(c, 33, '{', '}'), RC_PROTO);
	assert_int_equal(read_nested(c, 1000000, '[', ']'), RC_PROTO);
	/* brackets inside texts do not count */
	assert_int_equal(read_z(c, "{\"name\":\"a\",\"x\":\"[[[[[[[[[[[[[[[[[[["
	                           "[[[[[[[[[[[[[["
	                           "\\\"[[[[\"}"),
	    RC_OK);
}

static void
full_arena_is_a_limit(void **state)
{
	struct ctx *c = *state;
	struct buf b;
	size_t i;

	arena_fini(&c->a);
	arena_init(&c->a, 64);
	buf_init(&b, KIB(1));
	buf_puts(&b, "{\"name\":\"a\",\"note\":\"");
	for (i = 0; i < 100; i++)
		buf_putc(&b, 'n');
	buf_puts(&b, "\"}");
	assert_int_equal(read_str(c, buf_str(&b)), RC_LIMIT);
	assert_non_null(strstr(c->e.msg, "note"));
	assert_null(c->b.note);
	buf_fini(&b);
}

/* jansson's; its header and ours have macros and functions of one name. */
void json_set_alloc_funcs(void *(*take)(size_t), void (*give)(void *));

static size_t allocations_left;

static void *
scarce_malloc(size_t n)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(n);
}

static enum rc
read_with_memory_for(struct ctx *c, size_t allocations)
{
	enum rc rc;

	allocations_left = allocations;
	json_set_alloc_funcs(scarce_malloc, free);
	rc = read_z(c,
	    "{\"name\":\"a longer name\\n\",\"x\":[1,2.5,{\"y\":null}],"
	    "\"note\":\"n\",\"z1\":1,\"z2\":2,\"z3\":3,\"z4\":4,\"z5\":5,"
	    "\"z6\":6,\"z7\":7,\"z8\":8,\"z9\":9}");
	json_set_alloc_funcs(malloc, free);
	return rc;
}

static void
want_of_memory_is_an_error_at_every_point(void **state)
{
	size_t n = 0;

	/* With enough of it the name is found to be too long. */
	while (strstr(((struct ctx *)*state)->e.msg, "at most 8") == NULL) {
		assert_int_not_equal(read_with_memory_for(*state, n), RC_OK);
		assert_in_range(n++, 0, 1000);
	}
	assert_in_range(n, 20, 1000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(members_arrive_in_their_fields),
		TEST(an_object_of_texts_arrives_as_pairs),
		TEST(absent_members_leave_the_defaults),
		TEST(null_empties_where_it_is_allowed),
		TEST(members_of_objects_are_read),
		TEST(bad_values_name_their_member),
		TEST(malformed_text_is_refused),
		TEST(duplicates_are_named),
		TEST(messages_never_quote_a_value),
		TEST(depth_ends_at_thirty_two),
		TEST(full_arena_is_a_limit),
		TEST(want_of_memory_is_an_error_at_every_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
