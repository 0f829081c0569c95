/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <unistd.h>

#include "controller/controller.h"
#include "controller/ingest.h"
#include "controller/ingest_own.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/job_store.h"
#include "lib/store/store.h"
#include "spool/joblog.h"

enum {
	/* At start: so many jobs in a row whose logs need nothing, newest first,
	 * and the older ones are not looked at. */
	RECOVER_QUIET = 1000
};

/* A log that is to be compressed, or cut at start. */
struct pack {
	struct list link;
	struct ingest *ingest;
	struct ulid job;
	uint64_t bytes;
	struct err err;
};

static void
pack_add(struct list *to, struct ingest *i, const struct Rec__Job *j)
{
	struct pack *k = MEM_NEW(struct pack);

	k->ingest = i;
	k->bytes = j->log_bytes;
	if (pb_id_get(&j->id, &k->job))
		list_append(to, &k->link);
	else
		mem_free(k);
}

static void
pack_drop(struct list *head)
{
	struct list *el;

	while ((el = list_take(head)) != NULL)
		mem_free(LIST_ENTRY(el, struct pack, link));
}

/* --------------------------------------------------------- compression */

static void pack_next(struct ingest *i);

static void
ingest_on_pack_work(void *ctx)
{
	struct pack *k = ctx;

	if (joblog_compress(k->ingest->ctl->settings.spool_dir, &k->job,
	        k->bytes, &k->err) == RC_OK)
		k->err.rc = RC_OK;
}

/* A log that is not compressed is read all the same. */
static void
ingest_on_packed(void *ctx)
{
	struct pack *k = ctx;
	struct ingest *i = k->ingest;
	char id[ULID_TEXT_CAP];

	if (!ingest_still_here(i))
		return;
	if (k->err.rc != RC_OK && k->err.rc != RC_NOTFOUND) {
		ulid_text(&k->job, id);
		log_warn(LOG_SPOOL, "log not compressed job=%s error=%s", id,
		    log_safe(str_of(k->err.msg)));
	}
	i->packing = NULL;
	mem_free(k);
	pack_next(i);
}

static void
pack_next(struct ingest *i)
{
	struct list *el;

	if (i->packing != NULL || (el = list_take(&i->packs)) == NULL)
		return;
	i->packing = LIST_ENTRY(el, struct pack, link);
	i->pool++;
	loop_work(i->ctl->loop, ingest_on_pack_work, ingest_on_packed,
	    i->packing);
}

void
ingest_pack(struct ingest *i, const struct ulid *job, uint64_t bytes)
{
	struct pack *k;

	if (bytes == 0)
		return;
	k = MEM_NEW(struct pack);
	k->ingest = i;
	k->job = *job;
	k->bytes = bytes;
	list_append(&i->packs, &k->link);
	pack_next(i);
}

bool
ingest_packs(const struct ingest *i, const struct ulid *job)
{
	const struct list *el;

	if (i->packing != NULL && ulid_eq(&i->packing->job, job))
		return true;
	for (el = i->packs.next; el != &i->packs; el = el->next)
		if (ulid_eq(&((const struct pack *)(const void *)el)->job, job))
			return true;
	return false;
}

void
ingest_pack_free(struct ingest *i)
{
	pack_drop(&i->packs);
	mem_free(i->packing);
	i->packing = NULL;
}

/* -------------------------------------------------------------- at start */

struct recover {
	struct ingest *ingest;
	const char *spool;
	struct list open;
	struct list closed;
	unsigned quiet; /* jobs since the last uncompressed log */
};

static bool
ingest_on_open_log(void *ctx, const struct Rec__Job *j)
{
	struct recover *r = ctx;

	pack_add(&r->open, r->ingest, j);
	return true;
}

static bool
is_uncompressed(const struct recover *r, const struct Rec__Job *j)
{
	char path[JOBLOG_PATH_CAP];
	struct ulid id;

	return j->log_closed && j->log_bytes > 0 && !j->log_damaged &&
	       !j->log_expired && pb_id_get(&j->id, &id) &&
	       joblog_path(r->spool, &id, false, path, sizeof(path)) == RC_OK &&
	       access(path, F_OK) == 0;
}

/* However many were waiting when we stopped: they lie close together. */
static bool
ingest_on_latest(void *ctx, const struct Rec__Job *j)
{
	struct recover *r = ctx;

	if (!is_uncompressed(r, j))
		return ++r->quiet < RECOVER_QUIET;
	pack_add(&r->closed, r->ingest, j);
	r->quiet = 0;
	return true;
}

static enum rc
read_logs(struct controller *c, struct recover *r, struct err *e)
{
	struct store_tx *tx;
	struct arena arena;
	enum rc rc;

	arena_init(&arena, GIB(1));
	tx = store_begin_read(c->state, &arena);
	job_store_open_logs(tx, ingest_on_open_log, r);
	job_store_latest(tx, NULL, SIZE_MAX, ingest_on_latest, r);
	rc = store_rc(tx);
	if (rc != RC_OK && e != NULL)
		*e = *store_err(tx);
	store_abort(tx);
	arena_fini(&arena);
	return rc;
}

static enum rc
damaged_op(struct store_tx *state, struct store_tx *vault, struct op *op)
{
	struct Rec__Job *j = job_store_get(state, op->in);

	(void)vault;
	if (j == NULL)
		return store_rc(state);
	j->log_damaged = true;
	job_store_put(state, j);
	return store_rc(state);
}

static void
mark_damaged(struct controller *c, const struct pack *k)
{
	struct op *op = op_with(damaged_op, &k->job, sizeof(k->job));
	char text[ULID_TEXT_CAP];

	op_submit(c->ops, &op);
	ulid_text(&k->job, text);
	log_error(LOG_SPOOL, "job log is shorter than committed job=%s", text);
}

static void
queue_closed(struct recover *r)
{
	struct list *el;
	struct pack *k;

	while ((el = list_take(&r->closed)) != NULL) {
		k = LIST_ENTRY(el, struct pack, link);
		ingest_pack(r->ingest, &k->job, k->bytes);
		mem_free(k);
	}
}

enum rc
ingest_recover(struct controller *c, struct err *e)
{
	struct recover r = { .ingest = c->ingest,
		.spool = c->settings.spool_dir };
	bool damaged = false;
	struct list *el;
	struct pack *k;
	enum rc rc;

	list_init(&r.open);
	list_init(&r.closed);
	rc = read_logs(c, &r, e);
	while (rc == RC_OK && (el = list_take(&r.open)) != NULL) {
		k = LIST_ENTRY(el, struct pack, link);
		rc = joblog_recover(r.spool, &k->job, k->bytes, &damaged, e);
		if (rc == RC_OK && damaged)
			mark_damaged(c, k);
		mem_free(k);
	}
	if (rc == RC_OK)
		queue_closed(&r);
	pack_drop(&r.open);
	pack_drop(&r.closed);
	return rc;
}
