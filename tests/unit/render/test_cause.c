/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/cause.h"

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/str.h"
#include "proto/store.pb-c.h"
#include "tests/unit/unit.h"

static const char *
words_of(struct arena *a, const char *cause, const char *error)
{
	struct Rec__Job j = REC__JOB__INIT;

	j.state = REC__JOB_STATE__JOB_FAILED;
	j.cause = arena_dup(a, cause);
	j.error = arena_dup(a, error);
	return cause_words(&j, a);
}

static void
a_known_cause_is_told_in_words(void **state)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct arena a;

	(void)state;
	arena_init(&a, KIB(64));
	assert_string_equal(words_of(&a, "locked", "Fatal: x"),
	    "The repository is locked by another process");
	j.cause = arena_dup(&a, "lost");
	assert_string_equal(cause_advice(&j), "Run it again.");
	arena_fini(&a);
}

static void
an_unknown_cause_gives_the_first_line_of_the_error(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, KIB(64));
	assert_string_equal(words_of(&a, "from_a_newer_agent", "one\ntwo"),
	    "one");
	assert_string_equal(words_of(&a, "from_a_newer_agent", ""),
	    "The job failed");
	assert_string_equal(words_of(&a, "", ""), "The job failed");
	arena_fini(&a);
}

static void
a_job_that_did_not_fail_needs_no_words(void **state)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct arena a;

	(void)state;
	arena_init(&a, KIB(64));
	j.state = REC__JOB_STATE__JOB_SUCCEEDED;
	assert_string_equal(cause_words(&j, &a), "");
	assert_string_equal(cause_advice(&j), "");
	arena_fini(&a);
}

/* The rows behind "| Cause |" of the guide: every name that scripts are
 * told has words for people. */
static void
every_cause_of_the_guide_has_words(void **state)
{
	struct str rest, line, cell, name, head;
	struct Rec__Job j = REC__JOB__INIT;
	struct arena a;
	struct buf b;
	unsigned found = 0;
	bool inside = false;

	(void)state;
	arena_init(&a, MIB(1));
	buf_init(&b, MIB(1));
	assert_int_equal(fsio_read("docs/automation.md", &b, NULL), RC_OK);
	rest = buf_str(&b);
	while (str_next(&rest, '\n', &line)) {
		if (str_contains(line, STR("`no_restic`")))
			inside = true;
		if (!inside)
			continue;
		if (!str_starts(line, STR("| `")))
			break;
		str_cut(str_sub(line, 2, line.n), '|', &cell, &head);
		while (str_cut(cell, '`', &head, &cell) &&
		       str_cut(cell, '`', &name, &cell)) {
			char text[64];

			assert_true(str_copy(text, sizeof(text), name));
			assert_string_not_equal(words_of(&a, text, ""),
			    "The job failed");
			/* Nothing is to be done about what was wanted. */
			j.cause = text;
			if (strcmp(text, "cancelled") != 0)
				assert_string_not_equal(cause_advice(&j), "");
			found++;
		}
	}
	assert_true(found >= 20);
	buf_fini(&b);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_cause_is_told_in_words),
		cmocka_unit_test(
		    an_unknown_cause_gives_the_first_line_of_the_error),
		cmocka_unit_test(a_job_that_did_not_fail_needs_no_words),
		cmocka_unit_test(every_cause_of_the_guide_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
