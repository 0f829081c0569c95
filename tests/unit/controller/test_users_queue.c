/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels: threads */
/* Guesses that wait for their hash: whose turn it is, and who is sent away. */
#include "tests/unit/controller/edge_fixture.h"

#include "controller/users_own.h"

enum {
	CROWD_MAX = 40,
	ANSWER_CAP = 4096
};

/* Clients in one loop with the controller; each has its answer's status. */
static struct crowd {
	int fd[CROWD_MAX];
	unsigned status[CROWD_MAX];
	unsigned n, stop_at;
} crowd;

static unsigned
answered(unsigned status)
{
	unsigned i, n = 0;

	for (i = 0; i < crowd.n; i++)
		n += crowd.status[i] == status;
	return n;
}

static void
look(struct edge *e)
{
	char text[ANSWER_CAP];
	unsigned i;
	ssize_t n;

	(void)e;
	for (i = 0; i < crowd.n; i++) {
		if (crowd.status[i] != 0)
			continue;
		n = recv(crowd.fd[i], text, sizeof(text) - 1, MSG_DONTWAIT);
		if (n < 12)
			continue;
		text[n] = '\0';
		crowd.status[i] = (unsigned)strtoul(text + 9, NULL, 10);
	}
}

static bool
all_are_answered(struct edge *e)
{
	look(e);
	return answered(0) == 0;
}

/* All others wait. */
static bool
some_were_sent_away(struct edge *e)
{
	look(e);
	return answered(503) > 0 && answered(0) == e->c.users->waiting;
}

static bool
so_many_wait(struct edge *e)
{
	look(e);
	return answered(0) == crowd.stop_at &&
	       e->c.users->waiting == crowd.stop_at;
}

static bool
the_last_is_answered(struct edge *e)
{
	look(e);
	return crowd.status[crowd.n - 1] != 0;
}

static void
run_until(struct edge *e, bool (*until)(struct edge *e))
{
	e->until = until;
	edge_run(e);
	e->until = NULL;
}

/* A guess that comes from 127.0.0.<last>. */
static void
guess(struct edge *e, unsigned last, const char *body)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f000000U + last) };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(listen_port(e->listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[1024];

	assert_true(fd >= 0 && crowd.n < CROWD_MAX);
	assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&from,
	                     sizeof(from)),
	    0);
	assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&to,
	                     sizeof(to)),
	    0);
	assert_true(str_fmt(text, sizeof(text),
	    "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(body), body));
	assert_int_equal(send(fd, text, strlen(text), 0),
	    (ssize_t)strlen(text));
	crowd.fd[crowd.n] = fd;
	crowd.status[crowd.n++] = 0;
}

static void
stranger(struct edge *e, unsigned last)
{
	char body[128];

	assert_true(str_fmt(body, sizeof(body),
	    "{\"username\":\"u%u\",\"password\":\"wrong\"}", crowd.n));
	guess(e, last, body);
}

static int
setup(void **state)
{
	struct edge *e;

	memset(&crowd, 0, sizeof(crowd));
	if (edge_setup(state) != 0)
		return 1;
	e = *state;
	edge_post(e, "/api/bootstrap", "", EDGE_ANN);
	edge_post(e, "/api/auth/login", "",
	    EDGE_ANN); /* known from 127.0.0.1 */
	return e->status == 200 ? 0 : 1;
}

static int
teardown(void **state)
{
	unsigned i;

	for (i = 0; i < crowd.n; i++)
		close(crowd.fd[i]);
	return edge_teardown(state);
}

static void
an_address_has_four_guesses_waiting(void **state)
{
	struct edge *e = *state;
	unsigned i;

	for (i = 0; i < USERS_ADDRESS_MAX + 2; i++)
		stranger(e, 9);
	run_until(e, all_are_answered);
	assert_int_equal(answered(401), USERS_ADDRESS_MAX);
	assert_int_equal(answered(503), 2);
	/* Who was answered makes room. */
	stranger(e, 9);
	run_until(e, all_are_answered);
	assert_int_equal(answered(401), USERS_ADDRESS_MAX + 1);
}

static void
all_strangers_have_so_many_places(void **state)
{
	struct edge *e = *state;
	unsigned i;

	for (i = 0; i < USERS_STRANGERS_MAX + 6; i++)
		stranger(e, 9 + i / (USERS_ADDRESS_MAX - 1));
	run_until(e, some_were_sent_away);
	assert_int_equal(answered(503) + answered(401) + e->c.users->waiting,
	    crowd.n);
	assert_true(e->c.users->waiting <= USERS_STRANGERS_MAX);
	assert_true(answered(503) + answered(401) >= 6);
	/* Places are kept for those we know. */
	guess(e, 1, EDGE_ANN);
	run_until(e, the_last_is_answered);
	assert_int_equal(crowd.status[crowd.n - 1], 200);
}

static void
who_is_known_goes_before_strangers(void **state)
{
	struct edge *e = *state;
	unsigned i;

	for (i = 0; i < 8; i++)
		stranger(e, 9 + i / 2);
	crowd.stop_at = 8;
	run_until(e, so_many_wait);
	guess(e, 1, EDGE_ANN);
	run_until(e, the_last_is_answered);
	assert_int_equal(crowd.status[crowd.n - 1], 200);
	/* The one whose hash was under way, and what the look missed. */
	assert_true(answered(401) <= 3);
	run_until(e, all_are_answered);
	assert_int_equal(answered(401), 8);
}

/* The same account guessed at from elsewhere is a stranger's. */
static void
a_known_account_from_elsewhere_is_not_known(void **state)
{
	struct edge *e = *state;
	unsigned i;

	for (i = 0; i < USERS_ADDRESS_MAX; i++)
		stranger(e, 9);
	crowd.stop_at = USERS_ADDRESS_MAX;
	run_until(e, so_many_wait);
	guess(e, 9, EDGE_ANN);
	run_until(e, the_last_is_answered);
	assert_int_equal(crowd.status[crowd.n - 1], 503);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_address_has_four_guesses_waiting),
		TEST(all_strangers_have_so_many_places),
		TEST(who_is_known_goes_before_strangers),
		TEST(a_known_account_from_elsewhere_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
