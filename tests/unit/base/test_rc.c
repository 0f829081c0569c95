/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <errno.h>

static void
every_row_is_complete_and_distinct(void **state)
{
	const struct rc_info *a, *b;
	size_t i, k;

	(void)state;
	for (i = 0; i < RC_COUNT; i++) {
		a = rc_info((enum rc)i);
		assert_non_null(a->name);
		assert_true(strlen(a->text) > 0);
		assert_in_range(a->http_status, 200, 599);
		assert_in_range(a->grpc_status, 0, 16);
		assert_in_range(a->exit_code, 0, 125);
		for (k = 0; k < i; k++) {
			b = rc_info((enum rc)k);
			assert_string_not_equal(a->json_code, b->json_code);
		}
	}
	assert_int_equal(rc_info(RC_OK)->exit_code, 0);
	assert_int_equal(rc_info(RC_OK)->http_status, 200);
}

static void
grpc_codes_come_back_as_a_result_of_the_same_code(void **state)
{
	size_t i;
	int grpc;

	(void)state;
	for (i = 0; i < RC_COUNT; i++) {
		grpc = rc_info((enum rc)i)->grpc_status;
		assert_int_equal(rc_info(rc_from_grpc(grpc))->grpc_status,
		    grpc);
	}
	assert_rc(rc_from_grpc(16), RC_AUTH);
	assert_rc(rc_from_grpc(14), RC_BUSY);
	assert_rc(rc_from_grpc(2), RC_IO);
	assert_rc(rc_from_grpc(-1), RC_IO);
	assert_rc(rc_from_grpc(9999), RC_IO);
}

static void
unknown_row(void *arg)
{
	rc_info((enum rc)(*(const int *)arg));
}

static void
a_result_outside_the_set_aborts(void **state)
{
	int past = RC_COUNT, before = -1;

	(void)state;
	assert_true(unit_aborts(unknown_row, &past));
	assert_true(unit_aborts(unknown_row, &before));
}

static void
errors_without_a_place_still_give_their_result(void **state)
{
	(void)state;
	assert_rc(err_set(NULL, RC_LIMIT, "x"), RC_LIMIT);
	assert_rc(err_code(NULL, RC_DENIED, "c", "x"), RC_DENIED);
	assert_rc(err_errno(NULL, ENOENT, "x"), RC_NOTFOUND);
}

static void
setting_an_error_clears_the_code_of_the_last(void **state)
{
	struct err e;

	(void)state;
	assert_rc(err_code(&e, RC_DENIED, "admin_creds_required", "%s: no",
	              "repo"),
	    RC_DENIED);
	assert_string_equal(e.code, "admin_creds_required");
	assert_string_equal(e.msg, "repo: no");
	assert_rc(err_set(&e, RC_INVALID, "%d is too much", 7), RC_INVALID);
	assert_null(e.code);
	assert_string_equal(e.msg, "7 is too much");
}

static void
long_messages_are_cut_between_characters(void **state)
{
	struct err e;
	char text[400];
	size_t shift, i;

	(void)state;
	for (shift = 0; shift < 3; shift++) {
		memset(text, 'a', shift);
		for (i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		text[i] = '\0';
		assert_rc(err_set(&e, RC_IO, "%s", text), RC_IO);
		assert_true(str_utf8_ok(str_of(e.msg)));
		assert_in_range(strlen(e.msg), sizeof(e.msg) - 4,
		    sizeof(e.msg) - 1);
		assert_memory_equal(e.msg, text, strlen(e.msg));
	}
}

static void
a_message_that_fits_exactly_is_whole(void **state)
{
	struct err e;
	char text[sizeof(e.msg)];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_rc(err_set(&e, RC_IO, "%s", text), RC_IO);
	assert_string_equal(e.msg, text);
}

static void
malformed_text_in_a_message_does_not_stop_the_cut(void **state)
{
	struct err e;
	char text[400];

	(void)state;
	memset(text, 0xff, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_rc(err_set(&e, RC_IO, "%s", text), RC_IO);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
}

static void
wrapping_puts_the_prefix_first_and_keeps_the_rest(void **state)
{
	struct err e;
	char big[300];

	(void)state;
	err_code(&e, RC_CORRUPT, "torn", "bad magic");
	assert_rc(err_wrap(&e, "%s", "queue"), RC_CORRUPT);
	assert_string_equal(e.msg, "queue: bad magic");
	assert_string_equal(e.code, "torn");

	memset(big, 'p', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_rc(err_wrap(&e, "%s", big), RC_CORRUPT);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
}

static void
errno_is_translated_and_told(void **state)
{
	static const struct {
		int errnum;
		enum rc rc;
	} rows[] = {
		{ ENOENT, RC_NOTFOUND },
		{ EACCES, RC_DENIED },
		{ EPERM, RC_DENIED },
		{ ENOSPC, RC_FULL },
		{ EDQUOT, RC_FULL },
		{ EEXIST, RC_CONFLICT },
		{ EIO, RC_IO },
		{ EINTR, RC_IO },
		{ 0, RC_IO },
		{ 99999, RC_IO },
	};
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_rc(err_errno(&e, rows[i].errnum, "cannot read %s", "x"),
		    rows[i].rc);
		assert_rc(e.rc, rows[i].rc);
		assert_true(str_starts(str_of(e.msg), STR("cannot read x: ")));
		assert_true(strlen(e.msg) > strlen("cannot read x: "));
	}
	err_errno(&e, ENOENT, "a");
	assert_string_equal(e.msg, "a: No such file or directory");
}

static void
the_reason_survives_a_long_subject(void **state)
{
	struct err e;
	char path[500];

	(void)state;
	memset(path, 'd', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_rc(err_errno(&e, ENOSPC, "%s", path), RC_FULL);
	assert_true(str_ends(str_of(e.msg), STR(": No space left on device")));
}

static void
break_an_invariant(void *arg)
{
	ASSERT(arg != NULL);
}

static void
a_broken_invariant_aborts_and_a_kept_one_does_not(void **state)
{
	int x = 0;

	(void)state;
	assert_true(unit_aborts(break_an_invariant, NULL));
	assert_false(unit_aborts(break_an_invariant, &x));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete_and_distinct),
		cmocka_unit_test(
		    grpc_codes_come_back_as_a_result_of_the_same_code),
		cmocka_unit_test(a_result_outside_the_set_aborts),
		cmocka_unit_test(
		    errors_without_a_place_still_give_their_result),
		cmocka_unit_test(setting_an_error_clears_the_code_of_the_last),
		cmocka_unit_test(long_messages_are_cut_between_characters),
		cmocka_unit_test(a_message_that_fits_exactly_is_whole),
		cmocka_unit_test(
		    malformed_text_in_a_message_does_not_stop_the_cut),
		cmocka_unit_test(
		    wrapping_puts_the_prefix_first_and_keeps_the_rest),
		cmocka_unit_test(errno_is_translated_and_told),
		cmocka_unit_test(the_reason_survives_a_long_subject),
		cmocka_unit_test(
		    a_broken_invariant_aborts_and_a_kept_one_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
