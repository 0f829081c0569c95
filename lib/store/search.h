/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_SEARCH_H
#define LIB_STORE_SEARCH_H
/*
 * A few letters somebody remembers, and what they may mean: a part of a
 * host's name or tag, the beginning of a job's or a snapshot's id, a part of
 * a path in the newest snapshot of a host.  ASCII in any case.
 *
 * Cost: the names of all hosts, their records when names do not fill the
 * list (tags), and the paths of their newest snapshots; up to SEARCH_HOSTS of
 * them, however many jobs and snapshots there are.  Ids are found by their
 * indexes.  Where there is more than is given, or not all was looked at, it
 * is said so.
 */
#include "lib/base/ulid.h"
#include "lib/store/store.h"

enum {
	SEARCH_MAX = 10, /* of each */
	SEARCH_HOSTS = 10000,
	SEARCH_TEXT_MAX = 200, /* bytes; the rest is not looked at */
	SEARCH_ID_MIN = 4,     /* letters of an id */
	SEARCH_PATH_MIN = 3
};

struct search_snapshot {
	struct ulid host;
	const struct Rec__Snapshot *snapshot;
	const char *path; /* that fits, NULL: the id does */
};
struct search_found {
	const struct Rec__Host *hosts[SEARCH_MAX];
	const struct Rec__Job *jobs[SEARCH_MAX];
	struct search_snapshot snapshots[SEARCH_MAX];
	size_t n_hosts, n_jobs, n_snapshots;
	bool more_hosts, more_jobs, more_snapshots;
};

/* Records live in the arena of tx. */
void search(struct store_tx *tx, struct str text, struct search_found *out);
#endif
