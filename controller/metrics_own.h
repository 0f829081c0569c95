/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_METRICS_OWN_H
#define CONTROLLER_METRICS_OWN_H
/*
 * What the files of metrics share.  Every metric is a row: id, name, type,
 * labels, and what it tells.  docs/metrics.md has the same rows, and a test
 * holds one to the other.
 *
 * Names that M-350 and M-355 give end in _total and _count without being
 * counters or histograms; they are "untyped", which Prometheus treats alike
 * and promtool accepts.
 */
#include <stddef.h>
#include <stdint.h>

#include "controller/agents.h"
#include "controller/ingest.h"
#include "controller/op.h"
#include "controller/sse.h"
#include "lib/net/listen.h"
#include "lib/net/offence.h"

struct buf;
struct latency;
struct store;
struct store_tx;

/* clang-format off */
#define METRICS(X) \
	X(M_HOSTS,          "rm_hosts_total",                        "untyped",   "", "Enrolled hosts.") \
	X(M_HOSTS_ONLINE,   "rm_hosts_online",                       "gauge",     "", "Enrolled hosts whose agent is connected.") \
	X(M_ALERTS,         "rm_active_alerts",                      "gauge",     "severity", "Open alerts; 0 as long as this version raises none.") \
	X(M_BUILD,          "rm_build_info",                         "gauge",     "version, commit, compiler", "Always 1; the labels tell what runs.") \
	X(M_HOST_ONLINE,    "rm_host_agent_online",                  "gauge",     "host_id, host", "1 while the agent is connected, else 0.") \
	X(M_HOST_BACKUP_AT, "rm_host_last_backup_timestamp_seconds", "gauge",     "host_id, host", "End of the last backup that was made; absent before the first.") \
	X(M_HOST_BACKUP_OK, "rm_host_last_backup_success",           "gauge",     "host_id, host", "1 when the last attempt made a backup, else 0; absent before the first attempt.") \
	X(M_HOST_REPO_SIZE, "rm_host_repo_size_bytes",               "gauge",     "host_id, host", "What the repository stores; absent while unknown.") \
	X(M_HOST_SNAPSHOTS, "rm_host_snapshot_count",                "untyped",   "host_id, host", "Snapshots in the repository.") \
	X(M_HOST_ALERTS,    "rm_host_open_alerts",                   "gauge",     "host_id, host", "Open alerts of the host; 0 as long as this version raises none.") \
	X(M_HOST_LOCK,      "rm_host_repo_lock_present",             "gauge",     "host_id, host", "1 when locks were left in the repository at the last look, else 0; absent while nobody looked.") \
	X(M_HOST_CHECK_AT,  "rm_host_last_check_timestamp_seconds",  "gauge",     "host_id, host", "End of the last check without errors, of any host of its repository; absent before the first.") \
	X(M_HOST_PRUNE_AT,  "rm_host_last_prune_timestamp_seconds",  "gauge",     "host_id, host", "End of the last prune, of any host of its repository; absent before the first.") \
	X(M_HOST_REPO,      "rm_host_repo_status",                   "gauge",     "host_id, host, status", "Always 1; status is unknown, ready or init_failed.") \
	X(M_JOB_DURATION,   "rm_job_duration_seconds",               "histogram", "kind, status", "How long jobs took that have ended; kept over restarts.") \
	X(M_JOBS,           "rm_jobs",                               "gauge",     "status", "Jobs that have not ended.") \
	X(M_JOBS_WAITING,   "rm_jobs_waiting",                       "gauge",     "reason", "Jobs that no agent has yet: its host is offline, its repository is busy, or another job is before it.") \
	X(M_UPKEEP,         "rm_maintenance_waiting",                "gauge",     "reason", "Maintenance that is due and cannot run, over all hosts.") \
	X(M_STREAMS,        "rm_agent_streams",                      "gauge",     "kind", "Open calls of agents: session, or poll that waits.") \
	X(M_BROWSERS,       "rm_browser_streams",                    "gauge",     "kind", "Open live views: log of a job, or page.") \
	X(M_SESSIONS,       "rm_sessions",                           "gauge",     "", "Sessions of people that have not expired, or were not swept yet.") \
	X(M_EVENTS,         "rm_events_received_total",              "counter",   "", "Events of agents that are on disk.") \
	X(M_LINES,          "rm_log_lines_received_total",           "counter",   "", "Lines of job logs that are on disk.") \
	X(M_LOG_BYTES,      "rm_log_received_bytes_total",           "counter",   "", "Bytes of job logs that are on disk, as written.") \
	X(M_INGEST_WAITING, "rm_ingest_waiting_bytes",               "gauge",     "", "Bytes of events received and not yet on disk.") \
	X(M_LOG_SYNC,       "rm_log_sync_duration_seconds",          "histogram", "", "How long it takes to sync the job logs of a batch.") \
	X(M_QUEUE,          "rm_store_queue_depth",                  "gauge",     "", "Changes that wait for the store.") \
	X(M_COMMITS,        "rm_store_commits_total",                "counter",   "", "Commits of the store, shared by changes that come together.") \
	X(M_CHANGES,        "rm_store_changes_total",                "counter",   "", "Changes asked of the store.") \
	X(M_CHANGES_FAILED, "rm_store_changes_failed_total",         "counter",   "", "Changes that were refused or could not be stored.") \
	X(M_COMMIT,         "rm_store_commit_duration_seconds",      "histogram", "", "How long a commit takes until it is on disk.") \
	X(M_HEALTHY,        "rm_store_healthy",                      "gauge",     "", "0 after a commit or a job log that could not be written, else 1.") \
	X(M_STORE_SIZE,     "rm_store_size_bytes",                   "gauge",     "store", "Size of a database file: state, vault or live.") \
	X(M_STORE_FREE,     "rm_store_free_bytes",                   "gauge",     "store", "Of it, pages that are free to be used again.") \
	X(M_SPOOL,          "rm_spool_size_bytes",                   "gauge",     "", "Size of the job logs, counted hourly.") \
	X(M_AUDIT,          "rm_audit_entries",                      "gauge",     "", "Entries of the audit log.") \
	X(M_AUDIT_SEAL,     "rm_audit_seal_fits",                    "gauge",     "", "0 when the audit log is not as it was left, else 1.") \
	X(M_CONNECTIONS,    "rm_connections",                        "gauge",     "", "Open connections.") \
	X(M_ACCEPTED,       "rm_connections_accepted_total",         "counter",   "", "Connections taken.") \
	X(M_REFUSED,        "rm_connections_refused_total",          "counter",   "reason", "Connections over a limit: in all, or of one address.") \
	X(M_HANDSHAKES,     "rm_tls_handshakes_total",               "counter",   "result", "TLS handshakes, done or failed.") \
	X(M_HANDSHAKING,    "rm_tls_handshakes_in_progress",         "gauge",     "", "TLS handshakes that have not ended.") \
	X(M_LOOP_LONGEST,   "rm_loop_longest_turn_seconds",          "gauge",     "", "The longest time within the last 10 to 20 s that connections waited for work on others.") \
	X(M_LOOP_STORE,     "rm_loop_longest_store_seconds",         "gauge",     "", "The longest time within the last 10 to 20 s that connections waited for the database while others were worked for.") \
	X(M_ABUSE,          "rm_abuse_total",                        "counter",   "kind", "What went over a limit; docs/security.md has the kinds.") \
	X(M_RENDERER,       "rm_renderer_up",                        "gauge",     "", "1 while the process that draws pages is connected, else 0.") \
	X(M_RENDER_QUEUE,   "rm_renderer_queue_depth",               "gauge",     "", "Pages that wait to be drawn.") \
	X(M_CPU,            "process_cpu_seconds_total",             "counter",   "", "User and system time of the controller.") \
	X(M_RSS,            "process_resident_memory_bytes",         "gauge",     "", "Memory in use, pages of the databases included.") \
	X(M_VIRTUAL,        "process_virtual_memory_bytes",          "gauge",     "", "Address space, of which the maps of the databases are nearly all.") \
	X(M_FDS,            "process_open_fds",                      "gauge",     "", "Open file descriptors.") \
	X(M_MAX_FDS,        "process_max_fds",                       "gauge",     "", "File descriptors there may be.") \
	X(M_START,          "process_start_time_seconds",            "gauge",     "", "When the controller was started.")
/* clang-format on */

enum metric {
#define X(id, name, type, labels, help) id,
	METRICS(X)
#undef X
};
enum {
	METRICS_COUNT = M_START + 1
};

struct metric_info {
	const char *name, *type, *labels, *help;
};
const struct metric_info *metric_info(enum metric m);

/* Labels of one sample; values are escaped. */
struct metric_label {
	const char *name;
	const char *value;
};
enum {
	METRIC_LABELS_MAX = 4
};
struct metric_labels {
	struct metric_label v[METRIC_LABELS_MAX]; /* ended by a NULL name */
};

/* HELP and TYPE, before the first sample of m. */
void metric_head(struct buf *b, enum metric m);
void metric_put(struct buf *b, enum metric m, const struct metric_labels *l,
    double value);
/* Sums the buckets up; count of them is bounds + 1, the last one +Inf. */
struct metric_histogram {
	const double *bounds_s;
	const uint64_t *bucket;
	size_t bounds;
	double sum_s;
};
void metric_put_histogram(struct buf *b, enum metric m,
    const struct metric_labels *l, const struct metric_histogram *h);

/* What the loop knows, copied. */
struct metrics_now {
	struct op_stats ops;
	struct ingest_stats ingest;
	struct agents_stats agents;
	struct sse_stats sse;
	struct listen_stats net;
	uint64_t abuse[OFFENCE_KINDS];
	uint64_t spool_bytes, loop_longest_us, loop_store_us;
	unsigned pages_waiting;
	bool pages_ready, healthy;
};
/* Pool or test: everything but the process. */
void metrics_write_now(struct buf *b, const struct metrics_now *n);
void metrics_write_store(struct buf *b, struct store_tx *state,
    struct store_tx *vault);
void metrics_write_sizes(struct buf *b, struct store *state,
    struct store *vault, struct store *live);
void metrics_write_process(struct buf *b);
#endif
