/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/plan_store.h"

#include "tests/unit/store/store_fixture.h"

static void
put_group(struct store_tx *tx, const struct ulid *host,
    const struct ulid *group, const char *name)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;

	g.id = id_bytes(group);
	g.host_id = id_bytes(host);
	g.name = text(name);
	plan_store_put(tx, &g);
}

struct names {
	char text[256];
};

static bool
test_on_group(void *ctx, const struct Rec__SourceGroup *g)
{
	struct names *names = ctx;
	size_t used = strlen(names->text);

	assert_true(str_fmt(names->text + used, sizeof(names->text) - used,
	    "%s ", g->name));
	return true;
}

static void
groups_come_in_order_of_creation_and_by_host(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct ulid g[3] = { id_n(4, 1), id_n(4, 2), id_n(4, 3) };
	struct names names = { { 0 } };
	struct store_tx *tx = fixture_write(f);

	put_group(tx, &a, &g[1], "etc");
	put_group(tx, &b, &g[2], "etc"); /* the name is free on another */
	put_group(tx, &a, &g[0], "home");
	plan_store_of_host(tx, &a, test_on_group, &names);
	assert_string_equal(names.text, "home etc ");
	assert_non_null(plan_store_find(tx, &b, &g[2]));
	assert_null(plan_store_find(tx, &a, &g[2]));
	assert_rc(store_rc(tx), RC_OK);
	assert_null(plan_store_get(tx, &a, &g[2]));
	assert_rc(store_rc(tx), RC_NOTFOUND);
	store_abort(tx);
}

static void
a_name_is_given_once_per_host(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), g = id_n(4, 1), h = id_n(4, 2);
	struct store_tx *tx = fixture_write(f);

	put_group(tx, &a, &g, "etc");
	put_group(tx, &a, &g, "etc");
	put_group(tx, &a, &h, "Etc"); /* restic's tags have two cases */
	assert_rc(store_rc(tx), RC_OK);
	put_group(tx, &a, &h, "etc");
	assert_rc(store_rc(tx), RC_CONFLICT);
	store_abort(tx);
}

static void
a_group_without_host_is_refused(void **state)
{
	struct fixture *f = *state;
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct ulid id = id_n(4, 1);
	struct store_tx *tx = fixture_write(f);

	g.id = id_bytes(&id);
	g.name = text("etc");
	plan_store_put(tx, &g);
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
}

struct days {
	char text[256];
	unsigned max, n;
};

static bool
test_on_day(void *ctx, uint32_t day, const struct ulid *group,
    const struct Rec__DayOutcome *o)
{
	struct days *days = ctx;
	size_t used = strlen(days->text);

	assert_true(
	    str_fmt(days->text + used, sizeof(days->text) - used, "%u/%u=%u ",
	        (unsigned)day, (unsigned)group->b[7], (unsigned)o->state));
	return ++days->n != days->max;
}

static void
put_day(struct store_tx *tx, const struct ulid *host, uint32_t day,
    uint32_t group, Rec__JobState s)
{
	struct Rec__DayOutcome o = REC__DAY_OUTCOME__INIT;
	struct ulid g = id_n(4, group);

	o.state = s;
	plan_store_put_day(tx, host, day, &g, &o);
}

static void
assert_days(struct store_tx *tx, const struct ulid *host, uint32_t from,
    uint32_t to, const char *want)
{
	struct days days = { .max = 0 };

	plan_store_days(tx, host, from, to, test_on_day, &days);
	assert_string_equal(days.text, want);
	assert_rc(store_rc(tx), RC_OK);
}

static void
days_are_given_from_the_first_to_the_last(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct store_tx *tx = fixture_write(f);
	struct days one = { .max = 1 };

	put_day(tx, &a, 255, 1, REC__JOB_STATE__JOB_FAILED);
	put_day(tx, &a, 256, 2, REC__JOB_STATE__JOB_SUCCEEDED);
	put_day(tx, &a, 256, 1, REC__JOB_STATE__JOB_SUCCEEDED);
	put_day(tx, &a, 70000, 1, REC__JOB_STATE__JOB_CANCELLED);
	put_day(tx, &b, 256, 1, REC__JOB_STATE__JOB_FAILED);
	put_day(tx, &a, 255, 1, REC__JOB_STATE__JOB_SUCCEEDED); /* replaced */
	assert_days(tx, &a, 0, UINT32_MAX,
	    "255/1=3 256/1=3 256/2=3 70000/1=5 ");
	assert_days(tx, &a, 255, 255, "255/1=3 ");
	assert_days(tx, &a, 256, 69999, "256/1=3 256/2=3 ");
	assert_days(tx, &a, 70001, UINT32_MAX, "");
	assert_days(tx, &a, 256, 255, "");
	plan_store_days(tx, &a, 0, UINT32_MAX, test_on_day, &one);
	assert_int_equal(one.n, 1);
	fixture_commit(tx);
	tx = fixture_read(f);
	assert_days(tx, &b, 0, UINT32_MAX, "256/1=4 ");
	fixture_end(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(groups_come_in_order_of_creation_and_by_host),
		store_test(a_name_is_given_once_per_host),
		store_test(a_group_without_host_is_refused),
		store_test(days_are_given_from_the_first_to_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
