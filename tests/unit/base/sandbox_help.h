/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_BASE_SANDBOX_HELP_H
#define TESTS_UNIT_BASE_SANDBOX_HELP_H
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/crypt.h"
#include "lib/base/fsio.h"
#include "lib/base/log.h"
#include "lib/base/sandbox.h"
#include "tests/unit/base/tmpdir.h"

static const char zoneinfo[] = "/usr/share/zoneinfo";

/* What the child finds open when the sandbox closes around it. */
struct world {
	struct tmpdir outside; /* not among the paths */
	struct tmpdir in;      /* read path, for the controller write path */
	struct tmpdir library; /* read path for both */
	int listener;          /* Unix socket, listening */
	int peer;              /* connected to the listener, has sent "hello" */
	int pair[2];
	int loose; /* socket that is not connected */
};

static inline struct sockaddr_un
address(struct world *w)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (!str_fmt(a.sun_path, sizeof(a.sun_path), "%s/sock",
	        w->outside.path))
		abort();
	return a;
}

static inline int
setup(void **state)
{
	static struct world w;
	struct sockaddr_un a;

	tmpdir_make(&w.outside);
	tmpdir_make(&w.in);
	tmpdir_make(&w.library);
	tmpdir_write(&w.outside, "secret", "secret");
	tmpdir_write(&w.in, "data", "data");
	tmpdir_write(&w.library, "book", "book");
	a = address(&w);
	w.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	w.peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	w.loose = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(w.listener, (struct sockaddr *)(void *)&a, sizeof(a)) != 0 ||
	    listen(w.listener, 5) != 0 ||
	    connect(w.peer, (struct sockaddr *)(void *)&a, sizeof(a)) != 0 ||
	    send(w.peer, "hello", 5, 0) != 5 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, w.pair) != 0)
		return -1;
	*state = &w;
	return 0;
}

static inline int
teardown(void **state)
{
	struct world *w = *state;

	(void)close(w->listener);
	(void)close(w->peer);
	(void)close(w->loose);
	(void)close(w->pair[0]);
	(void)close(w->pair[1]);
	tmpdir_remove(w->outside.path);
	tmpdir_remove(w->in.path);
	tmpdir_remove(w->library.path);
	return 0;
}

/* A probe does one thing inside the sandbox.  What it returns:
 * DONE it worked; otherwise the errno. */
enum {
	DONE = 0,
	NO_LANDLOCK = 200,
	NO_SANDBOX = 201,
	WRONG = 202
};
typedef int probe_fn(struct world *w);

static inline int
result(long r)
{
	return r >= 0 ? DONE : errno;
}

static inline int
enter(const struct world *w, enum sandbox_profile profile,
    enum sandbox_mode mode)
{
	const char *read_paths[] = { w->in.path, w->library.path, zoneinfo,
		NULL };
	const char *write_paths[] = { w->in.path, NULL };
	const struct sandbox_opts render = { SANDBOX_RENDER, mode, read_paths,
		NULL, MIB(64) };
	const struct sandbox_opts controller = { SANDBOX_CONTROLLER, mode,
		read_paths, write_paths, 0 };
	bool landlock = false;
	struct err e;

	if (sandbox_enter(profile == SANDBOX_RENDER ? &render : &controller,
	        &landlock, &e) != RC_OK) {
		(void)fprintf(stderr, "%s\n", e.msg);
		return NO_SANDBOX;
	}
	return landlock ? DONE : NO_LANDLOCK;
}

/* Status of waitpid for the probe run in a child. */
static inline int
run(struct world *w, enum sandbox_profile profile, enum sandbox_mode mode,
    probe_fn *probe)
{
	int r, status = 0;
	pid_t pid;

	(void)close(w->pair[0]);
	(void)close(w->pair[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w->pair), 0);
	(void)fflush(NULL); /* or the child would say it again */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(20);
		r = enter(w, profile, mode);
		if (r != DONE && r != NO_LANDLOCK)
			_exit(r);
		_exit(probe(w));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline bool
have_landlock(const struct world *w)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter(w, SANDBOX_RENDER, SANDBOX_ERRNO));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(
	    WEXITSTATUS(status) == DONE || WEXITSTATUS(status) == NO_LANDLOCK);
	return WEXITSTATUS(status) == DONE;
}

struct probe {
	const char *name;
	probe_fn *fn;
};

static inline void
assert_works(struct world *w, enum sandbox_profile profile,
    const struct probe *p)
{
	static const enum sandbox_mode modes[] = { SANDBOX_ERRNO,
		SANDBOX_KILL };
	size_t i;
	int status;

	for (i = 0; i < ARRAY_LEN(modes); i++) {
		status = run(w, profile, modes[i], p->fn);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != DONE)
			fail_msg("%s does not work, status %#x", p->name,
			    (unsigned)status);
	}
}

/* By the filter: EPERM, or death by SIGSYS. */
static inline void
assert_filtered(struct world *w, enum sandbox_profile profile,
    const struct probe *p)
{
	int status;

	status = run(w, profile, SANDBOX_ERRNO, p->fn);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EPERM)
		fail_msg("%s is not refused, status %#x", p->name,
		    (unsigned)status);
	status = run(w, profile, SANDBOX_KILL, p->fn);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("%s does not kill, status %#x", p->name,
		    (unsigned)status);
}

/* Softly, in both modes. */
static inline void
assert_answers(struct world *w, enum sandbox_profile profile,
    const struct probe *p, int want)
{
	static const enum sandbox_mode modes[] = { SANDBOX_ERRNO,
		SANDBOX_KILL };
	size_t i;
	int status;

	for (i = 0; i < ARRAY_LEN(modes); i++) {
		status = run(w, profile, modes[i], p->fn);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != want)
			fail_msg("%s: status %#x", p->name, (unsigned)status);
	}
}

#define PROBE(f)      \
	{             \
#f, f \
	}
#endif
