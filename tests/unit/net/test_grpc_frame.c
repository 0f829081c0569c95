/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/grpc_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/net/grpc_text.h"

enum {
	MAX = 1000
};

static void
put(struct buf *b, struct str msg)
{
	char prefix[GRPC_PREFIX];

	grpc_frame_prefix(msg.n, prefix);
	buf_put(b, prefix, sizeof(prefix));
	buf_put_str(b, msg);
}

/* Messages as they come out, each ended by '|'. */
static enum rc
take(struct grpc_frames *f, struct str bytes, struct buf *out)
{
	struct str msg;
	enum rc rc;

	while ((rc = grpc_frames_next(f, &bytes, &msg)) == RC_OK) {
		buf_put_str(out, msg);
		buf_putc(out, '|');
	}
	return rc;
}

static void
any_cut_gives_the_same_messages(void **state)
{
	struct grpc_frames f;
	struct buf in, out;
	size_t cut, step;

	(void)state;
	buf_init(&in, KIB(64));
	buf_init(&out, KIB(64));
	put(&in, STR("one"));
	put(&in, STR(""));
	put(&in, STR("a longer message than the others"));
	for (step = 1; step <= in.len; step++) {
		grpc_frames_init(&f, MAX);
		buf_reset(&out);
		for (cut = 0; cut < in.len; cut += step)
			assert_int_equal(take(&f,
			                     str_sub(buf_str(&in), cut, step),
			                     &out),
			    RC_BUSY);
		assert_string_equal(buf_text(&out),
		    "one||a longer message than the others|");
		assert_true(grpc_frames_whole(&f));
		grpc_frames_fini(&f);
	}
	buf_fini(&in);
	buf_fini(&out);
}

static void
bounds_a_message(void **state)
{
	char big[MAX + 1] = { 0 };
	struct grpc_frames f;
	struct buf in, out;

	(void)state;
	buf_init(&in, KIB(64));
	buf_init(&out, KIB(64));
	grpc_frames_init(&f, MAX);
	put(&in, str_from(big, MAX));
	assert_int_equal(take(&f, buf_str(&in), &out), RC_BUSY);
	assert_int_equal(out.len, MAX + 1);
	buf_reset(&in);
	put(&in, str_from(big, MAX + 1));
	/* Refused by its prefix: nothing is stored. */
	assert_int_equal(take(&f, str_sub(buf_str(&in), 0, 5), &out), RC_LIMIT);
	assert_true(f.part.cap <= 128);
	grpc_frames_fini(&f);
	buf_fini(&in);
	buf_fini(&out);
}

static void
grows_only_with_what_came(void **state)
{
	struct grpc_frames f;
	struct str msg, bytes = { "\0\0\x3f\xff\xffx", 6 };

	(void)state;
	grpc_frames_init(&f, 4194304);
	assert_int_equal(grpc_frames_next(&f, &bytes, &msg), RC_BUSY);
	assert_false(grpc_frames_whole(&f));
	assert_true(f.part.cap <= 128);
	grpc_frames_fini(&f);
}

static void
refuses_flags(void **state)
{
	struct grpc_frames f;
	struct str msg, zipped = { "\1\0\0\0\0", 5 };
	struct str unknown = { "\2\0\0\0\0", 5 };

	(void)state;
	grpc_frames_init(&f, MAX);
	assert_int_equal(grpc_frames_next(&f, &zipped, &msg), RC_VERSION);
	grpc_frames_fini(&f);
	grpc_frames_init(&f, MAX);
	assert_int_equal(grpc_frames_next(&f, &unknown, &msg), RC_PROTO);
	grpc_frames_fini(&f);
}

static void
reads_timeouts(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t ms;
	} cases[] = {
		{ "4990m", true, 4990 },
		{ "1H", true, 3600000 },
		{ "2M", true, 120000 },
		{ "3S", true, 3000 },
		{ "1u", true, 1 },
		{ "1001u", true, 2 },
		{ "99999999n", true, 100 },
		{ "0m", true, 0 },
		{ "99999999H", true, 359999996400000 },
		{ "100000000m", false, 0 },
		{ "", false, 0 },
		{ "m", false, 0 },
		{ "1", false, 0 },
		{ "-1S", false, 0 },
		{ "1s", false, 0 },
		{ "1 S", false, 0 },
	};
	char text[GRPC_TIMEOUT_CAP];
	uint64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		ms = 0;
		if (grpc_timeout_parse(str_of(cases[i].text), &ms) !=
		        cases[i].ok ||
		    ms != cases[i].ms)
			fail_msg("%s", cases[i].text);
	}
	grpc_timeout_text(4990, text);
	assert_string_equal(text, "4990m");
	grpc_timeout_text(4000000000U, text);
	assert_string_equal(text, "4000001S");
}

static void
escapes_messages(void **state)
{
	struct buf out, back;

	(void)state;
	buf_init(&out, 100);
	buf_init(&back, 100);
	grpc_percent_put(&out, STR("50% m\xc3\xbc\n~"));
	assert_string_equal(buf_text(&out), "50%25 m%C3%BC%0A~");
	grpc_percent_get(&back, buf_str(&out));
	assert_string_equal(buf_text(&back), "50% m\xc3\xbc\n~");
	buf_reset(&back);
	grpc_percent_get(&back, STR("100% %zz %4"));
	assert_string_equal(buf_text(&back), "100% %zz %4");
	buf_fini(&out);
	buf_fini(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut_gives_the_same_messages),
		cmocka_unit_test(bounds_a_message),
		cmocka_unit_test(grows_only_with_what_came),
		cmocka_unit_test(refuses_flags),
		cmocka_unit_test(reads_timeouts),
		cmocka_unit_test(escapes_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
