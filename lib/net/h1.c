/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/h1.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/h1_head.h"
#include "lib/net/h1_priv.h"
#include "lib/net/link.h"
#include "lib/net/loop_priv.h"

enum {
	OUT_MAX = 131072, /* header sections and replies of our own */
	PSEUDO_FIELDS = 3,
	OVERHEAD_MIN = 32768,
	OVERHEAD_PER_BYTE = 8
};

static int
h1_on_name(llhttp_t *p, const char *s, size_t n)
{
	struct h1 *h = p->data;

	if (h->state == H1_HEAD) /* not of trailers */
		buf_put(&h->name, s, n);
	return 0;
}

static int
h1_on_value(llhttp_t *p, const char *s, size_t n)
{
	struct h1 *h = p->data;

	if (h->state == H1_HEAD)
		buf_put(&h->value, s, n);
	return 0;
}

static int
h1_on_field_done(llhttp_t *p)
{
	struct h1 *h = p->data;

	if (h->state == H1_HEAD)
		head_add(&h->head, buf_str(&h->name),
		    str_trim(buf_str(&h->value)));
	buf_reset(&h->name);
	buf_reset(&h->value);
	return 0;
}

static int
h1_on_headers_done(llhttp_t *p)
{
	struct h1 *h = p->data;

	h->http10 = p->http_minor == 0;
	h->keep_alive = llhttp_should_keep_alive(p) != 0;
	/* We offer no other protocol: an upgrade is simply not made. */
	p->upgrade = 0;
	return p->method == HTTP_CONNECT ? -1 : 0;
}

static int
h1_on_body(llhttp_t *p, const char *s, size_t n)
{
	struct h1 *h = p->data;

	h->body_bytes += n;
	exch_body(h->x, str_from(s, n));
	return 0;
}

static int
h1_on_message_done(llhttp_t *p)
{
	struct h1 *h = p->data;

	h->message_done = true;
	return HPE_PAUSED; /* the next request waits */
}

static const llhttp_settings_t settings = {
	.on_header_field = h1_on_name,
	.on_header_value = h1_on_value,
	.on_header_value_complete = h1_on_field_done,
	.on_headers_complete = h1_on_headers_done,
	.on_body = h1_on_body,
	.on_message_complete = h1_on_message_done,
};

/* Life */

static void
next_request(struct h1 *h)
{
	llhttp_init(&h->parser, HTTP_REQUEST, &settings);
	h->parser.data = h;
	h->state = H1_HEAD;
	h->scanned = 0;
	h->body_bytes = h->raw_bytes = 0;
	h->message_done = false;
	h->responded = h->chunked = h->fin = false;
	h->want = SIZE_MAX;
	h->head_since_ms = h->in.len == 0 ? 0 : clock_mono_ms();
	head_fini(&h->head);
	head_init(&h->head, h->header_bytes * 2,
	    h->header_fields + PSEUDO_FIELDS);
	buf_fini(&h->name);
	buf_fini(&h->value);
	if (h->in.len == 0)
		buf_fini(&h->in);
}

static void h1_on_again(struct loop_task *t);

struct h1 *
h1_new(const struct h1_opts *o)
{
	struct h1 *h = MEM_NEW(struct h1);

	h->loop = o->loop;
	h->link = o->link;
	h->again.fn = h1_on_again;
	h->may_begin = o->may_begin;
	h->header_bytes = o->header_bytes;
	h->header_fields = o->header_fields;
	h->handler = o->handler;
	h->ctx = o->ctx;
	h->on_request = o->on_request;
	h->on_bad = o->on_bad;
	h->owner_ctx = o->owner_ctx;
	buf_init(&h->in, o->header_bytes + 3 * (size_t)LOOP_READ_SIZE);
	buf_init(&h->name, o->header_bytes);
	buf_init(&h->value, o->header_bytes);
	buf_init(&h->out, OUT_MAX);
	sendq_init(&h->q);
	next_request(h);
	h->head_since_ms = clock_mono_ms();
	return h;
}

static void
end_exchange(struct h1 *h)
{
	struct exch *x = h->x;

	h->x = NULL;
	if (x != NULL)
		exch_gone(x);
	sendq_fini(&h->q);
}

void
h1_free(struct h1 *h)
{
	if (h == NULL)
		return;
	h->state = H1_CLOSED;
	loop_task_cancel(&h->again);
	end_exchange(h);
	head_fini(&h->head);
	buf_fini(&h->in);
	buf_fini(&h->name);
	buf_fini(&h->value);
	buf_fini(&h->out);
	mem_free(h);
}

/* Requests */

static void
malformed(struct h1 *h, int status)
{
	h->on_bad(h->owner_ctx,
	    status == 431 ? OFFENCE_HEADERS : OFFENCE_HTTP1);
	h1_refuse(h, status);
}

/* 0, or the status that refuses the section. */
static int
check_head(struct h1 *h)
{
	struct str expect = head_get(&h->head, "expect");
	struct str coding = head_get(&h->head, "transfer-encoding");
	unsigned hosts = head_times(&h->head, "host");
	unsigned codings = head_times(&h->head, "transfer-encoding");

	if (head_rc(&h->head) != RC_OK)
		return 431;
	if (h->parser.http_major != 1)
		return 505;
	if (hosts > 1 || (hosts == 0 && !h->http10))
		return 400;
	if (codings > 1 || (codings == 1 && h->http10))
		return 400; /* somebody may see another end of the body */
	if (codings == 1 && !str_case_eq(coding, STR("chunked")))
		return 501;
	/* gRPC needs HTTP/2 all the way. */
	if (str_starts(head_get(&h->head, "content-type"),
	        STR("application/grpc")))
		return 415;
	if (expect.p != NULL && !str_case_eq(expect, STR("100-continue")))
		return 417;
	return 0;
}

static void
continue_body(struct h1 *h)
{
	if (h->http10 || h->responded || h->message_done || h->in.len != 0 ||
	    head_get(&h->head, "expect").p == NULL)
		return;
	buf_puts(&h->out, "HTTP/1.1 100 Continue\r\n\r\n");
	link_flush(h->link);
}

static void
begin_exchange(struct h1 *h)
{
	int status = check_head(h);

	if (status != 0) {
		malformed(h, status);
		return;
	}
	if (h->handler == NULL) {
		h1_refuse(h, 404);
		return;
	}
	if (!h->on_request(h->owner_ctx)) {
		h1_refuse(h, 503);
		return;
	}
	h->x = exch_new(&(struct exch_opts){
	    .handler = h->handler,
	    .handler_ctx = h->ctx,
	    .version = &h1_version,
	    .version_ctx = h,
	    .head = &h->head,
	    .queue = &h->q,
	    .link = h->link,
	});
	h->state = h->message_done ? H1_REPLY : H1_BODY;
	exch_begin(h->x, !h->message_done);
	if (h->state == H1_REPLY)
		exch_body_end(h->x);
	else if (h->state == H1_BODY)
		continue_body(h);
}

/* Pseudo-fields come first, as in HTTP/2.  llhttp checks the same line right
 * after; what it refuses never gets to a handler. */
static void
add_pseudo(struct h1 *h, struct str section)
{
	struct str line, method, target, rest, host;

	str_cut(section, '\r', &line, &rest);
	str_cut(line, ' ', &method, &rest);
	str_cut(rest, ' ', &target, &line);
	target = h1_target_path(target, &host);
	head_add(&h->head, STR(":method"), method);
	head_add(&h->head, STR(":path"), target);
	if (host.p != NULL)
		head_add(&h->head, STR(":authority"), host);
}

static void
parse_head(struct h1 *h, size_t n)
{
	struct str section = str_sub(buf_str(&h->in), 0, n);
	llhttp_errno_t r;

	h->head_since_ms = 0;
	if (!h1_head_ok(section)) {
		malformed(h, 400);
		return;
	}
	add_pseudo(h, section);
	r = llhttp_execute(&h->parser, section.p, section.n);
	if (r != HPE_OK && !(r == HPE_PAUSED && h->message_done)) {
		malformed(h,
		    r == HPE_INVALID_METHOD || r == HPE_CB_HEADERS_COMPLETE
		        ? 501
		        : 400);
		return;
	}
	buf_drop(&h->in, n);
	begin_exchange(h);
}

/* False when more input is needed. */
static bool
take_head(struct h1 *h)
{
	size_t n;

	while (h->in.len >= 2 && h->in.data[0] == '\r' && h->in.data[1] == '\n')
		buf_drop(&h->in, 2);
	if (h->in.len != 0 && h->head_since_ms == 0)
		h->head_since_ms = clock_mono_ms();
	n = h1_head_end(buf_str(&h->in), h->scanned);
	if (n > h->header_bytes || (n == 0 && h->in.len > h->header_bytes)) {
		malformed(h, 431);
		return true;
	}
	if (n == 0) {
		h->scanned = h->in.len;
		return false;
	}
	if (!h->may_begin(h->owner_ctx)) {
		h->waits = true;
		h->head_since_ms = 0; /* it is not the peer that is slow */
		loop_task_next_turn(h->loop, &h->again);
		return false;
	}
	parse_head(h, n);
	return true;
}

static bool
overhead_ok(const struct h1 *h)
{
	return h->raw_bytes - h->body_bytes <=
	       OVERHEAD_MIN + h->body_bytes * OVERHEAD_PER_BYTE;
}

static void
body_failed(struct h1 *h)
{
	h->on_bad(h->owner_ctx, OFFENCE_HTTP1);
	h->keep_alive = false;
	if (exch_replied(h->x)) {
		h->state = H1_CLOSED;
		link_end(h->link, NULL);
		return;
	}
	exch_refuse(h->x, 400, "the body is malformed");
}

static bool
take_body(struct h1 *h)
{
	const char *end;
	llhttp_errno_t r;
	size_t n = h->in.len;

	if (n == 0)
		return false;
	r = llhttp_execute(&h->parser, h->in.data, n);
	if (h->state != H1_BODY)
		return true;
	if (r == HPE_PAUSED && h->message_done) {
		end = llhttp_get_error_pos(&h->parser);
		n = (size_t)(end - h->in.data);
	} else if (r != HPE_OK) {
		h->state = H1_REPLY;
		buf_reset(&h->in);
		body_failed(h);
		return true;
	}
	h->raw_bytes += n;
	buf_drop(&h->in, n);
	if (!overhead_ok(h)) {
		h->state = H1_REPLY;
		body_failed(h);
	} else if (h->message_done) {
		h->state = H1_REPLY;
		exch_body_end(h->x);
	}
	return true;
}

static void
process(struct h1 *h)
{
	bool more = true;

	while (more && (h->state == H1_HEAD || h->state == H1_BODY))
		more = h->state == H1_HEAD ? take_head(h) : take_body(h);
	if (h->state == H1_CLOSED)
		buf_fini(&h->in);
	/* Requests sent ahead wait in the kernel. */
	if (h->state == H1_REPLY || h->waits)
		link_pause(h->link, h->in.len != 0);
	else
		link_pause(h->link, false);
}

static void
h1_on_again(struct loop_task *t)
{
	struct h1 *h = CONTAINER_OF(t, struct h1, again);

	h->waits = false;
	if (!link_ending(h->link))
		process(h);
}

void
h1_input(struct h1 *h, struct str bytes)
{
	struct err e;

	if (h->state == H1_CLOSED)
		return;
	buf_put_str(&h->in, bytes);
	if (buf_rc(&h->in) != RC_OK) {
		err_set(&e, RC_LIMIT, "too much input at once");
		link_end(h->link, &e);
		return;
	}
	if (!h->waits)
		process(h);
}

static void
reply_done(struct h1 *h)
{
	end_exchange(h);
	if (!h->keep_alive || h->draining || h->state != H1_REPLY) {
		h->state = H1_CLOSED;
		link_shut(h->link);
		return;
	}
	next_request(h);
	process(h);
}

void
h1_output(struct h1 *h, struct buf *out)
{
	if (h1_put_reply(h, out))
		reply_done(h);
}

/* A client that has sent its end may still wait for its answer; one that
 * watches a stream has left. */
void
h1_eof(struct h1 *h)
{
	h->draining = true;
	if (h->waits)
		return;
	if (h->state != H1_REPLY || (h->responded && !h->fin))
		link_end(h->link, NULL);
}

bool
h1_busy(const struct h1 *h)
{
	return h->x != NULL;
}

size_t
h1_unread(const struct h1 *h)
{
	return h->q.bytes;
}

int64_t
h1_head_since_ms(const struct h1 *h)
{
	return h->state == H1_HEAD ? h->head_since_ms : 0;
}

void
h1_timeout(struct h1 *h)
{
	if (h->in.len != 0)
		h1_refuse(h, 408);
	else
		link_end(h->link, NULL);
}

bool
h1_tick(struct h1 *h, int64_t now, unsigned bps)
{
	return h->x != NULL && h->state == H1_BODY && exch_tick(h->x, now, bps);
}

void
h1_drain(struct h1 *h)
{
	h->draining = true;
	if (h->x == NULL)
		link_shut(h->link);
}
