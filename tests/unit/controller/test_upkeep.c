/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/controller/upkeep_help.h"

#include "controller/lease.h"
#include "controller/upkeep_rules.h"

static const int64_t minute_ms = 60000;
static const int64_t hour_ms = 3600000;
static const int64_t day_ms = 86400000;

/* One long write transaction, whose children are the ops. */
struct bench {
	struct fixture f;
	struct upkeep_host a, b;
	uint8_t repo[REPO_ID_SIZE];
	int64_t start_ms; /* Saturday, noon */
};

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	fixture_init(&b->f);
	memset(b->repo, 7, sizeof(b->repo));
	b->start_ms = upkeep_at("2026-11-21T12:00:00Z");
	b->a = (struct upkeep_host){ .id = id_n(1, 1),
		.name = "a",
		.repo = b->repo,
		.admin = true,
		.keeps = true,
		.online = true };
	b->b = b->a;
	b->b.id = id_n(1, 2);
	b->b.name[0] = 'b';
	b->f.tx = fixture_write(&b->f);
	*state = b;
	return 0;
}

static void
add(struct bench *b, const struct upkeep_host *u)
{
	upkeep_put_host(b->f.tx, u);
	upkeep_make(b->f.tx, &u->id);
	upkeep_hello(b->f.tx, &u->id, "UTC", b->start_ms);
	assert_rc(store_rc(b->f.tx), RC_OK);
}

static const struct Rec__Upkeep *
work(struct bench *b, const struct upkeep_host *u, Rec__JobKind kind)
{
	const struct Rec__Maintenance *m = upkeep_store_find(b->f.tx, &u->id);

	assert_non_null(m);
	return upkeep_of(m, kind);
}

static const struct Rec__Job *
job_of(struct bench *b, const struct ulid *id)
{
	const struct Rec__Job *j = job_store_find(b->f.tx, id);

	assert_non_null(j);
	return j;
}

static void
set_host(struct bench *b, const struct upkeep_host *u, bool online, bool admin)
{
	struct Rec__Host *h = host_store_get(b->f.tx, &u->id);

	assert_non_null(h);
	h->online = online;
	h->has_admin = admin;
	host_store_put(b->f.tx, h);
}

static void
set_subset(struct bench *b, const struct upkeep_host *u, uint32_t pct)
{
	struct Rec__Maintenance *m = upkeep_store_find(b->f.tx, &u->id);

	assert_non_null(m);
	m->check_subset_pct = pct;
	upkeep_store_put(b->f.tx, m);
}

/* Rounds until then; jobs that are made end well a minute later. */
static unsigned
pass(struct bench *b, int64_t from_ms, int64_t to_ms, Rec__JobKind count)
{
	struct upkeep_round r;
	unsigned n = 0;
	int64_t now;
	size_t i;

	for (now = from_ms; now < to_ms; now += minute_ms) {
		if (!upkeep_any_due(b->f.tx, now))
			continue;
		r = upkeep_round_at(b->f.tx, now);
		for (i = 0; i < r.n; i++) {
			n += job_of(b, &r.made[i].job)->kind == count;
			upkeep_end(b->f.tx, &r.made[i].job,
			    REC__JOB_STATE__JOB_SUCCEEDED, now + minute_ms);
		}
	}
	return n;
}

/* --------------------------------------------------------------- defaults */

/* M-212 */
static void
a_host_gets_its_defaults_once(void **state)
{
	struct bench *b = *state;
	const struct Rec__Maintenance *m;
	const struct Rec__Upkeep *u;
	int64_t due;

	add(b, &b->a);
	m = upkeep_store_find(b->f.tx, &b->a.id);
	assert_non_null(m);
	assert_int_equal(m->check_subset_pct, 5);
	assert_string_equal(m->forget->cron, "0 3 * * *");
	assert_string_equal(m->prune->cron, "0 4 * * 0");
	assert_string_equal(m->check->cron, "0 5 1 * *");
	u = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE);
	due = u->due_ms;
	assert_int_equal(due,
	    upkeep_at("2026-11-22T04:00:00Z") +
	        upkeep_spread(&b->a.id, REC__JOB_KIND__KIND_PRUNE));
	/* Another hello changes nothing. */
	upkeep_hello(b->f.tx, &b->a.id, "UTC", b->start_ms + hour_ms);
	assert_int_equal(work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->due_ms,
	    due);
}

/* ---------------------------------------------------------------- rounds */

/* M-214, M-215 */
static void
what_is_due_becomes_a_job_of_the_systems(void **state)
{
	struct bench *b = *state;
	const struct Rec__Upkeep *u;
	const struct Rec__Job *j;
	struct upkeep_round r;
	int64_t due;

	b->a.admin = false; /* nothing but forget */
	add(b, &b->a);
	due = work(b, &b->a, REC__JOB_KIND__KIND_FORGET)->due_ms;
	assert_int_equal(upkeep_round_at(b->f.tx, due - 1).n, 0);
	r = upkeep_round_at(b->f.tx, due);
	assert_int_equal(r.n, 1);
	j = job_of(b, &r.made[0].job);
	assert_int_equal(j->kind, REC__JOB_KIND__KIND_FORGET);
	assert_int_equal(j->actor_kind, REC__ACTOR_KIND__ACTOR_SYSTEM);
	assert_true(j->expires_at_ms > 0);
	u = work(b, &b->a, REC__JOB_KIND__KIND_FORGET);
	assert_int_equal(u->due_ms, due + day_ms);
	assert_int_equal(u->open_job.len, 16);
	/* Not twice, however long it runs. */
	assert_int_equal(upkeep_round_at(b->f.tx, due + 1).n, 0);
	r = upkeep_round_at(b->f.tx, due + day_ms);
	assert_int_equal(r.n, 0);
	assert_string_equal(work(b, &b->a, REC__JOB_KIND__KIND_FORGET)->waiting,
	    "job_running");
}

static void
its_end_is_noted(void **state)
{
	struct bench *b = *state;
	const struct Rec__Upkeep *u;
	struct upkeep_round r;
	int64_t due;

	add(b, &b->a);
	due = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->due_ms;
	/* The forget of that night is in its way, and ended. */
	(void)pass(b, due - 2 * hour_ms, due, REC__JOB_KIND__KIND_FORGET);
	r = upkeep_round_at(b->f.tx, due);
	assert_int_equal(r.n, 1);
	upkeep_end(b->f.tx, &r.made[0].job, REC__JOB_STATE__JOB_SUCCEEDED,
	    due + hour_ms);
	u = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE);
	assert_int_equal(u->open_job.len, 0);
	assert_int_equal(u->last_success_at_ms, due + hour_ms);
	assert_memory_equal(u->last_job.data, r.made[0].job.b, 16);
	assert_int_equal(repo_store_find(b->f.tx, b->repo)->last_prune_at_ms,
	    due + hour_ms);
}

/* W-16: never a silent skip, and it goes when it can. */
static void
what_cannot_run_says_why_until_it_can(void **state)
{
	struct bench *b = *state;
	const struct Rec__Upkeep *u;
	int64_t due, now;

	b->a.admin = false;
	add(b, &b->a);
	due = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->due_ms;
	assert_int_equal(pass(b, b->start_ms, due + hour_ms,
	                     REC__JOB_KIND__KIND_PRUNE),
	    0);
	u = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE);
	assert_string_equal(u->waiting, "no_admin");
	assert_int_equal(u->waiting_since_ms, due);
	/* Nobody keeps asking meanwhile. */
	assert_true(u->due_ms >= due + UPKEEP_LOOK_LONG_MS);
	set_host(b, &b->a, true, true);
	now = due + hour_ms;
	upkeep_wake(b->f.tx, &b->a.id, now);
	assert_int_equal(pass(b, now, now + UPKEEP_SETTLE_MS + minute_ms,
	                     REC__JOB_KIND__KIND_PRUNE),
	    1);
	u = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE);
	assert_string_equal(u->waiting, "");
	assert_int_equal(u->waiting_since_ms, 0);
}

/* W-17: whatever was missed, once, soon after the return. */
static void
a_host_that_was_away_is_maintained_once(void **state)
{
	struct bench *b = *state;
	int64_t back = b->start_ms + 20 * day_ms;

	b->a.repo = NULL;
	b->a.online = false;
	add(b, &b->a);
	assert_int_equal(pass(b, b->start_ms, back, REC__JOB_KIND__KIND_FORGET),
	    0);
	assert_string_equal(work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->waiting,
	    "offline");
	set_host(b, &b->a, true, true);
	upkeep_hello(b->f.tx, &b->a.id, "UTC", back);
	assert_int_equal(pass(b, back, back + UPKEEP_SETTLE_MS,
	                     REC__JOB_KIND__KIND_FORGET),
	    0);
	assert_int_equal(pass(b, back + UPKEEP_SETTLE_MS,
	                     back + UPKEEP_SETTLE_MS + minute_ms,
	                     REC__JOB_KIND__KIND_FORGET),
	    1);
	/* The next one is by the cadence again. */
	assert_int_equal(pass(b, back + UPKEEP_SETTLE_MS + minute_ms,
	                     back + 14 * hour_ms, REC__JOB_KIND__KIND_FORGET),
	    0);
}

/* ------------------------------------------------------------ one repository */

static void
hosts_that_share_a_repository_prune_it_once(void **state)
{
	struct bench *b = *state;

	add(b, &b->a);
	add(b, &b->b);
	assert_int_equal(pass(b, b->start_ms, b->start_ms + 7 * day_ms,
	                     REC__JOB_KIND__KIND_PRUNE),
	    1);
	/* forget is each host's own: its groups, its rules. */
	assert_int_equal(pass(b, b->start_ms + 7 * day_ms,
	                     b->start_ms + 8 * day_ms,
	                     REC__JOB_KIND__KIND_FORGET),
	    2);
}

static void
while_one_prunes_the_other_waits_and_takes_over(void **state)
{
	struct bench *b = *state;
	int64_t first, second;
	struct upkeep_round r;
	bool a_first;

	add(b, &b->a);
	add(b, &b->b);
	first = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->due_ms;
	second = work(b, &b->b, REC__JOB_KIND__KIND_PRUNE)->due_ms;
	a_first = first < second;
	if (!a_first) {
		int64_t t = first;

		first = second;
		second = t;
	}
	(void)pass(b, b->start_ms, first, REC__JOB_KIND__KIND_FORGET);
	r = upkeep_round_at(b->f.tx, first);
	assert_int_equal(r.n, 1);
	assert_int_equal(upkeep_round_at(b->f.tx, second).n, 0);
	assert_string_equal(work(b, a_first ? &b->b : &b->a,
	                        REC__JOB_KIND__KIND_PRUNE)
	                        ->waiting,
	    "repository_busy");
	/* It failed: the other does it. */
	upkeep_end(b->f.tx, &r.made[0].job, REC__JOB_STATE__JOB_FAILED,
	    second + minute_ms);
	r = upkeep_round_at(b->f.tx, second + UPKEEP_LOOK_MS);
	assert_int_equal(r.n, 1);
	assert_true(ulid_eq(&r.made[0].host, a_first ? &b->b.id : &b->a.id));
}

/* Parts take turns over the repository, whichever host reads them. */
static void
checks_read_another_part_each_time(void **state)
{
	struct bench *b = *state;
	uint32_t last = 0, seen = 0;
	struct upkeep_round r;
	int64_t now;
	size_t i;

	add(b, &b->a);
	add(b, &b->b);
	set_subset(b, &b->a, 50);
	set_subset(b, &b->b, 50);
	for (now = b->start_ms; now < b->start_ms + 130 * day_ms;
	     now += 20 * minute_ms) {
		if (!upkeep_any_due(b->f.tx, now))
			continue;
		r = upkeep_round_at(b->f.tx, now);
		for (i = 0; i < r.n; i++) {
			const struct Rec__Job *j = job_of(b, &r.made[i].job);

			if (j->kind == REC__JOB_KIND__KIND_CHECK) {
				assert_int_equal(j->check_of, 2);
				assert_int_equal(j->check_part, last % 2 + 1);
				last = j->check_part;
				seen++;
			}
			upkeep_end(b->f.tx, &r.made[i].job,
			    REC__JOB_STATE__JOB_SUCCEEDED, now + minute_ms);
		}
		arena_reset(&b->f.arena);
	}
	assert_int_equal(seen, 4); /* once a month, not once a host */
}

/* A check of that measure; 0: of the host's own.  found: errors. */
static const struct Rec__Job *
check_now(struct bench *b, uint32_t pct, bool found, int64_t *now)
{
	struct Rec__CheckResult errors;
	struct jobs_wish w = { .host = b->a.id,
		.kind = REC__JOB_KIND__KIND_CHECK,
		.subset_given = pct > 0,
		.subset_pct = pct,
		.online = true,
		.now_ms = *now };
	struct Rec__Job *j;

	rec__check_result__init(&errors);
	errors.errors_found = true;
	assert_rc(upkeep_run_op(b->f.tx, jobs_run_op, &w), RC_OK);
	j = job_store_get(b->f.tx, &w.job);
	assert_non_null(j);
	j->check = found ? &errors : NULL;
	job_store_put(b->f.tx, j);
	*now += minute_ms;
	upkeep_end(b->f.tx, &w.job,
	    found ? REC__JOB_STATE__JOB_FAILED : REC__JOB_STATE__JOB_SUCCEEDED,
	    *now);
	return job_of(b, &w.job);
}

/* Whoever asks for more now and then must not make the rest starve. */
static void
each_measure_has_turns_of_its_own(void **state)
{
	struct bench *b = *state;
	int64_t now = b->start_ms;
	uint32_t i;

	add(b, &b->a);
	set_subset(b, &b->a, 5);
	for (i = 0; i < 20; i++) {
		assert_int_equal(check_now(b, 0, false, &now)->check_part,
		    i + 1);
		assert_int_equal(check_now(b, 50, false, &now)->check_part,
		    i == 0 ? 2 : (i + 1) % 2 + 1);
		arena_reset(&b->f.arena);
	}
}

/* The next part being whole tells nothing of the damaged one. */
static void
what_is_damaged_is_read_again_until_it_is_whole(void **state)
{
	struct bench *b = *state;
	int64_t now = b->start_ms;

	add(b, &b->a);
	set_subset(b, &b->a, 25);
	assert_int_equal(check_now(b, 0, false, &now)->check_part, 1);
	assert_int_equal(check_now(b, 0, true, &now)->check_part, 2);
	assert_int_equal(check_now(b, 0, true, &now)->check_part, 2);
	assert_int_equal(check_now(b, 0, false, &now)->check_part, 2);
	assert_int_equal(check_now(b, 0, false, &now)->check_part, 3);
	/* Found by somebody who asked for more. */
	assert_int_equal(check_now(b, 50, true, &now)->check_of, 2);
	assert_int_equal(check_now(b, 0, true, &now)->check_of, 2);
	assert_int_equal(check_now(b, 100, false, &now)->check_of, 1);
	assert_int_equal(check_now(b, 0, false, &now)->check_of, 4);
}

/* ------------------------------------------------------------------ failures */

static void
fail_as(struct bench *b, const struct ulid *job, const char *cause, int64_t at)
{
	struct upkeep_ending en = { *job, REC__JOB_STATE__JOB_FAILED, cause,
		at - 1000, at };

	assert_rc(upkeep_run_op(b->f.tx, upkeep_end_op, &en), RC_OK);
}

static void
what_may_pass_is_tried_again_and_not_for_ever(void **state)
{
	struct bench *b = *state;
	struct upkeep_round r;
	unsigned tries = 0;
	int64_t now, due;

	b->a.keeps = false; /* no forget in between */
	add(b, &b->a);
	due = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->due_ms;
	for (now = due; now < due + 7 * day_ms - minute_ms; now += minute_ms) {
		if (!upkeep_any_due(b->f.tx, now))
			continue;
		r = upkeep_round_at(b->f.tx, now);
		if (r.n == 0)
			continue;
		if (job_of(b, &r.made[0].job)->kind !=
		    REC__JOB_KIND__KIND_PRUNE) {
			upkeep_end(b->f.tx, &r.made[0].job,
			    REC__JOB_STATE__JOB_SUCCEEDED, now);
			continue;
		}
		tries++;
		fail_as(b, &r.made[0].job, "locked", now);
	}
	assert_int_equal(tries, 1 + UPKEEP_RETRIES);
	assert_int_equal(work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->last_state,
	    REC__JOB_STATE__JOB_FAILED);
	/* What will not pass by itself waits for its next turn. */
	r = upkeep_round_at(b->f.tx, due + 7 * day_ms);
	assert_int_equal(r.n, 1);
	fail_as(b, &r.made[0].job, "wrong_password", due + 7 * day_ms + 1);
	assert_int_equal(work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->due_ms,
	    due + 14 * day_ms);
}

/* Queued, and then its host went away for longer than it waits. */
/* All three kinds are due. */
static void
due_now(struct bench *b, const struct upkeep_host *u, int64_t now)
{
	struct Rec__Maintenance *m = upkeep_store_find(b->f.tx, &u->id);

	assert_non_null(m);
	m->forget->due_ms = m->prune->due_ms = m->check->due_ms = now;
	upkeep_store_put(b->f.tx, m);
}

/* What it noted meanwhile did not happen yet. */
static void
a_success_of_a_clock_that_was_ahead_is_none(void **state)
{
	struct bench *b = *state;
	const int64_t wrong = b->start_ms + 400 * day_ms;
	struct upkeep_round r;
	size_t i;

	add(b, &b->a);
	r = upkeep_round_at(b->f.tx, wrong);
	assert_int_equal(r.n, 3);
	for (i = 0; i < r.n; i++)
		upkeep_end(b->f.tx, &r.made[i].job,
		    REC__JOB_STATE__JOB_SUCCEEDED, wrong + minute_ms);
	due_now(b, &b->a, b->start_ms + day_ms);
	r = upkeep_round_at(b->f.tx, b->start_ms + day_ms);
	assert_int_equal(r.n, 3);
	upkeep_end(b->f.tx, &r.made[0].job, REC__JOB_STATE__JOB_SUCCEEDED,
	    b->start_ms + day_ms + minute_ms);
}

static void
a_job_that_expired_is_still_owed(void **state)
{
	struct bench *b = *state;
	struct jobs_expiry x = { .zone = "UTC" };
	struct upkeep_round r;
	int64_t due;

	b->a.keeps = false;
	add(b, &b->a);
	due = work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->due_ms;
	/* Another job of its is before it, so that it is not sent at once. */
	{
		struct jobs_wish w = { .host = b->a.id,
			.kind = REC__JOB_KIND__KIND_UNLOCK,
			.online = true,
			.now_ms = due };

		assert_rc(upkeep_run_op(b->f.tx, jobs_run_op, &w), RC_OK);
	}
	r = upkeep_round_at(b->f.tx, due);
	assert_int_equal(r.n, 1);
	set_host(b, &b->a, false, true);
	x.now_ms = due + JOBS_WAIT_MS - 1;
	assert_rc(upkeep_run_op(b->f.tx, jobs_expire_op, &x), RC_OK);
	assert_int_equal(x.n, 0);
	x.now_ms = due + JOBS_WAIT_MS;
	assert_rc(upkeep_run_op(b->f.tx, jobs_expire_op, &x), RC_OK);
	assert_int_equal(x.n, 1);
	assert_string_equal(job_of(b, &r.made[0].job)->cause, "expired");
	assert_string_equal(work(b, &b->a, REC__JOB_KIND__KIND_PRUNE)->waiting,
	    "offline");
	set_host(b, &b->a, true, true);
	upkeep_hello(b->f.tx, &b->a.id, "UTC", due + 2 * day_ms);
	assert_int_equal(pass(b, due + 2 * day_ms,
	                     due + 2 * day_ms + 3 * minute_ms,
	                     REC__JOB_KIND__KIND_PRUNE),
	    1);
}

static void
a_deleted_hosts_rows_go(void **state)
{
	struct bench *b = *state;
	struct store_tx *tx = b->f.tx;
	int64_t due;

	add(b, &b->a);
	due = work(b, &b->a, REC__JOB_KIND__KIND_FORGET)->due_ms;
	host_store_del(tx, host_store_get(tx, &b->a.id));
	assert_int_equal(upkeep_round_at(tx, due + 40 * day_ms).n, 0);
	assert_null(upkeep_store_find(tx, &b->a.id));
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_host_gets_its_defaults_once),
		ON_BENCH(what_is_due_becomes_a_job_of_the_systems),
		ON_BENCH(its_end_is_noted),
		ON_BENCH(what_cannot_run_says_why_until_it_can),
		ON_BENCH(a_host_that_was_away_is_maintained_once),
		ON_BENCH(hosts_that_share_a_repository_prune_it_once),
		ON_BENCH(while_one_prunes_the_other_waits_and_takes_over),
		ON_BENCH(checks_read_another_part_each_time),
		ON_BENCH(each_measure_has_turns_of_its_own),
		ON_BENCH(what_is_damaged_is_read_again_until_it_is_whole),
		ON_BENCH(what_may_pass_is_tried_again_and_not_for_ever),
		ON_BENCH(a_success_of_a_clock_that_was_ahead_is_none),
		ON_BENCH(a_job_that_expired_is_still_owed),
		ON_BENCH(a_deleted_hosts_rows_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
