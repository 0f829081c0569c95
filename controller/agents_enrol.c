/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "controller/agents_call.h"
#include "controller/agents_own.h"
#include "controller/controller.h"
#include "controller/enrol.h"
#include "controller/op.h"
#include "controller/pb.h"
#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "lib/net/grpc.h"
#include "proto/agent.pb-c.h"

/* Lives until the call is closed and the op has come back. */
struct enrolling {
	struct agents *agents;
	struct grpc_call *grpc; /* NULL: closed */
	bool busy;
};

static void
enrolling_release(struct enrolling *en)
{
	if (!en->busy && en->grpc == NULL)
		mem_free(en);
}

void
agents_on_enrol_open(void *ctx, struct grpc_call *g)
{
	struct enrolling *en = MEM_NEW(struct enrolling);

	en->agents = ctx;
	en->grpc = g;
	grpc_set_user(g, en);
}

void
agents_on_enrol_close(void *ctx, struct grpc_call *g)
{
	struct enrolling *en = grpc_user(g);

	(void)ctx;
	en->grpc = NULL;
	enrolling_release(en);
}

static void
enrol_answer(struct enrolling *en, const struct enrol_out *out)
{
	Wire__EnrollReply r = WIRE__ENROLL_REPLY__INIT;
	char id[ULID_TEXT_CAP], pin[2 * CRYPT_HASH_SIZE + 1];
	struct buf b;

	ulid_text(&out->host, id);
	str_hex(en->agents->ctl->pin, CRYPT_HASH_SIZE, pin, sizeof(pin));
	r.host_id = id;
	r.agent_token = pb_text(out->bearer);
	r.cert_pin_sha256 = pin;
	buf_init(&b, KIB(4));
	pb_pack(&r.base, &b);
	if (grpc_send(en->grpc, buf_str(&b)) == RC_OK)
		grpc_finish(en->grpc, GRPC_OK, "", NULL);
	else
		grpc_finish(en->grpc, GRPC_INTERNAL, "no room to answer", NULL);
	buf_wipe_fini(&b);
}

static void
agents_on_enrolled(struct op *op, void *ctx)
{
	struct enrolling *en = ctx;

	en->busy = false;
	if (op->err.rc == RC_OK)
		enrol_consumed(en->agents->ctl, op->out);
	else
		log_warn(LOG_AGENT, "enrolment refused address=%s error=%s",
		    op->actor.address, log_safe(str_of(op->err.msg)));
	if (en->grpc != NULL && op->err.rc == RC_OK)
		enrol_answer(en, op->out);
	else if (en->grpc != NULL)
		grpc_finish_err(en->grpc, &op->err);
	enrolling_release(en);
}

/* Texts longer than any that is taken keep enough of it to be refused. */
static const char *
enrolling_keep(struct op *op, const char *z)
{
	return arena_str(&op->arena, str_sub(str_of(z), 0, KIB(1)));
}

static struct op *
enrolling_op(struct agents *a, const struct enrol_in *from)
{
	struct op *op = op_new(enrol_op, NULL, NULL);
	struct enrol_in *in = arena_alloc(&op->arena, sizeof(*in));

	ASSERT(in != NULL);
	in->ctl = a->ctl;
	in->token = enrolling_keep(op, from->token);
	in->enrol_id = enrolling_keep(op, from->enrol_id);
	in->hostname = enrolling_keep(op, from->hostname);
	in->os = enrolling_keep(op, from->os);
	in->arch = enrolling_keep(op, from->arch);
	in->agent_version = enrolling_keep(op, from->agent_version);
	in->restic_version = enrolling_keep(op, from->restic_version);
	op->vault = true;
	op->in = in;
	return op;
}

void
agents_on_enrol_message(void *ctx, struct grpc_call *g, struct str msg)
{
	struct enrolling *en = grpc_user(g);
	const Wire__EnrollRequest *q;
	struct enrol_in in = { 0 };
	struct agents *a = ctx;
	struct op *op;
	struct err e;

	if (en->busy)
		return;
	q = agents_read(a, &wire__enroll_request__descriptor, msg, &e);
	if (q == NULL) {
		grpc_finish_err(g, &e);
		return;
	}
	in.token = q->token;
	in.enrol_id = q->enrol_id;
	in.hostname = q->hostname;
	in.os = q->os;
	in.arch = q->arch;
	in.agent_version = q->agent_version;
	in.restic_version = q->restic_version;
	op = enrolling_op(a, &in);
	op->done = agents_on_enrolled;
	op->ctx = en;
	if (!str_copy(op->actor.address, sizeof(op->actor.address),
	        str_of(grpc_peer(g))))
		op->actor.address[0] = '\0';
	en->busy = true;
	op_submit(a->ctl->ops, &op);
}

void
agents_on_enrol_half_close(void *ctx, struct grpc_call *g)
{
	const struct enrolling *en = grpc_user(g);

	(void)ctx;
	if (!en->busy)
		grpc_finish(g, GRPC_INVALID_ARGUMENT, "a message is missing",
		    "bad_request");
}
