/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/restic.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

enum {
	RESTIC_VERSION_MS = 10000,
	RESTIC_HELP_CAP = 65536
};

/* ------------------------------------------------------------- finding */

/* "0.18.0-dev" too: the number is what counts. */
static bool
restic_number(struct str version, unsigned *out)
{
	uint64_t part[3] = { 0, 0, 0 };
	struct str word, rest = version;
	size_t i;

	for (i = 0; i < 3 && str_next(&rest, '.', &word); i++) {
		size_t n = 0;

		while (n < word.n && word.p[n] >= '0' && word.p[n] <= '9')
			n++;
		if (n == 0 || !str_u64(str_sub(word, 0, n), 99, &part[i]))
			return false;
	}
	*out = (unsigned)(part[0] * 10000 + part[1] * 100 + part[2]);
	return i >= 2;
}

bool
restic_parse_version(struct str line, struct restic *out)
{
	struct str word, rest = line;
	unsigned number;

	if (!str_next(&rest, ' ', &word) || !str_eqz(word, "restic") ||
	    !str_next(&rest, ' ', &word) || !restic_number(word, &number) ||
	    !str_copy(out->version, sizeof(out->version), word))
		return false;
	out->number = number;
	return true;
}

static bool
restic_runnable(struct restic *r, struct str dir)
{
	char path[sizeof(r->path)];

	if (dir.n == 0 || dir.p[0] != '/' ||
	    !str_fmt(path, sizeof(path), "%.*s/restic", STR_ARG(dir)) ||
	    access(path, X_OK) != 0)
		return false;
	return str_copy(r->path, sizeof(r->path), str_of(path));
}

static enum rc
restic_find(struct restic *r, const char *override, struct err *e)
{
	struct str dir, rest;

	if (override != NULL) {
		if (access(override, X_OK) == 0 &&
		    str_copy(r->path, sizeof(r->path), str_of(override)))
			return RC_OK;
		return err_code(e, RC_NOTFOUND, "no_restic",
		    "restic_path %s cannot be run: %s", override,
		    strerror(errno));
	}
	rest = str_of(getenv("PATH"));
	while (str_next(&rest, ':', &dir))
		if (restic_runnable(r, dir))
			return RC_OK;
	rest = STR("/usr/bin:/usr/local/bin:/bin:/opt/restic/bin");
	while (str_next(&rest, ':', &dir))
		if (restic_runnable(r, dir))
			return RC_OK;
	return err_code(e, RC_NOTFOUND, "no_restic",
	    "restic was not found in PATH; install it, or set restic_path in "
	    "the agent's configuration");
}

/* Reads what the child prints until it ends or the time is over. */
static void
restic_collect(int fd, char *text, size_t cap)
{
	int64_t end = clock_mono_ms() + RESTIC_VERSION_MS, left;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	ssize_t got;

	while ((left = end - clock_mono_ms()) > 0 && n + 1 < cap) {
		if (poll(&pfd, 1, (int)left) <= 0)
			break;
		got = read(fd, text + n, cap - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
}

/* Standard output of `restic <words>`, as far as it fits. */
static enum rc
restic_ask(const struct restic *r, char *const *argv, char *text, size_t cap,
    struct err *e)
{
	char *envp[] = { (char[]){ "HOME=/" }, NULL };
	posix_spawn_file_actions_t acts;
	int fds[2], rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(e, errno, "cannot make a pipe");
	posix_spawn_file_actions_init(&acts);
	posix_spawn_file_actions_addopen(&acts, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&acts, fds[1], 1);
	posix_spawn_file_actions_addopen(&acts, 2, "/dev/null", O_WRONLY, 0);
	rc = posix_spawn(&pid, r->path, &acts, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&acts);
	close(fds[1]);
	if (rc != 0) {
		close(fds[0]);
		return err_errno(e, rc, "cannot run %s", r->path);
	}
	restic_collect(fds[0], text, cap);
	close(fds[0]);
	kill(pid, SIGKILL); /* it has said all, or it is too slow */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return RC_OK;
}

static enum rc
restic_ask_version(struct restic *r, struct err *e)
{
	char *argv[] = { r->path, (char[]){ "version" }, NULL };
	char text[512];
	enum rc rc;

	if ((rc = restic_ask(r, argv, text, sizeof(text), e)) != RC_OK)
		return rc;
	if (!restic_parse_version(str_of(text), r))
		return err_code(e, RC_VERSION, "no_restic",
		    "%s did not tell its version", r->path);
	if (r->number < RESTIC_OLDEST)
		return err_code(e, RC_VERSION, "restic_too_old",
		    "restic %s is too old; 0.14 or newer is needed",
		    r->version);
	return RC_OK;
}

bool
restic_restores_without_owner(const struct restic *r)
{
	struct restic copy = *r; /* argv is not const */
	char *argv[] = { copy.path, (char[]){ "restore" }, (char[]){ "--help" },
		NULL };
	char *text = mem_alloc(RESTIC_HELP_CAP);
	bool known;

	known = restic_ask(r, argv, text, RESTIC_HELP_CAP, NULL) == RC_OK &&
	        str_contains(str_of(text), STR("--no-ownership"));
	mem_free(text);
	return known;
}

static bool
restic_is_program(const char *path)
{
	static const char magic[] = { '\177', 'E', 'L', 'F' };
	char head[sizeof(magic)] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	          memcmp(head, magic, sizeof(magic)) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

/* A replaced file has another inode, a rewritten one another ctime. */
static void
restic_put_stamp(struct restic *r)
{
	struct stat st;

	r->stamp = (struct restic_stamp){ 0 };
	if (restic_is_program(r->path) && stat(r->path, &st) == 0)
		r->stamp = (struct restic_stamp){ st.st_dev, st.st_ino,
			(uint64_t)st.st_size, st.st_ctim.tv_sec,
			st.st_ctim.tv_nsec };
}

static bool
restic_is_known(const struct restic *known, const struct restic *r)
{
	return known != NULL && r->stamp.ino != 0 &&
	       known->stamp.dev == r->stamp.dev &&
	       known->stamp.ino == r->stamp.ino &&
	       known->stamp.bytes == r->stamp.bytes &&
	       known->stamp.changed_s == r->stamp.changed_s &&
	       known->stamp.changed_ns == r->stamp.changed_ns &&
	       strcmp(known->path, r->path) == 0;
}

/* `restic version` is a start of 40 MB of Go: 1 % of a small backup.
 * Figure: bench key backup-overhead. */
enum rc
restic_locate_again(const struct restic *known, struct restic *out,
    const char *override, struct err *e)
{
	enum rc rc;

	*out = (struct restic){ 0 };
	if ((rc = restic_find(out, override, e)) != RC_OK)
		return rc;
	restic_put_stamp(out);
	if (!restic_is_known(known, out))
		return restic_ask_version(out, e);
	memcpy(out->version, known->version, sizeof(out->version));
	out->number = known->number;
	return RC_OK;
}

enum rc
restic_locate(struct restic *out, const char *override, struct err *e)
{
	return restic_locate_again(NULL, out, override, e);
}
