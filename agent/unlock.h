/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_UNLOCK_H
#define AGENT_UNLOCK_H
/*
 * `restic unlock` after a run that the agent's own end interrupted: it
 * removes locks of dead processes of this host only.  At most a minute.
 */
struct agent;
struct unlock;

/* Called once at its end, not from inside unlock_start(). */
typedef void unlock_done_fn(void *ctx);

/* NULL: there is no restic, or nothing to open the repository with. */
struct unlock *unlock_start(struct agent *a, unlock_done_fn *done, void *ctx);
/* The agent stops; done still comes.  NULL is fine. */
void unlock_stop(struct unlock *u);
#endif
