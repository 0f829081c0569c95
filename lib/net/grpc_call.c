/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A client's call. */
#include <version.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/net/grpc_client_priv.h"
#include "lib/net/grpc_frame.h"
#include "lib/net/grpc_priv.h"
#include "lib/net/grpc_text.h"
#include "lib/net/h2.h"
#include "lib/net/loop.h"
#include "lib/net/url.h"

enum {
	TEXT_MAX = 4096,
	REQUEST_FIELDS = 12,
	BEARER_MAX = 4096
};

struct grpc_ccall {
	struct grpc_conn *conn;
	struct h2_stream *s; /* NULL: never opened */
	struct grpc_frames frames;
	struct loop_timer *deadline;
	void (*on_message)(void *ctx, struct grpc_ccall *c, struct str msg);
	void (*on_writable)(void *ctx, struct grpc_ccall *c);
	void (*on_end)(void *ctx, struct grpc_ccall *c, enum grpc_status st,
	    struct str msg, struct str code);
	void *ctx;
	bool half_closed; /* our side */
	bool ended;       /* on_end was called, or is not wanted */
};

static void
call_free(struct grpc_ccall *c)
{
	grpc_frames_fini(&c->frames);
	mem_free(c);
}

static void
end_call(struct grpc_ccall *c, enum grpc_status st, struct str msg,
    struct str code)
{
	if (c->ended)
		return;
	c->ended = true;
	loop_timer_free(c->deadline);
	c->deadline = NULL;
	if (!grpc_conn_silent(c->conn))
		c->on_end(c->ctx, c, st, msg, code);
}

/* Ends it on our side, whatever the peer does. */
static void
break_call(struct grpc_ccall *c, enum grpc_status st, const char *msg)
{
	h2_stream_reset(c->s, H2_CANCEL);
	end_call(c, st, str_of(msg), STR(""));
}

/* The stream's callbacks */

static void
grpc_call_on_head(struct h2_stream *s)
{
	const struct head *head = h2_stream_head(s);
	struct str status = head_get(head, ":status");
	uint64_t http = 0;
	char text[64];

	if (str_eqz(status, "200") &&
	    str_starts(head_get(head, "content-type"), STR("application/grpc")))
		return;
	if (!str_u64(status, 999, &http))
		http = 0;
	if (!str_fmt(text, sizeof(text),
	        "the server answered HTTP %u, not gRPC", (unsigned)http))
		text[0] = '\0';
	break_call(h2_stream_user(s), grpc_status_of_http((int)http), text);
}

static void
grpc_call_on_data(struct h2_stream *s, struct str bytes)
{
	struct grpc_ccall *c = h2_stream_user(s);
	struct str msg;
	enum rc rc = RC_BUSY;

	while (!c->ended && !grpc_conn_silent(c->conn)) {
		rc = grpc_frames_next(&c->frames, &bytes, &msg);
		if (rc != RC_OK)
			break;
		c->on_message(c->ctx, c, msg);
	}
	if (c->ended || rc == RC_OK || rc == RC_BUSY)
		return;
	break_call(c, rc == RC_LIMIT ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL,
	    rc == RC_LIMIT     ? "the server's message is larger than 4 MiB"
	    : rc == RC_VERSION ? "the server's message is compressed"
	                       : "the server's message is malformed");
}

/* The server has sent its last: the status is in the trailers. */
static void
grpc_call_on_half_close(struct h2_stream *s)
{
	struct grpc_ccall *c = h2_stream_user(s);
	const struct head *head = h2_stream_head(s);
	struct str code = head_get(head, "rm-error-code");
	struct buf msg;
	uint64_t st;

	if (!c->half_closed)
		h2_stream_reset(s, H2_NO_ERROR);
	buf_init(&msg, TEXT_MAX);
	grpc_percent_get(&msg, head_get(head, "grpc-message"));
	if (!str_u64(head_get(head, "grpc-status"), 16, &st))
		end_call(c, GRPC_UNKNOWN,
		    STR("the server ended the call without a status"), STR(""));
	else if (st == GRPC_OK && !grpc_frames_whole(&c->frames))
		end_call(c, GRPC_INTERNAL,
		    STR("the server ended inside a message"), STR(""));
	else
		end_call(c, (enum grpc_status)st, buf_str(&msg),
		    code.p == NULL ? STR("") : code);
	buf_fini(&msg);
}

static void
grpc_call_on_writable(struct h2_stream *s)
{
	struct grpc_ccall *c = h2_stream_user(s);

	if (!c->ended && !c->half_closed && c->on_writable != NULL &&
	    !grpc_conn_silent(c->conn))
		c->on_writable(c->ctx, c);
}

static enum grpc_status
status_of_reset(uint32_t error)
{
	switch (error) {
	case H2_CANCEL:
		return GRPC_CANCELLED;
	case H2_REFUSED_STREAM:
		return GRPC_UNAVAILABLE;
	case H2_ENHANCE_YOUR_CALM:
		return GRPC_RESOURCE_EXHAUSTED;
	default:
		return GRPC_INTERNAL;
	}
}

static void
grpc_call_on_close(struct h2_stream *s, uint32_t error)
{
	struct grpc_ccall *c = h2_stream_user(s);
	const struct err *why = grpc_conn_why(c->conn);

	if (grpc_conn_lost(c->conn))
		end_call(c, GRPC_UNAVAILABLE,
		    why->rc != RC_OK ? str_of(why->msg)
		                     : STR("the connection ended"),
		    STR(""));
	else
		end_call(c, status_of_reset(error),
		    STR("the server reset the call"), STR(""));
	call_free(c);
}

static const struct h2_stream_ops ops = {
	.on_head = grpc_call_on_head,
	.on_data = grpc_call_on_data,
	.on_half_close = grpc_call_on_half_close,
	.on_writable = grpc_call_on_writable,
	.on_close = grpc_call_on_close,
};

/* Opening */

static void
grpc_call_on_deadline(void *ctx)
{
	struct grpc_ccall *c = ctx;

	break_call(c, GRPC_DEADLINE_EXCEEDED, "the deadline passed");
}

static void
grpc_call_on_unopened(void *ctx)
{
	struct grpc_ccall *c = ctx;

	end_call(c, GRPC_UNAVAILABLE, STR("there is no connection"), STR(""));
	grpc_conn_let_go(c->conn);
	call_free(c);
}

static struct str
authority(const struct url *u, char *dst, size_t cap)
{
	bool ok;

	if (u->default_port)
		ok = str_fmt(dst, cap, u->is_v6 ? "[%s]" : "%s", u->host);
	else
		ok = str_fmt(dst, cap, u->is_v6 ? "[%s]:%u" : "%s:%u", u->host,
		    u->port);
	ASSERT(ok); /* a url's host fits */
	return str_of(dst);
}

static struct h2_stream *
request(struct grpc_ccall *c, const struct grpc_ccall_opts *o)
{
	const struct url *u = grpc_conn_url(c->conn);
	char host[URL_HOST_CAP + 16], timeout[GRPC_TIMEOUT_CAP];
	struct h2_field f[REQUEST_FIELDS];
	struct h2_stream *s;
	struct buf bearer;
	size_t n = 0;

	buf_init(&bearer, BEARER_MAX);
	f[n++] = (struct h2_field){ STR(":method"), STR("POST") };
	f[n++] = (struct h2_field){ STR(":scheme"),
		u->tls ? STR("https") : STR("http") };
	f[n++] = (struct h2_field){ STR(":path"), str_of(o->path) };
	f[n++] = (struct h2_field){ STR(":authority"),
		authority(u, host, sizeof(host)) };
	f[n++] = (struct h2_field){ STR("te"), STR("trailers") };
	f[n++] =
	    (struct h2_field){ STR("content-type"), STR("application/grpc") };
	f[n++] = (struct h2_field){ STR("user-agent"),
		STR("restic-manager/" RM_VERSION) };
	if (o->bearer != NULL) {
		buf_printf(&bearer, "Bearer %s", o->bearer);
		f[n++] =
		    (struct h2_field){ STR("authorization"), buf_str(&bearer) };
	}
	if (o->timeout_ms != 0) {
		grpc_timeout_text(o->timeout_ms, timeout);
		f[n++] =
		    (struct h2_field){ STR("grpc-timeout"), str_of(timeout) };
	}
	s = h2_request(grpc_conn_h2(c->conn), f, n, &ops, c);
	buf_wipe_fini(&bearer);
	return s;
}

struct grpc_ccall *
grpc_call_open(struct grpc_conn *conn, const struct grpc_ccall_opts *o)
{
	struct grpc_ccall *c = MEM_NEW(struct grpc_ccall);

	c->conn = conn;
	c->on_message = o->on_message;
	c->on_writable = o->on_writable;
	c->on_end = o->on_end;
	c->ctx = o->ctx;
	grpc_frames_init(&c->frames, GRPC_MESSAGE_MAX);
	if (grpc_conn_h2(conn) != NULL)
		c->s = request(c, o);
	if (c->s == NULL) {
		grpc_conn_hold(conn);
		loop_defer(grpc_conn_loop(conn), grpc_call_on_unopened, c);
	} else if (o->timeout_ms != 0) {
		c->deadline = loop_timer_new(grpc_conn_loop(conn),
		    grpc_call_on_deadline, c);
		loop_timer_start(c->deadline, o->timeout_ms, 0);
	}
	return c;
}

enum rc
grpc_call_send(struct grpc_ccall *c, struct str msg)
{
	struct sendq *q;
	char prefix[GRPC_PREFIX];

	if (msg.n > GRPC_MESSAGE_MAX)
		return RC_LIMIT;
	if (c->ended || c->half_closed || c->s == NULL)
		return RC_OK;
	q = h2_stream_queue(c->s);
	if (q->bytes > GRPC_QUEUE_MAX) {
		h2_stream_want(c->s, GRPC_QUEUE_LOW);
		return RC_BUSY;
	}
	grpc_frame_prefix(msg.n, prefix);
	sendq_copy(q, str_from(prefix, GRPC_PREFIX));
	sendq_copy(q, msg);
	h2_stream_send(c->s);
	grpc_conn_speaks(c->conn);
	return RC_OK;
}

void
grpc_call_half_close(struct grpc_ccall *c)
{
	if (c->ended || c->half_closed || c->s == NULL)
		return;
	c->half_closed = true;
	h2_stream_end(c->s, NULL, 0);
}

void
grpc_call_cancel(struct grpc_ccall *c)
{
	if (c->ended)
		return;
	c->ended = true;
	loop_timer_free(c->deadline);
	c->deadline = NULL;
	if (c->s != NULL)
		h2_stream_reset(c->s, H2_CANCEL);
}
