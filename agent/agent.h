/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H
/*
 * Everything the agent is, made and wired in main.c.  Loop thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "agent/facts.h"
#include "agent/restic.h"
#include "agent/settings.h"

struct agent {
	struct settings settings;
	struct facts facts;   /* host name, OS, arch, boot time */
	struct restic restic; /* located at start and before each job */
	bool no_ownership;    /* restore knows --no-ownership */
	unsigned stuck;       /* pool threads that a dead mount holds */
	int64_t stats_at_ms;  /* monotonic: the latest repository statistics */
	int64_t stats_took_ms;
	uint64_t stats_bytes; /* the size they told */
	uint64_t added_bytes; /* by backups since then */
	bool repo_known;      /* its id was told since the agent began */
	unsigned untold;      /* words on configurations, not yet on disk */
	struct loop *loop;
	struct settle *settle;
	struct secrets *secrets;   /* secrets.enc */
	struct queue *queue;       /* spool/queue.h */
	struct events *events;     /* into the queue, in batches */
	struct command *command;   /* accepted commands, one job at a time */
	struct schedule *schedule; /* begins what the plan says */
	struct uplink *uplink;     /* Session, Poll as fallback */
};
#endif
