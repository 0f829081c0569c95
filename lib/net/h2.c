/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/h2.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/h2_priv.h"
#include "lib/net/link.h"
#include "lib/net/loop_priv.h"

enum {
	FRAME_HEAD = 9,
	STREAM_WINDOW_SERVER = 65535,
	STREAM_WINDOW_CLIENT = 262144,
	CONNECTION_WINDOW = 1048576,
	RESET_BURST = 1000,
	RESET_RATE = 33, /* a second */
	CONTINUATIONS = 8,
	/* of all open streams: browsers and agents need a kilobyte each */
	HEADS_MAX = 524288,
	BOMB = 8, /* times the limit of a section: no 431, the end */
	/*
	 * PING, SETTINGS, WINDOW_UPDATE, empty and unknown frames: a burst,
	 * and then so much a second.  A request allows for a PING and two
	 * WINDOW_UPDATEs of a client that measures its line, and so does each
	 * DATA frame of ours; a DATA frame of the peer for as much again as
	 * it holds.
	 */
	WASTE_BURST = 131072,
	WASTE_PER_S = 8192,
	WASTE_PER_FRAME = 64,
	UNWANTED_MS = 2000 /* how long an unwanted body may go on */
};

/* What the PING behind a notice carries. */
static const uint8_t noticed[8] = { 'n', 'o', 't', 'i', 'c', 'e', 'd', 0 };

static struct h2_stream *
stream_of(struct h2 *h, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h->ng, id);
}

/* nghttp2's callbacks */

/* A client may pass identifiers over, but not come back to them.  nghttp2
 * ignores a request that does, as it cannot tell it from trailers on a stream
 * that was reset. */
static int
h2_on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
	struct h2 *h = user;
	int32_t id = hd->stream_id;

	if (!h->server || hd->type != NGHTTP2_HEADERS || id % 2 == 0)
		return 0;
	if (id > h->last_id) {
		if (id > h->last_id + 2) {
			h->gap_from = h->last_id;
			h->gap_to = id;
		}
		h->last_id = id;
	} else if (id > h->gap_from && id < h->gap_to) {
		nghttp2_session_terminate_session(ng, H2_PROTOCOL_ERROR);
	}
	return 0;
}

static int
h2_on_begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s;

	h->head_since_ms = clock_mono_ms();
	h->head_id = f->hd.stream_id;
	h->section = 0;
	if (f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	h->useful += FRAME_HEAD + f->hd.length + WASTE_PER_FRAME;
	s = h2_stream_new(h, f->hd.stream_id);
	nghttp2_session_set_stream_user_data(ng, f->hd.stream_id, s);
	return 0;
}

/* Sections are kept as long as their stream: many long ones together are
 * refused like one that is too long. */
static void
keep_field(struct h2 *h, struct h2_stream *s, struct str name, struct str value)
{
	size_t before = s->head.text.len;

	if (h->server && h->heads + name.n + value.n > HEADS_MAX)
		s->head.rc = RC_LIMIT;
	head_add(&s->head, name, value);
	h->heads += s->head.text.len - before;
}

/* A client keeps the trailers behind the head: status and message of gRPC
 * may come in either.  A server has no use for trailers. */
static int
/* NOLINTNEXTLINE(readability-function-size): nghttp2's signature */
h2_on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name,
    size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags,
    void *user)
{
	struct h2 *h = user;
	struct h2_stream *s = stream_of(h, f->hd.stream_id);

	(void)ng;
	(void)flags;
	/* A few bytes can refer to megabytes: decoding on costs more than
	 * they do. */
	h->section += name_n + value_n;
	if (h->server && h->section > BOMB * h->header_bytes) {
		h->bombed = true;
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	if (s == NULL || (h->server && f->headers.cat != NGHTTP2_HCAT_REQUEST))
		return 0;
	keep_field(h, s, str_from(name, name_n), str_from(value, value_n));
	return 0;
}

static void
bad(struct h2 *h, enum offence kind)
{
	if (h->owner->on_bad != NULL)
		h->owner->on_bad(h->ctx, kind);
}

static void
refuse_large(struct h2_stream *s)
{
	const struct h2_field f = { STR(":status"), STR("431") };

	bad(s->h, OFFENCE_HEADERS);
	h2_respond(s, &f, 1, true);
}

/* RFC 9113 8.3.1: two names of the server in one request are for confusing
 * somebody behind us. */
static bool
host_differs(const struct head *h)
{
	struct str host = head_get(h, "host");
	struct str authority = head_get(h, ":authority");

	return host.p != NULL && authority.p != NULL &&
	       !str_case_eq(host, authority);
}

static void
request_complete(struct h2 *h, struct h2_stream *s)
{
	if (head_rc(&s->head) != RC_OK)
		refuse_large(s);
	else if (host_differs(&s->head))
		h2_stream_reset(s, H2_PROTOCOL_ERROR);
	else
		h->owner->on_stream(h->ctx, s);
}

/* The response, what comes before it (1xx) or behind it (trailers). */
static void
response_complete(struct h2 *h, struct h2_stream *s)
{
	if (head_rc(&s->head) != RC_OK) {
		h2_stream_reset(s, H2_ENHANCE_YOUR_CALM);
	} else if (!s->answered &&
	           str_starts(head_get(&s->head, ":status"), STR("1"))) {
		h->heads -= s->head.text.len;
		head_fini(&s->head);
		head_init(&s->head, h->header_bytes, h->header_fields);
	} else if (!s->answered) {
		s->answered = true;
		if (s->ops != NULL && !s->muted)
			s->ops->on_head(s);
	}
}

static void
peer_ended(struct h2_stream *s)
{
	s->half_closed = true;
	if (s->ops != NULL && !s->muted)
		s->ops->on_half_close(s);
}

static void
pong(struct h2 *h, const uint8_t *carried)
{
	void (*tell)(void *ctx) = h->owner->on_pong;

	if (memcmp(carried, noticed, sizeof(noticed)) == 0)
		tell = h->owner->on_noticed;
	if (tell != NULL)
		tell(h->ctx);
}

static int
h2_on_frame(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s = NULL;

	(void)ng;
	switch (f->hd.type) {
	case NGHTTP2_SETTINGS:
		if ((f->hd.flags & NGHTTP2_FLAG_ACK) == 0 && !h->settled) {
			h->settled = true;
			h->owner->on_settings(h->ctx);
		}
		return 0;
	case NGHTTP2_PING:
		if ((f->hd.flags & NGHTTP2_FLAG_ACK) != 0)
			pong(h, f->ping.opaque_data);
		return 0;
	case NGHTTP2_HEADERS:
		h->head_since_ms = 0;
		s = stream_of(h, f->hd.stream_id);
		if (s != NULL && !h->server)
			response_complete(h, s);
		else if (s != NULL && f->headers.cat == NGHTTP2_HCAT_REQUEST)
			request_complete(h, s);
		break;
	case NGHTTP2_DATA:
		s = stream_of(h, f->hd.stream_id);
		break;
	case NGHTTP2_RST_STREAM:
		h->resets++;
		return 0;
	default:
		return 0;
	}
	if (s != NULL && (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		peer_ended(s);
	return 0;
}

static int
h2_on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p,
    size_t n, void *user)
{
	struct h2_stream *s = stream_of(user, id);
	struct h2 *h = user;

	(void)ng;
	(void)flags;
	h->useful += 2 * n;
	if (s != NULL && s->ops != NULL && !s->muted)
		s->ops->on_data(s, str_from(p, n));
	return 0;
}

static int
h2_on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error, void *user)
{
	struct h2_stream *s = stream_of(user, id);
	struct h2 *h = user;

	(void)ng;
	/* A malformed section is not told as a frame when it is complete. */
	if (h->head_id == id)
		h->head_since_ms = 0;
	if (s != NULL)
		h2_stream_gone(s, error);
	return 0;
}

static bool
is_notice(const nghttp2_goaway *g)
{
	return g->last_stream_id == INT32_MAX && g->error_code == H2_NO_ERROR;
}

static int
h2_on_sent(nghttp2_session *ng, const nghttp2_frame *f, void *user)
{
	struct h2 *h = user;
	struct h2_stream *s;

	/* RFC 9113 6.9.2 wants the connection to end when new SETTINGS make
	 * a window too large; nghttp2 ends the streams. */
	if (f->hd.type == NGHTTP2_RST_STREAM &&
	    f->rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR)
		nghttp2_session_terminate_session(ng,
		    NGHTTP2_FLOW_CONTROL_ERROR);
	/* Not with the notice: nghttp2 would send the PING before it. */
	if (f->hd.type == NGHTTP2_GOAWAY && is_notice(&f->goaway))
		nghttp2_submit_ping(ng, NGHTTP2_FLAG_NONE, noticed);
	if (f->hd.type == NGHTTP2_DATA)
		h->useful += WASTE_PER_FRAME;
	if (f->hd.type == NGHTTP2_GOAWAY &&
	    f->goaway.error_code != NGHTTP2_NO_ERROR)
		bad(h, h2_offence(h));
	if (!h->server || (f->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 ||
	    (f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS))
		return 0;
	s = stream_of(h, f->hd.stream_id);
	if (s != NULL && !s->half_closed)
		s->answered_ms = clock_mono_ms();
	return 0;
}

static bool
is_stuck(const struct h2_stream *s, int64_t now)
{
	/* An answer given before the request's end: the rest is not wanted.
	 * Not at once: curl 7.88 drops an answer that RST_STREAM follows. */
	if (s->answered_ms != 0)
		return !s->half_closed && now - s->answered_ms >= UNWANTED_MS;
	return s->q.bytes != 0 && now - s->moved_ms >= (int64_t)s->h->stall_ms;
}

bool
h2_tick(struct h2 *h, int64_t now)
{
	struct list *it, *tmp;
	struct h2_stream *s;
	bool unread = false;

	LIST_FOREACH(it, tmp, &h->streams)
	{
		s = LIST_ENTRY(it, struct h2_stream, link);
		if (!is_stuck(s, now) || s->muted)
			continue;
		unread |= s->answered_ms == 0;
		h2_stream_reset(s,
		    s->answered_ms != 0 ? H2_NO_ERROR : H2_CANCEL);
	}
	return unread;
}

/* A request that never left, because the peer said GOAWAY before: nghttp2
 * has no stream to close for it. */
static int
h2_on_not_sent(nghttp2_session *ng, const nghttp2_frame *f, int code,
    void *user)
{
	struct h2 *h = user;
	struct list *it, *tmp;
	struct h2_stream *s;

	(void)code;
	if (h->server || f->hd.type != NGHTTP2_HEADERS)
		return 0;
	nghttp2_session_set_stream_user_data(ng, f->hd.stream_id, NULL);
	LIST_FOREACH(it, tmp, &h->streams)
	{
		s = LIST_ENTRY(it, struct h2_stream, link);
		if (s->id != f->hd.stream_id)
			continue;
		h2_stream_gone(s, H2_REFUSED_STREAM);
		break;
	}
	return 0;
}

static int
h2_on_invalid(nghttp2_session *ng, const nghttp2_frame *f, int code, void *user)
{
	(void)ng;
	(void)f;
	/* A connection error is told when its GOAWAY goes out. */
	if (code == NGHTTP2_ERR_HTTP_HEADER ||
	    code == NGHTTP2_ERR_HTTP_MESSAGING)
		bad(user, OFFENCE_HTTP2);
	return 0;
}

/* Session */

static nghttp2_option *
make_options(void)
{
	nghttp2_option *o;

	ASSERT(nghttp2_option_new(&o) == 0);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_stream_reset_rate_limit(o, RESET_BURST, RESET_RATE);
	nghttp2_option_set_max_continuations(o, CONTINUATIONS);
	/* What we send repeats little, and the table is 1.4 KiB of each idle
	 * agent (bench: agent-memory). */
	nghttp2_option_set_max_deflate_dynamic_table_size(o, 0);
	return o;
}

static nghttp2_session_callbacks *
make_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	ASSERT(nghttp2_session_callbacks_new(&cb) == 0);
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb,
	    h2_on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb,
	    h2_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, h2_on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, h2_on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb,
	    h2_on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb,
	    h2_on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, h2_on_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb,
	    h2_on_not_sent);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb,
	    h2_on_invalid);
	return cb;
}

static void
submit_settings(struct h2 *h, const struct h2_opts *o)
{
	nghttp2_settings_entry server[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o->streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_SERVER },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
		    (uint32_t)o->header_bytes },
	};
	nghttp2_settings_entry client[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_CLIENT },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
		    (uint32_t)o->header_bytes },
	};

	ASSERT(nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE,
	           o->server ? server : client, 3) == 0);
	nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0,
	    CONNECTION_WINDOW);
}

struct h2 *
h2_new(const struct h2_opts *o)
{
	struct h2 *h = MEM_NEW(struct h2);
	nghttp2_session_callbacks *cb = make_callbacks();
	nghttp2_option *opt = make_options();
	nghttp2_mem mem;

	h->link = o->link;
	h->owner = o->owner;
	h->ctx = o->ctx;
	h->server = o->server;
	h->stall_ms = o->stall_ms;
	h->header_bytes = o->header_bytes;
	h->header_fields = o->header_fields;
	h->waste_ms = clock_mono_ms();
	list_init(&h->streams);
	/* A client's preface is written into the buffer when the session is
	 * made, and sent some turns later: it needs one of its own. */
	h2_mem_init(&h->mem, o->server ? loop_frame_buffer(o->loop) : NULL,
	    LOOP_FRAME_SIZE, &mem);
	ASSERT(
	    (o->server ? nghttp2_session_server_new3(&h->ng, cb, h, opt, &mem)
	               : nghttp2_session_client_new3(&h->ng, cb, h, opt,
	                     &mem)) == 0);
	h->mem.armed = false;
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(opt);
	submit_settings(h, o);
	link_flush(h->link);
	return h;
}

void
h2_free(struct h2 *h)
{
	struct list *el;

	if (h == NULL)
		return;
	/* nghttp2 does not tell of streams that end with their session. */
	h->terminated = true;
	while ((el = list_first(&h->streams)) != NULL)
		h2_stream_gone(LIST_ENTRY(el, struct h2_stream, link),
		    H2_CANCEL);
	nghttp2_session_del(h->ng);
	mem_free(h);
}

enum offence
h2_offence(const struct h2 *h)
{
	if (h->bombed)
		return OFFENCE_HEADERS;
	if (h->resets > RESET_BURST / 2)
		return OFFENCE_RESETS;
	return h->flooded ? OFFENCE_FRAMES : OFFENCE_HTTP2;
}

/* What carried nothing is held against the peer until time or work make up
 * for it. */
static bool
wastes_too_much(struct h2 *h, size_t n)
{
	int64_t now = clock_mono_ms();
	size_t allowed = (size_t)(now - h->waste_ms) * WASTE_PER_S / 1000;

	if (allowed != 0)
		h->waste_ms = now;
	allowed += h->useful;
	h->useful = 0;
	n += h->waste;
	h->waste = n > allowed ? n - allowed : 0;
	return h->waste > WASTE_BURST;
}

bool
h2_input(struct h2 *h, struct str bytes)
{
	ssize_t n;

	n = nghttp2_session_mem_recv(h->ng, (const uint8_t *)bytes.p, bytes.n);
	if (n == NGHTTP2_ERR_FLOODED)
		h->flooded = true;
	if (n >= 0 && h->server && !h->terminated &&
	    wastes_too_much(h, bytes.n)) {
		h->flooded = h->terminated = true;
		nghttp2_session_terminate_session(h->ng,
		    NGHTTP2_ENHANCE_YOUR_CALM);
	}
	/* A heartbeat is answered by nothing (bench: heartbeat-cpu). */
	if (nghttp2_session_want_write(h->ng) != 0 ||
	    nghttp2_session_want_read(h->ng) == 0)
		link_flush(h->link);
	return n >= 0 && (size_t)n == bytes.n;
}

/* Drains nghttp2 to the end each time; what must wait is held back by the
 * budget in the data callback. */
void
h2_output(struct h2 *h, struct buf *out)
{
	const uint8_t *p;
	ssize_t n;

	h->budget = LINK_FLUSH_BYTES;
	while ((n = nghttp2_session_mem_send(h->ng, &p)) > 0)
		buf_put(out, p, (size_t)n);
	h2_stream_wake(h);
	if (n < 0 || (nghttp2_session_want_read(h->ng) == 0 &&
	                 nghttp2_session_want_write(h->ng) == 0))
		link_shut(h->link);
}

size_t
h2_unread(const struct h2 *h)
{
	struct list *it, *tmp;
	size_t n = 0;

	LIST_FOREACH(it, tmp, &h->streams)
	n += LIST_ENTRY(it, struct h2_stream, link)->q.bytes;
	return n;
}

unsigned
h2_streams(const struct h2 *h)
{
	return h->count;
}

void
h2_ping(struct h2 *h)
{
	nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL);
	link_flush(h->link);
}

void
h2_notice(struct h2 *h)
{
	nghttp2_submit_shutdown_notice(h->ng);
	link_flush(h->link);
}

void
h2_goaway(struct h2 *h)
{
	nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h->ng), H2_NO_ERROR, NULL,
	    0);
	link_flush(h->link);
}

void
h2_terminate(struct h2 *h)
{
	h->terminated = true;
	nghttp2_session_terminate_session(h->ng, H2_NO_ERROR);
	link_flush(h->link);
}

void
h2_each(struct h2 *h, void (*fn)(struct h2_stream *s, void *ctx), void *ctx)
{
	struct list *it, *tmp;
	struct h2_stream *s;

	LIST_FOREACH(it, tmp, &h->streams)
	{
		s = LIST_ENTRY(it, struct h2_stream, link);
		if (s->ops != NULL)
			fn(s, ctx);
	}
}

int64_t
h2_head_since_ms(const struct h2 *h)
{
	return h->head_since_ms;
}
