/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_UPKEEP_RULES_H
#define CONTROLLER_UPKEEP_RULES_H
/*
 * When a repository is maintained: values in, values out.  No store, no loop,
 * no clock.
 *
 * A cadence is a cron expression in RM_TIMEZONE.  Each host is due a while
 * later, the same each time, so that a fleet does not begin in one second.
 * `owed` is when something became due and has not been done: it stays that
 * until it runs, however many windows pass, so a host that was away is
 * maintained once when it is back.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "proto/store.pb-c.h"

struct cron;
struct ulid;

/* Defaults (M-212). */
#define UPKEEP_FORGET_CRON "0 3 * * *"
#define UPKEEP_PRUNE_CRON "0 4 * * 0"
#define UPKEEP_CHECK_CRON "0 5 1 * *"
enum {
	UPKEEP_SUBSET_PCT = 5,
	UPKEEP_PCT_MAX = 100,
	UPKEEP_SPREAD_S = 3600,
	/* What waits for others is looked at again so often; ... */
	UPKEEP_LOOK_MS = 5 * 60 * 1000,
	/* ... what waits for its own host is woken by what it waits for, and
	 * costs a fleet of sleepers nothing. */
	UPKEEP_LOOK_LONG_MS = 6 * 60 * 60 * 1000,
	/* After its hello a host gets so long for what it has to tell. */
	UPKEEP_SETTLE_MS = 60 * 1000
};

/* How much later than its cadence a host is due. */
int64_t upkeep_spread(const struct ulid *host, Rec__JobKind kind);
/* The first time after now; 0: never. */
int64_t upkeep_next(const struct cron *c, int64_t spread_ms, int64_t now_ms);

struct upkeep_facts {
	Rec__JobKind kind;
	int64_t owed_ms, spread_ms;
	bool has_repo;      /* and it is not known to be unusable */
	bool has_admin;     /* the slot that may delete */
	bool has_retention; /* something is kept, so something may go */
	bool has_twin; /* forget: another host's snapshots look like its own */
	bool online;
	bool open_job;   /* of this kind, of this host, not ended */
	bool shared_job; /* prune, check: another host does it for all */
	/* The latest success: this host's, and that of any host of its
	 * repository. */
	int64_t success_ms, repo_success_ms;
};

enum upkeep_verdict {
	UPKEEP_RUN,
	UPKEEP_DONE, /* it has been done since it became due */
	UPKEEP_WAIT
};
/* why: static; "" unless it waits: no_repository, no_retention, no_admin,
 * shared_name, job_running, repository_busy, offline. */
enum upkeep_verdict upkeep_decide(const struct upkeep_facts *f,
    const char **why);

/* When to look again at what waits for `why`. */
int64_t upkeep_look_ms(const char *why);

/* A check that reads pct % of the data: part n of `of`, behind the part at
 * position (0: none was read); together they read all of it.  0 of 0 when
 * pct is 0. */
void upkeep_part(uint32_t pct, uint32_t position, uint32_t *n, uint32_t *of);
#endif
