/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_BULK_H
#define CONTROLLER_BULK_H
/*
 * Many hosts at once: which ones a request means, by ids in its body or by
 * boxes ticked on the dashboard, each of them once and in the order given;
 * the walk over them within one op; the way back to the dashboard.
 * Loop thread, but for bulk_each().
 */
#include <stddef.h>

#include "lib/base/rc.h"
#include "lib/base/ulid.h"

struct buf;
struct json_strs;
struct op;
struct req;
struct store_tx;

enum {
	BULK_HOSTS_MAX = 100
};

struct bulk_hosts {
	struct ulid ids[BULK_HOSTS_MAX];
	size_t n;
};

/* RC_INVALID: not a host's id, or too many. */
MUST_USE enum rc bulk_add(struct bulk_hosts *b, struct str id, struct err *e);
MUST_USE enum rc bulk_named(struct bulk_hosts *b, const struct json_strs *ids,
    struct err *e);
MUST_USE enum rc bulk_ticked(struct bulk_hosts *b, const struct req *r,
    struct err *e);

/* In an op, on the store thread: one() for each, in a transaction and an
 * arena of its own.  All of it is one commit, but what was read of one host
 * is not kept for the next.  The first failure fails state. */
typedef void bulk_one_fn(struct store_tx *tx, struct op *op, size_t i);
MUST_USE enum rc bulk_each(struct store_tx *state, struct op *op, size_t n,
    bulk_one_fn *one);

/* The dashboard the form was on, up to where a query goes on: without what
 * the answer to an earlier form added. */
void bulk_back(struct req *r, struct buf *out);
#endif
