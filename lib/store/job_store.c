/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/job_store.h"

#include "lib/base/arena.h"
#include "lib/store/job_out.h"
#include "lib/store/log_store.h"
#include "lib/store/metric_store.h"
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
static const char *const look_names[] = {
	[JOB_LOOK_NONE]       = "none",
	[JOB_LOOK_QUEUED]     = "queued",
	[JOB_LOOK_RUNNING]    = "running",
	[JOB_LOOK_FAILED]     = "failed",
	[JOB_LOOK_INCOMPLETE] = "incomplete",
	[JOB_LOOK_SUCCEEDED]  = "succeeded",
	[JOB_LOOK_CANCELLED]  = "cancelled",
};
/* clang-format on */

_Static_assert(ARRAY_LEN(look_names) == JOB_LOOK_COUNT, "a name for each");

bool
job_state_final(Rec__JobState s)
{
	return s == REC__JOB_STATE__JOB_SUCCEEDED ||
	       s == REC__JOB_STATE__JOB_FAILED ||
	       s == REC__JOB_STATE__JOB_CANCELLED;
}

bool
job_is_out(const struct Rec__Job *j)
{
	return j->state == REC__JOB_STATE__JOB_RUNNING ||
	       (j->state == REC__JOB_STATE__JOB_QUEUED && j->sent_at_ms != 0);
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

enum job_look
job_look_of(const struct Rec__Job *j)
{
	switch (j->state) {
	case REC__JOB_STATE__JOB_QUEUED:
		return JOB_LOOK_QUEUED;
	case REC__JOB_STATE__JOB_RUNNING:
		return JOB_LOOK_RUNNING;
	case REC__JOB_STATE__JOB_SUCCEEDED:
		return j->incomplete ? JOB_LOOK_INCOMPLETE : JOB_LOOK_SUCCEEDED;
	case REC__JOB_STATE__JOB_FAILED:
		return JOB_LOOK_FAILED;
	case REC__JOB_STATE__JOB_CANCELLED:
		return JOB_LOOK_CANCELLED;
	case REC__JOB_STATE__JOB_NONE:
	case _REC__JOB_STATE_IS_INT_SIZE:
		break;
	}
	return JOB_LOOK_NONE;
}

const char *
job_look_name(enum job_look l)
{
	return look_names[l];
}

enum job_look
job_look_parse(struct str s)
{
	unsigned i;

	for (i = JOB_LOOK_NONE + 1; i < ARRAY_LEN(look_names); i++)
		if (str_eqz(s, look_names[i]))
			return (enum job_look)i;
	return JOB_LOOK_NONE;
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
state_prefix(struct key *k, Rec__JobState state)
{
	*k = (struct key){ 0 };
	key_u8(k, (uint8_t)state);
}

struct Rec__Job *
job_store_get(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	return table_get(tx, TB_JOB, &k, &rec__job__descriptor, "job");
}

struct Rec__Job *
job_store_find(struct store_tx *tx, const struct ulid *id)
{
	struct key k;

	key_of_id(&k, id);
	return table_find(tx, TB_JOB, &k, &rec__job__descriptor);
}

/* What of a record the indexes and the rules need. */
struct facts {
	struct ulid id, host;
	Rec__JobState state;
	enum job_look look;
	uint8_t kind; /* as in keys: 0 for what is not known here */
	bool log_closed;
	bool out; /* with its agent, or on its way */
};

/* The rows of the indexes stand already: they change in one transaction with
 * the record. */
static bool
same_rows(const struct facts *a, const struct facts *b)
{
	return a->state == b->state && a->look == b->look &&
	       a->kind == b->kind && a->log_closed == b->log_closed &&
	       a->out == b->out;
}

static bool
facts_of(const struct Rec__Job *j, struct facts *out)
{
	out->state = j->state;
	out->look = job_look_of(j);
	out->kind =
	    (unsigned)j->kind < ARRAY_LEN(kind_names) ? (uint8_t)j->kind : 0;
	out->log_closed = j->log_closed;
	out->out = job_is_out(j);
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
look_key(struct key *k, const struct facts *f)
{
	*k = (struct key){ 0 };
	key_u8(k, (uint8_t)f->look);
	key_u8(k, f->kind);
	key_ulid(k, &f->id);
}

/* Each says of a job what the other is sorted by. */
static void
index_look(struct store_tx *tx, const struct facts *f)
{
	struct key k, look = { 0 };

	look_key(&k, f);
	table_put(tx, TB_JOB_LOOK, &k, str_from(f->host.b, sizeof(f->host.b)));
	key_u8(&look, (uint8_t)f->look);
	key_u8(&look, f->kind);
	key_of_ids(&k, &f->host, &f->id);
	table_put(tx, TB_JOB_HOST, &k, key_str(&look));
}

static void
index_out(struct store_tx *tx, const struct facts *f)
{
	const struct job_out o = { f->host, f->id, (Rec__JobKind)f->kind };

	if (f->out)
		job_out_put(tx, &o);
	else
		job_out_del(tx, &o);
}

static void
unindex(struct store_tx *tx, const struct facts *was, const struct facts *now)
{
	struct key k;

	if (was->state != now->state)
		index_state(tx, was, false);
	if (was->look == now->look && was->kind == now->kind)
		return;
	look_key(&k, was);
	table_del(tx, TB_JOB_LOOK, &k);
}

static void
index_log(struct store_tx *tx, const struct facts *f)
{
	struct key k;

	key_of_id(&k, &f->id);
	if (f->log_closed)
		table_del(tx, TB_JOB_LOG, &k);
	else
		table_put(tx, TB_JOB_LOG, &k, STR(""));
}

/* In the transaction that ends the job.  One that never began took no time,
 * but has ended as well. */
static void
count_end(struct store_tx *tx, const struct Rec__Job *j)
{
	int64_t ms = 0;

	if (j->started_at_ms > 0)
		ms = j->finished_at_ms - j->started_at_ms;
	metric_store_observe(tx, j->kind, j->state, ms);
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
		unindex(tx, &was, &now);
	}
	if (old == NULL || !same_rows(&was, &now)) {
		index_state(tx, &now, true);
		index_look(tx, &now);
		index_log(tx, &now);
		index_out(tx, &now);
	}
	if (now.log_closed && !j->log_expired &&
	    (old == NULL || !was.log_closed))
		log_store_closed(tx, &now.id);
	key_of_id(&k, &now.id);
	if (!table_put_record(tx, TB_JOB, &k, &j->base))
		return;
	if (job_state_final(now.state) &&
	    (old == NULL || !job_state_final(was.state)))
		count_end(tx, j);
	store_bump(tx, VER_JOBS);
	store_bump_host(tx, &now.host);
}

void
job_store_del(struct store_tx *tx, const struct ulid *id)
{
	struct Rec__Job *j = job_store_find(tx, id);
	struct facts f;
	struct key k;

	if (j == NULL)
		return;
	if (facts_of(j, &f)) {
		index_state(tx, &f, false);
		look_key(&k, &f);
		table_del(tx, TB_JOB_LOOK, &k);
		key_of_ids(&k, &f.host, &f.id);
		table_del(tx, TB_JOB_HOST, &k);
		f.out = false;
		index_out(tx, &f);
	}
	log_store_forget(tx, id);
	key_of_id(&k, id);
	table_del(tx, TB_JOB_LOG, &k);
	table_del(tx, TB_JOB, &k);
	store_bump(tx, VER_JOBS);
}

/* Gives the jobs of an index, whose keys end with the job id. */
struct walk {
	struct table_scan sc;
	size_t left;
	bool open_only; /* of job_host */
	job_store_fn *fn;
	void *ctx;
};

/* What a row of job_host says of its job. */
static bool
row_is_open(struct str value)
{
	return value.n > 0 && (value.p[0] == JOB_LOOK_QUEUED ||
	                          value.p[0] == JOB_LOOK_RUNNING);
}

static void
walk_run(struct walk *w)
{
	struct store_tx *tx = w->sc.tx;
	struct str key, value;
	struct Rec__Job *j;
	struct ulid id;

	while (w->left-- > 0 && table_scan_next(&w->sc, &key, &value)) {
		if (w->open_only && !row_is_open(value))
			continue;
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

	key_of_id(&k, host);
	table_scan_init(&w.sc, tx, TB_JOB_HOST, &k, SCAN_DOWN);
	if (before != NULL) {
		key_of_ids(&k, host, before);
		table_scan_behind(&w.sc, &k);
	}
	walk_run(&w);
}

void
job_store_open_of_host(struct store_tx *tx, const struct ulid *host, size_t max,
    job_store_fn *fn, void *ctx)
{
	struct walk w = { .left = max,
		.open_only = true,
		.fn = fn,
		.ctx = ctx };
	struct key k;

	key_of_id(&k, host);
	table_scan_init(&w.sc, tx, TB_JOB_HOST, &k, SCAN_DOWN);
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
		key_of_id(&k, before);
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
job_store_count_in_state(struct store_tx *tx, Rec__JobState state)
{
	struct key prefix;

	state_prefix(&prefix, state);
	return table_count_below(tx, TB_JOB_STATE, &prefix);
}

uint64_t
job_store_count_since(struct store_tx *tx, Rec__JobState state,
    int64_t since_ms, uint64_t max)
{
	struct table_scan sc;
	struct str key, value;
	struct key prefix;
	struct ulid id;
	uint64_t n = 0;

	state_prefix(&prefix, state);
	table_scan_init(&sc, tx, TB_JOB_STATE, &prefix, SCAN_DOWN);
	while (n < max && table_scan_next(&sc, &key, &value)) {
		if (!key_id_at(tx, TB_JOB_STATE, key, KEY_TAIL, &id) ||
		    ulid_time_ms(&id) < since_ms)
			break;
		n++;
	}
	table_scan_fini(&sc);
	return n;
}

uint64_t
job_store_count_of_host(struct store_tx *tx, const struct ulid *host)
{
	struct key prefix;

	key_of_id(&prefix, host);
	return table_count_below(tx, TB_JOB_HOST, &prefix);
}

void
job_store_open_logs(struct store_tx *tx, job_store_fn *fn, void *ctx)
{
	struct walk w = { .left = SIZE_MAX, .fn = fn, .ctx = ctx };

	table_scan_init(&w.sc, tx, TB_JOB_LOG, NULL, SCAN_UP);
	walk_run(&w);
}

enum {
	RECORD_MAX = 2 * TABLE_VALUE_MAX /* one of them, unpacked */
};

void
job_store_build_looks(struct store_tx *tx)
{
	struct arena *whole = tx->arena, one;
	struct table_scan sc;
	struct str key, value;
	struct Rec__Job *j;
	struct facts f;

	/* A million of them would not fit into the transaction's. */
	arena_init(&one, RECORD_MAX);
	tx->arena = &one;
	table_scan_init(&sc, tx, TB_JOB, NULL, SCAN_UP);
	while (table_scan_next(&sc, &key, &value)) {
		arena_reset(&one);
		j = table_unpack(tx, TB_JOB, value, &rec__job__descriptor);
		if (j != NULL && facts_of(j, &f))
			index_look(tx, &f);
	}
	table_scan_fini(&sc);
	tx->arena = whole;
	arena_fini(&one);
}
