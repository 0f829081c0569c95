/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/user_store.h"

#include "tests/unit/store/store_fixture.h"

static void
put_user(struct store_tx *tx, const struct ulid *id, const char *name)
{
	struct Rec__User u = REC__USER__INIT;

	u.id = id_bytes(id);
	u.name = text(name);
	u.role = REC__ROLE__ROLE_VIEWER;
	user_store_put(tx, &u);
}

static void
a_name_belongs_to_one_user_in_any_case(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(3, 1), b = id_n(3, 2);
	struct store_tx *tx = fixture_write(f);

	put_user(tx, &a, "anna");
	put_user(tx, &a, "anna"); /* her own */
	assert_rc(store_rc(tx), RC_OK);
	put_user(tx, &b, "Anna");
	assert_rc(store_rc(tx), RC_CONFLICT);
	store_abort(tx);
}

static void
a_new_name_frees_the_old_one(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(3, 1), b = id_n(3, 2);
	struct store_tx *tx = fixture_write(f);
	struct Rec__User *u;

	put_user(tx, &a, "anna");
	put_user(tx, &a, "anne");
	assert_null(user_store_find_name(tx, STR("anna")));
	put_user(tx, &b, "anna");
	u = user_store_find_name(tx, STR("ANNA"));
	assert_non_null(u);
	assert_memory_equal(u->id.data, b.b, 16);
	assert_int_equal(user_store_count(tx), 2);
	assert_null(user_store_find_name(tx, STR("")));
	fixture_commit(tx);
}

static void
a_user_is_found_by_id(void **state)
{
	struct fixture *f = *state;
	struct ulid a = id_n(3, 1), b = id_n(3, 2);
	struct store_tx *tx = fixture_write(f);

	put_user(tx, &a, "anna");
	assert_int_equal(store_version(tx, VER_USERS), store_txid(tx));
	fixture_commit(tx);
	tx = fixture_read(f);
	assert_string_equal(user_store_get(tx, &a)->name, "anna");
	assert_null(user_store_find(tx, &b));
	assert_null(user_store_get(tx, &b));
	assert_rc(store_rc(tx), RC_NOTFOUND);
	store_abort(tx);
}

static void
a_user_without_id_or_name_is_refused(void **state)
{
	struct fixture *f = *state;
	struct Rec__User u = REC__USER__INIT;
	struct ulid id = id_n(3, 1);
	struct store_tx *tx = fixture_write(f);

	put_user(tx, &id, "");
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
	tx = fixture_write(f);
	u.name = text("anna");
	user_store_put(tx, &u);
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_name_belongs_to_one_user_in_any_case),
		store_test(a_new_name_frees_the_old_one),
		store_test(a_user_is_found_by_id),
		store_test(a_user_without_id_or_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
