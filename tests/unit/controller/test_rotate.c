/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Another bearer in place of an agent's (W-10): what the controller holds good
 * at each step. */
#include "tests/unit/controller/agents_bench.h"

#define FRESH "fresh-fresh-fresh-fresh-fresh-fresh-fresh-f"
#define OTHER "other-other-other-other-other-other-other-o"

static void
ask(struct bench *b)
{
	struct store_tx *tx = fixture_write(&b->f);
	struct Rec__Host *h = host_store_get(tx, &b->host);

	assert_non_null(h);
	h->rotation_asked_ms = b->now;
	host_store_put(tx, h);
	fixture_commit(tx);
	agents_rotate(b->c.agents, &b->host);
}

/* A Session by a bearer, offering another one or none. */
static void
hello_by(struct bench *b, struct end *e, const char *bearer, const char *offer)
{
	Wire__Hello h = hello_of(b, b->instance);
	uint8_t hash[CRYPT_HASH_SIZE];

	h.config_version = 3;
	h.rotates_bearer = true;
	if (offer != NULL) {
		crypt_sha256(str_of(offer), hash);
		h.new_bearer_sha256 = bytes_of(hash, sizeof(hash));
	}
	call(b, e, SERVICE "Session", bearer);
	send_hello(b, e, &h);
	settle(b);
}

static bool
is_good(struct bench *b, const char *bearer)
{
	struct store_tx *tx = store_begin_read(b->f.vault, &b->f.arena);
	uint8_t hash[CRYPT_HASH_SIZE];
	struct ulid found;
	bool good;

	crypt_sha256(str_of(bearer), hash);
	good = vault_host_of_bearer(tx, hash, &found);
	store_abort(tx);
	return good && ulid_eq(&found, &b->host);
}

static void
set_bearers(struct bench *b, const char *newest, const char *before)
{
	struct store_tx *tx = store_begin_write(b->f.vault, &b->f.arena);
	struct Rec__HostSecrets *s = vault_find_host(tx, &b->host);
	uint8_t one[CRYPT_HASH_SIZE], two[CRYPT_HASH_SIZE];

	assert_non_null(s);
	crypt_sha256(str_of(newest), one);
	s->bearer_hash = bytes_of(one, sizeof(one));
	s->previous_bearer_hash = (ProtobufCBinaryData){ 0, NULL };
	if (before != NULL) {
		crypt_sha256(str_of(before), two);
		s->previous_bearer_hash = bytes_of(two, sizeof(two));
	}
	vault_put_host(tx, &b->host, s);
	fixture_commit(tx);
}

static bool
is_wanted(struct bench *b)
{
	return host(b)->rotation_asked_ms != 0;
}

static void
a_session_is_told_and_the_old_one_goes(void **state)
{
	struct bench *b = *state;

	hello_by(b, &b->one, BEARER, NULL);
	assert_int_equal(b->one.wishes, 0);
	assert_true(host(b)->rotates_bearer);
	ask(b);
	settle(b);
	assert_int_equal(b->one.wishes, 1);
	assert_false(b->one.ended);
	/* The offer ends both its own call and the one before. */
	hello_by(b, &b->two, BEARER, FRESH);
	assert_true(b->one.ended && b->two.ended);
	assert_int_equal(b->two.wishes, 0);
	assert_string_equal(b->two.code, "bearer_rotated");
	assert_true(is_good(b, BEARER) && is_good(b, FRESH));
	assert_true(is_wanted(b));
	hello_by(b, &b->one, FRESH, NULL);
	assert_false(b->one.ended);
	assert_int_equal(b->one.wishes, 0);
	assert_true(is_good(b, FRESH));
	assert_false(is_good(b, BEARER));
	assert_false(is_wanted(b));
	assert_int_equal(host(b)->bearer_rotated_at_ms, b->now);
	hello_by(b, &b->two, BEARER, NULL);
	assert_int_equal(b->two.status, GRPC_UNAUTHENTICATED);
	assert_false(b->one.ended);
}

/* A call that was let in by the old one, and says nothing yet. */
static void
what_is_open_by_the_old_one_is_closed(void **state)
{
	struct bench *b = *state;

	set_bearers(b, FRESH, BEARER);
	call(b, &b->two, SERVICE "Session", BEARER);
	settle(b);
	assert_false(b->two.ended);
	hello_by(b, &b->one, FRESH, NULL);
	assert_false(b->one.ended);
	assert_true(b->two.ended);
	assert_int_equal(b->two.status, GRPC_UNAUTHENTICATED);
}

static void
who_was_away_is_told_by_its_hello(void **state)
{
	struct bench *b = *state;

	ask(b);
	hello_by(b, &b->one, BEARER, NULL);
	assert_int_equal(b->one.wishes, 1);
	assert_false(b->one.ended);
	assert_true(is_good(b, BEARER));
}

static void
nothing_is_taken_that_was_not_asked_for(void **state)
{
	struct bench *b = *state;

	hello_by(b, &b->one, BEARER, FRESH);
	assert_false(b->one.ended);
	assert_int_equal(b->one.wishes, 0);
	assert_false(is_good(b, FRESH));
	/* Nor the same one as another. */
	ask(b);
	hello_by(b, &b->two, BEARER, BEARER);
	assert_false(b->two.ended);
	assert_int_equal(b->two.wishes, 1);
	assert_true(is_good(b, BEARER));
	assert_int_equal(host(b)->bearer_rotated_at_ms, 0);
}

/* The agent lost what it had offered, before it used it. */
static void
another_offer_takes_the_place_of_a_lost_one(void **state)
{
	struct bench *b = *state;

	ask(b);
	hello_by(b, &b->one, BEARER, OTHER);
	assert_true(is_good(b, OTHER));
	hello_by(b, &b->one, BEARER, NULL);
	assert_int_equal(b->one.wishes, 1);
	hello_by(b, &b->one, BEARER, FRESH);
	assert_string_equal(b->one.code, "bearer_rotated");
	assert_true(is_good(b, BEARER) && is_good(b, FRESH));
	assert_false(is_good(b, OTHER));
	/* Its answer was lost: the same once more. */
	hello_by(b, &b->one, BEARER, FRESH);
	assert_string_equal(b->one.code, "bearer_rotated");
	assert_true(is_good(b, BEARER) && is_good(b, FRESH));
}

/* Killed between the vault's commit and that of state. */
static void
what_the_log_does_not_have_is_done_again(void **state)
{
	struct bench *b = *state;

	ask(b);
	set_bearers(b, FRESH, NULL);
	hello_by(b, &b->one, FRESH, NULL);
	assert_int_equal(b->one.wishes, 1);
	hello_by(b, &b->one, FRESH, OTHER);
	hello_by(b, &b->one, OTHER, NULL);
	assert_false(b->one.ended);
	assert_false(is_wanted(b) || is_good(b, FRESH));
	assert_true(is_good(b, OTHER));
}

/* state was copied before the vault: the wish is not known any more. */
static void
a_wish_that_was_lost_leaves_no_second_bearer(void **state)
{
	struct bench *b = *state;

	set_bearers(b, FRESH, BEARER);
	hello_by(b, &b->one, FRESH, NULL);
	assert_false(b->one.ended);
	assert_true(is_good(b, FRESH));
	assert_false(is_good(b, BEARER));
}

static void
an_offer_of_the_wrong_size_is_refused(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);

	ask(b);
	h.new_bearer_sha256 = bytes_of(b->instance, 31);
	call(b, &b->one, SERVICE "Session", BEARER);
	send_hello(b, &b->one, &h);
	run_until(b, one_has_ended);
	assert_string_equal(b->one.code, "bad_request");
}

static void
send_offer(struct bench *b, const char *offer)
{
	Wire__Hello h = hello_of(b, b->instance);
	uint8_t hash[CRYPT_HASH_SIZE];

	h.config_version = 3;
	h.rotates_bearer = true;
	crypt_sha256(str_of(offer), hash);
	h.new_bearer_sha256 = bytes_of(hash, sizeof(hash));
	send_poll(b, &b->one, &h, NULL, 25000);
	run_until(b, one_has_ended);
}

static void
a_poll_that_waits_is_told_at_once(void **state)
{
	struct bench *b = *state;
	Wire__Hello h = hello_of(b, b->instance);

	h.config_version = 3;
	h.rotates_bearer = true;
	send_poll(b, &b->one, &h, NULL, 25000);
	settle(b);
	if (b->one.ended) { /* it brought the init that waited */
		send_poll(b, &b->one, &h, NULL, 25000);
		settle(b);
	}
	assert_false(b->one.ended);
	ask(b);
	run_until(b, one_has_ended);
	assert_int_equal(b->one.status, GRPC_OK);
	assert_int_equal(b->one.wishes, 1);
	send_offer(b, FRESH);
	assert_string_equal(b->one.code, "bearer_rotated");
	assert_true(is_good(b, BEARER) && is_good(b, FRESH));
}

#define ON_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BENCH(a_session_is_told_and_the_old_one_goes),
		ON_BENCH(what_is_open_by_the_old_one_is_closed),
		ON_BENCH(who_was_away_is_told_by_its_hello),
		ON_BENCH(nothing_is_taken_that_was_not_asked_for),
		ON_BENCH(another_offer_takes_the_place_of_a_lost_one),
		ON_BENCH(what_the_log_does_not_have_is_done_again),
		ON_BENCH(a_wish_that_was_lost_leaves_no_second_bearer),
		ON_BENCH(an_offer_of_the_wrong_size_is_refused),
		ON_BENCH(a_poll_that_waits_is_told_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
