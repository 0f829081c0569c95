/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/buf.h"
#include "lib/base/frame.h"
#include "lib/base/mem.h"

static void
a_frame_is_length_kind_payload(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	frame_put(&b, 7, STR("abc"));
	assert_int_equal(b.len, 8);
	assert_memory_equal(b.data,
	    "\0\0\0\x04\x07"
	    "abc",
	    8);
	buf_reset(&b);
	frame_put(&b, 255, str_of(NULL));
	assert_int_equal(b.len, FRAME_HEAD);
	assert_memory_equal(b.data, "\0\0\0\x01\xff", 5);
	buf_fini(&b);
}

/* Every prefix sits at the end of its own memory, so that a sanitizer sees a
 * read beyond it. */
static enum rc
peek_prefix(const struct buf *b, size_t n, size_t max)
{
	uint8_t kind = 99, *copy = mem_alloc(n == 0 ? 1 : n);
	struct str payload = STR("untouched");
	size_t size = 99;
	enum rc rc;

	if (n != 0)
		memcpy(copy, b->data, n);
	rc = frame_peek(str_from(copy, n), max, &kind, &payload, &size);
	if (rc != RC_OK) {
		assert_int_equal(kind, 99);
		assert_int_equal(size, 99);
		assert_str(payload, "untouched");
	}
	mem_free(copy);
	return rc;
}

static void
a_part_of_a_frame_asks_for_more(void **state)
{
	struct buf b;
	size_t n;

	(void)state;
	buf_init(&b, 1000);
	frame_put(&b, 1, STR("some payload"));
	frame_put(&b, 2, STR("the next one"));
	for (n = 0; n <= b.len; n++)
		assert_rc(peek_prefix(&b, n, 1000), n < 17 ? RC_BUSY : RC_OK);
	buf_fini(&b);
}

static void
frames_follow_each_other(void **state)
{
	struct str payload;
	struct buf b;
	size_t size;
	uint8_t kind;
	unsigned i;

	(void)state;
	buf_init(&b, 100000);
	for (i = 0; i < 256; i++)
		frame_put(&b, (uint8_t)i,
		    str_sub(STR("0123456789abcdef"), 0, i % 17));
	for (i = 0; i < 256; i++) {
		assert_rc(frame_peek(buf_str(&b), 100, &kind, &payload, &size),
		    RC_OK);
		assert_int_equal(kind, i);
		assert_int_equal(payload.n, i % 17);
		assert_int_equal(size, FRAME_HEAD + i % 17);
		buf_drop(&b, size);
	}
	assert_rc(frame_peek(buf_str(&b), 100, &kind, &payload, &size),
	    RC_BUSY);
	buf_fini(&b);
}

static void
the_limit_counts_the_whole_frame(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	frame_put(&b, 1, STR("12345"));
	assert_rc(peek_prefix(&b, b.len, 10), RC_OK);
	assert_rc(peek_prefix(&b, b.len, 9), RC_LIMIT);
	assert_rc(peek_prefix(&b, b.len, 3), RC_LIMIT);
	assert_rc(peek_prefix(&b, b.len, 0), RC_LIMIT);
	/* Known from the length alone, before the payload has come. */
	assert_rc(peek_prefix(&b, 4, 9), RC_LIMIT);
	assert_rc(peek_prefix(&b, 4, 10), RC_BUSY);
	buf_fini(&b);
}

static void
impossible_lengths_are_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_put_u32(&b, 0);
	assert_rc(peek_prefix(&b, 4, 100), RC_PROTO);
	buf_reset(&b);
	buf_put_u32(&b, UINT32_MAX);
	buf_puts(&b, "abc");
	assert_rc(peek_prefix(&b, b.len, SIZE_MAX), RC_BUSY);
	assert_rc(peek_prefix(&b, b.len, UINT32_MAX), RC_LIMIT);
	buf_fini(&b);
}

static void
a_frame_that_does_not_fit_leaves_nothing_behind(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 14);
	frame_put(&b, 1, STR("1234"));
	frame_put(&b, 2, STR("5"));
	assert_rc(buf_rc(&b), RC_LIMIT);
	assert_int_equal(b.len, 9);
	buf_reset(&b);
	frame_put(&b, 1, str_from("", (size_t)UINT32_MAX));
	assert_rc(buf_rc(&b), RC_LIMIT);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_length_kind_payload),
		cmocka_unit_test(a_part_of_a_frame_asks_for_more),
		cmocka_unit_test(frames_follow_each_other),
		cmocka_unit_test(the_limit_counts_the_whole_frame),
		cmocka_unit_test(impossible_lengths_are_refused),
		cmocka_unit_test(
		    a_frame_that_does_not_fit_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
