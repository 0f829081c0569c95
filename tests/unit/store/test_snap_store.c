/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/snap_store.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/store/table.h"

static void
stage(struct store_tx *tx, const struct ulid *host, const char *id,
    int64_t time_ms, const char *name)
{
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;

	s.id = text(id);
	s.time_ms = time_ms;
	s.hostname = text(name);
	snap_store_stage(tx, host, &s);
}

struct list {
	char text[512];
	unsigned n, stop_at;
};

static bool
test_on_snapshot(void *ctx, const struct Rec__Snapshot *s)
{
	struct list *l = ctx;
	size_t used = strlen(l->text);

	assert_true(str_fmt(l->text + used, sizeof(l->text) - used, "%s/%s ",
	    s->id, s->hostname));
	return ++l->n != l->stop_at;
}

static void
assert_list(struct store_tx *tx, const struct ulid *host, uint64_t skip,
    uint64_t max, const char *want)
{
	struct list l = { .n = 0 };

	snap_store_of_host(tx, host, skip, max, test_on_snapshot, &l);
	assert_string_equal(l.text, want);
	assert_rc(store_rc(tx), RC_OK);
}

static void
a_report_shows_only_when_it_is_whole(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct store_tx *tx = fixture_write(f);

	stage(tx, &a, "s1", 1000, "w");
	stage(tx, &a, "s2", 2000, "w");
	stage(tx, &b, "t1", 1500, "v");
	fixture_commit(tx);

	tx = fixture_write(f);
	assert_list(tx, &a, 0, 10, "");
	assert_int_equal(snap_store_count(tx, &a), 0);
	stage(tx, &a, "s3", 3000, "w"); /* the next part */
	assert_int_equal(snap_store_replace(tx, &a), 3);
	assert_list(tx, &a, 0, 10, "s3/w s2/w s1/w "); /* newest first */
	assert_list(tx, &a, 1, 1, "s2/w ");
	assert_list(tx, &a, 3, 10, "");
	assert_list(tx, &a, 0, 0, "");
	assert_int_equal(snap_store_count(tx, &a), 3);
	assert_int_equal(snap_store_count(tx, &b), 0);
	fixture_commit(tx);
}

static void
the_next_report_replaces_the_list_as_a_whole(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);

	stage(tx, &a, "s1", 1000, "w");
	stage(tx, &a, "s2", 2000, "w");
	stage(tx, &a, "s3", 3000, "w");
	snap_store_replace(tx, &a);
	stage(tx, &a, "s4", 4000, "w");
	stage(tx, &a, "s2", 2000, "changed");
	assert_int_equal(snap_store_replace(tx, &a), 2);
	assert_list(tx, &a, 0, 10, "s4/w s2/changed ");
	/* The parts are gone: an empty report empties the list. */
	assert_int_equal(table_count(tx, TB_SNAP_STAGE), 0);
	assert_int_equal(snap_store_replace(tx, &a), 0);
	assert_list(tx, &a, 0, 10, "");
	assert_int_equal(snap_store_count(tx, &a), 0);
	fixture_commit(tx);
}

static void
dropped_parts_leave_the_list(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct store_tx *tx = fixture_write(f);

	stage(tx, &a, "s1", 1000, "w");
	snap_store_replace(tx, &a);
	stage(tx, &a, "s9", 9000, "w");
	stage(tx, &b, "t1", 1000, "v");
	snap_store_drop_stage(tx, &a);
	snap_store_drop_stage(tx, &a); /* twice is fine */
	assert_list(tx, &a, 0, 10, "s1/w ");
	assert_int_equal(snap_store_replace(tx, &b), 1); /* not b's */
	stage(tx, &a, "s2", 2000, "w");
	assert_int_equal(snap_store_replace(tx, &a), 1);
	fixture_commit(tx);
}

static void
the_same_list_moves_no_version(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);
	uint64_t v;

	stage(tx, &a, "s1", 1000, "w");
	snap_store_replace(tx, &a);
	fixture_commit(tx);
	tx = fixture_write(f);
	v = store_host_version(tx, &a);
	stage(tx, &a, "s1", 1000, "w");
	snap_store_replace(tx, &a);
	assert_int_equal(store_host_version(tx, &a), v);
	fixture_commit(tx);
	tx = fixture_write(f);
	stage(tx, &a, "s1", 1000, "x");
	snap_store_replace(tx, &a);
	assert_true(store_host_version(tx, &a) > v);
	fixture_commit(tx);
}

static void
a_part_sent_twice_counts_once(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);

	stage(tx, &a, "s1", 1000, "w");
	stage(tx, &a, "s1", 1000, "w");
	assert_int_equal(snap_store_replace(tx, &a), 1);
	assert_int_equal(snap_store_count(tx, &a), 1);
	fixture_commit(tx);
}

static void
a_list_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);
	char id[32];
	unsigned i;

	for (i = 0; i < SNAP_STORE_MAX; i++) {
		assert_true(str_fmt(id, sizeof(id), "%08x", i));
		stage(tx, &a, id, i, "");
	}
	assert_rc(store_rc(tx), RC_OK);
	stage(tx, &a, id, i - 1, "again"); /* one it has already */
	assert_rc(store_rc(tx), RC_OK);
	stage(tx, &a, "one more", 1, "");
	assert_rc(store_rc(tx), RC_LIMIT);
	store_abort(tx);
}

static void
a_snapshot_without_id_is_refused(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);

	stage(tx, &a, "", 1000, "w");
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
}

/* Many values, larger than a page, copied while pages move. */
static void
large_lists_are_copied_whole(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);
	struct list l = { .stop_at = 1 };
	char id[32], *big = mem_alloc(6000);
	uint64_t rng = 7;
	unsigned i;

	memset(big, 'b', 5999);
	for (i = 0; i < 500; i++) {
		assert_true(str_fmt(id, sizeof(id), "%016llx",
		    (unsigned long long)rng_next(&rng)));
		big[rng_below(&rng, 5999)] = '\0';
		stage(tx, &a, id, i, i == 499 ? "last" : big);
	}
	assert_int_equal(snap_store_replace(tx, &a), 500);
	fixture_commit(tx);
	tx = fixture_read(f);
	snap_store_of_host(tx, &a, 0, 500, test_on_snapshot, &l);
	assert_int_equal(l.n, 1);
	assert_non_null(strstr(l.text, "/last "));
	fixture_end(tx);
	mem_free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_report_shows_only_when_it_is_whole),
		store_test(the_next_report_replaces_the_list_as_a_whole),
		store_test(dropped_parts_leave_the_list),
		store_test(the_same_list_moves_no_version),
		store_test(a_part_sent_twice_counts_once),
		store_test(a_list_is_bounded),
		store_test(a_snapshot_without_id_is_refused),
		store_test(large_lists_are_copied_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
