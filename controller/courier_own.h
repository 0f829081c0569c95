/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_COURIER_OWN_H
#define CONTROLLER_COURIER_OWN_H
/*
 * What the files of courier share: courier.c keeps the errands and hears what
 * happens, courier_visit.c looks at what one host needs, courier_out.c sends
 * it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/list.h"
#include "lib/base/ulid.h"

struct controller;
struct courier;
struct map;
struct store_tx;
struct Rec__Host;
struct Rec__Job;

enum {
	COURIER_RESEND_MS = 10000, /* sent and not answered, or not stored */
	/* What is waited for is told: a job's end, or a hello. */
	COURIER_CALM_MS = 30000
};

/* One host's errands. */
struct errand {
	struct list woken;
	struct list waiting; /* while it has open jobs: the tick looks */
	struct ulid host;
	struct ulid *open; /* jobs that have not ended, oldest first */
	size_t count;
	struct ulid sent; /* the run command under way */
	int64_t sent_ms;  /* monotonic; 0: not sent on this connection */
	int64_t cancel_ms;
	int64_t busy_until_ms;
	/* Until then what its repository held up still waits. */
	int64_t gate_ms;
	int64_t calm_ms; /* until then the tick passes it over */
	/* The job whose end another waits for, which its agent was told. */
	struct ulid told;
	bool marking; /* an op stores that it is being sent, or cannot be */
};

struct courier {
	struct controller *ctl;
	struct map *errands;
	struct list woken;
	struct list waiting;
	bool deferred;
};

/* One look at what a host's jobs need. */
struct visit {
	struct courier *k;
	struct errand *er;
	struct store_tx *tx;
	const struct Rec__Host *host;
	int64_t now_ms;
	struct ulid at_work; /* what the agent was at as this began, or zero */
	bool gate;           /* what the repository held up is looked at, too */
	bool occupied;       /* the agent has a job */
	bool pending;        /* something is to be sent, now or again */
};

struct errand *errand_get(struct courier *k, const struct ulid *host);
/* Keeps the order of the ids, which is that of time. */
void errand_open(struct errand *er, const struct ulid *job);

/* courier_visit.c: whatever its host needs now. */
void errand_visit(struct courier *k, struct errand *er);

/* courier_out.c */
/* False: it cannot be reached. */
bool errand_cancel(struct courier *k, struct errand *er,
    const struct ulid *job);
/* The same; what cannot be run any more ends as failed. */
bool errand_run(struct visit *v, const struct ulid *job,
    const struct Rec__Job *j);
/* The same: the job waits for what the agent does. */
bool errand_waits(struct courier *k, struct errand *er,
    const struct Rec__Job *j);
/* Before the first sending the job says so: a cancel must know whether the
 * agent may have it, and others of its repository that it is at work there.
 * Or it says that it waits for them. */
void errand_mark(struct courier *k, struct errand *er, const struct ulid *job);
#endif
