/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_FLEET_NEXT_H
#define RENDER_FLEET_NEXT_H
/*
 * What the fleet's schedules run next.  Each host's is kept until the host
 * changes or it has come, so that a page of 5,000 hosts reads nothing for them.
 */
#include <stdint.h>

struct fleet_nexts;
struct view;
struct Rec__Host;

struct fleet_nexts *fleet_nexts_new(void);
void fleet_nexts_free(struct fleet_nexts *n); /* NULL is fine */

typedef void fleet_next_fn(void *ctx, const struct Rec__Host *h, int64_t at_ms);

/* The next run of each host that has one up to until_ms, in the order of the
 * hosts. */
void fleet_next_each(struct view *v, int64_t until_ms, fleet_next_fn *fn,
    void *ctx);
#endif
