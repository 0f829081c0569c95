/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H
/* A command to run, as it came over the wire.  It may hold secrets: hooks,
 * and credentials for this run alone. */
#include "proto/agent.pb-c.h"

/* Never NULL; run_free() it. */
Wire__CommandRun *run_copy(const Wire__CommandRun *cmd);
void run_free(Wire__CommandRun *cmd); /* wipes; NULL is fine */
/* What the agent's plan says of a run of its own. */
Wire__OwnRun *run_own_copy(const Wire__OwnRun *own);
/* The secrets only, where the message is somebody else's. */
void run_wipe(Wire__CommandRun *cmd);
void run_wipe_slot(Wire__RepoSlot *slot); /* NULL is fine */
void run_wipe_hooks(Wire__Hooks *hooks);  /* NULL is fine */
/* Why it cannot be run; NULL: it can, as far as it says. */
const char *run_objection(const Wire__CommandRun *cmd);
#endif
