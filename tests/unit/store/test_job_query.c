/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/job_query.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/store/plan_store.h"
#include "lib/store/snap_store.h"
#include "lib/store/table.h"

enum {
	HOSTS = 90, /* more than are merged one by one */
	JOBS = 600,
	QUERIES = 400,
	STEP_MS = 1000
};

/* What is known of each job; they are sorted by time. */
struct known {
	unsigned host, look, kind;
	bool special; /* its group */
	struct ulid id;
};
struct world {
	struct known jobs[JOBS];
};

static int64_t
time_of(unsigned n)
{
	return 1763700000000 + (int64_t)n * STEP_MS;
}

static struct ulid
job_at(unsigned n)
{
	struct ulid id = { { 0 } };
	int64_t ms = time_of(n);
	size_t i;

	for (i = 6; i-- > 0; ms >>= 8)
		id.b[i] = (uint8_t)ms;
	id.b[15] = (uint8_t)(n * 7);
	return id;
}

static Rec__JobState
state_of(unsigned look)
{
	static const Rec__JobState states[] = {
		[JOB_LOOK_QUEUED] = REC__JOB_STATE__JOB_QUEUED,
		[JOB_LOOK_RUNNING] = REC__JOB_STATE__JOB_RUNNING,
		[JOB_LOOK_FAILED] = REC__JOB_STATE__JOB_FAILED,
		[JOB_LOOK_INCOMPLETE] = REC__JOB_STATE__JOB_SUCCEEDED,
		[JOB_LOOK_SUCCEEDED] = REC__JOB_STATE__JOB_SUCCEEDED,
		[JOB_LOOK_CANCELLED] = REC__JOB_STATE__JOB_CANCELLED,
	};

	return states[look];
}

static void
put(struct store_tx *tx, const struct known *k)
{
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid host = id_n(1, k->host);

	j.id = id_bytes(&k->id);
	j.host_id = id_bytes(&host);
	j.kind = (Rec__JobKind)k->kind;
	j.state = state_of(k->look);
	j.incomplete = k->look == JOB_LOOK_INCOMPLETE;
	j.group_name = text(k->special ? "Nightly <dump>" : "default");
	job_store_put(tx, &j);
}

/* Odd hosts are called db, every fifth one has the special group. */
static void
make_hosts(struct store_tx *tx)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	char name[32];
	unsigned i;

	for (i = 0; i < HOSTS; i++) {
		struct ulid host = id_n(1, i), group = id_n(4, i);

		assert_true(str_fmt(name, sizeof(name), "%s-%02u",
		    i % 2 ? "DB" : "web", i));
		put_host(tx, &host, name);
		g.id = id_bytes(&group);
		g.host_id = id_bytes(&host);
		g.name = text(i % 5 ? "default" : "Nightly <dump>");
		plan_store_put(tx, &g);
	}
}

static void
make_world(struct fixture *f, struct world *w, uint64_t *rng)
{
	struct store_tx *tx = fixture_write(f);
	unsigned i;

	make_hosts(tx);
	for (i = 0; i < JOBS; i++) {
		struct known *k = &w->jobs[i];

		k->host = rng_below(rng, HOSTS);
		k->look = 1 + rng_below(rng, JOB_LOOK_COUNT - 1);
		k->kind = 1 + rng_below(rng, REC__JOB_KIND__KIND_UPDATE);
		k->special = k->host % 5 == 0 && rng_below(rng, 2);
		k->id = job_at(i);
		put(tx, k);
	}
	/* Those that are not over get on, as jobs do. */
	for (i = 0; i < JOBS; i++) {
		struct known *k = &w->jobs[i];

		if (k->look > JOB_LOOK_RUNNING)
			continue;
		k->look = 1 + rng_below(rng, JOB_LOOK_COUNT - 1);
		put(tx, k);
	}
	fixture_commit(tx);
}

struct seen {
	struct ulid ids[64];
	size_t n;
};

static bool
test_on_job(void *ctx, const struct Rec__Job *j)
{
	struct seen *s = ctx;

	assert_true(s->n < ARRAY_LEN(s->ids));
	memcpy(s->ids[s->n++].b, j->id.data, sizeof(s->ids[0].b));
	return true;
}

static bool
fits(const struct known *k, const struct job_query *q, unsigned n,
    const char *name, int host)
{
	if (q->looks != 0 && (q->looks & 1U << k->look) == 0)
		return false;
	if (q->kind != 0 && k->kind != (unsigned)q->kind)
		return false;
	if (q->since_ms != 0 && time_of(n) < q->since_ms)
		return false;
	if (q->until_ms != 0 && time_of(n) >= q->until_ms)
		return false;
	if (host >= 0 && k->host != (unsigned)host)
		return false;
	if (strcmp(name, "db") == 0)
		return k->host % 2 == 1;
	if (strcmp(name, "dump") == 0)
		return k->special;
	if (strcmp(name, "b-7") == 0) /* db-7x and web-7x */
		return k->host / 10 == 7;
	return name[0] == '\0';
}

static void
ask_both(struct store_tx *tx, const struct world *w, uint64_t *rng)
{
	static const char *const names[] = { "", "", "db", "dump", "b-7",
		"nobody" };
	const char *name = names[rng_below(rng, ARRAY_LEN(names))];
	int host = rng_below(rng, 4) ? -1 : (int)rng_below(rng, HOSTS);
	struct job_query q = { .skip = rng_below(rng, 100), .max = 50 };
	struct seen got = { .n = 0 };
	struct job_found found;
	struct ulid id;
	uint64_t total = 0;
	unsigned i;

	if (rng_below(rng, 2))
		q.looks = rng_below(rng, 1U << JOB_LOOK_COUNT) & ~1U;
	if (rng_below(rng, 2))
		q.kind = (Rec__JobKind)(1 + rng_below(rng, 9));
	if (rng_below(rng, 2))
		q.since_ms = time_of(rng_below(rng, JOBS));
	if (rng_below(rng, 2))
		q.until_ms = time_of(rng_below(rng, JOBS)) + 1;
	if (name[0] != '\0')
		job_query_by_text(tx, str_of(name), &q);
	id = id_n(1, host < 0 ? 0 : (unsigned)host);
	if (host >= 0)
		job_query_by_host(tx, &id, &q);
	job_query(tx, &q, &found, test_on_job, &got);
	for (i = JOBS; i-- > 0;) {
		if (!fits(&w->jobs[i], &q, i, name, host))
			continue;
		if (total >= q.skip && total < q.skip + q.max)
			assert_true(
			    ulid_eq(&got.ids[total - q.skip], &w->jobs[i].id));
		total++;
	}
	assert_int_equal(found.total, total);
	assert_false(found.more);
	assert_int_equal(got.n, total <= q.skip          ? 0
	                        : total - q.skip < q.max ? total - q.skip
	                                                 : q.max);
}

static void
every_filter_finds_what_a_walk_over_all_finds(void **state)
{
	struct fixture *f = *state;
	struct world *w = MEM_NEW(struct world);
	uint64_t rng = 20261121;
	struct store_tx *tx;
	unsigned i;

	make_world(f, w, &rng);
	for (i = 0; i < QUERIES; i++) {
		tx = fixture_read(f);
		ask_both(tx, w, &rng);
		assert_rc(store_rc(tx), RC_OK);
		fixture_end(tx);
	}
	mem_free(w);
}

/* Neither counts nor pages go past the reach, and it is said so. */
static void
a_long_history_is_looked_at_in_part(void **state)
{
	struct fixture *f = *state;
	struct known k = { .host = 1, .look = JOB_LOOK_SUCCEEDED, .kind = 1 };
	struct job_query q = { .skip = JOB_QUERY_REACH - 10, .max = 10 };
	struct store_tx *tx = fixture_write(f);
	struct seen got = { .n = 0 };
	struct job_found found;
	unsigned i;

	for (i = 0; i < JOB_QUERY_REACH + 2000; i++) {
		k.id = job_at(i);
		put(tx, &k);
	}
	fixture_commit(tx);
	tx = fixture_read(f);
	job_query(tx, &q, &found, test_on_job, &got);
	assert_int_equal(found.total, JOB_QUERY_REACH + 2000);
	assert_true(found.more);
	assert_int_equal(found.back_to_ms, time_of(1999));
	assert_int_equal(got.n, 10);
	k.id = job_at(2009);
	assert_true(ulid_eq(&got.ids[0], &k.id));

	q.looks = 1U << JOB_LOOK_SUCCEEDED;
	got.n = 0;
	job_query(tx, &q, &found, test_on_job, &got);
	assert_int_equal(found.total, JOB_QUERY_REACH);
	assert_true(found.more);

	/* Older ones are reached by time. */
	q.skip = 0;
	q.until_ms = found.back_to_ms + 1;
	got.n = 0;
	job_query(tx, &q, &found, test_on_job, &got);
	assert_int_equal(found.total, 2000);
	assert_false(found.more);
	k.id = job_at(1999);
	assert_true(ulid_eq(&got.ids[0], &k.id));
	fixture_end(tx);
}

static void
a_bad_row_of_the_index_is_told(void **state)
{
	struct fixture *f = *state;
	struct known k = { .host = 1,
		.look = JOB_LOOK_FAILED,
		.kind = 1,
		.id = job_at(1) };
	struct job_query q = { .max = 10 };
	struct store_tx *tx = fixture_write(f);
	struct seen got = { .n = 0 };
	struct key row = { 0 };
	struct job_found found;

	put(tx, &k);
	key_u8(&row, JOB_LOOK_FAILED);
	key_u8(&row, 1);
	key_ulid(&row, &k.id);
	table_put(tx, TB_JOB_LOOK, &row, STR("short"));
	job_query(tx, &q, &found, test_on_job, &got);
	assert_rc(store_rc(tx), RC_CORRUPT);
	store_abort(tx);
}

/* ------------------------------------------------------- snapshots by id */

struct snaps {
	char ids[8][72];
	struct ulid hosts[8];
	size_t n;
};

static bool
test_on_snapshot(void *ctx, const struct ulid *host,
    const struct Rec__Snapshot *s)
{
	struct snaps *all = ctx;

	assert_true(all->n < ARRAY_LEN(all->ids));
	assert_true(
	    str_fmt(all->ids[all->n], sizeof(all->ids[0]), "%s", s->id));
	all->hosts[all->n++] = *host;
	return true;
}

static void
report(struct fixture *f, unsigned host, const char *const *ids, size_t n)
{
	struct store_tx *tx = fixture_write(f);
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;
	struct ulid id = id_n(1, host);
	size_t i;

	for (i = 0; i < n; i++) {
		s.id = text(ids[i]);
		s.time_ms = 1763700000000 + (int64_t)i;
		snap_store_stage(tx, &id, &s);
	}
	snap_store_replace(tx, &id);
	fixture_commit(tx);
}

static size_t
by_id(struct fixture *f, const char *prefix, struct snaps *out)
{
	struct store_tx *tx = fixture_read(f);

	*out = (struct snaps){ .n = 0 };
	snap_store_by_id(tx, str_of(prefix), test_on_snapshot, out);
	assert_rc(store_rc(tx), RC_OK);
	fixture_end(tx);
	return out->n;
}

static void
snapshots_are_found_by_id_while_they_are_listed(void **state)
{
	static const char *const first[] = { "4bba301ed1c2e7f0aaaa",
		"4bba301ed1c2e7f0bbbb", "77aa0001" };
	static const char *const second[] = { "4bba301ed1c2e7f1", "90000000" };
	struct fixture *f = *state;
	struct store_tx *tx;
	struct snaps got;
	struct ulid host = id_n(1, 1);
	struct Rec__Snapshot s = REC__SNAPSHOT__INIT;

	/* One differs behind what the key holds, and in time. */
	report(f, 1, first, 1);
	report(f, 2, second, 2);
	assert_int_equal(by_id(f, "4bba301e", &got), 2);
	assert_int_equal(by_id(f, "4bba301ed1c2e7f0aaa", &got), 1);
	assert_true(ulid_eq(&got.hosts[0], &host));
	assert_int_equal(by_id(f, "4bba301ed1c2e7f0ab", &got), 0);
	assert_int_equal(by_id(f, "9", &got), 1);
	report(f, 2, second, 1);
	assert_int_equal(by_id(f, "9", &got), 0);
	report(f, 1, first + 2, 1);
	assert_int_equal(by_id(f, "4bba", &got), 1);
	assert_string_equal(got.ids[0], second[0]);
	assert_int_equal(by_id(f, "", &got), 2);

	report(f, 1, first + 1, 2);
	tx = fixture_read(f);
	s.id = text(first[1]);
	s.time_ms = 1763700000000;
	assert_int_equal(snap_store_place(tx, &host, &s, 100), 1);
	s.id = text(first[2]);
	s.time_ms++;
	assert_int_equal(snap_store_place(tx, &host, &s, 100), 0);
	fixture_end(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(every_filter_finds_what_a_walk_over_all_finds),
		store_test(a_long_history_is_looked_at_in_part),
		store_test(a_bad_row_of_the_index_is_told),
		store_test(snapshots_are_found_by_id_while_they_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
