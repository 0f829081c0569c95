/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "controller/audit_own.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/store/audit_query.h"

static struct audit_row
hostile(void)
{
	struct audit_row r = { .at_ms = 1700000000000 };

	r.actor = STR("=HYPERLINK(\"http://evil.example\",\"x\")");
	r.action = STR("@SUM(A1)");
	r.target_kind = STR("+1");
	r.target = STR("-2, two\r\nlines");
	r.address = STR("\tx");
	r.payload = STR("{\"a\":\"=1\"}");
	r.actor_id = r.target_id = STR("");
	return r;
}

/* M-302: what a spreadsheet would run is text, quotes and commas stay in
 * their cell, and no column holds an id. */
static void
csv_cells_are_no_formulas(void **state)
{
	const struct audit_row r = hostile();
	struct buf b;

	(void)state;
	buf_init(&b, KIB(4));
	audit_put_csv(&b, &r);
	assert_string_equal(buf_text(&b),
	    "2023-11-14T22:13:20.000Z,"
	    "\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\","
	    "\"'@SUM(A1)\",\"'+1\",\"'-2, two\r\nlines\",\"'\tx\","
	    "\"{\"\"a\"\":\"\"=1\"\"}\"\r\n");
	buf_fini(&b);
}

static void
check_payload(struct str payload, const char *want)
{
	struct audit_row r = hostile();
	struct json_out j;
	struct buf b;

	r.payload = payload;
	buf_init(&b, KIB(4));
	json_out_init(&j, &b);
	audit_put_json(&j, &r);
	if (strstr(buf_text(&b), want) == NULL)
		fail_msg("no %s in %s", want, buf_text(&b));
	buf_fini(&b);
}

/* M-298: JSON as JSON, and what is none as text, so that an answer is always
 * well-formed. */
static void
payloads_do_not_break_an_answer(void **state)
{
	(void)state;
	check_payload(STR("{\"a\":\"=1\"}"), "\"payload\":{\"a\":\"=1\"}}");
	check_payload(STR("{\"a\":"), "\"payload\":\"{\\\"a\\\":\"}");
	check_payload(STR("]}, {"), "\"payload\":\"]}, {\"}");
	check_payload(STR(""), "\"payload\":null}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_cells_are_no_formulas),
		cmocka_unit_test(payloads_do_not_break_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
