/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/auth.h"
#include "controller/controller.h"
#include "controller/req.h"
#include "controller/sse_own.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/net/offence.h"
#include "lib/store/host_store.h"

enum {
	PING_MS = 15000
};

/* ----------------------------------------------------------------- streams */

/* Streams that are open, of the same session, user and address as r. */
struct held {
	unsigned session, user, address;
};

static void
count_held(const struct list *all, const struct req *r, struct held *n)
{
	const struct list *el;

	for (el = all->next; el != all; el = el->next) {
		const struct req *o =
		    ((const struct sse_stream *)(const void *)el)->r;

		n->session += memcmp(o->session_hash, r->session_hash,
		                  CRYPT_HASH_SIZE) == 0;
		n->user += ulid_eq(&o->user_id, &r->user_id);
		n->address += strcmp(o->address, r->address) == 0;
	}
}

static enum rc
check_held(const struct sse *s, const struct req *r, struct err *e)
{
	struct held n = { 0 };

	count_held(&s->logs, r, &n);
	count_held(&s->pages, r, &n);
	if (n.session >= SSE_SESSION_MAX)
		return err_set(e, RC_RATE,
		    "this session has %d live views open; close a tab",
		    SSE_SESSION_MAX);
	if (n.user >= SSE_USER_MAX)
		return err_set(e, RC_RATE,
		    "this user has %d live views open; close a tab",
		    SSE_USER_MAX);
	if (n.address >= SSE_ADDRESS_MAX)
		return err_set(e, RC_RATE,
		    "this address has %d live views open; close some",
		    SSE_ADDRESS_MAX);
	return RC_OK;
}

enum rc
sse_admit(struct sse *s, const struct req *r, struct err *e)
{
	if (check_held(s, r, e) != RC_OK) {
		(void)offences_note(s->ctl->offences, r->address,
		    OFFENCE_VIEWS);
		return e->rc;
	}
	if (s->open >= SSE_MAX)
		return err_set(e, RC_BUSY,
		    "%d live views are open on this server; try again",
		    SSE_MAX);
	return RC_OK;
}

void
sse_begin(struct sse_stream *st, struct list *where,
    const struct req_stream *calls)
{
	list_append(where, &st->link);
	st->sse->open++;
	req_add_field(st->r, "content-type", "text/event-stream");
	/* A proxy that collects the answer would defeat it. */
	req_add_field(st->r, "x-accel-buffering", "no");
	if (!req_stream_begin(st->r, 200, calls, st))
		sse_leave(st);
	else if (req_stream_write(st->r, STR("retry: 2000\nid: 0\n\n")) !=
	         RC_OK)
		sse_end(st);
}

void
sse_leave(struct sse_stream *st)
{
	st->closed = true;
	if (!list_linked(&st->link))
		return;
	list_del(&st->link);
	st->sse->open--;
}

void
sse_end(struct sse_stream *st)
{
	if (st->ended || st->closed)
		return;
	st->ended = true;
	req_stream_end(st->r);
}

bool
sse_flush(struct sse_stream *st, struct buf *out)
{
	if (st->closed || st->ended)
		return false;
	if (out->len == 0)
		return true;
	if (req_stream_write(st->r, buf_str(out)) != RC_OK)
		return false;
	buf_reset(out);
	return true;
}

/* ---------------------------------------------------------------- the ping */

static void
ping_all(struct list *all)
{
	struct list *el, *next;

	LIST_FOREACH(el, next, all)
	{
		struct sse_stream *st = (struct sse_stream *)(void *)el;

		/* A stream ends with its session. */
		if (!auth_lives(st->r))
			sse_end(st);
		else if (req_stream_write(st->r, STR(": ping\n\n")) != RC_OK)
			continue; /* bytes are under way: as good */
	}
}

static void
sse_on_ping(void *ctx)
{
	struct sse *s = ctx;
	struct list *el, *next;

	ping_all(&s->logs);
	ping_all(&s->pages);
	LIST_FOREACH(el, next, &s->logs)
	sse_log_ping((struct sse_stream *)(void *)el);
}

/* -------------------------------------------------------------------- life */

struct sse *
sse_new(struct controller *c)
{
	struct sse *s = MEM_NEW(struct sse);

	s->ctl = c;
	list_init(&s->logs);
	list_init(&s->pages);
	s->ping = loop_timer_new(c->loop, sse_on_ping, s);
	loop_timer_start(s->ping, PING_MS, PING_MS);
	return s;
}

void
sse_free(struct sse *s)
{
	if (s == NULL)
		return;
	ASSERT(list_empty(&s->logs) && list_empty(&s->pages));
	loop_timer_free(s->ping);
	mem_free(s);
}

static void
end_list(struct list *all)
{
	struct list *el, *next;

	LIST_FOREACH(el, next, all)
	sse_end((struct sse_stream *)(void *)el);
}

void
sse_end_all(struct sse *s)
{
	end_list(&s->logs);
	end_list(&s->pages);
}

static void
end_of_user(struct list *all, const struct ulid *user)
{
	struct list *el, *next;

	LIST_FOREACH(el, next, all)
	{
		struct sse_stream *st = (struct sse_stream *)(void *)el;

		if (ulid_eq(&st->r->user_id, user))
			sse_end(st);
	}
}

void
sse_end_user(struct sse *s, const struct ulid *user)
{
	if (s == NULL)
		return;
	end_of_user(&s->logs, user);
	end_of_user(&s->pages, user);
}

/* ----------------------------------------------------------------- notices */

static void
remember(struct sse *s, const struct ulid *host, unsigned causes)
{
	struct sse_recent *slot = &s->recent[s->recent_at];

	slot->host = *host;
	slot->causes = causes;
	slot->at_ms = clock_mono_ms();
	s->recent_at = (s->recent_at + 1) % SSE_RECENT_MAX;
}

static bool
fleet_changed(struct sse *s)
{
	struct store_tx *tx = store_begin_read(s->ctl->state, NULL);
	uint64_t n = host_store_count(tx);
	bool changed = n != s->hosts;

	store_abort(tx);
	s->hosts = n;
	return changed;
}

void
sse_host_changed(struct sse *s, const struct ulid *host)
{
	unsigned causes = SSE_HOST | (fleet_changed(s) ? SSE_FLEET : 0);

	remember(s, host, causes);
	sse_page_changed(s, host, NULL, causes);
}

void
sse_pending_changed(struct sse *s)
{
	static const struct ulid none;

	remember(s, &none, SSE_PENDING);
	sse_page_changed(s, NULL, NULL, SSE_PENDING);
}

void
sse_job_changed(struct sse *s, const struct ulid *host, const struct ulid *job)
{
	remember(s, host, SSE_JOB);
	sse_log_job_changed(s, job);
	sse_page_changed(s, host, job, SSE_JOB);
}

static unsigned
list_length(const struct list *all)
{
	const struct list *el;
	unsigned n = 0;

	for (el = all->next; el != all; el = el->next)
		n++;
	return n;
}

void
sse_stats(const struct sse *s, struct sse_stats *out)
{
	out->logs = list_length(&s->logs);
	out->pages = list_length(&s->pages);
}
