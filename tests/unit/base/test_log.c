/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

/* The log goes into a pipe that the test reads. */
static int ends[2];

static int
open_log(void **state)
{
	(void)state;
	if (pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
		return -1;
	clock_fake(INT64_C(1795207391123), 1000);
	log_open(ends[1], LOG_INFO);
	return 0;
}

static int
close_log(void **state)
{
	(void)state;
	log_open(STDERR_FILENO, LOG_INFO);
	clock_fake(-1, 0);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* What was logged since the last call, as text. */
static const char *
logged(void)
{
	static char text[65536];
	ssize_t n = read(ends[0], text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
a_record_is_time_level_area_and_message(void **state)
{
	(void)state;
	log_info(LOG_JOB, "job finished host=%s rc=%s", "web-1", "RC_OK");
	assert_string_equal(logged(), "2026-11-20T20:43:11.123Z info  job  "
	                              "job finished host=web-1 rc=RC_OK\n");
	log_error(LOG_SPOOL, "no space left");
	assert_string_equal(logged(),
	    "2026-11-20T20:43:11.123Z error spool no space left\n");
}

static void
records_above_the_level_are_left_out(void **state)
{
	(void)state;
	log_debug(LOG_NET, "x");
	assert_string_equal(logged(), "");
	assert_false(log_enabled(LOG_DEBUG));
	log_open(ends[1], LOG_ERROR);
	log_warn(LOG_NET, "x");
	log_info(LOG_NET, "x");
	assert_string_equal(logged(), "");
	log_open(ends[1], LOG_DEBUG);
	log_debug(LOG_NET, "y");
	assert_true(str_ends(str_of(logged()), STR(" debug net  y\n")));
}

static void
levels_have_names(void **state)
{
	enum log_level level = LOG_WARN;

	(void)state;
	assert_true(log_level_parse(STR("error"), &level));
	assert_int_equal(level, LOG_ERROR);
	assert_true(log_level_parse(STR("debug"), &level));
	assert_int_equal(level, LOG_DEBUG);
	assert_false(log_level_parse(STR("Debug"), &level));
	assert_false(log_level_parse(STR(""), &level));
	assert_false(log_level_parse(STR("debug "), &level));
	assert_int_equal(level, LOG_DEBUG);
}

static void
a_record_stays_one_line(void **state)
{
	const char *text;

	(void)state;
	log_info(LOG_MAIN, "a\nb\r\n2026 fake\x1b[2J\tc\x7f");
	text = logged();
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	assert_null(strchr(text, '\x1b'));
	assert_non_null(strstr(text, "a b  2026 fake [2J c \n"));
}

static void
a_long_record_is_cut_and_says_so(void **state)
{
	const char *text;

	(void)state;
	log_info(LOG_MAIN, "%5000s", "end");
	text = logged();
	assert_int_equal(strlen(text), 2048);
	assert_true(str_ends(str_of(text), STR(" ...\n")));
}

static void
logging_leaves_errno_alone_also_when_it_cannot_write(void **state)
{
	(void)state;
	log_open(-1, LOG_INFO);
	errno = ENOENT;
	log_info(LOG_MAIN, "nobody hears this");
	assert_int_equal(errno, ENOENT);
}

static void
a_flood_is_limited_and_counted(void **state)
{
	struct log_limit l = { 0 };
	int i, allowed = 0;

	(void)state;
	for (i = 0; i < 100; i++)
		allowed += log_allow(&l, 3, 60) ? 1 : 0;
	assert_int_equal(allowed, 3);
	clock_fake(0, 1000 + 59999);
	assert_false(log_allow(&l, 3, 60));
	assert_string_equal(logged(), "");
	clock_fake(0, 1000 + 60000);
	assert_true(log_allow(&l, 3, 60));
	assert_non_null(strstr(logged(), "similar records left out count=98"));
	/* The next period starts clean. */
	clock_fake(0, 1000 + 120000);
	assert_true(log_allow(&l, 3, 60));
	assert_string_equal(logged(), "");
	assert_false(log_allow(&(struct log_limit){ 0 }, 0, 60));
}

static const struct {
	const char *in;
	size_t n;
	const char *out;
} safe_rows[] = {
	{ "web-1", 5, "web-1" },
	{ "", 0, "\"\"" },
	{ "two words", 9, "\"two words\"" },
	{ "a\"b", 3, "a\\x22b" },
	{ "it's", 4, "it\\x27s" },
	{ "`id`", 4, "\\x60id\\x60" },
	{ "C:\\x", 4, "C:\\x5cx" },
	{ "a\nb\0c", 5, "a\\x0ab\\x00c" },
	{ "\x1b[31m", 5, "\\x1b[31m" },
	{ "\x7f", 1, "\\x7f" },
	{ "gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f" },
	{ "\xff\xfe", 2, "\\xff\\xfe" },
	{ "\xc3", 1, "\\xc3" },
	{ "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },
	/* Next line, right-to-left override, isolate, line separator. */
	{ "\xc2\x85", 2, "\\xc2\\x85" },
	{ "\xe2\x80\xae", 3, "\\xe2\\x80\\xae" },
	{ "\xe2\x81\xa6", 3, "\\xe2\\x81\\xa6" },
	{ "\xe2\x80\xa8", 3, "\\xe2\\x80\\xa8" },
	/* Their neighbours are harmless. */
	{ "\xe2\x80\xa7", 3, "\xe2\x80\xa7" },
	{ "\xe2\x82\xac", 3, "\xe2\x82\xac" },
};

static void
outside_text_becomes_one_printable_word(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(safe_rows); i++)
		assert_string_equal(log_safe(str_from(safe_rows[i].in,
		                        safe_rows[i].n)),
		    safe_rows[i].out);
}

static void
outside_text_is_cut_between_characters(void **state)
{
	char text[600];
	const char *out;
	size_t n, i;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(strlen(log_safe(str_from(text, 200))), 200);
	out = log_safe(str_from(text, 201));
	assert_int_equal(strlen(out), 203);
	assert_true(str_ends(str_of(out), STR("a...")));
	for (i = 0; i < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	for (n = 0; n < sizeof(text); n += 3) {
		out = log_safe(str_from(text, n));
		assert_true(str_utf8_ok(str_of(out)));
		assert_true(strlen(out) <= 203);
	}
	memset(text, 1, sizeof(text));
	text[0] = ' ';
	out = log_safe(str_from(text, sizeof(text)));
	assert_true(strlen(out) <= 200 + 5);
	assert_true(str_ends(str_of(out), STR("\\x01...\"")));
}

static void
eight_texts_fit_in_one_call(void **state)
{
	const char *p[8];
	char c[2] = "a";
	size_t i;

	(void)state;
	for (i = 0; i < 8; i++, c[0]++)
		p[i] = log_safe(str_of(c));
	for (i = 0, c[0] = 'a'; i < 8; i++, c[0]++)
		assert_string_equal(p[i], c);
}

enum {
	THREADS = 4,
	RECORDS = 100
};

static void *
write_records(void *arg)
{
	static struct log_limit shared;
	int i;

	for (i = 0; i < RECORDS; i++) {
		log_allow(&shared, 1000000, 60);
		log_info(LOG_MAIN, "n=%s", log_safe(*(const struct str *)arg));
	}
	return NULL;
}

static void
records_of_threads_do_not_mix(void **state)
{
	struct str words[THREADS] = { STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		STR("bbbbbbbbbbbbbbb bbbbbbbbbbbbbbb"), STR("c"),
		STR("dddddddddddddddddddddd\ndddddddddddd") };
	pthread_t threads[THREADS];
	struct str rest, line, head;
	size_t i, n = 0;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		                     write_records, &words[i]),
		    0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	rest = str_of(logged());
	while (str_next(&rest, '\n', &line) && line.n != 0) {
		n++;
		head = STR("2026-11-20T20:43:11.123Z info  main n=");
		assert_true(str_starts(line, head));
		line = str_sub(line, head.n, line.n);
		for (i = 0; i < THREADS; i++)
			if (str_eqz(line, log_safe(words[i])))
				break;
		assert_true(i < THREADS);
	}
	assert_int_equal(n, THREADS * RECORDS);
}

#define LOGGED(f) cmocka_unit_test_setup_teardown(f, open_log, close_log)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOGGED(a_record_is_time_level_area_and_message),
		LOGGED(records_above_the_level_are_left_out),
		LOGGED(levels_have_names),
		LOGGED(a_record_stays_one_line),
		LOGGED(a_long_record_is_cut_and_says_so),
		LOGGED(logging_leaves_errno_alone_also_when_it_cannot_write),
		LOGGED(a_flood_is_limited_and_counted),
		LOGGED(outside_text_becomes_one_printable_word),
		LOGGED(outside_text_is_cut_between_characters),
		LOGGED(eight_texts_fit_in_one_call),
		LOGGED(records_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
