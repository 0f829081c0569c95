/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_JOBS_H
#define CONTROLLER_JOBS_H
/*
 * Jobs: dispatch, cancel, what agents report about them, and the JSON reads.
 * Route handlers answer their request; the ops run on the store thread.
 */
#include "controller/op.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "proto/store.pb-c.h"

struct controller;
struct json_out;
struct req;
struct store_tx;

/* POST /api/hosts/{id}/jobs {kind, args}: 202 {job_id, job_url}. */
void jobs_dispatch(struct req *r);
/* POST [/api]/hosts/{id}/source-groups/{gid}/run: 202, the same job again
 * 200; browsers are sent to the job. */
void jobs_run_group(struct req *r);
/* POST [/api]/hosts/{id}/repo/probe: tries the repository again by an init;
 * .../repo/reinit: the same from the danger zone, with the host's name typed
 * (confirm).  202 {job_id, job_url}, 200 for one that waits; browsers get the
 * Repository tab. */
void jobs_repo_probe(struct req *r);
void jobs_repo_reinit(struct req *r);
/* POST [/api]/hosts/{id}/repo/forget, prune, check?subset=N, unlock: 202
 * {job_id, job_url}, 200 for one that waits, 409 without what it needs. */
void jobs_repo_maintain(struct req *r);
/* POST [/api]/hosts/run: every source group of the hosts named, each answered
 * for: started, waiting (offline ones among them) or refused. */
void jobs_run_hosts(struct req *r);
/* POST /hosts/{id}/run-backup, /hosts/{id}/init-repo: 410 for ever. */
void jobs_gone(struct req *r);
/* POST [/api]/jobs/{id}/cancel: 202, 404, 409 over, 503 offline. */
void jobs_cancel(struct req *r);
/* GET /api/jobs: of the whole fleet, filtered, by pages. */
void jobs_fleet(struct req *r);
/* GET /api/hosts/{id}/jobs, /api/jobs/{id}. */
void jobs_list(struct req *r);
void jobs_get(struct req *r);
/* GET /api/jobs/{id}/log.txt, log.ndjson. */
void jobs_log_txt(struct req *r);
void jobs_log_ndjson(struct req *r);

/* Body of jobs_dispatch. */
extern const struct route_json jobs_dispatch_body;
extern const struct route_json jobs_run_hosts_body;
extern const struct route_json jobs_run_body;    /* bandwidth_up/down_kbps */
extern const struct route_json jobs_reinit_body; /* confirm */

/* Its member "stats": restic's summary, or null. */
void jobs_stats_json(struct json_out *j, const struct Rec__JobStats *s);

/* An agent's answer to a run command: accepted, or a reason for which the
 * job fails.  op->in: struct jobs_answer. */
struct jobs_answer {
	struct ulid host, job;
	bool accepted;
	const char *error;
	int64_t now_ms;
	const char *zone;
};
enum rc jobs_answer_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* Ends a job that no agent has taken: it cannot be run, or nobody came for it.
 * op->in: struct jobs_closing. */
struct jobs_closing {
	struct ulid host, job;
	Rec__JobState state;
	const char *cause, *error;
	int64_t now_ms;
	const char *zone;
};
enum rc jobs_close_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
/* The same inside another op. */
void jobs_close(struct store_tx *tx, const struct jobs_closing *c);

/* Every minute: jobs that have waited too long for their host. */
void jobs_expire_tick(struct controller *c);
/* The op behind it; op->in. */
enum {
	JOBS_EXPIRE_MAX = 100
};
struct jobs_expiry {
	int64_t now_ms;
	const char *zone;
	/* out */
	struct ulid hosts[JOBS_EXPIRE_MAX], jobs[JOBS_EXPIRE_MAX];
	size_t n;
};
enum rc jobs_expire_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);

/* Queues an init if the host has a repository and never had one (M-239).
 * Inside an op; *made tells. */
enum rc jobs_auto_init(struct store_tx *tx, const struct op *op,
    struct Rec__Host *h, bool *made);
/* Tries changed credentials by an init (M-210), which takes a repository
 * that is there for success: a fresh one, or one that no agent can have
 * seen.  It waits for a host that is offline.  Inside an op. */
enum rc jobs_probe(struct store_tx *tx, const struct op *op,
    struct Rec__Host *h, struct ulid *job);
#endif
