/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_REPO_STATE_H
#define CONTROLLER_REPO_STATE_H
/*
 * What is known of a host's repository: which one it is, its size day by day,
 * its locks, and how fresh each kind of work on it is.
 */
#include <stdint.h>

#include "proto/store.pb-c.h"

struct req;
struct store_tx;
struct Wire__RepoStats;

enum {
	REPO_HISTORY_DAYS = 800
};

/* A report, inside an op; the caller puts h.  Strings are kept in the
 * transaction's arena. */
struct repo_report {
	struct Rec__Host *host;
	const struct Wire__RepoStats *stats;
	int64_t at_ms; /* by the agent's clock, bounded */
	int64_t now_ms;
	const char *zone; /* RM_TIMEZONE: whose day it counts for */
};
void repo_state_report(struct store_tx *tx, const struct repo_report *r);

/* GET /api/hosts/{id}/repo-stats. */
void repo_state_get(struct req *r);
/* GET /api/hosts/{id}/repo-history?days=30|90|365. */
void repo_state_history(struct req *r);
#endif
