/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding the server, and what fails on the way there. */
#include "tests/unit/net/grpc_client_help.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static void
names_the_hop_that_failed(void **state)
{
	struct side *s = *state;
	struct tls_ctx *wrong;
	uint8_t pin[TLS_PIN_SIZE] = { 1 };
	struct err e;
	char url[64];

	assert_int_equal(tls_client_new(&(struct tls_client_opts){ .pin = pin },
	                     &wrong, &e),
	    RC_OK);
	dial(s, s->url, wrong, 0);
	assert_int_equal(s->why.rc, RC_AUTH);
	assert_non_null(strstr(s->why.msg, "TLS with 127.0.0.1"));
	assert_non_null(strstr(s->why.msg, "pinned"));
	grpc_conn_free(s->conn);
	tls_ctx_unref(wrong);

	dial(s, "https://127.0.0.1:1", s->client_tls, 0);
	assert_non_null(strstr(s->why.msg, "connecting to 127.0.0.1 port 1"));
	grpc_conn_free(s->conn);
	/* A label over 63 bytes is refused before any server is asked. */
	dial(s, "https://" LONG_LABEL ":1", s->client_tls, 0);
	assert_non_null(strstr(s->why.msg, "looking up " LONG_LABEL));
	grpc_conn_free(s->conn);
	dial(s, "ftp://x", s->client_tls, 0);
	assert_int_equal(s->why.rc, RC_INVALID);
	grpc_conn_free(s->conn);
	/* Plain HTTP/2 to the TLS port. */
	assert_true(str_fmt(url, sizeof(url), "http://127.0.0.1:%u",
	    listen_port(s->listener)));
	dial(s, url, NULL, 1000);
	assert_int_equal(s->ready, 0);
	assert_int_equal(s->down, 5);
}

/* A bare chroot has no /etc/hosts. */
static bool
knows_localhost(void)
{
	struct addrinfo *list;

	if (getaddrinfo("localhost", NULL, NULL, &list) != 0)
		return false;
	freeaddrinfo(list);
	return true;
}

/* Where localhost has two addresses, nobody listens at the first. */
static void
connects_by_name(void **state)
{
	struct side *s = *state;
	char url[64];

	if (!knows_localhost()) {
		print_message("localhost has no address here, skipped\n");
		skip();
	}
	assert_true(str_fmt(url, sizeof(url), "https://localhost:%u",
	    listen_port(s->listener)));
	dial(s, url, s->client_tls, 0);
	assert_int_equal(s->ready, 1);
	assert_int_equal(s->down, 0);
}

struct several {
	struct side *side;
	unsigned ready;
};

static void
on_one_of_several(void *ctx, struct grpc_conn *c)
{
	struct several *v = ctx;

	(void)c;
	if (++v->ready == 4)
		loop_stop(v->side->loop);
}

static void
on_several_down(void *ctx, struct grpc_conn *c, const struct err *e)
{
	(void)ctx;
	(void)c;
	fail_msg("%s", e->msg);
}

/* Their prefaces are made before any of them is sent. */
static void
dials_several_at_once(void **state)
{
	struct side *s = *state;
	struct several v = { .side = s };
	struct grpc_conn *conns[4];
	size_t i;

	for (i = 0; i < ARRAY_LEN(conns); i++)
		conns[i] = grpc_dial(&(struct grpc_dial_opts){
		    .loop = s->loop,
		    .url = s->url,
		    .tls = s->client_tls,
		    .on_ready = on_one_of_several,
		    .on_down = on_several_down,
		    .ctx = &v,
		});
	loop_run(s->loop);
	assert_int_equal(v.ready, ARRAY_LEN(conns));
	for (i = 0; i < ARRAY_LEN(conns); i++)
		grpc_conn_free(conns[i]);
}

static void
refuses_a_call_when_it_opens(void **state)
{
	struct side *s = *state;

	dial(s, s->url, s->client_tls, 0);
	s->call = open_call(s, "/t/Refuse", 0);
	assert_int_equal(grpc_call_send(s->call, STR("x")), RC_OK);
	loop_run(s->loop);
	assert_int_equal(s->status, GRPC_UNAUTHENTICATED);
	assert_string_equal(s->text, "who are you?");
	assert_int_equal(s->got, 0);
	assert_int_equal(s->messages, 0);
}

static int
listen_anywhere(struct sockaddr_in *sa)
{
	socklen_t n = sizeof(*sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*sa = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)sa, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)sa, &n), 0);
	return fd;
}

/* A server that accepts and says nothing. */
static void
times_out_on_a_silent_server(void **state)
{
	struct side *s = *state;
	struct sockaddr_in sa;
	int fd = listen_anywhere(&sa);
	char url[64];

	assert_true(str_fmt(url, sizeof(url), "https://127.0.0.1:%u",
	    ntohs(sa.sin_port)));
	dial(s, url, s->client_tls, 1000);
	assert_int_equal(s->why.rc, RC_TIMEOUT);
	assert_non_null(strstr(s->why.msg, "TLS with 127.0.0.1"));
	close(fd);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void
relay_once(int from, int to)
{
	char bytes[4096];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n <= 0 || write(to, bytes, (size_t)n) != n)
		_exit(0);
}

/* A process between client and server, which can be stopped: then nothing
 * comes and nothing is said about it. */
static pid_t
relay(unsigned port, char *url, size_t cap)
{
	struct sockaddr_in near, far;
	int ear = listen_anywhere(&near);
	struct pollfd p[2];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		close(ear);
		assert_true(str_fmt(url, cap, "https://127.0.0.1:%u",
		    ntohs(near.sin_port)));
		return pid;
	}
	far = near;
	far.sin_port = htons((uint16_t)port);
	p[0] = (struct pollfd){ accept(ear, NULL, NULL), POLLIN, 0 };
	p[1] = (struct pollfd){ socket(AF_INET, SOCK_STREAM, 0), POLLIN, 0 };
	if (connect(p[1].fd, (struct sockaddr *)&far, sizeof(far)) != 0)
		_exit(1);
	while (poll(p, 2, LIMIT_MS) > 0) {
		if (p[0].revents != 0)
			relay_once(p[0].fd, p[1].fd);
		if (p[1].revents != 0)
			relay_once(p[1].fd, p[0].fd);
	}
	_exit(0);
}

static void
on_speak(void *ctx)
{
	struct side *s = ctx;

	if (s->down == 0 && s->ends == 0)
		assert_int_equal(grpc_call_send(s->call, STR("x")), RC_OK);
}

/* Speaking is no sign of life: only what comes is one. */
static void
notices_a_silent_peer_while_it_speaks(void **state)
{
	struct side *s = *state;
	char url[64];
	pid_t pid = relay(listen_port(s->listener), url, sizeof(url));
	struct loop_timer *speak = loop_timer_new(s->loop, on_speak, s);

	dial(s, url, s->client_tls, 0);
	assert_int_equal(s->ready, 1);
	s->call = open_call(s, "/t/Count", 0);
	loop_timer_start(speak, 60, 60);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	while (s->down == 0)
		loop_run(s->loop);
	assert_int_equal(s->why.rc, RC_TIMEOUT);
	assert_non_null(strstr(s->why.msg, "does not answer any more"));
	loop_timer_free(speak);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(names_the_hop_that_failed),
		T(connects_by_name),
		T(dials_several_at_once),
		T(refuses_a_call_when_it_opens),
		T(times_out_on_a_silent_server),
		T(notices_a_silent_peer_while_it_speaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
