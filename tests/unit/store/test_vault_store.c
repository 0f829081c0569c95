/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/vault_store.h"

#include "tests/unit/store/store_fixture.h"

#include "lib/store/table.h"
#include "lib/store/user_store.h"

enum {
	DAY_MS = 86400000
};

struct hash {
	uint8_t b[CRYPT_HASH_SIZE];
};

static struct hash
hash_n(uint32_t n)
{
	struct hash h;

	crypt_sha256(str_from(&n, sizeof(n)), h.b);
	return h;
}

static void
put_session(struct store_tx *tx, uint32_t n, const struct ulid *user,
    int64_t created, int64_t expires)
{
	struct Rec__Session s = REC__SESSION__INIT;
	struct hash h = hash_n(n);

	s.user_id = id_bytes(user);
	s.created_at_ms = created;
	s.expires_at_ms = expires;
	vault_put_session(tx, h.b, &s, 3);
}

static bool
has_session(struct store_tx *tx, uint32_t n)
{
	struct hash h = hash_n(n);

	return vault_find_session(tx, h.b) != NULL;
}

static void
the_oldest_session_of_a_user_ends(void **state)
{
	struct fixture *f = *state;
	struct ulid anna = id_n(3, 1), bob = id_n(3, 2);
	struct store_tx *tx = fixture_write_vault(f);

	put_session(tx, 1, &anna, 300, 9000);
	put_session(tx, 2, &anna, 100, 9000); /* the oldest */
	put_session(tx, 3, &bob, 50, 9000);
	put_session(tx, 4, &anna, 200, 9000);
	assert_true(has_session(tx, 2));
	put_session(tx, 5, &anna, 400, 9000);
	assert_false(has_session(tx, 2));
	put_session(tx, 6, &anna, 500, 9000);
	assert_false(has_session(tx, 4));
	assert_true(has_session(tx, 1) && has_session(tx, 5));
	assert_true(has_session(tx, 3)); /* another's is untouched */
	assert_int_equal(table_count(tx, TB_SESSION_USER), 4);
	assert_int_equal(table_count(tx, TB_EXPIRY), 4);
	fixture_commit(tx);
}

static void
a_session_put_again_counts_once(void **state)
{
	struct fixture *f = *state;
	struct ulid anna = id_n(3, 1);
	struct store_tx *tx = fixture_write_vault(f);
	unsigned i;

	for (i = 0; i < 10; i++)
		put_session(tx, 1, &anna, 100, 9000 + (int64_t)i);
	assert_int_equal(table_count(tx, TB_SESSION), 1);
	assert_int_equal(table_count(tx, TB_SESSION_USER), 1);
	assert_int_equal(table_count(tx, TB_EXPIRY), 1);
	fixture_commit(tx);
}

static void
a_session_ends_with_all_its_rows(void **state)
{
	struct fixture *f = *state;
	struct ulid anna = id_n(3, 1);
	struct hash h = hash_n(1);
	struct store_tx *tx = fixture_write_vault(f);

	put_session(tx, 1, &anna, 100, 9000);
	vault_del_session(tx, h.b);
	vault_del_session(tx, h.b); /* twice is fine */
	assert_int_equal(table_count(tx, TB_SESSION), 0);
	assert_int_equal(table_count(tx, TB_SESSION_USER), 0);
	assert_int_equal(table_count(tx, TB_EXPIRY), 0);
	fixture_commit(tx);
}

static void
put_token(struct store_tx *tx, uint32_t n, int64_t expires,
    const struct ulid *used_by)
{
	struct Rec__EnrolToken t = REC__ENROL_TOKEN__INIT;
	struct hash h = hash_n(n), enrol = hash_n(1000 + n);

	t.hostname = text("web-1");
	t.expires_at_ms = expires;
	if (used_by != NULL) {
		t.used_host = id_bytes(used_by);
		t.used_at_ms = 77;
		t.enrol_id_hash = bytes_of(enrol.b, sizeof(enrol.b));
	}
	vault_put_token(tx, h.b, &t);
}

static struct Rec__EnrolToken *
find_token(struct store_tx *tx, uint32_t n)
{
	struct hash h = hash_n(n);

	return vault_find_token(tx, h.b);
}

static void
the_sweep_takes_what_expired_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct ulid anna = id_n(3, 1);
	struct store_tx *tx = fixture_write_vault(f);

	put_session(tx, 1, &anna, 1, 1000);
	put_session(tx, 2, &anna, 2, 1001);
	put_token(tx, 3, 1000, NULL);
	put_token(tx, 4, 1001, NULL);
	assert_int_equal(vault_sweep(tx, 999, 100), 0);
	assert_int_equal(vault_sweep(tx, 1000, 100), 1);
	assert_false(has_session(tx, 1));
	assert_true(has_session(tx, 2));
	/* Tokens say "expired" for a day more. */
	assert_int_equal(vault_sweep(tx, 999 + DAY_MS, 100), 1);
	assert_non_null(find_token(tx, 3));
	assert_int_equal(vault_sweep(tx, 1000 + DAY_MS, 100), 1);
	assert_null(find_token(tx, 3));
	assert_non_null(find_token(tx, 4));
	assert_int_equal(table_count(tx, TB_EXPIRY), 1);
	fixture_commit(tx);
}

static void
the_sweep_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write_vault(f);
	unsigned i;

	for (i = 0; i < 10; i++)
		put_token(tx, i, 1000, NULL);
	assert_int_equal(vault_sweep(tx, INT64_MAX, 4), 4);
	assert_int_equal(table_count(tx, TB_TOKEN), 6);
	assert_int_equal(vault_sweep(tx, INT64_MAX, 100), 6);
	assert_int_equal(vault_sweep(tx, INT64_MAX, 100), 0);
	fixture_commit(tx);
}

static bool
test_on_token(void *ctx, const uint8_t hash[CRYPT_HASH_SIZE],
    const struct Rec__EnrolToken *t)
{
	unsigned *n = ctx;

	(void)hash;
	assert_string_equal(t->hostname, "web-1");
	++*n;
	return true;
}

static void
a_token_is_found_changed_and_deleted(void **state)
{
	struct fixture *f = *state;
	struct hash h = hash_n(1);
	struct ulid host = id_n(1, 1);
	struct store_tx *tx = fixture_write_vault(f);
	unsigned n = 0;

	put_token(tx, 1, 1000, NULL);
	put_token(tx, 1, 2000, &host);
	put_token(tx, 2, 2000, NULL);
	assert_int_equal(find_token(tx, 1)->used_at_ms, 77);
	assert_int_equal(table_count(tx, TB_EXPIRY), 2);
	vault_each_token(tx, test_on_token, &n);
	assert_int_equal(n, 2);
	vault_del_token(tx, h.b);
	assert_null(find_token(tx, 1));
	assert_null(find_token(tx, 99));
	assert_int_equal(table_count(tx, TB_EXPIRY), 1);
	fixture_commit(tx);
}

static void
put_secrets(struct store_tx *tx, const struct ulid *host, uint32_t bearer,
    uint32_t previous)
{
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	struct hash b = hash_n(bearer), p = hash_n(previous);

	s.bearer_hash = bytes_of(b.b, sizeof(b.b));
	if (previous != 0)
		s.previous_bearer_hash = bytes_of(p.b, sizeof(p.b));
	vault_put_host(tx, host, &s);
}

static bool
bearer_leads_to(struct store_tx *tx, uint32_t bearer, const struct ulid *host)
{
	struct hash h = hash_n(bearer);
	struct ulid got;

	return vault_host_of_bearer(tx, h.b, &got) && ulid_eq(&got, host);
}

static void
a_bearer_leads_to_its_host_until_it_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct store_tx *tx = fixture_write_vault(f);

	put_secrets(tx, &a, 11, 0);
	put_secrets(tx, &b, 21, 0);
	assert_true(bearer_leads_to(tx, 11, &a));
	assert_true(bearer_leads_to(tx, 21, &b));
	put_secrets(tx, &a, 12, 11);
	assert_true(bearer_leads_to(tx, 11, &a));
	assert_true(bearer_leads_to(tx, 12, &a));
	put_secrets(tx, &a, 13, 12);
	assert_false(bearer_leads_to(tx, 11, &a));
	assert_true(bearer_leads_to(tx, 12, &a));
	vault_del_host(tx, &a);
	assert_false(bearer_leads_to(tx, 12, &a));
	assert_false(bearer_leads_to(tx, 13, &a));
	assert_true(bearer_leads_to(tx, 21, &b));
	assert_null(vault_find_host(tx, &a));
	vault_del_host(tx, &a); /* twice is fine */
	fixture_commit(tx);
}

static void
a_bearer_is_one_hosts_only(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct Rec__HostSecrets s = REC__HOST_SECRETS__INIT;
	struct store_tx *tx = fixture_write_vault(f);

	put_secrets(tx, &a, 11, 0);
	put_secrets(tx, &b, 11, 0);
	assert_rc(store_rc(tx), RC_CONFLICT);
	store_abort(tx);
	tx = fixture_write_vault(f);
	s.bearer_hash = bytes_of("short", 5);
	vault_put_host(tx, &a, &s);
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
}

static void
deleting_a_host_deletes_the_tokens_it_used(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(1, 1), b = id_n(1, 2);
	struct store_tx *tx = fixture_write_vault(f);

	put_secrets(tx, &a, 11, 0);
	put_token(tx, 1, 1000, &a);
	put_token(tx, 2, 1000, &b);
	put_token(tx, 3, 1000, NULL);
	vault_del_host(tx, &a);
	assert_null(find_token(tx, 1));
	assert_non_null(find_token(tx, 2));
	assert_non_null(find_token(tx, 3));
	fixture_commit(tx);
}

static void
put_user(struct store_tx *tx, const struct ulid *id, const char *name)
{
	struct Rec__User u = REC__USER__INIT;

	u.id = id_bytes(id);
	u.name = text(name);
	u.password_number = 1;
	user_store_put(tx, &u);
}

static void
put_password(struct store_tx *tx, const struct ulid *user)
{
	struct Rec__Password p = REC__PASSWORD__INIT;

	p.argon2id = text("$argon2id$test");
	vault_put_password(tx, user, &p);
}

static size_t
reconcile(struct fixture *f)
{
	struct store_tx *state, *vault;
	size_t n;

	state = store_begin_read(f->state, &f->arena);
	vault = store_begin_write(f->vault, &f->arena);
	n = vault_reconcile(state, vault);
	fixture_end(state);
	fixture_commit(vault);
	return n;
}

static void
rows_without_owner_leave_the_vault(void **state)
{
	struct fixture *f = *state;
	struct ulid host = id_n(1, 1), lost = id_n(1, 2);
	struct ulid anna = id_n(3, 1), nobody = id_n(3, 2), ghost = id_n(3, 3);
	struct store_tx *tx = fixture_write(f);

	put_host(tx, &host, "web-1");
	put_user(tx, &anna, "anna");
	fixture_commit(tx);
	tx = fixture_write_vault(f);
	put_secrets(tx, &host, 11, 0);
	put_secrets(tx, &lost, 12, 0);
	put_token(tx, 1, 1000, &host);
	put_token(tx, 2, 1000, &lost);
	put_token(tx, 3, 1000, NULL);
	put_password(tx, &anna);
	put_password(tx, &nobody);
	put_session(tx, 1, &anna, 1, 9000);
	put_session(tx, 2, &nobody, 1, 9000);
	put_session(tx, 3, &ghost, 1, 9000); /* without a password */
	fixture_commit(tx);

	assert_true(reconcile(f) > 0);
	tx = fixture_read_vault(f);
	assert_true(bearer_leads_to(tx, 11, &host));
	assert_false(bearer_leads_to(tx, 12, &lost));
	assert_null(vault_find_host(tx, &lost));
	assert_int_equal(find_token(tx, 1)->used_at_ms, 77);
	/* The enrolment that was lost may be made again. */
	assert_int_equal(find_token(tx, 2)->used_at_ms, 0);
	assert_int_equal(find_token(tx, 2)->used_host.len, 0);
	assert_int_equal(find_token(tx, 2)->enrol_id_hash.len, 0);
	assert_non_null(find_token(tx, 3));
	assert_non_null(vault_find_password(tx, &anna));
	assert_null(vault_find_password(tx, &nobody));
	assert_true(has_session(tx, 1));
	assert_false(has_session(tx, 2));
	assert_false(has_session(tx, 3));
	fixture_end(tx);
	assert_int_equal(reconcile(f), 0);
}

static uint32_t
change_password(struct fixture *f, const struct ulid *user, const char *hash)
{
	struct store_tx *tx = fixture_write_vault(f);
	struct Rec__Password p = REC__PASSWORD__INIT;
	uint32_t number;

	p.argon2id = text(hash);
	number = vault_put_password(tx, user, &p);
	fixture_commit(tx);
	return number;
}

static void
set_number(struct fixture *f, const struct ulid *user, uint32_t number)
{
	struct store_tx *tx = fixture_write(f);
	struct Rec__User *u = user_store_get(tx, user);

	assert_non_null(u);
	u->password_number = number;
	u->setup_pending = number == 0;
	user_store_put(tx, u);
	fixture_commit(tx);
}

/* hash NULL: there is none. */
static void
check_password(struct fixture *f, const struct ulid *user, const char *hash,
    const char *was)
{
	struct store_tx *tx = fixture_read_vault(f);
	const struct Rec__Password *p = vault_find_password(tx, user);

	if (hash == NULL) {
		assert_null(p);
	} else {
		assert_string_equal(p->argon2id, hash);
		assert_string_equal(p->was, was);
	}
	fixture_end(tx);
}

/* Killed between the two commits, or while a full disk let nothing be undone:
 * what was refused does not work after the next start. */
static void
a_password_that_state_does_not_know_gives_way_to_the_one_before(void **state)
{
	struct fixture *f = *state;
	struct ulid anna = id_n(3, 1);
	struct store_tx *tx = fixture_write(f);

	put_user(tx, &anna, "anna");
	fixture_commit(tx);
	set_number(f, &anna, 0);
	/* A setup link that was not committed. */
	assert_int_equal(change_password(f, &anna, "first"), 1);
	assert_int_equal(reconcile(f), 1);
	check_password(f, &anna, NULL, "");
	set_number(f, &anna, change_password(f, &anna, "first"));
	assert_int_equal(reconcile(f), 0);
	assert_int_equal(change_password(f, &anna, "refused"), 2);
	assert_int_equal(reconcile(f), 1);
	check_password(f, &anna, "first", "");
	assert_int_equal(reconcile(f), 0);
	/* The number was not used up. */
	assert_int_equal(change_password(f, &anna, "second"), 2);
	set_number(f, &anna, 2);
	assert_int_equal(reconcile(f), 0);
	check_password(f, &anna, "second", "first");
	/* Signed in with, it needs none before it. */
	tx = fixture_write_vault(f);
	vault_settle_password(tx, &anna);
	fixture_commit(tx);
	check_password(f, &anna, "second", "");
	assert_int_equal(reconcile(f), 0);
	/* Nobody is locked out for what cannot be put back. */
	set_number(f, &anna, 1);
	assert_int_equal(reconcile(f), 0);
	check_password(f, &anna, "second", "");
}

/* Passwords of before had no number, and a copy of state is somewhat older than
 * the vault's beside it. */
static void
a_first_number_is_not_a_first_password(void **state)
{
	struct fixture *f = *state;
	struct ulid anna = id_n(3, 1);
	struct store_tx *tx = fixture_write(f);
	struct Rec__User *u;

	put_user(tx, &anna, "anna");
	fixture_commit(tx);
	assert_int_equal(change_password(f, &anna, "new"), 1);
	tx = fixture_write(f);
	u = user_store_get(tx, &anna);
	u->password_number = 0;
	u->setup_pending = false;
	user_store_put(tx, u);
	fixture_commit(tx);
	assert_int_equal(reconcile(f), 0);
	check_password(f, &anna, "new", "");
}

static void
a_state_that_cannot_be_read_removes_nothing(void **state)
{
	struct fixture *f = *state;
	struct ulid host = id_n(1, 1);
	struct store_tx *st, *tx = fixture_write_vault(f);

	put_secrets(tx, &host, 11, 0);
	fixture_commit(tx);
	st = store_begin_read(f->state, &f->arena);
	store_fail(st, RC_IO, "the disk is gone");
	tx = store_begin_write(f->vault, &f->arena);
	assert_int_equal(vault_reconcile(st, tx), 0);
	assert_non_null(vault_find_host(tx, &host));
	store_abort(st);
	store_abort(tx);
}

static bool
test_on_host_id(void *ctx, const struct ulid *host)
{
	unsigned *n = ctx;

	assert_int_equal(host->b[0], 1);
	return ++*n < 2;
}

static void
hosts_are_listed(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write_vault(f);
	struct ulid id;
	unsigned i, n = 0;

	for (i = 0; i < 4; i++) {
		id = id_n(1, i);
		put_secrets(tx, &id, 100 + i, 0);
	}
	vault_each_host(tx, test_on_host_id, &n);
	assert_int_equal(n, 2);
	fixture_commit(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(the_oldest_session_of_a_user_ends),
		store_test(a_session_put_again_counts_once),
		store_test(a_session_ends_with_all_its_rows),
		store_test(the_sweep_takes_what_expired_and_no_more),
		store_test(the_sweep_is_bounded),
		store_test(a_token_is_found_changed_and_deleted),
		store_test(a_bearer_leads_to_its_host_until_it_is_replaced),
		store_test(a_bearer_is_one_hosts_only),
		store_test(deleting_a_host_deletes_the_tokens_it_used),
		store_test(rows_without_owner_leave_the_vault),
		store_test(
		    a_password_that_state_does_not_know_gives_way_to_the_one_before),
		store_test(a_first_number_is_not_a_first_password),
		store_test(a_state_that_cannot_be_read_removes_nothing),
		store_test(hosts_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
