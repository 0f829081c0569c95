/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_STORE_MESSAGE_H
#define LIB_STORE_MESSAGE_H
/* Protobuf messages, of records and of the wire, within an arena. */
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "lib/base/str.h"

struct arena;

/* All of it lies in the arena and goes with it.  NULL: malformed, or no room
 * (arena_rc() tells).  Any thread. */
void *message_unpack(struct arena *a, struct str bytes,
    const ProtobufCMessageDescriptor *d);
/* Whether two ids are both set and the same. */
bool message_same_id(const ProtobufCBinaryData *a,
    const ProtobufCBinaryData *b);
#endif
