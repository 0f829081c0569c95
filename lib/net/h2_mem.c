/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/net/h2_mem.h"

#include <stdlib.h>

enum {
	LARGE = 16384
}; /* only the frame buffer is */

static void *
h2_on_malloc(size_t n, void *user)
{
	(void)user;
	return malloc(n);
}

static void *
h2_on_calloc(size_t n, size_t size, void *user)
{
	(void)user;
	return calloc(n, size);
}

static void
h2_on_free(void *p, void *user)
{
	struct h2_mem *h = user;

	if (p != h->shared)
		free(p);
}

/* nghttp2 allocates its buffers by realloc(NULL).  The shared block never
 * grows: a larger one would be asked for with a callback we do not set. */
static void *
h2_on_realloc(void *p, size_t n, void *user)
{
	struct h2_mem *h = user;

	if (p == h->shared && p != NULL)
		return n <= h->shared_size ? p : NULL;
	if (p == NULL && h->armed && n >= LARGE && n <= h->shared_size) {
		h->armed = false;
		return h->shared;
	}
	return realloc(p, n);
}

void
h2_mem_init(struct h2_mem *h, char *shared, size_t size, nghttp2_mem *out)
{
	*h = (struct h2_mem){ shared, size, shared != NULL };
	*out = (nghttp2_mem){
		.mem_user_data = h,
		.malloc = h2_on_malloc,
		.free = h2_on_free,
		.calloc = h2_on_calloc,
		.realloc = h2_on_realloc,
	};
}
