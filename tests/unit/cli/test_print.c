/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "controller/cli/print.h"
#include "lib/base/json.h"

static void
shows(struct str in, const char *out)
{
	struct buf b;

	buf_init(&b, KIB(4));
	print_safe(&b, in);
	assert_string_equal(buf_text(&b), out);
	buf_fini(&b);
}

/* No control character of an outsider reaches the terminal. */
static void
hostile_text_is_shown_and_not_obeyed(void **state)
{
	(void)state;
	shows(STR("plain \xc3\xa4 \xe2\x82\xac"),
	    "plain \xc3\xa4 \xe2\x82\xac");
	shows(STR("\033[2Jgone"), "\\x1b[2Jgone");
	shows(STR("a\rb\nc\td\x7f"), "a\\x0db\\x0ac\\x09d\\x7f");
	shows(STR("nul\0byte"), "nul\\x00byte");
	shows(STR("\xc2\x9b"
	          "31m"),
	    "\\xc2\\x9b31m"); /* C1 CSI */
	shows(STR("\xe2\x80\xae"
	          "txt.exe"),
	    "\\xe2\\x80\\xaetxt.exe");
	shows(STR("\xe2\x81\xa6x\xd8\x9c"), "\\xe2\\x81\\xa6x\\xd8\\x9c");
	shows(STR("\xff\xc3"), "\\xff\\xc3");
	shows(STR(""), "");
}

static void
no_byte_makes_it_fail(void **state)
{
	struct buf b;
	size_t i, k;
	char c[3];

	(void)state;
	buf_init(&b, KIB(4));
	for (i = 0; i < 65536; i++) {
		c[0] = (char)(i >> 8);
		c[1] = (char)i;
		buf_reset(&b);
		print_safe(&b, str_from(c, 2));
		for (k = 0; k < b.len; k++)
			assert_true((unsigned char)b.data[k] >= 0x20 &&
			            b.data[k] != 0x7f);
		assert_true(str_utf8_ok(buf_str(&b)));
	}
	buf_fini(&b);
}

static void
sizes_are_in_binary_units(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 1048575, "1.0 MiB" },
		{ UINT64_C(5) << 40, "5.0 TiB" },
		{ UINT64_MAX, "16384.0 PiB" },
	};
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 64);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&b);
		print_size(&b, rows[i].bytes);
		assert_string_equal(buf_text(&b), rows[i].text);
	}
	buf_fini(&b);
}

/* clang-format off */
static const struct print_column cols[] = {
	{ "NAME",  "name",    PRINT_TEXT },
	{ "STATE", "state",   PRINT_STATE },
	{ "AT",    "at",      PRINT_TIME },
	{ "SIZE",  "in.size", PRINT_SIZE },
	{ "TAGS",  "tags",    PRINT_LIST },
};
/* clang-format on */

static const char items[] =
    "[{\"name\":\"\\u00e4\\u001b\",\"state\":\"failed\","
    "\"at\":\"2026-11-20T20:43:11.123Z\",\"in\":{\"size\":2048},"
    "\"tags\":[\"a\",\"b\"]},"
    "{\"name\":\"web-1\",\"state\":\"\",\"at\":null,\"in\":null}]";

static void
columns_are_aligned_by_characters(void **state)
{
	struct json *doc = NULL;
	struct print p;

	(void)state;
	assert_rc(json_parse(str_of(items), &doc, NULL), RC_OK);
	print_open(&p, -1, false);
	assert_false(p.colour);
	print_table(&p, cols, ARRAY_LEN(cols), doc, "nothing");
	assert_string_equal(buf_text(&p.b),
	    "NAME   STATE   AT                       SIZE  TAGS\n"
	    "\xc3\xa4\\x1b  failed  2026-11-20 20:43:11Z  2.0 KiB  a,b\n"
	    "web-1  -       -                           -  -\n");
	buf_reset(&p.b);
	p.colour = true;
	print_table(&p, cols, ARRAY_LEN(cols), doc, "nothing");
	assert_non_null(strstr(buf_text(&p.b), "\033[31mfailed\033[0m  2026"));
	buf_reset(&p.b);
	print_record(&p, cols, ARRAY_LEN(cols), json_at(doc, 1));
	assert_string_equal(buf_text(&p.b), "NAME   web-1\n");
	buf_reset(&p.b);
	print_table(&p, cols, ARRAY_LEN(cols), NULL, "nothing");
	assert_string_equal(buf_text(&p.b), "nothing\n");
	buf_reset(&p.b);
	print_close(&p);
	json_free(doc);
}

/* Green means proven: what could not read everything is no success; and a
 * size of 0 may be one that nobody knows. */
static void
an_incomplete_job_did_not_succeed(void **state)
{
	static const struct print_column few[] = {
		{ "S", "status", PRINT_STATE },
		{ "B", "bytes", PRINT_SIZE },
		{ "K", "bytes", PRINT_KNOWN_SIZE },
	};
	struct json *doc = NULL;
	struct print p;

	(void)state;
	assert_rc(json_parse(STR("[{\"status\":\"succeeded\",\"incomplete\":"
	                         "true,\"bytes\":0},{\"status\":\"succeeded\","
	                         "\"incomplete\":false,\"bytes\":1}]"),
	              &doc, NULL),
	    RC_OK);
	print_open(&p, -1, false);
	print_table(&p, few, ARRAY_LEN(few), doc, "nothing");
	assert_string_equal(buf_text(&p.b), "S             B    K\n"
	                                    "incomplete  0 B    -\n"
	                                    "succeeded   1 B  1 B\n");
	buf_reset(&p.b);
	print_close(&p);
	json_free(doc);
}

/* NO_COLOR, and what is no terminal. */
static void
colours_are_for_terminals_that_want_them(void **state)
{
	struct print p;
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
	assert_int_equal(unsetenv("NO_COLOR"), 0);
	print_open(&p, fd, false);
	assert_true(p.colour);
	print_close(&p);
	print_open(&p, fd, true);
	assert_false(p.colour);
	print_close(&p);
	assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
	print_open(&p, fd, false);
	assert_false(p.colour);
	print_close(&p);
	assert_int_equal(unsetenv("NO_COLOR"), 0);
	assert_int_equal(setenv("TERM", "dumb", 1), 0);
	print_open(&p, fd, false);
	assert_false(p.colour);
	print_close(&p);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_text_is_shown_and_not_obeyed),
		cmocka_unit_test(no_byte_makes_it_fail),
		cmocka_unit_test(sizes_are_in_binary_units),
		cmocka_unit_test(columns_are_aligned_by_characters),
		cmocka_unit_test(an_incomplete_job_did_not_succeed),
		cmocka_unit_test(colours_are_for_terminals_that_want_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
