/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/job_out.h"

#include "lib/base/arena.h"
#include "lib/store/job_store.h"
#include "lib/store/store_impl.h"
#include "lib/store/table.h"

enum {
	OUT_KEY_JOB_AT = 16,
	RECORD_MAX = 2 * TABLE_VALUE_MAX /* one of them, unpacked */
};

static void
out_key(struct key *k, const struct job_out *o)
{
	*k = (struct key){ 0 };
	key_ulid(k, &o->host);
	key_ulid(k, &o->job);
}

bool
job_out_next(struct store_tx *tx, struct job_out *at)
{
	struct table_scan sc;
	struct str key, value;
	struct key from;
	bool found;

	out_key(&from, at);
	table_scan_init(&sc, tx, TB_JOB_OUT, NULL, SCAN_UP);
	table_scan_behind(&sc, &from);
	found = table_scan_next(&sc, &key, &value) &&
	        key_id_at(tx, TB_JOB_OUT, key, 0, &at->host) &&
	        key_id_at(tx, TB_JOB_OUT, key, OUT_KEY_JOB_AT, &at->job);
	if (found)
		at->kind = value.n > 0 ? (Rec__JobKind)(uint8_t)value.p[0]
		                       : REC__JOB_KIND__KIND_UNKNOWN;
	table_scan_fini(&sc);
	return found;
}

void
job_out_put(struct store_tx *tx, const struct job_out *o)
{
	struct key k, kind = { .n = 0 };

	out_key(&k, o);
	key_u8(&kind, (unsigned)o->kind <= UINT8_MAX ? (uint8_t)o->kind : 0);
	table_put(tx, TB_JOB_OUT, &k, key_str(&kind));
}

void
job_out_del(struct store_tx *tx, const struct job_out *o)
{
	struct key k;

	out_key(&k, o);
	table_del(tx, TB_JOB_OUT, &k);
}

static bool
job_out_on_job(void *ctx, const struct Rec__Job *j)
{
	struct store_tx *tx = ctx;
	struct job_out o = { .kind = j->kind };

	if (job_is_out(j) && key_id_field(&j->host_id, &o.host) &&
	    key_id_field(&j->id, &o.job))
		job_out_put(tx, &o);
	arena_reset(tx->arena);
	return store_usable(tx);
}

void
job_out_build(struct store_tx *tx)
{
	struct arena *whole = tx->arena, one;

	/* Any number may be queued. */
	arena_init(&one, RECORD_MAX);
	tx->arena = &one;
	job_store_in_state(tx, REC__JOB_STATE__JOB_QUEUED, job_out_on_job, tx);
	job_store_in_state(tx, REC__JOB_STATE__JOB_RUNNING, job_out_on_job, tx);
	tx->arena = whole;
	arena_fini(&one);
}
