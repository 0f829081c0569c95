/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_INGEST_H
#define CONTROLLER_INGEST_H
/*
 * Events in: drops what is known, appends log lines to the spool in one pool
 * job per batch, syncs, commits {epoch, last seq, bytes per job, state
 * changes} in one op, and only then acknowledges.
 * storage-facts.md section 5, rules 5 to 15.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/latency.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct controller;
struct ingest;
struct ingest_chunk;
struct str;
struct Wire__Event;
struct Wire__Hello;

enum {
	INGEST_EVENT_MAX = 65536,
	INGEST_HOST_MAX = 4194304, /* one host's events not yet on disk */
	INGEST_PAUSE = 25165824,   /* beyond it, nothing more is read */
	INGEST_ALL_MAX = 67108864
};

struct ingest *ingest_new(struct controller *c);
void ingest_free(struct ingest *i);
/* At start, before listening: cuts the logs of unfinished jobs to what is
 * committed, and compresses later what a former run did not. Blocking. */
MUST_USE enum rc ingest_recover(struct controller *c, struct err *e);

/* A hello was accepted: *resume is what the agent shall send from.  Events
 * of another epoch that wait are forgotten. */
MUST_USE enum rc ingest_hello(struct ingest *i, const struct ulid *host,
    const struct Wire__Hello *h, uint64_t *resume, struct err *e);
/* Copies what it keeps.  RC_PROTO: out of order or malformed, drop the
 * stream.  RC_BUSY: too much waits to be written, drop the stream; the agent
 * comes back later. */
MUST_USE enum rc ingest_event(struct ingest *i, const struct ulid *host,
    const struct Wire__Event *ev, struct err *e);
/* The same for a packed event of which ingest_wire_chunk() has read c. */
MUST_USE enum rc ingest_chunk(struct ingest *i, const struct ulid *host,
    const struct str *event, const struct ingest_chunk *c, struct err *e);
/* How many bytes there is room for before nothing more should be read; 0: it
 * should not. */
size_t ingest_room(const struct ingest *i);
/* The agent accepted this job after its hello: it is not missed when what
 * the hello listed is compared with what runs here. */
void ingest_accepted(struct ingest *i, const struct ulid *host,
    const struct ulid *job);
/* The host was deleted: what it sent and is not on disk is dropped. */
void ingest_forget(struct ingest *i, const struct ulid *host);
/* Nothing of this host's events waits or is being written. */
bool ingest_idle(const struct ingest *i, const struct ulid *host);
/* This job's log waits to be compressed, or is. */
bool ingest_packs(const struct ingest *i, const struct ulid *job);
/* Everything up to the result is on disk. */
uint64_t ingest_committed(const struct ingest *i, const struct ulid *host);
/* Since the start. */
struct ingest_stats {
	uint64_t events, lines, log_bytes; /* on disk */
	uint64_t waiting_bytes;            /* received, not yet on disk */
	struct latency sync;               /* of the job logs of a batch */
};
void ingest_stats(const struct ingest *i, struct ingest_stats *out);
/* The last batch could not be written; *why tells, lent, when it is so.  i
 * may be NULL. */
bool ingest_unhealthy(const struct ingest *i, const char **why);
#endif
