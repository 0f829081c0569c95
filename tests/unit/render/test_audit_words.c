/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/audit_words.h"

#include "tests/unit/read_file.h"

#include "lib/base/buf.h"

/* Nouns together and in order, each action once: the page's choices are made
 * of it. */
static void
the_table_is_in_order(void **state)
{
	const struct audit_word *w;
	size_t i, n;

	(void)state;
	w = audit_word_table(&n);
	for (i = 0; i < n; i++) {
		assert_ptr_equal(audit_word_find(str_of(w[i].action)), &w[i]);
		assert_true(w[i].words[0] != '\0');
		assert_string_not_equal(audit_word_noun(str_of(w[i].action)),
		    "Other");
		if (i > 0)
			assert_true(strcmp(w[i - 1].action, w[i].action) < 0);
	}
	assert_null(audit_word_find(STR("auth")));
	assert_string_equal(audit_word_noun(STR("new.thing")), "Other");
}

/* M-299, M-300: what is audited is told in words. */
static void
every_audited_action_has_words(void **state)
{
	struct str rest, line, action;
	struct buf text;
	size_t n, found = 0;

	(void)state;
	read_file("tests/data/audited", &text);
	rest = buf_str(&text);
	while (str_next(&rest, '\n', &line)) {
		if (line.n == 0 || line.p[0] == '#' ||
		    str_contains(line, STR(" - ")))
			continue;
		n = line.n;
		while (n > 0 && line.p[n - 1] != ' ')
			n--;
		action = str_sub(line, n, line.n);
		if (audit_word_find(action) == NULL)
			fail_msg("render/audit_words.c has no words for %.*s",
			    STR_ARG(action));
		found++;
	}
	assert_true(found >= 90); /* or this finds none any more */
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_in_order),
		cmocka_unit_test(every_audited_action_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
