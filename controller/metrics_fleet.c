/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the store tells: hosts, jobs, the audit log. */
#include <string.h>
#include <version.h>

#include "controller/metrics_own.h"
#include "lib/base/arena.h"
#include "lib/base/attr.h"
#include "lib/base/buf.h"
#include "lib/store/audit_store.h"
#include "lib/store/host_store.h"
#include "lib/store/job_store.h"
#include "lib/store/metric_store.h"
#include "lib/store/repo_store.h"
#include "lib/store/status.h"
#include "lib/store/table.h"
#include "lib/store/upkeep_store.h"

static const double ms_per_s = 1000;

/* One line of every host's series; text is in the arena of the read. */
struct line {
	char id[ULID_TEXT_CAP];
	const struct Rec__Host *host;
	int64_t check_ms, prune_ms; /* latest success; 0: none */
	struct line *next;
};

/* Why maintenance waits. */
static const char *const reasons[] = { "offline", "no_admin", "no_retention",
	"shared_name", "no_repository", "repository_busy", "job_running",
	"failed" };

struct fleet {
	struct arena *arena;
	struct store_tx *tx;
	struct line *first, **end;
	uint64_t hosts, online;
	uint64_t waiting[ARRAY_LEN(reasons)];
};

static void
count_waiting(struct fleet *f, const struct Rec__Upkeep *u)
{
	size_t i;

	for (i = 0; u != NULL && u->enabled && i < ARRAY_LEN(reasons); i++)
		f->waiting[i] += strcmp(u->waiting, reasons[i]) == 0;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void
look_at_upkeep(struct fleet *f, const struct ulid *host, struct line *ln)
{
	const struct Rec__Maintenance *m = upkeep_store_find(f->tx, host);
	const struct Rec__Repo *r = repo_store_of_host(f->tx, ln->host);

	if (r != NULL) {
		ln->check_ms = r->last_check_at_ms;
		ln->prune_ms = r->last_prune_at_ms;
	}
	if (m == NULL)
		return;
	count_waiting(f, m->forget);
	count_waiting(f, m->prune);
	count_waiting(f, m->check);
	if (m->check != NULL)
		ln->check_ms =
		    later(ln->check_ms, m->check->last_success_at_ms);
	if (m->prune != NULL)
		ln->prune_ms =
		    later(ln->prune_ms, m->prune->last_success_at_ms);
}

static bool
metrics_on_host(void *ctx, const struct Rec__Host *h)
{
	struct fleet *f = ctx;
	struct line *ln;
	struct ulid id;

	if (!key_id_field(&h->id, &id))
		return true;
	ln = arena_alloc(f->arena, sizeof(*ln));
	if (ln == NULL)
		return false;
	ulid_text(&id, ln->id);
	ln->host = h;
	ln->check_ms = ln->prune_ms = 0;
	look_at_upkeep(f, &id, ln);
	*f->end = ln;
	f->end = &ln->next;
	f->hosts++;
	f->online += h->online ? 1 : 0;
	return true;
}

/* False: the host has no such sample. */
static bool
host_value(const struct line *ln, enum metric m, double *out)
{
	const struct Rec__Host *h = ln->host;

	switch ((int)m) {
	case M_HOST_ONLINE:
		*out = h->online ? 1 : 0;
		return true;
	case M_HOST_BACKUP_AT:
		*out = (double)h->last_backup_at_ms / ms_per_s;
		return h->last_backup_at_ms > 0;
	case M_HOST_BACKUP_OK:
		*out = h->last_backup_state == REC__JOB_STATE__JOB_SUCCEEDED;
		return h->last_backup_state != REC__JOB_STATE__JOB_NONE;
	case M_HOST_REPO_SIZE:
		*out = (double)h->repo_size_bytes;
		return h->repo_size_bytes > 0;
	case M_HOST_SNAPSHOTS:
		*out = (double)h->snapshot_count;
		return true;
	case M_HOST_ALERTS:
		*out = 0;
		return true;
	case M_HOST_LOCK:
		*out = h->lock_count > 0;
		return h->locks_at_ms > 0;
	case M_HOST_CHECK_AT:
		*out = (double)ln->check_ms / ms_per_s;
		return ln->check_ms > 0;
	case M_HOST_PRUNE_AT:
		*out = (double)ln->prune_ms / ms_per_s;
		return ln->prune_ms > 0;
	case M_HOST_REPO:
		*out = 1;
		return true;
	default:
		return false;
	}
}

static void
put_hosts(struct buf *b, const struct fleet *f, enum metric m)
{
	const struct line *ln;
	double value;

	metric_head(b, m);
	for (ln = f->first; ln != NULL; ln = ln->next) {
		const struct metric_labels l = { { { "host_id", ln->id },
		    { "host", ln->host->name },
		    { m == M_HOST_REPO ? "status" : NULL,
			status_repo_name(ln->host->repo_status) } } };

		if (host_value(ln, m, &value))
			metric_put(b, m, &l, value);
	}
}

static void
put_fleet(struct buf *b, struct store_tx *state)
{
	static const char *const severities[] = { "info", "warning",
		"critical" };
	struct fleet f = { .arena = store_arena(state), .tx = state };
	enum metric m;
	size_t i;

	f.end = &f.first;
	host_store_each(state, metrics_on_host, &f);
	if (arena_rc(f.arena) != RC_OK)
		(void)store_fail(state, RC_LIMIT, "too many hosts at once");
	metric_head(b, M_HOSTS);
	metric_put(b, M_HOSTS, NULL, (double)f.hosts);
	metric_head(b, M_HOSTS_ONLINE);
	metric_put(b, M_HOSTS_ONLINE, NULL, (double)f.online);
	metric_head(b, M_ALERTS);
	for (i = 0; i < ARRAY_LEN(severities); i++) {
		const struct metric_labels l = {
			{ { "severity", severities[i] } }
		};

		metric_put(b, M_ALERTS, &l, 0);
	}
	for (m = M_HOST_ONLINE; m <= M_HOST_REPO; m++)
		put_hosts(b, &f, m);
	metric_head(b, M_UPKEEP);
	for (i = 0; i < ARRAY_LEN(reasons); i++) {
		const struct metric_labels l = { { { "reason", reasons[i] } } };

		metric_put(b, M_UPKEEP, &l, (double)f.waiting[i]);
	}
}

static void
put_build(struct buf *b)
{
	const struct metric_labels l = { { { "version", RM_VERSION },
	    { "commit", RM_COMMIT }, { "compiler", __VERSION__ } } };

	metric_head(b, M_BUILD);
	metric_put(b, M_BUILD, &l, 1);
}

static void
put_durations(struct buf *b, struct store_tx *state)
{
	double bounds[METRIC_BOUNDS];
	Rec__JobKind kind;
	Rec__JobState end;
	size_t i;

	for (i = 0; i < METRIC_BOUNDS; i++)
		bounds[i] = (double)metric_bounds_s[i];
	metric_head(b, M_JOB_DURATION);
	for (kind = REC__JOB_KIND__KIND_BACKUP;
	     kind <= REC__JOB_KIND__KIND_UPDATE; kind++) {
		for (end = REC__JOB_STATE__JOB_SUCCEEDED;
		     end <= REC__JOB_STATE__JOB_CANCELLED; end++) {
			const struct metric_labels l = {
				{ { "kind", job_kind_name(kind) },
				    { "status", job_state_name(end) } }
			};
			struct metric_durations d;
			struct metric_histogram h = { bounds, d.bucket,
				METRIC_BOUNDS, 0 };

			metric_store_durations(state, kind, end, &d);
			h.sum_s = (double)d.sum_ms / ms_per_s;
			metric_put_histogram(b, M_JOB_DURATION, &l, &h);
		}
	}
}

static void
put_jobs(struct buf *b, struct store_tx *state)
{
	static const Rec__JobState states[] = { REC__JOB_STATE__JOB_QUEUED,
		REC__JOB_STATE__JOB_RUNNING };
	size_t i;

	metric_head(b, M_JOBS);
	for (i = 0; i < ARRAY_LEN(states); i++) {
		const struct metric_labels l = {
			{ { "status", job_state_name(states[i]) } }
		};

		metric_put(b, M_JOBS, &l,
		    (double)job_store_count_in_state(state, states[i]));
	}
}

/* Queued and not accepted, by why. */
struct waiting {
	struct store_tx *tx;
	uint64_t offline, busy, turn;
};

static bool
metrics_on_queued(void *ctx, const struct Rec__Job *j)
{
	struct waiting *w = ctx;
	const struct Rec__Host *h;
	struct ulid host;

	if (j->accepted_at_ms != 0 || !key_id_field(&j->host_id, &host))
		return true;
	h = host_store_find(w->tx, &host);
	if (h != NULL && !h->online)
		w->offline++;
	else if (j->blocked[0] != '\0')
		w->busy++;
	else
		w->turn++;
	return true;
}

static void
put_waiting(struct buf *b, struct store_tx *state)
{
	struct waiting w = { .tx = state };
	const struct {
		const char *reason;
		const uint64_t *n;
	} rows[] = { { "offline", &w.offline }, { "repository_busy", &w.busy },
		{ "turn", &w.turn } };
	size_t i;

	job_store_in_state(state, REC__JOB_STATE__JOB_QUEUED, metrics_on_queued,
	    &w);
	metric_head(b, M_JOBS_WAITING);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct metric_labels l = {
			{ { "reason", rows[i].reason } }
		};

		metric_put(b, M_JOBS_WAITING, &l, (double)*rows[i].n);
	}
}

static void
put_audit(struct buf *b, struct store_tx *state)
{
	struct audit_head h;

	audit_store_head(state, &h);
	metric_head(b, M_AUDIT);
	metric_put(b, M_AUDIT, NULL, (double)h.count);
	metric_head(b, M_AUDIT_SEAL);
	metric_put(b, M_AUDIT_SEAL, NULL, h.seal == AUDIT_SEAL_FITS);
}

void
metrics_write_store(struct buf *b, struct store_tx *state,
    struct store_tx *vault)
{
	put_fleet(b, state);
	put_build(b);
	put_durations(b, state);
	put_jobs(b, state);
	put_waiting(b, state);
	put_audit(b, state);
	metric_head(b, M_SESSIONS);
	metric_put(b, M_SESSIONS, NULL, (double)table_count(vault, TB_SESSION));
}
