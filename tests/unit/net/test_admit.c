/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/time_help.h"
#include "tests/unit/unit.h"

#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/net/admit.h"
#include "lib/net/loop_priv.h"

#define ANN "192.0.2.1"
#define BOB "192.0.2.2"
#define CARL "192.0.2.3"

enum {
	CLIENTS = 16,
	AT_ONCE = 4, /* of an address: connections, handshakes */
	EVERY_MS = 100,
	PLACES = 3,
	A_TURN = 2,
	REQUESTS = 3, /* of an address in a turn */
	BYTES = 1000,
	LOOK_MS = 120 /* more than it takes to look again */
};

struct client {
	struct admit_conn c;
	unsigned begun; /* its place in the order of all */
	unsigned turn;  /* of the loop, when it began */
	unsigned delayed;
	const char *why; /* it gave way */
};

struct fixture {
	struct loop *loop;
	struct loop_timer *stop;
	struct admit *admit;
	struct client clients[CLIENTS];
	unsigned n, begun;
};

static void
on_begin(void *ctx, struct admit_conn *c)
{
	struct fixture *f = ctx;
	struct client *who = CONTAINER_OF(c, struct client, c);

	assert_int_equal(who->begun, 0);
	assert_int_equal(c->step, ADMIT_BUSY);
	who->begun = ++f->begun;
	who->turn = loop_turn(f->loop);
}

static void
on_give_way(void *ctx, struct admit_conn *c, const char *why)
{
	struct client *who = CONTAINER_OF(c, struct client, c);

	(void)ctx;
	assert_null(who->why);
	assert_int_equal(c->step, ADMIT_GONE);
	who->why = why;
}

static void
on_offence(void *ctx, struct admit_conn *c, enum offence kind)
{
	(void)ctx;
	assert_int_equal(kind, OFFENCE_RATE);
	CONTAINER_OF(c, struct client, c)->delayed++;
}

static void
on_stop(void *ctx)
{
	loop_stop(ctx);
}

static const struct admit_calls calls = { on_begin, on_give_way, on_offence };

static int
make(void **state)
{
	struct fixture *f = MEM_NEW(struct fixture);
	struct err e;

	time_stop(1000000);
	assert_rc(loop_new(&f->loop, &e), RC_OK);
	f->stop = loop_timer_new(f->loop, on_stop, f->loop);
	f->admit = admit_new(f->loop,
	    &(struct admit_limits){ .per_address = AT_ONCE,
	        .in_progress = PLACES,
	        .per_turn = A_TURN,
	        .requests = REQUESTS,
	        .address_bytes = BYTES,
	        .address_ms = EVERY_MS },
	    &calls, f);
	*state = f;
	return 0;
}

/* Everybody leaves, in whatever step, and nothing is left of them. */
static int
destroy(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < f->n; i++)
		if (f->clients[i].c.peer != NULL)
			admit_leave(f->admit, &f->clients[i].c);
	assert_int_equal(admit_in_progress(f->admit), 0);
	admit_free(f->admit);
	loop_timer_free(f->stop);
	loop_free(f->loop);
	mem_free(f);
	time_run();
	return 0;
}

static struct client *
comes(struct fixture *f, const char *address, bool exempt, bool expected)
{
	struct client *who = &f->clients[f->n++];

	assert_true(f->n <= CLIENTS);
	assert_int_equal(admit_enter(f->admit, &who->c, address, exempt),
	    expected);
	return who;
}

static struct client *
enters(struct fixture *f, const char *address)
{
	return comes(f, address, false, true);
}

static struct client *
asks(struct fixture *f, const char *address)
{
	struct client *who = enters(f, address);

	admit_asks(f->admit, &who->c);
	return who;
}

/* Long enough for several turns, and for looking again. */
static void
run(struct fixture *f)
{
	loop_timer_start(f->stop, LOOK_MS, 0);
	loop_run(f->loop);
}

static void
finishes(struct fixture *f, struct client *who)
{
	admit_settled(f->admit, &who->c);
	admit_leave(f->admit, &who->c);
}

/* Three addresses have all the places, the first one's at *first, and a fourth
 * waits. */
static struct client *
waits_behind(struct fixture *f, struct client **first)
{
	struct client *last;

	*first = asks(f, ANN);
	asks(f, BOB);
	asks(f, CARL);
	last = asks(f, "192.0.2.4");
	run(f);
	assert_int_equal(last->begun, 0);
	return last;
}

/* ------------------------------------------------------------------ entry */

static void
an_address_has_so_many_connections(void **state)
{
	struct fixture *f = *state;
	struct client *first = enters(f, ANN);
	unsigned i;

	for (i = 1; i < AT_ONCE; i++)
		enters(f, ANN);
	admit_leave(f->admit, &comes(f, ANN, false, false)->c);
	enters(f, BOB);
	assert_null(first->why); /* younger than any round trip */
	admit_leave(f->admit, &first->c);
	enters(f, ANN);
}

static void
trusted_proxies_have_as_many_as_they_want(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < 2 * AT_ONCE; i++)
		comes(f, ANN, true, true);
}

static void
one_ipv6_network_is_one_address(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < AT_ONCE; i++)
		enters(f, i % 2 ? "2001:db8::1" : "2001:db8::ffff:2");
	admit_leave(f->admit, &comes(f, "2001:db8::3", false, false)->c);
	enters(f, "2001:db8:0:1::1");
}

static void
the_oldest_silent_one_of_the_address_gives_way(void **state)
{
	struct fixture *f = *state;
	struct client *other = enters(f, BOB), *speaks = enters(f, ANN);
	struct client *silent = enters(f, ANN);
	unsigned i;

	admit_settled(f->admit, &speaks->c);
	for (i = 2; i < AT_ONCE; i++)
		enters(f, ANN);
	pass(1000);
	enters(f, ANN);
	assert_non_null(silent->why);
	assert_null(speaks->why);
	assert_null(other->why);
}

static void
when_all_is_full_the_oldest_silent_one_of_all_gives_way(void **state)
{
	struct fixture *f = *state;
	struct client *speaks = enters(f, ANN), *silent = enters(f, BOB);

	admit_settled(f->admit, &speaks->c);
	assert_false(admit_make_room(f->admit));
	pass(1000);
	assert_true(admit_make_room(f->admit));
	assert_non_null(silent->why);
	assert_null(speaks->why);
	assert_false(admit_make_room(f->admit));
}

/* ------------------------------------------------------------- handshakes */

static void
so_many_begin_in_a_turn(void **state)
{
	struct fixture *f = *state;
	struct client *who[PLACES] = { asks(f, ANN), asks(f, BOB),
		asks(f, CARL) };

	run(f);
	assert_int_equal(f->begun, PLACES);
	assert_int_equal(who[0]->turn, who[1]->turn);
	assert_true(who[1]->turn != who[2]->turn);
}

static void
so_many_are_in_progress(void **state)
{
	struct fixture *f = *state;
	struct client *first, *last = waits_behind(f, &first);

	assert_int_equal(admit_in_progress(f->admit), PLACES);
	finishes(f, first);
	run(f);
	assert_int_equal(last->begun, PLACES + 1);
}

/* However many connections the first one has. */
static void
addresses_take_turns(void **state)
{
	struct fixture *f = *state;
	struct client *ann = asks(f, ANN), *again = asks(f, ANN), *bob;

	asks(f, ANN);
	bob = asks(f, BOB);
	run(f);
	assert_int_equal(ann->begun, 1);
	assert_int_equal(bob->begun, 2);
	assert_int_equal(again->begun, 3);
}

static void
after_a_burst_an_address_has_its_rate(void **state)
{
	struct fixture *f = *state;
	struct client *late;
	unsigned i;

	for (i = 0; i < AT_ONCE; i++) {
		late = asks(f, ANN);
		run(f);
		assert_int_equal(late->begun, i + 1);
		assert_int_equal(late->delayed, 0);
		finishes(f, late);
	}
	late = asks(f, ANN);
	run(f);
	assert_int_equal(late->begun, 0);
	asks(f, BOB);
	run(f);
	assert_int_equal(f->begun, AT_ONCE + 1); /* Bob does not wait for it */
	pass(EVERY_MS);
	run(f);
	assert_int_equal(late->begun, AT_ONCE + 2);
	assert_int_equal(late->delayed, 1); /* told once */
}

static void
what_an_address_owes_outlives_its_connections(void **state)
{
	struct fixture *f = *state;
	struct client *who = asks(f, ANN);

	run(f);
	admit_charge(f->admit, &who->c, 50);
	finishes(f, who);
	pass(EVERY_MS * 40);
	admit_tick(f->admit);
	who = asks(f, ANN);
	run(f);
	assert_int_equal(who->begun, 0);
	pass(EVERY_MS * 10);
	run(f);
	assert_int_equal(who->begun, 2);
}

static void
nobody_owes_for_ever(void **state)
{
	struct fixture *f = *state;
	struct client *who = asks(f, ANN);

	run(f);
	admit_charge(f->admit, &who->c, 1000000);
	finishes(f, who);
	pass(15000);
	who = asks(f, ANN);
	run(f);
	assert_int_equal(who->begun, 2);
}

static void
who_holds_more_than_the_one_that_waits_gives_way(void **state)
{
	struct fixture *f = *state;
	struct client *held[PLACES], *bob;
	unsigned i;

	for (i = 0; i < PLACES; i++)
		held[i] = asks(f, ANN);
	run(f);
	bob = asks(f, BOB);
	run(f);
	assert_int_equal(bob->begun, 0);
	pass(1000);
	run(f);
	assert_int_equal(bob->begun, PLACES + 1);
	assert_non_null(held[0]->why);
	assert_null(held[1]->why);
	assert_int_equal(admit_in_progress(f->admit), PLACES);
}

static void
who_holds_no_more_has_three_seconds(void **state)
{
	struct fixture *f = *state;
	struct client *first, *last = waits_behind(f, &first);

	pass(2999);
	run(f);
	assert_null(first->why);
	assert_int_equal(last->begun, 0);
	pass(1);
	run(f);
	assert_non_null(first->why);
	assert_int_equal(last->begun, PLACES + 1);
}

static void
who_leaves_while_it_waits_takes_no_turn(void **state)
{
	struct fixture *f = *state;
	struct client *gone = asks(f, ANN), *bob;

	bob = asks(f, BOB);
	admit_leave(f->admit, &gone->c);
	run(f);
	assert_int_equal(gone->begun, 0);
	assert_int_equal(bob->begun, 1);
}

/* ------------------------------------------------------------------- load */

static unsigned
begin_requests(struct fixture *f, struct client *who)
{
	unsigned n = 0;

	while (n < 100 && admit_request(f->admit, &who->c))
		n++;
	return n;
}

static void
an_address_begins_so_many_requests_in_a_turn(void **state)
{
	struct fixture *f = *state;
	struct client *ann = enters(f, ANN), *again = enters(f, ANN);
	struct client *bob = enters(f, BOB);
	struct client *proxy = comes(f, CARL, true, true);

	assert_true(admit_request(f->admit, &ann->c));
	assert_int_equal(begin_requests(f, again), REQUESTS - 1);
	assert_int_equal(begin_requests(f, ann), 0);
	assert_int_equal(begin_requests(f, bob), REQUESTS);
	assert_int_equal(begin_requests(f, proxy), 100);
	run(f);
	assert_int_equal(begin_requests(f, ann), REQUESTS);
}

static void
connections_of_an_address_hold_so_much_together(void **state)
{
	struct fixture *f = *state;
	struct client *one = enters(f, ANN), *two = enters(f, ANN);
	struct client *bob = enters(f, BOB),
	              *proxy = comes(f, CARL, true, true);

	assert_true(admit_load(f->admit, &one->c, BYTES / 2));
	assert_true(admit_load(f->admit, &one->c, BYTES - 1)); /* not more */
	assert_true(admit_load(f->admit, &two->c, 1));
	assert_false(admit_load(f->admit, &two->c, 2));
	assert_true(admit_load(f->admit, &bob->c, BYTES));
	assert_true(admit_load(f->admit, &proxy->c, 100 * BYTES));
	admit_leave(f->admit, &one->c);
	assert_true(admit_load(f->admit, &two->c, BYTES));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, destroy)
	const struct CMUnitTest tests[] = {
		TEST(an_address_has_so_many_connections),
		TEST(trusted_proxies_have_as_many_as_they_want),
		TEST(one_ipv6_network_is_one_address),
		TEST(the_oldest_silent_one_of_the_address_gives_way),
		TEST(when_all_is_full_the_oldest_silent_one_of_all_gives_way),
		TEST(so_many_begin_in_a_turn),
		TEST(so_many_are_in_progress),
		TEST(addresses_take_turns),
		TEST(after_a_burst_an_address_has_its_rate),
		TEST(what_an_address_owes_outlives_its_connections),
		TEST(nobody_owes_for_ever),
		TEST(who_holds_more_than_the_one_that_waits_gives_way),
		TEST(who_holds_no_more_has_three_seconds),
		TEST(who_leaves_while_it_waits_takes_no_turn),
		TEST(an_address_begins_so_many_requests_in_a_turn),
		TEST(connections_of_an_address_hold_so_much_together),
	};
	struct err e;

	if (crypt_init(&e) != RC_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
