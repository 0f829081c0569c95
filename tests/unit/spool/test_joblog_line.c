/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The line form: escapes that can be undone, cutting, splitting. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "spool/joblog.h"
#include "spool/joblog_read.h"

#define AT INT64_C(1795207391123) /* 2026-11-20T20:43:11.123Z */

/* Formats one line and splits it again; the text lies in line. */
static struct joblog_entry
stored(struct buf *line, struct str text)
{
	struct joblog_entry entry;
	struct str rest;

	buf_reset(line);
	joblog_line(line, AT, JOBLOG_OUT, text);
	assert_int_equal(buf_rc(line), RC_OK);
	assert_true(line->len <= JOBLOG_STORED_MAX);
	rest = buf_str(line);
	assert_true(joblog_next(&rest, &entry));
	assert_int_equal(rest.n, 0);
	assert_int_equal(entry.ts_ms, AT);
	assert_int_equal(entry.tag, JOBLOG_OUT);
	return entry;
}

static void
assert_stored(const char *text, const char *want)
{
	struct joblog_entry entry;
	struct buf line;

	buf_init(&line, JOBLOG_STORED_MAX);
	entry = stored(&line, str_of(text));
	if (!str_eqz(entry.text, want))
		fail_msg("stored as %.*s, not %s", STR_ARG(entry.text), want);
	buf_fini(&line);
}

static unsigned
hex_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* The rule of the man page, written down a second time: an odd number of
 * backslashes before xHH is half of them and the byte, an even one half of
 * them and "xHH"; any other backslash is itself. */
static void
undo(struct buf *out, struct str s)
{
	size_t i = 0, run;

	while (i < s.n) {
		for (run = 0; i + run < s.n && s.p[i + run] == '\\'; run++)
			continue;
		if (run == 0) {
			buf_putc(out, s.p[i++]);
			continue;
		}
		i += run;
		if (i + 2 >= s.n || s.p[i] != 'x' ||
		    !isxdigit((uint8_t)s.p[i + 1]) ||
		    !isxdigit((uint8_t)s.p[i + 2])) {
			while (run-- > 0)
				buf_putc(out, '\\');
			continue;
		}
		for (; run > 1; run -= 2)
			buf_putc(out, '\\');
		if (run == 0)
			continue;
		buf_putc(out,
		    (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2])));
		i += 3;
	}
}

static void
assert_undone(struct str text)
{
	struct joblog_entry entry;
	struct buf line, back;
	size_t i;

	buf_init(&line, JOBLOG_STORED_MAX);
	buf_init(&back, KIB(64));
	entry = stored(&line, text);
	assert_true(str_utf8_ok(entry.text) || entry.text.n == 0);
	for (i = 0; i < entry.text.n; i++)
		assert_true((uint8_t)entry.text.p[i] >= 0x20 &&
		            entry.text.p[i] != 0x7f);
	undo(&back, entry.text);
	if (!str_eq(buf_str(&back), text))
		fail_msg("%.*s was not undone", STR_ARG(entry.text));
	buf_fini(&line);
	buf_fini(&back);
}

static void
a_line_has_the_form_that_people_grep(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, KIB(4));
	joblog_line(&b, AT, JOBLOG_OUT, STR("processed 120 files"));
	joblog_line(&b, 0, JOBLOG_HOOK, STR(""));
	assert_string_equal(buf_text(&b),
	    "2026-11-20T20:43:11.123Z out  processed 120 files\n"
	    "1970-01-01T00:00:00.000Z hook  \n");
	buf_fini(&b);
}

static void
text_stands_as_it_is_and_the_rest_is_escaped(void **state)
{
	(void)state;
	assert_stored("plain  text, \"quoted\"", "plain  text, \"quoted\"");
	assert_stored("Gr\303\266\303\237e \342\202\254 \360\237\230\200",
	    "Gr\303\266\303\237e \342\202\254 \360\237\230\200");
	assert_stored("a\tb\r\n\033[31m\177",
	    "a\\x09b\\x0d\\x0a\\x1b[31m\\x7f");
	assert_stored("caf\351", "caf\\xe9");
	assert_stored("\302\233 is CSI", "\\xc2\\x9b is CSI");
	assert_stored("\302\240", "\302\240");
	assert_stored("cut \342\202", "cut \\xe2\\x82");
	assert_stored("\355\240\200", "\\xed\\xa0\\x80"); /* a surrogate */
	assert_stored("\300\200", "\\xc0\\x80");          /* overlong */
}

static void
backslashes_are_doubled_only_before_what_reads_as_an_escape(void **state)
{
	(void)state;
	assert_stored("C:\\data\\x", "C:\\data\\x");
	assert_stored("\\\\server\\share\\", "\\\\server\\share\\");
	assert_stored("\\x4", "\\x4");
	assert_stored("\\x41", "\\\\x41");
	assert_stored("\\X41 \\xg1 \\x1G", "\\X41 \\xg1 \\x1G");
	assert_stored("\\\\xAf", "\\\\\\\\xAf");
	assert_stored("\\\001", "\\\\\\x01");
	assert_stored("\\\\\001x41", "\\\\\\\\\\x01x41");
}

static void
every_byte_can_be_undone(void **state)
{
	char text[3];
	unsigned a, b;

	(void)state;
	for (a = 0; a < 256; a++) {
		text[0] = (char)a;
		assert_undone(str_from(text, 1));
		for (b = 0; b < 256; b += a == '\\' || a == 0xc2 ? 1 : 7) {
			text[1] = (char)b;
			text[2] = 'x';
			assert_undone(str_from(text, 3));
		}
	}
}

static void
awkward_texts_can_be_undone(void **state)
{
	/* What meets at the edges of escapes. */
	static const char alphabet[] = "\\\\\\x0aF\001\351\302\233z";
	char text[12];
	size_t i, n;
	int round;

	(void)state;
	srand(20261120);
	for (round = 0; round < 50000; round++) {
		n = (size_t)rand() % sizeof(text) + 1;
		for (i = 0; i < n; i++)
			text[i] =
			    alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		assert_undone(str_from(text, n));
	}
}

static void
a_long_line_is_cut_and_marked(void **state)
{
	static char text[JOBLOG_LINE_MAX + 1000];
	struct joblog_entry entry;
	struct buf line;

	(void)state;
	buf_init(&line, JOBLOG_STORED_MAX);
	memset(text, 'a', sizeof(text));
	entry = stored(&line, str_from(text, JOBLOG_LINE_MAX));
	assert_int_equal(entry.text.n, JOBLOG_LINE_MAX);
	entry = stored(&line, str_from(text, sizeof(text)));
	assert_true(str_ends(entry.text, STR("aa [cut, 1000 bytes more]")));
	/* Never through a character. */
	memcpy(text + JOBLOG_LINE_MAX - 2, "\360\237\230\200", 4);
	entry = stored(&line, str_from(text, sizeof(text)));
	assert_true(str_ends(entry.text, STR("aa [cut, 1002 bytes more]")));
	memset(text, 1, sizeof(text));
	entry = stored(&line, str_from(text, sizeof(text)));
	assert_true(str_ends(entry.text, STR("\\x01 [cut, 1000 bytes more]")));
	memset(text, 0x80, sizeof(text));
	(void)stored(&line, str_from(text, sizeof(text)));
	buf_fini(&line);
}

static void
assert_not_a_line(const char *text)
{
	struct joblog_entry entry;
	struct str rest = str_of(text);

	assert_true(joblog_next(&rest, &entry));
	assert_int_equal(entry.tag, JOBLOG_SYS);
	assert_int_equal(entry.ts_ms, 0);
	assert_true(str_eqz(entry.text, text));
}

static void
lines_of_another_form_are_given_whole(void **state)
{
	(void)state;
	assert_not_a_line("hello");
	assert_not_a_line("2026-11-20T20:43:11.123Z");
	assert_not_a_line("2026-11-20T20:43:11.123Z ");
	assert_not_a_line("2026-11-20T20:43:11.123Z out");
	assert_not_a_line("2026-11-20T20:43:11.123Z out ");
	assert_not_a_line("2026-11-20T20:43:11.123Z out one blank");
	assert_not_a_line("2026-11-20T20:43:11.123Z nix  text");
	assert_not_a_line("2026-11-20T20:43:11.123Z  out  text");
	assert_not_a_line("2026-13-20T20:43:11.123Z out  text");
	assert_not_a_line("2026-11-20T20:43:11+01:0 out  text");
}

static void
a_text_is_split_line_by_line(void **state)
{
	struct str rest = STR("2026-11-20T20:43:11.123Z err  one\n"
	                      "\n"
	                      "2026-11-20T20:43:11.124Z evt    two\n"
	                      "2026-11-20T20:43:11.125Z sys  torn");
	struct joblog_entry entry;

	(void)state;
	assert_true(joblog_next(&rest, &entry));
	assert_int_equal(entry.tag, JOBLOG_ERR);
	assert_true(str_eqz(entry.text, "one"));
	assert_true(joblog_next(&rest, &entry));
	assert_int_equal(entry.text.n, 0);
	assert_true(joblog_next(&rest, &entry));
	assert_int_equal(entry.tag, JOBLOG_EVT);
	assert_int_equal(entry.ts_ms, AT + 1);
	assert_true(str_eqz(entry.text, "  two"));
	assert_true(joblog_next(&rest, &entry));
	assert_true(str_eqz(entry.text, "torn"));
	assert_false(joblog_next(&rest, &entry));
}

static void
every_tag_has_its_names(void **state)
{
	static const char *const names[][2] = { { "out", "stdout" },
		{ "err", "stderr" }, { "evt", "event" }, { "hook", "hook" },
		{ "sys", "sys" } };
	struct joblog_entry entry;
	struct str rest;
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, KIB(1));
	for (i = JOBLOG_OUT; i <= JOBLOG_SYS; i++) {
		assert_string_equal(joblog_tag_name((enum joblog_tag)i),
		    names[i][0]);
		assert_string_equal(joblog_stream_name((enum joblog_tag)i),
		    names[i][1]);
		buf_reset(&b);
		joblog_line(&b, AT, (enum joblog_tag)i, STR("x"));
		rest = buf_str(&b);
		assert_true(joblog_next(&rest, &entry));
		assert_int_equal(entry.tag, i);
	}
	buf_fini(&b);
}

/* Lines are looked through eight bytes at a time: each byte at each place of
 * a word is stored as it is at the end of a short line. */
static void
a_byte_is_stored_alike_wherever_it_stands(void **state)
{
	char text[17], alone[2] = "", want[64];
	struct buf line, one;
	struct joblog_entry e;
	size_t at;
	int c;

	(void)state;
	buf_init(&line, JOBLOG_STORED_MAX);
	buf_init(&one, JOBLOG_STORED_MAX);
	for (c = 0; c < 256; c++) {
		alone[0] = (char)c;
		e = stored(&one, str_from(alone, 1));
		for (at = 0; at < sizeof(text); at++) {
			memset(text, 'y', sizeof(text));
			text[at] = (char)c;
			assert_true(str_fmt(want, sizeof(want), "%.*s%.*s%.*s",
			    (int)at, "yyyyyyyyyyyyyyyy", STR_ARG(e.text),
			    (int)(sizeof(text) - at - 1), "yyyyyyyyyyyyyyyy"));
			assert_true(
			    str_eqz(stored(&line, str_from(text, sizeof(text)))
			                .text,
			        want));
		}
	}
	buf_fini(&one);
	buf_fini(&line);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_byte_is_stored_alike_wherever_it_stands),
		cmocka_unit_test(a_line_has_the_form_that_people_grep),
		cmocka_unit_test(text_stands_as_it_is_and_the_rest_is_escaped),
		cmocka_unit_test(
		    backslashes_are_doubled_only_before_what_reads_as_an_escape),
		cmocka_unit_test(every_byte_can_be_undone),
		cmocka_unit_test(awkward_texts_can_be_undone),
		cmocka_unit_test(a_long_line_is_cut_and_marked),
		cmocka_unit_test(lines_of_another_form_are_given_whole),
		cmocka_unit_test(a_text_is_split_line_by_line),
		cmocka_unit_test(every_tag_has_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
