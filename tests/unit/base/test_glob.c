/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/glob.h"

#include "tests/unit/unit.h"

/* Judged as restic 0.14 and 0.18 judge them. */
static void
broken_patterns_are_known_from_whole_ones(void **state)
{
	static const struct {
		const char *pattern;
		bool unix_ok, windows_ok;
	} cases[] = { { "", true, true }, { "*.o", true, true },
		{ "/srv/**/cache", true, true }, { "!keep", true, true },
		{ "[", false, false }, { "[]", false, false },
		{ "[a", false, false }, { "[a]", true, true },
		{ "[^]", false, false }, { "[^a-z0-9]", true, true },
		{ "[]a]", false, false }, { "[a-]", false, false },
		{ "[-a]", false, false }, { "[a-z", false, false },
		{ "[a-b-c]", false, false }, { "[a]]", true, true },
		{ "[[]", true, true }, { "![", false, false },
		{ "a/b[c/d]", false, false }, { "x[a]/[", false, false },
		{ "x\\", false, true }, { "x\\\\", true, true },
		{ "[\\]]", true, true }, { "a\\/b", false, true },
		{ "C:\\Temp\\[x]", true, true },
		{ "\xc3\xa4[\xc3\xa4-\xc3\xb6]", true, true } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		if (glob_ok(str_of(cases[i].pattern), true) !=
		        cases[i].unix_ok ||
		    glob_ok(str_of(cases[i].pattern), false) !=
		        cases[i].windows_ok)
			fail_msg("%s", cases[i].pattern);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_patterns_are_known_from_whole_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
