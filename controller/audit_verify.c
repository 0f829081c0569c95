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
answer(struct verify *v)
{
	struct json_out j;
	struct buf b;

	buf_init(&b, ANSWER_MAX);
	json_out_init(&j, &b);
	audit_check_json(&v->check, &j);
	req_json(v->req, 200, &b);
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
