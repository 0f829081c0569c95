/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SSE_OWN_H
#define CONTROLLER_SSE_OWN_H
/*
 * What the files of sse share: the registry (sse.c), a job's log as a stream
 * (sse_log.c), a page's live regions as a stream (sse_page.c).
 */
#include <stdbool.h>
#include <stdint.h>

#include "controller/sse.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct buf;
struct loop_timer;

/* Why a region may look different now. */
enum {
	SSE_HOST = 1,     /* a host's record */
	SSE_JOB = 2,      /* a job's record */
	SSE_PROGRESS = 4, /* a running job got on */
	SSE_FLEET = 8,    /* hosts came or went */
	SSE_TOKEN = 16,   /* an enrolment token's record */
	SSE_PENDING = 32  /* announced hosts came or went */
};

enum {
	SSE_SESSION_MAX = 12,
	SSE_USER_MAX = 48,
	SSE_ADDRESS_MAX = 400, /* an office behind one */
	SSE_MAX = 2000,
	SSE_RENDER_MAX = 8, /* at once, so that pages get their turn */
	SSE_RECENT_MAX = 256,
	SSE_RECENT_MS = 10000
};

/* What changed lately: a stream that opens shortly after its page was drawn
 * must not miss what happened between. */
struct sse_recent {
	struct ulid host;
	unsigned causes;
	int64_t at_ms;
};

struct sse {
	struct controller *ctl;
	struct list logs;
	struct list pages;
	unsigned open;
	unsigned rendering;
	uint64_t hosts; /* how many there were when last counted */
	struct sse_recent recent[SSE_RECENT_MAX];
	size_t recent_at; /* the oldest one */
	struct loop_timer *ping;
};

/* Every stream begins with this; it is in one of the lists while open. */
struct sse_stream {
	struct list link;
	struct sse *sse;
	struct req *r; /* held */
	bool closed;   /* the exchange is gone */
	bool ended;    /* we ended it */
};

/* Checks the limits; RC_RATE when there are too many streams. */
MUST_USE enum rc sse_admit(struct sse *s, const struct req *r, struct err *e);
/* Registers and begins the answer; the caller holds r. */
struct req_stream;
void sse_begin(struct sse_stream *st, struct list *where,
    const struct req_stream *calls);
void sse_leave(struct sse_stream *st); /* the exchange is gone */
void sse_end(struct sse_stream *st);
/* Hands out over; false: blocked, the stream's writable comes. */
bool sse_flush(struct sse_stream *st, struct buf *out);

void sse_log_ping(struct sse_stream *st);
void sse_log_job_changed(struct sse *s, const struct ulid *job);
/* The event that carries rendered HTML, whatever is in it. */
void sse_put_fragment(struct buf *out, struct str html);
void sse_page_changed(struct sse *s, const struct ulid *host,
    const struct ulid *job, unsigned causes);
#endif
