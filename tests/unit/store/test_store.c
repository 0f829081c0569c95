/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/store.h"

#include "tests/unit/store/store_fixture.h"

#include <pthread.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/store/live.h"
#include "lib/store/plan_store.h"
#include "lib/store/user_store.h"

static void
a_change_is_there_after_reopening(void **state)
{
	struct fixture *f = *state;
	struct ulid id;

	fixture_host(f, "web-1", &id);
	fixture_reopen(f);
	assert_int_equal(fixture_hosts(f), 1);
}

static void
an_aborted_transaction_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct ulid id = id_n(1, 1);

	put_host(tx, &id, "web-1");
	assert_int_equal(host_store_count(tx), 1);
	store_abort(tx);
	assert_int_equal(fixture_hosts(f), 0);
}

static void
the_first_failure_sticks_and_silences_what_follows(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct err e = { 0 };

	fixture_host(f, "there", &b);
	tx = fixture_write(f);
	put_host(tx, &a, "web-1");
	assert_rc(store_fail_code(tx, RC_INVALID, "bad_name", "no %s", "good"),
	    RC_INVALID);
	assert_rc(store_fail(tx, RC_IO, "a later failure"), RC_INVALID);
	assert_null(host_store_find(tx, &b));
	assert_null(host_store_get(tx, &b));
	assert_null(host_store_cursor(tx, &b));
	assert_int_equal(host_store_count(tx), 0);
	assert_int_equal(store_version(tx, VER_HOSTS), 0);
	put_host(tx, &b, "web-2");
	assert_rc(store_rc(tx), RC_INVALID);
	assert_string_equal(store_err(tx)->msg, "no good");
	assert_string_equal(store_err(tx)->code, "bad_name");
	assert_rc(store_commit(tx, &e), RC_INVALID);
	assert_string_equal(e.msg, "no good");
	assert_int_equal(fixture_hosts(f), 1);
}

static void
absence_is_an_error_for_get_and_none_for_find(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_read(f);
	struct ulid id = id_n(1, 1);

	assert_null(host_store_find(tx, &id));
	assert_rc(store_rc(tx), RC_OK);
	assert_null(host_store_get(tx, &id));
	assert_rc(store_rc(tx), RC_NOTFOUND);
	store_abort(tx);
}

static void
a_failed_child_is_undone_alone(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f), *child;
	struct ulid id[4] = { id_n(1, 0), id_n(1, 1), id_n(1, 2), id_n(1, 3) };

	put_host(tx, &id[0], "parent");
	child = store_begin_child(tx, &f->arena);
	put_host(child, &id[1], "kept");
	fixture_commit(child);
	child = store_begin_child(tx, &f->arena);
	put_host(child, &id[0], "renamed");
	put_host(child, &id[2], "undone");
	store_fail(child, RC_CONFLICT, "no");
	assert_rc(store_commit(child, NULL), RC_CONFLICT);
	assert_rc(store_rc(tx), RC_OK);
	put_host(tx, &id[3], "after");
	fixture_commit(tx);

	tx = fixture_read(f);
	assert_int_equal(host_store_count(tx), 3);
	assert_null(host_store_find(tx, &id[2]));
	assert_string_equal(host_store_get(tx, &id[0])->name, "parent");
	assert_null(host_store_find_name(tx, STR("renamed")));
	fixture_end(tx);
}

static void
a_child_of_a_failed_parent_fails_too(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f), *child;
	struct ulid id = id_n(1, 1);

	store_fail(tx, RC_LIMIT, "enough");
	child = store_begin_child(tx, &f->arena);
	assert_rc(store_rc(child), RC_LIMIT);
	put_host(child, &id, "web-1");
	assert_rc(store_commit(child, NULL), RC_LIMIT);
	store_abort(tx);
}

static void
grandchildren_nest(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f), *child, *grand;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);

	child = store_begin_child(tx, &f->arena);
	put_host(child, &a, "a");
	grand = store_begin_child(child, &f->arena);
	put_host(grand, &b, "b");
	fixture_commit(grand);
	assert_int_equal(host_store_count(child), 2);
	store_abort(child);
	assert_int_equal(host_store_count(tx), 0);
	fixture_commit(tx);
}

static void
use_parent_under_child(void *arg)
{
	struct fixture *f = arg;
	struct store_tx *tx = fixture_write(f);
	struct ulid id = id_n(1, 1);

	(void)store_begin_child(tx, &f->arena);
	put_host(tx, &id, "web-1");
}

static void
a_parent_rests_while_its_child_lives(void **state)
{
	assert_true(unit_aborts(use_parent_under_child, *state));
}

static void
records_that_do_not_fit_the_arena_are_a_limit(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx;
	struct arena small;
	struct ulid id;

	fixture_host(f, "web-1", &id);
	arena_init(&small, 64);
	tx = store_begin_read(f->state, &small);
	assert_null(host_store_find(tx, &id));
	assert_rc(store_rc(tx), RC_LIMIT);
	store_abort(tx);
	arena_fini(&small);
}

static void
a_record_too_large_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct Rec__User u = REC__USER__INIT;
	struct ulid id = id_n(1, 1);
	char *big = mem_alloc(MIB(5));

	memset(big, 'x', MIB(5) - 1);
	u.id = id_bytes(&id);
	u.name = text("anna");
	u.email = big;
	user_store_put(tx, &u);
	assert_rc(store_rc(tx), RC_LIMIT);
	store_abort(tx);
	mem_free(big);
}

static void
unknown_fields_survive_a_rewrite(void **state)
{
	static const uint8_t later[] = { 0x07 };
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	ProtobufCMessageUnknownField field = { 2000,
		PROTOBUF_C_WIRE_TYPE_VARINT, 1, NULL };
	struct Rec__Host h = REC__HOST__INIT, *got;
	struct ulid id = id_n(1, 1);

	field.data = bytes_of(later, 1).data;
	h.id = id_bytes(&id);
	h.name = text("web-1");
	h.base.n_unknown_fields = 1;
	h.base.unknown_fields = &field;
	host_store_put(tx, &h);
	fixture_commit(tx);

	tx = fixture_write(f);
	got = host_store_get(tx, &id);
	got->os = text("linux");
	host_store_put(tx, got);
	fixture_commit(tx);

	tx = fixture_read(f);
	got = host_store_get(tx, &id);
	assert_string_equal(got->os, "linux");
	assert_int_equal(got->base.n_unknown_fields, 1);
	assert_int_equal(got->base.unknown_fields[0].tag, 2000);
	assert_int_equal(got->base.unknown_fields[0].data[0], 7);
	fixture_end(tx);
}

struct versions {
	uint64_t hosts, jobs, users, host_a, host_b, txid;
};

static struct versions
read_versions(struct fixture *f, const struct ulid *a, const struct ulid *b)
{
	struct store_tx *tx = fixture_read(f);
	struct versions v;

	v.hosts = store_version(tx, VER_HOSTS);
	v.jobs = store_version(tx, VER_JOBS);
	v.users = store_version(tx, VER_USERS);
	v.host_a = store_host_version(tx, a);
	v.host_b = store_host_version(tx, b);
	v.txid = store_txid(tx);
	fixture_end(tx);
	return v;
}

static void
a_change_moves_the_versions_of_its_domain_only(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct versions v0, v1;
	struct store_tx *tx = fixture_write(f);

	put_host(tx, &a, "a");
	put_host(tx, &b, "b");
	fixture_commit(tx);
	v0 = read_versions(f, &a, &b);
	assert_int_equal(v0.hosts, v0.txid);
	assert_int_equal(v0.host_a, v0.txid);
	assert_int_equal(v0.jobs, 0);

	tx = fixture_write(f);
	put_host(tx, &a, "a2");
	fixture_commit(tx);
	v1 = read_versions(f, &a, &b);
	assert_int_equal(v1.txid, v0.txid + 1);
	assert_int_equal(v1.hosts, v1.txid);
	assert_int_equal(v1.host_a, v1.txid);
	assert_int_equal(v1.host_b, v0.host_b);
	assert_int_equal(v1.users, v0.users);
}

static void
an_identical_value_moves_nothing(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1);
	struct versions v0, v1;
	struct store_tx *tx = fixture_write(f);

	put_host(tx, &a, "a");
	fixture_commit(tx);
	v0 = read_versions(f, &a, &a);
	tx = fixture_write(f);
	put_host(tx, &a, "a");
	fixture_commit(tx);
	v1 = read_versions(f, &a, &a);
	assert_memory_equal(&v0, &v1, sizeof(v0));
}

static void
each_start_has_an_instance_of_its_own(void **state)
{
	struct fixture *f = *state;
	uint64_t first = store_instance(f->state);

	assert_int_not_equal(first, 0);
	fixture_reopen(f);
	assert_int_not_equal(store_instance(f->state), first);
}

static void
live_is_empty_after_a_start(void **state)
{
	struct fixture *f = *state;
	struct Rec__Presence p = REC__PRESENCE__INIT;
	struct Rec__LiveProgress g = REC__LIVE_PROGRESS__INIT;
	struct ulid id = id_n(1, 1);
	struct store_tx *tx = store_begin_write(f->live, &f->arena);

	p.last_seen_ms = 17;
	live_put_presence(tx, &id, &p);
	live_put_progress(tx, &id, &g);
	fixture_commit(tx);
	tx = store_begin_read(f->live, &f->arena);
	assert_int_equal(live_find_presence(tx, &id)->last_seen_ms, 17);
	fixture_end(tx);

	fixture_reopen(f);
	tx = store_begin_read(f->live, &f->arena);
	assert_null(live_find_presence(tx, &id));
	assert_null(live_find_progress(tx, &id));
	fixture_end(tx);
}

static void
presence_and_progress_can_be_taken_back(void **state)
{
	struct fixture *f = *state;
	struct Rec__Presence p = REC__PRESENCE__INIT;
	struct Rec__LiveProgress g = REC__LIVE_PROGRESS__INIT;
	struct ulid id = id_n(1, 1);
	struct store_tx *tx = store_begin_write(f->live, &f->arena);

	live_put_presence(tx, &id, &p);
	live_put_progress(tx, &id, &g);
	live_del_presence(tx, &id);
	assert_null(live_find_presence(tx, &id));
	assert_non_null(live_find_progress(tx, &id));
	live_del_progress(tx, &id);
	live_del_progress(tx, &id); /* twice is fine */
	assert_null(live_find_progress(tx, &id));
	fixture_commit(tx);
}

static void
a_pin_keeps_the_pages_of_its_snapshot(void **state)
{
	struct fixture *f = *state;
	struct store_space before, free_run, pinned;
	struct store_tx *tx;
	struct ulid id;
	unsigned i;

	for (i = 0; i < 50; i++)
		fixture_host(f, "web", &id);
	store_space(f->state, &before);
	for (i = 0; i < 50; i++)
		fixture_host(f, "web", &id);
	store_space(f->state, &free_run);
	assert_rc(store_pin(f->state), RC_OK);
	for (i = 0; i < 50; i++)
		fixture_host(f, "web", &id);
	store_space(f->state, &pinned);
	store_unpin(f->state);
	store_unpin(f->state); /* harmless */
	/* Every commit copies at least three pages; unpinned ones are used
	 * again. */
	assert_true(free_run.used_bytes - before.used_bytes < 50 * 4096);
	assert_true(pinned.used_bytes - free_run.used_bytes > 150 * 4096);
	tx = fixture_read(f);
	assert_int_equal(host_store_count(tx), 150);
	fixture_end(tx);
}

static void
space_is_told(void **state)
{
	struct fixture *f = *state;
	struct store_space sp;

	store_space(f->state, &sp);
	assert_true(sp.map_bytes == GIB(256));
	assert_true(sp.used_bytes > 0 && sp.used_bytes < MIB(1));
	assert_true(sp.readers >= 1);
	store_space(f->vault, &sp);
	assert_true(sp.map_bytes == GIB(1));
}

struct told {
	unsigned times;
	int64_t us;
};

static void
on_watched(void *ctx, int64_t us)
{
	struct told *t = ctx;

	t->times++;
	t->us += us;
}

static void *
write_elsewhere(void *arg)
{
	struct fixture *f = arg;

	store_abort(store_begin_write(f->state, NULL));
	return NULL;
}

/* A child's time is its parent's; other threads are nobody's matter. */
static void
the_time_of_a_watched_thread_is_told(void **state)
{
	struct fixture *f = *state;
	struct told t = { 0 };
	struct store_tx *tx;
	pthread_t other;

	store_watch(f->state, on_watched, &t);
	tx = fixture_write(f);
	usleep(3000);
	store_abort(store_begin_child(tx, NULL));
	fixture_commit(tx);
	assert_int_equal(t.times, 1);
	assert_true(t.us >= 2900);
	store_abort(fixture_read(f));
	assert_int_equal(t.times, 2);
	assert_int_equal(pthread_create(&other, NULL, write_elsewhere, f), 0);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(t.times, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_change_is_there_after_reopening),
		store_test(an_aborted_transaction_leaves_nothing),
		store_test(the_first_failure_sticks_and_silences_what_follows),
		store_test(absence_is_an_error_for_get_and_none_for_find),
		store_test(a_failed_child_is_undone_alone),
		store_test(a_child_of_a_failed_parent_fails_too),
		store_test(grandchildren_nest),
		store_test(a_parent_rests_while_its_child_lives),
		store_test(records_that_do_not_fit_the_arena_are_a_limit),
		store_test(a_record_too_large_is_refused),
		store_test(unknown_fields_survive_a_rewrite),
		store_test(a_change_moves_the_versions_of_its_domain_only),
		store_test(an_identical_value_moves_nothing),
		store_test(each_start_has_an_instance_of_its_own),
		store_test(live_is_empty_after_a_start),
		store_test(presence_and_progress_can_be_taken_back),
		store_test(a_pin_keeps_the_pages_of_its_snapshot),
		store_test(space_is_told),
		store_test(the_time_of_a_watched_thread_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
