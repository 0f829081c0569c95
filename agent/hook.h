/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_HOOK_H
#define AGENT_HOOK_H
/*
 * A hook: text for /bin/sh that runs before or after a backup, as the
 * agent's user, with an environment of its own (PATH, RM_JOB_ID,
 * RM_HOOK_PHASE, RM_JOB_STATUS).  Its text is a file in memory, so it stands
 * in no argument list, no log and on no disk.
 *
 * What it prints becomes lines `hook(pre): ...` of the job's log: the first
 * 1 MiB, which is at most 16,384 lines, then only their number.  After its time limit, or when it is
 * cancelled, its process group gets SIGTERM and 5 s later SIGKILL; what is
 * left of the group when the shell ends is killed.  What a hook starts in a
 * session of its own (a daemon) goes on.  Loop thread.
 */
#include "lib/base/rc.h"
#include "lib/base/str.h"

struct hook;
struct lines;
struct loop;

/* e->rc RC_OK: it ended with 0; else "pre_hook failed: ...".  Once, not from
 * inside hook_start(); the hook is gone. */
typedef void hook_done_fn(void *ctx, const struct err *e);

struct hook_opts {
	struct loop *loop;
	struct lines *lines; /* lent until done */
	const char *phase;   /* "pre" or "post", static */
	const char *job_id;  /* lent for the call, as all texts */
	const char *status;  /* RM_JOB_STATUS; NULL: none */
	struct str body;
	unsigned limit_s; /* 0: 600 */
	hook_done_fn *done;
	void *ctx;
};

struct hook *hook_start(const struct hook_opts *o);
/* Idempotent; done still follows. */
void hook_cancel(struct hook *h);
/* It has no longer than that from now on. */
void hook_hurry(struct hook *h, unsigned limit_s);
#endif
