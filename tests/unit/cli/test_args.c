/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "controller/cli/args.h"

static enum rc
parse(struct args *a, struct err *e, const char *const *words)
{
	char program[] = "restic-manager", *argv[64] = { program };
	int n = 1;

	for (; *words != NULL; words++)
		argv[n++] = (char *)(uintptr_t)*words;
	return args_parse(n, argv, a, e);
}

#define PARSE(...) parse(&a, &e, (const char *const[]){ __VA_ARGS__, NULL })

static void
options_stand_anywhere_in_every_form(void **state)
{
	struct args a;
	struct err e = { 0 };

	(void)state;
	assert_rc(PARSE("--output=json", "run", "-f", "web-1", "--server",
	              "https://x", "--", "--odd"),
	    RC_OK);
	assert_int_equal(a.words, 3);
	assert_string_equal(a.word[0], "run");
	assert_string_equal(a.word[2], "--odd");
	assert_string_equal(args_value(&a, OPT_OUTPUT), "json");
	assert_string_equal(args_value(&a, OPT_SERVER), "https://x");
	assert_true(args_has(&a, OPT_FOLLOW));
	assert_null(args_value(&a, OPT_PIN));
	assert_rc(PARSE("-ojson", "-"), RC_OK);
	assert_string_equal(args_value(&a, OPT_OUTPUT), "json");
	assert_string_equal(a.word[0], "-");
	assert_rc(PARSE("--output="), RC_OK);
	assert_string_equal(args_value(&a, OPT_OUTPUT), "");
}

static void
what_repeats_is_listed_and_what_does_not_is_refused(void **state)
{
	const char *many[ARGS_REPEAT_MAX + 2] = { NULL };
	struct args a;
	struct err e = { 0 };
	size_t i;

	(void)state;
	assert_rc(PARSE("--path", "/a", "--path=/b"), RC_OK);
	assert_int_equal(args_list(&a, OPT_PATH)->n, 2);
	assert_string_equal(args_list(&a, OPT_PATH)->v[0], "/a");
	assert_string_equal(args_list(&a, OPT_PATH)->v[1], "/b");
	assert_int_equal(args_list(&a, OPT_TAG)->n, 0);
	assert_rc(PARSE("--server", "a", "--server", "b"), RC_INVALID);
	assert_string_equal(e.msg, "--server is given twice");
	assert_rc(PARSE("-f", "--follow"), RC_OK);
	for (i = 0; i <= ARGS_REPEAT_MAX; i++)
		many[i] = "--tag=x";
	assert_rc(parse(&a, &e, many), RC_INVALID);
}

static void
mistakes_are_named(void **state)
{
	static const struct {
		const char *words[4];
		const char *why;
	} rows[] = {
		{ { "--frob" }, "there is no option --frob" },
		{ { "-z" }, "there is no option -z" },
		{ { "--follow=1" }, "--follow takes no value" },
		{ { "hosts", "--query" }, "--query needs a value: TEXT" },
		{ { "-o" }, "--output needs a value: FORMAT" },
	};
	struct args a;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		e = (struct err){ 0 };
		assert_rc(parse(&a, &e, rows[i].words), RC_INVALID);
		assert_string_equal(e.msg, rows[i].why);
	}
}

static void
too_many_words_are_refused(void **state)
{
	const char *many[ARGS_WORDS_MAX + 2] = { NULL };
	struct args a;
	struct err e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i <= ARGS_WORDS_MAX; i++)
		many[i] = "x";
	assert_rc(parse(&a, &e, many), RC_INVALID);
	many[ARGS_WORDS_MAX] = NULL;
	assert_rc(parse(&a, &e, many), RC_OK);
	assert_int_equal(a.words, ARGS_WORDS_MAX);
}

static void
numbers_are_whole_and_in_range(void **state)
{
	struct args a;
	struct err e = { 0 };
	int64_t n = 0;

	(void)state;
	assert_rc(PARSE("--limit", "7"), RC_OK);
	assert_rc(args_number(&a, OPT_LIMIT, 1, 10, 3, &n, &e), RC_OK);
	assert_int_equal(n, 7);
	assert_rc(args_number(&a, OPT_DAYS, 1, 10, 3, &n, &e), RC_OK);
	assert_int_equal(n, 3);
	assert_rc(args_number(&a, OPT_LIMIT, 8, 10, 8, &n, &e), RC_INVALID);
	assert_rc(PARSE("--limit", "7x"), RC_OK);
	assert_rc(args_number(&a, OPT_LIMIT, 1, 10, 3, &n, &e), RC_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_anywhere_in_every_form),
		cmocka_unit_test(
		    what_repeats_is_listed_and_what_does_not_is_refused),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(too_many_words_are_refused),
		cmocka_unit_test(numbers_are_whole_and_in_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
