/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/job_store.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/store/job_out.h"
#include "lib/store/table.h"

enum {
	HOSTS = 5,
	JOBS = 120,
	NEWEST = 15, /* of a host, that are looked at for open ones */
	ROUNDS = 4000
};

static void
put_job(struct store_tx *tx, const struct ulid *id, const struct ulid *host,
    Rec__JobState state, bool log_closed)
{
	struct Rec__Job j = REC__JOB__INIT;

	j.id = id_bytes(id);
	j.host_id = id_bytes(host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.state = state;
	j.log_closed = log_closed;
	job_store_put(tx, &j);
}

static void
names_are_the_words_of_the_api(void **state)
{
	unsigned k;

	(void)state;
	assert_string_equal(job_state_name(REC__JOB_STATE__JOB_QUEUED),
	    "queued");
	assert_string_equal(job_state_name(REC__JOB_STATE__JOB_CANCELLED),
	    "cancelled");
	assert_string_equal(job_state_name((Rec__JobState)99), "none");
	assert_string_equal(job_kind_name((Rec__JobKind)-1), "unknown");
	for (k = 1; k <= REC__JOB_KIND__KIND_UPDATE; k++)
		assert_int_equal(job_kind_parse(
		                     str_of(job_kind_name((Rec__JobKind)k))),
		    k);
	assert_int_equal(job_kind_parse(STR("unknown")),
	    REC__JOB_KIND__KIND_UNKNOWN);
	assert_int_equal(job_kind_parse(STR("")), REC__JOB_KIND__KIND_UNKNOWN);
	assert_false(job_state_final(REC__JOB_STATE__JOB_RUNNING));
	assert_true(job_state_final(REC__JOB_STATE__JOB_FAILED));
}

static void
a_final_state_never_changes(void **state)
{
	static const Rec__JobState final[] = {
		REC__JOB_STATE__JOB_SUCCEEDED,
		REC__JOB_STATE__JOB_FAILED,
		REC__JOB_STATE__JOB_CANCELLED,
	};
	struct fixture *f = *state;
	struct ulid host = id_n(1, 1), id;
	struct store_tx *tx;
	unsigned i, s;

	for (i = 0; i < ARRAY_LEN(final); i++) {
		id = id_n(2, i);
		tx = fixture_write(f);
		put_job(tx, &id, &host, final[i], false);
		fixture_commit(tx);
		for (s = REC__JOB_STATE__JOB_QUEUED;
		     s <= REC__JOB_STATE__JOB_CANCELLED; s++) {
			tx = fixture_write(f);
			put_job(tx, &id, &host, (Rec__JobState)s, false);
			assert_rc(store_rc(tx),
			    s == final[i] ? RC_OK : RC_CONFLICT);
			store_abort(tx);
		}
	}
	/* What is no state may still change: the log is closed later. */
	tx = fixture_write(f);
	put_job(tx, &id, &host, final[2], true);
	fixture_commit(tx);
}

static void
an_id_belongs_to_one_host(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2), id = id_n(2, 1);
	struct store_tx *tx = fixture_write(f);

	put_job(tx, &id, &a, REC__JOB_STATE__JOB_QUEUED, false);
	put_job(tx, &id, &b, REC__JOB_STATE__JOB_QUEUED, false);
	assert_rc(store_rc(tx), RC_CONFLICT);
	store_abort(tx);
}

static void
a_job_without_id_host_or_state_is_refused(void **state)
{
	struct fixture *f = *state;
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid id = id_n(2, 1);
	struct store_tx *tx;
	unsigned i;

	for (i = 0; i < 4; i++) {
		tx = fixture_write(f);
		rec__job__init(&j);
		if (i != 0)
			j.id = id_bytes(&id);
		if (i != 1)
			j.host_id = bytes_of(id.b, i == 3 ? 15 : 16);
		if (i != 2)
			j.state = REC__JOB_STATE__JOB_QUEUED;
		job_store_put(tx, &j);
		assert_rc(store_rc(tx), RC_INVALID);
		store_abort(tx);
	}
}

/* The model: what a job is, by number; ids ascend with the number. */
struct model_job {
	unsigned host;
	Rec__JobState state; /* JOB_NONE: there is no such job */
	bool log_closed;
	bool sent;
};
struct model {
	struct model_job jobs[JOBS];
};

struct collect {
	uint32_t ids[JOBS];
	size_t n, max;
};

static bool
test_on_job(void *ctx, const struct Rec__Job *j)
{
	struct collect *c = ctx;
	const uint8_t *b = j->id.data;

	assert_true(c->n < JOBS);
	c->ids[c->n++] = (uint32_t)b[4] << 24 | (uint32_t)b[5] << 16 |
	                 (uint32_t)b[6] << 8 | b[7];
	return c->n < c->max;
}

static void
mark_sent(struct store_tx *tx, const struct ulid *id)
{
	struct Rec__Job *j = job_store_get(tx, id);

	j->sent_at_ms = 1;
	job_store_put(tx, j);
}

/* One random change, made to both. */
static void
change(struct store_tx *tx, struct model *m, uint64_t *rng)
{
	uint32_t n = rng_below(rng, JOBS);
	struct model_job *job = &m->jobs[n], next = *job;
	struct ulid id = id_n(2, n), host;

	if (job->state == REC__JOB_STATE__JOB_NONE)
		next.host = rng_below(rng, HOSTS);
	if (!job_state_final(job->state))
		next.state = (Rec__JobState)(1 + rng_below(rng, 5));
	next.log_closed = job_state_final(next.state) && rng_below(rng, 2);
	next.sent = job->sent || rng_below(rng, 2) == 0;
	host = id_n(1, next.host);
	put_job(tx, &id, &host, next.state, next.log_closed);
	if (next.sent)
		mark_sent(tx, &id);
	assert_rc(store_rc(tx), RC_OK);
	*job = next;
	if (rng_below(rng, 20) > 0)
		return;
	job_store_del(tx, &id);
	*job = (struct model_job){ 0 };
}

/* A few changes in a child; some children are undone. */
static void
change_in_child(struct store_tx *tx, struct model *m, uint64_t *rng)
{
	struct model before = *m;
	struct store_tx *child;
	struct arena a;
	uint32_t n = 1 + rng_below(rng, 4);

	arena_init(&a, MIB(1));
	child = store_begin_child(tx, &a);
	while (n-- > 0)
		change(child, m, rng);
	if (rng_below(rng, 3) == 0) {
		store_abort(child);
		*m = before;
	} else {
		fixture_commit(child);
	}
	arena_fini(&a);
}

static void
assert_list(const struct collect *got, const struct collect *want)
{
	assert_int_equal(got->n, want->n);
	assert_memory_equal(got->ids, want->ids, want->n * sizeof(*got->ids));
}

static void
check_host(struct store_tx *tx, const struct model *m, unsigned host,
    uint32_t before)
{
	struct ulid hid = id_n(1, host), bid = id_n(2, before);
	struct collect got = { .max = 7 }, want = { .max = 7 };
	struct collect open = { .max = JOBS }, want_open = { .max = JOBS };
	uint64_t all = 0;
	uint32_t i;

	for (i = JOBS; i-- > 0;) {
		if (m->jobs[i].state == REC__JOB_STATE__JOB_NONE ||
		    m->jobs[i].host != host)
			continue;
		if (all++ < NEWEST && !job_state_final(m->jobs[i].state))
			want_open.ids[want_open.n++] = i;
		if (i < before && want.n < want.max)
			want.ids[want.n++] = i;
	}
	job_store_of_host(tx, &hid, &bid, 7, test_on_job, &got);
	assert_list(&got, &want);
	job_store_open_of_host(tx, &hid, NEWEST, test_on_job, &open);
	assert_list(&open, &want_open);
	assert_int_equal(job_store_count_of_host(tx, &hid), all);
}

static void
check_state(struct store_tx *tx, const struct model *m, unsigned s)
{
	struct collect got = { .max = JOBS }, want = { .max = JOBS };
	uint32_t i;

	for (i = 0; i < JOBS; i++)
		if ((unsigned)m->jobs[i].state == s)
			want.ids[want.n++] = i;
	job_store_in_state(tx, (Rec__JobState)s, test_on_job, &got);
	assert_list(&got, &want);
}

static bool
is_out(const struct model_job *j)
{
	return j->state == REC__JOB_STATE__JOB_RUNNING ||
	       (j->state == REC__JOB_STATE__JOB_QUEUED && j->sent);
}

static void
check_out(struct store_tx *tx, const struct model *m)
{
	struct job_out o = { 0 };
	unsigned host;
	uint32_t i;

	for (host = 0; host < HOSTS; host++) {
		for (i = 0; i < JOBS; i++) {
			const struct ulid hid = id_n(1, host), id = id_n(2, i);

			if (m->jobs[i].host != host || !is_out(&m->jobs[i]))
				continue;
			assert_true(job_out_next(tx, &o));
			assert_true(ulid_eq(&o.host, &hid));
			assert_true(ulid_eq(&o.job, &id));
			assert_int_equal(o.kind, REC__JOB_KIND__KIND_BACKUP);
		}
	}
	assert_false(job_out_next(tx, &o));
}

static void
check(struct fixture *f, const struct model *m, uint64_t *rng)
{
	struct collect logs = { .max = JOBS }, want_logs = { .max = JOBS };
	struct collect all = { .max = JOBS }, want = { .max = JOBS };
	struct store_tx *tx = fixture_read(f);
	uint32_t i;

	for (i = 0; i < HOSTS; i++)
		check_host(tx, m, i, rng_below(rng, JOBS + 10));
	for (i = 1; i <= REC__JOB_STATE__JOB_CANCELLED; i++)
		check_state(tx, m, i);
	check_out(tx, m);
	for (i = 0; i < JOBS; i++) {
		if (m->jobs[i].state == REC__JOB_STATE__JOB_NONE)
			continue;
		want.ids[want.n++] = i;
		if (!m->jobs[i].log_closed)
			want_logs.ids[want_logs.n++] = i;
	}
	job_store_open_logs(tx, test_on_job, &logs);
	assert_list(&logs, &want_logs);
	job_store_latest(tx, NULL, SIZE_MAX, test_on_job, &all);
	for (i = 0; i < all.n / 2; i++) { /* newest first */
		uint32_t x = all.ids[i];

		all.ids[i] = all.ids[all.n - 1 - i];
		all.ids[all.n - 1 - i] = x;
	}
	assert_list(&all, &want);
	fixture_end(tx);
}

static void
indexes_agree_with_a_model_under_random_changes(void **state)
{
	struct fixture *f = *state;
	struct model m = { 0 }, before;
	uint64_t rng = 20261120;
	struct store_tx *tx;
	unsigned i, k;

	for (i = 0; i < ROUNDS / 10; i++) {
		before = m;
		tx = fixture_write(f);
		for (k = 0; k < 10; k++)
			change_in_child(tx, &m, &rng);
		if (rng_below(&rng, 8) == 0) {
			store_abort(tx);
			m = before;
		} else {
			fixture_commit(tx);
		}
		if (i % 20 == 0)
			check(f, &m, &rng);
		if (i % 100 == 99)
			fixture_reopen(f);
	}
	check(f, &m, &rng);
}

/* Recovery at start ends every running job while it walks them. */
struct ending {
	struct store_tx *tx;
	unsigned n;
};

static bool
test_on_running(void *ctx, const struct Rec__Job *j)
{
	struct ending *e = ctx;
	struct Rec__Job ended = *j;

	ended.state = REC__JOB_STATE__JOB_FAILED;
	ended.log_closed = true;
	job_store_put(e->tx, &ended);
	e->n++;
	return store_rc(e->tx) == RC_OK;
}

static void
a_walk_may_change_what_it_walks(void **state)
{
	struct fixture *f = *state;
	struct collect left = { .max = JOBS };
	struct ending e = { 0 };
	struct ulid id, host = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);
	uint32_t i;

	for (i = 0; i < JOBS; i++) {
		id = id_n(2, i);
		put_job(tx, &id, &host, REC__JOB_STATE__JOB_RUNNING, false);
	}
	fixture_commit(tx);
	e.tx = tx = fixture_write(f);
	job_store_in_state(tx, REC__JOB_STATE__JOB_RUNNING, test_on_running,
	    &e);
	assert_int_equal(e.n, JOBS);
	job_store_in_state(tx, REC__JOB_STATE__JOB_RUNNING, test_on_job, &left);
	job_store_open_logs(tx, test_on_job, &left);
	assert_int_equal(left.n, 0);
	fixture_commit(tx);
}

static void
late_ids_find_their_place(void **state)
{
	/* An agent's clock may be late: ids do not come in order. */
	static const uint32_t order[] = { 5, 2, 9, 0, 7, 3 };
	static const struct collect want = { { 9, 7, 5, 3, 2, 0 }, 6, 6 };
	struct fixture *f = *state;
	struct collect got = { .max = JOBS };
	struct ulid id, host = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);
	unsigned i;

	for (i = 0; i < ARRAY_LEN(order); i++) {
		id = id_n(2, order[i]);
		put_job(tx, &id, &host, REC__JOB_STATE__JOB_QUEUED, false);
	}
	job_store_latest(tx, NULL, 100, test_on_job, &got);
	assert_list(&got, &want);
	fixture_commit(tx);
}

static void
a_damaged_index_is_told(void **state)
{
	struct fixture *f = *state;
	struct collect got = { .max = JOBS };
	struct ulid id = id_n(2, 1), host = id_n(1, 1);
	struct store_tx *tx = fixture_write(f);
	struct key k = { .n = 0 };

	put_job(tx, &id, &host, REC__JOB_STATE__JOB_QUEUED, false);
	key_ulid(&k, &id);
	assert_true(table_del(tx, TB_JOB, &k));
	job_store_of_host(tx, &host, NULL, 10, test_on_job, &got);
	assert_rc(store_rc(tx), RC_CORRUPT);
	store_abort(tx);

	tx = fixture_write(f);
	put_job(tx, &id, &host, REC__JOB_STATE__JOB_QUEUED, false);
	table_put(tx, TB_JOB, &k, STR("\xff\xff\xff"));
	assert_null(job_store_find(tx, &id));
	assert_rc(store_rc(tx), RC_CORRUPT);
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_the_words_of_the_api),
		store_test(a_final_state_never_changes),
		store_test(an_id_belongs_to_one_host),
		store_test(a_job_without_id_host_or_state_is_refused),
		store_test(indexes_agree_with_a_model_under_random_changes),
		store_test(a_walk_may_change_what_it_walks),
		store_test(late_ids_find_their_place),
		store_test(a_damaged_index_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
