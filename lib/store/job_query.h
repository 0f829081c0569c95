/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_JOB_QUERY_H
#define LIB_STORE_JOB_QUERY_H
/*
 * Jobs of the whole fleet by look, kind, host and time, newest first, by
 * pages.  A job's time is that of its id: when it was asked for or, by a
 * schedule, started.
 *
 * Cost: the sorted keys of the wanted looks and kinds (or of the wanted hosts,
 * when they are few) are merged; no more than JOB_QUERY_KEYS of them are
 * looked at and no more than JOB_QUERY_REACH that fit are counted, however
 * many jobs there are.  Older ones are reached by until_ms.  Records are read
 * of the page that is wanted only, and where a group's name or a schedule is
 * asked for: name its host, too.
 */
#include "lib/base/ulid.h"
#include "lib/store/job_store.h"

enum {
	JOB_QUERY_REACH = 10000,
	JOB_QUERY_KEYS = 40000,
	JOB_QUERY_TEXT_MAX = 200
};

/* Hosts that a text asks for. */
struct job_query_host {
	struct ulid id;
	bool by_group; /* not itself: those of its jobs whose group fits */
};
struct job_query {
	unsigned looks;    /* 1 << enum job_look each; 0: all */
	Rec__JobKind kind; /* KIND_UNKNOWN: all */
	int64_t since_ms;  /* 0: from the beginning */
	int64_t until_ms;  /* before that; 0: up to now */
	/* NULL: all hosts; sorted by id */
	const struct job_query_host *hosts;
	size_t n_hosts;
	struct str text; /* a part of the group's name, where by_group */
	const struct ulid *schedule; /* that made it; NULL: all */
	uint64_t skip, max;
};
struct job_found {
	uint64_t total;     /* that fit */
	bool more;          /* than total: not all were looked at */
	int64_t back_to_ms; /* with more: how far back was looked */
};

/* Gives max jobs behind the first skip ones.  skip + max is at most
 * JOB_QUERY_REACH. */
void job_query(struct store_tx *tx, const struct job_query *q,
    struct job_found *out, job_store_fn *fn, void *ctx);

/* The hosts whose name, or a group of which, has text in it (ASCII in any
 * case), in the arena of tx.  Walks the names of all hosts and groups. */
void job_query_by_text(struct store_tx *tx, struct str text,
    struct job_query *q);
/* One host alone; after a text, as far as that fits it. */
void job_query_by_host(struct store_tx *tx, const struct ulid *host,
    struct job_query *q);
#endif
