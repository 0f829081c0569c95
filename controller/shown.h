/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CONTROLLER_SHOWN_H
#define CONTROLLER_SHOWN_H
/*
 * Secrets on their way to the one page that shows them once: made by a
 * form, taken by the page it leads to.  In memory only, for ten minutes; a
 * page that comes too late, or again, says so.  Loop thread.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/str.h"
#include "lib/base/ulid.h"

struct secret;
struct shown;

enum {
	SHOWN_MS = 600000,
	SHOWN_MAX = 1000 /* past it the oldest is forgotten */
};

struct shown *shown_new(void);
void shown_free(struct shown *s);
void shown_tick(struct shown *s); /* forgets what is over */

/* For that user's eyes; replaces an earlier one about the same thing. */
void shown_keep(struct shown *s, const struct ulid *user,
    const struct ulid *about, struct str text);
/* False: not there, or not for that user.  out is the caller's to wipe. */
bool shown_take(struct shown *s, const struct ulid *user,
    const struct ulid *about, struct secret *out);
size_t shown_count(const struct shown *s);
#endif
