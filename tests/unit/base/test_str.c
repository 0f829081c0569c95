/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/mem.h"

static void
equality_is_by_bytes_and_length(void **state)
{
	(void)state;
	assert_true(str_eq(STR("abc"), STR("abc")));
	assert_false(str_eq(STR("abc"), STR("abC")));
	assert_false(str_eq(STR("abc"), STR("abcd")));
	assert_true(str_eq(STR(""), str_from(NULL, 0)));
	assert_true(str_eqz(STR(""), NULL));
	assert_true(str_eqz(str_of(NULL), ""));
	assert_false(str_eqz(STR("a\0b"), "a"));
	assert_true(str_case_eq(STR("Content-Type"), STR("cONTENT-tYPE")));
	assert_false(str_case_eq(STR("["), STR("{")));
	assert_false(str_case_eq(STR("@"), STR("`")));
	/* Not a matter of locale: these differ in bit 5 only. */
	assert_false(str_case_eq(STR("\xc3\x84"), STR("\xc3\xa4")));
	assert_false(str_case_eq(STR("a"), STR("ab")));
}

static void
prefix_suffix_and_part(void **state)
{
	(void)state;
	assert_true(str_starts(STR("abc"), STR("")));
	assert_true(str_starts(str_of(NULL), str_of(NULL)));
	assert_true(str_starts(STR("abc"), STR("abc")));
	assert_false(str_starts(STR("abc"), STR("abcd")));
	assert_true(str_ends(STR("abc"), STR("bc")));
	assert_true(str_ends(STR("abc"), STR("")));
	assert_false(str_ends(STR("abc"), STR("ab")));
	assert_false(str_ends(STR("c"), STR("bc")));
	assert_true(str_contains(STR("abc"), STR("b")));
	assert_true(str_contains(STR(""), STR("")));
	assert_true(str_contains(STR("a\0b"), STR("\0b")));
	assert_false(str_contains(STR("abc"), STR("abcd")));
	assert_false(str_contains(str_of(NULL), STR("a")));
	assert_true(str_case_contains(STR("Web-01"), STR("eB-0")));
	assert_true(str_case_contains(STR("aab"), STR("AB")));
	assert_true(str_case_contains(STR("x"), STR("")));
	assert_true(str_case_contains(STR("\xc3\xa4"
	                                  "B"),
	    STR("b")));
	assert_false(str_case_contains(STR("\xc3\xa4"), STR("\xc3\x84")));
	assert_false(str_case_contains(STR(""), STR("x")));
	assert_false(str_case_contains(STR("ab"), STR("abc")));
}

static void
order_is_bytewise_unsigned_shorter_first(void **state)
{
	(void)state;
	assert_int_equal(str_cmp(STR("a"), STR("b")), -1);
	assert_int_equal(str_cmp(STR("b"), STR("a")), 1);
	assert_int_equal(str_cmp(STR("a"), STR("ab")), -1);
	assert_int_equal(str_cmp(STR("ab"), STR("a")), 1);
	assert_int_equal(str_cmp(STR("z"), STR("\x80")), -1);
	assert_int_equal(str_cmp(STR(""), str_of(NULL)), 0);
	assert_int_equal(str_cmp(STR("a\0a"), STR("a\0b")), -1);
}

static void
parts_are_clamped(void **state)
{
	struct str s = STR("hello");

	(void)state;
	assert_str(str_sub(s, 1, 3), "ell");
	assert_str(str_sub(s, 1, SIZE_MAX), "ello");
	assert_str(str_sub(s, 5, 1), "");
	assert_str(str_sub(s, SIZE_MAX, SIZE_MAX), "");
	assert_str(str_sub(str_of(NULL), 3, 3), "");
	assert_str(str_trim(STR(" \t\r\n\v\fa b \n")), "a b");
	assert_str(str_trim(STR(" \t ")), "");
	assert_str(str_trim(str_of(NULL)), "");
	/* No-break space is not ASCII white space. */
	assert_str(str_trim(STR("\xc2\xa0")), "\xc2\xa0");
}

static void
cutting_tells_whether_there_was_a_separator(void **state)
{
	struct str head, tail;

	(void)state;
	assert_true(str_cut(STR("a=b=c"), '=', &head, &tail));
	assert_str(head, "a");
	assert_str(tail, "b=c");
	assert_true(str_cut(STR("="), '=', &head, &tail));
	assert_str(head, "");
	assert_str(tail, "");
	assert_false(str_cut(STR("abc"), '=', &head, &tail));
	assert_str(head, "abc");
	assert_str(tail, "");
	assert_false(str_cut(str_of(NULL), '=', &head, &tail));
	/* Source and result may be the same. */
	tail = STR("x,y");
	assert_true(str_cut(tail, ',', &head, &tail));
	assert_str(tail, "y");
}

static void
check_words(struct str text, const char *joined, size_t expected)
{
	char seen[64] = "";
	struct str word;
	size_t n = 0;

	while (str_next(&text, ',', &word)) {
		n++;
		assert_true(n < 10);
		assert_true(str_fmt(seen + strlen(seen),
		    sizeof(seen) - strlen(seen), "%.*s|", STR_ARG(word)));
	}
	assert_string_equal(seen, joined);
	assert_int_equal(n, expected);
	assert_false(str_next(&text, ',', &word));
}

static void
every_word_is_given_the_empty_ones_too(void **state)
{
	(void)state;
	check_words(STR("a,b,c"), "a|b|c|", 3);
	check_words(STR("a"), "a|", 1);
	check_words(STR("a,"), "a||", 2);
	check_words(STR(",a"), "|a|", 2);
	check_words(STR(",,"), "|||", 3);
	check_words(STR(""), "|", 1);
	check_words(str_of(NULL), "", 0);
}

static void
unsigned_numbers_are_strict(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1",
		"1e3", "1.0", "a", "18446744073709551616",
		"99999999999999999999", "1\n", "\xd9\xa1" };
	uint64_t v = 42;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_u64(str_of(bad[i]), UINT64_MAX, &v));
	assert_false(str_u64(STR("1\0"), UINT64_MAX, &v));
	assert_false(str_u64(str_of(NULL), UINT64_MAX, &v));
	assert_false(str_u64(STR("256"), 255, &v));
	assert_false(str_u64(STR("260"), 255, &v));
	assert_false(str_u64(STR("1"), 0, &v));
	assert_int_equal(v, 42);
	assert_true(str_u64(STR("255"), 255, &v));
	assert_int_equal(v, 255);
	assert_true(str_u64(STR("0"), 0, &v));
	assert_int_equal(v, 0);
	assert_true(str_u64(STR("007"), 9, &v));
	assert_int_equal(v, 7);
	assert_true(str_u64(STR("18446744073709551615"), UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
}

static void
every_small_limit_is_exact(void **state)
{
	char text[16];
	uint64_t max, n, v;

	(void)state;
	for (max = 0; max < 130; max++)
		for (n = 0; n < 1300; n++) {
			assert_true(
			    str_fmt(text, sizeof(text), "%u", (unsigned)n));
			assert_int_equal(str_u64(str_of(text), max, &v),
			    n <= max);
		}
}

static void
signed_numbers_reach_both_ends(void **state)
{
	int64_t v = 42;

	(void)state;
	assert_true(
	    str_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MIN);
	assert_true(
	    str_i64(STR("9223372036854775807"), INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MAX);
	v = 42;
	assert_false(
	    str_i64(STR("9223372036854775808"), INT64_MIN, INT64_MAX, &v));
	assert_false(
	    str_i64(STR("-9223372036854775809"), INT64_MIN, INT64_MAX, &v));
	assert_false(str_i64(STR("-"), INT64_MIN, INT64_MAX, &v));
	assert_false(str_i64(STR("--1"), INT64_MIN, INT64_MAX, &v));
	assert_false(str_i64(STR("+1"), INT64_MIN, INT64_MAX, &v));
	assert_false(str_i64(STR(""), INT64_MIN, INT64_MAX, &v));
	assert_false(str_i64(STR("-6"), -5, 5, &v));
	assert_false(str_i64(STR("6"), -5, 5, &v));
	assert_int_equal(v, 42);
	assert_true(str_i64(STR("-5"), -5, 5, &v));
	assert_int_equal(v, -5);
	assert_true(str_i64(STR("-0"), -5, 5, &v));
	assert_int_equal(v, 0);
}

static const struct {
	const char *bytes;
	size_t n;
	size_t len; /* of the first character, 0: malformed */
} utf8_rows[] = {
	{ "a", 1, 1 },
	{ "\x7f", 1, 1 },
	{ "\x80", 1, 0 },
	{ "\xbf", 1, 0 },
	{ "\xc0\x80", 2, 0 }, /* overlong NUL */
	{ "\xc1\xbf", 2, 0 }, /* overlong */
	{ "\xc2\x80", 2, 2 },
	{ "\xdf\xbf", 2, 2 },
	{ "\xc2", 1, 0 }, /* cut off */
	{ "\xc2\x7f", 2, 0 },
	{ "\xc2\xc0", 2, 0 },
	{ "\xe0\x9f\xbf", 3, 0 }, /* overlong */
	{ "\xe0\xa0\x80", 3, 3 },
	{ "\xe0\xa0", 2, 0 },
	{ "\xe0\xa0\x7f", 3, 0 },
	{ "\xed\x9f\xbf", 3, 3 },
	{ "\xed\xa0\x80", 3, 0 }, /* surrogates */
	{ "\xed\xbf\xbf", 3, 0 },
	{ "\xee\x80\x80", 3, 3 },
	{ "\xef\xbf\xbf", 3, 3 },
	{ "\xf0\x8f\xbf\xbf", 4, 0 }, /* overlong */
	{ "\xf0\x90\x80\x80", 4, 4 },
	{ "\xf0\x90\x80", 3, 0 },
	{ "\xf0\x90\x80\xc0", 4, 0 },
	{ "\xf4\x8f\xbf\xbf", 4, 4 }, /* U+10FFFF */
	{ "\xf4\x90\x80\x80", 4, 0 }, /* above */
	{ "\xf5\x80\x80\x80", 4, 0 },
	{ "\xf8\x88\x80\x80\x80", 5, 0 },
	{ "\xfe", 1, 0 },
	{ "\xff", 1, 0 },
};

static void
utf8_follows_rfc_3629(void **state)
{
	struct str s;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(utf8_rows); i++) {
		s = str_from(utf8_rows[i].bytes, utf8_rows[i].n);
		assert_int_equal(str_utf8_len(s), utf8_rows[i].len);
		assert_int_equal(str_utf8_ok(s), utf8_rows[i].len == s.n);
	}
	assert_true(str_utf8_ok(STR("")));
	assert_true(str_utf8_ok(str_of(NULL)));
	assert_int_equal(str_utf8_len(str_of(NULL)), 0);
	assert_false(str_utf8_ok(STR("a\0b")));
	assert_false(str_utf8_ok(STR("ok\xff")));
}

/* Encodes by arithmetic, not by table. */
static size_t
encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

static void
every_code_point_is_judged_right(void **state)
{
	char bytes[4];
	size_t n, expected;
	uint32_t c;

	(void)state;
	for (c = 0; c < 0x1fffff; c++) {
		n = encode(c, bytes);
		expected = n;
		if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			expected = 0;
		if (str_utf8_len(str_from(bytes, n)) != expected)
			fail_msg("U+%X", c);
	}
}

static void
formatting_fails_instead_of_truncating(void **state)
{
	char dst[4];

	(void)state;
	assert_true(str_fmt(dst, sizeof(dst), "%d", 123));
	assert_string_equal(dst, "123");
	assert_false(str_fmt(dst, sizeof(dst), "%d", 1234));
	assert_string_equal(dst, "");
	assert_true(str_fmt(dst, 1, "%s", ""));
	assert_false(str_fmt(dst, 1, "%s", "x"));
	assert_true(str_copy(dst, sizeof(dst), STR("abc")));
	assert_string_equal(dst, "abc");
	assert_false(str_copy(dst, sizeof(dst), STR("abcd")));
	assert_string_equal(dst, "");
	assert_true(str_copy(dst, 1, str_of(NULL)));
	assert_string_equal(dst, "");
}

static void
hex_goes_both_ways(void **state)
{
	static const uint8_t bin[] = { 0x00, 0x7f, 0x80, 0xff, 0xa5 };
	uint8_t back[5] = { 0 };
	char text[11];

	(void)state;
	str_hex(bin, sizeof(bin), text, sizeof(text));
	assert_string_equal(text, "007f80ffa5");
	assert_true(str_unhex(STR("007F80fFA5"), back, sizeof(back)));
	assert_memory_equal(back, bin, sizeof(bin));
	str_hex(NULL, 0, text, 1);
	assert_string_equal(text, "");
	assert_true(str_unhex(STR(""), back, 0));
}

static void
hex_is_strict_and_leaves_the_result(void **state)
{
	static const char *const bad[] = { "", "00", "000", "00000", "0g00",
		"g000", "0x00", " 000", "00 0", "-000", "00/0", "0:00", "@000",
		"`000" };
	uint8_t back[2] = { 7, 8 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_unhex(str_of(bad[i]), back, 2));
	assert_int_equal(back[0], 7);
	assert_int_equal(back[1], 8);
}

/* The vectors of RFC 4648, section 10, and one with both odd digits. */
static const struct {
	const char *plain, *std, *url;
} b64_rows[] = {
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
};

static void
base64_knows_the_vectors_of_the_rfc(void **state)
{
	char text[16], back[16];
	size_t i, len, n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(b64_rows); i++) {
		n = strlen(b64_rows[i].plain);
		str_b64(b64_rows[i].plain, n, false, text, STR_B64_CAP(n));
		assert_string_equal(text, b64_rows[i].std);
		assert_true(
		    str_unb64(str_of(text), false, back, sizeof(back), &len));
		assert_str(str_from(back, len), b64_rows[i].plain);
		str_b64(b64_rows[i].plain, n, true, text, sizeof(text));
		assert_string_equal(text, b64_rows[i].url);
		assert_true(str_unb64(str_of(text), true, back, n, &len));
		assert_str(str_from(back, len), b64_rows[i].plain);
	}
}

static void
base64_has_one_text_for_one_value(void **state)
{
	static const char *const bad_std[] = { "Z", "Zg", "Zg=", "Zg===", "=",
		"==", "====", "Zh==", "Zm9=", "Zm8",
		"Zm9v=", "Zg==Zg==", "Z=g=", "-_-_", "Zm9v\n", " Zm9v", "Zm 9",
		"Zm9v====" };
	static const char *const bad_url[] = { "Z", "Zg==", "Zm8=", "Zh", "Zm9",
		"+/+/", "Zm9vY", "Zm9v\n", "Zm9v " };
	char back[16] = "untouched";
	size_t i, len = 5;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad_std); i++)
		if (str_unb64(str_of(bad_std[i]), false, back, 16, &len))
			fail_msg("accepted \"%s\"", bad_std[i]);
	for (i = 0; i < ARRAY_LEN(bad_url); i++)
		if (str_unb64(str_of(bad_url[i]), true, back, 16, &len))
			fail_msg("accepted \"%s\"", bad_url[i]);
	assert_false(str_unb64(STR("Zm9v\0AAA"), false, back, 16, &len));
	/* One byte too many for the room. */
	assert_false(str_unb64(STR("Zm9v"), false, back, 2, &len));
	assert_string_equal(back, "untouched");
	assert_int_equal(len, 5);
}

static void
what_base64_accepts_it_writes_back_the_same(void **state)
{
	static const char alphabet[] = "AZaz09+/-_=gw \n";
	char text[9], again[16];
	uint8_t bin[8];
	size_t i, k, n, len, accepted = 0;

	(void)state;
	srand(11);
	for (i = 0; i < 200000; i++) {
		n = (size_t)rand() % 9;
		for (k = 0; k < n; k++)
			text[k] =
			    alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		for (k = 0; k < 2; k++) {
			if (!str_unb64(str_from(text, n), k == 1, bin,
			        sizeof(bin), &len))
				continue;
			accepted++;
			str_b64(bin, len, k == 1, again, sizeof(again));
			assert_true(str_eqz(str_from(text, n), again));
		}
	}
	assert_true(accepted > 1000);
}

struct too_small {
	bool hex;
	size_t n, cap;
};

static void
encode_into(void *arg)
{
	const struct too_small *t = arg;
	char *dst = mem_alloc(64), bin[16] = { 0 };

	if (t->hex)
		str_hex(bin, t->n, dst, t->cap);
	else
		str_b64(bin, t->n, false, dst, t->cap);
	mem_free(dst);
}

static void
a_place_that_is_too_small_aborts(void **state)
{
	struct too_small rows[] = { { true, 4, 8 }, { true, 0, 0 },
		{ false, 3, 4 }, { false, 4, 8 } };
	struct too_small fine = { true, 4, 9 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(unit_aborts(encode_into, &rows[i]));
	assert_false(unit_aborts(encode_into, &fine));
}

static void
a_text_is_one_of_some(void **state)
{
	char one[] = "one", two[] = "two";
	char *const v[] = { one, two };

	(void)state;
	assert_true(str_among(v, 2, "two"));
	assert_false(str_among(v, 1, "two"));
	assert_false(str_among(v, 2, "tw"));
	assert_false(str_among(NULL, 0, "one"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_one_of_some),
		cmocka_unit_test(equality_is_by_bytes_and_length),
		cmocka_unit_test(prefix_suffix_and_part),
		cmocka_unit_test(order_is_bytewise_unsigned_shorter_first),
		cmocka_unit_test(parts_are_clamped),
		cmocka_unit_test(cutting_tells_whether_there_was_a_separator),
		cmocka_unit_test(every_word_is_given_the_empty_ones_too),
		cmocka_unit_test(unsigned_numbers_are_strict),
		cmocka_unit_test(every_small_limit_is_exact),
		cmocka_unit_test(signed_numbers_reach_both_ends),
		cmocka_unit_test(utf8_follows_rfc_3629),
		cmocka_unit_test(every_code_point_is_judged_right),
		cmocka_unit_test(formatting_fails_instead_of_truncating),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(hex_is_strict_and_leaves_the_result),
		cmocka_unit_test(base64_knows_the_vectors_of_the_rfc),
		cmocka_unit_test(base64_has_one_text_for_one_value),
		cmocka_unit_test(what_base64_accepts_it_writes_back_the_same),
		cmocka_unit_test(a_place_that_is_too_small_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
