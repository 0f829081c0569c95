/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "controller/audit.h"
#include "controller/audit_own.h"
#include "controller/controller.h"
#include "controller/pieces.h"
#include "controller/req.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/store/audit_query.h"
#include "lib/store/store.h"

/* A piece is some milliseconds of the pool, and an entry may be 4 MiB. */
enum {
	PIECE_ENTRIES = 20000,
	PIECE_BYTES = 65536
};

/* Everything that fits. */
struct export
{
	struct store *state;
	struct audit_query query; /* lent by the request */
	bool csv;
	struct ulid at;
	bool begun;
	struct json_out j;
	struct buf *out; /* the piece at hand */
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
		audit_put_csv(x->out, row);
	} else {
		audit_put_json(&x->j, row);
		buf_putc(x->out, '\n');
	}
	return x->out->len < PIECE_BYTES;
}

static void
begin_text(struct export *x)
{
	x->begun = true;
	json_out_init(&x->j, x->out);
	if (x->csv)
		buf_puts(x->out,
		    "time,user,action,target_kind,target,address,payload\r\n");
	else
		json_arr(&x->j, NULL);
}

static bool
audit_on_piece(void *ctx, struct buf *out, struct err *e)
{
	struct export *x = ctx;
	struct store_tx *tx = store_begin_read(x->state, NULL);
	bool more;

	x->out = out;
	if (!x->begun)
		begin_text(x);
	more = audit_query_walk(tx, &x->query, &x->at, PIECE_ENTRIES,
	    audit_on_row, x);
	if (!more && !x->csv) {
		json_arr_end(&x->j);
		buf_putc(out, '\n');
	}
	*e = *store_err(tx);
	store_abort(tx);
	return more && e->rc == RC_OK;
}

/* ----------------------------------------------------------------- the loop */

static void
export_begin(struct req *r, bool csv)
{
	struct export *x = MEM_NEW(struct export);
	char name[48], day[CLOCK_TEXT_CAP];
	const struct pieces_opts o = {
		csv ? "text/csv; charset=utf-8; header=present"
		    : "application/json",
		name, audit_on_piece, mem_free, x
	};
	struct err e;

	clock_text(clock_now_ms(), day);
	(void)snprintf(name, sizeof(name), "restic-manager-audit-%.10s.%s", day,
	    csv ? "csv" : "json");
	x->state = r->ctl->state;
	x->csv = csv;
	if (audit_query_of(r, &x->query, &e) == RC_OK) {
		pieces_start(r, &o);
		return;
	}
	req_fail(r, &e);
	mem_free(x);
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
