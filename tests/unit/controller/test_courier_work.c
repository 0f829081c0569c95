/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* What maintenance is sent with, and what holds it up. */
#include "tests/unit/controller/courier_bench.h"

#include "controller/creds.h"
#include "lib/base/buf.h"
#include "lib/store/plan_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/vault_store.h"

static void
put_work(struct bench *b, const struct ulid *host, const char *id,
    Rec__JobKind kind)
{
	struct Rec__Job j = REC__JOB__INIT;

	j.kind = kind;
	j.check_part = 2;
	j.check_of = kind == REC__JOB_KIND__KIND_CHECK ? 20 : 0;
	put_queued(b, host, id, &j);
}

static void
put_group(struct bench *b, const struct ulid *host, uint32_t n,
    const char *name, uint32_t daily)
{
	struct Rec__SourceGroup g = REC__SOURCE_GROUP__INIT;
	struct Rec__Retention keep = REC__RETENTION__INIT;
	struct store_tx *tx = fixture_write(&b->f);
	struct ulid id = id_n(8, n);

	keep.daily = daily;
	g.id = id_bytes(&id);
	g.host_id = id_bytes(host);
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

	put_group(b, &b->host, 1, "loose", 0);
	put_group(b, &b->host, 2, "kept", 7);
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

/* The two are in one repository; its machine is called as b's. */
static void
put_namesake(struct bench *b, struct ulid *other)
{
	struct store_tx *tx;
	struct Rec__Host *h;
	uint8_t repo[REPO_ID_SIZE];
	int i;

	memset(repo, 3, sizeof(repo));
	fixture_host(&b->f, "web-2", other);
	tx = fixture_write(&b->f);
	for (i = 0; i < 2; i++) {
		h = host_store_get(tx, i == 0 ? &b->host : other);
		h->reported_name = text("localhost");
		repo_store_link(tx, h, repo);
		host_store_put(tx, h);
	}
	fixture_commit(tx);
}

/* It was queued when there was no such host. */
static void
a_forget_that_would_take_anothers_has_failed(void **state)
{
	struct bench *b = *state;
	struct ulid other;

	put_group(b, &b->host, 1, "etc", 7);
	put_work(b, &b->host, JOB_A, REC__JOB_KIND__KIND_FORGET);
	put_namesake(b, &other);
	put_group(b, &other, 2, "etc", 0);
	wake(b);
	pass(b, 1000);
	assert_int_equal(line.runs, 0);
	assert_int_equal(job(b, JOB_A)->state, REC__JOB_STATE__JOB_FAILED);
	assert_string_equal(job(b, JOB_A)->cause, "shared_name");
	assert_non_null(strstr(job(b, JOB_A)->error, "web-2"));
}

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

/* A backup that a lease holds up, behind a prune that waits for longer. */
static void
what_is_held_up_behind_another_is_looked_at_as_well(void **state)
{
	struct bench *b = *state;
	struct store_tx *tx;
	struct Rec__Repo *r;
	struct Rec__Job *j;
	struct ulid id;

	share(b);
	assert_true(ulid_parse(STR(JOB_OTHER), &id));
	tx = fixture_write(&b->f);
	j = job_store_get(tx, &id);
	j->kind = REC__JOB_KIND__KIND_CHECK;
	job_store_put(tx, j);
	r = repo_store_of_host(tx, host_store_get(tx, &b->host));
	r->lease_job = j->id;
	r->lease_host = j->host_id;
	repo_store_put(tx, r);
	fixture_commit(tx);
	put_work(b, &b->host, JOB_A, REC__JOB_KIND__KIND_CHECK);
	put_job(b, JOB_B, 0);
	wake(b);
	pass(b, 3000);
	assert_int_equal(line.runs, 0);
	assert_string_equal(job(b, JOB_B)->blocked, "repository_busy");
	assert_memory_equal(job(b, JOB_B)->blocked_by.data, id.b, sizeof(id.b));
	/* It is over, and a backup is out instead. */
	tx = fixture_write(&b->f);
	j = job_store_get(tx, &id);
	j->kind = REC__JOB_KIND__KIND_BACKUP;
	job_store_put(tx, j);
	r = repo_store_of_host(tx, host_store_get(tx, &b->host));
	r->lease_job = r->lease_host = (ProtobufCBinaryData){ 0, NULL };
	repo_store_put(tx, r);
	fixture_commit(tx);
	pass(b, 3000);
	assert_int_equal(line.runs, 1);
	assert_string_equal(line.run, JOB_B);
	assert_int_equal(job(b, JOB_B)->blocked_by.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(
		    a_forget_takes_the_groups_that_keep_and_the_admin_slot),
		ON_BENCH(a_check_takes_its_part_and_no_admin_slot),
		ON_BENCH(what_cannot_be_run_any_more_has_failed),
		ON_BENCH(a_forget_that_would_take_anothers_has_failed),
		ON_BENCH(what_its_repository_holds_up_lets_others_by),
		ON_BENCH(what_is_held_up_behind_another_is_looked_at_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
