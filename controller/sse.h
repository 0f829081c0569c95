/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SSE_H
#define CONTROLLER_SSE_H
/*
 * Event streams of browsers.  /api/jobs/{id}/stream: a job's log replayed
 * from the spool and followed, id = byte offset; /events?page=...: rendered
 * fragments of a page's live regions.  The work side only says what changed,
 * after the commit; rates and replays are decided here.
 */
#include <stdint.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct controller;
struct req;
struct sse;
struct Rec__LiveProgress;

struct sse *sse_new(struct controller *c);
void sse_free(struct sse *s);
/* Ends every stream, so that the listeners can close at once. */
void sse_end_all(struct sse *s);
/* Ends the user's: who still may comes back by itself, with the present
 * role.  s NULL: nothing. */
void sse_end_user(struct sse *s, const struct ulid *user);

struct sse_stats {
	unsigned logs, pages;
};
void sse_stats(const struct sse *s, struct sse_stats *out);

/* Routes. */
void sse_job_stream(struct req *r);
void sse_page_events(struct req *r);

/* Notices from the work side. */
void sse_host_changed(struct sse *s, const struct ulid *host);
void sse_job_changed(struct sse *s, const struct ulid *host,
    const struct ulid *job);
/* It was deleted: its pages are to be loaded again, which says so. */
void sse_host_gone(struct sse *s, const struct ulid *host);
/* The job's log is committed up to bytes. */
void sse_log_grown(struct sse *s, const struct ulid *job, uint64_t bytes);
void sse_progress(struct sse *s, const struct ulid *host,
    const struct Rec__LiveProgress *p);
/* Who waits for approval. */
void sse_pending_changed(struct sse *s);
/* An enrolment token was used, revoked or replaced; hash is its SHA-256. */
void sse_token_changed(struct sse *s, const uint8_t hash[32]);
/* Every minute: what a token's page says of the time left. */
void sse_tokens_tick(struct sse *s);
#endif
