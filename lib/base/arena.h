/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_ARENA_H
#define LIB_BASE_ARENA_H
/*
 * Memory that dies together: one arena per request, job or frame.  Has a
 * ceiling; past it allocations give NULL and arena_rc() says RC_LIMIT, so a
 * peer cannot make us grow.  Nothing in it is freed alone.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/rc.h"
#include "lib/base/str.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *chunks;
	size_t used;
	size_t max;
	enum rc rc;
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);
/* Frees everything but the first chunk and clears the error. */
void arena_reset(struct arena *a);
enum rc arena_rc(const struct arena *a);

/* Zeroed, aligned for any type.  NULL past the ceiling. */
MUST_USE void *arena_alloc(struct arena *a, size_t n);
MUST_USE void *arena_array(struct arena *a, size_t count, size_t size);
/* Copies with a NUL after it; "" past the ceiling, so text may always be
 * used (arena_rc tells). */
char *arena_str(struct arena *a, struct str s);
char *arena_dup(struct arena *a, const char *z);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
#endif
