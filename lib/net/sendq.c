/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/sendq.h"

#include <string.h>

#include "lib/base/mem.h"

enum {
	PIECE_MIN = 512
};

struct piece {
	struct list link;
	struct str unsent;
	size_t room; /* behind unsent, for more copied bytes */
	sendq_release_fn *release;
	void *ctx;
	char data[];
};

void
sendq_init(struct sendq *q)
{
	list_init(&q->pieces);
	q->bytes = 0;
}

static struct piece *
piece_of(struct list *el)
{
	return LIST_ENTRY(el, struct piece, link);
}

static void
piece_free(struct piece *p)
{
	list_del(&p->link);
	if (p->release != NULL)
		p->release(p->ctx);
	mem_free(p);
}

void
sendq_fini(struct sendq *q)
{
	struct list *el;

	while ((el = list_first(&q->pieces)) != NULL)
		piece_free(piece_of(el));
	q->bytes = 0;
}

static struct piece *
add_piece(struct sendq *q, size_t size)
{
	struct piece *p = mem_alloc(sizeof(struct piece) + size);

	p->unsent = str_from(p->data, 0);
	p->room = size;
	list_append(&q->pieces, &p->link);
	return p;
}

void
sendq_copy(struct sendq *q, struct str s)
{
	struct piece *p =
	    list_empty(&q->pieces) ? NULL : piece_of(q->pieces.prev);
	char *end;

	if (s.n == 0)
		return;
	if (p == NULL || p->room < s.n)
		p = add_piece(q, s.n < PIECE_MIN ? PIECE_MIN : s.n);
	end = p->data + (p->unsent.p - p->data) + p->unsent.n;
	memcpy(end, s.p, s.n);
	p->unsent.n += s.n;
	p->room -= s.n;
	q->bytes += s.n;
}

void
sendq_lend(struct sendq *q, struct str s, sendq_release_fn *release, void *ctx)
{
	struct piece *p;

	if (s.n == 0) {
		if (release != NULL)
			release(ctx);
		return;
	}
	p = add_piece(q, 0);
	p->unsent = s;
	p->release = release;
	p->ctx = ctx;
	q->bytes += s.n;
}

struct str
sendq_peek(const struct sendq *q)
{
	struct list *el = list_first(&q->pieces);

	return el == NULL ? str_from("", 0) : piece_of(el)->unsent;
}

void
sendq_drop(struct sendq *q, size_t n)
{
	struct piece *p = piece_of(list_first(&q->pieces));

	ASSERT(n <= p->unsent.n);
	p->unsent = str_sub(p->unsent, n, p->unsent.n);
	q->bytes -= n;
	if (p->unsent.n == 0)
		piece_free(p);
}

size_t
sendq_move(struct sendq *q, void *dst, size_t n)
{
	char *to = dst;
	struct str s;
	size_t part;

	while (n != 0 && q->bytes != 0) {
		s = sendq_peek(q);
		part = s.n < n ? s.n : n;
		memcpy(to, s.p, part);
		sendq_drop(q, part);
		to += part;
		n -= part;
	}
	return (size_t)(to - (char *)dst);
}
