/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/enrol_store.h"

#include "tests/unit/store/store_fixture.h"

#define NOW INT64_C(1700000000000)
#define HOUR INT64_C(3600000)

struct hash {
	uint8_t b[CRYPT_HASH_SIZE];
};

static struct hash
hash_n(int n)
{
	struct hash h;

	memset(h.b, n, sizeof(h.b));
	return h;
}

/* Made so long ago; used by a host, or 0. */
static void
put(struct store_tx *tx, int n, int64_t age_ms, uint32_t host)
{
	struct Rec__Enrolment e = REC__ENROLMENT__INIT;
	struct ulid id = id_n(1, host);
	struct hash h = hash_n(n);

	e.hostname = text("web-1");
	e.created_at_ms = NOW - age_ms;
	e.expires_at_ms = e.created_at_ms + HOUR;
	if (host != 0) {
		e.used_at_ms = e.created_at_ms + 1;
		e.used_host = id_bytes(&id);
	}
	enrol_store_put(tx, h.b, &e);
}

static struct Rec__Enrolment *
find(struct store_tx *tx, int n)
{
	struct hash h = hash_n(n);

	return enrol_store_find(tx, h.b);
}

static void
what_was_used_is_not_expired(void **state)
{
	struct Rec__Enrolment e = REC__ENROLMENT__INIT;
	uint8_t next[CRYPT_HASH_SIZE] = { 1 };

	(void)state;
	e.expires_at_ms = NOW;
	assert_int_equal(enrol_store_state(&e, NOW - 1), ENROL_AWAITING);
	assert_int_equal(enrol_store_state(&e, NOW), ENROL_EXPIRED);
	e.revoked_at_ms = NOW - 2;
	assert_int_equal(enrol_store_state(&e, NOW), ENROL_REVOKED);
	e.replaced_by = bytes_of(next, sizeof(next));
	assert_int_equal(enrol_store_state(&e, NOW), ENROL_REPLACED);
	e = (struct Rec__Enrolment)REC__ENROLMENT__INIT;
	e.used_at_ms = NOW - 2;
	assert_int_equal(enrol_store_state(&e, NOW), ENROL_USED);
}

static void
what_can_be_used_comes_first_then_the_newest(void **state)
{
	static const int order[] = { 3, 1, 4, 2 };
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	struct Rec__Enrolment *e;
	const struct enrol_row *rows;
	uint8_t next[CRYPT_HASH_SIZE] = { 1 };
	size_t n, i;

	put(tx, 1, HOUR / 2, 0);
	put(tx, 2, 5 * HOUR, 0);
	put(tx, 3, HOUR / 4, 0);
	put(tx, 4, HOUR / 8, 7);
	put(tx, 5, 0, 0);
	e = find(tx, 5);
	e->replaced_by = bytes_of(next, sizeof(next));
	e->revoked_at_ms = NOW;
	enrol_store_put(tx, hash_n(5).b, e);
	rows = enrol_store_list(tx, NOW, &n);
	assert_int_equal(n, sizeof(order) / sizeof(order[0]));
	for (i = 0; i < n; i++)
		assert_int_equal(rows[i].hash[0], order[i]);
	fixture_commit(tx);
}

static void
they_go_by_age_and_with_their_host(void **state)
{
	struct ulid host = id_n(1, 7);
	struct fixture *f = *state;
	struct store_tx *tx = fixture_write(f);
	size_t n;

	put(tx, 1, 30 * HOUR, 0);
	put(tx, 2, 40 * HOUR, 0);
	put(tx, 3, HOUR, 7);
	put(tx, 4, HOUR, 8);
	assert_int_equal(enrol_store_sweep(tx, NOW - 24 * HOUR, 1), 1);
	assert_int_equal(enrol_store_sweep(tx, NOW - 24 * HOUR, 10), 1);
	assert_int_equal(enrol_store_sweep(tx, NOW - 24 * HOUR, 10), 0);
	enrol_store_del_host(tx, &host);
	assert_null(find(tx, 3));
	assert_non_null(find(tx, 4));
	(void)enrol_store_list(tx, NOW, &n);
	assert_int_equal(n, 1);
	assert_false(enrol_store_full(tx));
	fixture_commit(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_used_is_not_expired),
		store_test(what_can_be_used_comes_first_then_the_newest),
		store_test(they_go_by_age_and_with_their_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
