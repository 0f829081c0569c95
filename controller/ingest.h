/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_INGEST_H
#define CONTROLLER_INGEST_H
/*
 * Events in: drops what is known, appends log lines to the spool in one pool
 * job per batch, syncs, commits {epoch, last seq, bytes per job, state
 * changes} in one op, and only then acknowledges.
 * storage-facts.md section 5, rules 5 to 15.
 */
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct controller;
struct ingest;
struct Wire__Event;
struct Wire__Hello;

struct ingest *ingest_new(struct controller *c);
void ingest_free(struct ingest *i);
/* At start, before listening: cuts the logs of unfinished jobs to what is
 * committed. Blocking. */
MUST_USE enum rc ingest_recover(struct controller *c, struct err *e);

/* A hello was accepted: *resume is what the agent shall send from.  Batches
 * of an older stream are fenced. */
MUST_USE enum rc ingest_hello(struct ingest *i, const struct ulid *host,
    const struct Wire__Hello *h, uint64_t *resume, struct err *e);
/* Copies what it keeps.  RC_PROTO: out of order, drop the stream.  RC_BUSY:
 * over 64 MiB wait in all, stop reading this host until *resume. */
MUST_USE enum rc ingest_event(struct ingest *i, const struct ulid *host,
    const struct Wire__Event *ev, struct err *e);
#endif
