/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef AGENT_TELL_H
#define AGENT_TELL_H
/*
 * How jobs began and ended, told again out of jobs/<id>, for a controller
 * that was restored from an older copy.  What it knows already it drops.
 */
#include <stdbool.h>

#include "lib/base/ulid.h"

struct agent;

/* The last week's, oldest first; durable events like all others. */
void tell_again(struct agent *a);
/* The end of one; false when it is not known (any more, or yet). */
bool tell_one(struct agent *a, const struct ulid *id);
#endif
