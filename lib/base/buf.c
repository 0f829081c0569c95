/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"

enum {
	FIRST_CAP = 64
};

void
buf_init(struct buf *b, size_t max)
{
	/* One byte more than cap is allocated, for the NUL. */
	ASSERT(max >= 1 && max < SIZE_MAX);
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	mem_free(b->data);
	*b = (struct buf){ .max = b->max };
}

void
buf_wipe_fini(struct buf *b)
{
	/* Up to cap: a cut buffer still holds its old end. */
	mem_wipe(b->data, b->cap);
	buf_fini(b);
}

void
buf_reset(struct buf *b)
{
	buf_cut(b, 0);
	b->rc = RC_OK;
}

enum rc
buf_rc(const struct buf *b)
{
	return b->rc;
}

/* Makes cap >= need.  Copies instead of reallocating and wipes the old
 * place: a buffer may hold a secret, and growing must not leave one behind. */
static bool
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap;
	char *data;

	while (cap < need && cap <= b->max / 2)
		cap *= 2;
	if (cap < need || cap > b->max)
		cap = b->max;
	data = mem_try_alloc(cap + 1);
	if (data == NULL)
		return false;
	if (b->data != NULL)
		memcpy(data, b->data, b->len);
	mem_wipe(b->data, b->cap);
	mem_free(b->data);
	b->data = data;
	b->cap = cap;
	return true;
}

/* Room for n more bytes, or the sticky error. */
static bool
room(struct buf *b, size_t n)
{
	if (b->rc != RC_OK)
		return false;
	if (b->data != NULL && n <= b->cap - b->len)
		return true;
	if (n <= b->max - b->len && grow(b, b->len + n))
		return true;
	b->rc = RC_LIMIT;
	return false;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	return room(b, n) ? b->data + b->len : NULL;
}

void
buf_added(struct buf *b, size_t n)
{
	ASSERT(n <= b->cap - b->len);
	if (b->data == NULL)
		return;
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !room(b, n))
		return;
	memcpy(b->data + b->len, p, n);
	buf_added(b, n);
}

void
buf_puts(struct buf *b, const char *z)
{
	buf_put_str(b, str_of(z));
}

void
buf_put_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

void
buf_putc(struct buf *b, char c)
{
	if (!room(b, 1))
		return;
	b->data[b->len] = c;
	buf_added(b, 1);
}

/* JSON and metrics are full of numbers: by printf they were two fifths of the
 * instructions of GET /metrics (./bench instructions). */
void
buf_put_dec(struct buf *b, uint64_t v)
{
	char text[20]; /* 2^64 - 1 */
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_put(b, text + at, sizeof(text) - at);
}

static void
put_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t be[8];
	size_t i;

	for (i = 0; i < n; i++)
		be[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	buf_put(b, be, n);
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
	put_be(b, v, sizeof(v));
}

void
buf_put_u16(struct buf *b, uint16_t v)
{
	put_be(b, v, sizeof(v));
}

void
buf_put_u32(struct buf *b, uint32_t v)
{
	put_be(b, v, sizeof(v));
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	put_be(b, v, sizeof(v));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	if (!room(b, 0))
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	/* Into what is free; the NUL has its byte beyond cap. */
	n = vsnprintf(b->data + b->len, b->cap - b->len + 1, fmt, ap);
	if (n < 0)
		b->rc = RC_LIMIT;
	else if ((size_t)n > b->cap - b->len && room(b, (size_t)n))
		(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
	buf_added(b, b->rc == RC_OK ? (size_t)n : 0);
	va_end(again);
	va_end(ap);
}

static bool
stands_in_url(char c, const char *also)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') ||
	       (c != '\0' &&
	           (strchr("-._~", c) != NULL || strchr(also, c) != NULL));
}

void
buf_put_percent(struct buf *b, struct str s, const char *also)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (stands_in_url(s.p[i], also))
			buf_putc(b, s.p[i]);
		else
			buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
	}
}

void
buf_drop(struct buf *b, size_t n)
{
	ASSERT(n <= b->len);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	buf_cut(b, b->len - n);
}

void
buf_cut(struct buf *b, size_t n)
{
	if (n >= b->len)
		return;
	b->len = n;
	b->data[n] = '\0';
}

struct str
buf_str(const struct buf *b)
{
	return str_from(buf_text(b), b->len);
}

const char *
buf_text(const struct buf *b)
{
	return b->data == NULL ? "" : b->data;
}

char *
buf_take(struct buf *b, size_t *out_len)
{
	char *p = b->data == NULL ? mem_strdup("") : b->data;

	if (out_len != NULL)
		*out_len = b->len;
	*b = (struct buf){ .max = b->max, .rc = b->rc };
	return p;
}

void
rd_init(struct rd *r, struct str s)
{
	*r = (struct rd){ (const uint8_t *)s.p, s.n, RC_OK };
}

enum rc
rd_rc(const struct rd *r)
{
	return r->rc;
}

struct str
rd_bytes(struct rd *r, size_t n)
{
	struct str s;

	if (r->rc != RC_OK || n > r->left) {
		r->rc = RC_PROTO;
		return str_from(NULL, 0);
	}
	s = str_from(r->p, n);
	if (n != 0)
		r->p += n;
	r->left -= n;
	return s;
}

static uint64_t
get_be(struct rd *r, size_t n)
{
	struct str s = rd_bytes(r, n);
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		v = v << 8 | (uint8_t)s.p[i];
	return v;
}

uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)get_be(r, sizeof(uint8_t));
}

uint16_t
rd_u16(struct rd *r)
{
	return (uint16_t)get_be(r, sizeof(uint16_t));
}

uint32_t
rd_u32(struct rd *r)
{
	return (uint32_t)get_be(r, sizeof(uint32_t));
}

uint64_t
rd_u64(struct rd *r)
{
	return get_be(r, sizeof(uint64_t));
}

enum rc
rd_end(const struct rd *r)
{
	return r->rc == RC_OK && r->left != 0 ? RC_PROTO : r->rc;
}
