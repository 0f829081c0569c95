/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/audit.h"
#include "controller/audit_own.h"
#include "controller/controller.h"
#include "controller/quota.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/audit_query.h"
#include "lib/store/store.h"

/* A piece is some milliseconds of the pool, and an entry may be 4 MiB. */
enum {
	PIECE_ENTRIES = 20000,
	PIECE_BYTES = 65536,
	PIECE_MAX = 32 << 20
};

/*
 * Everything that fits, in pieces: a pool job walks and formats one, the loop
 * writes it and asks for the next when the peer has taken it.
 */
struct export
{
	struct req *req; /* held */
	struct loop *loop;
	struct store *state;
	struct audit_query query; /* lent by req */
	bool csv;
	bool gone; /* the peer */
	bool busy; /* the pool works */
	/* the pool's while busy */
	struct ulid at;
	bool begun, more;
	struct json_out j;
	struct buf text;
	struct err err;
};

/* ----------------------------------------------------------------- the form */

static void
put_cell(struct buf *out, struct str s)
{
	size_t i;

	buf_putc(out, '"');
	/* Spreadsheets run what begins so, quoted or not. */
	if (s.n > 0 && memchr("=+-@\t\r\n|%", s.p[0], 9) != NULL)
		buf_putc(out, '\'');
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			buf_putc(out, '"');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

void
audit_put_csv(struct buf *out, const struct audit_row *row)
{
	char when[CLOCK_TEXT_CAP];
	const struct str *const cells[] = { &row->actor, &row->action,
		&row->target_kind, &row->target, &row->address, &row->payload };
	size_t i;

	clock_text(row->at_ms, when);
	buf_puts(out, when);
	for (i = 0; i < ARRAY_LEN(cells); i++) {
		buf_putc(out, ',');
		put_cell(out, *cells[i]);
	}
	buf_puts(out, "\r\n");
}

/* ----------------------------------------------------------------- the pool */

static bool
audit_on_row(void *ctx, const struct audit_row *row)
{
	struct export *x = ctx;

	if (x->csv) {
		audit_put_csv(&x->text, row);
	} else {
		audit_put_json(&x->j, row);
		buf_putc(&x->text, '\n');
	}
	return x->text.len < PIECE_BYTES;
}

static void
begin_text(struct export *x)
{
	x->begun = true;
	if (x->csv)
		buf_puts(&x->text,
		    "time,user,action,target_kind,target,address,payload\r\n");
	else
		json_arr(&x->j, NULL);
}

static void
audit_on_piece_work(void *ctx)
{
	struct export *x = ctx;
	struct store_tx *tx = store_begin_read(x->state, NULL);

	if (!x->begun)
		begin_text(x);
	x->more = audit_query_walk(tx, &x->query, &x->at, PIECE_ENTRIES,
	    audit_on_row, x);
	if (!x->more && !x->csv) {
		json_arr_end(&x->j);
		buf_putc(&x->text, '\n');
	}
	x->err = *store_err(tx);
	if (x->err.rc == RC_OK && buf_rc(&x->text) != RC_OK)
		(void)err_set(&x->err, RC_LIMIT, "an entry is too large");
	store_abort(tx);
}

/* ----------------------------------------------------------------- the loop */

static void audit_on_piece(void *ctx);

static void
export_free(struct export *x)
{
	struct req *r = x->req;

	buf_fini(&x->text);
	mem_free(x);
	req_release(r);
}

static void
export_next(struct export *x)
{
	if (x->text.len > 0 &&
	    req_stream_write(x->req, buf_str(&x->text)) != RC_OK)
		return; /* writable or closed will come */
	buf_reset(&x->text);
	if (x->err.rc != RC_OK) {
		log_warn(LOG_STORE, "audit export cut short error=%s",
		    log_safe(str_of(x->err.msg)));
		req_stream_abort(x->req);
	} else if (x->begun && !x->more) {
		req_stream_end(x->req);
	} else {
		x->busy = true;
		loop_work(x->loop, audit_on_piece_work, audit_on_piece, x);
	}
}

static void
audit_on_piece(void *ctx)
{
	struct export *x = ctx;

	x->busy = false;
	if (x->gone)
		export_free(x);
	else
		export_next(x);
}

static void
audit_on_writable(struct req *r, void *ctx)
{
	struct export *x = ctx;

	(void)r;
	if (!x->busy)
		export_next(x);
}

static void
audit_on_closed(struct req *r, void *ctx)
{
	struct export *x = ctx;

	(void)r;
	x->gone = true;
	if (!x->busy)
		export_free(x);
}

static const struct req_stream export_stream = { audit_on_writable,
	audit_on_closed };

static void
export_begin(struct req *r, bool csv)
{
	struct export *x = MEM_NEW(struct export);
	char name[96], day[CLOCK_TEXT_CAP];
	struct err e;

	if (audit_query_of(r, &x->query, &e) != RC_OK ||
	    quota_answer(r, &e) != RC_OK) {
		mem_free(x);
		req_fail(r, &e);
		return;
	}
	clock_text(clock_now_ms(), day);
	if (str_fmt(name, sizeof(name),
	        "attachment; filename=\"restic-manager-audit-%.10s.%s\"", day,
	        csv ? "csv" : "json"))
		req_add_field(r, "content-disposition", name);
	req_add_field(r, "content-type",
	    csv ? "text/csv; charset=utf-8; header=present"
	        : "application/json");
	x->req = r;
	x->loop = r->ctl->loop;
	x->state = r->ctl->state;
	x->csv = csv;
	buf_init(&x->text, PIECE_MAX);
	json_out_init(&x->j, &x->text);
	req_hold(r);
	if (!req_stream_begin(r, 200, &export_stream, x))
		export_free(x);
}

void
audit_csv(struct req *r)
{
	export_begin(r, true);
}

void
audit_json(struct req *r)
{
	export_begin(r, false);
}
