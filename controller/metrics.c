/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/metrics.h"

#include <string.h>

#include "controller/controller.h"
#include "controller/metrics_own.h"
#include "controller/page.h"
#include "controller/req.h"
#include "controller/server.h"
#include "controller/ticker.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/store.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum {
	TEXT_MAX = 64 << 20,
	ARENA_MAX = 256 << 20,
	PIECE = 65536,
	AT_ONCE = 2 /* scrapes, until their last byte is written */
};

struct scrape {
	struct req *req; /* held */
	struct controller *ctl;
	struct store *state, *vault, *live;
	struct metrics_now now;
	struct buf text;
	size_t sent;
	struct err err;
};

/* -------------------------------------------------------------------- gate */

/* By hashes, so that neither content nor length shows in the time. */
static bool
token_fits(struct req *r)
{
	struct str field = exch_field(r->x, "authorization"), scheme, token;
	uint8_t have[CRYPT_HASH_SIZE], want[CRYPT_HASH_SIZE];

	if (field.p == NULL || !str_cut(field, ' ', &scheme, &token) ||
	    !str_case_eq(scheme, STR("Bearer")))
		return false;
	crypt_sha256(str_trim(token), have);
	crypt_sha256(str_of(r->ctl->settings.metrics_token), want);
	return crypt_eq(have, want, sizeof(have));
}

static enum rc
gate(struct req *r, struct err *e)
{
	const struct settings *s = &r->ctl->settings;

	if (s->metrics_token == NULL && s->metrics_cidr_count == 0)
		return err_set(e, RC_NOTFOUND,
		    "there is nothing at this address");
	if (s->metrics_cidr_count > 0 && !settings_metrics_from(s, r->address))
		return err_set(e, RC_DENIED,
		    "this address may not read metrics");
	if (s->metrics_token == NULL || token_fits(r))
		return RC_OK;
	req_add_field(r, "www-authenticate", "Bearer realm=\"metrics\"");
	return err_set(e, RC_AUTH, "the metrics token is missing or wrong");
}

/* ------------------------------------------------------------------ answer */

static void
metrics_on_scrape(void *ctx)
{
	struct scrape *s = ctx;
	struct store_tx *state, *vault;
	struct arena a;

	arena_init(&a, ARENA_MAX);
	state = store_begin_read(s->state, &a);
	vault = store_begin_read(s->vault, &a);
	metrics_write_store(&s->text, state, vault);
	metrics_write_now(&s->text, &s->now);
	s->err = *store_err(state);
	if (s->err.rc == RC_OK)
		s->err = *store_err(vault);
	store_abort(vault);
	store_abort(state);
	arena_fini(&a);
	metrics_write_sizes(&s->text, s->state, s->vault, s->live);
	metrics_write_process(&s->text);
	if (s->err.rc == RC_OK && buf_rc(&s->text) != RC_OK)
		(void)err_set(&s->err, RC_LIMIT, "too many hosts at once");
}

static void
scrape_free(struct scrape *s)
{
	struct req *r = s->req;

	s->ctl->metrics_scrapes--;
	buf_fini(&s->text);
	mem_free(s);
	req_release(r);
}

/* In pieces: a large fleet's text is megabytes to be encrypted. */
static void
metrics_on_writable(struct req *r, void *ctx)
{
	struct scrape *s = ctx;
	struct str piece;

	while (s->sent < s->text.len) {
		piece = str_sub(buf_str(&s->text), s->sent, PIECE);
		if (req_stream_write(r, piece) != RC_OK)
			return; /* writable or closed will come */
		s->sent += piece.n;
	}
	req_stream_end(r);
}

static void
metrics_on_closed(struct req *r, void *ctx)
{
	(void)r;
	scrape_free(ctx);
}

static const struct req_stream scrape_stream = { metrics_on_writable,
	metrics_on_closed };

static void
metrics_on_scraped(void *ctx)
{
	struct scrape *s = ctx;

	if (s->err.rc == RC_OK) {
		req_add_field(s->req, "content-type", TEXT_TYPE);
		if (req_stream_begin(s->req, 200, &scrape_stream, s))
			return;
	} else {
		req_fail(s->req, &s->err);
	}
	scrape_free(s);
}

static void
look(const struct controller *c, struct metrics_now *n)
{
	const char *why;
	unsigned kind;

	for (kind = 0; kind < OFFENCE_KINDS; kind++)
		n->abuse[kind] = offences_count(c->offences, kind);
	op_queue_stats(c->ops, &n->ops);
	ingest_stats(c->ingest, &n->ingest);
	n->loop_longest_us = loop_longest_us(c->loop);
	n->loop_store_us = loop_longest_store_us(c->loop);
	agents_stats(c->agents, &n->agents);
	sse_stats(c->sse, &n->sse);
	server_stats(c->server, &n->net);
	n->spool_bytes = ticker_spool_bytes(c->ticker);
	n->pages_waiting = page_waiting(c->pages);
	n->pages_ready = page_ready(c->pages);
	n->healthy = !n->ops.unhealthy && !ingest_unhealthy(c->ingest, &why);
}

void
metrics_get(struct req *r)
{
	struct controller *c = r->ctl;
	struct scrape *s;
	struct err e;
	enum rc rc;

	r->wants_html = false; /* nobody but programs comes here */
	rc = gate(r, &e);
	if (rc == RC_OK && c->metrics_scrapes >= AT_ONCE)
		rc = err_set(&e, RC_BUSY, "others read the metrics just now");
	if (rc != RC_OK) {
		req_fail(r, &e);
		return;
	}
	s = MEM_NEW(struct scrape);
	s->req = r;
	s->ctl = c;
	s->state = c->state;
	s->vault = c->vault;
	s->live = c->live;
	buf_init(&s->text, TEXT_MAX);
	look(c, &s->now);
	c->metrics_scrapes++;
	req_hold(r);
	loop_work(c->loop, metrics_on_scrape, metrics_on_scraped, s);
}
