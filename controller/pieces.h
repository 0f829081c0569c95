/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_PIECES_H
#define CONTROLLER_PIECES_H
/*
 * A download that is made piece by piece: the pool makes one, the loop sends
 * it and asks for the next when the peer has taken it.  So neither the loop
 * waits for the store nor does memory grow with the answer.
 */
#include <stdbool.h>

#include "lib/base/rc.h"

struct buf;
struct req;

/* Pool thread: appends the next piece to out, which is the same each time.
 * True: more follows.  False: that was the last one, or e->rc says why there
 * is no more; what is in out by then is sent all the same. */
typedef bool pieces_make_fn(void *ctx, struct buf *out, struct err *e);
typedef void pieces_free_fn(void *ctx);

struct pieces_opts {
	const char *type;     /* content-type */
	const char *filename; /* of the download; copied */
	pieces_make_fn *make;
	pieces_free_fn *free; /* loop thread, exactly once */
	void *ctx;
};

/* Answers r, within its share of long answers (quota.h).  A failure before
 * anything was made is an ordinary refusal, a later one cuts the answer
 * short. */
void pieces_start(struct req *r, const struct pieces_opts *o);
#endif
