/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RENDER_FLEET_NEXT_H
#define RENDER_FLEET_NEXT_H
/*
 * What the fleet's schedules run next.  Each host's is kept until the host
 * changes or it has come, so that a page of 5,000 hosts reads a version each.
 */
#include <stddef.h>
#include <stdint.h>

#include "lib/base/ulid.h"

struct fleet_nexts;
struct view;
struct Rec__Host;

struct fleet_run {
	const struct Rec__Host *host;
	struct ulid id;       /* of the host */
	struct ulid schedule; /* of its next run */
	int64_t at_ms;
};

struct fleet_nexts *fleet_nexts_new(void);
void fleet_nexts_free(struct fleet_nexts *n); /* NULL is fine */

/* The next run of each host, the soonest max of them up to until_ms, soonest
 * first; returns how many. */
size_t fleet_next_get(struct view *v, int64_t until_ms, struct fleet_run *out,
    size_t max);
#endif
