/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The documents that restic prints: lists, statistics, locks, ids. */
#include "tests/unit/agent/restic_data.h"

#include "agent/restic.h"
#include "lib/base/arena.h"

struct list {
	size_t n;
	char first[65], host[64], path[64], tag[64];
	int64_t time_ms;
	uint64_t size;
};

static void
take_snapshot(void *ctx, const Wire__Snapshot *s)
{
	struct list *l = ctx;

	if (l->n++ > 0)
		return;
	assert_true(str_copy(l->first, sizeof(l->first), str_of(s->id)));
	assert_true(str_copy(l->host, sizeof(l->host), str_of(s->hostname)));
	assert_int_equal(s->n_paths, 1);
	assert_true(str_copy(l->path, sizeof(l->path), str_of(s->paths[0])));
	assert_int_equal(s->n_tags, 1);
	assert_true(str_copy(l->tag, sizeof(l->tag), str_of(s->tags[0])));
	assert_int_equal(strlen(s->short_id), 8);
	l->time_ms = s->time_ms;
	l->size = s->size_bytes;
}

static void
snapshot_lists_are_read(void **state)
{
	struct list list;
	struct err e;
	struct arena a;
	struct buf b;
	size_t v;

	(void)state;
	buf_init(&b, MIB(1));
	for (v = 0; v < ARRAY_LEN(versions); v++) {
		list = (struct list){ 0 };
		arena_init(&a, MIB(1));
		buf_reset(&b);
		data_read(versions[v], "snapshots", "out", &b);
		assert_rc(restic_read_snapshots(buf_str(&b), &a, take_snapshot,
		              &list, &e),
		    RC_OK);
		assert_int_equal(list.n, 3);
		assert_int_equal(strlen(list.first), 64);
		assert_string_equal(list.host, "web-1");
		assert_string_equal(list.path, "/tmp/rm-restic/src");
		assert_string_equal(list.tag, "docs");
		assert_true(list.time_ms > 1700000000000);
		assert_int_equal(list.size, v == 0 ? 0 : 90101);
		buf_reset(&b);
		list.n = 0;
		data_read(versions[v], "snapshots-empty", "out", &b);
		assert_rc(restic_read_snapshots(buf_str(&b), &a, take_snapshot,
		              &list, &e),
		    RC_OK);
		assert_int_equal(list.n, 0);
		arena_fini(&a);
	}
	buf_fini(&b);
}

static void
bad_snapshot_lists_are_refused(void **state)
{
	static const struct {
		const char *doc;
		enum rc rc;
	} table[] = {
		{ "", RC_PROTO },
		{ "null", RC_PROTO },
		{ "{}", RC_PROTO },
		{ "[1]", RC_PROTO },
		{ "[{\"id\":\"1234\"}]", RC_PROTO },
		{ "[{\"id\":", RC_PROTO },
	};
	struct err e;
	struct list list = { 0 };
	struct arena a;
	size_t i;

	(void)state;
	arena_init(&a, KIB(64));
	for (i = 0; i < ARRAY_LEN(table); i++) {
		e = (struct err){ 0 };
		assert_rc(restic_read_snapshots(str_of(table[i].doc), &a,
		              take_snapshot, &list, &e),
		    table[i].rc);
		assert_true(str_contains(str_of(e.msg), STR("snapshot list")));
	}
	assert_int_equal(list.n, 0);
	arena_fini(&a);
}

static void
a_list_beyond_the_arena_is_an_error(void **state)
{
	struct list list = { 0 };
	struct err e;
	struct arena a;
	struct buf b;

	(void)state;
	buf_init(&b, MIB(1));
	arena_init(&a, 64);
	data_read("0.18.0", "snapshots", "out", &b);
	assert_rc(restic_read_snapshots(buf_str(&b), &a, take_snapshot, &list,
	              &e),
	    RC_LIMIT);
	arena_fini(&a);
	buf_fini(&b);
}

/* M-220, M-221 */
static void
statistics_tell_what_the_version_knows(void **state)
{
	Wire__RepoStats s;
	struct err e;
	struct buf b;
	size_t v;

	(void)state;
	buf_init(&b, MIB(1));
	for (v = 0; v < ARRAY_LEN(versions); v++) {
		wire__repo_stats__init(&s);
		buf_reset(&b);
		data_read(versions[v], "stats", "out", &b);
		assert_rc(restic_read_stats(buf_str(&b), &s, &e), RC_OK);
		assert_int_equal(s.total_size__case,
		    WIRE__REPO_STATS__TOTAL_SIZE__TOTAL_SIZE_BYTES);
		assert_true(s.total_size_bytes > 90000);
		assert_int_equal(s.snapshot_count, 3);
		assert_int_equal(s.raw_size__case,
		    v == 0 ? WIRE__REPO_STATS__RAW_SIZE___NOT_SET
		           : WIRE__REPO_STATS__RAW_SIZE__RAW_SIZE_BYTES);
		wire__repo_stats__init(&s);
		buf_reset(&b);
		data_read(versions[v], "stats-empty", "out", &b);
		assert_rc(restic_read_stats(buf_str(&b), &s, &e), RC_OK);
		assert_int_equal(s.total_size_bytes, 0);
	}
	buf_fini(&b);
	wire__repo_stats__init(&s);
	assert_rc(restic_read_stats(STR("[]"), &s, &e), RC_PROTO);
	assert_rc(restic_read_stats(STR("{\"total_size\":\"9\"}"), &s, &e),
	    RC_PROTO);
	assert_rc(restic_read_stats(STR("{"), &s, &e), RC_PROTO);
}

static void
locks_and_ids_are_read(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"id\":\"12\"}",
		"{\"id\":7,\"time\":\"yesterday\"}" };
	struct restic_lock lock;
	struct err e = { 0 };
	char id[65];
	size_t i;

	(void)state;
	assert_rc(restic_read_lock(STR("{\"time\":\"2026-11-22T00:52:01.5+01:"
	                               "00\","
	                               "\"exclusive\":true,\"hostname\":\"db\","
	                               "\"username\":\"root\",\"pid\":41}"),
	              &lock, &e),
	    RC_OK);
	assert_int_equal(lock.time_ms, 1795305121500);
	assert_true(lock.exclusive);
	assert_string_equal(lock.holder, "db, PID 41");
	assert_rc(restic_read_lock(STR("{\"time\":\"2026-11-22T00:52:01Z\"}"),
	              &lock, &e),
	    RC_OK);
	assert_false(lock.exclusive);
	assert_string_equal(lock.holder, "");
	assert_rc(restic_read_config(
	              STR("{\"version\":2,\"id\":\"0173d8bc5757303eb465a407a4"
	                  "e565c57c70a85913ca470a8794985295cfc95d\"}"),
	              id, &e),
	    RC_OK);
	assert_int_equal(strlen(id), 64);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_not_equal(restic_read_lock(str_of(bad[i]), &lock,
		                         &e),
		    RC_OK);
		assert_int_not_equal(restic_read_config(str_of(bad[i]), id, &e),
		    RC_OK);
	}
}

static void
take_offset(void *ctx, const Wire__Snapshot *s)
{
	*(int32_t *)ctx = s->utc_offset_s;
}

/* Retention counts the days of the clock that made the snapshot. */
static void
a_snapshot_keeps_the_offset_of_its_clock(void **state)
{
	static const struct {
		const char *time;
		int32_t offset_s;
	} rows[] = {
		{ "2026-07-01T10:00:00.123456789+02:00", 7200 },
		{ "2026-07-01T10:00:00-03:30", -12600 },
		{ "2026-07-01T10:00:00Z", 0 },
		{ "2026-07-01T10:00:00+00:00", 0 },
		{ "2026-07-01T10:00:00+14:00", 50400 },
		{ "nonsense", 0 },
		{ "", 0 },
		{ "+99:99", 0 },
	};
	char doc[256];
	struct arena a;
	int32_t seen;
	size_t i;

	(void)state;
	arena_init(&a, KIB(64));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		seen = -1;
		assert_true(str_fmt(doc, sizeof(doc),
		    "[{\"time\":\"%s\",\"id\":\"%064d\"}]", rows[i].time, 7));
		assert_rc(restic_read_snapshots(str_of(doc), &a, take_offset,
		              &seen, NULL),
		    RC_OK);
		assert_int_equal(seen, rows[i].offset_s);
	}
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot_lists_are_read),
		cmocka_unit_test(bad_snapshot_lists_are_refused),
		cmocka_unit_test(a_list_beyond_the_arena_is_an_error),
		cmocka_unit_test(statistics_tell_what_the_version_knows),
		cmocka_unit_test(locks_and_ids_are_read),
		cmocka_unit_test(a_snapshot_keeps_the_offset_of_its_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
