/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_OUTCOME_H
#define AGENT_OUTCOME_H
/*
 * How a run ended, judged from what was seen: pure, no I/O.  Green only for
 * proven success (contract.md, Jobs; restic-facts.md 4.2 and 4.4).
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/rc.h"

struct restic_seen;

struct outcome_in {
	bool cancelled; /* we asked it to stop, whatever it says itself */
	const char *time_limit;  /* the step that was too slow, NULL: none */
	const struct err *start; /* rc other than RC_OK: never ran */
	int exit_code;
	int signal;
	bool output_lost; /* part of what it said was not read */
	const struct restic_seen *seen;
	uint64_t missing; /* source paths that did not exist beforehand */
	/* The snapshot list afterwards: */
	const struct err *list; /* rc other than RC_OK: could not be had */
	const struct restic_seen *list_seen;
	bool listed; /* the new snapshot is in it */
	/* forget, by the lists before and afterwards: */
	uint64_t left;     /* snapshots that should be gone */
	uint64_t vanished; /* that should be there */
};

struct outcome {
	const char *status; /* succeeded, failed, cancelled */
	const char *cause;  /* static, "" when there is none */
	bool incomplete;
	uint64_t unread;
	int exit_code;
	char error[240]; /* one sentence, may hold restic's words */
};

void outcome_backup(const struct outcome_in *in, struct outcome *out);
/* init is proven by a list that opens with our password. */
void outcome_init(const struct outcome_in *in, struct outcome *out);
/* Exit code 0 is all there is to know: prune, unlock. */
void outcome_plain(const struct outcome_in *in, struct outcome *out);
/* A repository with errors is a failure, whatever was found beside. */
void outcome_check(const struct outcome_in *in, struct outcome *out);
/* Proven by the list afterwards: restic 0.18 says success where a server
 * keeps everything. */
void outcome_forget(const struct outcome_in *in, struct outcome *out);
/* What check found: 0 when it found nothing. */
uint64_t outcome_damages(const struct restic_seen *seen);
void outcome_cancelled(struct outcome *out);
/* A job that never ran a step: cause from err->code, exit code -1. */
void outcome_not_run(const struct err *err, struct outcome *out);
#endif
