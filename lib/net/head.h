/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_NET_HEAD_H
#define LIB_NET_HEAD_H
/*
 * A header section: pseudo-fields (":method", ":path", ":authority",
 * ":status") first, then fields in their order, names in lower case.
 * Sticky: past its limits it takes no more and head_rc() says RC_LIMIT.
 */
#include <stdint.h>

#include "lib/base/buf.h"

struct head_span;
struct head {
	struct buf text;
	struct head_span *spans;
	unsigned count, cap, max_fields;
	unsigned pseudo; /* how many of them are pseudo-fields */
	enum rc rc;
};

void head_init(struct head *h, size_t max_bytes, unsigned max_fields);
void head_fini(struct head *h);
/* Copies; name is made lower case. */
void head_add(struct head *h, struct str name, struct str value);
enum rc head_rc(const struct head *h);
/* The first of that name; .p NULL when absent. */
struct str head_get(const struct head *h, const char *name);
/* How often the name comes. */
unsigned head_times(const struct head *h, const char *name);
/* i < count, pseudo-fields included. */
void head_at(const struct head *h, unsigned i, struct str *name,
    struct str *value);
#endif
