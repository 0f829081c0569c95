/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/job_store.h"

#include "lib/base/arena.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

/* clang-format off */
static const char *const state_names[] = {
	[REC__JOB_STATE__JOB_NONE]      = "none",
	[REC__JOB_STATE__JOB_QUEUED]    = "queued",
	[REC__JOB_STATE__JOB_RUNNING]   = "running",
	[REC__JOB_STATE__JOB_SUCCEEDED] = "succeeded",
	[REC__JOB_STATE__JOB_FAILED]    = "failed",
	[REC__JOB_STATE__JOB_CANCELLED] = "cancelled",
};
static const char *const kind_names[] = {
	[REC__JOB_KIND__KIND_UNKNOWN] = "unknown",
	[REC__JOB_KIND__KIND_BACKUP]  = "backup",
	[REC__JOB_KIND__KIND_INIT]    = "init",
	[REC__JOB_KIND__KIND_FORGET]  = "forget",
	[REC__JOB_KIND__KIND_PRUNE]   = "prune",
	[REC__JOB_KIND__KIND_CHECK]   = "check",
	[REC__JOB_KIND__KIND_UNLOCK]  = "unlock",
	[REC__JOB_KIND__KIND_RESTORE] = "restore",
	[REC__JOB_KIND__KIND_DIFF]    = "diff",
	[REC__JOB_KIND__KIND_UPDATE]  = "update",
};
/* clang-format on */

bool
job_state_final(Rec__JobState s)
{
	return s == REC__JOB_STATE__JOB_SUCCEEDED ||
	       s == REC__JOB_STATE__JOB_FAILED ||
	       s == REC__JOB_STATE__JOB_CANCELLED;
}

/* Stored enumerators may be newer than this program. */
const char *
job_state_name(Rec__JobState s)
{
	return (unsigned)s < ARRAY_LEN(state_names) ? state_names[s] : "none";
}

const char *
job_kind_name(Rec__JobKind k)
{
	return (unsigned)k < ARRAY_LEN(kind_names) ? kind_names[k] : "unknown";
}

Rec__JobKind
job_kind_parse(struct str s)
{
	unsigned i;

	for (i = 1; i < ARRAY_LEN(kind_names); i++)
		if (str_eqz(s, kind_names[i]))
			return (Rec__JobKind)i;
	return REC__JOB_KIND__KIND_UNKNOWN;
}

static void
id_key(struct key *k, const struct ulid *id)
{
	*k = (struct key){ 0 };
	key_ulid(k, id);
}

static void
host_key(struct key *k, const struct ulid *host, const struct ulid *id)
{
	id_key(k, host);
	key_ulid(k, id);
}

static void
state_prefix(struct key *k, Rec__JobState state)
{
	*k = (struct key){ 0 };
	key_u8(k, (uint8_t)state);
}

struct Rec__Job *
job_store_get(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	id_key(&k, id);
	return table_get(tx, TB_JOB, &k, &rec__job__descriptor, "job");
}

struct Rec__Job *
job_store_find(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	id_key(&k, id);
	return table_find(tx, TB_JOB, &k, &rec__job__descriptor);
}

/* What of a record the indexes and the rules need. */
struct facts {
	struct ulid id, host;
	Rec__JobState state;
	bool log_closed;
};

static bool
facts_of(const struct Rec__Job *j, struct facts *out)
{
	out->state = j->state;
	out->log_closed = j->log_closed;
	return key_id_field(&j->id, &out->id) &&
	       key_id_field(&j->host_id, &out->host) &&
	       j->state > REC__JOB_STATE__JOB_NONE &&
	       (unsigned)j->state < ARRAY_LEN(state_names);
}

static bool
allowed(struct store_tx *tx, const struct facts *old, const struct facts *new)
{
	if (!ulid_eq(&old->host, &new->host))
		store_fail(tx, RC_CONFLICT,
		    "this job id belongs to another host");
	else if (job_state_final(old->state) && old->state != new->state)
		store_fail(tx, RC_CONFLICT,
		    "the job has ended (%s) and cannot become %s",
		    job_state_name(old->state), job_state_name(new->state));
	return store_usable(tx);
}

static void
index_state(struct store_tx *tx, const struct facts *f, bool put)
{
	struct key k;

	state_prefix(&k, f->state);
	key_ulid(&k, &f->id);
	if (put)
		table_put(tx, TB_JOB_STATE, &k, STR(""));
	else
		table_del(tx, TB_JOB_STATE, &k);
}

static void
index_log(struct store_tx *tx, const struct facts *f)
{
	struct key k;

	id_key(&k, &f->id);
	if (f->log_closed)
		table_del(tx, TB_JOB_LOG, &k);
	else
		table_put(tx, TB_JOB_LOG, &k, STR(""));
}

void
job_store_put(struct store_tx *tx, const struct Rec__Job *j)
{
	struct Rec__Job *old;
	struct facts was, now;
	struct key k;

	if (!facts_of(j, &now)) {
		store_fail(tx, RC_INVALID,
		    "a job needs an id, a host and a state");
		return;
	}
	old = job_store_find(tx, &now.id);
	if (old != NULL) {
		if (!facts_of(old, &was)) {
			store_fail(tx, RC_CORRUPT,
			    "a job record is damaged; restore a backup");
			return;
		}
		if (!allowed(tx, &was, &now))
			return;
		if (was.state != now.state)
			index_state(tx, &was, false);
	}
	host_key(&k, &now.host, &now.id);
	table_put(tx, TB_JOB_HOST, &k, STR(""));
	index_state(tx, &now, true);
	index_log(tx, &now);
	id_key(&k, &now.id);
	if (!table_put_record(tx, TB_JOB, &k, &j->base))
		return;
	store_bump(tx, VER_JOBS);
	store_bump_host(tx, &now.host);
}

/* Gives the jobs of an index, whose keys end with the job id. */
struct walk {
	struct table_scan sc;
	size_t left;
	job_store_fn *fn;
	void *ctx;
};

static void
walk_run(struct walk *w)
{
	struct store_tx *tx = w->sc.tx;
	struct str key, value;
	struct Rec__Job *j;
	struct ulid id;

	while (w->left-- > 0 && table_scan_next(&w->sc, &key, &value)) {
		if (!key_id_at(tx, w->sc.table, key, KEY_TAIL, &id))
			break;
		j = job_store_find(tx, &id);
		if (j == NULL && store_usable(tx))
			store_fail(tx, RC_CORRUPT,
			    "an index of jobs leads nowhere; restore a backup");
		if (j == NULL || !w->fn(w->ctx, j))
			break;
	}
	table_scan_fini(&w->sc);
}

void
job_store_of_host(struct store_tx *tx, const struct ulid *host,
    const struct ulid *before, size_t max, job_store_fn *fn, void *ctx)
{
	struct walk w = { .left = max, .fn = fn, .ctx = ctx };
	struct key k;

	id_key(&k, host);
	table_scan_init(&w.sc, tx, TB_JOB_HOST, &k, SCAN_DOWN);
	if (before != NULL) {
		host_key(&k, host, before);
		table_scan_behind(&w.sc, &k);
	}
	walk_run(&w);
}

void
job_store_latest(struct store_tx *tx, const struct ulid *before, size_t max,
    job_store_fn *fn, void *ctx)
{
	struct walk w = { .left = max, .fn = fn, .ctx = ctx };
	struct key k;

	table_scan_init(&w.sc, tx, TB_JOB, NULL, SCAN_DOWN);
	if (before != NULL) {
		id_key(&k, before);
		table_scan_behind(&w.sc, &k);
	}
	walk_run(&w);
}

void
job_store_in_state(struct store_tx *tx, Rec__JobState state, job_store_fn *fn,
    void *ctx)
{
	struct walk w = { .left = SIZE_MAX, .fn = fn, .ctx = ctx };
	struct key k;

	state_prefix(&k, state);
	table_scan_init(&w.sc, tx, TB_JOB_STATE, &k, SCAN_UP);
	walk_run(&w);
}

uint64_t
job_store_count_of_host(struct store_tx *tx, const struct ulid *host)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	uint64_t n = 0;

	id_key(&prefix, host);
	table_scan_init(&sc, tx, TB_JOB_HOST, &prefix, SCAN_UP);
	while (table_scan_next(&sc, &key, &value))
		n++;
	table_scan_fini(&sc);
	return n;
}

void
job_store_open_logs(struct store_tx *tx, job_store_fn *fn, void *ctx)
{
	struct walk w = { .left = SIZE_MAX, .fn = fn, .ctx = ctx };

	table_scan_init(&w.sc, tx, TB_JOB_LOG, NULL, SCAN_UP);
	walk_run(&w);
}
