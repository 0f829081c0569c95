/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/gone_store.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/store/enrol_store.h"
#include "lib/store/job_store.h"
#include "lib/store/pending_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/schedule_store.h"
#include "lib/store/snap_store.h"
#include "lib/store/table.h"
#include "lib/store/upkeep_store.h"
#include "lib/store/vault_store.h"

enum {
	JOBS = 250,
	DAYS = 40,
	SNAPSHOTS = 120,
	SLICE = 50
};

static const int64_t deleted_ms = 5000;

static void
put_job(struct store_tx *tx, const struct ulid *host, uint8_t kind, uint32_t n,
    Rec__JobState state)
{
	struct ulid id = id_n(kind, n);
	struct Rec__Job j = REC__JOB__INIT;

	j.id = id_bytes(&id);
	j.host_id = id_bytes(host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = state;
	j.log_closed = job_state_final(state);
	job_store_put(tx, &j);
}

static void
put_plan(struct store_tx *tx, const struct ulid *host)
{
	struct Rec__DayOutcome o = REC__DAY_OUTCOME__INIT;
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct ulid group = id_n(9, 1);
	uint32_t day;

	g.id = id_bytes(&group);
	g.host_id = id_bytes(host);
	g.name = text("home");
	plan_store_put(tx, &g);
	o.state = REC__JOB_STATE__JOB_FAILED;
	for (day = 0; day < DAYS; day++)
		plan_store_put_day(tx, host, 20000 + day, &group, &o);
}

static void
put_snapshots(struct store_tx *tx, const struct ulid *host, bool listed)
{
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;
	char *paths[] = { text("/etc") };
	char id[32];
	uint32_t i;

	s.paths = paths;
	s.n_paths = 1;
	for (i = 0; i < SNAPSHOTS; i++) {
		assert_true(str_fmt(id, sizeof(id), "%016x%u", i, i));
		s.id = id;
		s.time_ms = 1000 + i;
		snap_store_stage(tx, host, &s);
	}
	if (listed)
		(void)snap_store_replace(tx, host);
}

/* Another host shares the repository, and outlives this one. */
static void
put_repo(struct store_tx *tx, const struct ulid *host)
{
	static const uint8_t shared[REPO_ID_SIZE] = { 1 };
	struct Rec__Host *h = host_store_find(tx, host);
	struct Rec__RepoDay d = REC__REPO_DAY__INIT;
	struct ulid job = id_n(10, 1);
	struct Rec__Repo *r;

	assert_non_null(h);
	repo_store_link(tx, h, shared);
	host_store_put(tx, h);
	r = repo_store_of_host(tx, h);
	assert_non_null(r);
	r->lease_host = h->id;
	r->lease_job = id_bytes(&job);
	repo_store_put(tx, r);
	d.has_size = true;
	repo_store_put_day(tx, host, 20000, &d);
}

static void
put_upkeep(struct store_tx *tx, const struct ulid *host)
{
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct Rec__Schedule s = REC__SCHEDULE__INIT;
	struct Rec__Upkeep u = REC__UPKEEP__INIT;
	struct ulid schedule = id_n(11, 1);

	s.id = id_bytes(&schedule);
	s.host_id = m.host_id = id_bytes(host);
	schedule_store_put(tx, &s);
	u.enabled = true;
	u.due_ms = 7000;
	m.check = &u;
	upkeep_store_put(tx, &m);
}

/* A host with something in every table. */
static void
fill(struct store_tx *tx, const struct ulid *host, uint8_t jobs,
    const char *name)
{
	struct Rec__AgentCursor c = REC__AGENT_CURSOR__INIT;
	struct Rec__Enrolment e = REC__ENROLMENT__INIT;
	struct Rec__PendingHost p = REC__PENDING_HOST__INIT;
	struct ulid pending = id_n(8, jobs);
	uint8_t hash[CRYPT_HASH_SIZE] = { jobs };
	uint32_t i;

	put_host(tx, host, name);
	host_store_put_cursor(tx, host, &c);
	for (i = 0; i < JOBS; i++)
		put_job(tx, host, jobs, i, REC__JOB_STATE__JOB_SUCCEEDED);
	put_job(tx, host, jobs, JOBS, REC__JOB_STATE__JOB_RUNNING);
	put_job(tx, host, jobs, JOBS + 1, REC__JOB_STATE__JOB_QUEUED);
	put_plan(tx, host);
	put_repo(tx, host);
	put_upkeep(tx, host);
	put_snapshots(tx, host, true);
	put_snapshots(tx, host, false);
	e.used_host = id_bytes(host);
	enrol_store_put(tx, hash, &e);
	p.id = id_bytes(&pending);
	p.public_key = bytes_of(hash, sizeof(hash));
	p.state = REC__PENDING_STATE__PENDING_ACCEPTED;
	p.host_id = id_bytes(host);
	p.hostname = text(name);
	pending_store_put(tx, &p);
}

/* Where the id stands in a key or a value, the audit log apart. */
static uint64_t
traces(struct store_tx *tx, const struct ulid *id, enum table but)
{
	struct str key, value;
	struct table_scan sc;
	uint64_t n = 0;
	unsigned t;

	for (t = 0; t < TABLE_COUNT; t++) {
		if ((table_info((enum table)t)->where & IN_STATE) == 0 ||
		    t == TB_AUDIT || t == but)
			continue;
		table_scan_init(&sc, tx, (enum table)t, NULL, SCAN_UP);
		while (table_scan_next(&sc, &key, &value))
			n += memmem(key.p, key.n, id->b, sizeof(id->b)) !=
			         NULL ||
			     memmem(value.p, value.n, id->b, sizeof(id->b)) !=
			         NULL;
		table_scan_fini(&sc);
	}
	return n;
}

static void
begin(struct fixture *f, const struct ulid *host)
{
	struct store_tx *tx = fixture_write(f);
	const struct Rec__Host *h = host_store_get(tx, host);

	gone_store_begin(tx, h, "anna", deleted_ms);
	fixture_commit(tx);
}

/* One slice in a transaction of its own; false when nothing was left. */
static bool
slice(struct fixture *f, const struct ulid *host)
{
	struct store_tx *tx = fixture_write(f);
	struct ulid jobs[SLICE];
	size_t i, n = gone_store_jobs(tx, host, jobs, SLICE);
	bool done = false;

	for (i = 0; i < n; i++)
		job_store_del(tx, &jobs[i]);
	if (n == 0)
		done = gone_store_sweep(tx, host, SLICE, 9000);
	fixture_commit(tx);
	return !done;
}

static bool
test_on_job(void *ctx, const struct Rec__Job *j)
{
	(void)j;
	++*(unsigned *)ctx;
	return true;
}

/* M-523: nothing of it is left but the note, and nothing of others goes. */
static void
a_deleted_host_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct ulid gone = id_n(1, 1), stays = id_n(1, 2);
	const struct Rec__HostGone *g;
	unsigned slices = 0;
	struct store_tx *tx = fixture_write(f);
	uint64_t before;

	fill(tx, &gone, 2, "web-1");
	fill(tx, &stays, 3, "web-2");
	fixture_commit(tx);
	tx = fixture_read(f);
	before = traces(tx, &stays, TB_META);
	assert_true(before > 1000);
	fixture_end(tx);
	begin(f, &gone);
	while (slice(f, &gone))
		assert_true(++slices < 100);
	/* Bounded pieces: jobs, days, both lists of snapshots. */
	assert_true(slices >= (JOBS + 2 + DAYS + 2 * SNAPSHOTS) / SLICE);
	tx = fixture_read(f);
	assert_int_equal(traces(tx, &gone, TB_HOST_GONE), 0);
	assert_int_equal(traces(tx, &stays, TB_META), before);
	g = gone_store_find(tx, &gone);
	assert_non_null(g);
	assert_string_equal(g->name, "web-1");
	assert_string_equal(g->deleted_by, "anna");
	assert_int_equal(g->deleted_at_ms, deleted_ms);
	assert_int_equal(g->swept_at_ms, 9000);
	fixture_end(tx);
}

/* The first commit is enough to make it invisible, and no work is open. */
static void
it_is_gone_for_everybody_at_once(void **state)
{
	struct fixture *f = *state;
	struct ulid gone = id_n(1, 1), running = id_n(2, JOBS);
	struct store_tx *tx = fixture_write(f);
	const struct Rec__Job *j;
	unsigned open = 0;

	fill(tx, &gone, 2, "web-1");
	fixture_commit(tx);
	begin(f, &gone);
	fixture_reopen(f); /* a crash between two slices */
	tx = fixture_read(f);
	assert_null(host_store_find(tx, &gone));
	assert_null(host_store_find_name(tx, STR("web-1")));
	assert_int_equal(host_store_count(tx), 0);
	job_store_in_state(tx, REC__JOB_STATE__JOB_RUNNING, test_on_job, &open);
	job_store_in_state(tx, REC__JOB_STATE__JOB_QUEUED, test_on_job, &open);
	job_store_open_logs(tx, test_on_job, &open);
	assert_int_equal(open, 0);
	j = job_store_get(tx, &running);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_CANCELLED);
	assert_string_equal(j->cause, "host_deleted");
	assert_int_equal(gone_store_find(tx, &gone)->swept_at_ms, 0);
	fixture_end(tx);
	while (slice(f, &gone))
		continue;
	tx = fixture_read(f);
	assert_int_equal(traces(tx, &gone, TB_HOST_GONE), 0);
	fixture_end(tx);
}

static void
the_note_goes_when_it_is_swept_and_old(void **state)
{
	struct fixture *f = *state;
	struct ulid gone = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);

	put_host(tx, &gone, "web-1");
	fixture_commit(tx);
	begin(f, &gone);
	tx = fixture_write(f);
	assert_int_equal(gone_store_expire(tx, INT64_MAX, 10), 0);
	fixture_commit(tx);
	while (slice(f, &gone))
		continue;
	tx = fixture_write(f);
	assert_int_equal(gone_store_expire(tx, 9000, 10), 0);
	assert_int_equal(gone_store_expire(tx, 9001, 10), 1);
	assert_null(gone_store_find(tx, &gone));
	fixture_commit(tx);
}

/* A table that is added and keyed by host has to be swept, too. */
static void
every_table_of_hosts_is_known_here(void **state)
{
	static const enum table known[] = { TB_HOST, TB_HOST_GONE, TB_CURSOR,
		TB_JOB_HOST, TB_JOB_OUT, TB_GROUP, TB_DAY, TB_SNAP,
		TB_SNAP_STAGE, TB_SNAP_COUNT, TB_SNAP_PATHS, TB_PENDING_HOST,
		TB_SCHEDULE, TB_UPKEEP, TB_REPO_DAY };
	unsigned t, i;

	(void)state;
	for (t = 0; t < TABLE_COUNT; t++) {
		const struct table_info *info = table_info((enum table)t);
		struct str keys = str_of(info->keys);

		if ((info->where & IN_STATE) == 0 ||
		    (!str_starts(keys, STR("host,")) &&
		        !str_starts(keys, STR("host "))))
			continue;
		for (i = 0; i < ARRAY_LEN(known); i++)
			if (known[i] == t)
				break;
		if (i == ARRAY_LEN(known))
			fail_msg("gone_store does not sweep %s", info->name);
	}
}

/* The token of a host that was deleted enrols nobody, also when the
 * controller stopped between the two commits. */
static void
its_token_is_not_used_again(void **state)
{
	struct fixture *f = *state;
	struct ulid gone = id_n(1, 1), lost = id_n(1, 2);
	struct Rec__EnrolToken t = REC__ENROL_TOKEN__INIT;
	uint8_t one[CRYPT_HASH_SIZE] = { 1 }, two[CRYPT_HASH_SIZE] = { 2 };
	struct store_tx *tx = fixture_write(f), *st;

	put_host(tx, &gone, "web-1");
	fixture_commit(tx);
	tx = fixture_write_vault(f);
	t.expires_at_ms = INT64_MAX / 2;
	t.used_at_ms = 1;
	t.used_host = id_bytes(&gone);
	vault_put_token(tx, one, &t);
	t.used_host = id_bytes(&lost);
	vault_put_token(tx, two, &t);
	fixture_commit(tx);
	begin(f, &gone);
	tx = fixture_write_vault(f);
	st = store_begin_read(f->state, &f->arena);
	(void)vault_reconcile(st, tx);
	store_abort(st);
	assert_null(vault_find_token(tx, one));
	assert_int_equal(vault_find_token(tx, two)->used_at_ms, 0);
	fixture_commit(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_deleted_host_leaves_nothing,
		    fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    it_is_gone_for_everybody_at_once, fixture_setup,
		    fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    the_note_goes_when_it_is_swept_and_old, fixture_setup,
		    fixture_teardown),
		cmocka_unit_test(every_table_of_hosts_is_known_here),
		cmocka_unit_test_setup_teardown(its_token_is_not_used_again,
		    fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
