/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
#include "tests/unit/store/store_fixture.h"

#include "controller/agents.h"
#include "controller/controller.h"
#include "controller/courier.h"
#include "controller/creds.h"
#include "controller/ingest.h"
#include "controller/op.h"
#include "controller/sse.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/vault_store.h"
#include "proto/agent.pb-c.h"

#define JOB_A "01HZZZZZZZZZZZZZZZZZZZZZZA"
#define JOB_B "01HZZZZZZZZZZZZZZZZZZZZZZB"

enum {
	ROUNDS = 8 /* of settle(): an op each */
};

/* The agent's end of the line. */
struct line {
	bool reachable; /* there is a stream */
	bool online;    /* seen within 90 s */
	unsigned runs, cancels, accepted;
	char run[ULID_TEXT_CAP], cancel[ULID_TEXT_CAP];
	char kind[32], tag[32], admin[32];
	size_t includes, groups;
	uint32_t keep_daily, part, of;
};

struct bench {
	struct fixture f;
	struct controller c;
	struct ulid host;
};

static struct line line;

bool
agents_online(const struct agents *a, const struct ulid *host)
{
	(void)a;
	(void)host;
	return line.online;
}

static void
take_upkeep(const Wire__CommandRun *c)
{
	line.groups = c->n_forget_groups;
	line.keep_daily = 0;
	if (c->n_forget_groups > 0) {
		line.keep_daily = c->forget_groups[0]->keep->daily;
		assert_true(str_copy(line.tag, sizeof(line.tag),
		    str_of(c->forget_groups[0]->tag)));
	}
	line.part = c->check_part != NULL ? c->check_part->n : 0;
	line.of = c->check_part != NULL ? c->check_part->of : 0;
	assert_true(str_copy(line.admin, sizeof(line.admin),
	    str_of(c->admin != NULL ? c->admin->password : "")));
}

static void
take(const Wire__Command *c)
{
	bool fits = true;

	if (c->body_case == WIRE__COMMAND__BODY_CANCEL) {
		line.cancels++;
		fits = str_copy(line.cancel, sizeof(line.cancel),
		    str_of(c->cancel->job_id));
	} else {
		line.runs++;
		fits =
		    str_copy(line.run, sizeof(line.run),
		        str_of(c->run->job_id)) &&
		    str_copy(line.kind, sizeof(line.kind),
		        str_of(c->run->kind)) &&
		    str_copy(line.tag, sizeof(line.tag), str_of(c->run->tag));
		line.includes = c->run->n_includes;
	}
	assert_true(fits);
	if (c->body_case == WIRE__COMMAND__BODY_RUN)
		take_upkeep(c->run);
}

bool
agents_send(struct agents *a, const struct ulid *host,
    const struct Wire__ControllerMessage *m)
{
	(void)a;
	(void)host;
	assert_int_equal(m->body_case, WIRE__CONTROLLER_MESSAGE__BODY_COMMAND);
	if (line.reachable)
		take(m->command);
	return line.reachable;
}

void
ingest_accepted(struct ingest *i, const struct ulid *host,
    const struct ulid *job)
{
	(void)i;
	(void)host;
	(void)job;
	line.accepted++;
}

void
sse_job_changed(struct sse *s, const struct ulid *host, const struct ulid *job)
{
	(void)s;
	(void)host;
	(void)job;
}

void
sse_host_changed(struct sse *s, const struct ulid *host)
{
	(void)s;
	(void)host;
}

/* ------------------------------------------------------------------ life */

static void
open_bench(struct bench *b)
{
	struct err e;

	fixture_open(&b->f);
	b->c.state = b->f.state;
	b->c.vault = b->f.vault;
	b->c.live = b->f.live;
	b->c.settings.timezone = text("UTC");
	assert_rc(loop_new(&b->c.loop, &e), RC_OK);
	assert_rc(op_queue_new(b->c.loop, b->c.state, b->c.vault, &b->c.ops,
	              &e),
	    RC_OK);
	b->c.courier = courier_new(&b->c);
}

static void
close_bench(struct bench *b)
{
	op_queue_free(b->c.ops);
	courier_free(b->c.courier);
	loop_free(b->c.loop);
	fixture_close(&b->f);
}

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	line = (struct line){ .reachable = true, .online = true };
	fixture_init(&b->f);
	fixture_host(&b->f, "web-1", &b->host);
	fixture_close(&b->f);
	clock_fake(1000000, 1000000);
	open_bench(b);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	close_bench(b);
	clock_fake(-1, 0);
	fixture_fini(&b->f);
	mem_free(b);
	return 0;
}

static enum rc
nothing_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	(void)state;
	(void)vault;
	(void)op;
	return RC_OK;
}

static void
on_nothing(struct op *op, void *ctx)
{
	struct bench *b = ctx;

	(void)op;
	loop_stop(b->c.loop);
}

/* Everything that is under way happens, however slow the disk: what is told
 * of one change may ask for the next. */
static void
settle(struct bench *b)
{
	unsigned n;

	for (n = 0; n < ROUNDS; n++) {
		struct op *op = op_new(nothing_op, on_nothing, b);

		op_submit(b->c.ops, &op);
		loop_run(b->c.loop);
	}
}

static void
pass(struct bench *b, int64_t ms)
{
	int64_t now = clock_mono_ms() + ms;

	clock_fake(now, now);
	courier_tick(b->c.courier);
	settle(b);
}

static void
put_job(struct bench *b, const char *id, int64_t sent_ms)
{
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Job j = REC__JOB__INIT;
	char *path = text("/etc");
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j.id = id_bytes(&u);
	j.host_id = id_bytes(&b->host);
	j.kind = REC__JOB_KIND__KIND_BACKUP;
	j.group_name = text("default");
	j.includes = &path;
	j.n_includes = 1;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.created_at_ms = 1;
	j.sent_at_ms = sent_ms;
	job_store_put(tx, &j);
	fixture_commit(tx);
}

static const struct Rec__Job *
job(struct bench *b, const char *id)
{
	struct store_tx *tx = fixture_read(&b->f);
	const struct Rec__Job *j;
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j = job_store_get(tx, &u);
	assert_non_null(j);
	store_abort(tx);
	return j;
}

/* Changes a stored job as an op of another module would. */
static void
set_state(struct bench *b, const char *id, Rec__JobState s, bool cancel)
{
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Job *j;
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j = job_store_get(tx, &u);
	assert_non_null(j);
	j->state = s;
	j->cancel_requested = cancel;
	job_store_put(tx, j);
	fixture_commit(tx);
	courier_wake(b->c.courier, &b->host);
	settle(b);
}

static void
answer(struct bench *b, const char *id, bool accepted, const char *error)
{
	Wire__CommandResult r = WIRE__COMMAND_RESULT__INIT;

	r.job_id = text(id);
	r.accepted = accepted;
	r.error = text(error);
	courier_result(b->c.courier, &b->host, &r);
	settle(b);
}

static void
wake(struct bench *b)
{
	courier_wake(b->c.courier, &b->host);
	settle(b);
}

/* -------------------------------------------------------------- the tests */

static void
a_queued_job_is_marked_then_sent(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 0);
	wake(b);
	assert_int_equal(line.runs, 1);
	assert_string_equal(line.run, JOB_A);
	assert_string_equal(line.kind, "backup");
	assert_string_equal(line.tag, "default");
	assert_int_equal(line.includes, 1);
	assert_true(job(b, JOB_A)->sent_at_ms > 0);
}

static void
a_job_that_is_marked_already_is_sent_at_once(void **state)
{
	struct bench *b = *state;
	struct op_stats before, after;

	op_queue_stats(b->c.ops, &before);
	put_job(b, JOB_A, 5);
	wake(b);
	op_queue_stats(b->c.ops, &after);
	assert_int_equal(line.runs, 1);
	assert_int_equal(after.ops, before.ops + ROUNDS);
}

static void
a_command_is_sent_again_until_it_is_answered(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	wake(b);
	pass(b, 5000);
	assert_int_equal(line.runs, 1);
	pass(b, 6000);
	assert_int_equal(line.runs, 2);
	answer(b, JOB_A, true, "");
	assert_true(job(b, JOB_A)->accepted_at_ms > 0);
	assert_int_equal(line.accepted, 1);
	pass(b, 60000);
	assert_int_equal(line.runs, 2);
}

static void
a_hello_brings_it_at_once(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	courier_hello(b->c.courier, &b->host);
	settle(b);
	assert_int_equal(line.runs, 2);
}

static void
nobody_there_is_no_sending(void **state)
{
	struct bench *b = *state;

	line.reachable = line.online = false;
	put_job(b, JOB_A, 0);
	wake(b);
	pass(b, 60000);
	assert_int_equal(line.runs, 0);
	assert_int_equal(job(b, JOB_A)->sent_at_ms, 0); /* may be cancelled */
	line.reachable = line.online = true;
	courier_hello(b->c.courier, &b->host);
	settle(b);
	assert_int_equal(line.runs, 1);
}

static void
one_job_at_a_time_in_order(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_B, 0);
	put_job(b, JOB_A, 0);
	wake(b);
	assert_string_equal(line.run, JOB_A);
	answer(b, JOB_A, true, "");
	pass(b, 60000);
	assert_int_equal(line.runs, 1);
	set_state(b, JOB_A, REC__JOB_STATE__JOB_SUCCEEDED, false);
	assert_int_equal(line.runs, 2);
	assert_string_equal(line.run, JOB_B);
}

static void
a_busy_agent_keeps_the_job_queued(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	answer(b, JOB_A, false, "busy");
	assert_int_equal(job(b, JOB_A)->state, REC__JOB_STATE__JOB_QUEUED);
	pass(b, 5000);
	assert_int_equal(line.runs, 1);
	pass(b, 11000);
	assert_int_equal(line.runs, 2);
}

static void
a_refusal_ends_the_job(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	put_job(b, JOB_B, 0);
	wake(b);
	answer(b, JOB_A, false, "no source paths");
	assert_int_equal(job(b, JOB_A)->state, REC__JOB_STATE__JOB_FAILED);
	assert_non_null(strstr(job(b, JOB_A)->error, "no source paths"));
	assert_string_equal(line.run, JOB_B);
}

static void
a_cancel_is_repeated_until_the_end(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	answer(b, JOB_A, true, "");
	set_state(b, JOB_A, REC__JOB_STATE__JOB_RUNNING, true);
	assert_int_equal(line.cancels, 1);
	assert_string_equal(line.cancel, JOB_A);
	pass(b, 1000);
	assert_int_equal(line.cancels, 1);
	pass(b, 1500);
	assert_int_equal(line.cancels, 2);
	set_state(b, JOB_A, REC__JOB_STATE__JOB_CANCELLED, true);
	pass(b, 60000);
	assert_int_equal(line.cancels, 2);
}

static void
a_cancel_before_the_answer_waits_for_it(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	set_state(b, JOB_A, REC__JOB_STATE__JOB_QUEUED, true);
	assert_int_equal(line.cancels, 0);
	answer(b, JOB_A, true, "");
	assert_int_equal(line.cancels, 1);
}

static void
a_restart_finds_what_was_open(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	assert_int_equal(line.runs, 1);
	close_bench(b);
	open_bench(b);
	courier_hello(b->c.courier, &b->host);
	settle(b);
	assert_int_equal(line.runs, 2);
	assert_string_equal(line.run, JOB_A);
}

/* A clock that was set back gives ids that sort before those of many jobs
 * which ended: the new one is sent all the same. */
static void
a_job_of_a_clock_set_back_is_found(void **state)
{
	struct bench *b = *state;
	char id[ULID_TEXT_CAP];
	struct ulid u;
	unsigned i;

	for (i = 0; i < 25; i++) {
		assert_true(
		    str_fmt(id, sizeof(id), "7ZZZZZZZZZZZZZZZZZZZZZZZ%02u", i));
		put_job(b, id, 1);
		set_state(b, id, REC__JOB_STATE__JOB_SUCCEEDED, false);
	}
	line.runs = 0;
	put_job(b, JOB_A, 1);
	assert_true(ulid_parse(STR(JOB_A), &u));
	courier_queued(b->c.courier, &b->host, &u);
	settle(b);
	assert_int_equal(line.runs, 1);
	assert_string_equal(line.run, JOB_A);
}

static void
nonsense_is_ignored(void **state)
{
	struct bench *b = *state;

	answer(b, "no id", true, "");
	answer(b, JOB_A, true, "");
	answer(b, JOB_B, false, "whatever");
	assert_int_equal(line.runs, 0);
}

/* M-439: what comes back is told apart by the job's id. */
static void
an_answer_is_of_the_job_it_names(void **state)
{
	struct bench *b = *state;

	put_job(b, JOB_A, 5);
	wake(b);
	assert_int_equal(line.runs, 1);
	answer(b, JOB_B, true, "");
	answer(b, JOB_B, false, "unknown");
	assert_int_equal(job(b, JOB_A)->accepted_at_ms, 0);
	pass(b, 11000);
	assert_int_equal(line.runs, 2); /* still asked for */
	answer(b, JOB_A, true, "");
	assert_true(job(b, JOB_A)->accepted_at_ms > 0);
}

/* ------------------------------------------------------------ maintenance */

static void
put_work(struct bench *b, const struct ulid *host, const char *id,
    Rec__JobKind kind)
{
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Job j = REC__JOB__INIT;
	struct ulid u;

	assert_true(ulid_parse(str_of(id), &u));
	j.id = id_bytes(&u);
	j.host_id = id_bytes(host);
	j.kind = kind;
	j.state = REC__JOB_STATE__JOB_QUEUED;
	j.created_at_ms = 1;
	j.check_part = 2;
	j.check_of = kind == REC__JOB_KIND__KIND_CHECK ? 20 : 0;
	job_store_put(tx, &j);
	fixture_commit(tx);
}

static void
put_group(struct bench *b, uint32_t n, const char *name, uint32_t daily)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct Rec__Retention keep = REC__RETENTION__INIT;
	struct store_tx *tx = fixture_write(&b->f);
	struct ulid id = id_n(8, n);

	keep.daily = daily;
	g.id = id_bytes(&id);
	g.host_id = id_bytes(&b->host);
	g.name = text(name);
	g.retention = &keep;
	plan_store_put(tx, &g);
	fixture_commit(tx);
}

static void
put_admin(struct bench *b, const char *password)
{
	struct Rec__RepoSecret repo = REC__REPO_SECRET__INIT;
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	struct store_tx *tx = store_begin_write(b->f.vault, &b->f.arena);
	struct buf sealed[2];
	char ad[CREDS_AD_CAP];
	struct err e;
	int slot;

	repo.url = text("/srv/repo");
	for (slot = 0; slot < 2; slot++) {
		buf_init(&sealed[slot], CREDS_SEALED_MAX);
		creds_host_ad(&b->host, slot == 0 ? CREDS_REPO : CREDS_ADMIN,
		    ad);
		repo.password = text(slot == 0 ? "everyday" : password);
		assert_rc(creds_seal(b->c.key, ad, &repo, &sealed[slot]),
		    RC_OK);
	}
	s.sealed_repo = bytes_of(sealed[0].data, sealed[0].len);
	s.sealed_admin = bytes_of(sealed[1].data, sealed[1].len);
	vault_put_host(tx, &b->host, &s);
	assert_rc(store_commit(tx, &e), RC_OK);
	buf_fini(&sealed[0]);
	buf_fini(&sealed[1]);
}

/* M-149, M-206, M-443: only what keeps something, and the slot that may
 * delete. */
static void
a_forget_takes_the_groups_that_keep_and_the_admin_slot(void **state)
{
	struct bench *b = *state;

	put_group(b, 1, "loose", 0);
	put_group(b, 2, "kept", 7);
	put_admin(b, "may delete");
	put_work(b, &b->host, JOB_A, REC__JOB_KIND__KIND_FORGET);
	wake(b);
	assert_int_equal(line.runs, 1);
	assert_string_equal(line.kind, "forget");
	assert_int_equal(line.groups, 1);
	assert_string_equal(line.tag, "kept");
	assert_int_equal(line.keep_daily, 7);
	assert_string_equal(line.admin, "may delete");
}

/* M-150, M-207: nothing else gets it. */
static void
a_check_takes_its_part_and_no_admin_slot(void **state)
{
	struct bench *b = *state;

	put_admin(b, "may delete");
	put_work(b, &b->host, JOB_A, REC__JOB_KIND__KIND_CHECK);
	wake(b);
	assert_string_equal(line.kind, "check");
	assert_int_equal(line.part, 2);
	assert_int_equal(line.of, 20);
	assert_string_equal(line.admin, "");
}

static void
what_cannot_be_run_any_more_has_failed(void **state)
{
	struct bench *b = *state;

	put_work(b, &b->host, JOB_A, REC__JOB_KIND__KIND_FORGET);
	put_work(b, &b->host, JOB_B, REC__JOB_KIND__KIND_PRUNE);
	wake(b);
	pass(b, 1000);
	assert_int_equal(line.runs, 0);
	assert_int_equal(job(b, JOB_A)->state, REC__JOB_STATE__JOB_FAILED);
	assert_string_equal(job(b, JOB_A)->cause, "no_retention");
	assert_int_equal(job(b, JOB_B)->state, REC__JOB_STATE__JOB_FAILED);
	assert_string_equal(job(b, JOB_B)->cause, "no_admin");
	assert_true(job(b, JOB_B)->error[0] != '\0');
}

#define JOB_OTHER "01HZZZZZZZZZZZZZZZZZZZZZZ9"

/* Another host of the same repository has a job under way. */
static void
share(struct bench *b)
{
	uint8_t repo[REPO_ID_SIZE];
	struct store_tx *tx;
	struct Rec__Host *h;
	struct Rec__Job *j;
	struct ulid other, id;

	memset(repo, 3, sizeof(repo));
	fixture_host(&b->f, "web-2", &other);
	put_work(b, &other, JOB_OTHER, REC__JOB_KIND__KIND_BACKUP);
	assert_true(ulid_parse(STR(JOB_OTHER), &id));
	tx = fixture_write(&b->f);
	h = host_store_get(tx, &b->host);
	repo_store_link(tx, h, repo);
	host_store_put(tx, h);
	h = host_store_get(tx, &other);
	h->online = true;
	repo_store_link(tx, h, repo);
	host_store_put(tx, h);
	j = job_store_get(tx, &id);
	j->sent_at_ms = 1;
	job_store_put(tx, j);
	fixture_commit(tx);
}

static void
what_its_repository_holds_up_lets_others_by(void **state)
{
	struct bench *b = *state;

	share(b);
	put_work(b, &b->host, JOB_A, REC__JOB_KIND__KIND_CHECK);
	put_job(b, JOB_B, 0);
	wake(b);
	assert_int_equal(line.runs, 1);
	assert_string_equal(line.run, JOB_B);
	assert_string_equal(job(b, JOB_A)->blocked, "repository_busy");
	assert_int_equal(job(b, JOB_A)->sent_at_ms, 0);
	set_state(b, JOB_B, REC__JOB_STATE__JOB_SUCCEEDED, false);
	pass(b, 3000);
	assert_int_equal(line.runs, 1);
	set_state(b, JOB_OTHER, REC__JOB_STATE__JOB_SUCCEEDED, false);
	pass(b, 3000);
	assert_int_equal(line.runs, 2);
	assert_string_equal(line.run, JOB_A);
	assert_string_equal(job(b, JOB_A)->blocked, "");
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_queued_job_is_marked_then_sent),
		ON_BENCH(a_job_that_is_marked_already_is_sent_at_once),
		ON_BENCH(a_command_is_sent_again_until_it_is_answered),
		ON_BENCH(a_hello_brings_it_at_once),
		ON_BENCH(nobody_there_is_no_sending),
		ON_BENCH(one_job_at_a_time_in_order),
		ON_BENCH(a_busy_agent_keeps_the_job_queued),
		ON_BENCH(a_refusal_ends_the_job),
		ON_BENCH(a_cancel_is_repeated_until_the_end),
		ON_BENCH(a_cancel_before_the_answer_waits_for_it),
		ON_BENCH(a_restart_finds_what_was_open),
		ON_BENCH(a_job_of_a_clock_set_back_is_found),
		ON_BENCH(nonsense_is_ignored),
		ON_BENCH(an_answer_is_of_the_job_it_names),
		ON_BENCH(
		    a_forget_takes_the_groups_that_keep_and_the_admin_slot),
		ON_BENCH(a_check_takes_its_part_and_no_admin_slot),
		ON_BENCH(what_cannot_be_run_any_more_has_failed),
		ON_BENCH(what_its_repository_holds_up_lets_others_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
