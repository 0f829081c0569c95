/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/pieces.h"

#include "controller/controller.h"
#include "controller/quota.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"

enum {
	PIECE_MAX = 32 << 20
};

struct pieces {
	struct req *req;
	struct loop *loop;
	struct pieces_opts o;
	char disposition[160];
	bool begun; /* the answer's head is sent */
	bool gone;  /* the peer; ends when the pool is done */
	bool busy;  /* the pool works */
	/* the pool's while busy */
	bool more;
	struct buf piece;
	struct err err;
};

static void
pieces_end(struct pieces *p)
{
	struct req *r = p->req;

	p->o.free(p->o.ctx);
	buf_fini(&p->piece);
	mem_free(p);
	req_release(r);
}

static void
pieces_on_work(void *ctx)
{
	struct pieces *p = ctx;

	p->err = (struct err){ .rc = RC_OK };
	p->more = p->o.make(p->o.ctx, &p->piece, &p->err);
	if (p->err.rc == RC_OK && buf_rc(&p->piece) != RC_OK)
		(void)err_set(&p->err, RC_LIMIT, "a piece is too large");
}

static void pieces_on_made(void *ctx);

static void
pieces_ask(struct pieces *p)
{
	p->busy = true;
	loop_work(p->loop, pieces_on_work, pieces_on_made, p);
}

/* Sends the piece at hand, then asks for the next. */
static void
pieces_next(struct pieces *p)
{
	if (p->piece.len > 0 &&
	    req_stream_write(p->req, buf_str(&p->piece)) != RC_OK)
		return; /* writable or closed will come */
	buf_reset(&p->piece);
	if (p->err.rc != RC_OK) {
		log_warn(LOG_PAGE, "download cut short id=%s error=%s",
		    p->req->id, log_safe(str_of(p->err.msg)));
		req_stream_abort(p->req);
	} else if (p->more) {
		pieces_ask(p);
	} else {
		req_stream_end(p->req);
	}
}

static void
pieces_on_writable(struct req *r, void *ctx)
{
	struct pieces *p = ctx;

	(void)r;
	if (!p->busy)
		pieces_next(p);
}

static void
pieces_on_closed(struct req *r, void *ctx)
{
	struct pieces *p = ctx;

	(void)r;
	p->gone = true;
	if (!p->busy)
		pieces_end(p);
}

static const struct req_stream pieces_stream = { pieces_on_writable,
	pieces_on_closed };

static bool
pieces_begin(struct pieces *p)
{
	if (p->disposition[0] != '\0')
		req_add_field(p->req, "content-disposition", p->disposition);
	req_add_field(p->req, "content-type", p->o.type);
	p->begun = true;
	return req_stream_begin(p->req, 200, &pieces_stream, p);
}

static void
pieces_on_made(void *ctx)
{
	struct pieces *p = ctx;

	p->busy = false;
	if (p->gone) {
		pieces_end(p);
	} else if (p->begun) {
		pieces_next(p);
	} else if (p->err.rc != RC_OK && p->piece.len == 0) {
		req_fail(p->req, &p->err);
		pieces_end(p);
	} else if (!pieces_begin(p)) {
		pieces_end(p);
	}
}

void
pieces_start(struct req *r, const struct pieces_opts *o)
{
	struct pieces *p;
	struct err e;

	if (quota_answer(r, &e) != RC_OK) {
		req_fail(r, &e);
		o->free(o->ctx);
		return;
	}
	p = MEM_NEW(struct pieces);
	req_hold(r);
	p->req = r;
	p->loop = r->ctl->loop;
	p->o = *o;
	buf_init(&p->piece, PIECE_MAX);
	if (!str_fmt(p->disposition, sizeof(p->disposition),
	        "attachment; filename=\"%s\"", o->filename))
		p->disposition[0] = '\0';
	p->o.filename = NULL; /* copied */
	pieces_ask(p);
}
