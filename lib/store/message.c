/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/store/message.h"

#include <string.h>

#include "lib/base/arena.h"

static void *
message_on_alloc(void *arena, size_t n)
{
	return arena_alloc(arena, n);
}

static void
message_on_free(void *arena, void *p)
{
	/* The arena frees all of it at once. */
	(void)arena;
	(void)p;
}

void *
message_unpack(struct arena *a, struct str bytes,
    const ProtobufCMessageDescriptor *d)
{
	ProtobufCAllocator alloc = { message_on_alloc, message_on_free, a };

	return protobuf_c_message_unpack(d, &alloc, bytes.n,
	    (const uint8_t *)bytes.p);
}

bool
message_same_id(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len > 0 && a->len == b->len &&
	       memcmp(a->data, b->data, a->len) == 0;
}
