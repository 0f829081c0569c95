/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "controller/audit.h"
#include "controller/audit_own.h"
#include "controller/controller.h"
#include "controller/paging.h"
#include "controller/pb.h"
#include "controller/req.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/net/loop.h"
#include "lib/store/audit_query.h"
#include "lib/store/store.h"

enum {
	PER_PAGE = 50,
	BODY_MAX = 32 << 20,
	ARENA_MAX = 4 << 20
};

/* A search may walk a million entries: it is the pool's. */
struct search {
	struct req *req; /* held */
	struct store *state;
	struct audit_query query; /* lent by req */
	struct audit_want want;
	struct arena arena;
	struct buf body;
	struct err err;
};

enum rc
audit_query_of(struct req *r, struct audit_query *q, struct err *e)
{
	const struct audit_ask ask = {
		.user = req_query(r, "user"),
		.action = req_query(r, "action"),
		.target = req_query(r, "target"),
		.q = req_query(r, "q"),
		.from = req_query(r, "from"),
		.to = req_query(r, "to"),
		.sort = req_query(r, "sort"),
	};

	return audit_query_init(q, &ask, r->ctl->settings.timezone, e);
}

/* What was written as JSON is given as JSON. */
static void
put_payload(struct json_out *j, struct str payload)
{
	struct json *doc;
	struct err e;

	if (payload.n == 0) {
		json_put_null(j, "payload");
	} else if (json_parse(payload, &doc, &e) == RC_OK) {
		json_free(doc);
		json_put_raw(j, "payload", payload);
	} else {
		json_put_str(j, "payload", payload);
	}
}

void
audit_put_json(struct json_out *j, const struct audit_row *row)
{
	const ProtobufCBinaryData actor = pb_bytes(row->actor_id.p,
	                              row->actor_id.n),
	                          target = pb_bytes(row->target_id.p,
	                              row->target_id.n);

	json_obj(j, NULL);
	json_put_ulid(j, "id", &row->id);
	json_put_time(j, "time", row->at_ms);
	json_put_str(j, "user", row->actor);
	pb_put_id(j, "user_id", &actor);
	json_put_str(j, "action", row->action);
	json_put_str(j, "target_kind", row->target_kind);
	json_put_str(j, "target", row->target);
	pb_put_id(j, "target_id", &target);
	json_put_str(j, "address", row->address);
	put_payload(j, row->payload);
	json_obj_end(j);
}

static void
put_found(struct search *s, struct store_tx *tx, const struct audit_found *f)
{
	struct audit_row row;
	struct json_out j;
	size_t i;

	json_out_init(&j, &s->body);
	json_obj(&j, NULL);
	json_arr(&j, "items");
	for (i = 0; i < f->n; i++) {
		if (audit_query_get(tx, &f->ids[i], &row))
			audit_put_json(&j, &row);
	}
	json_arr_end(&j);
	json_put_uint(&j, "total", f->total);
	json_put_uint(&j, "page", f->page);
	json_put_uint(&j, "per_page", s->want.per_page);
	json_put_bool(&j, "partial", f->partial);
	json_put_bool(&j, "unsorted", f->unsorted);
	json_obj_end(&j);
}

static void
audit_on_search(void *ctx)
{
	struct search *s = ctx;
	struct store_tx *tx = store_begin_read(s->state, &s->arena);
	struct audit_found found;

	if (audit_query_page(tx, &s->query, &s->want, &s->arena, &found) ==
	    RC_OK)
		put_found(s, tx, &found);
	else if (store_rc(tx) == RC_OK)
		(void)err_set(&s->err, RC_INVALID, "there is no such page");
	if (store_rc(tx) != RC_OK)
		s->err = *store_err(tx);
	else if (buf_rc(&s->body) != RC_OK)
		(void)err_set(&s->err, RC_LIMIT,
		    "the entries are too large for one answer, ask for fewer "
		    "with per_page");
	store_abort(tx);
}

static void
audit_on_searched(void *ctx)
{
	struct search *s = ctx;
	struct req *r = s->req;

	if (s->err.rc != RC_OK)
		req_fail(r, &s->err);
	else
		req_json(r, 200, &s->body);
	buf_fini(&s->body);
	arena_fini(&s->arena);
	mem_free(s);
	req_release(r);
}

void
audit_list(struct req *r)
{
	struct search *s = MEM_NEW(struct search);
	struct paging p;
	struct err e;

	if (audit_query_of(r, &s->query, &e) != RC_OK ||
	    paging_begin(&p, r, PER_PAGE, &e) != RC_OK) {
		mem_free(s);
		req_fail(r, &e);
		return;
	}
	s->want = (struct audit_want){ p.page, p.per_page };
	s->req = r;
	s->state = r->ctl->state;
	arena_init(&s->arena, ARENA_MAX);
	buf_init(&s->body, BODY_MAX);
	req_hold(r);
	loop_work(r->ctl->loop, audit_on_search, audit_on_searched, s);
}
