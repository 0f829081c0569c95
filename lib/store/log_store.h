/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_LOG_STORE_H
#define LIB_STORE_LOG_STORE_H
/*
 * Which jobs' logs retention has removed.  A mark tells up to which job all
 * were looked at, so that each is looked at once and not once a start; one
 * whose log is closed behind the mark is remembered for the next time.
 */
#include <stddef.h>

#include "lib/store/store.h"

/* Of job_store: this job's log is closed from now on. */
void log_store_closed(struct store_tx *tx, const struct ulid *job);
void log_store_forget(struct store_tx *tx, const struct ulid *job);
/* The logs of jobs older than `before` are gone: says so in their records, but
 * for those that are still open.  Looks at max jobs at most; fewer were looked
 * at: that was all. */
size_t log_store_expire(struct store_tx *tx, const struct ulid *before,
    size_t max);
#endif
