/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_AUDIT_QUERY_H
#define LIB_STORE_AUDIT_QUERY_H
/*
 * Looking into the audit log.  Entries are matched as they lie there, nothing
 * is unpacked, so a walk costs about a tenth of a microsecond an entry, and
 * counting without a filter half of that.
 *
 * The time range goes by an entry's place in the log, which is its time
 * unless the clock was set back.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct arena;
struct store_tx;

enum {
	AUDIT_QUERY_TEXT_MAX = 512,  /* bytes of a filter */
	AUDIT_QUERY_WORDS_MAX = 8,   /* of text; what is more is left out */
	AUDIT_QUERY_SORT_MAX = 10000 /* entries sorted by another column */
};
/* One page looks at no more: 0.2 s. */
#define AUDIT_QUERY_SCAN_MAX UINT64_C(1000000)

enum audit_sort {
	AUDIT_BY_TIME,
	AUDIT_BY_USER,
	AUDIT_BY_ACTION,
	AUDIT_BY_TARGET,
	AUDIT_BY_ADDRESS
};

/* As asked for, by names a query string has.  Empty: any. */
struct audit_ask {
	struct str user;   /* the whole name */
	struct str action; /* the whole action, or its noun: "auth" */
	struct str target; /* part of its name, its kind, or its whole id */
	struct str q;      /* words, each in any column or in the payload */
	struct str from;   /* 2026-11-20 (in the zone) or RFC 3339 */
	struct str to;     /* the day itself belongs to it */
	struct str sort;   /* time user action target address, "-": downwards */
};

struct audit_query {
	struct str user, action, target;
	struct str words[AUDIT_QUERY_WORDS_MAX];
	size_t word_count;
	bool target_is_id;
	struct ulid target_id;
	int64_t from_ms, to_ms; /* [from, to) */
	enum audit_sort sort;   /* time, newest first, when nothing is asked */
	bool up;
	bool filters; /* an entry can fail to match */
	bool ranges;
};

/* RC_INVALID names what cannot be understood.  Lends the texts. */
MUST_USE enum rc audit_query_init(struct audit_query *q,
    const struct audit_ask *ask, const char *zone, struct err *e);

/* An entry as it lies there; dies with the transaction. */
struct audit_row {
	struct ulid id;
	int64_t at_ms;
	struct str actor_id, target_id; /* 16 bytes or none */
	struct str actor, action, target_kind, target, address, payload;
};
/* Fills all but the id from a stored AuditEntry.  False: damaged. */
MUST_USE bool audit_row_read(struct str packed, struct audit_row *out);
typedef bool audit_query_fn(void *ctx, const struct audit_row *row);

/* Gives what matches, in the order of time (q->up) and behind *at (zero:
 * from the beginning), and moves *at.  Ends after max entries, given or
 * not, or when fn says false.  True: there is more. */
bool audit_query_walk(struct store_tx *tx, const struct audit_query *q,
    struct ulid *at, uint64_t max, audit_query_fn *fn, void *ctx);

struct audit_found {
	uint64_t total;
	uint64_t page;    /* the one asked for, or the last there is */
	bool partial;     /* not all of the range was looked at */
	bool unsorted;    /* too many to be sorted: by time instead */
	struct ulid *ids; /* of the page */
	size_t n;
};
struct audit_want {
	uint64_t page, per_page; /* from 1 */
};
MUST_USE enum rc audit_query_page(struct store_tx *tx,
    const struct audit_query *q, const struct audit_want *want, struct arena *a,
    struct audit_found *out);
/* False: not there, or damaged. */
MUST_USE bool audit_query_get(struct store_tx *tx, const struct ulid *id,
    struct audit_row *out);
#endif
