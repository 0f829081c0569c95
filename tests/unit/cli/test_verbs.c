/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables of the command, what --help says of them, and the manual page. */
#include "tests/unit/unit.h"

#include "controller/cli/args.h"
#include "controller/cli/exit.h"
#include "controller/cli/help.h"
#include "controller/cli/verbs.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"

static void
read_page(struct buf *b)
{
	struct err e = { 0 };

	buf_init(b, MIB(1));
	assert_rc(fsio_read("docs/man/restic-manager.1", b, &e), RC_OK);
}

static const struct verb *
find(struct args *a, size_t *used, struct err *e, size_t n, ...)
{
	va_list ap;
	size_t i;

	memset(a, 0, sizeof(*a));
	va_start(ap, n);
	for (i = 0; i < n; i++)
		a->word[a->words++] = va_arg(ap, const char *);
	va_end(ap);
	return verbs_find(a, used, e);
}

static void
words_find_their_verb(void **state)
{
	struct err e = { 0 };
	struct args a;
	size_t used;

	(void)state;
	assert_string_equal(find(&a, &used, &e, 3, "hosts", "show", "x")->name,
	    "hosts show");
	assert_int_equal(used, 2);
	assert_string_equal(find(&a, &used, &e, 1, "hosts")->name,
	    "hosts list");
	assert_int_equal(used, 1);
	assert_string_equal(find(&a, &used, &e, 2, "jobs", "web-1")->name,
	    "jobs list");
	assert_int_equal(used, 1);
	assert_string_equal(find(&a, &used, &e, 2, "run", "web-1")->name,
	    "run");
	assert_null(find(&a, &used, &e, 1, "host"));
	assert_null(find(&a, &used, &e, 0));
	assert_null(find(&a, &used, &e, 2, "state", "frob"));
	assert_non_null(strstr(e.msg, "state needs one of its verbs"));
	/* A word that is no verb belongs to the usual one, which refuses it. */
	assert_string_equal(find(&a, &used, &e, 2, "audit", "frob")->name,
	    "audit verify");
	assert_rc(verbs_check(verbs_find(&a, &used, &e), &a, used, &e),
	    RC_INVALID);
}

static void
too_few_words_and_foreign_options_are_refused(void **state)
{
	const struct verb *v;
	struct err e = { 0 };
	struct args a;
	size_t used;

	(void)state;
	v = find(&a, &used, &e, 2, "hosts", "show");
	assert_rc(verbs_check(v, &a, used, &e), RC_INVALID);
	assert_string_equal(e.msg, "hosts show needs HOST");
	v = find(&a, &used, &e, 4, "hosts", "show", "a", "b");
	assert_rc(verbs_check(v, &a, used, &e), RC_INVALID);
	v = find(&a, &used, &e, 3, "hosts", "show", "a");
	assert_rc(verbs_check(v, &a, used, &e), RC_OK);
	a.seen = ARGS_BIT(OPT_FOLLOW);
	assert_rc(verbs_check(v, &a, used, &e), RC_INVALID);
	assert_string_equal(e.msg, "hosts show takes no --follow");
}

/* Completion puts names and helps between quotes and takes the verbs of a
 * group to stand together. */
static void
the_table_is_in_order(void **state)
{
	const struct verb *verbs;
	struct str a, b, rest;
	size_t i, k, n;

	(void)state;
	verbs = verbs_table(&n);
	for (i = 0; i < n; i++) {
		assert_null(strpbrk(verbs[i].help, "'\"\\$`"));
		assert_true(verbs[i].min <= verbs[i].max);
		assert_non_null(verbs[i].run);
		str_cut(str_of(verbs[i].name), ' ', &a, &rest);
		for (k = 0; k < i; k++) {
			str_cut(str_of(verbs[k].name), ' ', &b, &rest);
			assert_string_not_equal(verbs[i].name, verbs[k].name);
			if (!str_eq(a, b))
				continue;
			str_cut(str_of(verbs[i - 1].name), ' ', &b, &rest);
			assert_true(str_eq(a, b));
		}
	}
	for (i = 0; i < ARGS_OPTION_COUNT; i++)
		assert_null(
		    strpbrk(args_option((enum args_id)i)->help, "'\"\\$`"));
}

/* ".It Cm hosts show Ar host" */
static void
the_manual_page_tells_every_verb_and_option(void **state)
{
	const struct verb *verbs;
	struct buf page, line;
	size_t i, n;

	(void)state;
	read_page(&page);
	buf_init(&line, 256);
	verbs = verbs_table(&n);
	for (i = 0; i < n; i++) {
		buf_reset(&line);
		buf_printf(&line, "\n.It Cm %s%s", verbs[i].name,
		    verbs[i].max == 0 ? "\n" : " ");
		if (!str_contains(buf_str(&page), buf_str(&line)))
			fail_msg("the page lacks the verb %s", verbs[i].name);
	}
	for (i = 0; i < ARGS_OPTION_COUNT; i++) {
		const char *name = args_option((enum args_id)i)->name;

		buf_reset(&line);
		buf_printf(&line, "-%s", name);
		if (!str_contains(buf_str(&page), buf_str(&line)))
			fail_msg("the page lacks the option --%s", name);
	}
	buf_fini(&line);
	buf_fini(&page);
}

static void
the_manual_page_has_the_table_of_exit_codes(void **state)
{
	const struct exit_row *rows;
	struct buf page, want;
	size_t i, n;

	(void)state;
	read_page(&page);
	buf_init(&want, KIB(8));
	buf_puts(&want, ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
	rows = exit_table(&n);
	for (i = 0; i < n; i++)
		buf_printf(&want, ".It %d\n%s\n", (int)rows[i].code,
		    rows[i].text);
	buf_puts(&want, ".El\n");
	if (!str_contains(buf_str(&page), buf_str(&want)))
		fail_msg("EXIT STATUS should be:\n%s", buf_text(&want));
	buf_fini(&want);
	buf_fini(&page);
}

static void
results_become_exit_codes(void **state)
{
	struct err e = { .rc = RC_AUTH };
	size_t i;

	(void)state;
	assert_int_equal(exit_of(&e), END_REFUSED);
	e.code = EXIT_UNREACHABLE_CODE;
	assert_int_equal(exit_of(&e), END_UNREACHABLE);
	e = (struct err){ .rc = RC_OFFLINE };
	assert_int_equal(exit_of(&e), END_BUSY);
	for (i = 1; i < RC_COUNT; i++) {
		e = (struct err){ .rc = (enum rc)i };
		assert_int_not_equal(exit_of(&e), END_OK);
		assert_int_not_equal(exit_of(&e), END_FAILED);
	}
}

static void
help_tells_a_verb_a_group_or_all(void **state)
{
	const char *words[2] = { "jobs", "show" };
	struct buf b;

	(void)state;
	buf_init(&b, KIB(64));
	help_words(&b, words, 2);
	assert_non_null(strstr(buf_text(&b), "restic-manager jobs show JOB"));
	assert_null(strstr(buf_text(&b), "cancel"));
	buf_reset(&b);
	help_words(&b, words, 1);
	assert_non_null(strstr(buf_text(&b), "jobs cancel JOB"));
	assert_null(strstr(buf_text(&b), "snapshots"));
	buf_reset(&b);
	help_words(&b, words, 0);
	assert_non_null(strstr(buf_text(&b), "snapshots HOST"));
	assert_non_null(strstr(buf_text(&b), "Exit status"));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_find_their_verb),
		cmocka_unit_test(too_few_words_and_foreign_options_are_refused),
		cmocka_unit_test(the_table_is_in_order),
		cmocka_unit_test(the_manual_page_tells_every_verb_and_option),
		cmocka_unit_test(the_manual_page_has_the_table_of_exit_codes),
		cmocka_unit_test(results_become_exit_codes),
		cmocka_unit_test(help_tells_a_verb_a_group_or_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
