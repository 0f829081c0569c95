/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_RULES_H
#define CONTROLLER_RULES_H
/*
 * Decisions: values in, values out.  No store, no loop, no clock.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "proto/store.pb-c.h"

enum {
	RULES_ONLINE_MS = 90000,
	RULES_PROTOCOL = 1
};

/* protocol_too_old or protocol_too_new. */
MUST_USE enum rc rules_protocol(uint32_t version, struct err *e);

/* Whether an event's number fits behind the last one taken.  gap_from is 0,
 * or the first number that a gap record with this seq stands for. */
enum rules_seq {
	RULES_KNOWN, /* drop it */
	RULES_NEXT,  /* take it */
	RULES_ASTRAY /* end the stream, the next hello sorts it out */
};
enum rules_seq rules_seq(uint64_t have, uint64_t seq, uint64_t gap_from);

/* From where an agent shall send: behind what is on disk here, but never
 * what it does not hold any more. */
uint64_t rules_resume(bool same_epoch, uint64_t have, uint64_t first_held);

/* Lines first .. first + count - 1 of a job that has `have` lines. */
struct rules_lines {
	uint64_t missing; /* never came: told in the log */
	uint64_t known;   /* of count, from the front: dropped */
};
/* False: no line numbers. */
MUST_USE bool rules_lines(uint64_t have, uint64_t first, uint64_t count,
    struct rules_lines *out);

/* A second agent with the bearer of a live one. */
struct rules_peer {
	bool known; /* there is an instance to compare with */
	bool same;
	int64_t silent_ms; /* since it was last seen */
};
bool rules_is_duplicate(const struct rules_peer *p);

/* What to do with a wish to cancel. */
enum rules_cancel {
	RULES_CANCEL_OVER, /* it has ended */
	RULES_CANCEL_NOW,  /* never sent */
	RULES_CANCEL_SEND, /* the agent has to */
	RULES_CANCEL_OFFLINE
};
enum rules_cancel rules_cancel(const struct Rec__Job *j, bool online);

/* Whether the agent has taken the job and not ended it. */
bool rules_with_agent(const struct Rec__Job *j);
/* Ended although nothing of it ever ran. */
bool rules_never_ran(const struct Rec__Job *j);

/* The agent's time of an event, which must not lie before `earliest` or
 * after now: its clock may be wrong.  So may ours have been: now wins. */
int64_t rules_time(int64_t said_ms, int64_t earliest_ms, int64_t now_ms);
/* Before this a job cannot have begun, by our own clock; 1: not known. */
int64_t rules_job_earliest(const struct Rec__Job *j);
/* Whether what happened at `at` is later than `stored`.  A stored time that
 * lies in the future is of a clock that was wrong, and proves nothing. */
bool rules_later(int64_t at_ms, int64_t stored_ms, int64_t now_ms);
/* Days since 1970 at the given offset from UTC. */
uint32_t rules_day(int64_t ms, int32_t offset_s);

/* Moves what a host tells about its backups; the job has ended. */
void rules_host_backup(struct Rec__Host *h, const struct Rec__Job *j,
    int64_t now_ms);
/* The same for the repository's state, by an init or a backup. */
void rules_host_repo(struct Rec__Host *h, const struct Rec__Job *j);
void rules_group_backup(struct Rec__SourceGroup *g, const struct Rec__Job *j,
    int64_t now_ms);
/* And what its schedule tells; false: not a run that counts for it. */
bool rules_schedule_backup(struct Rec__Schedule *s, const struct Rec__Job *j,
    int64_t now_ms);
#endif
