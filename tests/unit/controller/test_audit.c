/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/read_file.h"

#include "controller/audit_own.h"
#include "controller/route.h"
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

/* ------------------------------------------------------- what is audited */

static struct str
word(struct str *line)
{
	struct str first;

	*line = str_trim(*line);
	str_cut(*line, ' ', &first, line);
	return first;
}

/* The rest of the route's line: action, or "-" and why; empty when there is
 * none. */
static struct str
audited_as(struct str table, const struct route *r)
{
	struct str line, method, path;

	while (str_next(&table, '\n', &line)) {
		method = word(&line);
		path = word(&line);
		if (str_eqz(method, r->method) && str_eqz(path, r->pattern))
			return str_trim(line);
	}
	return STR("");
}

/* M-300: every route that changes something is audited, or says why not; and
 * every line is of a route. */
static void
every_change_has_an_action(void **state)
{
	const struct route *rows;
	struct str table, line, as;
	size_t i, n, changes = 0, lines = 0;
	struct buf text;

	(void)state;
	read_file("tests/data/audited", &text);
	table = buf_str(&text);
	rows = route_table(&n);
	for (i = 0; i < n; i++) {
		if (strcmp(rows[i].method, "GET") == 0)
			continue;
		changes++;
		as = audited_as(table, &rows[i]);
		if (as.n < 3 || (memchr(as.p, '.', as.n) == NULL &&
		                    !str_starts(as, STR("- "))))
			fail_msg("%s %s: say in tests/data/audited what it is "
			         "audited as",
			    rows[i].method, rows[i].pattern);
	}
	while (str_next(&table, '\n', &line))
		lines += line.n > 0 && line.p[0] != '#';
	assert_int_equal(lines, changes);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_cells_are_no_formulas),
		cmocka_unit_test(payloads_do_not_break_an_answer),
		cmocka_unit_test(every_change_has_an_action),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
