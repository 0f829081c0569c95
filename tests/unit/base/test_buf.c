/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "tests/fake/mem_try.h"

static void
check_invariant(const struct buf *b)
{
	assert_true(b->len <= b->cap);
	assert_true(b->cap <= b->max);
	assert_true((b->data == NULL) == (b->cap == 0));
	if (b->data != NULL)
		assert_int_equal(b->data[b->len], '\0');
}

static void
an_untouched_buffer_is_empty_text(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	check_invariant(&b);
	assert_string_equal(buf_text(&b), "");
	assert_str(buf_str(&b), "");
	buf_puts(&b, "");
	buf_puts(&b, NULL);
	buf_put(&b, NULL, 0);
	buf_drop(&b, 0);
	buf_cut(&b, 5);
	assert_rc(buf_rc(&b), RC_OK);
	buf_reset(&b);
	buf_fini(&b);
	buf_wipe_fini(&b);
}

static void
what_fits_exactly_is_taken_and_one_more_is_not(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	buf_puts(&b, "abcde");
	check_invariant(&b);
	assert_rc(buf_rc(&b), RC_OK);
	buf_putc(&b, 'f');
	check_invariant(&b);
	assert_rc(buf_rc(&b), RC_LIMIT);
	assert_string_equal(buf_text(&b), "abcde");
	buf_fini(&b);
}

static void
the_error_sticks_until_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_puts(&b, "ab");
	buf_puts(&b, "cde");
	assert_rc(buf_rc(&b), RC_LIMIT);
	/* This one would fit, but what follows a hole is worth nothing. */
	buf_putc(&b, 'x');
	assert_string_equal(buf_text(&b), "ab");
	assert_null(buf_reserve(&b, 1));
	buf_printf(&b, "%d", 1);
	buf_put_u8(&b, 1);
	assert_string_equal(buf_text(&b), "ab");
	buf_reset(&b);
	assert_rc(buf_rc(&b), RC_OK);
	buf_puts(&b, "wxyz");
	assert_string_equal(buf_text(&b), "wxyz");
	buf_fini(&b);
}

static void
numbers_are_written_big_endian_and_read_back(void **state)
{
	static const uint8_t wire[] = { 0xfe, 0x12, 0x34, 0x89, 0xab, 0xcd,
		0xef, 0x80, 1, 2, 3, 4, 5, 6, 0xff };
	struct buf b;
	struct rd r;

	(void)state;
	buf_init(&b, 100);
	buf_put_u8(&b, 0xfe);
	buf_put_u16(&b, 0x1234);
	buf_put_u32(&b, 0x89abcdef);
	buf_put_u64(&b, UINT64_C(0x80010203040506ff));
	assert_int_equal(b.len, sizeof(wire));
	assert_memory_equal(b.data, wire, sizeof(wire));
	rd_init(&r, buf_str(&b));
	assert_int_equal(rd_u8(&r), 0xfe);
	assert_int_equal(rd_u16(&r), 0x1234);
	assert_int_equal(rd_u32(&r), 0x89abcdef);
	assert_true(rd_u64(&r) == UINT64_C(0x80010203040506ff));
	assert_rc(rd_end(&r), RC_OK);
	buf_fini(&b);
}

static void
a_number_that_does_not_fit_leaves_no_half(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 6);
	buf_put_u32(&b, 1);
	buf_put_u32(&b, 2);
	assert_rc(buf_rc(&b), RC_LIMIT);
	assert_int_equal(b.len, 4);
	check_invariant(&b);
	buf_fini(&b);
}

static void
formatting_grows_up_to_the_limit_and_not_past_it(void **state)
{
	struct buf b;
	int n;

	(void)state;
	/* Around the first capacity and around the limit. */
	for (n = 0; n <= 300; n++) {
		buf_init(&b, 200);
		buf_putc(&b, '<');
		buf_printf(&b, "%*s", n, "");
		check_invariant(&b);
		assert_rc(buf_rc(&b), n <= 199 ? RC_OK : RC_LIMIT);
		assert_int_equal(b.len, n <= 199 ? 1 + (size_t)n : 1);
		buf_fini(&b);
	}
}

static void
a_reservation_is_filled_by_the_caller(void **state)
{
	struct buf b;
	char *p;

	(void)state;
	buf_init(&b, 100);
	p = buf_reserve(&b, 100);
	assert_non_null(p);
	memset(p, 'z', 100);
	buf_added(&b, 3);
	check_invariant(&b);
	assert_string_equal(buf_text(&b), "zzz");
	assert_non_null(buf_reserve(&b, 0));
	assert_non_null(buf_reserve(&b, 97));
	assert_null(buf_reserve(&b, 98));
	assert_rc(buf_rc(&b), RC_LIMIT);
	buf_fini(&b);
}

static void
add_more_than_reserved(void *arg)
{
	struct buf *b = arg;

	buf_added(b, b->cap + 1);
}

static void
drop_more_than_there_is(void *arg)
{
	buf_drop(arg, 3);
}

static void
init_without_room(void *arg)
{
	struct buf b;

	buf_init(&b, *(const size_t *)arg);
}

static void
misuse_aborts(void **state)
{
	size_t none = 0, all = SIZE_MAX;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_puts(&b, "ab");
	assert_true(unit_aborts(add_more_than_reserved, &b));
	assert_true(unit_aborts(drop_more_than_there_is, &b));
	assert_true(unit_aborts(init_without_room, &none));
	assert_true(unit_aborts(init_without_room, &all));
	buf_fini(&b);
}

static void
a_size_near_the_end_of_size_t_is_a_limit_not_an_overflow(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX - 1);
	buf_puts(&b, "abc");
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_reset(&b);
	buf_puts(&b, "abc");
	assert_null(buf_reserve(&b, SIZE_MAX - 3));
	assert_rc(buf_rc(&b), RC_LIMIT);
	assert_string_equal(buf_text(&b), "abc");
	buf_fini(&b);
}

static void
dropping_and_cutting_keep_the_right_end(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_puts(&b, "0123456789");
	buf_drop(&b, 3);
	assert_string_equal(buf_text(&b), "3456789");
	buf_cut(&b, 2);
	assert_string_equal(buf_text(&b), "34");
	buf_cut(&b, 2);
	buf_cut(&b, 99);
	assert_string_equal(buf_text(&b), "34");
	buf_drop(&b, 2);
	assert_string_equal(buf_text(&b), "");
	check_invariant(&b);
	buf_fini(&b);
}

static void
taking_moves_the_storage_and_leaves_a_usable_buffer(void **state)
{
	struct buf b;
	size_t len = 9;
	char *p;

	(void)state;
	buf_init(&b, 100);
	p = buf_take(&b, &len);
	assert_string_equal(p, "");
	assert_int_equal(len, 0);
	mem_free(p);
	buf_put(&b, "a\0b", 3);
	p = buf_take(&b, &len);
	assert_int_equal(len, 3);
	assert_memory_equal(p, "a\0b", 4);
	mem_free(p);
	check_invariant(&b);
	assert_int_equal(b.max, 100);
	buf_puts(&b, "again");
	p = buf_take(&b, NULL);
	assert_string_equal(p, "again");
	mem_free(p);
	buf_fini(&b);
}

static void
refused_memory_is_reported_like_the_limit(void **state)
{
	struct buf b;
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		fake_mem_fail_at(n);
		buf_init(&b, 10000);
		buf_puts(&b, "first");
		buf_printf(&b, "%500s", "second");
		buf_put_u64(&b, 3);
		check_invariant(&b);
		assert_rc(buf_rc(&b), fake_mem_failed() ? RC_LIMIT : RC_OK);
		assert_true(
		    b.len == 0 || b.len == 5 || b.len == 505 || b.len == 513);
		buf_fini(&b);
		if (!fake_mem_failed())
			break;
	}
	fake_mem_fail_at(0);
	assert_true(n >= 3);
}

/* The same random steps on a plain array must give the same bytes. */
static void
random_steps_match_a_plain_array(void **state)
{
	enum {
		MAX = 700
	};
	char model[MAX + 1], piece[64];
	size_t len = 0, step, n;
	struct buf b;
	bool fits;

	(void)state;
	srand(7);
	buf_init(&b, MAX);
	for (step = 0; step < 20000; step++) {
		n = (size_t)rand() % sizeof(piece);
		switch (rand() % 4) {
		case 0:
			n = n > len ? len : n;
			buf_drop(&b, n);
			memmove(model, model + n, len - n);
			len -= n;
			break;
		case 1:
			n = (size_t)rand() % (MAX + 1);
			buf_cut(&b, n);
			len = n < len ? n : len;
			break;
		default:
			memset(piece, 'a' + rand() % 26, sizeof(piece));
			fits = n <= MAX - len;
			buf_put(&b, piece, n);
			assert_rc(buf_rc(&b), fits ? RC_OK : RC_LIMIT);
			if (!fits) {
				buf_reset(&b);
				len = 0;
				break;
			}
			memcpy(model + len, piece, n);
			len += n;
		}
		check_invariant(&b);
		assert_int_equal(b.len, len);
		if (len != 0)
			assert_memory_equal(b.data, model, len);
	}
	buf_fini(&b);
}

static void
reading_past_the_end_fails_for_good(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, STR("\x01\x02\x03"));
	assert_int_equal(rd_u16(&r), 0x0102);
	assert_int_equal(rd_u32(&r), 0);
	assert_rc(rd_rc(&r), RC_PROTO);
	/* One byte is left, but the reader has lost its place. */
	assert_int_equal(rd_u8(&r), 0);
	assert_int_equal(rd_bytes(&r, 1).n, 0);
	assert_rc(rd_end(&r), RC_PROTO);
}

static void
rest_and_emptiness_are_told_apart(void **state)
{
	struct rd r;

	(void)state;
	rd_init(&r, str_from(NULL, 0));
	assert_rc(rd_end(&r), RC_OK);
	assert_int_equal(rd_bytes(&r, 0).n, 0);
	assert_rc(rd_rc(&r), RC_OK);
	assert_int_equal(rd_u8(&r), 0);
	assert_rc(rd_rc(&r), RC_PROTO);

	rd_init(&r, STR("abcd"));
	assert_str(rd_bytes(&r, 3), "abc");
	assert_rc(rd_rc(&r), RC_OK);
	assert_rc(rd_end(&r), RC_PROTO);
	assert_str(rd_bytes(&r, 1), "d");
	assert_rc(rd_end(&r), RC_OK);
	assert_int_equal(rd_bytes(&r, SIZE_MAX).n, 0);
	assert_rc(rd_rc(&r), RC_PROTO);
}

static void
numbers_are_put_in_decimal_digits(void **state)
{
	static const uint64_t v[] = { 0, 7, 10, 4294967296, UINT64_MAX };
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 64);
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		buf_put_dec(&b, v[i]);
		buf_putc(&b, ' ');
	}
	assert_string_equal(buf_text(&b),
	    "0 7 10 4294967296 18446744073709551615 ");
	buf_put_dec(&b, UINT64_MAX);
	assert_int_equal(buf_rc(&b), RC_OK);
	buf_put_dec(&b, UINT64_MAX); /* no part of it */
	assert_int_equal(buf_rc(&b), RC_LIMIT);
	assert_int_equal(buf_str(&b).n, 59);
	buf_fini(&b);
}

static void
percent_encoding_keeps_the_unreserved(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 256);
	buf_put_percent(&b, STR("aZ09-._~ /:@\xc3\xa9"), "");
	assert_str(buf_str(&b), "aZ09-._~%20%2F%3A%40%C3%A9");
	buf_reset(&b);
	buf_put_percent(&b, STR("tag:a b\0"), ":");
	assert_str(buf_str(&b), "tag:a%20b%00");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_untouched_buffer_is_empty_text),
		cmocka_unit_test(
		    what_fits_exactly_is_taken_and_one_more_is_not),
		cmocka_unit_test(the_error_sticks_until_reset),
		cmocka_unit_test(numbers_are_written_big_endian_and_read_back),
		cmocka_unit_test(a_number_that_does_not_fit_leaves_no_half),
		cmocka_unit_test(
		    formatting_grows_up_to_the_limit_and_not_past_it),
		cmocka_unit_test(a_reservation_is_filled_by_the_caller),
		cmocka_unit_test(misuse_aborts),
		cmocka_unit_test(
		    a_size_near_the_end_of_size_t_is_a_limit_not_an_overflow),
		cmocka_unit_test(dropping_and_cutting_keep_the_right_end),
		cmocka_unit_test(
		    taking_moves_the_storage_and_leaves_a_usable_buffer),
		cmocka_unit_test(refused_memory_is_reported_like_the_limit),
		cmocka_unit_test(random_steps_match_a_plain_array),
		cmocka_unit_test(reading_past_the_end_fails_for_good),
		cmocka_unit_test(rest_and_emptiness_are_told_apart),
		cmocka_unit_test(numbers_are_put_in_decimal_digits),
		cmocka_unit_test(percent_encoding_keeps_the_unreserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
