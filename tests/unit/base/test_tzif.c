/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/unit.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/tzif.h"

/* A zone file put together by hand: one hour from 100 on, two from 200 on,
 * then the footer. */
struct made {
	uint8_t version;
	uint32_t leap, time, type, chars;
	int64_t second_at;
	int32_t second_offset;
	uint8_t second_index;
	const char *footer;
};

static const struct made plain = {
	.version = '2',
	.time = 2,
	.type = 3,
	.chars = 4,
	.second_at = 200,
	.second_offset = 7200,
	.second_index = 2,
	.footer = "\nXYZ-3\n",
};

static void
put_head(struct buf *b, const struct made *m, bool with_data)
{
	buf_puts(b, "TZif");
	buf_put_u8(b, m->version);
	buf_put(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
	buf_put_u32(b, 0);
	buf_put_u32(b, 0);
	buf_put_u32(b, m->leap);
	buf_put_u32(b, with_data ? m->time : 0);
	buf_put_u32(b, with_data ? m->type : 1);
	buf_put_u32(b, with_data ? m->chars : 1);
}

static void
put_type(struct buf *b, int32_t offset)
{
	buf_put_u32(b, (uint32_t)offset);
	buf_put_u16(b, 0);
}

static void
make(struct buf *b, const struct made *m)
{
	buf_reset(b);
	put_head(b, m, false);
	put_type(b, 0);
	buf_put_u8(b, 0);
	put_head(b, m, true);
	buf_put_u64(b, 100);
	buf_put_u64(b, (uint64_t)m->second_at);
	buf_put_u8(b, 1);
	buf_put_u8(b, m->second_index);
	put_type(b, -60);
	put_type(b, 3600);
	put_type(b, m->second_offset);
	buf_put(b, "ABC", 4);
	buf_puts(b, m->footer);
	assert_rc(buf_rc(b), RC_OK);
}

static bool
parses(const struct made *m)
{
	struct tzif z = { .n = 99 };
	struct buf b;
	bool ok;

	buf_init(&b, 10000);
	make(&b, m);
	ok = tzif_parse(buf_str(&b), &z);
	if (!ok)
		assert_true(z.n == 0 && z.changes == NULL);
	tzif_fini(&z);
	buf_fini(&b);
	return ok;
}

static void
changes_take_effect_at_their_second(void **state)
{
	struct made m = plain;
	struct tzif z;
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	m.footer = "\n\n";
	make(&b, &m);
	assert_true(tzif_parse(buf_str(&b), &z));
	assert_int_equal(tzif_offset(&z, INT64_MIN), -60);
	assert_int_equal(tzif_offset(&z, 99), -60);
	assert_int_equal(tzif_offset(&z, 100), 3600);
	assert_int_equal(tzif_offset(&z, 199), 3600);
	assert_int_equal(tzif_offset(&z, 200), 7200);
	assert_int_equal(tzif_offset(&z, INT64_MAX), 7200);
	tzif_fini(&z);
	tzif_fini(&z);
	buf_fini(&b);
}

static void
wrong_numbers_are_refused(void **state)
{
	struct made m;

	(void)state;
	assert_true(parses(&plain));
	m = plain;
	m.version = 0;
	assert_false(parses(&m));
	m = plain;
	m.leap = 1;
	assert_false(parses(&m));
	m = plain;
	m.type = 0;
	assert_false(parses(&m));
	m = plain;
	m.type = 257;
	assert_false(parses(&m));
	m = plain;
	m.time = UINT32_MAX;
	assert_false(parses(&m));
	m = plain;
	m.chars = UINT32_MAX;
	assert_false(parses(&m));
	m = plain;
	m.second_at = 100;
	assert_false(parses(&m));
	m = plain;
	m.second_at = -1;
	assert_false(parses(&m));
	m = plain;
	m.second_index = 3;
	assert_false(parses(&m));
	m = plain;
	m.second_offset = INT32_MIN;
	assert_false(parses(&m));
	m = plain;
	m.second_offset = 26 * 3600 + 1;
	assert_false(parses(&m));
}

static void
footers_are_strict(void **state)
{
	static const char *const good[] = { "\n\n", "\nUTC0\n",
		"\n<+0330>-3:30\n", "\nCET-1CEST,M3.5.0,M10.5.0/3\n",
		"\nIST-2IDT,M3.4.4/26,M10.5.0\n", "\nAAA3BBB2,J60/-1,365/167\n",
		"\nAAA+3:00:01BBB,0,J1\n" };
	static const char *const bad[] = { "", "\n", "X-3\n", "\nX-3",
		"\nX-3\n\n", "\n-3\n", "\nXY-3\n", "\nXYZ\n", "\n<>3\n",
		"\n<AB3\n", "\nXYZ25\n", "\nXYZ1:60\n", "\nXYZ1:\n",
		"\nXYZ1ABC\n", "\nXYZ1ABC,\n", "\nXYZ1ABC,M3.5.0\n",
		"\nXYZ1ABC,M3.5.0,\n", "\nXYZ1ABC,M13.5.0,M10.5.0\n",
		"\nXYZ1ABC,M0.5.0,M10.5.0\n", "\nXYZ1ABC,M3.6.0,M10.5.0\n",
		"\nXYZ1ABC,M3.0.0,M10.5.0\n", "\nXYZ1ABC,M3.5.7,M10.5.0\n",
		"\nXYZ1ABC,J0,J5\n", "\nXYZ1ABC,J366,J5\n", "\nXYZ1ABC,366,5\n",
		"\nXYZ1ABC,1/168,5\n", "\nXYZ1ABC,1,5,9\n", "\nXYZ1ABC,1,5 \n",
		"\nXYZ99999999999999999999\n" };
	struct made m = plain;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		m.footer = good[i];
		if (!parses(&m))
			fail_msg("refused %s", good[i]);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		m.footer = bad[i];
		if (parses(&m))
			fail_msg("accepted %s", bad[i]);
	}
}

static int32_t
offset_by(const char *footer, int64_t unix_s)
{
	struct made m = plain;
	struct tzif z;
	struct buf b;
	int32_t v;

	m.footer = footer;
	buf_init(&b, 10000);
	make(&b, &m);
	assert_true(tzif_parse(buf_str(&b), &z));
	v = tzif_offset(&z, unix_s);
	tzif_fini(&z);
	buf_fini(&b);
	return v;
}

enum {
	DAY = 86400
};
/* January 1 of a common and of a leap year. */
#define Y2027 INT64_C(1798761600)
#define Y2028 INT64_C(1830297600)

static void
every_form_of_rule_finds_its_day(void **state)
{
	static const char julian[] = "\nAAA0BBB,J59/0,J60/0\n";
	static const char ordinal[] = "\nAAA0BBB,58/0,59/0\n";
	static const char late[] = "\nAAA0BBB,J1/25,J3/-1\n";

	(void)state;
	/* February 28 is day 59 of every year; March 1 is always J60. */
	assert_int_equal(offset_by(julian, Y2027 + 58 * DAY - 1), 0);
	assert_int_equal(offset_by(julian, Y2027 + 58 * DAY), 3600);
	assert_int_equal(offset_by(julian, Y2027 + 59 * DAY - 3601), 3600);
	assert_int_equal(offset_by(julian, Y2027 + 59 * DAY - 3600), 0);
	assert_int_equal(offset_by(julian, Y2028 + 60 * DAY - 3601), 3600);
	assert_int_equal(offset_by(julian, Y2028 + 60 * DAY - 3600), 0);
	/* Ordinal days count February 29. */
	assert_int_equal(offset_by(ordinal, Y2028 + 58 * DAY), 3600);
	assert_int_equal(offset_by(ordinal, Y2028 + 59 * DAY - 3600), 0);
	/* Times of change may lie outside their day. */
	assert_int_equal(offset_by(late, Y2027 + 25 * 3600 - 1), 0);
	assert_int_equal(offset_by(late, Y2027 + 25 * 3600), 3600);
	assert_int_equal(offset_by(late, Y2027 + 2 * DAY - 7201), 3600);
	assert_int_equal(offset_by(late, Y2027 + 2 * DAY - 7200), 0);
	/* The fifth weekday of a month is its last. */
	assert_int_equal(offset_by("\nAAA0BBB,M2.5.2/0,M3.1.3/0\n",
	                     Y2028 + 59 * DAY),
	    3600);
	assert_int_equal(offset_by("\nAAA0BBB,M2.5.2/0,M3.1.3/0\n",
	                     Y2028 + 59 * DAY - 1),
	    0);
}

/* Cut and changed at every byte; the copy is exact so that a sanitizer sees
 * any read beyond it. */
static void
damage_anywhere_is_survived(void **state)
{
	struct made m = plain;
	struct tzif z;
	struct buf b;
	char *copy;
	size_t i;
	int bit;

	(void)state;
	buf_init(&b, 10000);
	m.footer = "\nCET-1CEST,M3.5.0,M10.5.0/3\n";
	make(&b, &m);
	for (i = 0; i < b.len; i++) {
		copy = mem_alloc(i + 1);
		memcpy(copy, b.data, i);
		assert_false(tzif_parse(str_from(copy, i), &z));
		mem_free(copy);
		for (bit = 0; bit < 8; bit++) {
			b.data[i] = (char)(b.data[i] ^ (1 << bit));
			if (tzif_parse(buf_str(&b), &z)) {
				assert_in_range(tzif_offset(&z, Y2027) + 100000,
				    0, 200000);
				tzif_fini(&z);
			}
			b.data[i] = (char)(b.data[i] ^ (1 << bit));
		}
	}
	assert_true(tzif_parse(buf_str(&b), &z));
	tzif_fini(&z);
	buf_fini(&b);
	assert_false(tzif_parse(str_of(NULL), &z));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_take_effect_at_their_second),
		cmocka_unit_test(wrong_numbers_are_refused),
		cmocka_unit_test(footers_are_strict),
		cmocka_unit_test(every_form_of_rule_finds_its_day),
		cmocka_unit_test(damage_anywhere_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
