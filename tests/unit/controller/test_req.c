/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/controller/edge_fixture.h"

#include <sys/mman.h>

#define SECRET "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde"
#define PIN "0000000000000000000000000000000000000000000"
#define HASH                               \
	"0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef"

/* What the request's record says. */
static void
log_of(struct edge *e, const char *path, char *dst, size_t cap)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	char request[1024];
	ssize_t n;

	assert_true(fd >= 0);
	assert_true(str_fmt(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\n"
	    "Accept: application/json\r\n\r\n",
	    path));
	log_open(fd, LOG_INFO);
	edge_ask(e, request);
	/* The record is written when the exchange ends. */
	loop_timer_start(e->tick, 50, 0);
	e->until = NULL;
	loop_run(e->c.loop);
	log_open(STDERR_FILENO, LOG_ERROR);
	n = pread(fd, dst, cap - 1, 0);
	assert_true(n > 0);
	dst[n] = '\0';
	close(fd);
}

/* The secret half alone opens an enrolment as well as the whole token. */
static void
a_token_in_a_path_is_not_logged(void **state)
{
	static const char *const paths[] = {
		"/hosts/pending/" SECRET "." PIN,
		"/hosts/pending/" SECRET,
		"/hosts/pending/" SECRET "%2E" PIN,
		"/hosts/pending/%41"
		"bCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde",
		"/hosts/pending/" SECRET ".cut/awaiting",
	};
	struct edge *e = *state;
	char log[4096];
	size_t i;

	for (i = 0; i < ARRAY_LEN(paths); i++) {
		log_of(e, paths[i], log, sizeof(log));
		assert_non_null(strstr(log, "path=/hosts/pending/[token] "));
		assert_null(strstr(log, "GhIjKlMn"));
	}
	log_of(e, "/hosts/pending/" HASH, log, sizeof(log));
	assert_non_null(strstr(log, "path=/hosts/pending/" HASH " "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		edge_test(a_token_in_a_path_is_not_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
