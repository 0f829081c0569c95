/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdint.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/h2_priv.h"
#include "lib/net/link.h"

enum {
	FIELDS_MAX = 64,
	TRAILER_BYTES = 32768
};

struct h2_stream *
h2_stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = MEM_NEW(struct h2_stream);

	s->h = h;
	s->id = id;
	s->want = SIZE_MAX;
	head_init(&s->head, h->header_bytes, h->header_fields);
	head_init(&s->trailers, TRAILER_BYTES, FIELDS_MAX);
	sendq_init(&s->q);
	s->moved_ms = clock_mono_ms();
	list_append(&h->streams, &s->link);
	h->count++;
	return s;
}

void
h2_stream_gone(struct h2_stream *s, uint32_t error)
{
	list_del(&s->link);
	s->h->count--;
	s->h->heads -= s->head.text.len;
	if (s->ops != NULL)
		s->ops->on_close(s, error);
	head_fini(&s->head);
	head_fini(&s->trailers);
	sendq_fini(&s->q);
	mem_free(s);
}

void
h2_stream_own(struct h2_stream *s, const struct h2_stream_ops *ops, void *user)
{
	s->ops = ops;
	s->user = user;
}

void *
h2_stream_user(const struct h2_stream *s)
{
	return s->user;
}

const struct h2_stream_ops *
h2_stream_ops(const struct h2_stream *s)
{
	return s->ops;
}

const struct head *
h2_stream_head(const struct h2_stream *s)
{
	return &s->head;
}

void
h2_stream_forget_head(struct h2_stream *s)
{
	s->h->heads -= s->head.text.len;
	head_fini(&s->head);
}

struct link *
h2_stream_link(const struct h2_stream *s)
{
	return s->h->link;
}

bool
h2_stream_half_closed(const struct h2_stream *s)
{
	return s->half_closed;
}

/* What must not stay in the other side's HPACK table. */
static bool
is_secret(struct str name)
{
	return str_eqz(name, "authorization") || str_eqz(name, "cookie") ||
	       str_eqz(name, "set-cookie");
}

/* nghttp2 copies names and values and does not write through them. */
static nghttp2_nv
to_nv(struct str name, struct str value)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name.p,
		.namelen = name.n,
		.value = (uint8_t *)(uintptr_t)value.p,
		.valuelen = value.n,
		.flags = is_secret(name) ? NGHTTP2_NV_FLAG_NO_INDEX
		                         : NGHTTP2_NV_FLAG_NONE,
	};
}

static size_t
to_nvs(const struct h2_field *f, size_t n, nghttp2_nv nv[FIELDS_MAX])
{
	size_t i;

	ASSERT(n <= FIELDS_MAX);
	for (i = 0; i < n; i++)
		nv[i] = to_nv(f[i].name, f[i].value);
	return n;
}

static int
submit_trailers(struct h2_stream *s)
{
	nghttp2_nv nv[FIELDS_MAX];
	struct str name, value;
	unsigned i;

	for (i = 0; i < s->trailers.count; i++) {
		head_at(&s->trailers, i, &name, &value);
		nv[i] = to_nv(name, value);
	}
	return nghttp2_submit_trailer(s->h->ng, s->id, nv, i);
}

ssize_t
h2_stream_on_read(nghttp2_session *ng, int32_t id, uint8_t *dst, size_t cap,
    uint32_t *flags, nghttp2_data_source *src, void *user)
{
	struct h2_stream *s = src->ptr;
	struct h2 *h = user;
	size_t n;

	(void)ng;
	(void)id;
	if (cap > h->budget)
		cap = h->budget;
	n = sendq_move(&s->q, dst, cap);
	h->budget -= n;
	if (n != 0)
		s->moved_ms = clock_mono_ms();
	if (s->q.bytes == 0 && s->fin) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (s->trailers.count != 0) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			if (submit_trailers(s) != 0)
				return NGHTTP2_ERR_CALLBACK_FAILURE;
		}
		return (ssize_t)n;
	}
	if (n != 0)
		return (ssize_t)n;
	s->deferred = true;
	if (s->q.bytes != 0)
		h->starved = true;
	return NGHTTP2_ERR_DEFERRED;
}

static void
resume(struct h2_stream *s)
{
	if (s->deferred) {
		s->deferred = false;
		s->moved_ms = clock_mono_ms();
		nghttp2_session_resume_data(s->h->ng, s->id);
	}
	link_flush(s->h->link);
}

void
h2_stream_wake(struct h2 *h)
{
	struct list *it, *tmp;
	struct h2_stream *s;
	bool starved = h->starved;

	h->starved = false;
	LIST_FOREACH(it, tmp, &h->streams)
	{
		s = LIST_ENTRY(it, struct h2_stream, link);
		if (starved && s->deferred && s->q.bytes != 0)
			resume(s);
		if (s->want == SIZE_MAX || s->q.bytes > s->want || s->muted ||
		    s->ops == NULL)
			continue;
		s->want = SIZE_MAX;
		if (s->ops->on_writable != NULL)
			s->ops->on_writable(s);
	}
}

void
h2_respond(struct h2_stream *s, const struct h2_field *f, size_t n, bool end)
{
	nghttp2_data_provider source = { .source.ptr = s,
		.read_callback = h2_stream_on_read };
	nghttp2_nv nv[FIELDS_MAX];

	if (s->muted)
		return;
	n = to_nvs(f, n, nv);
	if (nghttp2_submit_response(s->h->ng, s->id, nv, n,
	        end ? NULL : &source) != 0)
		h2_stream_reset(s, H2_INTERNAL_ERROR);
	link_flush(s->h->link);
}

struct h2_stream *
h2_request(struct h2 *h, const struct h2_field *f, size_t n,
    const struct h2_stream_ops *ops, void *user)
{
	nghttp2_data_provider source = { .read_callback = h2_stream_on_read };
	nghttp2_nv nv[FIELDS_MAX];
	struct h2_stream *s;

	if (h->terminated || nghttp2_session_check_request_allowed(h->ng) == 0)
		return NULL;
	s = h2_stream_new(h, 0);
	source.source.ptr = s;
	n = to_nvs(f, n, nv);
	s->id = nghttp2_submit_request(h->ng, NULL, nv, n, &source, s);
	if (s->id < 0) {
		h2_stream_gone(s, H2_REFUSED_STREAM);
		return NULL;
	}
	h2_stream_own(s, ops, user);
	link_flush(h->link);
	return s;
}

struct sendq *
h2_stream_queue(struct h2_stream *s)
{
	return &s->q;
}

void
h2_stream_send(struct h2_stream *s)
{
	resume(s);
}

void
h2_stream_want(struct h2_stream *s, size_t n)
{
	s->want = n;
}

void
h2_stream_end(struct h2_stream *s, const struct h2_field *trailers, size_t n)
{
	size_t i;

	ASSERT(!s->fin);
	for (i = 0; i < n; i++)
		head_add(&s->trailers, trailers[i].name, trailers[i].value);
	s->fin = true;
	resume(s);
}

void
h2_stream_reset(struct h2_stream *s, uint32_t error)
{
	if (s->muted)
		return;
	s->muted = true;
	nghttp2_submit_rst_stream(s->h->ng, NGHTTP2_FLAG_NONE, s->id, error);
	link_flush(s->h->link);
}
