/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/log_store.h"

#include <string.h>

#include "lib/store/job_store.h"
#include "lib/store/table.h"

static void
mark_key(struct key *k)
{
	*k = (struct key){ 0 };
	key_bytes(k, "logs", 4);
}

static int
cmp(const struct ulid *a, const struct ulid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

/* Of a value that is not zero. */
static struct ulid
next_lower(const struct ulid *id)
{
	struct ulid lower = *id;
	size_t i = sizeof(lower.b);

	while (i-- > 0 && lower.b[i]-- == 0)
		continue;
	return lower;
}

/* Zero: nothing was looked at yet. */
static struct ulid
mark_of(struct store_tx *tx)
{
	struct ulid mark = { { 0 } };
	struct str value;
	struct key k;

	mark_key(&k);
	if (table_peek(tx, TB_META, &k, &value) && value.n == sizeof(mark.b))
		memcpy(mark.b, value.p, sizeof(mark.b));
	return mark;
}

static void
put_mark(struct store_tx *tx, const struct ulid *mark)
{
	struct key k;

	mark_key(&k);
	table_put(tx, TB_META, &k, str_from(mark->b, sizeof(mark->b)));
}

void
log_store_closed(struct store_tx *tx, const struct ulid *job)
{
	struct ulid mark = mark_of(tx);
	struct key k;

	if (cmp(job, &mark) > 0)
		return;
	key_of_id(&k, job);
	table_put(tx, TB_JOB_LOG_LEFT, &k, STR(""));
}

void
log_store_forget(struct store_tx *tx, const struct ulid *job)
{
	struct key k;

	key_of_id(&k, job);
	table_del(tx, TB_JOB_LOG_LEFT, &k);
}

static void
expire(struct store_tx *tx, const struct ulid *job)
{
	struct Rec__Job *j = job_store_find(tx, job);

	if (j == NULL || j->log_expired || !j->log_closed)
		return;
	j->log_expired = true;
	job_store_put(tx, j);
}

static size_t
expire_left(struct store_tx *tx, const struct ulid *before, size_t max)
{
	struct table_scan sc;
	struct str key, value;
	struct ulid job;
	size_t n = 0;

	table_scan_init(&sc, tx, TB_JOB_LOG_LEFT, NULL, SCAN_UP);
	while (n < max && table_scan_next(&sc, &key, &value) &&
	       key_id_at(tx, TB_JOB_LOG_LEFT, key, KEY_TAIL, &job) &&
	       cmp(&job, before) < 0) {
		log_store_forget(tx, &job);
		expire(tx, &job);
		n++;
	}
	table_scan_fini(&sc);
	return n;
}

static size_t
expire_behind_mark(struct store_tx *tx, const struct ulid *before, size_t max)
{
	struct ulid mark = mark_of(tx), job;
	struct table_scan sc;
	struct str key, value;
	struct key k;
	size_t n = 0;

	if (cmp(before, &mark) <= 0)
		return 0;
	key_of_id(&k, &mark);
	table_scan_init(&sc, tx, TB_JOB, NULL, SCAN_UP);
	table_scan_behind(&sc, &k);
	while (n < max && table_scan_next(&sc, &key, &value) &&
	       key_id_at(tx, TB_JOB, key, 0, &job) && cmp(&job, before) < 0) {
		expire(tx, &job);
		mark = job;
		n++;
	}
	table_scan_fini(&sc);
	if (n < max)
		mark = next_lower(before);
	put_mark(tx, &mark);
	return n;
}

size_t
log_store_expire(struct store_tx *tx, const struct ulid *before, size_t max)
{
	size_t n = expire_left(tx, before, max);

	if (n < max)
		n += expire_behind_mark(tx, before, max - n);
	return n;
}
