/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/csv.h"

#include "tests/unit/unit.h"

#include "lib/base/attr.h"
#include "lib/base/buf.h"

static void
a_cell_reads_back_as_what_it_was(void **state)
{
	static const struct {
		const char *text, *cell;
	} rows[] = {
		{ "", "" },
		{ "web-01", "web-01" },
		{ "a b", "a b" },
		{ "a,b", "\"a,b\"" },
		{ "say \"x\"", "\"say \"\"x\"\"\"" },
		{ "one\ntwo", "\"one\ntwo\"" },
		{ "=1+1", "\"'=1+1\"" },
		{ "+1", "\"'+1\"" },
		{ "-1", "\"'-1\"" },
		{ "@x", "\"'@x\"" },
		{ "\tx", "\"'\tx\"" },
		{ "\rx", "\"'\rx\"" },
		{ "=\"a\"", "\"'=\"\"a\"\"\"" },
		{ "a=1", "a=1" },
	};
	char want[64];
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, KIB(1));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&b);
		csv_z(&b, rows[i].text);
		csv_uint(&b, 7);
		csv_end(&b);
		assert_true(
		    str_fmt(want, sizeof(want), "%s,7\r\n", rows[i].cell));
		assert_string_equal(buf_text(&b), want);
	}
	buf_fini(&b);
}

static void
times_are_rfc_3339_and_never_is_empty(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, KIB(1));
	csv_time(&b, 0);
	csv_time(&b, 1700000000000);
	csv_end(&b);
	assert_string_equal(buf_text(&b), ",2023-11-14T22:13:20.000Z\r\n");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cell_reads_back_as_what_it_was),
		cmocka_unit_test(times_are_rfc_3339_and_never_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
