/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every row of contract.md "Jobs" and of restic's exit codes. */
#include "tests/unit/unit.h"

#include "agent/outcome.h"
#include "agent/restic.h"

enum words {
	NOTHING,
	WRONG_PASSWORD = 1,
	LOCKED = 2,
	NO_REPOSITORY = 4,
	REFUSED = 8,
	UNREACHABLE = 16,
	EXISTS = 32,
	NO_SUMMARY = 64,
	LIST_FAILED = 128,
	NOT_LISTED = 256,
	CANCELLED = 512,
	NOT_STARTED = 1024,
	TOO_SLOW = 2048,
	LOST = 4096,
	LIST_PASSWORD = 8192,
	KEPT = 16384,
	DAMAGED = 32768,
	LEFT = 65536,
	VANISHED = 131072
};

struct row {
	const char *what;
	int exit_code, signal;
	unsigned words;
	uint64_t errors, scan, missing_before, missing_said;
	const char *status, *cause;
	uint64_t unread;
	int told_exit;
};

/* clang-format off */
static const struct row backups[] = {
	/*                     exit sig words          err scan mis said  status     cause            unread told */
	{ "verified",             0, 0, NOTHING,        0, 0, 0, 0, "succeeded", "",                0, 0 },
	{ "exit 3",               3, 0, NOTHING,        2, 1, 0, 0, "succeeded", "unreadable",      2, 3 },
	{ "exit 3, no word",      3, 0, NOTHING,        0, 0, 0, 0, "succeeded", "unreadable",      1, 3 },
	{ "error line, exit 0",   0, 0, NOTHING,        1, 0, 0, 0, "succeeded", "unreadable",      1, 0 },
	{ "scan error only",      0, 0, NOTHING,        0, 2, 0, 0, "succeeded", "unreadable",      2, 0 },
	{ "missing beforehand",   0, 0, NOTHING,        0, 0, 1, 0, "succeeded", "missing_path",    1, 0 },
	{ "missing said",         0, 0, NOTHING,        0, 0, 0, 2, "succeeded", "missing_path",    2, 0 },
	{ "missing both ways",    0, 0, NOTHING,        1, 0, 2, 2, "succeeded", "missing_path",    3, 0 },
	{ "list failed",          0, 0, LIST_FAILED,    0, 0, 0, 0, "succeeded", "not_verified",    0, 0 },
	{ "list failed, errors",  3, 0, LIST_FAILED,    4, 0, 1, 0, "succeeded", "not_verified",    5, 3 },
	{ "output lost",          0, 0, LOST,           0, 0, 0, 0, "succeeded", "output_lost",     0, 0 },
	{ "not in the list",      0, 0, NOT_LISTED,     0, 0, 0, 0, "failed",    "no_snapshot",     0, 0 },
	{ "exit 3, not listed",   3, 0, NOT_LISTED,     1, 0, 0, 0, "failed",    "no_snapshot",     0, 3 },
	{ "no summary",           0, 0, NO_SUMMARY,     0, 0, 0, 0, "failed",    "no_snapshot",     0, 0 },
	{ "generic",              1, 0, NOTHING,        0, 0, 0, 0, "failed",    "restic_failed",   0, 1 },
	{ "Go runtime",           2, 0, NOTHING,        0, 0, 0, 0, "failed",    "restic_failed",   0, 2 },
	{ "unknown code",        77, 0, NOTHING,        0, 0, 0, 0, "failed",    "restic_failed",   0, 77 },
	{ "all missing",          1, 0, NO_SUMMARY,     0, 0, 2, 2, "failed",    "missing_path",    0, 1 },
	{ "no repository, 0.14",  1, 0, NO_REPOSITORY,  0, 0, 0, 0, "failed",    "no_repository",   0, 1 },
	{ "no repository, 0.17", 10, 0, NOTHING,        0, 0, 0, 0, "failed",    "no_repository",   0, 10 },
	{ "locked, 0.14",         1, 0, LOCKED,         0, 0, 0, 0, "failed",    "locked",          0, 1 },
	{ "locked, 0.17",        11, 0, NOTHING,        0, 0, 0, 0, "failed",    "locked",          0, 11 },
	{ "password, 0.14",       1, 0, WRONG_PASSWORD, 0, 0, 0, 0, "failed",    "wrong_password",  0, 1 },
	{ "password, 0.17.1",    12, 0, NOTHING,        0, 0, 0, 0, "failed",    "wrong_password",  0, 12 },
	{ "401",                  1, 0, REFUSED | NO_REPOSITORY, 0, 0, 0, 0, "failed", "access_denied", 0, 1 },
	{ "server down",          1, 0, UNREACHABLE | NO_REPOSITORY, 0, 0, 0, 0, "failed", "unreachable", 0, 1 },
	{ "killed",              -1, 9, NOTHING,        0, 0, 0, 0, "failed",    "restic_killed",   0, -1 },
	{ "too slow",            -1, 2, TOO_SLOW,       0, 0, 0, 0, "failed",    "time_limit",      0, -1 },
	{ "not started",         -1, 0, NOT_STARTED,    0, 0, 0, 0, "failed",    "spawn_failed",    0, -1 },
	/* What restic says of a cancel differs: 130, 1, killed. */
	{ "cancelled, 0.14",    130, 0, CANCELLED,      0, 0, 0, 0, "cancelled", "cancelled",       0, 130 },
	{ "cancelled, 0.18",      1, 0, CANCELLED,      0, 0, 0, 0, "cancelled", "cancelled",       0, 130 },
	{ "cancelled, killed",   -1, 9, CANCELLED,      0, 0, 0, 0, "cancelled", "cancelled",       0, 130 },
	{ "cancelled too late",   0, 0, CANCELLED,      0, 0, 0, 0, "cancelled", "cancelled",       0, 130 },
};

static const struct row inits[] = {
	{ "made",                 0, 0, NOTHING,        0, 0, 0, 0, "succeeded", "",                0, 0 },
	{ "exists, fits",         1, 0, EXISTS,         0, 0, 0, 0, "succeeded", "",                0, 1 },
	{ "exists, wrong",        1, 0, EXISTS | LIST_FAILED | LIST_PASSWORD, 0, 0, 0, 0, "failed", "wrong_password", 0, 1 },
	{ "exists, no list",      1, 0, EXISTS | LIST_FAILED, 0, 0, 0, 0, "failed", "not_verified", 0, 1 },
	{ "made, no list",        0, 0, LIST_FAILED,    0, 0, 0, 0, "failed",    "not_verified",    0, 0 },
	{ "refused",              1, 0, REFUSED,        0, 0, 0, 0, "failed",    "access_denied",   0, 1 },
	{ "server down",          1, 0, UNREACHABLE,    0, 0, 0, 0, "failed",    "unreachable",     0, 1 },
	{ "generic",              1, 0, NOTHING,        0, 0, 0, 0, "failed",    "restic_failed",   0, 1 },
	{ "too slow",            -1, 2, TOO_SLOW,       0, 0, 0, 0, "failed",    "time_limit",      0, -1 },
	{ "not started",         -1, 0, NOT_STARTED,    0, 0, 0, 0, "failed",    "spawn_failed",    0, -1 },
	{ "cancelled",          130, 0, CANCELLED,      0, 0, 0, 0, "cancelled", "cancelled",       0, 130 },
};
static const struct row forgets[] = {
	{ "proven",               0, 0, NOTHING,        0, 0, 0, 0, "succeeded", "",                0, 0 },
	{ "proven all the same",  1, 0, NOTHING,        0, 0, 0, 0, "succeeded", "",                0, 1 },
	{ "says yes, keeps",      0, 0, KEPT | LEFT,    0, 0, 0, 0, "failed",    "append_only",     0, 0 },
	{ "keeps, interrupted",  -1, 2, KEPT | LEFT,    0, 0, 0, 0, "failed",    "append_only",     0, -1 },
	{ "says yes, no word",    0, 0, LEFT,           0, 0, 0, 0, "failed",    "not_forgotten",   0, 0 },
	{ "locked",              11, 0, LEFT,           0, 0, 0, 0, "failed",    "locked",          0, 11 },
	{ "too many gone",        0, 0, VANISHED,       0, 0, 0, 0, "failed",    "snapshots_missing", 0, 0 },
	{ "no list afterwards",   0, 0, LIST_FAILED,    0, 0, 0, 0, "failed",    "not_verified",    0, 0 },
	{ "neither one",         12, 0, LIST_FAILED,    0, 0, 0, 0, "failed",    "wrong_password",  0, 12 },
	{ "never listed",         1, 0, NOT_LISTED,     0, 0, 0, 0, "failed",    "restic_failed",   0, 1 },
	{ "cancelled",          130, 0, CANCELLED | LEFT, 0, 0, 0, 0, "cancelled", "cancelled",     0, 130 },
	{ "not started",         -1, 0, NOT_STARTED,    0, 0, 0, 0, "failed",    "spawn_failed",    0, -1 },
};

static const struct row checks[] = {
	{ "sound",                0, 0, NOTHING,        0, 0, 0, 0, "succeeded", "",                0, 0 },
	{ "damaged",              1, 0, DAMAGED,        0, 0, 0, 0, "failed",    "check_errors",    0, 1 },
	/* restic-facts 4.4, trap 4 */
	{ "locked, 0.18",        11, 0, NOTHING,        0, 0, 0, 0, "failed",    "locked",          0, 11 },
	{ "damaged, exit 0",      0, 0, DAMAGED,        0, 0, 0, 0, "failed",    "check_errors",    0, 0 },
	{ "damaged, cancelled",   1, 0, DAMAGED | CANCELLED, 0, 0, 0, 0, "cancelled", "cancelled",  0, 130 },
	{ "killed",              -1, 9, NOTHING,        0, 0, 0, 0, "failed",    "restic_killed",   0, -1 },
	{ "unknown code",        77, 0, NOTHING,        0, 0, 0, 0, "failed",    "restic_failed",   0, 77 },
};

static const struct row plains[] = {
	{ "done",                 0, 0, NOTHING,        0, 0, 0, 0, "succeeded", "",                0, 0 },
	{ "locked, 0.14",         1, 0, LOCKED,         0, 0, 0, 0, "failed",    "locked",          0, 1 },
	{ "append-only",         -1, 2, KEPT,           0, 0, 0, 0, "failed",    "append_only",     0, -1 },
	{ "append-only, locked",  1, 0, KEPT | LOCKED,  0, 0, 0, 0, "failed",    "append_only",     0, 1 },
	{ "password",            12, 0, NOTHING,        0, 0, 0, 0, "failed",    "wrong_password",  0, 12 },
	{ "refused",              1, 0, REFUSED,        0, 0, 0, 0, "failed",    "access_denied",   0, 1 },
	{ "damaged",              1, 0, DAMAGED,        0, 0, 0, 0, "failed",    "damaged",         0, 1 },
};
/* clang-format on */

static void
fill(const struct row *r, struct restic_seen *seen, struct restic_seen *list)
{
	restic_seen_init(seen);
	restic_seen_init(list);
	seen->has_summary = (r->words & NO_SUMMARY) == 0;
	if (seen->has_summary)
		assert_true(str_copy(seen->snapshot_id,
		    sizeof(seen->snapshot_id), STR("0123abcd")));
	seen->errors = r->errors;
	seen->scan_errors = r->scan;
	seen->missing = r->missing_said;
	seen->wrong_password = (r->words & WRONG_PASSWORD) != 0;
	seen->locked = (r->words & LOCKED) != 0;
	seen->no_repository = (r->words & NO_REPOSITORY) != 0;
	seen->refused = (r->words & REFUSED) != 0;
	seen->unreachable = (r->words & UNREACHABLE) != 0;
	seen->exists_already = (r->words & EXISTS) != 0;
	seen->kept_by_server = (r->words & KEPT) != 0;
	seen->damaged = (r->words & DAMAGED) != 0;
	list->wrong_password = (r->words & LIST_PASSWORD) != 0;
}

static void
check_row(const struct row *r,
    void (*judge)(const struct outcome_in *in, struct outcome *out))
{
	struct err start = { 0 }, list_err = { 0 };
	struct restic_seen seen, list;
	struct outcome_in in = { .start = &start,
		.list = &list_err,
		.seen = &seen,
		.list_seen = &list,
		.exit_code = r->exit_code,
		.signal = r->signal,
		.missing = r->missing_before };
	struct outcome out;

	fill(r, &seen, &list);
	if (r->words & NOT_STARTED)
		err_set(&start, RC_IO, "cannot run /usr/bin/restic");
	if (r->words & LIST_FAILED)
		err_set(&list_err, RC_IO, "restic snapshots failed");
	in.listed = (r->words & (LIST_FAILED | NOT_LISTED)) == 0;
	in.left = (r->words & LEFT) != 0 ? 2 : 0;
	in.vanished = (r->words & VANISHED) != 0 ? 1 : 0;
	in.cancelled = (r->words & CANCELLED) != 0;
	in.output_lost = (r->words & LOST) != 0;
	in.time_limit = (r->words & TOO_SLOW) ? "init" : NULL;
	judge(&in, &out);
	print_message("%s: %s %s\n", r->what, out.status, out.cause);
	assert_string_equal(out.status, r->status);
	assert_string_equal(out.cause, r->cause);
	assert_int_equal(out.unread, r->unread);
	assert_int_equal(out.exit_code, r->told_exit);
	/* Incomplete is a success with a cause, and only that. */
	assert_int_equal(out.incomplete,
	    strcmp(out.status, "succeeded") == 0 && out.cause[0] != '\0');
	/* M-134: no words for a cancel; every other end but a green one has
	 * some. */
	assert_int_equal(out.error[0] == '\0',
	    out.cause[0] == '\0' || strcmp(out.status, "cancelled") == 0);
}

/* M-146 */
static void
backups_end_by_the_contract(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(backups); i++)
		check_row(&backups[i], outcome_backup);
}

static void
inits_end_by_the_contract(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(inits); i++)
		check_row(&inits[i], outcome_init);
}

static void
maintenance_ends_by_what_was_seen(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(forgets); i++)
		check_row(&forgets[i], outcome_forget);
	for (i = 0; i < ARRAY_LEN(checks); i++)
		check_row(&checks[i], outcome_check);
	for (i = 0; i < ARRAY_LEN(plains); i++)
		check_row(&plains[i], outcome_plain);
}

static void
what_never_ran_keeps_its_reason(void **state)
{
	struct outcome out;
	struct err e = { 0 };

	(void)state;
	err_code(&e, RC_NOTFOUND, "no_restic", "restic was not found");
	outcome_not_run(&e, &out);
	assert_string_equal(out.status, "failed");
	assert_string_equal(out.cause, "no_restic");
	assert_string_equal(out.error, "restic was not found");
	assert_int_equal(out.exit_code, -1);
	assert_false(out.incomplete);
	e = (struct err){ 0 };
	err_set(&e, RC_IO, "x");
	outcome_not_run(&e, &out);
	assert_string_equal(out.cause, "not_run");
}

/* The longest words restic can have leave room for ours. */
static void
long_words_are_cut(void **state)
{
	struct err none = { 0 };
	struct restic_seen seen, list;
	struct outcome_in in = { .start = &none,
		.list = &none,
		.seen = &seen,
		.list_seen = &list,
		.exit_code = 11 };
	struct outcome out;

	(void)state;
	restic_seen_init(&seen);
	restic_seen_init(&list);
	memset(seen.fatal, 'x', sizeof(seen.fatal) - 1);
	outcome_backup(&in, &out);
	assert_true(str_starts(str_of(out.error), STR("repository locked: x")));
	assert_true(strlen(out.error) < sizeof(out.error));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backups_end_by_the_contract),
		cmocka_unit_test(inits_end_by_the_contract),
		cmocka_unit_test(maintenance_ends_by_what_was_seen),
		cmocka_unit_test(what_never_ran_keeps_its_reason),
		cmocka_unit_test(long_words_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
