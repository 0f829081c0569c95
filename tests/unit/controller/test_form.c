/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "controller/form.h"
#include "controller/req.h"
#include "lib/base/arena.h"

static void
escapes_are_decoded_strictly(void **state)
{
	/* clang-format off */
	static const struct {
		const char *in;
		bool plus;
		enum rc rc;
		const char *out;
	} cases[] = {
		{ "", false, RC_OK, "" },
		{ "abc", false, RC_OK, "abc" },
		{ "a%20b", false, RC_OK, "a b" },
		{ "a+b", false, RC_OK, "a+b" },
		{ "a+b", true, RC_OK, "a b" },
		{ "%2B%25", true, RC_OK, "+%" },
		{ "%c3%A4", false, RC_OK, "\xc3\xa4" },
		{ "%2e%2e%2f", false, RC_OK, "../" },
		{ "%", false, RC_PROTO, NULL },
		{ "%2", false, RC_PROTO, NULL },
		{ "%zz", false, RC_PROTO, NULL },
		{ "% 1", false, RC_PROTO, NULL },
		{ "%00", false, RC_PROTO, NULL },
		{ "%ff", false, RC_PROTO, NULL },
		{ "%c3", false, RC_PROTO, NULL },
		{ "%ed%a0%80", false, RC_PROTO, NULL },
		{ "%C0%AF", false, RC_PROTO, NULL },
	};
	/* clang-format on */
	struct arena a;
	struct str out;
	size_t i;

	(void)state;
	arena_init(&a, 65536);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_rc(form_decode(str_of(cases[i].in), cases[i].plus, &a,
		              &out),
		    cases[i].rc);
		if (cases[i].out != NULL)
			assert_str(out, cases[i].out);
	}
	arena_fini(&a);
}

static void
fields_come_in_order(void **state)
{
	struct req_form *f;
	struct arena a;
	size_t n;

	(void)state;
	arena_init(&a, 65536);
	assert_rc(form_parse(STR("a=1&&b=&c&a=2%263&=x"), &a, &f, &n), RC_OK);
	assert_int_equal(n, 5);
	assert_str(f[0].name, "a");
	assert_str(f[0].value, "1");
	assert_str(f[1].name, "b");
	assert_str(f[1].value, "");
	assert_str(f[2].name, "c");
	assert_str(f[2].value, "");
	assert_str(f[3].value, "2&3");
	assert_str(f[4].name, "");
	assert_rc(form_parse(STR(""), &a, &f, &n), RC_OK);
	assert_int_equal(n, 0);
	assert_rc(form_parse(STR("a=%"), &a, &f, &n), RC_PROTO);
	assert_rc(form_parse(STR("%00=a"), &a, &f, &n), RC_PROTO);
	arena_fini(&a);
}

static void
too_many_fields_are_refused(void **state)
{
	char text[4 * (REQ_FORM_MAX + 1)];
	struct req_form *f;
	struct arena a;
	size_t i, n;

	(void)state;
	arena_init(&a, 65536);
	for (i = 0; i <= REQ_FORM_MAX; i++)
		memcpy(text + 4 * i, "a=1&", 4);
	assert_rc(form_parse(str_from(text, 4 * REQ_FORM_MAX), &a, &f, &n),
	    RC_OK);
	assert_int_equal(n, REQ_FORM_MAX);
	assert_rc(form_parse(str_from(text, sizeof(text)), &a, &f, &n),
	    RC_LIMIT);
	arena_fini(&a);
}

static void
a_full_arena_is_a_limit(void **state)
{
	struct req_form *f;
	struct arena a;
	struct str out;
	size_t n;
	char big[4096];

	(void)state;
	memset(big, 'a', sizeof(big));
	arena_init(&a, 256);
	assert_rc(form_decode(str_from(big, sizeof(big)), false, &a, &out),
	    RC_LIMIT);
	assert_rc(form_parse(str_from(big, sizeof(big)), &a, &f, &n), RC_LIMIT);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_are_decoded_strictly),
		cmocka_unit_test(fields_come_in_order),
		cmocka_unit_test(too_many_fields_are_refused),
		cmocka_unit_test(a_full_arena_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
