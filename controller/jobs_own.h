/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_JOBS_OWN_H
#define CONTROLLER_JOBS_OWN_H
/*
 * What the files of jobs share: jobs.c has the ops, jobs_api.c the routes,
 * jobs_list.c the fleet's list, jobs_log.c the downloads.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/op.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct json_out;
struct req;
struct store_tx;

/* Jobs of a read, on their way into an answer. */
struct jobs_listing {
	struct store_tx *tx;
	struct json_out *j;
};
/* What the API shows of a job, into the object that is open. */
void jobs_json_members(const struct jobs_listing *l,
    const struct Rec__Job *job);

/* Job.blocked: other work on its repository has to end first. */
#define JOBS_BUSY "repository_busy"

enum {
	/* A job somebody asked for waits a day for its host. */
	JOBS_WAIT_MS = 24 * 60 * 60 * 1000
};

/* op->in of jobs_run_op. */
struct jobs_wish {
	struct ulid host;
	struct ulid group;      /* zero: none given */
	const char *group_name; /* NULL: none given */
	Rec__JobKind kind;
	/* Of this run, 0: none; not given: the host's. */
	bool up_given, down_given;
	uint32_t up_kbps, down_kbps;
	bool online;   /* else it waits for the host's return */
	bool send_now; /* set by the op */
	/* Waits so long at most; 0: for ever. */
	int64_t lasts_ms;
	/* check: reads so much of the data (0: none), unless the host's own
	 * measure counts; out: which part it is. */
	bool subset_given;
	uint32_t subset_pct;
	uint32_t check_part, check_of;
	const char *action;  /* of the audit row; NULL: job.run_now */
	const char *confirm; /* must be the host's name; NULL: none asked */
	int64_t now_ms;
	/* out */
	struct ulid job;
	bool old;          /* it was queued already */
	bool other_limits; /* and not with the bandwidth of this request */
};
/* Bandwidth of one run, as asked for: by JSON (in) or by the form (in NULL).
 * What is not given is the host's, 0 is no limit (M-199). */
enum {
	JOBS_KBPS_MAX = 100000000
};
struct jobs_caps_in {
	int64_t up_kbps, down_kbps;
	bool up_seen, down_seen;
};
MUST_USE enum rc jobs_caps(struct req *r, const struct jobs_caps_in *in,
    struct jobs_wish *w, struct err *e);

/* Queues a job; the same host, group and kind again gives the one that
 * waits. */
enum rc jobs_run_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* {job_id, job_url}; browsers are led to the job. */
void jobs_reply(struct req *r, int status, const struct ulid *job);
/* The same of a backup asked for: 202, or 200 for one that waits already and
 * keeps its limits, which is told when they are others. */
void jobs_reply_run(struct req *r, const struct jobs_wish *w);
/* Of a page's notice (page.h): what waited keeps its own limits. */
#define JOBS_SAVED_WAITS "waits"

/* The same inside another op. */
enum rc jobs_run(struct store_tx *state, const struct op *op,
    struct jobs_wish *w);

/* One of several in a row, in a transaction and an arena of its own: what was
 * read for one is not kept for the next. */
enum rc jobs_run_alone(struct store_tx *state, const struct op *op,
    struct jobs_wish *w);

/* Of forget, prune, check and unlock: whether there is what it needs, and
 * which part of the data a check reads.  Nothing for other kinds. */
enum rc jobs_upkeep_prepare(struct store_tx *tx, const struct Rec__Host *h,
    struct jobs_wish *w);
/* It is queued: what is done once for all hosts of a repository. */
void jobs_upkeep_note(struct store_tx *tx, const struct Rec__Host *h,
    const struct jobs_wish *w);
/* Whether the host has a source group that keeps something and so can be
 * forgotten by. */
bool jobs_has_retention(struct store_tx *tx, const struct ulid *host);
bool jobs_keeps(const struct Rec__Retention *r);
/* Another host of the same repository whose machine has the same name, and a
 * source group by which this one forgets: their snapshots look alike.  Asked
 * when a forget is queued, and again when it is sent.  Texts last as long as
 * the transaction. */
struct jobs_twin {
	const char *host, *group;
};
bool jobs_find_twin(struct store_tx *tx, const struct Rec__Host *h,
    struct jobs_twin *out);
/* RC_CONFLICT shared_name, about one that was found. */
enum rc jobs_twin_err(const struct Rec__Host *h, const struct jobs_twin *twin,
    struct err *e);
/* "5" of check: 0 to 100, more is 100; false: no number. */
bool jobs_subset(struct str s, uint32_t *out);

/* GET /api/hosts/{id}/jobs?before=<job id>: the 100 before that one. */
void jobs_list_before(struct req *r);

/* op->in of jobs_cancel_op. */
struct jobs_cancel {
	struct ulid job;
	bool host_online;
	int64_t now_ms;
	const char *zone;
	/* out */
	struct ulid host;
};
enum rc jobs_cancel_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
#endif
