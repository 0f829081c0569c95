/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which bearer is shown, and how one takes the place of another (W-10). */
#include "tests/unit/agent/uplink_help.h"

#include "agent/bearer.h"

/* ------------------------------------------------------------ the bearers */

static void
open_bearer(struct bearer *b, const char *enrolled)
{
	assert_rc(bearer_open(b, a.secrets, enrolled, NULL), RC_OK);
}

static void
a_host_has_the_one_of_its_enrolment(void **state)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct bearer b;

	(void)state;
	open_bearer(&b, "enrolled");
	assert_string_equal(bearer_in_use(&b), "enrolled");
	assert_false(bearer_offer(&b, hash));
	assert_false(bearer_refused(&b));
	assert_string_equal(bearer_in_use(&b), "enrolled");
}

static void
a_new_one_is_on_disk_before_it_is_offered(void **state)
{
	uint8_t offered[CRYPT_HASH_SIZE], hash[CRYPT_HASH_SIZE];
	struct bearer b, again;

	(void)state;
	open_bearer(&b, "enrolled");
	assert_rc(bearer_renew(&b, NULL), RC_OK);
	assert_string_equal(bearer_in_use(&b), "enrolled");
	assert_true(bearer_offer(&b, offered));
	/* Killed here: the next start shows it first, then the old one. */
	open_bearer(&again, "enrolled");
	crypt_sha256(str_of(bearer_in_use(&again)), hash);
	assert_memory_equal(hash, offered, sizeof(hash));
	assert_true(bearer_refused(&again));
	assert_string_equal(bearer_in_use(&again), "enrolled");
	bearer_good(&again);
	/* Asked once more: it is the same that is offered. */
	assert_rc(bearer_renew(&again, NULL), RC_OK);
	assert_true(bearer_offer(&again, hash));
	assert_memory_equal(hash, offered, sizeof(hash));
	bearer_taken(&again);
	assert_false(bearer_offer(&again, hash));
}

static void
rotate(struct bearer *b, char out[BEARER_CAP])
{
	assert_rc(bearer_renew(b, NULL), RC_OK);
	bearer_taken(b);
	assert_true(str_copy(out, BEARER_CAP, str_of(bearer_in_use(b))));
}

/* For a controller that was restored from an older copy. */
static void
the_ones_before_are_a_last_resort(void **state)
{
	char made[5][BEARER_CAP];
	struct bearer b;
	size_t i;

	(void)state;
	open_bearer(&b, "enrolled");
	for (i = 0; i < ARRAY_LEN(made); i++)
		rotate(&b, made[i]);
	for (i = 0; i < 2; i++) { /* of this run, and of the next */
		assert_string_equal(bearer_in_use(&b), made[4]);
		assert_true(bearer_refused(&b));
		assert_string_equal(bearer_in_use(&b), made[3]);
		assert_true(bearer_refused(&b));
		assert_string_equal(bearer_in_use(&b), made[2]);
		assert_true(bearer_refused(&b));
		assert_string_equal(bearer_in_use(&b), "enrolled");
		assert_false(bearer_refused(&b));
		open_bearer(&b, "enrolled");
	}
}

static void
another_enrolment_has_none_of_them(void **state)
{
	char made[BEARER_CAP];
	struct bearer b;

	(void)state;
	open_bearer(&b, "enrolled");
	rotate(&b, made);
	open_bearer(&b, "enrolled anew");
	assert_string_equal(bearer_in_use(&b), "enrolled anew");
	assert_false(bearer_refused(&b));
	rotate(&b, made);
	assert_true(bearer_refused(&b));
	assert_string_equal(bearer_in_use(&b), "enrolled anew");
	assert_false(bearer_refused(&b));
}

static void
what_cannot_be_stored_is_not_offered(void **state)
{
	uint8_t hash[CRYPT_HASH_SIZE];
	struct bearer b;
	struct err e;

	(void)state;
	open_bearer(&b, "enrolled");
	assert_int_equal(mkdir(secrets_path, 0700),
	    0); /* no file takes its place */
	assert_true(bearer_renew(&b, &e) != RC_OK);
	assert_string_equal(bearer_in_use(&b), "enrolled");
	assert_false(bearer_offer(&b, hash));
	assert_int_equal(rmdir(secrets_path), 0);
}

/* ------------------------------------------------------------- the uplink */

static void
give_wish(struct grpc_ccall *c)
{
	Wire__ControllerMessage m = WIRE__CONTROLLER_MESSAGE__INIT;
	Wire__RotateBearer r = WIRE__ROTATE_BEARER__INIT;

	m.body_case = WIRE__CONTROLLER_MESSAGE__BODY_ROTATE_BEARER;
	m.rotate_bearer = &r;
	give(c, &m.base);
}

/* The bearer that the call shows, and what its hello offers. */
static void
check_call(const struct grpc_ccall *c, const char *bearer, const char *offer)
{
	Wire__AgentMessage *m = last_message(c);
	uint8_t hash[CRYPT_HASH_SIZE];

	assert_string_equal(c->bearer, bearer);
	assert_int_equal(m->body_case, WIRE__AGENT_MESSAGE__BODY_HELLO);
	assert_true(m->hello->rotates_bearer);
	if (offer == NULL) {
		assert_int_equal(m->hello->new_bearer_sha256.len, 0);
	} else {
		crypt_sha256(str_of(offer), hash);
		assert_int_equal(m->hello->new_bearer_sha256.len, sizeof(hash));
		assert_memory_equal(m->hello->new_bearer_sha256.data, hash,
		    sizeof(hash));
	}
	wire__agent_message__free_unpacked(m, NULL);
}

/* What a start would show first. */
static void
newest(char out[BEARER_CAP])
{
	struct bearer b;

	open_bearer(&b, "bearer");
	assert_true(str_copy(out, BEARER_CAP, str_of(bearer_in_use(&b))));
}

static void
a_session_rotates(void **state)
{
	char fresh[BEARER_CAP];
	struct grpc_ccall *c;

	(void)state;
	c = live();
	check_call(c, "bearer", NULL);
	give_hello(c, 1);
	give_wish(c);
	assert_true(c->cancelled);
	newest(fresh);
	assert_string_not_equal(fresh, "bearer");
	c = live();
	check_call(c, "bearer", fresh);
	give_hello(c, 1);
	give_end(c, GRPC_CANCELLED, "bearer_rotated");
	c = live();
	check_call(c, fresh, NULL);
	give_hello(c, 1);
	assert_false(c->cancelled);
}

/* The end was lost on its way: the old one is not known any more. */
static void
a_lost_answer_is_made_up_for(void **state)
{
	char fresh[BEARER_CAP];
	struct grpc_ccall *c;

	(void)state;
	c = live();
	give_hello(c, 1);
	give_wish(c);
	newest(fresh);
	give_end(live(), GRPC_UNAVAILABLE, "");
	c = live();
	check_call(c, "bearer", fresh);
	give_end(c, GRPC_UNAUTHENTICATED, "unauthorised");
	c = live();
	check_call(c, fresh, NULL);
	give_hello(c, 1);
	assert_false(c->cancelled);
}

/* Started again with one that the controller never heard of. */
static void
an_unknown_new_one_gives_way_at_once(void **state)
{
	char fresh[BEARER_CAP];
	struct grpc_ccall *c;
	struct bearer b;
	struct err e;

	(void)state;
	open_bearer(&b, "bearer");
	rotate(&b, fresh);
	uplink_free(a.uplink);
	assert_rc(uplink_new(&a, &a.uplink, &e), RC_OK);
	c = live();
	check_call(c, fresh, NULL);
	give_end(c, GRPC_UNAUTHENTICATED, "unauthorised");
	c = live();
	check_call(c, "bearer", fresh);
	give_hello(c, 1);
	assert_false(c->cancelled);
}

static void
rotations_do_not_lead_to_polling(void **state)
{
	struct grpc_ccall *c;
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		c = live();
		give_hello(c, 1);
		give_wish(c);
		c = live();
		give_hello(c, 1);
		give_end(c, GRPC_CANCELLED, "bearer_rotated");
	}
	c = live();
	assert_string_equal(c->o.path, "/resticmanager.v1.Agent/Session");
}

static void
a_poll_rotates(void **state)
{
	Wire__HelloReply h = WIRE__HELLO_REPLY__INIT;
	Wire__PollReply r = WIRE__POLL_REPLY__INIT;
	char fresh[BEARER_CAP];
	struct grpc_ccall *c;
	struct grpc_conn *conn;
	Wire__PollRequest *q;
	size_t calls;
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		give_end(live(), GRPC_INTERNAL, "");
	c = live();
	h.resume_seq = 1;
	h.rotate_bearer = true;
	r.hello = &h;
	give(c, &r.base);
	newest(fresh);
	calls = fake.n_calls;
	give_end(c, GRPC_OK, "");
	c = called(calls + 1);
	q = last_poll(c);
	assert_string_equal(c->bearer, "bearer");
	assert_int_equal(q->hello->new_bearer_sha256.len, CRYPT_HASH_SIZE);
	wire__poll_request__free_unpacked(q, NULL);
	give_end(c, GRPC_CANCELLED, "bearer_rotated");
	conn = dialled(++fake.taken);
	conn->o.on_ready(conn->o.ctx, conn);
	c = call_now();
	q = last_poll(c);
	assert_string_equal(c->bearer, fresh);
	assert_int_equal(q->hello->new_bearer_sha256.len, 0);
	wire__poll_request__free_unpacked(q, NULL);
}

#define WITH_UPLINK(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_UPLINK(a_host_has_the_one_of_its_enrolment),
		WITH_UPLINK(a_new_one_is_on_disk_before_it_is_offered),
		WITH_UPLINK(the_ones_before_are_a_last_resort),
		WITH_UPLINK(another_enrolment_has_none_of_them),
		WITH_UPLINK(what_cannot_be_stored_is_not_offered),
		WITH_UPLINK(a_session_rotates),
		WITH_UPLINK(a_lost_answer_is_made_up_for),
		WITH_UPLINK(an_unknown_new_one_gives_way_at_once),
		WITH_UPLINK(rotations_do_not_lead_to_polling),
		WITH_UPLINK(a_poll_rotates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
