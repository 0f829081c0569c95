/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames behind a good preface, in pieces; gRPC and HTTP above. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/net/exch_priv.h"
#include "lib/net/grpc_priv.h"
#include "lib/net/h2.h"
#include "lib/net/loop.h"
#include "tests/fuzz/fake_http.h"
#include "tests/fuzz/fake_link.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                              "\0\0\0\4\0\0\0\0\0";

struct server {
	struct loop *loop;
	struct grpc_server *grpc;
	struct h2 *h2;
	struct link link;
	struct fake_http http;
	unsigned opened, closed;
};

static void
call_open(void *ctx, struct grpc_call *c)
{
	struct server *s = ctx;

	(void)c;
	s->opened++;
}

static void
call_message(void *ctx, struct grpc_call *c, struct str msg)
{
	(void)ctx;
	if (grpc_send(c, msg) != RC_OK)
		grpc_finish(c, GRPC_RESOURCE_EXHAUSTED, "", NULL);
	if (msg.n == 3)
		grpc_finish(c, GRPC_UNKNOWN, msg.p[0] == 'x' ? "%" : "", "c");
}

static void
call_half_close(void *ctx, struct grpc_call *c)
{
	(void)ctx;
	grpc_finish(c, GRPC_OK, "", NULL);
}

static void
call_close(void *ctx, struct grpc_call *c)
{
	struct server *s = ctx;

	(void)c;
	s->closed++;
}

static const struct grpc_method methods[] = {
	{ "/a", true, call_open, call_message, call_half_close, NULL,
	    call_close },
	{ "/b", false, call_open, call_message, call_half_close, NULL,
	    call_close },
};

static void
on_stream(void *ctx, struct h2_stream *st)
{
	struct server *s = ctx;

	if (str_starts(head_get(h2_stream_head(st), "content-type"),
	        STR("application/grpc")))
		grpc_accept(s->grpc, st);
	else
		exch_accept_h2(st, &fake_http, &s->http);
}

static void
on_event(void *ctx)
{
	(void)ctx;
}

static void
on_bad(void *ctx, enum offence kind)
{
	(void)ctx;
	(void)kind;
}

static const struct h2_owner owner = {
	.on_stream = on_stream,
	.on_settings = on_event,
	.on_noticed = on_event,
	.on_bad = on_bad,
};

static void
feed(struct server *s, struct str bytes, size_t step)
{
	struct buf out;
	int rounds;

	buf_init(&out, MIB(16));
	while (bytes.n != 0 && !s->link.shut && !s->link.ended) {
		if (!h2_input(s->h2, str_sub(bytes, 0, step)))
			break;
		bytes = str_sub(bytes, step, bytes.n);
		for (rounds = 0; s->link.due; rounds++) {
			ASSERT(rounds < 1000);
			s->link.due = false;
			h2_output(s->h2, &out);
		}
		ASSERT(buf_rc(&out) == RC_OK);
		buf_reset(&out);
	}
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct server s = { 0 };
	struct err e;

	if (n < 2 || n > 60000)
		return 0;
	ASSERT(loop_new(&s.loop, &e) == RC_OK);
	s.grpc = grpc_server_new(s.loop, methods, ARRAY_LEN(methods), &s);
	s.h2 = h2_new(&(struct h2_opts){
	    .server = true,
	    .loop = s.loop,
	    .link = &s.link,
	    .owner = &owner,
	    .ctx = &s,
	    .streams = 10,
	    .header_bytes = 4096,
	    .header_fields = 20,
	});
	feed(&s, str_from(preface, sizeof(preface) - 1), sizeof(preface));
	feed(&s, str_from(data + 1, n - 1), data[0] + 1U);
	h2_free(s.h2);
	ASSERT(s.opened == s.closed && s.http.begun == s.http.ended);
	grpc_server_free(s.grpc);
	loop_free(s.loop);
	return 0;
}
