/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"

enum {
	PROMPT_MAX = 1024
};

/* Up to the end of the line, byte by byte: what follows is not ours. */
static enum rc
read_line(int fd, const char *what, struct secret *out, struct err *e)
{
	char text[PROMPT_MAX];
	size_t n = 0;
	ssize_t got = 0;
	enum rc rc = RC_OK;

	while (n < sizeof(text)) {
		got = read(fd, text + n, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || text[n] == '\n')
			break;
		n++;
	}
	if (got < 0)
		rc = err_errno(e, errno, "reading %s", what);
	else if (n == sizeof(text))
		rc = err_set(e, RC_LIMIT, "%s is longer than %d bytes", what,
		    (int)PROMPT_MAX - 1);
	else if (got == 0 && n == 0)
		rc = err_set(e, RC_INVALID, "%s is missing", what);
	else
		secret_set(out, str_from(text, n));
	mem_wipe(text, sizeof(text));
	return rc;
}

enum rc
prompt_stdin(const char *what, struct secret *out, struct err *e)
{
	enum rc rc = read_line(STDIN_FILENO, what, out, e);

	if (rc == RC_OK && out->n > 0 && out->p[out->n - 1] == '\r')
		out->p[--out->n] = '\0';
	return rc;
}

/* The terminal while it does not echo. */
struct quiet {
	int fd, signals;
	bool changed;
	struct termios before;
	sigset_t mask;
};

/* Signals become readable, so that echo is on again before they count. */
static void
quiet_begin(struct quiet *q)
{
	struct termios t;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, &q->mask);
	q->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (tcgetattr(q->fd, &q->before) != 0)
		return;
	t = q->before;
	t.c_lflag &= (tcflag_t)~ECHO;
	t.c_lflag |= ECHONL;
	q->changed = tcsetattr(q->fd, TCSAFLUSH, &t) == 0;
}

/* false: interrupted. */
static bool
quiet_wait(const struct quiet *q)
{
	struct pollfd p[2] = { { .fd = q->fd, .events = POLLIN },
		{ .fd = q->signals, .events = POLLIN } };
	int n;

	do {
		n = poll(p, 2, -1);
	} while (n < 0 && errno == EINTR);
	return (p[1].revents & POLLIN) == 0;
}

static void
quiet_end(struct quiet *q)
{
	if (q->changed)
		(void)tcsetattr(q->fd, TCSADRAIN, &q->before);
	if (q->signals >= 0)
		(void)close(q->signals);
	(void)sigprocmask(SIG_SETMASK, &q->mask, NULL);
}

/* Echo is off before the question stands there: who answers at once, as a
 * script does, loses nothing. */
static enum rc
ask_quietly(int fd, const char *question, struct secret *out, struct err *e)
{
	struct quiet q = { .fd = fd, .signals = -1 };
	enum rc rc;

	quiet_begin(&q);
	rc = fsio_write_all(fd, str_of(question), e);
	if (rc == RC_OK && quiet_wait(&q))
		rc = read_line(fd, "the answer", out, e);
	else if (rc == RC_OK)
		rc = err_set(e, RC_CANCELLED, "interrupted");
	quiet_end(&q);
	return rc;
}

enum rc
prompt_line(const char *question, bool echo, struct secret *out, struct err *e)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	enum rc rc;

	if (fd < 0)
		return err_set(e, RC_INVALID,
		    "there is no terminal to ask on: %s", question);
	if (!echo)
		rc = ask_quietly(fd, question, out, e);
	else if ((rc = fsio_write_all(fd, str_of(question), e)) == RC_OK)
		rc = read_line(fd, "the answer", out, e);
	(void)close(fd);
	return rc;
}

enum rc
prompt_yes(const char *question, bool *out, struct err *e)
{
	struct secret answer = { 0 };
	enum rc rc = prompt_line(question, true, &answer, e);

	*out = rc == RC_OK && str_eqz(str_trim(secret_str(&answer)), "yes");
	secret_fini(&answer);
	return rc;
}
