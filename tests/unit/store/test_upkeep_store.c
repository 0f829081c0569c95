/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/upkeep_store.h"

#include "tests/unit/store/store_fixture.h"

struct due {
	char text[128];
	unsigned max, n;
};

static bool
test_on_due(void *ctx, const struct ulid *host, Rec__JobKind kind,
    int64_t due_ms)
{
	struct due *d = ctx;
	size_t used = strlen(d->text);

	assert_true(str_fmt(d->text + used, sizeof(d->text) - used, "%u/%u@%d ",
	    (unsigned)host->b[7], (unsigned)kind, (int)due_ms));
	return ++d->n != d->max;
}

static void
assert_due(struct store_tx *tx, int64_t until, const char *want)
{
	struct due d = { .max = 0 };

	upkeep_store_due(tx, until, test_on_due, &d);
	assert_string_equal(d.text, want);
}

static void
put(struct store_tx *tx, uint32_t n, int64_t forget, int64_t prune,
    bool prune_on)
{
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Upkeep f = REC__UPKEEP__INIT, p = REC__UPKEEP__INIT;
	struct ulid host = id_n(1, n);

	m.host_id = id_bytes(&host);
	f.enabled = true;
	f.due_ms = forget;
	p.enabled = prune_on;
	p.due_ms = prune;
	m.forget = &f;
	m.prune = &p;
	upkeep_store_put(tx, &m);
}

static void
what_is_due_comes_in_the_order_of_time(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);

	put(tx, 1, 500, 100, true);
	put(tx, 2, 300, 200, false);
	assert_due(tx, 99, "");
	assert_due(tx, 300, "1/4@100 2/3@300 ");
	put(tx, 1, 500, 600, true);
	assert_due(tx, 1000, "2/3@300 1/3@500 1/4@600 ");
	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
}

static void
a_host_that_goes_leaves_nothing_due(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);

	put(tx, 1, 500, 100, true);
	upkeep_store_del(tx, &a);
	assert_null(upkeep_store_find(tx, &a));
	assert_due(tx, 1000, "");
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(what_is_due_comes_in_the_order_of_time),
		store_test(a_host_that_goes_leaves_nothing_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
