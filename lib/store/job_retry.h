/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_JOB_RETRY_H
#define LIB_STORE_JOB_RETRY_H
/*
 * Whether a failed run of an agent's plan is tried again.  The agent said so
 * as it failed (Job.retry_at_ms); what is still to come lasts only for as long
 * as the plan asks for it.
 */
#include <stdint.h>

#include "lib/store/store.h"

/* When the agent tries it again, or was to (a time gone by); 0: it does not,
 * or no schedule of the run that is on has its group any more.  An agent that
 * has not taken the latest plan goes by the one it has. */
int64_t job_retry_at(struct store_tx *tx, const struct Rec__Job *j,
    int64_t now_ms);
#endif
