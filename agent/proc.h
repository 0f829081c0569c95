/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_PROC_H
#define AGENT_PROC_H
/*
 * A child process: its own process group, the parent-death signal SIGKILL,
 * standard input from /dev/null or a given text, both outputs read line by
 * line.
 *
 * A child ends on both its exit and the end of its output; a stranger that
 * keeps the pipes open is waited for 5 s after the exit.  on_end comes
 * exactly once, never from inside proc_start(); the proc is gone afterwards.
 * Loop thread, which must be the thread that lives as long as the program.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct loop;
struct proc;

enum {
	PROC_FILES_MAX = 4,
	PROC_FIRST_FILE = 3
};
#define PROC_FILE "/proc/self/fd/%zu"

struct proc_end {
	/* RC_OK: it ran; else it could not be started and err says why. */
	struct err err;
	int exit_code;    /* -1 when it was ended by a signal */
	int signal;       /* 0: none */
	bool output_lost; /* a line was over line_max, or a read failed */
};

struct proc_opts {
	struct loop *loop;
	char *const *argv; /* argv[0] is an absolute path; lent for the call */
	char *const *envp;
	struct str input; /* standard input, lent for the call; empty: none */
	/* Files in memory, lent for the call: descriptors 3, 4, ... of the
	 * child, which opens them by PROC_FILE.  For what must be in no
	 * argument list and on no disk. */
	const struct str *files;
	size_t n_files; /* at most PROC_FILES_MAX */
	/* When the child ends, what it left in its process group ends, too. */
	bool end_group;
	size_t line_max; /* longer lines are cut there; 0: 1 MiB */
	void (*on_line)(void *ctx, bool is_stderr, struct str line);
	void (*on_end)(void *ctx, const struct proc_end *end);
	void *ctx;
};

struct proc *proc_start(const struct proc_opts *o);
/* To the whole group while the child lives; nothing afterwards. */
void proc_signal(struct proc *p, int signum);
#endif
