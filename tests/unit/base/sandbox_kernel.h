/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_UNIT_BASE_SANDBOX_KERNEL_H
#define TESTS_UNIT_BASE_SANDBOX_KERNEL_H
/* Probes: sockets, memory, time, processes, the kernel. */
#include "tests/unit/base/sandbox_help.h"

static inline int
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

static inline int
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

static inline int
set_nonblocking(struct world *w)
{
	const int flags = fcntl(w->pair[0], F_GETFL);

	return result(fcntl(w->pair[0], F_SETFL, flags | O_NONBLOCK));
}

static inline int
socket_unix(struct world *w)
{
	(void)w;
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static inline int
socket_inet(struct world *w)
{
	(void)w;
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static inline int
socket_netlink(struct world *w)
{
	(void)w;
	return result(socket(AF_NETLINK, SOCK_RAW, 0));
}

static inline int
socket_packet(struct world *w)
{
	(void)w;
	return result(socket(AF_PACKET, SOCK_RAW, 0));
}

/* The kernel cuts the domain to an int. */
static inline int
socket_packet_hidden(struct world *w)
{
	(void)w;
	return result(syscall(SYS_socket, AF_PACKET | (1L << 32), SOCK_RAW, 0));
}

static inline int
connect_loose(struct world *w)
{
	const struct sockaddr_un a = address(w);

	return result(connect(w->loose,
	    (const struct sockaddr *)(const void *)&a, sizeof(a)));
}

static inline int
bind_loose(struct world *w)
{
	const struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = "\0rm-test-abstract" };

	return result(bind(w->loose, (const struct sockaddr *)(const void *)&a,
	    sizeof(a)));
}

/* Probes: memory, time, chance. */

static inline int
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

static inline int
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

static inline int
use_randomness(struct world *w)
{
	uint8_t zero[32] = { 0 }, b[32] = { 0 };

	(void)w;
	crypt_random(b, sizeof(b));
	return memcmp(b, zero, sizeof(b)) != 0 ? DONE : WRONG;
}

static inline int
write_log(struct world *w)
{
	log_open(w->pair[1], LOG_INFO);
	log_info(LOG_PAGE, "page drawn page=%s", "dashboard");
	return DONE;
}

static inline int
on_stdio(struct world *w)
{
	(void)w;
	/* The first write asks whether it is a terminal. */
	return printf(" ") == 1 && fflush(stdout) == 0 ? DONE : WRONG;
}

static inline void
sandbox_on_signal(int sig)
{
	(void)sig;
}

static inline int
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

static inline int
exec_true(struct world *w)
{
	static char *const argv[] = { NULL };

	(void)w;
	return result(execve("/bin/true", argv, argv));
}

static inline int
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

static inline int
mount_tmpfs(struct world *w)
{
	return result(mount("none", w->in.path, "tmpfs", 0, NULL));
}

static inline int
new_namespace(struct world *w)
{
	(void)w;
	return result(unshare(CLONE_NEWUSER));
}

static inline int
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

static inline int
clone_the_new_way(struct world *w)
{
	(void)w;
	return result(syscall(SYS_clone3, NULL, 0));
}

static inline int
start_uring(struct world *w)
{
	(void)w;
	return result(syscall(SYS_io_uring_setup, 1, NULL));
}

static inline int
load_bpf(struct world *w)
{
	(void)w;
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static inline int
change_user(struct world *w)
{
	(void)w;
	return result(syscall(SYS_setuid, getuid()));
}

static inline int
anonymous_file(struct world *w)
{
	(void)w;
	return result(memfd_create("x", MFD_CLOEXEC));
}

static inline void *
sandbox_on_thread(void *arg)
{
	int *v = arg;

	*v = 7;
	return NULL;
}

static inline int
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

static inline int
look_for_privileges(struct world *w)
{
	(void)w;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? DONE : WRONG;
}
#endif
