/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_JOB_STORE_H
#define LIB_STORE_JOB_STORE_H
/*
 * Jobs: one record each, found by id, by host, by state and by how they look;
 * those that are out by job_out.h.
 * Keys: job id | host id, job id | state, job id | look, kind, job id.  ULIDs
 * sort by time.
 */
#include "lib/store/store.h"

struct Rec__Job *job_store_get(struct store_tx *tx, const struct ulid *id);
struct Rec__Job *job_store_find(struct store_tx *tx, const struct ulid *id);
/* Inserts or replaces; keeps indexes and versions.  A final state never
 * changes again: such a put is RC_CONFLICT. */
void job_store_put(struct store_tx *tx, const struct Rec__Job *j);

/* The record and its index rows; the log is the caller's. */
void job_store_del(struct store_tx *tx, const struct ulid *id);

typedef bool job_store_fn(void *ctx, const struct Rec__Job *j);
/* Newest first, strictly older than before (NULL: all), at most max. */
void job_store_of_host(struct store_tx *tx, const struct ulid *host,
    const struct ulid *before, size_t max, job_store_fn *fn, void *ctx);
void job_store_latest(struct store_tx *tx, const struct ulid *before,
    size_t max, job_store_fn *fn, void *ctx);
/* Those of the host's newest `max` that have not ended; the others cost a step
 * over their key. */
void job_store_open_of_host(struct store_tx *tx, const struct ulid *host,
    size_t max, job_store_fn *fn, void *ctx);
/* Oldest first. */
void job_store_in_state(struct store_tx *tx, Rec__JobState state,
    job_store_fn *fn, void *ctx);
uint64_t job_store_count_in_state(struct store_tx *tx, Rec__JobState state);
uint64_t job_store_count_of_host(struct store_tx *tx, const struct ulid *host);
/* Jobs whose log is not closed: for recovery at start. */
void job_store_open_logs(struct store_tx *tx, job_store_fn *fn, void *ctx);

/* A state as people see it: what succeeded may be incomplete.  The numbers
 * are in keys. */
enum job_look {
	JOB_LOOK_NONE,
	JOB_LOOK_QUEUED,
	JOB_LOOK_RUNNING,
	JOB_LOOK_FAILED,
	JOB_LOOK_INCOMPLETE,
	JOB_LOOK_SUCCEEDED,
	JOB_LOOK_CANCELLED
};
enum {
	JOB_LOOK_COUNT = JOB_LOOK_CANCELLED + 1
};
enum job_look job_look_of(const struct Rec__Job *j);
const char *job_look_name(enum job_look l);
enum job_look job_look_parse(struct str s); /* JOB_LOOK_NONE */
/* Schema 1 had neither looks nor what job_host tells now. */
void job_store_build_looks(struct store_tx *tx);

/* Jobs in that state whose id is of since_ms or later; counts up to max by
 * keys alone. */
uint64_t job_store_count_since(struct store_tx *tx, Rec__JobState state,
    int64_t since_ms, uint64_t max);

bool job_state_final(Rec__JobState s);
/* Sent to its agent, or begun by it, and not ended (lib/store/job_out.h). */
bool job_is_out(const struct Rec__Job *j);
/* queued, running, succeeded, failed, cancelled; "none". */
const char *job_state_name(Rec__JobState s);
const char *job_kind_name(Rec__JobKind k);
Rec__JobKind job_kind_parse(struct str s); /* KIND_UNKNOWN */
#endif
