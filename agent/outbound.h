/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_OUTBOUND_H
#define AGENT_OUTBOUND_H
/*
 * What goes out and how far it is: the window over the event queue (at most
 * 1 MiB unacknowledged), hello, and passing things (results, progress) that
 * wait for the next Poll.  Knows no connection.  Loop thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/cron.h"
#include "lib/base/crypt.h"
#include "lib/base/rc.h"
#include "lib/base/ulid.h"
#include "proto/agent.pb-c.h"

struct agent;
struct events;

enum {
	OUTBOUND_WINDOW = 1048576,
	OUTBOUND_RESULTS = 16,
	HELLO_JOBS = 64
};

struct outbound_mark {
	uint64_t seq;
	size_t bytes;
};

struct outbound {
	struct events *events;
	uint64_t next; /* number to send next */
	uint64_t acked;
	uint64_t offered; /* next_seq of the latest hello */
	uint64_t loaded;  /* number of the event in `packed`, 0: none */
	bool corrupt;     /* the queue cannot be read on; renew it */
	size_t flying;    /* bytes sent and not acknowledged */
	struct outbound_mark *marks; /* of those, oldest first */
	size_t mark_first, mark_count, mark_cap;
	struct buf packed;
	Wire__CommandResult *results[OUTBOUND_RESULTS];
	size_t result_count;
	Wire__JobProgress *progress;
};

void outbound_init(struct outbound *o, struct events *ev);
void outbound_fini(struct outbound *o);

/* The controller wants events from resume on.  False: it has numbers that
 * the latest hello did not have; e says what follows. */
MUST_USE bool outbound_resume(struct outbound *o, uint64_t resume,
    struct err *e);
/* A new epoch, numbers from 1 on.  RC_BUSY: the queue is in use, try again
 * with the next hello. */
MUST_USE enum rc outbound_renew(struct outbound *o, struct err *e);
/* The next event as a packed AgentMessage, lent until outbound_sent();
 * false: none, or the window is full, or o->corrupt. */
bool outbound_next(struct outbound *o, struct str *packed);
void outbound_sent(struct outbound *o);
void outbound_ack(struct outbound *o, uint64_t seq);
/* Nothing durable is left to be acknowledged. */
bool outbound_empty(struct outbound *o);

void outbound_keep_result(struct outbound *o, const Wire__CommandResult *r);
/* The oldest one kept, to be freed; NULL: none. */
Wire__CommandResult *outbound_take_result(struct outbound *o);
void outbound_keep_progress(struct outbound *o, const Wire__JobProgress *p);
Wire__JobProgress *outbound_progress(struct outbound *o); /* lent, or NULL */
void outbound_forget_progress(struct outbound *o);

/* b is initialised here; buf_fini() it. */
void outbound_pack(const Wire__AgentMessage *m, struct buf *b);

/* A Hello with the storage it points into. */
struct hello {
	Wire__Hello wire;
	uint8_t epoch[16];
	uint8_t new_bearer[CRYPT_HASH_SIZE];
	char job_text[2 * HELLO_JOBS][ULID_TEXT_CAP];
	char *jobs[2 * HELLO_JOBS];
	char zone[CRON_ZONE_CAP];
};
/* RC_BUSY: the queue is busy, wait for events_on_ready. */
MUST_USE enum rc hello_make(struct agent *a, struct hello *out);

struct poll_request {
	struct buf packed; /* buf_fini() it */
	bool waits;        /* it has nothing to say and waits for a command */
};
/* Takes the kept results and progress along. */
void outbound_poll_request(struct outbound *o, const struct hello *h,
    uint32_t wait_ms, struct poll_request *out);
#endif
