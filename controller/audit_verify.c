/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/audit.h"
#include "controller/controller.h"
#include "controller/req.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/audit_check.h"
#include "lib/store/store.h"

/* A slice is some milliseconds of a pool thread and of a read transaction;
 * between two of them others get their turn. */
enum {
	SLICE = 10000,
	ANSWER_MAX = 4096
};

/*
 * audit_verify -> pool: audit_on_slice -> loop: audit_on_sliced -> the next
 * slice, until all of it was walked or nobody waits any more.
 */
struct verify {
	struct req *req; /* held */
	struct controller *ctl;
	struct store *state;
	struct audit_check check;
	struct err err;
	bool more;
};

static void audit_on_sliced(void *ctx);

static void
audit_on_slice(void *ctx)
{
	struct verify *v = ctx;
	struct store_tx *tx = store_begin_read(v->state, NULL);

	v->more = audit_check_step(&v->check, tx, SLICE);
	v->err = *store_err(tx);
	store_abort(tx);
}

static void
put_verdict(struct json_out *j, const struct audit_check *c)
{
	char text[2 * sizeof(c->hash) + 1], id[ULID_TEXT_CAP];

	str_hex(c->hash, sizeof(c->hash), text, sizeof(text));
	ulid_text(&c->bad, id);
	json_put_bool(j, "ok",
	    c->fault == AUDIT_FITS && (!c->expects || c->expected_row > 0));
	json_put_uint(j, "entries", c->count);
	json_put_uint(j, "sealed_entries", c->sealed);
	json_put_uint(j, "entries_before_seal", c->before);
	json_put(j, "hash", text);
	json_put(j, "fault", audit_fault_name(c->fault));
	if (c->row > 0) {
		json_put_uint(j, "row", c->row);
		json_put(j, "entry_id", id);
	} else {
		json_put_null(j, "row");
		json_put_null(j, "entry_id");
	}
	json_put_time(j, "time", c->bad_at_ms);
	if (c->expects)
		json_put_bool(j, "expected_found", c->expected_row > 0);
	else
		json_put_null(j, "expected_found");
}

static void
answer(struct verify *v)
{
	struct buf b, text;
	struct json_out j;

	buf_init(&b, ANSWER_MAX);
	buf_init(&text, ANSWER_MAX);
	audit_check_text(&v->check, &text);
	json_out_init(&j, &b);
	json_obj(&j, NULL);
	put_verdict(&j, &v->check);
	json_put_str(&j, "message", buf_str(&text));
	json_obj_end(&j);
	req_json(v->req, 200, &b);
	buf_fini(&text);
	buf_fini(&b);
}

static void
audit_on_sliced(void *ctx)
{
	struct verify *v = ctx;
	struct req *r = v->req;

	if (r->x != NULL && v->err.rc == RC_OK && v->more) {
		loop_work(v->ctl->loop, audit_on_slice, audit_on_sliced, v);
		return;
	}
	v->ctl->audit_verifying = false;
	if (v->err.rc != RC_OK)
		req_fail(r, &v->err);
	else if (!v->more)
		answer(v);
	mem_free(v);
	req_release(r);
}

void
audit_verify(struct req *r)
{
	uint8_t expected[CRYPT_HASH_SIZE];
	struct str text = req_query(r, "expect");
	struct verify *v;
	struct err e;

	if (text.n > 0 && !str_unhex(text, expected, sizeof(expected))) {
		(void)err_set(&e, RC_INVALID,
		    "expect is not a hash of 64 hexadecimal digits");
		req_fail(r, &e);
		return;
	}
	if (r->ctl->audit_verifying) {
		(void)err_set(&e, RC_BUSY,
		    "the audit log is being verified, try again");
		req_fail(r, &e);
		return;
	}
	v = MEM_NEW(struct verify);
	v->req = r;
	v->ctl = r->ctl;
	v->state = r->ctl->state;
	audit_check_init(&v->check, text.n > 0 ? expected : NULL);
	r->ctl->audit_verifying = true;
	req_hold(r);
	loop_work(v->ctl->loop, audit_on_slice, audit_on_sliced, v);
}
