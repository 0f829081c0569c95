/* SPDX-License-Identifier: GPL-3.0-or-later */
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

static struct sockaddr_un
address(struct world *w)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (!str_fmt(a.sun_path, sizeof(a.sun_path), "%s/sock",
	        w->outside.path))
		abort();
	return a;
}

static int
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

static int
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

static int
result(long r)
{
	return r >= 0 ? DONE : errno;
}

static int
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
static int
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

static bool
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

static void
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
static void
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
static void
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

/* Probes: files. */

static int
read_allowed_file(struct world *w)
{
	struct buf b;

	buf_init(&b, KIB(1));
	if (fsio_read(tmpdir_file(&w->in, "data"), &b, NULL) != RC_OK)
		return WRONG;
	return str_eqz(buf_str(&b), "data") ? DONE : WRONG;
}

static int
read_part_of_allowed_file(struct world *w)
{
	char text[2];
	struct stat st;
	int dir, fd;

	dir = open(w->in.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, "data", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size != 4 ||
	    pread(fd, text, 2, 2) != 2 || lseek(fd, 1, SEEK_SET) != 1)
		return WRONG;
	return memcmp(text, "ta", 2) == 0 ? result(close(fd)) : WRONG;
}

static int
list_allowed_directory(struct world *w)
{
	return tmpdir_count(w->in.path) == 1 ? DONE : WRONG;
}

static int
map_allowed_file(struct world *w)
{
	int fd = open(tmpdir_file(&w->in, "data"), O_RDONLY | O_CLOEXEC);
	const char *p;

	p = mmap(NULL, (size_t)256 << 30, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return errno;
	return memcmp(p, "data", 4) == 0 ? DONE : WRONG;
}

static int
ask_for_zone(struct world *w)
{
	int32_t offset_s = 0;

	(void)w;
	if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
		return DONE; /* no zone data on this machine */
	if (!clock_zone_offset("Europe/Berlin", 1767225600000, &offset_s))
		return WRONG;
	return offset_s == 3600 ? DONE : WRONG;
}

static int
read_outside(struct world *w)
{
	return result(
	    open(tmpdir_file(&w->outside, "secret"), O_RDONLY | O_CLOEXEC));
}

static int
read_by_dots(struct world *w)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/../%s/secret", w->in.path,
	    w->outside.path + strlen("/tmp/"));
	return result(open(path, O_RDONLY | O_CLOEXEC));
}

static int
read_passwd(struct world *w)
{
	(void)w;
	return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
list_root(struct world *w)
{
	(void)w;
	return result(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

UNUSED static int
open_for_writing(struct world *w)
{
	return result(open(tmpdir_file(&w->in, "data"), O_WRONLY | O_CLOEXEC));
}

UNUSED static int
open_for_both(struct world *w)
{
	return result(
	    openat(AT_FDCWD, tmpdir_file(&w->in, "data"), O_RDWR | O_CLOEXEC));
}

UNUSED static int
create_file(struct world *w)
{
	return result(open(tmpdir_file(&w->in, "new"),
	    O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

UNUSED static int
truncate_by_open(struct world *w)
{
	return result(
	    open(tmpdir_file(&w->in, "data"), O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static int
open_by_openat2(struct world *w)
{
	const uint64_t how[3] = { O_WRONLY, 0, 0 };

	return result(syscall(SYS_openat2, AT_FDCWD,
	    tmpdir_file(&w->in, "data"), how, sizeof(how)));
}

static int
truncate_file(struct world *w)
{
	return result(truncate(tmpdir_file(&w->in, "data"), 0));
}

static int
unlink_file(struct world *w)
{
	return result(unlink(tmpdir_file(&w->in, "data")));
}

static int
rename_file(struct world *w)
{
	return result(rename(tmpdir_file(&w->in, "data"), "/tmp/x"));
}

static int
make_directory(struct world *w)
{
	return result(mkdir(tmpdir_file(&w->in, "d"), 0700));
}

static int
change_mode(struct world *w)
{
	return result(chmod(tmpdir_file(&w->in, "data"), 0777));
}

static int
replace_in_write_path(struct world *w)
{
	if (fsio_replace(tmpdir_file(&w->in, "data"), STR("x"), 0600, NULL) !=
	    RC_OK)
		return WRONG;
	return fsio_replace(w->in.file, STR("data"), 0600, NULL) == RC_OK
	           ? DONE
	           : WRONG;
}

static int
create_outside(struct world *w)
{
	return result(open(tmpdir_file(&w->outside, "new"),
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
read_library(struct world *w)
{
	return result(
	    open(tmpdir_file(&w->library, "book"), O_RDONLY | O_CLOEXEC));
}

static int
write_library(struct world *w)
{
	return result(
	    open(tmpdir_file(&w->library, "book"), O_WRONLY | O_CLOEXEC));
}

static int
create_in_library(struct world *w)
{
	return result(open(tmpdir_file(&w->library, "new"),
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
truncate_library(struct world *w)
{
	return result(truncate(tmpdir_file(&w->library, "book"), 0));
}

static int
unlink_library(struct world *w)
{
	return result(unlink(tmpdir_file(&w->library, "book")));
}

/* Probes: sockets. */

static int
accept_and_talk(struct world *w)
{
	struct pollfd p = { .fd = w->listener, .events = POLLIN };
	char text[8] = "";
	struct iovec v[2] = { { text, 2 }, { text + 2, 3 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	int fd;

	if (poll(&p, 1, 1000) != 1)
		return WRONG;
	fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return errno;
	if (recv(fd, text, sizeof(text), 0) != 5 ||
	    memcmp(text, "hello", 5) != 0 || writev(fd, v, 2) != 5 ||
	    sendmsg(fd, &m, MSG_NOSIGNAL) != 5)
		return WRONG;
	/* Back in the queue for the next probe: the peer is told by close. */
	return result(close(fd));
}

static int
talk_over_pair(struct world *w)
{
	char text[8] = "";

	if (send(w->pair[0], "abc", 3, MSG_NOSIGNAL) != 3 ||
	    recv(w->pair[1], text, sizeof(text), 0) != 3 ||
	    write(w->pair[1], "de", 2) != 2 ||
	    read(w->pair[0], text, sizeof(text)) != 2)
		return WRONG;
	return result(shutdown(w->pair[0], SHUT_RDWR));
}

static int
set_nonblocking(struct world *w)
{
	const int flags = fcntl(w->pair[0], F_GETFL);

	return result(fcntl(w->pair[0], F_SETFL, flags | O_NONBLOCK));
}

static int
socket_unix(struct world *w)
{
	(void)w;
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
socket_inet(struct world *w)
{
	(void)w;
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
socket_netlink(struct world *w)
{
	(void)w;
	return result(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int
socket_packet(struct world *w)
{
	(void)w;
	return result(socket(AF_PACKET, SOCK_RAW, 0));
}

/* The kernel cuts the domain to an int. */
static int
socket_packet_hidden(struct world *w)
{
	(void)w;
	return result(syscall(SYS_socket, AF_PACKET | (1L << 32), SOCK_RAW, 0));
}

static int
connect_loose(struct world *w)
{
	const struct sockaddr_un a = address(w);

	return result(connect(w->loose,
	    (const struct sockaddr *)(const void *)&a, sizeof(a)));
}

static int
bind_loose(struct world *w)
{
	const struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = "\0rm-test-abstract" };

	return result(bind(w->loose, (const struct sockaddr *)(const void *)&a,
	    sizeof(a)));
}

/* Probes: memory, time, chance. */

static int
use_memory(struct world *w)
{
	char *p = malloc(100);
	size_t n;

	(void)w;
	for (n = 1000; n < MIB(16); n *= 3) {
		p = realloc(p, n);
		if (p == NULL)
			return WRONG;
		memset(p, 7, n);
	}
	free(p);
	return DONE;
}

static int
use_clocks(struct world *w)
{
	const struct timespec ts = { 0, 1000000 };
	const int64_t before = clock_mono_ms();

	(void)w;
	if (nanosleep(&ts, NULL) != 0 || usleep(1000) != 0 ||
	    clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL) != 0)
		return WRONG;
	return clock_mono_ms() > before && clock_now_ms() > 0 ? DONE : WRONG;
}

static int
use_randomness(struct world *w)
{
	uint8_t zero[32] = { 0 }, b[32] = { 0 };

	(void)w;
	crypt_random(b, sizeof(b));
	return memcmp(b, zero, sizeof(b)) != 0 ? DONE : WRONG;
}

static int
write_log(struct world *w)
{
	log_open(w->pair[1], LOG_INFO);
	log_info(LOG_PAGE, "page drawn page=%s", "dashboard");
	return DONE;
}

static int
on_stdio(struct world *w)
{
	(void)w;
	/* The first write asks whether it is a terminal. */
	return printf(" ") == 1 && fflush(stdout) == 0 ? DONE : WRONG;
}

static void
sandbox_on_signal(int sig)
{
	(void)sig;
}

static int
handle_signals(struct world *w)
{
	const struct sigaction sa = { .sa_handler = sandbox_on_signal };
	sigset_t set;

	(void)w;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	if (sigaction(SIGTERM, &sa, NULL) != 0)
		return errno;
	return result(sigprocmask(SIG_BLOCK, &set, NULL));
}

UNUSED static int
map_executable(struct world *w)
{
	(void)w;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
	           ? errno
	           : DONE;
}

UNUSED static int
make_executable(struct world *w)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)w;
	return result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

UNUSED static int
use_too_much_memory(struct world *w)
{
	char *volatile p = malloc(MIB(65));

	(void)w;
	return p == NULL ? DONE : WRONG;
}

/* Probes: processes and the kernel. */

static int
exec_true(struct world *w)
{
	static char *const argv[] = { NULL };

	(void)w;
	return result(execve("/bin/true", argv, argv));
}

static int
exec_by_descriptor(struct world *w)
{
	static char *const argv[] = { NULL };

	return result(
	    syscall(SYS_execveat, w->pair[0], "", argv, argv, AT_EMPTY_PATH));
}

UNUSED static int
start_child(struct world *w)
{
	const pid_t pid = fork();

	(void)w;
	if (pid == 0)
		_exit(0);
	return result(pid);
}

UNUSED static int
signal_parent(struct world *w)
{
	(void)w;
	return result(kill(getppid(), 0));
}

UNUSED static int
signal_thread_of_parent(struct world *w)
{
	(void)w;
	return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

UNUSED static int
trace_me(struct world *w)
{
	(void)w;
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

UNUSED static int
set_name(struct world *w)
{
	(void)w;
	return result(prctl(PR_SET_NAME, "x", 0, 0, 0));
}

UNUSED static int
raise_limit(struct world *w)
{
	const struct rlimit lim = { 100, 100 };

	(void)w;
	return result(setrlimit(RLIMIT_NOFILE, &lim));
}

static int
mount_tmpfs(struct world *w)
{
	return result(mount("none", w->in.path, "tmpfs", 0, NULL));
}

static int
new_namespace(struct world *w)
{
	(void)w;
	return result(unshare(CLONE_NEWUSER));
}

static int
clone_namespace(struct world *w)
{
	long pid;

	(void)w;
	pid =
	    syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
clone_the_new_way(struct world *w)
{
	(void)w;
	return result(syscall(SYS_clone3, NULL, 0));
}

static int
start_uring(struct world *w)
{
	(void)w;
	return result(syscall(SYS_io_uring_setup, 1, NULL));
}

static int
load_bpf(struct world *w)
{
	(void)w;
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static int
change_user(struct world *w)
{
	(void)w;
	return result(syscall(SYS_setuid, getuid()));
}

static int
anonymous_file(struct world *w)
{
	(void)w;
	return result(memfd_create("x", MFD_CLOEXEC));
}

static void *
sandbox_on_thread(void *arg)
{
	int *v = arg;

	*v = 7;
	return NULL;
}

static int
start_thread(struct world *w)
{
	pthread_t t;
	int v = 0;

	(void)w;
	if (pthread_create(&t, NULL, sandbox_on_thread, &v) != 0)
		return WRONG;
	(void)pthread_join(t, NULL);
	return v == 7 ? DONE : WRONG;
}

static int
look_for_privileges(struct world *w)
{
	(void)w;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? DONE : WRONG;
}

#define PROBE(f)      \
	{             \
#f, f \
	}

static void
renderer_does_its_work(void **state)
{
	static const struct probe probes[] = {
		PROBE(read_allowed_file),
		PROBE(read_part_of_allowed_file),
		PROBE(list_allowed_directory),
		PROBE(map_allowed_file),
		PROBE(ask_for_zone),
		PROBE(talk_over_pair),
		PROBE(set_nonblocking),
		PROBE(use_memory),
		PROBE(use_clocks),
		PROBE(use_randomness),
		PROBE(write_log),
		PROBE(on_stdio),
		PROBE(handle_signals),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_works(*state, SANDBOX_RENDER, &probes[i]);
}

static void
renderer_answers_on_its_socket(void **state)
{
	struct world *w = *state;
	char text[16];

	assert_int_equal(run(w, SANDBOX_RENDER, SANDBOX_KILL, accept_and_talk),
	    0);
	assert_int_equal(recv(w->peer, text, sizeof(text), MSG_WAITALL), 10);
	assert_memory_equal(text, "hellohello", 10);
}

static void
renderer_reads_nothing_else(void **state)
{
	static const struct probe probes[] = {
		PROBE(read_outside),
		PROBE(read_by_dots),
		PROBE(read_passwd),
		PROBE(list_root),
	};
	struct world *w = *state;
	size_t i;

	if (!have_landlock(w))
		skip(); /* this kernel has no landlock */
	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_answers(w, SANDBOX_RENDER, &probes[i], EACCES);
}

static void
renderer_changes_nothing(void **state)
{
	static const struct probe probes[] = {
#ifndef SANITIZER_BUILD
		PROBE(open_for_writing),
		PROBE(open_for_both),
		PROBE(create_file),
		PROBE(truncate_by_open),
#endif
		PROBE(open_by_openat2),
		PROBE(truncate_file),
		PROBE(unlink_file),
		PROBE(rename_file),
		PROBE(make_directory),
		PROBE(change_mode),
		PROBE(anonymous_file),
	};
	struct world *w = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_filtered(w, SANDBOX_RENDER, &probes[i]);
	assert_int_equal(tmpdir_count(w->in.path), 1);
}

static void
renderer_makes_no_connection(void **state)
{
	static const struct probe probes[] = {
		PROBE(socket_unix),
		PROBE(socket_inet),
		PROBE(socket_netlink),
		PROBE(socket_packet),
		PROBE(socket_packet_hidden),
		PROBE(connect_loose),
		PROBE(bind_loose),
		PROBE(start_uring),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_filtered(*state, SANDBOX_RENDER, &probes[i]);
}

static void
renderer_starts_and_touches_no_process(void **state)
{
	static const struct probe probes[] = {
		PROBE(exec_true),
		PROBE(exec_by_descriptor),
		PROBE(mount_tmpfs),
		PROBE(new_namespace),
		PROBE(load_bpf),
		PROBE(change_user),
#ifndef SANITIZER_BUILD
		PROBE(start_child),
		PROBE(clone_namespace),
		PROBE(clone_the_new_way),
		PROBE(signal_parent),
		PROBE(signal_thread_of_parent),
		PROBE(trace_me),
		PROBE(set_name),
		PROBE(raise_limit),
		PROBE(map_executable),
		PROBE(make_executable),
#endif
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_filtered(*state, SANDBOX_RENDER, &probes[i]);
}

static void
renderer_has_a_memory_limit(void **state)
{
#ifdef SANITIZER_BUILD
	(void)state;
	skip();
#else
	static const struct probe p = PROBE(use_too_much_memory);

	assert_works(*state, SANDBOX_RENDER, &p);
#endif
}

static int
break_invariant(struct world *w)
{
	ASSERT(w == NULL);
	return WRONG;
}

/* All that runs at the end, such as the leak checker. */
static int
end_normally(struct world *w)
{
	(void)w;
	exit(DONE);
}

static void
programs_end_normally(void **state)
{
	static const struct probe p = PROBE(end_normally);

	assert_works(*state, SANDBOX_RENDER, &p);
	assert_works(*state, SANDBOX_CONTROLLER, &p);
}

static void
broken_invariant_still_aborts(void **state)
{
	int status;

	status = run(*state, SANDBOX_RENDER, SANDBOX_KILL, break_invariant);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
controller_does_its_work(void **state)
{
	static const struct probe probes[] = {
		PROBE(read_allowed_file),
		PROBE(list_allowed_directory),
		PROBE(replace_in_write_path),
		PROBE(read_library),
		PROBE(ask_for_zone),
		PROBE(socket_unix),
		PROBE(socket_inet),
		PROBE(socket_netlink),
		PROBE(start_thread),
		PROBE(use_memory),
		PROBE(use_clocks),
		PROBE(use_randomness),
		PROBE(handle_signals),
		PROBE(look_for_privileges),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_works(*state, SANDBOX_CONTROLLER, &probes[i]);
}

static void
controller_gives_up_what_it_never_does(void **state)
{
	static const struct probe probes[] = {
		PROBE(exec_true),
		PROBE(exec_by_descriptor),
#ifndef SANITIZER_BUILD
		PROBE(trace_me),
#endif
		PROBE(mount_tmpfs),
		PROBE(new_namespace),
		PROBE(clone_namespace),
		PROBE(load_bpf),
		PROBE(change_user),
		PROBE(socket_packet),
		PROBE(socket_packet_hidden),
	};
	static const struct probe absent[] = {
		PROBE(start_uring),
		PROBE(clone_the_new_way),
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_filtered(*state, SANDBOX_CONTROLLER, &probes[i]);
	for (i = 0; i < ARRAY_LEN(absent); i++)
		assert_answers(*state, SANDBOX_CONTROLLER, &absent[i], ENOSYS);
}

static void
controller_stays_on_its_paths(void **state)
{
	static const struct probe probes[] = {
		PROBE(read_outside),
		PROBE(read_passwd),
		PROBE(create_outside),
		PROBE(write_library),
		PROBE(create_in_library),
		PROBE(truncate_library),
		PROBE(unlink_library),
	};
	struct world *w = *state;
	size_t i;

	if (!have_landlock(w))
		skip();
	for (i = 0; i < ARRAY_LEN(probes); i++)
		assert_answers(w, SANDBOX_CONTROLLER, &probes[i], EACCES);
}

static int
enter_with_absent_path(struct world *w)
{
	const char *paths[] = { tmpdir_file(&w->in, "absent"), NULL };
	const struct sandbox_opts o = { SANDBOX_CONTROLLER, SANDBOX_ERRNO,
		paths, NULL, 0 };
	struct err e = { .msg = "" };

	if (sandbox_enter(&o, NULL, &e) != RC_NOTFOUND)
		return WRONG;
	return strstr(e.msg, w->in.file) != NULL ? DONE : WRONG;
}

static void
absent_path_is_an_error(void **state)
{
	struct world *w = *state;
	int status;
	pid_t pid;

	if (!have_landlock(w))
		skip();
	pid = fork();
	if (pid == 0)
		_exit(enter_with_absent_path(w));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The filter reaches threads that were there before. */
static void *
sandbox_on_older_thread(void *arg)
{
	const int *fd = arg;
	char c;

	if (read(*fd, &c, 1) != 1)
		_exit(WRONG);
	_exit(socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : DONE);
	return NULL;
}

static int
enter_beside_a_thread(struct world *w)
{
	const struct sandbox_opts o = { SANDBOX_RENDER, SANDBOX_ERRNO, NULL,
		NULL, 0 };
	pthread_t t;

	if (pthread_create(&t, NULL, sandbox_on_older_thread, &w->pair[0]) !=
	        0 ||
	    sandbox_enter(&o, NULL, NULL) != RC_OK ||
	    write(w->pair[1], "x", 1) != 1)
		return WRONG;
	(void)pthread_join(t, NULL);
	return WRONG;
}

static void
filter_covers_older_threads(void **state)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		_exit(enter_beside_a_thread(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPERM);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(renderer_does_its_work),
		TEST(renderer_answers_on_its_socket),
		TEST(renderer_reads_nothing_else),
		TEST(renderer_changes_nothing),
		TEST(renderer_makes_no_connection),
		TEST(renderer_starts_and_touches_no_process),
		TEST(renderer_has_a_memory_limit),
		TEST(programs_end_normally),
		TEST(broken_invariant_still_aborts),
		TEST(controller_does_its_work),
		TEST(controller_gives_up_what_it_never_does),
		TEST(controller_stays_on_its_paths),
		TEST(absent_path_is_an_error),
		TEST(filter_covers_older_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
