/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TESTS_TOOLS_FLEET_H
#define TESTS_TOOLS_FLEET_H
/*
 * A made-up fleet of any size, put into the store and the spool of a stopped
 * controller through the same modules that the controller uses.  The same
 * options give the same hosts, ids and outcomes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/rc.h"

enum fleet_state {
	FLEET_STALE,
	FLEET_NEVER,
	FLEET_FAILED,
	FLEET_INCOMPLETE,
	FLEET_RUNNING,
	FLEET_NEW,
	FLEET_OK
};
enum {
	FLEET_STATES = 7
};

struct fleet_opts {
	const char *dir;                 /* RM_DATA_DIR */
	uint64_t hosts, jobs, snapshots; /* jobs and snapshots a host */
	uint64_t logs, lines;            /* in all; lines of each */
	uint64_t history; /* more ended jobs of the first host, by the minute */
	uint64_t past;    /* older jobs of each host, over `days` */
	uint64_t days;
	uint64_t audit; /* entries of the audit log */
	uint64_t seed;
	int64_t now_ms;
	bool live;           /* progress below dir/run/live as well */
	FILE *list;          /* a line for each host, or NULL */
	const char *bearers; /* file for fleet_put_bearers(), or NULL */
};

struct fleet_result {
	uint64_t states[FLEET_STATES];
	uint64_t offline, jobs, snapshots, logs;
};

const char *fleet_state_name(enum fleet_state s);
MUST_USE enum rc fleet_put(const struct fleet_opts *o, struct fleet_result *out,
    struct err *e);
/* o->audit entries, after fleet_put(). */
MUST_USE enum rc fleet_put_audit(const struct fleet_opts *o, struct err *e);
/* A bearer for each host, its hash in the vault, the bearer itself in
 * o->bearers. */
MUST_USE enum rc fleet_put_bearers(const struct fleet_opts *o, struct err *e);
#endif
