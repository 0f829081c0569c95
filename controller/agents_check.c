/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an agent's doctor asks: answered from what is known, nothing moves. */
#include <string.h>
#include <version.h>

#include "controller/agents_call.h"
#include "controller/agents_own.h"
#include "controller/controller.h"
#include "controller/pb.h"
#include "controller/rules.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/net/grpc.h"
#include "lib/store/host_store.h"
#include "lib/store/store.h"
#include "proto/agent.pb-c.h"

enum {
	CHECK_REPLY_MAX = 8192
};

void
agents_on_check_open(void *ctx, struct grpc_call *g)
{
	(void)ctx;
	grpc_set_user(g, NULL);
}

void
agents_on_check_close(void *ctx, struct grpc_call *g)
{
	(void)ctx;
	(void)g;
}

static void
fill_presence(struct agents *a, const struct ulid *host,
    const Wire__CheckRequest *q, Wire__CheckReply *r)
{
	const struct peer *p =
	    map_get(a->peers, str_from(host->b, sizeof(host->b)));

	if (p == NULL || !p->online)
		return;
	r->live = true;
	r->stream = p->call != NULL && p->stream;
	r->other_instance =
	    p->known && q->instance_id.len == sizeof(p->instance) &&
	    memcmp(p->instance, q->instance_id.data, sizeof(p->instance)) != 0;
}

static void
send_reply(struct grpc_call *g, const Wire__CheckReply *r)
{
	struct buf b;

	buf_init(&b, CHECK_REPLY_MAX);
	pb_pack(&r->base, &b);
	if (buf_rc(&b) == RC_OK && grpc_send(g, buf_str(&b)) == RC_OK)
		grpc_finish(g, GRPC_OK, "", NULL);
	else
		grpc_finish(g, GRPC_INTERNAL, "no room to answer", NULL);
	buf_fini(&b);
}

void
agents_on_check_message(void *ctx, struct grpc_call *g, struct str msg)
{
	Wire__CheckReply r = WIRE__CHECK_REPLY__INIT;
	const struct Rec__Host *h;
	const Wire__CheckRequest *q;
	struct agents *a = ctx;
	struct store_tx *tx;
	struct caller who;
	struct err e = { 0 };

	q = agents_read(a, &wire__check_request__descriptor, msg, &e);
	if (q == NULL || agents_bearer(a, g, &who, &e) != RC_OK) {
		grpc_finish_err(g, &e);
		return;
	}
	fill_presence(a, &who.host, q, &r);
	r.now_ms = clock_now_ms();
	r.controller_version = pb_text(RM_VERSION);
	if (rules_protocol(q->protocol_version, &e) != RC_OK)
		r.protocol_error = e.msg;
	tx = store_begin_read(a->ctl->state, &a->scratch);
	h = host_store_find(tx, &who.host);
	if (h != NULL)
		r.host_name = h->name;
	send_reply(g, &r);
	store_abort(tx);
}

void
agents_on_check_half_close(void *ctx, struct grpc_call *g)
{
	(void)ctx;
	grpc_finish(g, GRPC_INVALID_ARGUMENT, "a message is missing",
	    "bad_request");
}
