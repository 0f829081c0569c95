/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H
/*
 * What restic's JSON documents become on the wire: the snapshot list in
 * parts that fit an event, the repository's statistics.
 */
#include <stdbool.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct events;
struct Wire__RepoStats;

struct report_list {
	const char *looked_for; /* snapshot id or its first 8 digits; "" */
	bool found;
	char full_id[65];
	size_t count;
};

/* Puts the parts as events; nothing when the document is not sound. */
MUST_USE enum rc report_snapshots(struct events *ev, struct str document,
    struct report_list *list, struct err *e);
void report_stats(struct events *ev, struct Wire__RepoStats *stats);
#endif
