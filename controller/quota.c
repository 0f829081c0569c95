/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/quota.h"

#include "controller/bucket.h"
#include "controller/controller.h"
#include "controller/req.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/net/offence.h"

enum {
	TICK_MS = 60000
};

struct share {
	unsigned open;
};

struct quota {
	struct buckets *lines;
	struct loop_timer *tick;
	struct map *shares; /* by session */
	unsigned open;      /* of all */
};

static void
quota_on_tick(void *ctx)
{
	const struct quota *q = ctx;

	buckets_tick(q->lines);
}

struct quota *
quota_new(struct loop *loop)
{
	struct quota *q = MEM_NEW(struct quota);

	q->lines = buckets_new(QUOTA_LINES);
	q->shares = map_new();
	q->tick = loop_timer_new(loop, quota_on_tick, q);
	loop_timer_start(q->tick, TICK_MS, TICK_MS);
	return q;
}

void
quota_free(struct quota *q)
{
	if (q == NULL)
		return;
	map_free_all(q->shares);
	buckets_free(q->lines);
	loop_timer_free(q->tick);
	mem_free(q);
}

static struct str
session_of(const struct req *r)
{
	return str_from(r->session_hash, sizeof(r->session_hash));
}

enum rc
quota_answer(struct req *r, struct err *e)
{
	struct quota *q = r->ctl->quota;
	struct share *s;

	if (q == NULL)
		return RC_OK;
	s = map_get(q->shares, session_of(r));
	if (s != NULL && s->open >= QUOTA_SESSION_ANSWERS) {
		(void)offences_note(r->ctl->offences, r->address,
		    OFFENCE_VIEWS);
		return err_set(e, RC_RATE,
		    "this session has %d downloads open; let one end",
		    QUOTA_SESSION_ANSWERS);
	}
	if (q->open >= QUOTA_ANSWERS)
		return err_set(e, RC_BUSY,
		    "%d downloads are open on this server; try again",
		    QUOTA_ANSWERS);
	if (s == NULL) {
		s = MEM_NEW(struct share);
		map_put(q->shares, session_of(r), s);
	}
	s->open++;
	q->open++;
	r->long_answer = true;
	return RC_OK;
}

void
quota_closed(struct req *r)
{
	struct quota *q = r->ctl->quota;
	struct share *s;

	if (!r->long_answer)
		return;
	r->long_answer = false;
	q->open--;
	s = map_get(q->shares, session_of(r));
	if (--s->open == 0)
		mem_free(map_del(q->shares, session_of(r)));
}

bool
quota_line(const struct req *r)
{
	struct quota *q = r->ctl->quota;

	if (q == NULL || r->user_name[0] != '\0' ||
	    buckets_take(q->lines, r->address) == 0)
		return true;
	(void)offences_note(r->ctl->offences, r->address, OFFENCE_REQUESTS);
	return false;
}
