/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/exch.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/exch_priv.h"
#include "lib/net/link.h"

enum {
	ARENA_MAX = 1048576,
	BODY_MAX = 67108864, /* more than any route allows */
	QUEUE_MAX = 262144,
	QUEUE_LOW = 65536,
	REPLY_FIELDS = 48,
	SLOW_AFTER_MS = 10000,
	DATE_CAP = 40,
	NUMBER_CAP = 24
};

struct exch {
	const struct exch_handler *h;
	void *ctx;
	const struct exch_version *v;
	void *v_ctx;
	const struct head *head;
	struct sendq *q;
	struct link *link;
	void *user;
	struct arena arena;
	struct http_field *fields; /* in the arena, on first use */
	struct str path, query;
	struct str cookie; /* of several fields: joined */
	struct buf body;
	size_t limit;
	int64_t began_ms;
	bool is_head;
	bool body_done;
	bool replied; /* the handler (or we) answered */
	bool ended;   /* nothing more will be sent */
};

struct exch *
exch_new(const struct exch_opts *o)
{
	struct exch *x = MEM_NEW(struct exch);

	x->h = o->handler;
	x->ctx = o->handler_ctx;
	x->v = o->version;
	x->v_ctx = o->version_ctx;
	x->head = o->head;
	x->q = o->queue;
	x->link = o->link;
	x->began_ms = clock_mono_ms();
	arena_init(&x->arena, ARENA_MAX);
	buf_init(&x->body, BODY_MAX);
	return x;
}

void
exch_gone(struct exch *x)
{
	x->replied = true;
	x->ended = true;
	x->h->on_close(x->ctx, x);
	buf_fini(&x->body);
	arena_fini(&x->arena);
	mem_free(x);
}

/* What the handler asks */

struct str
exch_method(const struct exch *x)
{
	return head_get(x->head, ":method");
}

struct str
exch_path(const struct exch *x)
{
	return x->path;
}

struct str
exch_query(const struct exch *x)
{
	return x->query;
}

struct str
exch_authority(const struct exch *x)
{
	struct str s = head_get(x->head, ":authority");

	return s.p != NULL ? s : head_get(x->head, "host");
}

struct str
exch_field(const struct exch *x, const char *name)
{
	if (x->cookie.p != NULL && strcmp(name, "cookie") == 0)
		return x->cookie;
	return head_get(x->head, name);
}

size_t
exch_field_count(const struct exch *x)
{
	return x->head->count - x->head->pseudo;
}

const struct http_field *
exch_field_at(const struct exch *x, size_t i)
{
	ASSERT(i < exch_field_count(x));
	return &x->fields[i];
}

bool
exch_is_tls(const struct exch *x)
{
	return link_is_tls(x->link);
}

bool
exch_is_h2(const struct exch *x)
{
	return x->v->h2;
}

const char *
exch_peer(const struct exch *x)
{
	return link_peer(x->link);
}

struct arena *
exch_arena(struct exch *x)
{
	return &x->arena;
}

void
exch_set_user(struct exch *x, void *user)
{
	x->user = user;
}

void *
exch_user(const struct exch *x)
{
	return x->user;
}

bool
exch_replied(const struct exch *x)
{
	return x->replied;
}

/* Replies */

static struct str
date_text(char dst[DATE_CAP])
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct civil c;

	clock_civil(clock_now_ms(), 0, &c);
	ASSERT(str_fmt(dst, DATE_CAP, "%s, %02d %s %04d %02d:%02d:%02d GMT",
	    days[c.weekday], c.day, months[c.month - 1], c.year, c.hour,
	    c.minute, c.second));
	return str_of(dst);
}

/* A line break in a value would let outside text write its own fields. */
static bool
value_ok(struct str v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < ' ' && v.p[i] != '\t')
			return false;
	return true;
}

struct reply {
	struct http_field f[REPLY_FIELDS];
	size_t n;
};

static void
add(struct reply *r, struct str name, struct str value)
{
	if (!value_ok(value)) {
		log_error(LOG_HTTP, "reply field left out name=%s",
		    log_safe(name));
		return;
	}
	ASSERT(r->n < REPLY_FIELDS);
	r->f[r->n++] = (struct http_field){ name, value };
}

static bool
has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

static struct str
number_text(char dst[NUMBER_CAP], size_t n)
{
	ASSERT(str_fmt(dst, NUMBER_CAP, "%zu", n));
	return str_of(dst);
}

/* Takes nothing from the arena, which the handler may have used up. */
static void
respond(struct exch *x, int status, const struct http_field *fields, size_t n,
    const size_t *body_n)
{
	char code[NUMBER_CAP], date[DATE_CAP], length[NUMBER_CAP];
	enum exch_length len = EXCH_STREAM;
	struct reply r = { .n = 0 };
	size_t i;

	ASSERT(!x->replied);
	x->replied = true;
	add(&r, STR(":status"), number_text(code, (size_t)status));
	for (i = 0; i < n; i++)
		add(&r, fields[i].name, fields[i].value);
	add(&r, STR("date"), date_text(date));
	if (body_n != NULL && !has_no_body(status)) {
		add(&r, STR("content-length"), number_text(length, *body_n));
		len = EXCH_SIZED;
	}
	if (x->is_head || has_no_body(status) ||
	    (body_n != NULL && *body_n == 0)) {
		len = EXCH_NO_BODY;
		x->ended = true;
	}
	x->v->respond(x->v_ctx, r.f, r.n, len);
}

void
exch_reply(struct exch *x, int status, const struct http_field *fields,
    size_t n, struct str body)
{
	respond(x, status, fields, n, &body.n);
	if (x->ended)
		return;
	sendq_copy(x->q, body);
	x->ended = true;
	x->v->end(x->v_ctx);
}

void
exch_reply_lent(struct exch *x, int status, const struct http_field *fields,
    size_t n, struct str body, exch_release_fn *release, void *ctx)
{
	respond(x, status, fields, n, &body.n);
	if (x->ended) {
		release(ctx);
		return;
	}
	sendq_lend(x->q, body, release, ctx);
	x->ended = true;
	x->v->end(x->v_ctx);
}

void
exch_stream_begin(struct exch *x, int status, const struct http_field *fields,
    size_t n)
{
	respond(x, status, fields, n, NULL);
	if (!x->ended)
		x->v->want(x->v_ctx, QUEUE_LOW);
}

enum rc
exch_stream_write(struct exch *x, struct str piece)
{
	if (x->ended)
		return RC_OK;
	if (x->q->bytes > QUEUE_MAX) {
		x->v->want(x->v_ctx, QUEUE_LOW);
		return RC_BUSY;
	}
	sendq_copy(x->q, piece);
	x->v->send(x->v_ctx);
	return RC_OK;
}

void
exch_stream_end(struct exch *x)
{
	if (x->ended)
		return;
	x->ended = true;
	x->v->end(x->v_ctx);
}

void
exch_abort(struct exch *x)
{
	x->replied = true;
	x->ended = true;
	x->v->abort(x->v_ctx);
}

void
exch_refuse(struct exch *x, int status, const char *text)
{
	const struct http_field fields[] = {
		{ STR("content-type"), STR("application/json") },
		{ STR("cache-control"), STR("no-store") },
		{ STR("x-content-type-options"), STR("nosniff") },
		{ STR("content-security-policy"),
		    STR("default-src 'none'; frame-ancestors 'none'") },
	};
	const char *json;

	if (x->replied)
		return;
	json = arena_printf(&x->arena, "{\"code\":\"%s\",\"message\":\"%s\"}\n",
	    status == 413   ? "too_large"
	    : status == 408 ? "timeout"
	                    : "malformed",
	    text);
	exch_reply(x, status, fields, ARRAY_LEN(fields), str_of(json));
}

/* What arrives */

static bool
split_target(struct exch *x)
{
	struct str target = head_get(x->head, ":path"), rest;
	bool star = str_eqz(target, "*") && str_eqz(exch_method(x), "OPTIONS");
	size_t i;

	if (target.n == 0 || (target.p[0] != '/' && !star))
		return false;
	for (i = 0; i < target.n; i++)
		if ((unsigned char)target.p[i] <= ' ' || target.p[i] == 0x7f ||
		    target.p[i] == '#')
			return false;
	str_cut(target, '?', &x->path, &rest);
	x->query = rest;
	return true;
}

/* HTTP/2 sends each cookie as a field of its own (RFC 9113 8.2.3). */
static void
join_cookies(struct exch *x)
{
	struct str name, value;
	struct buf joined;
	unsigned i;

	if (head_times(x->head, "cookie") < 2)
		return;
	buf_init(&joined, ARENA_MAX / 2); /* far more than a head holds */
	for (i = 0; i < x->head->count; i++) {
		head_at(x->head, i, &name, &value);
		if (!str_eqz(name, "cookie"))
			continue;
		if (joined.len != 0)
			buf_puts(&joined, "; ");
		buf_put_str(&joined, value);
	}
	x->cookie =
	    str_from(arena_str(&x->arena, buf_str(&joined)), joined.len);
	buf_fini(&joined);
}

static void
list_fields(struct exch *x)
{
	size_t i, n = exch_field_count(x);
	struct str name, value;

	x->fields = arena_array(&x->arena, n == 0 ? 1 : n, sizeof(*x->fields));
	ASSERT(x->fields != NULL); /* a head is far smaller than an arena */
	for (i = 0; i < n; i++) {
		head_at(x->head, x->head->pseudo + (unsigned)i, &name, &value);
		x->fields[i] = (struct http_field){ name, value };
	}
}

static bool
too_long(const struct exch *x)
{
	struct str s = head_get(x->head, "content-length");
	uint64_t n;

	return s.p != NULL && (!str_u64(s, UINT64_MAX, &n) || n > x->limit);
}

void
exch_begin(struct exch *x, bool more)
{
	x->is_head = str_eqz(exch_method(x), "HEAD");
	list_fields(x);
	join_cookies(x);
	if (!split_target(x)) {
		exch_refuse(x, 400, "the request target is malformed");
		return;
	}
	x->limit = x->h->on_head(x->ctx, x);
	if (x->limit > BODY_MAX)
		x->limit = BODY_MAX;
	if (more && !x->replied && too_long(x))
		exch_refuse(x, 413, "the body is too large for this request");
}

void
exch_body(struct exch *x, struct str bytes)
{
	if (x->replied)
		return;
	if (bytes.n > x->limit - x->body.len) {
		exch_refuse(x, 413, "the body is too large for this request");
		return;
	}
	buf_put_str(&x->body, bytes);
}

void
exch_body_end(struct exch *x)
{
	x->body_done = true;
	if (!x->replied)
		x->h->on_request(x->ctx, x, buf_str(&x->body));
}

void
exch_writable(struct exch *x)
{
	if (!x->ended && x->h->on_writable != NULL)
		x->h->on_writable(x->ctx, x);
}

bool
exch_tick(struct exch *x, int64_t now, unsigned bps)
{
	int64_t spent = now - x->began_ms;

	if (x->body_done || x->replied || spent < SLOW_AFTER_MS ||
	    (int64_t)x->body.len * 1000 >= spent * (int64_t)bps)
		return false;
	exch_refuse(x, 408, "the body came too slowly");
	return true;
}
