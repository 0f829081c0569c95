/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_UPKEEP_H
#define CONTROLLER_UPKEEP_H
/*
 * Repositories kept healthy: forget, prune and check on each host's cadences,
 * started by the controller alone, as jobs like any other.  What is due and
 * cannot run waits and says for what (Upkeep.waiting); it is looked at again
 * when that may have changed (upkeep_wake).  prune and check of a
 * repository that several hosts share are done by whichever is due first.
 *
 * upkeep_tick -> is anything due? -> round_op: for each, by
 * upkeep_rules: a job, or why not, and when next -> jobs are told.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct controller;
struct jobs_end;
struct op;
struct req;
struct route_json;
struct store_tx;
struct upkeep;

enum {
	UPKEEP_CRON_MAX = 256,
	UPKEEP_RETRIES = 3,               /* of what failed and may pass */
	UPKEEP_RETRY_MS = 60 * 60 * 1000, /* between two of them */
	UPKEEP_ROUND_MAX = 50             /* rows of one op */
};

/* Hosts of older stores get what they lack. */
struct upkeep *upkeep_new(struct controller *c);
void upkeep_free(struct upkeep *u);
/* Every second.  Costs what is due. */
void upkeep_tick(struct upkeep *u);

/* ---- within an op */

/* The defaults of a host that has none; due from its first hello on. */
void upkeep_make(struct store_tx *tx, const struct ulid *host);
/* Something of the host's is otherwise (credentials, retention, a repository
 * that opens): what waits is due in a minute. */
void upkeep_wake(struct store_tx *tx, const struct ulid *host, int64_t now_ms);
/* The host is back: the same, and what has no time yet gets one. */
void upkeep_hello(struct store_tx *tx, const struct ulid *host,
    const char *zone, int64_t now_ms);
/* A job of it has ended; the caller puts h and j. */
void upkeep_ended(struct store_tx *tx, const struct Rec__Host *h,
    const struct Rec__Job *j, const struct jobs_end *end);
/* Its record as it stands, or the defaults, in the arena of tx. */
struct Rec__Maintenance *upkeep_record(struct store_tx *tx,
    const struct ulid *host);
/* When it is due next by its cadence; 0: never. */
int64_t upkeep_due(const struct ulid *host, Rec__JobKind kind,
    const struct Rec__Upkeep *u, const char *zone, int64_t now_ms);

/* What the tick does to the store; op->in. */
struct upkeep_round {
	const char *zone;
	int64_t now_ms;
	/* out */
	struct upkeep_made {
		struct ulid host, job;
	} made[UPKEEP_ROUND_MAX];
	size_t n;
	bool more; /* others are due, too */
};
enum rc upkeep_round_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* ---- routes */

/* GET, PUT /api/hosts/{id}/repo-maintenance, and the form of the page. */
void upkeep_get(struct req *r);
void upkeep_put(struct req *r);
void upkeep_form(struct req *r);
extern const struct route_json upkeep_put_body;
#endif
