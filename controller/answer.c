/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/answer.h"

#include "controller/controller.h"
#include "controller/req.h"

struct json_out *
answer_begin(struct answer *an, struct req *r, size_t body_max, size_t read_max)
{
	an->req = r;
	arena_init(&an->arena, read_max);
	an->tx = store_begin_read(r->ctl->state, &an->arena);
	json_doc_init(&an->doc, body_max);
	return &an->doc.j;
}

void
answer_end(struct answer *an, int status)
{
	if (store_rc(an->tx) != RC_OK)
		req_fail(an->req, store_err(an->tx));
	else
		req_doc(an->req, status, &an->doc);
	json_doc_fini(&an->doc);
	store_abort(an->tx);
	arena_fini(&an->arena);
}
