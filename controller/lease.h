/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_LEASE_H
#define CONTROLLER_LEASE_H
/*
 * Who may work on a repository that several hosts share.  Exclusive work
 * (forget, prune, check, unlock) that the controller starts never meets
 * another job that it started on any host of that repository, nor a run of an
 * agent's own that it knows of.  restic's lock stays the truth; this spares
 * runs that it would refuse.
 *
 * The lease is Repo.lease_job.  It counts while that job was sent and has not
 * ended, whatever became of the record: nothing has to be mended after a
 * crash.  A host that is silent holds nobody up once the repository itself
 * has shown that nothing of it is at work there:
 * - no lock, or only locks that nobody renews, were listed by another host
 *   (Repo.unlocked_at_ms), or, against exclusive work, a backup began there
 *   that succeeded (Repo.shared_at_ms), and
 * - that was at least LEASE_SILENCE_MS after the host was last heard: until
 *   then its restic may not have begun yet.
 * What a silent host does that is not exclusive, a backup, counts for a day
 * at most: from then on restic's lock alone protects it, and who meets that
 * tries again.  unlock does not wait for silent hosts at all: it is what an operator mends them
 * with, and takes no lock away that is renewed.
 *
 * Who waits for a moment without any other work could wait for ever on a
 * repository that many hosts share.  So exclusive work that was asked for
 * LEASE_PATIENCE_MS ago is given the turn (Repo.turn_job), one job at a time:
 * all other work of the repository but unlock goes behind it.  Runs of the
 * agents' own are not ours to hold up.  The turn, too, is what its job is: it
 * counts while that is queued, its host is there and has nothing else to do,
 * and nothing of a silent host is in its way.
 *
 * A repository nobody has told the id of is its host's own.
 * Any thread, with its own transaction.
 */
#include <stdbool.h>
#include <stdint.h>

#include "proto/store.pb-c.h"

struct store_tx;
struct ulid;

enum {
	/* restic renews its locks every 5 minutes and calls those stale that
	 * are older than this. */
	LEASE_SILENCE_MS = 30 * 60 * 1000,
	LEASE_DAY_MS = 24 * 60 * 60 * 1000,
	LEASE_PATIENCE_MS = 30 * 60 * 1000
};

/* Work that nothing may meet. */
bool lease_exclusive(Rec__JobKind kind);
/* Whether the host's job may be sent now; *by: a job that it has to wait
 * for. */
bool lease_free(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms, struct ulid *by);
/* The same, and the lease is its own: in the op that marks it as sent. */
bool lease_take(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms, struct ulid *by);
/* It is not free: whether the job is to have the turn, which nobody has. */
bool lease_turn_due(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms);
/* It has it, if so. */
void lease_turn(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, int64_t now_ms);
/* The job has ended; so has its lease. */
void lease_end(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j);

/* The host's locks_* are new, or its backup succeeded: what that tells about
 * others. */
void lease_on_locks(struct store_tx *tx, const struct Rec__Host *h);
void lease_on_backup(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j);
#endif
