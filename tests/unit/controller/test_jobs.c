/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/controller/op_help.h"

#include "controller/jobs.h"
#include "controller/jobs_own.h"
#include "lib/base/clock.h"
#include "lib/store/audit_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/upkeep_store.h"

/* The ops, run in a transaction of their own. */
struct bench {
	struct fixture f;
	struct ulid host, group, other_group;
};

static void
put_group(struct store_tx *tx, const struct bench *b, const struct ulid *id,
    const char *name)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	char *path = text("/etc");

	g.id = id_bytes(id);
	g.host_id = id_bytes(&b->host);
	g.name = text(name);
	g.includes = &path;
	g.n_includes = 1;
	plan_store_put(tx, &g);
}

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);
	struct Rec__Host h = REC__HOST__INIT;
	struct store_tx *tx;

	fixture_init(&b->f);
	ulid_new(&b->host);
	ulid_new(&b->group);
	ulid_new(&b->other_group);
	tx = fixture_write(&b->f);
	h.id = id_bytes(&b->host);
	h.name = text("web-1");
	h.repo_url = text("/srv/repo");
	host_store_put(tx, &h);
	put_group(tx, b, &b->group, "default");
	fixture_commit(tx);
	*state = b;
	return 0;
}

/* As somebody who has signed in. */
static enum rc
run_op(struct bench *b, op_fn *fn, void *in, struct err *e)
{
	struct op *op = op_new(fn, NULL, NULL);
	enum rc rc;

	op->in = in;
	assert_true(
	    str_copy(op->actor.name, sizeof(op->actor.name), STR("anna")));
	op->actor.user.b[0] = 5;
	rc = op_run(&b->f, op);
	*e = op->err;
	op_free(op);
	return rc;
}

static struct jobs_wish
wish(const struct bench *b, Rec__JobKind kind)
{
	return (struct jobs_wish){ .host = b->host,
		.kind = kind,
		.online = true,
		.now_ms = clock_now_ms() };
}

static const struct Rec__Job *
job(struct bench *b, const struct ulid *id)
{
	struct store_tx *tx = fixture_read(&b->f);
	const struct Rec__Job *j = job_store_get(tx, id);

	assert_non_null(j);
	store_abort(tx);
	return j;
}

static const struct Rec__Host *
host(struct bench *b)
{
	struct store_tx *tx = fixture_read(&b->f);
	const struct Rec__Host *h = host_store_get(tx, &b->host);

	assert_non_null(h);
	store_abort(tx);
	return h;
}

struct audits {
	char last[64];
	unsigned count;
};

static bool
on_audit(void *ctx, const struct Rec__AuditEntry *a)
{
	struct audits *s = ctx;

	if (s->count++ == 0)
		assert_true(
		    str_copy(s->last, sizeof(s->last), str_of(a->action)));
	return true;
}

static struct audits
audits(struct bench *b)
{
	struct store_tx *tx = fixture_read(&b->f);
	struct audits s = { .count = 0 };

	audit_store_latest(tx, NULL, 1000, on_audit, &s);
	store_abort(tx);
	return s;
}

/* -------------------------------------------------------------- run now */

/* M-158, M-442 */
static void
a_run_takes_its_groups_paths(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	const struct Rec__Job *j;
	struct err e;

	w.group = b->group;
	w.up_kbps = 10;
	w.up_given = true;
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	assert_false(w.old);
	j = job(b, &w.job);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_QUEUED);
	assert_string_equal(j->group_name, "default");
	assert_int_equal(j->n_includes, 1);
	assert_string_equal(j->includes[0], "/etc");
	assert_int_equal(j->bandwidth_up_kbps, 10);
	assert_int_equal(j->actor_kind, REC__ACTOR_KIND__ACTOR_USER);
	/* Nothing is before it: it counts as sent from the start. */
	assert_true(j->sent_at_ms > 0);
	assert_string_equal(audits(b).last, "job.run_now");
}

static bool
asks_for_others(struct bench *b, bool given, uint32_t up_kbps)
{
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct err e;

	w.group = b->group;
	w.up_given = given;
	w.up_kbps = up_kbps;
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	return w.other_limits;
}

/* M-199: the one that waits keeps what it was given. */
static void
other_limits_than_those_of_the_waiting_job_are_told(void **state)
{
	struct bench *b = *state;
	uint32_t host_up = host(b)->bandwidth_up_kbps;

	assert_false(asks_for_others(b, true, 10)); /* the first */
	assert_false(asks_for_others(b, true, 10));
	assert_true(asks_for_others(b, true, 11));
	assert_true(asks_for_others(b, true, 0));
	assert_int_equal(asks_for_others(b, false, 0), host_up != 10);
}

static void
those_of_the_host_are_limits_as_well(void **state)
{
	struct bench *b = *state;
	uint32_t host_up = host(b)->bandwidth_up_kbps;

	assert_false(asks_for_others(b, false, 0));
	assert_false(asks_for_others(b, true, host_up));
	assert_true(asks_for_others(b, true, host_up + 1));
}

static void
asking_again_gives_the_waiting_job(void **state)
{
	struct bench *b = *state;
	struct jobs_wish first = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct jobs_wish again = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct jobs_wish init = wish(b, REC__JOB_KIND__KIND_INIT);
	unsigned before;
	struct err e;

	first.group = again.group = b->group;
	assert_rc(run_op(b, jobs_run_op, &first, &e), RC_OK);
	before = audits(b).count;
	assert_rc(run_op(b, jobs_run_op, &again, &e), RC_OK);
	assert_true(again.old && ulid_eq(&first.job, &again.job));
	assert_int_equal(audits(b).count, before);
	/* Another kind is another job, and waits behind. */
	assert_rc(run_op(b, jobs_run_op, &init, &e), RC_OK);
	assert_false(init.old || ulid_eq(&first.job, &init.job));
	assert_int_equal(job(b, &init.job)->sent_at_ms, 0);
	assert_memory_equal(host(b)->init_job.data, init.job.b, 16);
}

static void
a_job_the_agent_has_taken_does_not_stand_for_the_next(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct jobs_answer a = { .host = b->host, .accepted = true };
	struct jobs_wish again;
	struct err e;

	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	a.job = w.job;
	a.now_ms = clock_now_ms();
	assert_rc(run_op(b, jobs_answer_op, &a, &e), RC_OK);
	assert_true(job(b, &w.job)->accepted_at_ms > 0);
	assert_int_equal(host(b)->current_job.len, 16);
	again = wish(b, REC__JOB_KIND__KIND_BACKUP);
	assert_rc(run_op(b, jobs_run_op, &again, &e), RC_OK);
	assert_false(again.old);
	assert_int_equal(job(b, &again.job)->sent_at_ms, 0);
}

static void
what_cannot_be_started_is_told(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct store_tx *tx;
	struct err e;

	w = wish(b, REC__JOB_KIND__KIND_INIT);
	w.online = false;
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OFFLINE);
	w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	w.host.b[3] ^= 1;
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_NOTFOUND);
	w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	w.group = b->other_group;
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_NOTFOUND);
	w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	w.group_name = "nothing";
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_INVALID);
	tx = fixture_write(&b->f);
	put_group(tx, b, &b->other_group, "second");
	fixture_commit(tx);
	w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_INVALID);
	w.group_name = "second";
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	assert_string_equal(job(b, &w.job)->group_name, "second");
}

static void
a_host_without_repository_runs_nothing(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Host *h = host_store_get(tx, &b->host);
	struct err e;

	h->repo_url = text("");
	host_store_put(tx, h);
	fixture_commit(tx);
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_INVALID);
}

/* M-234, W-18: what a host is asked for while it is away waits once. */
static void
a_job_for_an_absent_host_waits_so_long_and_no_longer(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_BACKUP), again;
	struct jobs_closing c = { .host = b->host,
		.state = REC__JOB_STATE__JOB_CANCELLED,
		.cause = "expired",
		.error = "nobody came",
		.zone = "UTC" };
	struct err e;

	w.online = false;
	w.lasts_ms = JOBS_WAIT_MS;
	again = w;
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	assert_int_equal(job(b, &w.job)->sent_at_ms, 0);
	assert_int_equal(job(b, &w.job)->expires_at_ms,
	    w.now_ms + JOBS_WAIT_MS);
	assert_rc(run_op(b, jobs_run_op, &again, &e), RC_OK);
	assert_true(again.old && ulid_eq(&w.job, &again.job));
	c.job = w.job;
	c.now_ms = w.now_ms + JOBS_WAIT_MS;
	assert_rc(run_op(b, jobs_close_op, &c, &e), RC_OK);
	assert_int_equal(job(b, &w.job)->state, REC__JOB_STATE__JOB_CANCELLED);
	assert_string_equal(job(b, &w.job)->cause, "expired");
	/* It was no attempt of a backup. */
	assert_int_equal(host(b)->last_attempt_at_ms, 0);
	assert_rc(run_op(b, jobs_close_op, &c, &e), RC_OK); /* again */
}

/* ------------------------------------------------------------ maintenance */

static void
change_host(struct bench *b, bool admin, uint32_t keep_last)
{
	struct Rec__Retention keep = REC__RETENTION__INIT;
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Host *h = host_store_get(tx, &b->host);
	struct Rec__SourceGroup *g = plan_store_get(tx, &b->host, &b->group);

	h->has_admin = admin;
	host_store_put(tx, h);
	keep.last = keep_last;
	g->retention = &keep;
	plan_store_put(tx, g);
	fixture_commit(tx);
}

/* M-149, M-216: each says what it lacks. */
static void
maintenance_needs_what_it_works_with(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_PRUNE);
	struct err e;

	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_CONFLICT);
	assert_string_equal(e.code, "admin_creds_required");
	w = wish(b, REC__JOB_KIND__KIND_FORGET);
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_CONFLICT);
	assert_string_equal(e.code, "no_retention");
	change_host(b, true, 0); /* keeps nothing: as good as none */
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_CONFLICT);
	change_host(b, true, 7);
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	assert_int_equal(job(b, &w.job)->kind, REC__JOB_KIND__KIND_FORGET);
	w = wish(b, REC__JOB_KIND__KIND_PRUNE);
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	w = wish(b, REC__JOB_KIND__KIND_UNLOCK);
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	assert_int_equal(job(b, &w.job)->sent_at_ms, 0); /* behind the others */
}

/* Another host in the same repository, of that machine name, with a group. */
static void
put_twin(struct bench *b, const char *machine, const char *group)
{
	static const uint8_t repo[REPO_ID_SIZE] = { 7 };
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Host *mine = host_store_get(tx, &b->host);
	struct Rec__Host h = REC__HOST__INIT;
	struct bench other = { 0 };

	repo_store_link(tx, mine, repo);
	mine->reported_name = text("localhost");
	host_store_put(tx, mine);
	ulid_new(&other.host);
	ulid_new(&other.group);
	h.id = id_bytes(&other.host);
	h.name = text(machine);
	h.reported_name = text(machine);
	repo_store_link(tx, &h, repo);
	host_store_put(tx, &h);
	put_group(tx, &other, &other.group, group);
	fixture_commit(tx);
}

/* Forgetting must not take the other host's snapshots for its own. */
static void
forget_wants_its_snapshots_told_apart(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_FORGET);
	struct err e;

	change_host(b, true, 7);
	put_twin(b, "db-1", "default");
	put_twin(b, "localhost", "other");
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	put_twin(b, "localhost", "default");
	w = wish(b, REC__JOB_KIND__KIND_FORGET);
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_CONFLICT);
	assert_string_equal(e.code, "shared_name");
	w = wish(b, REC__JOB_KIND__KIND_PRUNE); /* takes nobody's */
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
}

/* M-151, M-216 */
static void
a_check_reads_the_next_part(void **state)
{
	struct bench *b = *state;
	struct Rec__Maintenance m = REC__MAINTENANCE__INIT;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_CHECK);
	struct store_tx *tx = fixture_write(&b->f);
	const struct Rec__Job *j;
	struct err e;

	m.host_id = id_bytes(&b->host);
	m.check_subset_pct = 30;
	m.check_position = 3;
	upkeep_store_put(tx, &m);
	fixture_commit(tx);
	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	j = job(b, &w.job);
	assert_int_equal(j->check_of, 4);
	assert_int_equal(j->check_part, 4);
}

static void
a_subset_is_a_clamped_number(void **state)
{
	static const struct {
		const char *said;
		bool number;
		uint32_t pct;
	} cases[] = { { "0", true, 0 }, { "5", true, 5 }, { " 12% ", true, 12 },
		{ "101", true, 100 }, { "99999999999999999999", true, 100 },
		{ "", false, 0 }, { "%", false, 0 }, { "-1", false, 0 },
		{ "1.5", false, 0 }, { "many", false, 0 } };
	uint32_t pct;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		pct = 0;
		assert_int_equal(jobs_subset(str_of(cases[i].said), &pct),
		    cases[i].number);
		assert_int_equal(pct, cases[i].pct);
	}
}

/* ------------------------------------------------------------- auto-init */

static enum rc
auto_init_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	bool *made = op->in;
	struct Rec__Host *h;

	(void)vault;
	h = host_store_find_name(state, STR("web-1"));
	assert_non_null(h);
	if (jobs_auto_init(state, op, h, made) == RC_OK)
		host_store_put(state, h);
	return store_rc(state);
}

static void
init_is_queued_once_in_a_hosts_life(void **state)
{
	struct bench *b = *state;
	bool made = false;
	struct err e;

	assert_rc(run_op(b, auto_init_op, &made, &e), RC_OK);
	assert_true(made);
	assert_int_equal(host(b)->init_job.len, 16);
	assert_rc(run_op(b, auto_init_op, &made, &e), RC_OK);
	assert_false(made);
}

/* --------------------------------------------------------------- answers */

static void
a_refused_job_has_failed(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_INIT);
	struct jobs_answer a = { .host = b->host,
		.error = "unknown kind",
		.zone = "UTC" };
	const struct Rec__Job *j;
	struct err e;

	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	a.job = w.job;
	a.now_ms = clock_now_ms();
	assert_rc(run_op(b, jobs_answer_op, &a, &e), RC_OK);
	j = job(b, &w.job);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_FAILED);
	assert_non_null(strstr(j->error, "unknown kind"));
	assert_string_equal(j->cause, "refused");
	assert_true(j->log_closed);
	assert_int_equal(host(b)->repo_status,
	    REC__REPO_STATUS__REPO_INIT_FAILED);
}

static void
a_late_answer_changes_nothing(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct jobs_answer a = { .host = b->host,
		.accepted = true,
		.error = "no",
		.zone = "UTC" };
	struct err e;

	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	a.job = w.job;
	a.now_ms = 1000;
	a.host.b[2] ^= 1; /* of another host */
	assert_rc(run_op(b, jobs_answer_op, &a, &e), RC_NOTFOUND);
	a.host = b->host;
	assert_rc(run_op(b, jobs_answer_op, &a, &e), RC_OK);
	a.accepted = false; /* after it was accepted */
	a.now_ms = 2000;
	assert_rc(run_op(b, jobs_answer_op, &a, &e), RC_OK);
	assert_int_equal(job(b, &w.job)->state, REC__JOB_STATE__JOB_QUEUED);
	assert_int_equal(job(b, &w.job)->accepted_at_ms, 1000);
	a.job.b[7] ^= 1; /* of no job */
	assert_rc(run_op(b, jobs_answer_op, &a, &e), RC_OK);
}

/* ---------------------------------------------------------------- cancel */

static struct jobs_cancel
cancel_of(const struct ulid *id, bool online)
{
	return (struct jobs_cancel){ .job = *id,
		.host_online = online,
		.now_ms = clock_now_ms(),
		.zone = "UTC" };
}

static void
a_job_that_waits_is_cancelled_at_once(void **state)
{
	struct bench *b = *state;
	struct jobs_wish first = wish(b, REC__JOB_KIND__KIND_INIT);
	struct jobs_wish second = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct jobs_cancel c;
	const struct Rec__Job *j;
	struct err e;

	assert_rc(run_op(b, jobs_run_op, &first, &e), RC_OK);
	assert_rc(run_op(b, jobs_run_op, &second, &e), RC_OK);
	c = cancel_of(&second.job, false);
	assert_rc(run_op(b, jobs_cancel_op, &c, &e), RC_OK);
	assert_true(ulid_eq(&c.host, &b->host));
	j = job(b, &second.job);
	assert_int_equal(j->state, REC__JOB_STATE__JOB_CANCELLED);
	assert_true(j->log_closed);
	assert_string_equal(audits(b).last, "job.cancel");
	/* It never ran: no attempt. */
	assert_int_equal(host(b)->last_attempt_at_ms, 0);
	assert_rc(run_op(b, jobs_cancel_op, &c, &e), RC_CONFLICT);
}

static void
a_job_that_was_sent_is_left_to_its_agent(void **state)
{
	struct bench *b = *state;
	struct jobs_wish w = wish(b, REC__JOB_KIND__KIND_BACKUP);
	struct jobs_cancel c;
	unsigned before;
	struct err e;

	assert_rc(run_op(b, jobs_run_op, &w, &e), RC_OK);
	c = cancel_of(&w.job, false);
	assert_rc(run_op(b, jobs_cancel_op, &c, &e), RC_OFFLINE);
	assert_false(job(b, &w.job)->cancel_requested);
	c.host_online = true;
	assert_rc(run_op(b, jobs_cancel_op, &c, &e), RC_OK);
	assert_int_equal(job(b, &w.job)->state, REC__JOB_STATE__JOB_QUEUED);
	assert_true(job(b, &w.job)->cancel_requested);
	before = audits(b).count;
	assert_rc(run_op(b, jobs_cancel_op, &c, &e), RC_OK); /* again */
	assert_int_equal(audits(b).count, before);
	c.job.b[9] ^= 1;
	assert_rc(run_op(b, jobs_cancel_op, &c, &e), RC_NOTFOUND);
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_run_takes_its_groups_paths),
		ON_BENCH(asking_again_gives_the_waiting_job),
		ON_BENCH(other_limits_than_those_of_the_waiting_job_are_told),
		ON_BENCH(those_of_the_host_are_limits_as_well),
		ON_BENCH(a_job_the_agent_has_taken_does_not_stand_for_the_next),
		ON_BENCH(what_cannot_be_started_is_told),
		ON_BENCH(a_host_without_repository_runs_nothing),
		ON_BENCH(a_job_for_an_absent_host_waits_so_long_and_no_longer),
		ON_BENCH(maintenance_needs_what_it_works_with),
		ON_BENCH(forget_wants_its_snapshots_told_apart),
		ON_BENCH(a_check_reads_the_next_part),
		cmocka_unit_test(a_subset_is_a_clamped_number),
		ON_BENCH(init_is_queued_once_in_a_hosts_life),
		ON_BENCH(a_refused_job_has_failed),
		ON_BENCH(a_late_answer_changes_nothing),
		ON_BENCH(a_job_that_waits_is_cancelled_at_once),
		ON_BENCH(a_job_that_was_sent_is_left_to_its_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
