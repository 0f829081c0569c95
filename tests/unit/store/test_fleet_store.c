/* SPDX-License-Identifier: GPL-3.0-or-later */
/* M-307, M-313: one order and one filter for pages, JSON and CSV. */
#include "lib/store/fleet_store.h"

#include "tests/unit/store/store_fixture.h"

#include <string.h>

#include "lib/store/fleet_query.h"
#include "lib/store/job_store.h"

#define NOW INT64_C(1795097880000)
#define HOUR INT64_C(3600000)

struct row {
	const char *name;
	int64_t backup_ago; /* 0: never */
	uint64_t size;
	bool failed;
};

static void
put_row(struct store_tx *tx, uint32_t n, const struct row *r)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct ulid id = id_n(1, n);

	h.id = id_bytes(&id);
	h.name = text(r->name);
	h.enrolled_at_ms = NOW - 900 * HOUR;
	h.always_on = true;
	h.repo_status = REC__REPO_STATUS__REPO_READY;
	h.repo_size_bytes = r->size;
	if (r->backup_ago != 0)
		h.last_backup_at_ms = NOW - r->backup_ago;
	h.last_backup_state = r->failed ? REC__JOB_STATE__JOB_FAILED
	                                : REC__JOB_STATE__JOB_SUCCEEDED;
	host_store_put(tx, &h);
}

static void
put_fleet(struct fixture *f)
{
	static const struct row rows[] = {
		{ "delta", 2 * HOUR, 10, false },
		{ "alpha", 3 * HOUR, 30, false },
		{ "Charlie", 90 * HOUR, 20, false },
		{ "bravo", 0, 0, false },
		{ "echo", 5 * HOUR, 30, true },
	};
	struct store_tx *tx = fixture_write(f);
	uint32_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		put_row(tx, i, &rows[i]);
	fixture_commit(tx);
}

static void
assert_list(struct fixture *f, const char *query, const char *sort,
    const char *dir, const char *want)
{
	struct store_tx *tx = store_begin_read(f->state, &f->arena);
	struct fleet_order order;
	struct fleet_query q;
	struct fleet_list l;
	char have[256] = "";
	size_t i, used;

	assert_int_equal(fleet_store_load(tx, &f->arena, NOW, &l), RC_OK);
	fleet_query_parse(str_of(query), &q);
	fleet_store_filter(&l, &q);
	assert_true(fleet_order_parse(str_of(sort), str_of(dir),
	    FLEET_BY_ATTENTION, &order));
	fleet_store_sort(&l, order);
	for (i = 0; i < l.n; i++) {
		used = strlen(have);
		assert_true(str_fmt(have + used, sizeof(have) - used, "%s ",
		    l.rows[i].host->name));
	}
	store_abort(tx);
	assert_string_equal(have, want);
}

static void
every_order_and_its_reverse(void **state)
{
	struct fixture *f = *state;

	put_fleet(f);
	assert_list(f, "", "", "", "Charlie bravo echo alpha delta ");
	assert_list(f, "", "attention", "desc",
	    "delta alpha echo bravo Charlie ");
	assert_list(f, "", "name", "", "alpha bravo Charlie delta echo ");
	assert_list(f, "", "name", "asc", "alpha bravo Charlie delta echo ");
	assert_list(f, "", "name", "desc", "echo delta Charlie bravo alpha ");
	assert_list(f, "", "last", "", "bravo Charlie echo alpha delta ");
	assert_list(f, "", "last", "desc", "delta alpha echo Charlie bravo ");
	assert_list(f, "", "size", "", "alpha echo Charlie delta bravo ");
	assert_list(f, "", "size", "desc", "alpha echo Charlie delta bravo ");
	assert_list(f, "", "size", "asc", "bravo delta Charlie echo alpha ");
	assert_list(f, "a -state:never", "name", "", "alpha Charlie delta ");
	assert_list(f, "nothing", "name", "", "");
}

static void
unknown_orders_are_told(void **state)
{
	struct fleet_order o;

	(void)state;
	assert_false(
	    fleet_order_parse(STR("colour"), STR(""), FLEET_BY_NAME, &o));
	assert_int_equal(o.sort, FLEET_BY_NAME);
	assert_false(
	    fleet_order_parse(STR("size"), STR("up"), FLEET_BY_NAME, &o));
	assert_int_equal(o.sort, FLEET_BY_SIZE);
	assert_string_equal(fleet_order_dir(o), "desc");
	assert_true(
	    fleet_order_parse(STR("size"), STR("asc"), FLEET_BY_NAME, &o));
	assert_string_equal(fleet_order_dir(o), "asc");
	assert_string_equal(fleet_sort_name(o.sort), "size");
}

static void
a_host_runs_while_its_current_job_does(void **state)
{
	struct fixture *f = *state;
	struct ulid host = id_n(1, 1), job = id_n(3, 1);
	struct Rec__Job j = REC__JOB__INIT;
	struct Rec__Host h = REC__HOST__INIT;
	struct store_tx *tx = fixture_write(f);
	struct fleet_host row;

	h.id = id_bytes(&host);
	h.name = text("web");
	h.current_job = id_bytes(&job);
	host_store_put(tx, &h);
	fleet_store_host(tx, &h, NOW, &row);
	assert_null(row.running);
	assert_int_equal(row.state, STATUS_NEVER);
	j.id = id_bytes(&job);
	j.host_id = id_bytes(&host);
	j.state = REC__JOB_STATE__JOB_QUEUED;
	job_store_put(tx, &j);
	fleet_store_host(tx, &h, NOW, &row);
	assert_null(row.running);
	j.state = REC__JOB_STATE__JOB_RUNNING;
	job_store_put(tx, &j);
	fleet_store_host(tx, &h, NOW, &row);
	assert_non_null(row.running);
	assert_int_equal(row.state, STATUS_RUNNING);
	fixture_commit(tx);
}

static void
put_shared(struct store_tx *tx, uint32_t n, uint8_t repo, uint64_t size)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct ulid id = id_n(1, n);
	uint8_t key[32];
	char name[32];

	memset(key, repo, sizeof(key));
	assert_true(str_fmt(name, sizeof(name), "shared-%u", (unsigned)n));
	h.id = id_bytes(&id);
	h.name = name;
	h.repo_size_bytes = size;
	h.snapshot_count = size / 10;
	if (repo != 0)
		h.repo_id = bytes_of(key, sizeof(key));
	host_store_put(tx, &h);
}

/* M-227: a repository is restic's id, not a host's view of it. */
static void
a_shared_repository_counts_once(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct fleet_stored stored;
	struct fleet_list l;

	put_shared(tx, 1, 0, 1000); /* not known: its own */
	put_shared(tx, 2, 0, 1000);
	put_shared(tx, 3, 7, 500);
	put_shared(tx, 4, 7, 700); /* told later */
	put_shared(tx, 5, 7, 600);
	put_shared(tx, 6, 8, 50);
	fixture_commit(tx);
	tx = store_begin_read(f->state, &f->arena);
	assert_rc(fleet_store_load(tx, &f->arena, NOW, &l), RC_OK);
	fleet_store_stored(&l, &stored);
	store_abort(tx);
	assert_int_equal(stored.bytes, 2000 + 700 + 50);
	assert_int_equal(stored.snapshots, 200 + 70 + 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(every_order_and_its_reverse),
		cmocka_unit_test_setup_teardown(a_shared_repository_counts_once,
		    fixture_setup, fixture_teardown),
		cmocka_unit_test(unknown_orders_are_told),
		store_test(a_host_runs_while_its_current_job_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
