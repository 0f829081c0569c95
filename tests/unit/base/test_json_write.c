/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is written. */
#include "tests/unit/unit.h"

#include <math.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/ulid.h"

static void
writer_places_commas_and_names(void **state)
{
	char a[] = "a", b_line[] = "b\n";
	char *const words[] = { a, b_line };
	struct ulid id = { { [15] = 1 } };
	struct json_out j;
	struct buf b;

	(void)state;
	buf_init(&b, KIB(4));
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put(&j, "a", "x");
	json_obj(&j, "empty");
	json_obj_end(&j);
	json_arr(&j, "list");
	json_put_int(&j, NULL, INT64_MIN);
	json_put_uint(&j, NULL, UINT64_MAX);
	json_arr(&j, NULL);
	json_arr_end(&j);
	json_obj(&j, NULL);
	json_put_bool(&j, "t", true);
	json_put_bool(&j, "f", false);
	json_obj_end(&j);
	json_put_null(&j, NULL);
	json_arr_end(&j);
	json_put_time(&j, "at", 1000);
	json_put_time(&j, "never", 0);
	json_put(&j, "none", NULL);
	json_put_strs(&j, "words", words, 2);
	json_put_strs(&j, "no_words", words, 0);
	json_put_ulid(&j, "id", &id);
	id = (struct ulid){ { 0 } };
	json_put_ulid(&j, "no_id", &id);
	json_obj_end(&j);
	assert_int_equal(buf_rc(&b), RC_OK);
	assert_string_equal(buf_text(&b),
	    "{\"a\":\"x\",\"empty\":{},\"list\":[-9223372036854775808,"
	    "18446744073709551615,[],{\"t\":true,\"f\":false},null],"
	    "\"at\":\"1970-01-01T00:00:01.000Z\",\"never\":null,\"none\":"
	    "\"\",\"words\":[\"a\",\"b\\n\"],\"no_words\":[],"
	    "\"id\":\"00000000000000000000000001\",\"no_id\":null}");
	buf_fini(&b);
}

static void
assert_written(struct str in, const char *want)
{
	struct json *doc = NULL;
	struct json_out j;
	struct buf b;

	buf_init(&b, KIB(4));
	json_out_init(&j, &b);
	json_put_str(&j, NULL, in);
	assert_string_equal(buf_text(&b), want);
	/* What is written without NUL can be read. */
	if (memchr(in.p, 0, in.n) == NULL) {
		assert_int_equal(json_parse(buf_str(&b), &doc, NULL), RC_OK);
		json_free(doc);
	}
	buf_fini(&b);
}

static void
writer_escapes_texts(void **state)
{
	(void)state;
	assert_written(STR("a\"b\\c/\n\r\t\b\x01\x1f\x7f"),
	    "\"a\\\"b\\\\c/\\n\\r\\t\\u0008\\u0001\\u001f\\u007f\"");
	assert_written(STR("a\0b"), "\"a\\u0000b\"");
	assert_written(STR("J\xc3\xbcrgen \xf0\x9f\x98\x80"),
	    "\"J\xc3\xbcrgen \xf0\x9f\x98\x80\"");
	assert_written(STR("\xff"
	                   "a\xc3"),
	    "\"\xef\xbf\xbd"
	    "a\xef\xbf\xbd\"");
	assert_written(STR("\xed\xa0\x80"),
	    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void
assert_number(double v, const char *want)
{
	struct json_out j;
	struct buf b;

	buf_init(&b, 100);
	json_out_init(&j, &b);
	json_put_num(&j, NULL, v);
	assert_string_equal(buf_text(&b), want);
	if (isfinite(v))
		assert_true(strtod(buf_text(&b), NULL) <= v &&
		            strtod(buf_text(&b), NULL) >= v);
	buf_fini(&b);
}

static void
numbers_are_short_and_exact(void **state)
{
	(void)state;
	assert_number(0, "0");
	assert_number(0.1, "0.1");
	assert_number(-2.5, "-2.5");
	assert_number(1.0 / 3, "0.33333333333333331");
	assert_number(1e300, "1e+300");
	assert_number((double)NAN, "null");
	assert_number((double)INFINITY, "null");
	assert_number((double)-INFINITY, "null");
}

static void
writer_failure_sticks_to_the_buffer(void **state)
{
	struct json_out j;
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	json_put(&j, "name", "longer than eight bytes");
	json_obj_end(&j);
	assert_int_equal(buf_rc(&b), RC_LIMIT);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writer_places_commas_and_names),
		cmocka_unit_test(writer_escapes_texts),
		cmocka_unit_test(numbers_are_short_and_exact),
		cmocka_unit_test(writer_failure_sticks_to_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
