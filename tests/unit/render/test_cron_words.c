/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "render/cron_words.h"

#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "tests/unit/unit.h"

static void
expressions_read_as_sentences(void **state)
{
	/* clang-format off */
	static const struct {
		const char *expr, *words;
	} rows[] = {
		{ "@hourly", "Every hour" },
		{ "15 * * * *", "Every hour at :15" },
		{ "*/5 * * * *", "Every 5 minutes" },
		{ "* * * * *", "Every minute" },
		{ "0 */6 * * *", "Every 6 hours" },
		{ "30 */12 * * *", "Every 12 hours at :30" },
		{ "@daily", "Every day at 00:00" },
		{ "0 3 * * *", "Every day at 03:00" },
		{ "5 8,20 * * *", "Every day at 08:05, 20:05" },
		{ "30 2 * * 1-5", "Monday to Friday at 02:30" },
		{ "0 3 * * 0", "Every Sunday at 03:00" },
		{ "0 3 * * MON,WED", "Monday, Wednesday at 03:00" },
		{ "0 3 1 * *", "Every month on day 1 at 03:00" },
		{ "@every 90m", "Every 1h 30m" },
		{ "0 */5 * * *", "" }, /* does not divide a day */
		{ "0 3 1 6 *", "" },
		{ "0 3 1 * 1", "" },
		{ "0-30 3 * * *", "" },
	};
	/* clang-format on */
	struct arena a;
	struct cron c;
	struct err e;
	size_t i;

	(void)state;
	arena_init(&a, KIB(64));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(cron_parse(str_of(rows[i].expr), "UTC", &c,
		                     &e),
		    RC_OK);
		assert_string_equal(cron_words(&a, &c), rows[i].words);
	}
	arena_fini(&a);
}

/* M-184 */
static void
every_preset_can_be_read_and_has_words(void **state)
{
	const struct cron_preset *p;
	struct arena a;
	struct cron c;
	struct err e;
	size_t i, n;

	(void)state;
	arena_init(&a, KIB(64));
	p = cron_presets(&n);
	assert_int_equal(n, 5);
	for (i = 0; i < n; i++) {
		assert_int_equal(cron_parse(str_of(p[i].expr), "UTC", &c, &e),
		    RC_OK);
		assert_true(cron_words(&a, &c)[0] != '\0');
		assert_ptr_equal(cron_preset_find(str_of(p[i].name)), &p[i]);
	}
	assert_null(cron_preset_find(STR("never")));
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_read_as_sentences),
		cmocka_unit_test(every_preset_can_be_read_and_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
