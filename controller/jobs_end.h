/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_JOBS_END_H
#define CONTROLLER_JOBS_END_H
/*
 * How a job ends, whoever says so: its agent, the courier, an operator.
 * Inside an op.
 */
#include <stdint.h>

#include "proto/store.pb-c.h"

struct store_tx;
struct ulid;

struct jobs_end {
	Rec__JobState state;
	int32_t exit_code;
	int64_t finished_at_ms;
	int64_t now_ms;
	const char *error; /* one sentence, "" none */
	const char *cause;
	const char *zone; /* RM_TIMEZONE: whose day it counts for */
};

/* Sets what `end` says in the job and moves what its end moves in the host
 * (both are put by the caller), its group and the heat strip.  The job has
 * not ended before.  Strings live as long as the records. */
void jobs_end(struct store_tx *tx, struct Rec__Host *h, struct Rec__Job *j,
    const struct jobs_end *end);
#endif
