/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/unlock.h"

#include <signal.h>

#include "agent/access.h"
#include "agent/agent.h"
#include "agent/proc.h"
#include "agent/restic.h"
#include "agent/secrets.h"
#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	UNLOCK_LIMIT_MS = 60000
};

struct unlock {
	struct proc *proc;
	struct access *access;
	struct loop_timer *limit;
	unlock_done_fn *done;
	void *ctx;
};

static void
unlock_on_line(void *ctx, bool is_stderr, struct str line)
{
	(void)ctx;
	(void)is_stderr;
	(void)line; /* may name the repository; the exit code is enough */
}

static void
unlock_on_end(void *ctx, const struct proc_end *end)
{
	struct unlock *u = ctx;

	log_info(LOG_JOB, "unlock after an interrupted run exit=%d",
	    end->exit_code);
	u->done(u->ctx);
	loop_timer_free(u->limit);
	access_free(u->access);
	mem_free(u);
}

static void
unlock_on_limit(void *ctx)
{
	struct unlock *u = ctx;

	proc_signal(u->proc, SIGKILL);
}

struct unlock *
unlock_start(struct agent *a, unlock_done_fn *done, void *ctx)
{
	struct secrets_config caps = secrets_config(a->secrets);
	struct restic_call call = { .step = RESTIC_UNLOCK,
		.caps = &caps,
		.hostname = a->facts.hostname };
	struct proc_opts o = { .loop = a->loop };
	struct secrets_repo repo;
	struct arena arena;
	struct unlock *u;

	if (a->restic.number == 0 ||
	    secrets_get(a->secrets, SECRETS_REPO, &repo, NULL) != RC_OK)
		return NULL;
	u = MEM_NEW(struct unlock);
	u->done = done;
	u->ctx = ctx;
	u->access = access_new(&a->restic, &repo, a->settings.state_dir, NULL);
	secrets_repo_fini(&repo);
	arena_init(&arena, KIB(64));
	call.access = u->access;
	o.argv = restic_argv(&a->restic, &call, &arena);
	access_give(u->access, &o);
	o.on_line = unlock_on_line;
	o.on_end = unlock_on_end;
	o.ctx = u;
	u->limit = loop_timer_new(a->loop, unlock_on_limit, u);
	loop_timer_start(u->limit, UNLOCK_LIMIT_MS, 0);
	u->proc = proc_start(&o);
	arena_fini(&arena);
	return u;
}

void
unlock_stop(struct unlock *u)
{
	if (u != NULL)
		proc_signal(u->proc, SIGINT);
}
