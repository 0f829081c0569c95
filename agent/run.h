/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H
/* A command to run, as it came over the wire. */
#include "proto/agent.pb-c.h"

/* Never NULL; wire__command_run__free_unpacked() it. */
Wire__CommandRun *run_copy(const Wire__CommandRun *cmd);
Wire__OwnRun *run_own_copy(const Wire__OwnRun *own);
#endif
