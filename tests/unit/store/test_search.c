/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/search.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/store/job_store.h"
#include "lib/store/snap_store.h"

enum {
	MANY = 3 * SEARCH_MAX
};

static void
put_tagged(struct store_tx *tx, uint32_t n, const char *name, const char *tag)
{
	struct Rec__Host h = REC__HOST__INIT;
	struct ulid id = id_n(1, n);
	char *tags[] = { text(tag) };

	h.id = id_bytes(&id);
	h.name = text(name);
	h.tags = tags;
	h.n_tags = 1;
	host_store_put(tx, &h);
}

static void
put_job(struct store_tx *tx, const char *id_text)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid id, host = id_n(1, 1);

	assert_true(ulid_parse(str_of(id_text), &id));
	j.id = id_bytes(&id);
	j.host_id = id_bytes(&host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = REC__JOB_STATE__JOB_SUCCEEDED;
	job_store_put(tx, &j);
}

static void
put_snapshot(struct store_tx *tx, uint32_t host, const char *id,
    const char *path, int64_t ms)
{
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;
	struct ulid hid = id_n(1, host);
	char *paths[] = { text("/etc"), text(path) };

	s.id = text(id);
	s.short_id = text("abcdef01");
	s.time_ms = ms;
	s.paths = paths;
	s.n_paths = 2;
	snap_store_stage(tx, &hid, &s);
}

static int
setup(void **state)
{
	struct fixture *f;
	struct store_tx *tx;
	struct ulid host = id_n(1, 1);

	if (fixture_setup(state) != 0)
		return -1;
	f = *state;
	tx = fixture_write(f);
	put_tagged(tx, 1, "web-db", "prod");
	put_tagged(tx, 2, "DB-01", "prod");
	put_tagged(tx, 3, "mail", "Database");
	put_tagged(tx, 4, "<b>\xc3\xa4", "\"x\"");
	put_job(tx, "01JD2K5W3R0000000000000001");
	put_job(tx, "01JD2K5W3R0000000000000002");
	put_job(tx, "01JD2K9ZZZZZZZZZZZZZZZZZZZ");
	put_snapshot(tx, 1, "7c1e9f0411112222333344445555", "/srv/Old", 1000);
	put_snapshot(tx, 1, "aaaa000011112222333344445555", "/srv/New data",
	    2000);
	snap_store_replace(tx, &host);
	fixture_commit(tx);
	return 0;
}

/* Lasts until the next one. */
static const struct search_found *
find(struct fixture *f, const char *words)
{
	static struct search_found out;
	struct store_tx *tx = fixture_read(f);

	search(tx, str_of(words), &out);
	assert_rc(store_rc(tx), RC_OK);
	fixture_end(tx);
	return &out;
}

static void
hosts_are_found_by_name_then_by_tag(void **state)
{
	const struct search_found *f = find(*state, " dB");

	assert_int_equal(f->n_hosts, 2);
	assert_string_equal(f->hosts[0]->name, "DB-01"); /* begins so */
	assert_string_equal(f->hosts[1]->name, "web-db");
	f = find(*state, "data");
	assert_int_equal(f->n_hosts, 1);
	assert_string_equal(f->hosts[0]->name, "mail");
	assert_int_equal(find(*state, "PROD")->n_hosts, 2);
	assert_int_equal(find(*state, "<b>\xc3\xa4")->n_hosts, 1);
	f = find(*state, "nobody");
	assert_int_equal(f->n_hosts + f->n_jobs + f->n_snapshots, 0);
	assert_int_equal(find(*state, "  ")->n_hosts, 0);
	assert_int_equal(find(*state, "x\xff\xfe")->n_hosts, 0);
}

static void
jobs_are_found_by_the_beginning_of_their_id(void **state)
{
	const struct search_found *f = find(*state, "01jd2k5");

	assert_int_equal(f->n_jobs, 2);
	assert_int_equal(f->jobs[0]->id.data[15], 2); /* newest first */
	assert_int_equal(find(*state, "01JD")->n_jobs, 3);
	assert_int_equal(find(*state, "01J")->n_jobs, 0); /* too short */
	assert_int_equal(find(*state, "01JD2K9ZZZZZZZZZZZZZZZZZZZ")->n_jobs, 1);
	assert_int_equal(find(*state, "01JD2K5W3R0000000000000003")->n_jobs, 0);
	assert_int_equal(find(*state, "ZZZZ")->n_jobs, 0); /* no such time */
}

static void
snapshots_are_found_by_id_and_by_path(void **state)
{
	const struct search_found *f = find(*state, "7C1E9f04");

	assert_int_equal(f->n_snapshots, 1);
	assert_null(f->snapshots[0].path);
	f = find(*state, "new d");
	assert_int_equal(f->n_snapshots, 1);
	assert_string_equal(f->snapshots[0].path, "/srv/New data");
	/* Only the newest one of a host is looked at. */
	assert_int_equal(find(*state, "/srv/old")->n_snapshots, 0);
	/* The id and the path fit: once. */
	f = find(*state, "/etc");
	assert_int_equal(f->n_snapshots, 1);
	assert_int_equal(find(*state, "et")->n_snapshots, 0); /* too short */
}

/* Reports the host's list anew, with this one snapshot or none. */
static void
report(struct fixture *f, uint32_t host, const char *path)
{
	struct store_tx *tx = fixture_write(f);
	struct ulid id = id_n(1, host);

	if (path != NULL)
		put_snapshot(tx, host, "bbbb000011112222333344445555", path,
		    500);
	snap_store_replace(tx, &id);
	fixture_commit(tx);
}

static void
paths_follow_the_newest_snapshot(void **state)
{
	struct fixture *fx = *state;
	struct store_tx *tx;
	struct ulid host = id_n(1, 1);

	report(fx, 1, "/opt/last");
	assert_int_equal(find(fx, "new d")->n_snapshots, 0);
	assert_int_equal(find(fx, "/OPT/l")->n_snapshots, 1);
	/* The end of one and the beginning of the next are no path. */
	assert_int_equal(find(fx, "etc/opt")->n_snapshots, 0);
	report(fx, 1, NULL);
	assert_int_equal(find(fx, "/opt")->n_snapshots, 0);
	report(fx, 1, "/opt/last");
	tx = fixture_write(fx);
	while (snap_store_del(tx, &host, 1) > 0)
		;
	fixture_commit(tx);
	assert_int_equal(find(fx, "/opt")->n_snapshots, 0);
}

/* A start that makes the index reads one record after the other. */
static void
the_index_is_made_in_bounded_memory(void **state)
{
	struct fixture *fx = *state;
	struct store_tx *tx = fixture_write(fx);
	static char path[KIB(512)];
	struct arena small;
	struct ulid host;
	uint32_t n;

	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	for (n = 1; n <= MANY; n++) {
		host = id_n(1, n);
		put_snapshot(tx, n, "cccc000011112222333344445555", path, 3000);
		snap_store_replace(tx, &host);
	}
	fixture_commit(tx);
	arena_init(&small, MIB(1));
	tx = store_begin_write(fx->state, &small);
	snap_store_build_paths(tx);
	assert_rc(store_commit(tx, NULL), RC_OK);
	arena_fini(&small);
}

static void
more_than_fits_is_told(void **state)
{
	struct fixture *fx = *state;
	struct store_tx *tx = fixture_write(fx);
	const struct search_found *f;
	char name[64], id[64];
	uint32_t i;

	for (i = 0; i < MANY; i++) {
		struct ulid host = id_n(1, 100 + i);

		assert_true(str_fmt(name, sizeof(name), "farm-%02u", i));
		put_tagged(tx, 100 + i, name, "farmhouse");
		assert_true(
		    str_fmt(id, sizeof(id), "01QQQQQQQQ00000000000000%02u", i));
		put_job(tx, id);
		assert_true(str_fmt(id, sizeof(id), "beef%04u", i));
		put_snapshot(tx, 100 + i, id, "/srv/farm", 1000);
		snap_store_replace(tx, &host);
	}
	fixture_commit(tx);
	f = find(fx, "farm");
	assert_int_equal(f->n_hosts, SEARCH_MAX);
	assert_true(f->more_hosts);
	assert_int_equal(f->n_snapshots, SEARCH_MAX);
	assert_true(f->more_snapshots);
	f = find(fx, "farmh"); /* by tag */
	assert_int_equal(f->n_hosts, SEARCH_MAX);
	assert_true(f->more_hosts);
	f = find(fx, "01qqqq");
	assert_int_equal(f->n_jobs, SEARCH_MAX);
	assert_true(f->more_jobs);
	f = find(fx, "beef");
	assert_int_equal(f->n_snapshots, SEARCH_MAX);
	assert_true(f->more_snapshots);
	f = find(fx, "beef0000");
	assert_int_equal(f->n_snapshots, 1);
	assert_false(f->more_snapshots);
}

#define search_test(f) \
	cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		search_test(hosts_are_found_by_name_then_by_tag),
		search_test(jobs_are_found_by_the_beginning_of_their_id),
		search_test(snapshots_are_found_by_id_and_by_path),
		search_test(paths_follow_the_newest_snapshot),
		search_test(the_index_is_made_in_bounded_memory),
		search_test(more_than_fits_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
