/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "lib/base/buf.h"
#include "lib/base/fsio.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	PROC_READ = 65536,
	PROC_LINGER_MS = 5000
};

struct proc_stream {
	struct proc *proc;
	uv_pipe_t pipe;
	struct buf line;
	bool is_stderr;
	bool skipping; /* the rest of a line that was cut */
	bool ended;
};

/*
 * Life: proc_start -> (exit and end of both outputs, in any order; or a
 * failure to start) -> proc_finish -> all handles closed -> on_end, freed.
 */
struct proc {
	struct loop *loop;
	pid_t pid; /* 0 after it was reaped: the number may be a stranger's */
	int pidfd;
	uv_poll_t exit_watch;
	uv_timer_t linger;
	struct proc_stream out;
	struct proc_stream err;
	size_t line_max;
	unsigned waiting; /* ends still to come: exit, out, err */
	unsigned open;    /* handles not yet closed */
	bool finishing;
	bool end_group;
	struct proc_end end;
	void (*on_line)(void *ctx, bool is_stderr, struct str line);
	void (*on_end)(void *ctx, const struct proc_end *end);
	void *ctx;
	char chunk[PROC_READ];
};

/* ------------------------------------------------------------ the end */

static void
proc_on_closed(uv_handle_t *h)
{
	struct proc *p = h->data;

	if (--p->open > 0)
		return;
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->on_end(p->ctx, &p->end);
	buf_fini(&p->out.line);
	buf_fini(&p->err.line);
	mem_free(p);
}

static void
proc_close_handle(struct proc *p, uv_handle_t *h)
{
	if (h->type == UV_UNKNOWN_HANDLE)
		return; /* the start failed before it was made */
	p->open++;
	h->data = p;
	uv_close(h, proc_on_closed);
}

static void
proc_finish(struct proc *p)
{
	if (p->finishing)
		return;
	p->finishing = true;
	proc_close_handle(p, (uv_handle_t *)&p->exit_watch);
	proc_close_handle(p, (uv_handle_t *)&p->linger);
	proc_close_handle(p, (uv_handle_t *)&p->out.pipe);
	proc_close_handle(p, (uv_handle_t *)&p->err.pipe);
}

static void
proc_one_ended(struct proc *p)
{
	if (--p->waiting == 0)
		proc_finish(p);
}

/* ------------------------------------------------------------- output */

static void
proc_give_line(struct proc_stream *s)
{
	struct str line = buf_str(&s->line);

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	s->proc->on_line(s->proc->ctx, s->is_stderr, line);
	buf_reset(&s->line);
}

static void
proc_take_bytes(struct proc_stream *s, struct str in)
{
	struct str piece;
	bool whole;

	while (in.n > 0) {
		whole = str_cut(in, '\n', &piece, &in);
		if (!s->skipping && s->line.len + piece.n > s->proc->line_max) {
			piece.n = s->proc->line_max - s->line.len;
			buf_put_str(&s->line, piece);
			proc_give_line(s);
			s->proc->end.output_lost = true;
			s->skipping = true;
		} else if (!s->skipping) {
			buf_put_str(&s->line, piece);
			if (whole)
				proc_give_line(s);
		}
		if (whole)
			s->skipping = false;
	}
}

static void
proc_stream_ended(struct proc_stream *s)
{
	if (s->ended)
		return;
	s->ended = true;
	uv_read_stop((uv_stream_t *)&s->pipe);
	if (s->line.len > 0)
		proc_give_line(s); /* the last line had no newline */
	proc_one_ended(s->proc);
}

/* Something that outlives the child keeps its outputs open (ssh with a shared
 * connection does).  What the child itself wrote was read long ago. */
static void
proc_on_linger(uv_timer_t *t)
{
	struct proc *p = t->data;

	proc_stream_ended(&p->out);
	proc_stream_ended(&p->err);
}

static void
proc_on_alloc(uv_handle_t *h, size_t want, uv_buf_t *out)
{
	struct proc_stream *s = h->data;

	(void)want;
	*out = uv_buf_init(s->proc->chunk, sizeof(s->proc->chunk));
}

static void
proc_on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *b)
{
	struct proc_stream *s = h->data;

	if (n > 0)
		proc_take_bytes(s, str_from(b->base, (size_t)n));
	else if (n < 0) {
		if (n != UV_EOF)
			s->proc->end.output_lost = true;
		proc_stream_ended(s);
	}
}

/* --------------------------------------------------------------- exit */

/* Before the child is reaped: its number, which is the group's, may be
 * somebody else's afterwards. */
static void
proc_end_group(const struct proc *p)
{
	siginfo_t info = { 0 };

	if (p->end_group &&
	    waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
	        0 &&
	    info.si_pid != 0)
		kill(-p->pid, SIGKILL);
}

static void
proc_on_exit(uv_poll_t *h, int status, int events)
{
	struct proc *p = h->data;
	siginfo_t info = { 0 };

	(void)status;
	(void)events;
	if (p->pid == 0)
		return;
	proc_end_group(p);
	if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG) != 0 ||
	    info.si_pid == 0)
		return;
	p->pid = 0;
	uv_poll_stop(h);
	if (info.si_code == CLD_EXITED) {
		p->end.exit_code = info.si_status;
	} else {
		p->end.exit_code = -1;
		p->end.signal = info.si_status;
	}
	uv_timer_start(&p->linger, proc_on_linger, PROC_LINGER_MS, 0);
	proc_one_ended(p);
}

void
proc_signal(struct proc *p, int signum)
{
	if (p->pid > 0)
		kill(-p->pid, signum);
}

/* -------------------------------------------------------------- start */

struct proc_pipes {
	int out[2], err[2], fault[2], in;
	int files[PROC_FILES_MAX];
};

static void
proc_fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
proc_pipes_close(struct proc_pipes *q)
{
	int *all[] = { &q->out[0], &q->out[1], &q->err[0], &q->err[1],
		&q->fault[0], &q->fault[1], &q->in };
	size_t i;

	for (i = 0; i < ARRAY_LEN(all); i++)
		proc_fd_close(all[i]);
	for (i = 0; i < PROC_FILES_MAX; i++)
		proc_fd_close(&q->files[i]);
}

/* A pipe would have to be fed while the child runs. */
static int
proc_memory(struct str text)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd >= 0 && (fsio_write_all(fd, text, NULL) != RC_OK ||
	                   lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Out of the way of the numbers that the child's files take. */
static bool
proc_raise(int *fd)
{
	int high =
	    fcntl(*fd, F_DUPFD_CLOEXEC, PROC_FIRST_FILE + PROC_FILES_MAX);

	proc_fd_close(fd);
	*fd = high;
	return high >= 0;
}

static bool
proc_files_open(struct proc_pipes *q, const struct proc_opts *o)
{
	size_t i;

	ASSERT(o->n_files <= PROC_FILES_MAX);
	for (i = 0; i < o->n_files; i++) {
		q->files[i] = proc_memory(o->files[i]);
		if (q->files[i] < 0 || fchmod(q->files[i], 0400) != 0 ||
		    !proc_raise(&q->files[i]))
			return false;
	}
	return proc_raise(&q->fault[1]);
}

static bool
proc_pipes_open(struct proc_pipes *q, const struct proc_opts *o)
{
	*q = (struct proc_pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 }, -1,
		{ -1, -1, -1, -1 } };
	q->in = o->input.n > 0 ? proc_memory(o->input)
	                       : open("/dev/null", O_RDONLY | O_CLOEXEC);
	return q->in >= 0 && pipe2(q->out, O_CLOEXEC) == 0 &&
	       pipe2(q->err, O_CLOEXEC) == 0 &&
	       pipe2(q->fault, O_CLOEXEC) == 0 && proc_files_open(q, o);
}

/* In the child.  Nothing that is still needed stands at those numbers: the
 * outputs are at 1 and 2 already. */
static bool
proc_files_place(const struct proc_pipes *q, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (dup2(q->files[i], PROC_FIRST_FILE + (int)i) < 0)
			return false;
	syscall(SYS_close_range, PROC_FIRST_FILE + (unsigned)n, ~0U,
	    CLOSE_RANGE_CLOEXEC);
	return true;
}

/* Between fork and exec: only what is safe there (signal-safety(7)). */
NORETURN static void
proc_child(const struct proc_pipes *q, const struct proc_opts *o, pid_t parent)
{
	struct sigaction dfl = { 0 };
	sigset_t none;
	int fault, i;

	dfl.sa_handler = SIG_DFL;
	for (i = 1; i < NSIG; i++)
		sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	/* The agent may have died before the request was in force. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
	    dup2(q->in, 0) == 0 && dup2(q->out[1], 1) == 1 &&
	    dup2(q->err[1], 2) == 2 && proc_files_place(q, o->n_files))
		execve(o->argv[0], o->argv, o->envp);
	fault = errno;
	if (write(q->fault[1], &fault, sizeof(fault)) < 0)
		_exit(126);
	_exit(127);
}

/* Starts the child; waits for exec, which is a matter of microseconds. */
static enum rc
proc_fork(struct proc *p, struct proc_pipes *q, const struct proc_opts *o)
{
	pid_t parent = getpid(), pid;
	int fault = 0;
	ssize_t n;

	pid = fork();
	if (pid < 0)
		return err_errno(&p->end.err, errno, "cannot start %s",
		    o->argv[0]);
	if (pid == 0)
		proc_child(q, o, parent);
	close(q->fault[1]);
	q->fault[1] = -1;
	do {
		n = read(q->fault[0], &fault, sizeof(fault));
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(fault)) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		return err_errno(&p->end.err, fault, "cannot run %s",
		    o->argv[0]);
	}
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p->pidfd < 0)
		return err_errno(&p->end.err, errno, "cannot watch %s",
		    o->argv[0]);
	return RC_OK;
}

static void
proc_stream_init(struct proc *p, struct proc_stream *s, bool is_stderr)
{
	s->proc = p;
	s->is_stderr = is_stderr;
	buf_init(&s->line, p->line_max + 1);
	uv_pipe_init(loop_uv(p->loop), &s->pipe, 0);
	s->pipe.data = s;
}

static bool
proc_stream_open(struct proc_stream *s, int *fd)
{
	if (uv_pipe_open(&s->pipe, *fd) != 0)
		return false;
	*fd = -1; /* the handle owns it now */
	return uv_read_start((uv_stream_t *)&s->pipe, proc_on_alloc,
	           proc_on_read) == 0;
}

/* Reaps a child whose outputs could not be watched. */
static void
proc_abandon(struct proc *p)
{
	if (p->pid <= 0)
		return;
	kill(-p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	p->pid = 0;
}

static enum rc
proc_run(struct proc *p, const struct proc_opts *o)
{
	struct proc_pipes q;
	enum rc rc;

	if (!proc_pipes_open(&q, o))
		rc = err_errno(&p->end.err, errno, "cannot make pipes for %s",
		    o->argv[0]);
	else
		rc = proc_fork(p, &q, o);
	if (rc == RC_OK &&
	    (uv_poll_init(loop_uv(p->loop), &p->exit_watch, p->pidfd) != 0 ||
	        !proc_stream_open(&p->out, &q.out[0]) ||
	        !proc_stream_open(&p->err, &q.err[0]) ||
	        uv_poll_start(&p->exit_watch, UV_READABLE, proc_on_exit) != 0))
		rc = err_set(&p->end.err, RC_IO, "cannot watch %s", o->argv[0]);
	proc_pipes_close(&q);
	return rc;
}

struct proc *
proc_start(const struct proc_opts *o)
{
	struct proc *p = MEM_NEW(struct proc);

	p->loop = o->loop;
	p->pidfd = -1;
	p->line_max = o->line_max > 0 ? o->line_max : MIB(1);
	p->end_group = o->end_group;
	p->on_line = o->on_line;
	p->on_end = o->on_end;
	p->ctx = o->ctx;
	p->end.exit_code = -1;
	p->waiting = 3;
	proc_stream_init(p, &p->out, false);
	proc_stream_init(p, &p->err, true);
	uv_timer_init(loop_uv(p->loop), &p->linger);
	p->linger.data = p;
	if (proc_run(p, o) != RC_OK) {
		proc_abandon(p);
		proc_finish(p);
		return p;
	}
	p->exit_watch.data = p;
	return p;
}
