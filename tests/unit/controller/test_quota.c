/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/time_help.h"
#include "tests/unit/unit.h"

#include "controller/controller.h"
#include "controller/quota.h"
#include "controller/req.h"
#include "lib/base/crypt.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/net/offence.h"

enum {
	MINUTE_MS = 60000
};

struct fixture {
	struct controller c;
	struct req reqs[QUOTA_ANSWERS + 1];
};

static int
make(void **state)
{
	struct fixture *f = MEM_NEW(struct fixture);
	struct err e;

	log_open(STDERR_FILENO, LOG_ERROR);
	time_stop(1000000);
	assert_rc(loop_new(&f->c.loop, &e), RC_OK);
	f->c.offences = offences_new(NULL);
	f->c.quota = quota_new(f->c.loop);
	*state = f;
	return 0;
}

static int
destroy(void **state)
{
	struct fixture *f = *state;

	quota_free(f->c.quota);
	offences_free(f->c.offences);
	loop_free(f->c.loop);
	mem_free(f);
	time_run();
	return 0;
}

/* Request i, of that session. */
static struct req *
request(struct fixture *f, size_t i, uint8_t session)
{
	struct req *r = &f->reqs[i];

	memset(r, 0, sizeof(*r));
	r->ctl = &f->c;
	r->session_hash[0] = session;
	assert_true(str_copy(r->address, sizeof(r->address), STR("192.0.2.1")));
	return r;
}

static void
a_session_has_its_share_of_downloads(void **state)
{
	struct fixture *f = *state;
	struct req *more;
	struct err e;
	size_t i;

	for (i = 0; i < QUOTA_SESSION_ANSWERS; i++)
		assert_rc(quota_answer(request(f, i, 1), &e), RC_OK);
	more = request(f, i, 1);
	assert_rc(quota_answer(more, &e), RC_RATE);
	assert_int_equal(offences_count(f->c.offences, OFFENCE_VIEWS), 1);
	quota_closed(more); /* was not counted: gives nothing back */
	assert_rc(quota_answer(more, &e), RC_RATE);
	assert_rc(quota_answer(request(f, i + 1, 2), &e), RC_OK);
	quota_closed(&f->reqs[0]);
	quota_closed(&f->reqs[0]); /* once */
	assert_rc(quota_answer(more, &e), RC_OK);
	assert_rc(quota_answer(request(f, 0, 1), &e), RC_RATE);
}

static void
all_together_have_so_many(void **state)
{
	struct fixture *f = *state;
	struct req *last;
	struct err e;
	size_t i;

	for (i = 0; i < QUOTA_ANSWERS; i++)
		assert_rc(quota_answer(request(f, i,
		                           (uint8_t)(i /
		                                     QUOTA_SESSION_ANSWERS)),
		              &e),
		    RC_OK);
	last = request(f, i, 99);
	assert_rc(quota_answer(last, &e), RC_BUSY);
	assert_int_equal(offences_count(f->c.offences, OFFENCE_VIEWS), 0);
	quota_closed(&f->reqs[17]);
	assert_rc(quota_answer(last, &e), RC_OK);
	for (i = 0; i <= QUOTA_ANSWERS; i++)
		quota_closed(&f->reqs[i]);
	for (i = 0; i < QUOTA_SESSION_ANSWERS; i++)
		assert_rc(quota_answer(request(f, i, 99), &e), RC_OK);
}

static void
requests_of_nobody_have_so_many_lines(void **state)
{
	struct fixture *f = *state;
	struct req *r = request(f, 0, 0), *other = request(f, 1, 0);
	unsigned i;

	assert_true(
	    str_copy(other->address, sizeof(other->address), STR("192.0.2.2")));
	for (i = 0; i < QUOTA_LINES; i++)
		assert_true(quota_line(r));
	assert_false(quota_line(r));
	assert_int_equal(offences_count(f->c.offences, OFFENCE_REQUESTS), 1);
	assert_true(quota_line(other));
	pass(MINUTE_MS / QUOTA_LINES);
	assert_true(quota_line(r));
	assert_false(quota_line(r));
}

static void
who_signed_in_always_has_a_line(void **state)
{
	struct fixture *f = *state;
	struct req *r = request(f, 0, 1);
	unsigned i;

	assert_true(str_copy(r->user_name, sizeof(r->user_name), STR("ann")));
	for (i = 0; i < 3 * QUOTA_LINES; i++)
		assert_true(quota_line(r));
	assert_int_equal(offences_count(f->c.offences, OFFENCE_REQUESTS), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, destroy)
	const struct CMUnitTest tests[] = {
		TEST(a_session_has_its_share_of_downloads),
		TEST(all_together_have_so_many),
		TEST(requests_of_nobody_have_so_many_lines),
		TEST(who_signed_in_always_has_a_line),
	};
	struct err e;

	if (crypt_init(&e) != RC_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
