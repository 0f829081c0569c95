/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/grpc.h"

#include "lib/base/list.h"
#include "lib/base/mem.h"
#include "lib/net/grpc_frame.h"
#include "lib/net/grpc_priv.h"
#include "lib/net/grpc_text.h"
#include "lib/net/h2.h"
#include "lib/net/link.h"
#include "lib/net/loop.h"

enum {
	MESSAGE_TEXT_MAX = 4096,
	STATUS_CAP = 12,
	STATUS_FIELDS = 4,
	HELD_MAX = 134217728, /* of a server's unfinished messages */
	HELD_SMALL = 65536    /* a call may always hold this much */
};

struct grpc_server {
	struct loop *loop;
	const struct grpc_method *methods;
	size_t count;
	void *ctx;
	unsigned open; /* calls */
	size_t held;   /* bytes of unfinished messages, of all calls */
};

struct grpc_call {
	struct grpc_server *srv;
	const struct grpc_method *m;
	struct h2_stream *s;
	struct loop_timer *deadline; /* NULL: none */
	struct grpc_frames frames;
	void *user;
	size_t held; /* what frames hold, as counted in srv */
	unsigned messages;
	bool head_sent;
	bool finished; /* no callback but on_close follows */
};

struct grpc_server *
grpc_server_new(struct loop *l, const struct grpc_method *methods, size_t n,
    void *ctx)
{
	struct grpc_server *srv = MEM_NEW(struct grpc_server);

	srv->loop = l;
	srv->methods = methods;
	srv->count = n;
	srv->ctx = ctx;
	return srv;
}

void
grpc_server_free(struct grpc_server *srv)
{
	if (srv == NULL)
		return;
	ASSERT(srv->open == 0);
	mem_free(srv);
}

struct str
grpc_metadata(const struct grpc_call *c, const char *name)
{
	return head_get(h2_stream_head(c->s), name);
}

void
grpc_forget_metadata(struct grpc_call *c)
{
	h2_stream_forget_head(c->s);
}

const char *
grpc_peer(const struct grpc_call *c)
{
	return link_peer(h2_stream_link(c->s));
}

bool
grpc_is_tls(const struct grpc_call *c)
{
	return link_is_tls(h2_stream_link(c->s));
}

void
grpc_set_user(struct grpc_call *c, void *user)
{
	c->user = user;
}

void *
grpc_user(const struct grpc_call *c)
{
	return c->user;
}

/* Sending */

/* The three fields of each reply's first header section. */
static size_t
put_head(struct h2_field *f)
{
	f[0] = (struct h2_field){ STR(":status"), STR("200") };
	f[1] =
	    (struct h2_field){ STR("content-type"), STR("application/grpc") };
	f[2] =
	    (struct h2_field){ STR("grpc-accept-encoding"), STR("identity") };
	return 3;
}

struct status_text {
	char status[STATUS_CAP];
	struct buf msg;
	const char *code;
};

static void
status_init(struct status_text *t, enum grpc_status st, const char *msg,
    const char *code)
{
	ASSERT(str_fmt(t->status, sizeof(t->status), "%d", (int)st));
	buf_init(&t->msg, MESSAGE_TEXT_MAX);
	grpc_percent_put(&t->msg, str_of(msg));
	t->code = code;
}

static size_t
put_status(struct h2_field *f, const struct status_text *t)
{
	size_t n = 0;

	f[n++] = (struct h2_field){ STR("grpc-status"), str_of(t->status) };
	if (t->msg.len != 0)
		f[n++] =
		    (struct h2_field){ STR("grpc-message"), buf_str(&t->msg) };
	if (t->code != NULL)
		f[n++] =
		    (struct h2_field){ STR("rm-error-code"), str_of(t->code) };
	return n;
}

/* A call that sent nothing yet is answered by one header section. */
static void
send_status(struct h2_stream *s, const struct status_text *t, bool head_sent)
{
	struct h2_field f[3 + STATUS_FIELDS];
	size_t n;

	if (head_sent) {
		n = put_status(f, t);
		h2_stream_end(s, f, n);
	} else {
		n = put_head(f);
		n += put_status(f + n, t);
		h2_respond(s, f, n, true);
	}
}

void
grpc_finish(struct grpc_call *c, enum grpc_status st, const char *msg,
    const char *code)
{
	struct status_text t;

	if (c->finished)
		return;
	c->finished = true;
	status_init(&t, st, msg, code);
	send_status(c->s, &t, c->head_sent);
	buf_fini(&t.msg);
}

void
grpc_finish_err(struct grpc_call *c, const struct err *e)
{
	const struct rc_info *info = rc_info(e->rc);

	grpc_finish(c, (enum grpc_status)info->grpc_status,
	    e->msg[0] != '\0' ? e->msg : info->text,
	    e->code != NULL ? e->code : info->json_code);
}

/* Ends it although the peer may not read: what was queued is dropped. */
static void
break_off(struct grpc_call *c, enum grpc_status st, const char *msg)
{
	if (c->finished)
		return;
	sendq_fini(h2_stream_queue(c->s));
	grpc_finish(c, st, msg, NULL);
}

void
grpc_pause(struct grpc_call *c, bool on)
{
	link_pause(h2_stream_link(c->s), on);
}

enum rc
grpc_send(struct grpc_call *c, struct str msg)
{
	struct sendq *q = h2_stream_queue(c->s);
	struct h2_field f[3];
	char prefix[GRPC_PREFIX];

	if (c->finished)
		return RC_OK;
	if (msg.n > GRPC_MESSAGE_MAX)
		return RC_LIMIT;
	if (q->bytes > GRPC_QUEUE_MAX) {
		h2_stream_want(c->s, GRPC_QUEUE_LOW);
		return RC_BUSY;
	}
	grpc_frame_prefix(msg.n, prefix);
	sendq_copy(q, str_from(prefix, GRPC_PREFIX));
	sendq_copy(q, msg);
	if (!c->head_sent) {
		c->head_sent = true;
		h2_respond(c->s, f, put_head(f), false);
	}
	h2_stream_send(c->s);
	return RC_OK;
}

/* Receiving */

static struct grpc_call *
call_of(const struct h2_stream *s)
{
	return h2_stream_user(s);
}

static void
take_message(struct grpc_call *c, struct str msg)
{
	if (++c->messages > 1 && !c->m->client_stream)
		grpc_finish(c, GRPC_INVALID_ARGUMENT,
		    "this method takes one message", NULL);
	else
		c->m->on_message(c->srv->ctx, c, msg);
}

static void
refuse_message(struct grpc_call *c, enum rc rc)
{
	if (rc == RC_LIMIT)
		grpc_finish(c, GRPC_RESOURCE_EXHAUSTED,
		    "the message is larger than 4 MiB", NULL);
	else if (rc == RC_VERSION)
		grpc_finish(c, GRPC_UNIMPLEMENTED,
		    "compressed messages are not taken; send identity", NULL);
	else
		grpc_finish(c, GRPC_INTERNAL, "the message prefix is malformed",
		    NULL);
}

static void
set_held(struct grpc_call *c, size_t n)
{
	c->srv->held = c->srv->held - c->held + n;
	c->held = n;
}

/* Many calls that never finish their message must not eat the memory. */
static void
bound_unfinished(struct grpc_call *c)
{
	set_held(c, c->frames.part.len);
	if (c->srv->held > HELD_MAX && c->held > HELD_SMALL)
		grpc_finish(c, GRPC_RESOURCE_EXHAUSTED,
		    "too many unfinished messages, try again", NULL);
	if (c->finished) {
		grpc_frames_fini(&c->frames);
		set_held(c, 0);
	}
}

static void
grpc_on_data(struct h2_stream *s, struct str bytes)
{
	struct grpc_call *c = call_of(s);
	struct str msg;
	enum rc rc = RC_OK;

	while (!c->finished) {
		rc = grpc_frames_next(&c->frames, &bytes, &msg);
		if (rc != RC_OK)
			break;
		take_message(c, msg);
	}
	if (!c->finished && rc != RC_BUSY)
		refuse_message(c, rc);
	bound_unfinished(c);
}

static void
grpc_on_half_close(struct h2_stream *s)
{
	struct grpc_call *c = call_of(s);

	if (c->finished)
		return;
	if (!grpc_frames_whole(&c->frames))
		grpc_finish(c, GRPC_INTERNAL,
		    "the stream ended inside a message", NULL);
	else if (c->messages == 0 && !c->m->client_stream)
		grpc_finish(c, GRPC_INVALID_ARGUMENT,
		    "this method needs a message", NULL);
	else
		c->m->on_half_close(c->srv->ctx, c);
}

static void
grpc_on_writable(struct h2_stream *s)
{
	struct grpc_call *c = call_of(s);

	if (!c->finished && c->m->on_writable != NULL)
		c->m->on_writable(c->srv->ctx, c);
}

static void
grpc_on_close(struct h2_stream *s, uint32_t error)
{
	struct grpc_call *c = call_of(s);

	(void)error;
	c->finished = true;
	c->m->on_close(c->srv->ctx, c);
	c->srv->open--;
	set_held(c, 0);
	loop_timer_free(c->deadline);
	grpc_frames_fini(&c->frames);
	mem_free(c);
}

static const struct h2_stream_ops grpc_ops = {
	.on_data = grpc_on_data,
	.on_half_close = grpc_on_half_close,
	.on_writable = grpc_on_writable,
	.on_close = grpc_on_close,
};

static void
grpc_on_deadline(void *ctx)
{
	break_off(ctx, GRPC_DEADLINE_EXCEEDED, "the deadline passed");
}

bool
grpc_end_for_shutdown(struct h2_stream *s)
{
	if (h2_stream_ops(s) != &grpc_ops)
		return false;
	break_off(call_of(s), GRPC_UNAVAILABLE, "the server is shutting down");
	return true;
}

static const struct grpc_method *
find_method(const struct grpc_server *srv, struct str path)
{
	size_t i;

	for (i = 0; i < srv->count; i++)
		if (str_eqz(path, srv->methods[i].path))
			return &srv->methods[i];
	return NULL;
}

static void
refuse_call(struct h2_stream *s, enum grpc_status st, const char *msg)
{
	struct status_text t;

	status_init(&t, st, msg, NULL);
	send_status(s, &t, false);
	buf_fini(&t.msg);
}

static bool
is_grpc_type(struct str type)
{
	static const size_t n = sizeof("application/grpc") - 1;

	return type.n == n ||
	       (type.n > n && (type.p[n] == '+' || type.p[n] == ';'));
}

void
grpc_accept(struct grpc_server *srv, struct h2_stream *s)
{
	const struct head *head = h2_stream_head(s);
	const struct h2_field unsupported = { STR(":status"), STR("415") };
	struct str timeout = head_get(head, "grpc-timeout");
	const struct grpc_method *m;
	struct grpc_call *c;
	uint64_t ms = 0;

	if (!is_grpc_type(head_get(head, "content-type"))) {
		h2_respond(s, &unsupported, 1, true);
		return;
	}
	m = find_method(srv, head_get(head, ":path"));
	if (m == NULL || !str_eqz(head_get(head, ":method"), "POST")) {
		refuse_call(s, GRPC_UNIMPLEMENTED, "unknown method");
		return;
	}
	if (timeout.p != NULL && !grpc_timeout_parse(timeout, &ms)) {
		refuse_call(s, GRPC_INTERNAL, "grpc-timeout is malformed");
		return;
	}
	c = MEM_NEW(struct grpc_call);
	c->srv = srv;
	c->m = m;
	c->s = s;
	grpc_frames_init(&c->frames, GRPC_MESSAGE_MAX);
	srv->open++;
	h2_stream_own(s, &grpc_ops, c);
	if (timeout.p != NULL) {
		c->deadline = loop_timer_new(srv->loop, grpc_on_deadline, c);
		loop_timer_start(c->deadline, ms, 0);
	}
	m->on_open(srv->ctx, c);
}
