/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/pending_store.h"

#include "tests/unit/store/store_fixture.h"

enum {
	NOW = 1000000
};

/* A row whose key and id are made of n. */
static struct Rec__PendingHost
row(uint8_t n, const char *name)
{
	static uint8_t keys[256][CRYPT_SIGN_PUBLIC_SIZE];
	static struct ulid ids[256];
	struct Rec__PendingHost p = REC__PENDING_HOST__INIT;

	ids[n] = id_n(9, n);
	keys[n][0] = n;
	p.id = id_bytes(&ids[n]);
	p.public_key = bytes_of(keys[n], sizeof(keys[n]));
	p.hostname = text(name);
	p.expires_at_ms = NOW + PENDING_EXPIRES_MS;
	return p;
}

static void
put(struct store_tx *tx, const struct Rec__PendingHost *p)
{
	pending_store_put(tx, p);
	assert_rc(store_rc(tx), RC_OK);
}

/* M-085, M-093: found by id, by key and by the host that was made. */
static void
a_row_is_found_by_each_of_its_keys(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct Rec__PendingHost p = row(1, "web-1");
	struct ulid id = id_n(9, 1), host = id_n(1, 1);

	put(tx, &p);
	assert_int_equal(store_version(tx, VER_HOSTS), store_txid(tx));
	assert_non_null(pending_store_find(tx, &id));
	assert_non_null(pending_store_find_key(tx, p.public_key.data));
	assert_null(pending_store_find_host(tx, &host));
	p.state = REC__PENDING_STATE__PENDING_ACCEPTED;
	p.host_id = id_bytes(&host);
	put(tx, &p);
	assert_string_equal(pending_store_find_host(tx, &host)->hostname,
	    "web-1");
	pending_store_del(tx, &id);
	assert_null(pending_store_find(tx, &id));
	assert_null(pending_store_find_key(tx, p.public_key.data));
	assert_null(pending_store_find_host(tx, &host));
	pending_store_del(tx, &id);
	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
}

static void
a_key_belongs_to_one_row(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct Rec__PendingHost p = row(1, "web-1"), q = row(2, "web-2");

	put(tx, &p);
	q.public_key = p.public_key;
	pending_store_put(tx, &q);
	assert_rc(store_rc(tx), RC_CONFLICT);
	store_abort(tx);
	tx = fixture_write(f);
	q.public_key.len = 31;
	pending_store_put(tx, &q);
	assert_rc(store_rc(tx), RC_INVALID);
	store_abort(tx);
}

/* M-086: only what waits counts. */
static void
only_rows_that_wait_are_counted(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct Rec__PendingHost a = row(1, "a"), b = row(2, "b");
	struct Rec__PendingHost c = row(3, "c");

	b.state = REC__PENDING_STATE__PENDING_REJECTED;
	c.expires_at_ms = NOW;
	put(tx, &a);
	put(tx, &b);
	put(tx, &c);
	assert_int_equal(pending_store_waiting(tx, NOW), 1);
	assert_int_equal(pending_store_waiting(tx, NOW - 1), 2);
	store_abort(tx);
}

/* M-087 */
static void
a_name_collides_with_hosts_and_with_others_that_wait(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct Rec__PendingHost a = row(1, "web-1"), b = row(2, "WEB-1");
	struct Rec__PendingHost c = row(3, "db-1");
	struct ulid host = id_n(1, 1);

	put(tx, &a);
	assert_false(pending_store_collides(tx, &a, NOW));
	put(tx, &b);
	assert_true(pending_store_collides(tx, &a, NOW));
	assert_false(pending_store_collides(tx, &a, NOW + PENDING_EXPIRES_MS));
	assert_false(pending_store_collides(tx, &c, NOW));
	put_host(tx, &host, "Db-1");
	assert_true(pending_store_collides(tx, &c, NOW));
	store_abort(tx);
}

/* M-099; an accepted one stays until its host is heard of or deleted. */
static void
the_sweep_takes_what_is_over(void **state)
{
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct Rec__PendingHost a = row(1, "waits"), b = row(2, "rejected");
	struct Rec__PendingHost c = row(3, "accepted"), d = row(4, "deleted");
	struct ulid here = id_n(1, 1), gone = id_n(1, 2);
	int64_t later = NOW + PENDING_EXPIRES_MS;
	struct ulid id = id_n(9, 3);

	b.state = REC__PENDING_STATE__PENDING_REJECTED;
	c.state = d.state = REC__PENDING_STATE__PENDING_ACCEPTED;
	c.host_id = id_bytes(&here);
	d.host_id = id_bytes(&gone);
	put_host(tx, &here, "accepted");
	put(tx, &a);
	put(tx, &b);
	put(tx, &c);
	put(tx, &d);
	assert_int_equal(pending_store_sweep(tx, later - 1), 1);
	assert_int_equal(pending_store_sweep(tx, later), 2);
	assert_int_equal(pending_store_sweep(tx, later * 1000), 0);
	assert_non_null(pending_store_find(tx, &id));
	assert_rc(store_rc(tx), RC_OK);
	store_abort(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(a_row_is_found_by_each_of_its_keys),
		store_test(a_key_belongs_to_one_row),
		store_test(only_rows_that_wait_are_counted),
		store_test(
		    a_name_collides_with_hosts_and_with_others_that_wait),
		store_test(the_sweep_takes_what_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
