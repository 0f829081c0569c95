/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_H2_MEM_H
#define LIB_NET_H2_MEM_H
/*
 * Memory for an nghttp2 session that shares its outgoing frame buffer
 * (16 KiB) with all sessions of the loop.  Safe because h2_output() drains a
 * session to the end before another one runs: the buffer holds nothing
 * between flushes.
 */
#include <nghttp2/nghttp2.h>
#include <stdbool.h>

struct h2_mem {
	char *shared;
	size_t shared_size;
	bool armed; /* the next large block is the frame buffer */
};

/* Fill in h, make the session with *out, then clear h->armed. */
void h2_mem_init(struct h2_mem *h, char *shared, size_t size, nghttp2_mem *out);
#endif
