/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_SCHEDULE_H
#define AGENT_SCHEDULE_H
/*
 * The agent's own scheduler: the plan in secrets.enc, its memory (due.h) in
 * schedule.state, runs begun through command.h.  It needs no controller.
 *
 *   due -> schedule.state is durable, with the job's id -> command_own()
 *   writes jobs/<id> and starts the job -> its end is durable in the queue
 *   -> schedule.state without it, or with its retry.
 *
 * After a crash an id in schedule.state that jobs/ does not know was never
 * started and still is; one that did not end ends `agent_restarted` and is
 * tried again as the plan says.  A disk that takes no state stops no backup.
 *
 * It looks at the clock when the timer says, at least once a minute, and
 * whenever the connection wakes the agent anyway, so an idle agent does not
 * wake up more often than without it.  Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct agent;
struct plan_run;
struct schedule;

/* Reads plan and memory; before command_new(). */
MUST_USE enum rc schedule_new(struct agent *a, struct schedule **out,
    struct err *e);
void schedule_free(struct schedule *s);
/* Everything else is there: settles what a former process began. */
void schedule_begin(struct schedule *s);
/* No run is begun any more. */
void schedule_stop(struct schedule *s);

/* These take NULL, where there is no scheduler. */

/* Another plan is stored. */
void schedule_plan(struct schedule *s);
/* This host was deleted: its plan goes, and is asked for again should the
 * controller know the host after all. */
void schedule_dismiss(struct schedule *s);
/* The controller is there; comes at least twice a minute while it is. */
void schedule_contact(struct schedule *s);
/* Nothing runs any more. */
void schedule_idle(struct schedule *s);
/* A run has been ready since before then. */
bool schedule_is_first(const struct schedule *s, int64_t asked_ms);

/* A run of the plan that a former process began: what to tell of it.  False:
 * it is not one.  schedule_told() afterwards. */
MUST_USE bool schedule_tell(struct schedule *s, const struct ulid *job,
    struct plan_run *out);
void schedule_told(struct schedule *s);
/* A run of the plan ends so; counts from schedule_idle() on, when its end is
 * durable.  Returns when it is tried again, 0: not. */
int64_t schedule_ended(struct schedule *s, const struct ulid *job,
    const char *status, const char *cause);
#endif
