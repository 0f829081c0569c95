/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_LOOK_H
#define AGENT_LOOK_H
/*
 * What a job looks at before anything runs: restic, its source paths, the
 * room for restic's cache.  A dead network mount may hold the pool's thread
 * for ever; after 60 s the job goes on without it, and agent.stuck counts
 * the thread until it comes back.  Loop thread.
 */
#include <stddef.h>
#include <stdint.h>

#include "agent/restic.h"
#include "lib/base/rc.h"

struct agent;
struct look;

struct look_seen {
	struct restic restic;
	uint64_t missing; /* paths that do not exist */
};

/* Once, unless look_leave() came before; not from inside look_start().  seen
 * is valid when e->rc is RC_OK. */
typedef void look_done_fn(void *ctx, const struct look_seen *seen,
    const struct err *e);

/* Copies the paths. */
struct look *look_start(struct agent *a, char *const *paths, size_t n,
    look_done_fn *done, void *ctx);
/* Nobody wants to know any more: no callback follows. */
void look_leave(struct look *k);
#endif
