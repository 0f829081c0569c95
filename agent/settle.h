/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SETTLE_H
#define AGENT_SETTLE_H
/*
 * Back to the size of an agent that waits: some seconds after it has
 * connected or ended a job, what that took goes back to the kernel.
 * Loop thread.
 */
struct loop;
struct settle;

struct settle *settle_new(struct loop *l);
void settle_free(struct settle *s);
/* Something large is over.  Again before the time is up: counts anew. */
void settle_soon(struct settle *s);
#endif
