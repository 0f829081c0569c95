/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What announcing and deciding change, and what a crash leaves of it. */
#include "tests/unit/controller/op_help.h"
#include "tests/unit/time_help.h"

#include "controller/announce_own.h"
#include "controller/controller.h"
#include "controller/creds.h"
#include "lib/base/buf.h"
#include "lib/store/audit_store.h"
#include "lib/store/pending_store.h"
#include "lib/store/plan_store.h"
#include "lib/store/vault_store.h"

struct bench {
	struct fixture f;
	struct controller c;
	struct err err; /* of the last op that failed */
	/* out of the last ops */
	struct announce_join joined;
	struct announce_handover handed;
	struct ulid host;
};

static int
setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);

	fixture_init(&b->f);
	b->c.state = b->f.state;
	time_stop(1700000000000);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	time_run();
	return fixture_teardown(state);
}

static enum rc
run(struct bench *b, struct op *op, enum op_fate fate)
{
	enum rc rc = op_run_fated(&b->f, op, fate);

	if (rc != RC_OK)
		b->err = op->err;
	return rc;
}

static struct announce_facts
facts(uint8_t key, const char *hostname)
{
	struct announce_facts f = { .hostname = hostname,
		.os = "linux",
		.arch = "amd64",
		.agent_version = "1.0",
		.restic_version = "0.18.0" };

	memset(f.key, key, sizeof(f.key));
	return f;
}

static enum rc
join_as(struct bench *b, uint8_t key, const char *hostname, bool proven)
{
	struct announce_facts f = facts(key, hostname);
	struct announce_known known = { .known = false };
	struct err e = { 0 };
	struct op *op;
	enum rc rc;

	ulid_new(&known.id);
	assert_rc(announce_look(&b->c, &f, &known, &e), RC_OK);
	op = announce_join_new(&f, &known.id, proven);
	rc = run(b, op, OP_KEPT);
	if (rc == RC_OK)
		b->joined = *(struct announce_join *)op->in;
	op_free(op);
	return rc;
}

static void
join(struct bench *b, uint8_t key, const char *hostname)
{
	assert_rc(join_as(b, key, hostname, true), RC_OK);
}

static enum rc
decide(struct bench *b, op_fn *what, enum op_fate fate)
{
	struct op *op = op_new(what, NULL, NULL);
	struct announce_decide d = { .pending = b->joined.id,
		.repo_url = "/srv/repo",
		.repo_username = "u",
		.sealed_repo = STR("sealed") };
	enum rc rc;

	ulid_new(&d.host);
	b->host = d.host;
	op->in = &d;
	rc = run(b, op, fate);
	op_free(op);
	return rc;
}

static enum rc
hand_over(struct bench *b, uint8_t key)
{
	struct op *op = op_new(announce_handover_op, NULL, NULL);
	enum rc rc;

	memset(&b->handed, 0, sizeof(b->handed));
	b->handed.pending = b->joined.id;
	memset(b->handed.key, key, sizeof(b->handed.key));
	op->in = &b->handed;
	rc = run(b, op, OP_KEPT);
	op_free(op);
	return rc;
}

static bool
opens(struct bench *b, const char *bearer, const struct ulid *host)
{
	struct store_tx *tx = store_begin_read(b->f.vault, &b->f.arena);
	uint8_t hash[CRYPT_HASH_SIZE];
	struct ulid id;
	bool found;

	crypt_sha256(str_of(bearer), hash);
	found = vault_host_of_bearer(tx, hash, &id) && ulid_eq(&id, host);
	store_abort(tx);
	return found;
}

/* M-090: what enrolment makes is made, but a bearer that nobody has. */
static void
accepting_makes_the_host_and_no_bearer(void **state)
{
	struct bench *b = *state;
	struct Rec__HostSecrets *s;
	struct store_tx *tx;
	struct Rec__Host *h;

	join(b, 1, "web-1");
	assert_int_equal(b->joined.expires_at_ms, now + 3600000);
	assert_rc(decide(b, announce_accept_op, OP_KEPT), RC_OK);
	tx = fixture_read(&b->f);
	h = host_store_get(tx, &b->host);
	assert_non_null(h);
	assert_string_equal(h->name, "web-1");
	assert_string_equal(h->repo_url, "/srv/repo");
	assert_int_equal(h->config_version, 1);
	store_abort(tx);
	tx = store_begin_read(b->f.vault, &b->f.arena);
	s = vault_find_host(tx, &b->host);
	assert_non_null(s);
	assert_int_equal(s->bearer_hash.len, 0);
	assert_int_equal(s->sealed_repo.len, 6);
	store_abort(tx);
}

/* M-090, M-093: until the first hello. */
static void
a_bearer_is_made_at_each_handing_over(void **state)
{
	struct bench *b = *state;
	char first[CRYPT_TOKEN_CAP];
	struct store_tx *tx;

	join(b, 1, "web-1");
	assert_rc(hand_over(b, 1), RC_GONE);
	assert_rc(decide(b, announce_accept_op, OP_KEPT), RC_OK);
	pass((int64_t)30 * 86400000); /* it has no end of its own */
	assert_rc(hand_over(b, 2), RC_GONE);
	assert_rc(hand_over(b, 1), RC_OK);
	assert_true(ulid_eq(&b->handed.host, &b->host));
	memcpy(first, b->handed.bearer, sizeof(first));
	assert_true(opens(b, first, &b->host));
	assert_rc(hand_over(b, 1), RC_OK);
	assert_false(opens(b, first, &b->host));
	assert_true(opens(b, b->handed.bearer, &b->host));
	tx = fixture_write(&b->f);
	announce_heard(tx, &b->host);
	assert_rc(store_rc(tx), RC_OK);
	fixture_commit(tx);
	memcpy(first, b->handed.bearer, sizeof(first));
	assert_rc(hand_over(b, 1), RC_GONE);
	assert_true(opens(b, first, &b->host));
}

/* A power cut between the two commits: as if it had not been accepted. */
static void
half_an_acceptance_leaves_nothing(void **state)
{
	struct bench *b = *state;
	struct store_tx *vault, *tx;

	join(b, 1, "web-1");
	assert_rc(decide(b, announce_accept_op, OP_LOST_HALF_WAY), RC_OK);
	tx = fixture_read(&b->f);
	vault = store_begin_write(b->f.vault, &b->f.arena);
	assert_int_equal(vault_reconcile(tx, vault), 1);
	fixture_commit(vault);
	assert_int_equal(host_store_count(tx), 0);
	assert_int_equal(pending_store_waiting(tx, now), 1);
	store_abort(tx);
	assert_rc(decide(b, announce_accept_op, OP_KEPT), RC_OK);
	assert_rc(hand_over(b, 1), RC_OK);
	assert_true(opens(b, b->handed.bearer, &b->host));
}

/* M-093 */
static void
the_same_key_refreshes_its_row_when_it_is_proven(void **state)
{
	struct bench *b = *state;
	struct Rec__PendingHost *p;
	struct store_tx *tx;
	struct ulid id;

	join(b, 1, "web-1");
	id = b->joined.id;
	pass(60000);
	join(b, 1, "web-2");
	assert_true(ulid_eq(&b->joined.id, &id));
	pass(60000);
	assert_rc(join_as(b, 1, "web-3", false), RC_OK);
	assert_true(ulid_eq(&b->joined.id, &id));
	tx = fixture_read(&b->f);
	p = pending_store_find(tx, &id);
	assert_non_null(p);
	assert_string_equal(p->hostname, "web-2");
	assert_int_equal(p->last_seen_at_ms, now);
	assert_int_equal(p->first_seen_at_ms, now - 120000);
	assert_int_equal(p->expires_at_ms, now + PENDING_EXPIRES_MS);
	store_abort(tx);
}

/* M-091 */
static void
a_rejected_key_is_told_for_an_hour(void **state)
{
	struct bench *b = *state;
	struct ulid id;

	join(b, 1, "web-1");
	id = b->joined.id;
	assert_rc(decide(b, announce_reject_op, OP_KEPT), RC_OK);
	assert_rc(decide(b, announce_reject_op, OP_KEPT), RC_GONE);
	assert_rc(decide(b, announce_accept_op, OP_KEPT), RC_GONE);
	pass(PENDING_EXPIRES_MS - 1);
	join(b, 1, "web-1");
	assert_int_equal(b->joined.state, REC__PENDING_STATE__PENDING_REJECTED);
	pass(1);
	join(b, 1, "web-1");
	assert_int_equal(b->joined.state, REC__PENDING_STATE__PENDING_WAITING);
	assert_false(ulid_eq(&b->joined.id, &id));
}

/* M-086: known keys come again, new ones do not, expired ones make room. */
static void
a_hundred_rows_are_enough(void **state)
{
	struct bench *b = *state;
	char name[32];
	uint8_t i;

	for (i = 0; i < PENDING_MAX; i++) {
		assert_true(str_fmt(name, sizeof(name), "host-%u", i));
		join(b, i, name);
	}
	assert_rc(join_as(b, 200, "late", true), RC_BUSY);
	assert_string_equal(b->err.code, "too_many_pending");
	join(b, 7, "host-7");
	assert_rc(decide(b, announce_reject_op, OP_KEPT), RC_OK);
	join(b, 200, "late");
	assert_rc(join_as(b, 201, "later", true), RC_BUSY);
	pass(PENDING_EXPIRES_MS);
	join(b, 201, "later");
}

/* M-087 */
static void
a_taken_name_needs_to_be_allowed(void **state)
{
	struct bench *b = *state;
	struct ulid host;

	fixture_host(&b->f, "WEB-1", &host);
	join(b, 1, "web-1");
	assert_true(b->joined.collision);
	assert_rc(decide(b, announce_accept_op, OP_KEPT), RC_CONFLICT);
	assert_string_equal(b->err.code, "duplicate_hostname");
	assert_int_equal(fixture_hosts(&b->f), 1);
}

static void
what_an_agent_says_of_its_host_is_checked(void **state)
{
	static const char *const bad[] = { "", "a b", "-x", ".x", "<b>", "x\n",
		"\xff" };
	struct announce_facts f = facts(1, "web-1.example_2");
	struct err e;
	size_t i;

	(void)state;
	assert_rc(announce_check(&f, &e), RC_OK);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		f = facts(1, bad[i]);
		assert_rc(announce_check(&f, &e), RC_PROTO);
	}
	f = facts(1, "web-1");
	f.os = "plan9";
	assert_rc(announce_check(&f, &e), RC_PROTO);
}

#define announce_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		announce_test(accepting_makes_the_host_and_no_bearer),
		announce_test(a_bearer_is_made_at_each_handing_over),
		announce_test(half_an_acceptance_leaves_nothing),
		announce_test(the_same_key_refreshes_its_row_when_it_is_proven),
		announce_test(a_rejected_key_is_told_for_an_hour),
		announce_test(a_hundred_rows_are_enough),
		announce_test(a_taken_name_needs_to_be_allowed),
		announce_test(what_an_agent_says_of_its_host_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
