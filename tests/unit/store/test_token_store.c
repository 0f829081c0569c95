/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/store/store_fixture.h"

#include "lib/store/token_store.h"
#include "lib/store/user_store.h"
#include "lib/store/vault_store.h"

struct seen {
	char names[128];
	size_t stop_after, n;
};

static bool
take(void *ctx, struct Rec__ApiToken *t)
{
	struct seen *s = ctx;
	size_t len = strlen(s->names);

	assert_true(
	    str_fmt(s->names + len, sizeof(s->names) - len, "%s ", t->name));
	return ++s->n != s->stop_after;
}

static void
put(struct store_tx *tx, uint32_t n, uint32_t user, const char *name)
{
	struct Rec__ApiToken t = REC__API_TOKEN__INIT;
	struct ulid id = id_n('t', n), owner = id_n('u', user);

	t.id = id_bytes(&id);
	t.user_id = id_bytes(&owner);
	t.name = text(name);
	token_store_put(tx, &t);
}

static void
tokens_are_listed_by_user_newest_first(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = store_begin_write(f->state, &f->arena);
	struct ulid first = id_n('u', 1), id = id_n('t', 2);
	struct seen all = { "", 0, 0 }, own = { "", 0, 0 }, one = { "", 1, 0 };
	uint64_t before;
	struct err e;

	put(tx, 1, 1, "a");
	put(tx, 2, 2, "b");
	put(tx, 3, 1, "c");
	token_store_each(tx, NULL, take, &all);
	token_store_each(tx, &first, take, &own);
	token_store_each(tx, NULL, take, &one);
	assert_string_equal(all.names, "c b a ");
	assert_string_equal(own.names, "c a ");
	assert_string_equal(one.names, "c ");
	assert_rc(store_commit(tx, &e), RC_OK);

	tx = store_begin_write(f->state, &f->arena);
	before = store_version(tx, VER_USERS);
	token_store_del(tx, &id);
	token_store_del(tx, &id);
	assert_null(token_store_find(tx, &id));
	memset(&all, 0, sizeof(all));
	token_store_each(tx, NULL, take, &all);
	assert_string_equal(all.names, "c a ");
	assert_true(store_version(tx, VER_USERS) > before);
	assert_rc(store_commit(tx, &e), RC_OK);
}

static void
a_token_needs_its_user(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = store_begin_write(f->state, &f->arena);
	struct Rec__ApiToken t = REC__API_TOKEN__INIT;
	struct ulid id = id_n('t', 1);

	t.id = id_bytes(&id);
	token_store_put(tx, &t);
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
}

static void
hash_of(const char *secret, uint8_t out[CRYPT_HASH_SIZE])
{
	crypt_sha256(str_of(secret), out);
}

/* M-030, M-042: found by the hash alone; a new one replaces the old. */
static void
a_ticket_leads_to_its_owner(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = store_begin_write(f->vault, &f->arena);
	uint8_t one[CRYPT_HASH_SIZE], two[CRYPT_HASH_SIZE];
	struct ulid owner = id_n('o', 1), found;

	hash_of("one", one);
	hash_of("two", two);
	vault_put_ticket(tx, VAULT_SETUP, &owner, one);
	assert_true(vault_owner_of_ticket(tx, VAULT_SETUP, one, &found));
	assert_true(ulid_eq(&found, &owner));
	assert_false(vault_owner_of_ticket(tx, VAULT_API_TOKEN, one, &found));
	vault_put_ticket(tx, VAULT_SETUP, &owner, two);
	assert_false(vault_owner_of_ticket(tx, VAULT_SETUP, one, &found));
	assert_true(vault_owner_of_ticket(tx, VAULT_SETUP, two, &found));
	vault_del_ticket(tx, VAULT_API_TOKEN, &owner);
	assert_true(vault_owner_of_ticket(tx, VAULT_SETUP, two, &found));
	vault_del_ticket(tx, VAULT_SETUP, &owner);
	vault_del_ticket(tx, VAULT_SETUP, &owner);
	assert_false(vault_owner_of_ticket(tx, VAULT_SETUP, two, &found));
	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
}

static void
put_user(struct store_tx *tx, uint32_t n)
{
	struct Rec__User u = REC__USER__INIT;
	struct ulid id = id_n('u', n);

	u.id = id_bytes(&id);
	u.name = text("ann");
	user_store_put(tx, &u);
}

/* Left of an op whose second commit failed. */
static void
tickets_without_owner_are_removed(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = store_begin_write(f->state, &f->arena);
	struct store_tx *vault = store_begin_write(f->vault, &f->arena);
	struct ulid kept = id_n('t', 1), lost = id_n('t', 2);
	struct ulid user = id_n('u', 1), nobody = id_n('u', 2), found;
	uint8_t h[4][CRYPT_HASH_SIZE];

	hash_of("a", h[0]);
	hash_of("b", h[1]);
	hash_of("c", h[2]);
	hash_of("d", h[3]);
	put_user(tx, 1);
	put(tx, 1, 1, "kept");
	vault_put_ticket(vault, VAULT_API_TOKEN, &kept, h[0]);
	vault_put_ticket(vault, VAULT_API_TOKEN, &lost, h[1]);
	vault_put_ticket(vault, VAULT_SETUP, &user, h[2]);
	vault_put_ticket(vault, VAULT_SETUP, &nobody, h[3]);
	assert_int_equal(vault_reconcile(tx, vault), 2);
	assert_true(
	    vault_owner_of_ticket(vault, VAULT_API_TOKEN, h[0], &found));
	assert_false(
	    vault_owner_of_ticket(vault, VAULT_API_TOKEN, h[1], &found));
	assert_true(vault_owner_of_ticket(vault, VAULT_SETUP, h[2], &found));
	assert_false(vault_owner_of_ticket(vault, VAULT_SETUP, h[3], &found));
	store_abort(vault);
	store_abort(tx);
}

static void
put_session(struct store_tx *tx, const char *name, uint32_t user,
    int64_t expires_ms)
{
	struct Rec__Session s = REC__SESSION__INIT;
	struct ulid id = id_n('u', user);
	uint8_t hash[CRYPT_HASH_SIZE];

	hash_of(name, hash);
	s.user_id = id_bytes(&id);
	s.created_at_ms = 1;
	s.expires_at_ms = expires_ms;
	vault_put_session(tx, hash, &s, 50);
}

/* M-046, M-048: a user's sessions end, all or all but one. */
static void
sessions_of_a_user_end_together(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = store_begin_write(f->vault, &f->arena);
	struct ulid ann = id_n('u', 1), bob = id_n('u', 2);
	uint8_t keep[CRYPT_HASH_SIZE];

	hash_of("1", keep);
	put_session(tx, "1", 1, 100);
	put_session(tx, "2", 1, 100);
	put_session(tx, "3", 1, 50);
	put_session(tx, "4", 2, 100);
	assert_int_equal(vault_count_sessions(tx, &ann, 60), 2);
	assert_int_equal(vault_end_sessions(tx, &ann, keep), 2);
	assert_int_equal(vault_count_sessions(tx, &ann, 0), 1);
	assert_non_null(vault_find_session(tx, keep));
	assert_int_equal(vault_end_sessions(tx, &ann, NULL), 1);
	assert_int_equal(vault_count_sessions(tx, &ann, 0), 0);
	assert_int_equal(vault_count_sessions(tx, &bob, 0), 1);
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(tokens_are_listed_by_user_newest_first),
		store_test(a_token_needs_its_user),
		store_test(a_ticket_leads_to_its_owner),
		store_test(tickets_without_owner_are_removed),
		store_test(sessions_of_a_user_end_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
