/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_LINES_H
#define AGENT_LINES_H
/*
 * A job's log on its way into the queue: lines are cut at 16 KiB, stamped,
 * numbered from 1, gathered into chunks (100 ms or 48 KiB) and capped: the
 * first 32 MiB flow, of the rest the last 1 MiB is kept and comes at the
 * end, behind "n lines left out".  Loop thread.
 */
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"
#include "proto/agent.pb-c.h"

struct events;
struct lines;
struct loop;
struct redact;

struct lines_opts {
	struct loop *loop;
	struct events *events;
	const struct redact *redact; /* lent; NULL: nothing is secret */
	struct ulid job;
	uint64_t head_max; /* bytes; 0: 32 MiB */
	uint64_t tail_max; /* bytes; 0: 1 MiB */
};

struct lines *lines_new(const struct lines_opts *o);
/* A text of several lines becomes several lines. */
void lines_add(struct lines *l, Wire__LogStream stream, struct str text);
void lines_printf(struct lines *l, Wire__LogStream stream, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Sends what is left, the tail included; returns the number of lines. */
uint64_t lines_end(struct lines *l);
void lines_free(struct lines *l);
#endif
