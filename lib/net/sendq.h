/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_SENDQ_H
#define LIB_NET_SENDQ_H
/*
 * Bytes of one stream that wait to be sent: copied pieces, small ones
 * joined, and lent ones that are given back when sent or dropped.
 */
#include <stddef.h>

#include "lib/base/list.h"
#include "lib/base/str.h"

typedef void sendq_release_fn(void *ctx);

struct sendq {
	struct list pieces;
	size_t bytes; /* in all pieces, unsent */
};

void sendq_init(struct sendq *q);
void sendq_fini(struct sendq *q);
void sendq_copy(struct sendq *q, struct str s);
/* release may be NULL. */
void sendq_lend(struct sendq *q, struct str s, sendq_release_fn *release,
    void *ctx);
/* The unsent bytes of the first piece; empty when there are none. */
struct str sendq_peek(const struct sendq *q);
/* Drops n bytes of the first piece, n <= its size. */
void sendq_drop(struct sendq *q, size_t n);
/* Moves at most n bytes to dst, over pieces; returns how many. */
size_t sendq_move(struct sendq *q, void *dst, size_t n);
#endif
