/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/buf.h"
#include "lib/base/checkup.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"

static void
each_step_is_a_line_and_advice_stands_below(void **state)
{
	struct checkup *c = MEM_NEW(struct checkup);
	struct buf b;

	(void)state;
	buf_init(&b, KIB(8));
	checkup_ok(c, "dns", "%s", "found");
	checkup_fail(c, "tcp", "start it", "%s\033[2J", "refused");
	checkup_skip(c, "tls", "not reached");
	assert_int_equal(c->failed, 1);
	checkup_text(c, &b, false);
	assert_string_equal(buf_text(&b),
	    "ok       dns           found\n"
	    "failed   tcp           refused\\x1b[2J\n"
	    "                       -> start it\n"
	    "skipped  tls           not reached\n");
	buf_reset(&b);
	checkup_text(c, &b, true);
	assert_non_null(strstr(buf_text(&b), "\033[31mfailed \033[0m  tcp"));
	buf_fini(&b);
	mem_free(c);
}

static void
json_has_the_same(void **state)
{
	struct checkup *c = MEM_NEW(struct checkup);
	struct json *doc = NULL;
	const struct json *one;
	struct buf b;

	(void)state;
	buf_init(&b, KIB(8));
	checkup_ok(c, "dns", "found \"it\"");
	checkup_json(c, &b);
	assert_rc(json_parse(buf_str(&b), &doc, NULL), RC_OK);
	assert_true(json_flag(doc, "ok", false));
	assert_false(json_flag(doc, "not there", false));
	one = json_at(json_get(doc, "checks"), 0);
	assert_str(json_text(one, "check"), "dns");
	assert_str(json_text(one, "status"), "ok");
	assert_str(json_text(one, "detail"), "found \"it\"");
	assert_str(json_text(one, "advice"), "");
	json_free(doc);
	buf_reset(&b);
	checkup_fail(c, "tcp", "", "no");
	checkup_json(c, &b);
	assert_rc(json_parse(buf_str(&b), &doc, NULL), RC_OK);
	assert_false(json_flag(doc, "ok", true));
	json_free(doc);
	buf_fini(&b);
	mem_free(c);
}

/* Longer texts than a row holds are cut, not lost. */
static void
long_texts_are_cut(void **state)
{
	struct checkup *c = MEM_NEW(struct checkup);
	char big[1024];

	(void)state;
	memset(big, '\033', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	checkup_fail(c, "tcp", big, "%s", big);
	assert_int_equal(strlen(c->rows[0].detail), CHECKUP_TEXT_CAP - 1);
	assert_int_equal(strlen(c->rows[0].advice), CHECKUP_TEXT_CAP - 1);
	mem_free(c);
}

static void
a_value_is_written_as_it_was_read(void **state)
{
	static const char text[] =
	    "{\"a\":[1,-2,2.5,\"x\\\"\\u0007\",true,false,null,{}],\"b\":{"
	    "\"c\":[]}}";
	struct json *doc = NULL;
	struct json_out j;
	struct buf b;

	(void)state;
	buf_init(&b, KIB(1));
	assert_rc(json_parse(str_of(text), &doc, NULL), RC_OK);
	json_out_init(&j, &b);
	json_put_json(&j, NULL, doc);
	assert_string_equal(buf_text(&b), text);
	buf_reset(&b);
	json_out_init(&j, &b);
	json_put_json(&j, NULL, NULL);
	assert_string_equal(buf_text(&b), "null");
	json_free(doc);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_a_line_and_advice_stands_below),
		cmocka_unit_test(json_has_the_same),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(a_value_is_written_as_it_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
