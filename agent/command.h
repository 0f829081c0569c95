/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_COMMAND_H
#define AGENT_COMMAND_H
/*
 * What the agent was told to do: accepted commands on disk (jobs/<id>), one
 * job at a time, and the memory of ids seen.  A command is answered only
 * when its acceptance is durable; the same id gets the same answer again.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct agent;
struct command;
struct Wire__Command;
struct Wire__CommandRun;
struct Wire__CommandResult;
struct Wire__JobProgress;
struct Wire__OwnRun;

/* Ends jobs a former process left behind ("agent stopped during the run",
 * then unlock), before anything is accepted. */
MUST_USE enum rc command_new(struct agent *a, struct command **out,
    struct err *e);
/* Cancels the running job and waits for nothing. */
void command_free(struct command *c);

/* From the uplink.  The answer comes through uplink_result(), not from
 * inside. */
void command_handle(struct command *c, struct Wire__Command *cmd);
/* How the jobs of the last week began and ended, and that of today began:
 * the controller asked, it was restored from an older copy. */
void command_tell_again(struct command *c);
/* A run of the agent's own plan: the same road, but nobody waits for an
 * answer, and a disk that takes no jobs/<id> does not stop it.  False: it
 * did not begin, something else is under way.  Copies both.  why: the plan
 * cannot be read; the run fails and says so.  NULL: it can. */
MUST_USE bool command_own(struct command *c, const struct Wire__CommandRun *run,
    const struct Wire__OwnRun *own, const struct err *why);
/* Nothing runs, is being accepted or is left over from a former process. */
bool command_is_free(const struct command *c);
/* The place, once free, is kept for a job of the controller's that was asked
 * for before then. */
bool command_is_first(struct command *c, int64_t ready_ms);
/* The id was seen and its job is over. */
bool command_has_ended(const struct command *c, const struct ulid *id);
/* For hello: the ids, at most max; returns how many. */
size_t command_running(const struct command *c, struct ulid *out, size_t max);
size_t command_accepted(const struct command *c, struct ulid *out, size_t max);
/* Graceful stop: SIGINT to restic, then calls done. */
typedef void command_idle_fn(void *ctx);
void command_stop(struct command *c, command_idle_fn *done, void *ctx);
#endif
