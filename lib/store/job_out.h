/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_JOB_OUT_H
#define LIB_STORE_JOB_OUT_H
/*
 * Jobs that are out: sent to their host's agent or begun by it, and not ended.
 * Few of all jobs are, so that who asks what is at work need not look at the
 * records of those who are not.
 * Key: host id, job id.  job_store keeps it in step with the records.
 */
#include "lib/base/ulid.h"
#include "lib/store/store.h"

struct job_out {
	struct ulid host, job;
	Rec__JobKind kind;
};

/* The next one behind *at, by host and job; *at becomes it.  All zero: the
 * first of all; a host and no job: the first of that host or behind it.
 * False: there is none, or the transaction failed. */
bool job_out_next(struct store_tx *tx, struct job_out *at);

/* For job_store alone. */
void job_out_put(struct store_tx *tx, const struct job_out *o);
void job_out_del(struct store_tx *tx, const struct job_out *o);
/* Schema 2 did not have it. */
void job_out_build(struct store_tx *tx);
#endif
