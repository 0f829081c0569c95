/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/schedule_store.h"

#include "tests/unit/store/store_fixture.h"

static void
put(struct store_tx *tx, uint32_t host, uint32_t n, const char *cron)
{
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	struct ulid h = id_n(1, host), id = id_n(5, n);

	s.id = id_bytes(&id);
	s.host_id = id_bytes(&h);
	s.cron = text(cron);
	schedule_store_put(tx, &s);
}

static bool
test_on_schedule(void *ctx, const struct Rec__Schedule *s)
{
	char *text = ctx;
	size_t used = strlen(text);

	assert_true(str_fmt(text + used, 128 - used, "%s ", s->cron));
	return true;
}

static void
schedules_come_by_host_in_order_of_creation(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), first = id_n(5, 1);
	struct store_tx *tx = fixture_write(f);
	char names[128] = "", left[128] = "";

	put(tx, 1, 2, "@daily");
	put(tx, 1, 1, "@hourly");
	put(tx, 2, 3, "@weekly");
	schedule_store_of_host(tx, &a, test_on_schedule, names);
	assert_string_equal(names, "@hourly @daily ");
	schedule_store_del(tx, &a, &first);
	assert_null(schedule_store_find(tx, &a, &first));
	schedule_store_of_host(tx, &a, test_on_schedule, left);
	assert_string_equal(left, "@daily ");
	assert_rc(store_rc(tx), RC_OK);
	assert_null(schedule_store_get(tx, &a, &first));
	assert_rc(store_rc(tx), RC_NOTFOUND);
	store_abort(tx);
}

static void
a_schedule_without_host_is_refused(void **state)
{
	struct fixture *f = *state;
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	struct ulid id = id_n(5, 1);
	struct store_tx *tx = fixture_write(f);

	s.id = id_bytes(&id);
	schedule_store_put(tx, &s);
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(schedules_come_by_host_in_order_of_creation),
		store_test(a_schedule_without_host_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
