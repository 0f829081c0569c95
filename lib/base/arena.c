/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"

/* The head of the list is the chunk being filled.  What is larger than
 * LARGE gets a chunk of its own behind it, so that the rest of the head is
 * not wasted. */
struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	size_t cap;
	alignas(max_align_t) uint8_t data[];
};

enum {
	CHUNK = 4000,
	CHUNK_MAX = 65000, /* what grows asks less often */
	LARGE = CHUNK / 4
};

void
arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static void
free_chunks(struct arena_chunk *c)
{
	struct arena_chunk *next;

	for (; c != NULL; c = next) {
		next = c->next;
		mem_free(c);
	}
}

void
arena_fini(struct arena *a)
{
	free_chunks(a->chunks);
	arena_init(a, a->max);
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk *head = a->chunks;

	a->used = 0;
	a->rc = RC_OK;
	if (head == NULL)
		return;
	free_chunks(head->next);
	head->next = NULL;
	memset(head->data, 0, head->used);
	head->used = 0;
}

enum rc
arena_rc(const struct arena *a)
{
	return a->rc;
}

static struct arena_chunk *
new_chunk(size_t cap)
{
	struct arena_chunk *c;
	size_t n;

	if (!size_add(sizeof(*c), cap, &n) || (c = mem_try_alloc(n)) == NULL)
		return NULL;
	c->cap = cap;
	return c;
}

/* A quarter of what is there: never much more than is needed. */
static size_t
next_size(const struct arena *a)
{
	size_t n = a->used / 4;

	return n < CHUNK ? CHUNK : n > CHUNK_MAX ? CHUNK_MAX : n;
}

/* A chunk with room for n bytes, linked into the list. */
static struct arena_chunk *
chunk_for(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->chunks;

	if (c != NULL && n <= c->cap - c->used)
		return c;
	c = new_chunk(n > LARGE ? n : next_size(a));
	if (c == NULL)
		return NULL;
	if (n > LARGE && a->chunks != NULL) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

static void *
fail(struct arena *a)
{
	a->rc = RC_LIMIT;
	return NULL;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	const size_t align = alignof(max_align_t);
	struct arena_chunk *c;
	size_t size;
	void *p;

	/* Nothing is not free: a peer's empty items must meet the ceiling. */
	n = n == 0 ? 1 : n;
	if (a->rc != RC_OK || n > a->max - a->used)
		return fail(a);
	if (!size_add(n, align - 1, &size))
		return fail(a);
	size -= size % align;
	c = chunk_for(a, size);
	if (c == NULL)
		return fail(a);
	p = c->data + c->used;
	c->used += size;
	/* Rounding up does not count against the ceiling twice. */
	a->used = size > a->max - a->used ? a->max : a->used + size;
	return p;
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	return size_mul(count, size, &n) ? arena_alloc(a, n) : fail(a);
}

/* What a failed copy gives: never written to, so it can be shared. */
static char *
empty_text(void)
{
	static char empty[1];

	return empty;
}

char *
arena_str(struct arena *a, struct str s)
{
	size_t n;
	char *p = size_add(s.n, 1, &n) ? arena_alloc(a, n) : fail(a);

	if (p == NULL)
		return empty_text();
	if (s.n != 0)
		memcpy(p, s.p, s.n);
	return p;
}

char *
arena_dup(struct arena *a, const char *z)
{
	return arena_str(a, str_of(z));
}

/* Nearly all that is asked for is short: written once, then copied (./bench
 * dashboard). */
char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	char small[128];
	va_list ap, again;
	char *p = NULL;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	p = n < 0 ? fail(a) : arena_alloc(a, (size_t)n + 1);
	if (p != NULL && (size_t)n < sizeof(small))
		memcpy(p, small, (size_t)n + 1);
	else if (p != NULL)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return p == NULL ? empty_text() : p;
}
