/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One numbered page of what matches (audit_query.h). */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/audit_query.h"
#include "lib/store/audit_store.h"
#include "lib/store/store.h"

enum {
	SORT_KEY = 48 /* bytes of a text that count */
};

struct candidate {
	char key[SORT_KEY];
	struct ulid id;
};

struct pick {
	const struct audit_query *q;
	uint64_t first, end; /* of the page, from 0 */
	uint64_t seen;
	uint64_t stop_at; /* nothing behind it matters; 0: count all */
	struct ulid *ids; /* by time */
	size_t n;
	struct candidate *sorted; /* NULL: by time */
	size_t candidates;
};

static struct str
sort_text(const struct audit_row *row, enum audit_sort by)
{
	switch (by) {
	case AUDIT_BY_USER:
		return row->actor;
	case AUDIT_BY_ACTION:
		return row->action;
	case AUDIT_BY_TARGET:
		return row->target.n > 0 ? row->target : row->target_kind;
	case AUDIT_BY_ADDRESS:
		return row->address;
	case AUDIT_BY_TIME:
		break;
	}
	return STR("");
}

static void
add_candidate(struct pick *p, const struct audit_row *row)
{
	struct str s = sort_text(row, p->q->sort);
	struct candidate *c;
	size_t i;

	if (p->candidates >= AUDIT_QUERY_SORT_MAX)
		return;
	c = &p->sorted[p->candidates++];
	memset(c, 0, sizeof(*c));
	c->id = row->id;
	for (i = 0; i < s.n && i < SORT_KEY; i++)
		c->key[i] = s.p[i] >= 'A' && s.p[i] <= 'Z'
		                ? (char)(s.p[i] - 'A' + 'a')
		                : s.p[i];
}

static bool
audit_on_picked(void *ctx, const struct audit_row *row)
{
	struct pick *p = ctx;

	if (p->seen >= p->first && p->seen < p->end)
		p->ids[p->n++] = row->id;
	if (p->sorted != NULL)
		add_candidate(p, row);
	p->seen++;
	return p->stop_at == 0 || p->seen < p->stop_at;
}

/* The same words newest first, whichever way the words go. */
static int
newer_first(const struct candidate *x, const struct candidate *y)
{
	return memcmp(y->id.b, x->id.b, sizeof(x->id.b));
}

static int
compare_up(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = memcmp(x->key, y->key, SORT_KEY);

	return c != 0 ? c : newer_first(x, y);
}

static int
compare_down(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = memcmp(y->key, x->key, SORT_KEY);

	return c != 0 ? c : newer_first(x, y);
}

static void
take_sorted(struct pick *p)
{
	uint64_t i;

	qsort(p->sorted, p->candidates, sizeof(*p->sorted),
	    p->q->up ? compare_up : compare_down);
	p->n = 0;
	for (i = p->first; i < p->end && i < p->candidates; i++)
		p->ids[p->n++] = p->sorted[i].id;
}

/* Without a filter the number is known, and a page near the end is reached
 * from there. */
static void
run_plain(struct store_tx *tx, const struct audit_query *q, struct pick *p,
    struct audit_found *out)
{
	struct audit_query turned = *q;
	uint64_t end;
	struct ulid at = { { 0 } }, id;
	size_t i;

	out->total = audit_store_count(tx);
	end = p->end < out->total ? p->end : out->total;
	if (p->first >= end)
		return;
	if (p->first > out->total / 2) {
		turned.up = !q->up;
		p->end = out->total - p->first;
		p->first = out->total - end;
	}
	p->stop_at = p->end;
	(void)audit_query_walk(tx, &turned, &at, UINT64_MAX, audit_on_picked,
	    p);
	for (i = 0; turned.up != q->up && i < p->n / 2; i++) {
		id = p->ids[i];
		p->ids[i] = p->ids[p->n - 1 - i];
		p->ids[p->n - 1 - i] = id;
	}
}

static void
run_filtered(struct store_tx *tx, const struct audit_query *q, struct pick *p,
    struct audit_found *out)
{
	struct audit_query by_time = *q;
	struct ulid at = { { 0 } };

	/* Sorted or not, what is cut off is the oldest. */
	if (q->sort != AUDIT_BY_TIME)
		by_time.up = false;
	out->partial = audit_query_walk(tx, &by_time, &at, AUDIT_QUERY_SCAN_MAX,
	    audit_on_picked, p);
	out->total = p->seen;
	out->unsorted = p->sorted != NULL && p->seen > AUDIT_QUERY_SORT_MAX;
	if (p->sorted != NULL && !out->unsorted)
		take_sorted(p);
}

static enum rc
run(struct store_tx *tx, const struct audit_query *q,
    const struct audit_want *want, struct arena *a, struct audit_found *out)
{
	struct pick p = { .q = q };

	if (want->page > UINT32_MAX)
		return RC_INVALID;
	p.first = (want->page - 1) * want->per_page;
	p.end = p.first + want->per_page;
	p.ids = arena_array(a, want->per_page, sizeof(*p.ids));
	if (q->sort != AUDIT_BY_TIME)
		p.sorted =
		    arena_array(a, AUDIT_QUERY_SORT_MAX, sizeof(*p.sorted));
	if (arena_rc(a) != RC_OK)
		return RC_LIMIT;
	if (!q->filters && !q->ranges && q->sort == AUDIT_BY_TIME)
		run_plain(tx, q, &p, out);
	else
		run_filtered(tx, q, &p, out);
	out->ids = p.ids;
	out->n = p.n;
	return store_rc(tx);
}

enum rc
audit_query_page(struct store_tx *tx, const struct audit_query *q,
    const struct audit_want *want, struct arena *a, struct audit_found *out)
{
	struct audit_want last = *want;
	enum rc rc;

	*out = (struct audit_found){ .page = want->page };
	rc = run(tx, q, want, a, out);
	if (rc != RC_OK || out->n > 0 || out->total == 0)
		return rc;
	last.page = (out->total - 1) / want->per_page + 1;
	*out = (struct audit_found){ .page = last.page };
	return run(tx, q, &last, a, out);
}
