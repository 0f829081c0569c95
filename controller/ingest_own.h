/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_INGEST_OWN_H
#define CONTROLLER_INGEST_OWN_H
/*
 * What the files of ingest share.  A batch is made on the loop (ingest.c),
 * goes to the pool, which writes log text (ingest_log.c), then as one op to the
 * store thread (ingest_op.c), and comes back to the loop, which
 * acknowledges.  It has one owner at any time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/ingest.h"
#include "controller/ingest_wire.h"

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/base/rc.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct controller;
struct ingest_batch;
struct loop_timer;
struct map;
struct op;
struct pack;
struct store;
struct store_tx;

enum {
	INGEST_EPOCH = 16,
	INGEST_INSTANCE = 32,
	INGEST_SCRATCH_MAX = 8 << 20, /* one event, unpacked */
	INGEST_ARENA_MAX = 64 << 20   /* records of one batch */
};

/* Events of one host: received, not yet committed. */
struct inlet {
	struct list
	    ready; /* in ingest.ready while there is work, calm or held */
	struct ulid host;
	bool open; /* there was a hello since the start */
	uint8_t epoch[INGEST_EPOCH];
	uint8_t instance[INGEST_INSTANCE];
	uint64_t received;
	uint64_t committed;
	struct list pending;
	size_t bytes; /* of pending and of what is in the batch */
	bool busy;    /* has a part in the batch */
	bool urgent;  /* more waits than some log lines */
	bool calm;    /* in ingest.calm */
	bool asked;   /* to tell again what we lost, once */
	bool faulty;  /* a log of this host alone could not be written */
	/* What the hello listed, and what was accepted since: a job that is
	 * with the agent but not among them is lost, once everything before
	 * compare_after is committed. */
	bool compare;
	uint64_t compare_after;
	struct ulid *present;
	size_t present_count;
};

/* The whole module; loop thread. */
struct ingest {
	struct controller *ctl;
	struct map *inlets;
	struct list ready;
	struct list calm; /* log lines alone wait here for the others' */
	struct list held; /* faulty ones, until their timer */
	size_t bytes;
	struct ingest_batch *batch;
	struct loop_timer *retry;
	bool waiting; /* for the retry timer */
	struct loop_timer *slice;
	struct loop_timer *tick;
	bool ticking;     /* for calm ones */
	struct buf spare; /* the batch's, while there is none */
	int64_t lines_ms; /* monotonic: when those may go next */
	struct loop_timer *retry_held;
	struct err fault;
	unsigned pool; /* jobs of ours that the pool has */
	bool gone;     /* freed by its owner meanwhile: the last one ends it */
	struct ingest_stats stats;
	/* ingest_pack.c */
	struct list packs;
	struct pack *packing;
};

/* One event, packed.  seq 0: not the agent's, a verdict of our own. */
struct ingest_item {
	struct list link;
	uint64_t seq;
	unsigned body; /* Wire__Event__BodyCase */
	uint32_t n;
	struct ingest_chunk chunk; /* of log lines: lies in bytes */
	uint8_t bytes[];
};

/* A job's log within one batch. */
struct ingest_log {
	struct list link;
	struct ulid job;
	uint64_t at; /* committed bytes the text follows */
	uint64_t lines;
	uint64_t taken; /* lines of this batch */
	bool foreign;   /* of another host, or claimed by it within this batch:
	               * nothing is taken */
	bool closed;
	bool damaged;
	bool truncated;
	bool ended;      /* by this batch */
	struct buf text; /* until it is written */
	uint64_t bytes;  /* of it that are */
	/* Within text, from 1; 0: none. */
	uint64_t text_lines, error_line, fatal_line;
};

/* One host's share of a batch. */
struct ingest_part {
	struct list link;
	struct ingest_batch *batch;
	struct inlet *inlet;
	struct ulid host;
	uint8_t epoch[INGEST_EPOCH];
	uint8_t instance[INGEST_INSTANCE];
	struct list items;
	size_t used;       /* items that the pool took, from the front */
	uint64_t last_seq; /* of them; 0: none of the agent's */
	bool submitted;    /* its logs are on disk, an op has it */
	struct list logs;
	struct map *log_of;
	struct err err; /* of its own logs, then outcome of the op */
	/* Said by the op, for the loop. */
	bool host_changed;
	bool jobs_changed;
	bool job_ended;
};

struct ingest_batch {
	struct ingest *ingest;
	struct list parts;
	struct list told;     /* those of them that have come to their end */
	struct arena arena;   /* records read by the pool */
	struct arena scratch; /* the event at hand */
	struct buf spare;     /* for the next log's text, kept warm */
	const char *spool;
	struct store *state;
	const char *zone;
	struct err err;   /* of the pool: nothing of it counts */
	struct err fault; /* of the disk: the same is tried again */
	unsigned ops;     /* under way */
	int64_t now_ms;
	bool logs;       /* some events write into a log */
	int64_t sync_us; /* that the logs took; 0: none were written */
};

/* The pool gave a job back; false: nothing more is to be done, and i may be
 * gone. */
MUST_USE bool ingest_still_here(struct ingest *i);

/* Loop: starts a batch if none is under way and there is work. */
void ingest_kick(struct ingest *i);
/* Something is to be done for the inlet; more is it than log lines. */
void ingest_ready(struct ingest *i, struct inlet *in, bool more);
/* The time of log lines has come. */
void ingest_on_tick(void *ctx);
/* The batch that has ended is told further. */
void ingest_on_slice(void *ctx);
/* A batch of the inlet is over: looks for lost jobs if it is time. */
void ingest_compare(struct ingest *i, struct inlet *in);
void ingest_batch_free(struct ingest_batch *b);
void ingest_free_items(struct ingest *i, struct inlet *in, struct list *items);

/* Compresses a closed log, one at a time (ingest_pack.c). */
void ingest_pack(struct ingest *i, const struct ulid *job, uint64_t bytes);
void ingest_pack_free(struct ingest *i);

/* Pool: fills the logs, writes and syncs them. */
void ingest_log_write(struct ingest_batch *b);
/* Loop: the same for a batch without a word for a log. */
void ingest_log_skip(struct ingest_batch *b);
void ingest_logs_free(struct ingest_part *p);
/* Store thread: op->in is the batch, all of it or nothing. */
enum rc ingest_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
/* The same for one part, op->in. */
enum rc ingest_part_op(struct store_tx *state, struct store_tx *vault,
    struct op *op);
#endif
